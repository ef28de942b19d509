//! A model of a file system that loses power: the steps that were taken, and what may be on the disk afterwards.
//! No store here, only names and bytes.
//!
//! What is durable: a file's content up to its last sync; a folder's names up to the folder's last sync. Of all
//! else any part may be there or not. Two things a disk is trusted with: a write within one sector of 512 bytes
//! happens whole or not at all, and a rename never leaves neither name. It may leave both.

use std::collections::{BTreeMap, BTreeSet};

use deploylock::store::files::folder::Step;

/// What is trusted to be written in one piece, in bytes.
pub const SECTOR: u64 = 512;

/// A step that was taken, owned.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Done {
    MakeFolder(String),
    Create(String),
    Write(String, Vec<u8>, u64),
    Cut(String, u64),
    Rename(String, String),
    Remove(String),
    Sync(String),
    SyncFolder(String),
}

impl From<&Step<'_>> for Done {
    fn from(step: &Step<'_>) -> Self {
        match step {
            Step::MakeFolder(path) => Done::MakeFolder((*path).into()),
            Step::Create(path) => Done::Create((*path).into()),
            Step::Write(path, bytes, at) => Done::Write((*path).into(), bytes.to_vec(), *at),
            Step::Cut(path, length) => Done::Cut((*path).into(), *length),
            Step::Rename(from, to) => Done::Rename((*from).into(), (*to).into()),
            Step::Remove(path) => Done::Remove((*path).into()),
            Step::Sync(path) => Done::Sync((*path).into()),
            Step::SyncFolder(path) => Done::SyncFolder((*path).into()),
        }
    }
}

/// What became of a step that was not durable.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fate {
    /// It is on the disk.
    Whole,
    /// It never was.
    Lost,
    /// A write: its first half. A rename: both names.
    Torn,
    /// A write that makes a file longer: the length, but not the bytes.
    Zeroed,
}

/// What lies on the disk: folders, and files with their content.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Default)]
pub struct Disk {
    pub folders: BTreeSet<String>,
    pub files: BTreeMap<String, Vec<u8>>,
}

/// One step in terms of inodes, as the running system saw it.
#[derive(Debug, Clone)]
struct Deed {
    what: What,
    /// The step after which it is durable for good, if any; of a rename, when its new name is.
    durable: Option<usize>,
    /// Of a rename: when the end of its old name is.
    left: Option<usize>,
    extends: bool,
}

#[derive(Debug, Clone)]
enum What {
    Nothing,
    Folder(String),
    Name(String, usize),
    Moved(String, String, usize),
    Unnamed(String),
    Bytes(usize, Vec<u8>, u64),
    Cut(usize, u64),
}

/// Everything that was done since the disk was at rest.
pub struct Past {
    start: Disk,
    deeds: Vec<Deed>,
}

fn parent(path: &str) -> &str {
    path.rsplit_once('/').map_or(".", |(parent, _)| parent)
}

impl Past {
    /// From a disk at rest, these steps were taken.
    pub fn new(start: Disk, steps: &[Done]) -> Past {
        let mut past = Past { deeds: Vec::new(), start };
        let mut names: BTreeMap<String, usize> = BTreeMap::new();
        let mut lengths: Vec<u64> = Vec::new();
        let mut folders = past.start.folders.clone();
        for (path, bytes) in &past.start.files {
            names.insert(path.clone(), lengths.len());
            lengths.push(bytes.len() as u64);
        }
        for (at, step) in steps.iter().enumerate() {
            let mut extends = false;
            let what = match step {
                Done::MakeFolder(path) if folders.insert(path.clone()) => What::Folder(path.clone()),
                Done::Create(path) if !names.contains_key(path) => {
                    names.insert(path.clone(), lengths.len());
                    lengths.push(0);
                    What::Name(path.clone(), lengths.len() - 1)
                }
                Done::Rename(from, to) if names.contains_key(from) => {
                    let inode = names.remove(from).expect("it was asked");
                    names.insert(to.clone(), inode);
                    What::Moved(from.clone(), to.clone(), inode)
                }
                Done::Remove(path) if names.remove(path).is_some() => What::Unnamed(path.clone()),
                Done::Write(path, bytes, offset) => {
                    let inode = names[path];
                    let end = offset + bytes.len() as u64;
                    extends = end > lengths[inode];
                    lengths[inode] = lengths[inode].max(end);
                    What::Bytes(inode, bytes.clone(), *offset)
                }
                Done::Cut(path, length) => {
                    lengths[names[path]] = *length;
                    What::Cut(names[path], *length)
                }
                Done::Sync(path) => {
                    past.sync(names[path], at);
                    What::Nothing
                }
                Done::SyncFolder(path) => {
                    past.sync_folder(path, at);
                    What::Nothing
                }
                _ => What::Nothing,
            };
            past.deeds.push(Deed { what, durable: None, left: None, extends });
        }
        past
    }

    fn sync(&mut self, synced: usize, at: usize) {
        for deed in &mut self.deeds {
            if matches!(deed.what, What::Bytes(inode, ..) | What::Cut(inode, _) if inode == synced) {
                deed.durable.get_or_insert(at);
            }
        }
    }

