//! command_status (5.1.3; the values from 0x100 on are those of 5.0, section 4.7.6).

use std::fmt;

/// A command_status as it stood in the header; vendors use values beyond the table.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Default)]
pub struct CommandStatus(pub u32);

macro_rules! statuses {
    ($($name:ident = $value:literal, $doc:literal;)*) => {
        impl CommandStatus {
            $(#[doc = $doc] pub const $name: Self = Self($value);)*

            /// The 3.4 name, such as `ESME_RTHROTTLED` (the 5.0 name where 3.4 has none); `None` for
            /// reserved and vendor values.
            pub const fn name(self) -> Option<&'static str> {
                match self.0 {
                    $($value => Some(stringify!($name)),)*
                    _ => None,
                }
            }
        }
    };
}

statuses! {
    ESME_ROK = 0x00, "No error.";
    ESME_RINVMSGLEN = 0x01, "Message length is invalid.";
    ESME_RINVCMDLEN = 0x02, "Command length is invalid.";
    ESME_RINVCMDID = 0x03, "Invalid command id.";
    ESME_RINVBNDSTS = 0x04, "Incorrect bind status for the given command.";
    ESME_RALYBND = 0x05, "ESME is already in a bound state.";
    ESME_RINVPRTFLG = 0x06, "Invalid priority flag.";
    ESME_RINVREGDLVFLG = 0x07, "Invalid registered delivery flag.";
    ESME_RSYSERR = 0x08, "System error.";
    ESME_RINVSRCADR = 0x0A, "Invalid source address.";
    ESME_RINVDSTADR = 0x0B, "Invalid destination address.";
    ESME_RINVMSGID = 0x0C, "Message id is invalid.";
    ESME_RBINDFAIL = 0x0D, "Bind failed.";
    ESME_RINVPASWD = 0x0E, "Invalid password.";
    ESME_RINVSYSID = 0x0F, "Invalid system id.";
    ESME_RCANCELFAIL = 0x11, "cancel_sm failed.";
    ESME_RREPLACEFAIL = 0x13, "replace_sm failed.";
    ESME_RMSGQFUL = 0x14, "Message queue full.";
    ESME_RINVSERTYP = 0x15, "Invalid service type.";
    ESME_RINVNUMDESTS = 0x33, "Invalid number of destinations.";
    ESME_RINVDLNAME = 0x34, "Invalid distribution list name.";
    ESME_RINVDESTFLAG = 0x40, "Destination flag is invalid (submit_multi).";
    ESME_RINVSUBREP = 0x42, "Invalid submit with replace request.";
    ESME_RINVESMCLASS = 0x43, "Invalid esm_class.";
    ESME_RCNTSUBDL = 0x44, "Cannot submit to distribution list.";
    ESME_RSUBMITFAIL = 0x45, "submit_sm or submit_multi failed.";
    ESME_RINVSRCTON = 0x48, "Invalid source address TON.";
    ESME_RINVSRCNPI = 0x49, "Invalid source address NPI.";
    ESME_RINVDSTTON = 0x50, "Invalid destination address TON.";
    ESME_RINVDSTNPI = 0x51, "Invalid destination address NPI.";
    ESME_RINVSYSTYP = 0x53, "Invalid system_type.";
    ESME_RINVREPFLAG = 0x54, "Invalid replace_if_present flag.";
    ESME_RINVNUMMSGS = 0x55, "Invalid number of messages.";
    ESME_RTHROTTLED = 0x58, "Throttling error: the ESME has exceeded its message limits.";
    ESME_RINVSCHED = 0x61, "Invalid scheduled delivery time.";
    ESME_RINVEXPIRY = 0x62, "Invalid message validity period.";
    ESME_RINVDFTMSGID = 0x63, "Predefined message id is invalid or not found.";
    ESME_RX_T_APPN = 0x64, "ESME receiver: temporary application error.";
    ESME_RX_P_APPN = 0x65, "ESME receiver: permanent application error.";
    ESME_RX_R_APPN = 0x66, "ESME receiver: message rejected.";
    ESME_RQUERYFAIL = 0x67, "query_sm failed.";
    ESME_RINVOPTPARSTREAM = 0xC0, "Error in the optional part of the PDU body (5.0: ESME_RINVTLVSTREAM).";
    ESME_ROPTPARNOTALLWD = 0xC1, "TLV not allowed (5.0: ESME_RTLVNOTALLWD).";
    ESME_RINVPARLEN = 0xC2, "Invalid parameter length (5.0: ESME_RINVTLVLEN).";
    ESME_RMISSINGOPTPARAM = 0xC3, "Expected TLV missing (5.0: ESME_RMISSINGTLV).";
    ESME_RINVOPTPARAMVAL = 0xC4, "Invalid TLV value (5.0: ESME_RINVTLVVAL).";
    ESME_RDELIVERYFAILURE = 0xFE, "Transaction delivery failure (data_sm_resp).";
    ESME_RUNKNOWNERR = 0xFF, "Unknown error.";
    ESME_RSERTYPUNAUTH = 0x100, "5.0: not authorised to use the service type.";
    ESME_RPROHIBITED = 0x101, "5.0: prohibited from using the operation.";
    ESME_RSERTYPUNAVAIL = 0x102, "5.0: service type is unavailable.";
    ESME_RSERTYPDENIED = 0x103, "5.0: service type is denied.";
    ESME_RINVDCS = 0x104, "5.0: invalid data_coding.";
    ESME_RINVSRCADDRSUBUNIT = 0x105, "5.0: source address subunit is invalid.";
    ESME_RINVDSTADDRSUBUNIT = 0x106, "5.0: destination address subunit is invalid.";
    ESME_RINVBCASTFREQINT = 0x107, "5.0: broadcast frequency interval is invalid.";
    ESME_RINVBCASTALIAS_NAME = 0x108, "5.0: broadcast alias name is invalid.";
    ESME_RINVBCASTAREAFMT = 0x109, "5.0: broadcast area format is invalid.";
    ESME_RINVNUMBCAST_AREAS = 0x10A, "5.0: number of broadcast areas is invalid.";
    ESME_RINVBCASTCNTTYPE = 0x10B, "5.0: broadcast content type is invalid.";
    ESME_RINVBCASTMSGCLASS = 0x10C, "5.0: broadcast message class is invalid.";
    ESME_RBCASTFAIL = 0x10D, "5.0: broadcast_sm failed.";
    ESME_RBCASTQUERYFAIL = 0x10E, "5.0: query_broadcast_sm failed.";
    ESME_RBCASTCANCELFAIL = 0x10F, "5.0: cancel_broadcast_sm failed.";
    ESME_RINVBCAST_REP = 0x110, "5.0: number of repeated broadcasts is invalid.";
    ESME_RINVBCASTSRVGRP = 0x111, "5.0: broadcast service group is invalid.";
    ESME_RINVBCASTCHANIND = 0x112, "5.0: broadcast channel indicator is invalid.";
}

