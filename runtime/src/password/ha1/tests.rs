use super::*;

/// The values are those of `printf 'acme-east:warp:correct horse battery' | openssl dgst -md5`, `-sha256` and
/// `-sha512-256`; that of Mufasa is RFC 2617's.
#[test]
fn what_others_make_of_a_password() {
    let made = Ha1::of("acme-east", "warp", &SecretString::new("correct horse battery"));
    assert_eq!(made.md5, "759cc48fa5f4678fa8a131f47d6fda75");
    assert_eq!(made.sha256, "994df777f1b464cc3ac4400de7a48588cbb888f38f54daab19da7f19010c7d20");
    assert_eq!(made.sha512_256, "0c13bd8260c0c8a02b7a6e64ea73cb1b1a1a7aed6133a3d2ec37678a1af32349");
    let mufasa = Ha1::of("Mufasa", "testrealm@host.com", &SecretString::new("Circle Of Life"));
    assert_eq!(mufasa.md5, "939e7578ed9e3c518a452acee763bce9");
}

#[test]
fn a_secret_is_read_back_and_no_other_text_is_one() {
    let made = Ha1::of("a", "b", &SecretString::new("c"));
    let secret = made.to_secret();
    assert_eq!(Ha1::from_secret(&secret), Some(made.clone()));
    let text = secret.expose();
    let others = (0..text.len()).map(|end| text.chars().take(end).collect::<String>());
    let not_hex = text.chars().skip(1).fold("g".to_owned(), |text, digit| format!("{text}{digit}"));
    let more = [format!("{text}:"), format!("{text}0"), text.replacen(':', ";", 1), not_hex];
    for other in others.chain(more) {
        assert_eq!(Ha1::from_secret(&SecretString::new(other.clone())), None, "{other}");
    }
    assert_eq!(format!("{made:?}"), "Ha1([redacted])");
}
