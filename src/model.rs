//! Lock names, modes, requests, deployments: plain data.
//!
//! No I/O, no clock, no process lives here.

use std::fmt;
use std::num::NonZeroU32;
use std::str::FromStr;
use std::sync::Arc;

/// The longest name that may be given, in bytes (INTERFACE.md, "Targets").
pub const MAX_NAME: usize = 200;

/// A name that breaks the rules of INTERFACE.md, "Targets".
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum NameError {
    /// The empty string.
    #[error("a name must not be empty")]
    Empty,
    /// More than [`MAX_NAME`] bytes.
    #[error("a name has at most {MAX_NAME} bytes, this one has {0}")]
    TooLong(usize),
    /// A control character.
    #[error("a name must not contain control characters (found {0:?})")]
    Control(char),
}

/// Checks a name a user gave: 1 to 200 bytes without control characters.
///
/// # Errors
/// Says which rule it breaks.
pub fn check_name(name: &str) -> Result<(), NameError> {
    if name.is_empty() {
        return Err(NameError::Empty);
    }
    if name.len() > MAX_NAME {
        return Err(NameError::TooLong(name.len()));
    }
    match name.chars().find(|c| c.is_control()) {
        Some(c) => Err(NameError::Control(c)),
        None => Ok(()),
    }
}

/// What a lock stands for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Kind {
    /// A process engine through which one deployment goes at a time.
    Engine,
    /// An application in one environment.
    Application,
    /// The deployed application: this application as it is in this environment.
    DeployedApplication,
    /// A whole environment.
    Environment,
    /// A host, server, JVM or cluster.
    Container,
    /// A set of containers.
    Group,
    /// A lock by name, without topology.
    Name,
}

impl Kind {
    /// Every kind, in the order of the rules of INTERFACE.md.
    pub const ALL: [Kind; 7] = [
        Kind::Engine,
        Kind::Application,
        Kind::DeployedApplication,
        Kind::Environment,
        Kind::Container,
        Kind::Group,
        Kind::Name,
    ];

    /// The word before the colon of a lock's name.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Kind::Engine => "engine",
            Kind::Application => "application",
            Kind::DeployedApplication => "deployed-application",
            Kind::Environment => "environment",
            Kind::Container => "container",
            Kind::Group => "group",
            Kind::Name => "name",
        }
    }
}

/// One lockable thing, written `kind:name`.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct LockName {
    /// What it stands for.
    pub kind: Kind,
    /// Its name; `APP@ENV` for the two application kinds. Shared: a decision has each in many places.
    pub name: Arc<str>,
}

impl LockName {
    /// A lock of this kind and name. The name is taken as it is.
    pub fn new(kind: Kind, name: impl Into<Arc<str>>) -> Self {
        LockName { kind, name: name.into() }
    }

    /// `kind:name`, as [`fmt::Display`] has it, in one piece of memory.
    #[must_use]
    pub fn text(&self) -> String {
        let kind = self.kind.as_str();
        let mut text = String::with_capacity(kind.len() + 1 + self.name.len());
        for piece in [kind, ":", &self.name] {
            text.push_str(piece);
        }
        text
    }
}

impl fmt::Display for LockName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // Every deployment's record and history line have its locks: piece by piece is a fifth of what a format costs.
        f.write_str(self.kind.as_str())?;
        f.write_str(":")?;
        f.write_str(&self.name)
    }
}

/// Text that is no `kind:name`.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "{0:?} is not a lock: expected kind:name, with one of the kinds engine, application, deployed-application, environment, container, group, name"
)]
pub struct LockNameError(pub String);

impl FromStr for LockName {
    type Err = LockNameError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let wrong = || LockNameError(text.to_owned());
        let (kind, name) = text.split_once(':').ok_or_else(wrong)?;
        let kind = Kind::ALL.into_iter().find(|k| k.as_str() == kind).ok_or_else(wrong)?;
        if name.is_empty() {
            return Err(wrong());
        }
        Ok(LockName::new(kind, name))
    }
}

/// How a lock is held.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Mode {
    /// Alongside other shared holders, up to the lock's limit.
    Shared,
    /// The only holder.
    Exclusive,
}

impl Mode {
    /// `shared` or `exclusive`.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Mode::Shared => "shared",
            Mode::Exclusive => "exclusive",
        }
    }
}

/// One lock as a deployment asks for it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LockRequest {
    /// Which lock.
    pub lock: LockName,
    /// In which mode.
    pub mode: Mode,
    /// How many may hold it at once as far as this deployment knows; only with [`Mode::Shared`].
    pub limit: Option<NonZeroU32>,
}

/// What a deployment does. Changes no lock; shown and recorded.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Operation {
    /// A first or a new deployment.
    #[default]
    Deploy,
    /// A changed version over an old one.
    Update,
    /// Taking it away.
    Undeploy,
    /// Back to the version before.
    Rollback,
}

impl Operation {
    /// Every operation.
    pub const ALL: [Operation; 4] =
        [Operation::Deploy, Operation::Update, Operation::Undeploy, Operation::Rollback];

    /// The word on the command line and in JSON.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Operation::Deploy => "deploy",
            Operation::Update => "update",
            Operation::Undeploy => "undeploy",
            Operation::Rollback => "rollback",
        }
    }
}

/// What a user asked to lock: the target options of INTERFACE.md, before the topology is asked.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Target {
    /// `--env`
    pub environment: Option<String>,
    /// `--app`
    pub application: Option<String>,
    /// `--app-version`
    pub version: Option<String>,
    /// `--container`, in the order given; empty means the topology's default.
    pub containers: Vec<String>,
    /// `--operation`
    pub operation: Operation,
    /// `--lock`, in the order given.
    pub names: Vec<String>,
    /// `--shared` or `--slots`, for the locks by name.
    pub sharing: Sharing,
    /// `--exclusive`
    pub exclusive: bool,
    /// `--resource` was given: the application is taken exclusively whatever the topology allows.
    pub versioned: bool,
}

/// How the locks by name of a [`Target`] are asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Sharing {
    /// As the lock's table says; exclusive without one.
    #[default]
    AsDeclared,
    /// `--shared`
    Shared,
    /// `--slots N`
    Slots(NonZeroU32),
}

/// What a hook of the topology is told of.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Hook {
    /// A deployment was queued.
    Wait,
    /// A deployment was granted its locks.
    Grant,
    /// Locks were given back, or a deployment that held nothing was withdrawn or cancelled.
    Release,
    /// Something verifiably dead was reclaimed, or cleared as such.
    Stale,
    /// A person cleared what was not stale.
    Clear,
}

impl Hook {
    /// Each of them.
    pub const ALL: [Hook; 5] = [Hook::Wait, Hook::Grant, Hook::Release, Hook::Stale, Hook::Clear];

    /// Its key in the topology.
    #[must_use]
    pub const fn key(self) -> &'static str {
        match self {
            Hook::Wait => "on_wait",
            Hook::Grant => "on_grant",
            Hook::Release => "on_release",
            Hook::Stale => "on_stale",
            Hook::Clear => "on_clear",
        }
    }

    /// The event as the hook is told it.
    #[must_use]
    pub fn word(self) -> &'static str {
        &self.key()["on_".len()..]
    }
}

/// What becomes of the locks when a `run` dies or its command fails.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub enum Keep {
    /// They are given back.
    #[default]
    Release,
    /// They are kept for a person.
    Hold,
}
