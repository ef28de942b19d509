//! Which cluster, as whom, and how long things may take there.

use std::io;
use std::sync::OnceLock;
use std::time::Duration;

use super::address::Address;
use super::tls::{Tls, TlsFiles};

/// The prefix of all keys where none is set.
pub const PREFIX: &str = "/deploylock";
/// How long a lease lasts without being kept alive, where nothing else is set: a crashed client's locks are free
/// after that, and a client that is cut off ends its command before.
pub const LEASE: Duration = Duration::from_secs(30);
/// The shortest lease that leaves time for an election.
pub const SHORTEST_LEASE: Duration = Duration::from_secs(6);
/// How long a cluster may be unreachable before a command gives up (exit 69).
pub const PATIENCE: Duration = Duration::from_secs(10);

/// A password, which no debug output shows.
#[derive(Clone, PartialEq, Eq)]
pub struct Password(String);

impl Password {
    /// This password.
    #[must_use]
    pub fn new(text: String) -> Password {
        Password(text)
    }

    pub(super) fn reveal(&self) -> &str {
        &self.0
    }
}

impl std::fmt::Debug for Password {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Password(…)")
    }
}

/// What a person says of the cluster.
#[derive(Debug, Clone)]
pub struct Place {
    /// `http://host:port` each.
    pub endpoints: Vec<String>,
    /// What all keys begin with; a `/` at its end counts for nothing.
    pub prefix: String,
    /// Files for TLS.
    pub tls: TlsFiles,
    /// User and password.
    pub login: Option<(String, Password)>,
    /// How long a lease lasts without being kept alive.
    pub lease: Duration,
    /// How long the cluster may be unreachable.
    pub patience: Duration,
}

impl Default for Place {
    fn default() -> Self {
        Place {
            endpoints: Vec::new(),
            prefix: PREFIX.to_owned(),
            tls: TlsFiles::default(),
            login: None,
            lease: LEASE,
            patience: PATIENCE,
        }
    }
}

/// [`Place`], checked.
pub(super) struct Settings {
    pub(super) endpoints: Vec<Address>,
    pub(super) prefix: String,
    pub(super) login: Option<(String, Password)>,
    pub(super) lease: Duration,
    pub(super) patience: Duration,
    files: TlsFiles,
    tls: OnceLock<Result<Tls, String>>,
}

impl Settings {
    /// Checks what was said. What is wrong, for a person.
    pub(super) fn check(place: Place) -> Result<Settings, String> {
        if place.endpoints.is_empty() {
            return Err("no endpoints; name etcd's members: endpoints = [\"http://etcd-1:2379\"]".to_owned());
        }
        let parse = |text: &String| {
            Address::parse(text)
                .ok_or_else(|| format!("{text:?} is no endpoint; they look like \"https://etcd-1:2379\""))
        };
        let endpoints = place.endpoints.iter().map(parse).collect::<Result<_, _>>()?;
        if place.lease < SHORTEST_LEASE {
            let least = SHORTEST_LEASE.as_secs();
            return Err(format!("a lease must last {least} s at least, so that it outlasts an election"));
        }
        Ok(Settings {
            endpoints,
            prefix: place.prefix.trim_end_matches('/').to_owned(),
            login: place.login,
            lease: place.lease,
            patience: place.patience,
            files: place.tls,
            tls: OnceLock::new(),
        })
    }

    /// The endpoint to begin with: any, so that many clients spread over the members.
    pub(super) fn first(&self) -> usize {
        let mut byte = [0u8; 1];
        let _ = rustix::rand::getrandom(&mut byte, rustix::rand::GetRandomFlags::empty());
        usize::from(byte[0]) % self.endpoints.len()
    }

    /// The means for TLS, where some endpoint wants it; read when they are first used.
    pub(super) fn tls(&self) -> io::Result<Option<&Tls>> {
        if !self.endpoints.iter().any(|e| e.secure) {
            return Ok(None);
        }
        match self.tls.get_or_init(|| Tls::read(&self.files)) {
            Ok(tls) => Ok(Some(tls)),
            Err(why) => Err(io::Error::other(why.clone())),
        }
    }
}
