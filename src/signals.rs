//! Signals as something to poll: which came, and whether the terminal has told the command too.

use std::os::fd::{AsFd, BorrowedFd};
use std::os::unix::net::UnixStream;

use signal_hook::consts::{SIGCHLD, SIGHUP, SIGINT, SIGQUIT, SIGTERM, SIGUSR1, SIGUSR2};
use signal_hook::iterator::backend::SignalDelivery;
use signal_hook::iterator::exfiltrator::origin::WithOrigin;
use signal_hook::low_level::siginfo::Cause;

use crate::ops::Interrupt;

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

/// Signals, from now on delivered here.
pub struct Signals {
    delivery: SignalDelivery<UnixStream, WithOrigin>,
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
    pub fn take_over(ignored: u64) -> std::io::Result<Signals> {
        let (read, write) = UnixStream::pair()?;
        write.set_nonblocking(true)?;
        let ignored = |signal: &i32| ignored & (1 << (signal - 1)) != 0;
        let heeded = PASSED_ON.into_iter().filter(|s| !ignored(s));
        // Where the end of a process is no event, this one is.
        let of_children = [SIGCHLD].into_iter().filter(|s| ignored(s) || !cfg!(target_os = "linux"));
        let all = heeded.chain(of_children);
        let delivery = SignalDelivery::with_pipe(read, write, WithOrigin::default(), all)?;
        Ok(Signals { delivery, last: None })
    }

    /// Takes just these over.
    ///
    /// # Errors
    /// When the system refuses.
    pub fn heed(signals: &[i32]) -> std::io::Result<Signals> {
        let (read, write) = UnixStream::pair()?;
        write.set_nonblocking(true)?;
        let delivery = SignalDelivery::with_pipe(read, write, WithOrigin::default(), signals)?;
        Ok(Signals { delivery, last: None })
    }

    /// Readable when a signal has come.
    #[must_use]
    pub fn readable(&self) -> BorrowedFd<'_> {
        self.delivery.get_read().as_fd()
    }

    /// What has come since the last call, but for the ends of children.
    pub fn pending(&mut self) -> Vec<Came> {
        let all = self.delivery.pending().filter(|o| o.signal != SIGCHLD);
        all.map(|o| Came { signal: o.signal, from_terminal: matches!(o.cause, Cause::Kernel) }).collect()
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
