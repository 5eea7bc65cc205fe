//! SIP vendors and their rates.

use std::sync::Arc;

use actors::sip::account::Accounts;
use actors::sip::registration::{Registration, Said};
use actors::sip::snapshot::Snapshot;
use runtime::model::VendorStatus;
use serde_json::{Value, json};
use tokio::time::Instant;

use crate::testing::{Answer, Lab, TOKEN};

const VENDORS: &str = "/v1/admin/voice-vendors";

pub(super) async fn vendor(lab: &Lab, name: &str) -> String {
    let body = json!({"name": name, "gateways": ["sip:192.0.2.10:5060;transport=udp"]});
    let made = lab.ask(TOKEN, ("POST", VENDORS), Some(body)).await;
    assert_eq!(made.status, 201, "{}", made.body);
    made.json()["id"].as_str().unwrap().to_owned()
}

pub(super) async fn partition(lab: &Lab, name: &str) -> String {
    let made = lab.ask(TOKEN, ("POST", "/v1/admin/partitions"), Some(json!({"name": name}))).await;
    assert_eq!(made.status, 201, "{}", made.body);
    made.json()["id"].as_str().unwrap().to_owned()
}

fn code(answer: &Answer) -> (u16, String) {
    (answer.status, answer.json()["code"].as_str().unwrap_or_default().to_owned())
}

fn values(answer: &Answer, field: &str) -> Vec<String> {
    let items = answer.json()["items"].as_array().unwrap().clone();
    items.iter().map(|item| item[field].as_str().unwrap().to_owned()).collect()
}

#[tokio::test]
async fn a_vendor_is_made_read_changed_and_taken_away() {
    let lab = Lab::new().await;
    let body = json!({"name": "atlantic", "gateways": ["sip:192.0.2.10"], "networks": ["192.0.2.8/29"],
        "session_expires": "30m", "callee_rules": [{"prefix": "+", "strip": 1}], "hide_topology": true,
        "identity": {"send": "both", "diversions": "history_info"},
        "media": {"transcode": ["opus"], "recording_retention": "24h"},
        "verify_identity": "note", "sign_calls": true});
    let made = lab.ask(TOKEN, ("POST", VENDORS), Some(body)).await;
    assert_eq!(made.status, 201, "{}", made.body);
    let vendor = made.json();
    assert_eq!((&vendor["pdd_timeout"], &vendor["session_expires"]), (&json!("4s"), &json!("30m")));
    let identity = &vendor["identity"];
    assert_eq!((&identity["send"], &identity["diversions"]), (&json!("both"), &json!("history_info")));
    let media = &vendor["media"];
    assert_eq!((&media["transcode"], &media["recording_retention"]), (&json!(["opus"]), &json!("1d")));
    assert_eq!((&vendor["status"], &vendor["number"]), (&json!("ACTIVE"), &Value::Null));
    assert_eq!((&vendor["verify_identity"], &vendor["sign_calls"]), (&json!("note"), &json!(true)));
    assert_eq!(vendor["hide_topology"], json!(true));
    let path = format!("{VENDORS}/{}", vendor["id"].as_str().unwrap());
    assert_eq!(made.header("location"), path);
    let read = lab.ask(TOKEN, ("GET", &path), None).await;
    let mut shown = read.json();
    assert_eq!(shown.as_object_mut().unwrap().remove("registrations"), Some(json!([])), "{}", read.body);
    assert_eq!((read.status, shown, read.header("etag")), (200, vendor.clone(), made.header("etag")));

    let again = lab.ask(TOKEN, ("POST", VENDORS), Some(json!({"name": "atlantic"}))).await;
    assert_eq!(code(&again), (409, "already_exists".to_owned()));
    let renamed = lab.ask(TOKEN, ("PUT", &path), Some(json!({"name": "pacific"}))).await;
    assert_eq!((renamed.status, &renamed.json()["errors"][0]["pointer"]), (422, &json!("/name")));

    let change = json!({"name": "atlantic", "status": "DISABLED", "cps": 7});
    let stale = lab.ask_with(TOKEN, ("PUT", &path), Some(change.clone()), &[("if-match", "\"old\"")]).await;
    assert_eq!(code(&stale), (412, "changed".to_owned()));
    let in_use = lab.ask(TOKEN, ("DELETE", &path), None).await;
    assert_eq!(code(&in_use), (409, "in_use".to_owned()), "it is active");
    let changed = lab.ask(TOKEN, ("PUT", &path), Some(change)).await;
    assert_eq!(changed.status, 200, "{}", changed.body);
    let changed = changed.json();
    assert_eq!((&changed["cps"], &changed["gateways"]), (&json!(7), &json!([])), "defaults come back");
    assert_eq!((&changed["id"], &changed["created_at"]), (&vendor["id"], &vendor["created_at"]));
    assert_eq!(lab.ask(TOKEN, ("DELETE", &path), None).await.status, 204);
    assert_eq!(code(&lab.ask(TOKEN, ("GET", &path), None).await), (404, "unknown_vendor".to_owned()));
}

