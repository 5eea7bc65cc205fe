//! The list of high-cost prefixes.

use serde_json::json;

use crate::testing::{Lab, TOKEN};

const LIST: &str = "/v1/admin/high-cost";

#[tokio::test]
async fn the_list_is_replaced_whole() {
    let lab = Lab::new().await;
    assert_eq!(lab.ask(TOKEN, ("GET", LIST), None).await.json(), json!({"prefixes": []}));
    for (wanted, kept) in [
        (json!(["+882", "881"]), json!(["881", "882"])),
        (json!(["870", "881"]), json!(["870", "881"])),
        (json!([]), json!([])),
    ] {
        let put = lab.ask(TOKEN, ("PUT", LIST), Some(json!({"prefixes": wanted}))).await;
        assert_eq!((put.status, &put.json()["prefixes"]), (200, &kept), "{}", put.body);
        let read = lab.ask(TOKEN, ("GET", LIST), None).await;
        assert_eq!((read.json(), read.header("etag")), (json!({"prefixes": kept}), put.header("etag")));
    }
}

#[tokio::test]
async fn what_is_no_prefix_or_stands_twice_is_refused_by_its_place() {
    let lab = Lab::new().await;
    for (prefixes, pointer) in [
        (json!(["881", ""]), "/prefixes/1"),
        (json!(["88x"]), "/prefixes/0"),
        (json!(["881", "882", "+881"]), "/prefixes/2"),
        (json!([881]), "/prefixes/0"),
    ] {
        let refused = lab.ask(TOKEN, ("PUT", LIST), Some(json!({"prefixes": prefixes}))).await;
        assert_eq!((refused.status, &refused.json()["errors"][0]["pointer"]), (422, &json!(pointer)));
    }
}
