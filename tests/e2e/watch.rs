//! `list --watch` on a real terminal: what is on the screen, what keys do, and how the terminal is left.

use std::time::Duration;

use crate::harness::{Scene, eventually, signal};
use crate::tools::{Terminal, child_of, holder, soon, switches, until_written, waiter};

/// A terminal of 80 × 24.
fn terminal(scene: &Scene) -> Terminal<'_> {
    Terminal::with(scene, (80, 24), "bash --norc --noprofile -i")
}

/// Starts the view with these options and waits until it is there. Its process.
#[track_caller]
fn watch(terminal: &Terminal<'_>, options: &str) -> u32 {
    terminal.line(&format!("deploylock list --watch {options}"));
    shows(terminal, "deploylock: ");
    shows(terminal, "(in ");
    let shell = terminal.tmux(&["display", "-p", "#{pane_pid}"]).trim().parse().unwrap();
    child_of(shell).expect("the view is the shell's child")
}

/// Waits for a condition of the screen; shows it where that does not come.
#[track_caller]
fn screen(terminal: &Terminal<'_>, what: &str, condition: impl Fn(&str) -> bool) {
    let mut last = String::new();
    let came = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
        soon(what, || {
            last = terminal.screen();
            condition(&last)
        });
    }));
    assert!(came.is_ok(), "{what}\n{last}");
}

#[track_caller]
fn shows(terminal: &Terminal<'_>, text: &str) {
    screen(terminal, &format!("on the screen: {text}"), |screen| screen.contains(text));
}

#[track_caller]
fn hides(terminal: &Terminal<'_>, text: &str) {
    screen(terminal, &format!("no longer on the screen: {text}"), |screen| !screen.contains(text));
}

/// How a terminal is set, whether its cursor is seen, and whether it shows its second screen.
fn condition(scene: &Scene, terminal: &Terminal<'_>, file: &str) -> (String, String) {
    terminal.line(&format!("stty -g > {file}"));
    let modes = until_written(scene, file);
    (modes, terminal.tmux(&["display", "-p", "cursor #{cursor_flag} alternate #{alternate_on}"]))
}

#[test]
fn the_view_follows_the_store_and_sleeps_while_there_is_nothing() {
    let scene = Scene::new();
    let terminal = terminal(&scene);
    let view = watch(&terminal, "");
    shows(&terminal, "nothing is held and nobody waits");
    let id = scene.hold(&["-l", "a", "--reason", "just because", "--ttl", "1h"]);
    for text in ["name:a", &id, "just because", "in 59m"] {
        shows(&terminal, text);
    }
    scene.ok(&["release", &id]);
    shows(&terminal, "nothing is held and nobody waits");
    eventually("it sleeps", || {
        let before = switches(view);
        std::thread::park_timeout(Duration::from_millis(1500));
        before == switches(view)
    });
}

#[test]
fn queues_are_shown_in_order_and_the_dead_are_marked() {
    let scene = Scene::new();
    let terminal = terminal(&scene);
    watch(&terminal, "");
    let first = holder(&scene, &["-l", "a"]);
    let _second = waiter(&scene, &["-l", "a", "--owner", "anna"]);
    let _third = waiter(&scene, &["-l", "a", "--owner", "zoe"]);
    shows(&terminal, "waiting #2");
    let screen = terminal.screen();
    let place = |text: &str| screen.find(text).unwrap_or_else(|| panic!("{text}: {screen}"));
    assert!(place("name:a  exclusive") < place("held  "), "{screen}");
    assert!(place("held  ") < place("waiting #1") && place("anna") < place("zoe"), "{screen}");
    drop(first);
    shows(&terminal, "1 held, 1 waiting");
    // With nobody waiting, nobody takes the dead away.
    let alone = holder(&scene, &["-l", "b"]);
    shows(&terminal, "name:b");
    alone.kill();
    shows(&terminal, "held, stale");
    shows(&terminal, "1 stale");
}

