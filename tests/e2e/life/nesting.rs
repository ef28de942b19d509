//! Deployments that wait for each other through scripts, where the outer one is an `acquire`, a resumed one, a third.

use super::{HOLD, failed, one_at_a_time};
use crate::harness::Scene;
use crate::tools::*;

#[test]
fn a_circle_through_acquired_ones_is_refused() {
    let scene = Scene::new();
    let (x, y) = (scene.hold(&["-l", "x"]), scene.hold(&["-l", "y"]));
    // What waits for an acquired one waits for its script, whose end releases it.
    let script = |own: &str, other: &str, id: &str| {
        let command = format!(
            "echo $DEPLOYLOCK_ID > {own}-up; {}; exec deploylock run --wait -l {other} -- true",
            until_file(&format!("{other}-up"))
        );
        let whole = format!(
            "deploylock run --id {id} -- sh -c '{command}'; rc=$?; deploylock release {id}; exit $rc"
        );
        let mut shell = scene.program("sh");
        shell.args(["-c", &whole]);
        Group::start(shell)
    };
    let said = [script("x", "y", &x), script("y", "x", &y)].map(Group::end);
    let mut codes = [said[0].code, said[1].code];
    codes.sort_unstable();
    assert_eq!(codes, [0, 1], "{said:?}");
    let refused = said.iter().find(|s| s.code == 1).unwrap();
    assert!(refused.err.contains(&x) && refused.err.contains(&y), "{refused:?}");
    nothing_left(&scene);
}

#[test]
fn a_circle_through_a_resumed_one_is_refused() {
    let scene = one_at_a_time(HOLD);
    let id = failed(&scene);
    // The refused side fails nothing: it would be kept, and the other wait for a person.
    let side = |own: &str, other: &str, target: &str, under: &[&str]| {
        let script = format!(
            "echo $DEPLOYLOCK_ID > {own}-up; {}; deploylock run --wait {target} -- true 2> {own}-err; echo $? > {own}-rc",
            until_file(&format!("{other}-up"))
        );
        Group::of(&scene, &[&["run"], under, &["--", "sh", "-c", &script]].concat())
    };
    let both = [side("x", "y", "-l y", &["--resume", &id]), side("y", "x", "-e prod", &["-l", "y"])];
    assert_eq!(both.map(Group::end).map(|s| s.code), [0, 0]);
    let codes = [read(&scene, "x-rc"), read(&scene, "y-rc")];
    assert!(codes == ["0", "1"] || codes == ["1", "0"], "{codes:?}");
    let message = read(&scene, if codes[0] == "1" { "x-err" } else { "y-err" });
    for side in ["x", "y"] {
        assert!(message.contains(&read(&scene, &format!("{side}-up"))), "{side}: {message}");
    }
    nothing_left(&scene);
}

#[test]
fn a_wait_outside_the_circle_is_no_reason_to_refuse() {
    let scene = Scene::new();
    let mut other = holder(&scene, &["-l", "x"]);
    let script = "deploylock run --wait -l x -- true";
    let outer = Group::of(&scene, &["run", "-l", "y", "--", "sh", "-c", script]);
    scene.until("waiting", 1);
    let third = waiter(&scene, &["-l", "y"]);
    other.let_go();
    other.end();
    assert_eq!(outer.end().code, 0);
    soon_held(&scene, &third);
}
