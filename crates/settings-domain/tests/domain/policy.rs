//! The whole policy, by exhaustion: every role, every scope set, every permission, every action.
use crate::{
    golden::{self, ActionLine, COLUMNS, RoleRow, ScopeRow},
    support::{key, member, other_workspace, permit_of, start, user, workspace},
};
use settings_domain::{
    audit::Fact,
    policy::{
        Action, Actor, Denied, EventType, Permission, PermissionSet, Principal, Requirement, Role, SYSTEM, Scope,
        ScopeSet, SystemTask, actions, explain, holders, permit,
    },
    text::Slug,
};
use std::collections::BTreeSet;

fn names(set: PermissionSet) -> BTreeSet<&'static str> {
    set.iter().map(Permission::name).collect()
}
fn column(rows: &[RoleRow], name: &str) -> BTreeSet<&'static str> {
    let at = COLUMNS.iter().position(|c| *c == name).unwrap();
    rows.iter().filter(|r| r.has.get(at) == Some(&true)).map(|r| r.permission).collect()
}
fn key_actor(scopes: ScopeSet) -> Actor {
    Actor::key(&key(1, scopes))
}
fn all_sets() -> impl Iterator<Item = ScopeSet> {
    (0..=u16::MAX).map(ScopeSet::from_bits)
}
/// One actor of every kind, and one for every role, every single scope and every pair of scopes.
fn actors() -> Vec<Actor> {
    let mut all = vec![
        Actor::platform(user(9), workspace()),
        Actor::task(SystemTask::RecordDenials, workspace()),
        Actor::task(SystemTask::Execute, workspace()),
        Actor::task(SystemTask::RotateKeys, workspace()),
        Actor::task(SystemTask::SendDigest, workspace()),
        Actor::task(SystemTask::Deliver, workspace()),
        key_actor(ScopeSet::EMPTY),
        key_actor(ScopeSet::from_bits(u16::MAX)),
    ];
    for role in Role::ALL {
        all.extend([false, true].map(|platform| Actor::member(&member(1, role), platform).unwrap()));
    }
    for a in Scope::ALL {
        all.extend(Scope::ALL.map(|b| key_actor(ScopeSet::EMPTY.with(a).with(b))));
    }
    all
}
/// What an actor has by the tables typed by hand.
fn expected(actor: &Actor, roles: &[RoleRow], scopes: &[ScopeRow]) -> BTreeSet<&'static str> {
    match actor.principal() {
        Principal::Member { role, .. } => column(roles, role.name()),
        Principal::Platform { member, .. } => {
            let mut own = member.map(|(_, role)| column(roles, role.name())).unwrap_or_default();
            own.extend(column(roles, "system"));
            own
        }
        Principal::Key { scopes: held, .. } => {
            scopes.iter().filter(|s| held.iter().any(|h| h.name() == s.scope)).flat_map(|s| s.grants.clone()).collect()
        }
        Principal::Invitee { .. } | Principal::Task(_) => BTreeSet::new(),
    }
}

#[test]
fn the_permissions_are_those_of_the_policy_in_its_order_of_groups() {
    let golden: BTreeSet<_> = golden::roles().iter().map(|r| r.permission).collect();
    let code: BTreeSet<_> = Permission::ALL.iter().map(|p| p.name()).collect();
    assert_eq!(golden, code);
    assert_eq!(golden::roles().len(), golden.len(), "no permission stands twice in the golden table");
    assert_eq!(Permission::ALL.len(), code.len(), "no permission stands twice in the code");
    for p in Permission::ALL {
        assert_eq!(p.name().parse::<Permission>(), Ok(*p));
    }
    assert!("workflows:execute".parse::<Permission>().is_err());
}

#[test]
fn every_role_has_exactly_what_the_policy_says() {
    let rows = golden::roles();
    assert_eq!(names(SYSTEM), column(&rows, "system"));
    for role in Role::ALL {
        assert_eq!(names(role.permissions()), column(&rows, role.name()), "{role}");
    }
}

