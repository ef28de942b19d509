//! Calls to the cluster: on whichever endpoint answers, tried again where that is harmless, within a bound.

use std::cell::{Cell, RefCell};
use std::io;
use std::sync::Arc;
use std::time::Duration;

use prost::Message;

use super::messages::{
    AuthAnswer, AuthRequest, LeaseAnswer, LeaseGrantRequest, LeaseRequest, PutRequest, Range, RangeAnswer,
    StatusAnswer,
};
use super::settings::Settings;
use super::wire::{Answer, Broken, Connection};
use crate::clock;

/// How long one endpoint may take for one answer to a write before it is found out what became of that.
const ANSWER: Duration = Duration::from_secs(4);
/// And to what may be asked again: etcd 3.4 forgets reads that wait for a leader who then fails, for 7 s.
const ANSWER_AGAIN: Duration = Duration::from_millis(1500);
/// How long one endpoint may take to let us in.
const CONNECT: Duration = Duration::from_secs(2);
/// What is said of an endpoint that says nothing.
const SILENCE: &str = "no answer in time";
/// How long to let a cluster come to itself before it is asked again.
const PAUSE: Duration = Duration::from_millis(100);

const RANGE: &str = "/etcdserverpb.KV/Range";
const PUT: &str = "/etcdserverpb.KV/Put";
pub(super) const DELETE: &str = "/etcdserverpb.KV/DeleteRange";
pub(super) const TXN: &str = "/etcdserverpb.KV/Txn";
pub(super) const WATCH: &str = "/etcdserverpb.Watch/Watch";
const LEASE_GRANT: &str = "/etcdserverpb.Lease/LeaseGrant";
const LEASE_KEEP_ALIVE: &str = "/etcdserverpb.Lease/LeaseKeepAlive";
const LEASE_REVOKE: &str = "/etcdserverpb.Lease/LeaseRevoke";
const AUTHENTICATE: &str = "/etcdserverpb.Auth/Authenticate";
const STATUS: &str = "/etcdserverpb.Maintenance/Status";

/// Why a call has no answer.
#[derive(Debug)]
pub(super) enum CallError {
    /// etcd says no.
    Refused {
        /// gRPC's code.
        code: i64,
        /// In etcd's words.
        why: String,
    },
    /// Nobody answers; nothing was done.
    Unreachable(String),
    /// A write was sent and no answer came: it may have been carried out, or may be yet.
    Unknown(String),
    /// The answer makes no sense.
    Nonsense(String),
}

pub(super) type Result<T> = std::result::Result<T, CallError>;

/// gRPC's codes, as far as they matter here.
pub(super) mod code {
    pub(crate) const CANCELLED: i64 = 1;
    pub(crate) const INVALID: i64 = 3;
    pub(crate) const DEADLINE: i64 = 4;
    pub(crate) const NOT_FOUND: i64 = 5;
    pub(crate) const FORBIDDEN: i64 = 7;
    pub(crate) const INTERNAL: i64 = 13;
    pub(crate) const UNAVAILABLE: i64 = 14;
    pub(crate) const UNAUTHENTICATED: i64 = 16;
}

/// Whether a call may be made twice.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Repeat {
    Harmless,
    Never,
}

/// One that talks to the cluster, over one connection at a time.
pub(super) struct Client {
    settings: Arc<Settings>,
    /// The endpoint that answered last.
    at: Cell<usize>,
    connection: RefCell<Option<(usize, Connection)>>,
    token: RefCell<Option<String>>,
}

impl Client {
    pub(super) fn new(settings: Arc<Settings>) -> Client {
        let at = Cell::new(settings.first());
        Client { settings, at, connection: RefCell::new(None), token: RefCell::new(None) }
    }

    /// One that begins with this endpoint.
    pub(super) fn at(settings: Arc<Settings>, at: usize) -> Client {
        let client = Client::new(settings);
        client.at.set(at);
        client
    }

    /// What the present endpoint says of itself, and how long that took. One try.
    pub(super) fn status(&self) -> std::result::Result<(StatusAnswer, Duration), String> {
        let deadline = clock::since_boot() + ANSWER;
        // The first exchange pays for the connection.
        let mut asked = None;
        for _ in 0..2 {
            let began = clock::since_boot();
            let bytes = self.attempt(STATUS, &[], Repeat::Harmless, deadline).map_err(Attempt::text)?;
            let answer = read(&bytes).map_err(|e| Attempt::Over(e).text())?;
            asked = Some((answer, clock::since_boot().saturating_sub(began)));
        }
        Ok(asked.expect("asked twice"))
    }

    pub(super) fn settings(&self) -> &Arc<Settings> {
        &self.settings
    }

