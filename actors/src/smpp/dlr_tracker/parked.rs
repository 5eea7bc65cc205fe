//! Receipts without a message: searched for in memory again, in the log, and among held messages; tried again
//! later; given up at last.

use std::collections::HashSet;
use std::time::Duration;

use runtime::clock::Timestamp;
use runtime::log::{ParkedRow, State};
use smpp::dlr::Receipt;
use smpp::pdu::Sm;
use tokio::time::Instant;
use uuid::Uuid;

use crate::smpp::Smpp;
use crate::smpp::message::Message;
use crate::smpp::receipt_form::all_candidates;
use crate::smpp::receipt_index::same_address;
use crate::smpp::receipts::{self, finish};
use crate::smpp::vendor::Vendor;
use crate::smpp::vendor_bind::ending;

/// Waits between tries; the last is repeated.
const WAITS: [Duration; 5] = [
    Duration::from_millis(200),
    Duration::from_secs(1),
    Duration::from_secs(5),
    Duration::from_secs(30),
    Duration::from_secs(300),
];
/// A held message is taken for the one that a receipt speaks of when it was sent within this time before.
const UNCERTAIN_WITHIN: Duration = Duration::from_secs(24 * 3600);
/// Rows read back at one time.
const PAGE: u32 = 1000;

/// A parked receipt.
#[derive(Debug)]
pub struct Parked {
    /// Its row.
    pub row: ParkedRow,
    /// Hashes under which its message may be kept.
    pub hashes: Vec<i64>,
    tries: usize,
    next: Instant,
}

/// Tries after which a receipt may name its message in any form; until then its vendor's own form is learned
/// from others.
const PATIENT_AFTER: usize = 2;

impl Parked {
    /// A receipt for a vendor's message id.
    #[must_use]
    pub fn new(row: ParkedRow, id: &[u8]) -> Self {
        let hashes = all_candidates(row.vendor, id).map(|candidate| candidate.hash).collect();
        Self { row, hashes, tries: 0, next: Instant::now() }
    }

    /// A receipt as the log has it; None when its body is not one.
    #[must_use]
    pub fn from_row(row: ParkedRow) -> Option<Self> {
        let body = row.body.clone();
        let sm = Sm::decode(&body).ok()?;
        let receipt = Receipt::of(&sm)?;
        Some(Self::new(row, receipt.id))
    }

    /// True when it has waited. One that is tried because a message came is not patient: that message may only
    /// look like its own.
    fn is_patient(&self) -> bool {
        self.tries >= PATIENT_AFTER && self.next <= Instant::now()
    }
}

pub(super) async fn search(smpp: &Smpp) {
    let due = take_due(smpp);
    if due.is_empty() {
        return read_back(smpp).await;
    }
    let _alone = smpp.off_path.lock().await;
    // The row of a message that was just answered or just finished must be seen as it is.
    smpp.log.barrier().await;
    // A vendor whose connection was lost says again what nobody answered, so the same receipt may be here twice.
    // The log shows the ends that this loop makes only after it.
    let mut ended = HashSet::new();
    for parked in due {
        match find(smpp, &parked).await {
            Ok(Some(message)) if ended.contains(&message.row.id) => unpark(smpp, &parked),
            Ok(Some(message)) => ended.extend(settle(smpp, &parked, message)),
            Ok(None) => wait_or_give_up(smpp, parked),
            Err(error) => {
                tracing::warn!(%error, "the message of a receipt could not be searched for");
                wait_or_give_up(smpp, parked);
            }
        }
    }
    smpp.log.barrier().await;
}

fn take_due(smpp: &Smpp) -> Vec<Parked> {
    let now = Instant::now();
    let mut inbox = smpp.tracker.inbox.lock();
    let mut due: Vec<Parked> = inbox.new.drain(..).collect();
    let retries = std::mem::take(&mut inbox.retries);
    due.extend(
        inbox
            .waiting
            .extract_if(|id, parked| retries.contains(id) || parked.next <= now)
            .map(|(_, parked)| parked),
    );
    due
}

