//! What every store promises of a deployment's later life: taken over, superseded, given a version.

use deploylock::deployment::State;
use deploylock::model::{Kind, LockName, LockRequest, Mode};
use deploylock::ops::acquire::{Draft, Outcome, Patience, acquire};
use deploylock::ops::release::{Released, detach, keep_failed, release};
use deploylock::ops::takeover::{Anew, TakenOver, take_over};
use deploylock::ops::versions::{self, Begun, Resources};
use deploylock::ops::{Never, Silent};

use crate::conformance::Openable;
use crate::support::*;

pub fn what_failed_goes_on_under_another_process(open: &impl Openable) {
    let store = open();
    let locks = [exclusive("a"), shared("b", 2)];
    let grant = hold(&*store, &locks);
    let (id, token) = (grant.deployment.id.clone(), grant.deployment.token);
    assert!(keep_failed(&*store, &grant.deployment, 7).unwrap());
    drop(grant);
    assert_eq!(conflict(try_now(&*store, &locks)).in_the_way[0].id, id, "kept for a person");
    let other = open();
    let Ok(TakenOver::Done(d, lease)) = take_over(&*other, &id, &Anew::default(), "me") else {
        panic!("not taken over")
    };
    assert!(d.token > token, "a later grant has a larger token");
    assert_eq!(ids(&*store, |s| s == State::Attached), std::slice::from_ref(&id));
    assert_eq!(conflict(try_now(&*store, &locks)).in_the_way[0].id, id);
    assert!(
        matches!(take_over(&*store, &id, &Anew::default(), "me"), Ok(TakenOver::NotKept(..))),
        "it lives"
    );
    assert!(matches!(release(&*store, &id, "done", "me"), Ok(Released::RunsOn(_))));
    drop(lease);
    hold(&*store, &locks);
    assert!(matches!(take_over(&*store, &id, &Anew::default(), "me"), Ok(TakenOver::NotThere)));
}

pub fn a_newer_deployment_takes_the_place_of_those_that_wait(open: &impl Openable) {
    let store = open();
    let locks = [exclusive("a")];
    let held = hold(&*store, &locks);
    let of = |version: &str, containers: &[&str], supersede| Draft {
        environment: Some("prod".into()),
        application: Some("shop".into()),
        version: Some(version.into()),
        containers: containers.iter().map(|c| (*c).to_owned()).collect(),
        supersede,
        ..draft(&locks)
    };
    let waits = |draft: Draft| {
        let patience = Patience::AtMost(PATIENCE);
        acquire(&*open(), &draft, patience, RETRY, &mut Silent, &mut Never).unwrap()
    };
    std::thread::scope(|scope| {
        let elsewhere = scope.spawn(|| waits(of("1", &["c9"], false)));
        until_waiting(&*store, 1);
        let older = scope.spawn(|| waits(of("2", &["c1"], false)));
        until_waiting(&*store, 2);
        let newer = scope.spawn(|| waits(of("3", &["c1", "c2"], true)));
        let Outcome::Superseded(_, by) = older.join().unwrap() else { panic!("not superseded") };
        until_waiting(&*store, 2);
        give_back(&*store, held);
        give_back(&*store, granted(elsewhere.join().unwrap()));
        let newer = granted(newer.join().unwrap());
        assert_eq!(by.as_deref(), Some(newer.deployment.id.as_str()));
    });
}

pub fn what_a_person_holds_is_not_waited_for(open: &impl Openable) {
    let store = open();
    let locks = [exclusive("a")];
    let held = hold(&*store, &locks);
    let wary = Draft { refuse_manual: true, ..draft(&locks) };
    let patience = Patience::AtMost(PATIENCE);
    std::thread::scope(|scope| {
        let waiter =
            scope.spawn(|| acquire(&*open(), &wary, patience, RETRY, &mut Silent, &mut Never).unwrap());
        until_waiting(&*store, 1);
        // It becomes a person's while it is waited for.
        detach(&*store, &held.deployment).unwrap();
        let conflict = conflict(waiter.join().unwrap());
        assert_eq!(conflict.manual.as_ref(), Some(&held.deployment.id));
    });
    assert!(ids(&*store, |s| s == State::Waiting).is_empty());
    let again = acquire(&*store, &wary, patience, RETRY, &mut Silent, &mut Never).unwrap();
    assert!(conflict(again).manual.is_some());
}

pub fn versions_are_given_once(open: &impl Openable) {
    let store = open();
    let application = LockRequest {
        lock: LockName::new(Kind::Application, "shop@prod"),
        mode: Mode::Exclusive,
        limit: None,
    };
    let resources = |text: &str| Resources { fingerprint: text.into(), skip_duplicate: true };
    let asked = Draft { application: Some("shop".into()), ..draft(&[application]) };
    let begin_one = |text: &str| {
        let outcome = acquire(&*store, &asked, Patience::None, RETRY, &mut Silent, &mut Never).unwrap();
        let grant = granted(outcome);
        (versions::begin(&*open(), &grant.deployment, &resources(text)).unwrap(), grant)
    };
    let (first, grant) = begin_one("x");
    assert_eq!(first, Begun::Number(1));
    versions::end(&*store, &grant.deployment, 1, "failed").unwrap();
    give_back(&*store, grant);
    let (second, grant) = begin_one("x");
    assert_eq!(second, Begun::Number(2), "a failed one's number is not used again");
    versions::end(&*store, &grant.deployment, 2, "done").unwrap();
    give_back(&*store, grant);
    let (third, grant) = begin_one("x");
    assert!(matches!(third, Begun::Duplicate(same) if same.number == 2));
    drop(grant);
    let (fourth, grant) = begin_one("y");
    assert_eq!(fourth, Begun::Number(3), "a duplicate uses no number");
    drop(grant);
    let outcomes: Vec<_> = versions::list(&*store).unwrap().into_iter().map(|v| v.outcome).collect();
    assert_eq!(outcomes, ["failed", "done", "crashed"]);
}
