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
use crate::output::message::Commands;
use crate::output::style::{clean, shell};
use crate::process;
use crate::store::files::FilesStore;
use crate::store::{self, Store};
use crate::topology::Warning;

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
                let warnings = Warning::in_order(warnings);
                found.warnings.extend(warnings.iter().map(|w| format!("{path}:{}: {}", w.line, w.text)));
            }
            Known::Nowhere(_) => found.fine.push("no topology file; locks by name need none".to_owned()),
        }
        let commands = context.commands(Vec::new());
        match context.store()? {
            Opened::Files(store) => check_store(&store, &commands, &mut found)?,
            #[cfg(feature = "etcd")]
            Opened::Etcd(store) => super::etcd::check(&store, &commands, &mut found)?,
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

fn check_store(store: &FilesStore, commands: &Commands, found: &mut Findings) -> Result<(), Failure> {
    let path = store.directory();
    let Ok(meta) = std::fs::metadata(path) else {
        found.fine.push(format!("{}: not there yet; the first acquire creates it", path.display()));
        return Ok(());
    };
    check_mode(path, meta.mode(), found);
    check_group(path, &meta, found);
    if store.is_local()? == Some(false) {
        found.warnings.push(format!(
            "{}: on a file system that other hosts may have mounted too; locks of other hosts can only be told \
             dead by a person, and waiters notice other hosts' changes late. On this host use it through one mount \
             only: another may have advisory locks of its own",
            path.display()
        ));
    }
    match store.test_locking() {
        Ok(()) => found.fine.push(format!("{}: advisory locks work", path.display())),
        Err(store::StoreError::Io { source, .. }) if is_refusal(&source) => {
            found.warnings.push(format!("{}: you can look but not lock there: {source}; ask for write access, or choose another with --lock-dir",
                path.display()));
        }
        Err(e) => found.errors.push(e.to_string()),
    }
    check_mount(store, found)?;
    check_records(store, commands, found)
}

fn is_refusal(e: &std::io::Error) -> bool {
    matches!(e.kind(), std::io::ErrorKind::PermissionDenied | std::io::ErrorKind::ReadOnlyFilesystem)
}

fn check_mode(path: &Path, mode: u32, found: &mut Findings) {
    let (world_writable, sticky) = (mode & 0o002 != 0, mode & 0o1000 != 0);
    if world_writable && !sticky {
        found.warnings.push(format!(
            "{}: everybody may write there (mode {:04o}), so anybody can remove anybody's locks; \
             share it with a group instead: chmod 2770 {}",
            path.display(),
            mode & 0o7777,
            shell(&path.display().to_string())
        ));
    }
}

/// Elsewhere than Linux files get their folder's group anyway.
fn check_group(path: &Path, meta: &std::fs::Metadata, found: &mut Findings) {
    let (shared, inherited) = (meta.mode() & 0o022 == 0o020, meta.mode() & 0o2000 != 0);
    let own = rustix::process::getegid().as_raw();
    if cfg!(target_os = "linux") && shared && !inherited && meta.gid() != own {
        found.warnings.push(format!(
            "{}: a group may write there, but files get the group of who makes them, and the others cannot use \
             them; let them get the folder's (chmod g+s)",
            path.display()
        ));
    }
}

/// What tells that this folder is in use through two mounts on this host, which is not for sure an error, but
/// is none that anything else could tell.
fn check_mount(store: &FilesStore, found: &mut Findings) -> Result<(), Failure> {
    let path = store.directory().display();
    let Some(device) = store.device()? else { return Ok(()) };
    let (here, seen) = (process::here(), survey(store)?);
    let deployments = seen.deployments.iter().filter_map(|shown| shown.stored.deployment());
    let bound = deployments.filter(|d| d.place.boot == here.boot && ![0, device].contains(&d.place.device));
    for d in bound {
        found.errors.push(format!(
            "{path}: {} was made through another mount of this folder, and advisory locks do not reach from one to \
             the other: both may decide at once. Use the folder by one path only",
            d.id
        ));
    }
    Ok(())
}

/// Unreadable and stale records.
pub fn check_records(store: &dyn Store, commands: &Commands, found: &mut Findings) -> Result<(), Failure> {
    let seen = survey(store)?;
    for shown in &seen.deployments {
        if let (Stored::Unreadable(u), None) = (&shown.stored, shown.stale()) {
            found.errors.push(format!(
                "{}: cannot be read and blocks its locks: {}; `{}` removes it",
                u.path,
                u.why,
                commands.line(&["clear", u.id.as_str()])
            ));
        } else if let Some(why) = shown.stale() {
            found.warnings.push(format!(
                "{} is stale: {why}; `{}` removes it",
                shown.stored.id(),
                commands.line(&["clear", "--stale"])
            ));
        }
    }
    let held = seen.deployments.iter().filter(|s| s.stored.state().holds()).count();
    let others = seen.deployments.len() - held;
    found.fine.push(format!("{}: {held} held, {others} waiting or paused", store.describe()));
    Ok(())
}
