use std::collections::HashSet;

use smpp::pdu::{Bind, BindMode, Sm, SmResp};
use smpp::{CommandId, CommandStatus, Frame, RegisteredDelivery};

use super::*;

/// A connection driven by hand.
struct Peer(Wire);

impl Peer {
    async fn connect(smsc: &Smsc) -> Self {
        Self(Wire::new(net::connect(smsc.addr).await.unwrap(), true).unwrap())
    }

    async fn bound(smsc: &Smsc, mode: BindMode) -> Self {
        let mut peer = Self::connect(smsc).await;
        peer.bind(mode, b"secret");
        let frame = peer.next().await.unwrap();
        assert_eq!(frame.header().command_status, CommandStatus::ESME_ROK);
        peer
    }

    fn bind(&mut self, mode: BindMode, password: &[u8]) {
        let bind = Bind {
            mode,
            system_id: b"node",
            password,
            system_type: b"",
            interface_version: 0x34,
            address: smpp::pdu::Address::default(),
        };
        bind.encode(1, &mut self.0.out).unwrap();
    }

    fn submit(&mut self, sequence_number: u32) {
        let sm = Sm { registered_delivery: RegisteredDelivery::ALWAYS, ..Sm::default() };
        sm.encode(CommandId::SUBMIT_SM, sequence_number, &mut self.0.out).unwrap();
    }

    /// The next PDU; `None` when the SMSC closed.
    async fn next(&mut self) -> Option<Frame> {
        loop {
            if let Some(frame) = self.0.next_frame().unwrap() {
                return Some(frame);
            }
            if !self.0.turn(None, std::future::pending()).await.unwrap() {
                return None;
            }
        }
    }
}

async fn smsc(options: SmscOptions) -> Smsc {
    let credentials = Some(("node".to_owned(), "secret".to_owned()));
    Smsc::start(SmscOptions { credentials, ..options }, Arc::new(Ledger::new(1, true))).await.unwrap()
}

#[tokio::test]
async fn wrong_password_and_second_bind_are_refused() {
    let smsc = smsc(SmscOptions::default()).await;
    let mut peer = Peer::connect(&smsc).await;
    peer.bind(BindMode::Transceiver, b"wrong");
    assert_eq!(peer.next().await.unwrap().header().command_status, CommandStatus::ESME_RINVPASWD);
    let mut peer = Peer::bound(&smsc, BindMode::Transceiver).await;
    peer.bind(BindMode::Transceiver, b"secret");
    assert_eq!(peer.next().await.unwrap().header().command_status, CommandStatus::ESME_RALYBND);
}

#[tokio::test]
async fn a_receiver_may_not_submit() {
    let smsc = smsc(SmscOptions::default()).await;
    let mut peer = Peer::bound(&smsc, BindMode::Receiver).await;
    peer.submit(7);
    let header = peer.next().await.unwrap().header();
    assert_eq!((header.sequence_number, header.command_status), (7, CommandStatus::ESME_RINVBNDSTS));
}

#[tokio::test]
async fn receipts_come_on_the_receiver_of_a_pair_with_the_id_of_the_answer() {
    for format in [IdFormat::Hex, IdFormat::HexPadded, IdFormat::Decimal, IdFormat::Uuid] {
        let smsc =
            smsc(SmscOptions { answer_id: format, receipt_id: format, ..SmscOptions::default() }).await;
        let mut receiver = Peer::bound(&smsc, BindMode::Receiver).await;
        let mut transmitter = Peer::bound(&smsc, BindMode::Transmitter).await;
        transmitter.submit(3);
        let answer = transmitter.next().await.unwrap();
        let id = SmResp::decode(answer.body()).unwrap().message_id.to_vec();
        let receipt = receiver.next().await.unwrap();
        let sm = Sm::decode(receipt.body()).unwrap();
        assert!(sm.esm_class.is_delivery_receipt());
        let by_tlv = smpp::dlr::Receipt::of(&sm).unwrap();
        let by_text = smpp::dlr::Receipt::parse(sm.short_message).unwrap();
        assert_eq!((by_tlv.id, by_text.id), (id.as_slice(), id.as_slice()), "{format:?}");
        assert_eq!(by_text.stat, smpp::dlr::MessageState::Delivered);
    }
}

#[tokio::test]
async fn unanswered_receipts_come_again_on_another_bind() {
    let smsc = smsc(SmscOptions::default()).await;
    let mut first = Peer::bound(&smsc, BindMode::Transceiver).await;
    first.submit(1);
    let mut before = HashSet::new();
    while before.len() < 2 {
        before.insert(first.next().await.unwrap().header().command_id);
    }
    assert!(before.contains(&CommandId::DELIVER_SM));
    drop(first);
    let mut second = Peer::bound(&smsc, BindMode::Transceiver).await;
    assert_eq!(second.next().await.unwrap().header().command_id, CommandId::DELIVER_SM);
}

#[tokio::test]
async fn the_drop_fault_answers_all_but_the_last() {
    let smsc = smsc(SmscOptions { drop_every: 3, receipt_share: 0.0, ..SmscOptions::default() }).await;
    let mut peer = Peer::bound(&smsc, BindMode::Transceiver).await;
    (1..=5).for_each(|sequence_number| peer.submit(sequence_number));
    let mut answered = Vec::new();
    while let Some(frame) = peer.next().await {
        answered.push(frame.header().sequence_number);
    }
    assert_eq!(answered, [1, 2]);
    assert_eq!(smsc.counters.taken.load(Ordering::Relaxed), 3);
    assert_eq!(smsc.counters.drops.load(Ordering::Relaxed), 1);
}

#[tokio::test]
async fn enquire_link_unbind_and_nonsense_are_answered() {
    let smsc = smsc(SmscOptions::default()).await;
    let mut peer = Peer::bound(&smsc, BindMode::Transceiver).await;
    for (request, response, status) in [
        (CommandId::ENQUIRE_LINK, CommandId::ENQUIRE_LINK_RESP, CommandStatus::ESME_ROK),
        (CommandId(0x99), CommandId::GENERIC_NACK, CommandStatus::ESME_RINVCMDID),
        (CommandId::QUERY_SM, CommandId::QUERY_SM_RESP, CommandStatus::ESME_RSYSERR),
        (CommandId::UNBIND, CommandId::UNBIND_RESP, CommandStatus::ESME_ROK),
    ] {
        smpp::pdu::encode_request_header(request, 9, &mut peer.0.out);
        let header = peer.next().await.unwrap().header();
        assert_eq!((header.command_id, header.command_status, header.sequence_number), (response, status, 9));
    }
    assert!(peer.next().await.is_none());
}

#[test]
fn shares_are_kept() {
    for share in [0.0, 0.1, 0.5, 0.95, 1.0] {
        let hit = (0..100_000).filter(|id| falls_to(share, *id, 2)).count();
        let expected = share * 100_000.0;
        assert!((hit as f64 - expected).abs() < 1_000.0, "{share}: {hit}");
    }
}

#[test]
fn id_formats() {
    let written = |format: IdFormat, number| {
        let mut out = b"old".to_vec();
        format.write(number, &mut out);
        String::from_utf8(out).unwrap()
    };
    assert_eq!(written(IdFormat::Hex, 0xAB), "ab");
    assert_eq!(written(IdFormat::HexPadded, 0xAB), "00000000000000AB");
    assert_eq!(written(IdFormat::Decimal, 171), "171");
    let uuid = written(IdFormat::Uuid, 171);
    assert_eq!(uuid.len(), 36);
    assert_ne!(uuid, written(IdFormat::Uuid, 172));
}
