//! rsyslog, as it is when nobody configured much: the local socket, TCP, and a file into which it writes what it understood.

use std::net::TcpStream;
use std::path::PathBuf;

use super::daemon::Daemon;
use super::{free_ports, installed};

/// A daemon.
pub struct Rsyslog {
    daemon: Daemon,
    port: u16,
}

/// A message, as it understood it.
#[derive(Debug, Clone, PartialEq, Eq)]
#[expect(missing_docs, reason = "the fields of RFC 5424")]
pub struct Message {
    pub host: String,
    pub app: String,
    pub id: String,
    pub data: String,
    pub time: String,
    pub text: String,
}

impl Rsyslog {
    /// Starts one.
    pub fn start() -> Self {
        let (daemon, [port]) = (Daemon::new("rsyslog"), free_ports());
        let root = installed("HANSARD_RSYSLOG", "rsyslog");
        let libraries = root.join(format!("usr/lib/{}-linux-gnu", std::env::consts::ARCH));
        let folder = daemon.folder().display();
        let config = format!(
            "module(load=\"imuxsock\" SysSock.Use=\"off\")
             module(load=\"imtcp\")
             input(type=\"imuxsock\" Socket=\"{folder}/socket\")
             input(type=\"imtcp\" Port=\"{port}\" Address=\"127.0.0.1\")
             template(name=\"fields\" type=\"string\"
               string=\"%hostname%\\t%app-name%\\t%msgid%\\t%structured-data%\\t%timestamp:::date-rfc3339%\\t%msg%\\n\")
             action(type=\"omfile\" file=\"{folder}/messages\" template=\"fields\")\n"
        );
        std::fs::write(daemon.folder().join("conf"), config).expect("its configuration");
        let words = ["-n", "-f", "conf", "-i", "pid", "-M"].map(str::to_owned);
        let args = [&words[..], &[libraries.join("rsyslog").display().to_string()]].concat();
        let env = [("LD_LIBRARY_PATH", &*libraries.display().to_string())];
        daemon.start(&root.join("usr/sbin/rsyslogd"), &args, &env);
        let rsyslog = Self { daemon, port };
        rsyslog.daemon.answers("takes connections", || {
            rsyslog.socket().exists().then(|| TcpStream::connect(("127.0.0.1", port)).ok())
        });
        rsyslog
    }

    /// Its local socket, as /dev/log is.
    pub fn socket(&self) -> PathBuf {
        self.daemon.folder().join("socket")
    }

    /// `127.0.0.1:PORT` of its TCP.
    pub fn tcp(&self) -> String {
        format!("127.0.0.1:{}", self.port)
    }

    /// What it understood so far.
    pub fn messages(&self) -> Vec<Message> {
        let text = std::fs::read_to_string(self.daemon.folder().join("messages")).unwrap_or_default();
        let whole = text.split_inclusive('\n').filter_map(|line| line.strip_suffix('\n'));
        let read = |line: &str| {
            let mut fields = line.splitn(6, '\t').map(str::to_owned);
            let mut next = || fields.next().expect("a field");
            Message { host: next(), app: next(), id: next(), data: next(), time: next(), text: next() }
        };
        whole.map(read).collect()
    }
}
