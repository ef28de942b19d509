//! Messages that take more than a binary to provoke: their text alone.

use std::io;
use std::path::PathBuf;
use std::time::Duration;

use deploylock::engine::Refusal;
use deploylock::hook::Failed;
use deploylock::model::LockNameError;
use deploylock::output::message::refusal;
use deploylock::store::StoreError;

use crate::told::text;

#[test]
fn a_store_that_cannot() {
    let path = || PathBuf::from("/locks");
    let refused = |kind| StoreError::Io { what: "write", path: path(), source: io::Error::from(kind) };
    let id = || "7-abcdef".parse().unwrap();
    let all = [
        refused(io::ErrorKind::PermissionDenied),
        refused(io::ErrorKind::StorageFull),
        StoreError::NoLocking(path()),
        StoreError::Busy {
            path: path(),
            waited: Duration::from_secs(10),
            holder: "process 7 is stopped inside it; continue it with `kill -CONT 7`, or end it".to_owned(),
        },
        StoreError::Removed(path()),
        StoreError::Gone(id()),
        StoreError::Unreadable { id: id(), path: "/locks/r".to_owned(), why: "it is empty".to_owned() },
    ];
    let all: Vec<String> = all.iter().map(ToString::to_string).collect();
    text("pure_store", &all.join("\n\n"));
}

#[test]
fn hooks_names_and_circles() {
    let mut all = vec![
        Failed::NotStarted(io::Error::from(io::ErrorKind::NotFound)).to_string(),
        Failed::Signal(9).to_string(),
        Failed::TooLong(Duration::from_secs(10)).to_string(),
        LockNameError("x:y".to_owned()).to_string(),
    ];
    let chain = ["8-abcdef", "9-abcdef"].map(|id| id.parse().unwrap()).to_vec();
    all.push(refusal(&Refusal::Cycle(chain), Some(&"7-abcdef".parse().unwrap())));
    text("pure_rest", &all.join("\n\n"));
}
