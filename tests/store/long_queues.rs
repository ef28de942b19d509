//! Queues of which a release reads no more than the beginning: what happens further back is not lost by that.

use std::fs;
use std::os::unix::fs::FileExt as _;
use std::path::Path;
use std::sync::mpsc::{Receiver, channel};

use tempfile::TempDir;

use deploylock::deployment::Id;
use deploylock::ops::acquire::{Grant, Outcome, Patience, acquire};
use deploylock::ops::clear::{Cancelled, cancel};
use deploylock::ops::{Never, Silent};
use deploylock::store::files::queue;

use crate::support::{PATIENCE, RETRY, draft, exclusive, files, give_back, hold, until_waiting};

const LONG: usize = 12;

/// The ids in the lock's file, in order.
fn lines(path: &Path) -> Vec<Id> {
    let bytes = fs::read(path.join("locks/name/a")).unwrap();
    queue::read(&bytes).lines.into_iter().map(|line| line.entry.id).collect()
}

/// The name of the record of one of them.
fn queue_stem(path: &Path, id: &Id) -> String {
    let bytes = fs::read(path.join("locks/name/a")).unwrap();
    queue::read(&bytes).lines.into_iter().find(|line| line.entry.id == *id).unwrap().stem.to_string()
}

/// Writes this over the beginning of the tenth line.
fn spoil(path: &Path, nonsense: &[u8]) {
    let file = fs::OpenOptions::new().write(true).open(path.join("locks/name/a")).unwrap();
    file.write_all_at(nonsense, 9 * queue::WIDTH).unwrap();
}

/// So many that wait, one after the other; whoever is granted is sent.
fn wait_behind<'scope>(
    scope: &'scope std::thread::Scope<'scope, '_>,
    path: &'scope Path,
    count: usize,
) -> Receiver<Grant> {
    let (send, granted) = channel();
    for already in 0..count {
        let send = send.clone();
        scope.spawn(move || {
            let patience = Patience::AtMost(PATIENCE);
            let outcome =
                acquire(&files(path), &draft(&[exclusive("a")]), patience, RETRY, &mut Silent, &mut Never);
            if let Outcome::Granted(grant) = outcome.unwrap() {
                send.send(*grant).unwrap();
            }
        });
        until_waiting(&files(path), already + 1);
    }
    granted
}

/// Gives back what is held, and what is granted for that, until nobody waits; who held, in order.
fn drain(path: &Path, first: Grant, granted: &Receiver<Grant>) -> Vec<Id> {
    let mut order = vec![give_back(&files(path), first).id];
    while let Ok(grant) = granted.recv() {
        order.push(give_back(&files(path), grant).id);
    }
    order
}

/// A holder and so many that wait, to whom something happens that takes those from `all` who leave: the others hold one
/// after the other, in order, and then the lock is free. Where that was.
fn all_are_served_though(happens: impl FnOnce(&Path, &mut Vec<Id>)) -> TempDir {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path();
    let first = hold(&files(path), &[exclusive("a")]);
    std::thread::scope(|scope| {
        let granted = wait_behind(scope, path, LONG);
        let mut all = lines(path);
        happens(path, &mut all);
        assert_eq!(drain(path, first, &granted), all);
    });
    give_back(&files(path), hold(&files(path), &[exclusive("a")]));
    folder
}

#[test]
fn those_who_leave_far_back_are_passed_over() {
    let folder = all_are_served_though(|path, all| {
        for place in [10, 6] {
            let gone = all.remove(place);
            assert!(matches!(cancel(&files(path), &gone, None, "test").unwrap(), Cancelled::Ended(_)));
        }
        assert_eq!(lines(path), *all);
    });
    assert_eq!(lines(folder.path()), []);
}

#[test]
fn lines_without_records_hide_nobody_behind_them() {
    for nonsense in [None, Some(b"9-!!!!!!")] {
        all_are_served_though(|path, all| {
            // More than a release reads at first.
            for gone in all.drain(1..8) {
                let name = queue_stem(path, &gone);
                fs::remove_file(path.join("deployments/waiting").join(name)).unwrap();
            }
            if let Some(nonsense) = nonsense {
                spoil(path, nonsense);
            }
        });
    }
}

#[test]
fn a_line_without_sense_far_back_costs_nobody_his_place() {
    // Not even like a line; like one, but for the name.
    for nonsense in ["?".repeat(20), "9-!!!!!!".to_owned()] {
        all_are_served_though(|path, _| {
            spoil(path, nonsense.as_bytes());
            assert_eq!(lines(path).len(), LONG);
        });
    }
}