    fn sync_folder(&mut self, folder: &str, at: usize) {
        for deed in &mut self.deeds {
            match &deed.what {
                What::Folder(path) | What::Name(path, _) | What::Unnamed(path) if parent(path) == folder => {
                    deed.durable.get_or_insert(at);
                }
                What::Moved(from, to, _) => {
                    if parent(to) == folder {
                        deed.durable.get_or_insert(at);
                    }
                    if parent(from) == folder {
                        deed.left.get_or_insert(at);
                    }
                }
                _ => {}
            }
        }
    }

    pub fn len(&self) -> usize {
        self.deeds.len()
    }

    /// What may have become of the step, where the power fails before step `end`. The first is [`Fate::Whole`].
    pub fn fates(&self, step: usize, end: usize) -> Vec<Fate> {
        let deed = &self.deeds[step];
        let by_then = |at: Option<usize>| at.is_some_and(|at| at < end);
        match &deed.what {
            What::Nothing => vec![Fate::Whole],
            // The old name is gone for good, so the new one is there.
            What::Moved(..) if by_then(deed.left) => vec![Fate::Whole],
            What::Moved(..) if by_then(deed.durable) => vec![Fate::Whole, Fate::Torn],
            _ if by_then(deed.durable) => vec![Fate::Whole],
            What::Moved(..) => vec![Fate::Whole, Fate::Lost, Fate::Torn],
            What::Bytes(..) if deed.extends => vec![Fate::Whole, Fate::Lost, Fate::Torn, Fate::Zeroed],
            What::Bytes(_, bytes, at) if at / SECTOR != (at + bytes.len() as u64 - 1) / SECTOR => {
                vec![Fate::Whole, Fate::Lost, Fate::Torn]
            }
            _ => vec![Fate::Whole, Fate::Lost],
        }
    }

    /// What lies on the disk where the power fails before step `end`, and each step had its fate.
    pub fn disk(&self, end: usize, fate: impl Fn(usize) -> Fate) -> Disk {
        let mut folders = self.start.folders.clone();
        let mut names: BTreeMap<String, usize> = BTreeMap::new();
        let mut inodes: Vec<Vec<u8>> = Vec::new();
        for (path, bytes) in &self.start.files {
            names.insert(path.clone(), inodes.len());
            inodes.push(bytes.clone());
        }
        for (step, deed) in self.deeds[..end].iter().enumerate() {
            let fate = fate(step);
            // An inode is there even where its first name was lost: it may have got another.
            if let What::Name(_, inode) = deed.what {
                inodes.resize(inode + 1, Vec::new());
            }
            if fate == Fate::Lost {
                continue;
            }
            match &deed.what {
                What::Nothing => {}
                What::Folder(path) => drop(folders.insert(path.clone())),
                What::Name(path, inode) => drop(names.insert(path.clone(), *inode)),
                What::Moved(from, to, inode) => {
                    if fate != Fate::Torn && names.get(from) == Some(inode) {
                        names.remove(from);
                    }
                    names.insert(to.clone(), *inode);
                }
                What::Unnamed(path) => drop(names.remove(path)),
                What::Bytes(inode, bytes, offset) => write(&mut inodes[*inode], bytes, *offset, fate),
                What::Cut(inode, length) => inodes[*inode].truncate(*length as usize),
            }
        }
        let there = |path: &str| parent(path) == "." || folders.contains(parent(path));
        let folders: BTreeSet<String> = folders.iter().filter(|path| there(path)).cloned().collect();
        let below = |path: &str| parent(path) == "." || folders.contains(parent(path));
        let files = names.iter().filter(|(path, _)| below(path));
        let files = files.map(|(path, inode)| (path.clone(), inodes[*inode].clone())).collect();
        Disk { folders, files }
    }
}

fn write(content: &mut Vec<u8>, bytes: &[u8], offset: u64, fate: Fate) {
    let offset = offset as usize;
    let length = if fate == Fate::Torn { bytes.len() / 2 } else { bytes.len() };
    if content.len() < offset + length {
        content.resize(offset + length, 0);
    }
    if fate != Fate::Zeroed {
        content[offset..offset + length].copy_from_slice(&bytes[..length]);
    }
}

#[test]
fn what_is_synced_stays_and_the_rest_may_be_lost() {
    let steps = [
        Done::Create("f/a".into()),
        Done::Write("f/a".into(), b"one".to_vec(), 0),
        Done::Sync("f/a".into()),
        Done::Write("f/a".into(), b"two".to_vec(), 0),
        Done::SyncFolder("f".into()),
        Done::Rename("f/a".into(), "g/a".into()),
    ];
    let folders = BTreeSet::from(["f".to_owned(), "g".to_owned()]);
    let past = Past::new(Disk { folders, ..Disk::default() }, &steps);
    let lost = |step: usize, end: usize| *past.fates(step, end).get(1).unwrap_or(&Fate::Whole);
    let all_lost = |end: usize| past.disk(end, |step| lost(step, end)).files;
    assert_eq!(all_lost(4), BTreeMap::new(), "the name was not synced");
    assert_eq!(all_lost(5), BTreeMap::from([("f/a".to_owned(), b"one".to_vec())]));
    assert_eq!(all_lost(6), all_lost(5));
    let all = past.disk(6, |_| Fate::Whole).files;
    assert_eq!(all, BTreeMap::from([("g/a".to_owned(), b"two".to_vec())]));
    assert_eq!(past.fates(5, 6), [Fate::Whole, Fate::Lost, Fate::Torn]);
    assert_eq!(past.disk(6, |step| if step == 5 { Fate::Torn } else { Fate::Whole }).files.len(), 2);
}
