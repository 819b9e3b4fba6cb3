//! `testdata/vectors`: files with one reason each to open, or not to; see the README there.
#![allow(
    clippy::disallowed_methods,
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "tests"
)]

use std::path::{Path, PathBuf};

use ccci_secrets::document::Format;
use ccci_secrets::env::Environment;
use ccci_secrets::error::ErrorCode;
use ccci_secrets::file::{FileError, OpenError, SealError, SealedFile};
use ccci_secrets::keyring::Keyring;
use ccci_secrets::secret::Secret;

fn data() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../testdata")
}

struct Vector {
    name: String,
    header: Vec<(String, String)>,
    file: Vec<u8>,
}

impl Vector {
    fn read(path: &Path) -> Self {
        let bytes = std::fs::read(path).unwrap();
        let end = bytes.windows(2).position(|pair| pair == b"\n\n").unwrap();
        let header = std::str::from_utf8(&bytes[..end]).unwrap();
        let fields = header.lines().map(|line| line.split_once(": ").unwrap());
        Self {
            name: path.file_stem().unwrap().to_str().unwrap().to_owned(),
            header: fields
                .map(|(name, value)| (name.into(), value.into()))
                .collect(),
            file: bytes[end + 2..].to_vec(),
        }
    }

    fn field(&self, name: &str) -> Option<&str> {
        let found = self.header.iter().find(|(field, _)| field == name)?;
        Some(&found.1)
    }

    fn open(&self) -> Result<String, ErrorCode> {
        let key = data().join(self.field("key").unwrap());
        let environment = Environment::empty().with_var("SOPS_AGE_KEY_FILE", key.to_str().unwrap());
        let bytes = Secret::from_slice(&self.file);
        let sealed =
            SealedFile::parse(Format::Yaml, bytes).map_err(|error: FileError| error.code())?;
        let opened = sealed
            .open(&Keyring::discover(&environment))
            .map_err(|error: OpenError| error.code())?;
        let (plain, _) = opened
            .expose_document()
            .map_err(|error: SealError| error.code())?;
        Ok(String::from_utf8(plain.expose().to_vec()).unwrap())
    }
}

#[test]
fn each_vector_opens_or_is_refused_as_its_header_says() {
    let mut vectors: Vec<Vector> = std::fs::read_dir(data().join("vectors/yaml"))
        .unwrap()
        .map(|entry| Vector::read(&entry.unwrap().path()))
        .collect();
    vectors.sort_by(|one, other| one.name.cmp(&other.name));
    assert!(vectors.len() >= 50, "{} vectors", vectors.len());
    let mut wrong = Vec::new();
    for vector in &vectors {
        let expected = match vector.field("plain") {
            Some(plain) => Ok(serde_json::from_str(plain).unwrap()),
            None => Err(vector.field("expect").unwrap().to_owned()),
        };
        let found = vector.open().map_err(|code| code.as_str().to_owned());
        if found != expected {
            wrong.push(format!(
                "{}: {found:?} instead of {expected:?}",
                vector.name
            ));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}