#[tokio::test]
async fn a_vendor_with_values_that_cannot_be_is_refused_by_pointer() {
    let lab = Lab::new().await;
    for (body, pointer) in [
        (json!({"name": ""}), "/name"),
        (json!({"name": "a", "gateways": ["192.0.2.1", "192.0.2.1"]}), "/gateways"),
        (json!({"name": "a", "gateways": ["192.0.2.1:0"]}), "/gateways/0"),
        (json!({"name": "a", "networks": ["0.0.0.0/0"]}), "/networks"),
        (json!({"name": "a", "pdd_timeout": "0s"}), "/pdd_timeout"),
        (json!({"name": "a", "ring_timeout": "25h"}), "/ring_timeout"),
        (json!({"name": "a", "session_expires": "89s"}), "/session_expires"),
        (json!({"name": "a", "weight": 10_001}), "/weight"),
        (json!({"name": "a", "failover_statuses": [200]}), "/failover_statuses"),
        (json!({"name": "a", "media": {"interface": "a b"}}), "/media/interface"),
        (json!({"name": "a", "media": {"transcode": [""]}}), "/media/transcode"),
        (json!({"name": "a", "media": {"recording_retention": "3651d"}}), "/media/recording_retention"),
        (json!({"name": "a", "media": {"learning": true}}), "/media/learning"),
        (json!({"name": "a", "media": {"codec": []}}), "/media"),
        (json!({"name": "a", "identity": {"caller_from": ["to"]}}), "/identity/caller_from"),
        (json!({"name": "a", "identity": {"foreign_numbers": "refuse"}}), "/identity/foreign_numbers"),
        (json!({"name": "a", "status": "GONE"}), "/status"),
        (json!({"name": "a", "number": 7}), ""),
    ] {
        let refused = lab.ask(TOKEN, ("POST", VENDORS), Some(body.clone())).await;
        assert_eq!(refused.status, 422, "{body} {}", refused.body);
        let found = refused.json()["errors"][0]["pointer"].as_str().unwrap().to_owned();
        assert!(found.starts_with(pointer), "{body} {}", refused.body);
    }
}

#[tokio::test]
async fn a_password_is_written_and_never_read() {
    let lab = Lab::new().await;
    let of = |account: Value| json!({"name": "atlantic", "account": account});
    let first = json!({"username": "warp", "realm": "a.example", "password": "correct horse"});
    let made = lab.ask(TOKEN, ("POST", VENDORS), Some(of(first.clone()))).await;
    let shown = json!({"username": "warp", "realm": "a.example"});
    assert_eq!((made.status, &made.json()["account"]), (201, &shown), "{}", made.body);
    let path = made.header("location").to_owned();
    let stored = sealed(&lab).await;
    let registered = json!({"username": "warp", "realm": "a.example", "register": {"expires": "10m"}});
    for (account, is_same) in [(shown.clone(), true), (registered, true), (first, false)] {
        let changed = lab.ask(TOKEN, ("PUT", &path), Some(of(account.clone()))).await;
        assert_eq!(changed.status, 200, "{}", changed.body);
        let read = lab.ask(TOKEN, ("GET", &path), None).await;
        assert_eq!(read.json()["account"]["register"].is_object(), account.get("register").is_some());
        for body in [changed.body, read.body] {
            assert!(!body.contains("horse") && !body.contains("password"), "{body}");
        }
        assert_eq!(sealed(&lab).await == stored, is_same, "{account}: a password that is not given stays");
    }
    for (account, pointer) in [
        (json!({"username": "warp", "realm": "b.example"}), "/account/password"),
        (json!({"username": "other", "realm": "a.example"}), "/account/password"),
        (json!({"username": "a:b", "realm": "a.example", "password": "x"}), "/account/username"),
        (json!({"username": "warp", "realm": "\"", "password": "x"}), "/account/realm"),
        (json!({"username": "warp", "realm": "a.example", "password": ""}), "/account/password"),
        (
            json!({"username": "warp", "realm": "a.example", "register": {"expires": "1s"}}),
            "/account/register/expires",
        ),
        (json!({"username": "warp", "realm": "a.example", "register": {"path": 1}}), "/account/register"),
    ] {
        let refused = lab.ask(TOKEN, ("PUT", &path), Some(of(account.clone()))).await;
        assert_eq!(refused.status, 422, "{account} {}", refused.body);
        let found = refused.json()["errors"][0]["pointer"].as_str().unwrap().to_owned();
        assert!(found.starts_with(pointer), "{account} {}", refused.body);
    }
    let nobody = json!({"name": "pacific", "account": shown});
    let refused = lab.ask(TOKEN, ("POST", VENDORS), Some(nobody)).await;
    assert_eq!(refused.json()["errors"][0]["pointer"], "/account/password", "{}", refused.body);
    let gone = lab.ask(TOKEN, ("PUT", &path), Some(json!({"name": "atlantic"}))).await;
    assert_eq!((gone.status, gone.json().get("account")), (200, None), "{}", gone.body);
    assert_eq!(sealed(&lab).await, None);
}

