//! A bell for one that waits where the system has no more inotify instances for this user: whoever grants it, or takes
//! its place away, rings. A hint and no more: who does not hear it (in another network namespace, say) learns by the end of
//! the one ahead, or by a glance; and whoever rings for nothing costs a look.
//!
//! It is a datagram socket with a name in Linux's abstract namespace, so there is no file, and nothing is left of it.

pub(super) use kernel::{Bell, ring};

#[cfg(target_os = "linux")]
mod kernel {
    use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

    use rustix::net::{
        AddressFamily, RecvFlags, SendFlags, SocketAddrUnix, SocketFlags, SocketType, bind, recv, sendto,
        socket_with,
    };

    use crate::deployment::Id;

    /// More than the system keeps for one who does not listen; who rings on and on makes us look, and no more.
    const HEARD_AT_ONCE: usize = 1 << 10;

    pub struct Bell(OwnedFd);

    impl Bell {
        /// `None` where it cannot be had.
        pub fn hang(id: &Id) -> Option<Bell> {
            let socket = socket()?;
            bind(&socket, &name(id)?).ok()?;
            Some(Bell(socket))
        }

        /// It has been heard.
        pub fn silence(&self) {
            let _ = (0..HEARD_AT_ONCE).find(|_| recv(&self.0, &mut [0u8; 1], RecvFlags::DONTWAIT).is_err());
        }
    }

    impl AsFd for Bell {
        fn as_fd(&self) -> BorrowedFd<'_> {
            self.0.as_fd()
        }
    }

    /// Rings the bell of this one, if it has one.
    pub fn ring(id: &Id) {
        if let (Some(socket), Some(name)) = (socket(), name(id)) {
            let _ = sendto(&socket, b"!", SendFlags::DONTWAIT, &name);
        }
    }

    fn socket() -> Option<OwnedFd> {
        socket_with(AddressFamily::UNIX, SocketType::DGRAM, SocketFlags::CLOEXEC, None).ok()
    }

    fn name(id: &Id) -> Option<SocketAddrUnix> {
        SocketAddrUnix::new_abstract_name(format!("deploylock/{id}").as_bytes()).ok()
    }
}

#[cfg(not(target_os = "linux"))]
mod kernel {
    use std::os::fd::{AsFd, BorrowedFd};

    use crate::deployment::Id;

    /// There is none here.
    pub enum Bell {}

    impl Bell {
        pub fn hang(_id: &Id) -> Option<Bell> {
            None
        }

        pub fn silence(&self) {}
    }

    impl AsFd for Bell {
        fn as_fd(&self) -> BorrowedFd<'_> {
            match *self {}
        }
    }

    pub fn ring(_id: &Id) {}
}

#[cfg(all(test, target_os = "linux"))]
mod tests {
    use std::os::fd::AsFd as _;
    use std::time::Duration;

    use super::*;
    use crate::process;

    #[test]
    fn it_is_heard_once_by_whoever_hung_it_and_nobody_hangs_it_twice() {
        let (id, other) = ("7-aaaaaa".parse().unwrap(), "8-aaaaaa".parse().unwrap());
        let bell = Bell::hang(&id).unwrap();
        let heard = || process::ended(&[bell.as_fd()], Duration::ZERO) == [true];
        assert!(Bell::hang(&id).is_none());
        ring(&other);
        assert!(!heard());
        // More than the system keeps: nobody is held up.
        for _ in 0..1000 {
            ring(&id);
        }
        assert!(heard());
        bell.silence();
        assert!(!heard());
        drop(bell);
        assert!(Bell::hang(&id).is_some());
    }
}
