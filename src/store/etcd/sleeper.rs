//! Sleeping until something in etcd changes: a watch from the revision that was looked at, opened anew wherever it
//! breaks off, so that nothing is missed; ends of processes that tie locks on this host; one poll for all.

use std::cell::Cell;
use std::io;
use std::os::fd::{AsFd as _, BorrowedFd, OwnedFd};
use std::time::Duration;

use prost::Message as _;
use rustix::event::{PollFd, PollFlags, Timespec, poll};

use super::EtcdStore;
use super::client::{self, Client};
use super::keys::{Keys, Part};
use super::messages::{KeyValue, WatchAnswer, WatchCreateRequest, WatchRequest, tree_end};
use super::view::Content;
use super::wire::Connection;
use crate::clock;
use crate::deployment::{Id, State, Stored};
use crate::model::Mode;
use crate::process;
use crate::store::{Result, Sleeper, Txn, Wake};

/// How long a watch may be silent before it is opened anew: a connection that was cut says nothing either.
const QUIET: Duration = Duration::from_secs(10);
/// How soon to try again to open a watch.
const AGAIN: Duration = Duration::from_millis(300);
/// How long after it was opened a watch may still tell what is long over.
const CAUGHT_UP: Duration = Duration::from_secs(1);
/// How long to wait for the rest of what one commit did: a watch tells it key by key.
const REST: Duration = Duration::from_millis(10);
/// How long after it was opened a watch has told what happened before that.
const SETTLED: Duration = Duration::from_millis(50);
/// How soon who holds looks who waits for it now: seldom, however many come.
const CROWD: Duration = Duration::from_millis(25);
/// How many locks of a hold are watched at most.
const LOCKS: usize = 16;

pub(super) struct EtcdSleeper<'a> {
    store: &'a EtcdStore,
    client: Client,
    /// Ranges of keys, each up to its end.
    wanted: Vec<(String, Vec<u8>)>,
    /// From which revision on; `None`: the one after the last that was looked at.
    from: Option<i64>,
    stream: Option<Stream>,
    /// The connection of one before, of other keys.
    spare: Option<Connection>,
    /// There was one before, of the same keys.
    again: bool,
    /// When to open it again.
    next: Duration,
    /// When to look who waits for the own hold now.
    crowd: Cell<Option<Duration>>,
    owners: Vec<OwnedFd>,
    /// That others are granted is no news.
    only_ends: bool,
    /// The key of the first that is watched.
    first: String,
}

struct Stream {
    connection: Connection,
    heard: Duration,
    opened: Duration,
    /// In the place of one that broke off, or was silent.
    again: bool,
}

/// What a watch said.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum News {
    None,
    Some,
    /// The stream is of no more use.
    Broken,
}

impl<'a> EtcdSleeper<'a> {
    pub(super) fn new(store: &'a EtcdStore) -> Self {
        let client = Client::new(store.settings.clone());
        let (wanted, owners) = (Vec::new(), Vec::new());
        EtcdSleeper {
            store,
            client,
            wanted,
            from: None,
            stream: None,
            spare: None,
            again: false,
            next: Duration::ZERO,
            crowd: Cell::new(None),
            owners,
            only_ends: false,
            first: String::new(),
        }
    }

    fn watch(&mut self, wanted: Vec<(String, Vec<u8>)>, from: Option<i64>) {
        // A watch of the same keys goes on: it may tell once more what is known.
        if wanted != self.wanted {
            self.spare = self.stream.take().map(|stream| stream.connection);
            (self.again, self.next) = (false, Duration::ZERO);
        }
        self.wanted = wanted;
        self.from = from;
    }

    fn first_revision(&self) -> i64 {
        self.from.unwrap_or_else(|| self.store.seen.get() + 1)
    }

    fn open(&mut self) -> io::Result<Stream> {
        let start_revision = self.first_revision();
        let create = |(key, end): &(String, Vec<u8>)| {
            let (key, range_end) = (key.clone().into_bytes(), end.clone());
            WatchRequest { create: WatchCreateRequest { key, range_end, start_revision } }.encode_to_vec()
        };
        let requests: Vec<_> = self.wanted.iter().map(create).collect();
        let connection = self.client.listen(client::WATCH, &requests, self.spare.take())?;
        let opened = clock::since_boot();
        Ok(Stream { connection, heard: opened, opened, again: self.again })
    }

    /// Makes sure that there is a watch, if there can be one now.
    fn keep_watch(&mut self) {
        let now = clock::since_boot();
        if self.stream.as_ref().is_some_and(|s| now >= s.heard + QUIET) {
            self.stream = None;
            self.client.next_endpoint();
        }
        if self.stream.is_none() && !self.wanted.is_empty() && now >= self.next {
            match self.open() {
                Ok(stream) => (self.stream, self.again) = (Some(stream), true),
                Err(_) => self.next = clock::since_boot() + AGAIN,
            }
        }
    }

