//! `shell-init` and `acquire --format shell` in the real shells.

use std::process::Command;

use crate::harness::{Background, Scene, eventually};
use crate::steps::{done, text};
use crate::tools::{nothing_left, read, until_file, until_written};

/// Each shell as it is called, and what it asks for.
const SHELLS: [(&str, &str); 3] = [("bash", "bash"), ("dash", "sh"), ("zsh", "zsh")];

const TOPOLOGY: &str = "[environments.prod]\ncontainers = [\"web-1\"]\nallow_concurrent_deployments = false\n\
                        [applications.\"it's $HOME\"]\n";

/// A script in this shell that has the functions.
fn script(scene: &Scene, (shell, name): (&str, &str), text: &str) -> Command {
    let text = format!("eval \"$(deploylock shell-init {name})\"\n{text}");
    let mut command = scene.program(shell);
    command.args(["-c", &text]);
    command
}

/// How the last deployment ended.
fn outcome(scene: &Scene) -> String {
    let history: serde_json::Value =
        serde_json::from_str(&scene.ok(&["history", "--format", "json"])).unwrap();
    let last = history["events"].as_array().unwrap().last().unwrap();
    format!("{} {}", text(&last["event"]), last["outcome"].as_str().unwrap_or("-"))
}

#[test]
fn a_script_holds_until_its_end_and_its_status_is_the_outcome() {
    for shell in SHELLS {
        for options in ["", "set -eu; ", "set -eu; trap 'echo old $? >> trapped' EXIT; "] {
            for (end, code) in [("", 0), ("exit 3", 3), ("set -e; false; echo not here", 1)] {
                let scene = Scene::with_topology(TOPOLOGY);
                let text = format!("{options}deploylock_acquire --env prod; deploylock list > seen; {end}");
                let said = done(&mut script(&scene, shell, &text));
                let what = format!("{shell:?} {options}{end}");
                assert_eq!((said.code, said.err.as_str()), (code, ""), "{what}: {said:?}");
                assert!(read(&scene, "seen").contains("environment:prod"), "{what}");
                nothing_left(&scene);
                let expected = if code == 0 { "released done" } else { "released failed" };
                assert_eq!(outcome(&scene), expected, "{what}");
                let trapped = if options.contains("trap") { format!("old {code}") } else { String::new() };
                assert_eq!(read(&scene, "trapped"), trapped, "{what}");
            }
        }
    }
}

#[test]
fn a_script_that_is_refused_gets_the_exit_code_and_holds_nothing() {
    for shell in SHELLS {
        let scene = Scene::with_topology(TOPOLOGY);
        let other = scene.hold(&["--env", "prod"]);
        let text = "deploylock_acquire --env prod -n || exit; echo not here";
        let said = done(&mut script(&scene, shell, text));
        assert_eq!((said.code, said.out.as_str()), (75, ""), "{shell:?}: {said:?}");
        assert!(said.err.contains("environment:prod is held by"), "{said:?}");
        assert_eq!(scene.state_of(&other), "held");
    }
}

#[test]
fn an_existing_exit_trap_runs_under_the_locks_and_one_that_exits_frees_them_all_the_same() {
    for shell in SHELLS {
        for trap in ["deploylock list > seen", "deploylock list > seen; exit 4"] {
            let scene = Scene::with_topology(TOPOLOGY);
            let text = format!("trap '{trap}' EXIT; deploylock_acquire --env prod; exit 3");
            let said = done(&mut script(&scene, shell, &text));
            let exits = trap.ends_with("exit 4");
            assert_eq!(said.code, if exits { 4 } else { 3 }, "{shell:?} {trap}: {said:?}");
            if !exits {
                assert!(read(&scene, "seen").contains("environment:prod"), "{shell:?}");
            }
            nothing_left(&scene);
            assert_eq!(outcome(&scene), "released failed", "{shell:?} {trap}");
        }
    }
}

#[test]
fn a_signal_ends_the_script_and_frees_the_locks_once_its_command_has_ended() {
    for shell in SHELLS {
        for (name, number, code) in [("INT", 2, -2), ("TERM", 15, -15), ("HUP", 1, 129)] {
            let scene = Scene::with_topology(TOPOLOGY);
            let text = format!(
                "trap 'echo old $? > trapped' EXIT; deploylock_acquire --env prod || exit\n\
                 touch ready; {}; deploylock list > seen; echo not here",
                until_file("go")
            );
            let run = Background::of(script(&scene, shell, &text).spawn().unwrap());
            eventually("it holds", || scene.path("ready").exists());
            run.signal(name);
            let said = run.end();
            assert_eq!(said.code, code, "{shell:?} {name}: {said:?}");
            assert_eq!(read(&scene, "trapped"), format!("old {}", 128 + number), "{shell:?} {name}");
            nothing_left(&scene);
            assert_eq!(outcome(&scene), "released failed", "{shell:?} {name}");
        }
    }
}

#[test]
fn a_trap_of_the_script_for_a_signal_stays() {
    for shell in SHELLS {
        let scene = Scene::with_topology(TOPOLOGY);
        let text = format!(
            "trap 'echo mine > mine' TERM; deploylock_acquire --env prod || exit\n\
             touch ready; {}; deploylock list > seen; exit 5",
            until_file("mine")
        );
        let run = Background::of(script(&scene, shell, &text).spawn().unwrap());
        eventually("it holds", || scene.path("ready").exists());
        run.signal("TERM");
        assert_eq!(run.end().code, 5, "{shell:?}");
        assert!(read(&scene, "seen").contains("environment:prod"), "{shell:?}");
        nothing_left(&scene);
    }
}