    /// Makes a call on whichever endpoint answers.
    pub(super) fn call<T: Message + Default>(
        &self,
        path: &str,
        request: &impl Message,
        repeat: Repeat,
        deadline: Duration,
    ) -> Result<T> {
        let request = request.encode_to_vec();
        let (mut round, mut telling) = (0, None);
        loop {
            let why = match self.attempt(path, &request, repeat, deadline) {
                Ok(bytes) => return read(&bytes),
                Err(Attempt::Over(e)) => return Err(e),
                Err(Attempt::Again(why)) => why,
            };
            self.next_endpoint();
            round += 1;
            // That time ran out is no news at the end of it.
            if !why.ends_with(SILENCE) || telling.is_none() {
                telling = Some(why);
            }
            let now = clock::since_boot();
            if now >= deadline {
                return Err(CallError::Unreachable(telling.unwrap_or_default()));
            }
            // Each endpoint was asked once: they may all be busy with choosing a leader.
            if round % self.settings.endpoints.len() == 0 {
                pause(PAUSE.min(deadline - now));
            }
        }
    }

    /// One try on the present endpoint.
    fn attempt(
        &self,
        path: &str,
        request: &[u8],
        repeat: Repeat,
        deadline: Duration,
    ) -> std::result::Result<Vec<u8>, Attempt> {
        let answer = if repeat == Repeat::Never { ANSWER } else { ANSWER_AGAIN };
        let deadline = deadline.min(clock::since_boot() + answer);
        let fresh = self.connection.borrow().as_ref().is_none_or(|(at, _)| *at != self.at.get());
        if fresh {
            let opened = self.connect(deadline).map_err(|e| Attempt::Again(self.named(&said(&e))))?;
            *self.connection.borrow_mut() = Some((self.at.get(), opened));
        }
        self.authenticate(deadline)?;
        let answer = self.exchange(path, request, deadline).map_err(|broken| {
            let why = self.named(&said(&broken.why));
            match repeat {
                Repeat::Never if broken.sent => Attempt::Over(CallError::Unknown(why)),
                _ => Attempt::Again(why),
            }
        })?;
        if answer.code == 0 {
            return Ok(answer.body);
        }
        Err(self.refusal(answer, repeat))
    }

    fn refusal(&self, answer: Answer, repeat: Repeat) -> Attempt {
        let why = if answer.said.is_empty() { format!("gRPC code {}", answer.code) } else { answer.said };
        match answer.code {
            // The token is forgotten by a member that was restarted, and after a while.
            code::UNAUTHENTICATED if self.token.borrow().is_some() => {
                *self.token.borrow_mut() = None;
                Attempt::Again(self.named(&why))
            }
            // A leader that fails may have carried it out.
            code::CANCELLED | code::UNAVAILABLE | code::DEADLINE | code::INTERNAL => match repeat {
                Repeat::Never => Attempt::Over(CallError::Unknown(self.named(&why))),
                Repeat::Harmless => Attempt::Again(self.named(&why)),
            },
            code => Attempt::Over(CallError::Refused { code, why }),
        }
    }

    fn exchange(
        &self,
        path: &str,
        request: &[u8],
        deadline: Duration,
    ) -> std::result::Result<Answer, Broken> {
        let mut slot = self.connection.borrow_mut();
        let (_, connection) = slot.as_mut().expect("connected above");
        let token = self.token.borrow();
        match connection.ask(path, token.as_deref(), request, deadline) {
            Ok((answer, again)) => {
                if !again {
                    *slot = None;
                }
                Ok(answer)
            }
            Err(broken) => {
                *slot = None;
                Err(broken)
            }
        }
    }

    /// Gets a token where the settings name a user.
    fn authenticate(&self, deadline: Duration) -> std::result::Result<(), Attempt> {
        let (Some((user, password)), None) = (&self.settings.login, self.token.borrow().as_ref()) else {
            return Ok(());
        };
        let request = AuthRequest { name: user.clone(), password: password.reveal().to_owned() };
        let answer = self
            .exchange(AUTHENTICATE, &request.encode_to_vec(), deadline)
            .map_err(|broken| Attempt::Again(self.named(&said(&broken.why))))?;
        if answer.code != 0 {
            return Err(self.refusal(answer, Repeat::Harmless));
        }
        let answer: AuthAnswer = read(&answer.body).map_err(Attempt::Over)?;
        *self.token.borrow_mut() = Some(answer.token);
        // The answer may have ended the connection.
        if self.connection.borrow().is_none() {
            return Err(Attempt::Again("the connection was closed".to_owned()));
        }
        Ok(())
    }

    fn connect(&self, deadline: Duration) -> io::Result<Connection> {
        let address = &self.settings.endpoints[self.at.get()];
        let deadline = deadline.min(clock::since_boot() + CONNECT);
        Connection::open(address, self.settings.tls()?, deadline)
    }

