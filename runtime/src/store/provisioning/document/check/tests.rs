use super::*;

const FILE: &str = r#"
[[customers]]
ban = "TB-1"
company_name = "Acme"
outbox_max = 1
[[esme_accounts]]
system_id = "acme"
customer = "TB-1"
password = "secret12"
binds_max = 1
window = 1
[[sms_vendors]]
instance_name = "atlanta"
host = "smsc.example"
port = 3601
system_id = "warp"
password = "hidden"
system_type = ""
binds = 1
window = 10
queue_depth_max = 1
retryable_statuses = [88]
[[sms_routes]]
name = "us"
prefix = "1"
source_prefix = ""
vendor = "atlanta"
cost = "0.0035"
weight = 0
[[dids]]
number = "15550001111"
"#;

fn check(from: &str, to: &str) -> Result<Document, String> {
    assert!(FILE.contains(from), "{from}");
    let document = Document::parse(&FILE.replacen(from, to, 1)).map_err(|error| error.to_string())?;
    document.check(&Current::default()).map_err(|error| error.to_string())?;
    Ok(document)
}

#[test]
fn values_that_the_database_or_the_wire_would_refuse_are_refused_with_kind_key_and_field() {
    for (from, to, error) in [
        ("outbox_max = 1", "outbox_max = 0", "customer \"TB-1\": outbox_max: 0 is not 1 to 100000000"),
        ("\"Acme\"", "\"a\\u0000b\"", "customer \"TB-1\": company_name: "),
        ("binds_max = 1", "binds_max = 1001", "esme_account \"acme\": binds_max: 1001 is not 1 to 1000"),
        ("window = 1", "window = 0", "esme_account \"acme\": window: 0 is not 1 to 10000"),
        ("secret12", "secret123", "esme_account \"acme\": password: an SMPP password has at most 8 octets"),
        ("secret12", "a\\u0000", "esme_account \"acme\": password: an SMPP password ends at a NUL"),
        ("\"acme\"", "\"sixteen-letters-\"", "is not a system_id"),
        ("\"atlanta\"", "\"\"", "sms_vendor \"\": instance_name: \"\" is not 1 to 100 printable characters"),
        ("\"atlanta\"", "\" \"", "sms_vendor \" \": instance_name: "),
        ("smsc.example", "", "sms_vendor \"atlanta\": host: \"\" is not a host name or address"),
        ("smsc.example", "smsc example", "sms_vendor \"atlanta\": host: "),
        ("port = 3601", "port = 0", "sms_vendor \"atlanta\": port: 0 is not 1 to 65535"),
        ("port = 3601", "port = 65536", "line 15"),
        ("system_type = \"\"", "system_type = \"thirteen-char\"", "sms_vendor \"atlanta\": system_type: "),
        ("binds = 1", "binds = 101", "sms_vendor \"atlanta\": binds: 101 is not 1 to 100"),
        ("window = 10", "window = 10001", "sms_vendor \"atlanta\": window: 10001 is not 1 to 10000"),
        ("queue_depth_max = 1", "queue_depth_max = 0", "queue_depth_max: 0 is not 1 to 10000000"),
        ("[88]", "[0]", "sms_vendor \"atlanta\": retryable_statuses: 0 is success"),
        ("name = \"us\"", "name = \"\"", "sms_route \"\": name: "),
        ("prefix = \"1\"", "prefix = \"1x\"", "sms_route \"us\": prefix: \"1x\" is not 0 to 20 digits"),
        ("prefix = \"1\"", "prefix = \"123456789012345678901\"", "sms_route \"us\": prefix: "),
        ("source_prefix = \"\"", "source_prefix = \"é\"", "sms_route \"us\": source_prefix: "),
        ("\"0.0035\"", "\"-1\"", "sms_route \"us\": cost: -1 is below 0"),
        ("weight = 0", "weight = 10001", "sms_route \"us\": weight: 10001 is not 0 to 10000"),
        ("15550001111", "", "did \"\": number: \"\" is not 1 to 20 digits"),
        ("15550001111", "1-555", "did \"1-555\": number: "),
    ] {
        let refused = check(from, to).expect_err(to);
        assert!(refused.contains(error), "{refused}");
    }
}

#[test]
fn numbers_lose_their_plus() {
    let document = check("prefix = \"1\"", "prefix = \"+1\"").unwrap();
    assert_eq!(document.sms_routes[0].prefix, "1");
    let document = check("15550001111", "+15550001111").unwrap();
    assert_eq!(document.dids[0].number, "15550001111");
    let twice = format!("{FILE}[[dids]]\nnumber = \"+15550001111\"\n");
    let refused = Document::parse(&twice).unwrap().check(&Current::default()).unwrap_err();
    assert_eq!(refused.to_string(), "did \"15550001111\" stands in the file twice");
}
