//! Calls that a media node has and nobody else, and those that its list has no room for.

use std::collections::BTreeSet;

use ng::reply::{Call, Side};

use super::*;
use crate::media::asking::{Question, Wants};
use crate::sip::event::CallEvent;

/// The node of ours that the lab is, and another one.
const OURS: u16 = 7;
const OTHER: u16 = 8;

const MINUTE: Duration = Duration::from_secs(60);

/// Of an earlier process: no other one has such a number.
const fn earlier(number: u128) -> Uuid {
    Uuid::from_u128(number)
}

fn name(owner: u16, dialog: Uuid) -> String {
    Name { owner, dialog }.to_string()
}

impl Lab {
    /// A call of this process.
    fn own(&self, number: u128) -> Uuid {
        Uuid::from_u128(u128::from(self.calls.settings.process) << 32 | number)
    }

    /// What the media node was told since this was asked last.
    async fn told_to_media(&self) -> Vec<Bytes> {
        let way = self.calls.media.node(COUNTED.node).unwrap().way();
        let mut commands = way.receiver.lock().await;
        std::iter::from_fn(|| commands.try_recv().ok()).map(|command| command.body).collect()
    }

    /// It begins, and rings.
    async fn serve(&mut self, dialog: Uuid) {
        self.node.receive(CUSTOMER, invite(&dialog.to_string(), "+15551234"));
        self.described();
        let events = std::mem::take(&mut self.node.events);
        let started = events.into_iter().find(|event| matches!(event.what, What::Started(_))).unwrap();
        self.node.events = vec![CallEvent { dialog, ..started }];
        self.tell().await;
    }

    /// The calls that the media node is to be asked for, to hear what it knows of them.
    fn wanted(&self) -> BTreeSet<Uuid> {
        let questions = self.calls.media.node(COUNTED.node).unwrap().take_questions().unwrap();
        let wanted = |question: Question| {
            assert_eq!(question.body, anchor::query(Name { owner: OURS, dialog: question.call }));
            assert_eq!(question.wants, Wants::Figures);
            question.call
        };
        questions.into_iter().map(wanted).collect()
    }

    /// The media node tells of a call between sides with these tags.
    fn queried(&self, call: Uuid, tags: &[&str], packets: u64) {
        let sides = tags.iter().map(|tag| Side { tag: tag.as_bytes(), ..Side::default() }).collect();
        let rtp = ng::reply::Counters { packets, ..Default::default() };
        let told = Call { last_signal: Some(1_700_000_000), sides, rtp, ..Call::default() };
        let mut body = Vec::new();
        ng::reply::write::call(&mut body, &told);
        self.calls.media_news(News::Queried { node: COUNTED.node, call, body: body.into() });
    }
}

#[tokio::test(start_paused = true)]
async fn what_a_media_node_has_and_nobody_else_is_deleted() {
    let mut lab = Lab::new().await;
    let live = lab.carried().await;
    let leak = lab.own(1);
    let names = [name(OURS, live), name(OURS, leak), name(OTHER, lab.own(2)), "of-others".to_owned()];
    lab.listed(&names);
    assert!(lab.told_to_media().await.is_empty(), "one list says nothing");
    lab.listed(&names);
    let deleted = anchor::delete_all(Name { owner: OURS, dialog: leak });
    assert_eq!(lab.told_to_media().await, [deleted], "and nothing else");
    assert_eq!((lab.calls.counters.media_leaks.get(), lab.calls.live()), (1, 1));
}

/// It may be answered still: it is deleted when it has rung for longer than any call does.
#[tokio::test(start_paused = true)]
async fn what_an_earlier_process_left_ringing_is_deleted_in_the_end() {
    let mut lab = Lab::new().await;
    let live = lab.carried().await;
    let [rings, talks, sounds, served, later] = [1, 2, 3, 4, 5].map(earlier);
    lab.serve(served).await;
    let mut names: Vec<String> =
        [live, rings, talks, sounds, served, later].map(|dialog| name(OURS, dialog)).into();
    // That of another node of ours rings as long.
    names.push(name(OTHER, earlier(6)));
    for minute in 0..=15 {
        lab.listed(&names);
        let wanted = lab.wanted();
        if minute == 0 {
            assert_eq!(wanted, BTreeSet::from([rings, talks, sounds, later]));
        }
        assert!(wanted.contains(&rings) && !wanted.contains(&live) && !wanted.contains(&served));
        assert!(lab.told_to_media().await.is_empty(), "in minute {minute}");
        // Its callee is heard, and nobody knows when that one speaks again.
        lab.queried(talks, &["a-1", "b-2"], 0);
        // Somebody sends media, though nobody has answered.
        lab.queried(sounds, &["a-1", ""], minute);
        // It is answered here after a while.
        if minute == 7 {
            lab.serve(later).await;
        }
        lab.queried(later, &["a-1", ""], 0);
        lab.queried(rings, &["a-1", ""], 0);
        sleep(MINUTE).await;
    }
    let deleted = anchor::delete_all(Name { owner: OURS, dialog: rings });
    assert_eq!(lab.told_to_media().await, [deleted], "and nothing else");
    assert_eq!(lab.calls.counters.media_leaks.get(), 1);
    // The media node does not have it any more, and that is not asked for.
    names.retain(|known| *known != name(OURS, rings));
    lab.listed(&names);
    assert_eq!(lab.wanted(), BTreeSet::from([talks, sounds]));
}

/// Of a call that is up and that the list has no room for nothing is concluded: it is asked for.
#[tokio::test(start_paused = true)]
async fn calls_that_a_list_has_no_room_for_are_asked_for() {
    let mut lab = Lab::new().await;
    let dialog = lab.carried().await;
    let node = lab.calls.media.node(COUNTED.node).unwrap();
    for _ in 0..2 {
        lab.calls.media_news(News::Calls { node: COUNTED.node, names: Vec::new(), all: false, heard: None });
        assert!(lab.commanded().is_empty() && !node.is_to_look_again());
        let body = anchor::query(Name { owner: OURS, dialog });
        assert_eq!(node.take_questions().unwrap(), [Question { call: dialog, body, wants: Wants::Presence }]);
    }
    let since = Instant::now().into_std();
    sleep(MS * 2_000).await;
    // Nobody's, and somebody's that another media node carries.
    lab.calls.media_news(News::Gone { node: COUNTED.node, call: lab.own(1), since });
    lab.calls.media_news(News::Gone { node: COUNTED.node + 1, call: dialog, since });
    assert!(lab.commanded().is_empty());
    lab.calls.media_news(News::Gone { node: COUNTED.node, call: dialog, since });
    let told = lab.commanded();
    let [Input::MediaLost(lost, carrier, at)] = &told[..] else { panic!("{told:?}") };
    assert_eq!((*lost, *carrier, at.instant), (dialog, COUNTED.node, since));
    // A list that has room for all says all there is to say.
    assert!(lab.listed(&[name(OURS, dialog)]).is_empty());
    assert!(node.take_questions().unwrap().is_empty());
}
