//! A customer's ESME: submits numbers, notes what is acknowledged, takes receipts, comes back when cut off.

use std::collections::HashMap;
use std::time::Duration;

use bytes::BytesMut;
use smpp::dlr::Receipt;
use smpp::pdu::{Address, Bind, BindMode, Sm, SmResp, encode_resp_header};
use smpp::{CommandId, CommandStatus, RegisteredDelivery, frame};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::time::{sleep, timeout};
use turmoil::net::TcpStream;

use super::{MESSAGES, SMPP_PORT, SharedLedger};

const WINDOW: usize = 10;
/// Between submits, so that a run spans the power losses.
const PACE: Duration = Duration::from_millis(20);
/// Silence after which the customer takes the session for dead: a peer that lost its power says nothing.
const SILENCE: Duration = Duration::from_secs(2);

pub(super) async fn submit(ledger: SharedLedger) -> Result<(), Box<dyn std::error::Error>> {
    let mut next = 1;
    while !ledger.lock().is_settled() {
        // A session ends when the node is gone; what was not answered is nobody's promise.
        if let Ok(stream) = TcpStream::connect(("node", SMPP_PORT)).await {
            let mut session =
                Session { stream, ledger: ledger.clone(), waiting: HashMap::new(), sequence: 1 };
            let _ = session.run(&mut next).await;
        }
        sleep(Duration::from_millis(100)).await;
    }
    Ok(())
}

struct Session {
    stream: TcpStream,
    ledger: SharedLedger,
    /// sequence_number to number.
    waiting: HashMap<u32, u32>,
    sequence: u32,
}

impl Session {
    async fn run(&mut self, next: &mut u32) -> std::io::Result<()> {
        let (mut input, mut output) = (BytesMut::new(), BytesMut::new());
        let bind = Bind {
            mode: BindMode::Transceiver,
            system_id: b"acme",
            password: b"secret12",
            system_type: b"",
            interface_version: 0x34,
            address: Address::default(),
        };
        bind.encode(1, &mut output).unwrap();
        let mut bound = false;
        let mut quiet = Duration::ZERO;
        while !self.ledger.lock().is_settled() {
            if bound && *next <= MESSAGES && self.waiting.len() < WINDOW {
                self.submit_one(*next, &mut output);
                *next += 1;
            }
            self.ledger.lock().submitted_all = *next > MESSAGES && self.waiting.is_empty();
            if !output.is_empty() {
                self.stream.write_all(&output.split()).await?;
            }
            match timeout(PACE, self.stream.read_buf(&mut input)).await {
                Ok(read) => {
                    if read? == 0 {
                        return Ok(());
                    }
                    quiet = Duration::ZERO;
                }
                Err(_) if quiet >= SILENCE && !self.waiting.is_empty() => return Ok(()),
                Err(_) => {
                    quiet += PACE;
                    if quiet >= SILENCE {
                        // Nothing is owed to us that we know of; ask whether the node is there.
                        self.sequence += 1;
                        smpp::pdu::encode_request_header(CommandId::ENQUIRE_LINK, self.sequence, &mut output);
                    }
                    if quiet >= SILENCE * 3 {
                        return Ok(());
                    }
                }
            }
            while let Ok(Some(pdu)) = frame::split(&mut input, 65_536) {
                bound |= pdu.header().command_id == CommandId::BIND_TRANSCEIVER_RESP;
                self.on_pdu(&pdu, &mut output);
            }
        }
        Ok(())
    }

    fn submit_one(&mut self, number: u32, output: &mut BytesMut) {
        self.sequence += 1;
        let text = number.to_string();
        let sm = Sm {
            source: Address { ton: 5, npi: 0, addr: b"WARP" },
            destination: Address { ton: 1, npi: 1, addr: b"15550001111" },
            registered_delivery: RegisteredDelivery(1),
            short_message: text.as_bytes(),
            ..Sm::default()
        };
        sm.encode(CommandId::SUBMIT_SM, self.sequence, output).unwrap();
        self.waiting.insert(self.sequence, number);
    }

    fn on_pdu(&mut self, pdu: &smpp::Frame, output: &mut BytesMut) {
        let header = pdu.header();
        match header.command_id {
            CommandId::SUBMIT_SM_RESP => {
                let Some(number) = self.waiting.remove(&header.sequence_number) else { return };
                if header.command_status == CommandStatus::ESME_ROK {
                    let resp = SmResp::decode(pdu.body()).unwrap();
                    let id = String::from_utf8(resp.message_id.to_vec()).unwrap();
                    self.ledger.lock().acknowledged.insert(number, id);
                }
            }
            CommandId::DELIVER_SM => {
                let sm = Sm::decode(pdu.body()).unwrap();
                let receipt = Receipt::of(&sm).unwrap();
                let id = String::from_utf8(receipt.id.to_vec()).unwrap();
                *self.ledger.lock().receipts.entry(id).or_default() += 1;
                let (command_id, status) = (CommandId::DELIVER_SM_RESP, CommandStatus::ESME_ROK);
                SmResp::default().encode(command_id, status, header.sequence_number, output).unwrap();
            }
            other if !other.is_response() => {
                encode_resp_header(other.response(), CommandStatus::ESME_ROK, header.sequence_number, output);
            }
            _ => {}
        }
    }
}
