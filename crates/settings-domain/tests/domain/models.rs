//! Models (MO): a credential belongs to one origin, and what is hidden belongs to the platform.
use crate::{
    support::{facts, is_nothing, permit_for, permit_of, refusal, user, uuid, workspace},
    variables::{dependant, impact},
};
use settings_domain::{
    change::{Change, Write},
    error::Refused,
    ids::{ModelId, WorkspaceId},
    impact::Guard,
    models::{
        AuthType, MAX_MODELS, Model, ModelError, ModelPatch, ModelRecord, ModelWrite, NewModel, Provider, Tenants,
        UpdatesModels,
    },
    policy::{Action, Actor, Permit, Role, SystemTask, actions},
    ports::outbound::OutboundUrl,
    sealed::{Sealed, StoredValue},
    tokens::Digest,
};

fn id() -> ModelId {
    ModelId::from_uuid(uuid(7_000))
}
fn url(host: &str, path: &str) -> OutboundUrl {
    OutboundUrl::vetted(format!("https://{host}{path}"), format!("https://{host}"), host.to_owned())
}
fn stored(binding: settings_domain::sealed::Binding) -> StoredValue {
    StoredValue::new(binding, Sealed::new(1, vec![1; 40]), Digest::none())
}
fn credential(workspace: WorkspaceId, auth: AuthType, host: &str, version: i64) -> StoredValue {
    stored(Model::binding(workspace, id(), auth, &format!("https://{host}"), version))
}
fn new(workspace: WorkspaceId, credential_host: &str) -> NewModel {
    NewModel {
        id: id(),
        provider: Provider::OpenAi,
        name: "GPT".parse().unwrap(),
        description: None,
        url: url("api.openai.com", "/v1"),
        auth: AuthType::Token,
        credential: credential(workspace, AuthType::Token, credential_host, 1),
    }
}
fn made() -> Model {
    let permit = permit_for::<actions::CreateModel>(Role::Admin);
    row(&Model::create(&permit, 0, new(workspace(), "api.openai.com")).unwrap())
}
fn row<T>(change: &Change<T>) -> Model {
    match change.set().writes() {
        [Write::Model(ModelWrite::Insert(record))] => record.model.clone(),
        [Write::Model(ModelWrite::Update(model, _))] => model.clone(),
        other => panic!("one row was expected, not {other:?}"),
    }
}
fn platform<A: Action>() -> Permit<A> {
    permit_of(&Actor::platform(user(90), WorkspaceId::PLATFORM))
}
fn update<A: UpdatesModels>(
    model: &Model,
    permit: &Permit<A>,
    patch: ModelPatch,
) -> Result<Change<Model>, Refused<ModelError>> {
    model.update(permit, patch, &Guard::default())
}

#[test]
fn a_credential_is_taken_only_for_the_origin_it_was_sealed_for() {
    let permit = permit_for::<actions::CreateModel>(Role::Admin);
    assert_eq!(refusal(Model::create(&permit, 0, new(workspace(), "evil.example"))), Some("stale"));
    assert_eq!(refusal(Model::create(&permit, MAX_MODELS, new(workspace(), "api.openai.com"))), Some("quota-reached"));
    assert_eq!(facts(&Model::create(&permit, 0, new(workspace(), "api.openai.com")).unwrap()), ["model.created"]);
}