#[test]
fn several_at_once_are_given_back_from_the_inside_out() {
    for shell in SHELLS {
        let scene = Scene::with_topology(TOPOLOGY);
        let text = "set -eu\n\
            deploylock_acquire --env prod; outer=$DEPLOYLOCK_ID; echo \"$DEPLOYLOCK_ENV\"\n\
            deploylock_acquire -l migrate; echo \"$DEPLOYLOCK_LOCKS ${DEPLOYLOCK_ENV-none}\"\n\
            deploylock_release --outcome failed; [ \"$DEPLOYLOCK_ID\" = \"$outer\" ]; echo \"$DEPLOYLOCK_ENV\"\n\
            deploylock_release; echo \"${DEPLOYLOCK_ID-none}\"\n\
            deploylock_release || echo $?";
        let said = done(&mut script(&scene, shell, text));
        assert_eq!(said.code, 0, "{shell:?}: {said:?}");
        assert_eq!(said.out, "prod\nname:migrate none\nprod\nnone\n3\n", "{shell:?}: {said:?}");
        nothing_left(&scene);
    }
}

#[test]
fn a_subshell_gives_back_only_what_it_took_itself() {
    for shell in SHELLS {
        let scene = Scene::with_topology(TOPOLOGY);
        let text = "trap 'echo outer' EXIT; deploylock_acquire -l outer || exit\n\
            (deploylock_acquire -l inner; code=$?; deploylock list > within; exit $code); code=$?\n\
            deploylock list > seen; exit $code";
        let said = done(&mut script(&scene, shell, text));
        assert_eq!(said.out, "outer\n", "{shell:?}: {said:?}");
        assert!(read(&scene, "seen").contains("name:outer"), "{shell:?}");
        assert!(!read(&scene, "seen").contains("name:inner"), "{shell:?}");
        if shell.0 == "zsh" {
            assert_eq!((said.code, said.err.contains("subshell")), (2, true), "{said:?}");
        } else {
            assert_eq!((said.code, said.err.as_str()), (0, ""), "{shell:?}: {said:?}");
            assert!(read(&scene, "within").contains("name:inner"), "{shell:?}");
        }
        nothing_left(&scene);
    }
}

#[test]
fn a_script_that_is_killed_keeps_its_locks_unless_they_are_bound_to_it() {
    for shell in SHELLS {
        for (options, state) in [("", "held"), (" --owner-pid $$", "stale")] {
            let scene = Scene::with_topology(TOPOLOGY);
            let text = format!(
                "deploylock_acquire --env prod{options} || exit; echo $DEPLOYLOCK_ID > id; {}",
                until_file("go")
            );
            let run = Background::of(script(&scene, shell, &text).spawn().unwrap());
            let id = until_written(&scene, "id");
            run.signal("KILL");
            assert_eq!(run.end().code, -9);
            let stale = || !scene.deployment(&id).unwrap()["stale"].is_null();
            if state == "stale" {
                eventually("it is stale", stale);
                assert!(scene.could_have(&["--env", "prod"]), "{shell:?}");
            } else {
                assert!(!stale(), "{shell:?}");
                scene.refused(&["--env", "prod"]);
            }
            // What still waits for it goes with the test.
            std::fs::write(scene.path("go"), "").unwrap();
        }
    }
}

#[test]
fn what_was_said_to_shell_init_goes_for_the_functions() {
    for (shell, name) in SHELLS {
        let scene = Scene::new();
        let folder = "other 'locks'";
        let text = format!(
            "eval \"$(deploylock --lock-dir \"{folder}\" shell-init {name})\"\n\
             deploylock_acquire -l x || exit; deploylock --lock-dir \"{folder}\" list > seen"
        );
        let mut command = scene.program(shell);
        let said = done(command.env_remove("DEPLOYLOCK_DIR").args(["-c", &text]));
        assert_eq!((said.code, said.err.as_str()), (0, ""), "{shell}: {said:?}");
        assert!(read(&scene, "seen").contains("name:x"), "{shell}");
        assert_eq!(scene.ok(&["--lock-dir", folder, "list", "--format", "json", "--state", "held"]), EMPTY);
    }
}

const EMPTY: &str = "{\"locks\":[],\"deployments\":[]}";

#[test]
fn format_shell_exports_whatever_is_in_a_name_to_any_shell() {
    for (shell, _) in SHELLS {
        let scene = Scene::with_topology(TOPOLOGY);
        let text = "DEPLOYLOCK_VERSION=7 DEPLOYLOCK_ENV=outer\n\
            lines=$(deploylock acquire --format shell -e prod -a \"it's \\$HOME\" --app-version '2 `1`') || exit\n\
            eval \"$lines\"\n\
            printf '%s\\n' \"$DEPLOYLOCK_APP\" \"$DEPLOYLOCK_APP_VERSION\" \"$DEPLOYLOCK_ENV\" \"${DEPLOYLOCK_VERSION-none}\"\n\
            sh -c 'echo \"$DEPLOYLOCK_TOKEN $DEPLOYLOCK_LOCKS\"'; deploylock release";
        let said = scene.shell(shell, text);
        assert_eq!((said.code, said.err.as_str()), (0, ""), "{shell}: {said:?}");
        let lines: Vec<&str> = said.out.lines().collect();
        assert_eq!(lines[..4], ["it's $HOME", "2 `1`", "prod", "none"], "{shell}");
        assert!(lines[4].starts_with(|c: char| c.is_ascii_digit()) && lines[4].contains("environment:prod"));
        nothing_left(&scene);
    }
}

#[test]
fn format_shell_prints_nothing_unless_it_holds() {
    let scene = Scene::with_topology(TOPOLOGY);
    scene.hold(&["--env", "prod"]);
    scene.refused(&["--env", "prod", "--format", "shell"]);
    let said = scene.fails(2, &["acquire", "--format", "shell", "--env", "no-such"]);
    assert_eq!(said.out, "");
}
