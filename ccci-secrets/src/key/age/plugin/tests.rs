//! A plugin of a few lines of shell, which keeps to the protocol or does not. A real one is asked by the tests of the
//! command line.

use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::sync::Mutex;

use age_core::format::FileKey;
use age_core::secrecy::ExposeSecret as _;

use super::*;
use crate::key::age::file::seal;

/// Puts the file key into its stanza as it is: the plugin below gives it back.
struct Open;

impl age::Recipient for Open {
    fn wrap_file_key(
        &self,
        file_key: &FileKey,
    ) -> Result<(Vec<Stanza>, std::collections::HashSet<String>), age::EncryptError> {
        let stanza = Stanza {
            tag: "fake".into(),
            args: vec!["argument".into()],
            body: file_key.expose_secret().to_vec(),
        };
        Ok((vec![stanza], std::collections::HashSet::new()))
    }
}

fn entry() -> WrappedKey {
    WrappedKey::age("age1fake1q", &seal(&Open, &[7; 32]).unwrap())
}

#[derive(Debug, Default)]
struct User {
    heard: Mutex<Vec<String>>,
}

impl User {
    fn hear(&self, line: String) {
        self.heard.lock().unwrap().push(line);
    }
}

impl PluginUser for User {
    fn message(&self, plugin: &str, text: &str) {
        self.hear(format!("{plugin}: {text}"));
    }

    fn ask(&self, plugin: &str, prompt: &str, is_secret: bool) -> Option<Secret> {
        self.hear(format!("{plugin} {prompt} {is_secret}"));
        Some(Secret::from_slice(b"1234"))
    }

    fn confirm(&self, plugin: &str, prompt: &str, yes: &str, no: Option<&str>) -> Option<bool> {
        self.hear(format!("{plugin} {prompt} {yes} {no:?}"));
        Some(false)
    }
}

struct Place(tempfile::TempDir);

impl Place {
    fn new() -> Self {
        Self(tempfile::tempdir().unwrap())
    }

    fn path(&self) -> &Path {
        self.0.path()
    }

    /// A plugin that reads the question, keeps the body of the one stanza in `$key`, and goes on with `script`.
    /// `hear` reads an answer of the client into `$words` and `$body`.
    fn identity(&self, script: &str, user: Arc<dyn PluginUser>) -> PluginIdentity {
        let path = self.path().join("age-plugin-fake");
        let text = format!(
            "#!/bin/sh\nhear() {{ read -r words; read -r body; echo \"$words $body\" >>'{log}'; }}\n\
             say() {{ printf -- '-> %s\\n%s\\n' \"$1\" \"$2\"; }}\n\
             [ \"$1\" = --age-plugin=identity-v1 ] || exit 9\n\
             hear; hear; key=$body; hear\n{script}\n",
            log = self.path().join("log").display()
        );
        // Written by another process: a thread that starts a program meanwhile would hold the file open for writing.
        let source = self.path().join("source");
        std::fs::write(&source, text).unwrap();
        std::fs::set_permissions(&source, std::fs::Permissions::from_mode(0o755)).unwrap();
        let copied = std::process::Command::new("cp")
            .args(["-p".as_ref(), source.as_os_str(), path.as_os_str()])
            .status();
        assert!(copied.unwrap().success());
        let mut identity = PluginIdentity::parse(&identity_text("fake"))
            .unwrap()
            .with_user(user);
        identity.plugin.path = path;
        identity
    }

    fn log(&self) -> Vec<String> {
        let log = std::fs::read_to_string(self.path().join("log")).unwrap();
        log.lines().map(|line| line.trim().to_owned()).collect()
    }
}

fn identity_text(name: &str) -> String {
    let prefix = format!("age-plugin-{name}-");
    let prefix = bech32::Hrp::parse(&prefix).unwrap();
    bech32::encode_upper::<bech32::Bech32>(prefix, b"x").unwrap()
}

const GIVE_BACK: &str = "say 'file-key 0' \"$key\"; hear; say done";

#[test]
fn a_plugin_is_asked_with_the_identity_and_the_stanza_of_the_file() {
    let place = Place::new();
    let identity = place.identity(GIVE_BACK, Arc::new(NoUser));
    let opened = identity.unwrap(&entry()).unwrap().unwrap();
    assert!(opened.ct_eq(&[7; 32]));
    let log = place.log();
    assert_eq!(log[0], format!("-> add-identity {}", identity_text("fake")));
    assert!(
        log[1].starts_with("-> recipient-stanza 0 fake argument "),
        "{log:?}"
    );
    assert_eq!(log[2..], ["-> done", "-> ok"]);
}

#[test]
fn a_plugin_that_gives_no_key_is_not_the_one() {
    let place = Place::new();
    let identity = place.identity("say done", Arc::new(NoUser));
    assert!(identity.unwrap(&entry()).unwrap().is_none());
}

