//! Which tables the topology file has, and which keys each of them takes.
//!
//! How a value is read is `read`'s; whether names that are used are declared is `check`'s.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::time::Duration;

use toml::de::DeTable;

use super::check::{Needs, References};
use super::error::{Source, TopologyError};
use super::freeze;
use super::read::{ALLOW, Entry, LIMIT, Name, Table};
use super::value::duration;
use super::{
    Application, Backend, Container, DeployedApplication, Engine, Environment, Group, HOOK_TIMEOUT, Hooks,
    Listed, NamedLock, RETRY_ATTEMPTS, RETRY_INTERVAL, Setting, Store, Topology,
};
use crate::model::Hook;

pub(super) const TOP: &[&str] =
    &["store", "environments", "containers", "groups", "applications", "engines", "locks", "hooks"];
pub(super) const STORE: &[&str] = &[
    "backend",
    "directory",
    "mode",
    "endpoints",
    "prefix",
    "ca",
    "cert",
    "key",
    "user",
    "password_file",
    "lease",
];
pub(super) const ENVIRONMENT: &[&str] = &[
    "containers",
    ALLOW,
    LIMIT,
    "lock_all_containers_in_environment",
    "enable_lock_retry",
    "lock_retry_interval",
    "lock_retry_attempts",
    "on_crash",
    "on_failure",
    "wait_for_manual",
    "engine",
    "freeze",
];
pub(super) const CONTAINER: &[&str] = &[ALLOW, LIMIT, "part_of"];
pub(super) const GROUP: &[&str] = &["containers", ALLOW, LIMIT];
pub(super) const APPLICATION: &[&str] = &[ALLOW, LIMIT, "queue", "environments"];
pub(super) const DEPLOYED: &[&str] = &[ALLOW, LIMIT, "containers"];
pub(super) const ENGINE: &[&str] = &["deployment_lock_used"];
pub(super) const LOCK: &[&str] = &[ALLOW, LIMIT];
pub(super) const HOOKS: &[&str] = &["on_wait", "on_grant", "on_release", "on_stale", "on_clear", "timeout"];

const CONTAINER_NAMES: &str = "a list of container names";

/// Reads the whole file.
pub(super) fn topology(path: &Path, text: &str) -> Result<Topology, TopologyError> {
    let source = Source::new(path, text);
    let tree = DeTable::parse(text).map_err(|error| source.syntax(&error))?;
    let top = Table::whole(&source, tree.get_ref(), TOP)?;
    let mut used = References::default();
    let mut topology = Topology {
        path: path.to_owned(),
        store: store(&top)?,
        environments: each(&top, "environments", |entry| environment(&source, entry, &mut used))?,
        containers: each(&top, "containers", |entry| container(&source, entry, &mut used))?,
        groups: each(&top, "groups", |entry| group(&source, entry, &mut used))?,
        applications: each(&top, "applications", |entry| application(&source, entry, &mut used))?,
        engines: each(&top, "engines", |entry| engine(&source, entry))?,
        locks: each(&top, "locks", |entry| named_lock(&source, entry))?,
        hooks: hooks(&top)?,
    };
    declare_listed(&mut topology);
    used.check(&source, &topology)?;
    Ok(topology)
}

/// The tables under a known one, by name.
fn each<'a, T>(
    parent: &Table<'a>,
    known: &str,
    mut read: impl FnMut(&Entry<'a>) -> Result<T, TopologyError>,
) -> Result<BTreeMap<String, T>, TopologyError> {
    // One by one: to collect them would bring a sorting of its own for each of seven types.
    let mut all = BTreeMap::new();
    for entry in &parent.entries(known)? {
        all.insert(entry.name.to_owned(), read(entry)?);
    }
    Ok(all)
}

