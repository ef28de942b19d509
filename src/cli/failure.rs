//! What went wrong, as text and exit code: the one table of exit codes.

use std::fmt;

use crate::command::StartError;
use crate::output::message::Commands;
use crate::output::style::clean;
use crate::policy::PolicyError;
use crate::store::StoreError;
use crate::topology::TopologyError;
use crate::topology::locate::LocateError;

/// The exit codes of INTERFACE.md.
pub mod code {
    /// Done.
    pub const DONE: u8 = 0;
    /// The operation failed.
    pub const FAILED: u8 = 1;
    /// Usage.
    pub const USAGE: u8 = 2;
    /// No such deployment, or no longer yours.
    pub const NOT_THERE: u8 = 3;
    /// A store that is a server cannot be reached.
    pub const UNREACHABLE: u8 = 69;
    /// Not acquired.
    pub const NOT_ACQUIRED: u8 = 75;
    /// The locks were taken away while the command ran.
    pub const LOST: u8 = 76;
    /// A newer deployment took its place while it waited.
    pub const SUPERSEDED: u8 = 77;
    /// The topology is wrong.
    pub const TOPOLOGY: u8 = 78;
    /// And the number of the signal that ended it.
    pub const SIGNAL: u8 = 128;
}

/// A failure of a command.
#[derive(Debug)]
pub struct Failure {
    /// The exit code.
    pub code: u8,
    error: anyhow::Error,
}

impl Failure {
    /// A failure with this exit code.
    pub fn new(code: u8, error: impl Into<anyhow::Error>) -> Self {
        Failure { code, error: error.into() }
    }

    /// A failure with this text.
    pub fn text(code: u8, text: impl Into<String>) -> Self {
        Failure { code, error: anyhow::Error::msg(text.into()) }
    }

    /// As text, with the commands as the user has to type them.
    pub fn with(&self, commands: &Commands) -> String {
        match self.error.downcast_ref() {
            Some(StoreError::Unreadable { id, path, why }) => format!(
                "the record {} cannot be read and blocks its locks: {}; look at it, then clear it\n  clear it  {}",
                clean(path),
                clean(why),
                commands.line(&["clear", id.as_str()])
            ),
            Some(StoreError::Forgotten { id, path, why }) => format!(
                "nothing new is granted: the record {} cannot be read, and which locks it holds is lost: {}; look at it, \
                 then clear it\n  clear it  {}",
                clean(path),
                clean(why),
                commands.line(&["clear", id.as_str()])
            ),
            Some(StoreError::Gone(id)) => {
                format!("{}\n  what happened  {}", self.error, commands.line(&["history", id.as_str()]))
            }
            _ => self.to_string(),
        }
    }

    /// The reader of our output has gone: nobody to tell.
    pub fn is_closed_pipe(&self) -> bool {
        let cause = self.error.downcast_ref::<std::io::Error>();
        cause.is_some_and(|e| e.kind() == std::io::ErrorKind::BrokenPipe)
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // An error of ours says its cause itself.
        write!(f, "{}", self.error)
    }
}

impl From<StoreError> for Failure {
    fn from(e: StoreError) -> Self {
        let code = match e {
            StoreError::Unreachable { .. } => code::UNREACHABLE,
            StoreError::Lapsed(_) => code::LOST,
            _ => code::FAILED,
        };
        Failure::new(code, e)
    }
}

impl From<std::io::Error> for Failure {
    fn from(e: std::io::Error) -> Self {
        Failure::new(code::FAILED, e)
    }
}

impl From<TopologyError> for Failure {
    fn from(e: TopologyError) -> Self {
        Failure::new(code::TOPOLOGY, e)
    }
}

impl From<LocateError> for Failure {
    fn from(e: LocateError) -> Self {
        Failure::new(code::TOPOLOGY, e)
    }
}

impl From<PolicyError> for Failure {
    fn from(e: PolicyError) -> Self {
        Failure::new(code::USAGE, e)
    }
}

impl From<StartError> for Failure {
    fn from(e: StartError) -> Self {
        Failure { code: e.code(), error: e.into() }
    }
}