#[test]
fn what_a_plugin_asks_is_asked_of_its_user() {
    let place = Place::new();
    let user = Arc::new(User::default());
    // "touch\x1bit", "PIN", "name", "sure?", "Yes", "No"
    let script = "say msg dG91Y2gbaXQ; hear; say request-secret UElO; hear; say request-public bmFtZQ; hear
        say 'confirm WWVz Tm8' c3VyZT8; hear; say 'confirm WWVz' c3VyZT8; hear; say something; hear; say 'file-key 0' \"$key\"; hear; say done";
    let identity = place.identity(script, Arc::clone(&user) as Arc<dyn PluginUser>);
    assert!(identity.unwrap(&entry()).unwrap().is_some());
    assert_eq!(
        *user.heard.lock().unwrap(),
        [
            "fake: touch it",
            "fake PIN true",
            "fake name false",
            "fake sure? Yes Some(\"No\")",
            "fake sure? Yes None"
        ]
    );
    // "1234"
    let answers = [
        "-> ok",
        "-> ok MTIzNA",
        "-> ok MTIzNA",
        "-> ok no",
        "-> ok no",
        "-> unsupported",
        "-> ok",
    ];
    assert_eq!(place.log()[3..], answers);
}

#[test]
fn nobody_there_is_an_answer_too() {
    let place = Place::new();
    let script = "say request-secret UElO; hear; say 'confirm WWVz' c3VyZT8; hear; say 'error identity 0' Tm8gUElO; hear";
    let identity = place.identity(script, Arc::new(NoUser));
    let fault = identity.unwrap(&entry()).unwrap_err();
    assert_eq!(fault.to_string(), "age-plugin-fake says: No PIN");
    assert_eq!(place.log()[3..], ["-> fail", "-> fail", "-> ok"]);
}

#[test]
fn plugins_that_do_not_keep_to_the_protocol_are_faults() {
    let key_of_another_length = "say 'file-key 0' AAAA; hear; say done";
    let key_twice = "say 'file-key 0' \"$key\"; hear; say 'file-key 0' \"$key\"; hear";
    for (script, words) in [
        ("echo hello", "does not keep to the plugin protocol"),
        ("exit 1", "ended without an answer"),
        (
            "say msg 'bad base64'",
            "does not keep to the plugin protocol",
        ),
        (
            key_of_another_length,
            "does not keep to the plugin protocol",
        ),
        (key_twice, "does not keep to the plugin protocol"),
    ] {
        let place = Place::new();
        let fault = place.identity(script, Arc::new(NoUser)).unwrap(&entry());
        assert!(fault.unwrap_err().to_string().ends_with(words), "{script}");
    }
}

#[test]
fn a_plugin_that_goes_on_talking_is_ended() {
    let place = Place::new();
    let script = "say 'file-key 0' \"$key\"; hear; say done; while say msg dG8; do :; done";
    let identity = place.identity(script, Arc::new(NoUser));
    let (send, ended) = std::sync::mpsc::channel();
    std::thread::spawn(move || send.send(identity.unwrap(&entry()).is_ok()));
    let limit = std::time::Duration::from_secs(20);
    assert_eq!(ended.recv_timeout(limit), Ok(true));
}

#[test]
fn a_plugin_that_is_not_there_is_named() {
    let text = identity_text("is-not-here");
    let identity = PluginIdentity::parse(&text).unwrap();
    let fault = identity.unwrap(&entry()).unwrap_err();
    assert_eq!(fault.to_string(), "age-plugin-is-not-here is not on PATH");
}

#[test]
fn a_wrong_file_key_is_damage() {
    let place = Place::new();
    let script = "say 'file-key 0' AAAAAAAAAAAAAAAAAAAAAA; hear; say done";
    let identity = place.identity(script, Arc::new(NoUser));
    assert_eq!(
        identity.unwrap(&entry()).unwrap_err(),
        IdentityError::Damaged
    );
}

#[test]
fn names_that_lead_out_of_the_search_path_are_no_plugins() {
    for name in ["../evil", "a/b", "", "a b"] {
        let Ok(prefix) = bech32::Hrp::parse(&format!("age-plugin-{name}-")) else {
            continue;
        };
        let text = bech32::encode_upper::<bech32::Bech32>(prefix, b"x").unwrap();
        assert_eq!(plugin_of_identity(&text), None, "{name}");
    }
    let whole = identity_text("fake");
    assert_eq!(plugin_of_identity(&whole).as_deref(), Some("fake"));
    let damaged = whole.strip_suffix(char::is_alphanumeric).unwrap();
    assert_eq!(plugin_of_identity(damaged), None);
}

#[test]
fn debug_output_names_the_plugin_alone() {
    let identity = PluginIdentity::parse(&identity_text("fake")).unwrap();
    assert_eq!(format!("{identity:?}"), "PluginIdentity(fake)");
}
