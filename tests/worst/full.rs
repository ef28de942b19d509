//! A disk that is full for real: a small file system in a mount namespace of the test's own, filled to its last byte
//! or its last inode. What is held stays held, giving back works, and taking fails with a clear message.

use std::process::Command;

use serde_json::Value;

use crate::harness::{Said, Scene, said};

/// Runs this script where `disk` is a file system of its own, with a store on it. `fill` fills it, `say` runs
/// `deploylock` and leaves what it said in files.
fn on_a_small_disk(scene: &Scene, options: &str, script: &str) -> Said {
    let script = format!(
        "set -e; mkdir disk; mount -t tmpfs -o {options} none disk; export DEPLOYLOCK_DIR=$PWD/disk/locks\n\
         say() {{ name=$1; shift; code=0; deploylock \"$@\" > $name.out 2> $name.err || code=$?; echo $code > $name.code; }}\n\
         fill() {{ dd if=/dev/zero of=disk/fill bs=1k 2>/dev/null || :; i=0; while : > disk/fill$i; do i=$((i+1)); done 2>/dev/null || :; }}\n\
         {script}"
    );
    let mut unshare = scene.program("unshare");
    unshare.args(["--user", "--map-root-user", "--mount", "bash", "-c", &script]);
    run(unshare)
}

fn run(mut command: Command) -> Said {
    said(command.output().unwrap())
}

/// What a command of the script said.
fn heard(scene: &Scene, name: &str) -> Said {
    let read = |end: &str| std::fs::read_to_string(scene.path(&format!("{name}.{end}"))).unwrap();
    Said { code: read("code").trim().parse().unwrap(), out: read("out"), err: read("err") }
}

/// The ids of the deployments that are held in a `list --format json`.
fn held(list: &Said) -> Vec<String> {
    assert_eq!((list.code, list.err.as_str()), (0, ""), "{list:?}");
    let list: Value = serde_json::from_str(&list.out).unwrap();
    let all = list["deployments"].as_array().unwrap().iter();
    let all = all.inspect(|d| assert_eq!((&d["state"], &d["stale"]), (&"held".into(), &Value::Null), "{d}"));
    all.map(|d| d["id"].as_str().unwrap().to_owned()).collect()
}

#[test]
fn on_a_full_disk_what_is_held_stays_held_and_can_be_given_back() {
    for options in ["size=256k,nr_inodes=1000", "size=4m,nr_inodes=60"] {
        let scene = Scene::new();
        let script = "\
            say one acquire -l a -l b; say two acquire -l c; say three acquire -l d --ttl 1h\n\
            fill\n\
            say taken acquire -n -l a; say new acquire -n -l e; say run run -n -l f -- touch ran\n\
            say wait run -w 1 -l a -- touch ran\n\
            say full list --format json\n\
            say renew renew $(cat three.out) --ttl 2h\n\
            say release release $(cat one.out)\n\
            say clear clear $(cat two.out) --yes\n\
            say stale clear --stale\n\
            say left list --format json\n\
            rm disk/fill*\n\
            say again acquire -n -l a -l b -l c -l e";
        let done = on_a_small_disk(&scene, options, script);
        assert_eq!(done.code, 0, "{options}: {done:?}");
        let id = |name: &str| heard(&scene, name).out.trim().to_owned();
        assert_eq!(held(&heard(&scene, "full")), [id("one"), id("two"), id("three")], "{options}");
        for name in ["new", "run", "wait"] {
            let refused = heard(&scene, name);
            assert_eq!((refused.code, refused.out.as_str()), (1, ""), "{options}, {name}: {refused:?}");
            assert!(
                refused.err.contains("No space left") && refused.err.contains("free some space"),
                "{refused:?}"
            );
            assert_eq!(refused.err.lines().count(), 1, "{refused:?}");
        }
        assert_eq!(heard(&scene, "taken").code, 75, "{options}: {:?}", heard(&scene, "taken"));
        assert!(!scene.path("ran").exists());
        for name in ["renew", "release", "clear", "stale", "again"] {
            let said = heard(&scene, name);
            assert_eq!((said.code, said.err.as_str()), (0, ""), "{options}, {name}: {said:?}");
        }
        assert_eq!(held(&heard(&scene, "left")), [id("three")], "{options}");
    }
}

#[test]
fn a_run_on_a_disk_that_fills_up_meanwhile_gives_its_locks_back_and_lets_the_next_in() {
    let scene = Scene::new();
    let script = "\
        deploylock run -q -l a -- sh -c 'until [ -e go ]; do sleep 0.05; done' & first=$!\n\
        until [ -n \"$(ls disk/locks/deployments/attached 2>/dev/null)\" ]; do sleep 0.05; done\n\
        deploylock run -q --wait -l a -- touch second & second=$!\n\
        until [ -n \"$(ls disk/locks/deployments/waiting)\" ]; do sleep 0.05; done\n\
        fill; touch go\n\
        wait $first; wait $second\n\
        say left list --format json";
    let done = on_a_small_disk(&scene, "size=256k,nr_inodes=1000", script);
    assert_eq!((done.code, done.err.as_str()), (0, ""), "{done:?}");
    assert!(scene.path("second").exists());
    assert_eq!(held(&heard(&scene, "left")), Vec::<String>::new());
}
