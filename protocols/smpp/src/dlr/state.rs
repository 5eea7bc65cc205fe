//! message_state (5.2.28; 5.0, 4.7.15) and the words for it in receipt texts (Appendix B, table B-2).

/// The state of a message.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum MessageState {
    /// 0 (5.0): delivery is scheduled.
    Scheduled,
    /// 1: on its way.
    Enroute,
    /// 2: delivered.
    Delivered,
    /// 3: the validity period ended.
    Expired,
    /// 4: deleted.
    Deleted,
    /// 5: cannot be delivered.
    Undeliverable,
    /// 6: accepted; read on behalf of the subscriber, in practice often "handed to the operator".
    Accepted,
    /// 7: nobody knows.
    #[default]
    Unknown,
    /// 8: rejected.
    Rejected,
    /// 9 (5.0): skipped.
    Skipped,
}

impl MessageState {
    /// The state of a message_state octet; `None` for reserved and vendor values.
    pub const fn from_u8(value: u8) -> Option<Self> {
        Some(match value {
            0 => Self::Scheduled,
            1 => Self::Enroute,
            2 => Self::Delivered,
            3 => Self::Expired,
            4 => Self::Deleted,
            5 => Self::Undeliverable,
            6 => Self::Accepted,
            7 => Self::Unknown,
            8 => Self::Rejected,
            9 => Self::Skipped,
            _ => return None,
        })
    }

    /// The message_state octet.
    pub const fn as_u8(self) -> u8 {
        match self {
            Self::Scheduled => 0,
            Self::Enroute => 1,
            Self::Delivered => 2,
            Self::Expired => 3,
            Self::Deleted => 4,
            Self::Undeliverable => 5,
            Self::Accepted => 6,
            Self::Unknown => 7,
            Self::Rejected => 8,
            Self::Skipped => 9,
        }
    }

    /// Whether no other state follows. The specification ends a message with ACCEPTED; carriers send
    /// DELIVRD after ACCEPTD, so it does not count here.
    pub const fn is_final(self) -> bool {
        !matches!(self, Self::Scheduled | Self::Enroute | Self::Accepted)
    }

    /// The seven letters of Appendix B.
    pub const fn stat(self) -> &'static str {
        match self {
            Self::Scheduled => "SCHEDLD",
            Self::Enroute => "ENROUTE",
            Self::Delivered => "DELIVRD",
            Self::Expired => "EXPIRED",
            Self::Deleted => "DELETED",
            Self::Undeliverable => "UNDELIV",
            Self::Accepted => "ACCEPTD",
            Self::Unknown => "UNKNOWN",
            Self::Rejected => "REJECTD",
            Self::Skipped => "SKIPPED",
        }
    }

    /// Reads a state word: any case, short or written out, the usual vendor words, or the digit of
    /// message_state. `None` for other words.
    pub fn parse_stat(word: &[u8]) -> Option<Self> {
        let word = word.trim_ascii();
        if let [digit @ b'0'..=b'9'] = word {
            return Self::from_u8(digit - b'0');
        }
        let known = WORDS.iter().find(|(start, _)| starts_with(word, start));
        known.map(|(_, state)| *state)
    }
}

/// Beginnings of words, in upper case.
const WORDS: [(&[u8], MessageState); 15] = [
    (b"DELIV", MessageState::Delivered),
    (b"UNDELIV", MessageState::Undeliverable),
    (b"EXPIR", MessageState::Expired),
    (b"DELETE", MessageState::Deleted),
    (b"REJECT", MessageState::Rejected),
    (b"ACCEPT", MessageState::Accepted),
    (b"UNKNOWN", MessageState::Unknown),
    (b"ENROUTE", MessageState::Enroute),
    (b"EN_ROUTE", MessageState::Enroute),
    (b"BUFFER", MessageState::Enroute),
    (b"SCHED", MessageState::Scheduled),
    (b"SKIP", MessageState::Skipped),
    (b"FAIL", MessageState::Undeliverable),
    (b"CANCEL", MessageState::Deleted),
    (b"BLOCK", MessageState::Rejected),
];

fn starts_with(word: &[u8], start: &[u8]) -> bool {
    word.get(..start.len()).is_some_and(|front| front.eq_ignore_ascii_case(start))
}
