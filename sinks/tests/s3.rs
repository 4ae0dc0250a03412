//! S3 as sink and store: against a server in this process with real signatures, and against one that only says what it
//! is told to.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test that cannot be set up fails")]

use std::io::{Read, Write};
use std::net::TcpListener;
use std::path::Path;
use std::time::Duration;

use hansard_sinks::{Address, Class, Level, Probe, Put, SinkError, TimeRange, open_notify, open_sink, open_store};
use hyper_util::rt::{TokioExecutor, TokioIo};
use hyper_util::server::conn::auto::Builder;
use s3s::auth::SimpleAuth;
use s3s::service::S3ServiceBuilder;

/// Credentials of the servers here, in a file of their own: the environment of other tests stays as it is.
fn credentials(folder: &Path, secret: &str) {
    let text = format!("[default]\nregion=us-east-1\naws_access_key_id=testkey\naws_secret_access_key={secret}\n");
    std::fs::write(folder.join("credentials"), text).unwrap();
}

/// Runs itself again with the credentials of `folder`: a process has one environment, and setting it is not safe.
fn with_credentials(test: &str, secret: &str) -> bool {
    if std::env::var_os("S3_TEST_INSIDE").is_some() {
        return true;
    }
    let folder = tempfile::tempdir().unwrap();
    credentials(folder.path(), secret);
    let output = std::process::Command::new(std::env::current_exe().unwrap())
        .args(["--exact", test, "--nocapture"])
        .env("S3_TEST_INSIDE", "1")
        .env("AWS_SHARED_CREDENTIALS_FILE", folder.path().join("credentials"))
        .env("AWS_CONFIG_FILE", folder.path().join("none"))
        .env("AWS_EC2_METADATA_DISABLED", "true")
        .env_remove("AWS_ACCESS_KEY_ID")
        .env_remove("AWS_PROFILE")
        .output()
        .unwrap();
    let text = String::from_utf8_lossy(&output.stdout).into_owned() + &String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success() && text.contains("1 passed"), "{text}");
    false
}

/// A server that keeps its buckets below `root`; gives its address.
fn server(root: &Path) -> String {
    std::fs::create_dir_all(root.join("bkt")).unwrap();
    let mut builder = S3ServiceBuilder::new(s3s_fs::FileSystem::new(root).unwrap());
    builder.set_auth(SimpleAuth::from_single("testkey", "testsecret"));
    let service = builder.build();
    let (send, receive) = std::sync::mpsc::channel();
    std::thread::spawn(move || {
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
        runtime.block_on(async move {
            let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
            send.send(format!("http://{}", listener.local_addr().unwrap())).unwrap();
            while let Ok((socket, _)) = listener.accept().await {
                let service = service.clone();
                tokio::spawn(async move {
                    Builder::new(TokioExecutor::new()).serve_connection(TokioIo::new(socket), service).await.ok()
                });
            }
        });
    });
    receive.recv().unwrap()
}

/// A server that gives the same answer to everything.
fn answers(head: &'static str, body: &'static str) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    std::thread::spawn(move || {
        for socket in listener.incoming() {
            let Ok(mut socket) = socket else { continue };
            std::thread::spawn(move || {
                socket.set_read_timeout(Some(Duration::from_millis(200))).unwrap();
                let mut request = vec![0; 65536];
                let _ = socket.read(&mut request);
                let length = body.len();
                let text = format!("HTTP/1.1 {head}\r\nconnection: close\r\ncontent-length: {length}\r\n\r\n{body}");
                let _ = socket.write_all(text.as_bytes());
            });
        }
    });
    url
}

fn at(endpoint: &str) -> Address {
    Address::parse(&format!("s3://bkt/deep/prefix?endpoint={endpoint}")).unwrap()
}

#[test]
fn a_bucket_conforms() {
    if !with_credentials("a_bucket_conforms", "testsecret") {
        return;
    }
    for more in ["", "&checksum=when_supported"] {
        let folder = tempfile::tempdir().unwrap();
        let address = Address::parse(&format!("{}{more}", at(&server(folder.path())))).unwrap();
        let (sink, again) = (open_sink(&address).unwrap(), open_sink(&address).unwrap());
        let store = open_store(&address).unwrap();
        let failures = hansard_sinks::conformance::run(&*sink, &*again, &*store);
        assert!(failures.0.is_empty(), "{more}: {failures:#?}");
        assert!(folder.path().join("bkt/deep/prefix/segments").is_dir());
        assert_eq!(open_notify(&address).unwrap().place(), sink.place());
    }
}