#[test]
fn a_new_origin_needs_the_credential_again_and_a_new_path_does_not() {
    let (model, permit) = (made(), permit_for::<actions::UpdateModel>(Role::Admin));
    let to = |host, path| ModelPatch { url: Some(url(host, path)), ..ModelPatch::default() };
    assert_eq!(refusal(update(&model, &permit, to("evil.example", "/v1"))), Some("credential-required"));
    let same = update(&model, &permit, to("api.openai.com", "/v2")).unwrap();
    assert_eq!(row(&same).url, "https://api.openai.com/v2");
    let again = credential(workspace(), AuthType::Token, "other.example", 2);
    let patch = ModelPatch { credential: Some((AuthType::Token, again.clone())), ..to("other.example", "/v1") };
    assert_eq!(row(&update(&model, &permit, patch).unwrap()).origin, "https://other.example");
    // Sealed for another origin, or as another kind, it belongs to another model than the one that was decided about.
    let patch = ModelPatch { credential: Some((AuthType::Token, again)), ..ModelPatch::default() };
    assert_eq!(refusal(update(&model, &permit, patch)), Some("stale"));
    let pair = credential(workspace(), AuthType::ClientKey, "api.openai.com", 2);
    let patch = ModelPatch { credential: Some((AuthType::ClientKey, pair)), ..ModelPatch::default() };
    assert_eq!(row(&update(&model, &permit, patch).unwrap()).auth, AuthType::ClientKey);
}

#[test]
fn nothing_new_is_no_change() {
    let patch = ModelPatch { name: Some("GPT".parse().unwrap()), ..ModelPatch::default() };
    assert!(is_nothing(&update(&made(), &permit_for::<actions::UpdateModel>(Role::Admin), patch).unwrap()));
}

#[test]
fn only_models_of_the_platform_can_be_hidden() {
    let hide = || ModelPatch { visible: Some(false), ..ModelPatch::default() };
    assert!(is_nothing(&update(&made(), &permit_for::<actions::UpdateModel>(Role::Admin), hide()).unwrap()));
    let create = platform::<actions::CreateSystemModel>();
    let system = row(&Model::create(&create, 0, new(WorkspaceId::PLATFORM, "api.openai.com")).unwrap());
    assert!(system.is_system() && system.visible);
    let change = update(&system, &platform::<actions::UpdateSystemModel>(), hide()).unwrap();
    assert_eq!(facts(&change), ["model.updated"]);
    assert!(!row(&change).visible);
}

#[test]
fn a_model_in_use_is_deleted_only_when_that_is_confirmed() {
    let (model, permit) = (made(), permit_for::<actions::DeleteModel>(Role::Admin));
    assert!(model.delete(&permit, &[], &[], &Guard::default()).is_ok());
    let used = [dependant(model.id)];
    let (guard, kinds) = impact(model.delete(&permit, &used, &[], &Guard::default()));
    assert_eq!(kinds, ["workflow"]);
    assert_eq!(facts(&model.delete(&permit, &used, &[], &guard).unwrap()), ["model.deleted"]);
    let tenants = [Tenants { workspace: workspace(), name: "Acme".parse().unwrap(), referrers: 3 }];
    let permit = platform::<actions::DeleteSystemModel>();
    let (_, kinds) = impact(model.delete(&permit, &[], &tenants, &Guard::default()));
    assert_eq!(kinds, ["organization"]);
}

#[test]
fn a_test_is_recorded_and_changes_nothing() {
    let change = made().test(&permit_for::<actions::TestModel>(Role::Admin));
    assert!(change.set().writes().is_empty());
    assert_eq!(facts(&change), ["model.tested"]);
}

#[test]
fn a_credential_is_opened_only_for_a_url_of_the_origin_it_is_bound_to() {
    let permit = permit_of::<actions::ResolveModel>(&Actor::task(SystemTask::Execute, workspace()));
    let elsewhere = permit_of::<actions::ResolveModel>(&Actor::task(SystemTask::Execute, WorkspaceId::PLATFORM));
    let record = |url: &str| ModelRecord {
        model: Model { url: url.to_owned(), ..made() },
        credential: credential(workspace(), AuthType::Token, "api.openai.com", 1),
    };
    for fine in ["https://api.openai.com", "https://api.openai.com/v2", "https://api.openai.com?x"] {
        assert!(record(fine).opening(&permit).is_some(), "{fine}");
        assert!(record(fine).opening(&elsewhere).is_none(), "{fine}");
    }
    for foreign in [
        "https://evil.example/v1",
        "https://api.openai.com.evil.example/",
        "https://api.openai.com:8443/",
        "https://api.openai.com@evil.example/",
    ] {
        assert!(record(foreign).opening(&permit).is_none(), "{foreign}");
    }
}
