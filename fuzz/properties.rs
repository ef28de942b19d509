//! What must be true of any bytes, for the fuzz targets and for `tests/corpus.rs`, which runs the committed corpus.

use std::path::Path;

use deploylock::deployment::Id;
use deploylock::store::files::{names, queue, record};
use deploylock::topology::Topology;

/// A topology is read or refused with a place that people can find, and its warnings can be made.
pub fn topology(bytes: &[u8]) {
    let Ok(text) = std::str::from_utf8(bytes) else { return };
    match Topology::parse(Path::new("deploylock.toml"), text) {
        Ok(topology) => drop(topology.warnings()),
        Err(error) => {
            let told = error.to_string();
            assert!(!told.is_empty() && !told.contains('\u{1b}'), "{told:?}");
        }
    }
}

/// A record is read or refused; what was read is the same when it is written and read again.
pub fn record(bytes: &[u8]) {
    let id = Id::new(7, 99);
    let Ok(deployment) = record::read(bytes, &id) else { return };
    let again = record::read(record::write(&deployment).as_bytes(), &id);
    assert_eq!(again.as_ref(), Ok(&deployment));
}

/// A lock file is read without running over its end; its lines are the same when they are written anew.
pub fn queue(bytes: &[u8]) {
    let read = queue::read(bytes);
    assert!(read.end() <= bytes.len() as u64 && read.length == bytes.len() as u64);
    let again: String = read.lines.iter().map(queue::again).collect();
    let twice = queue::read(again.as_bytes());
    assert!(!twice.garbled && !twice.is_ragged());
    let same = twice.lines.iter().zip(&read.lines).all(|(a, b)| (&a.stem, &a.entry) == (&b.stem, &b.entry));
    assert!(same && twice.lines.len() == read.lines.len());
}

/// A name comes back from its path, no path leaves its folder, and only what is written is read.
pub fn names(bytes: &[u8]) {
    let Ok(text) = std::str::from_utf8(bytes) else { return };
    if let Some(name) = names::lock_name(text) {
        assert_eq!(names::lock_path(&name), text);
    }
    if let Some(stem) = names::Stem::parse(text) {
        assert_eq!(names::Stem::parse(&stem.to_string()), Some(stem));
    }
    if text.is_empty() {
        return;
    }
    let path = names::lock_path(text);
    assert_eq!(names::lock_name(&path).as_deref(), Some(text));
    for part in path.split('/') {
        assert!(!part.is_empty() && part.len() < 255 && !part.starts_with('.') && part.is_ascii(), "{path}");
        assert!(!part.contains(|c: char| c.is_control() || c.is_ascii_uppercase()), "{path}");
    }
}
