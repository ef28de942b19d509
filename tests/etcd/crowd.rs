//! A crowd of clients on random targets while members of the cluster are killed and come back. Judged by the
//! commands' own journal and by the fencing tokens. The rules of the journal: whoever writes "in" for a lock that it
//! holds exclusively finds everybody else "out" of it; a shared holder finds no exclusive one in; and of two grants
//! of one lock of which at least one is exclusive the later has the larger token.

use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, Ordering};

use crate::backend::table;
use crate::cluster::Cluster;
use crate::harness::Scene;

const CLIENTS: u32 = 8;
const TURNS: u32 = 12;
const LOCKS: u32 = 3;

/// A number that looks random and is the same in every run.
fn mixed(seed: u32) -> u32 {
    let mut x = seed.wrapping_mul(0x9E37_79B9).wrapping_add(0x85EB_CA6B);
    x ^= x >> 15;
    x = x.wrapping_mul(0x2C1B_3C6D);
    x ^ (x >> 12)
}

/// The commands append a line as they begin and one as they end; lines this short are appended whole.
const SCRIPT: &str = "echo in $DEPLOYLOCK_TOKEN $MODE $DEPLOYLOCK_LOCKS >> journal; sleep 0.03; \
                      echo out $DEPLOYLOCK_TOKEN $MODE $DEPLOYLOCK_LOCKS >> journal";

fn client(scene: &Scene, number: u32) {
    for turn in 0..TURNS {
        let random = mixed(number * 1000 + turn);
        let first = format!("lock{}", random % LOCKS);
        let second = format!("lock{}", (random / 7) % LOCKS);
        let shared = random.is_multiple_of(3);
        let mut args = vec!["run", "--wait", "-q", "-l", &first];
        if second != first {
            args.extend(["-l", &second]);
        }
        if shared {
            args.push("--shared");
        }
        args.extend(["--", "sh", "-c", SCRIPT]);
        let mut command = scene.command(&args);
        command.env("MODE", if shared { "shared" } else { "exclusive" });
        // Out of reach is an honest answer while members are killed; then it has not run.
        loop {
            let said = crate::steps::done(&mut command);
            match said.code {
                0 => break,
                69 => {}
                _ => panic!("{said:?}"),
            }
        }
    }
}

/// Holds the journal against its rules. How many came in.
fn judge(journal: &str) -> usize {
    let mut inside: HashMap<String, Vec<(u64, bool)>> = HashMap::new();
    let mut last: HashMap<String, (u64, u64)> = HashMap::new();
    let mut count = 0;
    for line in journal.lines() {
        let words: Vec<&str> = line.split(' ').collect();
        let (token, exclusive): (u64, bool) = (words[1].parse().unwrap(), words[2] == "exclusive");
        for lock in &words[3..] {
            let holders = inside.entry((*lock).to_owned()).or_default();
            if words[0] == "out" {
                holders.retain(|(t, _)| *t != token);
                continue;
            }
            let conflict = holders.iter().any(|(_, e)| exclusive || *e);
            assert!(!conflict, "{line}: {holders:?} in {lock} already");
            // The largest token of any grant so far, and of any exclusive one.
            let (any, exclusively) = last.entry((*lock).to_owned()).or_default();
            let least = if exclusive { *any } else { *exclusively };
            assert!(token > least, "{line}: {least} was before it at {lock}");
            *any = token.max(*any);
            if exclusive {
                *exclusively = token;
            }
            holders.push((token, exclusive));
        }
        count += usize::from(words[0] == "in");
    }
    assert!(inside.values().all(Vec::is_empty), "{inside:?}");
    count
}

#[test]
fn no_two_hold_at_once_whatever_happens_to_the_cluster() {
    let mut cluster = Cluster::start(3);
    let scene = Scene::new();
    std::fs::write(scene.path("deploylock.toml"), table(&cluster.endpoints(), scene.root(), 30)).unwrap();
    let done = AtomicBool::new(false);
    std::thread::scope(|scope| {
        let clients: Vec<_> = (0..CLIENTS)
            .map(|number| {
                let scene = &scene;
                scope.spawn(move || client(scene, number))
            })
            .collect();
        let (cluster, done) = (&mut cluster, &done);
        scope.spawn(move || {
            let mut turn = 0;
            while !done.load(Ordering::SeqCst) {
                // The leader twice, then another.
                let victim = if turn % 3 < 2 { cluster.leader() } else { turn % 3 };
                cluster.kill(victim);
                std::thread::sleep(std::time::Duration::from_millis(1500));
                cluster.begin(victim);
                cluster.until_up(victim);
                // Some work is to be done between two deaths.
                std::thread::sleep(std::time::Duration::from_millis(1500));
                turn += 1;
            }
        });
        let ended: Vec<_> = clients.into_iter().map(std::thread::ScopedJoinHandle::join).collect();
        done.store(true, Ordering::SeqCst);
        assert!(ended.iter().all(Result::is_ok));
    });
    let journal = std::fs::read_to_string(scene.path("journal")).unwrap();
    assert_eq!(judge(&journal), (CLIENTS * TURNS) as usize);
    assert!(scene.in_state("held").is_empty() && scene.in_state("waiting").is_empty());
}
