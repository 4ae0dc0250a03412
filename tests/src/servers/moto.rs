//! moto, which speaks as AWS does: here CloudWatch Logs, in memory. It does not check who asks.

use std::io::BufReader;
use std::net::TcpStream;

use serde_json::{Value, json};

use super::daemon::Daemon;
use super::free_ports;
use super::http::Message;

/// A server.
pub struct Moto {
    _daemon: Daemon,
    port: u16,
}

impl Moto {
    /// Starts a server in which there is nothing.
    pub fn start() -> Self {
        let (daemon, [port]) = (Daemon::new("moto"), free_ports());
        let program = format!("{}/../.ci/venv/bin/moto_server", env!("CARGO_MANIFEST_DIR"));
        let args = ["-H", "127.0.0.1", "-p", &port.to_string()].map(str::to_owned);
        daemon.start(program.as_ref(), &args, &[]);
        daemon.answers("takes connections", || TcpStream::connect(("127.0.0.1", port)).ok());
        Self { _daemon: daemon, port }
    }

    /// Where it listens.
    pub fn address(&self) -> std::net::SocketAddr {
        ([127, 0, 0, 1], self.port).into()
    }

    /// Makes a log group.
    pub fn make_group(&self, group: &str) {
        let answer = self.logs("CreateLogGroup", &json!({ "logGroupName": group }));
        assert_eq!(answer.status(), Some(200), "{answer:?}");
    }

    /// Every event of a stream, in its order: time in milliseconds, text. None where there is no such stream.
    pub fn events(&self, group: &str, stream: &str) -> Vec<(u64, String)> {
        let mut found = Vec::new();
        let mut token: Option<String> = None;
        loop {
            let mut wanted = json!({ "logGroupName": group, "logStreamName": stream, "startFromHead": true });
            if let Some(token) = &token {
                wanted["nextToken"] = json!(token);
            }
            let answer = self.logs("GetLogEvents", &wanted);
            if answer.status() != Some(200) {
                return found;
            }
            let page: Value = serde_json::from_slice(&answer.body).expect("json");
            let events = page["events"].as_array().expect("events");
            found.extend(events.iter().map(|event| {
                (event["timestamp"].as_u64().expect("a time"), event["message"].as_str().expect("a text").to_owned())
            }));
            let next = page["nextForwardToken"].as_str().map(str::to_owned);
            if events.is_empty() || next == token {
                return found;
            }
            token = next;
        }
    }

    fn logs(&self, operation: &str, body: &Value) -> Message {
        let body = body.to_string().into_bytes();
        let headers = [
            ("Host", format!("127.0.0.1:{}", self.port)),
            ("Content-Type", "application/x-amz-json-1.1".into()),
            ("X-Amz-Target", format!("Logs_20140328.{operation}")),
            (
                "Authorization",
                "AWS4-HMAC-SHA256 Credential=a/20260101/us-east-1/logs/aws4_request, SignedHeaders=host, Signature=0"
                    .into(),
            ),
        ];
        let headers = headers.into_iter().map(|(name, value)| (name.to_owned(), value)).collect();
        let mut server = TcpStream::connect(self.address()).expect("moto listens");
        Message { first: "POST / HTTP/1.1".into(), headers, body }.send(&mut server).expect("asked");
        let mut from = BufReader::new(server);
        let mut answer = Message::head(&mut from).expect("an answer").expect("an answer");
        answer.answer_body(&mut from, "POST").expect("its body");
        answer
    }
}
