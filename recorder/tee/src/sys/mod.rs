//! The one place with `unsafe`: what the kernel offers and no safe crate does.
//!
//! Starting a program by hand, the signals as they were before Rust's runtime touched them, signal descriptors, memory
//! that stays out of swap, descriptors that were passed on, the end of a life. Each use says why it holds. Not for anything rustix already offers.
#![allow(unsafe_code)]

mod descriptors;
mod life;
mod memory;
mod original;
mod setgid;
mod signal;
mod spawn;
mod variable;

pub(crate) use descriptors::{close_passed_on, remember};
pub(crate) use life::Life;
pub(crate) use memory::{lock, lock_all};
pub(crate) use original::Original;
pub(crate) use setgid::{drop_group, is_setgid};
pub(crate) use signal::{
    SignalFd, block, die_by, is_controlling, kill, own_group, pause_by, queue_of, set_default, set_ignored, unblock,
};
pub(crate) use spawn::{Program, Side, Source, fork, replace, spawn};
pub(crate) use variable::{add_variables, keep_variables, set_variable};
