//! One HTTP connection to one etcd member: a request, its answer, or a stream of messages. Nothing of etcd's own
//! API is known here, and nothing is tried again.
//!
//! Written by hand because a watch has to be one descriptor among others in a `poll`, and to be closed at will; and
//! because whether a request can have been executed must be known when its answer does not come.

use std::io::{self, Read, Write};
use std::net::{TcpStream, ToSocketAddrs as _};
use std::os::fd::{AsFd, BorrowedFd};
use std::time::Duration;

use super::tls::{self, Tls};
use crate::clock;

/// The longest head of an answer.
const LONGEST_HEAD: usize = 64 << 10;
/// How much longer the body of an answer may take than its head.
const TRANSFER: Duration = Duration::from_secs(4);
/// Asks a member to end a stream when it has lost the others: it would just be silent.
const REQUIRE_LEADER: &str = "Grpc-Metadata-hasleader: true\r\n";
/// The longest answer: more than etcd ever sends in one.
const LONGEST_BODY: usize = 256 << 20;

/// Where a member listens.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Address {
    pub(super) secure: bool,
    pub(super) host: String,
    pub(super) port: u16,
}

impl Address {
    /// Reads `http://host:port`; without a port it is etcd's own.
    pub(super) fn parse(text: &str) -> Option<Address> {
        let (secure, rest) = match (text.strip_prefix("https://"), text.strip_prefix("http://")) {
            (Some(rest), _) => (true, rest),
            (None, Some(rest)) => (false, rest),
            (None, None) if text.contains("://") => return None,
            (None, None) => (false, text),
        };
        let rest = rest.trim_end_matches('/');
        let bracket = rest.rfind(']').unwrap_or(0);
        let (host, port) = match rest[bracket..].rfind(':') {
            Some(colon) => (&rest[..bracket + colon], rest[bracket + colon + 1..].parse().ok()?),
            None => (rest, 2379),
        };
        let host = host.trim_start_matches('[').trim_end_matches(']');
        let sensible = !host.is_empty() && !host.contains(['/', '@', '?', '#', ' ']);
        sensible.then(|| Address { secure, host: host.to_owned(), port })
    }

    fn authority(&self) -> String {
        if self.host.contains(':') {
            format!("[{}]:{}", self.host, self.port)
        } else {
            format!("{}:{}", self.host, self.port)
        }
    }
}

impl std::fmt::Display for Address {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}://{}", if self.secure { "https" } else { "http" }, self.authority())
    }
}

/// Why there is no answer.
#[derive(Debug)]
pub(super) struct Broken {
    /// The whole request may have reached the server, so it may have been executed.
    pub(super) sent: bool,
    pub(super) why: io::Error,
}

/// The head of an answer.
#[derive(Debug, Clone, Default)]
pub(super) struct Head {
    pub(super) status: u16,
    /// What time the server says it is.
    pub(super) date: Option<String>,
    length: Option<usize>,
    chunked: bool,
    close: bool,
}

enum Stream {
    Plain(TcpStream),
    Secure(Box<tls::Secured>),
}

/// A connection.
pub(super) struct Connection {
    stream: Stream,
    authority: String,
    /// Read and not yet used.
    buffer: Vec<u8>,
    /// What is left of the chunk that is being read; `None` before its size is known.
    chunk: Option<usize>,
}

fn left(deadline: Duration) -> io::Result<Duration> {
    let left = deadline.saturating_sub(clock::since_boot());
    if left.is_zero() { Err(io::ErrorKind::TimedOut.into()) } else { Ok(left) }
}

fn garbled(what: &str) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, format!("the answer is no HTTP as etcd speaks it: {what}"))
}

impl Connection {
    /// Connects, until `deadline` by the boot clock.
    pub(super) fn open(address: &Address, secure: Option<&Tls>, deadline: Duration) -> io::Result<Self> {
        let mut last = io::Error::new(io::ErrorKind::NotFound, "the host has no address");
        for place in (address.host.as_str(), address.port).to_socket_addrs()? {
            match TcpStream::connect_timeout(&place, left(deadline)?) {
                Ok(tcp) => return Connection::over(tcp, address, secure, deadline),
                Err(e) => last = e,
            }
        }
        Err(last)
    }

    fn over(tcp: TcpStream, address: &Address, secure: Option<&Tls>, deadline: Duration) -> io::Result<Self> {
        tcp.set_nodelay(true)?;
        tcp.set_read_timeout(Some(left(deadline)?))?;
        tcp.set_write_timeout(Some(left(deadline)?))?;
        let stream = match (address.secure, secure) {
            (false, _) => Stream::Plain(tcp),
            (true, Some(secure)) => Stream::Secure(Box::new(secure.handshake(tcp, &address.host)?)),
            (true, None) => return Err(io::Error::other("https without the means for it")),
        };
        Ok(Connection { stream, authority: address.authority(), buffer: Vec::new(), chunk: None })
    }

