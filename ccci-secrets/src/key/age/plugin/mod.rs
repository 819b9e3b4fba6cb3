//! Identities that an age plugin holds: a program `age-plugin-NAME` is asked over its standard input and output, by the
//! first version of the protocol (c2sp.org/age-plugin). The program may talk to hardware and ask its user something.

mod conversation;
mod wire;

use std::cell::RefCell;
use std::fmt;
use std::path::PathBuf;
use std::sync::Arc;

use age_core::format::FileKey;
use age_core::format::Stanza;

use crate::key::Identity;
use crate::key::IdentityError;
use crate::key::age::file::open;
use crate::secret::{Secret, SecretStr};
use crate::wrapped::WrappedKey;

use self::conversation::Conversation;

/// What a plugin may say to its user, and ask. Without an answer the plugin is told that there is none.
pub trait PluginUser: fmt::Debug + Send + Sync {
    /// Shows a message, such as a request to touch a device.
    fn message(&self, plugin: &str, text: &str);

    /// Asks for a text; what is typed is not shown if it is secret.
    fn ask(&self, plugin: &str, prompt: &str, is_secret: bool) -> Option<Secret>;

    /// Lets the user choose: true is `yes`.
    fn confirm(&self, plugin: &str, prompt: &str, yes: &str, no: Option<&str>) -> Option<bool>;
}

/// Nobody is there: at boot, and in programs that have no terminal.
#[derive(Clone, Copy, Debug, Default)]
#[expect(clippy::exhaustive_structs, reason = "it holds nothing")]
pub struct NoUser;

impl PluginUser for NoUser {
    fn message(&self, _plugin: &str, _text: &str) {}

    fn ask(&self, _plugin: &str, _prompt: &str, _is_secret: bool) -> Option<Secret> {
        None
    }

    fn confirm(&self, _plugin: &str, _prompt: &str, _yes: &str, _no: Option<&str>) -> Option<bool> {
        None
    }
}

/// Why a plugin gave no key.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum PluginFault {
    /// It stopped talking before it was done.
    #[error("{program} ended without an answer")]
    Ended {
        /// The program.
        program: String,
    },
    /// What it said is not the protocol.
    #[error("{program} does not keep to the plugin protocol")]
    NotTheProtocol {
        /// The program.
        program: String,
    },
    /// It is not on the search path.
    #[error("{program} is not on PATH")]
    NotFound {
        /// The program.
        program: String,
    },
    /// It could not be started.
    #[error("{program} could not be started: {reason}")]
    NotStarted {
        /// The program.
        program: String,
        /// What the system says.
        reason: String,
    },
    /// It says why it cannot.
    #[error("{program} says: {message}")]
    Refused {
        /// The program.
        program: String,
        /// What it says, on one line.
        message: String,
    },
    /// It said nothing for so long.
    #[error("{program} said nothing for {seconds} seconds, and was ended")]
    TooSlow {
        /// The program.
        program: String,
        /// The limit.
        seconds: u64,
    },
}

/// An identity `AGE-PLUGIN-NAME-1…`. Nothing is started before it is asked to open something.
pub struct PluginIdentity {
    plugin: Plugin,
    text: SecretStr,
    user: Arc<dyn PluginUser>,
}

impl PluginIdentity {
    /// Reads an identity; `None` when it is damaged or none of a plugin. Nobody answers what the plugin asks.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        Some(Self {
            plugin: Plugin::new(plugin_of_identity(text)?),
            text: SecretStr::from_string(text.to_owned()),
            user: Arc::new(NoUser),
        })
    }

    /// The same identity with somebody who answers.
    #[must_use]
    pub fn with_user(&self, user: Arc<dyn PluginUser>) -> Self {
        Self {
            plugin: self.plugin.clone(),
            // EXPOSE: into a second wiping buffer.
            text: SecretStr::from_string(self.text.expose().to_owned()),
            user,
        }
    }

    /// Whether a recipient claims to be one of this plugin.
    #[must_use]
    pub fn is_named_by(&self, recipient: &str) -> bool {
        plugin_of_recipient(recipient) == Some(self.name())
    }

    /// The name of the plugin, in lower case.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.plugin.name
    }
}

/// A program that speaks the protocol.
#[derive(Clone)]
struct Plugin {
    name: String,
    /// What is started: a name that is looked for on the search path.
    path: PathBuf,
}

impl Plugin {
    fn new(name: String) -> Self {
        let path = format!("age-plugin-{name}").into();
        Self { name, path }
    }

    /// The name by which people know the program.
    fn program(&self) -> String {
        format!("age-plugin-{}", self.name)
    }
}

/// The name of the plugin that a recipient claims to be for: `NAME` of `age1NAME1…`.
#[must_use]
pub fn plugin_of_recipient(recipient: &str) -> Option<&str> {
    let (name, _) = recipient.strip_prefix("age1")?.rsplit_once('1')?;
    Some(name)
}

/// The name of the plugin that an identity is for.
fn plugin_of_identity(text: &str) -> Option<String> {
    // The name becomes that of a program: only from a text that is whole.
    let (prefix, _) = bech32::decode(text).ok()?;
    let prefix = prefix.to_string().to_ascii_uppercase();
    let name = prefix.strip_prefix("AGE-PLUGIN-")?.strip_suffix('-')?;
    is_plugin_name(name).then(|| name.to_ascii_lowercase())
}

/// A name never leads out of the search path.
fn is_plugin_name(name: &str) -> bool {
    let is_legal = |byte: u8| byte.is_ascii_alphanumeric() || b"+-._".contains(&byte);
    !name.is_empty() && name.bytes().all(is_legal)
}

impl Identity for PluginIdentity {
    /// What a plugin opens, only the plugin knows.
    fn recipients(&self) -> Vec<String> {
        Vec::new()
    }

    fn unwrap(&self, key: &WrappedKey) -> Result<Option<Secret>, IdentityError> {
        let asked = Asked {
            identity: self,
            fault: RefCell::default(),
        };
        let opened = open(key, &[&asked]);
        match asked.fault.into_inner() {
            Some(fault) => Err(IdentityError::Plugin(fault)),
            None => opened,
        }
    }
}

impl fmt::Debug for PluginIdentity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "PluginIdentity({})", self.plugin.name)
    }
}

/// One question. The age crate has no words for what a plugin may answer, so a fault is left here.
struct Asked<'a> {
    identity: &'a PluginIdentity,
    fault: RefCell<Option<PluginFault>>,
}

impl age::Identity for Asked<'_> {
    fn unwrap_stanza(&self, stanza: &Stanza) -> Option<Result<FileKey, age::DecryptError>> {
        self.unwrap_stanzas(std::slice::from_ref(stanza))
    }

    fn unwrap_stanzas(&self, stanzas: &[Stanza]) -> Option<Result<FileKey, age::DecryptError>> {
        let PluginIdentity { plugin, text, user } = self.identity;
        // EXPOSE: to the plugin that the identity is for.
        let opened = Conversation::start(plugin, user.as_ref())
            .and_then(|conversation| conversation.open(text.expose(), stanzas));
        match opened {
            Ok(file_key) => file_key.map(Ok),
            Err(fault) => {
                self.fault.replace(Some(fault));
                Some(Err(age::DecryptError::DecryptionFailed))
            }
        }
    }
}

#[cfg(test)]
#[allow(
    clippy::disallowed_methods,
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "tests"
)]
mod tests;
