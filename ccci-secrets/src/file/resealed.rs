//! Sealing new plaintext over an older version of the file.

use super::older::Older;
use super::seal::{Block, Sealer, refresh_block};
use super::{SealError, SealedFile};
use crate::document::Document;
use crate::leaf::LeafCipher;
use crate::mac::Mac;
use crate::metadata::{Metadata, WRITTEN_VERSION, mac_aad};

/// A file that was sealed over an older version of it.
pub(super) struct Resealed {
    pub(super) file: SealedFile,
    /// How many of its values and comments have a new envelope, and one more if something else is known about its layout.
    pub(super) fresh: usize,
}

/// Seals a document under the data key, the keys and the rule of an older version.
pub(super) fn seal_document(
    older: Older,
    document: Document,
    lastmodified: &str,
) -> Result<Resealed, SealError> {
    let Older {
        metadata,
        access,
        reuse,
        block,
        text: old_text,
        ..
    } = older;
    let mut sealer = Sealer {
        cipher: access.cipher,
        selection: &metadata.selection,
        coverage: metadata.coverage,
        reuse,
    };
    let body = sealer.seal_values(document)?;
    let values = sealer.cipher.sealed();
    let version = metadata.version.as_deref();
    let version = version
        .filter(|version| is_older(version))
        .map(|_| WRITTEN_VERSION);
    let kept = Stamp::kept(&metadata, &body.mac, &sealer.cipher);
    let fresh = Stamp::fresh(&body.mac, &mut sealer.cipher, lastmodified, version)?;
    let stamp = kept.as_ref().unwrap_or(&fresh);
    let is_known = access.sidecar.holds(&body.sidecar);
    let sidecar = match &metadata.layout {
        // The MAC is that of the same values.
        Some(old) if is_known && kept.is_some() => Some(old.clone()),
        _ => body.sidecar.seal(&mut sealer.cipher, &body.mac)?,
    };
    let before_comments = sealer.cipher.sealed();
    let file = sealer.finish(
        body,
        &Block::Kept {
            old: &block,
            mac: &stamp.mac,
            lastmodified: &stamp.lastmodified,
            version: stamp.version,
        },
        sidecar.as_deref(),
    )?;
    let comments = sealer.cipher.sealed() - before_comments;
    let count = values + comments + usize::from(!is_known);
    if kept.is_none() || old_text.is(file.text()) {
        return Ok(Resealed { file, fresh: count });
    }
    // The values are those of before, and the text is not: comments or layout changed.
    let Stamp {
        mac,
        lastmodified,
        version,
    } = &fresh;
    let document = refresh_block(file.into_document(), mac, lastmodified, *version)?;
    Ok(Resealed {
        file: SealedFile::parse(document.format(), document.into_text())?,
        fresh: count,
    })
}

/// What a change leaves in the metadata.
struct Stamp {
    mac: String,
    lastmodified: String,
    version: Option<&'static str>,
}

impl Stamp {
    /// That of the file as it was, if its values are still the same.
    fn kept(metadata: &Metadata, mac: &Mac, cipher: &LeafCipher) -> Option<Self> {
        let stored = metadata.mac.clone()?;
        let aad = metadata.mac_aad()?;
        mac.verify(cipher, Some(stored.as_bytes()), &aad).ok()?;
        Some(Self {
            mac: stored,
            lastmodified: metadata.lastmodified.clone(),
            version: None,
        })
    }

    fn fresh(
        mac: &Mac,
        cipher: &mut LeafCipher,
        lastmodified: &str,
        version: Option<&'static str>,
    ) -> Result<Self, SealError> {
        let aad = mac_aad(lastmodified).ok_or(SealError::Check("the time is not RFC 3339"))?;
        Ok(Self {
            mac: mac.seal(cipher, &aad)?,
            lastmodified: lastmodified.to_owned(),
            version,
        })
    }
}

/// Whether sops would raise this version when it edits the file.
fn is_older(version: &str) -> bool {
    let numbers = |text: &str| -> Vec<u64> {
        text.trim_start_matches('v')
            .split('.')
            .map_while(|part| part.parse().ok())
            .collect()
    };
    numbers(version) < numbers(WRITTEN_VERSION)
}
