//! Variables, secrets, models and references: kept byte for byte, unique where they must be, gone with what held them.
use secrecy::ExposeSecret as _;
use super::{
    Scenario, World,
    scenario::{ALL, call},
};
use settings_app::{
    models::{ChangeModel, CreateModel},
    secrets::CreateSecret,
    variables::{ChangeVariable, CreateVariable},
};
use settings_domain::{
    environments::Tier,
    ids::{EnvironmentId, ModelId, SecretId, VariableId, WorkspaceId},
    impact::Guard,
    models::{Credential, Model},
    policy::{Actor, Permit, SystemTask, actions, permit},
    ports::{
        outbound::OutboundUrl,
        store::{Selector},
        vault::{OldWrapping, Rewrapped, WrappedDataKey},
    },
    references::{Declaration, ReferrerKey, Use},
    sealed::SecretValue,
    transaction::Snapshot,
};
use std::{collections::BTreeSet, sync::Arc};
use tokio::task::JoinSet;

cases![
    a_variable_is_read_as_it_was_written,
    a_rename_keeps_the_value_and_a_new_value_is_bound_anew,
    twenty_parallel_variables_of_one_name_are_one,
    a_secret_is_read_as_it_was_written_and_stays_sealed,
    a_model_is_read_as_it_was_written,
    what_belongs_to_another_tenant_is_not_there,
    what_an_environment_holds_goes_with_it,
    uses_are_whole_lists_and_end_with_what_was_used,
    executors_get_values_with_their_keys_or_nothing,
    system_models_belong_to_the_platform_alone,
    the_first_data_key_of_a_generation_is_kept,
    a_wrapping_is_replaced_only_while_it_is_the_old_one,
];

/// Texts that a store might mangle.
const ODD: [&str; 4] = ["</script>`${}'\"\\", "\u{2028}\u{2029}\u{1f600}", " padded \r\n\t", "e\u{301}\u{202e}"];

fn value(text: &str) -> SecretValue {
    SecretValue::new(text.to_owned().into()).expect("a value")
}

async fn lab(s: &Scenario) -> EnvironmentId {
    let permit = s.may::<actions::CreateEnvironment>(&s.admin.caller).await.expect("a right");
    let wanted = settings_app::environments::WantedEnvironment {
        id: None,
        name: "lab".parse().expect("a name"),
        tier: Tier::Development,
        version: None,
    };
    let made = s.app.create_environment(&permit, &call(&s.admin.caller), wanted).await;
    made.unwrap_or_else(|e| panic!("{e:?}")).into_value().environment.id
}

async fn variable(s: &Scenario, environment: EnvironmentId, name: &str, text: &str) -> Result<VariableId, String> {
    let permit = s.may::<actions::CreateVariable>(&s.admin.caller).await.expect("a right");
    let new = CreateVariable { environment, name: name.parse().expect("a name"), value: value(text) };
    let made = s.app.create_variable(&permit, &call(&s.admin.caller), new).await;
    made.map(|v| v.into_value().id).map_err(|e| format!("{e:?}"))
}

async fn secret(s: &Scenario, environment: EnvironmentId, name: &str, sealed: bool) -> SecretId {
    let permit = s.may::<actions::CreateSecret>(&s.admin.caller).await.expect("a right");
    let new = CreateSecret { environment, name: name.parse().expect("a name"), value: value("secret"), sealed };
    let made = s.app.create_secret(&permit, &call(&s.admin.caller), new).await;
    made.unwrap_or_else(|e| panic!("{e:?}")).into_value().id
}

fn new_model(name: &str) -> CreateModel {
    let (url, origin) = ("https://models.example/v1".to_owned(), "https://models.example".to_owned());
    CreateModel {
        provider: None,
        name: Some(name.parse().expect("a name")),
        description: Some("For\nagents".parse().expect("a description")),
        url: OutboundUrl::vetted(url, origin, "models.example".to_owned()),
        credential: Credential::ClientKey { client_key: value("AKIA"), secret_key: value(ODD[0]) },
    }
}

