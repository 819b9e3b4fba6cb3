//! What a service tells its manager, and what the manager does for it: sd_notify(3), written down in systemd.exec(5).

use std::ffi::OsStr;
use std::io::{self, IoSlice};
use std::mem::MaybeUninit;
use std::os::fd::{AsFd as _, BorrowedFd};
use std::os::linux::net::SocketAddrExt as _;
use std::os::unix::ffi::OsStrExt as _;
use std::os::unix::net::{SocketAddr, UnixDatagram};

use ccci_secrets::env::Environment;
use rustix::net::{SendAncillaryBuffer, SendAncillaryMessage, SendFlags};

/// The manager of this service.
#[derive(Debug)]
pub(crate) struct Manager(UnixDatagram);

impl Manager {
    /// The manager that has asked to be told; none if nobody has.
    pub(crate) fn of(environment: &Environment) -> Option<Self> {
        let socket = UnixDatagram::unbound().ok()?;
        let address = address(environment.var_os("NOTIFY_SOCKET")?)?;
        socket.connect_addr(&address).ok()?;
        Some(Self(socket))
    }

    /// Says that connections are waited for.
    pub(crate) fn ready(&self) {
        let _nobody_listens = self.0.send(b"READY=1");
    }

    /// Says that no more connections are taken.
    pub(crate) fn stopping(&self) {
        let _nobody_listens = self.0.send(b"STOPPING=1");
    }

    /// Lets the manager keep a connection open too, whatever becomes of us, until its peer goes or we say so.
    pub(crate) fn keep(&self, name: &str, connection: BorrowedFd<'_>) -> io::Result<()> {
        let text = format!("FDSTORE=1\nFDNAME={name}");
        let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(1))];
        let mut control = SendAncillaryBuffer::new(&mut space);
        let connections = [connection];
        control.push(SendAncillaryMessage::ScmRights(&connections));
        rustix::net::sendmsg(
            self.0.as_fd(),
            &[IoSlice::new(text.as_bytes())],
            &mut control,
            SendFlags::NOSIGNAL,
        )?;
        Ok(())
    }

    /// Lets a connection go that was kept.
    pub(crate) fn let_go(&self, name: &str) {
        let text = format!("FDSTOREREMOVE=1\nFDNAME={name}");
        let _nobody_listens = self.0.send(text.as_bytes());
    }
}

fn address(text: &OsStr) -> Option<SocketAddr> {
    match text.as_bytes() {
        [b'@', name @ ..] => SocketAddr::from_abstract_name(name).ok(),
        [b'/', ..] => SocketAddr::from_pathname(text).ok(),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;

    #[test]
    fn a_manager_is_told_at_the_address_that_it_names() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("notify");
        let name = format!("@ccsec-test-{}", std::process::id());
        let abstract_address = address(OsStr::new(&name)).unwrap();
        for (told, bound) in [
            (path.as_os_str(), UnixDatagram::bind(&path).unwrap()),
            (
                OsStr::new(&name),
                UnixDatagram::bind_addr(&abstract_address).unwrap(),
            ),
        ] {
            let environment =
                Environment::empty().with_var("NOTIFY_SOCKET", told.to_str().unwrap());
            let manager = Manager::of(&environment).unwrap();
            manager.ready();
            manager.keep("a", manager.0.as_fd()).unwrap();
            manager.let_go("a");
            let mut buffer = [0; 64];
            for expected in [
                "READY=1",
                "FDSTORE=1\nFDNAME=a",
                "FDSTOREREMOVE=1\nFDNAME=a",
            ] {
                let length = bound.recv(&mut buffer).unwrap();
                assert_eq!(buffer[..length], *expected.as_bytes());
            }
        }
        for nobody in ["", "relative", "vsock:2:1"] {
            assert!(address(OsStr::new(nobody)).is_none(), "{nobody}");
        }
        assert!(Manager::of(&Environment::empty()).is_none());
        assert!(!Path::new("relative").exists());
    }
}
