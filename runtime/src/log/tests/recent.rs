//! Messages and calls of late: what filters take, in which order, on every store.

use super::calls::answered;
use super::*;
use crate::model::MessageId;

const BEGUN: i64 = 1_790_000_000_000_000;

fn at(ms: i64) -> Timestamp {
    Timestamp::from_micros(BEGUN + ms * 1000)
}

/// Accepted in this millisecond.
fn message(ms: i64) -> MessageRow {
    let first = row(MessageId::first_at(at(ms)).0);
    let destination = if ms % 2 == 0 { "+15550001111" } else { "447700900000" };
    let customer = Uuid::from_u128(if ms % 3 == 0 { 100 } else { 200 });
    let direction = if ms == 7 { Direction::Mo } else { Direction::Mt };
    let source = if ms % 4 == 0 { "+15557770001" } else { "WARP" };
    // One was not given to any vendor yet.
    let vendor = (ms != 8).then_some(Uuid::from_u128(if ms % 5 == 0 { 5 } else { 3 }));
    MessageRow {
        customer,
        account: Uuid::from_u128(2),
        direction,
        source: source.into(),
        destination: destination.into(),
        progress: Progress { vendor, ..first.progress },
        ..first
    }
}

fn call(ms: i64) -> Cdr {
    let id = call::first_id_at(at(ms));
    let customer = Uuid::from_u128(if ms % 3 == 0 { 100 } else { 200 });
    let (status, vendor) = if ms % 2 == 0 { (200, Some(Uuid::from_u128(3))) } else { (503, None) };
    let caller = if ms % 5 == 0 { "+15551230001" } else { "441632960000" };
    Cdr { id, customer, status, vendor, caller: caller.into(), callee: "15557650001".into(), ..answered(1) }
}

async fn messages(store: &dyn LogStore) {
    let mut batch = Batch::default();
    for ms in 0..12 {
        batch.accept(message(ms));
    }
    let part = MessageRow { id: message(3).id + 1, parent: Some(message(3).id), part: 1, ..message(3) };
    batch.accept(part);
    for ms in [2, 3] {
        let done = Progress { state: State::Delivered, deadline: None, ..message(ms).progress };
        batch.change(message(ms).id, done);
    }
    store.commit(&batch).await.unwrap();

    let all = MdrFilter::default;
    let of_customer = || MdrFilter { customer: Some(Uuid::from_u128(100)), ..all() };
    let cases: [(MdrFilter, &[i64]); 21] = [
        (all(), &[11, 10, 9, 8, 7, 6, 5, 4, 3, 2, 1, 0]),
        (of_customer(), &[9, 6, 3, 0]),
        (MdrFilter { since: Some(at(3)), until: Some(at(9)), ..of_customer() }, &[6, 3]),
        (MdrFilter { since: Some(at(9)), until: Some(at(3)), ..all() }, &[]),
        (MdrFilter { account: Some(Uuid::from_u128(2)), until: Some(at(2)), ..all() }, &[1, 0]),
        (MdrFilter { account: Some(Uuid::from_u128(9)), ..all() }, &[]),
        (MdrFilter { is_final: true, ..all() }, &[3, 2]),
        (MdrFilter { is_final: true, ..of_customer() }, &[3]),
        (MdrFilter { state: Some(State::Queued), since: Some(at(1)), until: Some(at(5)), ..all() }, &[4, 1]),
        (MdrFilter { state: Some(State::Queued), is_final: true, ..all() }, &[]),
        (MdrFilter { destination_prefix: "1555".to_owned(), ..of_customer() }, &[6, 0]),
        (MdrFilter { destination_prefix: "+44".to_owned(), ..of_customer() }, &[9, 3]),
        (MdrFilter { destination_prefix: "%\0_".to_owned(), ..all() }, &[]),
        (MdrFilter { direction: Some(Direction::Mo), ..all() }, &[7]),
        (MdrFilter { source_prefix: "+1555777".to_owned(), ..all() }, &[8, 4, 0]),
        (MdrFilter { source_prefix: "1555777".to_owned(), ..of_customer() }, &[0]),
        (MdrFilter { source_prefix: "WAR".to_owned(), until: Some(at(4)), ..all() }, &[3, 2, 1]),
        (MdrFilter { source_prefix: "war".to_owned(), ..all() }, &[]),
        (MdrFilter { vendor: Some(Uuid::from_u128(5)), ..all() }, &[10, 5, 0]),
        (MdrFilter { vendor: Some(Uuid::from_u128(3)), ..of_customer() }, &[9, 6, 3]),
        (
            MdrFilter {
                vendor: Some(Uuid::from_u128(5)),
                source_prefix: "WARP".to_owned(),
                destination_prefix: "1555".to_owned(),
                ..all()
            },
            &[10],
        ),
    ];
    for (filter, expected) in cases {
        let found = store.mdrs(&filter, i64::MAX, 100).await.unwrap();
        let expected: Vec<i64> = expected.iter().map(|ms| message(*ms).id).collect();
        assert_eq!(found.iter().map(|row| row.id).collect::<Vec<_>>(), expected, "{filter:?}");
    }
    let page = store.mdrs(&of_customer(), message(6).id, 1).await.unwrap();
    let mut expected = message(3);
    expected.progress = Progress { state: State::Delivered, deadline: None, ..expected.progress };
    assert_eq!(page, [expected]);
}

