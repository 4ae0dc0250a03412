//! A certificate authority of the test's own, and a certificate of loopback by it, made by `openssl`.

use std::path::{Path, PathBuf};
use std::process::Command;

use crate::programs;

/// Files of an authority and of a server that it vouches for.
#[derive(Clone, Debug)]
pub struct Tls {
    /// The authority's certificate: what a client has to trust.
    pub ca: PathBuf,
    /// The server's certificate.
    pub certificate: PathBuf,
    /// The server's key, PKCS #8.
    pub key: PathBuf,
}

fn openssl(folder: &Path, args: &[&str]) {
    let output = Command::new(programs::outside("openssl")).args(args).current_dir(folder).output().expect("openssl");
    assert!(output.status.success(), "openssl {args:?}: {}", String::from_utf8_lossy(&output.stderr));
}

impl Tls {
    /// Makes an authority named `name` and a certificate of 127.0.0.1 and `localhost` in a folder.
    pub fn make(folder: &Path, name: &str) -> Self {
        std::fs::create_dir_all(folder).expect("a folder");
        let curve = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes"];
        let subject = format!("/CN={name}");
        let ca = ["req", "-x509", "-days", "2", "-keyout", "ca.key", "-out", "ca.pem", "-subj", &subject];
        openssl(folder, &[&ca[..], &curve].concat());
        let request = ["req", "-keyout", "server.key", "-out", "server.csr", "-subj", "/CN=localhost"];
        openssl(folder, &[&request[..], &curve].concat());
        let names = "subjectAltName=IP:127.0.0.1,DNS:localhost\nextendedKeyUsage=serverAuth\n";
        std::fs::write(folder.join("names"), names).expect("written");
        let sign = ["x509", "-req", "-days", "2", "-in", "server.csr", "-CA", "ca.pem", "-CAkey", "ca.key"];
        openssl(folder, &[&sign[..], &["-CAcreateserial", "-out", "server.pem", "-extfile", "names"]].concat());
        Self { ca: folder.join("ca.pem"), certificate: folder.join("server.pem"), key: folder.join("server.key") }
    }
}
