//! What a process remembers of its record is only believed as long as the files say the same.

use std::fs;

use deploylock::deployment::{Deployment, Id, State, Stored, Verdict};
use deploylock::ops::acquire::Grant;
use deploylock::store::files::FilesStore;
use deploylock::store::{Lease, Store as _, StoreError, Txn, decide, log_deciding};

use crate::support::{exclusive, files, give_back, hold, name};

fn found(store: &FilesStore, id: &Id) -> Option<Stored> {
    decide(store, |txn| txn.find(id)).unwrap()
}

/// Two processes' views of one store, and one that holds there, as its record says it.
fn scene() -> (tempfile::TempDir, [FilesStore; 2], Grant, Deployment) {
    let folder = tempfile::tempdir().unwrap();
    let [own, other] = [(); 2].map(|()| files(&folder.path().join("locks")));
    let grant = hold(&other, &[exclusive("a")]);
    let all = decide(&other, |txn| txn.all()).unwrap();
    let held = all[0].deployment().unwrap().clone();
    (folder, [own, other], grant, held)
}

/// A record that `store` has entered, and what it said.
fn waiting(store: &FilesStore, like: &Deployment, number: u64) -> (Deployment, Box<dyn Lease>) {
    let id = Id::new(number, 1);
    let d = Deployment { id, arrival: number, token: None, ..like.clone() };
    let lease = decide(store, |txn| txn.enter(&d, State::Waiting, &[])).unwrap();
    (d, lease)
}

#[test]
fn one_s_own_record_is_what_others_have_made_of_it() {
    let (folder, [own, other], _grant, held) = scene();
    let path = folder.path().join("locks");
    let (d, _lease) = waiting(&own, &held, 1000);
    let is = |state: State, d: &Deployment| {
        let found = found(&own, &d.id).unwrap();
        assert_eq!((found.state(), found.deployment()), (state, Some(d)));
    };
    is(State::Waiting, &d);
    let cancelled = Deployment { cancelled: true, ..d.clone() };
    decide(&other, |txn| txn.amend(&cancelled)).unwrap();
    is(State::Waiting, &cancelled);
    // Restored from a backup, say: the name leads to another file.
    let waits = path.join("deployments/waiting");
    let name = std::fs::read_dir(&waits).unwrap().next().unwrap().unwrap().file_name();
    let text = std::fs::read_to_string(waits.join(&name)).unwrap();
    let mine = format!("owner = {:?}\n", d.owner);
    assert!(text.contains(&mine), "{text}");
    std::fs::write(path.join("copy"), text.replace(&mine, "owner = \"somebody\"\n")).unwrap();
    std::fs::rename(path.join("copy"), waits.join(&name)).unwrap();
    let replaced = Deployment { owner: "somebody".into(), ..cancelled };
    is(State::Waiting, &replaced);
    decide(&own, |txn| txn.grant(&d.id, 7)).unwrap();
    let now = found(&own, &d.id).unwrap();
    assert_eq!(
        (now.state(), now.deployment().map(|d| (&*d.owner, d.token))),
        (State::Attached, Some(("somebody", Some(7))))
    );
    decide(&other, |txn| txn.remove(&d.id)).unwrap();
    assert_eq!(found(&own, &d.id), None);
}

#[test]
fn the_record_that_was_in_the_way_is_read_again() {
    let (_folder, [own, other], _grant, held) = scene();
    let (_, _lease) = waiting(&own, &held, 1000);
    assert_eq!(found(&own, &held.id).unwrap().deployment(), Some(&held));
    for has_nested in [true, false] {
        let amended = Deployment { has_nested, ..held.clone() };
        decide(&other, |txn| txn.amend(&amended)).unwrap();
        assert_eq!(found(&own, &held.id).unwrap().deployment(), Some(&amended));
    }
}

#[test]
fn who_lets_go_of_its_lease_is_dead_whatever_it_remembers() {
    let (_folder, [own, other], _grant, held) = scene();
    let (d, lease) = waiting(&own, &held, 1000);
    let verdict = |store: &FilesStore| {
        decide(store, |txn: &mut dyn Txn| {
            let stored = txn.find(&d.id)?.unwrap();
            txn.verdict(&stored)
        })
        .unwrap()
    };
    assert!(found(&own, &d.id).is_some());
    assert!(matches!(verdict(&other), Verdict::Alive(_)));
    drop(lease);
    assert!(matches!(verdict(&other), Verdict::Dead(_)));
    assert!(matches!(verdict(&own), Verdict::Dead(_)));
}

/// Everybody in the lines of `a`, as a decision of this store reads them.
fn lines(store: &FilesStore) -> Result<Vec<Id>, StoreError> {
    decide(store, |txn| txn.queue(&name("a"))).map(|lines| lines.into_iter().map(|line| line.id).collect())
}

#[test]
fn a_file_left_open_is_used_as_long_as_its_name_leads_to_it() {
    let (folder, [own, other], grant, held) = scene();
    let path = folder.path().join("locks/locks/name/a");
    assert_eq!(lines(&own).unwrap(), [held.id]);
    // Longer than it was.
    let (late, _lease) = waiting(&other, &give_back(&other, grant), 1000);
    assert!(lines(&own).unwrap().contains(&late.id));
    // Restored from a backup, say.
    let text = fs::read_to_string(&path).unwrap();
    let restored = path.with_file_name("restored");
    fs::write(&restored, text.replace(late.id.as_str(), "1001-aaaaaa")).unwrap();
    fs::rename(&restored, &path).unwrap();
    assert!(lines(&own).unwrap().contains(&Id::new(1001, 0)));
    // A name planted for a file of elsewhere.
    fs::hard_link(&path, &restored).unwrap();
    assert!(matches!(lines(&own), Err(StoreError::Foreign { .. })));
    fs::remove_file(&restored).unwrap();
    assert!(lines(&own).is_ok());
    fs::remove_file(&path).unwrap();
    assert_eq!(lines(&own).unwrap(), []);
}

#[test]
fn what_is_logged_goes_where_the_history_is_by_then() {
    let (folder, [own, _], _grant, _) = scene();
    let path = folder.path().join("locks/history.jsonl");
    let log = |line: &str| log_deciding(&own, line).unwrap();
    log("{}");
    fs::rename(&path, path.with_extension("away")).unwrap();
    log("{\"after\":1}");
    assert_eq!(fs::read_to_string(&path).unwrap(), "{\"after\":1}\n");
    // Another in its place.
    fs::write(path.with_extension("new"), "").unwrap();
    fs::rename(path.with_extension("new"), &path).unwrap();
    log("{\"after\":1}");
    assert_eq!(fs::read_to_string(&path).unwrap(), "{\"after\":1}\n");
    // Cut short, as logrotate does it.
    fs::write(&path, "").unwrap();
    log("{\"after\":2}");
    assert_eq!(fs::read_to_string(&path).unwrap(), "{\"after\":2}\n");
    fs::write(&path, "{\"torn\":").unwrap();
    log("{\"after\":3}");
    assert_eq!(own.history().unwrap(), ["{\"torn\":", "{\"after\":3}"]);
}
