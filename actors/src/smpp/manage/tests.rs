use std::time::Duration;

use smpp::RegisteredDelivery;

use super::*;
use crate::smpp::accept::{self, Sender};
use crate::smpp::testing;

const SOURCE: Address<'static> = Address { ton: 5, npi: 0, addr: b"WARP" };
const DESTINATION: Address<'static> = Address { ton: 1, npi: 1, addr: b"15550001111" };

struct Node {
    smpp: Arc<Smpp>,
    account: Arc<Account>,
    disk: runtime::log::Disk,
}

impl Node {
    fn start() -> Self {
        let (smpp, disk) = testing::smpp(testing::config());
        testing::commit(&smpp);
        let account = smpp.accounts.load().by_system_id("acme").cloned().unwrap();
        Self { smpp, account, disk }
    }

    fn submit(&self, text: &[u8], schedule: &[u8]) -> i64 {
        let mut tlvs = smpp::TlvBuf::new();
        tlvs.push(Tag::MESSAGE_PAYLOAD, text).unwrap();
        let sm = Sm {
            source: SOURCE,
            destination: DESTINATION,
            schedule_delivery_time: schedule,
            registered_delivery: RegisteredDelivery(1),
            tlvs: tlvs.as_tlvs(),
            ..Sm::default()
        };
        let settings = self.account.settings.load();
        let sender = Sender { account: &self.account, settings: &settings };
        accept::submit_made(&self.smpp, sender, &sm, accept::Beside::default()).unwrap().id.0
    }

    fn id(&self, id: i64) -> String {
        crate::smpp::receipts::customer_id(&self.account, MessageId(id))
    }

    async fn cancel(&self, id: Option<i64>) -> CommandStatus {
        let id = id.map(|id| self.id(id)).unwrap_or_default();
        let cancel = CancelSm {
            service_type: b"",
            message_id: id.as_bytes(),
            source: SOURCE,
            destination: DESTINATION,
        };
        let mut pdu = BytesMut::new();
        cancel.encode(1, &mut pdu).unwrap();
        self.ask(pdu).await
    }

    async fn replace(&self, id: i64, replace: ReplaceSm<'_>) -> CommandStatus {
        let id = self.id(id);
        let mut pdu = BytesMut::new();
        ReplaceSm { message_id: id.as_bytes(), source: SOURCE, ..replace }.encode(1, &mut pdu).unwrap();
        self.ask(pdu).await
    }

    async fn ask(&self, pdu: BytesMut) -> CommandStatus {
        let frame = Frame::from_bytes(pdu.freeze()).unwrap();
        let mut response = answer(Arc::clone(&self.smpp), Arc::clone(&self.account), frame).await;
        smpp::frame::split(&mut response, 65_536).unwrap().unwrap().header().command_status
    }

    fn row(&self, id: i64) -> MessageRow {
        self.disk.messages().into_iter().find(|row| row.id == id).unwrap()
    }

    fn alive(&self) -> usize {
        let rows = self.disk.messages().into_iter();
        rows.filter(|row| !row.progress.state.is_final() && row.progress.state != State::Split).count()
    }
}

#[tokio::test(start_paused = true)]
async fn everything_between_two_addresses_is_cancelled_durably() {
    let node = Node::start();
    node.submit(b"plain", b"");
    node.submit(&[b'a'; 200], b"");
    node.submit(b"later", b"000000010000000R");
    assert_eq!(node.cancel(None).await, CommandStatus::ESME_ROK);
    assert_eq!((node.disk.messages().len(), node.alive()), (5, 0), "the answer came after the commit");
    assert_eq!(node.cancel(None).await, CommandStatus::ESME_RCANCELFAIL);
}

#[tokio::test(start_paused = true)]
async fn a_message_of_which_a_part_has_gone_is_not_cancelled() {
    let node = Node::start();
    let whole = node.submit(&[b'a'; 400], b"");
    node.smpp.log.barrier().await;
    let gone = {
        let vendor = node.smpp.vendor(Uuid::from_u128(7)).unwrap();
        let mut parts = vendor.extract(|message| message.row.parent == Some(whole));
        let gone = parts.pop();
        vendor.requeue(parts);
        gone
    };
    assert!(gone.is_some());
    assert_eq!(node.cancel(Some(whole)).await, CommandStatus::ESME_RCANCELFAIL);
    assert_eq!(node.cancel(None).await, CommandStatus::ESME_RCANCELFAIL);
    assert_eq!(node.alive(), 3);
}

#[tokio::test(start_paused = true)]
async fn one_message_is_cancelled_wherever_it_waits() {
    for (text, schedule) in [(&b"x"[..], &b""[..]), (b"x", b"000000010000000R"), (&[b'a'; 200], b"")] {
        let node = Node::start();
        let id = node.submit(text, schedule);
        assert_eq!(node.cancel(Some(id)).await, CommandStatus::ESME_ROK);
        assert_eq!(node.alive(), 0);
    }
}

#[tokio::test(start_paused = true)]
async fn a_replaced_message_is_what_its_customer_would_send_now() {
    let node = Node::start();
    for schedule in [&b""[..], b"000000010000000R"] {
        let id = node.submit(b"old", schedule);
        node.smpp.log.barrier().await;
        let now = node.smpp.now();
        let replace = ReplaceSm {
            validity_period: b"000000020000000R",
            registered_delivery: RegisteredDelivery(2),
            short_message: &[b'n'; 200],
            ..ReplaceSm::default()
        };
        assert_eq!(node.replace(id, replace).await, CommandStatus::ESME_ROK);
        let row = node.row(id);
        assert_eq!(row.progress.state, State::Scheduled);
        let message = Message::new(row, Arc::clone(&node.account));
        let expires = Timestamp::from_micros(message.row.expires_at);
        assert!(expires.since(now).abs_diff(Duration::from_secs(2 * 3600)) < Duration::from_secs(1));
        assert_eq!(message.row.registered_delivery, 2);
        assert_eq!(message.sm().unwrap().short_message, [b'n'; 200]);
        assert!(accept::release(&node.smpp, message).is_ok(), "split and queued when its time has come");
        node.smpp.log.barrier().await;
        assert_eq!(node.row(id).progress.state, State::Split);
        assert_eq!(node.cancel(Some(id)).await, CommandStatus::ESME_ROK);
    }
}

#[tokio::test(start_paused = true)]
async fn a_replacement_that_does_not_hold_is_refused_and_changes_nothing() {
    let node = Node::start();
    let id = node.submit(b"old", b"");
    for (replace, status) in [
        (
            ReplaceSm { schedule_delivery_time: b"000009000000000R", ..ReplaceSm::default() },
            CommandStatus::ESME_RINVSCHED,
        ),
        (
            ReplaceSm { validity_period: b"200101000000000+", ..ReplaceSm::default() },
            CommandStatus::ESME_RINVEXPIRY,
        ),
    ] {
        assert_eq!(node.replace(id, replace).await, status);
        assert_eq!(node.row(id).progress.state, State::Queued);
    }
    assert!(node.smpp.vendor(Uuid::from_u128(7)).unwrap().queue.lock().len() == 1);
}
