//! Trunks, their sources and dedicated addresses, by the platform's own people.

use serde_json::{Value, json};

use crate::testing::{Answer, Lab, TOKEN};

const A: &str = "AAA-1";
const B: &str = "BBB-2";

/// Two customers and a partition.
async fn lab() -> Lab {
    let lab = Lab::new().await;
    lab.customer(A, "ACTIVE").await;
    lab.customer(B, "ACTIVE").await;
    let applied = lab.control("POST", "/v1/control/apply", "[[partitions]]\nname = \"wholesale\"\n").await;
    assert_eq!(applied.status, 200, "{}", applied.body);
    lab
}

async fn ask(lab: &Lab, line: (&str, &str), body: Option<Value>) -> Answer {
    lab.ask(TOKEN, line, body).await
}

/// Makes a trunk; gives its path.
async fn trunk(lab: &Lab, ban: &str, name: &str) -> String {
    let trunks = format!("/v1/admin/customers/{ban}/trunks");
    let made = ask(lab, ("POST", &trunks), Some(json!({"name": name}))).await;
    assert_eq!(made.status, 201, "{}", made.body);
    made.header("location").to_owned()
}

fn code(answer: &Answer) -> (u16, String) {
    (answer.status, answer.json()["code"].as_str().unwrap_or_default().to_owned())
}

#[tokio::test]
async fn a_trunk_is_made_read_changed_listed_and_taken_away() {
    let lab = lab().await;
    let trunks = format!("/v1/admin/customers/{A}/trunks");
    let body = json!({"name": "acme-east", "partition": "wholesale", "allow": ["+1"], "rate_max": "0.25",
        "max_duration": "240m", "callee_rules": [{"prefix": "011", "strip": 3, "add": "+"}],
        "header_rules": [{"action": "set", "name": "X-Account", "value": "east"}],
        "gateways": ["sip:203.0.113.5:5060;transport=udp"], "hide_topology": true,
        "identity": {"caller_from": ["p_asserted_identity"], "foreign_numbers": "refuse"},
        "media": {"codecs": ["PCMA", "opus"], "ptime": "20ms", "dtmf": "telephone_event"}});
    let made = ask(&lab, ("POST", &trunks), Some(body.clone())).await;
    assert_eq!(made.status, 201, "{}", made.body);
    let (path, trunk) = (made.header("location"), made.json());
    assert_eq!((&trunk["allow"], &trunk["max_duration"]), (&json!(["1"]), &json!("4h")));
    assert_eq!((&trunk["auth_type"], &trunk["active"]), (&json!("IP_ACL"), &json!(true)));
    assert_eq!((&trunk["hide_topology"], &trunk["fork"]), (&json!(true), &json!("serial")));
    let media = json!({"path": "anchored", "learning": "off", "strict_source": true, "codecs": ["PCMA", "opus"],
        "transcode": [], "security": "rtp", "dtmf": "telephone_event", "ptime": "20ms", "interface": "",
        "t38": "pass", "recording": false, "recording_retention": "0s"});
    assert_eq!(trunk["media"], media);
    let identity = json!({"caller_from": ["p_asserted_identity"], "foreign_numbers": "refuse",
        "default_number": "", "send": "as_received", "diversions": "as_received"});
    assert_eq!(trunk["identity"], identity);
    assert!(trunk.get("customer").is_none() && trunk.get("acl").is_none(), "{trunk}");
    let read = ask(&lab, ("GET", path), None).await;
    assert_eq!((read.json(), read.header("etag")), (trunk.clone(), made.header("etag")));

    let again = ask(&lab, ("POST", &trunks), Some(body)).await;
    assert_eq!(code(&again), (409, "already_exists".to_owned()));
    let elsewhere = format!("/v1/admin/customers/{B}/trunks");
    let theirs = ask(&lab, ("POST", &elsewhere), Some(json!({"name": "acme-east"}))).await;
    assert_eq!(code(&theirs), (409, "already_exists".to_owned()), "a taken name is nobody else's");
    assert_eq!(ask(&lab, ("GET", path), None).await.json(), trunk, "the refused one changed it");

    let change = json!({"name": "acme-east", "cps": 7});
    let stale = lab.ask_with(TOKEN, ("PUT", path), Some(change.clone()), &[("if-match", "\"old\"")]).await;
    assert_eq!(code(&stale), (412, "changed".to_owned()));
    let changed = ask(&lab, ("PUT", path), Some(change)).await;
    assert_eq!(changed.status, 200, "{}", changed.body);
    let changed = changed.json();
    assert_eq!((&changed["cps"], &changed["partition"]), (&json!(7), &json!("")));
    assert_eq!(changed["media"]["codecs"], json!([]), "what is not given goes back to its default");
    assert_eq!((&changed["id"], &changed["number"]), (&trunk["id"], &trunk["number"]));
    let renamed = ask(&lab, ("PUT", path), Some(json!({"name": "west"}))).await;
    assert_eq!((renamed.status, &renamed.json()["errors"][0]["pointer"]), (422, &json!("/name")));

    for (query, found) in
        [("", 1), ("?search=EAST", 1), ("?search=w", 0), ("?active=false", 0), ("?cursor=b", 0)]
    {
        let listed = ask(&lab, ("GET", &format!("{trunks}{query}")), None).await;
        assert_eq!(listed.json()["items"].as_array().unwrap().len(), found, "{query}: {}", listed.body);
    }
    let other = path.replace(A, B);
    assert_eq!(ask(&lab, ("GET", &other), None).await.status, 404, "another's path leads to it");

    let source = ask(&lab, ("POST", &format!("{path}/ips")), Some(json!({"network": "203.0.113.7"}))).await;
    assert_eq!(source.status, 201, "{}", source.body);
    assert_eq!(code(&ask(&lab, ("DELETE", path), None).await), (409, "in_use".to_owned()));
    let gone = ask(&lab, ("DELETE", &format!("{path}?drain=true")), None).await;
    assert_eq!(gone.status, 204, "{}", gone.body);
    assert_eq!(ask(&lab, ("GET", path), None).await.status, 404);
}

