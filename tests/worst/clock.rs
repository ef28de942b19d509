//! Records that another clock wrote: what was granted an hour from now.

use crate::harness::Scene;
use crate::tools::nothing_left;

#[test]
fn a_record_of_the_future_is_listed_and_cleared_like_any_other() {
    let scene = Scene::new();
    let held = scene.ok(&["acquire", "-l", "a"]);
    let record = scene.path(&format!("locks/deployments/detached/{held}"));
    let text = std::fs::read_to_string(&record).unwrap();
    let later = |line: &str| match line.split_once(" = ") {
        // Nanoseconds, in a field of fixed width.
        Some((key @ ("since" | "requested"), value)) => {
            let at = value.trim().parse::<u64>().unwrap() + 3_600_000_000_000;
            format!("{key} = {at:<width$}\n", width = value.len())
        }
        _ => format!("{line}\n"),
    };
    std::fs::write(&record, text.lines().map(later).collect::<String>()).unwrap();
    for args in [&["list"][..], &["list", "--by", "deployment"], &["list", "--format", "json"], &["check"]] {
        let said = scene.run(args);
        assert!(said.code == 0 && said.err.is_empty(), "{args:?}: {said:?}");
    }
    // It is not older than anything.
    assert_eq!(scene.ok(&["clear", "--all", "--older-than", "1m", "--yes"]), "");
    let refused = scene.run(&["acquire", "-n", "-l", "a"]);
    assert!(refused.code == 75 && refused.err.contains(&held), "{refused:?}");
    scene.ok(&["release", &held]);
    nothing_left(&scene);
}
