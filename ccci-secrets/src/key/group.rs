//! Key groups: the keys of a single group wrap the data key itself, those of several wrap a share of it each
//! (sops-format.md 7).

use crate::crypto::{self, DataKey, JoinError, RandomError, Share, Threshold, ThresholdError};
use crate::key::{Recipient, WrapError};
use crate::wrapped::WrappedGroup;

/// The threshold that is written for so many groups; `None` where nothing is.
///
/// Without one, all of several groups are needed, and that is written. With a single group it means nothing: sops keeps
/// the number, whatever it is, and so do we.
///
/// # Errors
/// [`ThresholdError`] for a number that several groups cannot be split by.
pub(crate) fn written_threshold(
    groups: usize,
    wanted: Option<u32>,
) -> Result<Option<u32>, ThresholdError> {
    let wanted = wanted.filter(|threshold| *threshold > 0);
    if groups < 2 {
        return Ok(wanted);
    }
    let all = u32::try_from(groups).map_err(|_| ThresholdError::TooManyGroups(groups))?;
    let threshold = wanted.unwrap_or(all);
    Threshold::new(threshold, groups).map(|_| Some(threshold))
}

/// A data key wrapped for all keys of all groups.
#[derive(Debug)]
pub(crate) struct WrappedGroups {
    pub(crate) groups: Vec<WrappedGroup>,
    /// As it is written.
    pub(crate) threshold: Option<u32>,
}

/// Wraps a data key for every key of every group.
///
/// # Errors
/// [`GroupError`]; a key that cannot be wrapped for is never left out.
pub(crate) fn wrap(
    key: &DataKey,
    groups: &[Vec<Box<dyn Recipient>>],
    threshold: Option<u32>,
) -> Result<WrappedGroups, GroupError> {
    if groups.is_empty() || groups.iter().any(Vec::is_empty) {
        return Err(GroupError::Empty);
    }
    let threshold = written_threshold(groups.len(), threshold)?;
    let wrapped = match groups {
        // EXPOSE: to the recipients, which wrap it.
        [group] => vec![wrap_part(key.expose(), group)?],
        _ => {
            let needed = Threshold::new(threshold.unwrap_or_default(), groups.len())?;
            let shares = crypto::split(key, needed)?;
            let parts = groups.iter().zip(&shares);
            parts
                // EXPOSE: to the recipients, which wrap it.
                .map(|(group, share)| wrap_part(share.expose(), group))
                .collect::<Result<_, _>>()?
        }
    };
    Ok(WrappedGroups {
        groups: wrapped,
        threshold,
    })
}

fn wrap_part(part: &[u8], group: &[Box<dyn Recipient>]) -> Result<WrappedGroup, WrapError> {
    let keys = group.iter().map(|recipient| recipient.wrap(part));
    Ok(WrappedGroup::new(keys.collect::<Result<_, _>>()?))
}