#[test]
fn every_scope_grants_exactly_what_the_policy_says() {
    let rows = golden::scopes();
    assert_eq!(rows.iter().map(|r| r.scope).collect::<Vec<_>>(), Scope::ALL.map(Scope::name));
    let wire = |e| match e {
        EventType::RunFailed => "run_failed",
        EventType::ApprovalRequested => "approval_requested",
        EventType::WorkflowDeployed => "workflow_deployed",
        EventType::McpServerDegraded => "mcp_server_degraded",
        EventType::SecretRotated => "secret_rotated",
    };
    for (row, scope) in rows.iter().zip(Scope::ALL) {
        assert_eq!(names(scope.permissions()), row.grants, "{scope}");
        assert_eq!(scope.publishes().map(wire), row.publishes, "{scope}");
    }
}

#[test]
fn every_actor_may_exactly_what_the_tables_say_and_only_in_its_own_workspace() {
    let (roles, scopes) = (golden::roles(), golden::scopes());
    for actor in actors() {
        let may = expected(&actor, &roles, &scopes);
        assert_eq!(actor.workspace(), workspace());
        assert_ne!(actor.workspace(), other_workspace());
        for p in Permission::ALL {
            let met = Requirement::Permission(*p).is_met_by(&actor);
            assert_eq!(met, may.contains(p.name()), "{:?} {}", actor.principal(), p.name());
        }
    }
}

#[test]
fn all_65536_scope_sets_allow_the_union_of_their_scopes_and_nothing_more() {
    // The naive model: positions of the golden rows, no bit of the code's own.
    let position = |name: &str| Permission::ALL.iter().position(|p| p.name() == name).unwrap();
    let grants: Vec<Vec<usize>> =
        golden::scopes().iter().map(|row| row.grants.iter().map(|g| position(g)).collect()).collect();
    for bits in 0..=u16::MAX {
        let mut union = vec![false; Permission::ALL.len()];
        for (i, granted) in grants.iter().enumerate() {
            if bits >> i & 1 == 1 {
                for g in granted {
                    *union.get_mut(*g).unwrap() = true;
                }
            }
        }
        let set = ScopeSet::from_bits(bits);
        let actor = key_actor(set);
        for (p, has) in Permission::ALL.iter().zip(&union) {
            assert_eq!(set.permissions().contains(*p), *has, "{bits:#018b} {}", p.name());
            assert_eq!(actor.grants().contains(*p), *has, "{bits:#018b} {}", p.name());
        }
    }
}

#[test]
fn a_scope_set_survives_its_stored_form_and_is_never_guessed() {
    for set in all_sets().filter(|s| !s.is_empty()) {
        assert_eq!(set.names().parse(), Ok(set));
    }
    for bad in ["", " ", "runs:*", "*", "RUNS:READ", " runs:read", "runs:read ", "runs:read  runs:write", "runs:read,"]
    {
        assert!(bad.parse::<ScopeSet>().is_err(), "{bad:?}");
    }
}

#[test]
fn write_never_implies_read() {
    let read = |p: &Permission| p.name().ends_with(":read");
    let write_only = |s: &ScopeSet| s.iter().all(|scope| scope.name().ends_with(":write"));
    assert_eq!(all_sets().filter(write_only).count(), 1 << 7);
    for set in all_sets().filter(write_only) {
        assert_eq!(set.permissions().iter().find(read), None, "{}", set.names());
    }
}

#[test]
fn nothing_that_belongs_to_people_is_in_any_scope() {
    let people_only = |p: Permission| {
        let (resource, action) = p.name().split_once(':').unwrap();
        match resource {
            "members" | "apiKeys" | "auditDigest" | "models" | "billing" | "organizations" | "systemModels"
            | "admin" | "sentiment" | "entities" => true,
            "secrets" => ["create", "update", "delete"].contains(&action),
            _ => false,
        }
    };
    for set in all_sets() {
        for p in Permission::ALL.iter().copied().filter(|p| people_only(*p)) {
            assert!(!set.permissions().contains(p), "{} grants {}", set.names(), p.name());
        }
    }
}

#[test]
fn the_platform_reaches_no_secret_unless_it_is_an_admin_there() {
    let secrets = |p: &&Permission| p.name().starts_with("secrets:");
    assert_eq!(Permission::ALL.iter().filter(secrets).count(), 5);
    for p in Permission::ALL.iter().filter(secrets) {
        assert!(!SYSTEM.contains(*p));
        assert!(!Actor::platform(user(9), workspace()).grants().contains(*p));
        for role in Role::ALL {
            let actor = Actor::member(&member(1, role), true).unwrap();
            assert_eq!(actor.grants().contains(*p), role == Role::Admin, "{role}");
        }
    }
}

