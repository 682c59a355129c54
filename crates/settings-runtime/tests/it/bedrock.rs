//! Requests to Amazon Bedrock, signed by botocore and by us.
use secrecy::{ExposeSecret as _, SecretString};
use serde::Deserialize;
use settings_crypto::SystemClock;
use settings_domain::ports::Clock as _;
use settings_runtime::{
    Credential, Model, Owner,
    authorize::{
        Request, Scheme, authorize_as,
        sigv4::{Credentials, Scope, sign},
    },
};
use settings_testkit::moto::{AccessKey, Moto};
use std::collections::BTreeMap;
use time::{OffsetDateTime, format_description::well_known::Rfc3339};
use url::Url;

#[derive(Deserialize)]
struct Case {
    name: String,
    method: String,
    url: String,
    region: String,
    service: String,
    session_token: Option<String>,
    body: String,
    timestamp: String,
    headers: BTreeMap<String, String>,
    authorization: String,
}

const ID: &str = "AKIDEXAMPLE";
const KEY: &str = "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY";

fn cases() -> Vec<Case> {
    serde_json::from_str(include_str!("../data/bedrock-sigv4-by-botocore.json")).unwrap()
}

impl Case {
    fn url(&self) -> Url {
        let url: Url = self.url.parse().unwrap();
        assert_eq!(url.as_str(), self.url, "what is signed is what is sent");
        url
    }
    fn at(&self) -> OffsetDateTime {
        OffsetDateTime::parse(&self.timestamp, &Rfc3339).unwrap()
    }
    /// The headers that the signer has not set itself.
    fn given(&self) -> Vec<(&str, &str)> {
        let ours = |name: &str| name.starts_with("X-Amz-");
        self.headers
            .iter()
            .filter(|(name, _)| !ours(name))
            .map(|(name, value)| (name.as_str(), value.as_str()))
            .collect()
    }
}

#[test]
fn our_signatures_are_botocores() {
    let cases = cases();
    assert_eq!(cases.len(), 8);
    for case in cases {
        let (url, headers) = (case.url(), case.given());
        let (id, key): (SecretString, SecretString) = (ID.into(), KEY.into());
        let token = case.session_token.clone().map(SecretString::from);
        let credentials = Credentials { access_key_id: &id, secret_access_key: &key, session_token: token.as_ref() };
        let scope = Scope::new(&case.region, &case.service).unwrap();
        let request = Request { method: &case.method, url: &url, headers: &headers, body: case.body.as_bytes() };
        let answer = sign(&credentials, &scope, &request, case.at()).unwrap();
        let added: BTreeMap<_, _> = answer.headers().map(|(name, value)| (name, value.expose_secret())).collect();
        assert_eq!(added["authorization"], case.authorization, "{}", case.name);
        assert_eq!(added["x-amz-date"], case.headers["X-Amz-Date"], "{}", case.name);
        let token = case.headers.get("X-Amz-Security-Token").map(String::as_str);
        assert_eq!(added.get("x-amz-security-token").copied(), token, "{}", case.name);
    }
}

#[test]
fn a_models_own_pair_signs_for_the_region_of_its_host() {
    let mut checked = 0;
    for case in cases().into_iter().filter(|case| case.session_token.is_none()) {
        let model = Model {
            id: "1".into(),
            name: "Claude 3 Sonnet".into(),
            url: case.url(),
            owner: Owner::System,
            credential: Credential::ClientKey { client_key: ID.into(), secret_key: KEY.into() },
        };
        let (url, headers) = (case.url(), case.given());
        let request = Request { method: &case.method, url: &url, headers: &headers, body: case.body.as_bytes() };
        // A host that does not tell the region is told.
        let scheme = Scheme::of(&model).unwrap_or_else(|_| Scheme::SigV4(Scope::bedrock(&case.region).unwrap()));
        let answer = authorize_as(&model, &scheme, &request, case.at()).unwrap();
        let (_, value) = answer.headers().find(|(name, _)| *name == "authorization").unwrap();
        assert_eq!(value.expose_secret(), case.authorization, "{}", case.name);
        checked += 1;
    }
    assert_eq!(checked, 7);
}

#[test]
fn headers_that_proxies_change_are_not_signed() {
    let (id, key): (SecretString, SecretString) = (ID.into(), KEY.into());
    let credentials = Credentials { access_key_id: &id, secret_access_key: &key, session_token: None };
    let case = cases().into_iter().next().unwrap();
    let url = case.url();
    let signature = |extra: &[(&str, &str)]| {
        let headers = [case.given().as_slice(), extra].concat();
        let request = Request { method: "POST", url: &url, headers: &headers, body: case.body.as_bytes() };
        let answer = sign(&credentials, &Scope::bedrock("us-east-1").unwrap(), &request, case.at()).unwrap();
        answer.headers().next().unwrap().1.expose_secret().to_owned()
    };
    assert_eq!(
        signature(&[("User-Agent", "a"), ("X-Amzn-Trace-Id", "b"), ("connection", "close")]),
        case.authorization
    );
    assert_ne!(signature(&[("x-other", "a")]), case.authorization);
}

/// What moto answers to an invocation that we have signed, and to what somebody makes of it on the way.
fn invoke(moto: &Moto, key: &AccessKey, service: &str, sent: &str, signed: &str) -> u16 {
    // The colon is why a path is signed encoded once more.
    let path = "/model/anthropic.claude-3-sonnet-20240229-v1:0/invoke";
    let url: Url = format!("http://127.0.0.1:{}{path}", moto.port()).parse().unwrap();
    let credential = Credential::ClientKey { client_key: key.id.clone().into(), secret_key: key.secret.clone().into() };
    let model = Model { id: "1".into(), name: "m".into(), url, owner: Owner::Workspace, credential };
    let content_type = ("content-type", "application/json");
    let request = Request { method: "POST", url: &model.url, headers: &[content_type], body: signed.as_bytes() };
    let scheme = Scheme::SigV4(Scope::new("us-east-1", service).unwrap());
    let answer = authorize_as(&model, &scheme, &request, SystemClock.now()).unwrap();
    let mut headers = vec![content_type];
    headers.extend(answer.headers().map(|(name, value)| (name, value.expose_secret())));
    moto.post(path, &headers, sent).unwrap().0
}

#[test]
fn a_verifier_of_somebody_elses_making_takes_our_signature_and_no_other() {
    let moto = Moto::start(env!("CARGO_TARGET_TMPDIR")).unwrap();
    let key = moto.access_key("bedrock", "bedrock:*").unwrap();
    let other = moto.access_key("kms", "kms:*").unwrap();
    moto.check_signatures().unwrap();
    let body = r#"{"max_tokens":1}"#;
    assert_eq!(invoke(&moto, &key, "bedrock", body, body), 200);
    assert_eq!(invoke(&moto, &key, "bedrock", body, "{}"), 403, "another body");
    assert_ne!(invoke(&moto, &key, "bedrock-runtime", body, body), 200, "the host's name is not the service's");
    let wrong = AccessKey { secret: other.secret.clone(), ..key.clone() };
    assert_eq!(invoke(&moto, &wrong, "bedrock", body, body), 403, "another secret");
    let unknown = AccessKey { id: "AKIAIOSFODNN7EXAMPLE".into(), ..key };
    assert_eq!(invoke(&moto, &unknown, "bedrock", body, body), 403, "an unknown key");
    assert_eq!(invoke(&moto, &other, "bedrock", body, body), 403, "a key without the right");
}
