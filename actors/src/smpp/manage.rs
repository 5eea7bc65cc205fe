//! query_sm, cancel_sm and replace_sm (4.8, 4.9, 4.10): they read the log, so they run beside the session.

use std::sync::Arc;

use bytes::{Bytes, BytesMut};
use runtime::log::{MessageRow, State};
use runtime::model::MessageId;
use smpp::pdu::{Address, CancelSm, QuerySm, QuerySmResp, ReplaceSm, Sm, encode_resp_header};
use smpp::segment;
use smpp::time;
use smpp::{CommandId, CommandStatus, Frame};

use super::Smpp;
use super::account::Account;
use super::message::{Message, address_text, alphabet_of};
use super::receipts::{Ending, final_state, finish};

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
    let row = smpp.log.store().message(id.0).await.map_err(|error| {
        tracing::warn!(%error, "a message could not be read");
        CommandStatus::ESME_RSYSERR
    })?;
    row.filter(|row| row.account == account.id && *row.source == *address_text(source.addr))
        .ok_or(CommandStatus::ESME_RINVMSGID)
}

/// Cancels one message, or with an empty message_id all that wait between two addresses.
async fn cancel(smpp: &Smpp, account: &Account, body: &[u8]) -> Result<(), CommandStatus> {
    let cancel = CancelSm::decode(body).map_err(|error| error.command_status)?;
    let _alone = smpp.off_path.lock().await;
    if cancel.message_id.is_empty() {
        let (source, destination) = (address_text(cancel.source.addr), address_text(cancel.destination.addr));
        let wanted = |message: &Message| {
            message.row.account == account.id
                && message.row.source == source
                && message.row.destination == destination
        };
        return cancel_queued(smpp, wanted);
    }
    let row = own_message(smpp, account, cancel.message_id, &cancel.source).await?;
    match row.progress.state {
        State::Scheduled => {
            let account = smpp.account(row.account).ok_or(CommandStatus::ESME_RCANCELFAIL)?;
            finish(smpp, Message::new(row, account), State::Deleted, &Ending::default());
            smpp.log.barrier().await;
            Ok(())
        }
        State::Queued => cancel_queued(smpp, |message| message.row.id == row.id),
        // Of a message that we split, nothing may have gone yet.
        State::Split => cancel_parts(smpp, row.id, row.segments),
        State::Submitted
        | State::Uncertain
        | State::Enroute
        | State::Delivered
        | State::Expired
        | State::Deleted
        | State::Undeliverable
        | State::Accepted
        | State::Unknown
        | State::Rejected => Err(CommandStatus::ESME_RCANCELFAIL),
    }
}

fn cancel_queued(smpp: &Smpp, wanted: impl Fn(&Message) -> bool) -> Result<(), CommandStatus> {
    let mut cancelled = 0;
    for vendor in smpp.vendors.load().values() {
        for message in vendor.extract(&wanted) {
            finish(smpp, message, State::Deleted, &Ending::default());
            cancelled += 1;
        }
    }
    if cancelled == 0 { Err(CommandStatus::ESME_RCANCELFAIL) } else { Ok(()) }
}

fn cancel_parts(smpp: &Smpp, parent: i64, parts: u8) -> Result<(), CommandStatus> {
    for vendor in smpp.vendors.load().values() {
        let taken = vendor.extract(|message| message.row.parent == Some(parent));
        if taken.len() == usize::from(parts) {
            for message in taken {
                finish(smpp, message, State::Deleted, &Ending::default());
            }
            return Ok(());
        }
        if !taken.is_empty() {
            vendor.requeue(taken);
        }
    }
    Err(CommandStatus::ESME_RCANCELFAIL)
}

/// Replaces the text of a message that waits; one that we split, or that would have to be split, is not
/// replaced.
async fn replace(smpp: &Smpp, account: &Account, body: &[u8]) -> Result<(), CommandStatus> {
    let replace = ReplaceSm::decode(body).map_err(|error| error.command_status)?;
    let _alone = smpp.off_path.lock().await;
    let row = own_message(smpp, account, replace.message_id, &replace.source).await?;
    if !matches!(row.progress.state, State::Queued | State::Scheduled) {
        return Err(CommandStatus::ESME_RREPLACEFAIL);
    }
    let id = row.id;
    let scheduled = row.progress.state == State::Scheduled;
    let account = smpp.account(row.account).ok_or(CommandStatus::ESME_RREPLACEFAIL)?;
    let message = Message::new(row, account);
    let frame = replaced(&message, &replace).ok_or(CommandStatus::ESME_RREPLACEFAIL)?;
    if !scheduled {
        let vendors = smpp.vendors.load();
        let waits = vendors
            .values()
            .any(|vendor| vendor.queue.lock().modify(id, |message| message.row.frame = Bytes::clone(&frame)));
        if !waits {
            return Err(CommandStatus::ESME_RREPLACEFAIL);
        }
    }
    smpp.log.append(|batch| batch.frames.push((id, frame))).durable().await;
    Ok(())
}

fn replaced(message: &Message, replace: &ReplaceSm<'_>) -> Option<Bytes> {
    let sm = message.sm()?;
    let alphabet = sm.data_coding.alphabet().unwrap_or_else(|| alphabet_of(message.row.alphabet));
    if segment::count(alphabet, replace.short_message) > 1 {
        return None;
    }
    let mut frame = BytesMut::new();
    let replaced = Sm { short_message: replace.short_message, tlvs: smpp::Tlvs::EMPTY, ..sm };
    replaced.encode(CommandId::SUBMIT_SM, 0, &mut frame).ok()?;
    Some(frame.freeze())
}
