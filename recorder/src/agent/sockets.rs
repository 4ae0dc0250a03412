//! Which socket has these two ends: asked of the kernel by `sock_diag`(7), or looked for in `/proc/net/tcp`.
//!
//! The question is answered at once; the table is written out whole for each reader, which takes milliseconds on a machine
//! with much memory, and is for kernels that do not take the question. Not for who holds a socket: `peer`.

use std::collections::HashSet;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

use rustix::net::netlink::{SOCK_DIAG, SocketAddrNetlink};
use rustix::net::{AddressFamily, RecvFlags, SendFlags, SocketFlags, SocketType, recv, sendto, socket_with};

/// Of `linux/netlink.h`, `linux/sock_diag.h` and `linux/in.h`.
const NLM_F_REQUEST: u16 = 1;
const SOCK_DIAG_BY_FAMILY: u16 = 20;
const IPPROTO_TCP: u8 = 6;
/// Bytes of `nlmsghdr`, of `inet_diag_req_v2` before its id, and where the answer has its inode.
const HEADER: usize = 16;
const BEFORE_ID: usize = 8;
const ANSWER_BEFORE_ID: usize = 4;
const ID: usize = 48;
const ANSWER_INODE: usize = HEADER + ANSWER_BEFORE_ID + ID + 16;

/// Inodes of the TCP sockets with these ends; none where there is none.
pub fn between(local: SocketAddr, remote: SocketAddr) -> HashSet<u64> {
    match ask(local, remote) {
        Some(inode) => HashSet::from([inode]),
        // There is none, or the kernel does not say.
        None => in_tables(local, remote),
    }
}

/// An IPv4 address that came by an IPv6 socket is that address.
pub fn plain(address: IpAddr) -> IpAddr {
    match address {
        IpAddr::V6(v6) => v6.to_ipv4_mapped().map_or(address, IpAddr::V4),
        IpAddr::V4(_) => address,
    }
}

fn octets(address: IpAddr) -> [u8; 16] {
    let mut bytes = [0; 16];
    match address {
        IpAddr::V4(v4) => bytes[..4].copy_from_slice(&v4.octets()),
        IpAddr::V6(v6) => bytes = v6.octets(),
    }
    bytes
}

/// `inet_diag_sockid` of exactly this connection, on any interface and with any cookie.
fn id(local: SocketAddr, remote: SocketAddr) -> Vec<u8> {
    let mut id = Vec::with_capacity(ID);
    id.extend_from_slice(&local.port().to_be_bytes());
    id.extend_from_slice(&remote.port().to_be_bytes());
    id.extend_from_slice(&octets(local.ip()));
    id.extend_from_slice(&octets(remote.ip()));
    id.extend_from_slice(&0_u32.to_ne_bytes());
    id.extend_from_slice(&[0xff; 8]);
    id
}

/// Asks for one socket by both its ends.
fn ask(local: SocketAddr, remote: SocketAddr) -> Option<u64> {
    let id = id(local, remote);
    let family = if remote.is_ipv4() { AddressFamily::INET } else { AddressFamily::INET6 };
    let mut question = Vec::with_capacity(HEADER + BEFORE_ID + ID);
    question.extend_from_slice(&u32::try_from(HEADER + BEFORE_ID + ID).ok()?.to_ne_bytes());
    question.extend_from_slice(&SOCK_DIAG_BY_FAMILY.to_ne_bytes());
    question.extend_from_slice(&NLM_F_REQUEST.to_ne_bytes());
    // Sequence number and port: nobody else is on this socket.
    question.extend_from_slice(&[0; 8]);
    question.extend_from_slice(&[u8::try_from(family.as_raw()).ok()?, IPPROTO_TCP, 0, 0]);
    question.extend_from_slice(&u32::MAX.to_ne_bytes());
    question.extend_from_slice(&id);
    let socket = socket_with(AddressFamily::NETLINK, SocketType::DGRAM, SocketFlags::CLOEXEC, Some(SOCK_DIAG)).ok()?;
    sendto(&socket, &question, SendFlags::empty(), &SocketAddrNetlink::new(0, 0)).ok()?;
    let mut answer = [0; 512];
    // It is there when the question has been sent.
    let (count, _) = recv(&socket, &mut answer[..], RecvFlags::DONTWAIT).ok()?;
    inode_of(answer.get(..count)?, local, remote)
}

