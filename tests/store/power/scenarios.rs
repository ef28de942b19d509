//! What is done while the power may fail: each command's use of the store, alone and mixed.

use std::sync::Mutex;
use std::time::Duration;

use deploylock::deployment::{Deployment, Id, State};
use deploylock::model::{Keep, Kind, LockName, LockRequest, Mode};
use deploylock::ops::acquire::{Draft, Grant, Outcome, Patience, acquire};
use deploylock::ops::clear::{Cleared, Reach, clear};
use deploylock::ops::release::{self, Released, Renewed};
use deploylock::ops::takeover::{Anew, TakenOver, take_over};
use deploylock::ops::versions::{self, Begun, Resources};
use deploylock::ops::{Never, Silent};
use deploylock::store::{self, Store};

use super::tape::{self, Known, Number, Tape};
use super::{Tried, fail_everywhere, quick_folder};
use crate::support::*;

fn locks() -> Vec<LockRequest> {
    vec![exclusive("a"), exclusive("b"), shared("c", 2)]
}

/// Every lock there is in these scenarios, to be had by one who comes alone.
fn everything() -> Vec<LockRequest> {
    vec![exclusive("a"), exclusive("b"), exclusive("c")]
}

/// `acquire`: granted, promised, printed, detached.
fn acquired(tape: &Tape, store: &dyn Store, draft: &Draft) -> Deployment {
    let begin = tape.at();
    let outcome = acquire(store, draft, Patience::None, RETRY, &mut Silent, &mut Never).unwrap();
    let d = granted(outcome).deployment;
    tape.know_from(begin, &d.id, Known::Open);
    release::promise(store, &d.id).unwrap();
    release::detach(store, &d).unwrap();
    tape.know(&d.id, Known::Held(d.clone()));
    tape.given(Number::Token(d.token.unwrap()));
    d
}

fn released(tape: &Tape, store: &dyn Store, id: &Id) {
    tape.know(id, Known::Open);
    let released = release::release(store, id, "done", "me").unwrap();
    assert!(matches!(released, Released::Done(_) | Released::Withdrawn(_)), "{released:?}");
    tape.know(id, Known::Gone);
}

/// `run`: it ends with its process, but for what `on_crash` keeps.
fn running(tape: &Tape, store: &dyn Store, draft: &Draft) -> Grant {
    let begin = tape.at();
    let outcome = acquire(store, draft, Patience::None, RETRY, &mut Silent, &mut Never).unwrap();
    let grant = granted(outcome);
    holds_by_process(tape, begin, &grant);
    grant
}

fn holds_by_process(tape: &Tape, begin: usize, grant: &Grant) {
    let d = &grant.deployment;
    tape.given(Number::Token(d.token.unwrap()));
    if d.on_crash == Keep::Hold {
        tape.know_from(begin, &d.id, Known::Open);
        tape.know(&d.id, Known::Kept(d.clone()));
    } else {
        tape.know_from(begin, &d.id, Known::Gone);
    }
}

fn ended(tape: &Tape, store: &dyn Store, grant: Grant) {
    tape.know(&grant.deployment.id, Known::Open);
    assert!(release::give_back(store, &grant.deployment, "done").unwrap());
    tape.know(&grant.deployment.id, Known::Gone);
}

fn kept(locks: &[LockRequest]) -> Draft {
    Draft { on_crash: Keep::Hold, on_failure: Keep::Hold, ..draft(locks) }
}

/// A store at rest with somebody in it, and then what `act` does.
fn try_it(name: &str, act: impl FnOnce(&Tape, &dyn Store)) -> Tried {
    let folder = quick_folder();
    let path = folder.path().join("locks");
    drop(give_back(&files(&path), hold(&files(&path), &everything())));
    recorded(name, &path, act)
}

fn recorded(name: &str, path: &std::path::Path, act: impl FnOnce(&Tape, &dyn Store)) -> Tried {
    let tape = Tape::new(path);
    act(&tape, &tape.store());
    let tried = fail_everywhere(name, &tape, 0, &everything());
    println!("{name}: {tried:?}");
    tried
}

#[test]
fn the_first_acquire_ever_and_its_release() {
    let folder = quick_folder();
    let path = folder.path().join("locks");
    recorded("first", &path, |tape, store| {
        let d = acquired(tape, store, &draft(&locks()));
        // What is overwritten in place is one write to the disk.
        assert!(deploylock::store::files::record::head(&d).len() as u64 <= super::disk::SECTOR);
        released(tape, store, &d.id);
    });
}

