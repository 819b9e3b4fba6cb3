//! AES-256-GCM as sops uses it: a 32-byte nonce, the tag apart from the ciphertext.

use aes_gcm::aead::consts;
use aes_gcm::aead::{AeadInOut as _, KeyInit as _};
use aes_gcm::aes::Aes256;
use aes_gcm::{AesGcm, Nonce, Tag};

use super::data_key::DataKey;

/// Length of the nonce that is written.
pub(crate) const NONCE_LEN: usize = 32;

/// Length of the tag.
pub(crate) const TAG_LEN: usize = 16;

type Aes256Gcm32 = AesGcm<Aes256, consts::U32>;

/// The tag does not match: wrong key, wrong path, or damaged bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum CipherError {
    /// Not authentic.
    #[error("the value does not open with this key at this place")]
    NotAuthentic,
    /// A nonce of 0 or of more than 64 bytes.
    #[error("a nonce of this length is not supported")]
    NonceLength,
}

/// The cipher of one file: the key schedule is computed once.
pub(crate) struct Cipher {
    // Boxed: moving the schedule would leave copies of it on the stack.
    fast: Box<Aes256Gcm32>,
    key: DataKey,
}

impl Cipher {
    pub(crate) fn new(key: DataKey) -> Self {
        // EXPOSE: into the key schedule, which wipes itself on drop.
        let fast = Box::new(Aes256Gcm32::new(key.expose().into()));
        Self { fast, key }
    }

    /// Encrypts in place and gives the tag. The nonce must be fresh.
    pub(crate) fn seal(
        &self,
        nonce: &[u8; NONCE_LEN],
        aad: &[u8],
        buffer: &mut [u8],
    ) -> [u8; TAG_LEN] {
        self.fast
            .encrypt_inout_detached(&Nonce::from(*nonce), aad, buffer.into())
            .expect("AES-GCM seals up to 64 GiB, and a document is smaller than 4 GiB")
            .into()
    }

    /// Decrypts in place. On an error the buffer still holds ciphertext.
    pub(crate) fn open(
        &self,
        nonce: &[u8],
        aad: &[u8],
        buffer: &mut [u8],
        tag: &[u8; TAG_LEN],
    ) -> Result<(), CipherError> {
        if let Ok(nonce) = <[u8; NONCE_LEN]>::try_from(nonce) {
            let tag = Tag::<consts::U16>::from(*tag);
            return self
                .fast
                .decrypt_inout_detached(&Nonce::from(nonce), aad, buffer.into(), &tag)
                .map_err(|_| CipherError::NotAuthentic);
        }
        self.open_odd_nonce(nonce, aad, buffer, tag)
    }

    /// Foreign and old files carry nonces of other lengths. The length is part of the cipher's type, so each needs
    /// its own instance; these are rare, and speed does not matter.
    fn open_odd_nonce(
        &self,
        nonce: &[u8],
        aad: &[u8],
        buffer: &mut [u8],
        tag: &[u8; TAG_LEN],
    ) -> Result<(), CipherError> {
        let tag = Tag::<consts::U16>::from(*tag);
        macro_rules! by_length {
            ($($len:literal $size:ident,)*) => {
                match nonce.len() {
                    $($len => {
                        let nonce = <[u8; $len]>::try_from(nonce).map_err(|_| CipherError::NonceLength)?;
                        // EXPOSE: into a key schedule, which wipes itself on drop.
                        AesGcm::<Aes256, consts::$size>::new(self.key.expose().into())
                            .decrypt_inout_detached(&Nonce::<consts::$size>::from(nonce), aad, buffer.into(), &tag)
                            .map_err(|_| CipherError::NotAuthentic)
                    })*
                    _ => Err(CipherError::NonceLength),
                }
            };
        }
        by_length!(
            1 U1, 2 U2, 3 U3, 4 U4, 5 U5, 6 U6, 7 U7, 8 U8, 9 U9, 10 U10, 11 U11, 12 U12, 13 U13, 14 U14, 15 U15,
            16 U16, 17 U17, 18 U18, 19 U19, 20 U20, 21 U21, 22 U22, 23 U23, 24 U24, 25 U25, 26 U26, 27 U27, 28 U28,
            29 U29, 30 U30, 31 U31, 32 U32, 33 U33, 34 U34, 35 U35, 36 U36, 37 U37, 38 U38, 39 U39, 40 U40, 41 U41,
            42 U42, 43 U43, 44 U44, 45 U45, 46 U46, 47 U47, 48 U48, 49 U49, 50 U50, 51 U51, 52 U52, 53 U53, 54 U54,
            55 U55, 56 U56, 57 U57, 58 U58, 59 U59, 60 U60, 61 U61, 62 U62, 63 U63, 64 U64,
        )
    }
}

impl std::fmt::Debug for Cipher {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Cipher([redacted])")
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "tests")]
mod tests {
    use super::*;

    fn cipher() -> Cipher {
        Cipher::new(DataKey::from_unwrapped(&[7; 32]).expect("32 bytes"))
    }

    #[test]
    fn what_is_sealed_opens_and_every_flipped_bit_is_noticed() {
        let (nonce, aad, plain) = ([9; NONCE_LEN], b"a:b:", *b"plaintext");
        let mut sealed = plain;
        let tag = cipher().seal(&nonce, aad, &mut sealed);
        let mut opened = sealed;
        cipher()
            .open(&nonce, aad, &mut opened, &tag)
            .expect("authentic");
        assert_eq!(opened, plain);
        for bit in 0..sealed.len() * 8 {
            let mut damaged = sealed;
            damaged[bit / 8] ^= 1 << (bit % 8);
            assert_eq!(
                cipher().open(&nonce, aad, &mut damaged, &tag),
                Err(CipherError::NotAuthentic)
            );
        }
        for bit in 0..TAG_LEN * 8 {
            let mut tag = tag;
            tag[bit / 8] ^= 1 << (bit % 8);
            assert_eq!(
                cipher().open(&nonce, aad, &mut sealed.clone(), &tag),
                Err(CipherError::NotAuthentic)
            );
        }
        assert_eq!(
            cipher().open(&nonce, b"a:c:", &mut sealed.clone(), &tag),
            Err(CipherError::NotAuthentic)
        );
    }

    // NIST SP 800-38D test vectors (gcmEncryptExtIV256): a 96-bit IV, which older tools wrote.
    #[test]
    fn a_twelve_byte_nonce_opens() {
        let key = DataKey::from_unwrapped(&[0; 32]).expect("32 bytes");
        let mut buffer = [
            0xce, 0xa7, 0x40, 0x3d, 0x4d, 0x60, 0x6b, 0x6e, 0x07, 0x4e, 0xc5, 0xd3, 0xba, 0xf3,
            0x9d, 0x18,
        ];
        let tag = [
            0xd0, 0xd1, 0xc8, 0xa7, 0x99, 0x99, 0x6b, 0xf0, 0x26, 0x5b, 0x98, 0xb5, 0xd4, 0x8a,
            0xb9, 0x19,
        ];
        Cipher::new(key)
            .open(&[0; 12], b"", &mut buffer, &tag)
            .expect("a published vector");
        assert_eq!(buffer, [0; 16]);
    }

    #[test]
    fn nonces_out_of_range_are_refused() {
        for len in [0, 65] {
            let result = cipher().open(&vec![0; len], b"", &mut [0; 4], &[0; TAG_LEN]);
            assert_eq!(result, Err(CipherError::NonceLength));
        }
    }
}
