//! What was done and what was reported: the store's steps, with a timeline of what each deployment may be found as.

use std::collections::BTreeMap;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};
use std::time::SystemTime;

use deploylock::deployment::{Deployment, Id};
use deploylock::store::files::FilesStore;
use deploylock::store::files::folder::{Step, Steps};

use super::disk::{Disk, Done};
use crate::support::with_steps;

/// Writes down every step.
#[derive(Default)]
struct Recorder(Mutex<Vec<Done>>);

impl Steps for Recorder {
    fn before(&self, step: &Step<'_>) -> io::Result<()> {
        self.0.lock().unwrap().push(step.into());
        Ok(())
    }
}

/// What a deployment must be found as after the power failed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Known {
    /// Something is being done with it: it may hold or not.
    Open,
    /// It was reported to hold.
    Held(Deployment),
    /// It was reported to be kept for a person.
    Kept(Deployment),
    /// It is paused.
    Paused,
    /// It was reported to be gone; or it ends with its process, and so with the power.
    Gone,
}

/// A number that must never come back.
#[derive(Debug, Clone)]
pub enum Number {
    /// A token.
    Token(u64),
    /// A version of this deployment's application.
    Version(Box<Deployment>, u64),
    /// A detached deployment's time to live ends no earlier than this.
    Expiry(Id, SystemTime),
}

/// A store under record.
pub struct Tape {
    pub path: PathBuf,
    recorder: Arc<Recorder>,
    pub start: Disk,
    known: Mutex<Vec<(usize, Id, Known)>>,
    numbers: Mutex<Vec<(usize, Number)>>,
}

impl Tape {
    /// From what lies at `path` now.
    pub fn new(path: &Path) -> Tape {
        let start = read(path);
        let (recorder, known, numbers) = Default::default();
        Tape { path: path.to_owned(), recorder, start, known, numbers }
    }

    pub fn store(&self) -> FilesStore {
        with_steps(&self.path, Some(self.recorder.clone()))
    }

    pub fn steps(&self) -> Vec<Done> {
        self.recorder.0.lock().unwrap().clone()
    }

    /// How many steps were taken.
    pub fn at(&self) -> usize {
        self.recorder.0.lock().unwrap().len()
    }

    /// From here on this is what it must be found as.
    pub fn know(&self, id: &Id, known: Known) {
        self.know_from(self.at(), id, known);
    }

    pub fn know_from(&self, at: usize, id: &Id, known: Known) {
        self.known.lock().unwrap().push((at, id.clone(), known));
    }

    /// From here on this number is given.
    pub fn given(&self, number: Number) {
        self.numbers.lock().unwrap().push((self.at(), number));
    }

    /// What everybody must be found as where the power fails after `end` steps.
    pub fn known_at(&self, end: usize) -> BTreeMap<Id, Known> {
        let mut now = BTreeMap::new();
        for (at, id, known) in self.known.lock().unwrap().iter() {
            // What is only begun has changed nothing yet.
            if *at < end || (*at == end && *known != Known::Open) {
                now.insert(id.clone(), known.clone());
            }
        }
        now
    }

    pub fn numbers_at(&self, end: usize) -> Vec<Number> {
        let numbers = self.numbers.lock().unwrap();
        numbers.iter().filter(|(at, _)| *at <= end).map(|(_, number)| number.clone()).collect()
    }
}

/// What lies there.
pub fn read(top: &Path) -> Disk {
    let mut disk = Disk::default();
    let mut todo = vec![String::new()];
    while let Some(below) = todo.pop() {
        let Ok(entries) = std::fs::read_dir(top.join(&below)) else { continue };
        for entry in entries.map(Result::unwrap) {
            let name = entry.file_name().into_string().unwrap();
            let path = if below.is_empty() { name } else { format!("{below}/{name}") };
            if entry.file_type().unwrap().is_dir() {
                disk.folders.insert(path.clone());
                todo.push(path);
            } else {
                disk.files.insert(path, std::fs::read(entry.path()).unwrap());
            }
        }
    }
    disk
}

/// A boot that is over, as long as the real one's id.
const EARLIER: &str = "0123abcd-dead-4bee-8bad-000000000001";

/// Lays it there, as a boot finds it that comes after the one in which it was written.
pub fn lay_in_a_new_boot(disk: &Disk, top: &Path) {
    let boot = &deploylock::process::here().boot;
    let (tag, earlier) = (format!(".{}", &boot[..8]), format!(".{}", &EARLIER[..8]));
    std::fs::create_dir_all(top).unwrap();
    for folder in &disk.folders {
        std::fs::create_dir(top.join(folder)).unwrap();
    }
    for (path, bytes) in &disk.files {
        let bytes = replaced(bytes, boot.as_bytes(), EARLIER.as_bytes());
        let bytes = replaced(&bytes, tag.as_bytes(), earlier.as_bytes());
        std::fs::write(top.join(path.replace(&tag, &earlier)), bytes).unwrap();
    }
}

fn replaced(bytes: &[u8], from: &[u8], to: &[u8]) -> Vec<u8> {
    let mut bytes = bytes.to_vec();
    assert_eq!(from.len(), to.len());
    for at in 0..(bytes.len() + 1).saturating_sub(from.len()) {
        if &bytes[at..at + from.len()] == from {
            bytes[at..at + to.len()].copy_from_slice(to);
        }
    }
    bytes
}