#[test]
fn a_listing_of_many_pages_is_whole() {
    if !with_credentials("a_listing_of_many_pages_is_whole", "testsecret") {
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let address = at(&server(folder.path()));
    let path = "bkt/deep/prefix/segments/2026/11/22/0707070707070707/019aab35-8a40-7000-8000-000000000001";
    let session: hansard_schemas::SessionId = path.rsplit('/').next().unwrap().parse().unwrap();
    let path = path.replace("2026/11/22", &session.time().format("%Y/%m/%d").to_string());
    std::fs::create_dir_all(folder.path().join(&path)).unwrap();
    for number in 0..2500 {
        std::fs::write(folder.path().join(format!("{path}/{number:06}-0000000000000000.hseg")), b"x").unwrap();
    }
    let store = open_store(&address).unwrap();
    let sessions = store.sessions(&TimeRange::default()).unwrap();
    assert_eq!(sessions.len(), 1);
    let numbers: Vec<u32> = store.parts(&sessions[0]).unwrap().iter().map(|part| part.name.number).collect();
    assert_eq!(numbers, (0..2500).collect::<Vec<u32>>());
}

#[test]
fn the_probe_says_what_a_store_ignores() {
    if !with_credentials("the_probe_says_what_a_store_ignores", "testsecret") {
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let address = at(&server(folder.path())).with("lock_mode", "COMPLIANCE").unwrap().with("lock_days", "1").unwrap();
    let probe = Probe { chain16: "07".repeat(8), max_segment: 1 << 20 };
    let findings = open_sink(&address).unwrap().probe(&probe);
    let level = |part: &str| findings.iter().find(|finding| finding.part == part).map(|finding| finding.level);
    assert_eq!(level("put"), Some(Level::Ok), "{findings:#?}");
    assert_eq!(level("conditional put"), Some(Level::Ok), "{findings:#?}");
    assert_eq!(level("object lock"), Some(Level::Failed), "{findings:#?}");
    // One that takes everything under every name.
    let findings = open_sink(&at(&answers("200 OK", ""))).unwrap().probe(&probe);
    let twice = findings.iter().find(|finding| finding.part == "conditional put").unwrap();
    assert_eq!(twice.level, Level::Warning);
    assert!(twice.what.contains("overwrite"), "{twice:?}");
}

#[test]
fn a_wrong_secret_waits_and_says_so() {
    if !with_credentials("a_wrong_secret_waits_and_says_so", "wrong") {
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let error = open_sink(&at(&server(folder.path()))).unwrap().put_once("probes/x", b"x").unwrap_err();
    assert_eq!(error.class(), Class::Wait);
    assert!(error.hint().unwrap().contains("secret key"), "{error} {:?}", error.hint());
    assert!(!error.to_string().contains("wrong"), "{error}");
}

#[test]
fn what_a_server_says_is_sorted() {
    if !with_credentials("what_a_server_says_is_sorted", "testsecret") {
        return;
    }
    let put =
        |endpoint: &str| -> SinkError { open_sink(&at(endpoint)).unwrap().put_once("probes/x", b"x").unwrap_err() };
    for (head, body, class, hint) in [
        ("404 Not Found", "<Error><Code>NoSuchBucket</Code></Error>", Class::Wait, "create the bucket"),
        ("403 Forbidden", "<Error><Code>AccessDenied</Code></Error>", Class::Wait, "s3:PutObject"),
        ("400 Bad Request", "<Error><Code>ExpiredToken</Code></Error>", Class::Wait, "expired"),
        ("403 Forbidden", "<Error><Code>InvalidAccessKeyId</Code></Error>", Class::Wait, "access key"),
        ("301 Moved\r\nx-amz-bucket-region: eu-west-9", "", Class::Wait, "region=eu-west-9"),
        (
            "400 Bad Request",
            "<Error><Code>AuthorizationHeaderMalformed</Code><Message>the region 'a' is wrong; expecting 'eu-west-7'\
             </Message></Error>",
            Class::Wait,
            "region=eu-west-7",
        ),
        ("403 Forbidden", "<Error><Code>QuotaExceeded</Code></Error>", Class::Wait, "quota"),
        ("403 Forbidden", "<Error><Code>RequestTimeTooSkewed</Code></Error>", Class::Wait, "clock"),
        ("400 Bad Request", "<Error><Code>EntityTooLarge</Code></Error>", Class::Never, "max_segment"),
        ("413 Too Large", "", Class::Never, "max_segment"),
        ("507 Full", "", Class::Wait, "full"),
        ("500 Oops", "<Error><Code>InternalError</Code></Error>", Class::Retry, ""),
        ("409 Conflict", "<Error><Code>ConditionalRequestConflict</Code></Error>", Class::Retry, ""),
    ] {
        let error = put(&answers(head, body));
        assert_eq!(error.class(), class, "{head} {body}: {error}");
        assert!(error.hint().unwrap_or_default().contains(hint), "{head} {body}: {error} {:?}", error.hint());
    }
    for head in ["503 Slow Down\r\nretry-after: 7", "429 Too Many\r\nretry-after: 7"] {
        let error = put(&answers(head, ""));
        assert_eq!((error.class(), error.retry_after()), (Class::Wait, Some(Duration::from_secs(7))), "{error}");
    }
    let closed = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let error = put(&format!("http://{closed}"));
    assert_eq!(error.class(), Class::Wait);
    assert!(error.hint().unwrap_or_default().contains("nothing listens"), "{error} {:?}", error.hint());
    // TLS spoken to one that does not.
    let error = put(&answers("200 OK", "").replace("http:", "https:"));
    assert_eq!(error.class(), Class::Wait);
    assert!(error.hint().unwrap_or_default().contains("TLS"), "{error} {:?}", error.hint());
    // Whoever may only put cannot compare: the name is the content.
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    std::thread::spawn(move || {
        for socket in listener.incoming() {
            let mut socket = socket.unwrap();
            let mut request = vec![0; 65536];
            let read = socket.read(&mut request).unwrap();
            let head = if request[..read].starts_with(b"PUT") { "412 Precondition Failed" } else { "403 Forbidden" };
            let text = format!("HTTP/1.1 {head}\r\nconnection: close\r\ncontent-length: 0\r\n\r\n");
            let _ = socket.write_all(text.as_bytes());
        }
    });
    assert_eq!(open_sink(&at(&url)).unwrap().put_once("probes/x", b"x").unwrap(), Put::Taken);
}
