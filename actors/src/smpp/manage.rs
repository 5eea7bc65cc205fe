//! query_sm, cancel_sm and replace_sm (4.8, 4.9, 4.10): they read the log, so they run beside the session.

use std::collections::BTreeSet;
use std::sync::Arc;

use bytes::BytesMut;
use runtime::clock::Timestamp;
use runtime::log::{Contents, MessageRow, State};
use runtime::model::MessageId;
use runtime::store::Error;
use smpp::pdu::{Address, CancelSm, QuerySm, QuerySmResp, ReplaceSm, Sm, encode_resp_header};
use smpp::time::{self, Time};
use smpp::{CommandId, CommandStatus, DataCoding, Frame, Tag};
use uuid::Uuid;

use super::Smpp;
use super::accept::wishes;
use super::account::Account;
use super::message::{MARKS, Message, address_text, alphabet_code, default_alphabet};
use super::prepare::{Refused, prepare, without_payload};
use super::queue::Unit;
use super::receipts::{Ending, final_state, finish};
use super::vendor::Vendor;

/// Rows read at one time.
const PAGE: u32 = 1000;

/// The response to a request about a message of this account.
pub async fn answer(smpp: Arc<Smpp>, account: Arc<Account>, frame: Frame) -> BytesMut {
    let header = frame.header();
    let mut response = BytesMut::new();
    let status = match header.command_id {
        CommandId::QUERY_SM => match query(&smpp, &account, frame.body()).await {
            Ok(found) => return found.encode(header.sequence_number),
            Err(status) => status,
        },
        CommandId::CANCEL_SM => outcome(cancel(&smpp, &account, frame.body()).await),
        CommandId::REPLACE_SM => outcome(replace(&smpp, &account, frame.body()).await),
        _ => CommandStatus::ESME_RINVCMDID,
    };
    encode_resp_header(header.command_id.response(), status, header.sequence_number, &mut response);
    response
}

fn outcome(result: Result<(), CommandStatus>) -> CommandStatus {
    result.err().unwrap_or(CommandStatus::ESME_ROK)
}

/// What query_sm tells.
struct Found {
    id: String,
    row: MessageRow,
}

impl Found {
    fn encode(&self, sequence_number: u32) -> BytesMut {
        let progress = &self.row.progress;
        let done = progress.done_at.and_then(time::absolute);
        let error = progress.error.as_deref().and_then(|error| error.parse::<u8>().ok()).unwrap_or(0);
        let resp = QuerySmResp {
            message_id: self.id.as_bytes(),
            final_date: done.as_ref().map_or(&[], |date| date),
            message_state: final_state(progress.state).as_u8(),
            error_code: error,
        };
        let mut response = BytesMut::new();
        if resp.encode(CommandStatus::ESME_ROK, sequence_number, &mut response).is_err() {
            let status = CommandStatus::ESME_RQUERYFAIL;
            encode_resp_header(CommandId::QUERY_SM_RESP, status, sequence_number, &mut response);
        }
        response
    }
}

async fn query(smpp: &Smpp, account: &Account, body: &[u8]) -> Result<Found, CommandStatus> {
    let query = QuerySm::decode(body).map_err(|error| error.command_status)?;
    let row = own_message(smpp, account, query.message_id, &query.source).await?;
    Ok(Found { id: super::receipts::customer_id(account, MessageId(row.id)), row })
}

/// A message of this account, with the source address that the request must name too.
async fn own_message(
    smpp: &Smpp,
    account: &Account,
    id: &[u8],
    source: &Address<'_>,
) -> Result<MessageRow, CommandStatus> {
    let format = account.settings.load().account.message_id_format;
    let id = MessageId::parse(id, format).ok_or(CommandStatus::ESME_RINVMSGID)?;
    smpp.log.barrier().await;
    let row = smpp.log.store().message(id.0).await.map_err(unreadable)?;
    // Parts that we made are nobody's messages.
    row.filter(|row| {
        row.account == account.id && row.parent.is_none() && *row.source == *address_text(source.addr)
    })
    .ok_or(CommandStatus::ESME_RINVMSGID)
}

/// Cancels one message, or with an empty message_id all that wait between two addresses.
async fn cancel(smpp: &Smpp, account: &Account, body: &[u8]) -> Result<(), CommandStatus> {
    let cancel = CancelSm::decode(body).map_err(|error| error.command_status)?;
    let _alone = smpp.off_path.lock().await;
    let cancelled = if cancel.message_id.is_empty() {
        cancel_between(smpp, account, &cancel).await?
    } else {
        cancel_one(smpp, account, &cancel).await?
    };
    if !cancelled {
        return Err(CommandStatus::ESME_RCANCELFAIL);
    }
    smpp.log.barrier().await;
    Ok(())
}

