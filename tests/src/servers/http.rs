//! As much of HTTP/1.1 as the proxy and the receiver need: messages with a length, in chunks, or up to the end.
//!
//! Not for clients: the tests talk to S3 with the SDK.

use std::io::{self, BufRead, Read, Write};

/// A request or an answer, whole.
#[derive(Clone, Debug, Default)]
pub struct Message {
    /// Its first line, without the line's end.
    pub first: String,
    /// Names as they were written, and values.
    pub headers: Vec<(String, String)>,
    /// Its body, without the frames of a chunked one.
    pub body: Vec<u8>,
}

impl Message {
    /// Reads the first line and the headers; none when the other side has nothing more to say.
    pub fn head(from: &mut impl BufRead) -> io::Result<Option<Self>> {
        let Some(first) = line(from)? else { return Ok(None) };
        let mut headers = Vec::new();
        while let Some(header) = line(from)?.filter(|l| !l.is_empty()) {
            let (name, value) = header.split_once(':').ok_or(io::ErrorKind::InvalidData)?;
            headers.push((name.to_owned(), value.trim().to_owned()));
        }
        Ok(Some(Self { first, headers, body: Vec::new() }))
    }

    /// The first header of a name, whatever its case.
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(n, _)| n.eq_ignore_ascii_case(name)).map(|(_, value)| value.as_str())
    }

    /// The first word of a request.
    pub fn method(&self) -> &str {
        self.first.split(' ').next().unwrap_or_default()
    }

    /// What a request asks for: path and query.
    pub fn target(&self) -> &str {
        self.first.split(' ').nth(1).unwrap_or_default()
    }

    /// The status of an answer.
    pub fn status(&self) -> Option<u16> {
        self.first.split(' ').nth(1)?.parse().ok()
    }

    /// The length that its header announces.
    pub fn length(&self) -> Option<usize> {
        self.header("content-length")?.parse().ok()
    }

    fn chunked(&self) -> bool {
        self.header("transfer-encoding").is_some_and(|v| v.eq_ignore_ascii_case("chunked"))
    }

    /// Reads the body of a request.
    pub fn request_body(&mut self, from: &mut impl BufRead) -> io::Result<()> {
        if self.chunked() {
            self.body = chunks(from)?;
        } else if let Some(length) = self.length() {
            self.body = vec![0; length];
            from.read_exact(&mut self.body)?;
        }
        Ok(())
    }

    /// Reads the body of the answer to a request of this method.
    pub fn answer_body(&mut self, from: &mut impl BufRead, method: &str) -> io::Result<()> {
        if method == "HEAD" || matches!(self.status(), Some(100..=199 | 204 | 304)) {
            return Ok(());
        }
        if self.chunked() || self.length().is_some() {
            return self.request_body(from);
        }
        from.read_to_end(&mut self.body).map(drop)
    }

    /// Its first line and headers as they are sent: the body with a length, the connection closed after it.
    pub fn head_bytes(&self) -> Vec<u8> {
        let mut bytes = format!("{}\r\n", self.first).into_bytes();
        let framing = ["connection", "keep-alive", "transfer-encoding", "expect"];
        for (name, value) in self.headers.iter().filter(|(n, _)| !framing.iter().any(|f| n.eq_ignore_ascii_case(f))) {
            // Header values are bytes of Latin-1 or UTF-8; what came in goes out.
            bytes.extend_from_slice(format!("{name}: {value}\r\n").as_bytes());
        }
        if self.length().is_none() && !self.body.is_empty() {
            bytes.extend_from_slice(format!("Content-Length: {}\r\n", self.body.len()).as_bytes());
        }
        bytes.extend_from_slice(b"Connection: close\r\n\r\n");
        bytes
    }

    /// Sends it whole.
    pub fn send(&self, to: &mut impl Write) -> io::Result<()> {
        to.write_all(&self.head_bytes())?;
        to.write_all(&self.body)?;
        to.flush()
    }
}

/// An answer that is not passed on from anywhere.
pub fn answer(status: u16, headers: &[(&str, &str)], body: impl Into<Vec<u8>>) -> Message {
    let body = body.into();
    let mut headers: Vec<(String, String)> = headers.iter().map(|(n, v)| ((*n).into(), (*v).into())).collect();
    headers.push(("Content-Length".into(), body.len().to_string()));
    Message { first: format!("HTTP/1.1 {status} Said"), headers, body }
}

/// One line without its end; none at the end of the connection.
fn line(from: &mut impl BufRead) -> io::Result<Option<String>> {
    let mut bytes = Vec::new();
    from.take(64 << 10).read_until(b'\n', &mut bytes)?;
    if bytes.is_empty() {
        return Ok(None);
    }
    if bytes.pop() != Some(b'\n') {
        return Err(io::ErrorKind::UnexpectedEof.into());
    }
    bytes.pop_if(|last| *last == b'\r');
    String::from_utf8(bytes).map(Some).map_err(|_| io::ErrorKind::InvalidData.into())
}

fn chunks(from: &mut impl BufRead) -> io::Result<Vec<u8>> {
    let mut body = Vec::new();
    loop {
        let size = line(from)?.ok_or(io::ErrorKind::UnexpectedEof)?;
        let size = size.split(';').next().unwrap_or_default().trim();
        let size = usize::from_str_radix(size, 16).map_err(|_| io::ErrorKind::InvalidData)?;
        if size == 0 {
            while line(from)?.is_some_and(|l| !l.is_empty()) {}
            return Ok(body);
        }
        let start = body.len();
        body.resize(start + size, 0);
        from.read_exact(&mut body[start..])?;
        line(from)?;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bodies_end_where_they_say() {
        let mut wire: &[u8] = b"PUT /a HTTP/1.1\r\nContent-Length: 3\r\n\r\nabcPOST /b HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nde\r\n1;x=y\r\nf\r\n0\r\n\r\n";
        let mut first = Message::head(&mut wire).unwrap().unwrap();
        first.request_body(&mut wire).unwrap();
        assert_eq!((first.method(), first.target(), &first.body[..]), ("PUT", "/a", &b"abc"[..]));
        let mut second = Message::head(&mut wire).unwrap().unwrap();
        second.request_body(&mut wire).unwrap();
        assert_eq!((second.method(), &second.body[..]), ("POST", &b"def"[..]));
        assert!(Message::head(&mut wire).unwrap().is_none());
    }
}
