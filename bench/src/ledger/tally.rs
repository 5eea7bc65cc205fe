//! The verdict on each message, and their sum. Pure.

/// All that is known of one message when the run is over.
#[derive(Clone, Copy, Debug, Default)]
#[expect(clippy::struct_excessive_bools, reason = "independent facts, each observed on its own")]
pub(super) struct Outcome {
    pub(super) submitted: bool,
    pub(super) accepted: bool,
    pub(super) refused: bool,
    pub(super) unknown: bool,
    /// The SMSC took it but could not answer.
    pub(super) unanswered: bool,
    pub(super) receipt_sent: bool,
    pub(super) receipt_withheld: bool,
    /// A receipt with a final state other than DELIVRD came back.
    pub(super) receipt_failed: bool,
    pub(super) reached: u8,
    pub(super) receipts_seen: u8,
}

/// The account of a whole run, in messages.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Tally {
    /// Written to the node.
    pub submitted: u64,
    /// Acknowledged with ESME_ROK.
    pub accepted: u64,
    /// Answered with another status.
    pub refused: u64,
    /// Never answered; they count as lost only if they were acknowledged after all.
    pub unknown: u64,
    /// Reached an SMSC at least once.
    pub reached: u64,
    /// The SMSC sent a receipt.
    pub receipts_sent: u64,
    /// The SMSC withheld the receipt.
    pub receipts_withheld: u64,
    /// The customer got a receipt.
    pub receipts_seen: u64,
    /// Acknowledged, and the customer was told that it failed.
    pub failed_receipts: u64,
    /// Acknowledged, yet it neither reached an SMSC nor did the customer hear of a failure.
    pub lost_messages: u64,
    /// Acknowledged and reported by the SMSC, yet the customer never got the receipt.
    pub lost_receipts: u64,
    /// Copies beyond the first at the SMSC, those of [`Tally::duplicates_uncertain`] included.
    pub duplicate_messages: u64,
    /// Copies beyond the first of messages that the SMSC took without being able to answer.
    pub duplicates_uncertain: u64,
    /// Final receipts beyond the first at the customer.
    pub duplicate_receipts: u64,
    /// Receipts with an id that the customer was never given.
    pub unmatched_receipts: u64,
}

impl Tally {
    /// Messages lost on either way.
    pub const fn lost(&self) -> u64 {
        self.lost_messages + self.lost_receipts
    }

    /// Copies too many on either way.
    pub const fn duplicates(&self) -> u64 {
        self.duplicate_messages + self.duplicate_receipts
    }

    /// Messages of which the customer knows that they were not delivered.
    pub const fn failed(&self) -> u64 {
        self.refused + self.failed_receipts
    }

    pub(super) fn add(&mut self, outcome: &Outcome) {
        let reached = outcome.reached > 0;
        let seen = outcome.receipts_seen > 0;
        let failed = outcome.accepted && outcome.receipt_failed;
        let lost_message = outcome.accepted && !reached && !failed;
        let lost_receipt = outcome.accepted && reached && outcome.receipt_sent && !seen;
        let copies = u64::from(outcome.reached.saturating_sub(1));
        self.submitted += u64::from(outcome.submitted);
        self.accepted += u64::from(outcome.accepted);
        self.refused += u64::from(outcome.refused);
        self.unknown += u64::from(outcome.unknown && !outcome.accepted);
        self.reached += u64::from(reached);
        self.receipts_sent += u64::from(outcome.receipt_sent);
        self.receipts_withheld += u64::from(outcome.receipt_withheld);
        self.receipts_seen += u64::from(seen);
        self.failed_receipts += u64::from(failed);
        self.lost_messages += u64::from(lost_message);
        self.lost_receipts += u64::from(lost_receipt);
        self.duplicate_messages += copies;
        self.duplicates_uncertain += if outcome.unanswered { copies } else { 0 };
        self.duplicate_receipts += u64::from(outcome.receipts_seen.saturating_sub(1));
    }
}
