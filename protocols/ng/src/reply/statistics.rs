//! Figures of a node.

use std::time::Duration;

use crate::bencode::{Value, Writer};

/// Millionths of one.
const MILLION: u64 = 1_000_000;
/// Decimal places of a millionth.
const PLACES: usize = 6;

/// A struct of figures by their keys; one that a node does not give is zero.
macro_rules! figures {
    ($(#[$about:meta])* $name:ident { $($(#[$each:meta])* $field:ident => $key:literal,)+ }) => {
        $(#[$about])*
        #[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
        pub struct $name {
            $($(#[$each])* pub $field: u64,)+
        }

        impl $name {
            fn read(dict: &Value<'_>) -> Self {
                Self { $($field: super::count(dict, $key).unwrap_or_default(),)+ }
            }

            fn write(&self, dict: &mut Writer<'_>) {
                $(dict.key($key).count(self.$field);)+
            }
        }
    };
}

figures! {
    /// How it is now. Rates are those of the last second.
    Current {
        /// Calls of this node.
        sessions_own => "sessionsown",
        /// Calls of another node, which this one could take over.
        sessions_foreign => "sessionsforeign",
        /// Both.
        sessions_total => "sessionstotal",
        /// Medias that are transcoded.
        transcoded_media => "transcodedmedia",
        /// Packets per second through the program.
        packet_rate_user => "packetrate_user",
        /// Octets per second through the program.
        byte_rate_user => "byterate_user",
        /// Errors per second in the program.
        error_rate_user => "errorrate_user",
        /// Packets per second through the kernel.
        packet_rate_kernel => "packetrate_kernel",
        /// Octets per second through the kernel.
        byte_rate_kernel => "byterate_kernel",
        /// Errors per second in the kernel.
        error_rate_kernel => "errorrate_kernel",
        /// Packets per second.
        packet_rate => "packetrate",
        /// Octets per second.
        byte_rate => "byterate",
        /// Errors per second.
        error_rate => "errorrate",
        /// Medias that only the program passes on.
        media_userspace => "media_userspace",
        /// Medias that only the kernel passes on.
        media_kernel => "media_kernel",
        /// Medias that both pass on.
        media_mixed => "media_mixed",
    }
}

figures! {
    /// What came together since it was started.
    Totals {
        /// Calls.
        managed_sessions => "managedsessions",
        /// Calls that were refused by a limit.
        rejected_sessions => "rejectedsessions",
        /// Calls ended as no media came.
        timeout_sessions => "timeoutsessions",
        /// Calls ended as no media came while on hold.
        silent_timeout_sessions => "silenttimeoutsessions",
        /// Calls ended as they were too long.
        final_timeout_sessions => "finaltimeoutsessions",
        /// Calls ended as they were not answered.
        offer_timeout_sessions => "offertimeoutsessions",
        /// Calls ended by a delete.
        regular_terminated_sessions => "regularterminatedsessions",
        /// Calls ended by an operator.
        forced_terminated_sessions => "forcedterminatedsessions",
        /// Packets passed on by the program.
        relayed_packets_user => "relayedpackets_user",
        /// Errors of packets in the program.
        relayed_packet_errors_user => "relayedpacketerrors_user",
        /// Octets passed on by the program.
        relayed_bytes_user => "relayedbytes_user",
        /// Packets passed on by the kernel.
        relayed_packets_kernel => "relayedpackets_kernel",
        /// Errors of packets in the kernel.
        relayed_packet_errors_kernel => "relayedpacketerrors_kernel",
        /// Octets passed on by the kernel.
        relayed_bytes_kernel => "relayedbytes_kernel",
        /// Packets passed on.
        relayed_packets => "relayedpackets",
        /// Errors of packets.
        relayed_packet_errors => "relayedpacketerrors",
        /// Octets passed on.
        relayed_bytes => "relayedbytes",
        /// Streams that nothing was passed on of.
        zero_way_streams => "zerowaystreams",
        /// Streams that went one way only.
        one_way_streams => "onewaystreams",
    }
}

/// The figures of a node.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Statistics {
    /// How it is now.
    pub current: Current,
    /// What came together since it was started.
    pub totals: Totals,
    /// How long it runs.
    pub uptime: Duration,
    /// How long its calls were, on the mean.
    pub average_call_duration: Duration,
}

impl Statistics {
    /// The figures under `statistics`; nothing without those of now.
    pub(super) fn read(dict: &Value<'_>) -> Option<Self> {
        let current = Current::read(dict.get("currentstatistics").filter(|part| part.dict().is_some())?);
        let totals = dict.get("totalstatistics");
        let time = |key| totals.and_then(|totals| totals.get(key)).and_then(millionths).unwrap_or_default();
        Some(Self {
            current,
            totals: totals.map(Totals::read).unwrap_or_default(),
            uptime: Duration::from_micros(time("uptime")),
            average_call_duration: Duration::from_micros(time("avgcallduration")),
        })
    }

    /// Writes times as the texts that a node writes.
    pub(super) fn write(&self, dict: &mut Writer<'_>) {
        dict.key("currentstatistics").dict(|dict| self.current.write(dict));
        dict.key("totalstatistics").dict(|dict| {
            dict.key("uptime").str(self.uptime.as_secs().to_string().as_bytes());
            self.totals.write(dict);
            let average = self.average_call_duration;
            let text = format!("{}.{:06}", average.as_secs(), average.subsec_micros());
            dict.key("avgcallduration").str(text.as_bytes());
        });
    }
}

/// A number with decimal places, which a node writes as a text, in millionths. Further places are left out.
pub(super) fn millionths(value: &Value<'_>) -> Option<u64> {
    if let Some(whole) = value.count() {
        return whole.checked_mul(MILLION);
    }
    let text = std::str::from_utf8(value.str()?).ok()?;
    let (whole, places) = text.split_once('.')?;
    if places.is_empty() || !places.bytes().all(|digit| digit.is_ascii_digit()) {
        return None;
    }
    let digits = places.bytes().chain(std::iter::repeat(b'0')).take(PLACES);
    let part = digits.fold(0, |part: u64, digit| part * 10 + u64::from(digit.saturating_sub(b'0')));
    whole.parse::<u64>().ok()?.checked_mul(MILLION)?.checked_add(part)
}
