//! The forms that a session is exported in: what each looks like, and nothing of who asked for it.
//!
//! `stream` turns blocks of events into bytes one after the other: raw bytes, casts, text, JSON. `still` and `page` are
//! pictures made of [`cells`]; `bundle` is a folder for a third party. Nothing is opened or verified here: `desk`.

pub mod bundle;
pub mod cast2;
pub mod cells;
pub mod events;
pub mod frames;
pub mod guide;
pub mod page;
pub mod still;
pub mod stream;
pub mod target;
