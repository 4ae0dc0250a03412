//! The places in memory where secrets are kept: one on the heap for each, of which a keeper is told.
//!
//! This crate asks nothing of the system. A program that can keep memory out of swap says how, once, and is told of every
//! place from then on. Not for wiping: what is held here wipes itself when it is dropped.

use std::ops::{Deref, DerefMut};
use std::sync::OnceLock;

/// Told that the `bytes` at `address` hold a secret, or will when it returns.
pub type Keeper = fn(address: usize, bytes: usize);

static KEEPER: OnceLock<Keeper> = OnceLock::new();

/// From now on `keeper` is told where secrets are kept. The first one that is given here stays.
pub fn keep_secrets_with(keeper: Keeper) {
    let _ = KEEPER.set(keeper);
}

/// A secret behind one pointer: moving it copies nothing.
pub(crate) struct Held<T>(Box<T>);

impl<T> Held<T> {
    pub(crate) fn new(secret: T) -> Self {
        let held = Self(Box::new(secret));
        if let Some(keeper) = KEEPER.get() {
            keeper(std::ptr::from_ref(&*held.0).addr(), size_of::<T>());
        }
        held
    }
}

impl<T: Default> Default for Held<T> {
    fn default() -> Self {
        Self::new(T::default())
    }
}

impl<T> Deref for Held<T> {
    type Target = T;

    fn deref(&self) -> &T {
        &self.0
    }
}

impl<T> DerefMut for Held<T> {
    fn deref_mut(&mut self) -> &mut T {
        &mut self.0
    }
}
