//! The known name that a mistyped one probably means.

/// The known name nearest to `name`, compared without regard to case; none if all are too far away to be meant.
pub(crate) fn nearest<'a>(name: &str, known: &[&'a str]) -> Option<&'a str> {
    within(name, known, |candidate| 1 + candidate.len() / 4)
}

/// The known name nearest to `name`, at most `allowed(candidate)` insertions, removals and substitutions away.
pub(crate) fn within<'a>(
    name: &str,
    known: &[&'a str],
    allowed: impl Fn(&str) -> usize,
) -> Option<&'a str> {
    let wanted = name.to_lowercase();
    known
        .iter()
        .map(|candidate| (distance(&wanted, &candidate.to_lowercase()), *candidate))
        .filter(|(distance, candidate)| *distance <= allowed(candidate))
        .min()
        .map(|(_, candidate)| candidate)
}

/// Levenshtein's distance.
fn distance(one: &str, other: &str) -> usize {
    let other: Vec<char> = other.chars().collect();
    let mut row: Vec<usize> = (0..=other.len()).collect();
    for (nth, left) in one.chars().enumerate() {
        let mut diagonal = nth;
        let mut before = nth + 1;
        for (cell, right) in row.iter_mut().skip(1).zip(&other) {
            let substituted = diagonal + usize::from(left != *right);
            diagonal = *cell;
            *cell = substituted.min(before + 1).min(diagonal + 1);
            before = *cell;
        }
        if let Some(first) = row.first_mut() {
            *first = nth + 1;
        }
    }
    row.last().copied().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn distances_are_levenshteins() {
        assert_eq!(distance("kitten", "sitting"), 3);
        assert_eq!(distance("", "abc"), 3);
        assert_eq!(distance("abc", "abc"), 0);
        assert_eq!(distance("abc", ""), 3);
    }

    #[test]
    fn the_nearest_name_ignores_case_and_leaves_strangers_alone() {
        let known = ["sopsFile", "path", "mode"];
        assert_eq!(nearest("sopsfile", &known), Some("sopsFile"));
        assert_eq!(nearest("sopFile", &known), Some("sopsFile"));
        assert_eq!(nearest("colour", &known), None);
    }
}
