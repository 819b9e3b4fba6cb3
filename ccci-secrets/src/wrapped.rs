//! A recipient's copy of the data key, as a sops file holds it. No key code here: a build that cannot use a kind still
//! carries it through every rewrite.

use serde_json::Value;

/// The kinds of key that sops files name.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[non_exhaustive]
pub enum KeyKind {
    /// `age`: X25519, SSH, hybrid and plugin recipients.
    Age,
    /// `azure_kv`
    AzureKeyVault,
    /// `gcp_kms`
    GcpKms,
    /// `hc_vault`
    HashicorpVault,
    /// `hckms`
    HuaweiKms,
    /// `kms`
    AwsKms,
    /// `pgp`
    Pgp,
}

impl KeyKind {
    /// All kinds, in the order in which sops loads the flat lists of a file.
    pub const LOAD_ORDER: [Self; 7] = [
        Self::AwsKms,
        Self::GcpKms,
        Self::HuaweiKms,
        Self::AzureKeyVault,
        Self::HashicorpVault,
        Self::Pgp,
        Self::Age,
    ];

    /// The name of the list in the metadata.
    #[must_use]
    pub fn metadata_key(self) -> &'static str {
        match self {
            Self::Age => "age",
            Self::AzureKeyVault => "azure_kv",
            Self::GcpKms => "gcp_kms",
            Self::HashicorpVault => "hc_vault",
            Self::HuaweiKms => "hckms",
            Self::AwsKms => "kms",
            Self::Pgp => "pgp",
        }
    }

    /// The kind whose list has this name, compared as sops does: without regard to case.
    #[must_use]
    pub fn from_metadata_key(name: &str) -> Option<Self> {
        Self::LOAD_ORDER
            .into_iter()
            .find(|kind| kind.metadata_key().eq_ignore_ascii_case(name))
    }
}

/// One recipient's entry: the data key, or a Shamir share of it, wrapped for that recipient.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct WrappedKey {
    /// What kind of key opens it.
    pub kind: KeyKind,
    /// The fields as the file holds them, names in lower case: `recipient` and `enc` for age.
    pub fields: Vec<(String, String)>,
    /// Fields that are no text, such as the encryption context of KMS: carried, and read by nobody.
    pub(crate) carried: Vec<(String, Value)>,
}

impl WrappedKey {
    /// An entry of that kind.
    #[must_use]
    pub fn new(kind: KeyKind, fields: Vec<(String, String)>) -> Self {
        Self {
            kind,
            fields,
            carried: Vec::new(),
        }
    }

    /// A field by its name.
    #[must_use]
    pub fn field(&self, name: &str) -> Option<&str> {
        self.fields
            .iter()
            .find(|(field, _)| field == name)
            .map(|(_, value)| value.as_str())
    }

    /// An age entry.
    #[must_use]
    pub fn age(recipient: &str, enc: &str) -> Self {
        let field = |name: &str, value: &str| (name.to_owned(), value.to_owned());
        let fields = vec![field("enc", enc), field("recipient", recipient)];
        Self::new(KeyKind::Age, fields)
    }

    /// The text by which people know this key: an age recipient, a PGP fingerprint, an ARN. Never secret.
    #[must_use]
    pub fn label(&self) -> String {
        let field = |name| self.field(name).unwrap_or("?");
        match self.kind {
            KeyKind::Age => field("recipient").into(),
            KeyKind::Pgp => field("fp").into(),
            KeyKind::AwsKms => field("arn").into(),
            KeyKind::GcpKms => field("resource_id").into(),
            KeyKind::HuaweiKms => field("key_id").into(),
            KeyKind::AzureKeyVault => {
                format!(
                    "{}/keys/{}/{}",
                    field("vault_url"),
                    field("name"),
                    field("version")
                )
            }
            KeyKind::HashicorpVault => {
                format!(
                    "{}/v1/{}/keys/{}",
                    field("vault_address"),
                    field("engine_path"),
                    field("key_name")
                )
            }
        }
    }
}

/// One key group: any one of its keys gives the data key, or its share of it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct WrappedGroup {
    /// The keys, in the order of the file.
    pub keys: Vec<WrappedKey>,
    /// Lists of kinds that this build has no name for: carried, and read by nobody.
    pub(crate) carried: Vec<(String, Value)>,
}

impl WrappedGroup {
    /// A group of these keys.
    #[must_use]
    pub fn new(keys: Vec<WrappedKey>) -> Self {
        Self {
            keys,
            carried: Vec::new(),
        }
    }
}

/// What the caller knows recipients as: `age1…` to `&host`, from the anchors and comments of `.sops.yaml`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Names(Vec<(String, String)>);

impl Names {
    /// Adds a name for a recipient; the first name given stays.
    pub fn add(&mut self, recipient: &str, name: &str) {
        if self.of(recipient).is_none() {
            self.0.push((recipient.into(), name.into()));
        }
    }

    /// Adds all names of another list.
    pub fn extend(&mut self, other: &Self) {
        for (recipient, name) in &other.0 {
            self.add(recipient, name);
        }
    }

    /// The recipients of a name, with or without the `&` of an anchor.
    pub fn recipients_of(&self, name: &str) -> impl Iterator<Item = &str> {
        let bare = |text: &str| text.trim_start_matches('&').to_owned();
        let wanted = bare(name);
        self.0
            .iter()
            .filter(move |(_, known)| bare(known) == wanted)
            .map(|(recipient, _)| recipient.as_str())
    }

    /// The name of a recipient.
    #[must_use]
    pub fn of(&self, recipient: &str) -> Option<&str> {
        self.0
            .iter()
            .find(|(known, _)| known == recipient)
            .map(|(_, name)| name.as_str())
    }

    /// A recipient shortened for a message, with its name where one is known: `age1ql3z7hjy… (host)`.
    #[must_use]
    pub fn describe(&self, recipient: &str) -> String {
        let short = shorten(recipient);
        match self.of(recipient) {
            Some(name) => format!("{short} ({name})"),
            None => short,
        }
    }
}

/// The first 12 characters of an age recipient; an SSH one keeps its type and the end of its key.
fn shorten(recipient: &str) -> String {
    if let Some((kind, key)) = recipient.split_once(' ') {
        let key = key.split_whitespace().next().unwrap_or_default();
        let tail: String = key
            .chars()
            .skip(key.chars().count().saturating_sub(8))
            .collect();
        return format!("{kind} …{tail}");
    }
    if recipient.chars().count() <= 16 {
        return recipient.into();
    }
    let head: String = recipient.chars().take(12).collect();
    format!("{head}…")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn recipients_are_shortened_and_named() {
        let mut names = Names::default();
        let host = "age1ql3z7hjy54pw3hyww5ayyfg7zqgvc7w3j2elw8zmrj2kg5sfn9aqmcac8p";
        names.add(host, "host");
        assert_eq!(names.describe(host), "age1ql3z7hjy… (host)");
        assert_eq!(
            names.describe("ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIIkxAemw x@y"),
            "ssh-ed25519 …IIkxAemw"
        );
    }
}
