//! Power loss: the steps of a store are recorded, and for every prefix of them the disk is laid out as a crash of the
//! machine may leave it, opened by the real store in a new boot, and held against what had been reported by then.
//!
//! `disk` is the model of what a disk may lose, `tape` the record, `scenarios` what is done. Here: which losses are
//! tried, and what must be true after each.

mod disk;
mod scenarios;
mod tape;

use std::collections::BTreeSet;
use std::path::Path;

use deploylock::deployment::{Deployment, Id, State, Stored, Verdict};
use deploylock::engine::Standing;
use deploylock::model::LockRequest;
use deploylock::ops::acquire::Outcome;
use deploylock::ops::clear::{Cleared, Reach, clear};
use deploylock::ops::survey;
use deploylock::ops::versions::{self, Begun, Resources};
use deploylock::store::{self, Store};

use crate::support::*;
use disk::{Disk, Fate, Past};
use tape::{Known, Number, Tape};

/// How many random mixtures of losses are tried for each prefix.
const MIXTURES: u64 = 6;

/// What was tried.
#[derive(Debug, Default)]
pub struct Tried {
    /// Prefixes of the steps.
    pub prefixes: usize,
    /// Prefixes × losses.
    pub losses: usize,
    /// Different disks among them: each was opened.
    pub disks: usize,
}

/// The step and fate of everything that the power may still take, and a few numbers to choose by.
fn losses(past: &Past, end: usize) -> Vec<Vec<(usize, Fate)>> {
    let loose: Vec<(usize, Vec<Fate>)> =
        (0..end).map(|step| (step, past.fates(step, end))).filter(|(_, fates)| fates.len() > 1).collect();
    let all = |wanted: Fate| -> Vec<(usize, Fate)> {
        let at = |(step, fates): &(usize, Vec<Fate>)| fates.contains(&wanted).then_some((*step, wanted));
        loose.iter().filter_map(at).collect()
    };
    let nothing_survives = all(Fate::Lost);
    // Everything survives; nothing; only names but no content; all is torn.
    let mut sets = vec![Vec::new(), nothing_survives.clone(), all(Fate::Zeroed), all(Fate::Torn)];
    for (step, fates) in &loose {
        sets.extend(fates[1..].iter().map(|fate| vec![(*step, *fate)]));
        for fate in fates.iter().filter(|fate| **fate != Fate::Lost) {
            let mut alone = nothing_survives.clone();
            alone.retain(|(other, _)| other != step);
            alone.push((*step, *fate));
            sets.push(alone);
        }
    }
    for seed in 0..MIXTURES {
        let mut random = (end as u64 + 1) << 8 | seed;
        let chosen = loose.iter().map(|(step, fates)| {
            random = random.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            (*step, fates[(random >> 33) as usize % fates.len()])
        });
        sets.push(chosen.collect());
    }
    sets
}

/// Fails the power at every step from `first` on.
pub fn fail_everywhere(name: &str, tape: &Tape, first: usize, locks: &[LockRequest]) -> Tried {
    let past = Past::new(tape.start.clone(), &tape.steps());
    let mut tried = Tried::default();
    for end in first..=past.len() {
        let mut seen: BTreeSet<Disk> = BTreeSet::new();
        tried.prefixes += 1;
        for set in losses(&past, end) {
            let fate = |step| set.iter().find(|(at, _)| *at == step).map_or(Fate::Whole, |(_, fate)| *fate);
            tried.losses += 1;
            let disk = past.disk(end, fate);
            if seen.insert(disk.clone()) {
                let told = format!("{name}, after {end} steps, {set:?}");
                look_after(&told, tape, end, &disk, locks);
            }
        }
        tried.disks += seen.len();
    }
    tried
}

fn look_after(told: &str, tape: &Tape, end: usize, disk: &Disk, locks: &[LockRequest]) {
    let folder = quick_folder();
    let path = folder.path().join("locks");
    tape::lay_in_a_new_boot(disk, &path);
    let found = std::panic::catch_unwind(|| {
        let store = files(&path);
        // Looking repairs nothing and stumbles over nothing.
        survey::survey(&store).unwrap();
        reported(&store, tape, end);
        never_back(&store, tape, end);
        nobody_else_holds(&store, tape, end, locks);
        not_wedged(&store, locks);
    });
    if let Err(cause) = found {
        let steps = tape.steps();
        for (at, step) in steps.iter().take(end).enumerate() {
            eprintln!("{at:3} {}", format!("{step:?}").chars().take(110).collect::<String>());
        }
        eprintln!("known: {:?}", tape.known_at(end).iter().map(|(id, k)| (id, brief(k))).collect::<Vec<_>>());
        eprintln!("lost: {told}\ndisk: {:?}", disk.files.keys().collect::<Vec<_>>());
        std::panic::resume_unwind(cause);
    }
}