#[tokio::test]
async fn a_trunk_with_values_that_cannot_be_is_refused_by_pointer() {
    let lab = lab().await;
    let trunks = format!("/v1/admin/customers/{A}/trunks");
    for (body, pointer) in [
        (json!({}), ""),
        (json!({"name": ""}), "/name"),
        (json!({"name": "x", "customer": A}), "/customer"),
        (json!({"name": "x", "acl": ["192.0.2.1"]}), "/acl"),
        (json!({"name": "x", "partition": "retail"}), "/partition"),
        (json!({"name": "x", "deny": ["1x"]}), "/deny"),
        (json!({"name": "x", "rate_max": "-1"}), "/rate_max"),
        (json!({"name": "x", "session_expires": "10s"}), "/session_expires"),
        (json!({"name": "x", "max_duration": "8d"}), "/max_duration"),
        (json!({"name": "x", "auth_type": "NONE"}), "/auth_type"),
        (json!({"name": "x", "fork": "both"}), "/fork"),
        (json!({"name": "x", "fork": "parallel"}), "/fork"),
        (json!({"name": "x", "digest": {"username": "x"}}), "/digest/password"),
        (json!({"name": "x", "digest": {"username": "x", "password": "too short"}}), "/digest/password"),
        (json!({"name": "x", "digest": {"username": "x", "password": 7}}), "/digest/password"),
        (
            json!({"name": "x", "digest": {"username": "x:y", "password": "long enough a"}}),
            "/digest/username",
        ),
        (json!({"name": "x", "digest": {"username": "x", "realm": "r"}}), "/digest/realm"),
        (json!({"name": "x", "gateways": ["sip:a", "sip:a"]}), "/gateways"),
        (json!({"name": "x", "media": "anchored"}), "/media"),
        (json!({"name": "x", "media": {"path": "relay"}}), "/media/path"),
        (json!({"name": "x", "media": {"ptime": "15ms"}}), "/media/ptime"),
        (json!({"name": "x", "media": {"ptime": 20}}), "/media/ptime"),
        (json!({"name": "x", "media": {"codecs": ["PCMA", "pcma"]}}), "/media/codecs"),
        (json!({"name": "x", "media": {"path": "direct", "recording": true}}), "/media/recording"),
        (json!({"name": "x", "identity": {"send": "pai"}}), "/identity/send"),
        (json!({"name": "x", "identity": {"foreign_numbers": "replace"}}), "/identity/default_number"),
        (
            json!({"name": "x", "header_rules": [{"action": "set", "name": "Via", "value": "1"}]}),
            "/header_rules/0",
        ),
    ] {
        let refused = ask(&lab, ("POST", &trunks), Some(body.clone())).await;
        assert_eq!(refused.status, 422, "{body} {}", refused.body);
        assert_eq!(refused.json()["errors"][0]["pointer"], pointer, "{body} {}", refused.body);
    }
    assert_eq!(ask(&lab, ("GET", &trunks), None).await.json()["items"], json!([]));
}

