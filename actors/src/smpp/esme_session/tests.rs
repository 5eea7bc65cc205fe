use std::time::Duration;

use bytes::BytesMut;
use runtime::log::{self, Disk, OutboxKind, OutboxRow};
use runtime::model::{CustomerConfig, Messaging};
use runtime::supervision::Shutdown;
use smpp::pdu::{
    Address, Destination, Destinations, Sm, SubmitMulti, SubmitMultiResp, encode_request_header,
    encode_resp_header,
};
use smpp::{CommandId, CommandStatus, Frame, RegisteredDelivery, frame};
use tokio::io::{AsyncReadExt, AsyncWriteExt, DuplexStream, duplex};
use tokio::time::timeout;
use uuid::Uuid;

use super::*;
use crate::smpp::message;
use crate::smpp::message_router::install;
use crate::smpp::receipts::{Ending, encode_body, finish, owe};
use crate::smpp::testing;

/// A customer's end of a session.
struct Peer {
    stream: DuplexStream,
    input: BytesMut,
}

fn bound(smpp: &Arc<Smpp>, mode: BindMode) -> (Serve, DuplexStream) {
    let (ours, stream) = duplex(64 * 1024);
    let account = smpp.accounts.load().by_system_id("acme").cloned().unwrap();
    let bound = Bound {
        connection: Connection::new(Box::new(ours), 65_536),
        account: BoundAccount::take(account).unwrap(),
        mode,
        peer: ([127, 0, 0, 1], 1).into(),
    };
    (Serve::new(Arc::clone(smpp), bound, Arc::default()), stream)
}

impl Peer {
    fn bind(smpp: &Arc<Smpp>, mode: BindMode) -> Self {
        let (serve, stream) = bound(smpp, mode);
        tokio::spawn(serve.run(Shutdown::new()));
        Self { stream, input: BytesMut::new() }
    }

    async fn send(&mut self, write: impl FnOnce(&mut BytesMut)) {
        let mut output = BytesMut::new();
        write(&mut output);
        self.stream.write_all(&output).await.unwrap();
    }

    async fn request(&mut self, command_id: CommandId, sequence_number: u32) {
        self.send(|output| encode_request_header(command_id, sequence_number, output)).await;
    }

    async fn submit(&mut self, sequence_number: u32) {
        let sm = Sm {
            destination: Address { ton: 1, npi: 1, addr: b"15550001111" },
            short_message: b"hello",
            ..Sm::default()
        };
        self.send(|output| sm.encode(CommandId::SUBMIT_SM, sequence_number, output).unwrap()).await;
    }

    async fn refuse(&mut self, sequence_number: u32, status: CommandStatus) {
        self.send(|output| encode_resp_header(CommandId::DELIVER_SM_RESP, status, sequence_number, output))
            .await;
    }

    /// The next PDU; None at the end of the stream.
    async fn next_frame(&mut self) -> Option<Frame> {
        loop {
            if let Some(frame) = frame::split(&mut self.input, 65_536).unwrap() {
                return Some(frame);
            }
            if self.stream.read_buf(&mut self.input).await.unwrap() == 0 {
                return None;
            }
        }
    }

    /// Command and sequence_number of the next PDU; None at the end of the stream.
    async fn next(&mut self) -> Option<(CommandId, u32)> {
        self.next_frame().await.map(|frame| (frame.header().command_id, frame.header().sequence_number))
    }

    async fn is_silent(&mut self, within: Duration) -> bool {
        timeout(within, self.next()).await.is_err()
    }

    /// Takes deliveries, and everything else in its stride, until nothing comes; how many.
    async fn take_all(&mut self) -> usize {
        let mut taken = 0;
        while let Ok(Some((command_id, sequence_number))) =
            timeout(Duration::from_secs(20), self.next()).await
        {
            taken += usize::from(command_id == CommandId::DELIVER_SM);
            self.refuse(sequence_number, CommandStatus::ESME_ROK).await;
        }
        taken
    }
}

fn owed(smpp: &Arc<Smpp>) {
    let account = smpp.accounts.load().by_system_id("acme").cloned().unwrap();
    let row = OutboxRow {
        id: smpp.next_id(smpp.now()).0,
        account: account.id,
        message: 1,
        kind: OutboxKind::Mo,
        spilled: false,
        expires_at: i64::MAX,
        body: encode_body(&Sm::default()).unwrap(),
    };
    let _ticket = owe(smpp, &account, row);
}

fn node() -> (Arc<Smpp>, Disk) {
    testing::smpp(testing::config())
}

fn dropped(smpp: &Smpp, reason: &str) -> u64 {
    smpp.metrics.deliveries_dropped.with_label_values(&[reason]).get()
}

