//! The same requests, put to the service's check, to Cedar and to casbin in one run:
//! `cargo bench -p settings-policy-drt --features casbin`.
#![expect(clippy::expect_used, reason = "a bench")]
use casbin::{CoreApi as _, DefaultModel, Enforcer, MemoryAdapter, MgmtApi as _};
use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use settings_domain::policy::{Permission, Requirement, Role, SYSTEM, Scope, ScopeSet};
use settings_policy_drt::{CedarPolicy, Evaluator as _, Expiry, Membership, Question, Situation, Table};
use std::hint::black_box;

/// Roles per workspace, as casbin's documentation has them.
const MODEL: &str = "
[request_definition]
r = sub, dom, act
[policy_definition]
p = sub, act
[role_definition]
g = _, _, _
[policy_effect]
e = some(where (p.eft == allow))
[matchers]
m = g(r.sub, p.sub, r.dom) && r.act == p.act
";

const fn account(platform: bool, here: Membership, elsewhere: Membership) -> Situation {
    Situation::Account { platform, here, elsewhere, deleted: false }
}
const fn key(scopes: ScopeSet) -> Situation {
    Situation::Key { scopes, foreign: false, revoked: false, expiry: Expiry::Never, deleted: false }
}

/// What a day brings: each kind of caller, allowed and refused.
fn requests() -> Vec<(&'static str, Situation, Permission, bool)> {
    let none = Membership::None;
    let active = Membership::Active;
    let deploy = ScopeSet::EMPTY.with(Scope::RunsWrite).with(Scope::WorkspaceRead);
    vec![
        ("vera", account(false, active(Role::Viewer), none), Permission::RunsRead, true),
        ("vera", account(false, active(Role::Viewer), none), Permission::MembersInvite, false),
        ("ed", account(false, active(Role::Editor), none), Permission::WorkflowsUpdate, true),
        ("ada", account(false, active(Role::Admin), none), Permission::SecretsReveal, true),
        ("root", account(true, none, none), Permission::OrganizationsRead, true),
        ("root", account(true, none, none), Permission::SecretsReveal, false),
        ("oscar", account(false, none, active(Role::Admin)), Permission::WorkspaceRead, false),
        ("deploy", key(deploy), Permission::RunsWrite, true),
        ("deploy", key(deploy), Permission::ApiKeysCreate, false),
        ("all", key(ScopeSet::from_bits(u16::MAX)), Permission::NotificationsUpdate, true),
    ]
}

fn strings<const N: usize>(words: [&str; N]) -> Vec<String> {
    words.map(str::to_owned).to_vec()
}

/// casbin with the same rights. They are made from the table: casbin is here to be measured, Cedar is here to disagree.
async fn casbin() -> Enforcer {
    let model = DefaultModel::from_str(MODEL).await.expect("a model");
    let mut enforcer = Enforcer::new(model, MemoryAdapter::default()).await.expect("an enforcer");
    let columns = Role::ALL.map(|r| (r.name(), r.permissions())).into_iter().chain([("system", SYSTEM)]);
    let scopes = Scope::ALL.map(|s| (s.name(), s.permissions()));
    let rights = columns.chain(scopes).flat_map(|(name, set)| set.iter().map(move |p| strings([name, p.name()])));
    enforcer.add_policies(rights.collect()).await.expect("policies");
    let mut roles: Vec<_> = [("vera", "viewer"), ("ed", "editor"), ("ada", "admin"), ("root", "system")]
        .map(|(who, role)| strings([who, role, "acme"]))
        .to_vec();
    roles.push(strings(["oscar", "admin", "other"]));
    roles.extend(["runs:write", "workspace:read"].map(|scope| strings(["deploy", scope, "acme"])));
    roles.extend(Scope::ALL.map(|s| strings(["all", s.name(), "acme"])));
    enforcer.add_grouping_policies(roles).await.expect("roles");
    enforcer
}

fn peers(c: &mut Criterion) {
    let requests = requests();
    let cedar = CedarPolicy::new().expect("valid policies");
    let runtime = tokio::runtime::Builder::new_current_thread().build().expect("a runtime");
    let casbin = runtime.block_on(casbin());
    let mut group = c.benchmark_group("ten requests");
    group.throughput(Throughput::Elements(requests.len() as u64));

    let actors: Vec<_> = requests
        .iter()
        .map(|(_, who, what, expected)| {
            let actor = Table::actor(who).expect("a situation");
            let met = actor.is_some_and(|a| Requirement::Permission(*what).is_met_by(&a));
            assert_eq!(met, *expected, "{who:?} {what:?}");
            (actor, Requirement::Permission(*what))
        })
        .collect();
    group.bench_function("settings", |b| {
        b.iter(|| {
            for (actor, what) in black_box(&actors) {
                black_box(actor.as_ref().is_some_and(|a| what.is_met_by(a)));
            }
        });
    });

    let prepared: Vec<_> = requests
        .iter()
        .map(|(_, who, what, expected)| {
            let question = Question::Permission(*what);
            let pair = (
                cedar.request(who, question).expect("a request"),
                cedar.entities(who).expect("the entities of a request"),
            );
            assert_eq!(cedar.decide(&pair.0, &pair.1), Ok(*expected), "{who:?} {what:?}");
            pair
        })
        .collect();
    group.bench_function("cedar, request and entities at hand", |b| {
        b.iter(|| {
            for (request, entities) in black_box(&prepared) {
                black_box(cedar.decide(request, entities).is_ok());
            }
        });
    });
    group.bench_function("cedar, request and entities made", |b| {
        b.iter(|| {
            for (_, who, what, _) in black_box(&requests) {
                black_box(cedar.answer(who, &[Question::Permission(*what)]).is_ok());
            }
        });
    });

    for (who, _, what, expected) in &requests {
        assert_eq!(casbin.enforce((*who, "acme", what.name())).ok(), Some(*expected), "{who} {what:?}");
    }
    group.bench_function("casbin", |b| {
        b.iter(|| {
            for (who, _, what, _) in black_box(&requests) {
                black_box(casbin.enforce((*who, "acme", what.name())).is_ok());
            }
        });
    });
    group.finish();
}

criterion_group!(benches, peers);
criterion_main!(benches);
