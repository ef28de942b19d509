//! The history is written by decisions and, outside of them, by those that were granted: neither spoils what the other writes.

use std::fs;
use std::sync::Barrier;

use deploylock::store::{Store as _, log_deciding};

use crate::support::{exclusive, files, give_back, hold};

#[test]
fn lines_written_with_and_without_the_guard_are_all_there_and_whole() {
    const EACH: usize = 2000;
    let folder = tempfile::tempdir().unwrap();
    let path = &folder.path().join("locks");
    give_back(&files(path), hold(&files(path), &[exclusive("a")]));
    let before = files(path).history().unwrap().len();
    // Many of them across the borders of pages, at which a file grows.
    let line = format!("{{\"text\":\"{}\"}}", "x".repeat(700));
    std::thread::scope(|scope| {
        scope.spawn(|| {
            let store = files(path);
            (0..EACH).for_each(|_| log_deciding(&store, &line).unwrap());
        });
        scope.spawn(|| {
            let store = files(path);
            store.decide(&mut |_| Ok(())).unwrap();
            (0..EACH).for_each(|_| store.log(&line).unwrap());
        });
    });
    let lines = files(path).history().unwrap();
    assert_eq!(lines.iter().filter(|l| **l == line).count(), 2 * EACH);
    // Whoever lost the processor for long in the middle of a line may find a blank one behind it.
    let others = lines[before..].iter().find(|other| **other != line && !other.is_empty());
    assert_eq!(others, None, "a line that nobody wrote");
}

#[test]
fn a_rotation_loses_nothing_of_those_who_write_meanwhile() {
    const LONG: u64 = (16 << 20) + 1;
    let folder = tempfile::tempdir().unwrap();
    let path = &folder.path().join("locks");
    give_back(&files(path), hold(&files(path), &[exclusive("a")]));
    for _ in 0..200 {
        let _ = fs::remove_file(path.join("history.1.jsonl"));
        fs::File::create(path.join("history.jsonl")).unwrap().set_len(LONG).unwrap();
        let together = Barrier::new(2);
        std::thread::scope(|scope| {
            scope.spawn(|| {
                let store = files(path);
                store.decide(&mut |_| Ok(())).unwrap();
                together.wait();
                log_deciding(&store, "{}").unwrap();
            });
            scope.spawn(|| {
                let store = files(path);
                store.decide(&mut |_| Ok(())).unwrap();
                together.wait();
                (0..8).for_each(|_| store.log("{}").unwrap());
            });
        });
        let written = ["history.1.jsonl", "history.jsonl"].map(|name| {
            let bytes = fs::read(path.join(name)).unwrap_or_default();
            let bytes = bytes.strip_prefix(&[0; LONG as usize][..]).unwrap_or(&bytes).to_vec();
            String::from_utf8(bytes).unwrap().matches("{}").count()
        });
        assert_eq!(written.iter().sum::<usize>(), 9, "{written:?}");
    }
}
