use std::collections::BTreeSet;
use std::ffi::OsString;
use std::os::unix::ffi::OsStringExt as _;

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
    let shown: BTreeSet<(String, String)> = table
        .iter()
        .flat_map(|(section, keys)| keys.as_table().unwrap().keys().map(|key| (section.clone(), key.clone())))
        .collect();
    let known: BTreeSet<(String, String)> = fields("no_such_key = 0")
        .into_iter()
        .flat_map(|section| {
            let keys = fields(&format!("[{section}]\nno_such_key = 0"));
            keys.into_iter().map(move |key| (section.clone(), key))
        })
        .collect();
    assert!(known.len() > 40, "{known:?}");
    assert_eq!(shown, known, "config/node.example.toml and the program know different keys");
}

/// The fields that serde knows where `text` has one that it does not: what stands in backquotes after the
/// unknown one.
fn fields(text: &str) -> Vec<String> {
    let refused = parse(text, &[]).unwrap_err();
    assert!(refused.contains("unknown field `no_such_key`, expected "), "{refused}");
    refused.split('`').skip(1).step_by(2).skip(1).map(str::to_owned).collect()
}

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
    let listen = r#"[{transport="udp",address="192.0.2.1:5060"},{transport="tcp",address="[::]:5060",advertise="a.b:1"}]"#;
    let listen = parse("", &[("WARP_SIP_LISTEN", listen)]).unwrap().sip.listen;
    let advertise: Vec<&str> = listen.iter().map(|listener| listener.advertise.as_str()).collect();
    assert_eq!((listen[0].address.port(), advertise), (5060, vec!["", "a.b:1"]));
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
        (
            "[sip]\nlisten = [{ transport = \"sctp\", address = \"[::]:5060\" }]",
            None,
            "line 2: unknown variant `sctp`",
        ),
        (
            "[sip]\nlisten = [{ transport = \"udp\", addres = \"[::]:5060\" }]",
            None,
            "line 2: unknown field `addres`",
        ),
        ("[node]\nid = 1024", None, "node.id: 1024 is over 1023"),
        ("[smpp]\ntls_listen = [\"127.0.0.1:2776\"]", None, "needs smpp.tls_certificate"),
        (
            "",
            Some(("WARP_STOREURL", "x")),
            "environment variable WARP_STOREURL: no such key; WARP_SECTION_KEY",
        ),
        ("", Some(("WARP_", "x")), "environment variable WARP_: no such key"),
        ("", Some(("WARP_SMTP_LISTEN", "x")), "environment variable WARP_SMTP_LISTEN: unknown field `smtp`"),
        ("", Some(("WARP_STORE_URL", "12345678")), "WARP_STORE_URL: a secret is text in quotes"),
        ("[store]\nurl = 12345678", None, "node.toml: line 2: a secret is text in quotes"),
    ] {
        let variables: Vec<(&str, &str)> = variable.into_iter().collect();
        let refused = parse(text, &variables).unwrap_err();
        assert!(refused.contains(error), "{refused}");
        assert!(!refused.contains('\n') && !refused.contains("12345678"), "{refused}");
    }
}

/// Each line, in its section, is refused with this beginning, and no secret of it is told.
#[track_caller]
fn assert_refused(lines: &[(&str, &str, &str)]) {
    for (section, line, error) in lines {
        let refused = parse(&format!("[{section}]\n{line}"), &[]).unwrap_err();
        assert!(refused.starts_with(error), "{refused}");
        for secret in ["hidden", "cafe", "\n"] {
            assert!(!refused.contains(secret), "{refused}");
        }
    }
}

#[test]
fn values_of_the_node_that_cannot_work_are_refused_with_their_key() {
    assert_refused(&[
        ("node", "data_dir = \"\"", "node.data_dir: a directory is needed"),
        (
            "node",
            "root_key_env = \"KEY\"\nroot_key_file = \"k\"",
            "node.root_key_env: node.root_key_file is given too",
        ),
        ("node", "root_key_env = \"WARP_KEY\"", "node.root_key_env: variables that begin with WARP_"),
        ("node", "root_key_env = \"a b\"", "node.root_key_env: not the name of an environment variable"),
        ("node", "root_key_env = \"1A\"", "node.root_key_env: not the name of an environment variable"),
        (
            "node",
            "root_key_env = \"abadcafeabadcafeabadcafeabadcafeabadcafeabadcafeabadcafeabadcafe\"",
            "node.root_key_env: the key itself stands there",
        ),
        ("api", "connections_max = 0", "api.connections_max: 0 is below 1"),
        ("api", "connections_per_address_max = 0", "api.connections_per_address_max: 0 is below 1"),
        ("api", "idle_timeout = \"0s\"", "api.idle_timeout: zero cannot work"),
        ("api", "tls_listen = [\"[::]:8443\"]", "api.tls_listen: a TLS listener needs api.tls_certificate"),
        ("api", "cors_origins = [\"https://a.example/\"]", "api.cors_origins: \"https://a.example/\" is not"),
        ("api", "cors_origins = [\"a.example\"]", "api.cors_origins: \"a.example\" is not an origin"),
        ("api", "cors_origins = [\"https://\"]", "api.cors_origins: \"https://\" is not an origin"),
        ("api", "body_octets_max = 0", "api.body_octets_max: 0 is below 1"),
        ("api", "header_timeout = \"0s\"", "api.header_timeout: zero cannot work"),
        ("store", "poll = \"0s\"", "store.poll: zero cannot work"),
        ("store", "connections_max = 1", "store.connections_max: 1 is below 2"),
        ("store", "acquire_timeout = \"0s\"", "store.acquire_timeout: zero cannot work"),
        ("store", "runtime_role = \"a\\u0000b\"", "store.runtime_role: the name of a role has at most 63"),
        ("store", "url = \"mysql://u:hidden@h/d\"", "store.url: not postgres://"),
        ("store", "url = \"u:hidden@h/d\"", "store.url: not postgres://"),
        ("store", "url = \"postgres://u:hidden@h:port/d\"", "store.url: "),
        ("store", "url = \"postgres://h/d?sslpassword=hidden\"", "store.url: the parameter \"sslpassword\""),
        ("log", "retention_slice = 0", "log.retention_slice: 0 is below 1"),
        ("log", "call_retention = \"0s\"", "log.call_retention: zero cannot work"),
        ("log", "open_records_max = 0", "log.open_records_max: 0 is below 1"),
    ]);
}

