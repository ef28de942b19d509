//! The topology file `deploylock.toml`: found, parsed by hand so that every error has its place, checked.
//!
//! What the settings mean for locks is `policy`'s; no lock and no store is known here.

mod check;
mod error;
#[cfg(feature = "calendar")]
mod freeze;
pub mod locate;
#[cfg(any(test, not(feature = "calendar")))]
mod no_freeze;
mod parse;
mod read;
pub mod starter;
pub(crate) mod suggest;
#[cfg(test)]
mod tests;
mod value;
mod warnings;

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::num::NonZeroU32;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

#[cfg(not(feature = "calendar"))]
use no_freeze as freeze;

use crate::freeze::Window;
use crate::model::{Hook, Keep};

pub use error::TopologyError;
pub use warnings::Warning;

/// The name of the topology file in every folder it is looked for in.
pub const FILE_NAME: &str = "deploylock.toml";

/// `lock_retry_interval` where nothing sets it.
pub const RETRY_INTERVAL: Duration = Duration::from_secs(30);

/// `lock_retry_attempts` where nothing sets it.
pub const RETRY_ATTEMPTS: u32 = 60;

/// `timeout` of `[hooks]` where nothing sets it.
pub const HOOK_TIMEOUT: Duration = Duration::from_secs(10);

/// A value, and where the file sets it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Setting<T> {
    /// What holds.
    pub value: T,
    /// The line that sets it, counted from 1; `None` for a default.
    pub line: Option<usize>,
}

impl<T> Setting<T> {
    /// A default: no line sets it.
    pub const fn unset(value: T) -> Self {
        Setting { value, line: None }
    }

    /// A value that this line sets.
    pub const fn at(line: usize, value: T) -> Self {
        Setting { value, line: Some(line) }
    }
}

/// The two policy keys that environments, containers, groups, applications and locks by name share.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Concurrency {
    /// `allow_concurrent_deployments`, default true.
    pub allow: Setting<bool>,
    /// `limit_number_of_concurrent_deployments`, default none.
    pub limit: Setting<Option<NonZeroU32>>,
}

impl Default for Concurrency {
    fn default() -> Self {
        Concurrency { allow: Setting::unset(true), limit: Setting::unset(None) }
    }
}

/// A name in a list, and the line it stands on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Listed {
    /// The name.
    pub name: String,
    /// Its line, counted from 1.
    pub line: usize,
}

/// A whole topology file, checked: what it names is declared, and no `part_of` chain is a circle.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Topology {
    /// The file, as it was given.
    pub path: PathBuf,
    /// `[store]`
    pub store: Store,
    /// `[environments.E]`
    pub environments: BTreeMap<String, Environment>,
    /// `[containers.C]`, and those declared just by an environment's list.
    pub containers: BTreeMap<String, Container>,
    /// `[groups.G]`
    pub groups: BTreeMap<String, Group>,
    /// `[applications.A]`
    pub applications: BTreeMap<String, Application>,
    /// `[engines.B]`
    pub engines: BTreeMap<String, Engine>,
    /// `[locks.N]`
    pub locks: BTreeMap<String, NamedLock>,
    /// `[hooks]`
    pub hooks: Hooks,
}

impl Topology {
    /// Reads a topology from the text of the file at `path`; `path` is only shown, never opened.
    ///
    /// # Errors
    /// The first thing that is wrong with it, with line and column.
    pub fn parse(path: &Path, text: &str) -> Result<Topology, TopologyError> {
        parse::topology(path, text)
    }

    /// What is allowed but looks like a mistake, in the order of lines.
    #[must_use]
    pub fn warnings(&self) -> Vec<Warning> {
        warnings::collect(self)
    }

    /// What is odd about the freeze windows at this moment: those that are over, never open or never close.
    #[must_use]
    pub fn freeze_warnings(&self, now: SystemTime) -> Vec<Warning> {
        freeze::warnings(self, now)
    }

    /// `[store] directory`, which is relative to the folder of the file.
    #[must_use]
    pub fn store_directory(&self) -> Option<PathBuf> {
        self.beside(&self.store.directory)
    }

    /// A path that the file names, relative to the folder of the file.
    #[must_use]
    pub fn beside(&self, path: &Setting<Option<PathBuf>>) -> Option<PathBuf> {
        Some(self.path.parent().unwrap_or(Path::new("")).join(path.value.as_deref()?))
    }

    /// The program and arguments of this hook. A program that is named by a relative path with a slash is relative
    /// to the folder of the file, any other name is looked for on the `PATH`.
    #[must_use]
    pub fn hook(&self, hook: Hook) -> Option<Vec<OsString>> {
        let command = &self.hooks.commands.get(&hook)?.value;
        let mut words: Vec<OsString> = command.iter().map(OsString::from).collect();
        if let Some(program) = words.first_mut().filter(|p| p.as_encoded_bytes().contains(&b'/')) {
            let folder = self.path.parent().unwrap_or(Path::new(""));
            // Without a folder before it, it would be looked for on the PATH.
            let folder = if folder.as_os_str().is_empty() { Path::new(".") } else { folder };
            *program = folder.join(&*program).into_os_string();
        }
        Some(words)
    }
}

