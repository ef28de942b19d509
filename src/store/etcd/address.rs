//! Where a member of the cluster listens, and a socket to it.

use std::io;
use std::net::{TcpStream, ToSocketAddrs as _};
use std::time::Duration;

use crate::clock;

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

    pub(super) fn authority(&self) -> String {
        if self.host.contains(':') {
            format!("[{}]:{}", self.host, self.port)
        } else {
            format!("{}:{}", self.host, self.port)
        }
    }

    /// Connects, until `deadline` by the boot clock.
    pub(super) fn connect(&self, deadline: Duration) -> io::Result<TcpStream> {
        let mut last = io::Error::new(io::ErrorKind::NotFound, "the host has no address");
        for place in (self.host.as_str(), self.port).to_socket_addrs()? {
            match TcpStream::connect_timeout(&place, left(deadline)?) {
                Ok(tcp) => {
                    tcp.set_nodelay(true)?;
                    tcp.set_read_timeout(Some(left(deadline)?))?;
                    tcp.set_write_timeout(Some(left(deadline)?))?;
                    return Ok(tcp);
                }
                Err(e) => last = e,
            }
        }
        Err(last)
    }
}

impl std::fmt::Display for Address {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}://{}", if self.secure { "https" } else { "http" }, self.authority())
    }
}

/// What is left until then; an error where nothing is.
pub(super) fn left(deadline: Duration) -> io::Result<Duration> {
    let left = deadline.saturating_sub(clock::since_boot());
    if left.is_zero() { Err(io::ErrorKind::TimedOut.into()) } else { Ok(left) }
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
}
