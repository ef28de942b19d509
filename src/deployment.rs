//! A deployment as it is recorded: who, what, where, which locks, in which state.
//!
//! Plain data, part of the model layer: no I/O, no clock, no process lives here.

use std::cmp::Ordering;
use std::fmt;
use std::str::FromStr;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use crate::model::{Hook, Keep, LockName, LockRequest, Operation};

/// A deployment's id: a number that grows and a random part that nobody can guess, `1042-k7f3qa`.
///
/// It lies within itself, not behind a pointer: the lines of a long queue are read in every decision about it.
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct Id {
    /// Filled up with zeros, so that the bytes are in the order of the text.
    text: [[u8; WORD]; WORDS],
    length: u8,
}

/// Ids are compared by words: the C library that the released program is linked against compares byte by byte.
const WORD: usize = 16;
/// How many an id has.
const WORDS: usize = LONGEST.div_ceil(WORD);

/// How many digits a number of 64 bits has at most.
const LONGEST_NUMBER: usize = 20;
/// How long an id can be, in bytes: a number, a hyphen, the random part.
const LONGEST: usize = LONGEST_NUMBER + 1 + RANDOM_LETTERS;
/// Whether a byte is a letter of the random part.
const IN_ALPHABET: [bool; 256] = {
    let mut letters = [false; 256];
    let mut i = 0;
    while i < ALPHABET.len() {
        letters[ALPHABET[i] as usize] = true;
        i += 1;
    }
    letters
};

/// Letters of the random part: no vowels but `a`, nothing that looks like a digit.
const ALPHABET: &[u8; 32] = b"abcdefghijkmnpqrstuvwxyz23456789";
/// How many letters the random part has: 30 bits.
const RANDOM_LETTERS: usize = 6;

impl Id {
    /// The id with this number and these random bits.
    #[must_use]
    pub fn new(number: u64, random: u32) -> Self {
        let mut text = format!("{number}-");
        for i in 0..RANDOM_LETTERS {
            let five = (random >> (5 * i)) & 31;
            text.push(ALPHABET[five as usize] as char);
        }
        Id::of(&text)
    }

    fn of(fits: &str) -> Self {
        let mut text = [[0; WORD]; WORDS];
        text.as_flattened_mut()[..fits.len()].copy_from_slice(fits.as_bytes());
        Id { text, length: fits.len() as u8 }
    }

    /// Its number; `None` where that is beyond 64 bits.
    #[must_use]
    pub fn number(&self) -> Option<u64> {
        self.as_str().split('-').next()?.parse().ok()
    }

    /// The id as people see it.
    #[must_use]
    pub fn as_str(&self) -> &str {
        let text = &self.text.as_flattened()[..usize::from(self.length)];
        std::str::from_utf8(text).expect("digits, a hyphen and letters")
    }
}

impl Ord for Id {
    fn cmp(&self, other: &Self) -> Ordering {
        self.text.map(u128::from_be_bytes).cmp(&other.text.map(u128::from_be_bytes))
    }
}

impl PartialOrd for Id {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl fmt::Debug for Id {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Id").field(&self.as_str()).finish()
    }
}

impl fmt::Display for Id {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

/// Text that is no deployment id.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0:?} is not a deployment id (they look like 1042-k7f3qa; `deploylock list` shows them)")]
pub struct IdError(pub String);

impl FromStr for Id {
    type Err = IdError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let bytes = text.as_bytes();
        let ok = bytes.len().checked_sub(RANDOM_LETTERS + 1).is_some_and(|hyphen| {
            (1..=LONGEST_NUMBER).contains(&hyphen)
                && bytes[hyphen] == b'-'
                && bytes[..hyphen].iter().all(u8::is_ascii_digit)
                && bytes[hyphen + 1..].iter().all(|b| IN_ALPHABET[usize::from(*b)])
        });
        if ok { Ok(Id::of(text)) } else { Err(IdError(text.to_owned())) }
    }
}

