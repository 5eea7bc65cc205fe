//! Requests of a customer that bring or manage messages.

use std::sync::Arc;
use std::sync::atomic::Ordering;

use bytes::BytesMut;
use smpp::pdu::{DataSm, Destination, Sm, SmResp, SubmitMulti, SubmitMultiResp, Unsuccess, Unsuccesses};
use smpp::{CommandStatus, Frame};
use tokio::time::Instant;

use super::serve::{Promise, Reply, Serve};
use crate::smpp::accept::{self, Accepted, Beside, Sender};
use crate::smpp::manage;
use crate::smpp::receipts::customer_id;

impl Serve {
    pub(super) fn on_submit_sm(&mut self, frame: &Frame) {
        let taken = Sm::decode(frame.body()).map_err(|error| error.command_status).and_then(|sm| {
            let settings = self.account.settings.load();
            let sender = Sender { account: self.account.shared(), settings: &settings };
            accept::submit(&self.smpp, sender, frame, &sm)
        });
        self.on_taken(frame, taken);
    }

    /// data_sm (4.7) is a message without the fields of store and forward.
    pub(super) fn on_data_sm(&mut self, frame: &Frame) {
        let taken = DataSm::decode(frame.body()).map_err(|error| error.command_status).and_then(|data| {
            let settings = self.account.settings.load();
            let sender = Sender { account: self.account.shared(), settings: &settings };
            accept::submit_made(&self.smpp, sender, &as_submit(&data), Beside::default())
        });
        self.on_taken(frame, taken);
    }

    fn on_taken(&mut self, frame: &Frame, taken: Result<Accepted, CommandStatus>) {
        let header = frame.header();
        match taken {
            Ok(Accepted { id, ticket, .. }) => {
                self.count_submitted();
                let command_id = header.command_id.response();
                let reply = Reply::Accepted { command_id, sequence_number: header.sequence_number, id };
                self.promised.push_back(Promise { ticket, reply });
            }
            Err(status) => self.refuse(frame, status),
        }
    }

    fn count_submitted(&self) {
        self.counters.submitted.fetch_add(1, Ordering::Relaxed);
        self.account.submit_sm.inc();
    }

    /// submit_multi (4.5): one message for each destination, one id for all of them, also in their
    /// receipts: that of the first.
    /// Distribution lists are ours to keep and there are none.
    pub(super) fn on_submit_multi(&mut self, frame: &Frame) {
        let multi = match SubmitMulti::decode(frame.body()) {
            Ok(multi) => multi,
            Err(error) => return self.refuse(frame, error.command_status),
        };
        let settings = self.account.settings.load_full();
        let mut unsuccesses = BytesMut::new();
        let mut accepted: Vec<Accepted> = Vec::new();
        let mut failed = 0_u8;
        for destination in multi.destinations.iter() {
            let (address, taken) = match destination {
                Destination::Address(address) => {
                    let sender = Sender { account: self.account.shared(), settings: &settings };
                    let beside =
                        Beside { answered_as: accepted.first().map(|first| first.id), ..Beside::default() };
                    (address, accept::submit_made(&self.smpp, sender, &one_of(&multi, address), beside))
                }
                Destination::DistributionList(_) => (Default::default(), Err(CommandStatus::ESME_RINVDLNAME)),
            };
            match taken {
                Ok(taken) => accepted.push(taken),
                Err(status) => {
                    let written = smpp::pdu::write_unsuccess(
                        &Unsuccess { address, command_status: status },
                        &mut unsuccesses,
                    );
                    failed = failed.saturating_add(u8::from(written.is_ok()));
                }
            }
        }
        let (Some(first), Some(last)) = (accepted.first(), accepted.last()) else {
            return self.refuse(frame, CommandStatus::ESME_RSUBMITFAIL);
        };
        let id = customer_id(self.account.shared(), first.id);
        let resp = SubmitMultiResp {
            message_id: id.as_bytes(),
            unsuccesses: Unsuccesses::parse(failed, &unsuccesses).unwrap_or_default(),
            tlvs: smpp::Tlvs::EMPTY,
        };
        let mut made = BytesMut::new();
        // The id is ours and the list was written by its own writer.
        let _ = resp.encode(CommandStatus::ESME_ROK, frame.header().sequence_number, &mut made);
        self.promised.push_back(Promise { ticket: last.ticket.clone(), reply: Reply::Made(made) });
        self.count_submitted();
    }

    /// Each costs a segment of the account's rate: they read the log and search queues.
    pub(super) fn on_manage(&mut self, frame: &Frame) {
        let settings = self.account.settings.load_full();
        if !self.account.take(&settings, 1, Instant::now()) {
            self.smpp.metrics.rate_limit_exceeded.with_label_values(&["customer"]).inc();
            return self.refuse(frame, CommandStatus::ESME_RTHROTTLED);
        }
        if self.is_managing_too_much() {
            return self.refuse(frame, CommandStatus::ESME_RTHROTTLED);
        }
        let request =
            manage::answer(Arc::clone(&self.smpp), Arc::clone(self.account.shared()), frame.clone());
        self.managing.push(Box::pin(request));
    }

    pub(super) fn answer(&mut self, reply: Reply) {
        match reply {
            Reply::Accepted { command_id, sequence_number, id } => {
                let id = customer_id(self.account.shared(), id);
                let resp = SmResp { message_id: id.as_bytes(), tlvs: smpp::Tlvs::EMPTY };
                // Our ids are shorter than the field.
                let _ = resp.encode(
                    command_id,
                    CommandStatus::ESME_ROK,
                    sequence_number,
                    &mut self.connection.output,
                );
            }
            Reply::Made(pdu) => self.connection.output.extend_from_slice(&pdu),
        }
    }
}

fn as_submit<'a>(data: &DataSm<'a>) -> Sm<'a> {
    Sm {
        service_type: data.service_type,
        source: data.source,
        destination: data.destination,
        esm_class: data.esm_class,
        registered_delivery: data.registered_delivery,
        data_coding: data.data_coding,
        tlvs: data.tlvs,
        ..Sm::default()
    }
}

fn one_of<'a>(multi: &SubmitMulti<'a>, destination: smpp::pdu::Address<'a>) -> Sm<'a> {
    Sm {
        service_type: multi.service_type,
        source: multi.source,
        destination,
        esm_class: multi.esm_class,
        protocol_id: multi.protocol_id,
        priority_flag: multi.priority_flag,
        schedule_delivery_time: multi.schedule_delivery_time,
        validity_period: multi.validity_period,
        registered_delivery: multi.registered_delivery,
        replace_if_present: multi.replace_if_present,
        data_coding: multi.data_coding,
        sm_default_msg_id: multi.sm_default_msg_id,
        short_message: multi.short_message,
        tlvs: multi.tlvs,
    }
}
