//! The guard: one file, advisory-locked for the few microseconds of each decision. It holds the last number given.
//!
//! Lock order: the guard first, then records, never the other way round; records are only ever tried, so nothing
//! can wait for one while it holds the guard. Whoever holds the guard waits for nobody.

use std::fs::File;
use std::sync::mpsc;
use std::time::Duration;

use super::folder::{Folder, Opened, Top, io_failed};
use crate::store::{Result, StoreError};

/// The guard's name.
pub const NAME: &str = "guard";
/// The format written, and the newest that is read.
const FORMAT: u64 = 1;
/// What it says with that, in bytes.
const LENGTH: usize = 115;
/// As long as a boot id.
const BLANK: &str = "                                    ";
/// As long as a number may be.
const ZEROS: &str = "00000000000000000000";
/// How long a decision of another may take before it is said who is in the way.
const PATIENCE: Duration = Duration::from_secs(5);
/// How often to try again at once before sleeping on the lock: longer than a decision usually takes.
const EAGER_TRIES: u32 = 300;
/// How often to try to give it back.
const UNLOCK_TRIES: u32 = 100;
/// How far ahead the durable ceiling of the numbers is.
const AHEAD: u64 = 1000;

/// What the guard says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Content {
    /// The boot in which it was last written.
    pub boot: String,
    /// The last number given.
    pub number: u64,
    /// A durable bound of the numbers given: a new boot goes on from here.
    pub ceiling: u64,
}

impl Content {
    fn text(&self) -> String {
        let mut text = String::with_capacity(LENGTH);
        text.push_str("deploylock 1   \nboot ");
        text.push_str(&self.boot);
        text.push_str(&BLANK[self.boot.len().min(BLANK.len())..]);
        for (key, value) in [("\nnumber ", self.number), ("\nceiling ", self.ceiling)] {
            let mut digits = itoa::Buffer::new();
            let digits = digits.format(value);
            text.push_str(key);
            text.push_str(&ZEROS[digits.len()..]);
            text.push_str(digits);
        }
        text.push('\n');
        text
    }

    /// `Ok(None)`: nothing that makes sense; `Err`: a newer format.
    fn parse(bytes: &[u8]) -> std::result::Result<Option<Content>, u64> {
        let Ok(text) = std::str::from_utf8(bytes) else {
            return Ok(None);
        };
        let mut lines = text.lines();
        let mut field = |key: &str| {
            let line = lines.next()?.strip_prefix(key)?.strip_prefix(' ')?;
            Some(line.trim())
        };
        let Some(format) = field("deploylock").and_then(|f| f.parse::<u64>().ok()) else {
            return Ok(None);
        };
        if format > FORMAT {
            return Err(format);
        }
        let boot = field("boot");
        let number = field("number").and_then(|n| n.parse().ok());
        let ceiling = field("ceiling").and_then(|n| n.parse().ok());
        Ok((|| Some(Content { boot: boot?.to_owned(), number: number?, ceiling: ceiling? }))())
    }
}

/// The guard, locked by us.
pub struct Held<'a> {
    top: &'a Top,
    opened: &'a Opened,
}

impl Drop for Held<'_> {
    /// Explicitly, so that no copy of the descriptor in a forked child keeps it.
    fn drop(&mut self) {
        unlock(&self.opened.file);
    }
}

/// Who goes on to wait must not take the guard along because a network file system answered badly once.
fn unlock(file: &File) {
    let _ = (0..UNLOCK_TRIES).find(|_| fs2::FileExt::unlock(file).is_ok());
}

impl<'a> Held<'a> {
    /// Locks the guard; `None` where the lock directory has been replaced since it was opened.
    ///
    /// # Errors
    /// When it cannot be locked, or somebody keeps it for too long.
    pub fn lock(top: &'a Top, opened: &'a Opened, shared: bool) -> Result<Option<Held<'a>>> {
        wait_for_lock(top, &opened.file, shared)?;
        let held = Held { top, opened };
        Ok(top.still_leads_to(NAME, opened).then_some(held))
    }

    /// What it says; `None` where that makes no sense.
    ///
    /// # Errors
    /// When it cannot be read or is of a newer format.
    pub fn read(&self) -> Result<Option<Content>> {
        let bytes = self.top.read(self.opened)?;
        Content::parse(&bytes)
            .map_err(|format| StoreError::TooNew { path: self.top.show(Folder::Top, NAME), format })
    }

    /// The next number; it is written before it is used, and durable before the ceiling is passed.
    ///
    /// # Errors
    /// When it cannot be written.
    pub fn next(&self, content: &mut Content) -> Result<u64> {
        let mut next = Content { number: content.number + 1, ..content.clone() };
        if next.number > next.ceiling {
            next.ceiling = next.number + AHEAD;
            self.write_durably(&next)?;
        } else {
            self.top.write(self.opened, next.text().as_bytes(), 0)?;
        }
        *content = next;
        Ok(content.number)
    }

    /// Writes the content and makes it durable.
    ///
    /// # Errors
    /// When that is not possible.
    pub fn write_durably(&self, content: &Content) -> Result<()> {
        self.top.write(self.opened, content.text().as_bytes(), 0)?;
        self.top.sync(self.opened)
    }
}

