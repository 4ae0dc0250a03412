//! SeaweedFS, one process on loopback with an S3 port: started, killed, frozen, started again with its data.
//!
//! What is asked of it goes through `bucket`. It knows five identities: an administrator, one that may put into
//! buckets named `recordings…` and do nothing else, one that may put and delete, one that may read, one that may nothing.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::path::Path;
use std::sync::{OnceLock, PoisonError};

use serde_json::json;

use super::bucket::Bucket;
use super::daemon::{Daemon, Server};
use super::tls::Tls;
use super::{free_ports, installed};

/// Who somebody is to the server: the name is the access key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Identity {
    /// Everything.
    Admin,
    /// `s3:PutObject` in every bucket whose name begins with `recordings`.
    PutOnly,
    /// Puts and deletes there, reads nothing.
    Writer,
    /// Lists and reads there.
    Reader,
    /// Known, and allowed nothing.
    Nobody,
}

impl Identity {
    /// Access key and secret.
    pub fn keys(self) -> (&'static str, &'static str) {
        match self {
            Self::Admin => ("admin", "admin-secret"),
            Self::PutOnly => ("put-only", "put-only-secret"),
            Self::Writer => ("writer", "writer-secret"),
            Self::Reader => ("reader", "reader-secret"),
            Self::Nobody => ("nobody", "nobody-secret"),
        }
    }

    /// The environment of a program that is this identity.
    pub fn environment(self) -> [(&'static str, &'static str); 4] {
        let (key, secret) = self.keys();
        // Where the SDK would look next, were these refused, is not on this machine.
        let nowhere = ("AWS_EC2_METADATA_DISABLED", "true");
        [("AWS_ACCESS_KEY_ID", key), ("AWS_SECRET_ACCESS_KEY", secret), ("AWS_REGION", REGION), nowhere]
    }
}

/// The region that the server believes itself in.
pub const REGION: &str = "us-east-1";

fn policy(actions: &[&str], resources: &[&str]) -> String {
    let statement = json!({ "Effect": "Allow", "Action": actions, "Resource": resources });
    json!({ "Version": "2012-10-17", "Statement": [statement] }).to_string()
}

fn identities() -> String {
    let objects = ["arn:aws:s3:::recordings*/*"];
    let buckets = ["arn:aws:s3:::recordings*", "arn:aws:s3:::recordings*/*"];
    let read =
        ["s3:GetObject", "s3:GetObjectVersion", "s3:ListBucket", "s3:ListBucketVersions", "s3:GetBucketLocation"];
    let policies = [
        ("put-only", policy(&["s3:PutObject"], &objects)),
        ("writer", policy(&["s3:PutObject", "s3:DeleteObject", "s3:DeleteObjectVersion"], &objects)),
        ("reader", policy(&read, &buckets)),
        ("nobody", policy(&["s3:GetObject"], &["arn:aws:s3:::elsewhere/*"])),
    ];
    let all = [Identity::Admin, Identity::PutOnly, Identity::Writer, Identity::Reader, Identity::Nobody];
    let identities = all.map(|identity| {
        let (key, secret) = identity.keys();
        let mut document = json!({ "name": key, "credentials": [{ "accessKey": key, "secretKey": secret }] });
        match identity {
            Identity::Admin => document["actions"] = json!(["Admin", "Read", "Write", "List", "Tagging"]),
            _ => document["policyNames"] = json!([key]),
        }
        document
    });
    let policies = policies.map(|(name, content)| json!({ "name": name, "content": content }));
    json!({ "identities": identities, "policies": policies }).to_string()
}

/// A server.
pub struct Seaweed {
    daemon: Daemon,
    tls: Tls,
    /// S3, its gRPC, S3 over TLS, then master, volume and filer with theirs.
    ports: [u16; 9],
}

impl Server for Seaweed {
    fn daemon(&self) -> &Daemon {
        &self.daemon
    }

    fn restart(&self) {
        self.begin();
    }
}

impl Seaweed {
    /// Starts a server with an empty store and waits until it answers.
    pub fn start() -> Self {
        let daemon = Daemon::new("seaweedfs");
        let tls = Tls::make(&daemon.folder().join("tls"), "the authority of the test");
        std::fs::create_dir(daemon.folder().join("data")).expect("its data");
        std::fs::write(daemon.folder().join("s3.json"), identities()).expect("its identities");
        let server = Self { daemon, tls, ports: free_ports() };
        server.begin();
        server
    }