/// The node reads its configuration; gives the registration at the first vendor.
async fn read(lab: &Lab, status: VendorStatus, is_open: bool) -> Arc<Registration> {
    let mut voice = runtime::store::voice::load(&lab.api.store).await.unwrap();
    voice.vendors[0].status = status;
    let accounts = if is_open { Accounts::open(&voice, &lab.api.root_key) } else { Accounts::default() };
    let before = lab.calls.snapshot.load_full();
    let snapshot = Snapshot::new(voice, Some(&*before), &|_| Vec::new(), Instant::now().into_std());
    lab.calls.snapshot.store(Arc::new(snapshot.with_accounts(&accounts)));
    lab.calls.snapshot.load().vendors[0].targets[0].registration.clone().unwrap()
}

#[tokio::test]
async fn our_registration_is_shown_with_its_vendor() {
    let lab = Lab::new().await;
    let account =
        json!({"username": "warp", "realm": "a.example", "password": "correct horse", "register": {}});
    let body = json!({"name": "atlantic", "gateways": ["sip:192.0.2.10;transport=tcp", "sip:192.0.2.11:5070"],
        "account": account});
    let made = lab.ask(TOKEN, ("POST", VENDORS), Some(body)).await;
    assert_eq!(made.status, 201, "{}", made.body);
    assert_eq!(made.json().get("registrations"), None, "what was written has none");
    vendor(&lab, "baltic").await;
    let path = made.header("location").to_owned();
    let shown = || async {
        let one = lab.ask(TOKEN, ("GET", &path), None).await;
        assert_eq!((one.status, one.header("etag")), (200, made.header("etag")), "{}", one.body);
        let all = lab.ask(TOKEN, ("GET", VENDORS), None).await.json();
        assert_eq!(all["items"][1]["registrations"], json!([]), "we do not register there");
        let of = |vendor: &Value| {
            let one = &vendor["registrations"][0];
            (one["under_way"].clone(), one["last_outcome"].clone(), one["registered_until"].is_string())
        };
        assert_eq!(of(&all["items"][0]), of(&one.json()));
        assert!(!one.body.contains("horse") && !one.body.contains("password"), "{}", one.body);
        one.json()["registrations"].clone()
    };
    assert_eq!(shown().await, json!([]), "this node does not know the vendor yet");

    let known = read(&lab, VendorStatus::Active, true).await;
    let told = shown().await;
    assert_eq!(
        (&told[0]["gateway"], &told[0]["uri"]),
        (&json!("192.0.2.10:5060"), &json!("sip:192.0.2.10;transport=tcp"))
    );
    assert_eq!((&told[0]["transport"], &told[1]["gateway"]), (&json!("tcp"), &json!("192.0.2.11:5070")));
    assert_eq!((&told[0]["registered_until"], &told[0]["last_outcome"]), (&Value::Null, &Value::Null));
    assert!(told[0]["next_attempt_at"].is_string() && told.get(2).is_none(), "{told}");

    let due = known.begin(3600, lab.calls.now().instant).unwrap();
    assert_eq!(shown().await[0]["under_way"], true);
    known.settle(due.cseq, Said::Granted(1800), lab.calls.now().instant, 0);
    let told = shown().await;
    assert_eq!(
        (&told[0]["under_way"], &told[0]["last_outcome"]),
        (&json!(false), &json!("registered for 1800 s"))
    );
    let time = |field: &str| told[0][field].as_str().unwrap().to_owned();
    assert!(time("next_attempt_at") < time("registered_until"), "{told}");
    assert_eq!(told[1]["registered_until"], Value::Null, "each gateway by itself");

    let due = known.begin(3600, lab.calls.now().instant + std::time::Duration::from_secs(900)).unwrap();
    known.settle(due.cseq, Said::Refused(403), lab.calls.now().instant, 0);
    let told = shown().await;
    assert_eq!(told[0]["last_outcome"], "refused with 403");
    assert!(told[0]["registered_until"].is_string(), "it has what it has: {told}");

    // Nothing is asked of one that is not to have us any more, but an end; nor where the secret does not open.
    read(&lab, VendorStatus::Disabled, true).await;
    let told = shown().await;
    assert!(told[0]["next_attempt_at"].is_string() && told[1]["next_attempt_at"].is_null(), "{told}");
    read(&lab, VendorStatus::Active, false).await;
    assert!(shown().await[0]["next_attempt_at"].is_null());
}

