//! The stock of numbers, and who has which.

use serde_json::{Value, json};

use crate::testing::{Answer, Lab, TOKEN};

const DIDS: &str = "/v1/admin/dids";

fn code(answer: &Answer) -> (u16, String) {
    (answer.status, answer.json()["code"].as_str().unwrap_or_default().to_owned())
}

fn pointer(answer: &Answer) -> (u16, Value) {
    (answer.status, answer.json()["errors"][0]["pointer"].clone())
}

fn numbers(answer: &Answer) -> Vec<String> {
    let items = answer.json()["items"].as_array().unwrap().clone();
    items.iter().map(|item| item["number"].as_str().unwrap().to_owned()).collect()
}

async fn ask(lab: &Lab, line: (&str, &str), body: Option<Value>) -> Answer {
    lab.ask(TOKEN, line, body).await
}

/// Takes a number into stock; gives its path.
async fn stock(lab: &Lab, number: &str) -> String {
    let made = ask(lab, ("POST", DIDS), Some(json!({"number": number}))).await;
    assert_eq!(made.status, 201, "{}", made.body);
    made.header("location").to_owned()
}

async fn trunk(lab: &Lab, ban: &str, name: &str) {
    let path = format!("/v1/admin/customers/{ban}/trunks");
    let made = ask(lab, ("POST", &path), Some(json!({"name": name}))).await;
    assert_eq!(made.status, 201, "{}", made.body);
}

#[tokio::test]
async fn a_number_is_stocked_assigned_led_elsewhere_released_and_taken_out() {
    let lab = Lab::new().await;
    lab.customer("AAA-1", "ACTIVE").await;
    lab.customer("BBB-2", "ACTIVE").await;
    trunk(&lab, "AAA-1", "east").await;
    trunk(&lab, "BBB-2", "boston").await;
    let path = stock(&lab, "+15550002222").await;
    let read = ask(&lab, ("GET", &path), None).await.json();
    assert_eq!((&read["number"], &read["customer"]), (&json!("15550002222"), &Value::Null));
    let again = ask(&lab, ("POST", DIDS), Some(json!({"number": "15550002222"}))).await;
    assert_eq!(code(&again), (409, "already_exists".to_owned()));

    let assignment = format!("{path}/assignment");
    for (body, wrong) in [
        (json!({}), ""),
        (json!({"customer": "NOBODY"}), "/customer"),
        (json!({"customer": "AAA-1", "trunk": "boston"}), "/trunk"),
        (json!({"customer": "AAA-1", "trunk": "nowhere"}), "/trunk"),
        (json!({"customer": "AAA-1", "system_id": "nobody"}), "/system_id"),
    ] {
        let refused = ask(&lab, ("PUT", &assignment), Some(body.clone())).await;
        assert_eq!(pointer(&refused), (422, json!(wrong)), "{body} {}", refused.body);
    }
    let given = ask(&lab, ("PUT", &assignment), Some(json!({"customer": "AAA-1", "trunk": "east"}))).await;
    assert_eq!((given.status, &given.json()["trunk"]), (200, &json!("east")), "{}", given.body);
    let moved = ask(&lab, ("PUT", &assignment), Some(json!({"customer": "BBB-2"}))).await;
    assert_eq!(code(&moved), (409, "in_use".to_owned()), "it is another's");
    assert_eq!(code(&ask(&lab, ("DELETE", &path), None).await), (409, "in_use".to_owned()));
    let trunks = ask(&lab, ("GET", "/v1/admin/customers/AAA-1/trunks"), None).await.json();
    let east = format!("/v1/admin/customers/AAA-1/trunks/{}", trunks["items"][0]["id"].as_str().unwrap());
    let refused = ask(&lab, ("DELETE", &format!("{east}?drain")), None).await;
    assert_eq!(code(&refused), (409, "in_use".to_owned()));
    assert!(refused.body.contains("15550002222"), "{}", refused.body);

    let elsewhere = ask(&lab, ("PUT", &assignment), Some(json!({"customer": "AAA-1"}))).await;
    assert_eq!((elsewhere.status, &elsewhere.json()["trunk"]), (200, &Value::Null));
    assert_eq!(ask(&lab, ("DELETE", &assignment), None).await.status, 204);
    assert_eq!(ask(&lab, ("DELETE", &assignment), None).await.status, 404, "nobody has it");
    assert_eq!(ask(&lab, ("DELETE", &path), None).await.status, 204);
    assert_eq!(ask(&lab, ("GET", &path), None).await.status, 404);
}