#[test]
fn acquire_renew_release_and_acquire_again() {
    try_it("renew", |tape, store| {
        let ttl = Duration::from_secs(3600);
        let d = acquired(tape, store, &Draft { ttl: Some(ttl), ..draft(&locks()) });
        let Ok(Renewed::Until(renewed)) = release::renew(store, &d.id, Some(ttl * 9), "me") else {
            panic!("not renewed")
        };
        tape.given(Number::Expiry(d.id.clone(), renewed.expires.unwrap().wall));
        released(tape, store, &d.id);
        acquired(tape, store, &draft(&locks()));
    });
}

#[test]
fn pause_resume_release() {
    try_it("pause", |tape, store| {
        let first = acquired(tape, store, &draft(&locks()));
        let policy = Patience::Policy { retry: None, queue: Duration::ZERO, pause: true };
        let environment = LockName::new(Kind::Environment, "prod");
        let of_environment = LockRequest { lock: environment, ..exclusive("x") };
        let wanted = draft(&[of_environment.clone(), exclusive("a")]);
        let second = acquired(tape, store, &draft(&[of_environment]));
        let begin = tape.at();
        let outcome = acquire(store, &wanted, policy, RETRY, &mut Silent, &mut Never).unwrap();
        let id = conflict(outcome).paused.unwrap();
        tape.know_from(begin, &id, Known::Open);
        tape.know(&id, Known::Paused);
        released(tape, store, &first.id);
        released(tape, store, &second.id);
        let begin = tape.at();
        let resume = Draft { resume: Some(id.clone()), ..wanted };
        let d = acquired(tape, store, &resume);
        tape.know_from(begin, &id, Known::Open);
        tape.know(&id, Known::Held(d));
        released(tape, store, &id);
    });
}

#[test]
fn a_run_that_a_crash_keeps() {
    try_it("on_crash", |tape, store| {
        let grant = running(tape, store, &kept(&locks()));
        ended(tape, store, grant);
        let grant = running(tape, store, &draft(&locks()));
        ended(tape, store, grant);
        let again = running(tape, store, &kept(&locks()));
        let d = again.deployment.clone();
        drop(again);
        // Killed: a person clears it.
        tape.know(&d.id, Known::Open);
        let cleared = clear(store, &d.id, Reach::NotAlive, "test", "me").unwrap();
        assert!(matches!(cleared, Cleared::Done(..)));
        tape.know(&d.id, Known::Gone);
    });
}

#[test]
fn an_acquire_that_a_crash_would_keep() {
    try_it("acquire, on_crash", |tape, store| {
        let d = acquired(tape, store, &kept(&locks()));
        released(tape, store, &d.id);
    });
}

#[test]
fn a_failure_that_is_kept_and_taken_over() {
    for on_crash in [Keep::Hold, Keep::Release] {
        try_it("on_failure", |tape, store| {
            let grant = running(tape, store, &Draft { on_crash, ..kept(&locks()) });
            let mut d = grant.deployment.clone();
            tape.know(&d.id, Known::Open);
            assert!(release::keep_failed(store, &d, 7).unwrap());
            drop(grant);
            tape.know(&d.id, Known::Kept(d.clone()));
            tape.know(&d.id, Known::Open);
            let Ok(TakenOver::Done(now, lease)) = take_over(store, &d.id, &Anew::default(), "me") else {
                panic!("not kept")
            };
            tape.given(Number::Token(now.token.unwrap()));
            d = (*now).clone();
            if on_crash == Keep::Hold {
                tape.know(&d.id, Known::Kept(d.clone()));
            }
            tape.know(&d.id, Known::Open);
            assert!(release::give_back(store, &d, "done").unwrap());
            tape.know(&d.id, Known::Gone);
            drop(lease);
        });
    }
}

