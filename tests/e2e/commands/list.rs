//! `list`: the table, the JSON, the filters, and a record that cannot be read.

use std::collections::BTreeSet;

use serde_json::Value;

use crate::harness::{Scene, eventually};
use crate::steps::{done, text};

const TOPOLOGY: &str = "[environments.prod]\ncontainers = [\"web-1\", \"web-2\"]\n\
    [environments.test]\ncontainers = [\"t-1\"]\n[applications.shop]\n[applications.blog]\n";

#[test]
fn an_empty_store_is_a_line_on_stderr_and_0() {
    let scene = Scene::new();
    for _ in 0..2 {
        let said = scene.run(&["list"]);
        assert_eq!((said.code, said.out.as_str()), (0, ""), "{said:?}");
        assert_eq!(said.err.lines().count(), 1, "{said:?}");
        assert_eq!(scene.list(), serde_json::json!({"locks": [], "deployments": []}));
        // And again with a lock directory that is there.
        let id = scene.hold(&["-l", "x"]);
        scene.ok(&["release", &id]);
    }
}

fn keys(value: &Value) -> BTreeSet<&str> {
    value.as_object().unwrap().keys().map(String::as_str).collect()
}

#[test]
fn the_json_has_the_fields_of_the_interface() {
    let scene = Scene::with_topology(TOPOLOGY);
    let held =
        scene.hold(&["-e", "prod", "-a", "shop", "--app-version", "2.1", "-c", "web-1", "--exclusive"]);
    let waiter = scene.start(&["run", "-e", "prod", "-c", "web-1", "--wait", "--", "true"]);
    let waiting = text(&scene.until("waiting", 1)[0]["id"]);
    let list = scene.list();
    assert_eq!(keys(&list), BTreeSet::from(["locks", "deployments"]));

    let locks = list["locks"].as_array().unwrap();
    let lock = locks.iter().find(|l| l["lock"] == "environment:prod").unwrap();
    assert_eq!(
        *lock,
        serde_json::json!({"lock": "environment:prod", "limit": null,
            "holders": [{"id": held, "mode": "exclusive"}], "waiters": [{"id": waiting, "mode": "shared"}]})
    );

    let interface = [
        "id",
        "state",
        "environment",
        "application",
        "version",
        "operation",
        "containers",
        "locks",
        "owner",
        "host",
        "pid",
        "reason",
        "url",
        "token",
        "requested",
        "since",
        "expires",
        "stale",
        "position",
        "waiting_for",
    ];
    // Fields are only ever added: these were, and are promised from now on.
    let added = ["parent", "exit_status", "kept", "cancelled", "blocked_at"];
    for d in list["deployments"].as_array().unwrap() {
        assert_eq!(keys(d), interface.into_iter().chain(added).collect());
    }

    let d = scene.deployment(&held).unwrap();
    assert_eq!(
        (&d["state"], &d["environment"], &d["version"]),
        (&"held".into(), &"prod".into(), &"2.1".into())
    );
    assert_eq!(d["containers"], serde_json::json!(["web-1"]));
    for lock in d["locks"].as_array().unwrap() {
        assert!(keys(lock).is_superset(&BTreeSet::from(["lock", "mode"])), "{lock}");
    }
    assert!(d["pid"].as_u64().is_some() && d["token"].as_u64().is_some(), "{d}");
    for null in ["reason", "url", "expires", "stale", "position"] {
        assert!(d[null].is_null(), "{null}: {d}");
    }
    assert_eq!(d["waiting_for"], serde_json::json!([]));
    for time in ["requested", "since"] {
        let time = text(&d[time]);
        assert!(time.len() == 20 && time.ends_with('Z') && &time[10..11] == "T", "{time}");
    }

    let w = scene.deployment(&waiting).unwrap();
    assert_eq!((&w["state"], &w["position"]), (&"waiting".into(), &1.into()));
    assert_eq!(w["waiting_for"], serde_json::json!([held]));
    scene.ok(&["release", &held]);
    assert_eq!(waiter.end().code, 0);
}

#[test]
fn an_ad_hoc_deployment_has_neither_environment_nor_application() {
    let scene = Scene::new();
    let id = scene.hold(&["-l", "x", "--slots", "3", "--ttl", "1h"]);
    let d = scene.deployment(&id).unwrap();
    assert!(d["environment"].is_null() && d["application"].is_null(), "{d}");
    assert_eq!(d["containers"], serde_json::json!([]));
    assert!(text(&d["expires"]) > text(&d["since"]));
    assert_eq!(scene.list()["locks"][0]["limit"], 3);
}