#[tokio::test]
async fn a_password_is_written_and_never_read() {
    let lab = lab().await;
    let trunks = format!("/v1/admin/customers/{A}/trunks");
    let of = |username: &str, password: Option<&str>| {
        let mut digest = json!({"username": username});
        if let Some(password) = password {
            digest["password"] = json!(password);
        }
        json!({"name": username, "auth_type": "DIGEST", "digest": digest})
    };
    let made = ask(&lab, ("POST", &trunks), Some(of("east", Some("correct horse battery")))).await;
    assert_eq!((made.status, &made.json()["digest"]), (201, &json!({"username": "east"})), "{}", made.body);
    let path = made.header("location").to_owned();
    let stored = credential(&lab, "east").await;
    for body in
        [of("east", None), of("east", Some("correct horse battery")), of("east", Some("another horse"))]
    {
        let changed = ask(&lab, ("PUT", &path), Some(body.clone())).await;
        assert_eq!(
            (changed.status, &changed.json()["digest"]),
            (200, &json!({"username": "east"})),
            "{body}"
        );
        assert!(!changed.body.contains("horse"), "{}", changed.body);
        let read = ask(&lab, ("GET", &path), None).await;
        assert!(!read.body.contains("horse") && !read.body.contains("password"), "{}", read.body);
        let is_same = credential(&lab, "east").await == stored;
        assert_eq!(
            is_same,
            body["digest"].get("password").is_none(),
            "{body}: a password that is not given stays"
        );
    }
    let taken = json!({"name": "west", "digest": {"username": "east", "password": "correct horse battery"}});
    let taken = ask(&lab, ("POST", &trunks), Some(taken)).await;
    assert_eq!(code(&taken), (409, "already_exists".to_owned()));
    let renamed = json!({"name": "east", "digest": {"username": "north"}});
    let refused = ask(&lab, ("PUT", &path), Some(renamed)).await;
    assert_eq!(refused.json()["errors"][0]["pointer"], "/digest/password", "{}", refused.body);
    // Who does not know the field does not take the password away with another change.
    for auth_type in ["DIGEST", "BOTH"] {
        let forgotten = json!({"name": "east", "auth_type": auth_type, "cps": 7});
        let refused = ask(&lab, ("PUT", &path), Some(forgotten)).await;
        assert_eq!(refused.status, 422, "{}", refused.body);
        assert_eq!(refused.json()["errors"][0]["pointer"], "/digest", "{}", refused.body);
    }
    assert!(credential(&lab, "east").await.is_some());
    let gone = ask(&lab, ("PUT", &path), Some(json!({"name": "east"}))).await;
    assert_eq!((gone.status, gone.json().get("digest")), (200, None), "{}", gone.body);
    assert_eq!(credential(&lab, "east").await, None);
    let free = ask(&lab, ("POST", &trunks), Some(of("east-2", Some("correct horse battery")))).await;
    assert_eq!(free.status, 201, "{}", free.body);
    let drained = format!("{}?drain=true", free.header("location"));
    assert_eq!(ask(&lab, ("DELETE", &drained), None).await.status, 204);
}

/// What is stored in place of the password of the trunk with this username.
async fn credential(lab: &Lab, username: &str) -> Option<Vec<u8>> {
    let trunks = runtime::store::voice::load(&lab.api.store).await.unwrap().trunks;
    let stored = trunks.into_iter().filter_map(|trunk| trunk.digest);
    stored.filter(|digest| digest.username == username).map(|digest| digest.ha1_sealed).next()
}

