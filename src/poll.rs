//! Waiting until something can be read.

use std::os::fd::BorrowedFd;
use std::time::Duration;

use rustix::event::{PollFd, PollFlags, Timespec, poll};

/// Waits until one of these can be read, at most for so long. Which of them can; none also where the wait was cut
/// short, so that whoever waits for a time asks the clock.
#[must_use]
pub fn readable(fds: &[BorrowedFd<'_>], bound: Option<Duration>) -> Vec<bool> {
    let mut polled: Vec<PollFd<'_>> = fds.iter().map(|fd| PollFd::new(fd, PollFlags::IN)).collect();
    let bound = bound.and_then(|d| Timespec::try_from(d).ok());
    match poll(&mut polled, bound.as_ref()) {
        Ok(_) => polled.iter().map(|fd| !fd.revents().is_empty()).collect(),
        Err(_) => vec![false; fds.len()],
    }
}
