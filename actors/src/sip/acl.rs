//! Admission by source: which trunk an address, port and transport belong to.
//!
//! Pure. An [`Acl`] is built from configuration off the packet path and swapped whole; [`Acl::find`] is called for
//! every request from outside a dialog. It cuts the address space into ranges at every place where the longest
//! matching network changes, so that a lookup is one binary search and a walk over the networks around it, however
//! many there are.

use std::net::IpAddr;

use runtime::model::{Cidr, Transport};

/// A network from which a trunk sends.
#[derive(Debug, Clone, Copy)]
pub struct Entry {
    /// The addresses.
    pub network: Cidr,
    /// Only from this port.
    pub port: Option<u16>,
    /// Only over this transport.
    pub transport: Option<Transport>,
    /// The trunk, by its place in the snapshot.
    pub trunk: u32,
}

/// Where a request came from.
#[derive(Debug, Clone, Copy)]
pub struct Source {
    /// The sender's address; an IPv4-mapped IPv6 address counts as IPv4.
    pub address: IpAddr,
    /// The sender's port.
    pub port: u16,
    /// How it came.
    pub transport: Transport,
}

/// Entries by network, for lookups.
#[derive(Debug, Default)]
pub struct Acl {
    ipv4: Ranges<u32>,
    ipv6: Ranges<u128>,
    networks: Vec<Network>,
    /// Of networks with several entries those after the first.
    more: Vec<Rule>,
}

/// One network and what holds in it.
#[derive(Debug)]
struct Network {
    /// The most specific of its entries. It stands here because most have one only, and each place in memory that a lookup
    /// goes to costs as much as all that it does there.
    first: Rule,
    /// The others in [`Acl::more`], most specific first: from, to.
    more: (u32, u32),
    /// The smallest network around it, or [`NONE`].
    around: u32,
}

/// No network.
const NONE: u32 = u32::MAX;

#[derive(Debug, Clone, Copy)]
struct Rule {
    port: Option<u16>,
    transport: Option<Transport>,
    trunk: u32,
}

impl Acl {
    /// A table of the entries. Of two entries that say the same the earlier one counts.
    #[must_use]
    pub fn new(entries: &[Entry]) -> Self {
        let mut acl = Self::default();
        acl.ipv4 = acl.family(entries, |address| match address {
            IpAddr::V4(address) => Some(address.to_bits()),
            IpAddr::V6(_) => None,
        });
        acl.ipv6 = acl.family(entries, |address| match address {
            IpAddr::V4(_) => None,
            IpAddr::V6(address) => Some(address.to_bits()),
        });
        acl
    }

    /// Takes over the entries of one family; gives its ranges.
    fn family<K: Copy + Default + Ord + Successor>(
        &mut self,
        entries: &[Entry],
        bits: impl Fn(IpAddr) -> Option<K>,
    ) -> Ranges<K> {
        // Few octets for each entry: to compare and to move them is what a million takes its time for.
        let place =
            |(number, entry): (u32, &Entry)| Some((bits(entry.network.first())?, rank(entry), number));
        let mut order: Vec<(K, u16, u32)> = (0..).zip(entries).filter_map(place).collect();
        order.sort_unstable();
        // Memory that is moved as it grows is touched twice, which takes longer than the work.
        self.networks.reserve(order.len());
        let mut builder = Builder::with_room(order.len());
        for group in order.chunk_by(|left, right| (left.0, left.1 >> 2) == (right.0, right.1 >> 2)) {
            let mut group = group.iter().filter_map(|(.., number)| entries.get(*number as usize));
            let Some(entry) = group.next() else { continue };
            let ends = (bits(entry.network.first()), bits(entry.network.last()));
            let (Some(first), Some(last)) = ends else { continue };
            let around = builder.add(count(self.networks.len()), first, last);
            let from = count(self.more.len());
            self.more.extend(group.map(Rule::of));
            let more = (from, count(self.more.len()));
            self.networks.push(Network { first: Rule::of(entry), more, around });
        }
        builder.finish()
    }

    /// The trunk of a source: that of the longest network with an entry that fits port and transport and whose
    /// trunk is `admitted`; within a network an entry with a port goes before one with a transport only, and that
    /// before one with neither.
    pub fn find(&self, source: &Source, admitted: impl Fn(u32) -> bool) -> Option<u32> {
        let mut at = match source.address.to_canonical() {
            IpAddr::V4(address) => self.ipv4.covering(address.to_bits()),
            IpAddr::V6(address) => self.ipv6.covering(address.to_bits()),
        };
        while let Some(network) = self.networks.get(at as usize) {
            let (from, to) = network.more;
            let more = self.more.get(from as usize..to as usize).unwrap_or_default();
            let mut rules = std::iter::once(&network.first).chain(more);
            if let Some(rule) = rules.find(|rule| rule.fits(source) && admitted(rule.trunk)) {
                return Some(rule.trunk);
            }
            at = network.around;
        }
        None
    }
}

