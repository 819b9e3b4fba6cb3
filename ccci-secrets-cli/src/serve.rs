//! The accept loop of the credential socket.
//!
//! What a peer gets is decided on one thread, and written on another, so that who reads slowly, or not at all, keeps nobody
//! else waiting. A connection that was taken is never closed before its answer is complete: an end without data, or in the
//! middle of it, is a credential to systemd. So a peer that does not read is not cut off after a time, but set aside until
//! it goes; and the service manager, where there is one, holds every connection too until it is answered, beyond our own
//! end if need be. When the service is stopped, the manager lets them go, so then we are there until the last peer has
//! its answer or is gone: the unit is stopped without us (`SendSIGKILL=no`), and a new one serves meanwhile.

use std::io::{self, Write as _};
use std::net::Shutdown;
use std::os::fd::AsFd as _;
use std::os::linux::net::SocketAddrExt as _;
use std::os::unix::net::{SocketAddr, UnixListener, UnixStream};
use std::sync::{Arc, Condvar, Mutex, PoisonError};
use std::time::{Duration, Instant};

use ccci_secrets::activation::{CredentialPeer, REFUSAL_BYTES};
use ccci_secrets::error::ErrorCode;
use ccci_secrets::secret::Secret;
use rustix::event::{PollFd, PollFlags, Timespec};
use rustix::io::Errno;
use signal_hook::consts::{SIGINT, SIGTERM};

use crate::error::CommandError;
use crate::manager::Manager;
use crate::output;

/// What is sent to a peer.
#[derive(Debug)]
pub(crate) enum Answer {
    Content(Secret),
    /// More than systemd takes, so that the unit fails.
    Refusal,
}

/// Takes connections until somebody asks us to end.
#[derive(Debug)]
pub(crate) struct Server {
    /// Readable once a signal has come.
    ending: UnixStream,
    manager: Option<Arc<Manager>>,
    busy: Arc<Busy>,
    aside: Arc<Aside>,
    taken: u64,
}

impl Server {
    /// From now on, the signals that end a service end the loop alone.
    pub(crate) fn new(manager: Option<Manager>) -> Result<Self, CommandError> {
        let (ending, signalled) = UnixStream::pair().map_err(failed)?;
        for signal in [SIGINT, SIGTERM] {
            let sender = signalled.try_clone().map_err(failed)?;
            signal_hook::low_level::pipe::register(signal, sender).map_err(failed)?;
        }
        Ok(Self {
            ending,
            manager: manager.map(Arc::new),
            busy: Arc::default(),
            aside: Arc::default(),
            taken: 0,
        })
    }

    /// Refuses connections of a process before this one. How much of an answer they have got already is not known: what is
    /// sent now is too much after anything.
    pub(crate) fn refuse_kept(&mut self, kept: Vec<(String, UnixStream)>) {
        for (name, stream) in kept {
            output::refused("a connection that an earlier run has not answered: refused");
            self.send(stream, Some(name), Answer::Refusal);
        }
    }