#[test]
fn values_of_protocols_that_cannot_work_are_refused_with_their_key() {
    assert_refused(&[
        ("smpp", "unbound_per_ip_max = 0", "smpp.unbound_per_ip_max: 0 is below 1"),
        ("smpp", "sessions_max = 0", "smpp.sessions_max: 0 is below 1"),
        ("smpp", "command_length_max = 15", "smpp.command_length_max: 15 is below 16"),
        ("smpp", "transient_attempts_max = 0", "smpp.transient_attempts_max: 0 is below 1"),
        ("smpp", "enquire_link = \"0ms\"", "smpp.enquire_link: zero cannot work"),
        ("smpp", "validity_default = \"8d\"", "smpp.validity_default: 8d is over smpp.validity_max, 7d"),
        ("smpp", "reconnect_first = \"2m\"", "smpp.reconnect_first: 2m is over smpp.reconnect_max, 1m"),
        ("sip", "dialogs_max = 0", "sip.dialogs_max: 0 is below 1"),
        ("sip", "message_octets_max = 100", "sip.message_octets_max: 100 is below 1500"),
        ("sip", "t1 = \"0s\"", "sip.t1: zero cannot work"),
        ("sip", "t1 = \"5s\"", "sip.t1: 5s is over sip.t2, 4s"),
        ("sip", "hep_collector = \"homer\"", "sip.hep_collector: \"homer\" is not host:port"),
        ("sip", "hep_collector = \"sip:homer:1\"", "sip.hep_collector: "),
        ("sip", "dns_servers = [\"192.0.2.53:0\"]", "sip.dns_servers: 192.0.2.53:0 has no port"),
        ("sip", "media_sweep = \"900ms\"", "sip.media_sweep: it is 1s to 10m"),
        ("sip", "media_sweep = \"601s\"", "sip.media_sweep: it is 1s to 10m"),
        ("sip", "media_leftovers = \"0s\"", "sip.media_leftovers: it is 1s to 1h"),
        ("sip", "media_leftovers = \"61m\"", "sip.media_leftovers: it is 1s to 1h"),
        ("sip", "media_discovery = true", "sip.media_discovery: media nodes are read from Redis: redis.url"),
        ("sip", "digest_algorithms = []", "sip.digest_algorithms: it is empty"),
        (
            "sip",
            "digest_algorithms = [\"MD5\", \"MD5\"]",
            "sip.digest_algorithms: an algorithm stands in it twice",
        ),
        (
            "sip",
            "listen = [{ transport = \"tls\", address = \"192.0.2.1:5061\" }]",
            "sip.listen: a TLS listener needs",
        ),
        (
            "sip",
            "listen = [{ transport = \"udp\", address = \"0.0.0.0:5060\" }]",
            "sip.listen: 0.0.0.0:5060 is no address that a SIP peer could send to: give this listener an advertise",
        ),
        (
            "sip",
            "listen = [{ transport = \"udp\", address = \"192.0.2.1:5060\" }, \
             { transport = \"tcp\", address = \"[::]:5060\" }]",
            "sip.listen: [::]:5060 is no address that a SIP peer could send to",
        ),
        (
            "sip",
            "listen = [{ transport = \"udp\", address = \"[::]:5060\", advertise = \"a b\" }]",
            "sip.listen: advertise \"a b\" is not host or host:port",
        ),
        (
            "sip",
            "listen = [{ transport = \"udp\", address = \"[::]:5060\", advertise = \"a;transport=udp\" }]",
            "sip.listen: advertise \"a;transport=udp\" is not",
        ),
        (
            "sip",
            "tls_certificate = \"c\"\ntls_key = \"k\"\nlisten = [{ transport = \"tcp\", address = \"192.0.2.1:5060\" }, \
             { transport = \"tls\", address = \"192.0.2.1:5060\" }]",
            "sip.listen: 192.0.2.1:5060 stands in it twice",
        ),
    ]);
}

