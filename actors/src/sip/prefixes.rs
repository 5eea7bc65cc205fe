//! Sets of number prefixes in which the longest one decides.

/// Prefixes, each of which opens or closes what begins with it.
#[derive(Debug, Default)]
pub struct Prefixes {
    /// Ascending; whether what begins with it is open.
    prefixes: Vec<(String, bool)>,
    /// What is true of a number that begins with none.
    otherwise: bool,
}

impl Prefixes {
    /// What is in `allow` and not in `deny`: the longest prefix decides, `deny` where both have it. An empty `allow`
    /// is everything.
    pub fn new(allow: &[String], deny: &[String]) -> Self {
        let allowed = allow.iter().map(|prefix| (prefix.clone(), true));
        let mut prefixes: Vec<_> = deny.iter().map(|prefix| (prefix.clone(), false)).chain(allowed).collect();
        prefixes.sort();
        prefixes.dedup_by(|later, first| later.0 == first.0);
        Self { prefixes, otherwise: allow.is_empty() }
    }

    /// What begins with one of the prefixes.
    pub fn listed<'a>(prefixes: impl IntoIterator<Item = &'a String>) -> Self {
        let mut prefixes: Vec<_> = prefixes.into_iter().map(|prefix| (prefix.clone(), true)).collect();
        prefixes.sort();
        prefixes.dedup();
        Self { prefixes, otherwise: false }
    }

    /// Whether the number, digits without a plus, is in the set.
    pub fn contains(&self, number: &str) -> bool {
        if self.prefixes.is_empty() {
            return self.otherwise;
        }
        // Every prefix is asked for by itself, the longest first: a list has thousands of entries, a number 15 digits.
        let found = (0..=number.len()).rev().filter_map(|len| {
            let prefix = number.get(..len)?;
            let place = self.prefixes.binary_search_by(|(known, _)| known.as_str().cmp(prefix)).ok()?;
            self.prefixes.get(place).map(|(_, open)| *open)
        });
        found.take(1).next().unwrap_or(self.otherwise)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn owned(prefixes: &[&str]) -> Vec<String> {
        prefixes.iter().map(|prefix| (*prefix).to_owned()).collect()
    }

    #[test]
    fn the_longest_prefix_decides() {
        let cases: [(&[&str], &[&str], &str, bool); 10] = [
            (&[], &[], "1555", true),
            (&[], &["1"], "1555", false),
            (&[], &["1"], "44", true),
            (&["44"], &[], "44207", true),
            (&["44"], &[], "1555", false),
            (&["1"], &["1900"], "19001", false),
            (&["1"], &["1900"], "1555", true),
            (&["1", "19005"], &["1900"], "190055", true),
            (&["44"], &["44"], "447", false),
            (&[""], &["1"], "2", true),
        ];
        for (allow, deny, number, contained) in cases {
            let prefixes = Prefixes::new(&owned(allow), &owned(deny));
            assert_eq!(prefixes.contains(number), contained, "{allow:?} {deny:?} {number}");
        }
        let listed = Prefixes::listed(&owned(&["882", "881"]));
        assert!(listed.contains("8821") && !listed.contains("88") && !Prefixes::listed(&[]).contains("1"));
    }
}
