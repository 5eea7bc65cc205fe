//! What comes from the vendor: delivery receipts and mobile originated messages.

use std::sync::Arc;
use std::sync::atomic::Ordering;

use bytes::Bytes;
use runtime::log::{ParkedRow, Ticket};
use smpp::dlr::Receipt;
use smpp::pdu::{DataSm, Sm};
use smpp::{CommandId, CommandStatus, Frame};

use super::serve::{Acknowledgement, Serve};
use crate::smpp::dlr_tracker::Parked;
use crate::smpp::message::own;
use crate::smpp::mo;
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