/// The inode in an answer, if it is about this connection: where there is none, the kernel may name who listens.
fn inode_of(answer: &[u8], local: SocketAddr, remote: SocketAddr) -> Option<u64> {
    let kind = u16::from_ne_bytes(answer.get(4..6)?.try_into().ok()?);
    let at = HEADER + ANSWER_BEFORE_ID;
    let family = *answer.get(HEADER)?;
    let end = |port: usize, address: usize| {
        let port = u16::from_be_bytes(answer.get(at + port..at + port + 2)?.try_into().ok()?);
        let octets: [u8; 16] = answer.get(at + address..at + address + 16)?.try_into().ok()?;
        let address = if u16::from(family) == AddressFamily::INET.as_raw() {
            IpAddr::from([octets[0], octets[1], octets[2], octets[3]])
        } else {
            plain(IpAddr::from(octets))
        };
        Some(SocketAddr::new(address, port))
    };
    if kind != SOCK_DIAG_BY_FAMILY || (end(0, 4)?, end(2, 20)?) != (local, remote) {
        return None;
    }
    let inode = u32::from_ne_bytes(answer.get(ANSWER_INODE..ANSWER_INODE + 4)?.try_into().ok()?);
    (inode != 0).then_some(u64::from(inode))
}

/// The same, from `/proc/net/tcp` and `tcp6`.
fn in_tables(local: SocketAddr, remote: SocketAddr) -> HashSet<u64> {
    let tables = ["/proc/net/tcp", "/proc/net/tcp6"].map(|path| std::fs::read_to_string(path).unwrap_or_default());
    let rows = tables.iter().flat_map(|table| table.lines().skip(1));
    rows.filter_map(|row| {
        let mut fields = row.split_whitespace().skip(1);
        let ends = (table_end(fields.next()?)?, table_end(fields.next()?)?);
        (ends == (local, remote)).then(|| fields.nth(6)?.parse().ok()).flatten()
    })
    .collect()
}

/// `0100007F:0016`: an address as 32-bit words in the machine's order, and a port.
fn table_end(text: &str) -> Option<SocketAddr> {
    let (address, port) = text.split_once(':')?;
    let words: Vec<[u8; 4]> = (0..address.len() / 8)
        .map(|at| u32::from_str_radix(address.get(at * 8..at * 8 + 8)?, 16).ok().map(u32::to_ne_bytes))
        .collect::<Option<_>>()?;
    let address = match words.as_slice() {
        [v4] => IpAddr::V4(Ipv4Addr::from(*v4)),
        [a, b, c, d] => {
            let mut bytes = [0; 16];
            bytes.iter_mut().zip([a, b, c, d].into_iter().flatten()).for_each(|(to, from)| *to = *from);
            IpAddr::V6(Ipv6Addr::from(bytes))
        }
        _ => return None,
    };
    Some(SocketAddr::new(plain(address), u16::from_str_radix(port, 16).ok()?))
}

#[cfg(test)]
mod tests {
    use std::net::{TcpListener, TcpStream};

    use super::*;

    fn ends_of(address: &str) -> (TcpListener, TcpStream, TcpStream) {
        let server = TcpListener::bind(address).unwrap();
        let port = server.local_addr().unwrap().port();
        // The wildcard takes IPv4 on its IPv6 socket.
        let near = if address.starts_with("[::]") {
            format!("127.0.0.1:{port}")
        } else {
            server.local_addr().unwrap().to_string()
        };
        let client = TcpStream::connect(near).unwrap();
        let (held, _) = server.accept().unwrap();
        (server, client, held)
    }

    #[test]
    fn both_ways_find_the_same_socket_and_no_other() {
        for address in ["127.0.0.1:0", "[::1]:0", "[::]:0"] {
            let (_server, _client, held) = ends_of(address);
            let end = |end: SocketAddr| SocketAddr::new(plain(end.ip()), end.port());
            let (local, remote) = (end(held.local_addr().unwrap()), end(held.peer_addr().unwrap()));
            let found = in_tables(local, remote);
            assert_eq!(found.len(), 1, "{address}");
            assert_eq!(ask(local, remote).map(|inode| HashSet::from([inode])), Some(found.clone()), "{address}");
            assert_eq!(between(local, remote), found);
            // The other way round it is the client's; and one that nobody has is none, although somebody listens there.
            assert_ne!(between(remote, local), found);
            let nobodys = SocketAddr::new(remote.ip(), 1);
            assert_eq!((ask(local, nobodys), between(local, nobodys).len()), (None, 0), "{address}");
        }
    }

    #[test]
    fn what_is_no_answer_is_none() {
        let (local, remote) = ("127.0.0.1:22".parse().unwrap(), "127.0.0.1:40000".parse().unwrap());
        for answer in [&[][..], &[0; 512], &[0xff; 40]] {
            assert_eq!(inode_of(answer, local, remote), None);
        }
        assert_eq!(table_end("0100007F:0016"), Some("127.0.0.1:22".parse().unwrap()));
        assert_eq!(table_end("xx:0016"), None);
    }
}