impl Rule {
    const fn of(entry: &Entry) -> Self {
        Self { port: entry.port, transport: entry.transport, trunk: entry.trunk }
    }

    fn fits(&self, source: &Source) -> bool {
        self.port.is_none_or(|port| port == source.port)
            && self.transport.is_none_or(|transport| transport == source.transport)
    }
}

/// The order of entries whose networks begin at one address: the wider network first, and within a network the most
/// specific entry. The lowest two bits are of the latter.
fn rank(entry: &Entry) -> u16 {
    let general = u16::from(entry.port.is_none()) << 1 | u16::from(entry.transport.is_none());
    u16::from(entry.network.bits()) << 2 | general
}

/// Entries and networks are numbered by u32 below [`NONE`]: more than 4 billion do not fit in memory anyway.
fn count(length: usize) -> u32 {
    u32::try_from(length).unwrap_or(u32::MAX)
}

/// The addresses of one family, cut where the smallest network around an address changes.
#[derive(Debug, Default)]
struct Ranges<K> {
    /// First address of each range, ascending.
    starts: Vec<K>,
    /// The smallest network around each range, or [`NONE`].
    networks: Vec<u32>,
    /// Every [`STRIDE`]th start. It stays in the processor's cache, so that of a million networks a lookup touches
    /// few others.
    sparse: Vec<K>,
}

/// Starts between two of the sparse list.
const STRIDE: usize = 64;

impl<K: Copy + Ord> Ranges<K> {
    /// The smallest network around an address, or [`NONE`].
    fn covering(&self, address: K) -> u32 {
        let range = || {
            let stride = self.sparse.partition_point(|start| *start <= address).checked_sub(1)? * STRIDE;
            let near = self.starts.get(stride..self.starts.len().min(stride + STRIDE))?;
            let after = stride + near.partition_point(|start| *start <= address);
            self.networks.get(after.checked_sub(1)?).copied()
        };
        range().unwrap_or(NONE)
    }

    /// A range begins. One that begins where the last one did takes its place.
    fn cut(&mut self, start: K, network: u32) {
        if self.starts.last() == Some(&start) {
            self.starts.pop();
            self.networks.pop();
        }
        self.starts.push(start);
        self.networks.push(network);
    }
}

/// Makes ranges from networks in the order of their first address, the wider first.
#[derive(Debug, Default)]
struct Builder<K> {
    ranges: Ranges<K>,
    /// The networks around the place reached, the widest first: last address and number.
    open: Vec<(K, u32)>,
}

impl<K: Copy + Ord + Successor> Builder<K> {
    /// For so many networks, each of which begins one range and may end another.
    fn with_room(networks: usize) -> Self {
        let most = networks.saturating_mul(2);
        let (starts, networks) = (Vec::with_capacity(most), Vec::with_capacity(most));
        Self { ranges: Ranges { starts, networks, sparse: Vec::new() }, open: Vec::new() }
    }

    /// Adds a network; gives the smallest one around it, or [`NONE`].
    fn add(&mut self, network: u32, first: K, last: K) -> u32 {
        self.close_before(Some(first));
        let around = self.around();
        self.ranges.cut(first, network);
        self.open.push((last, network));
        around
    }

    fn finish(mut self) -> Ranges<K> {
        self.close_before(None);
        self.ranges.sparse = self.ranges.starts.iter().step_by(STRIDE).copied().collect();
        self.ranges.starts.shrink_to_fit();
        self.ranges.networks.shrink_to_fit();
        self.ranges
    }

    /// Ends the networks whose last address lies before the next one's first.
    fn close_before(&mut self, next: Option<K>) {
        while let Some((last, _)) = self.open.pop_if(|(last, _)| next.is_none_or(|next| *last < next)) {
            // The last address of all has nothing after it.
            let Some(after) = last.successor() else { continue };
            self.ranges.cut(after, self.around());
        }
    }

    fn around(&self) -> u32 {
        self.open.last().map_or(NONE, |(_, around)| *around)
    }
}

/// The address after an address.
trait Successor: Sized {
    fn successor(self) -> Option<Self>;
}

impl Successor for u32 {
    fn successor(self) -> Option<Self> {
        self.checked_add(1)
    }
}

impl Successor for u128 {
    fn successor(self) -> Option<Self> {
        self.checked_add(1)
    }
}

#[cfg(test)]
mod tests;
