//! Taking over a deployment that no process keeps alive: a record with a new inode that the caller has locked.
//!
//! ```text
//! attached/OLD -> detached/ID       where it crashed in an earlier boot: held without a process meanwhile
//! .new-ID      -> detached/ID       the new record in the old one's place
//! lines: OLD becomes NEW            both lead to detached/ID
//! detached/ID  -> attached/NEW
//! ```
//!
//! A kill between any two steps leaves it held: by nobody, or by a process that is gone. What lies in `detached/` and
//! has a command can only have come there so: it is kept for a person (`liveness`).

use std::sync::Arc;

use super::folder::{Folder, Top, io_failed};
use super::names::{self, Stem};
use super::queue;
use super::txn::{FileLease, Files, HIGH_DESCRIPTOR};
use crate::deployment::{Deployment, State};
use crate::model::Keep;
use crate::store::{Lease, Result, StoreError};

const ATTACHED: Folder = Folder::Deployments(State::Attached);
const DETACHED: Folder = Folder::Deployments(State::Detached);
/// What a record is called while it is written. No id begins so.
const NEW: &str = ".new-";

pub(super) fn take_over(txn: &mut Files<'_>, d: &Deployment) -> Result<Box<dyn Lease>> {
    d.locks.iter().try_for_each(|request| txn.void_left_out_of(&request.lock))?;
    let top = txn.top();
    let (stem, id) = (Files::stem_of(d), d.id.as_str());
    let (state, old) = match txn.locate(&d.id, false)? {
        Some((state, name, _)) if state.holds() => (state, name),
        _ => return Err(StoreError::Gone(d.id.clone())),
    };
    let new = format!("{NEW}{id}");
    top.remove(DETACHED, &new)?;
    let opened = top.create(DETACHED, &new)?.above(HIGH_DESCRIPTOR);
    fs2::FileExt::try_lock_exclusive(&opened.file)
        .map_err(|e| io_failed("lock", &top.show(DETACHED, &new), e))?;
    top.write(&opened, txn.text(d).as_bytes(), 0)?;
    // It takes the place of a record that was promised to outlast a power failure.
    top.sync(&opened)?;
    let name = stem.name();
    if state == State::Attached && old == name {
        top.rename((DETACHED, &new), (ATTACHED, &name))?;
    } else {
        if state == State::Attached {
            top.rename((ATTACHED, &old), (DETACHED, id))?;
        }
        top.rename((DETACHED, &new), (DETACHED, id))?;
        rename_in_lines(txn, d, &stem)?;
        top.rename((DETACHED, id), (ATTACHED, &name))?;
    }
    txn.standings.remove(&d.id);
    txn.stems.insert(d.id.clone(), stem);
    if d.on_crash == Keep::Hold {
        top.sync_folder(ATTACHED)?;
    }
    // When it is released, nothing may come back with a power failure: not what it was before either. Where this fails,
    // what could come back is held for a person; to give up here would free what was kept.
    let _ = top.sync_folder(DETACHED);
    Ok(Box::new(FileLease { id: d.id.clone(), opened: Arc::new(opened) }))
}

/// A line is small enough to be overwritten in one piece.
fn rename_in_lines(txn: &mut Files<'_>, d: &Deployment, stem: &Stem) -> Result<()> {
    for request in &d.locks {
        let folder = Folder::Locks(request.lock.kind);
        let path = names::lock_path(&request.lock.name);
        let Some(opened) = txn.top().open_file(folder, &path, true)? else { continue };
        let lines = queue::read(&txn.top().read(&opened)?).lines;
        for line in lines.into_iter().filter(|line| line.entry.id == d.id) {
            let renamed = queue::Line { stem: stem.clone(), ..line };
            txn.top().write(&opened, queue::again(&renamed).as_bytes(), renamed.offset)?;
        }
        txn.queues.remove(&request.lock);
    }
    Ok(())
}

/// Removes what one that was killed at it has left.
pub(super) fn tidy(top: &Top) -> Result<()> {
    for name in top.names(DETACHED)? {
        if name.starts_with(NEW) {
            top.remove(DETACHED, &name)?;
        }
    }
    Ok(())
}
