//! `--resume` of what is not paused.

use crate::harness::Scene;
use crate::told::told;
use crate::tools::waiter;

#[test]
fn of_what_is_not_paused() {
    let scene = Scene::with_topology("[environments.prod]\ncontainers = [\"a\"]\non_failure = \"hold\"\n");
    let held = scene.hold(&["-l", "x"]);
    told(&scene, "resume_of_what_holds", &["acquire", "--resume", &held]);
    told(&scene, "run_resume_of_what_holds", &["run", "--resume", &held, "--", "true"]);
    let _waiter = waiter(&scene, &["-l", "x"]);
    let id = scene.until("waiting", 1)[0]["id"].as_str().unwrap().to_owned();
    told(&scene, "resume_of_what_waits", &["acquire", "--resume", &id]);
    told(&scene, "run_id_of_what_waits", &["run", "--id", &id, "--", "true"]);
    scene.fails(3, &["run", "-e", "prod", "--", "sh", "-c", "exit 3"]);
    let kept = scene.in_state("held").into_iter().find(|d| d["environment"] == "prod").unwrap();
    let kept = kept["id"].as_str().unwrap();
    told(&scene, "resume_of_what_is_kept", &["acquire", "--resume", kept]);
    told(&scene, "run_id_of_what_is_kept", &["run", "--id", kept, "--", "true"]);
    told(&scene, "run_resume_of_no_command", &["run", "--resume", kept, "--", "no-such-command"]);
}
