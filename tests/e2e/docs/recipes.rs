//! The jobs of the recipes: their shell parts, taken out of the pages and run in the order in which the tool would.

use super::jobs::{Part, ansible, capistrano, exec_lines, github, gitlab, jenkins};
use super::pages::{Page, folder};
use crate::harness::{Scene, eventually};
use crate::steps::{done, text};
use crate::tools::{Group, nothing_left, read};

const TOPOLOGY: &str = "[applications.shop]\n[environments.prod]\ncontainers = [\"web-1\"]\n\
                        allow_concurrent_deployments = false\n";

/// How the job goes, and what the history is to say of it.
const ENDS: [(&str, &str); 3] = [("ok", "done"), ("fail", "failed"), ("hang", "aborted")];

/// The block of this job.
fn job(page: &str, name: &str) -> String {
    let blocks = Page::of(&format!("recipes/{page}")).blocks();
    let found = blocks.into_iter().find(|block| block.note("job") == Some(name));
    found.unwrap_or_else(|| panic!("no job {name} in {page}")).text
}

/// A working copy of a project whose deployment goes like this.
fn project(how: &str) -> Scene {
    let scene = Scene::with_topology(TOPOLOGY);
    let deploy = match how {
        "ok" => "echo deployed",
        "fail" => "exit 3",
        _ => "touch hangs; exec sleep 600",
    };
    let seen = "deploylock list --env prod --state held --format json > seen";
    for (name, does) in [("migrate.sh", "echo migrated"), ("deploy.sh", deploy)] {
        let path = scene.path(name);
        std::fs::write(&path, format!("#!/bin/sh\n{seen}\n{does}\n")).unwrap();
        let mode = std::os::unix::fs::PermissionsExt::from_mode(0o755);
        std::fs::set_permissions(&path, mode).unwrap();
    }
    scene
}

/// Runs one part; a job that hangs is told to end, as a tool does that is asked to cancel. Whether it went well.
fn step(scene: &Scene, shell: &[&str], part: &str, variables: &[(&str, &str)]) -> bool {
    let mut command = scene.program(shell[0]);
    command.args(&shell[1..]).args(["-c", part]).envs(variables.iter().copied());
    let mut group = Group::start(command);
    group.let_go();
    eventually("a step ends or hangs", || !group.is_running() || scene.path("hangs").exists());
    if group.is_running() {
        let _ = std::fs::remove_file(scene.path("hangs"));
        done(scene.program("kill").args(["-TERM", "--", &format!("-{}", group.pid())]));
    }
    group.end().code == 0
}

/// The locks were held meanwhile and are free now, and the history knows how it went.
fn went(scene: &Scene, what: &str, outcome: &str) {
    assert!(read(scene, "seen").contains("environment:prod"), "{what}: it held while it deployed");
    nothing_left(scene);
    let history: serde_json::Value =
        serde_json::from_str(&scene.ok(&["history", "--format", "json"])).unwrap();
    let last = history["events"].as_array().unwrap().last().unwrap().clone();
    assert_eq!(text(&last["outcome"]), outcome, "{what}: {last}");
}

#[test]
fn the_gitlab_job_gives_back_whatever_becomes_of_it() {
    for (how, outcome) in ENDS {
        let scene = project(how);
        let (script, after) = gitlab(&job("ci.md", "gitlab"));
        let well = step(&scene, &["bash", "-eo", "pipefail"], &script, &[("CI_JOB_URL", "https://ci/1")]);
        assert_eq!(well, how == "ok");
        let status = [("ok", "success"), ("fail", "failed"), ("hang", "canceled")];
        let status = status.iter().find(|(h, _)| *h == how).unwrap().1;
        assert!(step(&scene, &["bash", "-eo", "pipefail"], &after, &[("CI_JOB_STATUS", status)]));
        went(&scene, how, outcome);
    }
}

