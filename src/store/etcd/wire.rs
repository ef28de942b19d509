//! One connection to one etcd member: a call and its answer, or a stream of messages, as gRPC has them over HTTP/2.
//! Nothing of etcd's own API is known here, and nothing is tried again.
//!
//! `h2` speaks HTTP/2; it is driven by hand, without a runtime, because a watch has to be one descriptor among others
//! in a `poll`, and because whether a request can have been executed must be known when its answer does not come.

use std::future::Future as _;
use std::io;
use std::os::fd::{AsFd, BorrowedFd};
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll, Wake, Waker};
use std::time::Duration;

use bytes::{Buf as _, BufMut as _, Bytes, BytesMut};
use h2::client::{Builder, ResponseFuture, SendRequest};
use h2::{RecvStream, SendStream};
use http::{HeaderMap, Request, Version};
use rustix::event::{PollFd, PollFlags, Timespec, poll};

use super::address::{Address, left};
use super::io::{Io, Socket};
use super::tls::Tls;

/// How much longer the body of an answer may take than its head.
const TRANSFER: Duration = Duration::from_secs(4);
/// The longest answer: more than etcd ever sends in one.
const LONGEST: usize = 256 << 20;
/// How much may be under way to us: nothing here waits to be read.
const WINDOW: u32 = 64 << 20;
/// What comes before each message: that it is not compressed, and its length.
const PREFIX: usize = 5;
/// Asks a member to end a stream when it has lost the others: it would just be silent.
const REQUIRE_LEADER: (&str, &str) = ("hasleader", "true");

/// Why there is no answer.
#[derive(Debug)]
pub(super) struct Broken {
    /// The whole request may have reached the server, so it may have been executed.
    pub(super) sent: bool,
    pub(super) why: io::Error,
}

/// An answer.
#[derive(Debug, Clone, Default)]
pub(super) struct Answer {
    /// gRPC's code; 0 is well.
    pub(super) code: i64,
    /// What is said of another code.
    pub(super) said: String,
    /// The message.
    pub(super) body: Vec<u8>,
}

fn garbled(what: &str) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, format!("the answer is no gRPC as etcd speaks it: {what}"))
}

fn error(e: h2::Error) -> io::Error {
    match e {
        e if e.is_io() => e.into_io().expect("it is one"),
        e if e.is_go_away() && e.is_remote() => io::ErrorKind::UnexpectedEof.into(),
        e => garbled(&e.to_string()),
    }
}

/// That h2 has more to do.
#[derive(Default)]
struct Stirred(AtomicBool);

impl Wake for Stirred {
    fn wake(self: Arc<Self>) {
        self.0.store(true, Ordering::Relaxed);
    }
}

/// What keeps a connection going.
struct Wheel {
    socket: Arc<Socket>,
    driver: h2::client::Connection<Io, Bytes>,
    stirred: Arc<Stirred>,
    /// The connection has ended.
    over: bool,
}

