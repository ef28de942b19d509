//! Windows by table, against the clock changes, and against a brute force of their own.

use std::time::SystemTime;

use croner::parser::CronParser;
use jiff::tz::TimeZone;
use jiff::{SignedDuration, Timestamp};
use proptest::prelude::*;

use super::{Gate, Span, When, Window};

fn at(text: &str) -> Timestamp {
    text.parse().unwrap()
}

fn wall(text: &str) -> SystemTime {
    at(text).into()
}

fn window(when: When, zone: &str) -> Window {
    Window {
        line: 7,
        reason: "year end".into(),
        may_pass: Vec::new(),
        when,
        zone: TimeZone::get(zone).unwrap(),
    }
}

fn cron(expression: &str, minutes: i64, zone: &str) -> Window {
    let cron = Box::new(CronParser::new().parse(expression).unwrap());
    window(When::Firing { cron, lasts: SignedDuration::from_mins(minutes) }, zone)
}

fn once(from: &str, until: &str) -> Window {
    window(When::Once { from: at(from), until: at(until) }, "UTC")
}

fn gate(windows: Vec<Window>) -> Gate {
    let (environment, file) = ("prod".into(), "deploylock.toml".into());
    Gate { environment, file, windows, owner: "ann@build".into(), overriding: None }
}

fn span(from: &str, until: &str) -> Option<Span> {
    Some(Span { from: at(from), until: at(until) })
}

#[test]
fn a_window_is_open_from_its_first_moment_until_just_before_its_end() {
    let window = once("2026-12-20T18:00:00Z", "2026-12-21T00:00:00Z");
    let open = span("2026-12-20T18:00:00Z", "2026-12-21T00:00:00Z");
    for (now, is_open, ahead) in [
        ("2026-12-20T17:59:59.999Z", None, open),
        ("2026-12-20T18:00:00Z", open, None),
        ("2026-12-20T23:59:59.999Z", open, None),
        ("2026-12-21T00:00:00Z", None, None),
    ] {
        assert_eq!((window.open_at(at(now)), window.next_after(at(now))), (is_open, ahead), "{now}");
    }
}

#[test]
fn each_firing_opens_a_window() {
    let window = cron("0 18 * * fri", 60, "Europe/Berlin");
    let first = span("2026-11-20T17:00:00Z", "2026-11-20T18:00:00Z");
    let second = span("2026-11-27T17:00:00Z", "2026-11-27T18:00:00Z");
    for (now, is_open, ahead) in [
        ("2026-11-20T16:59:59.999Z", None, first),
        ("2026-11-20T17:00:00Z", first, second),
        ("2026-11-20T17:59:59.5Z", first, second),
        ("2026-11-20T18:00:00Z", None, second),
    ] {
        assert_eq!((window.open_at(at(now)), window.next_after(at(now))), (is_open, ahead), "{now}");
    }
}

/// In Berlin the clock goes from 2 to 3 on March 29th 2026, and from 3 back to 2 on October 25th.
#[test]
fn windows_over_a_clock_change_last_as_long_in_real_time() {
    let night = cron("0 22 * * *", 8 * 60, "Europe/Berlin");
    // The night of 7 hours ends at 7 by the clock on the wall, that of 9 hours at 5.
    assert_eq!(
        night.open_at(at("2026-03-29T04:59:59Z")),
        span("2026-03-28T21:00:00Z", "2026-03-29T05:00:00Z")
    );
    assert_eq!(
        night.open_at(at("2026-10-25T03:59:59Z")),
        span("2026-10-24T20:00:00Z", "2026-10-25T04:00:00Z")
    );
}

#[test]
fn a_firing_that_the_clock_jumps_over_comes_after_the_jump_and_one_that_comes_twice_counts_once() {
    let window = cron("30 2 * * *", 10, "Europe/Berlin");
    let skipped = span("2026-03-29T01:00:00Z", "2026-03-29T01:10:00Z");
    assert_eq!(window.next_after(at("2026-03-29T00:00:00Z")), skipped);
    assert_eq!(window.open_at(at("2026-03-29T01:05:00Z")), skipped);
    assert_eq!(
        window.open_at(at("2026-10-25T00:35:00Z")),
        span("2026-10-25T00:30:00Z", "2026-10-25T00:40:00Z")
    );
    assert_eq!(window.open_at(at("2026-10-25T01:35:00Z")), None);
}

#[test]
fn overlapping_windows_end_with_the_last_and_gapless_ones_are_one_freeze() {
    // Mondays and Tuesdays from 8, for 30 hours each: they overlap.
    let week = cron("0 8 * * mon,tue", 30 * 60, "UTC");
    let other = once("2026-11-25T14:00:00Z", "2026-11-25T15:00:00Z");
    let stop = gate(vec![week, other]).stop(wall("2026-11-24T09:00:00Z")).unwrap();
    assert_eq!(stop.open.len(), 1);
    assert_eq!(stop.first().until.timestamp(), at("2026-11-25T14:00:00Z"));
    assert_eq!(stop.end, Some(wall("2026-11-25T15:00:00Z")), "the other opens as the first closes");
}

