//! Records that wait a moment for what a media node has counted.

mod leaks;

use bytes::Bytes;
use runtime::log::{CallMedia, MediaSent, Reason};
use runtime::model::{MediaNode, MediaNodeState, Voice};
use runtime::store::ErrorKind;

use super::*;
use crate::media::exchange::Outcome;
use crate::media::pool::{Answer, News, Over, Ticket};
use crate::sip::anchor::{self, Name};
use crate::sip::event::What;
use crate::sip::testing::words;
use crate::sip::worker::Input;

/// What the media node of a call between `from-a` and `callee` says, and what a record has of it.
const DELETED: &[u8] = include_bytes!("../../anchor/counted/deleted.bencode");
const COUNTED: CallMedia = CallMedia {
    node: 1,
    caller: MediaSent { packets: Some(50), lost: None, jitter_ms: None, mos_tenths: None },
    callee: MediaSent { packets: Some(48), lost: Some(2), jitter_ms: Some(3), mos_tenths: Some(43) },
};

const MS: Duration = Duration::from_millis(1);

fn told() -> Outcome {
    Outcome::Answered(Bytes::from_static(DELETED))
}

fn written(write: impl FnOnce(&mut Vec<u8>)) -> Outcome {
    let mut body = Vec::new();
    write(&mut body);
    Outcome::Answered(body.into())
}

fn media_node() -> MediaNode {
    numbered(COUNTED.node)
}

fn numbered(number: u8) -> MediaNode {
    MediaNode {
        id: Uuid::from_u128(60 + u128::from(number)),
        number,
        name: format!("media-{number}"),
        address: ([10, 0, 0, number], 22_222).into(),
        weight: 50,
        state: MediaNodeState::Active,
    }
}

/// A record of which the media node has told nothing.
fn untold() -> Option<CallMedia> {
    Some(CallMedia { node: COUNTED.node, ..CallMedia::default() })
}

impl Lab {
    /// A call that is up.
    async fn up(&mut self) -> (Sent, Uuid) {
        let ok = self.answered("a");
        let dialog = self.node.events[0].dialog;
        self.tell().await;
        (ok, dialog)
    }

    /// It ends, and its media node is asked.
    fn end(&mut self, ok: &Sent) {
        self.hang_up(ok, "a");
        for event in &mut self.node.events {
            if let What::Ended(ended) = &mut event.what {
                ended.media = Some(COUNTED.node);
            }
        }
        self.note();
    }

    /// The media node answers, or does not.
    fn deleted(&self, dialog: Uuid, outcome: Outcome) {
        let over = Over { worker: 1, owner: 7, dialog };
        self.calls.media_news(News::Deleted { over, node: COUNTED.node, outcome });
    }

    /// The media node does what it was asked.
    fn described(&mut self) -> Vec<Sent> {
        let asked = std::mem::take(&mut self.node.asked);
        let answer = |asked: &crate::sip::worker::ToMedia| {
            let Ticket::Worker(waiter) = asked.command.ticket else { return None };
            let outcome = written(|body| ng::reply::write::sdp(body, b"v=0\r\n"));
            Some(Input::Media(Answer { waiter, node: asked.node, outcome }))
        };
        self.node.handle(asked.iter().filter_map(answer).collect())
    }

    /// It says which calls it has; what a worker is told then.
    fn listed(&self, names: &[String]) -> Vec<Input> {
        let (node, names) = (COUNTED.node, names.to_vec());
        self.calls.media_news(News::Calls { node, names, all: true, heard: None });
        self.commanded()
    }

    /// What a worker is told.
    fn commanded(&self) -> Vec<Input> {
        let mut inputs = Vec::new();
        self.calls.ring(1).unwrap().take(16, &mut inputs, &mut Vec::new());
        inputs
    }

    /// A call that is up, and that the media node carries.
    async fn carried(&mut self) -> Uuid {
        self.node = Node::with(Voice { media_nodes: vec![media_node()], ..voice() });
        self.calls.media.configure(&[media_node()], self.node.now.instant);
        self.node.receive(CUSTOMER, invite("a", "+15551234"));
        let to_vendor = self.described().remove(0);
        self.node.receive(VENDORS[0], response(&to_vendor, 200, "callee"));
        let dialog = self.node.events[0].dialog;
        self.tell().await;
        dialog
    }

