//! What every command shares: the global options, the topology, the store.

use std::path::PathBuf;
use std::sync::{Arc, OnceLock};

use clap::Args;

use super::failure::{Failure, code};
use super::folders;
use super::hooks::Hooks;
use super::opened::Opened;
use super::terminal::When;
use crate::deployment::Id;
use crate::output::message::Commands;
use crate::store::Listener;
use crate::store::files::{FilesStore, Place};
use crate::topology::locate::{self, Found, SYSTEM_FILE, Search};
use crate::topology::{Backend, FILE_NAME, RETRY_INTERVAL, Topology};

/// The mode of the user's own lock directory.
const PRIVATE: u32 = 0o700;

/// The options of every command.
#[derive(Args, Debug, Clone, Default, PartialEq, Eq)]
pub struct Global {
    /// The topology file [default: $DEPLOYLOCK_CONFIG, else deploylock.toml here or in a parent folder, then the user's, then /etc's]
    #[arg(long, global = true, value_name = "FILE")]
    pub config: Option<PathBuf>,
    /// The lock directory [default: $DEPLOYLOCK_DIR, else the topology's, else the user's state folder]
    #[arg(long, global = true, value_name = "DIR")]
    pub lock_dir: Option<PathBuf>,
    /// When to use colours
    #[arg(long, global = true, value_enum, value_name = "WHEN", default_value = "auto")]
    pub color: When,
    /// Say only what went wrong
    #[arg(short, long, global = true)]
    pub quiet: bool,
    /// Say more
    #[arg(short, long, global = true, conflicts_with = "quiet")]
    pub verbose: bool,
}

/// The topology, or where one was looked for.
pub enum Known {
    /// There is one.
    Topology(Box<Topology>),
    /// There is none in any of these places.
    Nowhere(Vec<PathBuf>),
}

impl Known {
    /// The topology, if there is one.
    pub fn topology(&self) -> Option<&Topology> {
        match self {
            Known::Topology(t) => Some(t),
            Known::Nowhere(_) => None,
        }
    }
}

/// Where the topology comes from.
pub struct Source {
    /// The global options, with what the variables say.
    pub global: Global,
    known: OnceLock<Known>,
}

/// One invocation of the program.
pub struct Context {
    /// The global options.
    pub global: Global,
    /// The hooks of the topology.
    pub hooks: Arc<Hooks>,
    source: Arc<Source>,
}

/// What the option says, else the variable; an empty one says nothing.
fn given(option: Option<PathBuf>, variable: &str) -> Option<PathBuf> {
    let path = option.or_else(|| std::env::var_os(variable).map(PathBuf::from));
    path.filter(|p| !p.as_os_str().is_empty())
}

impl Source {
    /// The topology, if it has been read.
    pub fn read_already(&self) -> Option<&Known> {
        self.known.get()
    }

    /// The topology, read when it is first asked for.
    pub fn known(&self) -> Result<&Known, Failure> {
        if let Some(known) = self.known.get() {
            return Ok(known);
        }
        let known = self.read()?;
        Ok(self.known.get_or_init(|| known))
    }

    fn read(&self) -> Result<Known, Failure> {
        let explicit = self.global.config.clone();
        let cwd = std::env::current_dir().unwrap_or_default();
        let user_config = folders::config().map(|folder| folder.join(FILE_NAME));
        let search = Search { explicit, cwd, user_config, system: PathBuf::from(SYSTEM_FILE) };
        Ok(match locate::find(&search)? {
            Found::File { path, text } => Known::Topology(Box::new(Topology::parse(&path, &text)?)),
            Found::Nowhere { looked } => Known::Nowhere(looked),
        })
    }
}

impl Context {
    /// With these options.
    pub fn new(mut global: Global) -> Self {
        global.config = given(global.config, "DEPLOYLOCK_CONFIG");
        global.lock_dir = given(global.lock_dir, "DEPLOYLOCK_DIR");
        let source = Arc::new(Source { global: global.clone(), known: OnceLock::new() });
        Context { global, hooks: Arc::new(Hooks::new(source.clone())), source }
    }

    /// The topology, read when it is first asked for.
    pub fn known(&self) -> Result<&Known, Failure> {
        self.source.known()
    }

    /// The store. Where the lock directory is given, no topology is needed for it.
    pub fn store(&self) -> Result<Opened, Failure> {
        let etcd = match &self.global.lock_dir {
            Some(_) => None,
            None => self.known()?.topology().filter(|t| t.store.backend.value == Backend::Etcd),
        };
        let hooks = self.hooks.possible().then(|| self.hooks.clone() as Arc<dyn Listener>);
        match etcd {
            Some(topology) => etcd_store(topology).map(|store| store.heard_by(hooks)),
            None => Ok(Opened::Files(self.files()?).heard_by(hooks)),
        }
    }

    /// The lock directory, whatever the topology's backend is.
    pub fn files(&self) -> Result<FilesStore, Failure> {
        Ok(FilesStore::new(self.place()?))
    }

    /// The lock directory.
    fn place(&self) -> Result<Place, Failure> {
        if let Some(directory) = &self.global.lock_dir {
            let mode = self.source.read_already().and_then(Known::topology).and_then(|t| t.store.mode.value);
            return Ok(Place { directory: directory.clone(), mode, steps: None });
        }
        let topology = self.known()?.topology();
        let mode = topology.and_then(|t| t.store.mode.value);
        if let Some(directory) = topology.and_then(Topology::store_directory) {
            return Ok(Place { directory, mode, steps: None });
        }
        let directory = folders::state().ok_or_else(|| {
            let why = "no lock directory: there is no home folder to put one in; name one with --lock-dir";
            Failure::text(code::FAILED, why)
        })?;
        Ok(Place { directory, mode: mode.or(Some(PRIVATE)), steps: None })
    }

    /// How the program has to be called to mean the same store and topology.
    pub fn commands(&self, target: Vec<String>) -> Commands {
        let mut program = vec!["deploylock".to_owned()];
        for (option, path) in [("--lock-dir", &self.global.lock_dir), ("--config", &self.global.config)] {
            if let Some(path) = path {
                program.extend([option.to_owned(), path.display().to_string()]);
            }
        }
        Commands { program, target, ..Commands::default() }
    }

    /// How late a change of another host may be noticed.
    pub fn retry(&self) -> std::time::Duration {
        RETRY_INTERVAL
    }
}

/// The etcd cluster that `[store]` names.
#[cfg(feature = "etcd")]
pub fn etcd_store(topology: &Topology) -> Result<Opened, Failure> {
    super::etcd::store(topology).map(|store| Opened::Etcd(Box::new(store)))
}

/// There is no etcd in this build.
#[cfg(not(feature = "etcd"))]
pub fn etcd_store(topology: &Topology) -> Result<Opened, Failure> {
    Err(Failure::text(
        code::TOPOLOGY,
        format!(
            "{}: this build of deploylock has only the backend \"files\"; for \"etcd\" build it with \
             `cargo install deploylock --features etcd`",
            topology.path.display()
        ),
    ))
}

/// The deployment inside whose command we run, as its variable says.
pub fn inherited_id() -> Option<Id> {
    std::env::var("DEPLOYLOCK_ID").ok()?.parse().ok()
}

/// `user@host`
pub fn myself() -> String {
    crate::process::who()
}