    /// Asks another endpoint from now on.
    pub(super) fn next_endpoint(&self) {
        *self.connection.borrow_mut() = None;
        self.at.set((self.at.get() + 1) % self.settings.endpoints.len());
    }

    fn named(&self, why: &str) -> String {
        format!("{}: {why}", self.settings.endpoints[self.at.get()])
    }

    /// A stream on a connection of its own: on `spare`, in the place of the one there, or else one try, on the next
    /// endpoint each time.
    pub(super) fn listen(
        &self,
        path: &str,
        requests: &[Vec<u8>],
        spare: Option<Connection>,
    ) -> io::Result<Connection> {
        let deadline = clock::since_boot() + CONNECT;
        if let Some(mut connection) = spare
            && connection.listen(path, self.token.borrow().as_deref(), requests, deadline).is_ok()
        {
            return Ok(connection);
        }
        let deadline = clock::since_boot() + CONNECT;
        let opened = (|| {
            if self.settings.login.is_some() && self.token.borrow().is_none() {
                *self.connection.borrow_mut() = Some((self.at.get(), self.connect(deadline)?));
                self.authenticate(deadline).map_err(|_| io::Error::other("cannot log in"))?;
            }
            let mut connection = self.connect(deadline)?;
            let token = self.token.borrow();
            connection.listen(path, token.as_deref(), requests, deadline)?;
            drop(token);
            Ok(connection)
        })();
        if opened.is_err() {
            *self.token.borrow_mut() = None;
            self.next_endpoint();
        }
        opened
    }

    /// A look that must see what was written last, wherever.
    pub(super) fn range(&self, range: &Range, deadline: Duration) -> Result<RangeAnswer> {
        self.call(RANGE, &range.request(), Repeat::Harmless, deadline)
    }

    /// Writes a key; twice is as good as once.
    pub(super) fn put(&self, key: &str, value: &str, deadline: Duration) -> Result<()> {
        let put = PutRequest { key: key.into(), value: value.into(), lease: 0 };
        self.call(PUT, &put, Repeat::Harmless, deadline)
    }

    /// A new lease.
    pub(super) fn grant_lease(&self, ttl: Duration, deadline: Duration) -> Result<i64> {
        let seconds = ttl.as_secs().max(1) + u64::from(ttl.subsec_nanos() > 0);
        // Granted twice, the first one just runs out.
        let request = LeaseGrantRequest { ttl: seconds.min(MAX_TTL) as i64 };
        let granted: LeaseAnswer = self.call(LEASE_GRANT, &request, Repeat::Harmless, deadline)?;
        Ok(granted.id)
    }

    /// Starts a lease's time again; `false` where there is no such lease any more.
    pub(super) fn keep_lease(&self, id: i64, deadline: Duration) -> Result<bool> {
        let kept: LeaseAnswer =
            self.call(LEASE_KEEP_ALIVE, &LeaseRequest { id }, Repeat::Harmless, deadline)?;
        Ok(kept.ttl > 0)
    }

    /// Ends a lease.
    pub(super) fn revoke_lease(&self, id: i64, deadline: Duration) -> Result<()> {
        match self.call(LEASE_REVOKE, &LeaseRequest { id }, Repeat::Harmless, deadline) {
            Ok(()) | Err(CallError::Refused { code: code::NOT_FOUND, .. }) => Ok(()),
            Err(e) => Err(e),
        }
    }
}

/// etcd's bound on a lease's time, in seconds.
const MAX_TTL: u64 = 9_000_000_000;

enum Attempt {
    Again(String),
    Over(CallError),
}

impl Attempt {
    fn text(self) -> String {
        match self {
            Attempt::Again(why)
            | Attempt::Over(
                CallError::Refused { why, .. }
                | CallError::Unreachable(why)
                | CallError::Unknown(why)
                | CallError::Nonsense(why),
            ) => why,
        }
    }
}

fn read<T: Message + Default>(bytes: &[u8]) -> Result<T> {
    T::decode(bytes).map_err(|e| CallError::Nonsense(e.to_string()))
}

fn said(e: &io::Error) -> String {
    match e.kind() {
        io::ErrorKind::TimedOut | io::ErrorKind::WouldBlock => SILENCE.to_owned(),
        io::ErrorKind::UnexpectedEof => "the connection was closed".to_owned(),
        _ => e.to_string(),
    }
}

/// Waits a little; there is nothing to be woken by.
pub(super) fn pause(time: Duration) {
    if let Ok(time) = rustix::event::Timespec::try_from(time) {
        let _ = rustix::event::poll(&mut [], Some(&time));
    }
}
