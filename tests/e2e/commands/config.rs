//! Where the topology and the lock directory come from, and with which permissions the latter is made.

use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::process::Command;

use crate::harness::{Said, Scene};
use crate::steps::done;

/// A topology with just this environment.
fn only(env: &str) -> String {
    format!("[environments.{env}]\ncontainers = [\"c\"]\n")
}

fn write(scene: &Scene, path: &str, text: &str) {
    let path = scene.path(path);
    std::fs::create_dir_all(path.parent().unwrap()).unwrap();
    std::fs::write(path, text).unwrap();
}

/// Whether the environment is known to this command's topology.
fn knows(command: &mut Command, env: &str) -> bool {
    let said = done(command.args(["plan", "-e", env]));
    assert!([0, 2].contains(&said.code), "{said:?}");
    said.code == 0
}

#[test]
fn the_first_topology_that_exists_counts() {
    let scene = Scene::new();
    for (path, env) in [
        (".config/deploylock/deploylock.toml", "user"),
        ("deploylock.toml", "parent"),
        ("a/b/deploylock.toml", "near"),
        ("by-variable.toml", "variable"),
        ("by-option.toml", "option"),
    ] {
        write(&scene, path, &only(env));
    }
    std::fs::create_dir_all(scene.path("a/b/c")).unwrap();
    let command = |dir: &str| {
        let mut command = scene.command(&[]);
        command.current_dir(scene.path(dir));
        command
    };
    assert!(knows(&mut command("."), "parent"));
    assert!(knows(&mut command("a"), "parent"));
    assert!(knows(&mut command("a/b"), "near"));
    assert!(knows(&mut command("a/b/c"), "near"));
    assert!(!knows(&mut command("a/b/c"), "parent"), "they do not add up");
    let variable = scene.path("by-variable.toml");
    assert!(knows(command("a/b").env("DEPLOYLOCK_CONFIG", &variable), "variable"));
    let option = scene.path("by-option.toml");
    let mut both = command("a/b");
    assert!(knows(both.env("DEPLOYLOCK_CONFIG", &variable).arg("--config").arg(option), "option"));
    std::fs::remove_file(scene.path("deploylock.toml")).unwrap();
    assert!(knows(&mut command("a"), "user"), "the user's config folder comes after the parents");
}

#[test]
fn a_topology_that_is_named_but_missing_is_78() {
    let scene = Scene::with_topology(&only("prod"));
    let said = scene.fails(78, &["--config", "missing.toml", "acquire", "-e", "prod"]);
    assert!(said.err.contains("missing.toml"), "{}", said.err);
    scene.fails(78, &["acquire", "-l", "x", "--config", "missing.toml"]);
    scene.fails(78, &["check", "--config", "missing.toml"]);
    let said = done(scene.command(&["acquire", "-e", "prod"]).env("DEPLOYLOCK_CONFIG", "missing.toml"));
    assert_eq!(said.code, 78, "{said:?}");
    assert!(!scene.locks().exists());
}

#[test]
fn a_topology_that_cannot_be_read_as_one_is_never_taken_for_none() {
    let scene = Scene::new();
    std::fs::create_dir(scene.path("deploylock.toml")).unwrap();
    let said = scene.run(&["acquire", "-e", "prod"]);
    assert!([2, 78].contains(&said.code), "{said:?}");
    let scene = Scene::new();
    std::fs::write(scene.path("deploylock.toml"), b"[locks.\"\xff\"]\n").unwrap();
    scene.fails(78, &["acquire", "-l", "x"]);
}

#[test]
fn a_lock_by_name_needs_no_file() {
    let scene = Scene::new();
    let id = scene.hold(&["-l", "x"]);
    scene.ok(&["list"]);
    scene.ok(&["release", &id]);
}

#[test]
fn the_lock_directory_is_the_option_else_the_variable_else_the_topology_s_else_the_user_s() {
    let scene = Scene::with_topology("[store]\ndirectory = \"by-file\"\n");
    let takes = |option: &[&str], variable: Option<&str>, dir: &str| {
        let mut command = scene.command(&["acquire", "-l", "x"]);
        command.args(option).env_remove("DEPLOYLOCK_DIR");
        if let Some(variable) = variable {
            command.env("DEPLOYLOCK_DIR", scene.path(variable));
        }
        let said = done(&mut command);
        assert_eq!(said.code, 0, "{said:?}");
        assert!(scene.path(dir).join("locks/name/x").is_file(), "{dir}");
    };
    takes(&["--lock-dir", "by-option"], Some("by-variable"), "by-option");
    takes(&[], Some("by-variable"), "by-variable");
    takes(&[], None, "by-file");
    std::fs::remove_file(scene.path("deploylock.toml")).unwrap();
    takes(&[], None, ".local/state/deploylock");
}