/// Where a deployment stands in the store.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum State {
    /// Queued, kept there by a living process.
    Waiting,
    /// Holds its locks as long as a process lives.
    Attached,
    /// Holds its locks until released, cleared or past its time to live.
    Detached,
    /// Holds and waits for nothing until somebody resumes it.
    Paused,
}

impl State {
    /// Every state.
    pub const ALL: [State; 4] = [State::Waiting, State::Attached, State::Detached, State::Paused];

    /// The word of INTERFACE.md, "Words".
    #[must_use]
    pub const fn word(self) -> &'static str {
        match self {
            State::Waiting => "waiting",
            State::Attached | State::Detached => "held",
            State::Paused => "paused",
        }
    }

    /// Whether the locks are its own.
    #[must_use]
    pub const fn holds(self) -> bool {
        matches!(self, State::Attached | State::Detached)
    }
}

/// A process, told apart from any other that ever had its number.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Process {
    /// Its number in its pid namespace.
    pub pid: u32,
    /// When it started, in clock ticks since boot (field 22 of `/proc/PID/stat`); 0 where unknown.
    pub start: u64,
}

/// The place where a process runs: where its number means something.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Place {
    /// The host's name.
    pub host: String,
    /// The kernel's boot id; empty where there is none.
    pub boot: String,
    /// Inode of the pid namespace; 0 where there is none.
    pub pid_ns: u64,
    /// Inode of the time namespace; 0 where there is none.
    pub time_ns: u64,
    /// The mount through which it reaches the store, as its kernel numbers file systems; 0 where unknown.
    pub device: u64,
}

/// What is known of a `run`'s command.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub enum Command {
    /// There is none: the deployment's own process is all.
    #[default]
    None,
    /// About to be started, or started a moment ago.
    Starting,
    /// This process.
    Running(Process),
}

/// When a time to live ends: by the clock that counts suspended time within one boot, by the wall across boots.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Expiry {
    /// By the wall clock.
    pub wall: SystemTime,
    /// By the boot clock of the boot in which it was set.
    pub boot: Duration,
}

/// A deployment.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Deployment {
    /// Its id.
    pub id: Id,
    /// The fencing token of its grant; `None` until it is granted.
    pub token: Option<u64>,
    /// Its place in the order of arrival.
    pub arrival: u64,
    /// The environment it goes to.
    pub environment: Option<String>,
    /// The application it deploys.
    pub application: Option<String>,
    /// The version, for people to read.
    pub version: Option<String>,
    /// What it does.
    pub operation: Operation,
    /// The containers it touches.
    pub containers: Vec<String>,
    /// Every lock it takes.
    pub locks: Vec<LockRequest>,
    /// Who asked.
    pub owner: String,
    /// Where the process that asked runs.
    pub place: Place,
    /// The process that asked.
    pub process: Process,
    /// The process that `--owner-pid` ties the locks to.
    pub owner_process: Option<Process>,
    /// The command of a `run`.
    pub command: Command,
    /// Why, in the user's words.
    pub reason: Option<String>,
    /// The pipeline's page.
    pub url: Option<String>,
    /// When it was asked for.
    pub requested: SystemTime,
    /// When it got its present state.
    pub since: SystemTime,
    /// How long it may hold without being renewed.
    pub ttl: Option<Duration>,
    /// When that ends.
    pub expires: Option<Expiry>,
    /// The deployment inside whose command this one was asked for.
    pub parent: Option<Id>,
    /// Its parent's parent and so on, nearest first, the parent included.
    pub ancestors: Vec<Id>,
    /// What a crash does to its locks.
    pub on_crash: Keep,
    /// What a failure does to its locks.
    pub on_failure: Keep,
    /// The exit status of a command that failed, where the locks were kept for a person.
    pub failed: Option<i32>,
    /// For a paused one: the locks at which it was blocked.
    pub blocked_at: Vec<LockName>,
    /// Somebody asked it to end.
    pub cancelled: bool,
    /// How long after that its command may take before it is killed.
    pub kill_after: Option<Duration>,
    /// An `acquire` inside its command holds locks that end with it.
    pub has_nested: bool,
}