async fn cancel_one(smpp: &Smpp, account: &Account, cancel: &CancelSm<'_>) -> Result<bool, CommandStatus> {
    let row = own_message(smpp, account, cancel.message_id, &cancel.source).await?;
    match row.progress.state {
        State::Scheduled => Ok(cancel_scheduled(smpp, row)),
        State::Queued => {
            let waiting =
                vendor_of(smpp, &row).map(|vendor| vendor.extract(|message| message.row.id == row.id));
            Ok(cancel_all(smpp, waiting.unwrap_or_default()))
        }
        // Of a message that we split, nothing may have gone yet.
        State::Split => cancel_parts(smpp, row.id).await,
        State::Submitted
        | State::Uncertain
        | State::Enroute
        | State::Delivered
        | State::Expired
        | State::Deleted
        | State::Undeliverable
        | State::Accepted
        | State::Unknown
        | State::Rejected => Ok(false),
    }
}

/// Cancels everything of the account between two addresses, with the request's service_type if it names one,
/// of which nothing has gone yet.
async fn cancel_between(
    smpp: &Smpp,
    account: &Account,
    cancel: &CancelSm<'_>,
) -> Result<bool, CommandStatus> {
    let (source, destination) = (address_text(cancel.source.addr), address_text(cancel.destination.addr));
    let wanted = |message: &Message| {
        let service = message.sm().map_or(&[][..], |sm| sm.service_type);
        message.row.account == account.id
            && message.row.source == source
            && message.row.destination == destination
            && (cancel.service_type.is_empty() || cancel.service_type == service)
    };
    let (mut wholes, mut cancelled) = (BTreeSet::new(), false);
    for vendor in smpp.vendors.load_full().values() {
        let waiting = vendor.extract(|message| match message.row.parent {
            _ if !wanted(message) => false,
            Some(parent) => {
                wholes.insert(parent);
                false
            }
            None => true,
        });
        cancelled |= cancel_all(smpp, waiting);
    }
    smpp.log.barrier().await;
    for whole in wholes {
        cancelled |= cancel_parts(smpp, whole).await?;
    }
    let mut after = 0;
    loop {
        let rows = smpp.log.store().live(State::Scheduled, after, PAGE).await.map_err(unreadable)?;
        let Some(last) = rows.last() else { return Ok(cancelled) };
        after = last.id;
        for row in rows.into_iter().filter(|row| row.account == account.id) {
            let Some(account) = smpp.account(row.account) else { continue };
            let message = Message::new(row, account);
            if wanted(&message) {
                cancelled |= cancel_scheduled(smpp, message.row);
            }
        }
    }
}

fn cancel_scheduled(smpp: &Smpp, row: MessageRow) -> bool {
    let Some(account) = smpp.account(row.account) else { return false };
    cancel_all(smpp, vec![Message::new(row, account)])
}

fn cancel_all(smpp: &Smpp, messages: Unit) -> bool {
    let any = !messages.is_empty();
    for message in messages {
        finish(smpp, message, State::Deleted, &Ending::default());
    }
    any
}

/// Cancels a message that we split when every part of it waits; else none of them.
async fn cancel_parts(smpp: &Smpp, parent: i64) -> Result<bool, CommandStatus> {
    let parts = smpp.log.store().parts(parent).await.map_err(unreadable)?;
    if !parts.iter().all(|part| part.progress.state == State::Queued) {
        return Ok(false);
    }
    let vendors: BTreeSet<Uuid> = parts.iter().filter_map(|part| part.progress.vendor).collect();
    let taken: Vec<_> = vendors
        .into_iter()
        .filter_map(|id| smpp.vendor(id))
        .map(|vendor| (vendor.extract(|message| message.row.parent == Some(parent)), vendor))
        .collect();
    if taken.iter().map(|(waiting, _)| waiting.len()).sum::<usize>() == parts.len() {
        return Ok(taken.into_iter().fold(false, |any, (waiting, _)| cancel_all(smpp, waiting) || any));
    }
    // One went since its row was read.
    for (waiting, vendor) in taken.into_iter().filter(|(waiting, _)| !waiting.is_empty()) {
        vendor.requeue(waiting);
    }
    Ok(false)
}

fn vendor_of(smpp: &Smpp, row: &MessageRow) -> Option<Arc<Vendor>> {
    row.progress.vendor.and_then(|id| smpp.vendor(id))
}

/// Replaces the text of a message that waits, and what it asks for. The message waits for its (old or new)
/// delivery time as its customer would send it now, and is made ready and split when that has come, as any
/// scheduled message is. One that we have split is not replaced.
async fn replace(smpp: &Smpp, account: &Account, body: &[u8]) -> Result<(), CommandStatus> {
    let replace = ReplaceSm::decode(body).map_err(|error| error.command_status)?;
    let _alone = smpp.off_path.lock().await;
    let row = own_message(smpp, account, replace.message_id, &replace.source).await?;
    let state = row.progress.state;
    if !matches!(state, State::Queued | State::Scheduled) {
        return Err(CommandStatus::ESME_RREPLACEFAIL);
    }
    let owner = smpp.account(row.account).ok_or(CommandStatus::ESME_RREPLACEFAIL)?;
    let (id, vendor) = (row.id, vendor_of(smpp, &row));
    let mut message = Message::new(row, owner);
    let Replaced { contents, due } = replaced(smpp, &message, &replace)?;
    if state == State::Queued {
        // Whoever takes it out of the queue has it: this, or a bind.
        let waiting = vendor.map(|vendor| vendor.extract(|message| message.row.id == id));
        message = waiting.and_then(|mut waiting| waiting.pop()).ok_or(CommandStatus::ESME_RREPLACEFAIL)?;
    }
    message.row.progress.state = State::Scheduled;
    message.row.progress.deadline = Some(due.micros());
    let (id, progress) = message.change();
    let ticket = smpp.log.append(|batch| {
        batch.contents.push((id, contents));
        batch.change(id, progress);
    });
    ticket.durable().await;
    Ok(())
}