#[test]
fn the_topology_s_directory_is_relative_to_its_file() {
    let scene = Scene::with_topology("[store]\ndirectory = \"kept/here\"\n");
    std::fs::create_dir_all(scene.path("deep/down")).unwrap();
    let mut command = scene.command(&["acquire", "-l", "x"]);
    let said = done(command.env_remove("DEPLOYLOCK_DIR").current_dir(scene.path("deep/down")));
    assert_eq!(said.code, 0, "{said:?}");
    assert!(scene.path("kept/here/locks/name/x").is_file());
    assert_eq!(std::fs::read_dir(scene.path("deep/down")).unwrap().count(), 0);
    let mut command = scene.command(&["--config", "../deploylock.toml", "list"]);
    let said = done(command.env_remove("DEPLOYLOCK_DIR").current_dir(scene.path("deep")));
    assert!(said.out.contains("name:x"), "the same store from another folder: {said:?}");
}

#[test]
fn an_empty_variable_is_as_good_as_none() {
    for variable in ["DEPLOYLOCK_DIR", "DEPLOYLOCK_CONFIG", "NO_COLOR", "DEPLOYLOCK_ID"] {
        let scene = Scene::new();
        let said = done(scene.command(&["acquire", "-l", "x"]).env(variable, ""));
        assert_eq!(said.code, 0, "{variable}: {said:?}");
        assert_eq!(said.err, "", "{variable}");
    }
}

/// Runs this in a shell with this umask.
fn with_umask(scene: &Scene, umask: &str, dir: Option<&str>, command: &str) -> Said {
    let mut shell = scene.program("sh");
    shell.args(["-c", &format!("umask {umask}; {command}")]);
    shell.env_remove("DEPLOYLOCK_DIR");
    if let Some(dir) = dir {
        shell.env("DEPLOYLOCK_DIR", scene.path(dir));
    }
    let said = done(&mut shell);
    assert_eq!(said.code, 0, "{said:?}");
    said
}

fn mode(path: &Path) -> u32 {
    std::fs::metadata(path).unwrap().permissions().mode() & 0o7777
}

/// Every file and folder below, and this one.
fn tree(path: &Path) -> Vec<std::path::PathBuf> {
    let mut found = vec![path.to_owned()];
    if path.is_dir() {
        let entries = std::fs::read_dir(path).unwrap();
        found.extend(entries.flat_map(|e| tree(&e.unwrap().path())));
    }
    found
}

#[test]
fn the_mode_of_the_topology_is_honoured_whatever_the_umask() {
    for umask in ["077", "022", "000", "777"] {
        for dir in [None, Some("shared")] {
            let scene = Scene::with_topology("[store]\ndirectory = \"shared\"\nmode = \"2770\"\n[locks.x]\n");
            let script = "deploylock acquire -l x; deploylock acquire -n -l y --ttl 1ms; deploylock run -l z -- true; \
                          deploylock wait -w 20 -l y; deploylock acquire -n -l y";
            with_umask(&scene, umask, dir, script);
            for path in tree(&scene.path("shared")) {
                let expected = if path.is_dir() { 0o2770 } else { 0o660 };
                assert_eq!(mode(&path), expected, "{path:?} with umask {umask}: {:o}", mode(&path));
            }
        }
    }
}

#[test]
fn the_user_s_state_folder_is_private() {
    for umask in ["000", "022"] {
        let scene = Scene::new();
        with_umask(&scene, umask, None, "deploylock acquire -l x");
        let folder = scene.path(".local/state/deploylock");
        for path in tree(&folder) {
            assert_eq!(mode(&path) & 0o077, 0, "{path:?}: {:o}", mode(&path));
        }
        assert_eq!(mode(&folder), 0o700);
    }
}

#[test]
fn the_user_s_state_folder_follows_the_xdg_variable() {
    let scene = Scene::new();
    let mut command = scene.command(&["acquire", "-l", "x"]);
    let said = done(command.env_remove("DEPLOYLOCK_DIR").env("XDG_STATE_HOME", scene.path("state")));
    assert_eq!(said.code, 0, "{said:?}");
    assert_eq!(mode(&scene.path("state/deploylock")), 0o700);
}

#[test]
fn list_plan_and_check_make_no_lock_directory() {
    let scene = Scene::with_topology(&only("prod"));
    for args in
        [&["list"][..], &["plan", "-e", "prod"], &["check"], &["clear", "--stale"], &["wait", "-e", "prod"]]
    {
        scene.ok(args);
        assert!(!scene.locks().exists(), "{args:?}");
    }
}

#[test]
fn quiet_says_only_what_went_wrong() {
    let scene = Scene::new();
    for args in
        [&["-q", "list"][..], &["list", "-q"], &["init", "-q"], &["run", "-q", "-l", "x", "--", "true"]]
    {
        let said = scene.run(args);
        assert_eq!((said.code, said.out.as_str(), said.err.as_str()), (0, "", ""), "{args:?}");
    }
    scene.hold(&["-l", "x"]);
    assert_ne!(scene.fails(75, &["-q", "acquire", "-n", "-l", "x"]).err, "");
}
