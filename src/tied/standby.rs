//! The program that becomes a tied command, started before the command is wanted, so that then a message is enough.
//!
//! It listens on a socket that it has in the place of its standard input: no number is taken from what the command
//! inherits, and nobody else's child inherits it. The message is one line, the variables, and comes with the standard
//! input that the command is to have. Without a whole line nothing is run.

use std::ffi::OsString;
use std::io::{self, IoSlice, IoSliceMut, Stdin};
use std::mem::MaybeUninit;
use std::os::fd::{AsFd as _, OwnedFd};
use std::os::unix::net::UnixStream;

use rustix::io::retry_on_intr;
use rustix::net::{
    RecvAncillaryBuffer, RecvAncillaryMessage, RecvFlags, SendAncillaryBuffer, SendAncillaryMessage,
    SendFlags, recvmsg, sendmsg,
};
use rustix::process::{Pid, Signal, WaitOptions, kill_process, waitpid};

use super::{STANDBY, Variables, command_line};
use crate::spawn::Program;

/// A program that stands by to become a command; it is gone when this is dropped.
pub struct Standby {
    /// `None` when it is the command.
    program: Option<Pid>,
    line: UnixStream,
}

impl Standby {
    /// Starts it, for this command. It dies with the calling *thread*, which has to be the one that lasts.
    ///
    /// # Errors
    /// When it cannot be started; elsewhere than on Linux always, for there nothing is tied.
    pub fn start(argv: &[OsString]) -> io::Result<Standby> {
        if !cfg!(target_os = "linux") {
            return Err(io::ErrorKind::Unsupported.into());
        }
        let (line, theirs) = UnixStream::pair()?;
        let argv = command_line(STANDBY, argv);
        let (variables, stdio): (&[(&str, Option<&str>)], _) = (&[], [Some(theirs.as_fd()), None, None]);
        let program = Program { argv: &argv, variables, stdio, in_a_group: false };
        Ok(Standby { program: Some(program.start()?), line })
    }

    /// Makes it the command, with these variables: its number, for who waits for it. `None` where it cannot be told,
    /// having died: it has not run anything then, and never will.
    #[must_use]
    pub fn go(mut self, variables: &[(&str, Option<String>)]) -> Option<Pid> {
        let mut message = serde_json::to_vec(variables).ok()?;
        message.push(b'\n');
        let pid = self.program?;
        // It may have been stopped along with this process, which alone was told to go on.
        let _ = kill_process(pid, Signal::CONT);
        let sent = self.send(&message).ok()?;
        let told = sent == message.len();
        self.program.take_if(|_| told)
    }

    /// A line that is too long to be sent at once is not worth the wait.
    fn send(&self, message: &[u8]) -> rustix::io::Result<usize> {
        let stdin = io::stdin();
        let fds = [stdin.as_fd()];
        let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(1))];
        let mut control = SendAncillaryBuffer::new(&mut space);
        if !control.push(SendAncillaryMessage::ScmRights(&fds)) {
            return Err(rustix::io::Errno::NOBUFS);
        }
        sendmsg(&self.line, &[IoSlice::new(message)], &mut control, SendFlags::DONTWAIT)
    }
}

impl Drop for Standby {
    fn drop(&mut self) {
        if let Some(program) = self.program {
            let _ = kill_process(program, Signal::KILL);
            let _ = retry_on_intr(|| waitpid(Some(program), WaitOptions::empty()));
        }
    }
}

/// Waits to be told, and takes the standard input that comes with it. `None`: nobody is left who could tell.
pub(super) fn told() -> io::Result<Option<Variables>> {
    let (mut line, mut input) = (Vec::new(), None);
    while line.last() != Some(&b'\n') {
        let mut bytes = [0; 4096];
        let (count, came) = receive(&io::stdin(), &mut bytes)?;
        if count == 0 {
            return Ok(None);
        }
        line.extend(&bytes[..count]);
        input = came.or(input);
    }
    rustix::stdio::dup2_stdin(input.ok_or(io::ErrorKind::InvalidData)?)?;
    Ok(Some(serde_json::from_slice(&line)?))
}

fn receive(socket: &Stdin, bytes: &mut [u8]) -> io::Result<(usize, Option<OwnedFd>)> {
    let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(1))];
    let mut control = RecvAncillaryBuffer::new(&mut space);
    let mut bytes = [IoSliceMut::new(bytes)];
    let received = retry_on_intr(|| recvmsg(socket, &mut bytes, &mut control, RecvFlags::empty()))?;
    let mut came = None;
    for message in control.drain() {
        if let RecvAncillaryMessage::ScmRights(fds) = message {
            came = fds.last().or(came);
        }
    }
    Ok((received.bytes, came))
}
