//! What the scenarios start from, made anew in every run: keys, a certificate, and one file of eight secrets.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use ccci_secrets::config::Policy;
use ccci_secrets::digest::{hex, sha256};
use ccci_secrets::document::Format;
use ccci_secrets::file::{DraftFile, SealedFile};
use ccci_secrets::keyring::{
    KeyFileModes, Keyring, NewKeyFile, age_file_recipients, ssh_file_recipient,
};
use ccci_secrets::secret::Secret;

/// The names of the operator's story.
pub(crate) const TOKENS: [&str; 6] = [
    "test_secret",
    "drone_rpc_secret",
    "drone_gitea_client_secret",
    "bridge_drone_token",
    "bridge_gitea_token",
    "bridge_webhook_hmac",
];
pub(crate) const CERTIFICATE: &str = "wildcard_cert";
pub(crate) const CERTIFICATE_KEY: &str = "wildcard_key";

/// A directory with `host`, `stranger` (SSH keys), `recovery.txt`, `other.txt` (age keys), `values/NAME`, and
/// `secrets.yaml`, sealed for host and recovery.
pub(crate) struct Fixtures {
    dir: PathBuf,
    pub(crate) host: String,
    pub(crate) recovery: String,
    pub(crate) other: String,
    pub(crate) stranger: String,
}

impl Fixtures {
    pub(crate) fn make(dir: &Path) -> Self {
        for name in ["host", "stranger"] {
            make_ssh_key(&dir.join(name));
        }
        for name in ["recovery.txt", "other.txt"] {
            NewKeyFile::generate(now()).create(&dir.join(name)).unwrap();
        }
        std::fs::create_dir(dir.join("values")).unwrap();
        for name in TOKENS {
            std::fs::write(dir.join("values").join(name), token(name)).unwrap();
        }
        make_certificate(dir);
        let fixtures = Self::open(dir);
        let plain = fixtures.plaintext(|name| fixtures.value(name));
        let recipients = format!("{},{}", fixtures.host, fixtures.recovery);
        let sealed = match seal_with_sops(&plain, &recipients) {
            Some(sealed) => sealed,
            None => {
                println!("sops is not on PATH: the secrets file is sealed by the library alone");
                fixtures.seal(&plain, &[&fixtures.host, &fixtures.recovery])
            }
        };
        std::fs::write(dir.join("secrets.yaml"), sealed).unwrap();
        fixtures
    }

    pub(crate) fn open(dir: &Path) -> Self {
        let age = |name| age_file_recipients(&dir.join(name)).unwrap().remove(0);
        let ssh = |name| ssh_file_recipient(&dir.join(name)).unwrap();
        Self {
            dir: dir.into(),
            host: ssh("host"),
            recovery: age("recovery.txt"),
            other: age("other.txt"),
            stranger: ssh("stranger"),
        }
    }

    pub(crate) fn dir(&self) -> &Path {
        &self.dir
    }

    pub(crate) fn read(&self, name: &str) -> Vec<u8> {
        std::fs::read(self.dir.join(name)).unwrap()
    }

    /// What is in the file of this name when all went well.
    pub(crate) fn value(&self, name: &str) -> Vec<u8> {
        self.read(&format!("values/{name}"))
    }

    /// The secrets as YAML: tokens on a line, PEM as block scalars.
    pub(crate) fn plaintext(&self, value: impl Fn(&str) -> Vec<u8>) -> String {
        let text = |name| String::from_utf8(value(name)).unwrap();
        let mut plain: String = TOKENS
            .iter()
            .map(|name| format!("{name}: {}\n", text(name)))
            .collect();
        for name in [CERTIFICATE, CERTIFICATE_KEY] {
            plain += &format!("{name}: |\n");
            for line in text(name).lines() {
                plain += &format!("    {line}\n");
            }
        }
        plain
    }

    /// Seals with the library.
    pub(crate) fn seal(&self, plain: &str, recipients: &[&str]) -> Vec<u8> {
        seal_for(plain, recipients)
    }

    fn data_key(&self) -> [u8; 32] {
        let mut keyring = Keyring::empty();
        let key = self.dir.join("recovery.txt");
        keyring.add_age_key_file(&key, KeyFileModes::Warn).unwrap();
        let file = SealedFile::read(&self.dir.join("secrets.yaml"), None).unwrap();
        let unwrapped = keyring.unwrap(&file.metadata().groups, None).unwrap();
        *unwrapped.key.expose()
    }

    /// Everything that must not be seen outside the files that were asked for.
    pub(crate) fn canaries(&self) -> Vec<(String, Vec<u8>)> {
        let mut canaries = Vec::new();
        for name in TOKENS.into_iter().chain([CERTIFICATE_KEY]) {
            let value = self.value(name);
            let digest = hex(&sha256(&value));
            canaries.push((format!("sha256 of {name}"), digest.into_bytes()));
            canaries.push((format!("value of {name}"), first_line_of_content(&value)));
        }
        let data_key = self.data_key();
        canaries.push(("data key".into(), data_key.to_vec()));
        canaries.push(("data key".into(), hex(&data_key).into_bytes()));
        for name in ["recovery.txt", "other.txt", "host", "stranger"] {
            canaries.push((name.into(), first_line_of_content(&self.read(name))));
        }
        canaries
    }
}

