//! What age plugins say to the user and ask: on the terminal, whatever the standard streams are.

use std::fs::{File, OpenOptions};
use std::io::{Read as _, Write as _};

use ccci_secrets::keyring::PluginUser;
use ccci_secrets::secret::Secret;
use rustix::termios::{LocalModes, OptionalActions, Termios, tcgetattr, tcsetattr};
use zeroize::Zeroizing;

use crate::output;

/// The user at the terminal that the program was started from, if there is one.
#[derive(Clone, Copy, Debug)]
pub(crate) struct TerminalUser;

impl PluginUser for TerminalUser {
    fn message(&self, plugin: &str, text: &str) {
        output::note(format_args!("age-plugin-{plugin}: {text}"));
    }

    fn ask(&self, plugin: &str, prompt: &str, is_secret: bool) -> Option<Secret> {
        Terminal::open()?.ask(&format!("age-plugin-{plugin}: {prompt}: "), is_secret)
    }

    fn confirm(&self, plugin: &str, prompt: &str, yes: &str, no: Option<&str>) -> Option<bool> {
        let mut terminal = Terminal::open()?;
        let choices = match no {
            Some(no) => format!("[1: {yes}, 2: {no}]"),
            None => format!("[1: {yes}]"),
        };
        loop {
            let question = format!("age-plugin-{plugin}: {prompt} {choices} ");
            let answer = terminal.ask(&question, false)?;
            // EXPOSE: a choice, not a secret.
            match (answer.expose(), no) {
                (b"1", _) => return Some(true),
                (b"2", Some(_)) => return Some(false),
                _ => {}
            }
        }
    }
}

/// The terminal while a line is typed into it, keys one by one. Its own settings come back when this is dropped.
struct Terminal {
    device: File,
    before: Termios,
}

impl Terminal {
    fn open() -> Option<Self> {
        let device = OpenOptions::new()
            .read(true)
            .write(true)
            .open("/dev/tty")
            .ok()?;
        let before = tcgetattr(&device).ok()?;
        let mut typing = before.clone();
        // Without signals nothing ends the program while the terminal does not show what is typed.
        typing.local_modes -= LocalModes::ECHO | LocalModes::ICANON | LocalModes::ISIG;
        tcsetattr(&device, OptionalActions::Flush, &typing).ok()?;
        Some(Self { device, before })
    }

    /// Asks for a line: `None` when the user wants out.
    fn ask(&mut self, question: &str, is_secret: bool) -> Option<Secret> {
        self.device.write_all(question.as_bytes()).ok()?;
        let line = self.line(is_secret);
        self.device.write_all(b"\n").ok()?;
        line
    }

    fn line(&mut self, is_secret: bool) -> Option<Secret> {
        let mut line = Secret::with_capacity(LINE_LIMIT);
        loop {
            let mut key = Zeroizing::new([0]);
            self.device.read_exact(key.as_mut_slice()).ok()?;
            match *key {
                [b'\r' | b'\n'] => return Some(line),
                [INTERRUPT | END_OF_INPUT | QUIT] => return None,
                [BACKSPACE | DELETE] => {
                    self.take_back(&mut line, is_secret)?;
                }
                _ if line.len() == LINE_LIMIT => {}
                key => {
                    line.extend(&key);
                    if !is_secret {
                        self.device.write_all(&key).ok()?;
                    }
                }
            }
        }
    }

    /// Takes back the last character, however many bytes it has.
    fn take_back(&mut self, line: &mut Secret, is_secret: bool) -> Option<()> {
        // EXPOSE: looked at for where a character begins.
        let start = line.expose().iter().rposition(|byte| byte & 0xc0 != 0x80);
        let Some(start) = start else {
            return Some(());
        };
        line.truncate(start);
        match is_secret {
            true => Some(()),
            false => self.device.write_all(b"\x08 \x08").ok(),
        }
    }
}

impl Drop for Terminal {
    fn drop(&mut self) {
        let _gone = tcsetattr(&self.device, OptionalActions::Flush, &self.before);
    }
}

const BACKSPACE: u8 = 8;
const DELETE: u8 = 127;
const END_OF_INPUT: u8 = 4;
const INTERRUPT: u8 = 3;
const QUIT: u8 = 28;
/// No PIN or passphrase comes near it.
const LINE_LIMIT: usize = 1024;