async fn model(s: &Scenario, name: &str) -> Model {
    let permit = s.may::<actions::CreateModel>(&s.admin.caller).await.expect("a right");
    let made = s.app.create_model(&permit, &call(&s.admin.caller), new_model(name)).await;
    made.unwrap_or_else(|e| panic!("{e:?}")).into_value()
}

async fn platform_permit<A: settings_domain::policy::Action>(s: &Scenario) -> Permit<A> {
    let store = s.app.ports().store.as_ref();
    let snapshot = Snapshot::<A>::open(store, &s.founder.caller, &Selector::Platform).await;
    snapshot.expect("the platform's door").permit().clone()
}

async fn declare(s: &Scenario, id: &str, uses: &[Use]) -> Result<(), String> {
    let permit = s.may::<actions::DeclareReferences>(&s.admin.caller).await.expect("a right");
    let key = ReferrerKey { kind: "workflow".parse().expect("a kind"), id: id.parse().expect("an id") };
    let new = Declaration { key, name: "Nightly".parse().expect("a name"), uses: uses.iter().copied().collect() };
    let done = s.app.declare_references(&permit, &call(&s.admin.caller), new).await;
    done.map(drop).map_err(|e| format!("{e:?}"))
}

async fn a_variable_is_read_as_it_was_written(world: World) {
    let s = Scenario::acme(&world).await;
    let lab = lab(&s).await;
    for (n, text) in ODD.into_iter().chain([&*"x".repeat(65_536)]).enumerate() {
        let id = variable(&s, lab, &format!("ODD_{n}"), text).await.expect("a variable");
        let record = s.reads().await.variable(id).await.expect("a read").expect("a variable");
        let binding = settings_domain::variables::Variable::binding(s.workspace, lab, id, 1);
        assert_eq!((record.value.binding(), record.variable.version), (&binding, 1));
        assert_eq!(record.value.digest(), s.app.ports().vault.digest(call_scope(&s).await, &value(text)));
    }
    let mut reads = s.reads().await;
    assert_eq!(reads.variables(Some(lab), ALL).await.expect("a read").len(), 5);
    assert_eq!(reads.variable_counts().await.expect("a read").get(&lab), Some(&5));
    let page = settings_domain::ports::store::Page { after: None, limit: 2 };
    let first = reads.variables(None, page).await.expect("a read");
    let next = settings_domain::ports::store::Page { after: first.last().map(|v| v.id.as_uuid()), limit: 10 };
    assert_eq!(reads.variables(None, next).await.expect("a read").len(), 3);
}

async fn call_scope(s: &Scenario) -> settings_domain::policy::TenantScope {
    s.may::<actions::ListVariables>(&s.admin.caller).await.expect("a right").scope()
}

async fn a_rename_keeps_the_value_and_a_new_value_is_bound_anew(world: World) {
    let s = Scenario::acme(&world).await;
    let lab = lab(&s).await;
    let id = variable(&s, lab, "A", "one").await.expect("a variable");
    let read = async || s.reads().await.variable(id).await.expect("a read").expect("a variable");
    let before = read().await;
    let permit = s.may::<actions::UpdateVariable>(&s.admin.caller).await.expect("a right");
    let change = |name: Option<&str>, text: Option<&str>| ChangeVariable {
        environment: None,
        name: name.map(|n| n.parse().expect("a name")),
        value: text.map(value),
    };
    s.app.update_variable(&permit, &call(&s.admin.caller), id, change(Some("B"), None)).await.expect("a rename");
    let renamed = read().await;
    assert_eq!((renamed.value, renamed.variable.version), (before.value.clone(), 2));
    s.app.update_variable(&permit, &call(&s.admin.caller), id, change(None, Some("one"))).await.expect("a value");
    let again = read().await;
    assert_eq!(again.value.binding().version(), 3);
    assert_eq!(again.value.digest(), before.value.digest(), "the same value has the same digest");
    variable(&s, lab, "C", "x").await.expect("a variable");
    let taken = s.app.update_variable(&permit, &call(&s.admin.caller), id, change(Some("C"), None)).await;
    assert!(format!("{taken:?}").contains("NameTaken"), "{taken:?}");
}

