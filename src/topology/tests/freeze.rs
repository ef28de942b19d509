//! Freeze windows: what is read, what is refused and where, what is worth a warning.

use std::time::SystemTime;

use jiff::Timestamp;

use super::{check, topology};
use crate::freeze::{When, Window};

/// A file with one window of these lines in an environment `prod`; its header is line 2.
fn file(lines: &str) -> String {
    format!("[environments.prod]\n[[environments.prod.freeze]]\n{lines}\n")
}

fn windows(text: &str) -> Vec<Window> {
    topology(text).environments["prod"].freeze.clone()
}

fn at(text: &str) -> Timestamp {
    text.parse().unwrap()
}

/// When a window that is no row of them is open.
#[track_caller]
fn once(lines: &str) -> (Timestamp, Timestamp) {
    match windows(&file(&format!("reason = 'r'\n{lines}")))[0].when {
        When::Once { from, until } => (from, until),
        When::Firing { .. } => panic!("{lines}"),
    }
}

#[test]
fn moments_are_toml_datetimes_or_text_of_the_zone_or_with_an_offset() {
    let expected = (at("2026-12-20T17:00:00Z"), at("2027-01-03T07:00:00Z"));
    for lines in [
        "from = 2026-12-20T18:00:00+01:00\nuntil = 2027-01-03T08:00:00+01:00",
        "from = '2026-12-20T18:00:00+01:00'\nuntil = \"2027-01-03 07:00:00Z\"",
        "from = 2026-12-20T18:00:00\nuntil = 2027-01-03 08:00:00\ntimezone = 'Europe/Berlin'",
        "timezone = 'Europe/Berlin'\nuntil = '2027-01-03T08:00'\nfrom = 2026-12-20T17:00:00Z",
    ] {
        assert_eq!(once(lines), expected, "{lines}");
    }
}

/// In Berlin the clock goes from 2 to 3 on March 29th 2026, and from 3 back to 2 on October 25th.
#[test]
fn where_the_clock_jumps_the_window_is_the_longer_one() {
    let zone = "timezone = 'Europe/Berlin'";
    let twice = once(&format!("from = 2026-10-25T02:30:00\nuntil = 2026-10-25T02:31:00\n{zone}"));
    assert_eq!(twice, (at("2026-10-25T00:30:00Z"), at("2026-10-25T01:31:00Z")));
    let never = once(&format!("from = 2026-03-29T02:30:00\nuntil = 2026-03-29T02:31:00\n{zone}"));
    assert_eq!(never, (at("2026-03-29T00:30:00Z"), at("2026-03-29T01:31:00Z")));
}

#[test]
fn several_windows_of_both_kinds() {
    let text = "[environments.prod]\n\
        freeze = [{ from = 2026-01-01T00:00:00Z, until = 2026-01-02T00:00:00Z, reason = 'a' },\n  \
        { cron = '0 18 * * fri', duration = '2d', timezone = 'America/New_York', reason = 'b', mayPass = ['ann', 'ci@build'] }]\n";
    let windows = windows(text);
    assert_eq!(windows.iter().map(|w| (w.line, w.reason.as_str())).collect::<Vec<_>>(), [(2, "a"), (3, "b")]);
    assert_eq!(windows[1].may_pass, ["ann", "ci@build"]);
    assert_eq!(windows[1].zone.iana_name(), Some("America/New_York"));
    assert!(windows[0].may_pass.is_empty());
}

