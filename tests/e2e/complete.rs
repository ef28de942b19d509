//! Completions in the real shells: names from the topology and ids from the store, with what they mean.

use std::path::Path;
use std::time::{Duration, Instant};

use crate::harness::Scene;
use crate::tools::{Terminal, soon};

const TOPOLOGY: &str = r#"
[environments.prod]
containers = ["web-1", "web-2"]
[environments.staging]
containers = ["s-1"]
[applications.shop]
[applications.shop.environments.prod]
containers = ["web-1"]
[locks.db-migrate]
limit_number_of_concurrent_deployments = 1
"#;

fn scripts() -> String {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("completions").display().to_string()
}

/// Presses a key until the screen is as expected: a busy shell drops one now and then.
#[track_caller]
fn press(terminal: &Terminal<'_>, key: &str, what: &str, expected: impl Fn(&str) -> bool) {
    let mut screen = String::new();
    for _ in 0..4 {
        terminal.key(key);
        let began = Instant::now();
        while began.elapsed() < Duration::from_secs(4) {
            screen = terminal.screen();
            if expected(&screen) {
                return;
            }
        }
    }
    panic!("{key}: never {what}\n{screen}");
}

/// Gives the line up. A shell in the middle of completing takes the first Ctrl-C for that.
#[track_caller]
fn give_up(terminal: &Terminal<'_>) {
    let is_prompt = |line: &str| line.trim() == ">";
    press(terminal, "C-c", "a prompt", |screen| screen.trim_end().lines().last().is_some_and(is_prompt));
}

/// Types the beginning of a line and a tab; the line is then as expected.
#[track_caller]
fn completes(terminal: &Terminal<'_>, typed: &str, expected: &str) {
    terminal.key("C-l");
    terminal.tmux(&["send-keys", "-l", typed]);
    soon("what was typed", || terminal.screen().contains(typed.trim_end()));
    press(terminal, "Tab", expected, |screen| screen.lines().any(|l| l.trim_end().ends_with(expected)));
    give_up(terminal);
}

/// What the shell offers after this has been typed.
#[track_caller]
fn offers(terminal: &Terminal<'_>, typed: &str, expected: &[&str]) {
    terminal.key("C-l");
    terminal.tmux(&["send-keys", "-l", typed]);
    soon("what was typed", || terminal.screen().contains(typed.trim_end()));
    // Bash lists on the second.
    terminal.key("Tab");
    press(terminal, "Tab", &format!("{expected:?}"), |screen| expected.iter().all(|e| screen.contains(e)));
    give_up(terminal);
}

#[test]
fn bash_completes_names_without_bash_completion() {
    let scene = Scene::with_topology(TOPOLOGY);
    let id = scene.hold(&["-e", "prod", "-a", "shop"]);
    let terminal = Terminal::with(&scene, (120, 30), "bash --norc --noprofile -i");
    terminal.line(&format!("source {}/deploylock.bash", scripts()));
    completes(&terminal, "deploylock run --env pr", "deploylock run --env prod");
    completes(&terminal, "deploylock run --env=st", "deploylock run --env=staging");
    completes(&terminal, "deploylock plan -e prod -a ", "deploylock plan -e prod -a shop");
    completes(&terminal, "deploylock run -e staging -c ", "deploylock run -e staging -c s-1");
    completes(&terminal, "deploylock list --lock environment:", "deploylock list --lock environment:prod");
    completes(&terminal, "deploylock acquire -l db", "deploylock acquire -l db-migrate");
    completes(&terminal, "deploylock release ", &format!("deploylock release {id}"));
    completes(&terminal, "deploylock clear --yes 1", &format!("deploylock clear --yes {id}"));
    completes(&terminal, "deploylock release --outc", "deploylock release --outcome");
    completes(&terminal, "deploylock release --outcome ab", "deploylock release --outcome aborted");
    offers(&terminal, "deploylock run --env ", &["prod", "staging"]);
    completes(&terminal, "deploylock run -l x -- deploylock.to", "deploylock run -l x -- deploylock.toml");
}

