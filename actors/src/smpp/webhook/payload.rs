//! The body of a post: what a deliver_sm says, as JSON.

use bytes::Bytes;
use runtime::log::{OutboxKind, OutboxRow};
use runtime::model::MessageId;
use runtime::seal::to_hex;
use serde_json::{Value, json};
use smpp::dlr::{MessageState, Receipt};
use smpp::pdu::Sm;
use smpp::text;
use smpp::udh::Udh;

use crate::smpp::account::Account;
use crate::smpp::message::{address_text, default_alphabet};
use crate::smpp::receipts::{customer_id, state_of};

/// How a delivery is named: equal in every try of it.
pub(super) fn delivery_id(id: i64) -> String {
    MessageId(id).to_string()
}

/// What is posted; none when the row holds no deliver_sm.
pub(super) fn payload(account: &Account, row: &OutboxRow) -> Option<Bytes> {
    let sm = Sm::decode(&row.body).ok()?;
    let said = match row.kind {
        OutboxKind::Receipt => receipt(&sm)?,
        OutboxKind::Mo => message(account, row, &sm),
    };
    let mut fields = json!({
        "id": delivery_id(row.id),
        "account": account.settings.load().account.system_id.to_string(),
        "at": MessageId(row.id).time(),
    });
    if let (Value::Object(fields), Value::Object(said)) = (&mut fields, said) {
        fields.extend(said);
    }
    serde_json::to_vec(&fields).ok().map(Bytes::from)
}

/// A receipt goes the way back: its source is the destination of the message.
fn receipt(sm: &Sm<'_>) -> Option<Value> {
    let receipt = Receipt::of(sm)?;
    let state = match state_of(receipt.stat) {
        Some(state) => state.name(),
        None if receipt.stat == MessageState::Accepted => "accepted",
        None => "enroute",
    };
    Some(json!({
        "type": "receipt",
        "message_id": String::from_utf8_lossy(receipt.id),
        "from": address_text(sm.destination.addr),
        "to": address_text(sm.source.addr),
        "state": state,
        "error": receipt.err.map(String::from_utf8_lossy),
    }))
}

fn message(account: &Account, row: &OutboxRow, sm: &Sm<'_>) -> Value {
    let octets = sm.text_octets();
    let (header, body) = match Udh::parse(octets) {
        Ok((_, body)) if sm.esm_class.udhi() => octets.split_at(octets.len() - body.len()),
        _ => (&[][..], octets),
    };
    let default = default_alphabet(account.settings.load().account.default_alphabet);
    let alphabet = sm.data_coding.alphabet().unwrap_or(default);
    let readable = !matches!(alphabet, text::Alphabet::Octets);
    json!({
        "type": "message",
        "message_id": customer_id(account, MessageId(row.message)),
        "from": address_text(sm.source.addr),
        "to": address_text(sm.destination.addr),
        "text": readable.then(|| text::decode(alphabet, body)),
        "data": to_hex(body),
        "data_coding": sm.data_coding.0,
        "udh": (!header.is_empty()).then(|| to_hex(header)),
    })
}
