//! What a topology file may say although it is probably a mistake.
//!
//! No error lives here: a file with warnings is used as it is.
//!
//! `lock_retry_interval` and `lock_retry_attempts` without `enable_lock_retry` are no mistake: their product
//! also bounds how long a deployment queues at a lock that queues anyway.

use std::collections::HashSet;

use super::{Backend, Concurrency, Environment, Topology};
use crate::topology::suggest::quote;

/// Something that is allowed but looks like a mistake.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Warning {
    /// The line, counted from 1.
    pub line: usize,
    /// What is odd and what comes of it, in one line.
    pub text: String,
}

impl Warning {
    /// Warnings in the order of lines.
    #[must_use]
    pub fn in_order(mut warnings: Vec<Warning>) -> Vec<Warning> {
        warnings.sort_by_key(|warning| warning.line);
        warnings
    }
}

/// Every warning, in the order of lines.
pub(super) fn collect(topology: &Topology) -> Vec<Warning> {
    let mut found = Vec::new();
    store(topology, &mut found);
    limits(topology, &mut found);
    for (name, environment) in &topology.environments {
        lock_all(name, environment, &mut found);
    }
    engines(topology, &mut found);
    containers(topology, &mut found);
    groups(topology, &mut found);
    if topology.hooks.commands.is_empty() {
        warn(&mut found, topology.hooks.timeout.line, || {
            "timeout has no effect: [hooks] names no hook".to_owned()
        });
    }
    Warning::in_order(found)
}

fn store(topology: &Topology, found: &mut Vec<Warning>) {
    let store = &topology.store;
    if store.backend.value == Backend::Files {
        for (key, line) in [
            ("endpoints", store.endpoints.line),
            ("prefix", store.prefix.line),
            ("ca", store.ca.line),
            ("cert", store.cert.line),
            ("key", store.key.line),
            ("user", store.user.line),
            ("password_file", store.password_file.line),
            ("lease", store.lease.line),
        ] {
            warn(found, line, || format!("{key} has no effect: it is for backend = \"etcd\""));
        }
    }
}

fn limits(topology: &Topology, found: &mut Vec<Warning>) {
    let environments = topology.environments.iter().map(|(name, it)| ("environment", name, &it.concurrency));
    let containers = topology.containers.iter().map(|(name, it)| ("container", name, &it.concurrency));
    let groups = topology.groups.iter().map(|(name, it)| ("group", name, &it.concurrency));
    let applications = topology.applications.iter().map(|(name, it)| ("application", name, &it.concurrency));
    let locks = topology.locks.iter().map(|(name, it)| ("lock", name, &it.concurrency));
    for (kind, name, concurrency) in
        environments.chain(containers).chain(groups).chain(applications).chain(locks)
    {
        limit(&format!("{kind} {}", quote(name)), concurrency, found);
    }
    for (name, application) in &topology.applications {
        for (environment, deployed) in &application.environments {
            let what = format!("application {} in {}", quote(name), quote(environment));
            limit(&what, &deployed.concurrency, found);
        }
    }
}

fn limit(what: &str, concurrency: &Concurrency, found: &mut Vec<Warning>) {
    if !concurrency.allow.value {
        warn(found, concurrency.limit.line, || {
            format!(
                "limit_number_of_concurrent_deployments has no effect: {what} allows no concurrent deployments"
            )
        });
    }
}

fn lock_all(name: &str, environment: &Environment, found: &mut Vec<Warning>) {
    if !environment.lock_all.value {
        return;
    }
    let line = environment.lock_all.line;
    let name = quote(name);
    if environment.concurrency.allow.value {
        warn(found, line, || {
            format!(
                "lock_all_containers_in_environment has no effect: environment {name} allows concurrent \
                 deployments (only --exclusive makes it count)"
            )
        });
    } else if environment.containers.is_empty() {
        warn(found, line, || {
            format!("lock_all_containers_in_environment has no effect: environment {name} has no containers")
        });
    }
}

fn engines(topology: &Topology, found: &mut Vec<Warning>) {
    let used = topology.environments.values().filter_map(|it| it.engine.value.as_deref());
    let used: HashSet<&str> = used.collect();
    for (name, engine) in &topology.engines {
        let quoted = quote(name);
        if !used.contains(name.as_str()) {
            warn(found, Some(engine.line), || format!("no environment uses engine {quoted}"));
        } else if !engine.lock_used.value {
            warn(found, engine.lock_used.line, || {
                format!(
                    "without its lock several deployments may go through engine {quoted} at once; what keeps \
                     duplicates and versions apart (`run --resource`) is the application's lock alone, one \
                     application in one environment at a time"
                )
            });
        }
    }
}

fn containers(topology: &Topology, found: &mut Vec<Warning>) {
    let deployed_to = in_environments(topology);
    let related = topology.containers.values().filter_map(|it| it.part_of.value.as_deref());
    let related: HashSet<&str> = related.collect();
    for (name, container) in &topology.containers {
        if !deployed_to.contains(name.as_str()) && !related.contains(name.as_str()) {
            warn(found, Some(container.line), || {
                format!(
                    "container {} is never locked: no environment lists it and none is part of it",
                    quote(name)
                )
            });
        }
    }
}

fn groups(topology: &Topology, found: &mut Vec<Warning>) {
    let deployed_to = in_environments(topology);
    for (name, group) in &topology.groups {
        if !group.containers.iter().any(|listed| deployed_to.contains(listed.name.as_str())) {
            warn(found, Some(group.line), || {
                format!("group {} is never locked: no environment lists any of its containers", quote(name))
            });
        }
    }
}

fn in_environments(topology: &Topology) -> HashSet<&str> {
    let lists = topology.environments.values().flat_map(|environment| &environment.containers);
    lists.map(|listed| listed.name.as_str()).collect()
}

/// Adds a warning where a line sets what it is about.
fn warn(found: &mut Vec<Warning>, line: Option<usize>, text: impl FnOnce() -> String) {
    if let Some(line) = line {
        found.push(Warning { line, text: text() });
    }
}