async fn find(smpp: &Smpp, parked: &Parked) -> Result<Option<Box<Message>>, runtime::store::Error> {
    let (body, vendor) = (parked.row.body.clone(), parked.row.vendor);
    let Ok(sm) = Sm::decode(&body) else { return Ok(None) };
    let Some(receipt) = Receipt::of(&sm) else { return Ok(None) };
    let Some(vendor) = smpp.vendor(vendor) else { return Ok(None) };
    let (named, patient) = ((receipt.id, sm.source.addr), parked.is_patient());
    if let Some(found) = smpp.receipts.find(&vendor, named, patient) {
        return Ok(Some(found.message));
    }
    if let Some(message) = in_log(smpp, &vendor, named, patient).await? {
        return Ok(Some(message));
    }
    if patient && parked.tries == PATIENT_AFTER && smpp.receipts.contradicts(&vendor, named) {
        vendor.receipt_form.contradict();
    }
    if !patient {
        return Ok(None);
    }
    Ok(uncertain(smpp, vendor.id, (&sm, receipt.text.unwrap_or_default()), parked.row.received_at))
}

/// The message in the log, when memory has forgotten it.
async fn in_log(
    smpp: &Smpp,
    vendor: &Vendor,
    (id, source): (&[u8], &[u8]),
    patient: bool,
) -> Result<Option<Box<Message>>, runtime::store::Error> {
    let candidates = vendor.receipt_form.candidates(vendor.id, id, patient);
    let hashes: Vec<i64> = candidates.iter().map(|candidate| candidate.hash).collect();
    let rows = smpp.log.store().by_dlr_hash(&hashes).await?;
    let alive = rows.into_iter().filter(|row| row.progress.state == State::Enroute);
    let mut messages: Vec<Box<Message>> =
        alive.filter_map(|row| smpp.account(row.account).map(|account| Message::new(row, account))).collect();
    for candidate in candidates {
        let wanted = |message: &Message| {
            message.row.progress.dlr_hash == Some(candidate.hash)
                && candidate.fits(vendor.id, source, message)
        };
        if let Some(at) = messages.iter().position(|message| wanted(message)) {
            vendor.receipt_form.confirm(candidate.form);
            return Ok(Some(messages.swap_remove(at)));
        }
    }
    Ok(None)
}

