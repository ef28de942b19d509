//! `shell-init`: functions for scripts that cannot be wrapped in `run`, and what `acquire --format shell` prints.
//!
//! The functions are shell files in `shell/`; what they call is said here.

use clap::{Args, ValueEnum};

use super::context::Context;
use super::terminal::say;
use super::under_locks::variables;
use super::{Answer, Exec, failure::code};
use crate::deployment::Deployment;
use crate::process::HOOK_VARIABLE;

const FUNCTIONS: &str = include_str!("shell/functions.sh");
const EXIT_TRAP: &str = include_str!("shell/exit_trap.sh");
const BASH: &str = include_str!("shell/bash.sh");
const SH: &str = include_str!("shell/sh.sh");
const ZSH: &str = include_str!("shell/zsh.sh");

/// The shells it is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Shell {
    /// GNU bash
    Bash,
    /// Z shell
    Zsh,
    /// Any POSIX shell: dash, BusyBox, ksh
    Sh,
}

#[derive(Args)]
pub struct ShellInit {
    /// The shell that evaluates it
    #[arg(value_enum, value_name = "SHELL")]
    shell: Shell,
}

impl Exec for ShellInit {
    fn exec(self, context: &Context) -> Answer {
        let parts: &[&str] = match self.shell {
            Shell::Bash => &[FUNCTIONS, BASH, EXIT_TRAP],
            Shell::Zsh => &[FUNCTIONS, SH, ZSH],
            Shell::Sh => &[FUNCTIONS, SH, EXIT_TRAP],
        };
        // What was said here of the store and the topology goes for the functions too.
        let program = context.commands(Vec::new()).line(&[]);
        say(&parts.concat().replace("@DEPLOYLOCK@", &program))?;
        Ok(code::DONE)
    }
}

/// What a wrapped command would find in its environment, as lines for any POSIX shell. What an outer deployment said
/// and this one does not is taken away.
pub fn exports(d: &Deployment) -> String {
    let mut lines = String::new();
    // Whether we are in a hook does not change.
    for (name, value) in variables(&d.id, Some(d), None).into_iter().filter(|(n, _)| *n != HOOK_VARIABLE) {
        match value {
            Some(value) => lines.push_str(&format!("export {name}={}\n", quoted(&value))),
            None => lines.push_str(&format!("unset {name}\n")),
        }
    }
    lines
}

/// For any POSIX shell, whatever is in it.
fn quoted(value: &str) -> String {
    format!("'{}'", value.replace('\'', "'\\''"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_value_is_one_word_to_a_shell_whatever_is_in_it() {
        for value in ["", "plain", "it's", "$(touch x) `y` \\ \"", "two\nlines", "''", "-n *"] {
            let script = format!("printf %s {}", quoted(value));
            let output = std::process::Command::new("sh").args(["-c", &script]).output().unwrap();
            assert_eq!(String::from_utf8(output.stdout).unwrap(), value);
        }
    }
}