async fn twenty_parallel_variables_of_one_name_are_one(world: World) {
    let s = Arc::new(Scenario::acme(&world).await);
    let lab = lab(&s).await;
    let mut calls = JoinSet::new();
    for _ in 0..20 {
        let s = Arc::clone(&s);
        calls.spawn(async move { variable(&s, lab, "ONE", "v").await });
    }
    let done = calls.join_all().await;
    assert_eq!(done.iter().filter(|r| r.is_ok()).count(), 1);
    assert!(done.iter().filter_map(|r| r.as_ref().err()).all(|e| e.contains("NameTaken")), "{done:?}");
    // The same name elsewhere is another variable.
    let production = s.environments().await.iter().find(|e| e.is_protected()).expect("production").id;
    variable(&s, production, "ONE", "v").await.expect("a variable");
}

async fn a_secret_is_read_as_it_was_written_and_stays_sealed(world: World) {
    let s = Scenario::acme(&world).await;
    let lab = lab(&s).await;
    let open = secret(&s, lab, "an odd näme", false).await;
    let permit = s.may::<actions::RevealSecret>(&s.admin.caller).await.expect("a right");
    let shown = s.app.reveal_secret(&permit, &call(&s.admin.caller), open).await.expect("a value");
    assert_eq!(shown.value.expect("a value").expose_secret(), "secret");
    let seal = s.may::<actions::SealSecret>(&s.admin.caller).await.expect("a right");
    s.app.seal_secret(&seal, &call(&s.admin.caller), open).await.expect("sealed");
    let record = s.reads().await.secret(open).await.expect("a read").expect("a secret");
    assert!(record.secret.sealed && record.secret.rotated_at.is_none());
    let rotate = s.may::<actions::RotateSecret>(&s.admin.caller).await.expect("a right");
    s.app.rotate_secret(&rotate, &call(&s.admin.caller), open, &value("new")).await.expect("rotated");
    let record = s.reads().await.secret(open).await.expect("a read").expect("a secret");
    assert!(record.secret.sealed && record.secret.rotated_at.is_some());
    assert_eq!((record.secret.version, record.value.binding().version()), (3, 3));
    let refused = s.app.reveal_secret(&permit, &call(&s.admin.caller), open).await;
    assert!(format!("{refused:?}").contains("Sealed"), "{refused:?}");
    assert_eq!(s.reads().await.secret_count().await.expect("a read"), 1);
}

async fn a_model_is_read_as_it_was_written(world: World) {
    let s = Scenario::acme(&world).await;
    let made = model(&s, "Modèle").await;
    let (record, used) = s.reads().await.model(made.id).await.expect("a read").expect("a model");
    assert_eq!((&record.model, used), (&made, None));
    let permit = s.may::<actions::UpdateModel>(&s.admin.caller).await.expect("a right");
    let change = ChangeModel { description: Some(None), ..ChangeModel::default() };
    let next = s.app.update_model(&permit, &call(&s.admin.caller), made.id, change).await.expect("a change");
    let (read, _) = s.reads().await.model(made.id).await.expect("a read").expect("a model");
    assert_eq!((&read.model, &read.credential), (next.value(), &record.credential));
    assert_eq!(read.model.description, None);
    let at = made.created_at;
    let store = &s.app.ports().store;
    for at in [at, at - time::Duration::hours(1)] {
        store.models_used(&[(s.workspace, made.id, at)]).await.expect("a note");
    }
    let (_, used) = s.reads().await.model(made.id).await.expect("a read").expect("a model");
    assert_eq!(used, Some(at), "time only moves forward");
}

