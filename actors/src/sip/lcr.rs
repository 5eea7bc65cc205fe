//! Least-cost routing: which vendors carry a number, the cheapest first.
//!
//! Pure. A [`Table`] is built from the vendors' offers off the packet path and swapped whole. Numbers go digit by
//! digit through a tree of prefixes; what a vendor asks is what it asks for its own longest prefix of the number.

use runtime::model::Money;

use crate::weighted::shuffle_equals;

/// Longest number that is looked at: E.164 has 15 digits, international prefixes and tech prefixes a few more.
const DIGITS_MAX: usize = 24;

/// A vendor's price for the numbers of a prefix.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Offer {
    /// The set of offers that a trunk chooses from, by its place in the snapshot.
    pub partition: u32,
    /// Digits; empty is every number.
    pub prefix: String,
    /// The vendor, by its place in the snapshot.
    pub vendor: u32,
    /// Price of a minute.
    pub rate: Money,
    /// Lower first among equal rates.
    pub priority: i32,
    /// Share among equal rates and priorities.
    pub weight: u32,
    /// The vendor does not get these numbers, although it has an offer for a shorter prefix.
    pub blocked: bool,
}

/// A vendor that carries a number.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Candidate {
    /// The vendor, by its place in the snapshot.
    pub vendor: u32,
    /// Digits of the prefix of its offer.
    pub prefix_len: u8,
    /// Price of a minute.
    pub rate: Money,
    /// Lower first among equal rates.
    pub priority: i32,
    /// Share among equal rates and priorities.
    pub weight: u32,
    blocked: bool,
}

/// Offers by partition and prefix.
#[derive(Debug, Default)]
pub struct Table {
    /// The root of each partition in `nodes`.
    roots: Vec<Option<u32>>,
    nodes: Vec<Node>,
    offers: Vec<Candidate>,
}

/// A prefix, and what follows by the next digit.
#[derive(Debug, Default)]
struct Node {
    /// The node of the prefix with one more digit; 0, which is a root and follows nothing, is none.
    next: [u32; 10],
    /// Its offers in [`Table::offers`]: from, to.
    offers: (u32, u32),
}

impl Table {
    /// A table of the offers. An offer whose prefix is no sequence of at most 24 digits is never found. Of two offers
    /// of a vendor for one prefix the earlier one counts.
    #[must_use]
    pub fn new(mut offers: Vec<Offer>) -> Self {
        offers.sort_by(|left, right| (left.partition, &left.prefix).cmp(&(right.partition, &right.prefix)));
        let mut table = Self::default();
        for group in
            offers.chunk_by(|left, right| (left.partition, &left.prefix) == (right.partition, &right.prefix))
        {
            let Some(Offer { partition, prefix, .. }) = group.first() else { continue };
            let Some(node) = table.insert(*partition, prefix) else { continue };
            let from = count(table.offers.len());
            let prefix_len = u8::try_from(prefix.len()).unwrap_or(u8::MAX);
            table.offers.extend(group.iter().map(|offer| Candidate {
                vendor: offer.vendor,
                prefix_len,
                rate: offer.rate,
                priority: offer.priority,
                weight: offer.weight,
                blocked: offer.blocked,
            }));
            let to = count(table.offers.len());
            if let Some(node) = table.nodes.get_mut(node as usize) {
                node.offers = (from, to);
            }
        }
        table
    }

    /// The vendors that carry a number, best first: by rate, then priority, then drawn by weight (`draw(n)` gives a
    /// number below `n`). They replace what `found` held; its memory is used again. A leading plus and all from the
    /// first octet that is no digit are not looked at.
    pub fn candidates(
        &self,
        partition: u32,
        number: &str,
        draw: impl FnMut(u64) -> u64,
        found: &mut Vec<Candidate>,
    ) {
        found.clear();
        let mut path = [0_u32; DIGITS_MAX + 1];
        let depth = self.walk(partition, number, &mut path);
        // The longest prefix first: a vendor's later offers are for shorter ones.
        for at in path.iter().take(depth).rev() {
            for offer in self.offers_at(*at) {
                if !found.iter().any(|known| known.vendor == offer.vendor) {
                    found.push(*offer);
                }
            }
        }
        found.retain(|offer| !offer.blocked);
        found.sort_unstable_by_key(|offer| (offer.rate, offer.priority, offer.vendor));
        shuffle_equals(
            found,
            |left, right| (left.rate, left.priority) == (right.rate, right.priority),
            |offer| offer.weight,
            draw,
        );
    }

    /// The nodes from the root on along the digits; gives how many.
    fn walk(&self, partition: u32, number: &str, path: &mut [u32; DIGITS_MAX + 1]) -> usize {
        let Some(mut at) = self.roots.get(partition as usize).copied().flatten() else { return 0 };
        let mut digits = number.strip_prefix('+').unwrap_or(number).bytes();
        let mut depth = 0;
        for place in path {
            *place = at;
            depth += 1;
            let next = digits.next().and_then(digit).and_then(|digit| self.next(at, digit));
            let Some(next) = next else { break };
            at = next;
        }
        depth
    }

    fn next(&self, at: u32, digit: usize) -> Option<u32> {
        let next = *self.nodes.get(at as usize)?.next.get(digit)?;
        (next != 0).then_some(next)
    }

    fn offers_at(&self, at: u32) -> &[Candidate] {
        let Some(Node { offers: (from, to), .. }) = self.nodes.get(at as usize) else { return &[] };
        self.offers.get(*from as usize..*to as usize).unwrap_or_default()
    }

    fn insert(&mut self, partition: u32, prefix: &str) -> Option<u32> {
        if prefix.len() > DIGITS_MAX || !prefix.bytes().all(|octet| octet.is_ascii_digit()) {
            return None;
        }
        if self.roots.len() <= partition as usize {
            self.roots.resize(partition as usize + 1, None);
        }
        let mut at = match self.roots.get(partition as usize).copied().flatten() {
            Some(root) => root,
            None => self.node(),
        };
        *self.roots.get_mut(partition as usize)? = Some(at);
        for digit in prefix.bytes().filter_map(digit) {
            at = match self.next(at, digit) {
                Some(next) => next,
                None => {
                    let made = self.node();
                    *self.nodes.get_mut(at as usize)?.next.get_mut(digit)? = made;
                    made
                }
            };
        }
        Some(at)
    }

    fn node(&mut self) -> u32 {
        self.nodes.push(Node::default());
        count(self.nodes.len() - 1)
    }
}

fn digit(octet: u8) -> Option<usize> {
    octet.is_ascii_digit().then(|| usize::from(octet - b'0'))
}

/// Nodes and offers are numbered by u32: more than 4 billion do not fit in memory anyway.
fn count(length: usize) -> u32 {
    u32::try_from(length).unwrap_or(u32::MAX)
}

#[cfg(test)]
mod tests;
