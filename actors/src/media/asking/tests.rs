//! Against a node that answers at once, in time that the test moves.

use std::collections::BTreeSet;

use proptest::prelude::*;

use super::*;

const MS: Duration = Duration::from_millis(1);
const EVERY: Duration = Duration::from_secs(30);

fn id(call: usize) -> Uuid {
    Uuid::from_u128(call as u128)
}

fn question(call: usize, wants: Wants) -> Question {
    Question { call: id(call), body: Bytes::from(call.to_string()), wants }
}

fn questions(calls: std::ops::Range<usize>) -> Vec<Question> {
    calls.map(|call| question(call, Wants::Presence)).collect()
}

/// The questions, and a node that has some calls.
struct Bench {
    asking: Asking,
    now: Instant,
    /// What the node does not have.
    lacks: BTreeSet<Uuid>,
    /// What was asked, in order.
    asked: Vec<Uuid>,
    gone: Vec<(Uuid, Instant)>,
}

impl Bench {
    fn new() -> Self {
        let now = tokio::time::Instant::now().into_std();
        let (lacks, asked, gone) = (BTreeSet::new(), Vec::new(), Vec::new());
        Self { asking: Asking::new(EVERY, now), now, lacks, asked, gone }
    }

    /// All that may be asked now is, and answered; how much that is.
    fn ask(&mut self) -> usize {
        let before = self.asked.len();
        while let Some(question) = self.asking.next(self.now) {
            let call = question.call;
            self.asked.push(call);
            let is_known = !self.lacks.contains(&call);
            if let Finding::Gone(since) = self.asking.answered(call, is_known, self.now) {
                self.gone.push((call, since));
            }
        }
        self.asked.len() - before
    }

    /// So much time, in steps of a tenth of a second; the most that was asked in one of them.
    fn pass(&mut self, time: Duration) -> usize {
        let until = self.now + time;
        let mut most = 0;
        while self.now < until {
            self.now += MS * 100;
            most = most.max(self.ask());
        }
        most
    }
}

#[test]
fn each_has_its_turn_once_and_a_share_of_them_each_second() {
    let mut bench = Bench::new();
    bench.asking.about(questions(0..1_500), false, bench.now);
    let most = bench.pass(EVERY);
    assert_eq!(most, 50, "a thirtieth of them");
    let all: BTreeSet<Uuid> = bench.asked.iter().copied().collect();
    assert_eq!((bench.asked.len(), all.len(), bench.gone.len()), (1_500, 1_500, 0));
    assert_eq!(bench.pass(EVERY * 2), 0, "until it is said what is to be asked");
    assert_eq!(bench.asking.next_deadline(), None, "nobody wakes for it");
}

/// Found by the first turn, and by a second question two seconds later.
#[test]
fn what_the_node_lacks_is_found() {
    let mut bench = Bench::new();
    bench.lacks = [3, 1_499].map(id).into();
    bench.asking.about(questions(0..1_500), false, bench.now);
    bench.pass(EVERY + AGAIN_AFTER + MS * 1_000);
    let gone: BTreeSet<Uuid> = bench.gone.iter().map(|(call, _)| *call).collect();
    assert_eq!(gone, bench.lacks);
    assert_eq!(bench.asked.len(), 1_502, "each of these twice, and the others once");
    for (call, since) in &bench.gone {
        assert!(*since <= bench.now.checked_sub(AGAIN_AFTER).unwrap(), "{call}: when it was seen first");
    }
}

#[test]
fn where_something_is_amiss_all_are_asked_soon() {
    let mut bench = Bench::new();
    bench.asking.about(questions(0..1_500), false, bench.now);
    bench.ask();
    bench.lacks = [id(7), id(1_200)].into();
    bench.asking.about(questions(0..1_500), true, bench.now);
    assert_eq!(bench.ask(), 1_500, "at once");
    bench.pass(AGAIN_AFTER + MS * 1_000);
    let gone: BTreeSet<Uuid> = bench.gone.iter().map(|(call, _)| *call).collect();
    assert_eq!(gone, bench.lacks);

    // So many that they take some seconds.
    let mut bench = Bench::new();
    bench.asking.about(questions(0..5_000), true, bench.now);
    let seconds: Vec<usize> = (0..4)
        .map(|_| {
            let asked = bench.ask();
            bench.now += MS * 1_000;
            asked
        })
        .collect();
    assert_eq!(seconds, [2_000, 2_000, 1_000, 0]);
}

#[test]
fn one_answer_says_nothing() {
    let mut bench = Bench::new();
    bench.lacks = [id(1)].into();
    bench.asking.about(questions(0..3), true, bench.now);
    bench.ask();
    bench.lacks.clear();
    bench.pass(EVERY);
    assert!(bench.gone.is_empty() && bench.asked.len() == 4, "{:?}", bench.asked);
    // Who is asked twice in a row, by two lists at nearly the same time, is not asked for once more.
    bench.lacks = [id(1)].into();
    for _ in 0..2 {
        bench.asking.about(questions(0..3), true, bench.now);
        bench.ask();
    }
    assert!(bench.gone.is_empty());
    // What is no question any more is nobody's.
    bench.asking.about(questions(2..3), false, bench.now);
    bench.pass(EVERY);
    assert!(bench.gone.is_empty());
    assert_eq!(bench.asking.answered(id(1), false, bench.now), Finding::Nothing);
}

#[test]
fn what_is_told_goes_to_who_asked() {
    let mut bench = Bench::new();
    let both = vec![question(1, Wants::Figures), question(2, Wants::Presence)];
    bench.asking.about(both, true, bench.now);
    for (call, finding) in [(1, Finding::Figures), (2, Finding::Nothing)] {
        assert_eq!(bench.asking.next(bench.now).map(|question| question.call), Some(id(call)));
        assert_eq!(bench.asking.answered(id(call), true, bench.now), finding);
    }
}

#[test]
fn few_are_under_way() {
    let mut bench = Bench::new();
    bench.asking.about(questions(0..1_500), true, bench.now);
    let under_way = (0..1_500).take_while(|_| bench.asking.next(bench.now).is_some()).count();
    assert_eq!((under_way, bench.asking.next_deadline()), (WINDOW, None), "an answer wakes it");
    bench.asking.unanswered();
    assert!(bench.asking.next(bench.now).is_some() && bench.asking.next(bench.now).is_none());
}

proptest! {
    /// However often new questions come, and whichever: who stays one is asked in time.
    #[test]
    fn whoever_stays_has_its_turn(
        changes in proptest::collection::vec((1_usize..400, any::<bool>()), 10..40),
        stays in 0_usize..400,
    ) {
        let mut bench = Bench::new();
        let mut quiet = 0;
        for (count, hurries) in changes {
            let calls = (0..400).filter(|call| *call < count || *call == stays);
            let asked = calls.map(|call| question(call, Wants::Presence)).collect();
            bench.asking.about(asked, hurries, bench.now);
            let from = bench.asked.len();
            bench.pass(EVERY);
            let has = bench.asked[from..].contains(&id(stays));
            quiet = if has { 0 } else { quiet + 1 };
            prop_assert!(quiet < 2, "asked {:?}", &bench.asked[from..]);
        }
    }
}
