//! What happens between two steps of one decision, where no event can tell of it any more.

use std::cell::RefCell;
use std::time::Duration;

use deploylock::ops::acquire::{Grant, Patience, acquire};
use deploylock::ops::{Never, Silent};
use deploylock::store::{Decision, Result, Sleeper, Store};

use crate::support::*;

/// A store whose holder dies the moment somebody gets ready to wait for it.
struct Mortal<S> {
    store: S,
    holder: RefCell<Option<Grant>>,
}

impl<S: Store> Store for Mortal<S> {
    fn decide(&self, decision: &mut Decision<'_>) -> Result<()> {
        self.store.decide(decision)
    }

    fn look(&self, look: &mut Decision<'_>) -> Result<bool> {
        self.store.look(look)
    }

    fn sleeper(&self, retry: Duration) -> Result<Box<dyn Sleeper + '_>> {
        drop(self.holder.take());
        self.store.sleeper(retry)
    }

    fn history(&self) -> Result<Vec<String>> {
        self.store.history()
    }

    fn describe(&self) -> String {
        self.store.describe()
    }
}

#[test]
fn a_holder_that_dies_while_a_waiter_is_entered_keeps_it_from_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let store = files(&folder.path().join("locks"));
    let holder = RefCell::new(Some(hold(&store, &[exclusive("a")])));
    let store = Mortal { store, holder };
    let wanted = draft(&[exclusive("a")]);
    let patience = Patience::AtMost(PATIENCE);
    let outcome = acquire(&store, &wanted, patience, RETRY, &mut Silent, &mut Never).unwrap();
    let grant = granted(outcome);
    assert!(grant.waited < PATIENCE / 2, "it slept through its own grant: {:?}", grant.waited);
    give_back(&store, grant);
}