fn store(top: &Table<'_>) -> Result<Store, TopologyError> {
    let Some(entry) = top.entry("store")? else {
        return Ok(Store {
            line: None,
            backend: Setting::unset(Backend::Files),
            directory: Setting::unset(None),
            mode: Setting::unset(None),
            endpoints: Setting::unset(Vec::new()),
            prefix: Setting::unset(None),
            ca: Setting::unset(None),
            cert: Setting::unset(None),
            key: Setting::unset(None),
            user: Setting::unset(None),
            password_file: Setting::unset(None),
            lease: Setting::unset(None),
        });
    };
    let table = Table::of(top.source, &entry, STORE)?;
    let endpoints = table.names("endpoints", "a list of addresses such as \"http://127.0.0.1:2379\"")?;
    Ok(Store {
        line: Some(table.line),
        backend: table.string("backend", Backend::Files, "\"files\" or \"etcd\"", backend)?,
        directory: table.string("directory", None, "the path of a folder", directory)?,
        mode: table.string("mode", None, "permission bits such as \"2770\", the owner's among them", mode)?,
        endpoints: Setting {
            value: endpoints.unwrap_or_default().into_iter().map(|name| name.text.to_owned()).collect(),
            line: table.line_of("endpoints"),
        },
        prefix: table.string("prefix", None, "a string", |text| Some(Some(text.to_owned())))?,
        ca: table.string("ca", None, "the path of a file", directory)?,
        cert: table.string("cert", None, "the path of a file", directory)?,
        key: table.string("key", None, "the path of a file", directory)?,
        user: table.string("user", None, "the name of a user", user)?,
        password_file: table.string("password_file", None, "the path of a file", directory)?,
        lease: table.string("lease", None, "a time of 6s or more, such as \"30s\"", lease)?,
    })
}

fn backend(text: &str) -> Option<Backend> {
    match text {
        "files" => Some(Backend::Files),
        "etcd" => Some(Backend::Etcd),
        _ => None,
    }
}

fn user(text: &str) -> Option<Option<String>> {
    (!text.is_empty() && !text.contains('\0')).then(|| Some(text.to_owned()))
}

/// Shorter, it would not outlast an election.
fn lease(text: &str) -> Option<Option<Duration>> {
    duration(text).filter(|time| time.as_secs() >= 6).map(Some)
}

fn directory(text: &str) -> Option<Option<PathBuf>> {
    (!text.is_empty() && !text.contains('\0')).then(|| Some(PathBuf::from(text)))
}

/// Octal, with or without `0` or `0o` before it. A folder that its own owner cannot use is refused.
fn mode(text: &str) -> Option<Option<u32>> {
    let digits = text.strip_prefix("0o").unwrap_or(text);
    let octal = !digits.is_empty() && digits.bytes().all(|byte| (b'0'..=b'7').contains(&byte));
    let bits = u32::from_str_radix(digits, 8).ok().filter(|_| octal)?;
    (bits <= 0o7777 && bits & 0o700 == 0o700).then_some(Some(bits))
}

fn environment<'a>(
    source: &'a Source<'a>,
    entry: &Entry<'a>,
    used: &mut References<'a>,
) -> Result<Environment, TopologyError> {
    let table = Table::of(source, entry, ENVIRONMENT)?;
    let attempts = table.count("lock_retry_attempts")?;
    Ok(Environment {
        line: table.line,
        concurrency: table.concurrency()?,
        containers: listed(source, &table.names("containers", CONTAINER_NAMES)?.unwrap_or_default()),
        lock_all: table.bool("lock_all_containers_in_environment", false)?,
        retry: table.bool("enable_lock_retry", false)?,
        retry_interval: table.duration("lock_retry_interval", RETRY_INTERVAL)?,
        retry_attempts: Setting {
            value: attempts.value.map_or(RETRY_ATTEMPTS, |attempts| attempts.get()),
            line: attempts.line,
        },
        on_crash: table.keep("on_crash")?,
        on_failure: table.keep("on_failure")?,
        wait_for_manual: table.bool("wait_for_manual", true)?,
        engine: reference(&table, "engine", "the name of an engine", Needs::Engine, used)?,
        freeze: freeze::windows(source, &table)?,
    })
}

fn container<'a>(
    source: &'a Source<'a>,
    entry: &Entry<'a>,
    used: &mut References<'a>,
) -> Result<Container, TopologyError> {
    let table = Table::of(source, entry, CONTAINER)?;
    Ok(Container {
        line: table.line,
        has_table: true,
        concurrency: table.concurrency()?,
        part_of: reference(&table, "part_of", "the name of a container", Needs::PartOf(entry.name), used)?,
    })
}

