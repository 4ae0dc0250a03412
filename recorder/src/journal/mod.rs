//! The journal: the local, append-only, already sealed copy of everything, and the queue of what must travel.
//!
//! ```text
//! <spool>/chain/…                            the host chain (module `host_chain`)
//! <spool>/sessions/<session>/lock            flock held while a recorder runs the session, or `ship` closes it
//!                           /about.json      where it goes, who runs it, which boot it ran in
//!                           /reserve         space kept so that the session can be closed on a full disk
//!                           /000005.journal  open, or closed and not yet signed
//!                           /000004-<digest>.hseg  closed: durable, signed, waiting for the sinks
//!                           /head            number and digest of the highest closed segment
//!                           /outcome         how the session ended, once it has, and all that its last event says of that
//!                           /cursor-<sink>   number of the next segment that this sink lacks
//!                           /000000-started.event  a lifecycle event, waiting for the sinks
//!                           /events-<sink>   number of the next event that this sink lacks
//! ```
//!
//! A segment is *open* (`.journal`, being appended), *closed* (`.hseg`), *delivered* per sink (its cursor has passed
//! it), *released* (removed when every required sink has it and a later one is closed, or the session has ended).
//! What a name says is durable: a file gets its `.hseg` name after its bytes were synced, and the directory is
//! synced after that. Everything is written for any number of sessions and recorders on one spool.
//!
//! Not for what the bytes mean (`hansard_schemas`), nor for when a segment is cut (`capture::session`).

pub mod closing;
pub mod cursor;
pub mod file;
pub mod lag;
pub mod outbox;
pub mod recovery;
pub mod resumption;
pub mod session_dir;
pub mod spool;
pub mod stall;
pub mod sync;
pub mod taking;
pub mod usage;
