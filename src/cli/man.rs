//! `man`: the manual pages, generated from the grammar.

use std::path::PathBuf;

use clap::Args;
use clap::builder::PossibleValuesParser;

use super::context::Context;
use super::failure::{Failure, code};
use super::terminal::say;
use super::{Answer, COMMANDS, Exec, grammar};

#[derive(Args)]
pub struct Man {
    /// The command whose page is meant [default: the program's]
    #[arg(value_name = "COMMAND", value_parser = PossibleValuesParser::new(COMMANDS.iter().map(|c| c.name)))]
    command: Option<String>,
    /// Write all pages into this folder
    #[arg(long, value_name = "DIR", conflicts_with = "command")]
    dir: Option<PathBuf>,
}

impl Exec for Man {
    fn exec(self, _context: &Context) -> Answer {
        if let Some(dir) = &self.dir {
            for name in std::iter::once(None).chain(COMMANDS.iter().map(|c| Some(c.name))) {
                let path = dir.join(file_name(name));
                std::fs::write(&path, page(name)).map_err(|e| {
                    Failure::text(code::FAILED, format!("cannot write {}: {e}", path.display()))
                })?;
            }
            return Ok(code::DONE);
        }
        say(&page(self.command.as_deref()))?;
        Ok(code::DONE)
    }
}

/// `deploylock-run.1`
fn file_name(command: Option<&str>) -> String {
    match command {
        Some(name) => format!("deploylock-{name}.1"),
        None => "deploylock.1".to_owned(),
    }
}

/// The page of a command, or of the program. Without a date: the same version is the same text.
fn page(command: Option<&str>) -> String {
    let mut program = grammar();
    program.build();
    let (what, title) = match command.and_then(|name| program.find_subcommand(name)) {
        // The name of a page has no space, however its command is typed.
        Some(found) => {
            (found.clone().version(env!("CARGO_PKG_VERSION")), format!("deploylock-{}", found.get_name()))
        }
        None => (program, "deploylock".to_owned()),
    };
    let version = concat!("deploylock ", env!("CARGO_PKG_VERSION"));
    let what = match command {
        Some(_) => what.display_name(title.clone()),
        None => what,
    };
    let mut text = Vec::new();
    let page = clap_mangen::Man::new(what).title(title.to_uppercase()).source(version).manual("deploylock");
    // Into memory it always goes.
    let _ = page.render(&mut text);
    String::from_utf8_lossy(&text).into_owned()
}