#[test]
fn a_gitlab_job_that_is_refused_releases_nothing() {
    let scene = project("ok");
    let other = scene.hold(&["--env", "prod"]);
    let (script, after) = gitlab(&job("ci.md", "gitlab"));
    let impatient = script.replace("--wait=30m", "--no-wait");
    assert!(!step(&scene, &["bash", "-eo", "pipefail"], &impatient, &[]));
    assert!(step(&scene, &["bash", "-eo", "pipefail"], &after, &[("CI_JOB_STATUS", "failed")]));
    assert_eq!(scene.state_of(&other), "held");
}

#[test]
fn the_github_job_gives_back_whatever_becomes_of_it() {
    for (how, outcome) in ENDS {
        let scene = project(how);
        let mut failed = false;
        for Part { section, shell } in github(&job("ci.md", "github")) {
            let always = section == "always()";
            if failed && !always {
                continue;
            }
            let set = read(&scene, "github-env");
            let status = match (failed, how) {
                (false, _) => "success",
                (true, "hang") => "cancelled",
                _ => "failure",
            };
            let file = scene.path("github-env").display().to_string();
            let mut variables = vec![("GITHUB_ENV", file.as_str()), ("JOB_STATUS", status)];
            variables.extend(set.lines().filter_map(|line| line.split_once('=')));
            variables.extend([("GITHUB_SERVER_URL", "https://github.com"), ("GITHUB_RUN_ID", "1")]);
            let well = step(&scene, &["bash", "-eo", "pipefail"], &shell, &variables);
            assert!(well || !always, "{how}: {shell}");
            failed |= !well;
        }
        assert_eq!(failed, how != "ok");
        went(&scene, how, outcome);
    }
}

#[test]
fn the_jenkins_job_gives_back_whatever_becomes_of_it() {
    for (how, outcome) in ENDS {
        let scene = project(how);
        let parts = jenkins(&job("ci.md", "jenkins"));
        let conditions: &[&str] = match how {
            "ok" => &["success", "cleanup"],
            "fail" => &["failure", "unsuccessful", "cleanup"],
            _ => &["aborted", "unsuccessful", "cleanup"],
        };
        let run = |shell: &str| step(&scene, &["sh", "-xe"], shell, &[("BUILD_URL", "https://ci/1")]);
        let well = parts.iter().filter(|part| part.section == "steps").all(|part| run(&part.shell));
        assert_eq!(well, how == "ok");
        for condition in conditions {
            for part in parts.iter().filter(|part| part.section == *condition) {
                assert!(run(&part.shell), "{how} {condition}");
            }
        }
        went(&scene, how, outcome);
    }
}

#[test]
fn the_playbook_and_the_capistrano_tasks_give_back() {
    for (how, outcome) in &ENDS[..2] {
        let scene = project(how);
        let parts = ansible(&job("ansible-capistrano.md", "ansible"));
        let (block, always): (Vec<_>, Vec<_>) = parts.into_iter().partition(|p| p.section == "block");
        let id = scene.ok(&block[0].shell.split_whitespace().skip(1).collect::<Vec<_>>());
        let well = block[1..].iter().all(|part| step(&scene, &["sh"], &part.shell, &[]));
        assert_eq!(well, *how == "ok");
        let release = always[0].shell.replace("{{ lock.stdout }}", &id);
        let release = release.replace("{{ outcome | default('failed') }}", outcome);
        assert!(step(&scene, &["sh"], &release, &[]), "{release}");
        went(&scene, how, outcome);

        let scene = project(how);
        let tasks = capistrano(&job("ansible-capistrano.md", "capistrano"));
        let of = |name: &str| tasks.iter().find(|t| t.section == name).unwrap().shell.clone();
        let id = scene.ok(&of("acquire").split_whitespace().skip(1).collect::<Vec<_>>());
        let well = step(&scene, &["sh"], "./deploy.sh", &[]);
        let last = of(if well { "release" } else { "failed" }).replace("#{fetch(:deploylock_id)}", &id);
        assert!(step(&scene, &["sh"], &last, &[]), "{last}");
        went(&scene, how, outcome);
    }
}

