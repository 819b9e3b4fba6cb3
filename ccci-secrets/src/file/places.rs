//! Many places of one document, in the order of a walk.

use std::collections::{HashMap, HashSet};

/// Places, each kept as what is new in it: written out, those of a deep document would take the square of its size.
#[derive(Debug, Default)]
pub(super) struct Places {
    /// What is new in each.
    text: String,
    ends: Vec<End>,
    last: String,
}

#[derive(Debug)]
struct End {
    /// How many bytes are those of the place before.
    shared: usize,
    /// Where the new part ends.
    end: usize,
}

impl Places {
    pub(super) fn push(&mut self, place: &str) {
        let same = self.last.char_indices().zip(place.chars());
        let differs = same.into_iter().find(|((_, one), other)| one != other);
        let shorter = self.last.len().min(place.len());
        let shared = differs.map_or(shorter, |((at, _), _)| at);
        self.text.push_str(place.get(shared..).unwrap_or_default());
        self.ends.push(End {
            shared,
            end: self.text.len(),
        });
        place.clone_into(&mut self.last);
    }

    /// The places with these numbers.
    pub(super) fn numbered(&self, wanted: &HashSet<usize>) -> HashMap<usize, String> {
        let mut found = HashMap::new();
        let mut place = String::new();
        let mut start = 0;
        for (number, end) in self.ends.iter().enumerate() {
            place.truncate(end.shared);
            place.push_str(self.text.get(start..end.end).unwrap_or_default());
            start = end.end;
            if wanted.contains(&number) {
                found.insert(number, place.clone());
            }
        }
        found
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_place_comes_back() {
        let all = [
            ":", "a:", "a:b:c:", "a:b:", "a:bc:", "ä:", "å:ö:", "å:", "å:",
        ];
        let mut places = Places::default();
        all.iter().for_each(|place| places.push(place));
        let found = places.numbered(&(0..all.len()).collect());
        for (number, place) in all.iter().enumerate() {
            assert_eq!(found.get(&number).map(String::as_str), Some(*place));
        }
        let found = places.numbered(&HashSet::from([4]));
        assert_eq!(found, HashMap::from([(4, "a:bc:".to_owned())]));
    }
}