impl Deployment {
    /// What people call it: `shop 2.1 to prod`, or the names of its locks.
    #[must_use]
    pub fn title(&self) -> String {
        let mut text = String::new();
        if let Some(app) = &self.application {
            text.push_str(app);
            if let Some(version) = &self.version {
                text.push(' ');
                text.push_str(version);
            }
            text.push_str(" to ");
        }
        match &self.environment {
            Some(env) => text.push_str(env),
            None => {
                let names: Vec<_> = self.locks.iter().map(|l| l.lock.to_string()).collect();
                text.push_str(&names.join(" "));
            }
        }
        text
    }
}

/// What was found under an id.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Stored {
    /// A record.
    Readable(State, Arc<Deployment>),
    /// Something that cannot be read; it blocks where lock files name it.
    Unreadable(Unreadable),
}

/// A record that cannot be read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Unreadable {
    /// The id in its name.
    pub id: Id,
    /// The state its folder says.
    pub state: State,
    /// Where it lies, for a person to look at.
    pub path: String,
    /// What is wrong with it.
    pub why: String,
}

impl Stored {
    /// Its id.
    #[must_use]
    pub fn id(&self) -> &Id {
        match self {
            Stored::Readable(_, d) => &d.id,
            Stored::Unreadable(u) => &u.id,
        }
    }

    /// Its state.
    #[must_use]
    pub fn state(&self) -> State {
        match self {
            Stored::Readable(state, _) => *state,
            Stored::Unreadable(u) => u.state,
        }
    }

    /// The record, where it can be read.
    #[must_use]
    pub fn deployment(&self) -> Option<&Deployment> {
        match self {
            Stored::Readable(_, d) => Some(d),
            Stored::Unreadable(_) => None,
        }
    }
}

/// What the evidence says of a deployment's life.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Verdict {
    /// Attached to a process that exists. The text says which, where there is more to say.
    Alive(Option<String>),
    /// Its process and its command are gone, but something they started keeps its record locked.
    Lingering(String),
    /// Bound to no process: it stays until it is released, cleared or past its time to live.
    Unbound,
    /// It crashed or failed and is kept for a person.
    Kept(String),
    /// Nothing can be proved; counts as alive.
    Unknown(String),
    /// Dead, and why that is sure.
    Dead(String),
}

/// Something that a decision brought about, for a hook to be told once the decision is over.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Happening {
    /// Which hook it is for.
    pub hook: Hook,
    /// When.
    pub time: SystemTime,
    /// The deployment: as it is, or where it is gone, as it was last.
    pub stored: Stored,
    /// A waiter's place: 1 is next.
    pub position: Option<usize>,
    /// Who is in a waiter's way.
    pub waiting_for: Vec<Id>,
    /// Why it was found dead.
    pub stale: Option<String>,
    /// How it ended.
    pub outcome: Option<String>,
    /// Why it was done to it.
    pub why: Option<String>,
    /// Who did it to it.
    pub by: Option<String>,
    /// How long it waited.
    pub waited: Option<Duration>,
    /// How long it held.
    pub held: Option<Duration>,
}

#[cfg(test)]
mod tests {
    use super::*;

    proptest::proptest! {
        #[test]
        fn ids_are_in_the_order_of_their_texts(
            one in (0..u64::MAX, 0..u32::MAX), other in (0..u64::MAX, 0..u32::MAX), same in proptest::bool::ANY,
        ) {
            let one = Id::new(one.0, one.1);
            let other = Id::new(if same { one.number().unwrap() } else { other.0 }, other.1);
            proptest::prop_assert_eq!(one.cmp(&other), one.as_str().cmp(other.as_str()));
            proptest::prop_assert_eq!(one == other, one.as_str() == other.as_str());
            proptest::prop_assert_eq!(one.as_str().parse(), Ok(one));
        }
    }
}
