//! The wall clock set back and forth by an hour: a time to live lasts as long as it says, and order stays order.
//!
//! A test cannot set the machine's clock, and no namespace shifts the wall clock: so the store is told another time
//! where it asks for it, once a decision ([`Steps::now`]).

use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::{Duration, SystemTime};

use deploylock::clock::{self, Now};
use deploylock::deployment::State;
use deploylock::ops::acquire::{Draft, Patience, acquire};
use deploylock::ops::release::{Renewed, detach, renew};
use deploylock::ops::{Never, Silent, survey};
use deploylock::store::Store;
use deploylock::store::files::folder::{Step, Steps};

use crate::support::*;

const HOUR: i64 = 3600;

/// Clocks that were set, by so many seconds.
#[derive(Default)]
struct Clocks {
    wall: AtomicI64,
    boot: AtomicI64,
}

impl Clocks {
    fn set(&self, wall: i64, boot: i64) {
        self.wall.store(wall, Ordering::SeqCst);
        self.boot.store(boot, Ordering::SeqCst);
    }
}

impl Steps for Clocks {
    fn before(&self, _step: &Step<'_>) -> io::Result<()> {
        Ok(())
    }

    fn now(&self) -> Now {
        let now = clock::now();
        let wall = self.wall.load(Ordering::SeqCst);
        let by = Duration::from_secs(wall.unsigned_abs());
        let wall = if wall < 0 { now.wall - by } else { now.wall + by };
        let passed = Duration::from_secs(self.boot.load(Ordering::SeqCst).unsigned_abs());
        Now { wall, boot: now.boot + passed }
    }
}

/// Takes `a` for so many seconds, for good.
fn hold_for(store: &dyn Store, seconds: i64) -> deploylock::deployment::Id {
    let ttl = Some(Duration::from_secs(seconds.unsigned_abs()));
    let wanted = Draft { ttl, ..draft(&[exclusive("a")]) };
    let outcome = acquire(store, &wanted, Patience::None, RETRY, &mut Silent, &mut Never);
    let grant = granted(outcome.unwrap());
    detach(store, &grant.deployment).unwrap();
    grant.deployment.id
}

#[test]
fn a_time_to_live_lasts_as_long_as_it_says_whatever_the_wall_clock_does() {
    for (granted_at, seen_at) in [(0, HOUR), (0, -HOUR), (HOUR, -HOUR), (-HOUR, HOUR)] {
        let folder = tempfile::tempdir().unwrap();
        let clocks = Arc::new(Clocks::default());
        let store = with_steps(&folder.path().join("locks"), Some(clocks.clone()));
        clocks.set(granted_at, 0);
        let id = hold_for(&store, HOUR / 2);
        // Nearly all of it has passed.
        clocks.set(seen_at, HOUR / 2 - 60);
        drop(conflict(try_now(&store, &[exclusive("a")])));
        let renewed = renew(&store, &id, None, "me").unwrap();
        assert!(matches!(renewed, Renewed::Until(_)), "{renewed:?}");
        clocks.set(granted_at, HOUR - 120);
        drop(conflict(try_now(&store, &[exclusive("a")])));
        // And now all of it.
        clocks.set(seen_at, HOUR);
        give_back(&store, hold(&store, &[exclusive("a")]));
    }
}

#[test]
fn the_queue_is_served_in_order_of_arrival_whatever_the_wall_clock_does() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("locks");
    let calm = files(&path);
    let holder = hold(&calm, &[exclusive("a")]);
    let locks = [exclusive("a")];
    std::thread::scope(|scope| {
        let mut queue = Vec::new();
        for (n, wall) in [HOUR, -HOUR, 0, -2 * HOUR, 2 * HOUR].into_iter().enumerate() {
            let clocks = Clocks::default();
            clocks.set(wall, 0);
            queue.push(wait_in_thread(scope, Box::new(with_steps(&path, Some(Arc::new(clocks)))), &locks));
            until_waiting(&calm, n + 1);
        }
        let mut token = holder.deployment.token;
        give_back(&calm, holder);
        for next in queue {
            let grant = next.join().unwrap();
            assert!(grant.deployment.token > token, "a later grant has a larger token");
            token = grant.deployment.token;
            assert_eq!(ids(&calm, State::holds), std::slice::from_ref(&grant.deployment.id));
            give_back(&calm, grant);
        }
    });
}

#[test]
fn what_was_granted_in_the_future_is_shown_and_given_back() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("locks");
    let clocks = Arc::new(Clocks::default());
    clocks.set(HOUR, 0);
    let ahead = with_steps(&path, Some(clocks));
    let grant = hold(&ahead, &[exclusive("a")]);
    let calm = files(&path);
    let seen = survey::survey(&calm).unwrap();
    let since = seen.deployments[0].stored.deployment().unwrap().since;
    assert!(
        since > SystemTime::UNIX_EPOCH + clock::now().wall.duration_since(SystemTime::UNIX_EPOCH).unwrap()
    );
    give_back(&calm, grant);
    assert_eq!(ids(&calm, |_| true), []);
}