async fn calls(store: &dyn LogStore) {
    let mut batch = Batch::default();
    for ms in 0..12 {
        batch.calls.cdr(call(ms), []);
    }
    store.commit(&batch).await.unwrap();

    let all = CdrFilter::default;
    let of_customer = || CdrFilter { customer: Some(Uuid::from_u128(100)), ..all() };
    let cases: [(CdrFilter, &[i64]); 11] = [
        (all(), &[11, 10, 9, 8, 7, 6, 5, 4, 3, 2, 1, 0]),
        (of_customer(), &[9, 6, 3, 0]),
        (CdrFilter { since: Some(at(3)), until: Some(at(9)), ..of_customer() }, &[6, 3]),
        (CdrFilter { since: Some(at(9)), until: Some(at(3)), ..all() }, &[]),
        (CdrFilter { trunk: Some(Uuid::from_u128(2)), until: Some(at(2)), ..all() }, &[1, 0]),
        (CdrFilter { trunk: Some(Uuid::from_u128(9)), ..all() }, &[]),
        (CdrFilter { vendor: Some(Uuid::from_u128(3)), ..of_customer() }, &[6, 0]),
        (CdrFilter { status_class: Some(5), ..of_customer() }, &[9, 3]),
        (CdrFilter { status_class: Some(u8::MAX), ..all() }, &[]),
        (CdrFilter { caller_prefix: "1555".to_owned(), ..all() }, &[10, 5, 0]),
        (
            CdrFilter {
                callee_prefix: "+1555765".to_owned(),
                caller_prefix: "+44".to_owned(),
                ..of_customer()
            },
            &[9, 6, 3],
        ),
    ];
    for (filter, expected) in cases {
        let found = store.cdrs(&filter, Uuid::max(), 100).await.unwrap();
        let expected: Vec<Uuid> = expected.iter().map(|ms| call(*ms).id).collect();
        assert_eq!(found.iter().map(|row| row.id).collect::<Vec<_>>(), expected, "{filter:?}");
    }
    assert_eq!(store.cdrs(&of_customer(), call(6).id, 1).await.unwrap(), [call(3)]);
}

#[tokio::test]
async fn sql_finds_what_a_filter_takes() {
    each_engine(async |engine: Engine| {
        let store = SqlLog::new(engine.log.clone());
        messages(&store).await;
        calls(&store).await;
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn the_simulated_log_finds_what_a_filter_takes() {
    let store = SimLog::new(Disk::default(), Random::seeded(2));
    messages(&store).await;
    calls(&store).await;
}
