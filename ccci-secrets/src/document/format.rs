//! The file formats of sops.

/// A file format of sops.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Format {
    /// The whole file is one value.
    Binary,
    /// `KEY=value` lines.
    Dotenv,
    /// Sections of `key = value`.
    Ini,
    /// JSON.
    Json,
    /// YAML as go-yaml reads it.
    Yaml,
}

impl Format {
    /// The name that `--input-type` takes.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Binary => "binary",
            Self::Dotenv => "dotenv",
            Self::Ini => "ini",
            Self::Json => "json",
            Self::Yaml => "yaml",
        }
    }

    /// The format that a name means.
    #[must_use]
    pub fn from_name(name: &str) -> Option<Self> {
        [
            Self::Binary,
            Self::Dotenv,
            Self::Ini,
            Self::Json,
            Self::Yaml,
        ]
        .into_iter()
        .find(|f| f.as_str() == name)
    }

    /// The format that sops takes from the end of a file name (sops-cli.md 4): case matters, the rest is binary.
    #[must_use]
    pub fn of_file_name(name: &str) -> Self {
        match () {
            () if name.ends_with(".yaml") || name.ends_with(".yml") => Self::Yaml,
            () if name.ends_with(".json") => Self::Json,
            () if name.ends_with(".env") => Self::Dotenv,
            () if name.ends_with(".ini") => Self::Ini,
            () => Self::Binary,
        }
    }
}