/// A ceiling above every number that is known to have been given.
#[must_use]
pub fn ceiling_above(number: u64) -> u64 {
    number.saturating_add(AHEAD)
}

fn try_lock(file: &File, shared: bool) -> std::io::Result<()> {
    if shared { fs2::FileExt::try_lock_shared(file) } else { fs2::FileExt::try_lock_exclusive(file) }
}

fn wait_for_lock(top: &Top, file: &File, shared: bool) -> Result<()> {
    let path = || top.show(Folder::Top, NAME);
    for _ in 0..EAGER_TRIES {
        match try_lock(file, shared) {
            Ok(()) => return Ok(()),
            Err(e) if e.kind() == std::io::ErrorKind::WouldBlock => std::thread::yield_now(),
            Err(e) if e.kind() == std::io::ErrorKind::Interrupted => {}
            Err(e) => return Err(io_failed("lock", &path(), e)),
        }
    }
    sleep_on_lock(top, file, shared)
}

/// Sleeps in the kernel's queue, in a thread of its own, so that the wait has a bound.
fn sleep_on_lock(top: &Top, file: &File, shared: bool) -> Result<()> {
    let path = || top.show(Folder::Top, NAME);
    let copy = file.try_clone().map_err(|e| io_failed("lock", &path(), e))?;
    let (tell, told) = mpsc::channel();
    let wait = move || {
        let result = loop {
            let got =
                if shared { fs2::FileExt::lock_shared(&copy) } else { fs2::FileExt::lock_exclusive(&copy) };
            match got {
                Err(e) if e.kind() == std::io::ErrorKind::Interrupted => {}
                other => break other,
            }
        };
        // Nobody listens any more: the lock must not stay with us.
        if tell.send(result).is_err() {
            unlock(&copy);
        }
    };
    std::thread::Builder::new().spawn(wait).map_err(|e| io_failed("wait for", &path(), e))?;
    match told.recv_timeout(PATIENCE) {
        Ok(result) => result.map_err(|e| io_failed("lock", &path(), e)),
        Err(_) => Err(StoreError::Busy { path: top.path.clone(), waited: PATIENCE, holder: who_holds(file) }),
    }
}

/// How often the kernel's list of locks is read for one that must be in it.
const TIMES_LISTED: usize = 10;

/// Who has the guard, by the kernel's list of locks (proc_locks(5)).
fn who_holds(file: &File) -> String {
    use std::os::unix::fs::MetadataExt as _;
    let unknown = "who is inside cannot be seen from here; try again".to_owned();
    let Ok(meta) = file.metadata() else { return unknown };
    let inode = format!(":{}", meta.ino());
    let listed = || {
        let list = std::fs::read_to_string("/proc/locks").ok()?;
        list.lines().filter(|l| !l.contains("->")).find_map(|line| {
            let words: Vec<&str> = line.split_ascii_whitespace().collect();
            (words.get(1) == Some(&"FLOCK") && words.get(5)?.ends_with(&inode)).then(|| words[4].to_owned())
        })
    };
    // The list is read in pieces, and while others lock and unlock a line may fall between two of them.
    let holder = (0..TIMES_LISTED).find_map(|_| listed());
    let Some(pid) = holder.filter(|pid| pid != "0" && pid != "-1") else {
        return unknown;
    };
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
    let stopped = stat.rsplit_once(')').is_some_and(|(_, rest)| rest.trim_start().starts_with(['T', 't']));
    if stopped {
        format!("process {pid} is stopped inside it; continue it with `kill -CONT {pid}`, or end it")
    } else {
        format!("process {pid} is inside it; try again, or look at what that process does")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_content_comes_back_and_keeps_its_width() {
        let a = Content { boot: "b".repeat(36), number: 1, ceiling: 1000 };
        let b = Content { boot: String::new(), number: u64::MAX, ceiling: u64::MAX };
        for content in [&a, &b] {
            assert_eq!(Content::parse(content.text().as_bytes()), Ok(Some(content.clone())));
        }
        assert!(a.text().starts_with(&format!("deploylock {FORMAT} ")));
        assert_eq!((a.text().len(), b.text().len()), (LENGTH, LENGTH));
    }

    #[test]
    fn nonsense_is_none_and_a_newer_format_is_told_apart() {
        assert_eq!(Content::parse(b""), Ok(None));
        assert_eq!(Content::parse(b"\xff\0"), Ok(None));
        assert_eq!(Content::parse(b"deploylock 1\nboot x\n"), Ok(None));
        assert_eq!(Content::parse(b"deploylock 2\nwhatever\n"), Err(2));
    }
}
