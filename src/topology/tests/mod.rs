//! The topology file by table: what is read, what is refused and where, what is worth a warning.

mod accepted;
mod documented;
mod freeze;
mod located;
mod properties;
mod refused;
mod shown;
mod undeclared;
mod warned;

use std::path::Path;

use super::{Topology, TopologyError};

/// The example of INTERFACE.md, whole.
const EXAMPLE: &str = r#"[store]
backend = "files"
directory = "/var/lib/deploylock"
mode = "2770"

[environments.prod]
containers = ["web-1", "web-2", "db"]
allow_concurrent_deployments = false
lock_all_containers_in_environment = true
enable_lock_retry = true
lock_retry_interval = "30s"
lock_retry_attempts = 60
on_crash = "release"
on_failure = "release"
engine = "bpm"

[containers.web-1]
limit_number_of_concurrent_deployments = 2
part_of = "cell-a"

[containers.cell-a]

[groups.web-tier]
containers = ["web-1", "web-2"]
limit_number_of_concurrent_deployments = 1

[applications.shop]
allow_concurrent_deployments = false
[applications.shop.environments.prod]
allow_concurrent_deployments = false
containers = ["web-1"]

[engines.bpm]
deployment_lock_used = true

[locks.db-migrate]
limit_number_of_concurrent_deployments = 1
"#;

fn parse(text: &str) -> Result<Topology, TopologyError> {
    Topology::parse(Path::new("deploylock.toml"), text)
}

#[track_caller]
fn topology(text: &str) -> Topology {
    parse(text).unwrap_or_else(|error| panic!("{error}"))
}

/// Text, line, column, a part of the message.
type Case = (&'static str, usize, usize, &'static str);

#[track_caller]
fn check(cases: &[Case]) {
    for (text, line, column, message) in cases {
        let error = parse(text).expect_err(text);
        assert_eq!((error.line, error.column), (*line, *column), "{error}");
        assert!(error.message.contains(message), "{message:?} is not in\n{error}");
        assert!(!error.message.contains('\n'), "{error}");
    }
}