async fn what_belongs_to_another_tenant_is_not_there(world: World) {
    let (a, b) = (Scenario::acme(&world).await, Scenario::called(&world, "other").await);
    let lab = lab(&b).await;
    let (variable_id, secret_id, model_id) = (variable(&b, lab, "A", "v").await.expect("a variable"), secret(&b, lab, "s", false).await, model(&b, "m").await.id);
    let mut reads = a.reads().await;
    assert_eq!(reads.variable(variable_id).await.expect("a read"), None);
    assert_eq!(reads.secret(secret_id).await.expect("a read"), None);
    assert_eq!(reads.model(model_id).await.expect("a read"), None);
    assert!(reads.variable_records(None).await.expect("a read").is_empty());
    assert!(reads.secrets(Some(lab), ALL).await.expect("a read").is_empty());
    assert!(reads.models(ALL).await.expect("a read").is_empty());
    let uses = BTreeSet::from([Use::from(variable_id), Use::from(secret_id), Use::from(model_id), Use::from(lab)]);
    assert!(reads.known_uses(&uses).await.expect("a read").is_empty());
    drop(reads);
    let permit = a.may::<actions::DeleteVariable>(&a.admin.caller).await.expect("a right");
    let refused = a.app.delete_variable(&permit, &call(&a.admin.caller), variable_id).await;
    assert!(format!("{refused:?}").contains("NotFound"), "{refused:?}");
    // A record tells its own tenant, and only to who may enter there.
    let store = a.app.ports().store.as_ref();
    for selector in [Selector::Variable(variable_id), Selector::Model(model_id)] {
        assert!(Snapshot::<actions::ListVariables>::open(store, &a.admin.caller, &selector).await.is_err());
        let theirs = Snapshot::<actions::ListVariables>::open(store, &b.admin.caller, &selector).await.expect("a door");
        assert_eq!(theirs.permit().scope().workspace(), b.workspace);
    }
}

async fn what_an_environment_holds_goes_with_it(world: World) {
    let s = Scenario::acme(&world).await;
    let lab = lab(&s).await;
    let (v, kept) = (variable(&s, lab, "A", "v").await.expect("a variable"), secret(&s, lab, "s", false).await);
    declare(&s, "w", &[v.into(), kept.into(), lab.into()]).await.expect("declared");
    let permit = s.may::<actions::DeleteEnvironment>(&s.admin.caller).await.expect("a right");
    let refused = s.app.delete_environment(&permit, &call(&s.admin.caller), lab).await;
    let Err(settings_app::failure::Failure::Refused(settings_domain::error::Refused::Unconfirmed(impact))) = refused else {
        panic!("a confirmation was expected")
    };
    assert_eq!(impact.affected().len(), 3);
    let guard = Guard { version: None, confirm: Some(impact.digest().to_owned()) };
    let confirmed = settings_domain::transaction::Call { guard, ..call(&s.admin.caller) };
    s.app.delete_environment(&permit, &confirmed, lab).await.expect("deleted");
    let mut reads = s.reads().await;
    assert_eq!(reads.variable(v).await.expect("a read"), None);
    assert_eq!(reads.secret(kept).await.expect("a read"), None);
    let key = ReferrerKey { kind: "workflow".parse().expect("a kind"), id: "w".parse().expect("an id") };
    assert!(reads.referrer(&key).await.expect("a read").expect("a referrer").uses.is_empty());
}

