use super::*;
use crate::store::provisioning::plan;

const CUSTOMER: &str =
    "[[customers]]\nban = \"TB-1\"\ncompany_name = \"Acme\"\n[[partitions]]\nname = \"p\"\n";
const DIGEST: &str = "digest = { username = \"a\", password = \"correct horse battery\" }";

/// The notes of a document that is none to be refused.
fn of(text: &str) -> Vec<String> {
    of_node(text, None)
}

/// The same, of a node that speaks SIP.
fn of_node(text: &str, stir: Option<Stir>) -> Vec<String> {
    let document = Document::parse(text).unwrap();
    let current = Current::default();
    plan(&document, &current).unwrap();
    notes(&document, &current, stir)
}

#[test]
fn trunks_that_can_never_call() {
    let ignored = Some("digest counts for nothing with auth_type IP_ACL");
    let never = Some("it can never call");
    for (lines, expected) in [
        (String::new(), never),
        ("acl = [\"192.0.2.1\"]".to_owned(), None),
        (DIGEST.to_owned(), ignored),
        (format!("{DIGEST}\nacl = [\"192.0.2.1\"]"), ignored),
        ("auth_type = \"DIGEST\"".to_owned(), never),
        (format!("auth_type = \"DIGEST\"\n{DIGEST}"), None),
        ("auth_type = \"BOTH\"\nacl = [\"192.0.2.1\"]".to_owned(), never),
        (format!("auth_type = \"BOTH\"\n{DIGEST}"), never),
        (format!("auth_type = \"BOTH\"\n{DIGEST}\nacl = [\"192.0.2.1\"]"), None),
        ("active = false".to_owned(), None),
    ] {
        let text = format!(
            "{CUSTOMER}[[trunks]]\nname = \"acme\"\ncustomer = \"TB-1\"\npartition = \"p\"\n{lines}\n"
        );
        let notes = of(&text);
        assert_eq!(notes.len(), usize::from(expected.is_some()), "{lines}: {notes:?}");
        let whole = expected.map(|expected| format!("trunk acme: {expected}")).unwrap_or_default();
        assert!(notes.concat().starts_with(&whole), "{lines}: {notes:?}");
    }
    let inbound = "[[trunks]]\nname = \"acme\"\ncustomer = \"TB-1\"\ngateways = [\"sip:192.0.2.1\"]\n";
    assert_eq!(of(&format!("{CUSTOMER}{inbound}")), [""; 0], "it gets calls and makes none");
}

#[test]
fn vendors_that_get_no_calls() {
    let rate = "[[voice_rates]]\npartition = \"p\"\nprefix = \"1\"\nvendor = \"v\"\nrate = \"0.01\"\n";
    let vendor = |lines: &str| format!("{CUSTOMER}[[sip_vendors]]\nname = \"v\"\n{lines}\n");
    let (bare, whole) = (vendor(""), vendor("gateways = [\"sip:192.0.2.1\"]"));
    assert_eq!(of(&bare), [""; 0], "one that only calls us");
    assert_eq!(of(&format!("{whole}{rate}")), [""; 0]);
    assert_eq!(
        of(&format!("{bare}{rate}")),
        ["sip_vendor v: it has rates and no gateways: it gets no calls"]
    );
}

#[test]
fn of_very_many_the_first_are_told() {
    let trunk =
        |number: usize| format!("[[trunks]]\nname = \"t{number}\"\ncustomer = \"TB-1\"\npartition = \"p\"\n");
    let trunks: String = (0..NOTES_MAX + 2).map(trunk).collect();
    let notes = of(&format!("{CUSTOMER}{trunks}"));
    assert_eq!((notes.len(), notes.last().unwrap().as_str()), (NOTES_MAX + 1, "and 2 more of the kind"));
    assert!(notes[NOTES_MAX - 1].starts_with("trunk t99: "), "{}", notes[NOTES_MAX - 1]);
    let few: String = (0..NOTES_MAX).map(trunk).collect();
    assert_eq!(of(&format!("{CUSTOMER}{few}")).len(), NOTES_MAX);
}

/// What becomes of calls is said of each node by its own `[stir]`.
#[test]
fn calls_that_cannot_be_signed_or_checked() {
    let file = |vendor: &str, trunk: &str| {
        let trunk =
            format!("[[trunks]]\nname = \"t\"\ncustomer = \"TB-1\"\nacl = [\"192.0.2.1\"]\n{trunk}\n");
        format!("{CUSTOMER}{trunk}[[sip_vendors]]\nname = \"v\"\n{vendor}\n")
    };
    let (note, refuse) = ("verify_identity = \"note\"", "verify_identity = \"refuse\"");
    let [signs, of_trunk, of_vendor] = [
        "sip_vendor v: sign_calls signs no call to it: this node has no stir.key_file",
        "trunk t: verify_identity checks no call of it: this node has no stir.authorities_file",
        "sip_vendor v: verify_identity refuses every call of it: this node has no stir.authorities_file",
    ];
    let node = |signs, believes| Some(Stir { signs, believes });
    let all = file(&format!("sign_calls = true\n{refuse}"), note);
    for (text, stir, expected) in [
        (file("", ""), node(false, false), vec![]),
        (all.clone(), node(false, false), vec![of_trunk, signs, of_vendor]),
        (all.clone(), node(true, false), vec![of_trunk, of_vendor]),
        (all.clone(), node(false, true), vec![signs]),
        (all.clone(), node(true, true), vec![]),
        (all, None, vec![]),
        (file("", &format!("{note}\nactive = false")), node(false, false), vec![]),
    ] {
        assert_eq!(of_node(&text, stir), expected, "{stir:?} {text}");
    }
}
