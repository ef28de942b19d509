//! The locks on etcd: the scenarios of the lock directory on a real server, and what only a cluster has: members
//! that die, networks that break, answers that never come.

// Real processes need real time: bounds, and that a wait lasts as long as it says.
#![allow(clippy::disallowed_methods)]

#[path = "../cluster/mod.rs"]
mod cluster;
#[path = "../e2e/harness.rs"]
mod harness;
#[allow(dead_code)] // what is for lock directories
#[path = "../e2e/steps.rs"]
mod steps;
#[allow(dead_code)] // what is for lock directories
#[path = "../e2e/tools.rs"]
mod tools;

/// The store that all scenes here use: the shared server, below a prefix that is the scene's alone.
mod backend {
    use std::path::Path;

    /// Short, so that the tests see leases run out.
    pub const LEASE: u64 = 6;

    pub fn store(scene: &Path) -> Option<String> {
        let (cluster, _) = crate::cluster::shared();
        Some(table(&cluster.endpoints(), scene, LEASE))
    }

    /// A `[store]` table.
    pub fn table(endpoints: &[String], scene: &Path, lease: u64) -> String {
        let prefix = scene.file_name().unwrap().to_str().unwrap();
        format!(
            "[store]\nbackend = \"etcd\"\nendpoints = {endpoints:?}\nprefix = \"/{prefix}\"\nlease = \"{lease}s\"\n"
        )
    }
}

mod clocks;
mod commands;
mod crash;
mod crowd;
mod faults;
#[path = "../e2e/nested.rs"]
mod nested;
mod network;
mod proxy;
#[path = "../e2e/queues.rs"]
mod queues;
mod shown;
mod standby;
#[path = "../e2e/table.rs"]
mod table;
mod trips;
#[path = "../e2e/waiting.rs"]
mod waiting;