fn brief(known: &Known) -> &'static str {
    match known {
        Known::Open => "open",
        Known::Held(_) => "held",
        Known::Kept(_) => "kept",
        Known::Paused => "paused",
        Known::Gone => "gone",
    }
}

fn find(store: &dyn Store, id: &Id) -> Option<(Stored, Verdict)> {
    store::decide(store, |txn| {
        let Some(stored) = txn.find(id)? else { return Ok(None) };
        let verdict = txn.verdict(&stored)?;
        Ok(Some((stored, verdict)))
    })
    .unwrap()
}

/// What was reported is so.
fn reported(store: &dyn Store, tape: &Tape, end: usize) {
    for (id, known) in tape.known_at(end) {
        match known {
            Known::Open => {}
            Known::Held(d) => assert_holds(store, &d),
            Known::Kept(d) => {
                assert_holds(store, &d);
                let verdict = find(store, &id).map(|(_, verdict)| verdict);
                assert!(matches!(verdict, Some(Verdict::Kept(_))), "{id} is kept: {verdict:?}");
            }
            Known::Paused => {
                let found = find(store, &id).map(|(stored, _)| stored.state());
                assert_eq!(found, Some(State::Paused), "{id} is paused");
            }
            Known::Gone => {
                let found = find(store, &id);
                let dead = found.as_ref().is_none_or(|(_, verdict)| matches!(verdict, Verdict::Dead(_)));
                assert!(dead, "{id} is gone: {found:?}");
            }
        }
    }
}

fn assert_holds(store: &dyn Store, d: &Deployment) {
    for request in &d.locks {
        let alone = LockRequest { limit: None, ..exclusive("x") };
        let asked = LockRequest { lock: request.lock.clone(), ..alone };
        drop(conflict(try_now(store, &[asked])));
        let holds = store::decide(store, |txn| {
            let queued = txn.queue(&request.lock)?.iter().any(|entry| entry.id == d.id);
            Ok(queued && txn.standing(&d.id)? == Standing::Holds)
        });
        assert!(holds.unwrap(), "{} holds {}", d.id, request.lock);
    }
}

/// No number comes back.
fn never_back(store: &dyn Store, tape: &Tape, end: usize) {
    for number in tape.numbers_at(end) {
        match number {
            Number::Token(before) => {
                let grant = hold(store, &[exclusive("probe")]);
                assert!(grant.deployment.token.unwrap() > before, "a token came back");
                drop(give_back(store, grant));
            }
            Number::Version(d, before) => {
                let resources = Resources { fingerprint: "new".into(), skip_duplicate: false };
                let begun = versions::begin(store, &d, &resources).unwrap();
                assert!(matches!(begun, Begun::Number(now) if now > before), "{begun:?} after {before}");
            }
            Number::Expiry(id, until) => {
                let Some((Stored::Readable(State::Detached, d), _)) = find(store, &id) else { continue };
                assert!(d.expires.unwrap().wall >= until, "the renewal of {id} is lost");
            }
        }
    }
}

/// Every lock is free but for those that are known to hold it, or may.
fn nobody_else_holds(store: &dyn Store, tape: &Tape, end: usize, locks: &[LockRequest]) {
    let known = tape.known_at(end);
    for request in locks {
        match try_now(store, std::slice::from_ref(request)) {
            Outcome::Granted(grant) => drop(give_back(store, *grant)),
            Outcome::Conflict(found) => {
                for x in found.in_the_way {
                    let may = matches!(known.get(&x.id), Some(Known::Open | Known::Held(_) | Known::Kept(_)));
                    assert!(may, "{} holds {}", x.id, request.lock);
                }
            }
            _ => panic!("neither granted nor a conflict"),
        }
    }
}

/// An operator clears whatever is there, without force, and then everything is to be had.
fn not_wedged(store: &dyn Store, locks: &[LockRequest]) {
    for id in BTreeSet::from_iter(ids(store, |_| true)) {
        let cleared = clear(store, &id, Reach::NotAlive, "test", "test").unwrap();
        assert!(matches!(cleared, Cleared::Done(..) | Cleared::NotThere(_)), "{cleared:?}");
    }
    assert_eq!(ids(store, |_| true), [], "nothing is left");
    drop(give_back(store, hold(store, locks)));
}

/// A folder in memory where there is one: thousands of disks are laid out.
fn quick_folder() -> tempfile::TempDir {
    let memory = Path::new("/dev/shm");
    let made = if memory.is_dir() { tempfile::tempdir_in(memory) } else { tempfile::tempdir() };
    made.or_else(|_| tempfile::tempdir()).unwrap()
}
