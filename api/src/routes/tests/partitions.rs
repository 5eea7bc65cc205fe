//! Partitions and the vendors in them.

use serde_json::json;

use super::voice_vendors::{partition, vendor};
use crate::testing::{Lab, TOKEN};

const PARTITIONS: &str = "/v1/admin/partitions";

#[tokio::test]
async fn a_partition_is_made_read_listed_and_taken_away() {
    let lab = Lab::new().await;
    let id = partition(&lab, "wholesale").await;
    partition(&lab, "retail").await;
    let path = format!("{PARTITIONS}/{id}");
    let read = lab.ask(TOKEN, ("GET", &path), None).await;
    assert_eq!((read.status, &read.json()["name"]), (200, &json!("wholesale")));
    for (query, found) in
        [("", vec!["retail", "wholesale"]), ("?search=HOLE", vec!["wholesale"]), ("?limit=1", vec!["retail"])]
    {
        let list = lab.ask(TOKEN, ("GET", &format!("{PARTITIONS}{query}")), None).await.json();
        let names: Vec<&str> =
            list["items"].as_array().unwrap().iter().map(|item| item["name"].as_str().unwrap()).collect();
        assert_eq!(names, found, "{query}");
    }
    for (body, status) in [
        (json!({"name": "wholesale"}), 409),
        (json!({"name": " "}), 422),
        (json!({"name": "a", "id": 1}), 422),
    ] {
        assert_eq!(lab.ask(TOKEN, ("POST", PARTITIONS), Some(body.clone())).await.status, status, "{body}");
    }
    assert_eq!(lab.ask(TOKEN, ("PUT", &path), Some(json!({"name": "other"}))).await.status, 405);
    assert_eq!(lab.ask(TOKEN, ("DELETE", &path), None).await.status, 204);
    assert_eq!(lab.ask(TOKEN, ("GET", &path), None).await.status, 404);
}

#[tokio::test]
async fn vendors_come_into_a_partition_with_a_rate_and_leave_it_with_all_of_them() {
    let lab = Lab::new().await;
    let (partition, vendor) = (partition(&lab, "wholesale").await, vendor(&lab, "atlantic").await);
    let path = format!("{PARTITIONS}/{partition}");
    let (vendors, one) = (format!("{path}/vendors"), format!("{path}/vendors/{vendor}"));
    assert_eq!(lab.ask(TOKEN, ("GET", &vendors), None).await.json()["items"], json!([]));
    assert_eq!(lab.ask(TOKEN, ("DELETE", &one), None).await.status, 404);
    for body in [json!({"rate": "0.09"}), json!({"rate": "0.0042", "prefix": "+1", "weight": 50})] {
        let put = lab.ask(TOKEN, ("PUT", &one), Some(body)).await;
        assert_eq!((put.status, &put.json()["partition"]), (200, &json!("wholesale")), "{}", put.body);
    }
    let listed = lab.ask(TOKEN, ("GET", &vendors), None).await.json();
    let expected = json!([{"vendor_id": vendor, "vendor": "atlantic", "status": "ACTIVE", "prefixes": 2,
        "lowest_rate": "0.0042"}]);
    assert_eq!(listed["items"], expected);
    for (body, pointer) in [
        (json!({"rate": "-1"}), "/rate"),
        (json!({"rate": "1", "prefix": "x"}), "/prefix"),
        (json!({"rate": "1", "weight": 10_001}), "/weight"),
    ] {
        let refused = lab.ask(TOKEN, ("PUT", &one), Some(body)).await;
        assert_eq!((refused.status, &refused.json()["errors"][0]["pointer"]), (422, &json!(pointer)));
    }
    let in_use = lab.ask(TOKEN, ("DELETE", &path), None).await;
    assert_eq!((in_use.status, &in_use.json()["code"]), (409, &json!("in_use")));
    assert!(in_use.body.contains("atlantic"), "{}", in_use.body);
    let stranger = format!("{vendors}/00000000-0000-7000-8000-000000000000");
    assert_eq!(lab.ask(TOKEN, ("PUT", &stranger), Some(json!({"rate": "1"}))).await.status, 404);
    assert_eq!(lab.ask(TOKEN, ("DELETE", &one), None).await.status, 204);
    assert_eq!(lab.ask(TOKEN, ("DELETE", &path), None).await.status, 204);
}

#[tokio::test]
async fn a_partition_that_a_trunk_chooses_from_stays() {
    let lab = Lab::new().await;
    let id = partition(&lab, "wholesale").await;
    lab.customer("TB-1", "ACTIVE").await;
    let trunk = json!({"name": "acme-east", "partition": "wholesale"});
    let made = lab.ask(TOKEN, ("POST", "/v1/admin/customers/TB-1/trunks"), Some(trunk)).await;
    assert_eq!(made.status, 201, "{}", made.body);
    let in_use = lab.ask(TOKEN, ("DELETE", &format!("{PARTITIONS}/{id}")), None).await;
    assert_eq!((in_use.status, in_use.body.contains("acme-east")), (409, true), "{}", in_use.body);
}
