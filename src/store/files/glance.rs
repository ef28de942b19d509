//! What stands in for file events where this user has no more inotify instances: a glance at the watched records now
//! and then, which takes no guard and so disturbs nobody.

use std::path::{Path, PathBuf};
use std::time::Duration;

use rustix::fs::{self as sys};

/// How often to glance.
pub(super) const EVERY: Duration = Duration::from_secs(1);

/// What a record looked like from outside; `None` where it was not there.
type Sight = Option<(u64, i64, u64, i64, u64)>;

/// The watched records as they were when they were last looked into.
#[derive(Default)]
pub(super) struct Glance {
    seen: Vec<(PathBuf, Sight)>,
}

impl Glance {
    /// From now on these are watched.
    pub(super) fn watch(&mut self, paths: &[PathBuf]) {
        self.seen = paths.iter().map(|path| (path.clone(), sight(path))).collect();
    }

    /// Whether none of them has been written, renamed or removed since.
    pub(super) fn unchanged(&self) -> bool {
        !self.seen.is_empty() && self.seen.iter().all(|(path, before)| sight(path) == *before)
    }
}

fn sight(path: &Path) -> Sight {
    let stat = sys::lstat(path).ok()?;
    #[allow(clippy::unnecessary_cast)] // they are of other types elsewhere
    Some((
        stat.st_ino as u64,
        stat.st_mtime as i64,
        stat.st_mtime_nsec as u64,
        stat.st_ctime as i64,
        stat.st_ctime_nsec as u64,
    ))
}
