//! The identity object of a session that a peer asks for: the kernel's word under `kernel`, the peer's under `claimed`.
//!
//! For sessions of the agent; a standalone recorder collects its own (`capture::who`).

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::os::fd::OwnedFd;

use hansard_schemas::session::{Claimed, Identity, Kernel, Kind};
use hansard_schemas::{SessionId, Timestamp};
use hansard_tee::wire::Hello;
use rustix::termios::ttyname;
use ssh_key::public::KeyData;
use ssh_key::{Certificate, HashAlg, PublicKey};

use super::peer::{self, Origin, Peer};
use crate::capture::who::Host;

/// Everything about a peer that a decision needs.
#[derive(Debug)]
pub struct Person {
    /// Name in the user database, or the number.
    pub user: String,
    /// Whether the database has the name.
    pub known: bool,
    /// Names of the groups, primary first.
    pub groups: Vec<String>,
    /// What `/proc` says of the process.
    pub status: peer::Status,
    /// Where it was proved to come from.
    pub origin: Option<Origin>,
    /// Where it says that it comes from.
    pub claimed: Option<IpAddr>,
    /// The outer terminal.
    pub tty: Option<String>,
}

/// A variable of the peer's environment.
pub fn variable(hello: &Hello, name: &str) -> Option<String> {
    hello.env.iter().find_map(|entry| {
        let value = entry.strip_prefix(name.as_bytes())?.strip_prefix(b"=")?;
        Some(String::from_utf8_lossy(value).into_owned())
    })
}

impl Person {
    /// Looks the peer up.
    pub fn of(peer: &Peer, hello: &Hello, terminal: Option<&OwnedFd>) -> Self {
        let name = uzers::get_user_by_uid(peer.uid).map(|user| user.name().to_string_lossy().into_owned());
        let status = peer::status(peer.pid).unwrap_or_default();
        let gids = std::iter::once(peer.gid).chain(status.groups.iter().copied().filter(|gid| *gid != peer.gid));
        let groups = gids
            .map(|gid| {
                let group = uzers::get_group_by_gid(gid);
                group.map_or_else(|| gid.to_string(), |group| group.name().to_string_lossy().into_owned())
            })
            .collect();
        let connection = variable(hello, "SSH_CONNECTION");
        Self {
            known: name.is_some(),
            user: name.unwrap_or_else(|| peer.uid.to_string()),
            groups,
            status,
            origin: connection.as_deref().and_then(|text| peer::origin(peer.pid, text)),
            claimed: connection.as_deref().and_then(peer::ssh_connection).map(|(remote, _)| remote.ip()),
            tty: terminal
                .and_then(|terminal| ttyname(terminal, Vec::new()).ok())
                .map(|name| name.to_string_lossy().into_owned()),
        }
    }

    /// Where it comes from; proved where it can be, else claimed: a rule that only a proof satisfies would let in who
    /// claims nothing.
    pub fn from(&self) -> Option<IpAddr> {
        self.origin.as_ref().map(|origin| origin.remote.ip()).or(self.claimed)
    }
}

/// What is to be run, as the peer asks for it: the text behind `-c`, if there is one.
pub fn command_line(hello: &Hello) -> Option<String> {
    let mut words = hello.argv.iter().skip(1);
    let text = |word: &Vec<u8>| String::from_utf8_lossy(word).into_owned();
    match words.next() {
        Some(word) if word == b"-c" => words.next().map(text),
        Some(word) => Some(std::iter::once(word).chain(words).map(text).collect::<Vec<_>>().join(" ")),
        None => None,
    }
}

/// Which key the text of `SSH_USER_AUTH` names (sshd_config(5), ExposeAuthInfo): the first, where there are several.
fn ssh_key(auth: &str) -> Option<String> {
    let key = auth.lines().find_map(|line| line.strip_prefix("publickey "))?;
    let fingerprint = |key: &KeyData| key.fingerprint(HashAlg::Sha256).to_string();
    if let Ok(key) = PublicKey::from_openssh(key) {
        return Some(fingerprint(key.key_data()));
    }
    let certificate = Certificate::from_openssh(key).ok()?;
    let (id, serial) = (certificate.key_id(), certificate.serial());
    let (key, signer) = (fingerprint(certificate.public_key()), fingerprint(certificate.signature_key()));
    Some(format!("certificate {id:?}, serial {serial}, key {key}, signed by {signer}"))
}

