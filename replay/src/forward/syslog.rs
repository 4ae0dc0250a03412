//! Lines as syslog messages: over the network RFC 5424, by UDP (RFC 5426) or by TCP with counted octets (RFC 6587); to the
//! local socket what syslog(3) writes there. A daemon takes anything else there for text: rsyslog, unless it is told
//! otherwise, and the journal.
//!
//! A datagram that nobody receives is lost, as syslog is; what the system refuses to take is an error. Not for reading.

use std::fmt::Write as _;
use std::io::{self, Write};
use std::net::{TcpStream, ToSocketAddrs, UdpSocket};
use std::os::unix::net::UnixDatagram;
use std::time::Duration;

use hansard_schemas::names::safe;

use super::output::{self, Line};

/// The socket of the local daemon.
const LOCAL: &str = "/dev/log";
/// Facility 10, security messages that not everybody reads; severity 6, informational.
const PRIORITY: u8 = 10 * 8 + 6;
/// Longest text of one message: with its header a message stays under the 2,048 bytes that receivers should take. What
/// is longer goes into several.
const TEXT: usize = 1_500;
/// How long a connection may take, and a write stand still.
const PATIENCE: Duration = Duration::from_secs(10);
/// Longest name of a host in a message.
const HOST: usize = 255;

/// Where messages go.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Destination {
    /// The local daemon.
    Local(String),
    /// `host:port`, by UDP.
    Udp(String),
    /// `host:port`, by TCP.
    Tcp(String),
}

impl Destination {
    /// What `--to` means; `None` when it is no syslog.
    pub fn parse(text: &str) -> Option<Self> {
        if text == "syslog" {
            return Some(Self::Local(LOCAL.into()));
        }
        let address = |rest: &str| {
            let (host, port) = rest.trim_end_matches('/').rsplit_once(':')?;
            let port: u16 = port.parse().ok()?;
            (!host.is_empty() && !host.contains('/')).then(|| format!("{host}:{port}"))
        };
        if let Some(path) = text.strip_prefix("syslog:///") {
            return Some(Self::Local(format!("/{path}")));
        }
        match text.split_once("://")? {
            ("syslog", rest) => address(rest).map(Self::Udp),
            ("syslog+tcp", rest) => address(rest).map(Self::Tcp),
            _ => None,
        }
    }

    /// For messages.
    pub fn name(&self) -> &str {
        match self {
            Self::Local(name) | Self::Udp(name) | Self::Tcp(name) => name,
        }
    }
}

/// A way that is open.
#[derive(Debug)]
pub enum Syslog {
    /// The local daemon.
    Local(UnixDatagram),
    /// UDP.
    Udp(UdpSocket),
    /// TCP.
    Tcp(TcpStream),
}

impl Syslog {
    /// Opens the way.
    pub fn open(to: &Destination) -> io::Result<Self> {
        match to {
            Destination::Local(path) => {
                let socket = UnixDatagram::unbound()?;
                socket.connect(path)?;
                socket.set_write_timeout(Some(PATIENCE))?;
                Ok(Self::Local(socket))
            }
            Destination::Udp(address) => {
                let target = resolve(address)?;
                let any = if target.is_ipv4() { "0.0.0.0:0" } else { "[::]:0" };
                let socket = UdpSocket::bind(any)?;
                socket.connect(target)?;
                Ok(Self::Udp(socket))
            }
            Destination::Tcp(address) => {
                let stream = TcpStream::connect_timeout(&resolve(address)?, PATIENCE)?;
                stream.set_write_timeout(Some(PATIENCE))?;
                Ok(Self::Tcp(stream))
            }
        }
    }

