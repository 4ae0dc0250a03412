//! A receiver of webhooks that keeps headers and bodies, answers what the test says, and can be away for a while.

use std::io::BufReader;
use std::net::TcpStream;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use super::door::Door;
use super::http::{Message, answer};

/// One request that was answered.
#[derive(Clone, Debug)]
pub struct Delivery {
    /// When it was whole.
    pub at: Instant,
    /// The request.
    pub request: Message,
    /// The status it was answered with.
    pub answered: u16,
}

impl Delivery {
    /// Its body as a JSON document.
    pub fn json(&self) -> serde_json::Value {
        serde_json::from_slice(&self.request.body).unwrap_or_else(|e| panic!("{e}: {:?}", self.request))
    }
}

type Answers = Arc<dyn Fn(&Message) -> Message + Send + Sync>;

struct State {
    answers: Answers,
    deliveries: Vec<Delivery>,
}

/// A receiver on loopback.
pub struct Webhook {
    door: Door,
    state: Arc<Mutex<State>>,
}

fn lock(state: &Mutex<State>) -> MutexGuard<'_, State> {
    state.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Webhook {
    /// A receiver that answers 204 to everything.
    pub fn open() -> Self {
        let state = Arc::new(Mutex::new(State { answers: Arc::new(|_| answer(204, &[], "")), deliveries: Vec::new() }));
        let shared = Arc::clone(&state);
        // A sender that goes away ends its own connection and nothing else.
        let door = Door::open(move |client| drop(serve(&client, &shared)));
        Self { door, state }
    }

    /// Where events are sent.
    pub fn url(&self) -> String {
        format!("http://{}/events", self.door.address())
    }

    /// Nobody is there from now on.
    pub fn down(&self) {
        self.door.shut();
    }

    /// Somebody is there again.
    pub fn up(&self) {
        self.door.reopen();
    }

    /// What requests are answered with from now on.
    pub fn answers(&self, answers: impl Fn(&Message) -> Message + Send + Sync + 'static) {
        lock(&self.state).answers = Arc::new(answers);
    }

    /// What came in and was answered, in that order.
    pub fn deliveries(&self) -> Vec<Delivery> {
        lock(&self.state).deliveries.clone()
    }

    /// What was taken, that is answered with a status of success.
    pub fn taken(&self) -> Vec<Delivery> {
        self.deliveries().into_iter().filter(|d| (200..300).contains(&d.answered)).collect()
    }

    /// Waits until what was taken satisfies `holds`.
    pub fn wait(&self, what: &str, limit: Duration, holds: impl Fn(&[Delivery]) -> bool) -> Vec<Delivery> {
        crate::wait_until(what, limit, || Some(self.taken()).filter(|taken| holds(taken)))
    }
}

fn serve(client: &TcpStream, state: &Mutex<State>) -> std::io::Result<()> {
    let mut from = BufReader::new(client.try_clone()?);
    let mut client = client;
    let Some(mut request) = Message::head(&mut from)? else { return Ok(()) };
    if request.header("expect").is_some() {
        std::io::Write::write_all(&mut client, b"HTTP/1.1 100 Continue\r\n\r\n")?;
    }
    request.request_body(&mut from)?;
    let at = Instant::now();
    let answers = Arc::clone(&lock(state).answers);
    let said = answers(&request);
    lock(state).deliveries.push(Delivery { at, answered: said.status().unwrap_or(0), request });
    said.send(&mut client)?;
    client.shutdown(std::net::Shutdown::Both)
}
