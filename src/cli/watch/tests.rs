//! What is drawn and what keys do, on a terminal that is only memory.

use std::num::NonZeroU32;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use ratatui::Terminal;
use ratatui::backend::TestBackend;

use super::keys::Key;
use super::state::{Act, Page, State, Wish};
use super::view;
use crate::clock::Now;
use crate::deployment::{Command, Deployment, Expiry, Id, Place, Process, State as Phase, Stored, Verdict};
use crate::engine::Entry;
use crate::model::{Keep, Kind, LockName, LockRequest, Mode, Operation};
use crate::ops::survey::{LockShown, Shown, Survey};

fn id(number: u64) -> Id {
    Id::new(number, 0)
}

fn now() -> Now {
    Now { wall: SystemTime::UNIX_EPOCH + Duration::from_secs(1_000_000), boot: Duration::from_secs(1_000) }
}

fn deployment(number: u64) -> Deployment {
    let lock = LockRequest {
        lock: LockName::new(Kind::Environment, "prod"),
        mode: Mode::Shared,
        limit: NonZeroU32::new(2),
    };
    Deployment {
        id: id(number),
        token: Some(number),
        arrival: number,
        environment: Some("prod".to_owned()),
        application: Some("shop".to_owned()),
        version: Some("2.1".to_owned()),
        operation: Operation::Deploy,
        containers: vec!["web-1".to_owned()],
        locks: vec![lock],
        owner: "ci@build-7".to_owned(),
        place: Place { host: "build-7".to_owned(), ..Place::default() },
        process: Process { pid: 4711, start: 1 },
        owner_process: None,
        command: Command::None,
        reason: Some("a reason".to_owned()),
        url: Some("https://ci.example/1".to_owned()),
        requested: now().wall - Duration::from_secs(200),
        since: now().wall - Duration::from_secs(192),
        ttl: None,
        expires: Some(Expiry { wall: now().wall + Duration::from_secs(300), boot: Duration::ZERO }),
        parent: None,
        ancestors: Vec::new(),
        on_crash: Keep::Release,
        on_failure: Keep::Release,
        failed: None,
        blocked_at: Vec::new(),
        cancelled: false,
        kill_after: None,
        has_nested: false,
    }
}

fn shown(phase: Phase, d: Deployment, verdict: Verdict) -> Shown {
    let queued_at = d.locks.iter().map(|r| r.lock.clone()).collect();
    let position = (phase == Phase::Waiting).then_some(1);
    let waiting_for = if phase == Phase::Waiting { vec![id(1)] } else { Vec::new() };
    Shown { stored: Stored::Readable(phase, Arc::new(d)), verdict, position, waiting_for, queued_at }
}

/// One that holds and lives, one that holds and is dead, one that waits.
fn state() -> State {
    let all = vec![
        shown(Phase::Attached, deployment(1), Verdict::Alive(None)),
        shown(
            Phase::Attached,
            Deployment { owner: "bob@desk".to_owned(), ..deployment(2) },
            Verdict::Dead("its process is gone".to_owned()),
        ),
        shown(Phase::Waiting, deployment(3), Verdict::Alive(None)),
    ];
    let entry = |n: u64| {
        let limit = NonZeroU32::new(2);
        Entry { id: id(n), mode: Mode::Shared, limit, under: None }
    };
    let lock = LockShown {
        lock: LockName::new(Kind::Environment, "prod"),
        entries: vec![(entry(1), true), (entry(2), true), (entry(3), false)],
    };
    let mut state = State::new(now(), "/locks".to_owned(), true, true);
    state.update(Survey { now: now(), deployments: all, locks: vec![lock] });
    state
}

fn screen(state: &State, wide: u16, high: u16) -> Vec<String> {
    let mut terminal = Terminal::new(TestBackend::new(wide, high)).unwrap();
    terminal.draw(|frame| view::draw(frame, state)).unwrap();
    let buffer = terminal.backend().buffer();
    let row = |y| (0..wide).map(|x| buffer[(x, y)].symbol()).collect::<String>();
    (0..high).map(|y| row(y).trim_end().to_owned()).collect()
}