fn check_explanation(actor: &Actor, p: Permission) {
    let decision = explain(actor, p);
    let met = Requirement::Permission(p).is_met_by(actor);
    assert_eq!(decision.allowed, met, "{:?} {}", actor.principal(), p.name());
    assert_eq!(decision.allowed, decision.granted_by.is_some());
    assert_eq!(decision.permission, p);
    assert!(decision.because.contains(p.name()), "{}", decision.because);
    if let Some(by) = decision.granted_by {
        let (roles, scopes) = holders(p);
        assert!(roles.contains(&by) || scopes.iter().any(|s| s.name() == by), "{by} does not have {}", p.name());
        let own = match actor.principal() {
            Principal::Member { role, .. } => by == role.name(),
            Principal::Platform { member, .. } => by == "system" || member.is_some_and(|(_, r)| by == r.name()),
            Principal::Key { scopes, .. } => scopes.iter().any(|s| s.name() == by),
            Principal::Invitee { .. } | Principal::Task(_) => false,
        };
        assert!(own, "{:?} is not {by}", actor.principal());
    }
}

#[test]
fn the_explanation_always_agrees_with_the_decision() {
    for actor in actors() {
        for p in Permission::ALL {
            check_explanation(&actor, *p);
        }
    }
    // Every scope set meets every permission at least once a thousand times over.
    for (set, p) in all_sets().zip(Permission::ALL.iter().cycle()) {
        check_explanation(&key_actor(set), *p);
    }
}

#[test]
fn every_denial_names_what_is_missing_and_who_has_it() {
    let (roles, scopes) = (golden::roles(), golden::scopes());
    for actor in actors() {
        for (p, row) in Permission::ALL.iter().map(|p| (*p, roles.iter().find(|r| r.permission == p.name()).unwrap())) {
            let requirement = Requirement::Permission(p);
            if requirement.is_met_by(&actor) {
                continue;
            }
            let denied = Denied { actor, action: "Anything", requirement };
            let sentence = denied.to_string();
            assert!(sentence.contains(p.name()), "{sentence}");
            assert_eq!(denied.permission(), Some(p));
            let granting: Vec<_> = scopes.iter().filter(|s| s.grants.contains(p.name())).map(|s| s.scope).collect();
            let is_key = matches!(actor.principal(), Principal::Key { .. });
            assert_eq!(denied.needs_a_person(), is_key && granting.is_empty(), "{sentence}");
            let holding: Vec<_> = if is_key && !granting.is_empty() {
                granting
            } else {
                COLUMNS.iter().zip(row.has).filter(|(_, has)| *has).map(|(c, _)| *c).collect()
            };
            for name in holding {
                assert!(sentence.contains(name), "{sentence}: {name} has it");
            }
        }
    }
    let example = explain(&Actor::member(&member(1, Role::Viewer), false).unwrap(), Permission::MembersInvite);
    assert_eq!(example.because, "needs members:invite; viewer has it not; admin, system have");
}

#[test]
fn every_action_asks_and_records_what_the_golden_table_says() {
    let code: Vec<_> = actions::ALL
        .iter()
        .map(|row| ActionLine {
            name: row.name,
            requires: match row.requires {
                Requirement::Permission(p) => p.name(),
                Requirement::Invitee => "(invitee)",
                Requirement::Task(_) => "(task)",
            },
            fact: row.fact.map(Fact::name),
            risk: row.fact.map(|f| f.risk().name()),
        })
        .collect();
    assert_eq!(code, golden::actions());
}

/// Tries one action, at the type level, on everybody.
fn try_on_everybody<A: Action>(tried: &mut BTreeSet<&'static str>) {
    let row = actions::ALL.iter().find(|r| r.name == A::NAME).unwrap();
    assert_eq!(row.requires, A::REQUIRES);
    for actor in actors() {
        match permit::<A>(&actor, start()) {
            Ok(permit) => {
                assert!(A::REQUIRES.is_met_by(&actor));
                assert_eq!((*permit.actor(), permit.at()), (actor, start()));
                assert_eq!((permit.scope().workspace(), permit.scope().user()), (workspace(), actor.user()));
            }
            Err(denied) => {
                assert!(!A::REQUIRES.is_met_by(&actor));
                assert_eq!(denied, Denied { actor, action: A::NAME, requirement: A::REQUIRES });
                assert!(denied.to_string().contains(&A::REQUIRES.to_string()), "{denied}");
            }
        }
    }
    tried.insert(A::NAME);
}

