//! The real binary, ended by SIGKILL at every system call it makes.

use crate::cases::{Case, Stage, chosen};
use crate::harness::{Scene, eventually, signal};
use crate::points::{KILLED, bounded, calls_until_noted, in_parallel, injected, points};
use crate::tools::{Doomed, Group, is_free, python, soon, until_written};

/// Kills this command at each call. How often it was, and where that went wrong.
fn killed_everywhere(case: &'static Case) -> (usize, Vec<String>) {
    let stage = Stage::set(case);
    let mut all = Vec::new();
    stage.play("undisturbed", |scene, args| {
        let (points, said) = points(scene, args);
        all = points;
        said
    });
    let killed = std::sync::atomic::AtomicUsize::new(0);
    let wrecks = in_parallel(
        &all,
        || Stage::set(case),
        |stage, point| {
            let after = stage.play(&format!("killed at {point}"), |scene, args| {
                bounded(injected(scene, point, "signal=KILL", args))
            });
            if after.said.code == KILLED {
                killed.fetch_add(1, std::sync::atomic::Ordering::SeqCst);
            }
        },
    );
    let killed = killed.into_inner();
    println!("{}: killed at {killed} points", case.name);
    assert!(killed * 10 > all.len() * 9, "{}: only {killed} of {}", case.name, all.len());
    (killed, wrecks.iter().map(|point| format!("{} at {point}", case.name)).collect())
}

#[test]
fn killed_at_every_call_a_command_holds_all_or_nothing_and_the_next_just_works() {
    let (counts, wrecks): (Vec<usize>, Vec<Vec<String>>) = chosen().map(killed_everywhere).unzip();
    let total: usize = counts.iter().sum();
    println!("killed at {total} points in all");
    assert_eq!(wrecks.concat(), Vec::<String>::new());
    assert!(total > 1000 || std::env::var_os("DEPLOYLOCK_WORST_CASE").is_some());
}

#[test]
fn a_command_that_closed_what_it_inherited_keeps_the_locks_of_a_run_killed_right_after_its_start() {
    let scene = Scene::new();
    // Nothing but its environment tells whose it is, until the wrapper has noted its number.
    let script = "import os,sys,time\nos.closerange(3, 4096)\n\
                  f = open('up.new','w'); f.write(str(os.getpid())); f.close(); os.rename('up.new', 'up')\n\
                  while not os.path.exists('end'): time.sleep(0.01)\n";
    let run = ["run", "-n", "-l", "a", "--", python(), "-c", script];
    let mut killed = 0;
    for point in &calls_until_noted(&scene, &run) {
        let _ = std::fs::remove_file(scene.path("up"));
        let mut strace = Group::start(injected(&scene, point, "signal=KILL", &run));
        let command = Doomed(until_written(&scene, "up").parse().unwrap());
        eventually(&format!("killed at {point}"), || !strace.is_running());
        assert!(!is_free(&scene, &["-l", "a"]), "{point}: its command lives");
        assert_eq!(scene.ok(&["clear", "--stale"]), "", "{point}");
        signal(command.0, "KILL");
        // Its output ends with the command.
        killed += usize::from(strace.end().code == KILLED);
        soon("it is free", || is_free(&scene, &["-l", "a"]));
    }
    println!("killed at {killed} points between start and note");
    assert!(killed > 5, "{killed}");
}

#[test]
fn what_a_command_inherits_is_out_of_the_way_of_the_numbers_that_scripts_use() {
    let scene = Scene::new();
    let script =
        "for f in /proc/$$/fd/*; do case $(readlink $f) in */deployments/*) echo ${f##*/};; esac; done";
    let inherited = scene.ok(&["run", "-l", "a", "--", "sh", "-c", script]);
    assert!(inherited.parse::<u32>().is_ok_and(|n| (57..64).contains(&n)), "{inherited}");
    // Where a process may not have so many, it is one that is free.
    let few = format!("ulimit -n 48; exec deploylock run -l a -- sh -c '{script}'");
    let inherited = scene.shell("bash", &few);
    assert_eq!(inherited.code, 0, "{inherited:?}");
    assert!(inherited.out.trim().parse::<u32>().is_ok_and(|n| (3..48).contains(&n)), "{inherited:?}");
}
