//! Every kind of thing that is none of ours, at every place in the lock directory, before every command.

use std::fs;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use crate::harness::{Background, Said, Scene};

/// An id that is nobody's.
const STRANGER: &str = "7-aaaaaa";

/// Files and folders of a lock directory, those of a stranger among them.
const PLACES: [&str; 27] = [
    "guard",
    "history.jsonl",
    "history.1.jsonl",
    "deployments",
    "deployments/waiting",
    "deployments/attached",
    "deployments/detached",
    "deployments/paused",
    "deployments/waiting/7-aaaaaa.0123abcd",
    "deployments/waiting/7-aaaaaa.0123abcd.h",
    "deployments/attached/7-aaaaaa.0123abcd",
    "deployments/attached/7-aaaaaa.0123abcd.h",
    "deployments/attached/7-aaaaaa.",
    "deployments/detached/7-aaaaaa",
    "deployments/detached/.new-7-aaaaaa",
    "deployments/detached/7-aaaaaa.0123abcd",
    "deployments/paused/7-aaaaaa",
    "deployments/attached/neither id nor name",
    "locks",
    "locks/name",
    "locks/environment",
    "locks/name/a",
    "locks/name/a%new",
    "locks/name/stranger",
    "locks/name/a%",
    "ledger",
    "ledger/application%3ashop@prod",
];

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    Link,
    LinkToFolder,
    DanglingLink,
    LinkToItself,
    Fifo,
    Folder,
    Empty,
    Torn,
    Binary,
    Huge,
}

/// Larger than any file of a store, and a hole: it costs no room.
const HUGE: u64 = 3 << 30;

fn plant(kind: Kind, at: &Path, outside: &Path) {
    let was = fs::read(at).ok();
    if at.is_dir() {
        fs::remove_dir_all(at).unwrap();
    }
    let _ = fs::remove_file(at);
    let Some(parent) = at.parent().filter(|p| p.is_dir()) else { return };
    let name = at.file_name().unwrap();
    match kind {
        Kind::Link => symlink(outside.join("victim"), at).unwrap(),
        Kind::LinkToFolder => symlink(outside.join("folder"), at).unwrap(),
        Kind::DanglingLink => symlink(outside.join("nothing"), at).unwrap(),
        Kind::LinkToItself => symlink(name, at).unwrap(),
        Kind::Fifo => assert!(Command::new("mkfifo").arg(at).status().unwrap().success()),
        Kind::Folder => fs::create_dir(parent.join(name)).unwrap(),
        Kind::Empty => fs::write(at, "").unwrap(),
        Kind::Torn => {
            let was = was.unwrap_or_else(|| b"7-aaaaaa.0123abcd x - -\nformat = 1\nid = \"7-aa".to_vec());
            fs::write(at, &was[..was.len() / 2 + 1]).unwrap();
        }
        Kind::Binary => fs::write(at, (0..=255u8).cycle().take(5000).collect::<Vec<u8>>()).unwrap(),
        Kind::Huge => fs::File::create(at).unwrap().set_len(HUGE).unwrap(),
    }
}

/// Those that only look come first, those that take everything away last.
const COMMANDS: [&[&str]; 12] = [
    &["list"],
    &["list", "--format", "json", "--by", "deployment"],
    &["plan", "-l", "a"],
    &["history"],
    &["check"],
    &["wait", "-n", "-l", "a"],
    &["acquire", "-n", "-l", "a", "-l", "b"],
    &["run", "-n", "-l", "b", "--", "true"],
    &["renew", STRANGER, "--ttl", "1h"],
    &["release", STRANGER],
    &["clear", "--stale"],
    &["clear", "--all", "--yes"],
];

/// Runs it with a bound that no command without a wait may reach.
fn run(scene: &Scene, args: &[&str], told: &str) -> Said {
    let mut command = scene.command(args);
    let child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn();
    let said = Background::of(child.unwrap()).end();
    assert!(matches!(said.code, 0 | 1 | 3 | 75), "{told}: {said:?}");
    assert!(!said.err.contains("panicked"), "{told}: {said:?}");
    let all = format!("{}{}", said.out, said.err);
    assert!(!all.contains(|c: char| c.is_control() && c != '\n'), "{told}: {said:?}");
    said
}

/// What lies outside, and how it is.
fn outside(scene: &Scene) -> Vec<(PathBuf, Vec<u8>)> {
    let folder = scene.path("outside");
    let mut files: Vec<PathBuf> = Vec::new();
    for below in [folder.clone(), folder.join("folder")] {
        files.extend(fs::read_dir(below).unwrap().map(|entry| entry.unwrap().path()));
    }
    files.sort();
    files.into_iter().map(|path| (path.clone(), fs::read(path).unwrap_or_default())).collect()
}

/// A store with a deployment that holds, a lock file that is in use, and one that is not.
fn prepared() -> (Scene, String) {
    let scene = Scene::new();
    let held = scene.ok(&["acquire", "-l", "held"]);
    scene.ok(&["run", "-l", "a", "--", "true"]);
    let victim = scene.path("outside/victim");
    fs::create_dir_all(scene.path("outside/folder")).unwrap();
    fs::write(victim, "precious").unwrap();
    (scene, held)
}

/// Where a whole folder of records was replaced, what it said is gone with it, and no program brings it back.
fn takes_the_held_one_along(place: &str) -> bool {
    matches!(place, "deployments" | "deployments/detached")
}

fn try_everywhere(kinds: &[Kind]) {
    let (mut tried, mut failed) = (0, 0);
    for place in PLACES {
        for kind in kinds {
            let (scene, held) = prepared();
            let before = outside(&scene);
            let at = scene.locks().join(place);
            plant(*kind, &at, &scene.path("outside"));
            for args in COMMANDS {
                let told = format!("{kind:?} at {place}, {args:?}");
                let said = run(&scene, args, &told);
                tried += 1;
                if said.code == 1 {
                    failed += 1;
                    let locks = scene.locks().display().to_string();
                    let named = said.err.contains(&locks) || said.out.contains(&locks);
                    assert!(named || said.err.contains(STRANGER), "{told}: no path: {said:?}");
                }
                let last = args.contains(&"--all");
                if !last && !takes_the_held_one_along(place) {
                    let there = scene.locks().join("deployments/detached").join(&held).exists();
                    assert!(there, "{told}: the held one is gone");
                }
                assert_eq!(outside(&scene), before, "{told}: something outside was touched");
            }
        }
    }
    println!("{tried} commands tried, {failed} of them failed with a message");
}

#[test]
fn links_of_every_kind_at_every_place() {
    try_everywhere(&[Kind::Link, Kind::LinkToFolder, Kind::DanglingLink, Kind::LinkToItself]);
}

#[test]
fn pipes_and_folders_at_every_place() {
    try_everywhere(&[Kind::Fifo, Kind::Folder]);
}

#[test]
fn files_with_any_content_at_every_place() {
    try_everywhere(&[Kind::Empty, Kind::Torn, Kind::Binary, Kind::Huge]);
}
