//! What people see while they look on or type: `list --watch`, and what shells complete.

use std::time::{Duration, Instant};

use crate::harness::Scene;
use crate::tools::{Terminal, holder, soon, waiter};

/// The view, on a terminal.
#[track_caller]
fn shows(terminal: &Terminal<'_>, text: &str) {
    let mut last = String::new();
    let came = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
        soon(text, || {
            last = terminal.screen();
            last.contains(text)
        });
    }));
    assert!(came.is_ok(), "never on the screen: {text}\n{last}");
}

/// Keys that follow at once would be the view's, too.
#[track_caller]
fn quits(terminal: &Terminal<'_>) {
    terminal.key("q");
    soon("the shell is back", || !terminal.screen().contains("deploylock: "));
    assert_eq!(terminal.status("status"), "0");
}

#[test]
fn the_view_follows_what_others_do() {
    let scene = Scene::new();
    let terminal = Terminal::with(&scene, (120, 24), "bash --norc --noprofile -i");
    terminal.line("deploylock list --watch");
    shows(&terminal, "nothing is held and nobody waits");
    let held = scene.hold(&["-l", "a", "--reason", "just because"]);
    shows(&terminal, "name:a");
    shows(&terminal, "just because");
    let next = waiter(&scene, &["-l", "a", "--owner", "zoe"]);
    shows(&terminal, "waiting #1");
    shows(&terminal, "zoe");
    scene.ok(&["release", &held]);
    soon("it has moved up", || !terminal.screen().contains("waiting #1"));
    shows(&terminal, "zoe");
    drop(next);
    quits(&terminal);
}

#[test]
fn the_view_says_that_the_server_is_away_and_goes_on_when_it_is_back() {
    let mut cluster = crate::cluster::Cluster::start(1);
    let scene = crate::faults::scene_on(&cluster.endpoints(), 30);
    scene.hold(&["-l", "a"]);
    let terminal = Terminal::with(&scene, (160, 24), "bash --norc --noprofile -i");
    terminal.line("deploylock list --watch");
    shows(&terminal, "name:a");
    cluster.kill(0);
    cluster.begin(0);
    cluster.until_up(0);
    scene.hold(&["-l", "b"]);
    shows(&terminal, "name:b");
    quits(&terminal);
}

#[test]
fn shells_complete_ids_and_locks_of_the_cluster() {
    let scene = Scene::with_topology("[environments.prod]\ncontainers = [\"web\"]\n[locks.migrate]\n");
    let held = scene.hold(&["-e", "prod", "--reason", "window"]);
    let run = holder(&scene, &["-l", "adhoc"]);
    let lines = |words: &[&str]| scene.ok(&[&["__complete"], words].concat());
    let ids = lines(&["ids", "release"]);
    assert!(ids.contains(&format!("{held}\theld")) && ids.contains("window"), "{ids}");
    assert_eq!(ids.lines().count(), 2, "{ids}");
    let names = lines(&["names", "run", "-l"]);
    assert!(
        names.contains("migrate\tdeclared lock") && names.contains("adhoc\t1 held, 0 waiting"),
        "{names}"
    );
    let locks = lines(&["locks", "list", "--lock"]);
    assert!(locks.contains("environment:prod\t1 held") && locks.contains("name:adhoc\t"), "{locks}");
    drop(run);
}

#[test]
fn a_key_pressed_to_complete_does_not_hang_where_nobody_answers() {
    let scene = crate::faults::scene_on(&["http://127.0.0.1:1".to_owned()], 30);
    // One that takes the connection and says nothing is worse than one that is not there.
    let silent = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let endpoint = format!("http://{}", silent.local_addr().unwrap());
    for endpoints in [vec!["http://127.0.0.1:1".to_owned()], vec![endpoint]] {
        let store = crate::backend::table(&endpoints, scene.root(), 30);
        std::fs::write(scene.path("deploylock.toml"), store).unwrap();
        let began = Instant::now();
        let said = scene.run(&["__complete", "ids", "release"]);
        assert_eq!((said.code, said.out.as_str(), said.err.as_str()), (0, "", ""));
        assert!(began.elapsed() < Duration::from_secs(4), "{:?}", began.elapsed());
    }
}