#[test]
fn the_list_at_80_by_24() {
    let lines = screen(&state(), 80, 24);
    assert_eq!(lines[0], "deploylock: 2 held, 1 waiting, 1 stale  (in /locks)");
    assert_eq!(lines[2], "environment:prod  shared of 2");
    let starts: Vec<&str> = lines[3..6].iter().map(|l| l[..25].trim_end()).collect();
    assert_eq!(starts, [">held         1-aaaaaa", " held, stale  2-aaaaaa", " waiting #1   3-aaaaaa"]);
    assert!(lines[3].contains("shop 2.1 to prod  ci@build-7  3m 12s  in 5m"), "{}", lines[3]);
    assert_eq!(lines[21], "a reason; https://ci.example/1");
    assert!(lines[23].contains("? help") && lines[23].ends_with("q quit"), "{}", lines[23]);
}

#[test]
fn it_fits_wherever_it_is() {
    let mut state = state();
    for page in [
        Page::List,
        Page::Filter,
        Page::Help,
        Page::One(id(3), 0),
        Page::One(id(9), 4),
        Page::Confirm(Act::Clear, id(1), "fo".to_owned()),
    ] {
        state.page = page;
        for (wide, high) in [(1, 1), (2, 3), (7, 2), (20, 5), (40, 10), (79, 23), (200, 60), (80, 0), (0, 9)]
        {
            screen(&state, wide, high);
        }
    }
}

#[test]
fn what_matters_most_stays_on_a_small_screen() {
    let lines = screen(&state(), 40, 8);
    assert!(lines.iter().any(|l| l.starts_with(">held         1-aaaaaa")), "{lines:#?}");
    let lines = screen(&state(), 26, 8);
    assert!(lines.iter().any(|l| l.contains("held, stale  2-aaaaaa")), "{lines:#?}");
}

#[test]
fn nothing_a_user_wrote_reaches_the_terminal_as_it_is() {
    let mut state = state();
    let evil = "\u{1b}[2J\u{202e}\r\n\u{9b}";
    let d = Deployment {
        owner: evil.to_owned(),
        reason: Some(evil.to_owned()),
        url: Some(evil.to_owned()),
        application: Some(evil.to_owned()),
        containers: vec![evil.to_owned()],
        ..deployment(1)
    };
    let mut survey = state.survey.clone();
    survey.deployments[0] = shown(Phase::Attached, d, Verdict::Alive(Some(evil.to_owned())));
    state.update(survey);
    state.filter = String::new();
    for page in [Page::List, Page::One(id(1), 0), Page::Confirm(Act::Cancel, id(1), String::new())] {
        state.page = page;
        state.message = Some(evil.to_owned());
        let text = screen(&state, 120, 40).join("");
        assert!(text.chars().all(|c| !c.is_control() && c != '\u{202e}'), "{text:?}");
        assert!(text.contains("\\u{1b}[2J"), "written out: {text}");
    }
}

#[test]
fn without_colours_the_text_says_it_all() {
    let mut state = state();
    state.colour = false;
    let mut terminal = Terminal::new(TestBackend::new(80, 24)).unwrap();
    for page in [Page::List, Page::One(id(2), 0), Page::Confirm(Act::Clear, id(1), String::new())] {
        state.page = page;
        terminal.draw(|frame| view::draw(frame, &state)).unwrap();
        let buffer = terminal.backend().buffer();
        let plain = ratatui::style::Color::Reset;
        assert!(buffer.content.iter().all(|cell| cell.fg == plain && cell.bg == plain));
    }
    assert!(screen(&state, 80, 24).iter().any(|l| l.contains("ALIVE")));
}

#[test]
fn the_chosen_row_stays_the_same_deployment() {
    let mut state = state();
    state.press(Key::Down);
    assert_eq!(state.items()[state.chosen()].shown.stored.id(), &id(2));
    let mut survey = state.survey.clone();
    survey.deployments.remove(0);
    survey.locks[0].entries.remove(0);
    state.update(survey);
    assert_eq!(state.items()[state.chosen()].shown.stored.id(), &id(2));
    state.press(Key::Char('b'));
    assert_eq!(state.items()[state.chosen()].shown.stored.id(), &id(2), "also as a deployment");
    for (key, chosen) in [(Key::End, 1), (Key::Down, 1), (Key::Home, 0), (Key::Char('k'), 0)] {
        state.press(key);
        assert_eq!(state.chosen(), chosen, "{key:?}");
    }
}