    /// Takes what the watch has said.
    fn news(&mut self) -> News {
        let Some(stream) = &mut self.stream else {
            return News::None;
        };
        let messages = match stream.connection.heard() {
            Ok(messages) => messages,
            Err(_) => return News::Broken,
        };
        if messages.is_empty() {
            return News::None;
        }
        stream.heard = clock::since_boot();
        // All of them: a later one may take back what an earlier one gave.
        let (mut some, mut broken) = (false, false);
        for message in &messages {
            match self.tells(message) {
                News::None => {}
                News::Some => some = true,
                News::Broken => broken = true,
            }
        }
        match (some, broken) {
            (true, _) => News::Some,
            (false, true) => News::Broken,
            (false, false) => News::None,
        }
    }

    fn tells(&self, message: &[u8]) -> News {
        let Ok(answer) = WatchAnswer::decode(message) else {
            return News::Broken;
        };
        if answer.canceled {
            // What was compacted away cannot be told any more: look at how it is now.
            return if answer.compact_revision > 0 { News::Some } else { News::Broken };
        }
        let first = self.first_revision();
        let news = |at: i64| at >= first && !self.store.is_own(at);
        let mut told = News::None;
        let locks = self.store.keys.locks();
        for kv in answer.events.iter().map(|e| &e.kv).filter(|kv| news(kv.mod_revision)) {
            if kv.below(&locks).is_some() {
                // What was known of who waits is known no more; that alone is no reason to wake.
                self.store.known.forget();
                self.crowd.set(self.crowd.get().or(Some(clock::since_boot() + CROWD)));
                continue;
            }
            if self.only_ends && self.is_anothers_hold(kv) {
                continue;
            }
            told = News::Some;
            match self.granted(kv) {
                Some((id, content)) => self.store.was_granted(&id, content, kv.mod_revision),
                None if self.is_of_mine(kv) => self.store.known.forget(),
                None => {}
            }
        }
        told
    }

    /// Whether this says that one ahead holds, or still does: whoever was in the way goes on being so.
    fn is_anothers_hold(&self, kv: &KeyValue) -> bool {
        let parsed = kv.below(&self.store.keys.deployments()).and_then(Keys::parse);
        let Some((id, Part::Record)) = parsed else { return false };
        let another = self.store.keys.deployment(&id, Part::Record) != self.first;
        another && Content::read(&kv.text(), &id).is_ok_and(|content| content.state == State::Attached)
    }

    /// The keys of its locks, where it holds few and all of them alone.
    fn queues_of(&self, stored: Option<&Stored>) -> Vec<String> {
        let holds = stored.filter(|s| s.state() == State::Attached).and_then(Stored::deployment);
        let Some(d) = holds else { return Vec::new() };
        let alone = d.locks.len() <= LOCKS && d.locks.iter().all(|r| r.mode == Mode::Exclusive);
        let keys = d.locks.iter().filter(|_| alone).map(|r| self.store.keys.lock(&r.lock));
        keys.collect()
    }

    /// The deployment of this process, if this is about one.
    fn mine(&self, kv: &KeyValue) -> Option<(Id, Part)> {
        let (id, part) = Keys::parse(kv.below(&self.store.keys.deployments())?)?;
        self.store.waits(&id).then_some((id, part))
    }

    fn is_of_mine(&self, kv: &KeyValue) -> bool {
        self.mine(kv).is_some()
    }

    /// The waiting deployment of this process that holds now, if this says so. What a watch tells that was opened
    /// anew a moment ago may be long over.
    fn granted(&self, kv: &KeyValue) -> Option<(Id, Content)> {
        let live =
            self.stream.as_ref().is_some_and(|s| !s.again || clock::since_boot() >= s.opened + CAUGHT_UP);
        let (id, _) = self.mine(kv).filter(|(_, part)| live && *part == Part::Record)?;
        let content = Content::read(&kv.text(), &id).ok()?;
        content.state.holds().then_some((id, content))
    }

    /// Takes what the watch says right after its first news, to know of a grant beside what brought it about. Where
    /// none comes nobody waits for us: a moment more does no harm.
    fn hear_the_rest(&mut self) {
        let until = clock::since_boot() + REST;
        while self.store.awaits() && !self.store.known.is_something() {
            let Some(stream) = &self.stream else { return };
            let mut fds = [PollFd::from_borrowed_fd(stream.connection.as_fd(), PollFlags::IN)];
            let rest = Timespec::try_from(until.saturating_sub(clock::since_boot())).ok();
            if !poll(&mut fds, rest.as_ref()).is_ok_and(|ready| ready > 0) || self.news() == News::Broken {
                return;
            }
        }
    }

    /// What is known because it is watched is known no more if news of it has come meanwhile, or may be on its way.
    fn hear_before_the_end(&mut self) {
        let settled = self.stream.as_ref().is_some_and(|s| clock::since_boot() >= s.opened + SETTLED);
        if !settled || self.news() == News::Broken {
            self.store.known.forget();
        }
    }

