//! Stands between a client and an HTTP server and misbehaves as a script says, request by request; keeps a log.
//!
//! The host name that a client signed is the proxy's own and passed on, so signatures stay valid. Requests are read
//! whole before they are passed on: what a test cuts or slows is what the client sees.

use std::io::{BufReader, Write};
use std::net::{SocketAddr, TcpStream};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use super::door::Door;
use super::http::{Message, answer};

/// What happens to one request.
#[derive(Clone, Debug)]
pub enum Fault {
    /// Nothing: it is passed on, and so is the answer.
    Pass,
    /// It is read and nothing is ever said, until the script changes.
    Hang,
    /// The connection is closed when this many bytes of its body have been read; nothing is passed on.
    CutAfter(usize),
    /// It is passed on and done, and the connection is closed in place of the answer.
    Unanswered,
    /// It is passed on, and its body is read and the answer's body is sent at this many bytes a second.
    Slow(usize),
    /// The proxy itself answers: status, headers, body.
    Say(u16, Vec<(&'static str, String)>, String),
}

impl Fault {
    /// An error as S3 says it.
    pub fn s3(status: u16, code: &str) -> Self {
        let body = format!(
            "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<Error><Code>{code}</Code><Message>the test's proxy says {code}</Message><RequestId>0</RequestId></Error>"
        );
        Self::Say(status, vec![("Content-Type", "application/xml".into())], body)
    }

    /// The same, with another header.
    pub fn with(self, name: &'static str, value: &str) -> Self {
        match self {
            Self::Say(status, mut headers, body) => {
                headers.push((name, value.into()));
                Self::Say(status, headers, body)
            }
            other => other,
        }
    }
}

/// One request that the proxy has seen.
#[derive(Clone, Debug)]
pub struct Seen {
    /// When its head had been read.
    pub at: Instant,
    /// When it was over.
    pub until: Instant,
    /// `PUT`, `GET`, …
    pub method: String,
    /// Path and query, as sent.
    pub target: String,
    /// The status that the client was told; none when it was told none.
    pub status: Option<u16>,
    /// The length of its body.
    pub length: usize,
    /// Whether the server said yes to it, whatever the client was told.
    pub done: bool,
}

type Script = Arc<dyn Fn(&Message) -> Fault + Send + Sync>;

struct State {
    script: Script,
    /// Counts the scripts: who hangs waits for the next one.
    scripts: u64,
    log: Vec<Seen>,
}

/// A proxy before one server.
pub struct Proxy {
    door: Option<Door>,
    state: Arc<Mutex<State>>,
}

fn lock(state: &Mutex<State>) -> MutexGuard<'_, State> {
    state.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Proxy {
    /// A proxy before `upstream` that passes everything.
    pub fn before(upstream: SocketAddr) -> Self {
        let state = Arc::new(Mutex::new(State { script: Arc::new(|_| Fault::Pass), scripts: 0, log: Vec::new() }));
        let shared = Arc::clone(&state);
        let door = Door::open(move |client| {
            // A client that goes away ends its own connection and nothing else.
            let _ = serve(&client, upstream, &shared);
        });
        Self { door: Some(door), state }
    }

    fn door(&self) -> &Door {
        self.door.as_ref().expect("open until dropped")
    }

    /// Its address as an endpoint.
    pub fn endpoint(&self) -> String {
        format!("http://{}", self.door().address())
    }

    /// What happens to requests from now on; those that hang are cut.
    pub fn script(&self, script: impl Fn(&Message) -> Fault + Send + Sync + 'static) {
        let mut state = lock(&self.state);
        state.script = Arc::new(script);
        state.scripts += 1;
    }

    /// The same happens to every request from now on.
    pub fn always(&self, fault: Fault) {
        self.script(move |_| fault.clone());
    }

    /// Refuses connections from now on.
    pub fn refuse(&self) {
        self.door().shut();
    }

    /// Accepts them again.
    pub fn accept(&self) {
        self.door().reopen();
    }

    /// All that was asked so far and is over.
    pub fn log(&self) -> Vec<Seen> {
        lock(&self.state).log.clone()
    }
}

impl Drop for Proxy {
    fn drop(&mut self) {
        // Who hangs goes first: the door waits for nobody, but their threads should not outlive the test.
        self.always(Fault::CutAfter(0));
        self.door = None;
    }
}

fn serve(client: &TcpStream, upstream: SocketAddr, state: &Mutex<State>) -> std::io::Result<()> {
    let mut from = BufReader::new(client.try_clone()?);
    let Some(mut request) = Message::head(&mut from)? else { return Ok(()) };
    let at = Instant::now();
    let (script, number) = {
        let state = lock(state);
        (Arc::clone(&state.script), state.scripts)
    };
    let fault = script(&request);
    let (status, done) = act(&fault, client, &mut from, &mut request, upstream, || lock(state).scripts == number)
        .unwrap_or((None, false));
    let seen = Seen {
        at,
        until: Instant::now(),
        method: request.method().into(),
        target: request.target().into(),
        status,
        length: request.length().unwrap_or(request.body.len()),
        done,
    };
    lock(state).log.push(seen);
    client.shutdown(std::net::Shutdown::Both)
}

/// What the client was told, and whether the server did it.
fn act(
    fault: &Fault,
    mut client: &TcpStream,
    from: &mut BufReader<TcpStream>,
    request: &mut Message,
    upstream: SocketAddr,
    same_script: impl Fn() -> bool,
) -> std::io::Result<(Option<u16>, bool)> {
    if request.header("expect").is_some() && !matches!(fault, Fault::Hang | Fault::CutAfter(_)) {
        client.write_all(b"HTTP/1.1 100 Continue\r\n\r\n")?;
    }
    match fault {
        Fault::Hang => {
            request.request_body(from)?;
            while same_script() {
                std::thread::sleep(Duration::from_millis(20));
            }
            Ok((None, false))
        }
        Fault::CutAfter(bytes) => {
            let mut part = vec![0; (*bytes).min(request.length().unwrap_or(*bytes))];
            std::io::Read::read_exact(from, &mut part)?;
            Ok((None, false))
        }
        Fault::Say(status, headers, body) => {
            request.request_body(from)?;
            let headers: Vec<(&str, &str)> = headers.iter().map(|(n, v)| (*n, v.as_str())).collect();
            answer(*status, &headers, body.as_bytes()).send(&mut client)?;
            Ok((Some(*status), false))
        }
        Fault::Pass | Fault::Unanswered | Fault::Slow(_) => {
            let pace = if let Fault::Slow(pace) = fault { Some(*pace) } else { None };
            match (pace, request.length()) {
                (Some(pace), Some(length)) => request.body = slowly_read(from, length, pace)?,
                _ => request.request_body(from)?,
            }
            let answered = pass(request, upstream)?;
            let done = answered.status().is_some_and(|s| (200..300).contains(&s));
            if matches!(fault, Fault::Unanswered) {
                return Ok((None, done));
            }
            match pace {
                Some(pace) => {
                    client.write_all(&answered.head_bytes())?;
                    slowly(&answered.body, pace, |part| client.write_all(part))?;
                }
                None => answered.send(&mut client)?,
            }
            Ok((answered.status(), done))
        }
    }
}

fn pass(request: &Message, upstream: SocketAddr) -> std::io::Result<Message> {
    let mut server = TcpStream::connect(upstream)?;
    request.send(&mut server)?;
    let mut from = BufReader::new(server);
    let mut answered = Message::head(&mut from)?.ok_or(std::io::ErrorKind::UnexpectedEof)?;
    answered.answer_body(&mut from, request.method())?;
    Ok(answered)
}

/// Ten parts a second.
fn slowly<'a>(
    bytes: &'a [u8],
    pace: usize,
    mut part: impl FnMut(&'a [u8]) -> std::io::Result<()>,
) -> std::io::Result<()> {
    for bytes in bytes.chunks((pace / 10).max(1)) {
        part(bytes)?;
        std::thread::sleep(Duration::from_millis(100));
    }
    Ok(())
}

fn slowly_read(from: &mut BufReader<TcpStream>, length: usize, pace: usize) -> std::io::Result<Vec<u8>> {
    let mut body = vec![0; length];
    let mut read = 0;
    while read < length {
        let part = (pace / 10).clamp(1, length - read);
        std::io::Read::read_exact(from, &mut body[read..read + part])?;
        read += part;
        std::thread::sleep(Duration::from_millis(100));
    }
    Ok(body)
}