impl Wheel {
    /// Sends what is to be sent and takes what has come, without waiting, and asks for what is wanted of it.
    fn turn<T>(&mut self, mut wanted: impl FnMut(&mut Context<'_>) -> Poll<T>) -> Poll<T> {
        let waker = Waker::from(self.stirred.clone());
        let mut context = Context::from_waker(&waker);
        loop {
            self.stirred.0.store(false, Ordering::Relaxed);
            if !self.over && Pin::new(&mut self.driver).poll(&mut context).is_ready() {
                self.over = true;
            }
            let done = wanted(&mut context);
            if done.is_ready() || !self.stirred.0.load(Ordering::Relaxed) {
                return done;
            }
        }
    }

    fn until<T>(
        &mut self,
        deadline: Duration,
        mut wanted: impl FnMut(&mut Context<'_>) -> Poll<T>,
    ) -> io::Result<T> {
        loop {
            if let Poll::Ready(done) = self.turn(&mut wanted) {
                return Ok(done);
            }
            if self.over {
                return Err(io::ErrorKind::UnexpectedEof.into());
            }
            rest(&self.socket, deadline)?;
        }
    }
}

/// Waits for something to read, or for room where something could not be written.
fn rest(socket: &Socket, deadline: Duration) -> io::Result<()> {
    let room = if socket.is_full() { PollFlags::OUT } else { PollFlags::empty() };
    loop {
        let timeout = Timespec::try_from(left(deadline)?).ok();
        match poll(
            &mut [PollFd::from_borrowed_fd(socket.tcp.as_fd(), PollFlags::IN | room)],
            timeout.as_ref(),
        ) {
            Ok(0) => return Err(io::ErrorKind::TimedOut.into()),
            Ok(_) => return Ok(()),
            // A signal's handler has run.
            Err(rustix::io::Errno::INTR) => {}
            Err(e) => return Err(e.into()),
        }
    }
}

/// A stream of messages.
struct Stream {
    /// Ours is not ended, or theirs would be.
    _asking: SendStream<Bytes>,
    hearing: RecvStream,
    buffer: BytesMut,
}

/// A connection.
pub(super) struct Connection {
    wheel: Wheel,
    calls: SendRequest<Bytes>,
    /// What requests begin with: scheme and host.
    base: String,
    stream: Option<Stream>,
}

impl Connection {
    /// Connects, until `deadline` by the boot clock.
    pub(super) fn open(address: &Address, secure: Option<&Tls>, deadline: Duration) -> io::Result<Self> {
        let tcp = address.connect(deadline)?;
        let (io, socket) = Io::over(tcp, address, secure)?;
        let stirred = Arc::new(Stirred::default());
        let waker = Waker::from(stirred.clone());
        let mut context = Context::from_waker(&waker);
        let mut builder = Builder::new();
        builder.enable_push(false).initial_window_size(WINDOW).initial_connection_window_size(WINDOW);
        let mut shaking = pin!(builder.handshake(io));
        let (calls, driver) = loop {
            match shaking.as_mut().poll(&mut context) {
                Poll::Ready(done) => break done.map_err(error)?,
                Poll::Pending => rest(&socket, deadline)?,
            }
        };
        let wheel = Wheel { socket, driver, stirred, over: false };
        Ok(Connection { wheel, calls, base: address.to_string(), stream: None })
    }

    /// Begins a call with these messages.
    fn begin(
        &mut self,
        path: &str,
        headers: &[(&str, &str)],
        messages: &[&[u8]],
        last: bool,
        deadline: Duration,
    ) -> Result<(ResponseFuture, SendStream<Bytes>), Broken> {
        let unsent = |why| Broken { sent: false, why };
        let Connection { wheel, calls, base, .. } = self;
        // One that was closed while nothing was asked says so now.
        let ready = wheel.until(deadline, |context| calls.poll_ready(context)).map_err(unsent)?;
        ready.map_err(|e| unsent(error(e)))?;
        if wheel.over {
            return Err(unsent(io::ErrorKind::UnexpectedEof.into()));
        }
        let request = Request::post(format!("{base}{path}")).version(Version::HTTP_2);
        let all = [("content-type", "application/grpc"), ("te", "trailers")];
        let request = all.iter().chain(headers).fold(request, |r, (name, value)| r.header(*name, *value));
        let request = request.body(()).map_err(|e| unsent(io::Error::other(e)))?;
        let (response, mut asking) = calls.send_request(request, false).map_err(|e| unsent(error(e)))?;
        for (i, message) in messages.iter().enumerate() {
            let sent = asking.send_data(framed(message), last && i + 1 == messages.len());
            sent.map_err(|e| Broken { sent: true, why: error(e) })?;
        }
        Ok((response, asking))
    }

    /// Makes a call and reads its whole answer; whether another may follow on this connection.
    pub(super) fn ask(
        &mut self,
        path: &str,
        token: Option<&str>,
        message: &[u8],
        deadline: Duration,
    ) -> Result<(Answer, bool), Broken> {
        let headers: Vec<_> = token.iter().map(|token| ("token", *token)).collect();
        let (response, _asking) = self.begin(path, &headers, &[message], true, deadline)?;
        let answer = self.answer(response, deadline).map_err(|why| Broken { sent: true, why })?;
        Ok((answer, !self.wheel.over))
    }

    fn answer(&mut self, mut response: ResponseFuture, deadline: Duration) -> io::Result<Answer> {
        let head = self.wheel.until(deadline, |context| Pin::new(&mut response).poll(context))?;
        let (head, mut hearing) = head.map_err(error)?.into_parts();
        if let Some(answer) = status(&head.headers) {
            return Ok(answer);
        }
        if head.status != 200 {
            return Err(garbled(&head.status.to_string()));
        }
        // It is being answered: a large answer may take its time.
        let deadline = deadline + TRANSFER;
        let mut bytes = BytesMut::new();
        while let Some(part) = self.wheel.until(deadline, |context| hearing.poll_data(context))? {
            take(&mut hearing, part, &mut bytes)?;
        }
        let trailers = self.wheel.until(deadline, |context| hearing.poll_trailers(context))?;
        let trailers = trailers.map_err(error)?.unwrap_or_default();
        let answer = status(&trailers).ok_or_else(|| garbled("no status"))?;
        if answer.code != 0 {
            return Ok(answer);
        }
        let body = message(&mut bytes)?.ok_or_else(|| garbled("no message"))?;
        Ok(Answer { body, ..answer })
    }

    /// Makes a call whose answer is a stream, and reads that answer's head.
    pub(super) fn listen(
        &mut self,
        path: &str,
        token: Option<&str>,
        messages: &[Vec<u8>],
        deadline: Duration,
    ) -> io::Result<()> {
        let messages: Vec<&[u8]> = messages.iter().map(Vec::as_slice).collect();
        let mut headers = vec![REQUIRE_LEADER];
        headers.extend(token.map(|token| ("token", token)));
        let begun = self.begin(path, &headers, &messages, false, deadline);
        let (mut response, asking) = begun.map_err(|broken| broken.why)?;
        let head = self.wheel.until(deadline, |context| Pin::new(&mut response).poll(context))?;
        let (head, hearing) = head.map_err(error)?.into_parts();
        if let Some(Answer { said, .. }) = status(&head.headers) {
            return Err(io::Error::other(said));
        }
        if head.status != 200 {
            return Err(garbled(&head.status.to_string()));
        }
        self.stream = Some(Stream { _asking: asking, hearing, buffer: BytesMut::new() });
        Ok(())
    }

    /// What a stream has brought by now, without waiting for more; an error when it has ended.
    pub(super) fn heard(&mut self) -> io::Result<Vec<Vec<u8>>> {
        let Some(stream) = &mut self.stream else { return Err(io::ErrorKind::NotConnected.into()) };
        let ended = loop {
            match self.wheel.turn(|context| stream.hearing.poll_data(context)) {
                Poll::Ready(Some(part)) => match take(&mut stream.hearing, part, &mut stream.buffer) {
                    Ok(()) => {}
                    Err(e) => break Some(e),
                },
                Poll::Ready(None) => break Some(io::ErrorKind::UnexpectedEof.into()),
                Poll::Pending if self.wheel.over => break Some(io::ErrorKind::UnexpectedEof.into()),
                Poll::Pending => break None,
            }
        };
        let mut messages = Vec::new();
        while let Some(message) = message(&mut stream.buffer)? {
            messages.push(message);
        }
        match ended {
            // It says so again.
            Some(e) if messages.is_empty() => Err(e),
            _ => Ok(messages),
        }
    }
}

impl AsFd for Connection {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.wheel.socket.tcp.as_fd()
    }
}

/// Takes a part of an answer, and lets more come.
fn take(hearing: &mut RecvStream, part: Result<Bytes, h2::Error>, into: &mut BytesMut) -> io::Result<()> {
    let part = part.map_err(error)?;
    let _ = hearing.flow_control().release_capacity(part.len());
    into.extend_from_slice(&part);
    if into.len() > LONGEST { Err(garbled("it is too long")) } else { Ok(()) }
}

fn framed(message: &[u8]) -> Bytes {
    let mut framed = BytesMut::with_capacity(PREFIX + message.len());
    framed.put_u8(0);
    framed.put_u32(message.len() as u32);
    framed.extend_from_slice(message);
    framed.freeze()
}

/// The next message, where it is there as a whole.
fn message(bytes: &mut BytesMut) -> io::Result<Option<Vec<u8>>> {
    let Some(prefix) = bytes.get(..PREFIX) else { return Ok(None) };
    if prefix[0] != 0 {
        return Err(garbled("it is compressed"));
    }
    let length = u32::from_be_bytes([prefix[1], prefix[2], prefix[3], prefix[4]]) as usize;
    if length > LONGEST {
        return Err(garbled("it is too long"));
    }
    if bytes.len() < PREFIX + length {
        return Ok(None);
    }
    bytes.advance(PREFIX);
    Ok(Some(bytes.split_to(length).to_vec()))
}

/// How a call ended, where these headers say so.
fn status(headers: &HeaderMap) -> Option<Answer> {
    let text = |name| headers.get(name).map(|value| String::from_utf8_lossy(value.as_bytes()).into_owned());
    let code = text("grpc-status")?.parse().ok()?;
    Some(Answer { code, said: text("grpc-message").unwrap_or_default(), body: Vec::new() })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn messages_come_back_in_whatever_pieces() {
        let mut bytes = BytesMut::new();
        let all = [framed(b"one"), framed(b""), framed(b"three")].concat();
        let mut read: Vec<Vec<u8>> = Vec::new();
        for byte in all {
            bytes.put_u8(byte);
            while let Some(message) = message(&mut bytes).unwrap() {
                read.push(message);
            }
        }
        assert_eq!(read, [b"one".to_vec(), b"".to_vec(), b"three".to_vec()]);
        assert!(message(&mut BytesMut::from(&b"HTTP/"[..])).is_err());
    }
}
