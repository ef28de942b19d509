//! `check`: the topology, and the lock directory.

use std::os::unix::fs::MetadataExt as _;
use std::path::Path;

use clap::Args;

use super::context::{Context, Known};
use super::failure::{Failure, code};
use super::hooks;
use super::opened::Opened;
use super::terminal::say;
use super::{Answer, Exec};
use crate::clock;
use crate::deployment::Stored;
use crate::ops::survey::survey;
use crate::output::style::clean;
use crate::store::files::FilesStore;
use crate::store::{self, Store};

#[derive(Args)]
pub struct Check {
    /// Warnings fail too
    #[arg(long)]
    strict: bool,
}

/// What was found.
#[derive(Default)]
pub struct Findings {
    /// What does not work.
    pub errors: Vec<String>,
    /// What is odd.
    pub warnings: Vec<String>,
    /// What is right.
    pub fine: Vec<String>,
}

impl Exec for Check {
    fn exec(self, context: &Context) -> Answer {
        let mut found = Findings::default();
        match context.known()? {
            Known::Topology(t) => {
                let path = t.path.display();
                found.fine.push(format!("{path}: the topology is right"));
                let mut warnings = t.warnings();
                warnings.extend(t.freeze_warnings(clock::now().wall));
                warnings.extend(hooks::not_runnable(t));
                warnings.sort_by_key(|w| w.line);
                found.warnings.extend(warnings.iter().map(|w| format!("{path}:{}: {}", w.line, w.text)));
            }
            Known::Nowhere(_) => found.fine.push("no topology file; locks by name need none".to_owned()),
        }
        match context.store()? {
            Opened::Files(store) => check_store(&store, &mut found)?,
            #[cfg(feature = "etcd")]
            Opened::Etcd(store) => super::etcd::check(&store, &mut found)?,
        }
        found.print(context.global.quiet)?;
        let bad = !found.errors.is_empty() || (self.strict && !found.warnings.is_empty());
        Ok(if bad { code::FAILED } else { code::DONE })
    }
}

impl Findings {
    fn print(&self, quiet: bool) -> Result<(), Failure> {
        let mut text = String::new();
        for (word, lines) in [("error", &self.errors), ("warning", &self.warnings), ("ok", &self.fine)] {
            if !(quiet && word == "ok") {
                lines.iter().for_each(|line| text.push_str(&format!("{word}: {}\n", clean(line))));
            }
        }
        Ok(say(&text)?)
    }
}

fn check_store(store: &FilesStore, found: &mut Findings) -> Result<(), Failure> {
    let path = store.directory();
    let Ok(meta) = std::fs::metadata(path) else {
        found.fine.push(format!("{}: not there yet; the first acquire creates it", path.display()));
        return Ok(());
    };
    check_mode(path, meta.mode(), found);
    if store.is_local()? == Some(false) {
        found.warnings.push(format!(
            "{}: on a file system that other hosts may have mounted too; locks of other hosts can only be told \
             dead by a person, and waiters notice other hosts' changes late",
            path.display()
        ));
    }
    match store.test_locking() {
        Ok(()) => found.fine.push(format!("{}: advisory locks work", path.display())),
        Err(store::StoreError::Io { source, .. }) if is_refusal(&source) => {
            found.warnings.push(format!("{}: you can look but not lock there: {source}", path.display()));
        }
        Err(e) => found.errors.push(e.to_string()),
    }
    check_records(store, found)
}

fn is_refusal(e: &std::io::Error) -> bool {
    matches!(e.kind(), std::io::ErrorKind::PermissionDenied | std::io::ErrorKind::ReadOnlyFilesystem)
}

fn check_mode(path: &Path, mode: u32, found: &mut Findings) {
    let (world_writable, sticky) = (mode & 0o002 != 0, mode & 0o1000 != 0);
    if world_writable && !sticky {
        found.warnings.push(format!(
            "{}: everybody may write there (mode {:04o}), so anybody can remove anybody's locks; \
             share it with a group instead (chmod 2770)",
            path.display(),
            mode & 0o7777
        ));
    }
}

/// Unreadable and stale records.
pub fn check_records(store: &dyn Store, found: &mut Findings) -> Result<(), Failure> {
    let seen = survey(store)?;
    for shown in &seen.deployments {
        if let (Stored::Unreadable(u), None) = (&shown.stored, shown.stale()) {
            found.errors.push(format!(
                "{}: cannot be read: {}; `deploylock clear {}` removes it",
                u.path, u.why, u.id
            ));
        } else if let Some(why) = shown.stale() {
            found.warnings.push(format!(
                "{} is stale: {why}; `deploylock clear --stale` removes it",
                shown.stored.id()
            ));
        }
    }
    let held = seen.deployments.iter().filter(|s| s.stored.state().holds()).count();
    let others = seen.deployments.len() - held;
    found.fine.push(format!("{}: {held} held, {others} waiting or paused", store.describe()));
    Ok(())
}