/// Ids that a filtered list shows, by owner.
fn shown(scene: &Scene, filter: &[&str]) -> Vec<String> {
    let json = scene.ok(&[&["list", "--format", "json"], filter].concat());
    let list: Value = serde_json::from_str(&json).unwrap();
    let mut owners: Vec<String> =
        list["deployments"].as_array().unwrap().iter().map(|d| text(&d["owner"])).collect();
    owners.sort();
    let table = scene.run(&[&["list"], filter].concat());
    assert_eq!(table.code, 0);
    assert_eq!(table.out.is_empty(), owners.is_empty(), "{filter:?}: {table:?}");
    for owner in ["o-shop", "o-blog", "o-test", "o-name", "o-wait", "o-pause", "o-dead"] {
        assert_eq!(table.out.contains(owner), owners.iter().any(|o| o == owner), "{filter:?}: {table:?}");
    }
    owners
}

#[test]
fn filters_narrow_the_list() {
    let scene = Scene::with_topology(TOPOLOGY);
    scene.hold(&["-e", "prod", "-a", "shop", "-c", "web-1", "--owner", "o-shop"]);
    scene.hold(&["-e", "prod", "-a", "blog", "-c", "web-2", "--owner", "o-blog"]);
    scene.hold(&["-e", "test", "-a", "shop", "--owner", "o-test"]);
    scene.hold(&["-l", "x", "--owner", "o-name"]);
    scene.hold(&["-l", "y", "--owner", "o-dead", "--ttl", "20ms"]);
    scene.fails(75, &["acquire", "-e", "prod", "--exclusive", "--owner", "o-pause"]);
    let waiter = scene.start(&["acquire", "-l", "x", "--wait", "--owner", "o-wait"]);
    scene.until("waiting", 1);
    // One question each time: between the two of `shown` the ttl may pass.
    eventually("the ttl passes", || !scene.ok(&["list", "--stale"]).is_empty());

    for (filter, expected) in [
        (&["--stale"][..], &["o-dead"][..]),
        (&["--env", "test"], &["o-test"]),
        (&["-e", "prod"], &["o-blog", "o-pause", "o-shop"]),
        (&["--app", "shop"], &["o-shop", "o-test"]),
        (&["-e", "prod", "-a", "shop"], &["o-shop"]),
        (&["--container", "web-2"], &["o-blog", "o-pause"]),
        (&["--lock", "name:x"], &["o-name", "o-wait"]),
        (&["--lock", "environment:test"], &["o-test"]),
        (&["--owner", "o-blog"], &["o-blog"]),
        (&["--owner", "nobody"], &[]),
        (&["--state", "held"], &["o-blog", "o-dead", "o-name", "o-shop", "o-test"]),
        (&["--state", "waiting"], &["o-wait"]),
        (&["--state", "paused"], &["o-pause"]),
        (&["--state", "waiting", "--env", "prod"], &[]),
    ] {
        assert_eq!(shown(&scene, filter), expected, "{filter:?}");
    }
    scene.fails(2, &["list", "--state", "asleep"]);
    drop(waiter);
}

#[test]
fn the_table_has_a_row_for_each_lock_or_for_each_deployment() {
    let scene = Scene::with_topology(TOPOLOGY);
    let id = scene.hold(&["-e", "prod", "--reason", "monthly", "--url", "https://ci/7", "--owner", "ann"]);
    let rows = |args: &[&str]| {
        let table = scene.ok(&[&["list"], args].concat());
        table.lines().filter(|l| l.contains(&id)).map(str::to_owned).collect::<Vec<_>>()
    };
    for by_lock in [rows(&[]), rows(&["--by", "lock"])] {
        assert_eq!(by_lock.len(), 3, "environment and two containers: {by_lock:?}");
    }
    let by_deployment = rows(&["--by", "deployment"]);
    assert_eq!(by_deployment.len(), 1, "{by_deployment:?}");
    for part in ["held", "prod", "ann", "monthly", "https://ci/7", "environment:prod", "container:web-2"] {
        assert!(by_deployment[0].contains(part), "{part}: {}", by_deployment[0]);
    }
}

#[test]
fn the_table_shows_waiters_with_place_and_for_whom() {
    let scene = Scene::new();
    let held = scene.hold(&["-l", "x"]);
    let waiter = scene.start(&["acquire", "-l", "x", "--wait", "--reason", "second"]);
    let waiting = text(&scene.until("waiting", 1)[0]["id"]);
    for by in ["lock", "deployment"] {
        let table = scene.ok(&["list", "--by", by]);
        let row = table.lines().find(|l| l.contains(&waiting) && l.contains("waiting")).unwrap();
        for part in ["1", held.as_str(), "second"] {
            assert!(row.contains(part), "{part}: {row}");
        }
    }
    drop(waiter);
}