/// A data key that cannot be wrapped for these groups.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum GroupError {
    /// No group, or one without keys.
    #[error("a key group has no keys")]
    Empty,
    /// The system has no randomness.
    #[error(transparent)]
    Random(#[from] RandomError),
    /// A number of groups that cannot be met.
    #[error(transparent)]
    Threshold(#[from] ThresholdError),
    /// A recipient.
    #[error(transparent)]
    Wrap(#[from] WrapError),
}

/// What an entry of a file wraps.
#[derive(Debug)]
pub(crate) enum Part {
    /// A share of the data key.
    Share(Share),
    /// The data key itself.
    Whole(DataKey),
}

impl Part {
    /// What an entry wraps in a file of so many groups; `None` when the bytes are nothing of that kind.
    pub(crate) fn from_unwrapped(groups: usize, bytes: &[u8]) -> Option<Self> {
        if groups > 1 {
            Share::from_unwrapped(bytes).map(Self::Share)
        } else {
            DataKey::from_unwrapped(bytes).map(Self::Whole)
        }
    }
}

/// How many groups have to open. A file that lost its threshold is tried with what there is: two shares at least, as in
/// sops.
pub(crate) fn needed_groups(groups: usize, threshold: Option<u32>) -> usize {
    let stored = threshold.map_or(0, |threshold| {
        usize::try_from(threshold).unwrap_or(usize::MAX)
    });
    if groups > 1 { stored.max(2) } else { 1 }
}

/// The data key out of the parts that opened.
///
/// # Errors
/// [`JoinError`]
pub(crate) fn join(parts: Vec<Part>) -> Result<DataKey, JoinError> {
    let mut shares = Vec::with_capacity(parts.len());
    for part in parts {
        match part {
            Part::Share(share) => shares.push(share),
            Part::Whole(key) => return Ok(key),
        }
    }
    crypto::join(&shares)
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "tests")]
mod tests {
    use super::*;
    use crate::key::age::x25519::{X25519Identity, generate_x25519};
    use crate::key::{Identity as _, parse_recipient};

    fn people(count: usize) -> (Vec<X25519Identity>, Vec<Box<dyn Recipient>>) {
        (0..count)
            .map(|_| {
                let (identity, recipient) = generate_x25519();
                let identity = X25519Identity::parse(identity.expose()).unwrap();
                (identity, parse_recipient(&recipient).unwrap())
            })
            .unzip()
    }

    fn key() -> DataKey {
        DataKey::from_unwrapped(&[5; 32]).unwrap()
    }

    fn opened(identity: &X25519Identity, group: &WrappedGroup, nth: usize) -> Vec<u8> {
        let secret = identity.unwrap(&group.keys[nth]).unwrap().unwrap();
        secret.expose().to_vec()
    }

    #[test]
    fn the_keys_of_a_single_group_all_wrap_the_data_key() {
        let (identities, recipients) = people(2);
        for threshold in [None, Some(0), Some(1), Some(7)] {
            let wrapped = wrap(&key(), &[], threshold);
            assert_eq!(wrapped.unwrap_err(), GroupError::Empty);
        }
        let wrapped = wrap(&key(), &[recipients], Some(7)).unwrap();
        assert_eq!((wrapped.groups.len(), wrapped.threshold), (1, Some(7)));
        for (nth, identity) in identities.iter().enumerate() {
            assert_eq!(opened(identity, &wrapped.groups[0], nth), [5; 32]);
        }
    }

    #[test]
    fn the_keys_of_one_group_of_several_all_wrap_its_share() {
        let (identities, mut recipients) = people(3);
        let last = vec![recipients.pop().unwrap()];
        let wrapped = wrap(&key(), &[recipients, last], None).unwrap();
        assert_eq!(wrapped.threshold, Some(2));
        let first = opened(&identities[0], &wrapped.groups[0], 0);
        assert_eq!(first, opened(&identities[1], &wrapped.groups[0], 1));
        let second = opened(&identities[2], &wrapped.groups[1], 0);
        assert_eq!((first[32], second[32]), (1, 2));
        let parts = [&first, &second].map(|bytes| Part::from_unwrapped(2, bytes).unwrap());
        assert_eq!(join(parts.into()).unwrap().expose(), &[5; 32]);
    }

    #[test]
    fn groups_that_cannot_be_written_are_refused() {
        let (_, recipients) = people(1);
        let empty = wrap(&key(), &[recipients, Vec::new()], None);
        assert_eq!(empty.unwrap_err(), GroupError::Empty);
        let groups = || {
            people(2)
                .1
                .into_iter()
                .map(|one| vec![one])
                .collect::<Vec<_>>()
        };
        let low = wrap(&key(), &groups(), Some(1)).unwrap_err();
        assert_eq!(low, ThresholdError::TooLow(1).into());
        let high = wrap(&key(), &groups(), Some(3)).unwrap_err();
        let (threshold, groups) = (3, 2);
        assert_eq!(high, ThresholdError::TooHigh { threshold, groups }.into());
    }

    #[test]
    fn a_share_is_no_key_and_a_key_is_no_share() {
        assert!(Part::from_unwrapped(1, &[1; 33]).is_none());
        assert!(Part::from_unwrapped(2, &[1; 32]).is_none());
        assert!(Part::from_unwrapped(2, &[0; 33]).is_none());
    }

    #[test]
    fn a_file_without_a_threshold_is_tried_with_two_shares() {
        assert_eq!(needed_groups(1, None), 1);
        assert_eq!(needed_groups(1, Some(3)), 1);
        assert_eq!(needed_groups(3, None), 2);
        assert_eq!(needed_groups(3, Some(1)), 2);
        assert_eq!(needed_groups(3, Some(3)), 3);
        assert_eq!(needed_groups(3, Some(9)), 9);
    }
}
