//! Shamir's secret sharing over GF(2⁸), as sops does it: a share is a byte for each byte of the key, and its x last
//! (sops-format.md 7).
//!
//! A share is the value of one polynomial per byte at x; the key is the value at 0. The arithmetic takes the same steps
//! whatever the values are: no table is indexed by a secret, and nothing branches on one.

use std::fmt;

use subtle::{Choice, ConditionallySelectable as _};
use zeroize::Zeroizing;

use super::data_key::DataKey;
use super::random::{RandomError, fill};

/// Length of a share: one byte for each of the key, and x.
const SHARE_LEN: usize = KEY_LEN + 1;

const KEY_LEN: usize = 32;

/// One part of a data key. Fewer of them than the threshold say nothing about the key; it is wiped on drop all the same.
pub(crate) struct Share(Zeroizing<[u8; SHARE_LEN]>);

impl Share {
    /// A share from unwrapped bytes; `None` unless they are one: of the right length, and not for x = 0, which would be
    /// the key itself.
    pub(crate) fn from_unwrapped(bytes: &[u8]) -> Option<Self> {
        let mut share = Zeroizing::new([0; SHARE_LEN]);
        if bytes.len() != share.len() {
            return None;
        }
        share.copy_from_slice(bytes);
        let share = Self(share);
        (share.x() != 0).then_some(share)
    }

    /// Lets the bytes out. Every call says in an `// EXPOSE:` line where they go.
    pub(crate) fn expose(&self) -> &[u8; SHARE_LEN] {
        &self.0
    }

    /// Where the polynomials were evaluated. Not secret: it is the number of the group.
    fn x(&self) -> u8 {
        let [.., x] = *self.0;
        x
    }

    fn values(&self) -> &[u8] {
        let [values @ .., _] = &*self.0;
        values
    }
}

impl fmt::Debug for Share {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Share([redacted])")
    }
}

/// How many of how many shares give the key: at least two, at most all, and no more than 255.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Threshold {
    needed: u8,
    shares: u8,
}

impl Threshold {
    /// # Errors
    /// [`ThresholdError`]: numbers that sops would not split by either.
    pub(crate) fn new(needed: u32, shares: usize) -> Result<Self, ThresholdError> {
        let number = u8::try_from(shares).map_err(|_| ThresholdError::TooManyGroups(shares))?;
        match u8::try_from(needed) {
            Ok(0 | 1) => Err(ThresholdError::TooLow(needed)),
            Ok(needed) if needed <= number => Ok(Self {
                needed,
                shares: number,
            }),
            _ => Err(ThresholdError::TooHigh {
                threshold: needed,
                groups: shares,
            }),
        }
    }
}

/// A threshold that no key can be split by.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ThresholdError {
    /// More than there are groups.
    #[error(
        "a threshold of {threshold} can never be reached with {groups} key groups: parts cannot be less than threshold"
    )]
    TooHigh {
        /// The threshold.
        threshold: u32,
        /// How many groups there are.
        groups: usize,
    },
    /// One: every share would be the key itself.
    #[error("the threshold is {0}, and with several key groups the threshold must be at least 2")]
    TooLow(u32),
    /// A share's x is one byte, and not 0.
    #[error("there are {0} key groups: parts cannot exceed 255")]
    TooManyGroups(usize),
}

/// Splits a key into shares for x = 1, 2, 3 and so on.
pub(crate) fn split(key: &DataKey, threshold: Threshold) -> Result<Vec<Share>, RandomError> {
    let degree = usize::from(threshold.needed) - 1;
    // Byte by byte, from the highest power down; the constant terms are the key.
    let mut coefficients = Zeroizing::new(vec![0; KEY_LEN * degree]);
    fill(&mut coefficients)?;
    let share = |x: u8| {
        let mut share = Zeroizing::new([0; SHARE_LEN]);
        let [values @ .., last] = &mut *share;
        *last = x;
        // EXPOSE: into the shares, each of which wipes itself.
        let terms = coefficients.chunks_exact(degree).zip(key.expose());
        for (value, (higher, constant)) in values.iter_mut().zip(terms) {
            let sum = higher
                .iter()
                .fold(0, |sum, coefficient| mul(sum, x) ^ coefficient);
            *value = mul(sum, x) ^ constant;
        }
        Share(share)
    };
    Ok((1..=threshold.shares).map(share).collect())
}

