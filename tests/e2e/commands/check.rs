//! `check`, `init` and `completions`.

use crate::harness::{Said, Scene};

const CLEAN: &str = "[environments.prod]\ncontainers = [\"a\"]\n";

fn all(said: &Said) -> String {
    format!("{}{}", said.out, said.err)
}

#[test]
fn check_of_a_clean_topology_is_0_even_strictly() {
    let scene = Scene::with_topology(CLEAN);
    scene.ok(&["check", "--strict"]);
    let id = scene.hold(&["-e", "prod"]);
    scene.ok(&["check", "--strict"]);
    scene.ok(&["release", &id]);
    scene.ok(&["check", "--strict"]);
}

#[test]
fn check_without_a_topology_looks_at_the_store() {
    let scene = Scene::new();
    scene.ok(&["check"]);
    scene.hold(&["-l", "x"]);
    scene.ok(&["check"]);
    assert_eq!(scene.in_state("held").len(), 1);
}

#[test]
fn warnings_alone_are_0_and_1_when_strict() {
    for (topology, what) in [
        (
            "[environments.prod]\ncontainers = [\"a\"]\nlock_all_containers_in_environment = true\n",
            "deploylock.toml:3",
        ),
        (
            "[locks.x]\nallow_concurrent_deployments = false\nlimit_number_of_concurrent_deployments = 2\n",
            "deploylock.toml:3",
        ),
    ] {
        let scene = Scene::with_topology(topology);
        let said = scene.run(&["check"]);
        assert_eq!(said.code, 0, "{said:?}");
        assert!(all(&said).contains("warning") && all(&said).contains(what), "{said:?}");
        scene.fails(1, &["check", "--strict"]);
    }
}

#[test]
fn what_is_stale_is_a_warning_of_check() {
    let scene = Scene::with_topology(CLEAN);
    let id = scene.hold(&["-l", "x", "--ttl", "10ms"]);
    crate::harness::eventually("the ttl passes", || scene.run(&["check", "--strict"]).code == 1);
    let said = scene.run(&["check"]);
    assert_eq!(said.code, 0);
    assert!(all(&said).contains(&id), "a leftover is named: {said:?}");
}

#[test]
fn a_hook_whose_program_is_not_there_is_a_warning_with_its_line() {
    let scene = Scene::with_topology(
        "[hooks]\non_wait = ['sh', '-c', 'true']\non_grant = ['./plain']\non_stale = ['no-such-program']\n\
         on_clear = ['/bin/sh']\n",
    );
    std::fs::write(scene.path("plain"), "").unwrap();
    let said = scene.fails(1, &["check", "--strict"]);
    let warnings: Vec<&str> = said.out.lines().filter(|l| l.starts_with("warning")).collect();
    assert_eq!(warnings.len(), 2, "{said:?}");
    assert!(warnings[0].contains("deploylock.toml:3: the hook on_grant"), "{said:?}");
    assert!(warnings[1].contains("deploylock.toml:4") && warnings[1].contains("no-such-program"), "{said:?}");
}

#[test]
fn a_wrong_topology_is_78_with_line_and_column_and_the_line_itself() {
    for (topology, place, says) in [
        ("[environments.prod]\ncontaners = [\"a\"]\n", "2:1", "containers"),
        ("[environments.prod]\ncontainers = [\"a\"\nx = 1\n", "", ""),
        (
            "[environments.prod]\nallow_concurrent_deployments = \"no\"\n",
            "2:32",
            "allow_concurrent_deployments",
        ),
        ("[environments.prod]\nlimit_number_of_concurrent_deployments = 0\n", "2:42", "limit"),
        ("[environments.prod]\nlock_retry_interval = \"soon\"\n", "2:23", "soon"),
        ("[environments.prod]\nengine = \"bpm\"\n", "2:10", "bpm"),
        ("[groups.web]\ncontainers = [\"a\"]\n", "2:15", "a"),
        ("[containers.a]\npart_of = \"b\"\n", "2:11", "b"),
        ("[applications.shop.environments.prod]\n", "1:", "prod"),
        ("[environments.prod]\non_crash = \"keep\"\n", "2:12", "hold"),
        ("[environments.prod]\ncontainers = [\"a\"]\n[environments.prod]\n", "3:", "prod"),
        ("[containers.a]\npart_of = \"a\"\n", "2:", "part_of"),
        ("[containers.a]\npart_of = \"b\"\n[containers.b]\npart_of = \"a\"\n", "", "part_of"),
        (
            "[environments.prod]\nallow_concurrent_deployments = true\nallowConcurrentDeployments = true\n",
            "3:1",
            "allow_concurrent_deployments",
        ),
        ("[enviroments.prod]\n", "1:2", "environments"),
        ("[store]\nmode = \"rwx\"\n", "2:8", "mode"),
    ] {
        let scene = Scene::with_topology(topology);
        let said = scene.fails(78, &["check"]);
        let text = all(&said);
        assert!(text.contains("deploylock.toml:"), "{text}");
        assert!(text.contains(&format!("deploylock.toml:{place}")), "{place}: {text}");
        assert!(text.contains(says), "{says}: {text}");
        if let Some(number) = place.split(':').next().and_then(|n| n.parse::<usize>().ok()) {
            let line = topology.lines().nth(number - 1).unwrap();
            assert!(text.contains(line), "the line is shown: {text}");
        }
        for command in [&["acquire", "-n", "-e", "prod"][..], &["plan", "-e", "prod"]] {
            assert_eq!(scene.fails(78, command).out, "");
        }
    }
}