#[test]
fn keys_filter_and_open_one_deployment() {
    let scene = Scene::new();
    let terminal = terminal(&scene);
    scene.hold(&[
        "-l",
        "alpha",
        "-l",
        "beta",
        "--reason",
        "for the letters",
        "--url",
        "https://ci.example/9",
    ]);
    let other = scene.hold(&["-l", "gamma"]);
    watch(&terminal, "");
    shows(&terminal, "name:gamma");
    for key in ["/", "B", "E", "t", "a", "Enter"] {
        terminal.key(key);
    }
    hides(&terminal, "name:gamma");
    shows(&terminal, "name:beta");
    terminal.key("Enter");
    for text in ["reason       for the letters", "https://ci.example/9", "name:alpha  exclusive", "acquired"]
    {
        shows(&terminal, text);
    }
    terminal.key("Escape");
    shows(&terminal, "only what says \"BEta\"");
    terminal.key("Escape");
    shows(&terminal, "name:gamma");
    terminal.key("?");
    shows(&terminal, "release: give its locks back");
    terminal.key("Escape");
    terminal.key("G");
    shows(&terminal, &format!(">held   {other}"));
    terminal.key("Up");
    terminal.key("b");
    shows(&terminal, "name:alpha name:beta");
}

#[test]
fn what_is_done_is_asked_before_and_told_afterwards() {
    let scene = Scene::new();
    let terminal = terminal(&scene);
    let id = scene.hold(&["-l", "a", "--reason", "lunch"]);
    watch(&terminal, "");
    shows(&terminal, &id);
    terminal.key("r");
    shows(&terminal, &format!("release {id}? [y/N]"));
    shows(&terminal, "\"lunch\"");
    terminal.key("n");
    shows(&terminal, "nothing was done");
    assert_eq!(scene.state_of(&id), "held");
    terminal.key("r");
    shows(&terminal, "[y/N]");
    terminal.key("y");
    shows(&terminal, &format!("released {id}"));
    assert_eq!(scene.state_of(&id), "gone");

    let mut run = holder(&scene, &["-l", "a"]);
    shows(&terminal, "1 held");
    terminal.key("r");
    shows(&terminal, "will not be released");
    terminal.key("y");
    shows(&terminal, "belongs to a `deploylock run` that is alive");
    terminal.key("x");
    shows(&terminal, "gets SIGTERM");
    assert!(run.is_running());
    terminal.key("y");
    shows(&terminal, "was asked to end");
    shows(&terminal, "0 held");
    assert_eq!(run.end().code, 143);
}

#[test]
fn what_lives_is_cleared_only_by_the_word() {
    let scene = Scene::new();
    let terminal = terminal(&scene);
    let run = holder(&scene, &["-l", "a"]);
    watch(&terminal, "");
    shows(&terminal, "1 held");
    terminal.key("c");
    shows(&terminal, "ALIVE");
    shows(&terminal, "type `force` and Enter");
    for key in ["y", "Enter"] {
        terminal.key(key);
    }
    shows(&terminal, "nothing was done");
    assert_eq!(scene.in_state("held").len(), 1);
    terminal.key("c");
    shows(&terminal, "type `force` and Enter");
    terminal.line("force");
    shows(&terminal, "cleared ");
    assert_eq!(run.end().code, 76, "its locks were taken away");
}

#[test]
fn the_terminal_is_left_as_it_was() {
    let scene = Scene::new();
    scene.hold(&["-l", "a"]);
    let terminal = terminal(&scene);
    let before = condition(&scene, &terminal, "before");
    assert_eq!(before.1.trim(), "cursor 1 alternate 0");
    let ends: [(&str, i32); 6] =
        [("q", 0), ("C-c", 0), ("TERM", 143), ("HUP", 129), ("INT", 130), ("QUIT", 131)];
    for (end, code) in ends {
        let view = watch(&terminal, "");
        shows(&terminal, "name:a");
        let during = terminal.tmux(&["display", "-p", "cursor #{cursor_flag} alternate #{alternate_on}"]);
        assert_eq!(during.trim(), "cursor 0 alternate 1");
        if code > 0 {
            signal(view, end)
        } else {
            terminal.key(end)
        }
        hides(&terminal, "name:a");
        assert_eq!(terminal.status(&format!("status-{end}")), code.to_string(), "{end}");
        assert_eq!(condition(&scene, &terminal, &format!("after-{end}")), before, "{end}");
        terminal.line("clear");
    }
}