async fn uses_are_whole_lists_and_end_with_what_was_used(world: World) {
    let s = Scenario::acme(&world).await;
    let lab = lab(&s).await;
    let (a, b) = (variable(&s, lab, "A", "v").await.expect("one"), variable(&s, lab, "B", "v").await.expect("one"));
    declare(&s, "w1", &[a.into(), b.into()]).await.expect("declared");
    declare(&s, "w2", &[b.into()]).await.expect("declared");
    declare(&s, "w1", &[a.into()]).await.expect("declared anew");
    let of = async |id: VariableId| {
        let found = s.reads().await.dependants(&BTreeSet::from([Use::from(id)])).await.expect("a read");
        found.into_iter().map(|d| d.key.id.to_string()).collect::<Vec<_>>()
    };
    assert_eq!((of(a).await, of(b).await), (vec!["w1".to_owned()], vec!["w2".to_owned()]));
    assert_eq!(s.reads().await.referrer_count().await.expect("a read"), 2);
    // A use of one kind is none of another kind with the same id.
    let other = Use { kind: settings_domain::references::UsedKind::Secret, id: a.as_uuid() };
    assert!(declare(&s, "w3", &[other]).await.is_err());
    assert!(s.reads().await.dependants(&BTreeSet::from([other])).await.expect("a read").is_empty());
}

fn executor<A: settings_domain::policy::Action>(s: &Scenario) -> Permit<A> {
    let at = time::OffsetDateTime::UNIX_EPOCH;
    permit::<A>(&Actor::task(SystemTask::Execute, s.workspace), at).expect("an executor")
}

async fn executors_get_values_with_their_keys_or_nothing(world: World) {
    let (s, other) = (Scenario::acme(&world).await, Scenario::called(&world, "other").await);
    let lab = lab(&s).await;
    let store = Arc::clone(&s.app.ports().store);
    let resolve = async |of: &Scenario| store.resolve_variables(&executor(of), lab).await.expect("a read");
    assert!(resolve(&s).await.expect("the environment").variables.is_empty());
    for name in ["B", "A", "a"] {
        variable(&s, lab, name, "v").await.expect("a variable");
    }
    let resolved = resolve(&s).await.expect("the environment");
    let names: Vec<_> = resolved.variables.iter().map(|r| r.variable.name.as_str()).collect();
    assert_eq!((names, resolved.keys.len()), (vec!["A", "B", "a"], 1));
    assert!(resolve(&other).await.is_none(), "an environment of another workspace");
    let made = model(&s, "m").await;
    let get = async |of: &Scenario| store.resolve_model(&executor(of), made.id).await.expect("a read");
    assert_eq!(get(&s).await.expect("a model").record.model, made);
    assert!(get(&other).await.is_none());
    s.delete().await.expect("deleted");
    assert!(resolve(&s).await.is_none() && get(&s).await.is_none(), "a deleted workspace resolves nothing");
}

async fn system_models_belong_to_the_platform_alone(world: World) {
    let (a, b) = (Scenario::acme(&world).await, Scenario::called(&world, "other").await);
    let permit = platform_permit::<actions::CreateSystemModel>(&a).await;
    let made = a.app.create_model(&permit, &call(&a.founder.caller), new_model("System")).await.expect("a model");
    let made = made.into_value();
    assert!(made.is_system());
    let seen = async |s: &Scenario| s.reads().await.visible_system_models().await.expect("a read").len();
    assert_eq!((seen(&a).await, seen(&b).await), (1, 1));
    assert_eq!(a.reads().await.model(made.id).await.expect("a read"), None);
    declare(&a, "p", &[made.id.into()]).await.expect("a visible model can be used");
    let permit = platform_permit::<actions::UpdateSystemModel>(&a).await;
    let hide = ChangeModel { visible: Some(false), ..ChangeModel::default() };
    a.app.update_model(&permit, &call(&a.founder.caller), made.id, hide).await.expect("hidden");
    assert_eq!(seen(&a).await, 0);
    let store = Arc::clone(&a.app.ports().store);
    let get = async |of: &Scenario| store.resolve_model(&executor(of), made.id).await.expect("a read").is_some();
    assert!(get(&a).await, "who used it before still gets it");
    assert!(!get(&b).await, "nobody else does");
    assert!(declare(&b, "p", &[made.id.into()]).await.is_err());
    let permit = platform_permit::<actions::DeleteSystemModel>(&a).await;
    let refused = a.app.delete_model(&permit, &call(&a.founder.caller), made.id).await;
    assert!(format!("{refused:?}").contains(&a.workspace.to_string()), "{refused:?}");
    // Nobody enters the platform's tenant by an address, and only its owners by its own door.
    let doors = [Selector::Id(WorkspaceId::PLATFORM), Selector::Slug("system".parse().expect("a slug")), Selector::Model(made.id)];
    for (caller, door) in [&a.founder, &a.admin].into_iter().flat_map(|p| doors.iter().map(move |d| (&p.caller, d))) {
        assert!(Snapshot::<actions::ListModels>::open(store.as_ref(), caller, door).await.is_err());
    }
    assert!(Snapshot::<actions::ListModels>::open(store.as_ref(), &a.admin.caller, &Selector::Platform).await.is_err());
}