    /// The server of all tests that do not kill theirs; each has buckets of its own on it.
    pub fn shared() -> &'static Self {
        static SHARED: OnceLock<Seaweed> = OnceLock::new();
        SHARED.get_or_init(|| {
            let mut server = Self::start();
            server.daemon = server.daemon.swept();
            server
        })
    }

    fn begin(&self) {
        let [s3, s3_grpc, https, master, master_grpc, volume, volume_grpc, filer, filer_grpc] = self.ports;
        let file = |name: &str| self.daemon.folder().join(name).display().to_string();
        let mut args = vec!["-logtostderr=true".to_owned(), "server".to_owned()];
        let mut say = |name: &str, value: String| args.push(format!("-{name}={value}"));
        say("ip", "127.0.0.1".into());
        say("ip.bind", "127.0.0.1".into());
        say("dir", file("data"));
        for (name, port) in [
            ("s3.port", s3),
            ("s3.port.grpc", s3_grpc),
            ("s3.port.https", https),
            ("master.port", master),
            ("master.port.grpc", master_grpc),
            ("volume.port", volume),
            ("volume.port.grpc", volume_grpc),
            ("filer.port", filer),
            ("filer.port.grpc", filer_grpc),
            // Servers of other protocols that nobody asked for.
            ("s3.port.iceberg", 0),
            ("s3.port.lance", 0),
        ] {
            say(name, port.to_string());
        }
        // Alone, it need not wait for other masters to vote; and it reports to nobody.
        say("master.electionTimeout", "1s".into());
        say("master.heartbeatInterval", "100ms".into());
        say("master.telemetry", "false".into());
        say("master.volumeSizeLimitMB", "256".into());
        say("volume.max", "100".into());
        say("volume.preStopSeconds", "0".into());
        say("filer", "true".into());
        say("filer.localSocket", file("filer.sock"));
        say("s3", "true".into());
        say("s3.localSocket", file("s3.sock"));
        say("s3.config", file("s3.json"));
        say("s3.autoCreateBucket", "false".into());
        say("s3.cert.file", self.tls.certificate.display().to_string());
        say("s3.key.file", self.tls.key.display().to_string());
        let weed = installed("HANSARD_WEED", "seaweedfs/bin/weed");
        self.daemon.start(&weed, &args, &[("WEED_MASTER_VOLUME_GROWTH_COPY_1", "1")]);
        // It answers when it refuses who does not say who he is, and writes when it has a place for a file.
        self.daemon.answers("refuses an anonymous request", || status(s3, "/").filter(|s| *s == 403));
        self.daemon.answers("has a volume", || status(master, "/dir/assign").filter(|s| *s == 200));
    }

    /// Its S3 port.
    pub fn address(&self) -> SocketAddr {
        SocketAddr::from(([127, 0, 0, 1], self.ports[0]))
    }

    /// Its S3 port as an endpoint.
    pub fn endpoint(&self) -> String {
        format!("http://{}", self.address())
    }

    /// Its S3 port over TLS as an endpoint.
    pub fn secure_endpoint(&self) -> String {
        format!("https://127.0.0.1:{}", self.ports[2])
    }

    /// Who vouches for [`Self::secure_endpoint`].
    pub fn ca(&self) -> &Path {
        &self.tls.ca
    }

    /// A new bucket of that name and a number, seen as its administrator.
    pub fn bucket(&self, name: &str) -> Bucket {
        use std::sync::atomic::{AtomicU32, Ordering};
        static NUMBER: AtomicU32 = AtomicU32::new(0);
        let bucket = self.named(&format!("{name}-{}", NUMBER.fetch_add(1, Ordering::Relaxed)));
        bucket.make();
        bucket
    }

    /// A bucket that may exist or not, seen as its administrator.
    pub fn named(&self, name: &str) -> Bucket {
        Bucket::new(&self.endpoint(), name, Identity::Admin)
    }

    /// Runs a command of the server's own shell; gives what it printed.
    pub fn shell(&self, command: &str) -> String {
        static ONE: std::sync::Mutex<()> = std::sync::Mutex::new(());
        // The shell takes a lock of the cluster, and waits for it in silence.
        let _one = ONE.lock().unwrap_or_else(PoisonError::into_inner);
        let mut shell = std::process::Command::new(installed("HANSARD_WEED", "seaweedfs/bin/weed"));
        shell.arg("shell").arg(format!("-master=127.0.0.1:{}.{}", self.ports[3], self.ports[4]));
        shell.arg(format!("-filer=127.0.0.1:{}.{}", self.ports[7], self.ports[8]));
        shell.stdin(std::process::Stdio::piped()).stdout(std::process::Stdio::piped());
        shell.stderr(std::process::Stdio::null()).current_dir(self.daemon.folder());
        let mut child = shell.spawn().expect("weed shell");
        let mut pipe = child.stdin.take().expect("a pipe");
        pipe.write_all(format!("lock\n{command}\nunlock\nexit\n").as_bytes()).expect("written");
        drop(pipe);
        String::from_utf8_lossy(&child.wait_with_output().expect("weed shell").stdout).into_owned()
    }
}

/// The status of a plain request; none when nobody answers.
fn status(port: u16, path: &str) -> Option<u16> {
    let mut connection = TcpStream::connect(("127.0.0.1", port)).ok()?;
    connection.set_read_timeout(Some(crate::SOON)).ok()?;
    write!(connection, "GET {path} HTTP/1.0\r\nHost: 127.0.0.1\r\n\r\n").ok()?;
    let mut start = [0; 12];
    connection.read_exact(&mut start).ok()?;
    std::str::from_utf8(&start[9..]).ok()?.parse().ok()
}
