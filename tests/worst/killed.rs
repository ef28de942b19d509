//! The real binary, ended by SIGKILL at every system call it makes.

use crate::cases::{Case, Stage, chosen};
use crate::points::{KILLED, bounded, in_parallel, injected, points};

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
