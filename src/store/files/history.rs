//! `history.jsonl`: one line per event, appended under the guard, rotated when it is long.

use super::folder::{Folder, Opened, Top};
use crate::store::Result;

/// The history's name.
pub const NAME: &str = "history.jsonl";
/// What the history before it is called.
const OLDER: &str = "history.1.jsonl";
/// How long it may get before it is rotated, in bytes.
const LONG: u64 = 16 << 20;

/// Adds a line; a torn one that a crash left is ended first. `open` is the history, if this decision has written to it.
pub(super) fn append(top: &Top, open: &mut Option<Opened>, line: &str) -> Result<()> {
    let (mut opened, torn) = match open.take() {
        Some(opened) => (opened, ""),
        None => open_for_writing(top)?,
    };
    let text = format!("{torn}{line}\n");
    top.write(&opened, text.as_bytes(), opened.length)?;
    opened.length += text.len() as u64;
    *open = Some(opened);
    Ok(())
}

/// The history, rotated where it is long, and what ends a torn line.
fn open_for_writing(top: &Top) -> Result<(Opened, &'static str)> {
    let mut opened = top.open_or_create(Folder::Top, NAME)?;
    if opened.length > LONG {
        top.remove(Folder::Top, OLDER)?;
        top.rename((Folder::Top, NAME), (Folder::Top, OLDER))?;
        opened = top.open_or_create(Folder::Top, NAME)?;
    }
    let torn = if top.ends_a_line(&opened)? { "" } else { "\n" };
    Ok((opened, torn))
}

/// All lines, those of before the last rotation first.
pub(super) fn read(top: &Top) -> Result<Vec<String>> {
    // Opened in this order, a rotation meanwhile hides nothing: at worst both are the same file.
    let present = top.open_file(Folder::Top, NAME, false)?;
    let older = top.open_file(Folder::Top, OLDER, false)?;
    let older = older.filter(|older| !present.as_ref().is_some_and(|new| same_file(older, new)));
    let mut lines = Vec::new();
    for opened in [older, present].into_iter().flatten() {
        lines.extend(String::from_utf8_lossy(&top.read(&opened)?).lines().map(str::to_owned));
    }
    Ok(lines)
}

fn same_file(one: &Opened, other: &Opened) -> bool {
    use std::os::unix::fs::MetadataExt as _;
    match (one.file.metadata(), other.file.metadata()) {
        (Ok(one), Ok(other)) => (one.dev(), one.ino()) == (other.dev(), other.ino()),
        _ => false,
    }
}
