//! SIPp's statistics file: a line of names, then one line a second, separated by semicolons.

use serde_json::{Value, json};

/// Sums since the start of a process.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Statistics {
    pub(super) created: u64,
    pub(super) successful: u64,
    pub(super) failed: u64,
    pub(super) retransmissions: u64,
    unexpected: u64,
    dead: u64,
    timed_out: u64,
}

impl Statistics {
    /// From the last line. `None` when there is none.
    pub(super) fn read(text: &str) -> Option<Self> {
        let mut lines = text.lines().filter(|line| !line.is_empty());
        let names: Vec<&str> = lines.next()?.split(';').collect();
        let last: Vec<&str> = lines.next_back()?.split(';').collect();
        let value = |name: &str| {
            let place = names.iter().position(|known| *known == name)?;
            last.get(place)?.parse::<u64>().ok()
        };
        Some(Self {
            created: value("TotalCallCreated")?,
            successful: value("SuccessfulCall(C)")?,
            failed: value("FailedCall(C)")?,
            retransmissions: value("Retransmissions(C)")?,
            unexpected: value("FailedUnexpectedMessage(C)").unwrap_or_default(),
            dead: value("DeadCallMsgs(C)").unwrap_or_default(),
            timed_out: value("FailedMaxUDPRetrans(C)").unwrap_or_default(),
        })
    }

    pub(super) const fn add(&mut self, other: &Self) {
        self.created += other.created;
        self.successful += other.successful;
        self.failed += other.failed;
        self.retransmissions += other.retransmissions;
        self.unexpected += other.unexpected;
        self.dead += other.dead;
        self.timed_out += other.timed_out;
    }

    pub(super) fn to_json(self) -> Value {
        json!({
            "created": self.created, "successful": self.successful, "failed": self.failed,
            "retransmissions": self.retransmissions, "failed_unexpected_message": self.unexpected,
            "failed_retransmissions": self.timed_out, "messages_of_dead_calls": self.dead,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn last_line_by_name() {
        let text = "StartTime;TotalCallCreated;SuccessfulCall(P);SuccessfulCall(C);FailedCall(C);Retransmissions(C);\n\
                    a;1;1;1;0;0;\nb;20;5;18;2;3;\n";
        let read = Statistics::read(text).unwrap();
        assert_eq!((read.created, read.successful, read.failed, read.retransmissions), (20, 18, 2, 3));
        assert_eq!(Statistics::read("StartTime;TotalCallCreated\n"), None);
        assert_eq!(Statistics::read(""), None);
    }
}
