//! `history.jsonl`: one line per event, appended under the guard, rotated when it is long.

use super::folder::{Folder, Top};
use crate::store::Result;

/// The history's name.
pub const NAME: &str = "history.jsonl";
/// What the history before it is called.
const OLDER: &str = "history.1.jsonl";
/// How long it may get before it is rotated, in bytes.
const LONG: u64 = 16 << 20;

/// Adds a line; a torn one that a crash left is ended first.
pub(super) fn append(top: &Top, line: &str) -> Result<()> {
    let mut opened = top.open_or_create(Folder::Top, NAME)?;
    if opened.length > LONG {
        top.remove(Folder::Top, OLDER)?;
        top.rename((Folder::Top, NAME), (Folder::Top, OLDER))?;
        opened = top.open_or_create(Folder::Top, NAME)?;
    }
    let torn = if top.ends_a_line(&opened)? { "" } else { "\n" };
    let text = format!("{torn}{line}\n");
    top.write(&opened, text.as_bytes(), opened.length)
}

/// All lines, those of before the last rotation first.
pub(super) fn read(top: &Top) -> Result<Vec<String>> {
    let mut lines = Vec::new();
    for name in [OLDER, NAME] {
        if let Some(opened) = top.open_file(Folder::Top, name, false)? {
            lines.extend(String::from_utf8_lossy(&top.read(&opened)?).lines().map(str::to_owned));
        }
    }
    Ok(lines)
}