/// Shares that do not belong together.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum JoinError {
    /// Fewer than two.
    #[error("a data key is joined from two shares at least")]
    TooFew,
    /// Two for one x.
    #[error("two key groups hold the same share of the data key")]
    Twice,
}

/// Joins shares: all that are given, as sops does. A key always comes out; it is the right one if there were enough
/// shares of one splitting.
pub(crate) fn join(shares: &[Share]) -> Result<DataKey, JoinError> {
    if shares.len() < 2 {
        return Err(JoinError::TooFew);
    }
    let mut key = Zeroizing::new([0; KEY_LEN]);
    for (nth, share) in shares.iter().enumerate() {
        let weight = weight_at_zero(shares, nth).ok_or(JoinError::Twice)?;
        for (byte, value) in key.iter_mut().zip(share.values()) {
            *byte ^= mul(*value, weight);
        }
    }
    Ok(DataKey::from_unwrapped(key.as_slice()).expect("the array has the length of a key"))
}

/// What a share counts for at 0, by Lagrange: the product of xⱼ / (xⱼ - xᵢ). `None` if another share has its x.
fn weight_at_zero(shares: &[Share], nth: usize) -> Option<u8> {
    let own = shares.get(nth)?.x();
    let mut weight = 1;
    for (other, share) in shares.iter().enumerate() {
        if other == nth {
            continue;
        }
        let difference = share.x() ^ own;
        if difference == 0 {
            return None;
        }
        weight = mul(weight, mul(share.x(), inverse(difference)));
    }
    Some(weight)
}

/// The product modulo x⁸ + x⁴ + x³ + x + 1, in eight equal steps.
fn mul(left: u8, right: u8) -> u8 {
    let (mut power, mut product) = (left, 0);
    for bit in 0..u8::BITS {
        let term = u8::conditional_select(&0, &power, Choice::from((right >> bit) & 1));
        product ^= term;
        let carry = u8::conditional_select(&0, &REDUCTION, Choice::from(power >> 7));
        power = (power << 1) ^ carry;
    }
    product
}

/// The inverse: x to the power of 254, which is all of 2 to 128 together.
fn inverse(x: u8) -> u8 {
    let mut power = x;
    let mut product = 1;
    for _ in 1..u8::BITS {
        power = mul(power, power);
        product = mul(product, power);
    }
    product
}