#[tokio::test(start_paused = true)]
async fn unbind_is_answered_after_everything_else() {
    let (smpp, _disk) = node();
    let mut peer = Peer::bind(&smpp, BindMode::Transceiver);
    owed(&smpp);
    peer.submit(1).await;
    peer.submit(2).await;
    peer.request(CommandId::UNBIND, 3).await;
    assert!(peer.is_silent(Duration::from_millis(100)).await);
    testing::commit(&smpp);
    for expected in
        [(CommandId::SUBMIT_SM_RESP, 1), (CommandId::SUBMIT_SM_RESP, 2), (CommandId::UNBIND_RESP, 3)]
    {
        assert_eq!(peer.next().await, Some(expected));
    }
    assert_eq!(peer.next().await, None, "no deliver_sm after an unbind");
}

#[tokio::test(start_paused = true)]
async fn a_log_that_stalls_ends_no_session() {
    let (smpp, _disk) = node();
    let mut peer = Peer::bind(&smpp, BindMode::Transceiver);
    for sequence_number in 1..=10 {
        peer.submit(sequence_number).await;
    }
    peer.request(CommandId::ENQUIRE_LINK, 11).await;
    assert_eq!(peer.next().await, Some((CommandId::ENQUIRE_LINK_RESP, 11)));
    peer.submit(12).await;
    peer.submit(13).await;
    assert!(peer.is_silent(Duration::from_secs(200)).await, "its window is full and its log stands still");
    testing::commit(&smpp);
    for sequence_number in (1..=10).chain([12, 13]) {
        assert_eq!(peer.next().await, Some((CommandId::SUBMIT_SM_RESP, sequence_number)));
    }
}

#[tokio::test(start_paused = true)]
async fn half_a_pdu_still_ends_a_session() {
    let (smpp, _disk) = node();
    let mut peer = Peer::bind(&smpp, BindMode::Transmitter);
    peer.send(|output| output.extend_from_slice(&[0, 0, 0, 20, 0])).await;
    assert_eq!(peer.next().await, Some((CommandId::GENERIC_NACK, 0)));
    assert_eq!(peer.next().await, None);
}

#[tokio::test(start_paused = true)]
async fn a_refused_delivery_is_tried_again_and_given_up_at_last() {
    let (smpp, disk) = node();
    testing::commit(&smpp);
    for (status, tries) in [(CommandStatus::ESME_RUNKNOWNERR, 4), (CommandStatus::ESME_RX_P_APPN, 1)] {
        let before = dropped(&smpp, "refused");
        let mut peer = Peer::bind(&smpp, BindMode::Receiver);
        owed(&smpp);
        for _ in 0..tries {
            let (command_id, sequence_number) = peer.next().await.unwrap();
            assert_eq!(command_id, CommandId::DELIVER_SM);
            peer.refuse(sequence_number, status).await;
        }
        assert!(peer.is_silent(Duration::from_secs(25)).await);
        assert_eq!(dropped(&smpp, "refused") - before, 1);
        assert!(disk.outbox_rows().is_empty());
    }
}

#[tokio::test(start_paused = true)]
async fn a_customer_that_refuses_a_whole_window_gets_it_again_and_then_the_rest() {
    let (smpp, disk) = node();
    testing::commit(&smpp);
    let mut peer = Peer::bind(&smpp, BindMode::Receiver);
    for _ in 0..12 {
        owed(&smpp);
    }
    for _ in 0..10 {
        let (_, sequence_number) = peer.next().await.unwrap();
        peer.refuse(sequence_number, CommandStatus::ESME_RUNKNOWNERR).await;
    }
    assert!(peer.is_silent(Duration::from_millis(500)).await, "it seems to refuse everything");
    assert_eq!(peer.take_all().await, 12);
    assert!(disk.outbox_rows().is_empty());
}