    /// Sends a line, or a document that says all of it, in several messages if it is long.
    pub fn send(&mut self, line: &Line<'_>, document: Option<&str>) -> io::Result<()> {
        for text in pieces(document.unwrap_or(line.text), TEXT) {
            match self {
                Self::Local(socket) => {
                    let plain = || output::message(&Line { text, ..*line }, false);
                    let text = if document.is_some() { text.to_owned() } else { plain() };
                    let now = chrono::Local::now().format("%b %e %H:%M:%S");
                    socket.send(format!("<{PRIORITY}>{now} hansard: {text}").as_bytes())?;
                }
                Self::Udp(socket) => drop(socket.send(message(line, text).as_bytes())?),
                Self::Tcp(stream) => {
                    let message = message(line, text);
                    stream.write_all(format!("{} {message}", message.len()).as_bytes())?;
                }
            }
        }
        Ok(())
    }
}

fn resolve(address: &str) -> io::Result<std::net::SocketAddr> {
    address.to_socket_addrs()?.next().ok_or_else(|| io::Error::from(io::ErrorKind::AddrNotAvailable))
}

/// A text in pieces of at most so many bytes, at least one.
pub fn pieces(text: &str, longest: usize) -> Vec<&str> {
    let (mut pieces, mut rest) = (Vec::new(), text);
    while rest.len() > longest {
        let (piece, after) = rest.split_at(rest.floor_char_boundary(longest));
        pieces.push(piece);
        rest = after;
    }
    pieces.push(rest);
    pieces
}

/// One message. 32473 is the number that RFC 5612 keeps for examples: this project has none of its own.
fn message(line: &Line<'_>, text: &str) -> String {
    let kind = if line.mark { "mark" } else { "line" };
    // Names of hosts are printable ASCII without blanks.
    let host: String = line.host.chars().take(HOST).map(|ch| if ch.is_ascii_graphic() { ch } else { '?' }).collect();
    let host = if host.is_empty() { "-" } else { &host };
    let time = line.time;
    let mut message = format!("<{PRIORITY}>1 {time} {host} hansard - {kind} [hansard@32473 user=\"");
    for ch in safe(line.user).chars() {
        if matches!(ch, '"' | '\\' | ']') {
            message.push('\\');
        }
        message.push(ch);
    }
    let _ = write!(message, "\" session=\"{}\"] {text}", line.session);
    message
}

#[cfg(test)]
mod tests {
    use hansard_schemas::{SessionId, Timestamp};

    use super::{Destination, message, pieces};
    use crate::forward::output::Line;

    #[test]
    fn destinations_are_read() {
        let local = |path: &str| Some(Destination::Local(path.into()));
        assert_eq!(Destination::parse("syslog"), local("/dev/log"));
        assert_eq!(Destination::parse("syslog:///run/log"), local("/run/log"));
        assert_eq!(Destination::parse("syslog://h:514"), Some(Destination::Udp("h:514".into())));
        assert_eq!(Destination::parse("syslog+tcp://[::1]:514/"), Some(Destination::Tcp("[::1]:514".into())));
        for bad in ["", "syslog://", "syslog://h", "syslog://h:x", "syslog://:514", "http://h:1", "journal"] {
            assert_eq!(Destination::parse(bad), None, "{bad}");
        }
    }

    #[test]
    fn a_message_is_that_of_the_standard_and_names_cannot_break_out() {
        let time = Timestamp::new(chrono::DateTime::from_timestamp(1_795_339_800, 0).unwrap());
        let session = SessionId::new(1_795_339_800_000, &[0; 10]);
        let line = Line { time, host: "web 1", user: "a\"]b", session, mark: false, text: "" };
        let id = session.to_string();
        let said = message(&line, "$ ls");
        let begin =
            format!("<86>1 {time} web?1 hansard - line [hansard@32473 user=\"a\\\"\\]b\" session=\"{id}\"] $ ls");
        assert_eq!(said, begin);
    }

    #[test]
    fn long_lines_are_several_messages_and_nothing_is_lost() {
        let long = "é".repeat(4_000);
        let all = pieces(&long, super::TEXT);
        assert!(all.len() > 1 && all.iter().all(|piece| piece.len() <= super::TEXT));
        assert_eq!(all.concat(), long);
        assert_eq!(pieces("", super::TEXT), [""]);
    }
}
