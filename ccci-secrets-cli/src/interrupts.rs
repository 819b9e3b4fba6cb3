//! Signals that ask the program to end while plaintext lies in a file: everything is cleaned up first.

use std::cell::Cell;
use std::sync::mpsc::{self, Receiver, Sender};
use std::thread::JoinHandle;
use std::time::Duration;

use ccci_secrets::error::ErrorCode;
use signal_hook::consts::{SIGHUP, SIGINT, SIGQUIT, SIGTERM};
use signal_hook::iterator::{Handle, Signals};

use crate::error::CommandError;

/// Which signals end a wait.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Heed {
    /// All of them.
    All,
    /// Not those that a terminal sends to everybody on it: they are meant for the editor.
    NotTheTerminals,
}

/// A listener for signals, until it is dropped.
#[derive(Debug)]
pub(crate) struct Interrupts {
    events: Receiver<Event>,
    sender: Sender<Event>,
    handle: Handle,
    listener: Option<JoinHandle<()>>,
    /// Somebody else than the user ended a wait.
    cut_off: Cell<bool>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Event {
    Done,
    Signal(i32),
}

impl Interrupts {
    /// Starts to listen. From now on no signal ends the program by itself.
    pub(crate) fn listen() -> Result<Self, CommandError> {
        let mut signals = Signals::new([SIGHUP, SIGINT, SIGQUIT, SIGTERM]).map_err(|error| {
            CommandError::new(
                ErrorCode::Internal,
                format!("cannot listen for signals: {error}"),
            )
        })?;
        let (sender, events) = mpsc::channel();
        let handle = signals.handle();
        let from_signals = sender.clone();
        let listener = std::thread::spawn(move || {
            for signal in signals.forever() {
                // Nobody waits any more when the receiver is gone.
                let _nobody = from_signals.send(Event::Signal(signal));
            }
        });
        Ok(Self {
            events,
            sender,
            handle,
            listener: Some(listener),
            cut_off: Cell::new(false),
        })
    }

    /// Does `work` on a thread of its own and waits for its end, or for a signal.
    pub(crate) fn wait_for<T: Send + 'static>(
        &self,
        heed: Heed,
        work: impl FnOnce() -> T + Send + 'static,
    ) -> Result<T, CommandError> {
        let sender = self.sender.clone();
        let worker = std::thread::spawn(move || {
            let result = work();
            let _nobody = sender.send(Event::Done);
            result
        });
        loop {
            match self.events.recv() {
                Ok(Event::Signal(SIGINT | SIGQUIT)) if heed == Heed::NotTheTerminals => {}
                Ok(Event::Signal(signal)) => return Err(self.end(signal)),
                Err(_) => return Err(cancelled()),
                Ok(Event::Done) => break,
            }
        }
        worker
            .join()
            .map_err(|_| CommandError::new(ErrorCode::Internal, "a thread of this program failed"))
    }

    /// Refuses to go on when a signal came in the meantime.
    pub(crate) fn check(&self) -> Result<(), CommandError> {
        match self.events.try_recv() {
            Ok(Event::Signal(signal)) => Err(self.end(signal)),
            _ => Ok(()),
        }
    }

    /// Whether a wait was ended by something that the user need not have meant: the terminal is gone, or the session or the
    /// machine ends.
    pub(crate) fn cut_off(&self) -> bool {
        self.cut_off.get()
    }

    fn end(&self, signal: i32) -> CommandError {
        self.cut_off.set(matches!(signal, SIGHUP | SIGTERM));
        cancelled()
    }

    /// Waits for the work of a wait that was cut short, but not for ever.
    pub(crate) fn pause(&self, longest: Duration) {
        let _timeout = self.events.recv_timeout(longest);
    }
}

impl Drop for Interrupts {
    fn drop(&mut self) {
        self.handle.close();
        if let Some(listener) = self.listener.take() {
            drop(listener.join());
        }
    }
}

fn cancelled() -> CommandError {
    CommandError::new(ErrorCode::Interrupted, "User canceled operation").verbatim()
}
