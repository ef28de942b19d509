//! `init`: a commented starter topology.

use std::io::Write as _;
use std::path::PathBuf;

use clap::Args;

use super::context::Context;
use super::failure::{Failure, code};
use super::terminal::complain;
use super::{Answer, Exec};
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
                    format!("{path} is there already; it was not changed"),
                ));
            }
            Err(e) => return Err(Failure::text(code::FAILED, format!("cannot create {path}: {e}"))),
        };
        file.write_all(STARTER.as_bytes())
            .map_err(|e| Failure::text(code::FAILED, format!("cannot write {path}: {e}")))?;
        if !context.global.quiet {
            complain(&format!("wrote {path}; edit it, then run `deploylock check`"));
        }
        Ok(code::DONE)
    }
}
