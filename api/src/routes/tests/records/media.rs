//! What a media node counted of a call, and who is told of it.

use runtime::log::{CallMedia, MediaSent};

use super::*;

/// Of a call of which one side reported nothing.
pub(super) fn counted() -> CallMedia {
    let caller = MediaSent { packets: Some(100), lost: Some(1), jitter_ms: Some(2), mos_tenths: Some(43) };
    CallMedia { node: 254, caller, callee: MediaSent { packets: Some(99), ..MediaSent::default() } }
}

/// What a record has under a title of CSV: figures of media stand by side.
pub(super) fn shown(item: &Value, title: &str) -> String {
    let own = item.get(title).or_else(|| item["routing"].get(title));
    let value = own.unwrap_or_else(|| {
        let (side, figure) = title.split_once('_').unwrap_or_default();
        &item["media"][side][figure]
    });
    let text = value.as_str().map_or_else(|| value.to_string(), str::to_owned);
    text.replace("null", "")
}

#[tokio::test]
async fn everybody_is_told_what_was_counted_and_the_platform_by_whom() {
    let fixture = Fixture::new().await;
    let caller = json!({"packets": 100, "lost": 1, "jitter_ms": 2, "mos_tenths": 43});
    let callee = json!({"packets": 99, "lost": null, "jitter_ms": null, "mos_tenths": null});
    let media = json!({"caller": caller, "callee": callee});
    for (token, node) in [(TOKEN, json!(254)), (fixture.own_key.as_str(), Value::Null)] {
        let newest = fixture.get(token, "/v1/cdrs?limit=1").await.json()["items"][0].take();
        assert_eq!((&newest["media"], &newest["routing"]["media_node"]), (&media, &node));
    }
    // One that did not come up.
    let calls = fixture.get(&fixture.own_key, "/v1/cdrs").await.json();
    assert_eq!((&calls["items"][1]["status"], &calls["items"][1]["media"]), (&json!(503), &Value::Null));
}

#[tokio::test]
async fn a_file_has_a_column_for_each_figure() {
    let fixture = Fixture::new().await;
    let csv = fixture.get(&fixture.own_key, "/v1/cdrs?format=csv&limit=2").await.body;
    let lines = lines(&csv);
    let cells = |line: usize| -> Vec<(&str, &str)> {
        let all = lines[0].iter().zip(&lines[line]).map(|(title, cell)| (title.as_str(), cell.as_str()));
        all.skip_while(|(title, _)| *title != "caller_packets").collect()
    };
    assert_eq!(
        cells(1),
        [
            ("caller_packets", "100"),
            ("caller_lost", "1"),
            ("caller_jitter_ms", "2"),
            ("caller_mos_tenths", "43"),
            ("callee_packets", "99"),
            ("callee_lost", ""),
            ("callee_jitter_ms", ""),
            ("callee_mos_tenths", ""),
        ]
    );
    assert!(cells(2).iter().all(|(_, cell)| cell.is_empty()), "no media node carried it");
}