/// What a message becomes.
struct Replaced {
    /// With the submit_sm that its customer would send now.
    contents: Contents,
    /// When it is sent.
    due: Timestamp,
}

fn replaced(smpp: &Smpp, message: &Message, replace: &ReplaceSm<'_>) -> Result<Replaced, CommandStatus> {
    let sm = message.sm().ok_or(CommandStatus::ESME_RREPLACEFAIL)?;
    let (due, expires) = times(smpp, message, replace)?;
    let payload = replace.tlvs.get(Tag::MESSAGE_PAYLOAD);
    if payload.is_some() && !replace.short_message.is_empty() {
        return Err(CommandStatus::ESME_ROPTPARNOTALLWD);
    }
    let mut tlvs = without_payload(&sm);
    if let Some(payload) = payload {
        tlvs.push(Tag::MESSAGE_PAYLOAD, payload).map_err(|_| CommandStatus::ESME_RINVMSGLEN)?;
    }
    let settings = message.account.settings.load();
    let from = default_alphabet(settings.account.default_alphabet);
    // Text in the customer's own alphabet that its vendor's lacked became UCS2; the new text is not.
    let became_ucs2 = sm.data_coding == DataCoding::UCS2 && message.row.alphabet != alphabet_code(from);
    let validity = replace_validity(replace, expires);
    let new = Sm {
        schedule_delivery_time: &[],
        validity_period: validity.as_ref().map_or(sm.validity_period, |time| time),
        registered_delivery: replace.registered_delivery,
        data_coding: if became_ucs2 { DataCoding::DEFAULT } else { sm.data_coding },
        short_message: replace.short_message,
        tlvs: tlvs.as_tlvs(),
        ..sm
    };
    new.check_submit().map_err(|error| error.command_status)?;
    let vendor = vendor_of(smpp, &message.row).ok_or(CommandStatus::ESME_RREPLACEFAIL)?;
    prepare(&new, (from, settings.account.transcode), &wishes(&vendor), 0)
        .map_err(|Refused(status)| status)?;
    let mut frame = BytesMut::new();
    new.encode(CommandId::SUBMIT_SM, 0, &mut frame).map_err(|_| CommandStatus::ESME_RREPLACEFAIL)?;
    let contents = Contents {
        alphabet: message.row.alphabet,
        registered_delivery: replace.registered_delivery.0 & !MARKS,
        expires_at: expires.micros(),
        frame: frame.freeze(),
    };
    Ok(Replaced { contents, due })
}

/// When the message is sent and when it expires: as the request says, or as it was.
fn times(
    smpp: &Smpp,
    message: &Message,
    replace: &ReplaceSm<'_>,
) -> Result<(Timestamp, Timestamp), CommandStatus> {
    let now = smpp.now();
    let resolve = |octets: &[u8], refusal: CommandStatus| match Time::parse(octets) {
        Ok(time) => Ok(time.map(|time| Timestamp::from_micros(time.resolve(now.micros())))),
        Err(_) => Err(refusal),
    };
    let progress = &message.row.progress;
    let kept = progress.deadline.filter(|_| progress.state == State::Scheduled).map(Timestamp::from_micros);
    let asked = resolve(replace.schedule_delivery_time, CommandStatus::ESME_RINVSCHED)?;
    let due = asked.or(kept).unwrap_or(now).max(now);
    let latest = Timestamp::from_micros(message.row.accepted_at).plus(smpp.options.validity_max.get());
    let asked = resolve(replace.validity_period, CommandStatus::ESME_RINVEXPIRY)?;
    let expires = asked.unwrap_or_else(|| Timestamp::from_micros(message.row.expires_at)).min(latest);
    match () {
        () if expires <= now => Err(CommandStatus::ESME_RINVEXPIRY),
        () if due >= expires => Err(CommandStatus::ESME_RINVSCHED),
        () => Ok((due, expires)),
    }
}

/// The new validity_period in absolute form, so that it does not begin anew whenever it is read.
fn replace_validity(replace: &ReplaceSm<'_>, expires: Timestamp) -> Option<[u8; time::TIME_LEN]> {
    if replace.validity_period.is_empty() { None } else { time::absolute(expires.micros()) }
}

fn unreadable(error: Error) -> CommandStatus {
    tracing::warn!(%error, "a message could not be read");
    CommandStatus::ESME_RSYSERR
}

#[cfg(test)]
mod tests;