fn group<'a>(
    source: &'a Source<'a>,
    entry: &Entry<'a>,
    used: &mut References<'a>,
) -> Result<Group, TopologyError> {
    let table = Table::of(source, entry, GROUP)?;
    let containers = table.names("containers", CONTAINER_NAMES)?.unwrap_or_default();
    let members = listed(source, &containers);
    used.add_all(Needs::Container, containers);
    Ok(Group { line: table.line, concurrency: table.concurrency()?, containers: members })
}

fn application<'a>(
    source: &'a Source<'a>,
    entry: &Entry<'a>,
    used: &mut References<'a>,
) -> Result<Application, TopologyError> {
    let table = Table::of(source, entry, APPLICATION)?;
    Ok(Application {
        line: table.line,
        concurrency: table.concurrency()?,
        latest: table.string("queue", false, "\"all\" or \"latest\"", queue)?,
        environments: each(&table, "environments", |entry| deployed_application(source, entry, used))?,
    })
}

/// Whether only the latest of the waiting ones is kept.
fn queue(text: &str) -> Option<bool> {
    match text {
        "all" => Some(false),
        "latest" => Some(true),
        _ => None,
    }
}

fn deployed_application<'a>(
    source: &'a Source<'a>,
    entry: &Entry<'a>,
    used: &mut References<'a>,
) -> Result<DeployedApplication, TopologyError> {
    let table = Table::of(source, entry, DEPLOYED)?;
    used.add(Needs::Environment, Name { text: entry.name, place: entry.place.clone() });
    let containers = table.names("containers", CONTAINER_NAMES)?.unwrap_or_default();
    if containers.is_empty() {
        // It could be read as "none of them" and as "no mapping, so all".
        table
            .refuse("containers", "must not be empty: leave it out for all containers of the environment")?;
    }
    let mapped = listed(source, &containers);
    used.add_all(Needs::ContainerIn(entry.name), containers);
    Ok(DeployedApplication { line: table.line, concurrency: table.concurrency()?, containers: mapped })
}

fn engine<'a>(source: &'a Source<'a>, entry: &Entry<'a>) -> Result<Engine, TopologyError> {
    let table = Table::of(source, entry, ENGINE)?;
    Ok(Engine { line: table.line, lock_used: table.bool("deployment_lock_used", true)? })
}

fn named_lock<'a>(source: &'a Source<'a>, entry: &Entry<'a>) -> Result<NamedLock, TopologyError> {
    let table = Table::of(source, entry, LOCK)?;
    Ok(NamedLock { line: table.line, concurrency: table.concurrency()? })
}

fn hooks(top: &Table<'_>) -> Result<Hooks, TopologyError> {
    let Some(entry) = top.entry("hooks")? else {
        let timeout = Setting::unset(HOOK_TIMEOUT);
        return Ok(Hooks { line: None, commands: BTreeMap::new(), timeout });
    };
    let table = Table::of(top.source, &entry, HOOKS)?;
    let mut commands = BTreeMap::new();
    for hook in Hook::ALL {
        if let Some(command) = table.command(hook.key())? {
            commands.insert(hook, command);
        }
    }
    Ok(Hooks { line: Some(table.line), commands, timeout: table.duration("timeout", HOOK_TIMEOUT)? })
}

/// A key that names something declared elsewhere.
fn reference<'a>(
    table: &Table<'a>,
    known: &str,
    expected: &str,
    needs: Needs<'a>,
    used: &mut References<'a>,
) -> Result<Setting<Option<String>>, TopologyError> {
    let Some(name) = table.name(known, expected)? else {
        return Ok(Setting::unset(None));
    };
    let setting = Setting { value: Some(name.text.to_owned()), line: table.line_of(known) };
    used.add(needs, name);
    Ok(setting)
}

fn listed(source: &Source<'_>, names: &[Name<'_>]) -> Vec<Listed> {
    let listed = |name: &Name<'_>| Listed { name: name.text.to_owned(), line: source.line(name.place.start) };
    names.iter().map(listed).collect()
}

/// Declares the containers that only environments' lists name, at the first line that does.
fn declare_listed(topology: &mut Topology) {
    for listed in topology.environments.values().flat_map(|environment| &environment.containers) {
        let container = topology.containers.entry(listed.name.clone()).or_insert_with(|| Container {
            line: listed.line,
            has_table: false,
            concurrency: Default::default(),
            part_of: Setting::unset(None),
        });
        if !container.has_table {
            container.line = container.line.min(listed.line);
        }
    }
}