/// Where we register is the platform's own matter.
#[tokio::test]
async fn registrations_are_not_for_customers() {
    let lab = Lab::new().await;
    let path = format!("{VENDORS}/{}", vendor(&lab, "atlantic").await);
    lab.customer("AAA-1", "ACTIVE").await;
    let customer = lab.key(Some("AAA-1"), &["vendors:read", "vendors:manage"]).await;
    let reader = lab.key(None, &["vendors:read"]).await;
    for path in [path.as_str(), VENDORS] {
        for (who, status) in [(&customer, 403), (&reader, 200)] {
            let answer = lab.ask(who, ("GET", path), None).await;
            let is_told = answer.body.contains("registrations");
            assert_eq!((answer.status, is_told), (status, status == 200), "{}", answer.body);
        }
    }
}

/// What is stored in place of the password of a vendor's account.
async fn sealed(lab: &Lab) -> Option<Vec<u8>> {
    let vendors = runtime::store::voice::load(&lab.api.store).await.unwrap().vendors;
    vendors.into_iter().find_map(|vendor| vendor.account).map(|account| account.ha1_sealed)
}

#[tokio::test]
async fn vendors_are_paged_and_searched() {
    let lab = Lab::new().await;
    for name in ["atlantic", "baltic", "pacific_1"] {
        vendor(&lab, name).await;
    }
    for (query, found, next) in [
        ("", vec!["atlantic", "baltic", "pacific_1"], None),
        ("?limit=2", vec!["atlantic", "baltic"], Some("baltic")),
        ("?limit=2&cursor=baltic", vec!["pacific_1"], None),
        ("?search=LTI", vec!["baltic"], None),
        ("?search=_", vec!["pacific_1"], None),
        ("?status=DISABLED", vec![], None),
    ] {
        let answer = lab.ask(TOKEN, ("GET", &format!("{VENDORS}{query}")), None).await;
        assert_eq!(values(&answer, "name"), found, "{query}");
        assert_eq!(answer.json()["next"].as_str(), next, "{query}");
    }
}

