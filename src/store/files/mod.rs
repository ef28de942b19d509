//! The default store: a directory of files, a file per lock, a record per deployment whose folder is its state.
//!
//! ```text
//! guard                        locked for each decision; holds the last number
//! locks/<kind>/<name>          a line per deployment, in order of arrival
//! deployments/waiting/<stem>   a record each; rename and unlink are the commits
//! deployments/attached/<stem>
//! deployments/detached/<id>
//! deployments/paused/<id>
//! ledger/<name>                lines that must not be lost: an application's versions
//! history.jsonl
//! ```
//!
//! A record is the truth; a lock file only names who queues there. See `docs/design.md` for why.

mod bell;
mod events;
mod evidence;
pub mod folder;
mod glance;
pub mod guard;
mod history;
mod kept;
mod layout;
mod ledger;
mod lines;
pub mod names;
mod own;
pub mod queue;
mod rebuild;
pub mod record;
mod records;
mod takeover;
mod timer;
mod txn;
mod watch;

use std::cell::{Cell, RefCell};
use std::path::{Path, PathBuf};

use std::sync::Arc;
use std::time::Duration;

use super::{Decision, Listener, Result, Sleeper, Store, StoreError, log_deciding};
use crate::deployment::Deployment;
use crate::model::Keep;
use crate::process;
use folder::{Folder, Opened, Steps, Top};

pub use txn::FileLease;

/// Where the files store lies and how it is made.
#[derive(Clone, Default)]
pub struct Place {
    /// The lock directory.
    pub directory: PathBuf,
    /// Its mode when it is created; the umask's choice where `None`. An existing one keeps its own.
    pub mode: Option<u32>,
    /// To be told of each step. For tests.
    pub steps: Option<Arc<dyn Steps>>,
}

/// A store in files.
pub struct FilesStore {
    place: Place,
    open: RefCell<Option<Arc<OpenStore>>>,
    /// Once it was there, only a person makes it anew: one that waits must not, while it is being removed.
    was_there: Cell<bool>,
    listener: Option<Arc<dyn Listener>>,
    own: Box<own::Own>,
}

struct OpenStore {
    top: Top,
    guard: Opened,
    /// Why only looking is possible.
    read_only: Option<std::io::ErrorKind>,
}

impl FilesStore {
    /// A store at this place. Touches nothing yet.
    #[must_use]
    pub fn new(place: Place) -> Self {
        let (open, was_there, own) = Default::default();
        FilesStore { place, open, was_there, listener: None, own }
    }

    /// The same store, with somebody who is told what the decisions made through it bring about.
    #[must_use]
    pub fn heard_by(self, listener: Arc<dyn Listener>) -> Self {
        FilesStore { listener: Some(listener), ..self }
    }

    /// The lock directory.
    #[must_use]
    pub fn directory(&self) -> &Path {
        &self.place.directory
    }

    /// Whether only one kernel can have its file system mounted; `None` where there is no store.
    ///
    /// # Errors
    /// When it is there and cannot be opened.
    pub fn is_local(&self) -> Result<Option<bool>> {
        if let Some(open) = self.remembered() {
            return Ok(Some(open.top.local));
        }
        Ok(Top::open(&self.place.directory, None)?.map(|top| top.local))
    }

    /// The mount through which it is reached, as this kernel numbers file systems; `None` where there is no store.
    ///
    /// # Errors
    /// When it is there and cannot be opened.
    pub fn device(&self) -> Result<Option<u64>> {
        Ok(Top::open(&self.place.directory, None)?.map(|top| top.device))
    }

    /// Tests on the spot whether advisory locks exclude there.
    ///
    /// # Errors
    /// [`StoreError::NoLocking`] when they do not.
    pub fn test_locking(&self) -> Result<()> {
        match self.existing()? {
            Some(open) => txn::test_locking(&open.top),
            None => Ok(()),
        }
    }

    fn remembered(&self) -> Option<Arc<OpenStore>> {
        self.open.borrow().clone()
    }

    fn remember(&self, open: OpenStore) -> Arc<OpenStore> {
        let open = Arc::new(open);
        self.was_there.set(true);
        *self.open.borrow_mut() = Some(open.clone());
        open
    }

    /// The store as it is; `None` where there is none.
    fn existing(&self) -> Result<Option<Arc<OpenStore>>> {
        // Where another host may have changed the folders, opening them is what makes this one look anew.
        if let Some(open) = self.remembered().filter(|open| open.top.local) {
            return Ok(Some(open));
        }
        let Some(top) = Top::open(&self.place.directory, self.place.steps.clone())? else {
            return Ok(None);
        };
        // Reading needs no more than permission to read.
        let (guard, read_only) = match top.open_file(Folder::Top, guard::NAME, true) {
            Err(StoreError::Io { source, .. }) if is_refusal(&source) => {
                (top.open_file(Folder::Top, guard::NAME, false)?, Some(source.kind()))
            }
            other => (other?, None),
        };
        Ok(guard.map(|guard| self.remember(OpenStore { top, guard, read_only })))
    }