    fn tcp(&self) -> &TcpStream {
        match &self.stream {
            Stream::Plain(tcp) => tcp,
            Stream::Secure(tls) => &tls.sock,
        }
    }

    fn send(
        &mut self,
        path: &str,
        token: Option<&str>,
        more: &str,
        body: &[u8],
        deadline: Duration,
    ) -> io::Result<()> {
        self.tcp().set_write_timeout(Some(left(deadline)?))?;
        let mut request = format!(
            "POST {path} HTTP/1.1\r\nHost: {}\r\nContent-Type: application/json\r\nContent-Length: {}\r\n",
            self.authority,
            body.len()
        );
        if let Some(token) = token {
            request.push_str(&format!("Authorization: {token}\r\n"));
        }
        request.push_str(more);
        request.push_str("\r\n");
        let mut bytes = request.into_bytes();
        bytes.extend_from_slice(body);
        match &mut self.stream {
            Stream::Plain(tcp) => tcp.write_all(&bytes),
            Stream::Secure(tls) => tls.write_all(&bytes).and_then(|()| tls.flush()),
        }
    }

    /// Some more bytes into the buffer; an end is an error, for every answer says where it ends.
    fn fill(&mut self) -> io::Result<()> {
        let mut bytes = [0u8; 16 << 10];
        loop {
            let read = match &mut self.stream {
                Stream::Plain(tcp) => tcp.read(&mut bytes),
                Stream::Secure(tls) => tls.read(&mut bytes),
            };
            match read {
                Ok(0) => return Err(io::ErrorKind::UnexpectedEof.into()),
                Ok(n) => {
                    self.buffer.extend_from_slice(&bytes[..n]);
                    return Ok(());
                }
                // A signal's handler has run.
                Err(e) if e.kind() == io::ErrorKind::Interrupted => {}
                Err(e) => return Err(e),
            }
        }
    }

    fn fill_until(&mut self, deadline: Duration) -> io::Result<()> {
        self.tcp().set_read_timeout(Some(left(deadline)?))?;
        self.fill().map_err(|e| match e.kind() {
            io::ErrorKind::WouldBlock => io::ErrorKind::TimedOut.into(),
            _ => e,
        })
    }

    fn head(&mut self, deadline: Duration) -> io::Result<Head> {
        let end = loop {
            if let Some(at) = self.buffer.windows(4).position(|w| w == b"\r\n\r\n") {
                break at + 4;
            }
            if self.buffer.len() > LONGEST_HEAD {
                return Err(garbled("a head without end"));
            }
            self.fill_until(deadline)?;
        };
        let text = String::from_utf8_lossy(&self.buffer[..end]).into_owned();
        self.buffer.drain(..end);
        parse_head(&text).ok_or_else(|| garbled(text.lines().next().unwrap_or_default()))
    }

    /// Sends a request and reads its whole answer; whether another may follow on this connection.
    pub(super) fn ask(
        &mut self,
        path: &str,
        token: Option<&str>,
        body: &[u8],
        deadline: Duration,
    ) -> Result<(Head, Vec<u8>, bool), Broken> {
        self.send(path, token, "", body, deadline).map_err(|why| Broken { sent: false, why })?;
        let answer = (|| {
            let head = self.head(deadline)?;
            // It is being answered: a large answer may take its time.
            let body = self.body(&head, deadline + TRANSFER)?;
            Ok((head, body))
        })();
        let (head, body) = answer.map_err(|why| Broken { sent: true, why })?;
        let again = !head.close;
        Ok((head, body, again))
    }

    fn body(&mut self, head: &Head, deadline: Duration) -> io::Result<Vec<u8>> {
        let mut body = Vec::new();
        if head.chunked {
            self.chunk = None;
            while let Some(part) = self.part(deadline)? {
                body.extend(part);
                if body.len() > LONGEST_BODY {
                    return Err(garbled("it is too long"));
                }
            }
            return Ok(body);
        }
        let length = head.length.filter(|l| *l <= LONGEST_BODY).ok_or_else(|| garbled("no length"))?;
        while self.buffer.len() < length {
            self.fill_until(deadline)?;
        }
        Ok(self.buffer.drain(..length).collect())
    }

    /// The next part of a chunked answer; `None` at its end, trailers and all.
    fn part(&mut self, deadline: Duration) -> io::Result<Option<Vec<u8>>> {
        loop {
            match self.buffered_part()? {
                Part::Bytes(bytes) => return Ok(Some(bytes)),
                Part::End => return Ok(None),
                Part::More => self.fill_until(deadline)?,
            }
        }
    }

