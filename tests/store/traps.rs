//! Traps of the files store that nothing else would notice: each of these fails without its answer
//! (`docs/design.md`).

use std::fs;
use std::io;
use std::os::unix::fs::MetadataExt as _;
use std::path::Path;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, mpsc};
use std::time::Duration;

use deploylock::deployment::State;
use deploylock::ops::clear;
use deploylock::ops::release::{self, Released, detach, promise, renew};
use deploylock::ops::survey;
use deploylock::store::files::folder::{Step, Steps};

use crate::damage::{as_after_a_reboot, only_file};
use crate::support::*;

/// Does something at each step.
struct At<F>(F);

impl<F: Fn(&Step<'_>) -> io::Result<()> + Send + Sync> Steps for At<F> {
    fn before(&self, step: &Step<'_>) -> io::Result<()> {
        (self.0)(step)
    }
}

#[test]
fn nobody_looks_while_a_record_is_in_mid_rename() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("locks");
    let grant = hold(&files(&path), &[exclusive("a")]);
    let (tell, seen) = mpsc::channel();
    let other = path.clone();
    let seen_early = Arc::new(AtomicUsize::new(0));
    let early = seen_early.clone();
    let seen = Mutex::new(seen);
    let steps = At(move |step: &Step<'_>| {
        if matches!(step, Step::Rename(_, to) if to.starts_with("deployments/detached")) {
            let (tell, other) = (tell.clone(), other.clone());
            std::thread::spawn(move || {
                let found = survey::survey(&files(&other)).unwrap().deployments.len();
                let _ = tell.send(found);
            });
            let answer = seen.lock().unwrap().recv_timeout(Duration::from_millis(300));
            early.fetch_add(usize::from(answer.is_ok()), Ordering::SeqCst);
        }
        Ok(())
    });
    detach(&with_steps(&path, Some(Arc::new(steps))), &grant.deployment).unwrap();
    assert_eq!(seen_early.load(Ordering::SeqCst), 0, "it looked into the middle of a decision");
    assert_eq!(ids(&files(&path), |s| s == State::Detached), std::slice::from_ref(&grant.deployment.id));
}

#[test]
fn a_record_that_is_renewed_stays_the_same_locked_file() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("locks");
    let store = files(&path);
    let grant = hold(&store, &[exclusive("a")]);
    let inode = || fs::metadata(only_file(&path.join("deployments/attached"))).unwrap().ino();
    let before = inode();
    let _ = renew(&store, &grant.deployment.id, Some(Duration::from_secs(60)), "me").unwrap();
    assert_eq!(inode(), before);
    drop(conflict(try_now(&store, &[exclusive("a")])));
    give_back(&store, grant);
}

#[test]
fn a_lock_file_is_compacted_without_losing_a_line_whatever_step_fails() {
    let mut compacted = false;
    for step in 0..12 {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("locks");
        let calm = files(&path);
        let (stays, goes) = (hold(&calm, &[shared("a", 9)]), hold(&calm, &[shared("a", 9)]));
        let file = path.join("locks/name/a");
        let lines = fs::read_to_string(&file).unwrap();
        fs::write(&file, format!("{:<127}\n", "#").repeat(100) + &lines).unwrap();
        let left = AtomicUsize::new(step);
        let fuse = At(move |_: &Step<'_>| {
            let passed = left.fetch_update(Ordering::SeqCst, Ordering::SeqCst, |n| n.checked_sub(1));
            passed.map(drop).map_err(|_| io::ErrorKind::StorageFull.into())
        });
        let _ = release::give_back(&with_steps(&path, Some(Arc::new(fuse))), &goes.deployment, "done");
        drop(goes.lease);
        drop(conflict(try_now(&calm, &[exclusive("a")])));
        compacted |= fs::metadata(&file).unwrap().len() < 100 * 128;
        give_back(&calm, stays);
        give_back(&calm, hold(&calm, &[exclusive("a")]));
    }
    assert!(compacted);
}

/// The attached record as another boot wrote it.
fn of_another_boot(path: &Path) {
    let record = only_file(&path.join("deployments/attached"));
    let text = fs::read_to_string(&record).unwrap();
    let boot = deploylock::process::here().boot.clone();
    let name = record.file_name().unwrap().to_str().unwrap().split('.').next().unwrap().to_owned();
    let other = path.join(format!("deployments/attached/{name}.0123abcd"));
    fs::write(other, text.replace(&boot, "0123abcd-another")).unwrap();
    fs::remove_file(&record).unwrap();
    as_after_a_reboot(path);
}

#[test]
fn where_another_host_may_look_its_holder_is_not_called_dead_and_no_lock_file_is_unlinked() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("locks");
    let remote = || with_steps(&path, Some(Arc::new(Remote)));
    give_back(&remote(), hold(&remote(), &[exclusive("b")]));
    clear::tidy(&remote()).unwrap();
    assert!(path.join("locks/name/b").exists(), "another host may remember that it was there");
    drop(hold(&remote(), &[exclusive("a")]).lease);
    of_another_boot(&path);
    drop(conflict(try_now(&remote(), &[exclusive("a")])));
    // Where only this kernel can be, another boot's time is over.
    give_back(&files(&path), hold(&files(&path), &[exclusive("a")]));
    clear::tidy(&files(&path)).unwrap();
    assert!(!path.join("locks/name/b").exists());
}

