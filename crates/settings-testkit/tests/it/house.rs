//! The house's arrows point inward: read off the workspace's own manifests.
use cargo_metadata::{DependencyKind, MetadataCommand, Package};
use std::collections::BTreeSet;

#[expect(clippy::expect_used, reason = "test support")]
fn packages() -> Vec<Package> {
    let metadata = MetadataCommand::new().no_deps().exec().expect("cargo metadata");
    metadata.packages
}

fn normal(package: &Package) -> BTreeSet<String> {
    package.dependencies.iter().filter(|d| d.kind == DependencyKind::Normal).map(|d| d.name.clone()).collect()
}

fn ours(names: &BTreeSet<String>) -> BTreeSet<&str> {
    names.iter().map(String::as_str).filter(|n| n.starts_with("settings")).collect()
}

/// Who may know whom. A new crate needs a row, and the row needs a reason in docs/architecture.md.
const ARROWS: &[(&str, &[&str])] = &[
    ("settings-domain", &[]),
    ("settings-app", &["settings-domain"]),
    // When a place that keeps failing is left alone. Pure, and so small that it knows nobody.
    ("settings-breaker", &[]),
    ("settings-aws", &["settings-breaker", "settings-domain"]),
    ("settings-crypto", &["settings-domain"]),
    ("settings-oidc", &["settings-breaker", "settings-domain"]),
    ("settings-slack", &["settings-breaker", "settings-domain"]),
    ("settings-stripe", &["settings-breaker", "settings-domain"]),
    ("settings-webhook", &["settings-domain", "settings-egress"]),
    ("settings-egress", &["settings-breaker"]),
    ("settings-notify", &["settings-breaker", "settings-domain"]),
    ("settings-sql", &["settings-domain"]),
    ("settings-sqlite", &["settings-domain", "settings-sql"]),
    ("settings-postgres", &["settings-domain", "settings-sql"]),
    ("settings-runtime", &["settings-domain"]),
    ("settings-probe", &["settings-domain", "settings-egress", "settings-runtime"]),
    ("settings-api", &["settings-app", "settings-domain"]),
    // The console shares the edge with the API: rate limits, request ids, client addresses, and what an unknown path answers.
    ("settings-console", &["settings-api", "settings-app", "settings-domain"]),
    ("settings-testkit", &["settings-app", "settings-domain"]),
    // The policy in Cedar, and what is asked of both. Nothing depends on it.
    ("settings-policy-drt", &["settings-domain"]),
    // For services that embed this one: what `settings-http` composes for itself, chosen by a builder.
    (
        "settings",
        &[
            "settings-api",
            "settings-app",
            "settings-crypto",
            "settings-domain",
            "settings-egress",
            "settings-notify",
            "settings-postgres",
            "settings-probe",
            "settings-runtime",
            "settings-sqlite",
            "settings-webhook",
        ],
    ),
    (
        "settings-http",
        &[
            "settings",
            "settings-api",
            "settings-app",
            "settings-aws",
            "settings-console",
            "settings-crypto",
            "settings-domain",
            "settings-egress",
            "settings-notify",
            "settings-oidc",
            "settings-postgres",
            "settings-probe",
            "settings-slack",
            "settings-stripe",
            "settings-sqlite",
            "settings-webhook",
        ],
    ),
];

#[test]
fn arrows_point_inward() {
    for package in packages() {
        let names = normal(&package);
        let (_, allowed) = ARROWS
            .iter()
            .find(|(name, _)| *name == package.name.as_str())
            .unwrap_or_else(|| panic!("{} has no row", package.name));
        let extra: Vec<_> = ours(&names).into_iter().filter(|n| !allowed.contains(n)).collect();
        assert!(extra.is_empty(), "{} must not know {extra:?}", package.name);
    }
}

/// Every crate that a build of this one takes, without what tests alone bring.
#[expect(clippy::expect_used, reason = "a test's own helper: without cargo there is no test")]
fn tree(package: &str) -> BTreeSet<String> {
    let mut cargo = std::process::Command::new(env!("CARGO"));
    let output = cargo
        .args(["tree", "--locked", "--offline", "--edges", "normal,build", "--prefix", "none", "--package", package])
        .output()
        .expect("cargo tree");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let text = String::from_utf8(output.stdout).expect("names");
    text.lines().filter_map(|line| line.split(' ').next()).map(str::to_owned).collect()
}

#[test]
fn who_takes_the_policy_takes_no_async_runtime_no_database_and_no_network() {
    let forbidden = [
        "actix-rt",
        "async-executor",
        "async-global-executor",
        "async-io",
        "async-std",
        "axum",
        "diesel",
        "futures",
        "futures-executor",
        "futures-util",
        "glommio",
        "hyper",
        "libsqlite3-sys",
        "mio",
        "polling",
        "reqwest",
        "ring",
        "rusqlite",
        "rustls",
        "smol",
        "socket2",
        "sqlx",
        "sqlx-core",
        "tokio",
        "tokio-util",
        "tower",
        "tracing",
    ];
    let domain = tree("settings-domain");
    assert!(domain.contains("time") && domain.contains("serde_json") && domain.len() > 20, "{domain:?}");
    let found: Vec<_> = forbidden.into_iter().filter(|f| domain.contains(*f)).collect();
    assert!(found.is_empty(), "the domain's tree has {found:?}");
    // The list finds what it is to find: a crate with a store has a good part of it.
    let sqlite = tree("settings-sqlite");
    assert!(["tokio", "sqlx", "libsqlite3-sys", "mio"].into_iter().all(|f| sqlite.contains(f)), "{sqlite:?}");
}

#[test]
fn cedar_reaches_nothing_but_its_own_crate() {
    // It turns on `serde_json/preserve_order`, which would be on for every crate that is built together with it.
    for package in packages() {
        let peers: Vec<_> =
            package.dependencies.iter().filter(|d| ["casbin", "cedar-policy"].contains(&d.name.as_str())).collect();
        if package.name.as_str() == "settings-policy-drt" {
            assert_eq!(peers.len(), 2);
            assert!(peers.iter().all(|d| d.optional), "a plain build of the workspace must not have them");
            assert!(!package.features.contains_key("default"));
        } else {
            assert!(peers.is_empty(), "{}", package.name);
        }
    }
}

#[test]
fn the_domain_stays_pure() {
    let allowed: BTreeSet<_> =
        ["async-trait", "idna", "secrecy", "serde", "serde_json", "sha2", "subtle", "thiserror", "time", "uuid"]
            .into_iter()
            .map(str::to_owned)
            .collect();
    let domain = packages().into_iter().find(|p| p.name.as_str() == "settings-domain").expect("the domain");
    assert_eq!(
        normal(&domain),
        allowed,
        "the domain gained or lost a dependency: is it still free of I/O, clock and randomness?"
    );
}
