//! The servers that the `stores` suite drives the programs against: the real ones, and the bad days of a network.
//!
//! `seaweed` is SeaweedFS, `kafka` is Apache Kafka: processes of their own on loopback, with their data in a temporary
//! folder, that a test may kill, stop and start again. `proxy` stands between a client and an S3 server and misbehaves
//! as a script says; `webhook` receives events; `moto` and `rsyslog` take the lines of `forward`. What is missing on the machine fails the test that needs it. No test
//! talks to anything that is not on this machine. The hermetic suite has the receiver of webhooks only.

#[cfg(feature = "real")]
pub mod bucket;
#[cfg(feature = "real")]
pub mod daemon;
pub mod door;
pub mod http;
#[cfg(feature = "real")]
pub mod kafka;
#[cfg(feature = "real")]
pub mod moto;
#[cfg(feature = "real")]
pub mod proxy;
#[cfg(feature = "real")]
pub mod rsyslog;
#[cfg(feature = "real")]
pub mod seaweed;
#[cfg(feature = "real")]
pub mod tls;
#[cfg(feature = "real")]
pub mod topic;
pub mod webhook;

#[cfg(feature = "real")]
use std::collections::BTreeSet;
#[cfg(feature = "real")]
use std::net::TcpListener;
#[cfg(feature = "real")]
use std::path::PathBuf;
#[cfg(feature = "real")]
use std::sync::atomic::{AtomicU64, Ordering};
#[cfg(feature = "real")]
use std::sync::{Mutex, OnceLock, PoisonError};

#[cfg(feature = "real")]
use crate::stream::Numbers;

/// What one run of CI leaves for the next: `$HANSARD_CI_CACHE`, where `.ci/stages/00-prepare` puts the servers.
#[cfg(feature = "real")]
fn cache() -> PathBuf {
    match std::env::var_os("HANSARD_CI_CACHE") {
        Some(folder) => folder.into(),
        None => PathBuf::from(std::env::var_os("HOME").expect("HOME")).join(".cache/hansard-ci"),
    }
}

/// A part of a server: named by a variable, or in the cache of CI. The suite never skips: what is missing fails.
#[cfg(feature = "real")]
fn installed(variable: &str, in_cache: &str) -> PathBuf {
    let path = std::env::var_os(variable).map_or_else(|| cache().join(in_cache), PathBuf::from);
    let needed = "`.ci/run prepare` installs it";
    assert!(path.exists(), "this suite needs {} ({needed}, or {variable} names it)", path.display());
    path
}

/// Ports on loopback that nothing listens on, and that no other server of this process was given: one that starts slowly
/// does not listen yet. They lie below those that the kernel gives to outgoing connections, so that a server which was
/// killed finds its own again.
#[cfg(feature = "real")]
fn free_ports<const N: usize>() -> [u16; N] {
    static NEXT: AtomicU64 = AtomicU64::new(0);
    static GIVEN: Mutex<BTreeSet<u16>> = Mutex::new(BTreeSet::new());
    let mut given = GIVEN.lock().unwrap_or_else(PoisonError::into_inner);
    let mut held: Vec<TcpListener> = Vec::new();
    let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).expect("a time after 1970");
    let seed =
        u64::from(std::process::id()) << 32 ^ u64::from(now.subsec_nanos()) ^ NEXT.fetch_add(1, Ordering::Relaxed);
    let mut numbers = Numbers::new(seed);
    while held.len() < N {
        let port = 10_000 + u16::try_from(numbers.below(22_000)).expect("a port");
        if !given.contains(&port)
            && let Ok(listener) = TcpListener::bind(("127.0.0.1", port))
        {
            given.insert(port);
            held.push(listener);
        }
    }
    std::array::from_fn(|n| held[n].local_addr().expect("its address").port())
}

/// The runtime on which the harness itself talks to the servers.
#[cfg(feature = "real")]
fn runtime() -> &'static tokio::runtime::Runtime {
    static RUNTIME: OnceLock<tokio::runtime::Runtime> = OnceLock::new();
    RUNTIME.get_or_init(|| {
        tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().expect("a runtime")
    })
}
