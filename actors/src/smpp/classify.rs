//! What a vendor's `command_status` on submit_sm means for the message and for the bind.

use smpp::CommandStatus;

/// The classes of `submit_sm_resp`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Class {
    /// The vendor has the message.
    Accepted,
    /// Too fast or too full: slow this bind, keep the order, try the same bind again.
    SlowDown,
    /// Not now: wait, try again a few times, then the next route.
    Transient,
    /// The bind is not what the vendor expects: take it out, put the message back.
    Bind,
    /// The message will not be taken: no further try.
    Permanent,
}

/// The class of a status; `retryable` are the vendor's own temporary ones.
#[must_use]
pub fn classify(status: CommandStatus, retryable: &[u32]) -> Class {
    use CommandStatus as S;
    match status {
        S::ESME_ROK => Class::Accepted,
        S::ESME_RTHROTTLED | S::ESME_RMSGQFUL => Class::SlowDown,
        S::ESME_RSYSERR | S::ESME_RSUBMITFAIL | S::ESME_RDELIVERYFAILURE | S::ESME_RX_T_APPN => {
            Class::Transient
        }
        S::ESME_RINVBNDSTS | S::ESME_RBINDFAIL | S::ESME_RINVPASWD | S::ESME_RINVSYSID => Class::Bind,
        // Only what would end the message can be made temporary: the others have their own treatment.
        _ if retryable.contains(&status.0) => Class::Transient,
        _ => Class::Permanent,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn statuses_have_their_classes() {
        for (status, class) in [
            (0x00, Class::Accepted),
            (0x58, Class::SlowDown),
            (0x14, Class::SlowDown),
            (0x08, Class::Transient),
            (0x45, Class::Transient),
            (0xfe, Class::Transient),
            (0x64, Class::Transient),
            (0x04, Class::Bind),
            (0x0d, Class::Bind),
            (0x0e, Class::Bind),
            (0x0f, Class::Bind),
            (0x0a, Class::Permanent),
            (0x0b, Class::Permanent),
            (0x61, Class::Permanent),
            (0x401, Class::Permanent),
        ] {
            assert_eq!(classify(CommandStatus(status), &[]), class, "{status:#x}");
        }
        assert_eq!(classify(CommandStatus(0x401), &[0x401]), Class::Transient);
        for (status, class) in [(0x00, Class::Accepted), (0x58, Class::SlowDown), (0x04, Class::Bind)] {
            assert_eq!(classify(CommandStatus(status), &[status]), class, "{status:#x} is no vendor's own");
        }
    }
}