    /// Until when nothing has to be done here.
    fn rest_until(&self, until: Option<Duration>) -> Duration {
        let own = match &self.stream {
            Some(stream) => stream.heard + QUIET,
            None if self.wanted.is_empty() => clock::since_boot() + QUIET,
            None => self.next,
        };
        [until, self.crowd.get()].into_iter().flatten().fold(own, Duration::min)
    }
}

impl Sleeper for EtcdSleeper<'_> {
    fn arm(&mut self, ids: &[Id], txn: &mut dyn Txn) -> Result<()> {
        let (mut wanted, mut todo, mut queues) = (Vec::new(), ids.to_vec(), Vec::new());
        self.owners.clear();
        self.first = ids.first().map(|id| self.store.keys.deployment(id, Part::Record)).unwrap_or_default();
        let here = process::here();
        while let Some(id) = todo.pop() {
            let key = self.store.keys.deployment(&id, Part::Record);
            let end = tree_end(&key);
            if !wanted.iter().any(|(known, _)| *known == key) {
                wanted.push((key, end));
            }
            let stored = txn.find(&id)?;
            if ids.len() == 1 && self.store.lease_of(&id).is_some() {
                queues = self.queues_of(stored.as_ref());
            }
            if let Some(d) =
                stored.as_ref().filter(|s| s.state() == State::Detached).and_then(|s| s.deployment())
            {
                // What was acquired inside another's command ends with that one.
                todo.extend(d.parent.clone());
                let ours = d.place.boot == here.boot && d.place.pid_ns == here.pid_ns;
                self.owners.extend(d.owner_process.as_ref().filter(|_| ours).and_then(process::watch));
            }
        }
        // Who holds alone and is told of each change there knows who is next when it gives back.
        self.store.known.watch(!queues.is_empty());
        self.crowd.set(None);
        wanted.extend(queues.into_iter().map(|key| (key.clone(), tree_end(&key))));
        wanted.sort();
        let revision = self.store.seen.get();
        self.watch(wanted, Some(revision + 1));
        Ok(())
    }

    fn only_ends(&mut self) {
        self.only_ends = true;
    }

    /// A server that takes a watch down has less time for what is asked of it next.
    fn leftovers(&mut self) -> Option<Box<dyn std::any::Any + Send>> {
        self.stream.take().map(|stream| Box::new(stream) as Box<_>)
    }

    fn arm_all(&mut self) -> Result<()> {
        self.store.known.watch(false);
        let key = self.store.keys.deployments();
        let end = super::messages::after(&key);
        self.watch(vec![(key, end)], None);
        Ok(())
    }

    fn sleep(&mut self, until: Option<Duration>, interrupts: &[BorrowedFd<'_>]) -> Result<Wake> {
        // What wakes us is newer.
        self.store.known.sleep();
        loop {
            self.keep_watch();
            match self.news() {
                News::Some => {
                    self.hear_the_rest();
                    return Ok(Wake::Look);
                }
                News::Broken => {
                    self.stream = None;
                    self.store.known.forget();
                    self.client.next_endpoint();
                    self.next = clock::since_boot() + AGAIN;
                }
                News::None => {}
            }
            if until.is_some_and(|at| clock::since_boot() >= at) {
                return Ok(Wake::Time);
            }
            if self.crowd.get().is_some_and(|at| clock::since_boot() >= at) {
                return Ok(Wake::Look);
            }
            let left = self.rest_until(until).saturating_sub(clock::since_boot());
            let timeout = Timespec::try_from(left).ok();
            let stream = self.stream.as_ref().map(|s| s.connection.as_fd());
            let owners = self.owners.iter().map(|fd| fd.as_fd());
            let all = interrupts.iter().copied().chain(owners).chain(stream);
            let mut fds: Vec<PollFd<'_>> =
                all.map(|fd| PollFd::from_borrowed_fd(fd, PollFlags::IN)).collect();
            match poll(&mut fds, timeout.as_ref()) {
                // A handler has run: what it wrote is seen by the next poll.
                Ok(_) | Err(rustix::io::Errno::INTR) => {}
                Err(e) => {
                    return Err(self
                        .store
                        .refused(format!("cannot wait for its news: {}", io::Error::from(e))));
                }
            }
            let ready: Vec<bool> = fds.iter().map(|fd| !fd.revents().is_empty()).collect();
            if ready[..interrupts.len()].contains(&true) {
                self.hear_before_the_end();
                return Ok(Wake::Interrupt);
            }
            let owners = interrupts.len()..interrupts.len() + self.owners.len();
            if ready[owners].contains(&true) {
                // It says so for ever: once is enough.
                self.owners.clear();
                return Ok(Wake::Look);
            }
        }
    }
}