#[test]
fn zsh_completes_names_and_says_what_they_are() {
    let scene = Scene::with_topology(TOPOLOGY);
    let id = scene.hold(&["-e", "prod", "-a", "shop", "--reason", "the big: one"]);
    let terminal = Terminal::with(&scene, (120, 30), "zsh -f -i");
    terminal.line(&format!(
        "PS1='> '; fpath=({} $fpath); autoload -U compinit; compinit -u -D; echo re''ady",
        scripts()
    ));
    soon("zsh is ready", || terminal.screen().contains("ready"));
    completes(&terminal, "deploylock run --env pr", "deploylock run --env prod");
    completes(&terminal, "deploylock run --env=st", "deploylock run --env=staging");
    completes(&terminal, "deploylock run -e staging -c ", "deploylock run -e staging -c s-1");
    completes(&terminal, "deploylock release ", &format!("deploylock release {id}"));
    completes(&terminal, "deploylock list --lock environment:", "deploylock list --lock environment:prod");
    offers(&terminal, "deploylock run --env ", &["prod", "web-1 web-2", "staging", "s-1"]);
    let other = scene.hold(&["-l", "x", "--owner", "anna"]);
    let offered = [&*id, "the big: one", &*other, "by anna"];
    offers(&terminal, "deploylock cancel ", &offered);
}

#[test]
fn fish_completes_names_and_says_what_they_are() {
    let scene = Scene::with_topology(TOPOLOGY);
    let id = scene.hold(&["-e", "prod", "-a", "shop", "--reason", "the big: one"]);
    let complete = |typed: &str| {
        let script = format!("source {}/deploylock.fish; complete -C '{typed}'", scripts());
        let said = scene.shell("fish", &script);
        assert_eq!(said.err, "", "{typed}");
        said.out.lines().map(str::to_owned).collect::<Vec<_>>()
    };
    assert_eq!(complete("deploylock run --env "), ["prod\tweb-1 web-2", "staging\ts-1"]);
    assert_eq!(complete("deploylock run --env=st"), ["--env=staging\ts-1"]);
    assert_eq!(complete("deploylock run -e staging -c "), ["s-1\tstaging"]);
    assert_eq!(complete("deploylock plan -e prod --app "), ["shop\tprod"]);
    assert_eq!(complete("deploylock acquire --lock "), ["db-migrate\tdeclared lock"]);
    assert_eq!(complete("deploylock list --lock env"), ["environment:prod\t1 held, 0 waiting"]);
    for command in ["release ", "cancel ", "clear ", "renew ", "history ", "wait ", "run --resume "] {
        let offered = complete(&format!("deploylock {command}"));
        let own: Vec<&String> = offered.iter().filter(|line| line.starts_with(&format!("{id}\t"))).collect();
        assert_eq!(own.len(), 1, "{command}: {offered:?}");
        assert!(
            own[0].contains("held, shop to prod by tester@") && own[0].contains("the big: one"),
            "{own:?}"
        );
    }
}

#[test]
fn names_come_from_the_store_and_topology_that_were_typed() {
    let scene = Scene::new();
    std::fs::write(scene.path("other.toml"), "[environments.elsewhere]\n").unwrap();
    let id = scene.ok(&["acquire", "-n", "-l", "a", "--lock-dir", "there"]);
    let names = |args: &[&str]| scene.ok(&[&["__complete"][..], args].concat());
    assert_eq!(names(&["environments", "run", "--env"]), "");
    assert_eq!(names(&["environments", "--config", "other.toml", "run", "--env"]), "elsewhere\tenvironment");
    assert_eq!(names(&["environments", "run", "--config=other.toml"]), "elsewhere\tenvironment");
    assert!(names(&["ids", "--lock-dir", "there", "release"]).starts_with(&id));
    assert_eq!(names(&["ids", "release"]), "");
    assert!(!scene.locks().exists(), "a look makes no store");
}

#[test]
fn nothing_is_said_whatever_goes_wrong() {
    let scene = Scene::with_topology("this is no topology");
    std::fs::write(scene.path("file"), "").unwrap();
    for args in [
        &[][..],
        &["nonsense"],
        &["environments", "run"],
        &["names", "run"],
        &["ids", "--lock-dir", "file"],
        &["ids", "--lock-dir"],
        &["environments", "--config", "/nonexistent"],
    ] {
        let said = scene.run(&[&["__complete"][..], args].concat());
        assert_eq!((said.code, said.out.as_str(), said.err.as_str()), (0, "", ""), "{args:?}");
    }
}

#[test]
fn what_a_user_wrote_stays_on_its_line() {
    let scene = Scene::new();
    scene.hold(&["-l", "a", "--reason", "two\nlines\tand a tab"]);
    let said = scene.ok(&["__complete", "ids"]);
    assert_eq!((said.lines().count(), said.matches('\t').count()), (1, 1), "{said:?}");
}
