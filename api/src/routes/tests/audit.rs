//! The audit: who did what, and when.

use std::time::Duration;

use runtime::clock::Timestamp;
use runtime::store::audit::{self, Entry};
use serde_json::{Value, json};
use uuid::{Builder, Uuid};

use crate::testing::{Lab, TOKEN};

const COUNT: u64 = 12;

fn at(n: u64) -> Timestamp {
    Timestamp::from_micros(1_700_000_000_000_000).plus(Duration::from_secs(60 * n))
}

/// Entries of twelve minutes, the oldest numbered 0.
async fn lab() -> Lab {
    let lab = Lab::new().await;
    let mut tx = lab.api.store.begin().await.unwrap();
    for n in 0..COUNT {
        let ms = u64::try_from(at(n).micros() / 1000).unwrap();
        let entry = Entry {
            id: Builder::from_unix_timestamp_millis(ms, &[7; 10]).into_uuid(),
            at: at(n),
            principal: if n.is_multiple_of(2) { "user:maria@example.net" } else { "key:0123" }.to_owned(),
            address: "198.51.100.7".to_owned(),
            request_id: n.to_string(),
            action: if n.is_multiple_of(3) { "update" } else { "create" }.to_owned(),
            resource: "/v1/customers".to_owned(),
            customer: (n < 6).then_some(Uuid::from_u128(9)),
            before: None,
            after: Some(json!({"number": n})),
        };
        audit::record(&mut tx, entry).await.unwrap();
    }
    tx.commit().await.unwrap();
    lab
}

/// The numbers of the entries on a page.
fn numbers(page: &Value) -> Vec<u64> {
    let items = page["items"].as_array().unwrap();
    items.iter().map(|item| item["after"]["number"].as_u64().unwrap()).collect()
}

#[tokio::test]
async fn entries_are_found_by_who_did_what_and_when() {
    let lab = lab().await;
    let (customer, offset) = (Uuid::from_u128(9), at(9).to_string().replace('Z', "%2B00:00"));
    let cases: [(String, &[u64]); 13] = [
        (String::new(), &[11, 10, 9, 8, 7, 6, 5, 4, 3, 2, 1, 0]),
        (format!("customer_id={customer}"), &[5, 4, 3, 2, 1, 0]),
        ("principal=user:maria@example.net".to_owned(), &[10, 8, 6, 4, 2, 0]),
        ("principal=user%3Amaria%40example.net&action=update".to_owned(), &[6, 0]),
        ("principal=user:maria".to_owned(), &[]),
        ("action=update".to_owned(), &[9, 6, 3, 0]),
        ("action=upd".to_owned(), &[]),
        (format!("since={}", at(9)), &[11, 10, 9]),
        (format!("since={offset}"), &[11, 10, 9]),
        (format!("until={}", at(2)), &[1, 0]),
        (format!("since={}&until={}", at(3), at(6)), &[5, 4, 3]),
        (format!("since={}&until={}", at(6), at(3)), &[]),
        (format!("customer_id={customer}&principal=key:0123&action=create&since={}", at(2)), &[5]),
    ];
    for (query, expected) in cases {
        let answer = lab.ask(TOKEN, ("GET", &format!("/v1/audit?{query}")), None).await;
        assert_eq!(answer.status, 200, "{query}: {}", answer.body);
        let page = answer.json();
        assert_eq!((numbers(&page), &page["next"]), (expected.to_vec(), &Value::Null), "{query}");
    }
}

#[tokio::test]
async fn pages_of_what_was_asked_for_go_on_where_the_last_one_ended() {
    let lab = lab().await;
    for (query, expected) in [
        ("principal=key:0123".to_owned(), vec![11, 9, 7, 5, 3, 1]),
        ("action=update".to_owned(), vec![9, 6, 3, 0]),
        (format!("since={}&until={}", at(2), at(9)), vec![8, 7, 6, 5, 4, 3, 2]),
    ] {
        for size in 1..=3 {
            assert_eq!(by_pages(&lab, &query, size).await, expected, "{query} by {size}");
        }
    }
}

async fn by_pages(lab: &Lab, query: &str, size: usize) -> Vec<u64> {
    let (mut found, mut cursor) = (Vec::new(), String::new());
    loop {
        let path = format!("/v1/audit?{query}&limit={size}{cursor}");
        let page = lab.ask(TOKEN, ("GET", &path), None).await.json();
        assert!(!numbers(&page).is_empty() && numbers(&page).len() <= size, "{path}: {page}");
        found.extend(numbers(&page));
        let Some(next) = page["next"].as_str() else { return found };
        cursor = format!("&cursor={next}");
    }
}

#[tokio::test]
async fn what_is_written_by_the_interface_is_found_by_its_writer() {
    let lab = Lab::new().await;
    lab.customer("ACME-1", "ACTIVE").await;
    for (query, count) in [
        ("principal=bootstrap&action=create&since=2020-01-01T00:00:00Z&until=2200-01-01T00:00:00Z", 1),
        ("principal=control", 0),
        ("since=2200-01-01T00:00:00Z", 0),
        ("until=2020-01-01T00:00:00Z", 0),
    ] {
        let page = lab.ask(TOKEN, ("GET", &format!("/v1/audit?{query}")), None).await.json();
        assert_eq!(page["items"].as_array().unwrap().len(), count, "{query}: {page}");
    }
}

#[tokio::test]
async fn filters_that_cannot_be_understood_are_refused() {
    let lab = Lab::new().await;
    let long = format!("principal={}", "x".repeat(301));
    for (query, reason) in [
        ("since=yesterday", "since is a time of RFC 3339"),
        ("until=2026-01-02", "until is a time of RFC 3339"),
        ("customer_id=ACME-1", "customer_id is an id"),
        ("actor=bootstrap", "unknown query parameter"),
        (long.as_str(), "principal is at most 300 characters"),
    ] {
        let refused = lab.ask(TOKEN, ("GET", &format!("/v1/audit?{query}")), None).await;
        assert_eq!(refused.status, 400, "{query}: {}", refused.body);
        assert!(refused.json()["detail"].as_str().unwrap().contains(reason), "{query}: {}", refused.body);
    }
}
