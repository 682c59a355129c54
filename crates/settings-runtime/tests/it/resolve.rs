//! What executors get, and that they get nothing rather than a part.
use crate::{
    engine::run,
    world::{MINE, PRODUCTION, STAGING, THEIRS, World, pair, token},
};
use secrecy::ExposeSecret as _;
use settings_domain::{
    ids::{EnvironmentId, ModelId, WorkspaceId},
    models::{AuthType, ModelRecord},
    ports::{Clock as _, vault::VaultError},
    sealed::{MAX_VALUE, Sealed, StoredValue},
    tokens::Digest,
    variables::{Variable, VariableRecord},
};
use settings_runtime::{
    Credential, Owner, ResolveError, entity_model::entity_model_prelude, inject::variables_prelude,
};
use std::{error::Error, sync::atomic::Ordering};
use time::Duration;
use uuid::Uuid;

const URL: &str = "https://llm.example.com/v1/chat";

/// What somebody does to the rows.
type Damage = fn(&mut Vec<VariableRecord>);

/// What is said of an error, with all its causes and its `Debug`.
fn told(error: &ResolveError) -> String {
    let mut text = format!("{error:?} {error}");
    let mut next = error.source();
    while let Some(cause) = next {
        text = format!("{text}: {cause}");
        next = cause.source();
    }
    text
}

/// Gives a record another ciphertext under the same binding.
fn reseal(record: &mut VariableRecord, sealed: Sealed) {
    record.value = StoredValue::new(record.value.binding().clone(), sealed, Digest::none());
}

#[tokio::test]
async fn an_environment_is_one_query_and_its_values_reach_a_script_byte_for_byte() {
    let world = World::new();
    let long = "0123456789abcde\"".repeat(MAX_VALUE / 16);
    let hostile = [
        ("A_SCRIPT", "</script><!-- */"),
        ("B_TICKS", "`${process.exit(1)}` \\` \\"),
        ("C_LINES", "a\r\nb\u{2028}c\u{2029}d\te\u{1}"),
        ("D_PLANES", "é e\u{301} 😀 \u{feff} \u{fffd} \u{10ffff}"),
        ("E_QUOTES", "'\"\\'\\\""),
        ("F_SPACE", "  padded  "),
        ("G_LONG", long.as_str()),
    ];
    for (name, value) in hostile {
        world.variable(PRODUCTION, name, value).await;
    }
    world.variable(STAGING, "A_SCRIPT", "staging's").await;

    let variables = world.resolver(MINE).variables(PRODUCTION).await.unwrap();
    assert_eq!(world.store.queries.load(Ordering::Relaxed), 1);
    let prelude = variables_prelude(&variables).unwrap();
    let script = "[...__variables__.map((v) => v.name), ...__variables__.map((v) => v.value), \
         ...__variables__.map((v) => __variablesByName__[v.name]), ...__variables__.map((v) => globalThis[v.name])]";
    let names = hostile.iter().map(|(name, _)| (*name).to_owned());
    let values = hostile.iter().map(|(_, value)| (*value).to_owned());
    let expected: Vec<String> = names.chain(values.clone()).chain(values.clone()).chain(values).collect();
    assert_eq!(run(&[prelude.expose_secret(), script]).texts(), expected);
}

#[tokio::test]
async fn values_of_all_generations_of_the_data_key_come_in_the_stores_order() {
    let world = World::new();
    for name in ["A", "C", "E"] {
        world.variable(PRODUCTION, name, &format!("old {name}")).await;
    }
    world.clock.wait(Duration::days(400));
    for name in ["B", "D"] {
        world.variable(PRODUCTION, name, &format!("new {name}")).await;
    }
    assert_eq!(world.store.keys.lock().unwrap().len(), 2, "there are two generations");
    world.store.variables.lock().unwrap().sort_by(|a, b| a.variable.name.cmp(&b.variable.name));
    let variables = world.resolver(MINE).variables(PRODUCTION).await.unwrap();
    let got: Vec<_> = variables.iter().map(|v| (v.name.as_str(), v.value.expose_secret())).collect();
    assert_eq!(got, [("A", "old A"), ("B", "new B"), ("C", "old C"), ("D", "new D"), ("E", "old E")]);
    assert!(!format!("{variables:?}").contains("old A"));
}