/// Makes the object.
pub fn identify(
    (session, started, kind): (SessionId, Timestamp, Kind),
    host: &Host,
    peer: &Peer,
    person: &Person,
    hello: &Hello,
    (env, labels): (&[String], &BTreeMap<String, String>),
) -> Identity {
    let proc = |name: &str| std::fs::read_to_string(format!("/proc/{}/{name}", peer.pid)).ok();
    let login_uid = proc("loginuid").and_then(|text| text.trim_end().parse().ok()).filter(|uid| *uid != u32::MAX);
    let auth = hello.ssh_user_auth.as_ref().map(|text| String::from_utf8_lossy(text).trim_end().to_owned());
    let exe = std::fs::read_link(format!("/proc/{}/exe", person.status.ppid)).ok();
    // What may not be looked at has a name all the same.
    let name = || peer::status(person.status.ppid).map(|status| status.name);
    Identity {
        session,
        started,
        host: host.name.clone(),
        kind,
        kernel: Kernel {
            uid: peer.uid,
            gid: peer.gid,
            groups: person.status.groups.clone(),
            login_uid,
            ppid: u32::try_from(person.status.ppid).unwrap_or(0),
            parent: exe.map(|path| path.to_string_lossy().into_owned()).or_else(name),
            tty: person.tty.clone(),
            hostname: host.name.clone(),
            machine: host.machine,
            boot: host.boot,
            user: person.known.then(|| person.user.clone()),
            origin: person.origin.as_ref().map(|origin| format!("{} {}", origin.remote.ip(), origin.remote.port())),
        },
        claimed: Claimed {
            command: command_line(hello).into_iter().collect(),
            cwd: String::from_utf8_lossy(&hello.cwd).into_owned(),
            env: env.iter().filter_map(|name| Some((name.clone(), variable(hello, name)?))).collect(),
            labels: labels.clone(),
            reason: None,
            ssh_connection: variable(hello, "SSH_CONNECTION"),
            ssh_key: auth.as_deref().and_then(ssh_key),
            ssh_user_auth: auth,
        },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    // As sshd writes them, with what `ssh-keygen -l` says of them.
    const KEY: &str = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIDXS5kvh/iQnWdZMRYVTatgQLjEE53SFwmKOz5ZdkFHH";
    const CERTIFICATE: &str = "ssh-ed25519-cert-v01@openssh.com AAAAIHNzaC1lZDI1NTE5LWNlcnQtdjAxQG9wZW5zc2guY29tAAAAIAQoe3dvMTDXnahIfncberNlBkq1EjjXZ0neljEdt3YGAAAAIDXS5kvh/iQnWdZMRYVTatgQLjEE53SFwmKOz5ZdkFHHAAAAAAAAAAcAAAABAAAACXpvw6tAY29ycAAAAAUAAAABdQAAAABeC+EAAAAAAIOqfoAAAAAAAAAAggAAABVwZXJtaXQtWDExLWZvcndhcmRpbmcAAAAAAAAAF3Blcm1pdC1hZ2VudC1mb3J3YXJkaW5nAAAAAAAAABZwZXJtaXQtcG9ydC1mb3J3YXJkaW5nAAAAAAAAAApwZXJtaXQtcHR5AAAAAAAAAA5wZXJtaXQtdXNlci1yYwAAAAAAAAAAAAAAMwAAAAtzc2gtZWQyNTUxOQAAACBNKyPTbrgrWb+G454rwYbP47G7TkKAmFZ1pziLAhV0TwAAAFMAAAALc3NoLWVkMjU1MTkAAABAD8ls+1452EtA+QoDCsB4/YrMZx0NRGJACQwknVg9/thIx04AsME5NEowhvKgzSKE4Kl86wO0F9lDeY+XtUdCCg==";

    #[test]
    fn a_key_is_named_by_its_fingerprint_and_a_certificate_by_its_id() {
        let key = "SHA256:BM3nY3eW2y/e7UqA8P53TalfRiqz0BX7xC/fS4WoacI";
        let signer = "SHA256:BoWpltzeCf3RmuGl24P9QIQMmxGiTXNrSuBPykdDQKs";
        assert_eq!(ssh_key(&format!("publickey {KEY}")).as_deref(), Some(key));
        assert_eq!(ssh_key(&format!("password\npublickey {KEY}\n")).as_deref(), Some(key));
        let named = format!("certificate \"zoë@corp\", serial 7, key {key}, signed by {signer}");
        assert_eq!(ssh_key(&format!("publickey {CERTIFICATE}")), Some(named));
        for nothing in ["", "password", "publickey", "publickey ssh-ed25519 AAAA", &KEY[..40]] {
            assert_eq!(ssh_key(nothing), None, "{nothing}");
        }
    }
}
