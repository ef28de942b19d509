//! Terminal escapes, newlines and marks that turn text around, in every text a user can set, in every output; and
//! names that are too long.

use crate::harness::{Said, Scene};
use crate::steps::text;
use crate::tools::Terminal;

/// Clears the screen, sets a title, goes up a line, rings, turns the text around.
const HOSTILE: &str = "x\u{1b}[2J\u{1b}]0;owned\u{7}\r\n\u{202e}y\u{9b}1A\u{8}z";

#[track_caller]
fn is_clean(said: &Said) {
    for c in format!("{}{}", said.out, said.err).chars() {
        let bad = (c.is_control() && c != '\n') || ('\u{202a}'..='\u{202e}').contains(&c);
        assert!(!bad, "{c:?} in {said:?}");
    }
}

/// A record whose every text is hostile, as one with write access may make it.
fn tampered(scene: &Scene, id: &str) {
    let path = scene.locks().join("deployments/detached").join(id);
    let record = std::fs::read_to_string(&path).unwrap();
    let escaped: String = HOSTILE.chars().map(|c| format!("\\u{:04x}", c as u32)).collect();
    let changed: String = record
        .lines()
        .map(|line| match line.split_once(" = ") {
            Some((key @ ("owner" | "host" | "reason" | "url" | "version"), _)) => {
                format!("{key} = \"{escaped}\"\n")
            }
            _ => format!("{line}\n"),
        })
        .collect();
    let more = ["environment", "application"].map(|key| format!("{key} = \"{escaped}\"\n")).concat();
    std::fs::write(path, format!("{changed}{more}containers = [\"{escaped}\"]\n")).unwrap();
}

fn looks() -> Vec<Vec<&'static str>> {
    vec![
        vec!["list"],
        vec!["list", "--by", "deployment"],
        vec!["list", "-v"],
        vec!["list", "--format", "json"],
        vec!["plan", "-l", "a"],
        vec!["plan", "-l", "a", "--format", "json"],
        vec!["history"],
        vec!["history", "--format", "json"],
        vec!["history", "--stats"],
        vec!["history", "--versions"],
        vec!["check"],
        vec!["acquire", "-n", "-l", "a"],
        vec!["run", "-w", "1", "-l", "a", "--", "true"],
        vec!["wait", "-n", "-l", "a"],
        vec!["clear", "--all"],
        vec!["clear", "--all", "--dry-run"],
    ]
}

#[test]
fn no_text_of_a_user_reaches_a_terminal_as_it_is() {
    let scene = Scene::new();
    let texts = ["--reason", HOSTILE, "--owner", HOSTILE, "--url", HOSTILE];
    let id = scene.ok(&[&["acquire", "-l", "a"][..], &texts].concat());
    for round in 0..2 {
        for args in looks() {
            let said = scene.run(&args);
            assert!(said.code != 101 && !said.err.contains("panicked"), "{args:?}: {said:?}");
            is_clean(&said);
        }
        if round == 0 {
            tampered(&scene, &id);
        }
    }
    let said = scene.run(&["clear", "--all", "--yes"]);
    assert_eq!(said.code, 0, "{said:?}");
    is_clean(&said);
    is_clean(&scene.run(&["history"]));
}

#[test]
fn the_waiting_line_and_the_question_of_clear_are_clean_on_a_terminal() {
    let scene = Scene::new();
    scene.ok(&["acquire", "-l", "a", "--reason", HOSTILE, "--owner", HOSTILE]);
    let terminal = Terminal::open(&scene, 200);
    terminal.line("deploylock run -w 1 -l a -- true; deploylock clear --all");
    crate::harness::eventually("the question", || terminal.screen().contains("[y/N]"));
    let screen = terminal.screen();
    assert!(screen.contains("\\u{1b}[2J"), "written out: {screen}");
    assert!(screen.contains("deploylock run -w 1"), "and nothing before it was cleared: {screen}");
    terminal.line("n");
}

#[test]
fn a_hostile_name_is_refused_before_anything_is_made() {
    let scene = Scene::with_topology("[environments.prod]\ncontainers = [\"web\"]\n[applications.shop]\n");
    let long = "n".repeat(255);
    for name in [HOSTILE, "a\nb", "\t", "", &long, &"é".repeat(101)] {
        let options = [
            vec!["-l", name],
            vec!["-e", name],
            vec!["-e", "prod", "-a", name],
            vec!["-e", "prod", "-c", name],
        ];
        for target in options {
            let said = scene.run(&[&["acquire", "-n"][..], &target].concat());
            assert_eq!(said.code, 2, "{target:?}: {said:?}");
            is_clean(&said);
            assert!(!scene.locks().exists(), "{target:?}");
        }
    }
    let said = scene.run(&["acquire", "-n", "-l", &long]);
    assert!(said.err.contains("200 bytes"), "{said:?}");
}

#[test]
fn names_that_look_alike_are_separate_locks() {
    let scene = Scene::new();
    let alike = ["é", "e\u{301}", "É", "e", "E", "\u{212b}", "\u{c5}", "ﬁ", "fi", "a\u{200b}", "a", "A"];
    for name in alike {
        let id = scene.ok(&["acquire", "-n", "-l", name]);
        assert!(!id.is_empty(), "{name:?}");
        assert_eq!(scene.run(&["acquire", "-n", "-l", name]).code, 75, "{name:?}");
    }
    let locks: Vec<String> =
        scene.list()["locks"].as_array().unwrap().iter().map(|l| text(&l["lock"])).collect();
    assert_eq!(locks.len(), alike.len(), "{locks:?}");
}