#[tokio::test]
async fn numbers_are_digits() {
    let lab = Lab::new().await;
    for number in ["", "+", "555 000", "++1", "123456789012345678901", "sip:1"] {
        let refused = ask(&lab, ("POST", DIDS), Some(json!({"number": number}))).await;
        assert_eq!(pointer(&refused), (422, json!("/number")), "{number} {}", refused.body);
    }
}

#[tokio::test]
async fn of_many_numbers_those_that_fit_are_kept_and_lists_find_them() {
    let lab = Lab::new().await;
    lab.customer("AAA-1", "ACTIVE").await;
    trunk(&lab, "AAA-1", "east").await;
    let items = json!([{"number": "+15550001"}, {"number": "15550001"}, {"number": "x"},
        {"number": "15550002", "customer": "AAA-1", "trunk": "east"}, {"number": "4420001", "customer": "NOBODY"},
        {"number": "4420002", "trunk": "east"}, {"number": "4420003"}]);
    let answer = ask(&lab, ("POST", "/v1/admin/dids/batch"), Some(json!({"items": items}))).await;
    assert_eq!(answer.status, 200, "{}", answer.body);
    let outcomes = answer.json();
    let statuses: Vec<_> =
        outcomes["items"].as_array().unwrap().iter().map(|one| one["status"].clone()).collect();
    assert_eq!(statuses, [201, 409, 422, 201, 422, 422, 201]);
    assert_eq!(outcomes["items"][3]["did"]["trunk"], "east");
    assert_eq!(outcomes["items"][5]["problem"]["errors"][0]["pointer"], "/customer");
    for (query, found) in [
        ("", vec!["15550001", "15550002", "4420003"]),
        ("?customer=AAA-1", vec!["15550002"]),
        ("?customer=NOBODY", vec![]),
        ("?assigned=true", vec!["15550002"]),
        ("?assigned=false", vec!["15550001", "4420003"]),
        ("?prefix=%2B1555", vec!["15550001", "15550002"]),
        ("?prefix=+44", vec!["4420003"]),
        ("?prefix=%25", vec![]),
        ("?limit=1&cursor=15550001", vec!["15550002"]),
    ] {
        let listed = ask(&lab, ("GET", &format!("{DIDS}{query}")), None).await;
        assert_eq!(numbers(&listed), found, "{query}");
    }
}

#[tokio::test]
async fn a_customer_gets_numbers_out_of_stock_and_sees_its_own_alone() {
    let lab = Lab::new().await;
    let (_, first) = lab.customer("AAA-1", "ACTIVE").await;
    let (_, second) = lab.customer("BBB-2", "ACTIVE").await;
    for number in ["15550001", "15550002"] {
        stock(&lab, number).await;
    }
    let (of_first, of_second) =
        (format!("/v1/customers/{first}/dids"), format!("/v1/customers/{second}/dids"));
    let missing = json!({"numbers": ["15550001", "15550009"]});
    let refused = ask(&lab, ("POST", &of_first), Some(missing)).await;
    assert_eq!(pointer(&refused), (422, json!("/numbers/1")), "{}", refused.body);
    assert_eq!(numbers(&ask(&lab, ("GET", &of_first), None).await), Vec::<String>::new(), "one was given");
    let given = ask(&lab, ("POST", &of_first), Some(json!({"numbers": ["+15550001"]}))).await;
    assert_eq!((given.status, numbers(&given)), (200, vec!["15550001".to_owned()]), "{}", given.body);
    let taken = ask(&lab, ("POST", &of_second), Some(json!({"numbers": ["15550001"]}))).await;
    assert_eq!(code(&taken), (409, "in_use".to_owned()));

    let permissions = ["dids:read", "dids:manage"];
    let mine = lab.key(Some("AAA-1"), &permissions).await;
    let theirs = lab.key(Some("BBB-2"), &permissions).await;
    assert_eq!(numbers(&lab.ask(&mine, ("GET", &of_first), None).await), ["15550001"]);
    assert_eq!(lab.ask(&theirs, ("GET", &of_first), None).await.status, 404);
    assert_eq!(numbers(&lab.ask(&theirs, ("GET", &of_second), None).await), Vec::<String>::new());
    for (line, body) in [
        (("POST", of_first.as_str()), Some(json!({"numbers": ["15550002"]}))),
        (("GET", DIDS), None),
        (("POST", DIDS), Some(json!({"number": "15550003"}))),
    ] {
        let refused = lab.ask(&mine, line, body).await;
        assert_eq!(code(&refused), (403, "forbidden".to_owned()), "{line:?} {}", refused.body);
    }
}