    /// What the buffer has of a chunked answer.
    fn buffered_part(&mut self) -> io::Result<Part> {
        if self.chunk.is_none() {
            let Some(end) = self.buffer.windows(2).position(|w| w == b"\r\n") else {
                return Ok(Part::More);
            };
            let line = String::from_utf8_lossy(&self.buffer[..end]).into_owned();
            let digits = line.split(';').next().unwrap_or_default().trim();
            let size = usize::from_str_radix(digits, 16).map_err(|_| garbled("a chunk without size"))?;
            if size == 0 {
                return self.trailers(end + 2);
            }
            self.buffer.drain(..end + 2);
            self.chunk = Some(size);
        }
        let size = self.chunk.unwrap_or_default();
        if self.buffer.len() < size.saturating_add(2) {
            return Ok(Part::More);
        }
        let bytes: Vec<u8> = self.buffer.drain(..size).collect();
        self.buffer.drain(..2);
        self.chunk = None;
        Ok(Part::Bytes(bytes))
    }

    /// Lines up to an empty one.
    fn trailers(&mut self, from: usize) -> io::Result<Part> {
        let mut at = from;
        while let Some(end) = self.buffer[at..].windows(2).position(|w| w == b"\r\n") {
            if end == 0 {
                self.buffer.drain(..at + 2);
                return Ok(Part::End);
            }
            at += end + 2;
        }
        Ok(Part::More)
    }

    /// Sends a request whose answer is a stream, and reads that answer's head.
    pub(super) fn listen(
        &mut self,
        path: &str,
        token: Option<&str>,
        body: &[u8],
        deadline: Duration,
    ) -> io::Result<Head> {
        self.send(path, token, REQUIRE_LEADER, body, deadline)?;
        let head = self.head(deadline)?;
        if head.status != 200 {
            let why = self.body(&head, deadline).unwrap_or_default();
            return Err(io::Error::other(String::from_utf8_lossy(&why).into_owned()));
        }
        if !head.chunked {
            return Err(garbled("no stream"));
        }
        self.tcp().set_nonblocking(true)?;
        Ok(head)
    }

    /// What a stream has brought by now, without waiting for more.
    pub(super) fn heard(&mut self) -> io::Result<Vec<u8>> {
        let mut all = Vec::new();
        loop {
            match self.buffered_part()? {
                Part::Bytes(bytes) => all.extend(bytes),
                Part::End if all.is_empty() => return Err(io::ErrorKind::UnexpectedEof.into()),
                Part::End => return Ok(all),
                Part::More => match self.fill() {
                    Ok(()) => {}
                    Err(e) if e.kind() == io::ErrorKind::WouldBlock => return Ok(all),
                    Err(_) if !all.is_empty() => return Ok(all),
                    Err(e) => return Err(e),
                },
            }
        }
    }
}

impl AsFd for Connection {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.tcp().as_fd()
    }
}

enum Part {
    Bytes(Vec<u8>),
    End,
    More,
}

fn parse_head(text: &str) -> Option<Head> {
    let mut lines = text.split("\r\n");
    let mut first = lines.next()?.split(' ');
    if !first.next()?.starts_with("HTTP/1.") {
        return None;
    }
    let mut head = Head { status: first.next()?.parse().ok()?, ..Head::default() };
    for line in lines {
        let Some((name, value)) = line.split_once(':') else { continue };
        let value = value.trim();
        match name.to_ascii_lowercase().as_str() {
            "content-length" => head.length = Some(value.parse().ok()?),
            "transfer-encoding" => head.chunked = value.eq_ignore_ascii_case("chunked"),
            "connection" => head.close = value.eq_ignore_ascii_case("close"),
            "date" => head.date = Some(value.to_owned()),
            _ => {}
        }
    }
    Some(head)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_are_read() {
        let read = |text: &str| Address::parse(text).map(|a| a.to_string());
        assert_eq!(read("http://127.0.0.1:2379").as_deref(), Some("http://127.0.0.1:2379"));
        assert_eq!(read("https://etcd.example/").as_deref(), Some("https://etcd.example:2379"));
        assert_eq!(read("http://[::1]:4001").as_deref(), Some("http://[::1]:4001"));
        assert_eq!(read("http://[::1]").as_deref(), Some("http://[::1]:2379"));
        assert_eq!(read("etcd-1:2379").as_deref(), Some("http://etcd-1:2379"));
        for wrong in ["", "http://", "ftp://x:1", "http://x:port", "http://user@x:1", "http://x:1/path"] {
            assert_eq!(read(wrong), None, "{wrong}");
        }
    }

    #[test]
    fn heads_are_read() {
        let head = parse_head("HTTP/1.1 200 OK\r\nContent-length: 7\r\nConnection: close\r\n\r\n").unwrap();
        assert_eq!((head.status, head.length, head.chunked, head.close), (200, Some(7), false, true));
        assert!(parse_head("SSH-2.0-OpenSSH\r\n\r\n").is_none());
    }
}