impl CommandStatus {
    /// The 5.0 name of [`CommandStatus::ESME_RINVOPTPARSTREAM`].
    pub const ESME_RINVTLVSTREAM: Self = Self::ESME_RINVOPTPARSTREAM;
    /// The 5.0 name of [`CommandStatus::ESME_ROPTPARNOTALLWD`].
    pub const ESME_RTLVNOTALLWD: Self = Self::ESME_ROPTPARNOTALLWD;
    /// The 5.0 name of [`CommandStatus::ESME_RINVPARLEN`].
    pub const ESME_RINVTLVLEN: Self = Self::ESME_RINVPARLEN;
    /// The 5.0 name of [`CommandStatus::ESME_RMISSINGOPTPARAM`].
    pub const ESME_RMISSINGTLV: Self = Self::ESME_RMISSINGOPTPARAM;
    /// The 5.0 name of [`CommandStatus::ESME_RINVOPTPARAMVAL`].
    pub const ESME_RINVTLVVAL: Self = Self::ESME_RINVOPTPARAMVAL;

    /// Whether this is ESME_ROK.
    pub const fn is_ok(self) -> bool {
        self.0 == 0
    }
}

impl fmt::Display for CommandStatus {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.name() {
            Some(name) => f.write_str(name),
            None => write!(f, "0x{:08X}", self.0),
        }
    }
}

impl fmt::Debug for CommandStatus {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}