    async fn restart_supervisors(&self) {
        let above = self.registry.supervisor(ActorName::new("dialogs", "sip"));
        for shard in above.children().await {
            above.restart(&shard).await.unwrap();
        }
    }

    fn unreported(&self) -> u64 {
        self.calls.counters.media_unreported.get()
    }

    /// Records that were completed later.
    fn late(&self) -> u64 {
        self.calls.counters.media_late.get()
    }

    /// The one record that there is, when nothing is left of the call.
    async fn record(&self) -> Cdr {
        let mut cdrs = self.cdrs().await;
        assert_eq!((cdrs.len(), self.actors(), self.calls.live()), (1, 0, 0));
        assert_eq!(self.disk.dialogs(), []);
        let cdr = cdrs.remove(0);
        assert_eq!((cdr.status, cdr.reason, cdr.recovered), (200, Reason::Answered, false));
        cdr
    }
}

#[tokio::test(start_paused = true)]
async fn what_a_media_node_counted_is_in_the_record() {
    for before in [false, true] {
        let mut lab = Lab::new().await;
        let (ok, dialog) = lab.up().await;
        if before {
            lab.deleted(dialog, told());
            sleep(MS).await;
            assert_eq!(lab.calls.live(), 1, "it is up, for all that its actor knows");
        }
        lab.end(&ok);
        if !before {
            sleep(MS * 10).await;
            assert_eq!((lab.calls.live(), lab.disk.cdrs()), (1, Vec::new()), "it waits");
            lab.deleted(dialog, told());
        }
        sleep(MS).await;
        assert_eq!(lab.calls.live(), 0, "it waits for nothing more");
        assert_eq!((lab.record().await.media, lab.unreported()), (Some(COUNTED), 0), "{before}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_silent_media_node_holds_no_record_up() {
    let mut lab = Lab::new().await;
    let (ok, dialog) = lab.up().await;
    lab.end(&ok);
    let begun = Instant::now();
    while lab.calls.live() > 0 {
        sleep(MS).await;
    }
    let waited = begun.elapsed();
    assert!((MS * 12..=MS * 15).contains(&waited), "{waited:?}");
    let record = lab.record().await;
    assert_eq!((record.media, lab.unreported()), (untold(), 1));
    // What comes later completes it, once.
    lab.deleted(dialog, told());
    let whole = Cdr { media: Some(COUNTED), ..record };
    assert_eq!((lab.record().await, lab.unreported(), lab.late()), (whole.clone(), 1, 1));
    lab.deleted(dialog, told());
    assert_eq!((lab.record().await, lab.late()), (whole, 1));
}

/// What says nothing completes nothing, and nobody waits for it for ever.
#[tokio::test(start_paused = true)]
async fn a_record_stays_as_it_is_where_a_media_node_says_nothing_late() {
    for outcome in [Outcome::Silent, written(ng::reply::write::ok)] {
        let mut lab = Lab::new().await;
        let (ok, dialog) = lab.up().await;
        lab.end(&ok);
        let record = lab.record().await;
        lab.deleted(dialog, outcome.clone());
        // It was the answer: there is no other.
        sleep(MOMENT).await;
        lab.deleted(dialog, told());
        assert_eq!((lab.record().await, lab.late()), (record, 0), "{outcome:?}");
    }
    // So it is with what the delete of another process is answered.
    let mut lab = Lab::new().await;
    let (ok, dialog) = lab.up().await;
    lab.end(&ok);
    let record = lab.record().await;
    lab.deleted(Uuid::from_u128(77), told());
    assert_eq!((lab.record().await, lab.late()), (record.clone(), 0));
    lab.deleted(dialog, told());
    assert_eq!(lab.record().await, Cdr { media: Some(COUNTED), ..record });
}

/// The disk refuses while both come: the record is first, and both are there when it works again.
#[tokio::test(start_paused = true)]
async fn a_record_is_completed_behind_a_disk_that_refuses() {
    let mut lab = Lab::new().await;
    let (ok, dialog) = lab.up().await;
    lab.disk.set_fault(Some(Fault::Refuses(ErrorKind::Unavailable)));
    lab.end(&ok);
    sleep(MOMENT).await;
    lab.deleted(dialog, told());
    sleep(MOMENT).await;
    assert_eq!((lab.calls.live(), lab.disk.cdrs()), (0, Vec::new()));
    lab.disk.set_fault(None);
    sleep(MS * 3_000).await;
    assert_eq!((lab.record().await.media, lab.unreported(), lab.late()), (Some(COUNTED), 1, 1));
}

/// Where the call may be another node's its record is looked for first, and its media node may be faster.
#[tokio::test(start_paused = true)]
async fn what_is_told_before_a_call_is_known_is_in_its_record() {
    for (shared, media) in [(false, untold()), (true, Some(COUNTED))] {
        let mut lab = Lab::sharing(shared).await;
        let ok = lab.answered("a");
        let dialog = lab.node.events[0].dialog;
        lab.deleted(dialog, told());
        sleep(MOMENT).await;
        lab.end(&ok);
        let record = lab.record().await;
        assert_eq!((record.media, lab.unreported()), (media, u64::from(!shared)), "{shared}");
    }
}

/// Where nothing comes any more nothing is waited for.
#[tokio::test(start_paused = true)]
async fn a_media_node_that_tells_nothing_is_not_waited_for() {
    for outcome in [
        Outcome::Silent,
        Outcome::Unsent,
        Outcome::Answered(Bytes::from_static(b"junk")),
        written(ng::reply::write::ok),
        written(|body| ng::reply::write::error(body, "Unknown call-id")),
    ] {
        let mut lab = Lab::new().await;
        let (ok, dialog) = lab.up().await;
        lab.end(&ok);
        sleep(MS).await;
        lab.deleted(dialog, outcome.clone());
        sleep(MS).await;
        assert_eq!(lab.calls.live(), 0, "{outcome:?}");
        assert_eq!((lab.record().await.media, lab.unreported()), (untold(), 1), "{outcome:?}");
    }
}

/// Another node has taken it, which is heard of when it has ended here: nobody else has seen its end.
#[tokio::test(start_paused = true)]
async fn a_call_that_is_let_go_of_when_it_is_over_has_its_record() {
    let mut lab = Lab::sharing(true).await;
    let (ok, dialog) = lab.up().await;
    lab.end(&ok);
    sleep(MS).await;
    lab.calls.given(1, dialog);
    sleep(MS).await;
    lab.deleted(dialog, told());
    assert_eq!((lab.record().await.media, lab.unreported()), (Some(COUNTED), 0));
    assert_eq!(lab.calls.counters.dialogs_given.get(), 0);
}

#[tokio::test(start_paused = true)]
async fn a_call_without_media_waits_for_nothing() {
    let mut lab = Lab::new().await;
    let (ok, _) = lab.up().await;
    lab.hang_up(&ok, "a");
    lab.note();
    sleep(MS).await;
    assert_eq!(lab.calls.live(), 0);
    assert_eq!((lab.record().await.media, lab.unreported()), (None, 0));
}

/// Nobody had been told that it began.
#[tokio::test(start_paused = true)]
async fn a_call_that_is_over_at_once_has_what_was_counted() {
    let mut lab = Lab::new().await;
    let ok = lab.answered("a");
    let dialog = lab.node.events[0].dialog;
    lab.end(&ok);
    sleep(MS).await;
    lab.deleted(dialog, told());
    assert_eq!((lab.record().await.media, lab.unreported()), (Some(COUNTED), 0));
}

/// It costs what was counted at most, and that where nobody is left who could complete the record.
#[tokio::test(start_paused = true)]
async fn no_record_is_lost_while_it_waits() {
    for (number, happens) in ["worker", "births", "supervisors", "stop"].into_iter().enumerate() {
        let mut lab = Lab::new().await;
        let (ok, dialog) = lab.up().await;
        lab.end(&ok);
        sleep(MS * 2).await;
        assert_eq!(lab.calls.live(), 1, "{happens}: it waits");
        match number {
            0 => assert!(lab.calls.worker_begins(1).is_empty(), "it has no such call"),
            1 => assert!(lab.registry.poison(&ActorName::new("dialog_births", "main"))),
            2 => lab.restart_supervisors().await,
            _ => {
                lab.supervisor.stop().await;
                lab.calls.settle();
            }
        }
        let media = lab.record().await.media;
        assert_eq!((media, lab.unreported()), (untold(), 1), "{happens}");
        lab.deleted(dialog, told());
        let expected = if happens == "stop" { untold() } else { Some(COUNTED) };
        assert_eq!(lab.record().await.media, expected, "{happens}");
    }
}

/// Its actor was not told of the end before it stopped.
#[tokio::test(start_paused = true)]
async fn the_end_of_the_process_waits_for_no_media_node() {
    for counted in [false, true] {
        let mut lab = Lab::new().await;
        let (ok, dialog) = lab.up().await;
        lab.supervisor.stop().await;
        lab.end(&ok);
        if counted {
            lab.deleted(dialog, told());
        }
        lab.calls.settle();
        let expected = if counted { Some(COUNTED) } else { untold() };
        assert_eq!((lab.record().await.media, lab.unreported()), (expected, u64::from(!counted)));
    }
}

/// It has not deleted anything then.
#[tokio::test(start_paused = true)]
async fn a_media_node_that_does_not_know_the_tag_deletes_the_whole_call() {
    let mut lab = Lab::new().await;
    let (ok, dialog) = lab.up().await;
    lab.calls.media.configure(&[media_node()], lab.node.now.instant);
    let way = lab.calls.media.node(COUNTED.node).unwrap().way();
    let mut asked = way.receiver.lock().await;
    lab.end(&ok);
    let warning = "Call-ID not found or tags didn't match";
    lab.deleted(dialog, written(|body| ng::reply::write::warning(body, warning)));
    let command = asked.try_recv().unwrap();
    assert_eq!(command.body, anchor::delete_all(Name { owner: 7, dialog }));
    assert_eq!(command.ticket, Ticket::Nobody, "that is the last word");
    assert!(asked.try_recv().is_err(), "once");
    lab.deleted(dialog, told());
    assert!(asked.try_recv().is_err(), "what is deleted is deleted");
    assert_eq!(lab.record().await.media, untold());
}

/// The callee made the offer, another node took it, and nothing was known but the cookie of the INVITE.
#[tokio::test(start_paused = true)]
async fn a_call_that_its_node_does_not_know_is_deleted_at_all_of_them() {
    let mut lab = Lab::new().await;
    let (ok, dialog) = lab.up().await;
    lab.calls.media.configure(&[media_node(), numbered(2)], lab.node.now.instant);
    let ways = [COUNTED.node, 2].map(|number| lab.calls.media.node(number).unwrap().way());
    lab.end(&ok);
    lab.deleted(dialog, Outcome::Silent);
    lab.deleted(dialog, told());
    for way in &ways {
        assert!(way.receiver.lock().await.try_recv().is_err(), "it may have it");
    }
    lab.deleted(dialog, written(|body| ng::reply::write::error(body, "Unknown call-id")));
    for way in &ways {
        let command = way.receiver.lock().await.try_recv().unwrap();
        assert_eq!(command.body, anchor::delete_all(Name { owner: 7, dialog }));
    }
}

/// RTPEngine ends a call that no media comes for, and tells nobody. Two lists of its calls show it, and the second one is
/// asked for soon; the call was over when the first was made.
#[tokio::test(start_paused = true)]
async fn a_call_that_its_media_node_has_ended_is_over_with_its_record() {
    let mut lab = Lab::new().await;
    let dialog = lab.carried().await;
    let node = lab.calls.media.node(COUNTED.node).unwrap();
    let name = Name { owner: 7, dialog }.to_string();
    for names in [&[name.clone()][..], &[name.clone(), "of-others".to_owned()]] {
        assert!(lab.listed(names).is_empty() && !node.is_to_look_again(), "it has the call");
    }
    let first = Instant::now();
    assert!(lab.listed(&[]).is_empty(), "one list says nothing");
    assert!(node.is_to_look_again());
    sleep(MS * 2_000).await;
    let told = lab.listed(&[]);
    let [Input::MediaLost(lost, carrier, at)] = &told[..] else { panic!("{told:?}") };
    assert_eq!((*lost, *carrier, at.instant), (dialog, COUNTED.node, first.into_std()));
    assert!(!node.is_to_look_again(), "nothing is in doubt");

    let sent = lab.node.handle(vec![Input::MediaLost(dialog, COUNTED.node, lab.node.now)]);
    assert_eq!(words(&sent), ["BYE>192.0.2.10:5060", "BYE>198.51.100.1:5060"]);
    lab.tell().await;
    let cdr = lab.cdrs().await.remove(0);
    assert_eq!((cdr.status, cdr.reason, cdr.answered_at.is_some()), (200, Reason::MediaFailed, true));
    assert_eq!((lab.actors(), lab.calls.live()), (0, 0));
}
