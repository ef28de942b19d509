//! `history.jsonl`: one line per event, appended, rotated under the guard when it is long.

use std::time::Duration;

use super::folder::{Folder, Opened, Top};
use crate::clock;
use crate::store::Result;

/// The history's name.
pub const NAME: &str = "history.jsonl";
/// What the history before it is called.
const OLDER: &str = "history.1.jsonl";
/// How long it may get before it is rotated, in bytes.
const LONG: u64 = 16 << 20;
/// How long a line without an end must not have grown to be one that a crash left.
const TORN: Duration = Duration::from_millis(5);

/// Adds lines under the guard. `open` is the history, if this decision has written to it.
pub(super) fn append(top: &Top, open: &mut Option<Opened>, lines: &str) -> Result<()> {
    match open {
        Some(opened) => top.append(opened, lines.as_bytes()),
        None => add_first(top, open.insert(present(top)?), lines),
    }
}

/// Adds a line without the guard, on a file system where a file is appended to in one step: nothing is written twice at
/// one place then, and at worst into the part that is being rotated away.
pub(super) fn append_alone(top: &Top, line: &str) -> Result<()> {
    add_first(top, &mut top.open_to_append(Folder::Top, NAME)?, &format!("{line}\n"))
}

/// Adds lines; a torn one that a crash left is ended first.
fn add_first(top: &Top, opened: &mut Opened, lines: &str) -> Result<()> {
    let mut grew = None;
    loop {
        if top.ends_a_line(opened)? {
            return top.append(opened, lines.as_bytes());
        }
        // Somebody may be at it: a line across the border of two pages is there in two steps.
        std::thread::yield_now();
        let now = clock::since_boot();
        let since = *grew.get_or_insert(now);
        if top.has_grown(opened)? {
            grew = Some(now);
        } else if now >= since + TORN {
            return top.append(opened, format!("\n{lines}").as_bytes());
        }
    }
}

/// The history, rotated where it is long.
fn present(top: &Top) -> Result<Opened> {
    let opened = top.open_to_append(Folder::Top, NAME)?;
    if opened.length <= LONG {
        return Ok(opened);
    }
    top.remove(Folder::Top, OLDER)?;
    top.rename((Folder::Top, NAME), (Folder::Top, OLDER))?;
    top.open_to_append(Folder::Top, NAME)
}

/// All lines, those of before the last rotation first.
pub(super) fn read(top: &Top) -> Result<Vec<String>> {
    // Opened in this order, a rotation meanwhile hides nothing: at worst both are the same file.
    let present = top.open_file(Folder::Top, NAME, false)?;
    let older = top.open_file(Folder::Top, OLDER, false)?;
    let older = older.filter(|older| !present.as_ref().is_some_and(|new| older.is_same_file(new)));
    let mut lines = Vec::new();
    for opened in [older, present].into_iter().flatten() {
        lines.extend(String::from_utf8_lossy(&top.read(&opened)?).lines().map(str::to_owned));
    }
    Ok(lines)
}