#[test]
fn the_ssh_lines_run_with_something_that_stands_for_ssh() {
    let scene = project("ok");
    let stand_in = "#!/bin/sh\n[ \"$1\" != -tt ] || shift\necho \"$1\" >> hosts\nshift\nexec sh -c \"$*\"\n";
    std::fs::write(scene.path("ssh"), stand_in).unwrap();
    let blocks = Page::of("recipes/make-ssh-systemd.md").blocks();
    let lines: Vec<_> = blocks.iter().filter(|block| block.note("job") == Some("ssh")).collect();
    assert_eq!(lines.len(), 3);
    for block in lines {
        let line = block.text.replace("/srv/shop/", "./");
        assert!(step(&scene, &["sh"], &format!("chmod +x ssh; PATH=$PWD:$PATH; {line}"), &[]), "{line}");
    }
    assert_eq!(read(&scene, "hosts").lines().count(), 3);
    went(&scene, "ssh", "done");
}

#[test]
fn the_systemd_unit_gives_back_whatever_becomes_of_it() {
    let unit = job("make-ssh-systemd.md", "systemd");
    for (how, outcome) in &ENDS[..2] {
        let scene = project(how);
        std::fs::create_dir(scene.path("runtime")).unwrap();
        let folder = scene.path("runtime").display().to_string();
        let run = |part: &Part, result: &str| {
            let variables = [("RUNTIME_DIRECTORY", folder.as_str()), ("SERVICE_RESULT", result)];
            step(&scene, &["sh"], &part.shell, &variables)
        };
        let parts = exec_lines(&unit);
        let (stop, start): (Vec<_>, Vec<_>) = parts.iter().partition(|p| p.section == "ExecStopPost");
        let well = start.iter().all(|part| run(part, ""));
        assert_eq!(well, *how == "ok");
        assert!(run(stop[0], if well { "success" } else { "exit-code" }));
        went(&scene, how, outcome);
    }
}

#[test]
fn the_units_are_what_systemd_takes() {
    let scene = Scene::new();
    std::fs::write(scene.path("recipe.service"), job("make-ssh-systemd.md", "systemd")).unwrap();
    let packaging = folder().join("packaging");
    for name in ["deploylock-clear.service", "deploylock-clear.timer"] {
        std::fs::copy(packaging.join(name), scene.path(name)).unwrap();
    }
    let mut verify = scene.program("systemd-analyze");
    verify.args([
        "verify",
        "--man=no",
        "./recipe.service",
        "./deploylock-clear.service",
        "./deploylock-clear.timer",
    ]);
    let said = done(&mut verify);
    // The program is not installed where it will be.
    let ours = |line: &&str| {
        (line.contains("recipe") || line.contains("deploylock-clear"))
            && !line.contains("not executable")
            && !line.contains("bad unit file setting")
    };
    let complaints: Vec<&str> = said.err.lines().filter(ours).collect();
    assert!(complaints.is_empty(), "{complaints:#?}");
}

#[test]
fn both_spellings_of_a_replaced_setting_are_known() {
    let page = Page::of("recipes/replacing.md").text;
    let section = page.split("## The deployment server").nth(1).unwrap();
    let reference = Page::of("topology.md").text;
    let mut found = 0;
    for line in section.lines().filter(|line| line.starts_with("| ")) {
        let cells: Vec<&str> = line.split('|').collect();
        let Some(old) = cells[2].split('`').nth(1) else { continue };
        let new = cells[3].split('`').nth(1).unwrap();
        let snake: String = old
            .chars()
            .flat_map(|c| if c.is_ascii_uppercase() { vec!['_', c.to_ascii_lowercase()] } else { vec![c] })
            .collect();
        assert_eq!(snake, new, "{line}");
        assert!(reference.contains(&format!("| `{new}` |")), "{new} is a key");
        found += 1;
    }
    assert!(found >= 8, "{found}");
}
