//! Mobile originated messages: from a vendor, by DID, to a customer's session.

use std::sync::Arc;

use bytes::Bytes;
use runtime::log::{Direction, MessageRow, OutboxKind, OutboxRow, Progress, State, Ticket, Uncertain};
use smpp::CommandStatus;
use smpp::pdu::Sm;
use smpp::text::Alphabet;
use uuid::Uuid;

use super::Smpp;
use super::account::{Account, Settings};
use super::message::{address_text, alphabet_code, default_alphabet};
use super::prepare::{Refused, deliverable};
use super::receipts::{admit, hand_on};

/// Takes a message for the customer who has its destination; its row and its place in the customer's outbox
/// are durable together when the ticket is done.
///
/// # Errors
/// The status for the vendor: ESME_RINVDSTADR when the number is nobody's, ESME_RMSGQFUL when the log is full.
pub fn accept(smpp: &Smpp, sm: &Sm<'_>, (body, vendor): (&Bytes, Uuid)) -> Result<Ticket, CommandStatus> {
    let destination = address_text(sm.destination.addr);
    let account = account_of(smpp, &destination).ok_or(CommandStatus::ESME_RINVDSTADR)?;
    let settings = account.settings.load_full();
    let (body, alphabet) = readable(smpp, (sm, body), (vendor, &settings))?;
    let now = smpp.now();
    let expires_at = now.plus(smpp.options.validity_max.get()).micros();
    let row = MessageRow {
        id: smpp.next_id(now).0,
        direction: Direction::Mo,
        customer: settings.customer.id,
        account: account.id,
        parent: None,
        part: 0,
        answered_as: None,
        segments: 1,
        source: address_text(sm.source.addr),
        destination,
        alphabet: alphabet_code(alphabet),
        registered_delivery: sm.registered_delivery.0,
        priority: 0,
        accepted_at: now.micros(),
        expires_at,
        hold: 0,
        progress: Progress {
            state: State::Accepted,
            vendor: Some(vendor),
            route: None,
            uncertain: Uncertain::Hold,
            attempts: 0,
            submitted_at: None,
            done_at: Some(now.micros()),
            deadline: None,
            vendor_message_id: None,
            dlr_hash: None,
            command_status: None,
            error: None,
        },
        frame: body.clone(),
    };
    let owed = OutboxRow {
        id: smpp.next_id(now).0,
        account: account.id,
        message: row.id,
        kind: OutboxKind::Mo,
        spilled: false,
        expires_at,
        body,
    };
    let owed = admit(smpp, &account, owed);
    let appended = smpp.log.append_new(|batch| {
        batch.accept(row);
        batch.outbox.push(owed.clone());
    });
    match appended {
        Ok(ticket) => {
            hand_on(&account, owed, &ticket);
            Ok(ticket)
        }
        Err(_full) => {
            account.outbox.withdraw(&owed);
            Err(CommandStatus::ESME_RMSGQFUL)
        }
    }
}

/// The body as the account reads it, and what data_coding 0 means in it.
fn readable(
    smpp: &Smpp,
    (sm, body): (&Sm<'_>, &Bytes),
    (vendor, settings): (Uuid, &Settings),
) -> Result<(Bytes, Alphabet), CommandStatus> {
    let to = default_alphabet(settings.account.default_alphabet);
    let vendor = smpp.vendor(vendor);
    let from = vendor.map_or(to, |vendor| default_alphabet(vendor.config.load().default_alphabet));
    if !settings.account.transcode {
        return Ok((body.clone(), from));
    }
    let transcoded = deliverable(sm, from, to).map_err(|Refused(status)| status)?;
    Ok((transcoded.unwrap_or_else(|| body.clone()), to))
}

fn account_of(smpp: &Smpp, destination: &str) -> Option<Arc<Account>> {
    let digits = destination.strip_prefix('+').unwrap_or(destination);
    let did = smpp.dids.load().get(digits).copied()?;
    smpp.account(did)
}