const REDUCTION: u8 = 0x1b;

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "tests")]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn key(bytes: [u8; KEY_LEN]) -> DataKey {
        DataKey::from_unwrapped(&bytes).unwrap()
    }

    fn shares(bytes: [u8; KEY_LEN], needed: u32, shares: usize) -> Vec<Share> {
        split(&key(bytes), Threshold::new(needed, shares).unwrap()).unwrap()
    }

    fn copy(share: &Share) -> Share {
        Share::from_unwrapped(share.expose()).unwrap()
    }

    // FIPS 197, sections 4.2 and 4.2.1: the same field.
    #[test]
    fn the_field_is_that_of_aes() {
        assert_eq!(mul(0x57, 0x83), 0xc1);
        assert_eq!(mul(0x57, 0x13), 0xfe);
        assert_eq!(mul(0x57, 0x02), 0xae);
        assert_eq!(mul(0x57, 0x10), 0x07);
    }

    #[test]
    fn every_element_but_zero_has_an_inverse_and_products_commute() {
        for left in 1..=u8::MAX {
            assert_eq!(mul(left, inverse(left)), 1, "{left}");
            for right in 0..=u8::MAX {
                assert_eq!(mul(left, right), mul(right, left));
            }
        }
        assert_eq!(mul(0, 0xff), 0);
    }

    #[test]
    fn a_share_has_its_number_last_and_numbers_begin_with_one() {
        let shares = shares([9; KEY_LEN], 2, 255);
        assert_eq!(shares.len(), 255);
        for (number, share) in (1..=u8::MAX).zip(&shares) {
            assert_eq!(share.expose()[KEY_LEN], number);
        }
    }

    // By hand: with the polynomial 7 + 5x, x = 1 gives 7 ^ 5 = 2, and x = 2 gives 7 ^ 10 = 13.
    #[test]
    fn shares_of_a_known_polynomial_give_its_constant() {
        let share = |value: u8, x: u8| {
            let mut bytes = [value; SHARE_LEN];
            bytes[KEY_LEN] = x;
            Share::from_unwrapped(&bytes).unwrap()
        };
        let joined = join(&[share(2, 1), share(13, 2)]).unwrap();
        assert_eq!(joined.expose(), &[7; KEY_LEN]);
    }

    // A polynomial of degree k-1 through k-1 points can have any value at 0: with each possible key there is one last
    // share that fits, and all 256 bytes come up.
    #[test]
    fn one_share_less_than_the_threshold_fits_every_key() {
        let mut parts = shares([0x42; KEY_LEN], 3, 3);
        let mut last = *parts.pop().unwrap().expose();
        let mut seen = std::collections::BTreeSet::new();
        for byte in 0..=u8::MAX {
            last[0] = byte;
            let tried = [
                copy(&parts[0]),
                copy(&parts[1]),
                Share::from_unwrapped(&last).unwrap(),
            ];
            seen.insert(join(&tried).unwrap().expose()[0]);
        }
        assert_eq!(seen.len(), 256);
    }

    #[test]
    fn what_is_no_share_is_not_taken_for_one() {
        assert!(Share::from_unwrapped(&[1; KEY_LEN]).is_none());
        assert!(Share::from_unwrapped(&[1; SHARE_LEN + 1]).is_none());
        assert!(Share::from_unwrapped(&[0; SHARE_LEN]).is_none());
        assert!(Share::from_unwrapped(&[1; SHARE_LEN]).is_some());
    }

    #[test]
    fn shares_that_do_not_belong_together_are_refused() {
        let parts = shares([1; KEY_LEN], 2, 2);
        let twice = [copy(&parts[0]), copy(&parts[1]), copy(&parts[0])];
        assert_eq!(join(&twice).unwrap_err(), JoinError::Twice);
        assert_eq!(join(&parts[..1]).unwrap_err(), JoinError::TooFew);
        assert_eq!(join(&[]).unwrap_err(), JoinError::TooFew);
    }

    // sops-format.md 7, "limits", in the words of sops.
    #[test]
    fn thresholds_out_of_range_are_refused_in_the_words_of_sops() {
        let refused = |needed, shares| Threshold::new(needed, shares).unwrap_err().to_string();
        for (needed, shares, words) in [
            (0, 2, "threshold must be at least 2"),
            (1, 2, "threshold must be at least 2"),
            (3, 2, "parts cannot be less than threshold"),
            (300, 255, "parts cannot be less than threshold"),
            (2, 1, "parts cannot be less than threshold"),
            (2, 256, "parts cannot exceed 255"),
        ] {
            let text = refused(needed, shares);
            assert!(text.contains(words), "{needed} of {shares}: {text}");
        }
        assert!(Threshold::new(255, 255).is_ok());
        assert!(Threshold::new(2, 2).is_ok());
    }

    #[test]
    fn nothing_of_a_share_is_printed() {
        let share = &shares([0xab; KEY_LEN], 2, 2)[0];
        assert_eq!(format!("{share:?}"), "Share([redacted])");
    }

    proptest! {
        #[test]
        fn enough_shares_in_any_order_give_the_key_and_one_less_does_not(
            bytes: [u8; KEY_LEN],
            needed in 2_u32..8,
            more in 0_usize..5,
            order in Just((0..12_usize).collect::<Vec<_>>()).prop_shuffle(),
        ) {
            let count = needed as usize + more;
            let parts = shares(bytes, needed, count);
            let shuffled: Vec<Share> =
                order.iter().filter_map(|&at| parts.get(at)).map(copy).collect();
            for taken in needed as usize..=count {
                let joined = join(&shuffled[..taken]).unwrap();
                prop_assert_eq!(joined.expose(), &bytes);
            }
            // By chance, one in 2²⁵⁶ would do.
            if let Ok(joined) = join(&shuffled[..needed as usize - 1]) {
                prop_assert_ne!(joined.expose(), &bytes);
            }
        }
    }
}
