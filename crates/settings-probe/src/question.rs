//! What each provider is asked.
use settings_domain::models::Provider;
use settings_egress::Method;
use settings_runtime::{Credential, Model, authorize::Scheme};
use url::Url;

/// The newest version of the data plane that lists models and is not a preview.
const AZURE_MODELS: &str = "/openai/models?api-version=2024-10-21";

/// How the statuses of an answer are read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Reading {
    /// The provider lists its models to whom it knows.
    Listing,
    /// The provider looks at the body after it has looked at the credential.
    Invocation,
    /// Nobody knows what the service does with this request.
    Open,
}

/// A request without its credential.
#[derive(Debug)]
pub(crate) struct Question {
    pub(crate) method: Method,
    pub(crate) url: Url,
    pub(crate) headers: &'static [(&'static str, &'static str)],
    pub(crate) body: &'static [u8],
    /// How the credential is put on it; `None` where nothing tells.
    pub(crate) scheme: Option<Scheme<'static>>,
    pub(crate) reading: Reading,
}

/// The question for a model, to the origin of its URL.
pub(crate) fn question(provider: Provider, model: &Model) -> Question {
    let token = matches!(model.credential, Credential::Token(_));
    let listing = |path: &str, headers, scheme: Scheme<'static>| Question {
        method: Method::Get,
        url: at_origin(&model.url, path),
        headers,
        body: b"",
        scheme: token.then_some(scheme),
        reading: Reading::Listing,
    };
    match provider {
        Provider::Anthropic => {
            listing("/v1/models", &[("anthropic-version", "2023-06-01")], Scheme::Header("x-api-key"))
        }
        Provider::OpenAi => listing("/v1/models", &[], Scheme::Token),
        Provider::Google => listing("/v1beta/models?pageSize=1", &[], Scheme::Header("x-goog-api-key")),
        Provider::AzureOpenAi => listing(AZURE_MODELS, &[], Scheme::Header("api-key")),
        Provider::AwsBedrock => Question {
            method: Method::Post,
            url: model.url.clone(),
            headers: &[("accept", "application/json"), ("content-type", "application/json")],
            body: b"{}",
            scheme: Scheme::of(model).ok(),
            reading: Reading::Invocation,
        },
        Provider::Custom => Question {
            method: Method::Get,
            url: model.url.clone(),
            headers: &[],
            body: b"",
            scheme: token.then_some(Scheme::Token),
            reading: Reading::Open,
        },
    }
}

/// The path, which may have a query, at the origin of a URL.
fn at_origin(url: &Url, path: &str) -> Url {
    let (path, query) = path.split_once('?').map_or((path, None), |(path, query)| (path, Some(query)));
    let mut at = url.clone();
    at.set_path(path);
    at.set_query(query);
    at
}