#[test]
fn every_key_answers_to_its_camel_case_name() {
    let scene = Scene::with_topology(
        "[environments.prod]\ncontainers = [\"a\", \"b\"]\nallowConcurrentDeployments = false\n\
         lockAllContainersInEnvironment = true\nenableLockRetry = true\nlockRetryInterval = \"100ms\"\n\
         lockRetryAttempts = 1\nonCrash = \"hold\"\nonFailure = \"hold\"\nengine = \"bpm\"\n\
         [containers.a]\nlimitNumberOfConcurrentDeployments = 2\npartOf = \"cell\"\n[containers.cell]\n\
         [engines.bpm]\ndeploymentLockUsed = true\n",
    );
    scene.ok(&["check"]);
    let id = scene.hold(&["-e", "prod", "-c", "a"]);
    assert_eq!(
        crate::steps::locks_of(&scene.deployment(&id).unwrap()),
        [
            "container:a exclusive",
            "container:b exclusive",
            "container:cell shared",
            "engine:bpm exclusive",
            "environment:prod exclusive"
        ]
    );
    let said = scene.fails(75, &["acquire", "-e", "prod"]);
    assert!(scene.in_state("paused").is_empty(), "it waited: {said:?}");
}

#[test]
fn everybody_s_lock_directory_is_a_warning() {
    use std::os::unix::fs::PermissionsExt as _;
    let scene = Scene::with_topology(CLEAN);
    scene.hold(&["-l", "x"]);
    std::fs::set_permissions(scene.locks(), std::fs::Permissions::from_mode(0o777)).unwrap();
    let said = scene.run(&["check"]);
    assert_eq!(said.code, 0, "{said:?}");
    assert!(all(&said).contains("warning") && all(&said).contains("777"), "{said:?}");
    scene.fails(1, &["check", "--strict"]);
}

#[test]
fn init_writes_a_starter_that_check_accepts() {
    let scene = Scene::new();
    scene.ok(&["init"]);
    let text = std::fs::read_to_string(scene.path("deploylock.toml")).unwrap();
    assert!(text.lines().filter(|l| l.starts_with('#')).count() > 10, "it explains itself");
    scene.ok(&["check", "--strict"]);
    scene.ok(&["plan", "-e", "prod"]);
}

#[test]
fn the_starter_is_right_with_every_example_switched_on() {
    let scene = Scene::new();
    scene.ok(&["init"]);
    let text = std::fs::read_to_string(scene.path("deploylock.toml")).unwrap();
    // "#" and no space begins a setting, by its own words. The keys of another backend and other issues stay off.
    let off = ["endpoints", "prefix", "backend", "wait_for_manual", "directory", "mode"];
    let on = |line: &str| match line.strip_prefix('#') {
        Some(setting) if !setting.is_empty() && !setting.starts_with(' ') => {
            let skip = off.iter().any(|key| setting.starts_with(key));
            if skip { line.to_owned() } else { setting.to_owned() }
        }
        _ => line.to_owned(),
    };
    let text: Vec<String> = text.lines().map(on).collect();
    std::fs::write(scene.path("deploylock.toml"), text.join("\n")).unwrap();
    scene.ok(&["check"]);
    scene.ok(&["plan", "-e", "prod", "-a", "shop"]);
}

#[test]
fn init_overwrites_nothing() {
    let scene = Scene::with_topology(CLEAN);
    let said = scene.fails(1, &["init"]);
    assert!(said.err.contains("deploylock.toml"), "{}", said.err);
    assert_eq!(std::fs::read_to_string(scene.path("deploylock.toml")).unwrap(), CLEAN);
    std::os::unix::fs::symlink(scene.path("nowhere"), scene.path("link.toml")).unwrap();
    scene.fails(1, &["init", "link.toml"]);
    assert!(!scene.path("nowhere").exists(), "not through a symbolic link either");
}

#[test]
fn completions_for_every_shell() {
    let scene = Scene::new();
    for shell in ["bash", "zsh", "fish", "elvish", "powershell"] {
        let said = scene.run(&["completions", shell]);
        assert_eq!((said.code, said.err.as_str()), (0, ""));
        for word in ["deploylock", "acquire", "no-wait", "older-than"] {
            assert!(said.out.contains(word), "{shell} does not know {word}");
        }
    }
    scene.fails(2, &["completions", "command.com"]);
    std::fs::write(scene.path("c.bash"), scene.ok(&["completions", "bash"])).unwrap();
    assert_eq!(scene.shell("bash", "source ./c.bash && complete -p deploylock >/dev/null").code, 0);
}
