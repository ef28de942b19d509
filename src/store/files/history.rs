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
    let text = format!("{line}\n");
    top.write(&opened, text.as_bytes(), opened.length)
}