    /// Answers everybody who connects.
    pub(crate) fn serve(
        &mut self,
        socket: &UnixListener,
        answer: impl Fn(CredentialPeer<'_>) -> Answer,
    ) -> Result<(), CommandError> {
        // Somebody may connect and be gone before we come to it.
        socket.set_nonblocking(true).map_err(failed)?;
        if let Some(manager) = &self.manager {
            manager.ready();
        }
        while self.wait(socket)? {
            match socket.accept() {
                Ok((stream, address)) => self.answer(stream, &address, &answer),
                Err(error) if is_of_one_peer(&error) => {}
                Err(error) => {
                    output::warning(format_args!("cannot take a connection: {error}"));
                    std::thread::sleep(PAUSE);
                }
            }
        }
        match &self.manager {
            Some(manager) => {
                manager.stopping();
                self.busy.wait_until_free(None);
                self.aside.wait_until_all_went()
            }
            None => {
                self.busy.wait_until_free(Some(GRACE));
                Ok(())
            }
        }
    }

    /// Waits for a connection; false when it is time to end.
    fn wait(&self, socket: &UnixListener) -> Result<bool, CommandError> {
        loop {
            let is_full = self.busy.count() >= MOST_AT_ONCE;
            let ending = PollFd::new(&self.ending, PollFlags::IN);
            let connection = PollFd::new(socket, PollFlags::IN);
            let mut both = [ending, connection];
            let (fds, timeout) = match is_full {
                true => (both.split_at_mut(1).0, Some(&PAUSE_OF_POLL)),
                false => (both.as_mut_slice(), None),
            };
            match rustix::event::poll(fds, timeout) {
                Ok(_) | Err(Errno::INTR) => {}
                Err(error) => return Err(failed(error.into())),
            }
            let [ending, connection] = both.map(|fd| !fd.revents().is_empty());
            match (ending, connection) {
                (true, _) => return Ok(false),
                (false, true) if !is_full => return Ok(true),
                (false, _) => {}
            }
        }
    }

    fn answer(
        &mut self,
        stream: UnixStream,
        address: &SocketAddr,
        answer: &impl Fn(CredentialPeer<'_>) -> Answer,
    ) {
        self.aside.let_go_of_those_that_went();
        self.taken += 1;
        let name = format!("credential-{}-{}", std::process::id(), self.taken);
        let is_kept = self.manager.as_ref().is_some_and(|manager| {
            let kept = manager.keep(&name, stream.as_fd());
            kept.is_ok()
        });
        let peer = rustix::net::sockopt::socket_peercred(stream.as_fd());
        let answer = match peer {
            Ok(peer) => answer(CredentialPeer {
                uid: peer.uid.as_raw(),
                address: address.as_abstract_name(),
            }),
            Err(error) => {
                output::warning(format_args!("who has connected is not known: {error}"));
                Answer::Refusal
            }
        };
        self.send(stream, is_kept.then_some(name), answer);
    }

    /// Writes an answer on a thread of its own, or here if there can be no more threads.
    fn send(&self, stream: UnixStream, kept_as: Option<String>, answer: Answer) {
        let writer = Arc::new(Writer {
            stream: Arc::new(stream),
            answer,
            kept: self.manager.clone().zip(kept_as),
            aside: Arc::clone(&self.aside),
            _busy: Busy::one_more(&self.busy),
        });
        let own = Arc::clone(&writer);
        let thread = std::thread::Builder::new()
            .name("answer".into())
            .stack_size(STACK);
        // The writer is still here if the thread is not, so that the connection is not closed.
        if thread.spawn(move || own.write()).is_err() {
            writer.write();
        }
    }
}

fn failed(error: io::Error) -> CommandError {
    CommandError::new(
        ErrorCode::Internal,
        format!("cannot wait for connections: {error}"),
    )
}

/// Whether a connection was lost rather than that none can be taken.
fn is_of_one_peer(error: &io::Error) -> bool {
    matches!(
        error.kind(),
        io::ErrorKind::ConnectionAborted | io::ErrorKind::Interrupted | io::ErrorKind::WouldBlock
    )
}

/// One answer on its way.
#[derive(Debug)]
struct Writer {
    stream: Arc<UnixStream>,
    answer: Answer,
    /// Who keeps the connection open besides us, and under which name.
    kept: Option<(Arc<Manager>, String)>,
    aside: Arc<Aside>,
    _busy: BusyOne,
}

impl Writer {
    fn write(&self) {
        let sent = match &self.answer {
            // EXPOSE: to the manager of the unit that it is for; the secret wipes it.
            Answer::Content(content) => self.send_all(content.expose()),
            Answer::Refusal => self.send_all(&vec![0; REFUSAL_BYTES]),
        };
        if sent.is_err_and(|error| is_time_out(&error)) {
            output::warning("a peer does not read its answer; its connection is set aside");
            self.aside.add(Arc::clone(&self.stream));
            return;
        }
        // Only now does the peer see an end, whoever else holds the connection. One that has gone needs none.
        let _gone = self.stream.shutdown(Shutdown::Write);
        if let Some((manager, name)) = &self.kept {
            manager.let_go(name);
        }
    }

    /// Writes everything, if the peer reads it in time.
    fn send_all(&self, bytes: &[u8]) -> io::Result<()> {
        self.stream.set_nonblocking(false)?;
        let end = Instant::now() + LONGEST_ANSWER;
        let mut rest = bytes;
        while !rest.is_empty() {
            let left = end.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return Err(io::ErrorKind::TimedOut.into());
            }
            self.stream.set_write_timeout(Some(left))?;
            match self.stream.as_ref().write(rest) {
                Ok(0) => return Err(io::ErrorKind::WriteZero.into()),
                Ok(written) => rest = rest.get(written..).unwrap_or_default(),
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
        Ok(())
    }
}

fn is_time_out(error: &io::Error) -> bool {
    matches!(
        error.kind(),
        io::ErrorKind::TimedOut | io::ErrorKind::WouldBlock
    )
}

/// Connections of peers that do not read. They stay open as long as the peer is there.
#[derive(Debug, Default)]
struct Aside(Mutex<Vec<Arc<UnixStream>>>);

impl Aside {
    fn add(&self, stream: Arc<UnixStream>) {
        let mut streams = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        streams.push(stream);
    }

    fn let_go_of_those_that_went(&self) {
        let mut streams = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        streams.retain(|stream| {
            let mut peer = [PollFd::new(stream.as_ref(), PollFlags::empty())];
            let looked = rustix::event::poll(&mut peer, Some(&Timespec::default()));
            looked.is_err() || peer.iter().all(|peer| peer.revents().is_empty())
        });
    }

    fn wait_until_all_went(&self) -> Result<(), CommandError> {
        let streams = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        for stream in streams.iter() {
            let mut peer = [PollFd::new(stream.as_ref(), PollFlags::empty())];
            while let Err(error) = rustix::event::poll(&mut peer, None) {
                if error != Errno::INTR {
                    return Err(failed(error.into()));
                }
            }
        }
        Ok(())
    }
}

/// How many answers are on their way.
#[derive(Debug, Default)]
struct Busy {
    count: Mutex<usize>,
    fewer: Condvar,
}

/// One of them, until it is dropped.
#[derive(Debug)]
struct BusyOne(Arc<Busy>);

impl Busy {
    fn one_more(busy: &Arc<Self>) -> BusyOne {
        *busy.count.lock().unwrap_or_else(PoisonError::into_inner) += 1;
        BusyOne(Arc::clone(busy))
    }

    fn count(&self) -> usize {
        *self.count.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Waits for the end of all of them, for so long or for ever.
    fn wait_until_free(&self, longest: Option<Duration>) {
        let count = self.count.lock().unwrap_or_else(PoisonError::into_inner);
        let is_busy = |count: &mut usize| *count > 0;
        match longest {
            Some(longest) => drop(self.fewer.wait_timeout_while(count, longest, is_busy)),
            None => drop(self.fewer.wait_while(count, is_busy)),
        }
    }
}

impl Drop for BusyOne {
    fn drop(&mut self) {
        let mut count = self.0.count.lock().unwrap_or_else(PoisonError::into_inner);
        *count = count.saturating_sub(1);
        self.0.fewer.notify_all();
    }
}

/// More connections than a boot needs wait in the queue of the socket.
const MOST_AT_ONCE: usize = 128;
/// How long a peer may take to read its answer.
const LONGEST_ANSWER: Duration = Duration::from_secs(30);
/// How long answers may still take when it is time to end and no manager has promised to let us.
const GRACE: Duration = Duration::from_secs(5);
const PAUSE: Duration = Duration::from_millis(100);
const PAUSE_OF_POLL: Timespec = Timespec {
    tv_sec: 0,
    tv_nsec: 100_000_000,
};
/// Writing takes little.
const STACK: usize = 256 << 10;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_connection_that_is_set_aside_is_held_until_its_peer_goes() {
        let (own, peer) = UnixStream::pair().unwrap();
        // As the service manager does: that it sends nothing does not mean that it has gone.
        peer.shutdown(Shutdown::Write).unwrap();
        let aside = Arc::new(Aside::default());
        aside.add(Arc::new(own));
        let (told, all_went) = std::sync::mpsc::channel();
        let waiting = Arc::clone(&aside);
        let waiter = std::thread::spawn(move || {
            waiting.wait_until_all_went().unwrap();
            told.send(()).unwrap();
        });
        assert!(all_went.recv_timeout(Duration::from_millis(50)).is_err());
        drop(peer);
        all_went.recv_timeout(Duration::from_secs(20)).unwrap();
        waiter.join().unwrap();
    }
}
