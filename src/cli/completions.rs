//! `completions`: a script for a shell.

use clap::Args;
use clap_complete::Shell;

use super::context::Context;
use super::terminal::say;
use super::{Answer, Exec, failure::code, grammar};

#[derive(Args)]
pub struct Completions {
    /// The shell
    #[arg(value_enum, value_name = "SHELL")]
    shell: Shell,
}

impl Exec for Completions {
    fn exec(self, _context: &Context) -> Answer {
        say(&script(self.shell))?;
        Ok(code::DONE)
    }
}

/// The script for a shell.
pub fn script(shell: Shell) -> String {
    let mut text = Vec::new();
    clap_complete::generate(shell, &mut grammar(), "deploylock", &mut text);
    String::from_utf8_lossy(&text).into_owned()
}
