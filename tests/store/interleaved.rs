//! What another decision does between what one reads and what it writes: etcd's alone, the other stores have a guard.

use std::cell::RefCell;
use std::sync::Arc;
use std::sync::mpsc;
use std::time::Duration;

use deploylock::deployment::{Deployment, State};
use deploylock::ops::acquire::{Patience, acquire};
use deploylock::ops::release::detach;
use deploylock::ops::{Never, Silent};
use deploylock::store::etcd::EtcdStore;
use deploylock::store::{Decision, Result, Sleeper, Store};

use crate::support::*;

/// A store in whose next decision something happens after everything was read and before anything is written.
struct Amid<'a> {
    store: EtcdStore,
    then: RefCell<Option<Box<dyn FnOnce() + 'a>>>,
}

impl Store for Amid<'_> {
    fn decide(&self, decision: &mut Decision<'_>) -> Result<()> {
        self.store.decide(&mut |txn| {
            decision(txn)?;
            self.then.take().into_iter().for_each(|then| then());
            Ok(())
        })
    }

    fn look(&self, look: &mut Decision<'_>) -> Result<bool> {
        self.store.look(look)
    }

    fn granted(&self, waited: &Deployment) -> Result<Option<Arc<Deployment>>> {
        self.store.granted(waited)
    }

    fn log(&self, line: &str) -> Result<()> {
        self.store.log(line)
    }

    fn sleeper(&self, retry: Duration) -> Result<Box<dyn Sleeper + '_>> {
        self.store.sleeper(retry)
    }

    fn history(&self) -> Result<Vec<String>> {
        self.store.history()
    }

    fn describe(&self) -> String {
        self.store.describe()
    }
}

fn holders(store: &dyn Store) -> usize {
    ids(store, State::holds).len()
}

/// One begins to wait with an early number while another, who came later and was there before it, is granted: the first
/// in the order of numbers is then not the one that holds.
fn who_comes_late_with_an_early_number_waits(others: usize) {
    let (cluster, prefix) = crate::cluster::shared();
    let open = || etcd(cluster, &prefix);
    let amid = |then: Box<dyn FnOnce() + Send>| Amid { store: open(), then: RefCell::new(Some(then)) };
    let (store, locks) = (open(), [exclusive("a")]);
    for i in 0..others {
        detach(&store, &hold(&store, &[exclusive(&format!("other-{i}"))]).deployment).unwrap();
    }
    let holder = open();
    let held = hold(&holder, &locks);
    let bound = Patience::AtMost(PATIENCE);
    std::thread::scope(|scope| {
        let (tell, has_read) = mpsc::channel();
        let (go, may_write) = mpsc::channel::<()>();
        let late = scope.spawn(|| {
            let late = amid(Box::new(move || {
                tell.send(()).unwrap();
                may_write.recv_timeout(PATIENCE).unwrap();
            }));
            granted(acquire(&late, &draft(&locks), bound, RETRY, &mut Silent, &mut Never).unwrap())
        });
        has_read.recv_timeout(PATIENCE).unwrap();
        // Numbers follow the store's revision.
        give_back(&store, hold(&store, &[exclusive("b")]));
        let early = wait_in_thread(scope, Box::new(open()), &locks);
        until_waiting(&store, 1);
        let watcher = open();
        let releaser = Amid { store: holder, then: RefCell::default() };
        *releaser.then.borrow_mut() = Some(Box::new(|| {
            go.send(()).unwrap();
            until_waiting(&watcher, 2);
        }));
        give_back(&releaser, held);
        let first = early.join().unwrap();
        // Whoever asks now, and knows nothing from before, lets everybody have what is to be had.
        drop(conflict(try_now(&open(), &locks)));
        assert_eq!(holders(&store), 1 + others, "two hold an exclusive lock");
        give_back(&store, first);
        give_back(&store, late.join().unwrap());
    });
    assert_eq!(holders(&store), others);
}

#[test]
fn who_comes_late_with_an_early_number_waits_where_all_is_known() {
    who_comes_late_with_an_early_number_waits(0);
}

#[test]
fn who_comes_late_with_an_early_number_waits_where_only_its_locks_are_read() {
    who_comes_late_with_an_early_number_waits(40);
}
