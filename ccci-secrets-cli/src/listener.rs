//! The socket that units ask on: one that the service manager has handed over, or one of our own.

use std::io;
use std::os::fd::{AsFd as _, OwnedFd};
use std::os::unix::fs::FileTypeExt as _;
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::{Path, PathBuf};

use ccci_secrets::env::Environment;
use ccci_secrets::error::ErrorCode;
use listenfd::ListenFd;
use rustix::fs::Mode;

use crate::error::CommandError;

/// A socket on which connections are waited for.
#[derive(Debug)]
pub(crate) struct Listener {
    pub(crate) socket: UnixListener,
    /// Where it lies, if it is our own and goes when we go.
    own: Option<PathBuf>,
}

/// What the service manager has handed over.
#[derive(Debug)]
pub(crate) struct HandedOver {
    /// The socket that started us.
    pub(crate) listener: Option<Listener>,
    /// Connections that it has kept open for a process before this one, by the names under which it keeps them.
    pub(crate) kept: Vec<(String, UnixStream)>,
}

impl HandedOver {
    /// Takes everything. Call it once, and before there is a second thread: two variables of the process are removed.
    pub(crate) fn take(environment: &Environment) -> Result<Self, CommandError> {
        let names = environment.var("LISTEN_FDNAMES").unwrap_or_default();
        let mut names = names.split(':');
        let mut handed = ListenFd::from_env();
        let mut taken = Self {
            listener: None,
            kept: Vec::new(),
        };
        for nth in 0..handed.len() {
            let name = names.next().unwrap_or_default();
            let socket = handed.take_custom(nth, AF_UNIX, SOCK_STREAM, "stream socket");
            let socket: OwnedFd = match socket {
                Ok(socket) => socket.ok_or_else(|| unusable("it is not there"))?,
                Err(error) => return Err(unusable(error)),
            };
            let waits = rustix::net::sockopt::socket_acceptconn(socket.as_fd());
            match waits.map_err(unusable)? {
                true if taken.listener.is_some() => return Err(unusable("there is more than one")),
                true => {
                    taken.listener = Some(Listener {
                        socket: UnixListener::from(socket),
                        own: None,
                    });
                }
                false => taken.kept.push((name.to_owned(), UnixStream::from(socket))),
            }
        }
        Ok(taken)
    }
}

const AF_UNIX: i32 = 1;
const SOCK_STREAM: i32 = 1;

fn unusable(why: impl std::fmt::Display) -> CommandError {
    CommandError::usage(format!(
        "the socket that the service manager has handed over cannot be used: {why}"
    ))
}

impl Listener {
    /// Makes a socket that only its owner may connect to.
    pub(crate) fn bind(path: &Path) -> Result<Self, CommandError> {
        let cannot = |error: io::Error| {
            let message = format!("cannot listen on {}: {error}", path.display());
            CommandError::new(ErrorCode::FileUnwritable, message)
        };
        clear_the_way(path)?;
        // The mode is there from the first moment on.
        let before = rustix::process::umask(Mode::from_raw_mode(0o177));
        let bound = UnixListener::bind(path);
        rustix::process::umask(before);
        Ok(Self {
            socket: bound.map_err(cannot)?,
            own: Some(path.to_owned()),
        })
    }
}

impl Drop for Listener {
    fn drop(&mut self) {
        if let Some(path) = &self.own {
            let _gone_already = std::fs::remove_file(path);
        }
    }
}

/// Removes what a process that was killed has left; anything else stays, and is in the way.
fn clear_the_way(path: &Path) -> Result<(), CommandError> {
    let in_the_way = |what: &str| {
        let message = format!("{what} at {}", path.display());
        Err(CommandError::new(ErrorCode::TargetConflict, message))
    };
    let Ok(found) = std::fs::symlink_metadata(path) else {
        return Ok(());
    };
    if !found.file_type().is_socket() {
        return in_the_way("something that is not a socket is");
    }
    match UnixStream::connect(path) {
        Err(error) if error.kind() == io::ErrorKind::ConnectionRefused => {
            // Whoever comes first with a new one wins, and binding fails for the other.
            let _gone_already = std::fs::remove_file(path);
            Ok(())
        }
        _ => in_the_way("another process listens"),
    }
}