#[test]
fn values_of_registrations_that_cannot_work_are_refused_with_their_key() {
    assert_refused(&[
        ("sip", "register_contacts_max = 0", "sip.register_contacts_max: 0 is below 1"),
        (
            "sip",
            "register_keep_alive = \"999ms\"",
            "sip.register_keep_alive: it is 1s to 10m, or 0s for never",
        ),
        (
            "sip",
            "register_keep_alive = \"601s\"",
            "sip.register_keep_alive: it is 1s to 10m, or 0s for never",
        ),
        ("sip", "register_expires_min = \"0s\"", "sip.register_expires_min: zero cannot work"),
        (
            "sip",
            "register_expires_default = \"2h\"",
            "sip.register_expires_default: 2h is over sip.register_expires_max, 1h",
        ),
        (
            "sip",
            "register_expires_min = \"2h\"\nregister_expires_default = \"2h\"\nregister_expires_max = \"2h\"",
            "sip.register_expires_min: 2h is over an hour, 1h",
        ),
        ("sip", "register_expires_max = \"25h\"", "sip.register_expires_max: 25h is over a day, 1d"),
    ]);
}

#[test]
fn values_at_the_edge_work() {
    for (section, line) in [
        ("store", "url = \"postgres://u:p@h/d\""),
        ("store", "url = \"postgresql://h/d\""),
        ("store", "url = \"postgres://h/d?sslmode=require&options[a]=b\""),
        ("store", "runtime_role = \"warp_node\"\nstatement_timeout = \"0s\""),
        ("smpp", "inactivity = \"5m\""),
        (
            "sip",
            "listen = [{ transport = \"tcp\", address = \"[::]:5060\", advertise = \"[2001:db8::1]:5060\" }, \
             { transport = \"udp\", address = \"[::]:5060\", advertise = \"sip.example.net\" }]",
        ),
        ("sip", "hep_collector = \"homer.example:9060\"\ndns_servers = [\"192.0.2.53:53\"]"),
        ("sip", "digest_algorithms = [\"SHA-512-256\", \"SHA-256\", \"MD5\"]"),
        ("sip", "proxy_protocol_from = [\"10.0.0.0/8\"]\nunknown_source = \"drop\""),
        ("sip", "register_keep_alive = \"0s\"\nmedia_leftovers = \"1h\""),
        ("sip", "register_keep_alive = \"10m\"\nmedia_leftovers = \"1s\""),
        ("smpp", "listen = []"),
        ("api", "trusted_proxies = [\"10.0.0.0/8\", \"::1\"]"),
        ("api", "cors_origins = [\"*\", \"https://console.example.net\", \"http://[::1]:5173\"]"),
        ("log", "gather = \"0ms\""),
        ("node", "drain = \"0s\""),
        ("node", "root_key_env = \"ROOT_KEY_1\""),
    ] {
        parse(&format!("[{section}]\n{line}"), &[]).unwrap();
    }
}

#[test]
fn a_redis_has_its_scheme_and_time_to_answer() {
    for (line, error) in [
        ("timeout = \"0s\"", "redis.timeout: zero cannot work"),
        ("url = \"http://u:hidden@h\"", "redis.url: not redis://"),
        ("url = \"u:hidden@h\"", "redis.url: not redis://"),
    ] {
        let refused = parse(&format!("[redis]\n{line}"), &[]).unwrap_err();
        assert!(refused.starts_with(error) && !refused.contains("hidden"), "{refused}");
    }
    for url in ["", "redis://:p@h:6379/1", "rediss://h"] {
        assert!(parse(&format!("[redis]\nurl = {url:?}"), &[]).is_ok(), "{url}");
    }
    assert!(parse("[sip]\nmedia_discovery = true\n[redis]\nurl = \"redis://h\"", &[]).is_ok());
}

#[test]
fn variables_that_are_not_utf8_are_refused() {
    let bad = || OsString::from_vec(b"WARP_\xff".to_vec());
    let refused = utf8(("WARP_NODE_ID".into(), bad())).unwrap_err().to_string();
    assert_eq!(refused, "environment variable WARP_NODE_ID: the value is not UTF-8");
    let refused = utf8((bad(), "1".into())).unwrap_err().to_string();
    assert_eq!(refused, "environment variable WARP_\u{fffd}: the name is not UTF-8");
}

#[test]
fn durations_print_as_they_are_written() {
    for text in ["500ms", "30s", "5m", "48h", "7d", "0s"] {
        let duration: HumanDuration = text.parse().unwrap();
        let printed = duration.to_string();
        assert_eq!(printed.parse::<HumanDuration>().unwrap(), duration);
    }
    assert_eq!("172800s".parse::<HumanDuration>().unwrap().to_string(), "2d");
}
