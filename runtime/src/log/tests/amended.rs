//! CDRs that are completed when their media node tells late what it has counted.

use super::calls::{answered, id};
use super::*;

const NODE: u8 = 255;

/// Figures of one node; `packets` tells one set from another.
fn told(node: u8, packets: u64) -> CallMedia {
    let caller =
        MediaSent { packets: Some(packets), lost: Some(1), jitter_ms: Some(2), mos_tenths: Some(43) };
    let callee = MediaSent { packets: Some(packets + 1), ..MediaSent::default() };
    CallMedia { node, caller, callee }
}

fn untold(ms: u64) -> Cdr {
    Cdr { media: Some(CallMedia { node: NODE, ..CallMedia::default() }), ..answered(ms) }
}

async fn stored(store: &dyn LogStore, ms: u64) -> Cdr {
    let found = store.cdrs(&CdrFilter::default(), id(ms + 1), 1).await.unwrap();
    found.into_iter().find(|cdr| cdr.id == id(ms)).unwrap()
}

fn late(figures: &[(u64, CallMedia)]) -> Batch {
    let mut batch = Batch::default();
    for (ms, media) in figures {
        assert!(batch.calls.media(id(*ms), *media, 1_000));
    }
    batch
}

/// What every store does with figures that come late.
async fn contract(store: &dyn LogStore) {
    let whole = answered(5);
    let mut batch = Batch::default();
    batch.calls.cdr(untold(1), []);
    batch.calls.cdr(untold(2), []);
    batch.calls.cdr(untold(3), []);
    batch.calls.cdr(Cdr { media: None, ..answered(4) }, []);
    batch.calls.cdr(whole.clone(), []);
    // In one commit with its CDR.
    assert!(batch.calls.media(id(2), told(NODE, 20), 1_000));
    store.commit(&batch).await.unwrap();
    assert_eq!(stored(store, 1).await, untold(1));
    assert_eq!(stored(store, 2).await, Cdr { media: Some(told(NODE, 20)), ..untold(2) });

    // One alone is one statement; several are more than any statement takes.
    store.commit(&late(&[(1, told(NODE, 10))])).await.unwrap();
    let expected = Cdr { media: Some(told(NODE, 10)), ..untold(1) };
    assert_eq!(stored(store, 1).await, expected, "nothing else of it changes");
    let wrong = [
        (1, told(NODE, 99)),
        (3, told(NODE - 1, 99)),
        (4, told(NODE, 99)),
        (5, told(NODE, 99)),
        (77, told(NODE, 99)),
    ];
    store.commit(&late(&wrong)).await.unwrap();
    assert_eq!(stored(store, 1).await, expected, "it has figures");
    assert_eq!(stored(store, 3).await, untold(3), "of another media node");
    assert_eq!(stored(store, 4).await.media, None, "no media node carried it");
    assert_eq!(stored(store, 5).await, whole, "it was whole");
    assert_eq!(
        store.cdrs(&CdrFilter::default(), Uuid::max(), 99).await.unwrap().len(),
        5,
        "no CDR comes of it"
    );

    // A commit that was in doubt comes again, and so may the CDR.
    let batch = late(&[(3, told(NODE, 30))]);
    store.commit(&batch).await.unwrap();
    store.commit(&batch).await.unwrap();
    let mut again = Batch::default();
    again.calls.cdr(untold(3), []);
    assert_eq!(store.commit(&again).await.unwrap().cdrs_repeated, 1);
    assert_eq!(stored(store, 3).await.media, Some(told(NODE, 30)));
}

#[tokio::test]
async fn sql_completes_cdrs() {
    each_engine(async |engine: Engine| contract(&SqlLog::new(engine.log.clone())).await).await;
}

#[tokio::test(start_paused = true)]
async fn the_simulated_log_completes_cdrs() {
    contract(&SimLog::new(Disk::default(), Random::seeded(2))).await;
}

/// Nobody waits for it, and a disk that refuses is not fed for ever.
#[tokio::test(start_paused = true)]
async fn what_is_late_is_durable_soon_and_bounded() {
    let disk = Disk::default();
    let log = MessageLog::new(Arc::new(SimLog::new(disk.clone(), Random::seeded(5))), Limits::default());
    let kept = (0..20_000).filter(|ms| log.put_media(id(*ms), told(NODE, 1))).count();
    assert_eq!(kept, 16_384);
    log.put_cdr(untold(7), []);
    let committer = log.clone();
    let committer = tokio::spawn(async move { committer.run(|_| ()).await });
    tokio::time::sleep(Duration::from_millis(100)).await;
    assert_eq!(disk.cdrs(), [Cdr { media: Some(told(NODE, 1)), ..untold(7) }]);
    assert!(log.put_media(id(7), told(NODE, 1)), "there is room again");
    committer.abort();
}