fn seal_for(plain: &str, recipients: &[&str]) -> Vec<u8> {
    let draft = DraftFile::parse(Format::Yaml, Secret::from_slice(plain.as_bytes())).unwrap();
    let sealed = draft
        .seal(&Policy::age(recipients).unwrap(), now())
        .unwrap();
    sealed.text().to_vec()
}

/// The first line that is neither a comment nor the frame of a PEM block.
fn first_line_of_content(text: &[u8]) -> Vec<u8> {
    let line = text
        .split(|byte| *byte == b'\n')
        .find(|line| !line.starts_with(b"#") && !line.starts_with(b"-----"));
    line.unwrap().to_vec()
}

fn now() -> jiff::Timestamp {
    jiff::Timestamp::now()
}

/// Long enough to be found nowhere by chance, and different in every run.
fn token(name: &str) -> String {
    let made = NewKeyFile::generate(now());
    // The public half of a key that nobody keeps is as good as a random number.
    let random = &made.recipients()[0]["age1".len()..][..40];
    format!("{name}-{random}")
}

fn make_ssh_key(path: &Path) {
    let made = quiet("ssh-keygen")
        .args(["-q", "-t", "ed25519", "-N", "", "-C", "", "-f"])
        .arg(path)
        .status();
    if made.is_ok_and(|status| status.success()) {
        return;
    }
    println!("ssh-keygen is not on PATH: a key of the test data stands in");
    let keys = test_data("keys");
    let source = if path.ends_with("host") {
        "ssh_ed25519"
    } else {
        "ssh_pkcs8"
    };
    let text = std::fs::read(keys.join(source)).unwrap();
    write_private(path, &text);
    std::fs::copy(
        keys.join(format!("{source}.pub")),
        path.with_extension("pub"),
    )
    .unwrap();
}

/// Leaf and intermediate for `*.ci.example`, and the key as SEC1 PEM.
fn make_certificate(dir: &Path) {
    let values = dir.join("values");
    let script = r#"
        set -e; cd "$1"; umask 077
        openssl ecparam -name prime256v1 -genkey -noout -out ca.key
        openssl req -x509 -new -key ca.key -days 30 -subj '/CN=Test CA' -out ca.pem
        openssl ecparam -name prime256v1 -genkey -noout -out leaf.key
        openssl req -new -key leaf.key -subj '/CN=*.ci.example' -out leaf.csr
        echo 'subjectAltName=DNS:*.ci.example' >leaf.ext
        openssl x509 -req -in leaf.csr -extfile leaf.ext -CA ca.pem -CAkey ca.key -CAcreateserial -days 30 -out leaf.pem
        cat leaf.pem ca.pem >values/wildcard_cert
        cp leaf.key values/wildcard_key
    "#;
    let made = quiet("sh").args(["-c", script, "sh"]).arg(dir).status();
    if !made.is_ok_and(|status| status.success()) {
        println!("openssl is not on PATH: the certificate of the quickstart stands in");
        for name in [CERTIFICATE, CERTIFICATE_KEY] {
            std::fs::write(values.join(name), quickstart_value(name)).unwrap();
        }
    }
    let key = std::fs::read(values.join(CERTIFICATE_KEY)).unwrap();
    assert_eq!(key.len(), 227, "a P-256 key as SEC1 PEM");
}

/// A value of the quickstart's file, opened by the library.
fn quickstart_value(name: &str) -> Vec<u8> {
    let dir = test_data("quickstart");
    let mut keyring = Keyring::empty();
    keyring
        .add_ssh_key_file(&dir.join("keys/ssh_host_ed25519_key"), KeyFileModes::Warn)
        .unwrap();
    let file = SealedFile::read(&dir.join("secrets/secrets.yaml"), None).unwrap();
    let opened = file.open(&keyring).unwrap();
    let leaf = opened.leaf(&name.parse().unwrap()).unwrap();
    leaf.expose().to_vec()
}

fn seal_with_sops(plain: &str, recipients: &str) -> Option<Vec<u8>> {
    let mut child = quiet("sops")
        .args([
            "encrypt",
            "--age",
            recipients,
            "--filename-override",
            "secrets.yaml",
        ])
        .env("SOPS_DISABLE_VERSION_CHECK", "1")
        .env("HOME", "/nonexistent")
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .ok()?;
    std::io::Write::write_all(&mut child.stdin.take()?, plain.as_bytes()).unwrap();
    let output = child.wait_with_output().unwrap();
    assert!(output.status.success(), "sops seals the fixture");
    Some(output.stdout)
}

fn quiet(program: &str) -> Command {
    let mut command = Command::new(program);
    command
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null());
    command
}

pub(crate) fn test_data(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("../testdata")
        .join(name)
}

/// A file that nobody else may read, as keys are.
pub(crate) fn write_private(path: &Path, text: &[u8]) {
    use std::os::unix::fs::PermissionsExt as _;
    std::fs::write(path, text).unwrap();
    std::fs::set_permissions(path, std::fs::Permissions::from_mode(0o600)).unwrap();
}
