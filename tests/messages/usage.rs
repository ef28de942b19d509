//! Usage errors: what was typed wrongly, and what to type instead.

use crate::harness::Scene;
use crate::told::told;

#[test]
fn undeclared_names() {
    let scene = Scene::with_topology(
        "[environments.production]\ncontainers = [\"web-1\"]\n[containers.cell]\n[applications.shop]\n",
    );
    told(&scene, "usage_close_name", &["acquire", "-e", "prodution"]);
    told(&scene, "usage_no_close_name", &["acquire", "-e", "zzz"]);
    told(&scene, "usage_container_outside", &["acquire", "-e", "production", "-c", "cell"]);
    told(&scene, "usage_unknown_application", &["acquire", "-e", "production", "-a", "x"]);
    told(&scene, "usage_nothing", &["acquire"]);
    told(&scene, "usage_needs_environment", &["acquire", "-a", "shop"]);
    told(&scene, "usage_resource_needs_application", &["run", "-l", "x", "--resource", "f", "--", "true"]);
    told(&scene, "usage_wait_for_what", &["wait"]);
    told(&scene, "usage_plan", &["plan", "-e", "prodution"]);
}

#[test]
fn without_a_topology() {
    let scene = Scene::new();
    told(&scene, "usage_no_topology", &["acquire", "-e", "prod"]);
}

#[test]
fn values() {
    let scene = Scene::new();
    let acquire = |name: &str, more: &[&str]| told(&scene, name, &[&["acquire", "-l", "x"], more].concat());
    acquire("usage_ttl_zero", &["--ttl", "0"]);
    acquire("usage_ttl_too_long", &["--ttl", "1000y"]);
    acquire("usage_ttl_wrong", &["--ttl", "soon"]);
    acquire("usage_wait_wrong", &["-w", "soon"]);
    acquire("usage_slots_zero", &["--slots", "0"]);
    acquire("usage_shared_and_slots", &["--slots", "2", "--shared"]);
    acquire("usage_operation", &["--operation", "install"]);
    acquire("usage_owner_pid_zero", &["--owner-pid", "0"]);
    acquire("usage_owner_pid_gone", &["--owner-pid", "4194304"]);
    acquire("usage_wait_and_no_wait", &["-n", "--wait"]);
    acquire("usage_unknown_option", &["--no-wiat"]);
    acquire("usage_exit_code", &["-E", "300"]);
    told(&scene, "usage_name_empty", &["acquire", "-l", ""]);
    told(&scene, "usage_name_too_long", &["acquire", "-l", &"x".repeat(201)]);
    told(&scene, "usage_name_control", &["acquire", "-l", "a\u{1b}b"]);
    told(&scene, "usage_not_an_id", &["release", "7"]);
    told(&scene, "usage_unknown_command", &["aquire"]);
    told(&scene, "usage_since", &["history", "--since", "yesterday"]);
    told(&scene, "usage_event", &["history", "--event", "x"]);
}
