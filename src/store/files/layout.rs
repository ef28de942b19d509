//! What lies in the lock directory, and the steps that change it. No I/O.

use std::borrow::Cow;
use std::io;

use crate::clock::{self, Now};
use crate::deployment::State;
use crate::model::Kind;

/// A folder below the lock directory.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Folder {
    /// The lock directory itself.
    Top,
    /// `deployments/STATE`
    Deployments(State),
    /// `locks/KIND`
    Locks(Kind),
    /// `ledger`
    Ledger,
}

impl Folder {
    pub(super) const COUNT: usize = 2 + State::ALL.len() + Kind::ALL.len();

    /// Every folder that a store has below its top.
    pub fn all() -> impl Iterator<Item = Folder> {
        let locks = Kind::ALL.into_iter().map(Folder::Locks);
        State::ALL.into_iter().map(Folder::Deployments).chain(locks).chain([Folder::Ledger])
    }

    pub(super) fn index(self) -> usize {
        match self {
            Folder::Top => 0,
            Folder::Deployments(state) => 1 + state as usize,
            Folder::Locks(kind) => 1 + State::ALL.len() + kind as usize,
            Folder::Ledger => 1 + State::ALL.len() + Kind::ALL.len(),
        }
    }

    /// Its path below the lock directory.
    #[must_use]
    pub fn path(self) -> Cow<'static, str> {
        match self {
            Folder::Top => ".".into(),
            Folder::Deployments(State::Waiting) => "deployments/waiting".into(),
            Folder::Deployments(State::Attached) => "deployments/attached".into(),
            Folder::Deployments(State::Detached) => "deployments/detached".into(),
            Folder::Deployments(State::Paused) => "deployments/paused".into(),
            Folder::Locks(kind) => format!("locks/{}", kind.as_str()).into(),
            Folder::Ledger => "ledger".into(),
        }
    }
}

/// The folders that only hold other folders.
pub(super) const PARENTS: [&str; 2] = ["deployments", "locks"];

/// A step that is about to change something on disk.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Step<'a> {
    /// A folder is made.
    MakeFolder(&'a str),
    /// A file is made.
    Create(&'a str),
    /// Bytes are written at an offset.
    Write(&'a str, &'a [u8], u64),
    /// A file is cut to this length.
    Cut(&'a str, u64),
    /// A file gets another name.
    Rename(&'a str, &'a str),
    /// A name is removed.
    Remove(&'a str),
    /// A file's content is made durable.
    Sync(&'a str),
    /// A folder's names are made durable.
    SyncFolder(&'a str),
}

/// Somebody to be told of each step before it is done, who may forbid it. For tests.
pub trait Steps: Send + Sync {
    /// Called before the step.
    ///
    /// # Errors
    /// An error takes the step's place.
    fn before(&self, step: &Step<'_>) -> io::Result<()>;
    /// What time it is: tests may see a clock that was set.
    fn now(&self) -> Now {
        clock::now()
    }
    /// Whether only one kernel can have the file system mounted: tests may see one that several can.
    fn local(&self, seen: bool) -> bool {
        seen
    }
}

/// The modes that files and folders are created with, whatever the umask.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Modes {
    /// Of folders.
    pub folder: u32,
    /// Of files.
    pub file: u32,
}

impl Modes {
    /// The modes that follow from the lock directory's own: files get its read and write bits.
    #[must_use]
    pub fn of_folder(mode: u32) -> Self {
        Modes { folder: mode & 0o7777, file: mode & 0o666 }
    }
}