#[test]
fn a_row_of_firings_is_followed_to_its_end_and_one_without_end_is_told() {
    let december = cron("* * 24-31 12 *", 1, "UTC");
    let stop = gate(vec![december]).stop(wall("2026-12-24T12:00:30Z")).unwrap();
    assert_eq!(stop.end, Some(wall("2027-01-01T00:00:00Z")));
    let always = cron("0 * * * *", 60, "UTC");
    assert_eq!(gate(vec![always]).stop(wall("2026-12-24T12:00:30Z")).unwrap().end, None);
}

#[test]
fn of_several_the_one_that_ends_last_is_named_first() {
    let (short, long) = (
        once("2026-01-01T00:00:00Z", "2026-01-02T00:00:00Z"),
        once("2026-01-01T00:00:00Z", "2026-01-03T00:00:00Z"),
    );
    let stop = gate(vec![short, Window { line: 9, ..long }]).stop(wall("2026-01-01T00:00:00Z")).unwrap();
    assert_eq!(stop.open.iter().map(|seen| seen.line).collect::<Vec<_>>(), [9, 7]);
}

#[test]
fn who_may_pass() {
    for (listed, owner, passes) in [
        (&[][..], "anybody", true),
        (&["ann"][..], "ann", true),
        (&["ann"], "ann@build", true),
        (&["ann"], "anna@build", false),
        (&["ann"], "build@ann", false),
        (&["ann@build"], "ann@build", true),
        (&["ann@build"], "ann@other", false),
        (&["ann@build"], "ann", false),
        (&["ann@corp"], "ann@corp@build", true),
        (&["bob", "ann"], "ann", true),
    ] {
        let mut window = once("2026-01-01T00:00:00Z", "2026-01-02T00:00:00Z");
        window.may_pass = listed.iter().map(|name| (*name).to_owned()).collect();
        assert_eq!(window.may_be_passed_by(owner), passes, "{listed:?} {owner}");
    }
}

#[test]
fn an_override_passes_only_what_its_owner_may_pass() {
    let now = wall("2026-01-01T12:00:00Z");
    let mine =
        Window { may_pass: vec!["ann".into()], ..once("2026-01-01T00:00:00Z", "2026-01-02T00:00:00Z") };
    let theirs = Window { line: 9, may_pass: vec!["bob".into()], ..mine.clone() };
    let hotfix = Some("hotfix 42".to_owned());

    let without = gate(vec![mine.clone()]);
    assert!(without.stop(now).unwrap().may_override);
    assert_eq!(without.passed(now), None);

    let with = Gate { overriding: hotfix.clone(), ..without };
    assert_eq!(with.stop(now), None);
    assert_eq!(with.passed(now).as_deref(), Some("hotfix 42 (in spite of the freeze: year end)"));
    let later = wall("2026-01-02T00:00:00Z");
    assert_eq!(with.passed(later), None, "nothing was open");

    let both = Gate { overriding: hotfix, ..gate(vec![mine, theirs]) };
    let stop = both.stop(now).unwrap();
    assert_eq!((stop.first().line, stop.open.len(), stop.may_override), (9, 1, false));
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]
    /// Any windows, any moment: open, the next opening and the end of the freeze agree with all firings, one by one.
    #[test]
    fn what_is_open_and_until_when_agrees_with_every_firing_one_by_one(
        rows in proptest::collection::vec((0u8..60, 0u8..24, 1i64..3000, any::<bool>()), 1..4),
        zone in prop_oneof![Just("UTC"), Just("Europe/Berlin"), Just("America/New_York"), Just("Asia/Kathmandu")],
        minute in 0i64..(366 * 24 * 60),
    ) {
        let windows: Vec<Window> = rows.iter().map(|(m, h, lasts, daily)| {
            let day = if *daily { "*" } else { "sun" };
            cron(&format!("{m} {h} * * {day}"), *lasts, zone)
        }).collect();
        let now = at("2026-01-01T00:00:00Z") + SignedDuration::from_mins(minute);
        let horizon = now + SignedDuration::from_hours(14 * 24);
        let mut spans: Vec<Span> = windows.iter().flat_map(|w| one_by_one(w, now, horizon)).collect();
        spans.sort_by_key(|span| span.from);
        let gate = gate(windows);
        let stop = gate.stop(now.into());
        prop_assert_eq!(stop.is_some(), spans.iter().any(|s| s.from <= now && now < s.until));
        let next = spans.iter().map(|s| s.from).find(|from| *from > now);
        prop_assert_eq!(gate.next(now.into()).map(|seen| seen.from.timestamp()), next);
        let end = spans.iter().fold(now, |end, s| if s.from <= end { end.max(s.until) } else { end });
        if let Some(stop) = stop && end < horizon {
            prop_assert_eq!(stop.end, Some(end.into()));
        }
    }
}

/// The times of a window around this moment.
fn one_by_one(window: &Window, now: Timestamp, horizon: Timestamp) -> Vec<Span> {
    let When::Firing { cron, lasts } = &window.when else { unreachable!() };
    let before = (now - SignedDuration::from_hours(10 * 24)).to_zoned(window.zone.clone());
    let fires = cron.iter_after(before).map(|fires| fires.timestamp());
    fires.take_while(|at| *at < horizon).map(|at| Span { from: at, until: at + *lasts }).collect()
}
