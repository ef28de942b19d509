//! The committed manual pages are those that the program writes, and `man` has nothing to say against them.

#![cfg(feature = "man")]

use std::path::{Path, PathBuf};
use std::process::Command;

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/man")
}

fn names(folder: &Path) -> Vec<String> {
    let entries = std::fs::read_dir(folder).unwrap();
    let mut names: Vec<String> = entries.map(|e| e.unwrap().file_name().into_string().unwrap()).collect();
    names.sort();
    names
}

#[test]
fn committed_pages_are_up_to_date() {
    let written = tempfile::tempdir().unwrap();
    let program = env!("CARGO_BIN_EXE_deploylock");
    let done = Command::new(program).args(["man", "--dir"]).arg(written.path()).status().unwrap();
    assert!(done.success());
    let hint = "run `deploylock man --dir docs/man`";
    assert_eq!(names(written.path()), names(&folder()), "{hint}");
    for name in names(&folder()) {
        let [new, old] = [written.path(), &folder()].map(|f| std::fs::read(f.join(&name)).unwrap());
        assert!(new == old, "{name} is not what the program writes; {hint}");
    }
}

#[test]
fn a_page_is_printed_and_an_unknown_one_is_not() {
    let man = |args: &[&str]| {
        Command::new(env!("CARGO_BIN_EXE_deploylock")).arg("man").args(args).output().unwrap()
    };
    assert_eq!(man(&[]).stdout, std::fs::read(folder().join("deploylock.1")).unwrap());
    assert_eq!(man(&["run"]).stdout, std::fs::read(folder().join("deploylock-run.1")).unwrap());
    let unknown = man(&["fly"]);
    assert_eq!((unknown.status.code(), unknown.stdout.len()), (Some(2), 0));
}

#[test]
fn man_shows_the_pages_without_warnings() {
    for name in names(&folder()) {
        let mut man = Command::new("man");
        man.args(["--warnings", "--encoding=UTF-8", "--local-file"]).arg(folder().join(&name));
        man.env("LC_ALL", "C.UTF-8").env("MANWIDTH", "80").env("MANPAGER", "cat");
        let shown = man.output().expect("man-db is installed");
        assert!(shown.status.success(), "{name}: {shown:?}");
        assert_eq!(String::from_utf8_lossy(&shown.stderr), "", "{name}");
        let text = String::from_utf8_lossy(&shown.stdout).replace('\u{8}', "");
        assert!(text.contains("deploylock"), "{name}: {text}");
    }
}
