//! Who is recorded at login: the login shell in the user database, and the real shell of each such user.
//!
//! Two files hold that, and neither is changed alone. Enrolling writes the real shell first, unenrolling removes it last:
//! whatever is interrupted, the user can log in. Not for what the login shell does.

mod accounts;
mod break_glass;
mod change;
mod list;
mod shells;

pub use accounts::Account;
pub use break_glass::prepare as prepare_break_glass;
pub use change::{Outcome, enroll, everybody, only_root, ready, remember, unenroll};
pub use list::{Row, State, rows};
pub use shells::{Locked, Shells, usable};