#[test]
fn a_filter_leaves_what_fits() {
    let mut state = state();
    for key in "/BOB".chars() {
        state.press(Key::Char(key));
    }
    assert_eq!(state.items().len(), 1);
    state.press(Key::Enter);
    assert_eq!(state.page, Page::List);
    assert!(screen(&state, 80, 24)[23].contains("only what says \"BOB\""));
    state.press(Key::Esc);
    assert_eq!(state.items().len(), 3);
    state.press(Key::Char('/'));
    assert_eq!(state.press(Key::Char('q')), Wish::None, "a letter while typing");
    assert_eq!(screen(&state, 80, 24)[1], "nothing that fits");
}

#[test]
fn nothing_is_done_unasked() {
    let mut state = state();
    for (key, act) in [('r', Act::Release), ('x', Act::Cancel)] {
        assert_eq!(state.press(Key::Char(key)), Wish::None);
        let asked = screen(&state, 80, 24).join("\n");
        assert!(asked.contains("waiting for it: 3-aaaaaa"), "{asked}");
        assert_eq!(state.press(Key::Enter), Wish::None, "Enter is no yes");
        assert_eq!(state.message.as_deref(), Some("nothing was done"));
        state.press(Key::Char(key));
        assert_eq!(state.press(Key::Char('y')), Wish::Do(act, id(1), false));
    }
}

#[test]
fn what_lives_is_cleared_only_by_the_word_force() {
    let mut state = state();
    let typed = |state: &mut State, text: &str| {
        state.press(Key::Char('c'));
        text.chars().for_each(|c| assert_eq!(state.press(Key::Char(c)), Wish::None));
        state.press(Key::Enter)
    };
    for wrong in ["", "y", "forc", "Force"] {
        assert_eq!(typed(&mut state, wrong), Wish::None, "{wrong}");
        assert_eq!(state.page, Page::List, "{wrong}");
    }
    assert_eq!(typed(&mut state, "force"), Wish::Do(Act::Clear, id(1), true));
    state.press(Key::Down);
    state.press(Key::Char('c'));
    assert_eq!(state.press(Key::Char('y')), Wish::Do(Act::Clear, id(2), false), "the dead: a yes is enough");
}

#[test]
fn a_question_about_what_is_gone_is_over() {
    let mut state = state();
    state.press(Key::Char('x'));
    let mut survey = state.survey.clone();
    survey.deployments.remove(0);
    state.update(survey);
    assert!(screen(&state, 80, 24)[1].contains("1-aaaaaa is gone"));
    assert_eq!(state.press(Key::Char('y')), Wish::None);
    assert_eq!(state.page, Page::List);
}

#[test]
fn one_deployment_has_a_page_of_its_own() {
    let mut state = state();
    state.press(Key::Down);
    assert_eq!(state.press(Key::Enter), Wish::Look);
    state.history =
        vec![serde_json::json!({"time": "1970-01-12T13:43:20Z", "event": "acquired", "waited_ms": 2000})];
    let text = screen(&state, 60, 30).join("\n");
    for wanted in [
        "2-aaaaaa  held, stale",
        "life         stale: its process is gone",
        "reason       a reason",
        "url          https://ci.example/1",
        "what         deploy shop 2.1 to prod",
        "process      4711 on build-7",
        "environment:prod  shared of 2",
        "1970-01-12T13:43:20Z  acquired  after 2s",
    ] {
        assert!(text.contains(wanted), "{wanted}: {text}");
    }
    assert_eq!(state.press(Key::End), Wish::None);
    state.press(Key::Esc);
    assert_eq!(state.page, Page::List);
    assert_eq!(state.press(Key::Char('q')), Wish::Quit);
}
