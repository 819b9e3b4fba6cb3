//! One conversation with a plugin: what it is asked, and what it may ask in between.

use std::io::{self, ErrorKind};
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};
use std::sync::mpsc::{Receiver, RecvTimeoutError, sync_channel};
use std::time::Duration;

use age_core::format::{FileKey, Stanza};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD_NO_PAD;

use super::wire::{self, Message, ReadFault};
use super::{Plugin, PluginFault, PluginUser};
use crate::secret::Secret;

/// A plugin that runs. It is ended and waited for when this is dropped.
pub(super) struct Conversation<'a> {
    plugin: &'a Plugin,
    user: &'a dyn PluginUser,
    child: Child,
    to: Option<ChildStdin>,
    from: Receiver<Result<Message, ReadFault>>,
}

/// What to do after a message of the plugin.
enum Next {
    Done,
    Listen,
}

impl<'a> Conversation<'a> {
    pub(super) fn start(plugin: &'a Plugin, user: &'a dyn PluginUser) -> Result<Self, PluginFault> {
        #[expect(
            clippy::disallowed_methods,
            reason = "a plugin of the user is one of the three processes the library starts"
        )]
        let mut child = Command::new(&plugin.path)
            .arg("--age-plugin=identity-v1")
            // Every client runs it in the same place, whatever its own is.
            .current_dir("/")
            .env_remove("SOPS_AGE_KEY")
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .map_err(|error| not_started(plugin, &error))?;
        let to = child.stdin.take();
        let from = listen(child.stdout.take());
        Ok(Self {
            plugin,
            user,
            child,
            to,
            from,
        })
    }

    /// Asks for the file key of one file: `None` when the identity is not one of its recipients.
    pub(super) fn open(
        mut self,
        identity: &str,
        stanzas: &[Stanza],
    ) -> Result<Option<FileKey>, PluginFault> {
        self.say(&["add-identity", identity], &[])?;
        for stanza in stanzas {
            let words = ["recipient-stanza", "0", &stanza.tag].into_iter();
            let words: Vec<&str> = words
                .chain(stanza.args.iter().map(String::as_str))
                .collect();
            self.say(&words, &stanza.body)?;
        }
        self.say(&["done"], &[])?;
        let mut found = None;
        while let Next::Listen = self.answer(&mut found)? {}
        Ok(found)
    }

    /// Hears one message, and answers it.
    fn answer(&mut self, found: &mut Option<FileKey>) -> Result<Next, PluginFault> {
        let message = self.hear()?;
        let arguments: Vec<&str> = message.arguments.iter().map(String::as_str).collect();
        match (message.tag.as_str(), arguments.as_slice()) {
            ("done", _) => return Ok(Next::Done),
            ("file-key", ["0"]) if found.is_none() => {
                let key = file_key(&message.body).ok_or_else(|| self.not_the_protocol())?;
                *found = Some(key);
                self.say(&["ok"], &[])?;
            }
            ("file-key", _) => return Err(self.not_the_protocol()),
            ("error", _) => {
                // It may be gone already: what it said counts.
                drop(self.say(&["ok"], &[]));
                return Err(PluginFault::Refused {
                    program: self.plugin.program(),
                    message: one_line(&message.body),
                });
            }
            ("msg", _) => {
                self.user
                    .message(&self.plugin.name, &one_line(&message.body));
                self.say(&["ok"], &[])?;
            }
            ("request-public", _) => self.ask(&message, false)?,
            ("request-secret", _) => self.ask(&message, true)?,
            ("confirm", [yes]) => self.confirm(&message, yes, None)?,
            ("confirm", [yes, no]) => self.confirm(&message, yes, Some(no))?,
            _ => self.say(&["unsupported"], &[])?,
        }
        Ok(Next::Listen)
    }

    fn ask(&mut self, message: &Message, is_secret: bool) -> Result<(), PluginFault> {
        let prompt = one_line(&message.body);
        match self.user.ask(&self.plugin.name, &prompt, is_secret) {
            // EXPOSE: to the plugin that asked for it.
            Some(answer) => self.say(&["ok"], answer.expose()),
            None => self.say(&["fail"], &[]),
        }
    }

    fn confirm(
        &mut self,
        message: &Message,
        yes: &str,
        no: Option<&str>,
    ) -> Result<(), PluginFault> {
        let label = |text: &str| STANDARD_NO_PAD.decode(text).map(Secret::from_vec);
        let labels = (label(yes), no.map(label).transpose());
        let (Ok(yes), Ok(no)) = labels else {
            return Err(self.not_the_protocol());
        };
        let no = no.as_ref().map(one_line);
        let prompt = one_line(&message.body);
        let answer = self
            .user
            .confirm(&self.plugin.name, &prompt, &one_line(&yes), no.as_deref());
        match answer {
            Some(true) => self.say(&["ok", "yes"], &[]),
            Some(false) => self.say(&["ok", "no"], &[]),
            None => self.say(&["fail"], &[]),
        }
    }

    fn say(&mut self, words: &[&str], body: &[u8]) -> Result<(), PluginFault> {
        let written = match &mut self.to {
            Some(pipe) => wire::write(pipe, words, body),
            None => Err(io::Error::from(ErrorKind::BrokenPipe)),
        };
        written.map_err(|_| PluginFault::Ended {
            program: self.plugin.program(),
        })
    }

    fn hear(&self) -> Result<Message, PluginFault> {
        match self.from.recv_timeout(SILENCE_LIMIT) {
            Ok(Ok(message)) => Ok(message),
            Ok(Err(ReadFault::NoStanza)) => Err(self.not_the_protocol()),
            Ok(Err(ReadFault::Ended)) | Err(RecvTimeoutError::Disconnected) => {
                Err(PluginFault::Ended {
                    program: self.plugin.program(),
                })
            }
            Err(RecvTimeoutError::Timeout) => Err(PluginFault::TooSlow {
                program: self.plugin.program(),
                seconds: SILENCE_LIMIT.as_secs(),
            }),
        }
    }

    fn not_the_protocol(&self) -> PluginFault {
        PluginFault::NotTheProtocol {
            program: self.plugin.program(),
        }
    }
}