#[tokio::test]
async fn sources_are_one_trunks_and_overlap_by_intent_alone() {
    let lab = lab().await;
    let first = format!("{}/ips", trunk(&lab, A, "first").await);
    let second = format!("{}/ips", trunk(&lab, B, "second").await);
    let body = json!({"network": "198.51.100.0/24", "note": "SBC in Atlanta"});
    let made = ask(&lab, ("POST", &first), Some(body)).await;
    assert_eq!((made.status, &made.json()["port"]), (201, &Value::Null), "{}", made.body);
    for (of, body, expected) in [
        (&first, json!({"network": "198.51.100.0/24"}), (409, "already_exists")),
        (&second, json!({"network": "198.51.100.0/24"}), (409, "already_exists")),
        (&second, json!({"network": "198.51.100.7"}), (409, "in_use")),
        (&second, json!({"network": "198.51.0.0/16"}), (409, "in_use")),
        (&second, json!({"network": "198.51.100.0/24", "port": 5070}), (409, "in_use")),
        (&second, json!({"network": "198.51.101.0/24"}), (201, "")),
        (&first, json!({"network": "198.51.100.7"}), (201, "")),
        (&second, json!({"network": "c633:6400::/24"}), (201, "")),
        (&first, json!({"network": "2001:db8::/32", "transport": "tls"}), (201, "")),
        (&second, json!({"network": "2001:db8::/32", "transport": "udp"}), (201, "")),
        (&second, json!({"network": "2001:db8:7::/48"}), (409, "in_use")),
        (&second, json!({"network": "10.0.0.0/8"}), (201, "")),
        (&first, json!({"network": "127.0.0.1", "port": 5060}), (201, "")),
        (&second, json!({"network": "127.0.0.1", "port": 5061}), (201, "")),
    ] {
        let answer = ask(&lab, ("POST", of), Some(body.clone())).await;
        assert_eq!(code(&answer), (expected.0, expected.1.to_owned()), "{body} {}", answer.body);
        assert!(answer.status == 201 || answer.body.contains(A), "operators are told whose: {}", answer.body);
    }
    let meant = format!("{second}?overlap=true");
    let answer = ask(&lab, ("POST", &meant), Some(json!({"network": "198.51.100.7", "port": 5060}))).await;
    assert_eq!(answer.status, 201, "{}", answer.body);
    let equal = ask(&lab, ("POST", &meant), Some(json!({"network": "198.51.100.7"}))).await;
    assert_eq!(code(&equal), (409, "already_exists".to_owned()), "no intent makes one source two trunks'");
}

#[tokio::test]
async fn sources_that_cannot_be_are_refused() {
    let lab = lab().await;
    let ips = format!("{}/ips", trunk(&lab, A, "first").await);
    for (body, pointer) in [
        (json!({"network": "0.0.0.0/0"}), "/network"),
        (json!({"network": "::/0"}), "/network"),
        (json!({"network": "10.0.0.0/7"}), "/network"),
        (json!({"network": "2001::/15"}), "/network"),
        (json!({"network": "192.0.2.7/24"}), "/network"),
        (json!({"network": "::ffff:192.0.2.7"}), "/network"),
        (json!({"network": "carrier.example"}), "/network"),
        (json!({"network": "192.0.2.7", "port": 0}), "/port"),
        (json!({"network": "192.0.2.7", "port": 65536}), "/port"),
        (json!({"network": "192.0.2.7", "transport": "sctp"}), "/transport"),
        (json!({"network": "192.0.2.7", "note": "a\u{7}"}), "/note"),
        (json!({"network": "192.0.2.7", "id": "0190f7c2-8f3e-7bb1-9d5e-3f0b6a0f1c11"}), "/id"),
    ] {
        let refused = ask(&lab, ("POST", &ips), Some(body.clone())).await;
        assert_eq!(refused.status, 422, "{body} {}", refused.body);
        assert_eq!(refused.json()["errors"][0]["pointer"], pointer, "{body} {}", refused.body);
    }
    let nowhere =
        format!("/v1/admin/customers/{B}{}", ips.trim_start_matches(&format!("/v1/admin/customers/{A}")));
    let refused = ask(&lab, ("POST", &nowhere), Some(json!({"network": "192.0.2.7"}))).await;
    assert_eq!(code(&refused), (404, "not_found".to_owned()), "it is another's trunk");
}

#[tokio::test]
async fn a_source_is_changed_and_taken_away() {
    let lab = lab().await;
    let ips = format!("{}/ips", trunk(&lab, A, "first").await);
    let made = ask(&lab, ("POST", &ips), Some(json!({"network": "192.0.2.7"}))).await;
    let path = made.header("location").to_owned();
    assert_eq!(path, format!("{ips}/{}", made.json()["id"].as_str().unwrap()));
    let body = json!({"network": "192.0.2.8", "port": 5060, "transport": "udp", "note": "moved"});
    let changed = ask(&lab, ("PUT", &path), Some(body)).await;
    assert_eq!(changed.status, 200, "{}", changed.body);
    let listed = ask(&lab, ("GET", &ips), None).await.json();
    assert_eq!(listed["items"], json!([changed.json()]));
    assert_eq!(changed.json()["network"], "192.0.2.8/32");
    let free = ask(&lab, ("POST", &ips), Some(json!({"network": "192.0.2.7"}))).await;
    assert_eq!(free.status, 201, "{}", free.body);
    let onto = ask(&lab, ("PUT", &path), Some(json!({"network": "192.0.2.7"}))).await;
    assert_eq!(code(&onto), (409, "already_exists".to_owned()));
    assert_eq!(ask(&lab, ("DELETE", &path), None).await.status, 204);
    assert_eq!(ask(&lab, ("DELETE", &path), None).await.status, 404);
}