#[test]
fn without_a_terminal_there_are_no_colours_unless_asked_for() {
    let scene = Scene::new();
    scene.hold(&["-l", "x"]);
    for plain in [&["list"][..], &["list", "--color", "never"], &["--color", "auto", "list"]] {
        assert!(!scene.ok(plain).contains('\u{1b}'));
    }
    assert!(scene.ok(&["list", "--color", "always"]).contains('\u{1b}'));
    let said = done(scene.command(&["list"]).env("NO_COLOR", "1"));
    assert!(!said.out.contains('\u{1b}'));
    assert!(!scene.ok(&["list", "--color", "always", "--format", "json"]).contains('\u{1b}'));
}

#[test]
fn a_reader_that_is_gone_is_no_panic() {
    let scene = Scene::new();
    scene.hold(&["-l", "x"]);
    for args in [
        &["list"][..],
        &["list", "--format", "json"],
        &["plan", "-l", "x"],
        &["check"],
        &["completions", "bash"],
        &["clear", "--all", "--dry-run"],
        &["--help"],
    ] {
        let (reader, writer) = std::io::pipe().unwrap();
        drop(reader);
        let said = done(scene.command(args).stdout(writer));
        assert!(!said.err.contains("panicked"), "{args:?}: {said:?}");
        assert_ne!(said.code, 101, "{args:?}");
    }
    let said = scene.shell("sh", "deploylock list | true; deploylock list 2>/dev/full >/dev/full");
    assert!(!said.err.contains("panicked"), "{said:?}");
}

/// A held lock whose record says nonsense. Its id.
fn unreadable(scene: &Scene) -> String {
    let id = scene.hold(&["-l", "x"]);
    let folder = scene.locks().join("deployments");
    let states = std::fs::read_dir(folder).unwrap().map(|state| state.unwrap().path());
    let record = states.map(|state| state.join(&id)).find(|path| path.exists()).unwrap();
    std::fs::write(record, "this is no record\n").unwrap();
    id
}

#[test]
fn an_unreadable_record_is_listed_with_a_warning() {
    let scene = Scene::new();
    let id = unreadable(&scene);
    let said = scene.run(&["list"]);
    assert_eq!(said.code, 0);
    assert!(said.err.contains("warning") && said.err.contains(&id), "{}", said.err);
    assert!(said.out.contains(&id) && said.out.contains("unreadable"), "{}", said.out);
    let d = scene.deployment(&id).unwrap();
    assert_eq!(d["state"], "unreadable");
    let path = text(&d["path"]);
    assert!(path.ends_with(&id), "{path}");
    assert!(std::path::Path::new(&path).exists(), "{path}");
    let said = scene.run(&["list", "--state", "unreadable"]);
    assert!(said.out.contains(&id), "{said:?}");
}

#[test]
fn an_unreadable_record_is_an_error_of_check_and_still_blocks() {
    let scene = Scene::new();
    let id = unreadable(&scene);
    let said = scene.fails(1, &["check"]);
    assert!((said.out + &said.err).contains(&id));
    for args in [&["acquire", "-n", "-l", "x"][..], &["acquire", "-w", "50ms", "-l", "x"]] {
        let said = scene.run(args);
        assert!([1, 75].contains(&said.code), "{said:?}");
        assert_eq!(said.out, "");
        assert!(said.err.contains(&id), "{}", said.err);
    }
    scene.ok(&["clear", "--stale", "--yes"]);
    assert_eq!(scene.state_of(&id), "unreadable", "it is not verifiably dead");
    scene.ok(&["clear", "--yes", &id]);
    assert!(scene.could_have(&["-l", "x"]));
    scene.ok(&["check"]);
}

#[test]
fn watch_shows_each_change_and_ends_when_it_is_told_to() {
    use std::io::{BufRead as _, BufReader};
    let scene = Scene::new();
    let id = scene.hold(&["-l", "x"]);
    let mut watch = scene.start(&["list", "--watch", "--format", "json"]);
    let out = watch.child.as_mut().unwrap().stdout.take().unwrap();
    let mut lines = BufReader::new(out).lines();
    assert!(lines.next().unwrap().unwrap().contains(&id));
    scene.ok(&["release", &id]);
    let empty = lines.find(|line| !line.as_ref().unwrap().contains(&id));
    assert!(empty.unwrap().unwrap().contains("\"deployments\":[]"));
    watch.signal("TERM");
    let said = watch.end();
    assert!(!said.err.contains("panicked"), "{said:?}");
}
