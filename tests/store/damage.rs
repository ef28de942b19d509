//! Files that are not what they should be: torn, empty, foreign, from an earlier boot.

use std::fs;
use std::path::Path;

use deploylock::deployment::{State, Verdict};
use deploylock::ops::clear::{Cleared, Reach, clear};
use deploylock::ops::release::{Released, detach, release};
use deploylock::ops::survey;
use deploylock::store::StoreError;
use deploylock::store::files::queue;

use crate::support::*;

pub fn only_file(folder: &Path) -> std::path::PathBuf {
    let mut files = fs::read_dir(folder).unwrap();
    files.next().unwrap().unwrap().path()
}

/// Makes the guard say that an earlier boot wrote it.
pub fn as_after_a_reboot(locks: &Path) {
    let guard = fs::read_to_string(locks.join("guard")).unwrap();
    let boot = guard.lines().nth(1).unwrap();
    fs::write(locks.join("guard"), guard.replace(boot, &format!("boot {:<36}", "earlier"))).unwrap();
}

/// Makes the only attached record, and the guard, say that an earlier boot wrote them.
pub fn as_of_an_earlier_boot(locks: &Path) {
    let attached = only_file(&locks.join("deployments/attached"));
    let text = fs::read_to_string(&attached).unwrap();
    let name = attached.file_name().unwrap().to_str().unwrap();
    let (id, rest) = name.split_once('.').unwrap();
    let mark = if rest.ends_with(".h") { ".h" } else { "" };
    let boot = &deploylock::process::here().boot;
    let earlier = locks.join(format!("deployments/attached/{id}.0123abcd{mark}"));
    fs::write(earlier, text.replace(boot, "0123abcd-earlier")).unwrap();
    fs::remove_file(&attached).unwrap();
    as_after_a_reboot(locks);
}

#[test]
fn lock_files_lost_in_a_power_failure_are_made_anew_from_the_records() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("locks");
    let store = files(&path);
    let kept = hold(&store, &[exclusive("a"), shared("b", 2)]);
    detach(&store, &kept.deployment).unwrap();
    fs::remove_file(path.join("locks/name/a")).unwrap();
    fs::write(path.join("locks/name/b"), "").unwrap();
    fs::write(path.join("locks/name/gone"), "7-aaaaaa.12345678 x - -\n").unwrap();
    as_after_a_reboot(&path);
    let store = files(&path);
    drop(conflict(try_now(&store, &[exclusive("a")])));
    drop(conflict(try_now(&store, &[exclusive("b")])));
    assert!(!path.join("locks/name/gone").exists());
}

#[test]
fn numbers_never_come_back_after_a_reboot() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("locks");
    let mut last = 0;
    for _ in 0..3 {
        let store = files(&path);
        let token = give_back(&store, hold(&store, &[exclusive("a")])).token.unwrap();
        assert!(token > last, "{token} after {last}");
        last = token;
        as_after_a_reboot(&path);
        // The number was never synced: a power failure takes it back to what the ceiling was made with.
        let guard = fs::read_to_string(path.join("guard")).unwrap();
        let number = guard.lines().find(|line| line.starts_with("number ")).unwrap();
        fs::write(path.join("guard"), guard.replace(number, &format!("number {:020}", 0))).unwrap();
    }
    // Even a guard that says nothing gives no number of a record that is there.
    let store = files(&path);
    let kept = hold(&store, &[exclusive("kept")]);
    detach(&store, &kept.deployment).unwrap();
    fs::write(path.join("guard"), "").unwrap();
    let store = files(&path);
    assert!(hold(&store, &[exclusive("a")]).deployment.token > kept.deployment.token);
}

#[test]
fn a_process_bound_holder_of_an_earlier_boot_is_dead_and_an_acquired_one_is_not() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("locks");
    let store = files(&path);
    let kept = hold(&store, &[exclusive("kept")]);
    detach(&store, &kept.deployment).unwrap();
    let bound = hold(&store, &[exclusive("bound")]);
    drop(bound.lease);
    as_of_an_earlier_boot(&path);
    let store = files(&path);
    give_back(&store, hold(&store, &[exclusive("bound")]));
    drop(conflict(try_now(&store, &[exclusive("kept")])));
}

#[test]
fn an_empty_record_of_an_earlier_boot_blocks_nobody() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("locks");
    let store = files(&path);
    give_back(&store, hold(&store, &[exclusive("a")]));
    fs::write(path.join("deployments/attached/5-aaaaaa.0123abcd"), "").unwrap();
    fs::write(path.join("locks/name/a"), "5-aaaaaa.0123abcd x - -\n").unwrap();
    give_back(&store, hold(&store, &[exclusive("a")]));
}

#[test]
fn an_unreadable_record_blocks_is_shown_and_stays() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("locks");
    let store = files(&path);
    let kept = hold(&store, &[exclusive("a")]);
    detach(&store, &kept.deployment).unwrap();
    let record = path.join("deployments/detached").join(kept.deployment.id.as_str());
    for garbage in ["", "\0\0\0\0", "format = 1\nid = 3", "format = 99"] {
        fs::write(&record, garbage).unwrap();
        drop(conflict(try_now(&store, &[exclusive("a")])));
        let seen = survey::survey(&store).unwrap();
        assert!(matches!(seen.deployments[0].verdict, Verdict::Unknown(_)), "{garbage:?}");
        as_after_a_reboot(&path);
        drop(conflict(try_now(&files(&path), &[exclusive("a")])));
        assert!(record.exists(), "never removed silently");
    }
}

