//! What comes from the vendor: delivery receipts and mobile originated messages.

use std::sync::Arc;
use std::sync::atomic::Ordering;

use bytes::Bytes;
use runtime::log::{ParkedRow, Ticket};
use smpp::dlr::Receipt;
use smpp::pdu::{DataSm, Sm};
use smpp::text::{self, Alphabet};
use smpp::{CommandId, CommandStatus, DataCoding, Frame};

use super::serve::{Acknowledgement, Serve};
use crate::smpp::dlr_tracker::Parked;
use crate::smpp::message::own;
use crate::smpp::mo;
use crate::smpp::prepare::SHORT_MESSAGE_MAX;
use crate::smpp::receipt_index::Found;
use crate::smpp::receipts::{self, Ending, finish};
use crate::smpp::vendor::Vendor;

impl Serve {
    pub(super) fn on_deliver_sm(&mut self, frame: &Frame) {
        match Sm::decode(frame.body()) {
            Ok(sm) => self.on_sm(frame, &sm, own(&frame.bytes().slice(smpp::HEADER_LEN..))),
            Err(error) => self.refuse(frame, error.command_status),
        }
    }

    /// A vendor may deliver by data_sm (4.7); it is taken as the deliver_sm that it could have been.
    pub(super) fn on_data_sm(&mut self, frame: &Frame) {
        let data = match DataSm::decode(frame.body()) {
            Ok(data) => data,
            Err(error) => return self.refuse(frame, error.command_status),
        };
        let sm = Sm {
            service_type: data.service_type,
            source: data.source,
            destination: data.destination,
            esm_class: data.esm_class,
            registered_delivery: data.registered_delivery,
            data_coding: data.data_coding,
            tlvs: data.tlvs,
            ..Sm::default()
        };
        match receipts::encode_body(&sm) {
            Ok(body) => self.on_sm(frame, &sm, body),
            Err(error) => self.refuse(frame, receipts::unfit(&error)),
        }
    }

    fn on_sm(&mut self, frame: &Frame, sm: &Sm<'_>, body: Bytes) {
        if let Some(text) = receipt_in_ascii(sm) {
            let plain = Sm { short_message: &text, data_coding: DataCoding(1), ..*sm };
            if let Ok(body) = receipts::encode_body(&plain) {
                return self.on_sm(frame, &plain, body);
            }
        }
        self.vendor.metrics.deliver_sm.inc();
        let ticket = if let Some(receipt) = Receipt::of(sm) {
            self.on_receipt(sm, &receipt, body)
        } else if sm.esm_class.is_delivery_receipt() {
            // A receipt that names no message or no state tells nobody anything; the vendor is to forget it.
            self.smpp.metrics.dlr_orphaned.inc();
            None
        } else {
            match mo::accept(&self.smpp, sm, (&body, self.vendor.id)) {
                Ok(ticket) => Some(ticket),
                Err(status) => return self.refuse(frame, status),
            }
        };
        let header = frame.header();
        let command_id = header.command_id.response();
        match ticket {
            Some(ticket) => self.unacknowledged.push_back(Acknowledgement {
                ticket,
                command_id,
                sequence_number: header.sequence_number,
            }),
            None => self.answer_at_once(command_id, header.sequence_number),
        }
    }

    fn on_receipt(&self, sm: &Sm<'_>, receipt: &Receipt<'_>, body: Bytes) -> Option<Ticket> {
        Vendor::count(&self.vendor.counters.dlrs);
        self.face.receipts.fetch_add(1, Ordering::Relaxed);
        self.vendor.metrics.dlr_received.inc();
        let found = self.smpp.receipts.find(&self.vendor, (receipt.id, sm.source.addr), false);
        let Some(Found { hash, message }) = found else { return Some(self.park(receipt, body)) };
        self.smpp.metrics.dlr_hits.inc();
        let ending = ending(receipt);
        match receipts::state_of(receipt.stat) {
            Some(state) => Some(finish(&self.smpp, message, state, &ending)),
            None => {
                let ticket = receipts::notify(&self.smpp, &message, receipt.stat, &ending);
                self.smpp.receipts.insert(hash, message);
                ticket
            }
        }
    }

