use super::*;

fn parse(text: &str, variables: &[(&str, &str)]) -> Result<Config, String> {
    let variables = variables.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned()));
    Config::parse("node.toml", text, variables).map_err(|error| error.to_string())
}

#[test]
fn nothing_said_is_every_default() {
    assert_eq!(parse("", &[]).unwrap(), Config::default());
}

#[test]
fn the_example_has_every_key_and_every_default() {
    let text = include_str!("../../../config/node.example.toml");
    assert_eq!(parse(text, &[]).unwrap(), Config::default());
    // Uncommented it must say the same, so that the example shows the defaults and misses no key.
    let shown: String = text
        .lines()
        .map(|line| line.strip_prefix("# ").filter(|rest| rest.contains(" = ")).unwrap_or(line))
        .map(|line| format!("{line}\n"))
        .collect();
    assert_eq!(parse(&shown, &[]).unwrap(), Config::default());
    let table: toml::Table = toml::from_str(&shown).unwrap();
    let keys: usize = table.values().map(|section| section.as_table().unwrap().len()).sum();
    assert_eq!(keys, KEYS, "config/node.example.toml misses a key, or KEYS was not raised with a new one");
}

/// Keys of [`Config`], counted by hand when one is added.
const KEYS: usize = 44;

#[test]
fn the_environment_wins_over_the_file() {
    let config = parse(
        "[smpp]\nsession_init = \"5s\"\n",
        &[
            ("WARP_SMPP_SESSION_INIT", "7s"),
            ("WARP_SMPP_LISTEN", "[\"127.0.0.1:0\"]"),
            ("WARP_NODE_ID", "3"),
            ("WARP_API_LISTEN", "127.0.0.1:1"),
            ("WARP_TEST_POSTGRES", "postgres://x"),
            ("PATH", "/bin"),
        ],
    )
    .unwrap();
    assert_eq!(config.smpp.session_init, HumanDuration::from_secs(7));
    assert_eq!(config.smpp.listen, ["127.0.0.1:0".parse().unwrap()]);
    assert_eq!((config.node.id, config.api.listen.port()), (3, 1));
}

#[test]
fn what_means_nothing_is_refused_with_its_place() {
    for (text, variable, error) in [
        (
            "[smpp]\n\nlisten = []\nlisen = []",
            None,
            "configuration file node.toml: line 4: unknown field `lisen`",
        ),
        ("[smtp]", None, "line 1: unknown field `smtp`"),
        ("[smpp]\nsession_init = \"5 s\"", None, "line 2: \"5 s\" is not a duration"),
        ("[node\n", None, "line 1"),
        ("", Some(("WARP_SMPP_LISEN", "x")), "environment variable WARP_SMPP_LISEN: unknown field"),
        ("[node]\nid = 1024", None, "node.id: 1024 is over 1023"),
        ("[smpp]\ntls_listen = [\"127.0.0.1:2776\"]", None, "needs smpp.tls_certificate"),
    ] {
        let variables: Vec<(&str, &str)> = variable.into_iter().collect();
        let refused = parse(text, &variables).unwrap_err();
        assert!(refused.contains(error), "{refused}");
        assert!(!refused.contains('\n'), "{refused}");
    }
}

#[test]
fn durations_print_as_they_are_written() {
    for text in ["500ms", "30s", "5m", "48h", "7d", "0ms"] {
        let duration: HumanDuration = text.parse().unwrap();
        let printed = duration.to_string();
        assert_eq!(printed.parse::<HumanDuration>().unwrap(), duration);
    }
    assert_eq!("172800s".parse::<HumanDuration>().unwrap().to_string(), "2d");
}
