//! A moment to wake up at, by the clock that counts suspended time.

use std::os::fd::BorrowedFd;
use std::time::Duration;

use rustix::event::Timespec;

pub(super) use clocked::Timer;

#[cfg(target_os = "linux")]
mod clocked {
    use std::os::fd::{AsFd, OwnedFd};

    use super::*;
    use rustix::time::{
        Itimerspec, TimerfdClockId, TimerfdFlags, TimerfdTimerFlags, timerfd_create, timerfd_settime,
    };

    /// A moment by the clock that counts suspended time.
    pub(in crate::store::files) struct Timer(OwnedFd);

    impl Timer {
        pub(in crate::store::files) fn at(at: Duration) -> rustix::io::Result<Timer> {
            let fd = timerfd_create(TimerfdClockId::Boottime, TimerfdFlags::CLOEXEC)?;
            let none = Timespec { tv_sec: 0, tv_nsec: 0 };
            let nanos = i64::from(at.subsec_nanos()).max(1);
            let value = Timespec { tv_sec: i64::try_from(at.as_secs()).unwrap_or(i64::MAX), tv_nsec: nanos };
            timerfd_settime(
                &fd,
                TimerfdTimerFlags::ABSTIME,
                &Itimerspec { it_interval: none, it_value: value },
            )?;
            Ok(Timer(fd))
        }

        pub(in crate::store::files) fn as_fd(&self) -> Option<BorrowedFd<'_>> {
            Some(self.0.as_fd())
        }

        pub(in crate::store::files) fn timeout(&self) -> Option<Timespec> {
            None
        }
    }
}

#[cfg(not(target_os = "linux"))]
mod clocked {
    use crate::clock;

    use super::*;

    /// A time to poll for.
    pub(in crate::store::files) struct Timer(Timespec);

    impl Timer {
        pub(in crate::store::files) fn at(at: Duration) -> rustix::io::Result<Timer> {
            let left = at.saturating_sub(clock::since_boot());
            let secs = i64::try_from(left.as_secs()).unwrap_or(i64::MAX);
            Ok(Timer(Timespec { tv_sec: secs, tv_nsec: i64::from(left.subsec_nanos()) }))
        }

        pub(in crate::store::files) fn as_fd(&self) -> Option<BorrowedFd<'_>> {
            None
        }

        pub(in crate::store::files) fn timeout(&self) -> Option<Timespec> {
            Some(self.0)
        }
    }
}
