//! What a call record takes of a call: how much each side sent, and how well it gets what the other one sends.

use super::call::{Call, Counters, Side};
use super::quality::{Quality, Ssrc};

/// A call in figures.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct CallStatistics<'a> {
    /// Its sides, in the order of the reply.
    pub sides: Vec<SideStatistics<'a>>,
    /// RTP from all sides.
    pub rtp: Counters,
    /// RTCP from all sides.
    pub rtcp: Counters,
}

/// A side in figures.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct SideStatistics<'a> {
    /// Its tag.
    pub tag: &'a [u8],
    /// The codec of its first media that has one.
    pub codec: Option<&'a [u8]>,
    /// RTP that came from it.
    pub rtp: Counters,
    /// RTCP that came from it.
    pub rtcp: Counters,
    /// When the last packet came from it, in seconds since the Unix epoch; nothing if none came.
    pub last_packet: Option<u64>,
    /// Packets that were lost on their way to it, as it reports. So is what follows; without reports, which
    /// only RTCP brings, there is nothing.
    pub lost: Option<u64>,
    /// Mean loss in percent.
    pub loss_percent: Option<u64>,
    /// Mean jitter in milliseconds.
    pub jitter_ms: Option<u64>,
    /// Mean round trip in microseconds.
    pub round_trip_us: Option<u64>,
    /// Mean of the mean opinion scores, in tenths.
    pub mos_tenths: Option<u64>,
    /// The lowest of them.
    pub mos_tenths_lowest: Option<u64>,
    /// The highest of them.
    pub mos_tenths_highest: Option<u64>,
}

impl<'a> CallStatistics<'a> {
    /// The side with this tag.
    #[must_use]
    pub fn side(&self, tag: &[u8]) -> Option<&SideStatistics<'a>> {
        self.sides.iter().find(|side| side.tag == tag)
    }
}

impl<'a> Call<'a> {
    /// The call in figures.
    #[must_use]
    pub fn statistics(&self) -> CallStatistics<'a> {
        let sides = self.sides.iter().map(|side| SideStatistics::of(side, &self.ssrcs)).collect();
        CallStatistics { sides, rtp: self.rtp, rtcp: self.rtcp }
    }
}

impl<'a> SideStatistics<'a> {
    fn of(side: &Side<'a>, ssrcs: &[Ssrc]) -> Self {
        let codec = side.medias.iter().find_map(|media| media.codec);
        let mut figures = Self { tag: side.tag, codec, ..Self::default() };
        for stream in side.medias.iter().flat_map(|media| &media.streams) {
            let counters = if stream.is_rtp() { &mut figures.rtp } else { &mut figures.rtcp };
            *counters = counters.plus(stream.stats);
            // Zero is a port that nothing came to.
            figures.last_packet = figures.last_packet.max(stream.last_packet.filter(|at| *at > 0));
        }
        let own: Vec<&Ssrc> = ssrcs.iter().filter(|known| is_of(side, known.ssrc)).collect();
        figures.lost = own.iter().filter_map(|source| source.cumulative_loss).reduce(u64::saturating_add);
        figures.loss_percent = mean(&own, |report| report.loss_percent);
        figures.jitter_ms = mean(&own, |report| report.jitter_ms);
        figures.round_trip_us = mean(&own, |report| report.round_trip_us);
        figures.mos_tenths = mean(&own, |report| report.mos_tenths);
        figures.mos_tenths_lowest = own.iter().filter_map(|source| source.lowest?.mos_tenths).min();
        figures.mos_tenths_highest = own.iter().filter_map(|source| source.highest?.mos_tenths).max();
        figures
    }
}

/// Whether the source is one of the side's.
fn is_of(side: &Side<'_>, ssrc: u32) -> bool {
    side.medias.iter().any(|media| {
        let last = media.streams.iter().any(|stream| stream.ssrc == Some(ssrc));
        last || media.ingress_ssrcs.contains(&ssrc)
    })
}

/// The mean of one figure, each source with the weight of its reports.
fn mean(sources: &[&Ssrc], figure: impl Fn(&Quality) -> Option<u64>) -> Option<u64> {
    let mut sum: u64 = 0;
    let mut weight: u64 = 0;
    for report in sources.iter().filter_map(|source| source.average.as_ref()) {
        let Some(value) = figure(report) else { continue };
        let samples = report.samples.unwrap_or(1).max(1);
        sum = sum.saturating_add(value.saturating_mul(samples));
        weight = weight.saturating_add(samples);
    }
    sum.checked_div(weight)
}