/// The held message that a receipt speaks of: it went to this number through this vendor, and where several
/// did, its text begins as the receipt says. One that is only likely is left to its deadline: a receipt on the
/// wrong message reports a delivery that never was.
fn uncertain(
    smpp: &Smpp,
    vendor: Uuid,
    (sm, text): (&Sm<'_>, &[u8]),
    received_at: i64,
) -> Option<Box<Message>> {
    let mut inbox = smpp.tracker.inbox.lock();
    let earliest = Timestamp::from_micros(received_at).minus(UNCERTAIN_WITHIN).micros();
    let fits = |message: &Message| {
        message.row.progress.vendor == Some(vendor)
            && message.row.accepted_at >= earliest
            && message.row.accepted_at <= received_at
            && same_address(sm.source.addr, message)
            && message.row.source.as_bytes() == sm.destination.addr
    };
    let fitting: Vec<i64> =
        inbox.uncertain.iter().filter(|(_, message)| fits(message)).map(|(id, _)| *id).collect();
    let mut begun =
        fitting.iter().filter(|id| inbox.uncertain.get(id).is_some_and(|message| begins(message, text)));
    let id = match (fitting.as_slice(), begun.next(), begun.next()) {
        (_, Some(only), None) | ([only], None, None) => *only,
        _ => return None,
    };
    inbox.uncertain.remove(&id)
}

/// Whether the text behind a user data header begins with these octets.
fn begins(message: &Message, text: &[u8]) -> bool {
    let Some(sm) = message.sm() else { return false };
    let payload = sm.payload();
    let header = payload.first().filter(|_| sm.esm_class.udhi()).map_or(0, |length| usize::from(*length) + 1);
    !text.is_empty() && payload.get(header..).is_some_and(|payload| payload.starts_with(text))
}

/// Applies a receipt to its message; gives the id of the message when that ended it.
fn settle(smpp: &Smpp, parked: &Parked, message: Box<Message>) -> Option<i64> {
    let body = parked.row.body.clone();
    let receipt = Sm::decode(&body).ok().and_then(|sm| Receipt::of(&sm))?;
    smpp.metrics.dlr_hits.inc();
    let ending = ending(&receipt);
    let state = receipts::state_of(receipt.stat);
    let ended = state.map(|_| message.row.id);
    match state {
        Some(state) => {
            finish(smpp, message, state, &ending);
        }
        None => {
            receipts::notify(smpp, &message, receipt.stat, &ending);
            if let Some(hash) = message.row.progress.dlr_hash {
                smpp.receipts.insert(hash, message);
            }
        }
    }
    unpark(smpp, parked);
    ended
}

fn unpark(smpp: &Smpp, parked: &Parked) {
    let id = parked.row.id;
    smpp.log.append(|batch| batch.unparked.push(id));
    forget(smpp, parked);
}

fn wait_or_give_up(smpp: &Smpp, mut parked: Parked) {
    let received = Timestamp::from_micros(parked.row.received_at);
    if smpp.now().since(received) >= smpp.options.parked_receipt.get() {
        smpp.metrics.dlr_orphaned.inc();
        let id = parked.row.id;
        smpp.log.append(|batch| batch.orphaned.push(id));
        return forget(smpp, &parked);
    }
    let wait = WAITS.get(parked.tries).or(WAITS.last()).copied().unwrap_or_default();
    parked.tries += 1;
    parked.next = Instant::now() + wait;
    smpp.tracker.inbox.lock().waiting.insert(parked.row.id, parked);
}

fn forget(smpp: &Smpp, parked: &Parked) {
    for hash in &parked.hashes {
        smpp.receipts.unpark(*hash);
    }
}

/// Receipts that memory had no room for come back when it has.
async fn read_back(smpp: &Smpp) {
    let wanted = {
        let mut inbox = smpp.tracker.inbox.lock();
        let wanted = inbox.overflowed && inbox.waiting.len() < super::PARKED_MAX / 2;
        inbox.overflowed &= !wanted;
        wanted
    };
    if wanted {
        let _ = load(smpp).await;
    }
}

/// Reads every parked receipt that memory does not have, as far as there is room.
pub(crate) async fn load(smpp: &Smpp) -> Result<usize, runtime::store::Error> {
    smpp.log.barrier().await;
    let known: HashSet<i64> = {
        let inbox = smpp.tracker.inbox.lock();
        inbox.new.iter().map(|parked| parked.row.id).chain(inbox.waiting.keys().copied()).collect()
    };
    let (mut after, mut loaded) = (0, 0);
    loop {
        let rows = smpp.log.store().parked(after, PAGE).await?;
        let Some(last) = rows.last() else { return Ok(loaded) };
        after = last.id;
        for parked in rows.into_iter().filter_map(Parked::from_row) {
            if !known.contains(&parked.row.id) {
                for hash in &parked.hashes {
                    smpp.receipts.park(*hash, parked.row.id);
                }
                smpp.tracker.park(parked);
                loaded += 1;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use smpp::pdu::Address;
    use smpp::{DataCoding, EsmClass};

    use super::*;
    use crate::smpp::receipt_index::{canonical, hash};
    use crate::smpp::receipts::encode_body;
    use crate::smpp::testing;

    const VENDOR: Uuid = Uuid::from_u128(7);
    const DELIVERED: &str =
        "id:4711 sub:001 dlvrd:001 submit date:2611221000 done date:2611221001 stat:DELIVRD err:000 text:";

    fn receipt(smpp: &Smpp) -> ParkedRow {
        let destination = Address { addr: b"WARP", ..Address::default() };
        let sm = Sm {
            source: Address { addr: b"15550001111", ..Address::default() },
            destination,
            esm_class: EsmClass(4),
            data_coding: DataCoding(1),
            short_message: DELIVERED.as_bytes(),
            ..Sm::default()
        };
        let now = smpp.now();
        let body = encode_body(&sm).unwrap();
        ParkedRow { id: smpp.next_id(now).0, vendor: VENDOR, received_at: now.micros(), body }
    }

    #[tokio::test]
    async fn a_receipt_that_comes_twice_is_told_once() {
        let (smpp, _disk) = testing::smpp(testing::config());
        testing::commit(&smpp);
        let mut row = testing::row(1);
        row.progress.state = State::Enroute;
        row.progress.vendor = Some(VENDOR);
        row.progress.dlr_hash = Some(hash(VENDOR, &canonical(b"4711")));
        smpp.log.append(|batch| batch.accepts.push(row));
        let parked: Vec<ParkedRow> = (0..3).map(|_| receipt(&smpp)).collect();
        smpp.log.append(|batch| batch.parked.extend(parked.iter().cloned()));
        let parked = parked.into_iter().map(|row| Parked::from_row(row).unwrap());
        parked.for_each(|parked| smpp.tracker.park(parked));

        search(&smpp).await;
        assert_eq!(smpp.metrics.finished.of(State::Delivered).get(), 1);
        let account = Arc::clone(smpp.accounts.load().by_system_id("acme").unwrap());
        assert_eq!(account.outbox.depth(), 1);
        assert!(smpp.log.store().parked(0, 10).await.unwrap().is_empty(), "none waits for another message");
    }
}
