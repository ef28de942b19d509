//! A socket as h2 wants it: never waiting, encrypted or not.

use std::io::{self, Read, Write};
use std::net::TcpStream;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll};

use rustls::ClientConnection;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

use super::address::Address;
use super::tls::Tls;

/// What is polled.
pub(super) struct Socket {
    pub(super) tcp: TcpStream,
    /// Something could not be written for lack of room.
    full: AtomicBool,
}

impl Socket {
    pub(super) fn is_full(&self) -> bool {
        self.full.load(Ordering::Relaxed)
    }
}

/// What reads and writes.
pub(super) struct Io {
    socket: Arc<Socket>,
    tls: Option<Box<ClientConnection>>,
}

impl Io {
    /// Over a connected socket: the handshake is made here, for as long as its time limits let it.
    pub(super) fn over(
        tcp: TcpStream,
        address: &Address,
        secure: Option<&Tls>,
    ) -> io::Result<(Io, Arc<Socket>)> {
        let (tcp, tls) = match (address.secure, secure) {
            (false, _) => (tcp, None),
            (true, Some(secure)) => {
                let secured = secure.handshake(tcp, &address.host, true)?;
                (secured.sock, Some(Box::new(secured.conn)))
            }
            (true, None) => return Err(io::Error::other("https without the means for it")),
        };
        tcp.set_nonblocking(true)?;
        let socket = Arc::new(Socket { tcp, full: AtomicBool::new(false) });
        Ok((Io { socket: socket.clone(), tls }, socket))
    }

    /// What would have to wait is asked for again when the socket is ready: whoever drives this polls it.
    fn now<T>(&mut self, mut act: impl FnMut(&mut dyn ReadWrite) -> io::Result<T>) -> Poll<io::Result<T>> {
        let mut tcp = &self.socket.tcp;
        loop {
            let done = match &mut self.tls {
                None => act(&mut tcp),
                Some(tls) => act(&mut rustls::Stream::new(tls.as_mut(), &mut tcp)),
            };
            match done {
                Err(e) if e.kind() == io::ErrorKind::Interrupted => {}
                Err(e) if e.kind() == io::ErrorKind::WouldBlock => return Poll::Pending,
                done => return Poll::Ready(done),
            }
        }
    }

    fn write<T>(&mut self, act: impl FnMut(&mut dyn ReadWrite) -> io::Result<T>) -> Poll<io::Result<T>> {
        let done = self.now(act);
        let behind = self.tls.as_ref().is_some_and(|tls| tls.wants_write());
        self.socket.full.store(done.is_pending() || behind, Ordering::Relaxed);
        done
    }
}

trait ReadWrite: Read + Write {}
impl<T: Read + Write> ReadWrite for T {}

impl AsyncRead for Io {
    fn poll_read(
        mut self: Pin<&mut Self>,
        _: &mut Context<'_>,
        into: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        self.now(|stream| {
            let read = stream.read(into.initialize_unfilled())?;
            into.advance(read);
            Ok(())
        })
    }
}

impl AsyncWrite for Io {
    fn poll_write(mut self: Pin<&mut Self>, _: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        self.write(|stream| stream.write(bytes))
    }

    fn poll_flush(mut self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.write(|stream| stream.flush())
    }

    fn poll_shutdown(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(self.socket.tcp.shutdown(std::net::Shutdown::Write))
    }
}
