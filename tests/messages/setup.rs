//! Setting up: init, check, where the topology and the lock directory are.

use crate::harness::Scene;
use crate::told::told;

#[test]
fn init_and_check() {
    let scene = Scene::new();
    told(&scene, "check_nothing", &["check"]);
    told(&scene, "init", &["init"]);
    told(&scene, "init_again", &["init"]);
    told(&scene, "init_elsewhere", &["init", "a folder/x.toml"]);
    std::fs::create_dir(scene.path("a folder")).unwrap();
    told(&scene, "init_other", &["init", "a folder/x.toml"]);
    told(&scene, "init_other_again", &["init", "a folder/x.toml"]);
    scene.hold(&["-l", "x"]);
    told(&scene, "check", &["check"]);
}

#[test]
fn findings() {
    use std::os::unix::fs::PermissionsExt as _;
    let scene = Scene::with_topology(
        "[environments.prod]\ncontainers = [\"a\"]\nlock_all_containers_in_environment = true\n\
         [environments.uat]\nallow_concurrent_deployments = false\nlimit_number_of_concurrent_deployments = 2\n\
         lock_all_containers_in_environment = true\n[containers.b]\n[engines.bpm]\n[groups.g]\ncontainers = [\"b\"]\n\
         [hooks]\ntimeout = \"1s\"\n",
    );
    scene.hold(&["-l", "x"]);
    std::fs::set_permissions(scene.locks(), std::fs::Permissions::from_mode(0o777)).unwrap();
    told(&scene, "check_warnings", &["check"]);
    told(&scene, "check_strict", &["check", "--strict", "-q"]);
}

#[test]
fn a_topology_that_is_wrong_or_missing() {
    let scene = Scene::with_topology("[environments.prod]\nallow_concurent_deployments = true\n");
    told(&scene, "topology_unknown_key", &["check"]);
    told(&scene, "topology_missing", &["--config", "nowhere.toml", "plan", "-e", "prod"]);
    std::fs::write(scene.path("deploylock.toml"), b"[environments]\n\xff\n").unwrap();
    told(&scene, "topology_not_utf8", &["check"]);
    std::fs::write(scene.path("deploylock.toml"), "[environments\n").unwrap();
    told(&scene, "topology_no_toml", &["check"]);
    told(&scene, "topology_is_a_folder", &["--config", ".", "check"]);
}

#[test]
fn a_lock_directory_that_is_none() {
    let scene = Scene::new();
    std::fs::write(scene.path("file"), "").unwrap();
    told(&scene, "lock_dir_is_a_file", &["--lock-dir", "file", "acquire", "-l", "x"]);
    scene.hold(&["-l", "x"]);
    std::fs::write(scene.locks().join("guard"), "deploylock 9\n").unwrap();
    told(&scene, "store_too_new", &["acquire", "-l", "y"]);
    std::fs::remove_file(scene.locks().join("guard")).unwrap();
    std::os::unix::fs::symlink("elsewhere", scene.locks().join("guard")).unwrap();
    told(&scene, "store_foreign", &["acquire", "-l", "y"]);
}