    fn existing_or_new(&self) -> Result<Arc<OpenStore>> {
        if let Some(open) = self.existing()? {
            return Ok(open);
        }
        if self.was_there.get() {
            return Err(StoreError::Removed(self.place.directory.clone()));
        }
        Top::make(&self.place.directory, self.place.mode)?;
        let open = || Top::open(&self.place.directory, self.place.steps.clone());
        let Some(top) = open()? else {
            return Err(vanished(&self.place.directory));
        };
        top.make_folders()?;
        let guard = match top.create(Folder::Top, guard::NAME) {
            Ok(guard) => guard,
            // Somebody else was as quick.
            Err(StoreError::Io { source, .. }) if source.kind() == std::io::ErrorKind::AlreadyExists => top
                .open_file(Folder::Top, guard::NAME, true)?
                .ok_or_else(|| vanished(&self.place.directory))?,
            Err(e) => return Err(e),
        };
        Ok(self.remember(OpenStore { top, guard, read_only: None }))
    }
}

fn is_refusal(e: &std::io::Error) -> bool {
    matches!(e.kind(), std::io::ErrorKind::PermissionDenied | std::io::ErrorKind::ReadOnlyFilesystem)
}

fn vanished(path: &Path) -> StoreError {
    let source = std::io::Error::new(std::io::ErrorKind::NotFound, "it is removed as fast as it is made");
    StoreError::Io { what: "open the lock directory", path: path.to_owned(), source }
}

/// How often a lock directory that is replaced under our hands is opened again.
const REOPENINGS: usize = 20;

impl Store for FilesStore {
    fn decide(&self, decision: &mut Decision<'_>) -> Result<()> {
        drop(self.own.take_removed());
        for _ in 0..REOPENINGS {
            let open = self.existing_or_new()?;
            if let Some(kind) = open.read_only {
                return Err(folder::io_failed("change anything in", &self.place.directory, kind.into()));
            }
            if let Some(held) = guard::Held::lock(&open.top, &open.guard, false)? {
                let mut happened = Vec::new();
                let heard = self.listener.is_some().then_some(&mut happened);
                // Run, and with that the guard unlocked, before anybody hears of it.
                let done = txn::Files::begin(&open.top, held, &self.own)?.heard(heard).run(decision);
                if let Some(listener) = self.listener.as_ref().filter(|_| !happened.is_empty()) {
                    listener.hear(happened);
                }
                return done;
            }
            *self.open.borrow_mut() = None;
        }
        Err(vanished(&self.place.directory))
    }

    fn look(&self, look: &mut Decision<'_>) -> Result<bool> {
        for _ in 0..REOPENINGS {
            let Some(open) = self.existing()? else {
                return Ok(false);
            };
            if let Some(held) = guard::Held::lock(&open.top, &open.guard, true)? {
                txn::Files::begin_look(&open.top, held, &self.own)?.run(look)?;
                return Ok(true);
            }
            *self.open.borrow_mut() = None;
        }
        Ok(false)
    }

    /// The rename is the commit, and nobody else takes back what a living process holds but a person. Left to decisions: what
    /// hooks have to hear of, what is promised to be durable before anything is done under it, and folders that may look
    /// older than they are.
    fn granted(&self, waited: &Deployment) -> Result<Option<Arc<Deployment>>> {
        let open = self.remembered().filter(|open| open.top.local);
        let (Some(open), None, Keep::Release) = (open, &self.listener, waited.on_crash) else {
            return Ok(None);
        };
        txn::granted(&open.top, &self.own, waited)
    }

    fn log(&self, line: &str) -> Result<()> {
        match self.remembered().filter(|open| open.top.local) {
            Some(open) => history::append_alone(&open.top, line),
            // Only this kernel lets nobody write between the end of a file and what is appended there.
            None => log_deciding(self, line),
        }
    }

    fn sleeper(&self, retry: Duration) -> Result<Box<dyn Sleeper + '_>> {
        Ok(Box::new(watch::FilesSleeper::new(self, retry)?))
    }

    fn history(&self) -> Result<Vec<String>> {
        match self.existing()? {
            Some(open) => history::read(&open.top),
            None => Ok(Vec::new()),
        }
    }

    fn describe(&self) -> String {
        self.place.directory.display().to_string()
    }
}

/// The current boot, as file names say it.
fn boot_tag() -> names::BootTag {
    names::BootTag::of(&process::here().boot)
}
