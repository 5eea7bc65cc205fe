//! How well media came through, by who got it.

use super::{count, list};
use crate::bencode::{self, Value, Writer};

/// One source of media, and what it reports in RTCP of the media that it gets: release 10.5 and later ones
/// keep a report with who made it, not with who it is about.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Ssrc {
    /// Its number.
    pub ssrc: u32,
    /// Packets lost in all.
    pub cumulative_loss: Option<u64>,
    /// The mean of all reports.
    pub average: Option<Quality>,
    /// The worst report.
    pub lowest: Option<Quality>,
    /// The best report.
    pub highest: Option<Quality>,
}

/// One report, or a mean of several.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Quality {
    /// Mean opinion score in tenths: 43 is 4.3.
    pub mos_tenths: Option<u64>,
    /// Microseconds from end to end and back.
    pub round_trip_us: Option<u64>,
    /// Microseconds from the node to the side and back.
    pub round_trip_leg_us: Option<u64>,
    /// Milliseconds.
    pub jitter_ms: Option<u64>,
    /// Percent of packets.
    pub loss_percent: Option<u64>,
    /// When, in seconds since the Unix epoch; of one report.
    pub reported_at: Option<u64>,
    /// How many reports; of a mean.
    pub samples: Option<u64>,
}

impl Ssrc {
    /// All that a reply has: in a table of the whole call, or with the medias they came in.
    pub(super) fn read_all(call: &Value<'_>) -> Vec<Self> {
        let mut ssrcs: Vec<Self> = Vec::new();
        for (key, entry) in call.get("SSRC").and_then(Value::dict).unwrap_or_default() {
            ssrcs.extend(number(&Value::Str(key)).map(|ssrc| Self::read(ssrc, entry)));
        }
        for (_, side) in call.get("tags").and_then(Value::dict).unwrap_or_default() {
            for entry in list(side, "medias").iter().flat_map(|media| list(media, "ingress SSRCs")) {
                let ssrc = entry.get("SSRC").and_then(number);
                let new = ssrc.filter(|ssrc| ssrcs.iter().all(|known| known.ssrc != *ssrc));
                ssrcs.extend(new.map(|ssrc| Self::read(ssrc, entry)));
            }
        }
        ssrcs
    }

    fn read(ssrc: u32, entry: &Value<'_>) -> Self {
        Self {
            ssrc,
            cumulative_loss: count(entry, "cumulative loss").map(cumulative),
            average: entry.get("average MOS").map(Quality::read),
            lowest: entry.get("lowest MOS").map(Quality::read),
            highest: entry.get("highest MOS").map(Quality::read),
        }
    }

    pub(super) fn write(&self, table: &mut Writer<'_>) {
        table.key(&self.ssrc.to_string()).dict(|dict| {
            bencode::count(dict, "cumulative loss", self.cumulative_loss);
            let reports =
                [("average MOS", self.average), ("lowest MOS", self.lowest), ("highest MOS", self.highest)];
            for (key, report) in reports {
                if let Some(report) = report {
                    dict.key(key).dict(|dict| report.write(dict));
                }
            }
        });
    }
}

impl Quality {
    fn read(entry: &Value<'_>) -> Self {
        Self {
            mos_tenths: count(entry, "MOS"),
            round_trip_us: count(entry, "round-trip time"),
            round_trip_leg_us: count(entry, "round-trip time leg"),
            jitter_ms: count(entry, "jitter"),
            loss_percent: count(entry, "packet loss"),
            reported_at: count(entry, "reported at"),
            samples: count(entry, "samples"),
        }
    }

    fn write(&self, dict: &mut Writer<'_>) {
        bencode::count(dict, "MOS", self.mos_tenths);
        bencode::count(dict, "round-trip time", self.round_trip_us);
        bencode::count(dict, "round-trip time leg", self.round_trip_leg_us);
        bencode::count(dict, "jitter", self.jitter_ms);
        bencode::count(dict, "packet loss", self.loss_percent);
        bencode::count(dict, "reported at", self.reported_at);
        bencode::count(dict, "samples", self.samples);
    }
}

/// A loss as a report block has it: 24 bits with a sign (RFC 3550, 6.4.1), which releases read without it. Less than none
/// is lost where packets came twice.
const fn cumulative(lost: u64) -> u64 {
    if lost < LOSS_END { lost } else { 0 }
}

const LOSS_END: u64 = 1 << 23;

/// The number of a source.
pub(super) fn number(value: &Value<'_>) -> Option<u32> {
    value.int().and_then(|number| u32::try_from(number).ok())
}
