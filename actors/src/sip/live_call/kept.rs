//! What a process writes down of a call that is up, for the next one, and what any process can tell from it.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use runtime::clock::Timestamp;
use runtime::log::{Attested, CallDirection, CallIdentity, Cdr, Dialog as Record, EndedBy, Reason, Verstat};
use runtime::model::Money;
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use uuid::Uuid;

use crate::sip::dialog::Dialog;

/// The form of what follows [`Said`] in a record.
pub(super) const VERSION: u8 = 3;

/// What the next process is told of a call that is up, behind an octet that says in which form.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(super) struct Kept {
    pub(super) said: Said,
    pub(super) max_duration_ms: u64,
    pub(super) attempts: Vec<Tried>,
    pub(super) dialog: Option<Shared>,
    pub(super) recovered: bool,
    /// What was signed of its caller, by the numbers of the log.
    pub(super) identity: Signatures,
}

/// A [`CallIdentity`], by the numbers of the log.
#[derive(Debug, Clone, Copy, Default, Serialize, Deserialize)]
pub(super) struct Signatures {
    verstat: Option<i16>,
    received: Option<i16>,
    signed: Option<i16>,
}

impl Signatures {
    /// What came of checking it, where that was asked for.
    pub(super) fn check(&mut self, identity: CallIdentity) {
        if let Some(verstat) = identity.verstat {
            self.verstat = Some(verstat.code());
            self.received = identity.received.map(Attested::code);
        }
    }

    /// How it was signed for the vendor that had it last.
    pub(super) fn sign(&mut self, identity: CallIdentity) {
        self.signed = identity.signed.map(Attested::code);
    }

    pub(super) fn told(self) -> CallIdentity {
        CallIdentity {
            verstat: self.verstat.and_then(Verstat::from_code),
            received: self.received.and_then(Attested::from_code),
            signed: self.signed.and_then(Attested::from_code),
        }
    }
}

impl Kept {
    pub(super) fn written(&self) -> Vec<u8> {
        // It holds nothing that cannot be written.
        postcard::to_extend(self, vec![VERSION]).unwrap_or_default()
    }
}

/// What any process can read of a call, to close it: nothing of it may change, be added or go.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(super) struct Said {
    pub(super) id: Uuid,
    pub(super) node: u16,
    pub(super) customer: Uuid,
    pub(super) trunk: Uuid,
    pub(super) vendor: Option<Uuid>,
    pub(super) inbound: bool,
    pub(super) source: SocketAddr,
    pub(super) call_id: String,
    pub(super) caller: String,
    pub(super) callee: String,
    pub(super) callee_sent: String,
    pub(super) started_at: i64,
    pub(super) ringing_at: Option<i64>,
    pub(super) answered_at: Option<i64>,
    pub(super) pdd_us: Option<u64>,
    pub(super) prefix: String,
    pub(super) rate: i64,
}

/// A dialog that the worker's lane has too; written down as it is.
#[derive(Debug, Clone)]
pub(super) struct Shared(pub(super) Arc<Dialog>);

impl Serialize for Shared {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        self.0.serialize(serializer)
    }
}

impl<'de> Deserialize<'de> for Shared {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Dialog::deserialize(deserializer).map(|dialog| Self(Arc::new(dialog)))
    }
}

#[derive(Debug, Clone, Serialize, Deserialize)]
pub(super) struct Tried {
    pub(super) vendor: Uuid,
    pub(super) gateway: String,
    pub(super) started_at: i64,
    pub(super) ended_at: i64,
    pub(super) pdd_us: Option<u64>,
    pub(super) status: u16,
    pub(super) received: bool,
}

impl Said {
    /// The record of a call that was up so long, and of which no more is known than that it is over.
    pub(super) fn cdr(&self, ended_at: Timestamp, up: Duration) -> Cdr {
        let time = Timestamp::from_micros;
        let text = |text: &str| Arc::<str>::from(text);
        let duration_ms = u64::try_from(up.as_millis()).unwrap_or(u64::MAX);
        Cdr {
            id: self.id,
            node: self.node,
            customer: self.customer,
            trunk: self.trunk,
            vendor: self.vendor,
            direction: if self.inbound { CallDirection::Inbound } else { CallDirection::Outbound },
            source: self.source,
            call_id: text(&self.call_id),
            caller: text(&self.caller),
            callee: text(&self.callee),
            callee_sent: text(&self.callee_sent),
            started_at: time(self.started_at),
            ringing_at: self.ringing_at.map(time),
            answered_at: self.answered_at.map(time),
            ended_at,
            pdd_us: self.pdd_us,
            duration_ms,
            billed_seconds: u32::try_from(duration_ms.div_ceil(1000)).unwrap_or(u32::MAX),
            status: 200,
            reason: Reason::Recovered,
            ended_by: EndedBy::System,
            prefix: text(&self.prefix),
            rate: Money::from_nanos(self.rate),
            retransmissions: None,
            q850_cause: None,
            recovered: true,
            attempts: u16::from(self.vendor.is_some()),
            media: None,
            identity: CallIdentity::default(),
        }
    }
}

/// A call whose record this process cannot serve it by, and that was up until then. What every form of a record begins
/// with says whose it is.
pub(super) fn closed(record: &Record, ended_at: Timestamp) -> Cdr {
    let state = record.state.get(1..).unwrap_or_default();
    let said = postcard::take_from_bytes::<Said>(state).ok().map(|(said, _)| said);
    let said = said.filter(|said| said.id == record.id).unwrap_or_else(|| Said {
        id: record.id,
        node: record.node,
        customer: Uuid::nil(),
        trunk: Uuid::nil(),
        vendor: None,
        inbound: false,
        source: SocketAddr::from(([0, 0, 0, 0], 0)),
        call_id: String::new(),
        caller: String::new(),
        callee: String::new(),
        callee_sent: String::new(),
        started_at: record.answered_at.micros(),
        ringing_at: None,
        answered_at: None,
        pdd_us: None,
        prefix: String::new(),
        rate: 0,
    });
    let said = Said { answered_at: Some(record.answered_at.micros()), ..said };
    said.cdr(ended_at, ended_at.since(record.answered_at))
}
