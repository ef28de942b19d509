//! `init`: a commented starter topology.

use std::io::Write as _;
use std::path::PathBuf;

use clap::Args;

use super::context::Context;
use super::failure::{Failure, code};
use super::terminal::complain;
use super::{Answer, Exec};
use crate::output::message::Commands;
use crate::topology::FILE_NAME;
use crate::topology::starter::STARTER;

#[derive(Args)]
pub struct Init {
    /// Where to write it
    #[arg(value_name = "FILE", default_value = FILE_NAME)]
    file: PathBuf,
}

impl Exec for Init {
    fn exec(self, context: &Context) -> Answer {
        let path = self.file.display();
        // What is there is never overwritten.
        let created = std::fs::OpenOptions::new().write(true).create_new(true).open(&self.file);
        let mut file = match created {
            Ok(file) => file,
            Err(e) if e.kind() == std::io::ErrorKind::AlreadyExists => {
                return Err(Failure::text(
                    code::FAILED,
                    format!(
                        "{path} is there already and was not changed; write to another file, or use that one\n  \
                         check it  {}",
                        self.check(context)
                    ),
                ));
            }
            Err(e) => {
                let first =
                    if e.kind() == std::io::ErrorKind::NotFound { "; make its folder first" } else { "" };
                return Err(Failure::text(code::FAILED, format!("cannot create {path}: {e}{first}")));
            }
        };
        file.write_all(STARTER.as_bytes())
            .map_err(|e| Failure::text(code::FAILED, format!("cannot write {path}: {e}")))?;
        if !context.global.quiet {
            complain(&format!("wrote {path}; edit it, then run `{}`", self.check(context)));
        }
        Ok(code::DONE)
    }
}

impl Init {
    /// The command that checks the file.
    fn check(&self, context: &Context) -> String {
        let found_by_itself = self.file.as_os_str() == FILE_NAME && context.global.config.is_none();
        let named = (!found_by_itself).then(|| ["--config".to_owned(), self.file.display().to_string()]);
        let program = std::iter::once("deploylock".to_owned()).chain(named.into_iter().flatten()).collect();
        Commands { program, ..Commands::default() }.line(&["check"])
    }
}
