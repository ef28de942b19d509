//! Signals as something to poll: which came, and whether the terminal has told the command too.

use std::io;
use std::os::fd::BorrowedFd;
use std::sync::Arc;

use signal_hook::consts::{SIGCHLD, SIGHUP, SIGINT, SIGQUIT, SIGTERM, SIGUSR1, SIGUSR2};

use crate::ops::Interrupt;
use delivery::Delivery;

/// The signals that end a wait, and that `run` passes on to its command.
pub const PASSED_ON: [i32; 6] = [SIGINT, SIGTERM, SIGHUP, SIGQUIT, SIGUSR1, SIGUSR2];

/// A signal that came.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Came {
    /// Its number.
    pub signal: i32,
    /// The kernel sent it to the whole foreground process group, the command included.
    pub from_terminal: bool,
}

impl Came {
    /// Somebody pressed Ctrl-C.
    #[must_use]
    pub fn is_interrupt(self) -> bool {
        self.from_terminal && self.signal == SIGINT
    }
}

/// Signals, from now on delivered here. This thread has them blocked, as has every one that it starts; a program that is
/// started must not (`src/spawn.rs`).
pub struct Signals {
    delivery: Delivery,
    /// What has ended a wait, kept for the exit.
    pub last: Option<Came>,
}

impl Signals {
    /// Takes the signals over, but for those that the parent said to ignore (`nohup`): those stay ignored, also
    /// for the command. `ignored` has bit 0 for signal 1. Only the ends of children may not be ignored: nobody would
    /// learn then how they ended.
    ///
    /// # Errors
    /// When the system refuses.
    pub fn take_over(ignored: u64) -> io::Result<Signals> {
        let ignored = |signal: i32| ignored & (1 << (signal - 1)) != 0;
        if ignored(SIGCHLD) {
            // Any handler will do.
            signal_hook::flag::register(SIGCHLD, Arc::default())?;
        }
        let heeded = PASSED_ON.into_iter().filter(|signal| !ignored(*signal));
        // Where the end of a process is no event, this one is.
        let of_children =
            [SIGCHLD].into_iter().filter(|signal| ignored(*signal) || !cfg!(target_os = "linux"));
        Signals::heed(heeded.chain(of_children))
    }

    /// Takes just these over.
    ///
    /// # Errors
    /// When the system refuses.
    pub fn heed(signals: impl Iterator<Item = i32>) -> io::Result<Signals> {
        Ok(Signals { delivery: Delivery::of(signals)?, last: None })
    }

    /// Readable when a signal has come.
    #[must_use]
    pub fn readable(&self) -> BorrowedFd<'_> {
        self.delivery.readable()
    }

    /// What has come since the last call, but for the ends of children.
    pub fn pending(&mut self) -> Vec<Came> {
        self.delivery.pending().filter(|came| came.signal != SIGCHLD).collect()
    }
}

/// A descriptor of the kernel's. Handlers would take a run's start a fifth longer than it takes so (`docs/performance.md`).
#[cfg(target_os = "linux")]
mod delivery {
    use std::io;
    use std::os::fd::{AsFd as _, BorrowedFd};

    use nix::sys::signal::{SigSet, Signal};
    use nix::sys::signalfd::{SfdFlags, SignalFd};

    use super::Came;

    /// `si_code` of what the kernel sends by itself.
    const BY_THE_KERNEL: i32 = 0x80;

    pub struct Delivery(SignalFd);

    impl Delivery {
        pub fn of(signals: impl Iterator<Item = i32>) -> io::Result<Delivery> {
            let set: SigSet = signals.map(Signal::try_from).collect::<Result<_, _>>()?;
            set.thread_block()?;
            Ok(Delivery(SignalFd::with_flags(&set, SfdFlags::SFD_NONBLOCK | SfdFlags::SFD_CLOEXEC)?))
        }

        pub fn readable(&self) -> BorrowedFd<'_> {
            self.0.as_fd()
        }

        pub fn pending(&mut self) -> impl Iterator<Item = Came> {
            std::iter::from_fn(|| self.0.read_signal().ok().flatten()).map(|info| Came {
                signal: info.ssi_signo as i32,
                from_terminal: info.ssi_code == BY_THE_KERNEL,
            })
        }
    }
}

/// Handlers that write to a socket.
#[cfg(not(target_os = "linux"))]
mod delivery {
    use std::io;
    use std::os::fd::{AsFd as _, BorrowedFd};
    use std::os::unix::net::UnixStream;

    use signal_hook::iterator::backend::SignalDelivery;
    use signal_hook::iterator::exfiltrator::origin::WithOrigin;
    use signal_hook::low_level::siginfo::Cause;

    use super::Came;

    pub struct Delivery(SignalDelivery<UnixStream, WithOrigin>);

    impl Delivery {
        pub fn of(signals: impl Iterator<Item = i32>) -> io::Result<Delivery> {
            let (read, write) = UnixStream::pair()?;
            write.set_nonblocking(true)?;
            Ok(Delivery(SignalDelivery::with_pipe(read, write, WithOrigin::default(), signals)?))
        }

        pub fn readable(&self) -> BorrowedFd<'_> {
            self.0.get_read().as_fd()
        }

        pub fn pending(&mut self) -> impl Iterator<Item = Came> {
            self.0
                .pending()
                .map(|o| Came { signal: o.signal, from_terminal: matches!(o.cause, Cause::Kernel) })
        }
    }
}

impl Interrupt for Signals {
    fn fd(&self) -> Option<BorrowedFd<'_>> {
        Some(self.readable())
    }

    fn take(&mut self) -> Option<i32> {
        let came = self.pending();
        // While there is no command to ask for a report, only what asks to end counts.
        self.last = came.into_iter().next();
        self.last.map(|c| c.signal)
    }
}
