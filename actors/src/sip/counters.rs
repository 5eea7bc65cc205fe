//! What workers count, for metrics.

use std::sync::atomic::{AtomicU64, Ordering};

/// A number that only grows, shared by workers.
#[derive(Debug, Default)]
pub struct Counter(AtomicU64);

impl Counter {
    /// Adds.
    pub fn add(&self, more: u64) {
        self.0.fetch_add(more, Ordering::Relaxed);
    }

    /// The sum so far.
    pub fn get(&self) -> u64 {
        self.0.load(Ordering::Relaxed)
    }
}

macro_rules! counters {
    ($($name:ident: $doc:literal;)*) => {
        /// The counters of a node's calls.
        #[derive(Debug, Default)]
        pub struct Counters {
            $(#[doc = $doc] pub $name: Counter,)*
        }

        impl Counters {
            /// Name, meaning and sum of each.
            pub fn all(&self) -> impl Iterator<Item = (&'static str, &'static str, u64)> {
                [$((stringify!($name), $doc, self.$name.get()),)*].into_iter()
            }
        }
    };
}

counters! {
    requests: "Requests received.";
    responses: "Responses received.";
    not_sip: "Datagrams without a start line of SIP.";
    malformed: "Messages that broke a rule.";
    strangers: "Requests from sources that no trunk or vendor has.";
    strangers_dropped: "Of those, the ones that heard nothing.";
    challenges: "Requests that were asked by digest which trunk they are of.";
    digests_right: "Answers to that which showed it.";
    digests_wrong: "Answers to that which did not.";
    registers: "REGISTERs of trunks that had shown who they are.";
    registers_refused: "Of those, the ones that were refused, or could not be made durable.";
    keep_alives: "OPTIONS to what has registered from behind a NAT, which keep that open.";
    keep_alives_answered: "Answers to them.";
    keep_alives_received: "OPTIONS of what has registered that were answered.";
    challenges_answered: "Challenges of vendors that were answered.";
    challenges_unanswered: "Challenges to requests of ours that were not.";
    responses_foreign: "Responses with a branch that we did not make.";
    responses_stray: "Responses to nothing that is open.";
    responses_stateless: "Responses to what an earlier process passed on, passed on without state.";
    retransmissions_received: "Requests that came again.";
    retransmissions_sent: "Requests and responses that we sent again.";
    transport_errors: "Messages of ours that transports could not send.";
    invites: "New calls from known sources.";
    invites_refused: "Of those, the ones that no vendor was asked for.";
    over_cps: "Calls refused for too many per second.";
    over_channels: "Calls refused for too many at one time.";
    flooded: "Messages of sources that sent too many.";
    overload: "Calls refused because the worker was full.";
    ring_full: "Messages that found a worker's ring full.";
    ring_waits: "Of those, the ones that their connections wait with until there is room.";
    attempts: "Attempts at vendors.";
    oversize_tcp: "Calls that went by TCP because they were large for UDP.";
    oversize_fragmented: "Calls that went by UDP in fragments.";
    failovers: "Attempts after another one had failed.";
    answers: "Calls answered.";
    ended_at_vendor: "Answers that came too late, ended at the vendor.";
    byes_refused: "BYEs of ours that a side refused: the call may be up there.";
    byes_unanswered: "BYEs of ours that a side did not answer.";
    byes_unrecorded: "BYEs of calls of an earlier process that left no record, passed on without one.";
    in_dialog: "Requests within dialogs.";
    in_dialog_refused: "Of those, the ones whose cookie, source or dialog was not right.";
    dialogs_taken: "Calls of other nodes that were taken over because a request of them came here.";
    dialogs_given: "Calls that another node has taken over.";
    acks_dropped: "ACKs that belong to nothing.";
    media_refused: "Calls refused because no media node took them.";
    media_failovers: "Offers that went to another media node, the first being silent, full, overloaded or gone.";
    media_leaks: "Calls that a media node still had when they were over.";
    media_lost_calls: "Calls ended because their media node had lost them.";
    media_unreported: "Records of calls without what their media node had counted, which was not told in time.";
    media_late: "Of those, the ones that were completed when it was told after all.";
    media_lost: "Descriptions of calls that their media node did not take.";
    loops: "Requests that had been here before, unchanged.";
    identities_signed: "INVITEs that were signed for their vendor.";
    identities_unsigned: "INVITEs whose vendor wants them signed, and that were not.";
    identities_passed: "Calls whose Identity was right.";
    identities_failed: "Calls whose Identity was wrong.";
    identities_unchecked: "Calls without an Identity, or whose certificate was not there.";
    certificates_fetched: "Certificates of Identities that were fetched and are believed.";
    certificates_refused: "Certificates of Identities that could not be had, or are not believed.";
    certificates_dropped: "Certificates of Identities that were not fetched, since too many were wanted.";
}
