//! A vendor's SMSC: takes everything, and sends a receipt a moment later on the bind that brought the message
//! or, when that is gone, on the next one that comes.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;

use bytes::BytesMut;
use parking_lot::Mutex;
use smpp::dlr::{self, Date, MessageState, ReceiptText};
use smpp::pdu::{Sm, SmResp, encode_resp_header};
use smpp::{CommandId, CommandStatus, EsmClass, Tlvs, frame};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::time::{Instant, sleep_until};
use turmoil::net::{TcpListener, TcpStream};

use super::{SharedLedger, VENDOR_PORT};

const RECEIPT_AFTER: Duration = Duration::from_millis(40);
/// Ids long enough that one base is not mistaken for the other, as those of real vendors are.
const FIRST_ID: u64 = 0x00c0_ffee_0000;
const RECEIPT_AGAIN: Duration = Duration::from_secs(5);

/// Receipts to send: when, the vendor's id, the sender and the recipient of the message.
type Receipts = Arc<Mutex<VecDeque<(Instant, u32)>>>;

pub(super) async fn serve(ledger: SharedLedger) -> Result<(), Box<dyn std::error::Error>> {
    let listener = TcpListener::bind(("0.0.0.0", VENDOR_PORT)).await?;
    let receipts = Receipts::default();
    loop {
        let (stream, _) = listener.accept().await?;
        let bind = Bind { stream, ledger: Arc::clone(&ledger), receipts: Arc::clone(&receipts), sequence: 1 };
        tokio::spawn(bind.run());
    }
}

struct Bind {
    stream: TcpStream,
    ledger: SharedLedger,
    receipts: Receipts,
    sequence: u32,
}

impl Bind {
    async fn run(mut self) {
        let (mut input, mut output) = (BytesMut::new(), BytesMut::new());
        loop {
            while let Ok(Some(pdu)) = frame::split(&mut input, 65_536) {
                self.on_pdu(&pdu, &mut output);
            }
            self.send_receipts(&mut output);
            if !output.is_empty() && self.stream.write_all(&output.split()).await.is_err() {
                return;
            }
            let due = self.receipts.lock().front().map(|(at, _)| *at);
            tokio::select! {
                read = self.stream.read_buf(&mut input) => if !matches!(read, Ok(1..)) { return },
                () = sleep_until(due.unwrap_or_else(Instant::now)), if due.is_some() => {}
            }
        }
    }

    fn on_pdu(&self, pdu: &smpp::Frame, output: &mut BytesMut) {
        let header = pdu.header();
        match header.command_id {
            CommandId::SUBMIT_SM => {
                let sm = Sm::decode(pdu.body()).unwrap();
                let number: u32 = std::str::from_utf8(sm.short_message).unwrap().parse().unwrap();
                *self.ledger.lock().reached.entry(number).or_default() += 1;
                let id = format!("{:x}", FIRST_ID + u64::from(number));
                let resp = SmResp { message_id: id.as_bytes(), tlvs: Tlvs::EMPTY };
                let (command_id, status) = (CommandId::SUBMIT_SM_RESP, CommandStatus::ESME_ROK);
                resp.encode(command_id, status, header.sequence_number, output).unwrap();
                self.receipts.lock().push_back((Instant::now() + RECEIPT_AFTER, number));
            }
            CommandId::DELIVER_SM_RESP => {
                // The sequence_number is the number of the message: its receipt is done with.
                let number = header.sequence_number;
                self.receipts.lock().retain(|(_, other)| *other != number);
            }
            other if !other.is_response() => {
                encode_resp_header(other.response(), CommandStatus::ESME_ROK, header.sequence_number, output);
            }
            _ => {}
        }
    }

    /// Sends what is due; until it is acknowledged it is due again later, as vendors do.
    fn send_receipts(&mut self, output: &mut BytesMut) {
        let now = Instant::now();
        loop {
            let mut receipts = self.receipts.lock();
            let Some((_, number)) = receipts.front().copied().filter(|(at, _)| *at <= now) else { return };
            receipts.pop_front();
            receipts.push_back((now + RECEIPT_AGAIN, number));
            drop(receipts);
            self.sequence += 1;
            let date = Date { year: 2026, month: 11, day: 21, hour: 0, minute: 0 };
            let mut text = Vec::new();
            // The receipt names the message in decimal, the response did in hexadecimal.
            let id = (FIRST_ID + u64::from(number)).to_string();
            dlr::write_text(
                &ReceiptText {
                    id: id.as_bytes(),
                    sub: 1,
                    dlvrd: 1,
                    submit: date,
                    done: date,
                    stat: MessageState::Delivered,
                    err: b"000",
                    text: b"",
                },
                &mut text,
            );
            let sm = Sm {
                source: smpp::pdu::Address { ton: 1, npi: 1, addr: b"15550001111" },
                destination: smpp::pdu::Address { ton: 5, npi: 0, addr: b"WARP" },
                esm_class: EsmClass(4),
                short_message: &text,
                ..Sm::default()
            };
            sm.encode(CommandId::DELIVER_SM, number, output).unwrap();
        }
    }
}
