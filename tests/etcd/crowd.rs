//! A crowd of clients on random targets while everything happens to the cluster. Judged by the commands' own journal
//! and by the fencing tokens, by the rules that `docs/etcd.md` says ("How it is judged").

use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use crate::backend::table;
use crate::cluster::Cluster;
use crate::harness::{PATIENCE, Scene, within};
use crate::proxy::Proxy;

const CLIENTS: u32 = 8;
const TURNS: u32 = 12;
const LOCKS: u32 = 3;
/// Longer than anything that happens to the cluster.
const LEASE: Duration = Duration::from_secs(30);

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

/// How long each of these things lasts; none as long as a lease or as anybody's patience.
const FAULT: Duration = Duration::from_millis(1500);

/// What happens to the cluster, one after the other.
fn harm(turn: usize, cluster: &mut Cluster, network: &[Proxy]) {
    let (leader, other) = (cluster.leader(), turn % 3);
    let back = |cluster: &mut Cluster, members: &[usize]| {
        std::thread::sleep(FAULT);
        members.iter().for_each(|i| cluster.begin(*i));
        members.iter().for_each(|i| cluster.until_up(*i));
    };
    match turn % 6 {
        0 | 3 => {
            cluster.kill(leader);
            back(cluster, &[leader]);
        }
        // Carried out, and nobody hears of it.
        1 => network.iter().for_each(|way| way.lose(2)),
        // The majority.
        2 => {
            let two = [leader, (leader + 1) % 3];
            two.iter().for_each(|i| cluster.kill(*i));
            back(cluster, &two);
        }
        // Silence on the way to one of them.
        4 => {
            network[other].cut();
            std::thread::sleep(FAULT);
            network[other].mend();
        }
        // It thinks that it leads, and wakes up to find out.
        _ => {
            cluster.signal(leader, "STOP");
            std::thread::sleep(FAULT);
            cluster.signal(leader, "CONT");
            cluster.until_up(leader);
        }
    }
    // Some work is to be done between two of them.
    std::thread::sleep(Duration::from_millis(500));
}

#[test]
fn no_two_hold_at_once_whatever_happens_to_the_cluster() {
    let mut cluster = Cluster::start(3);
    let scene = Scene::new();
    let network: Vec<Proxy> = (0..3).map(|i| Proxy::to(cluster.port(i))).collect();
    let endpoints: Vec<String> = network.iter().map(Proxy::endpoint).collect();
    std::fs::write(scene.path("deploylock.toml"), table(&endpoints, scene.root(), LEASE.as_secs())).unwrap();
    let done = AtomicBool::new(false);
    let harms = std::thread::scope(|scope| {
        let clients: Vec<_> = (0..CLIENTS)
            .map(|number| {
                let scene = &scene;
                scope.spawn(move || client(scene, number))
            })
            .collect();
        let (cluster, network, done) = (&mut cluster, &network, &done);
        let harming = scope.spawn(move || {
            let mut turn = 0;
            while !done.load(Ordering::SeqCst) {
                harm(turn, cluster, network);
                turn += 1;
            }
            turn
        });
        let ended: Vec<_> = clients.into_iter().map(std::thread::ScopedJoinHandle::join).collect();
        done.store(true, Ordering::SeqCst);
        assert!(ended.iter().all(Result::is_ok));
        harming.join().unwrap()
    });
    println!("{harms} times harmed");
    let journal = std::fs::read_to_string(scene.path("journal")).unwrap();
    assert_eq!(judge(&journal), (CLIENTS * TURNS) as usize);
    // One that was granted by an answer that was lost, and had given up by then, is gone with its lease, which a new
    // leader lets run anew.
    within(LEASE * 2 + PATIENCE, "nothing is left", || {
        scene.in_state("held").is_empty() && scene.in_state("waiting").is_empty()
    });
}

#[test]
fn the_judge_finds_what_is_wrong() {
    let right = "in 5 exclusive name:a\nout 5 exclusive name:a\nin 7 shared name:a name:b\nin 7 shared name:a\n\
                 out 7 shared name:a name:b\nout 7 shared name:a\nin 9 exclusive name:b\nout 9 exclusive name:b";
    assert_eq!(judge(right), 4);
    let wrong = [
        "in 5 exclusive name:a\nin 7 exclusive name:a",
        "in 5 shared name:a\nin 7 exclusive name:a",
        "in 5 exclusive name:a name:b\nin 7 shared name:b",
        "in 7 exclusive name:a\nout 7 exclusive name:a\nin 5 exclusive name:a",
        "in 7 exclusive name:a\nout 7 exclusive name:a\nin 7 shared name:a",
        "in 7 shared name:a\nout 7 shared name:a\nin 6 exclusive name:a",
        "in 7 shared name:a",
    ];
    for journal in wrong {
        assert!(std::panic::catch_unwind(|| judge(journal)).is_err(), "{journal}");
    }
}