#[test]
fn a_record_lost_together_with_lines_of_its_locks_frees_nothing_until_it_is_cleared() {
    for lost in [&["a"][..], &["a", "b"]] {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("locks");
        let store = files(&path);
        let other = hold(&store, &[exclusive("other")]);
        detach(&store, &other.deployment).unwrap();
        let kept = hold(&store, &[exclusive("a"), shared("b", 2)]);
        detach(&store, &kept.deployment).unwrap();
        let id = &kept.deployment.id;
        fs::write(path.join("deployments/detached").join(id.as_str()), "").unwrap();
        // With all its lines there it is known what it holds, and the rest goes on.
        as_after_a_reboot(&path);
        let store = files(&path);
        give_back(&store, hold(&store, &[exclusive("unrelated")]));
        drop(conflict(try_now(&store, &[shared("b", 1)])));
        lost.iter().for_each(|lock| fs::remove_file(path.join("locks/name").join(lock)).unwrap());
        as_after_a_reboot(&path);
        // Whichever decision comes first, and again and again.
        for lock in ["a", "unrelated", "a"] {
            let store = files(&path);
            let refused = try_to(&store, &[exclusive(lock)]).err().unwrap();
            assert!(
                matches!(&refused, StoreError::Forgotten { id: of, .. } if of == id),
                "{lock}: {refused}"
            );
        }
        // What is held goes on: it is listed, released, and cleared.
        let store = files(&path);
        assert_eq!(survey::survey(&store).unwrap().deployments.len(), 2);
        drop(conflict(try_now(&store, &[exclusive("other")])));
        let released = release(&store, &other.deployment.id, "done", "me").unwrap();
        assert!(matches!(released, Released::Done(_)));
        assert!(matches!(clear(&store, id, Reach::Stale, "", "me"), Ok(Cleared::NotStale(_))));
        assert!(matches!(clear(&store, id, Reach::NotAlive, "", "me"), Ok(Cleared::Done(..))));
        let next = hold(&store, &[exclusive("a"), exclusive("b"), exclusive("other")]);
        assert!(next.deployment.token > kept.deployment.token);
    }
}

#[test]
fn a_record_lost_together_with_a_lock_file_that_makes_no_sense_frees_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("locks");
    let store = files(&path);
    let kept = hold(&store, &[exclusive("a"), exclusive("b")]);
    detach(&store, &kept.deployment).unwrap();
    fs::write(path.join("deployments/detached").join(kept.deployment.id.as_str()), "nonsense").unwrap();
    fs::write(path.join("locks/name/a"), "utter nonsense\n").unwrap();
    for lock in ["a", "unrelated"] {
        let refused = try_to(&files(&path), &[exclusive(lock)]).err().unwrap();
        assert!(matches!(refused, StoreError::Forgotten { .. }), "{lock}: {refused}");
    }
}

#[test]
fn a_torn_line_counts_for_nothing_and_is_cut() {
    // Void lines of another width, too: over them the next line would end in the middle of one.
    for left in ["9-aaaaaa.0123ab".to_owned(), "#void\n".repeat(40) + "9-aaaaaa.0123ab"] {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("locks");
        let store = files(&path);
        give_back(&store, hold(&store, &[exclusive("a")]));
        fs::write(path.join("locks/name/a"), left).unwrap();
        let grant = hold(&store, &[exclusive("a")]);
        let text = fs::read_to_string(path.join("locks/name/a")).unwrap();
        assert!(text.starts_with(grant.deployment.id.as_str()), "{text}");
        let read = queue::read(text.as_bytes());
        assert!(read.lines.len() == 1 && !read.garbled && !read.is_ragged(), "{text}");
        give_back(&store, grant);
    }
}

#[test]
fn a_line_without_sense_is_said_anew_from_the_records() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("locks");
    let store = files(&path);
    let grant = hold(&store, &[exclusive("a")]);
    fs::write(path.join("locks/name/a"), "utter nonsense\n").unwrap();
    drop(conflict(try_now(&store, &[exclusive("a")])));
    give_back(&store, grant);
    give_back(&store, hold(&store, &[exclusive("a")]));
}

#[test]
fn links_and_pipes_in_the_lock_directory_are_never_followed_and_hang_nobody() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("locks");
    let store = files(&path);
    give_back(&store, hold(&store, &[exclusive("a")]));
    let victim = folder.path().join("victim");
    fs::write(&victim, "precious").unwrap();
    std::os::unix::fs::symlink(&victim, path.join("locks/name/link")).unwrap();
    let made = std::process::Command::new("mkfifo").arg(path.join("locks/name/pipe")).status().unwrap();
    assert!(made.success());
    fs::create_dir(path.join("locks/name/folder")).unwrap();
    for lock in ["link", "pipe", "folder"] {
        let outcome = try_to(&store, &[exclusive("other"), exclusive(lock)]);
        let error = outcome.err().unwrap_or_else(|| panic!("{lock} was taken for a lock file"));
        assert!(matches!(error, StoreError::Foreign { .. }), "{error}");
        assert!(error.to_string().contains(lock), "{error}");
        assert_eq!(ids(&store, |s| s != State::Paused), [], "nothing half done");
    }
    assert_eq!(fs::read_to_string(&victim).unwrap(), "precious");
}

#[test]
fn a_lock_directory_made_anew_is_used_anew() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("locks");
    let store = files(&path);
    give_back(&store, hold(&store, &[exclusive("a")]));
    fs::rename(&path, folder.path().join("away")).unwrap();
    let other = files(&path);
    let grant = hold(&other, &[exclusive("a")]);
    // The first store's descriptors still lead to the old directory; it notices.
    drop(conflict(try_now(&store, &[exclusive("a")])));
    give_back(&other, grant);
}
