//! What a media node has to do by its own word, and for want of what it takes no calls.

use std::time::Duration;

use ng::reply::Statistics;

/// A node that said it is full gets no new calls for this time, while another takes them.
const FULL_FOR: Duration = Duration::from_secs(1);
/// The same of one that said that it has too much to do: every call makes that worse, and it takes some time to end.
const OVERLOADED_FOR: Duration = Duration::from_secs(3);

/// Why a node takes no call.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Shortage {
    /// It has no ports left, or as many calls as it may have.
    Full,
    /// It has too much to do: it is at its limit of CPU, load or bandwidth.
    Overloaded,
}

impl Shortage {
    /// As metrics and logs have it.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Full => "full",
            Self::Overloaded => "overloaded",
        }
    }

    /// How long the node is spared.
    #[must_use]
    pub const fn lasts(self) -> Duration {
        match self {
            Self::Full => FULL_FOR,
            Self::Overloaded => OVERLOADED_FOR,
        }
    }
}

/// What a node said last that it has to do.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Load {
    /// Packets per second that it passes on.
    pub packets_per_second: u64,
    /// Octets per second that it passes on.
    pub bytes_per_second: u64,
    /// Medias that it transcodes, which is what costs it most.
    pub transcoded_media: u64,
    /// Calls that it has refused since it was started, ours and others', by a limit of its own.
    pub rejected_sessions: u64,
    /// How long it runs.
    pub uptime: Duration,
}

impl Load {
    /// Of the figures of a node.
    #[must_use]
    pub fn of(statistics: &Statistics) -> Self {
        let Statistics { current, totals, uptime, .. } = statistics;
        // Releases before 11 give no sum.
        let both = |sum: u64, user: u64, kernel: u64| sum.max(user.saturating_add(kernel));
        Self {
            packets_per_second: both(
                current.packet_rate,
                current.packet_rate_user,
                current.packet_rate_kernel,
            ),
            bytes_per_second: both(current.byte_rate, current.byte_rate_user, current.byte_rate_kernel),
            transcoded_media: current.transcoded_media,
            rejected_sessions: totals.rejected_sessions,
            uptime: *uptime,
        }
    }
}

#[cfg(test)]
mod tests {
    use ng::reply::{Current, Totals};

    use super::*;

    /// Each release gives what it counts: a sum, or what it is the sum of.
    #[test]
    fn rates_are_those_of_the_program_and_of_the_kernel() {
        let uptime = Duration::from_secs(77);
        let totals = Totals { rejected_sessions: 3, ..Totals::default() };
        let parts = Current {
            packet_rate_user: 50,
            packet_rate_kernel: 150,
            byte_rate_user: 8_600,
            byte_rate_kernel: 25_800,
            transcoded_media: 2,
            ..Current::default()
        };
        let sums = Current { packet_rate: 200, byte_rate: 34_400, transcoded_media: 2, ..Current::default() };
        let both = Current { packet_rate: 200, byte_rate: 34_400, ..parts };
        let expected = Load {
            packets_per_second: 200,
            bytes_per_second: 34_400,
            transcoded_media: 2,
            rejected_sessions: 3,
            uptime,
        };
        for current in [parts, sums, both] {
            let statistics = Statistics { current, totals, uptime, ..Statistics::default() };
            assert_eq!(Load::of(&statistics), expected, "{current:?}");
        }
        assert_eq!(Load::of(&Statistics::default()), Load::default());
    }
}