#[tokio::test]
async fn a_vendor_has_rates_by_partition_and_prefix() {
    let lab = Lab::new().await;
    let id = vendor(&lab, "atlantic").await;
    for name in ["retail", "whole/sale"] {
        partition(&lab, name).await;
    }
    let rates = format!("{VENDORS}/{id}/rates");
    for (partition, prefix, rate) in [
        ("whole/sale", "", "0.09"),
        ("whole/sale", "+1", "0.0042"),
        ("retail", "1", "0.01"),
        ("retail", "44", "1"),
    ] {
        let body = json!({"partition": partition, "prefix": prefix, "rate": rate});
        let put = lab.ask(TOKEN, ("PUT", &rates), Some(body)).await;
        assert_eq!(put.status, 200, "{}", put.body);
    }
    let first = lab.ask(TOKEN, ("GET", &rates), None).await.json()["items"][0].clone();
    assert_eq!((&first["vendor"], &first["weight"]), (&json!("atlantic"), &json!(100)));
    let body = json!({"partition": "retail", "prefix": "1", "rate": "0.02", "blocked": true});
    let changed = lab.ask(TOKEN, ("PUT", &rates), Some(body)).await.json();
    assert_eq!(
        (&changed["id"], &changed["rate"], &changed["blocked"]),
        (&first["id"], &json!("0.02"), &json!(true))
    );

    for (query, found, next) in [
        ("", vec!["1", "44", "", "1"], None),
        ("?limit=3", vec!["1", "44", ""], Some("/whole/sale")),
        ("?limit=3&cursor=/whole/sale", vec!["1"], None),
        ("?partition=retail", vec!["1", "44"], None),
        ("?prefix=%2B4", vec!["44"], None),
    ] {
        let answer = lab.ask(TOKEN, ("GET", &format!("{rates}{query}")), None).await;
        assert_eq!(values(&answer, "prefix"), found, "{query}");
        assert_eq!(answer.json()["next"].as_str(), next, "{query}");
    }

    for (body, pointer) in [
        (json!({"partition": "absent", "rate": "1"}), "/partition"),
        (json!({"partition": "retail", "prefix": "1x", "rate": "1"}), "/prefix"),
        (json!({"partition": "retail", "rate": "-1"}), "/rate"),
        (json!({"partition": "retail", "rate": "1", "vendor": "atlantic"}), ""),
    ] {
        let refused = lab.ask(TOKEN, ("PUT", &rates), Some(body.clone())).await;
        let found = &refused.json()["errors"][0]["pointer"];
        assert_eq!(
            (refused.status, found.as_str().unwrap().starts_with(pointer)),
            (422, true),
            "{body} {found}"
        );
    }
    let one = format!("{rates}/{}", first["id"].as_str().unwrap());
    assert_eq!(lab.ask(TOKEN, ("DELETE", &one), None).await.status, 204);
    assert_eq!(lab.ask(TOKEN, ("DELETE", &one), None).await.status, 404);
    let path = format!("{VENDORS}/{id}?drain=true");
    let in_use = lab.ask(TOKEN, ("DELETE", &path), None).await;
    assert_eq!(code(&in_use), (409, "in_use".to_owned()), "it has rates");
    let nobody = format!("{VENDORS}/00000000-0000-7000-8000-000000000000/rates");
    assert_eq!(lab.ask(TOKEN, ("GET", &nobody), None).await.status, 404);
}

#[tokio::test]
async fn of_many_rates_those_that_can_be_are_written() {
    let lab = Lab::new().await;
    let id = vendor(&lab, "atlantic").await;
    partition(&lab, "wholesale").await;
    let rates = format!("{VENDORS}/{id}/rates");
    let rate = |partition: &str, prefix: &str, rate: &str| json!({"partition": partition, "prefix": prefix, "rate": rate});
    let items = [
        rate("wholesale", "1", "0.0042"),
        rate("absent", "1", "0.0042"),
        rate("wholesale", "+1", "0.5"),
        rate("wholesale", "44", "-1"),
        rate("wholesale", "49", "0.01"),
    ];
    let answer = lab.ask(TOKEN, ("POST", &format!("{rates}/batch")), Some(json!({"items": items}))).await;
    assert_eq!(answer.status, 200, "{}", answer.body);
    let told = answer.json();
    let outcome = |item: &Value| (item["status"].clone(), item["problem"]["errors"][0]["pointer"].clone());
    let outcomes: Vec<_> = told["items"].as_array().unwrap().iter().map(outcome).collect();
    let refused = |pointer: &str| (json!(422), json!(pointer));
    let written = (json!(200), Value::Null);
    let expected = [written.clone(), refused("/partition"), refused("/prefix"), refused("/rate"), written];
    assert_eq!(outcomes, expected);
    let kept = lab.ask(TOKEN, ("GET", &rates), None).await;
    assert_eq!(values(&kept, "prefix"), ["1", "49"]);
    assert_eq!(values(&kept, "rate"), ["0.0042", "0.01"]);
    for (body, pointer) in [
        (json!({"items": []}), "/items"),
        (json!({"items": [{"partition": "wholesale", "rate": 1}]}), "/items/0/rate"),
    ] {
        let refused = lab.ask(TOKEN, ("POST", &format!("{rates}/batch")), Some(body)).await;
        assert_eq!((refused.status, &refused.json()["errors"][0]["pointer"]), (422, &json!(pointer)));
    }
}