    /// No message is known for the receipt, yet or any more in memory: durable first, then searched for.
    fn park(&self, receipt: &Receipt<'_>, body: Bytes) -> Ticket {
        self.smpp.metrics.dlr_parked.inc();
        let now = self.smpp.now();
        let row = ParkedRow {
            id: self.smpp.next_id(now).0,
            vendor: self.vendor.id,
            received_at: now.micros(),
            body,
        };
        let ticket = self.smpp.log.append(|batch| batch.parked.push(row.clone()));
        let parked = Parked::new(row, receipt.id);
        for hash in &parked.hashes {
            self.smpp.receipts.park(*hash, parked.row.id);
        }
        self.smpp.tracker.park(parked);
        ticket
    }

    fn refuse(&mut self, frame: &Frame, status: CommandStatus) {
        let header = frame.header();
        self.smpp.metrics.malformed.with_label_values(&[status.name().unwrap_or("vendor")]).inc();
        self.respond(header.command_id.response(), status, header.sequence_number);
    }

    fn answer_at_once(&mut self, command_id: CommandId, sequence_number: u32) {
        let resp = smpp::pdu::SmResp { message_id: &[], tlvs: smpp::Tlvs::EMPTY };
        // An empty message_id always fits.
        let _ =
            resp.encode(command_id, CommandStatus::ESME_ROK, sequence_number, &mut self.connection.output);
    }
}

/// The text of a receipt that a vendor wrote in UCS2. All that Appendix B asks for is ASCII; some vendors send
/// their receipts in the coding of the message.
fn receipt_in_ascii(sm: &Sm<'_>) -> Option<Vec<u8>> {
    let is_ucs2 = sm.data_coding.alphabet() == Some(Alphabet::Ucs2);
    if !is_ucs2 || !sm.esm_class.is_delivery_receipt() || Receipt::of(sm).is_some() {
        return None;
    }
    let mut text = text::encode_lossy(Alphabet::Ascii, &text::decode(Alphabet::Ucs2, sm.text_octets()));
    text.truncate(SHORT_MESSAGE_MAX);
    Some(text)
}

/// Octets kept of a vendor's error code.
const ERROR_MAX: usize = 16;

/// What a vendor's receipt says of the end. Of its error code what is graphic ASCII: a NUL is no text for
/// PostgreSQL, and a space would end the field in the customer's receipt.
pub(crate) fn ending(receipt: &Receipt<'_>) -> Ending {
    let err = receipt.err.unwrap_or_default();
    let code: String = err
        .iter()
        .filter(|octet| octet.is_ascii_graphic())
        .take(ERROR_MAX)
        .map(|octet| char::from(*octet))
        .collect();
    let error = (!code.is_empty()).then(|| Arc::from(code));
    let network_error = receipt.network_error.map(|network| {
        let [high, low] = network.code.to_be_bytes();
        [network.network_type, high, low]
    });
    Ending { error, network_error }
}

#[cfg(test)]
mod tests {
    use smpp::EsmClass;

    use super::*;

    #[test]
    fn a_receipt_in_ucs2_is_read_in_ascii() {
        let ascii =
            "id:7f3a sub:001 dlvrd:001 submit date:2611211000 done date:2611211001 stat:DELIVRD err:000";
        let ucs2 = text::encode(Alphabet::Ucs2, &format!("{ascii} text:\u{43f}\u{440}")).unwrap();
        let receipt =
            Sm { esm_class: EsmClass(4), data_coding: DataCoding(8), short_message: &ucs2, ..Sm::default() };
        assert!(Receipt::of(&receipt).is_none());
        let read = receipt_in_ascii(&receipt).unwrap();
        assert_eq!(read, format!("{ascii} text:??").as_bytes());
        let plain = Sm { short_message: &read, data_coding: DataCoding(1), ..receipt };
        assert_eq!(Receipt::of(&plain).unwrap().id, b"7f3a");
        assert!(receipt_in_ascii(&plain).is_none());
        // A coding that its text belies, and a subscriber's message.
        assert!(receipt_in_ascii(&Sm { short_message: ascii.as_bytes(), ..receipt }).is_none());
        assert!(receipt_in_ascii(&Sm { esm_class: EsmClass(0), ..receipt }).is_none());
    }
}
