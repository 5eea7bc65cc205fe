use super::voice::{make_so, refused};
use super::*;
use crate::password::{Ha1, SecretString};

/// A vendor; what follows its name is the caller's to say.
fn file(rest: &str) -> String {
    format!("[[sip_vendors]]\nname = \"atlantic\"\n{rest}\n")
}

fn account(username: &str, realm: &str, password: &str) -> String {
    format!("account = {{ username = \"{username}\", realm = \"{realm}\", password = \"{password}\" }}")
}

/// Whether this password is that of the account.
fn is_right(current: &Current, [username, realm, password]: [&str; 3]) -> bool {
    let vendor = current.voice.vendors.iter().find(|found| found.name == "atlantic").unwrap();
    let made = Ha1::of(username, realm, &SecretString::new(password));
    vendor.account.as_ref().is_some_and(|account| account.username == username && account.realm == realm)
        && current.accounts.get(&vendor.id) == Some(&made)
}

#[tokio::test]
async fn passwords_are_compared_and_never_shown() {
    each_engine(async |engine: Engine| {
        let (changes, current) = make_so(&engine, &file(&account("warp", "a.example", "first"))).await;
        assert_eq!(changes, "+ sip_vendor atlantic");
        assert!(is_right(&current, ["warp", "a.example", "first"]));

        let (changes, current) = make_so(&engine, &file(&account("warp", "a.example", "other"))).await;
        assert_eq!(changes, "~ sip_vendor atlantic\n    account.password: [redacted] -> [redacted]");
        assert!(is_right(&current, ["warp", "a.example", "other"]));

        let without = "account = { username = \"warp\", realm = \"a.example\" }\ncps = 3";
        let (changes, current) = make_so(&engine, &file(without)).await;
        assert_eq!(changes, "~ sip_vendor atlantic\n    cps: 0 -> 3");
        assert!(is_right(&current, ["warp", "a.example", "other"]), "it stays");

        let registered = "account = { username = \"warp\", realm = \"a.example\", register = {} }\ncps = 3";
        let (changes, current) = make_so(&engine, &file(registered)).await;
        assert!(changes.starts_with("~ sip_vendor atlantic\n    account: {"), "{changes}");
        assert!(changes.contains("\"expires\":\"1h\""), "{changes}");
        assert!(is_right(&current, ["warp", "a.example", "other"]), "it stays");

        let (_, current) = make_so(&engine, &file(&account("warp", "b.example", "other"))).await;
        assert!(is_right(&current, ["warp", "b.example", "other"]));

        let (changes, current) = make_so(&engine, &file("")).await;
        assert!(changes.starts_with("~ sip_vendor atlantic\n    account: {"), "{changes}");
        assert!(changes.ends_with("} -> -"), "{changes}");
        assert!(current.voice.vendors.iter().all(|vendor| vendor.account.is_none()));
    })
    .await;
}

#[tokio::test]
async fn what_cannot_be_meant_is_refused_without_the_password() {
    each_engine(async |engine: Engine| {
        make_so(&engine, &file(&account("warp", "a.example", "secret"))).await;
        let long = "x".repeat(129);
        let register = |register: &str| {
            format!("account = {{ username = \"warp\", realm = \"a.example\", register = {{ {register} }} }}")
        };
        for (rest, expected) in [
            (account("a:b", "a.example", "secret"), "account.username: \"a:b\" is not"),
            (account("a b", "a.example", "secret"), "account.username"),
            (account("", "a.example", "secret"), "account.username"),
            (account(&long, "a.example", "secret"), "account.username"),
            (account("warp", "", "secret"), "account.realm"),
            (account("warp", "a\\\\b", "secret"), "account.realm"),
            (account("warp", "r\u{e9}alm", "secret"), "account.realm"),
            (account("warp", "a.example", ""), "account.password"),
            (account("warp", "a.example", "s\u{e9}cret"), "account.password"),
            (account("warp", "a.example", &"s".repeat(129)), "account.password"),
            (
                "account = { username = \"warp\", realm = \"b.example\" }".to_owned(),
                "account.password: a username or realm that is new needs one",
            ),
            (
                "account = { username = \"other\", realm = \"a.example\" }".to_owned(),
                "account.password: a username or realm that is new needs one",
            ),
            (register("expires = \"59s\""), "account.register.expires: it is not 60s to 24h"),
            (register("expires = \"25h\""), "account.register.expires"),
            (register("user = \"a@b\""), "account.register.user"),
            (register("domain = \"a.example:5060\""), "account.register.domain"),
            (register("contact = \"a\""), "unknown field `contact`"),
        ] {
            let said = refused(&engine, &file(&rest)).await;
            assert!(said.contains(expected), "{said}");
            assert!(!said.contains("secret") && !said.contains("cret\""), "{said}");
        }
    })
    .await;
}