async fn the_first_data_key_of_a_generation_is_kept(world: World) {
    let s = Scenario::acme(&world).await;
    let (store, scope) = (Arc::clone(&s.app.ports().store), call_scope(&s).await);
    let mut calls = JoinSet::new();
    for n in 0..20_u8 {
        let (store, created_at) = (Arc::clone(&store), world.clock.now());
        let created_at = settings_domain::micros::truncate(created_at);
        let key = WrappedDataKey { generation: 1, wrapped: vec![n; 60], wrapped_by: format!("key-{n}"), created_at };
        calls.spawn(async move { store.keep_data_key(scope, &key).await.expect("kept") });
    }
    let mut kept = calls.join_all().await;
    kept.dedup();
    assert_eq!(kept.len(), 1);
    assert_eq!(store.data_keys(scope).await.expect("a read"), kept);
    let other = Scenario::called(&world, "other").await;
    assert!(store.data_keys(call_scope(&other).await).await.expect("a read").is_empty());
}

async fn a_wrapping_is_replaced_only_while_it_is_the_old_one(world: World) {
    let s = Scenario::acme(&world).await;
    let (store, scope) = (Arc::clone(&s.app.ports().store), call_scope(&s).await);
    let created_at = settings_domain::micros::truncate(world.clock.now());
    for generation in 1..=3 {
        let key = WrappedDataKey { generation, wrapped: vec![1; 60], wrapped_by: "old".to_owned(), created_at };
        store.keep_data_key(scope, &key).await.expect("kept");
    }
    let task = Actor::task(SystemTask::RotateKeys, WorkspaceId::PLATFORM);
    let permit = permit::<actions::RotateKeys>(&task, created_at).expect("a right");
    let old = store.old_wrappings(&permit, "new", None, 2).await.expect("a read");
    assert_eq!(old.iter().map(|o| o.generation).collect::<Vec<_>>(), [1, 2]);
    let after = old.last().map(|o| (o.workspace, o.generation));
    assert_eq!(store.old_wrappings(&permit, "new", after, 9).await.expect("a read").len(), 1);
    let again = |old: OldWrapping| Rewrapped { old, wrapped: vec![2; 60], wrapped_by: "new".to_owned() };
    let mut keys: Vec<_> = old.into_iter().map(again).collect();
    keys.extend(keys.last().cloned().map(|k| Rewrapped { old: OldWrapping { wrapped: vec![9; 60], ..k.old }, ..k }));
    assert_eq!(store.rewrap(&permit, &keys).await.expect("written"), 2, "what changed meanwhile is left alone");
    assert_eq!(store.count_wrappings("new").await.expect("a count"), (3, 1));
    assert_eq!(store.data_keys(scope).await.expect("a read").first().expect("a key").wrapped_by, "new");
}

/// The type says that a model's id is no variable's.
const _: fn(ModelId) -> Use = Use::from;