#[tokio::test]
async fn of_many_sources_those_that_fit_are_kept() {
    let lab = lab().await;
    let ips = format!("{}/ips", trunk(&lab, A, "first").await);
    let items = json!([{"network": "192.0.2.1"}, {"network": "192.0.2.1"}, {"network": "nonsense"},
        {"network": "0.0.0.0/0"}, {"network": "192.0.2.2", "note": "second"}]);
    let batch = format!("{ips}/batch");
    let answer = ask(&lab, ("POST", &batch), Some(json!({"items": items}))).await;
    assert_eq!(answer.status, 200, "{}", answer.body);
    let outcomes = answer.json();
    let statuses: Vec<_> =
        outcomes["items"].as_array().unwrap().iter().map(|one| one["status"].clone()).collect();
    assert_eq!(statuses, [201, 409, 422, 422, 201]);
    assert_eq!(outcomes["items"][2]["problem"]["errors"][0]["pointer"], "/network");
    assert_eq!(outcomes["items"][4]["source"]["note"], "second");
    let kept = ask(&lab, ("GET", &ips), None).await.json();
    assert_eq!(kept["items"].as_array().unwrap().len(), 2);
    for body in [json!({"items": []}), json!({"items": [{"network": 7}]}), json!({})] {
        assert_eq!(ask(&lab, ("POST", &batch), Some(body.clone())).await.status, 422, "{body}");
    }
}

#[tokio::test]
async fn premium_customers_have_addresses_of_their_own() {
    let lab = lab().await;
    let addresses = format!("/v1/admin/customers/{A}/dedicated-ips");
    let tier = format!("/v1/admin/customers/{A}/tier");
    let body = json!({"address": "198.51.100.200"});
    let refused = ask(&lab, ("POST", &addresses), Some(body.clone())).await;
    assert_eq!(code(&refused), (409, "wrong_tier".to_owned()));
    let premium = ask(&lab, ("PUT", &tier), Some(json!({"tier": "PREMIUM"}))).await;
    assert_eq!((premium.status, &premium.json()["tier"]), (200, &json!("PREMIUM")), "{}", premium.body);
    let made = ask(&lab, ("POST", &addresses), Some(body.clone())).await;
    assert_eq!(made.status, 201, "{}", made.body);
    assert_eq!(code(&ask(&lab, ("POST", &addresses), Some(body)).await), (409, "already_exists".to_owned()));
    for address in ["0.0.0.0", "224.0.0.1", "::ffff:192.0.2.1", "nonsense"] {
        let refused = ask(&lab, ("POST", &addresses), Some(json!({"address": address}))).await;
        assert_eq!((refused.status, &refused.json()["errors"][0]["pointer"]), (422, &json!("/address")));
    }
    assert_eq!(ask(&lab, ("GET", &addresses), None).await.json()["items"], json!([made.json()]));

    let id = premium.json()["id"].as_str().unwrap().to_owned();
    for (path, body) in [
        (tier.clone(), json!({"tier": "STANDARD"})),
        (format!("/v1/customers/{id}"), json!({"company_name": "Acme"})),
    ] {
        let refused = ask(&lab, ("PUT", &path), Some(body)).await;
        assert_eq!(code(&refused), (409, "in_use".to_owned()), "{path} {}", refused.body);
    }
    assert_eq!(ask(&lab, ("DELETE", made.header("location")), None).await.status, 204);
    let standard = ask(&lab, ("PUT", &tier), Some(json!({"tier": "STANDARD"}))).await;
    assert_eq!(standard.status, 200, "{}", standard.body);
    let known = ask(&lab, ("GET", &format!("/v1/customers/by-ban/{A}")), None).await.json();
    assert_eq!(known["tier"], "STANDARD", "memory did not follow");
}

#[tokio::test]
async fn without_redis_nothing_is_published() {
    let lab = lab().await;
    let answer = ask(&lab, ("POST", "/v1/admin/trunks/sync-redis"), None).await;
    assert_eq!(code(&answer), (501, "not_implemented".to_owned()), "{}", answer.body);
}
