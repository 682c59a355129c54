//! What a host may log of our own doing, and what scripts print, after the redactor has seen it.
use crate::{engine::run, variables};
use secrecy::{ExposeSecret as _, SecretString};
use settings_runtime::{
    Credential, Model, Owner,
    authorize::oauth::{ClientAuthentication, TokenEndpoint},
    entity_model::entity_model_prelude,
    redact::Redactor,
};

const VALUE: &str = "sk-proj/\"é😀'+%<\\\u{2028}canary";

fn redactor<'a>(values: impl IntoIterator<Item = &'a SecretString>) -> Redactor {
    Redactor::new(values).unwrap()
}
fn model(credential: Credential) -> Model {
    let url = "https://llm.example.com/".parse().unwrap();
    Model { id: "1".into(), name: "m".into(), url, owner: Owner::Workspace, credential }
}

#[test]
fn our_own_sources_and_requests_show_no_value_after_redaction() {
    let pair = Credential::ClientKey { client_key: "AKIDEXAMPLE".into(), secret_key: VALUE.into() };
    let model = model(pair);
    assert_eq!(model.credential.secrets().count(), 2);
    assert_eq!(Credential::Token("token".into()).secrets().count(), 1);
    let redactor = redactor(model.credential.secrets());
    let clean = |text: &str| {
        let clean = redactor.redact(text);
        assert!(clean.contains(redactor.mask()), "{clean}");
        for part in ["canary", "AKID", "sk-proj"] {
            assert!(!clean.contains(part), "{part} is in {clean}");
        }
        clean
    };
    clean(entity_model_prelude(&model).expose_secret());
    clean(variables::prelude(&[("A", VALUE), ("B", "AKIDEXAMPLE")]).expose_secret());
    for authentication in [ClientAuthentication::Basic, ClientAuthentication::Body] {
        let url = "https://id.example.com/token".parse().unwrap();
        let endpoint = TokenEndpoint { url, authentication, scope: None, audience: None };
        let request = endpoint.request(&model).unwrap();
        match authentication {
            ClientAuthentication::Body => drop(clean(request.body.expose_secret())),
            ClientAuthentication::Basic => {
                let (_, header) = request.headers.iter().find(|(name, _)| *name == "authorization").unwrap();
                // Of the base64 only what the colon is part of is left.
                let clean = clean(header.expose_secret());
                assert!(clean.starts_with("Basic ***") && clean.len() < "Basic ***XXX***XX==".len(), "{clean}");
            }
        }
    }
}

#[test]
fn what_a_script_makes_of_a_value_with_the_languages_own_means_is_masked() {
    let value: SecretString = VALUE.into();
    let redactor = redactor([&value]);
    let prelude = variables::prelude(&[("KEY", VALUE)]);
    let script = "[KEY, `${KEY}`, JSON.stringify(KEY), JSON.stringify({ a: [KEY] }), JSON.stringify(JSON.stringify(KEY)), \
        JSON.stringify(__variables__), JSON.stringify(__variablesByName__), encodeURIComponent(KEY), encodeURI(KEY), \
        [KEY, KEY].join(''), `at ${KEY}: ${KEY}`, String(new Error(KEY))]";
    for printed in run(&[prelude.expose_secret(), script]).texts() {
        let clean = redactor.redact(&printed);
        assert!(clean.contains(redactor.mask()), "{printed} became {clean}");
        for part in ["canary", "sk-proj", "\u{1f600}", "F0%9F"] {
            assert!(!clean.contains(part), "{printed} became {clean}");
        }
    }
}