#[tokio::test(start_paused = true)]
async fn an_absent_customer_gets_the_newest_of_what_was_kept() {
    let limits = CustomerConfig { customer: Uuid::from_u128(1), throughput: 0, outbox_max: 300 };
    let (smpp, disk) = testing::smpp(Messaging { customer_configs: vec![limits], ..testing::config() });
    testing::commit(&smpp);
    let loader = crate::smpp::outbox_loader::load(Arc::clone(&smpp));
    tokio::spawn(loader);
    for _ in 0..1000 {
        owed(&smpp);
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
    tokio::time::sleep(Duration::from_secs(1)).await;
    let account = smpp.accounts.load().by_system_id("acme").cloned().unwrap();
    assert_eq!((disk.outbox_rows().len(), dropped(&smpp, "full")), (300, 700));
    assert!(account.outbox.depth() <= 300);
    let mut peer = Peer::bind(&smpp, BindMode::Receiver);
    assert_eq!(peer.take_all().await, 300);
    assert!(disk.outbox_rows().is_empty());
}

#[tokio::test(start_paused = true)]
async fn what_a_session_leaves_goes_to_the_log_and_comes_back() {
    let (smpp, disk) = node();
    testing::commit(&smpp);
    tokio::spawn(crate::smpp::outbox_loader::load(Arc::clone(&smpp)));
    let mut peer = Peer::bind(&smpp, BindMode::Receiver);
    tokio::time::sleep(Duration::from_millis(10)).await;
    for _ in 0..400 {
        owed(&smpp);
    }
    assert_eq!(peer.next().await.map(|(command_id, _)| command_id), Some(CommandId::DELIVER_SM));
    drop(peer);
    tokio::time::sleep(Duration::from_secs(1)).await;
    let account = smpp.accounts.load().by_system_id("acme").cloned().unwrap();
    assert_eq!(account.outbox.depth(), crate::smpp::outbox::ABSENT_MAX);
    assert_eq!(disk.outbox_rows().iter().filter(|row| row.spilled).count(), 300);
    let mut peer = Peer::bind(&smpp, BindMode::Receiver);
    assert_eq!(peer.take_all().await, 400);
    assert!(disk.outbox_rows().is_empty());
}

#[tokio::test(start_paused = true)]
async fn sessions_of_a_removed_account_are_unbound() {
    let (smpp, _disk) = node();
    let mut bound_before = Peer::bind(&smpp, BindMode::Transceiver);
    assert!(bound_before.is_silent(Duration::from_millis(1)).await);
    let (serve, stream) = bound(&smpp, BindMode::Transceiver);
    install(&smpp, Messaging { accounts: Vec::new(), ..testing::config() });
    assert_eq!(bound_before.next().await.map(|(command_id, _)| command_id), Some(CommandId::UNBIND));
    let mut bound_meanwhile = Peer { stream, input: BytesMut::new() };
    tokio::spawn(serve.run(Shutdown::new()));
    assert_eq!(bound_meanwhile.next().await.map(|(command_id, _)| command_id), Some(CommandId::UNBIND));
}

#[tokio::test(start_paused = true)]
async fn management_takes_from_the_accounts_rate() {
    let mut config = testing::config();
    config.accounts[0].throughput = 1;
    let (smpp, _disk) = testing::smpp(config);
    testing::commit(&smpp);
    let mut peer = Peer::bind(&smpp, BindMode::Transmitter);
    for (sequence_number, status) in [(1, CommandStatus::ESME_RINVMSGID), (2, CommandStatus::ESME_RTHROTTLED)]
    {
        let query = smpp::pdu::QuerySm { message_id: b"1", source: Address::default() };
        peer.send(|output| query.encode(sequence_number, output).unwrap()).await;
        let mut header = [0; 16];
        peer.stream.read_exact(&mut header).await.unwrap();
        assert_eq!(header[8..12], status.0.to_be_bytes());
    }
}

#[tokio::test]
async fn an_idle_session_is_small() {
    let (smpp, _disk) = node();
    let (serve, _stream) = bound(&smpp, BindMode::Transceiver);
    let state = size_of_val(&serve);
    let task = size_of_val(&serve.run(Shutdown::new()));
    assert!(state < 1024 && task < 4096, "state {state}, task {task}");
}

#[tokio::test(start_paused = true)]
async fn receipts_of_every_destination_carry_the_id_that_submit_multi_was_answered() {
    let (smpp, disk) = testing::smpp(testing::config());
    testing::commit(&smpp);
    let mut peer = Peer::bind(&smpp, BindMode::Transceiver);
    let mut destinations = BytesMut::new();
    for addr in [&b"15550001111"[..], b"15550002222", b"15550003333"] {
        let address = Address { ton: 1, npi: 1, addr };
        smpp::pdu::write_destination(&Destination::Address(address), &mut destinations).unwrap();
    }
    let multi = SubmitMulti {
        destinations: Destinations::parse(3, &destinations).unwrap(),
        registered_delivery: RegisteredDelivery(1),
        short_message: b"hello",
        ..SubmitMulti::default()
    };
    peer.send(|output| multi.encode(7, output).unwrap()).await;
    let answer = peer.next_frame().await.unwrap();
    let answered = SubmitMultiResp::decode(answer.body()).unwrap().message_id.to_vec();
    let rows = disk.messages();
    assert_eq!(rows.iter().filter(|row| row.answered_as.is_none()).count(), 1);
    let account = smpp.accounts.load().by_system_id("acme").cloned().unwrap();
    for row in rows {
        finish(
            &smpp,
            message::Message::new(row, Arc::clone(&account)),
            log::State::Undeliverable,
            &Ending::ours("011"),
        );
    }
    let mut numbers = Vec::new();
    for _ in 0..3 {
        let frame = peer.next_frame().await.unwrap();
        let sm = Sm::decode(frame.body()).unwrap();
        assert_eq!(smpp::dlr::Receipt::of(&sm).unwrap().id, answered);
        numbers.push(sm.source.addr.to_vec());
    }
    numbers.sort();
    assert_eq!(numbers, [b"15550001111", b"15550002222", b"15550003333"]);
}
