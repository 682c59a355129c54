//! `entityModel` in a real V8.
use crate::{
    engine::{Answer, run},
    variables,
};
use secrecy::ExposeSecret as _;
use settings_runtime::{Credential, Model, Owner, entity_model::entity_model_prelude};

const HOSTILE: &str = "\"'`${1}\\\u{2028}\u{2029}\0\u{1f600}</script>*/__proto__\r\n";

fn model(owner: Owner, credential: Credential) -> Model {
    let url = "https://api.example.com/v1/chat?a=%22'b".parse().unwrap();
    Model { id: "id-1".into(), name: format!("GPT-4 <img onerror>{HOSTILE}"), url, owner, credential }
}
fn token() -> Credential {
    Credential::Token(format!("token{HOSTILE}").into())
}
fn pair() -> Credential {
    Credential::ClientKey { client_key: format!("key{HOSTILE}").into(), secret_key: format!("secret{HOSTILE}").into() }
}
fn after(model: &Model, script: &str) -> Answer {
    run(&[entity_model_prelude(model).expose_secret(), script])
}

const ENTRIES: &str = "Object.entries(entityModel).map(([name, value]) => `${name}=${value}`)";

#[test]
fn a_workspaces_model_has_its_own_kind_of_credential_and_not_the_other() {
    let common = [
        "id=id-1".to_owned(),
        format!("name=GPT-4 <img onerror>{HOSTILE}"),
        "modelUrl=https://api.example.com/v1/chat?a=%22%27b".to_owned(),
    ];
    let with = |more: &[String]| [common.as_slice(), more].concat();
    assert_eq!(after(&model(Owner::Workspace, token()), ENTRIES).texts(), with(&[format!("token=token{HOSTILE}")]));
    let both = [format!("clientKey=key{HOSTILE}"), format!("secretKey=secret{HOSTILE}")];
    assert_eq!(after(&model(Owner::Workspace, pair()), ENTRIES).texts(), with(&both));
    let absent = "String([entityModel.token, entityModel.clientKey, entityModel.secretKey].map((v) => typeof v))";
    assert_eq!(after(&model(Owner::Workspace, token()), absent).text(), "string,undefined,undefined");
    assert_eq!(after(&model(Owner::Workspace, pair()), absent).text(), "undefined,string,string");
}

#[test]
fn a_system_models_credential_is_not_even_in_the_source() {
    for credential in [token(), pair()] {
        let model = model(Owner::System, credential);
        assert_eq!(after(&model, "Object.keys(entityModel)").texts(), ["id", "name", "modelUrl"]);
        let prelude = entity_model_prelude(&model);
        for part in ["token", "clientKey", "secretKey", "secret"] {
            assert!(!prelude.expose_secret().contains(part), "{part}");
        }
    }
}

#[test]
fn it_is_frozen_inherits_nothing_and_cannot_be_replaced() {
    let script = "
        const attempt = (f) => { try { f(); return 'done' } catch (e) { return e.name } };
        [
            attempt(() => { 'use strict'; entityModel.token = 'x' }),
            attempt(() => { 'use strict'; entityModel.more = 'x' }),
            attempt(() => { 'use strict'; delete entityModel.id }),
            attempt(() => { 'use strict'; entityModel = 1 }),
            attempt(() => Object.defineProperty(globalThis, 'entityModel', { value: 1 })),
            delete globalThis.entityModel ? '' : typeof entityModel,
            String(Object.getPrototypeOf(entityModel)),
            String('toString' in entityModel),
            String(Object.keys(globalThis).length),
            entityModel.id,
        ]";
    let refused = ["TypeError"; 5];
    assert_eq!(
        after(&model(Owner::Workspace, token()), script).texts(),
        [refused.as_slice(), &["object", "null", "false", "0", "id-1"]].concat()
    );
}

#[test]
fn it_stands_beside_the_variables_in_either_order_and_comes_once() {
    let (one, other) = (entity_model_prelude(&model(Owner::Workspace, token())), variables::prelude(&[("A", "1")]));
    let (one, other) = (one.expose_secret(), other.expose_secret());
    for order in [[one, other], [other, one]] {
        assert_eq!(run(&[order[0], order[1], "entityModel.id + A"]).text(), "id-11");
    }
    let Answer::Threw { error, source: 1, stack } = run(&[one, one]) else { panic!() };
    assert_eq!(error, "TypeError: entityModel is already defined");
    assert!(!stack.contains("token"), "{stack}");
}