#[tokio::test]
async fn one_of_a_hundred_that_does_not_open_fails_all_and_is_named_without_a_value() {
    let world = World::new();
    for i in 0..100 {
        world.variable(PRODUCTION, &format!("V{i:02}"), &format!("canary{i}")).await;
    }
    let whole = world.store.variables.lock().unwrap().clone();
    let resolver = world.resolver(MINE);
    assert_eq!(resolver.variables(PRODUCTION).await.unwrap().len(), 100);

    let damages: [(&str, Damage); 5] = [
        ("a flipped bit", |all| {
            let mut bytes = all[41].value.sealed().bytes().to_vec();
            *bytes.last_mut().unwrap() ^= 1;
            reseal(&mut all[41], Sealed::new(1, bytes));
        }),
        ("another row's value", |all| {
            let sealed = all[40].value.sealed().clone();
            reseal(&mut all[41], sealed);
        }),
        ("a generation that does not exist", |all| {
            let bytes = all[41].value.sealed().bytes().to_vec();
            reseal(&mut all[41], Sealed::new(7, bytes));
        }),
        ("another workspace's record", |all| all[41].variable.workspace = THEIRS),
        ("nothing left", |all| reseal(&mut all[41], Sealed::new(1, Vec::new()))),
    ];
    for (what, damage) in damages {
        let mut damaged = whole.clone();
        damage(&mut damaged);
        *world.store.variables.lock().unwrap() = damaged;
        let error = resolver.variables(PRODUCTION).await.unwrap_err();
        assert!(
            matches!(&error, ResolveError::Variable { name, source: VaultError::Altered } if name.as_str() == "V41")
        );
        let told = told(&error);
        assert!(told.contains("V41") && !told.contains("canary"), "{what}: {told}");
    }
}

#[tokio::test]
async fn a_value_of_another_environment_is_not_mixed_in() {
    let world = World::new();
    world.variable(STAGING, "A", "staging's").await;
    world.variable(PRODUCTION, "B", "production's").await;
    let resolver = world.resolver(MINE);
    let refused = |result: Result<_, ResolveError>| matches!(result, Err(ResolveError::Variable { name, .. }) if name.as_str() == "A");

    world.store.careless.store(true, Ordering::Relaxed);
    assert!(refused(resolver.variables(PRODUCTION).await), "a store that finds too much");

    // A row that was moved by hand: the store reads from it that it belongs here.
    let mut moved = world.store.variables.lock().unwrap()[0].clone();
    moved.variable.environment = PRODUCTION;
    let binding = Variable::binding(MINE, PRODUCTION, moved.variable.id, 1);
    moved.value = StoredValue::new(binding, moved.value.sealed().clone(), Digest::none());
    world.store.variables.lock().unwrap()[0] = moved;
    assert!(refused(resolver.variables(PRODUCTION).await));
}

#[tokio::test]
async fn another_workspace_has_none_of_it() {
    let world = World::new();
    world.variable(PRODUCTION, "A", "canary").await;
    let model = world.model(MINE, 1, URL, token("canary")).await;
    let theirs = world.resolver(THEIRS);
    assert!(matches!(theirs.variables(PRODUCTION).await, Err(ResolveError::UnknownEnvironment)));
    assert!(matches!(theirs.model(model).await, Err(ResolveError::UnknownModel)));
    let mine = world.resolver(MINE);
    let unknown = EnvironmentId::from_uuid(Uuid::from_u128(0xfff));
    assert!(matches!(mine.variables(unknown).await, Err(ResolveError::UnknownEnvironment)));
    assert!(matches!(mine.model(ModelId::from_uuid(Uuid::from_u128(9))).await, Err(ResolveError::UnknownModel)));
    assert_eq!(mine.variables(STAGING).await.unwrap().len(), 0, "an environment may be empty");
}

#[tokio::test]
async fn without_the_keyring_nothing_opens_and_no_variable_is_blamed() {
    let world = World::new();
    world.variable(PRODUCTION, "A", "canary").await;
    let model = world.model(MINE, 1, URL, token("canary")).await;
    world.lose_the_keyring();
    let resolver = world.resolver(MINE);
    assert!(matches!(resolver.variables(PRODUCTION).await, Err(ResolveError::DataKey(VaultError::Keyring(_)))));
    assert!(matches!(resolver.model(model).await, Err(ResolveError::DataKey(VaultError::Keyring(_)))));
}

#[tokio::test]
async fn a_models_credential_is_of_the_kind_it_was_given_as() {
    let world = World::new();
    let by_token = world.model(MINE, 1, URL, token("sk-1")).await;
    let by_pair = world.model(MINE, 2, URL, pair("AKIA", "se/cret")).await;
    let resolver = world.resolver(MINE);
    let model = resolver.model(by_token).await.unwrap();
    assert_eq!((model.id.as_str(), model.name.as_str(), model.url.as_str()), (&*by_token.to_string(), "GPT", URL));
    assert_eq!(model.owner, Owner::Workspace);
    assert!(matches!(&model.credential, Credential::Token(token) if token.expose_secret() == "sk-1"));
    let model = resolver.model(by_pair).await.unwrap();
    let Credential::ClientKey { client_key, secret_key } = &model.credential else { panic!() };
    assert_eq!((client_key.expose_secret(), secret_key.expose_secret()), ("AKIA", "se/cret"));
}

#[tokio::test]
async fn a_system_models_credential_authorizes_and_never_reaches_a_script() {
    let world = World::new();
    let id = world.model(WorkspaceId::PLATFORM, 1, URL, token("canary")).await;
    // Also where an executor works for the platform itself.
    for workspace in [MINE, THEIRS, WorkspaceId::PLATFORM] {
        let model = world.resolver(workspace).model(id).await.unwrap();
        assert_eq!(model.owner, Owner::System);
        assert!(matches!(&model.credential, Credential::Token(token) if token.expose_secret() == "canary"));
        let prelude = entity_model_prelude(&model);
        assert!(!prelude.expose_secret().contains("canary"));
        let seen = run(&[prelude.expose_secret(), "[String(entityModel.token), entityModel.modelUrl]"]);
        assert_eq!(seen.texts(), ["undefined", URL]);
    }
}

