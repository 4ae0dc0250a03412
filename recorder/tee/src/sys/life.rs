//! The end of a thread's life, told to another process before anyone else hears of it.
//!
//! A lock in shared memory, held by the thread and robust: the kernel gives it up first thing when the thread dies,
//! before its memory and its descriptors go and long before its parent is told. A pipe would close last, in a race with
//! the parent. Not for waiting on anything but an end.

use std::io;
use std::mem::{MaybeUninit, size_of};
use std::ptr;

/// A life that began with this value and ends when it is dropped, or with the thread that made it, however that ends. It
/// must be dropped where it was made, which a raw pointer sees to: it cannot be sent to another thread.
pub(crate) struct Life(*mut libc::pthread_mutex_t);

impl Life {
    /// Begins one. A process that is forked afterwards can wait for its end.
    pub(crate) fn begin() -> io::Result<Self> {
        let (protection, flags) = (libc::PROT_READ | libc::PROT_WRITE, libc::MAP_SHARED | libc::MAP_ANONYMOUS);
        let size = size_of::<libc::pthread_mutex_t>();
        // SAFETY: asks for new memory anywhere, which nothing else uses.
        let place = unsafe { libc::mmap(ptr::null_mut(), size, protection, flags, -1, 0) };
        if place == libc::MAP_FAILED {
            return Err(io::Error::last_os_error());
        }
        // From here on the memory is given back by `drop`.
        let life = Self(place.cast());
        let mut kind = MaybeUninit::<libc::pthread_mutexattr_t>::uninit();
        // SAFETY: the attributes are initialised first and destroyed last; the place is writable, large enough, aligned as a
        // page is, and no lock yet. Locking one just made for this thread cannot wait.
        let codes = unsafe {
            let kind_at = kind.as_mut_ptr();
            let codes = [
                libc::pthread_mutexattr_init(kind_at),
                libc::pthread_mutexattr_setpshared(kind_at, libc::PTHREAD_PROCESS_SHARED),
                libc::pthread_mutexattr_setrobust(kind_at, libc::PTHREAD_MUTEX_ROBUST),
                libc::pthread_mutex_init(life.0, kind_at),
                libc::pthread_mutex_lock(life.0),
            ];
            libc::pthread_mutexattr_destroy(kind_at);
            codes
        };
        match codes.into_iter().find(|code| *code != 0) {
            Some(code) => Err(io::Error::from_raw_os_error(code)),
            None => Ok(life),
        }
    }

    /// In a forked process: returns when the life has ended.
    pub(crate) fn wait(&self) {
        // SAFETY: the lock was made before the fork and is mapped here as long as `self`. Whether it was given up or its
        // owner has died, the life is over; this process keeps the lock until it ends.
        unsafe { libc::pthread_mutex_lock(self.0) };
    }
}

impl Drop for Life {
    fn drop(&mut self) {
        // SAFETY: unlocking is refused for a lock that this thread does not hold; the memory was mapped by `begin` in this
        // size, and nothing refers to it any more. (A process that waits has a mapping of its own.)
        unsafe {
            libc::pthread_mutex_unlock(self.0);
            libc::munmap(self.0.cast(), size_of::<libc::pthread_mutex_t>());
        }
    }
}
