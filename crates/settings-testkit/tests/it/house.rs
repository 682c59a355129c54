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
    ("settings-aws", &["settings-domain"]),
    ("settings-crypto", &["settings-domain"]),
    ("settings-oidc", &["settings-domain"]),
    ("settings-slack", &["settings-domain"]),
    ("settings-stripe", &["settings-domain"]),
    ("settings-webhook", &["settings-domain", "settings-egress"]),
    ("settings-egress", &[]),
    ("settings-notify", &["settings-domain"]),
    ("settings-sql", &["settings-domain"]),
    ("settings-sqlite", &["settings-domain", "settings-sql"]),
    ("settings-postgres", &["settings-domain", "settings-sql"]),
    ("settings-runtime", &["settings-domain"]),
    ("settings-probe", &["settings-domain", "settings-egress", "settings-runtime"]),
    ("settings-api", &["settings-app", "settings-domain"]),
    // The console shares the edge with the API: rate limits, request ids, client addresses, and what an unknown path answers.
    ("settings-console", &["settings-api", "settings-app", "settings-domain"]),
    ("settings-testkit", &["settings-app", "settings-domain"]),
    (
        "settings-http",
        &[
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