/// The steps of `work`, as words.
fn steps_of(path: &Path, work: impl FnOnce(&dyn deploylock::store::Store)) -> Vec<String> {
    let steps = Arc::new(Mutex::new(Vec::new()));
    let seen = steps.clone();
    let note = At(move |step: &Step<'_>| {
        let word = match step {
            Step::Rename(_, to) => format!("rename to {}", to.rsplit_once('/').unwrap().0),
            Step::Remove(name) => format!("remove {}", name.rsplit_once('/').unwrap_or(("", name)).0),
            Step::Sync(name) => format!("sync {}", name.rsplit_once('/').unwrap_or((name, "")).0),
            Step::SyncFolder(name) => format!("sync folder {name}"),
            _ => return Ok(()),
        };
        seen.lock().unwrap().push(word);
        Ok(())
    });
    work(&with_steps(path, Some(Arc::new(note))));
    let steps = steps.lock().unwrap();
    steps.clone()
}

/// Whether these come in this order, whatever is between them.
fn in_order(steps: &[String], wanted: &[&str]) -> bool {
    let mut steps = steps.iter();
    wanted.iter().all(|wanted| steps.any(|step| step == wanted))
}

#[test]
fn what_a_promise_rests_on_is_synced_before_it_is_given() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("locks");
    let grant = hold(&files(&path), &[exclusive("a")]);
    let promised = steps_of(&path, |store| promise(store, &grant.deployment.id).unwrap());
    assert_eq!(promised, ["sync deployments/attached"], "before the id is printed");
    let detached = steps_of(&path, |store| detach(store, &grant.deployment).unwrap());
    let order =
        ["sync deployments/attached", "rename to deployments/detached", "sync folder deployments/detached"];
    assert!(in_order(&detached, &order), "{detached:?}");
    let once = steps_of(&path, |store| {
        let other = hold(&files(&path), &[exclusive("b")]);
        promise(store, &other.deployment.id).unwrap();
        detach(store, &other.deployment).unwrap();
    });
    let syncs = once.iter().filter(|step| *step == "sync deployments/attached").count();
    assert_eq!(syncs, 1, "what is durable already is not synced again: {once:?}");
    let released = steps_of(&path, |store| {
        let released = release::release(store, &grant.deployment.id, "done", "me").unwrap();
        assert!(matches!(released, Released::Done(_)));
    });
    let order = ["remove deployments/detached", "sync folder deployments/detached"];
    assert!(in_order(&released, &order), "{released:?}");
    let kept = deploylock::ops::acquire::Draft {
        on_crash: deploylock::model::Keep::Hold,
        ..draft(&[exclusive("k")])
    };
    let held = steps_of(&path, |store| {
        let outcome = deploylock::ops::acquire::acquire(
            store,
            &kept,
            deploylock::ops::acquire::Patience::None,
            RETRY,
            &mut deploylock::ops::Silent,
            &mut deploylock::ops::Never,
        );
        drop(granted(outcome.unwrap()));
    });
    let order =
        ["sync deployments/waiting", "rename to deployments/attached", "sync folder deployments/attached"];
    assert!(in_order(&held, &order), "{held:?}");
}

#[test]
fn whoever_read_the_id_may_have_released_it_before_it_is_detached() {
    let folder = tempfile::tempdir().unwrap();
    let store = files(&folder.path().join("locks"));
    let grant = hold(&store, &[exclusive("a")]);
    promise(&store, &grant.deployment.id).unwrap();
    let deployment = give_back(&store, grant);
    detach(&store, &deployment).unwrap();
    assert_eq!(ids(&store, |_| true), []);
}

#[test]
fn a_number_beyond_the_durable_ceiling_raises_it_first() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("locks");
    let store = files(&path);
    let first = give_back(&store, hold(&store, &[exclusive("a")])).token.unwrap();
    // A thousand later, as far as the guard says.
    let guard = fs::read_to_string(path.join("guard")).unwrap();
    let ceiling = guard.lines().find(|l| l.starts_with("ceiling")).unwrap();
    fs::write(path.join("guard"), guard.replace(ceiling, &format!("ceiling {first:020}"))).unwrap();
    let store = files(&path);
    let mut last = first;
    for _ in 0..3 {
        last = give_back(&store, hold(&store, &[exclusive("a")])).token.unwrap();
    }
    as_after_a_reboot(&path);
    let store = files(&path);
    let next = give_back(&store, hold(&store, &[exclusive("a")])).token.unwrap();
    assert!(next > last, "{next} after {last}");
}

#[test]
fn where_another_host_may_change_a_folder_it_is_opened_anew_for_each_decision() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("locks");
    let store = with_steps(&path, Some(Arc::new(Remote)));
    give_back(&store, hold(&store, &[exclusive("a")]));
    let grant = hold(&with_steps(&path, Some(Arc::new(Remote))), &[exclusive("a")]);
    // What stands for a folder that this host remembers as it was: another one in its place, with what is in it.
    let (attached, before) = (path.join("deployments/attached"), path.join("deployments/before"));
    fs::rename(&attached, &before).unwrap();
    fs::create_dir(&attached).unwrap();
    let record = only_file(&before);
    fs::rename(&record, attached.join(record.file_name().unwrap())).unwrap();
    drop(conflict(try_now(&store, &[exclusive("a")])));
    give_back(&with_steps(&path, Some(Arc::new(Remote))), grant);
    give_back(&store, hold(&store, &[exclusive("a")]));
}