#[test]
fn a_permit_is_given_exactly_where_the_requirement_is_met() {
    macro_rules! try_all {
        ($($name:ident)*) => {{
            let mut tried = BTreeSet::new();
            $(try_on_everybody::<actions::$name>(&mut tried);)*
            tried
        }};
    }
    let tried = try_all! {
        ReadWorkspace UpdateWorkspace CreateOrganization ListOrganizations UpdateOrganization DeleteOrganization
        ListEnvironments CreateEnvironment UpdateEnvironment DeleteEnvironment ListMembers InviteMember
        ResendInvitation RevokeInvitation AcceptInvitation ChangeRole RemoveMember EraseMember ListApiKeys CreateApiKey
        RevokeApiKey ListVariables PreviewVariables CreateVariable UpdateVariable DeleteVariable ResolveVariables
        ListSecrets CreateSecret RotateSecret SealSecret RevealSecret DeleteSecret ListModels PickModel CreateModel
        UpdateModel TestModel DeleteModel CreateSystemModel UpdateSystemModel TestSystemModel DeleteSystemModel
        ResolveModel DeclareReferences DeclareAgentReferences RotateKeys ReadAudit RecordDenials
        ReadAuditDigest UpdateAuditDigest SendAuditDigest ReadNotifications UpdateNotifications TestChannel RetryDelivery
        CreateWebhookSubscription UpdateWebhookSubscription RotateWebhookSecret DeleteWebhookSubscription ListConnections
        StartConnection AuthorizeConnection UpdateConnection DeleteConnection PublishEvent DeliverMessages FailConnection
        DisableWebhookSubscription GiveUpDelivery ReadBilling OpenBillingPortal RecordUsage SyncBilling
    };
    assert_eq!(tried, actions::ALL.iter().map(|r| r.name).collect());
}

#[test]
fn the_service_itself_may_its_own_task_and_nothing_else() {
    for (task, its) in [
        (SystemTask::RecordDenials, vec!["RecordDenials"]),
        (SystemTask::SendDigest, vec!["SendAuditDigest"]),
        (SystemTask::Execute, vec!["ResolveVariables", "ResolveModel"]),
        (SystemTask::RotateKeys, vec!["RotateKeys"]),
        (
            SystemTask::Deliver,
            vec!["DeliverMessages", "FailConnection", "DisableWebhookSubscription", "GiveUpDelivery"],
        ),
        (SystemTask::SyncBilling, vec!["SyncBilling"]),
    ] {
        let actor = Actor::task(task, workspace());
        let allowed: Vec<_> = actions::ALL.iter().filter(|r| r.requires.is_met_by(&actor)).map(|r| r.name).collect();
        assert_eq!(allowed, its);
    }
    let _ = permit_of::<actions::RecordDenials>(&Actor::task(SystemTask::RecordDenials, workspace()));
}

#[test]
fn roles_and_scopes_have_one_spelling() {
    for role in Role::ALL {
        assert_eq!(role.name().parse(), Ok(role));
    }
    for bad in ["", "System", "system", "owner", "ADMIN", " admin", "admin ", "admin\0", "User", "user", "guest", "7"] {
        assert!(bad.parse::<Role>().is_err(), "{bad:?}");
    }
    for scope in Scope::ALL {
        assert_eq!(scope.name().parse(), Ok(scope));
        let (upper, wild) = (scope.name().to_uppercase(), scope.name().replace(":read", ":*"));
        assert!(upper.parse::<Scope>().is_err());
        assert!(wild == scope.name() || wild.parse::<Scope>().is_err());
    }
}

#[test]
fn every_reserved_word_of_the_contract_is_reserved() {
    let words = "api admin www app login static health metrics workspace settings system null undefined new billing \
                 secrets connections events audit webhooks";
    for word in words.split_whitespace() {
        assert!(word.parse::<Slug>().unwrap().is_reserved(), "{word}");
    }
    assert!(!"acme".parse::<Slug>().unwrap().is_reserved());
}