#[test]
fn a_crash_of_an_earlier_boot_is_taken_over() {
    let folder = quick_folder();
    let (before, path) = (folder.path().join("before"), folder.path().join("locks"));
    let first = Tape::new(&before);
    let grant = running(&first, &first.store(), &kept(&locks()));
    let bystander = acquired(&first, &first.store(), &draft(&[shared("c", 2)]));
    tape::lay_in_a_new_boot(&tape::read(&before), &path);
    recorded("earlier boot", &path, |tape, store| {
        let mut d = grant.deployment.clone();
        tape.know_from(0, &d.id, Known::Kept(d.clone()));
        tape.know_from(0, &bystander.id, Known::Held(bystander.clone()));
        tape.know(&d.id, Known::Open);
        let Ok(TakenOver::Done(now, lease)) = take_over(store, &d.id, &Anew::default(), "me") else {
            panic!("not kept")
        };
        d = (*now).clone();
        tape.know(&d.id, Known::Kept(d.clone()));
        tape.know(&d.id, Known::Open);
        assert!(release::give_back(store, &d, "done").unwrap());
        tape.know(&d.id, Known::Gone);
        drop(lease);
        released(tape, store, &bystander.id);
    });
}

#[test]
fn versions_under_a_long_name() {
    let long = "ß".repeat(60);
    for application in ["shop@prod".to_owned(), format!("{long}@prod")] {
        try_it("versions", |tape, store| {
            let lock = LockName::new(Kind::Application, application.as_str());
            let request = LockRequest { lock, mode: Mode::Exclusive, limit: None };
            let wanted = Draft { application: Some("shop".into()), ..draft(&[request]) };
            for fingerprint in ["x", "y"] {
                let grant = running(tape, store, &wanted);
                let resources = Resources { fingerprint: fingerprint.into(), skip_duplicate: false };
                let Ok(Begun::Number(number)) = versions::begin(store, &grant.deployment, &resources) else {
                    panic!("no number")
                };
                tape.given(Number::Version(Box::new(grant.deployment.clone()), number));
                versions::end(store, &grant.deployment, number, "failed").unwrap();
                ended(tape, store, grant);
            }
        });
    }
}

#[test]
fn a_waiter_is_granted_by_the_release() {
    for on_crash in [Keep::Hold, Keep::Release] {
        try_it("hand-off", |tape, store| {
            let first = acquired(tape, store, &draft(&locks()));
            let wanted = Draft { on_crash, ..draft(&locks()) };
            let begin = tape.at();
            let waiting = Mutex::new(None);
            std::thread::scope(|scope| {
                let waiter = scope.spawn(|| {
                    let patience = Patience::AtMost(PATIENCE);
                    let mine = tape.store();
                    granted(acquire(&mine, &wanted, patience, RETRY, &mut Silent, &mut Never).unwrap())
                });
                until_waiting(store, 1);
                let id = ids(store, |s| s == State::Waiting).remove(0);
                tape.know_from(begin, &id, Known::Open);
                released(tape, store, &first.id);
                *waiting.lock().unwrap() = Some(waiter.join().unwrap());
            });
            let grant = waiting.into_inner().unwrap().unwrap();
            holds_by_process(tape, tape.at(), &grant);
            ended(tape, store, grant);
        });
    }
}

#[test]
fn a_first_in_line_gives_up_and_two_share() {
    try_it("mix", |tape, store| {
        let one = acquired(tape, store, &draft(&[shared("c", 2)]));
        let two = running(tape, store, &kept(&[shared("c", 2), exclusive("a")]));
        let nowait = acquire(store, &draft(&locks()), Patience::None, RETRY, &mut Silent, &mut Never);
        assert!(matches!(nowait, Ok(Outcome::Conflict(_))));
        released(tape, store, &one.id);
        let three = acquired(tape, store, &draft(&[shared("c", 2), exclusive("b")]));
        ended(tape, store, two);
        tape.know(&three.id, Known::Open);
        let cleared = clear(store, &three.id, Reach::Force, "test", "me").unwrap();
        assert!(matches!(cleared, Cleared::Done(..)));
        tape.know(&three.id, Known::Gone);
        acquired(tape, store, &draft(&locks()));
    });
}

#[test]
fn the_ceiling_of_the_numbers_is_passed() {
    let folder = quick_folder();
    let path = folder.path().join("locks");
    let calm = files(&path);
    drop(give_back(&calm, hold(&calm, &everything())));
    let number = || store::decide(&files(&path), |txn| txn.next_number()).unwrap();
    while number() < 998 {}
    recorded("ceiling", &path, |tape, store| {
        for _ in 0..3 {
            let d = acquired(tape, store, &draft(&[exclusive("a")]));
            released(tape, store, &d.id);
        }
        assert!(number() > 1001);
    });
}