impl Drop for Conversation<'_> {
    fn drop(&mut self) {
        // A plugin ends when nobody talks to it any more; one that does not is ended.
        drop(self.to.take());
        for _ in 0..LAST_WORDS {
            if !matches!(self.from.recv_timeout(FAREWELL), Ok(Ok(_))) {
                break;
            }
        }
        drop(self.child.kill());
        drop(self.child.wait());
    }
}

/// Reads on a thread of its own: a pipe has no limit of time.
fn listen(pipe: Option<ChildStdout>) -> Receiver<Result<Message, ReadFault>> {
    let (send, receive) = sync_channel(1);
    if let Some(mut pipe) = pipe {
        std::thread::spawn(move || {
            loop {
                let message = wire::read(&mut pipe);
                let is_last = message.is_err();
                if send.send(message).is_err() || is_last {
                    return;
                }
            }
        });
    }
    receive
}

fn not_started(plugin: &Plugin, error: &io::Error) -> PluginFault {
    match error.kind() {
        ErrorKind::NotFound => PluginFault::NotFound {
            program: plugin.program(),
        },
        _ => PluginFault::NotStarted {
            program: plugin.program(),
            reason: error.to_string(),
        },
    }
}

fn file_key(body: &Secret) -> Option<FileKey> {
    // EXPOSE: into the file key, which wipes itself.
    let bytes: &[u8; 16] = body.expose().try_into().ok()?;
    Some(FileKey::init_with_mut(|key| *key = *bytes))
}

/// The text of a plugin on one line, without what would steer a terminal.
fn one_line(text: &Secret) -> String {
    // EXPOSE: what a plugin wants its user to read.
    let text = String::from_utf8_lossy(text.expose());
    let shown = |character: char| match character.is_control() {
        true => ' ',
        false => character,
    };
    text.trim().chars().map(shown).collect()
}

/// Long enough to find a device and touch it, and shorter than a unit waits at boot.
const SILENCE_LIMIT: Duration = Duration::from_secs(60);
/// How long a plugin may take to end by itself.
const FAREWELL: Duration = Duration::from_secs(2);
/// How many messages nobody asked for are waited out before a plugin is ended.
const LAST_WORDS: usize = 16;
