//! Dependencies point one way.

use std::collections::BTreeSet;
use std::process::Command;

use cargo_metadata::{MetadataCommand, Package};

use super::super::process::{root, run};

/// What each crate may know of ours; a crate under protocols/ knows nobody, and is known by its folder.
const MAY_KNOW: [(&str, &[&str]); 6] = [
    ("runtime", &[]),
    ("actors", &["runtime", PROTOCOLS]),
    ("api", &["actors", "runtime"]),
    ("bench", &[PROTOCOLS]),
    ("node", &["api", "actors", "runtime", "bench"]),
    ("tests", &[]),
];
/// Any crate under protocols/.
const PROTOCOLS: &str = "protocols/*";

/// Crates of others that one crate of ours wraps.
const WRAPPED: [(&str, &str); 2] = [("warp", "api"), ("sqlx", "runtime")];
/// Crates that must not come in by any way: OpenSSL, and RSA for its timing (RUSTSEC-2023-0071).
const BANNED: [&str; 5] = ["openssl", "openssl-sys", "native-tls", "rsa", "ractor_cluster"];

fn packages() -> Vec<Package> {
    MetadataCommand::new().manifest_path(root().join("Cargo.toml")).no_deps().exec().unwrap().packages
}

/// The crate's name in `MAY_KNOW`.
fn class(package: &Package) -> &str {
    let folder = package.manifest_path.parent().and_then(|folder| folder.parent());
    let in_protocols = folder.is_some_and(|folder| folder == root().join("protocols"));
    if in_protocols { PROTOCOLS } else { &package.name }
}

#[test]
fn dependencies_point_one_way() {
    let packages = packages();
    for package in &packages {
        let allowed = match class(package) {
            PROTOCOLS => &[],
            name => MAY_KNOW.iter().find(|(known, _)| *known == name).map_or_else(
                || panic!("{name} is a new crate: write down in this test what it may know"),
                |(_, allowed)| *allowed,
            ),
        };
        for dependency in &package.dependencies {
            let Some(ours) = packages.iter().find(|ours| ours.name.as_str() == dependency.name) else {
                continue;
            };
            assert!(allowed.contains(&class(ours)), "{} must not know {}", package.name, ours.name);
        }
    }
}

#[test]
fn crates_of_others_stay_behind_their_wrappers() {
    for package in packages() {
        assert_ne!(package.name.as_str(), "warp", "the web framework owns that package name");
        for dependency in &package.dependencies {
            let wrapper = WRAPPED.iter().find(|(wrapped, _)| *wrapped == dependency.name);
            if let Some((wrapped, wrapper)) = wrapper {
                assert_eq!(package.name.as_str(), *wrapper, "{wrapped} is known to {wrapper} only");
            }
        }
    }
}

#[test]
fn nothing_banned_is_built() {
    let mut tree = Command::new(env!("CARGO"));
    tree.args(["tree", "--workspace", "--edges", "normal,build", "--prefix", "none", "--format", "{p}"]);
    let listed = run(tree.current_dir(root()), super::super::process::READY);
    listed.assert_success();
    let built: BTreeSet<&str> = listed.stdout.lines().filter_map(|line| line.split(' ').next()).collect();
    assert!(built.contains("tokio"), "cargo tree lists what is built: {}", listed.stdout);
    for banned in BANNED {
        assert!(!built.contains(banned), "{banned} is built: cargo tree --invert {banned}");
    }
}

#[test]
fn dependencies_have_their_reasons() {
    let manifest = std::fs::read_to_string(root().join("Cargo.toml")).unwrap();
    let reasons = std::fs::read_to_string(root().join("docs/dependencies.md")).unwrap();
    let section = manifest.split_once("[workspace.dependencies]").unwrap().1;
    let section = section.split("\n[").next().unwrap();
    let names = section.lines().filter_map(|line| line.split_once(" = "));
    for (name, _) in names.filter(|(_, value)| !value.contains("path = ")) {
        assert!(reasons.contains(&format!("| {name} |")), "{name} has no line in docs/dependencies.md");
    }
    for name in reasons.lines().filter_map(|line| line.strip_prefix("| ")?.split(" |").next()) {
        let known = section.lines().any(|line| line.starts_with(&format!("{name} = ")));
        assert!(known || name == "Crate", "{name} in docs/dependencies.md is no dependency");
    }
}