/// Which store keeps the locks.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Backend {
    /// A folder.
    #[default]
    Files,
    /// An etcd cluster.
    Etcd,
}

/// `[store]`
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Store {
    /// The line of its header; `None` when the file has none.
    pub line: Option<usize>,
    /// `backend`
    pub backend: Setting<Backend>,
    /// `directory` as written; [`Topology::store_directory`] resolves it.
    pub directory: Setting<Option<PathBuf>>,
    /// `mode`: permission bits of the lock directory.
    pub mode: Setting<Option<u32>>,
    /// `endpoints`, for etcd.
    pub endpoints: Setting<Vec<String>>,
    /// `prefix`, for etcd.
    pub prefix: Setting<Option<String>>,
    /// `ca`, for etcd: whose certificates are trusted.
    pub ca: Setting<Option<PathBuf>>,
    /// `cert`, for etcd: our own certificate.
    pub cert: Setting<Option<PathBuf>>,
    /// `key`, for etcd: the key of that.
    pub key: Setting<Option<PathBuf>>,
    /// `user`, for etcd.
    pub user: Setting<Option<String>>,
    /// `password_file`, for etcd: its first line is the password.
    pub password_file: Setting<Option<PathBuf>>,
    /// `lease`, for etcd: how long a process that is not heard of still holds.
    pub lease: Setting<Option<Duration>>,
}

/// `[environments.E]`
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Environment {
    /// The line of its header.
    pub line: usize,
    /// The two policy keys.
    pub concurrency: Concurrency,
    /// `containers`, in the order listed.
    pub containers: Vec<Listed>,
    /// `lock_all_containers_in_environment`, default false.
    pub lock_all: Setting<bool>,
    /// `enable_lock_retry`, default false.
    pub retry: Setting<bool>,
    /// `lock_retry_interval`, default [`RETRY_INTERVAL`]; never zero.
    pub retry_interval: Setting<Duration>,
    /// `lock_retry_attempts`, default [`RETRY_ATTEMPTS`]; never zero.
    pub retry_attempts: Setting<u32>,
    /// `on_crash`, default release.
    pub on_crash: Setting<Keep>,
    /// `on_failure`, default release.
    pub on_failure: Setting<Keep>,
    /// `wait_for_manual`, default true: deployments wait for what a person holds.
    pub wait_for_manual: Setting<bool>,
    /// `engine`: an engine the file declares.
    pub engine: Setting<Option<String>>,
    /// `[[environments.E.freeze]]`, in the order of the file.
    pub freeze: Vec<Window>,
}

impl Environment {
    /// Where the environment lists this container.
    #[must_use]
    pub fn listed(&self, container: &str) -> Option<&Listed> {
        self.containers.iter().find(|listed| listed.name == container)
    }
}

/// `[containers.C]`, or a container that is declared just by being listed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Container {
    /// The line of its header, else of the first environment's list entry that names it.
    pub line: usize,
    /// Whether it has a table of its own.
    pub has_table: bool,
    /// The two policy keys.
    pub concurrency: Concurrency,
    /// `part_of`: a declared container that is locked along with it.
    pub part_of: Setting<Option<String>>,
}

/// `[groups.G]`
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Group {
    /// The line of its header.
    pub line: usize,
    /// The two policy keys.
    pub concurrency: Concurrency,
    /// `containers`, declared ones.
    pub containers: Vec<Listed>,
}

/// `[applications.A]`
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Application {
    /// The line of its header.
    pub line: usize,
    /// The two policy keys.
    pub concurrency: Concurrency,
    /// `queue = "latest"`, default `"all"`: a newer waiting deployment replaces the older ones.
    pub latest: Setting<bool>,
    /// `[applications.A.environments.E]`
    pub environments: BTreeMap<String, DeployedApplication>,
}

/// `[applications.A.environments.E]`: the application as it is deployed to one environment.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DeployedApplication {
    /// The line of its header.
    pub line: usize,
    /// The two policy keys.
    pub concurrency: Concurrency,
    /// `containers` it is mapped to, of the environment's; empty means all of them.
    pub containers: Vec<Listed>,
}

/// `[engines.B]`
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Engine {
    /// The line of its header.
    pub line: usize,
    /// `deployment_lock_used`, default true.
    pub lock_used: Setting<bool>,
}

/// `[locks.N]`
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NamedLock {
    /// The line of its header.
    pub line: usize,
    /// The two policy keys.
    pub concurrency: Concurrency,
}

/// `[hooks]`: programs that are told what happens.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Hooks {
    /// The line of its header; `None` when the file has none.
    pub line: Option<usize>,
    /// Program and arguments of each that is set; never empty.
    pub commands: BTreeMap<Hook, Setting<Vec<String>>>,
    /// `timeout`, default [`HOOK_TIMEOUT`]; never zero.
    pub timeout: Setting<Duration>,
}
