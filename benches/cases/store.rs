//! The files store as the commands use it: taking, giving back, handing on.

use std::fs::{self, File};
use std::io::{Seek as _, Write as _};
use std::path::Path;
use std::thread::JoinHandle;
use std::time::Duration;

use deploylock::model::{Kind, LockName, LockRequest, Mode};
use deploylock::ops::acquire::{Draft, Grant, Outcome, Patience, acquire};
use deploylock::ops::{Never, Silent, release, survey};
use deploylock::store::Store;
use deploylock::store::files::{FilesStore, Place};

/// How late what no event tells may be noticed: never, here.
const RETRY: Duration = Duration::from_secs(600);

pub fn exclusive(lock: &str) -> LockRequest {
    LockRequest { lock: LockName::new(Kind::Name, lock), mode: Mode::Exclusive, limit: None }
}

pub fn open(directory: &Path) -> FilesStore {
    FilesStore::new(Place { directory: directory.to_owned(), ..Place::default() })
}

fn take(store: &dyn Store, locks: &[LockRequest], patience: Patience) -> Grant {
    let draft = Draft { locks: locks.to_vec(), owner: "bench".to_owned(), ..Draft::default() };
    match acquire(store, &draft, patience, RETRY, &mut Silent, &mut Never) {
        Ok(Outcome::Granted(grant)) => *grant,
        Ok(_) => panic!("nobody should be in the way"),
        Err(e) => panic!("{e}"),
    }
}

/// Takes locks that are free.
pub fn hold(store: &dyn Store, locks: &[LockRequest]) -> Grant {
    take(store, locks, Patience::None)
}

pub fn give_back(store: &dyn Store, grant: Grant) {
    assert!(release::give_back(store, &grant.deployment, "done").expect("it can be given back"));
}

/// What a `run` does with the store, without its command.
pub fn hold_and_give_back(store: &dyn Store, locks: &[LockRequest]) {
    give_back(store, hold(store, locks));
}

/// What `acquire` and then `release` do.
pub fn hold_for_good_and_release(store: &dyn Store, locks: &[LockRequest]) {
    let grant = hold(store, locks);
    release::promise(store, &grant.deployment.id).expect("it can be made durable");
    release::detach(store, &grant.deployment).expect("it can be detached");
    let released = release::release(store, &grant.deployment.id, "done", "bench");
    assert!(matches!(released, Ok(release::Released::Done(_))));
}

/// The least that a disk has to do for as much: 256 bytes written and synced, under a new name, the folder synced; then
/// written again and synced, the name removed, the folder synced.
pub fn sync_file_and_folder(path: &Path) {
    let done = || -> std::io::Result<()> {
        let (folder, new, held) = (File::open(path)?, path.join("new"), path.join("held"));
        let mut file = File::create_new(&new)?;
        file.write_all(&[b'x'; 256])?;
        file.sync_all()?;
        fs::rename(new, &held)?;
        folder.sync_all()?;
        file.rewind()?;
        file.write_all(&[b'y'; 256])?;
        file.sync_all()?;
        fs::remove_file(held)?;
        folder.sync_all()
    };
    done().expect("the disk can be written");
}

/// So many other locks, each held for good by a deployment of its own.
pub fn crowd(store: &dyn Store, others: usize) {
    for n in 0..others {
        let grant = hold(store, &[exclusive(&format!("other-{n}"))]);
        release::detach(store, &grant.deployment).expect("it can be detached");
    }
}

/// Everything that `list` shows.
pub fn list(store: &dyn Store) -> usize {
    survey::survey(store).expect("it can be listed").deployments.len()
}

/// A holder and one who waits for it, in a thread of its own.
pub struct Relay {
    store: FilesStore,
    holder: Grant,
    waiter: JoinHandle<Held>,
}

/// A grant that is given back when nobody looks any more.
pub struct Held(FilesStore, Option<Grant>);

impl Drop for Held {
    fn drop(&mut self) {
        if let Some(grant) = self.1.take() {
            give_back(&self.0, grant);
        }
    }
}

impl Relay {
    /// Until the waiter stands in the queue, in a store that holds so many others.
    pub fn set_up(directory: &Path, others: usize) -> Self {
        let store = open(directory);
        let holder = hold(&store, &[exclusive("x")]);
        let waiters = open(directory);
        let waiter = std::thread::spawn(move || {
            let grant = take(&waiters, &[exclusive("x")], Patience::Forever);
            Held(waiters, Some(grant))
        });
        while list(&store) < others + 2 {
            std::thread::yield_now();
        }
        Relay { store, holder, waiter }
    }

    /// From the release until the waiter holds; its thread has ended by then.
    pub fn hand_over(self) -> Held {
        give_back(&self.store, self.holder);
        self.waiter.join().expect("the waiter holds")
    }
}