#[test]
fn a_stopped_view_gives_the_terminal_back_and_goes_on_in_the_foreground() {
    let scene = Scene::new();
    scene.hold(&["-l", "a"]);
    let terminal = terminal(&scene);
    let before = condition(&scene, &terminal, "before");
    let view = watch(&terminal, "");
    shows(&terminal, "name:a");
    for (round, stop) in ["C-z", "TSTP"].into_iter().enumerate() {
        if stop == "TSTP" {
            signal(view, stop)
        } else {
            terminal.key(stop)
        }
        shows(&terminal, "Stopped");
        assert_eq!(condition(&scene, &terminal, &format!("stopped-{round}")), before, "{stop}");
        terminal.line("clear; fg");
        shows(&terminal, "name:a");
        scene.hold(&["-l", &format!("b{round}")]);
        shows(&terminal, &format!("name:b{round}"));
    }
    terminal.key("q");
    hides(&terminal, "name:a");
    assert_eq!(condition(&scene, &terminal, "after"), before);
}

#[test]
fn it_works_small_resized_and_without_colours() {
    let scene = Scene::new();
    let id =
        scene.hold(&["-l", "a", "--reason", "a reason that is longer than what fits into so few columns"]);
    let terminal = Terminal::with(&scene, (38, 9), "bash --norc --noprofile -i");
    terminal.line("export NO_COLOR=1");
    watch(&terminal, "");
    shows(&terminal, &id);
    let coloured = terminal.tmux(&["capture-pane", "-p", "-e"]);
    let colours = (0..8).map(|n| format!("\u{1b}[3{n}m")).any(|code| coloured.contains(&code));
    assert!(!colours, "{coloured:?}");
    assert!(terminal.screen().lines().all(|line| line.chars().count() <= 38));
    hides(&terminal, "? help");
    terminal.tmux(&["resize-window", "-x", "90", "-y", "20"]);
    shows(&terminal, "? help  q quit");
    terminal.key("q");
    hides(&terminal, &id);
}

#[test]
fn what_a_hook_says_does_not_disturb_the_screen() {
    let scene = Scene::with_topology(
        "[hooks]\non_release = [\"sh\", \"-c\", \"echo noise; echo noise >&2; exit 3\"]\n",
    );
    let id = scene.hold(&["-l", "a"]);
    let terminal = terminal(&scene);
    watch(&terminal, "");
    shows(&terminal, &id);
    terminal.key("r");
    shows(&terminal, "[y/N]");
    terminal.key("y");
    shows(&terminal, "0 held");
    terminal.key("q");
    // It is told when the terminal is the shell's again, if not before.
    hides(&terminal, "(in ");
    assert!(!terminal.screen().contains("noise"), "{}", terminal.screen());
    assert_eq!(scene.state_of(&id), "gone");
}

#[test]
fn filters_narrow_the_view_and_a_dumb_terminal_gets_the_list_again() {
    let scene = Scene::new();
    scene.hold(&["-l", "a"]);
    scene.hold(&["-l", "b"]);
    let terminal = terminal(&scene);
    watch(&terminal, "--lock b");
    shows(&terminal, "name:b");
    assert!(!terminal.screen().contains("name:a"));
    terminal.key("q");
    hides(&terminal, "name:b");
    terminal.line("TERM=dumb deploylock list --watch");
    shows(&terminal, "LOCK");
    assert_eq!(terminal.tmux(&["display", "-p", "#{alternate_on}"]).trim(), "0");
    terminal.key("C-c");
    assert_eq!(terminal.status("status"), "130");
}
