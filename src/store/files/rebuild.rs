//! Making the lock files anew from the records: after a power failure, which may have taken their unsynced lines,
//! and where one says something without sense.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::folder::{Folder, Top};
use super::names::{self, Stem};
use super::queue;
use super::txn::Files;
use crate::deployment::{Deployment, Id, State, Stored, Unreadable, Verdict};
use crate::model::{Keep, Kind, LockName};
use crate::store::{Result, Txn};

/// Writes every lock file anew and takes away what a restart ended; notes a record that may hold anything. The highest number that was ever given, as
/// far as the records know.
pub(super) fn rebuild(txn: &mut Files<'_>) -> Result<u64> {
    let all = txn.all()?;
    let mut highest = 0;
    let (mut living, mut unreadable): (Vec<(State, Deployment)>, Vec<Unreadable>) = Default::default();
    for stored in all {
        highest = highest.max(number_of(stored.id()));
        let verdict = txn.verdict(&stored)?;
        let state = stored.state();
        match (stored, verdict) {
            (stored, Verdict::Dead(_)) if matches!(state, State::Attached | State::Waiting) => {
                bury(txn.top(), &stored, state)?;
            }
            (Stored::Readable(_, d), _) => {
                highest = highest.max(d.arrival).max(d.token.unwrap_or(0));
                if state != State::Paused {
                    living.push((state, Arc::unwrap_or_clone(d)));
                }
            }
            (Stored::Unreadable(u), _) => unreadable.push(u),
        }
    }
    bury_doubles(txn.top(), &mut living)?;
    // Who holds stands before who waits, as the engine wants it (`Look::waits_behind`): a nested holder may have
    // come later than a waiter, and its ancestor's line may be gone.
    living.sort_by_key(|(state, d)| (*state == State::Waiting, d.arrival));
    let (mut files, forgotten) = lines_of_unreadable(txn.top(), unreadable)?;
    txn.forgotten = forgotten;
    for (state, d) in &living {
        let boot = if *state == State::Detached { String::new() } else { d.place.boot.clone() };
        let stem = Stem::new(d.id.clone(), &boot, if boot.is_empty() { Keep::Release } else { d.on_crash });
        for request in &d.locks {
            // A nested one shares its nearest ancestor's hold, if that still has one here.
            let under = d.ancestors.iter().find(|a| {
                living.iter().any(|(_, x)| x.id == **a && x.locks.iter().any(|r| r.lock == request.lock))
            });
            files.entry(request.lock.clone()).or_default().push_str(&queue::line(
                &stem,
                request,
                under,
                d.locks.len(),
            ));
        }
    }
    let written = write_all(txn, &files);
    // Also of those that were replaced before one could not be.
    txn.forget_all();
    written.map(|()| highest)
}

fn number_of(id: &Id) -> u64 {
    id.as_str().split('-').next().and_then(|n| n.parse().ok()).unwrap_or(0)
}

/// A power failure in the middle of a rename may leave both names: what is detached holds, and is released, once.
fn bury_doubles(top: &Top, living: &mut Vec<(State, Deployment)>) -> Result<()> {
    let of_state = |wanted| move |(state, _): &&(State, Deployment)| *state == wanted;
    let detached: Vec<Id> =
        living.iter().filter(of_state(State::Detached)).map(|(_, d)| d.id.clone()).collect();
    let is_double = |(state, d): &(State, Deployment)| *state == State::Attached && detached.contains(&d.id);
    for (state, d) in living.iter().filter(|x| is_double(x)) {
        top.remove(Folder::Deployments(*state), &Files::stem_of(d).to_string())?;
    }
    living.retain(|x| !is_double(x));
    Ok(())
}

fn bury(top: &Top, stored: &Stored, state: State) -> Result<()> {
    let name = match stored {
        Stored::Readable(_, d) => Stem::new(d.id.clone(), &d.place.boot, d.on_crash).to_string(),
        Stored::Unreadable(u) => u.path.rsplit_once('/').map_or(u.path.clone(), |(_, name)| name.to_owned()),
    };
    top.remove(Folder::Deployments(state), &name).map(drop)
}

/// What the lock files still say of records that cannot speak for themselves; and one of these that holds more than
/// they say, if there is one.
fn lines_of_unreadable(
    top: &Top,
    unreadable: Vec<Unreadable>,
) -> Result<(BTreeMap<LockName, String>, Option<Unreadable>)> {
    let mut files = BTreeMap::new();
    if unreadable.is_empty() {
        return Ok((files, None));
    }
    // How many lines each should have and, here, has.
    let mut found: BTreeMap<Id, (usize, usize)> = BTreeMap::new();
    for lock in all_locks(top)? {
        let Some(opened) = top.open_file(Folder::Locks(lock.kind), &names::lock_path(&lock.name), false)?
        else {
            continue;
        };
        let read = queue::read(&top.read(&opened)?);
        let mut text = String::new();
        for line in read.lines.iter().filter(|l| unreadable.iter().any(|u| u.id == l.entry.id)) {
            let (of, lines) = found.entry(line.entry.id.clone()).or_default();
            *of = line.of.unwrap_or_default().max(*of);
            *lines += 1;
            text.push_str(&queue::again(line));
        }
        if !text.is_empty() {
            files.insert(lock, text);
        }
    }
    let is_whole = |id: &Id| found.get(id).is_some_and(|(of, lines)| lines >= of);
    let forgotten = unreadable.into_iter().find(|u| u.state.holds() && !is_whole(&u.id));
    Ok((files, forgotten))
}

/// Every lock that has a file.
pub(super) fn all_locks(top: &Top) -> Result<Vec<LockName>> {
    let mut locks = Vec::new();
    for kind in Kind::ALL {
        for path in top.paths(Folder::Locks(kind))? {
            locks.extend(names::lock_name(&path).map(|name| LockName::new(kind, name)));
        }
    }
    Ok(locks)
}

fn write_all(txn: &Files<'_>, files: &BTreeMap<LockName, String>) -> Result<()> {
    let top = txn.top();
    for (lock, text) in files {
        replace(top, Folder::Locks(lock.kind), &names::lock_path(&lock.name), text)?;
    }
    for lock in all_locks(top)? {
        if !files.contains_key(&lock) {
            top.remove(Folder::Locks(lock.kind), &names::lock_path(&lock.name))?;
        }
    }
    Ok(())
}

/// Puts a new file in the place of one, so that a crash leaves the one or the other.
pub(super) fn replace(top: &Top, folder: Folder, path: &str, text: &str) -> Result<()> {
    // No encoded name has `%` before anything but two hex digits or the end of a folder's name.
    let fresh = format!("{path}%new");
    top.remove(folder, &fresh)?;
    let opened = top.create(folder, &fresh)?;
    top.write(&opened, text.as_bytes(), 0)?;
    top.rename((folder, &fresh), (folder, path))
}
