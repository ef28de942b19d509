//! What is wrong with a target: usage errors, in words.
//!
//! Where a topology file was looked for is not known here: the command line adds it.

use std::fmt;
use std::path::PathBuf;

use crate::model::NameError;
use crate::topology::suggest::{closest, quote};

/// How many declared names a message shows at most.
const SHOWN: usize = 8;

/// A target that means nothing: a usage error.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum PolicyError {
    /// Neither an environment nor a lock by name.
    #[error("nothing to lock: name an environment with --env or a lock with --lock")]
    Nothing,
    /// An option that is about an environment, without one.
    #[error("{option} needs an environment: name it with --env")]
    NeedsEnvironment {
        /// The option.
        option: &'static str,
    },
    /// `--resource` without an application.
    #[error("--resource needs an application: name it with --app")]
    NeedsApplication,
    /// What cannot be a name.
    #[error("{option}: {why}")]
    Name {
        /// The option.
        option: &'static str,
        /// The rule it breaks.
        why: NameError,
    },
    /// An environment, and no file that could declare it.
    #[error("environment {} needs a topology file, and there is none: write one with `deploylock init`", quote(.environment))]
    NoTopology {
        /// The environment.
        environment: String,
    },
    /// The topology does not declare it.
    #[error("{kind} {} is not declared in {}: {hint}", quote(.name), .path.display())]
    Undeclared {
        /// `environment`, `application` or `container`.
        kind: &'static str,
        /// Its name.
        name: String,
        /// The topology file.
        path: PathBuf,
        /// What to name instead.
        hint: Hint,
    },
    /// A container that is declared, but not in the environment.
    #[error("container {} is not in environment {} of {}: {hint}", quote(.container), quote(.environment), .path.display())]
    ContainerOutside {
        /// The container.
        container: String,
        /// The environment.
        environment: String,
        /// The topology file.
        path: PathBuf,
        /// What to name instead.
        hint: Hint,
    },
}

/// What to name instead of a name that is not declared.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Hint {
    /// The name it is probably a misspelling of.
    Closest(String),
    /// All that there are, for none is close.
    Declared(Vec<String>),
}

impl Hint {
    pub(super) fn among<'a>(name: &str, declared: impl Iterator<Item = &'a str> + Clone) -> Self {
        match closest(name, declared.clone()) {
            Some(close) => Hint::Closest(close.to_owned()),
            None => Hint::all(declared),
        }
    }

    pub(super) fn all<'a>(declared: impl Iterator<Item = &'a str>) -> Self {
        Hint::Declared(declared.map(str::to_owned).collect())
    }
}

impl fmt::Display for Hint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Hint::Closest(name) => write!(f, "did you mean {}?", quote(name)),
            Hint::Declared(names) if names.is_empty() => f.write_str("there is none, add it there"),
            Hint::Declared(names) => {
                let shown: Vec<String> = names.iter().take(SHOWN).map(|name| quote(name)).collect();
                write!(f, "choose from {}", shown.join(", "))?;
                if names.len() > SHOWN { write!(f, " and {} more", names.len() - SHOWN) } else { Ok(()) }
            }
        }
    }
}
