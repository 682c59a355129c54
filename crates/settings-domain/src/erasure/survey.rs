//! What an erasure has to know of a long chain. It is counted in a snapshot, before anybody's lock is taken, and under the
//! lock only what was written since is added.
use crate::{audit::Unopened, ids::PersonId};
use std::collections::BTreeSet;

/// What of a chain, up to a place, can't be read once some persons are gone.
#[derive(Debug, Clone, Default)]
pub struct Survey {
    /// Who is to go.
    pub persons: BTreeSet<PersonId>,
    /// The last place that was looked at.
    pub upto: i64,
    /// Every field that can't be read then: theirs, and what earlier erasures left.
    pub unopened: Unopened,
    /// How many events speak of these persons.
    pub events: i64,
    /// In how many fields.
    pub openings: i64,
}

impl Survey {
    /// Nothing was looked at yet.
    #[must_use]
    pub fn of(persons: &BTreeSet<PersonId>) -> Self {
        Self { persons: persons.clone(), ..Self::default() }
    }
    /// Adds what stands between the last place that was looked at and `upto`: places and names of fields, each with whether
    /// it is one of these persons' that can be read still. They may come in any order, and one may come twice: another erasure
    /// empties its own meanwhile.
    pub fn extend(&mut self, upto: i64, mut fields: Vec<(i64, String, bool)>) {
        fields.sort_unstable();
        fields.dedup_by(|a, b| (a.0, &a.1) == (b.0, &b.1));
        let mut counted = None;
        for (seq, field, theirs) in &fields {
            self.unopened.add(*seq, field);
            if *theirs {
                self.openings += 1;
                self.events += i64::from(counted != Some(*seq));
                counted = Some(*seq);
            }
        }
        self.upto = upto;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_field_that_is_emptied_meanwhile_counts_once() {
        let field = |name: &str| (4, name.to_owned(), false);
        let (mut once, mut twice) = (Survey::default(), Survey::default());
        once.extend(9, vec![field("actor"), field("target")]);
        twice.extend(9, vec![field("target"), field("actor"), field("target")]);
        assert_eq!(once.unopened.digest(), twice.unopened.digest());
    }

    #[test]
    fn a_survey_in_parts_is_that_of_the_whole() {
        let fields = |places: std::ops::Range<i64>| {
            let of = |seq| [(seq, "target".to_owned(), seq % 3 == 0), (seq, "actor".to_owned(), seq % 3 == 0)];
            places.flat_map(of).collect::<Vec<_>>()
        };
        let mut whole = Survey::default();
        whole.extend(9, fields(1..10));
        let mut parts = Survey::default();
        parts.extend(4, fields(1..5));
        parts.extend(9, fields(5..10));
        assert_eq!((whole.events, whole.openings, whole.upto), (3, 6, 9));
        assert_eq!((parts.events, parts.openings, parts.upto), (3, 6, 9));
        assert_eq!(whole.unopened.digest(), parts.unopened.digest());
    }
}
