//! The hooks of the topology: told what the decisions of this process brought about.
//!
//! How a hook is run is `hook`'s.

use std::ffi::OsString;
use std::os::fd::AsFd as _;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use rustix::fs::{Access, access};

use super::context::Source;
use super::terminal::{complain, is_taken};
use super::under_locks::variables;
use crate::deployment::Happening;
use crate::hook::{Failed, Job, Worker};
use crate::model::Hook;
use crate::ops::acquire::Outcome;
use crate::ops::{Interrupt, Never};
use crate::output::json;
use crate::output::style::clean;
use crate::process::HOOK_VARIABLE;
use crate::store::Listener;
use crate::topology::suggest::quote;
use crate::topology::{Setting, Topology, Warning};

/// The hooks, of which perhaps there are none.
pub struct Hooks {
    source: Arc<Source>,
    /// Started with the first that is to run; `None` where that was refused.
    worker: OnceLock<Option<Worker>>,
    warned: AtomicBool,
}

impl Hooks {
    /// Those of this topology, which is not read before there is something to tell.
    pub fn new(source: Arc<Source>) -> Self {
        Hooks { source, worker: OnceLock::new(), warned: AtomicBool::new(false) }
    }

    /// Whether there may be any. None are run inside a hook: that would not end.
    pub fn possible(&self) -> bool {
        let known = self.source.read_already();
        let none = known.is_some_and(|k| k.topology().is_none_or(|t| t.hooks.commands.is_empty()));
        !none && std::env::var_os(HOOK_VARIABLE).is_none()
    }

    /// Waits until all that were told have ended: each has its own bound.
    pub fn settle(&self) {
        if let Some(Some(worker)) = self.worker.get() {
            worker.settle(None, &mut Never);
        }
    }

    /// Waits until all that were told have ended, but no longer than one may take. The signal that came until then: a
    /// command that is not there yet has not been told by the terminal.
    pub fn settle_briefly(&self, interrupt: &mut dyn Interrupt) -> Option<i32> {
        let worker = self.worker.get().and_then(Option::as_ref);
        let came = worker.and_then(|worker| worker.settle(self.timeout(), interrupt));
        came.or_else(|| interrupt.take())
    }

    /// One that is to end by a signal cannot wait for its hooks afterwards.
    pub fn settle_before_dying(&self, outcome: &Outcome) {
        if matches!(outcome, Outcome::Interrupted(_)) {
            self.settle();
        }
    }

    fn timeout(&self) -> Option<Duration> {
        self.source.read_already()?.topology().map(|t| t.hooks.timeout.value)
    }

    fn topology(&self) -> Option<&Topology> {
        match self.source.known() {
            Ok(known) => known.topology(),
            Err(e) => {
                if !self.warned.swap(true, Ordering::Relaxed) {
                    let e = e.to_string();
                    complain(&format!(
                        "warning: no hook is run, for want of a topology: {}",
                        e.lines().next().unwrap_or_default()
                    ));
                }
                None
            }
        }
    }

    fn worker(&self) -> Option<&Worker> {
        let start = || match Worker::start(failed) {
            Ok(worker) => Some(worker),
            Err(e) => {
                complain(&format!("warning: no hook is run: {e}"));
                None
            }
        };
        self.worker.get_or_init(start).as_ref()
    }

    fn job(&self, topology: &Topology, happening: &Happening) -> Option<Job> {
        Some(Job {
            key: happening.hook.key(),
            argv: topology.hook(happening.hook)?,
            variables: self.variables(happening),
            input: json::happening(happening),
            // What it prints must not mix with what this program answers.
            output: Some(std::io::stderr())
                .filter(|_| !is_taken())
                .and_then(|e| e.as_fd().try_clone_to_owned().ok()),
            timeout: topology.hooks.timeout.value,
        })
    }

    /// What a wrapped command is told, the event, and where the same locks and topology are.
    fn variables(&self, happening: &Happening) -> Vec<(&'static str, Option<OsString>)> {
        let told = variables(happening.stored.id(), happening.stored.deployment(), None);
        let mut all: Vec<_> =
            told.into_iter().map(|(name, value)| (name, value.map(OsString::from))).collect();
        all.retain(|(name, _)| *name != HOOK_VARIABLE);
        all.push((HOOK_VARIABLE, Some(happening.hook.word().into())));
        let global = &self.source.global;
        for (name, path) in [("DEPLOYLOCK_DIR", &global.lock_dir), ("DEPLOYLOCK_CONFIG", &global.config)] {
            if let Some(path) = path {
                all.push((name, Some(path.into())));
            }
        }
        all
    }
}

impl Listener for Hooks {
    fn hear(&self, happenings: Vec<Happening>) {
        let Some(topology) = self.topology() else {
            return;
        };
        for job in happenings.iter().filter_map(|h| self.job(topology, h)) {
            if let Some(worker) = self.worker() {
                worker.add(job);
            }
        }
    }
}

fn failed(job: &Job, why: &Failed) {
    let program = job.argv.first().map(|p| p.to_string_lossy()).unwrap_or_default();
    complain(&format!(
        "warning: the hook {} ({}) {}; no lock is touched by that",
        job.key,
        clean(&program),
        why
    ));
}

/// The hooks whose program could not be started from here.
pub fn not_runnable(topology: &Topology) -> Vec<Warning> {
    let missing = |(hook, command): (&Hook, &Setting<Vec<String>>)| {
        let program = PathBuf::from(topology.hook(*hook)?.into_iter().next()?);
        let text = || {
            let program = quote(&program.to_string_lossy());
            format!("the hook {} cannot be run: {program} is no program that can be executed", hook.key())
        };
        (!is_runnable(&program)).then(|| Warning { line: command.line.unwrap_or_default(), text: text() })
    };
    topology.hooks.commands.iter().filter_map(missing).collect()
}

/// A name without a slash is looked for on the `PATH`.
fn is_runnable(program: &Path) -> bool {
    let executable = |path: &Path| path.is_file() && access(path, Access::EXEC_OK).is_ok();
    if program.components().count() > 1 || program.is_absolute() {
        return executable(program);
    }
    let path = std::env::var_os("PATH").unwrap_or_default();
    std::env::split_paths(&path).any(|folder| executable(&folder.join(program)))
}