#[tokio::test]
async fn no_system_credential_stands_in_for_one_of_the_workspace() {
    let world = World::new();
    world.model(WorkspaceId::PLATFORM, 1, URL, token("platform's")).await;
    let own = world.model(MINE, 2, URL, token("canary")).await;
    let resolver = world.resolver(MINE);
    let whole = world.store.models.lock().unwrap().clone();
    let platforms = whole[0].clone();

    let damages: [fn(&mut ModelRecord, &ModelRecord); 4] = [
        // Its ciphertext is gone, or is the platform's.
        |mine, _| {
            let sealed = Sealed::new(1, Vec::new());
            mine.credential = StoredValue::new(mine.credential.binding().clone(), sealed, Digest::none());
        },
        |mine, platforms| {
            let sealed = platforms.credential.sealed().clone();
            mine.credential = StoredValue::new(mine.credential.binding().clone(), sealed, Digest::none());
        },
        |mine, platforms| mine.credential = platforms.credential.clone(),
        // It would be read as another kind.
        |mine, _| mine.model.auth = AuthType::ClientKey,
    ];
    for (i, damage) in damages.into_iter().enumerate() {
        let mut models = whole.clone();
        damage(&mut models[1], &platforms);
        *world.store.models.lock().unwrap() = models;
        let error = resolver.model(own).await.unwrap_err();
        assert!(matches!(error, ResolveError::Credential { model, .. } if model == own), "{i}");
        assert!(!told(&error).contains("canary") && !told(&error).contains("platform's"), "{i}");
    }
    // Its data key is gone.
    *world.store.models.lock().unwrap() = whole;
    world.store.keys.lock().unwrap().remove(&(MINE, 1));
    assert!(matches!(resolver.model(own).await, Err(ResolveError::UnknownModel)));
}

#[tokio::test]
async fn a_url_changed_behind_the_services_back_does_not_get_the_credential() {
    let world = World::new();
    let id = world.model(MINE, 1, URL, token("canary")).await;
    let resolver = world.resolver(MINE);
    let change = |url: &str, origin: Option<&str>| {
        let mut models = world.store.models.lock().unwrap();
        url.clone_into(&mut models[0].model.url);
        models[0].model.origin = origin.unwrap_or("https://llm.example.com").to_owned();
    };
    change("https://llm.example.com/another/path", None);
    assert!(resolver.model(id).await.is_ok(), "the path is not part of what it was given for");
    for (url, origin) in [
        ("https://evil.example/v1", None),
        ("https://llm.example.com:8443/v1", None),
        ("http://llm.example.com/v1", None),
        ("not a URL", None),
        ("data:text/plain,x", Some("null")),
        ("https://evil.example/v1", Some("https://evil.example")),
    ] {
        change(url, origin);
        let error = resolver.model(id).await.unwrap_err();
        assert!(matches!(error, ResolveError::Credential { source: VaultError::Altered, .. }), "{url}");
    }
}

#[tokio::test]
async fn a_use_is_noted_for_the_models_own_tenant_once_a_second_and_again_if_it_could_not_be() {
    let world = World::new();
    let own = world.model(MINE, 1, URL, token("a")).await;
    let systems = world.model(WorkspaceId::PLATFORM, 2, URL, token("b")).await;
    let resolver = world.resolver(MINE);
    let start = world.clock.now();
    for _ in 0..10 {
        resolver.model(own).await.unwrap();
        resolver.clone().model(systems).await.unwrap();
        world.clock.wait(Duration::milliseconds(99));
    }
    let noted = |clear: bool| {
        let mut noted = world.store.noted.lock().unwrap();
        if clear { std::mem::take(&mut *noted) } else { noted.clone() }
    };
    assert_eq!(noted(true), [(MINE, own, start), (WorkspaceId::PLATFORM, systems, start)]);

    world.clock.wait(Duration::milliseconds(10));
    world.store.stuck.store(true, Ordering::Relaxed);
    assert!(resolver.model(own).await.is_ok(), "a note that fails does not fail the call");
    assert_eq!(noted(false), []);
    world.store.stuck.store(false, Ordering::Relaxed);
    resolver.model(own).await.unwrap();
    assert_eq!(noted(true), [(MINE, own, start + Duration::seconds(1))]);

    world.clock.wait(Duration::seconds(-30));
    resolver.model(own).await.unwrap();
    assert_eq!(noted(true).len(), 1, "a clock that went back does not stop the notes");

    let unopened = world.model(MINE, 3, URL, token("c")).await;
    world.store.models.lock().unwrap()[2].model.origin = "https://evil.example".to_owned();
    resolver.model(unopened).await.unwrap_err();
    assert_eq!(noted(true), [], "what was not opened was not used");
}
