//! Changes of files, as the kernel tells them: what to watch, and what the events were about. What follows from them is
//! `watch`'s.

pub(super) use kernel::Events;

/// What events were about.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Told {
    /// The record of the one that sleeps: the first path that was asked for.
    pub(super) own: bool,
    /// A record was closed by somebody who could write to it: perhaps by the end of its process.
    pub(super) closed: bool,
    /// A record was renamed or removed.
    pub(super) moved: bool,
}

#[cfg(target_os = "linux")]
mod kernel {
    use std::mem::MaybeUninit;
    use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
    use std::path::PathBuf;
    use std::time::Duration;

    use rustix::event::{PollFd, PollFlags, Timespec, poll};
    use rustix::fs::inotify::{self, CreateFlags, ReadFlags, WatchFlags};
    use rustix::io::Errno;

    use super::Told;
    use crate::clock;

    /// How much is read at once, in bytes.
    const BUFFER: usize = 4096;
    /// The longest event, in bytes: with a name, which ends with a NUL (inotify(7)).
    const LONGEST: usize = 16 + 255 + 1;

    /// Changes of files, as the kernel tells them.
    pub struct Events {
        fd: OwnedFd,
        watches: Vec<i32>,
        /// The watch on the record of the one that sleeps: the first path that was asked for.
        own: Option<i32>,
    }

    impl Events {
        /// `None` where this user has no more instances.
        pub fn new() -> Option<Self> {
            let fd = inotify::init(CreateFlags::CLOEXEC | CreateFlags::NONBLOCK).ok()?;
            Some(Events { fd, watches: Vec::new(), own: None })
        }

        /// A rename, an unlink (told as ATTRIB while somebody has the file open), the end of a change, the last close.
        /// Not the change itself: a grant writes before it renames, and nobody is to wake between the two.
        /// `false` where something that is there cannot be watched.
        pub fn watch(&mut self, paths: &[PathBuf]) -> bool {
            let what = WatchFlags::ATTRIB
                | WatchFlags::MOVE_SELF
                | WatchFlags::CLOSE_WRITE
                | WatchFlags::DONT_FOLLOW;
            self.set(paths, what)
        }

        pub fn watch_folders(&mut self, paths: &[PathBuf]) -> bool {
            let what = WatchFlags::CREATE
                | WatchFlags::DELETE
                | WatchFlags::MOVED_FROM
                | WatchFlags::MOVED_TO
                | WatchFlags::CLOSE_WRITE
                | WatchFlags::DONT_FOLLOW;
            self.set(paths, what)
        }

        /// A path that is gone already needs no watch: the look that follows sees it.
        fn set(&mut self, paths: &[PathBuf], what: WatchFlags) -> bool {
            let added: Vec<rustix::io::Result<i32>> =
                paths.iter().map(|p| inotify::add_watch(&self.fd, p, what)).collect();
            let all = !added.iter().any(|watch| watch.is_err_and(|e| e != Errno::NOENT));
            let added: Vec<Option<i32>> = added.into_iter().map(|watch| watch.ok()).collect();
            self.own = added.first().copied().flatten();
            let wanted: Vec<i32> = added.into_iter().flatten().collect();
            for old in self.watches.iter().filter(|old| !wanted.contains(old)) {
                let _ = inotify::remove_watch(&self.fd, *old);
            }
            self.watches = wanted;
            self.drain();
            all
        }

        /// Takes all events.
        pub(in crate::store::files) fn drain(&mut self) -> Told {
            let mut buffer = [MaybeUninit::uninit(); BUFFER];
            let mut reader = inotify::Reader::new(&self.fd, &mut buffer);
            let (mut told, mut read) = (Told::default(), 0);
            while let Ok(event) = reader.next() {
                told.own |= Some(event.wd()) == self.own;
                told.closed |= event.events().contains(ReadFlags::CLOSE_WRITE);
                told.moved |= event.events().intersects(ReadFlags::MOVE_SELF | ReadFlags::ATTRIB);
                read += LONGEST;
                if reader.is_buffer_empty() {
                    // Where one more would have fitted in, there was none.
                    if read + LONGEST <= BUFFER {
                        break;
                    }
                    read = 0;
                }
            }
            told
        }

        /// Waits for more, but not once there is one about the own record, or the last close of another.
        pub fn linger(&mut self, bound: Duration) {
            let until = clock::since_boot() + bound;
            loop {
                let left = until.saturating_sub(clock::since_boot());
                let Some(left) = Timespec::try_from(left).ok().filter(|_| !left.is_zero()) else { return };
                let mut fds = [PollFd::new(&self.fd, PollFlags::IN)];
                match poll(&mut fds, Some(&left)) {
                    Ok(n) if n > 0 => {
                        let told = self.drain();
                        if told.own || told.closed {
                            return;
                        }
                    }
                    Ok(_) => {}
                    // A signal: for the caller to deal with.
                    Err(_) => return,
                }
            }
        }

        pub fn as_fd(&self) -> BorrowedFd<'_> {
            self.fd.as_fd()
        }
    }
}

#[cfg(not(target_os = "linux"))]
mod kernel {
    use std::os::fd::BorrowedFd;
    use std::path::PathBuf;
    use std::time::Duration;

    use super::Told;

    /// There are none here.
    pub enum Events {}

    impl Events {
        pub fn new() -> Option<Self> {
            None
        }

        pub fn watch(&mut self, _paths: &[PathBuf]) -> bool {
            match *self {}
        }

        pub fn watch_folders(&mut self, _paths: &[PathBuf]) -> bool {
            match *self {}
        }

        pub(in crate::store::files) fn drain(&mut self) -> Told {
            match *self {}
        }

        pub fn linger(&mut self, _bound: Duration) {}

        pub fn as_fd(&self) -> BorrowedFd<'_> {
            match *self {}
        }
    }
}
