//! `ledger/<lock>`: lines about a lock that outlast everything, appended under the guard and synced.
//!
//! What they say is not known here.

use super::folder::{Folder, Top};
use super::names;
use crate::model::LockName;
use crate::store::Result;

fn path(lock: &LockName) -> String {
    names::lock_path(&lock.to_string())
}

/// Adds a line; a torn one that a crash left is ended first.
pub(super) fn append(top: &Top, lock: &LockName, line: &str) -> Result<()> {
    let path = path(lock);
    let opened = top.open_or_create(Folder::Ledger, &path)?;
    let torn = if top.ends_a_line(&opened)? { "" } else { "\n" };
    top.write(&opened, format!("{torn}{line}\n").as_bytes(), opened.length)?;
    top.sync(&opened)?;
    // An earlier line may have been cut off by a crash before the name was made durable.
    top.sync_name(Folder::Ledger, &path)
}

/// All lines, oldest first.
pub(super) fn read(top: &Top, lock: &LockName) -> Result<Vec<String>> {
    let Some(opened) = top.open_file(Folder::Ledger, &path(lock), false)? else {
        return Ok(Vec::new());
    };
    Ok(String::from_utf8_lossy(&top.read(&opened)?).lines().map(str::to_owned).collect())
}

/// Every lock that has one.
pub(super) fn all(top: &Top) -> Result<Vec<LockName>> {
    let paths = top.paths(Folder::Ledger)?;
    let mut locks: Vec<LockName> =
        paths.iter().filter_map(|path| names::lock_name(path)?.parse().ok()).collect();
    locks.sort();
    Ok(locks)
}
