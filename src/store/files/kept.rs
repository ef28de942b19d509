//! Files that nobody uses for now, left open for who asks for them again: to see that a name still leads to one takes less
//! than to open it, and to close it nothing.

use std::collections::VecDeque;
use std::sync::{Mutex, PoisonError};

use rustix::fs::OFlags;

use super::folder::{Folder, Opened};

/// How many are kept: the history, some locks, and those in the way.
const MOST: usize = 8;

#[derive(Default)]
pub(super) struct Kept(Mutex<VecDeque<Opened>>);

impl Kept {
    /// The one that was called so and was opened for this. Whether it still is the one of that name is to be seen.
    pub(super) fn take(&self, folder: Folder, name: &str, access: OFlags) -> Option<Opened> {
        let mut files = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let at = files.iter().position(|file| file.access == access && file.was_called(folder, name))?;
        files.remove(at)
    }

    /// Keeps it, and closes the one that was kept longest where there are too many.
    pub(super) fn put(&self, file: Opened) {
        let mut files = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        files.push_back(file);
        if files.len() > MOST {
            files.pop_front();
        }
    }
}
