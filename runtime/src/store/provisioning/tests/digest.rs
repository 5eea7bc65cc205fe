use super::voice::{make_so, refused};
use super::*;
use crate::model::SIP_REALM;
use crate::password::{Ha1, SecretString};

/// Two trunks; what follows their names is the caller's to say.
fn file(east: &str, west: &str) -> String {
    format!(
        "[[customers]]\nban = \"AAA-1\"\ncompany_name = \"First\"\n\
         [[trunks]]\nname = \"east\"\ncustomer = \"AAA-1\"\n{east}\n\
         [[trunks]]\nname = \"west\"\ncustomer = \"AAA-1\"\n{west}\n"
    )
}

fn digest(username: &str, password: &str) -> String {
    format!("auth_type = \"DIGEST\"\ndigest = {{ username = \"{username}\", password = \"{password}\" }}")
}

/// Whether this password is that of the trunk.
fn is_right(current: &Current, trunk: &str, username: &str, password: &str) -> bool {
    let trunk = current.voice.trunks.iter().find(|found| found.name == trunk).unwrap();
    let made = Ha1::of(username, SIP_REALM, &SecretString::new(password));
    trunk.digest.as_ref().is_some_and(|digest| digest.username == username)
        && current.digests.get(&trunk.id) == Some(&made)
}

#[tokio::test]
async fn passwords_are_compared_and_never_shown() {
    each_engine(async |engine: Engine| {
        let (changes, current) = make_so(&engine, &file(&digest("east", "first password"), "")).await;
        assert_eq!(changes, "+ customer AAA-1\n+ trunk east\n+ trunk west");
        assert!(is_right(&current, "east", "east", "first password"));

        let (changes, current) = make_so(&engine, &file(&digest("east", "other password"), "")).await;
        assert_eq!(changes, "~ trunk east\n    digest.password: [redacted] -> [redacted]");
        assert!(is_right(&current, "east", "east", "other password"));

        let without = "auth_type = \"DIGEST\"\ndigest = { username = \"east\" }\ncps = 3";
        let (changes, current) = make_so(&engine, &file(without, "")).await;
        assert_eq!(changes, "~ trunk east\n    cps: 0 -> 3");
        assert!(is_right(&current, "east", "east", "other password"), "it stays");

        let (changes, current) = make_so(&engine, &file("auth_type = \"DIGEST\"\ncps = 3", "")).await;
        assert_eq!(changes, "~ trunk east\n    digest: {\"username\":\"east\"} -> -");
        assert!(current.voice.trunks.iter().all(|trunk| trunk.digest.is_none()));
    })
    .await;
}

#[tokio::test]
async fn usernames_change_places_in_one_file() {
    each_engine(async |engine: Engine| {
        let one = file(&digest("one", "password of one"), &digest("two", "password of two"));
        make_so(&engine, &one).await;
        let other = file(&digest("two", "password of two"), &digest("one", "password of one"));
        let (_, current) = make_so(&engine, &other).await;
        assert!(is_right(&current, "east", "two", "password of two"));
        assert!(is_right(&current, "west", "one", "password of one"));
    })
    .await;
}

#[tokio::test]
async fn what_cannot_be_meant_is_refused_without_the_password() {
    each_engine(async |engine: Engine| {
        make_so(&engine, &file(&digest("east", "first password"), "")).await;
        let long = "x".repeat(65);
        for (west, expected) in [
            (
                digest("east", "a long password"),
                "trunk \"west\": digest.username: it is trunk \"east\"'s already",
            ),
            (digest("a:b", "a long password"), "is not 1 to 64 letters"),
            (digest("", "a long password"), "is not 1 to 64 letters"),
            (digest(&long, "a long password"), "is not 1 to 64 letters"),
            (digest("west", "short secre"), "has 12 to 128 printable characters"),
            (digest("west", "s\u{e9}cret of the w\u{e9}st"), "has 12 to 128 printable characters"),
            (digest("west", &"s".repeat(129)), "has 12 to 128 printable characters"),
            (
                "digest = { username = \"west\" }".to_owned(),
                "digest.password: a username that is new needs one",
            ),
            ("digest = { name = \"west\" }".to_owned(), "unknown field `name`"),
        ] {
            let said = refused(&engine, &file(&digest("east", "first password"), &west)).await;
            assert!(said.contains(expected), "{said}");
            assert!(!said.contains("secre") && !said.contains("cret of"), "{said}");
        }
        let renamed = "digest = { username = \"elsewhere\" }";
        let said = refused(&engine, &file(renamed, "")).await;
        assert!(said.contains("a username that is new needs one"), "{said}");
    })
    .await;
}