#[test]
fn refused() {
    let head = "[environments.e]\n[[environments.e.freeze]]\n";
    let cases = [
        ("", 2, 1, "needs `from` and `until`, or `cron` and `duration`"),
        ("reason = 'r'\n", 2, 1, "needs `from` and `until`, or `cron`"),
        ("from = 2026-01-01T00:00:00Z\n", 2, 1, "this freeze window needs `until` beside `from`"),
        ("until = 2026-01-01T00:00:00Z\n", 2, 1, "needs `from` and `until`"),
        ("cron = '* * * * *'\n", 2, 1, "needs `duration` beside `cron`"),
        ("duration = '1h'\n", 2, 1, "needs `cron` beside `duration`"),
        ("cron = '* * * * *'\nduration = 60\n", 2, 1, "needs a `reason`"),
        ("cron = '* * * * *'\nduration = 60\nreason = ' '\n", 5, 10, "must be a text that says why"),
        ("cron = '* * * * *'\nduration = 60\nreason = 1\n", 5, 10, "must be a text that says why"),
        (
            "cron = '* * * * *'\nfrom = 2026-01-01T00:00:00Z\nduration = 60\n",
            4,
            8,
            "`from` in [[environments.e.freeze]] has no meaning beside cron and duration",
        ),
        ("cron = '* * * * *'\nduration = 0\n", 4, 12, "must be longer than 0"),
        ("cron = '* * * * *'\nduration = 'long'\n", 4, 12, "must be a duration"),
        ("cron = '0 18 * *'\nduration = 60\n", 3, 8, "must be a cron expression of five fields"),
        ("cron = '0 0 18 * * fri'\nduration = 60\n", 3, 8, "found `0 0 18 * * fri`"),
        ("cron = '61 * * * *'\nduration = 60\n", 3, 8, "must be a cron expression"),
        ("cron = '* * * * frog'\nduration = 60\n", 3, 8, "must be a cron expression"),
        ("cron = ''\nduration = 60\n", 3, 8, "must be a cron expression"),
        ("cron = 5\nduration = 60\n", 3, 8, "must be a cron expression"),
        (
            "timezone = 'Europe/Berlni'\n",
            3,
            12,
            "must be an IANA time zone such as \"Europe/Berlin\" that this machine knows (its package tzdata), found `Europe/Berlni`",
        ),
        ("timezone = 1\n", 3, 12, "must be an IANA time zone"),
        ("from = 2026-01-01\n", 3, 8, "must be a date and time such as 2026-12-20T18:00:00"),
        ("from = 10:00:00\n", 3, 8, "must be a date and time"),
        ("from = 'tomorrow'\n", 3, 8, "found `tomorrow`"),
        ("from = '2026-01-01T00:00:00[Europe/Berlin]'\n", 3, 8, "that is what `timezone` is for"),
        ("from = 1\n", 3, 8, "must be a date and time such as"),
        ("from = 2026-01-01T00:00:00Z\nuntil = 2026-01-01T00:00:00Z\n", 4, 9, "must be later than `from`"),
        ("from = 2026-01-01T00:00:00Z\nuntil = 2026-02-30T00:00:00Z\n", 4, 9, "not valid TOML"),
        ("reson = 'r'\n", 3, 1, "unknown key `reson` in [[environments.e.freeze]]: did you mean `reason`?"),
        (
            "from = 2026-01-01T00:00:00Z\nuntil = 2026-01-02T00:00:00Z\nreason = 'r'\nmay_pass = []\n",
            6,
            12,
            "`may_pass` in [[environments.e.freeze]] is empty",
        ),
        (
            "from = 2026-01-01T00:00:00Z\nuntil = 2026-01-02T00:00:00Z\nreason = 'r'\nmay_pass = ['a', '']\n",
            6,
            18,
            "a name must not be empty",
        ),
    ];
    for (lines, line, column, message) in cases {
        check(&[(String::leak(format!("{head}{lines}")), line, column, message)]);
    }
    check(&[
        (
            "[environments.e.freeze]\nreason = 'r'\n",
            1,
            1,
            "must be a list of tables, as in [[environments.e.freeze]], found a table",
        ),
        ("[environments.e]\nfreeze = true\n", 2, 10, "must be a list of tables"),
        (
            "[environments.e]\nfreeze = [1]\n",
            2,
            11,
            "must be a list of tables, as in [[environments.e.freeze]], found a whole",
        ),
    ]);
}

#[test]
fn odd_windows_are_warned_about() {
    let now = SystemTime::from(at("2026-11-22T12:00:00Z"));
    let warned = |lines: &str| {
        let found = topology(&file(&format!("reason = 'r'\n{lines}"))).freeze_warnings(now);
        found.into_iter().map(|w| (w.line, w.text)).collect::<Vec<_>>()
    };
    for (lines, expected) in [
        (
            "from = 2025-12-20T00:00:00Z\nuntil = 2026-01-03T07:00:00Z\ntimezone = 'Europe/Berlin'",
            "of environment `prod` is over since 2026-01-03 08:00:00 CET: take it out",
        ),
        ("cron = '0 0 30 2 *'\nduration = '1h'", "never opens: no day fits"),
        ("cron = '0 */2 * * *'\nduration = '2h'", "never closes: each firing comes before"),
    ] {
        let found = warned(lines);
        assert!(found.len() == 1 && found[0].0 == 2 && found[0].1.contains(expected), "{lines}: {found:?}");
    }
    for fine in [
        "from = 2026-11-20T00:00:00Z\nuntil = 2026-11-23T00:00:00Z",
        "from = 2027-11-20T00:00:00Z\nuntil = 2027-11-23T00:00:00Z",
        "cron = '0 18 * * fri'\nduration = '2d'",
        "cron = '0 0 29 2 mon#1'\nduration = '1h'",
    ] {
        assert_eq!(warned(fine), [], "{fine}");
    }
}
