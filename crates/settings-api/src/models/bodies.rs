//! What models are made from. Both dialects end in the same use cases.
use crate::{
    Api,
    json::{Body, Fields},
    problem::Problem,
};
use settings_app::models::{ChangeModel, CreateModel};
use settings_domain::{
    ids::WorkspaceId,
    models::{Credential, ModelError, Provider},
    ports::outbound::OutboundUrl,
    sealed::SecretValue,
    text::{Description, DisplayName},
};
use utoipa::ToSchema;

/// What a model is to be made of. The URL is vetted for the tenant whose model it will be.
pub(super) trait New: Body + Send {
    fn vet(self, api: &Api, tenant: WorkspaceId) -> impl Future<Output = Result<CreateModel, Problem>> + Send;
}

/// What of a model is to change.
pub(super) trait Change: Body + Send {
    fn vet(self, api: &Api, tenant: WorkspaceId) -> impl Future<Output = Result<ChangeModel, Problem>> + Send;
}

/// Vets a URL that the body names.
async fn vetted(api: &Api, url: &str, tenant: WorkspaceId) -> Result<OutboundUrl, Problem> {
    api.vetted(url, tenant, "/modelUrl").await
}

async fn vetted_if_there(api: &Api, url: Option<String>, tenant: WorkspaceId) -> Result<Option<OutboundUrl>, Problem> {
    match url {
        Some(url) => vetted(api, &url, tenant).await.map(Some),
        None => Ok(None),
    }
}

/// A token, or a client key with its secret: exactly one of them.
#[derive(ToSchema)]
#[schema(rename_all = "camelCase")]
#[expect(dead_code, reason = "the schema of a credential; it is read as one or the other")]
pub(crate) struct CredentialBody {
    /// Write-only.
    #[schema(value_type = Option<String>, write_only)]
    token: Option<SecretValue>,
    /// Write-only; together with `secretKey`.
    #[schema(value_type = Option<String>, write_only)]
    client_key: Option<SecretValue>,
    /// Write-only; together with `clientKey`.
    #[schema(value_type = Option<String>, write_only)]
    secret_key: Option<SecretValue>,
}

/// Reads the three members; `Err` when a fault was noted, `Ok(None)` when none of them is there.
fn credential(f: &mut Fields, at: &str) -> Result<Option<Credential>, ()> {
    let before = f.fault_count();
    let (token, client_key, secret_key) = (f.secret("token"), f.secret("clientKey"), f.secret("secretKey"));
    if f.fault_count() > before {
        return Err(());
    }
    match (token, client_key, secret_key) {
        (None, None, None) => Ok(None),
        (Some(token), None, None) => Ok(Some(Credential::Token(token))),
        (None, Some(client_key), Some(secret_key)) => Ok(Some(Credential::ClientKey { client_key, secret_key })),
        (Some(_), ..) => {
            f.fault_at(at, "must be either a token or a clientKey with its secretKey, not both");
            Err(())
        }
        (None, Some(_), None) => {
            f.fault_at("secretKey", "is required with clientKey");
            Err(())
        }
        (None, None, Some(_)) => {
            f.fault_at("clientKey", "is required with secretKey");
            Err(())
        }
    }
}

/// A credential that has to be there.
struct Required(Credential);
impl Body for Required {
    fn read(f: &mut Fields) -> Option<Self> {
        match credential(f, "token") {
            Ok(Some(credential)) => Some(Self(credential)),
            Ok(None) => {
                f.fault_at("token", "is required, or a clientKey with its secretKey");
                None
            }
            Err(()) => None,
        }
    }
}

/// A model integration to be registered (seed A).
#[derive(ToSchema)]
#[schema(rename_all = "camelCase")]
pub(crate) struct NewIntegration {
    /// `anthropic`, `openai`, `google`, `azure_openai`, `aws_bedrock` or `custom`.
    #[schema(value_type = String)]
    provider: Provider,
    /// 1 to 200 characters; the provider's name where absent.
    #[schema(value_type = Option<String>, min_length = 1, max_length = 200)]
    name: Option<DisplayName>,
    /// 1 to 2,000 characters.
    #[schema(value_type = Option<String>, min_length = 1, max_length = 2000)]
    description: Option<Description>,
    /// https; the provider's own address where absent and it has one.
    #[schema(format = "uri", max_length = 2048)]
    model_url: Option<String>,
    /// Write-only.
    #[schema(value_type = CredentialBody)]
    credential: Credential,
}

impl Body for NewIntegration {
    fn read(f: &mut Fields) -> Option<Self> {
        let provider = f.required("provider");
        let (name, description, model_url) = (f.optional("name"), f.nullable("description"), f.optional("modelUrl"));
        let credential = f.required_object::<Required>("credential");
        let Required(credential) = credential?;
        Some(Self { provider: provider?, name, description, model_url, credential })
    }
}

impl New for NewIntegration {
    async fn vet(self, api: &Api, tenant: WorkspaceId) -> Result<CreateModel, Problem> {
        let Self { provider, name, description, model_url, credential } = self;
        let url = model_url.or_else(|| provider.default_url().map(str::to_owned));
        let url = url.ok_or_else(|| Problem::field("/modelUrl", ModelError::UrlRequired.to_string()))?;
        let url = vetted(api, &url, tenant).await?;
        Ok(CreateModel { provider: Some(provider), name, description, url, credential })
    }
}

/// Fields of a model integration to change; absent ones stay (seed A).
#[derive(ToSchema)]
#[schema(rename_all = "camelCase")]
pub(crate) struct IntegrationChange {
    /// `anthropic`, `openai`, `google`, `azure_openai`, `aws_bedrock` or `custom`.
    #[schema(value_type = Option<String>)]
    provider: Option<Provider>,
    /// 1 to 200 characters.
    #[schema(value_type = Option<String>, min_length = 1, max_length = 200)]
    name: Option<DisplayName>,
    /// Null takes it away.
    #[schema(value_type = Option<String>, max_length = 2000)]
    #[expect(clippy::option_option, reason = "absent, null and a text are three things")]
    description: Option<Option<Description>>,
    /// https. One of another origin needs the credential again.
    #[schema(format = "uri", max_length = 2048)]
    model_url: Option<String>,
    /// Write-only; the stored one stays where this is absent.
    #[schema(value_type = Option<CredentialBody>)]
    credential: Option<Credential>,
}

impl Body for IntegrationChange {
    fn read(f: &mut Fields) -> Option<Self> {
        Some(Self {
            provider: f.optional("provider"),
            name: f.optional("name"),
            description: f.erasable("description"),
            model_url: f.optional("modelUrl"),
            credential: f.optional_object::<Required>("credential").map(|Required(c)| c),
        })
    }
}

impl Change for IntegrationChange {
    async fn vet(self, api: &Api, tenant: WorkspaceId) -> Result<ChangeModel, Problem> {
        let Self { provider, name, description, model_url, credential } = self;
        let url = vetted_if_there(api, model_url, tenant).await?;
        Ok(ChangeModel { provider, name, description, url, credential, visible: None })
    }
}

/// A model to be registered (seed B).
#[derive(ToSchema)]
#[schema(rename_all = "camelCase")]
pub(crate) struct NewModel {
    /// The organization; may stand in the query instead.
    #[schema(format = Uuid)]
    #[expect(dead_code, reason = "picked out of the body before it is read, to find the organization")]
    organization_id: Option<String>,
    /// Told by the host of `modelUrl` where absent.
    #[schema(value_type = Option<String>)]
    provider: Option<Provider>,
    /// 1 to 200 characters.
    #[schema(value_type = String, min_length = 1, max_length = 200)]
    name: DisplayName,
    /// 1 to 2,000 characters.
    #[schema(value_type = Option<String>, min_length = 1, max_length = 2000)]
    description: Option<Description>,
    /// https.
    #[schema(format = "uri", max_length = 2048)]
    model_url: String,
    /// Write-only; or a client key with its secret.
    #[schema(value_type = Option<String>, write_only)]
    token: Credential,
    /// Write-only; together with `secretKey`.
    #[schema(value_type = Option<String>, write_only)]
    #[expect(dead_code, reason = "the credential is read as a whole")]
    client_key: (),
    /// Write-only; together with `clientKey`.
    #[schema(value_type = Option<String>, write_only)]
    #[expect(dead_code, reason = "the credential is read as a whole")]
    secret_key: (),
}

impl Body for NewModel {
    fn read(f: &mut Fields) -> Option<Self> {
        let organization_id = f.optional("organizationId");
        let (provider, name, description) = (f.optional("provider"), f.required("name"), f.nullable("description"));
        let model_url = f.required("modelUrl");
        let Required(token) = Required::read(f)?;
        let (name, model_url) = (name?, model_url?);
        Some(Self { organization_id, provider, name, description, model_url, token, client_key: (), secret_key: () })
    }
}

impl New for NewModel {
    async fn vet(self, api: &Api, tenant: WorkspaceId) -> Result<CreateModel, Problem> {
        let url = vetted(api, &self.model_url, tenant).await?;
        let Self { provider, name, description, token: credential, .. } = self;
        Ok(CreateModel { provider, name: Some(name), description, url, credential })
    }
}

/// Fields of a model to change; absent ones stay (seed B).
#[derive(ToSchema)]
#[schema(rename_all = "camelCase")]
pub(crate) struct ModelChange {
    /// The organization; may stand in the query instead.
    #[schema(format = Uuid)]
    #[expect(dead_code, reason = "picked out of the body before it is read, to find the organization")]
    organization_id: Option<String>,
    /// `anthropic`, `openai`, `google`, `azure_openai`, `aws_bedrock` or `custom`.
    #[schema(value_type = Option<String>)]
    provider: Option<Provider>,
    /// 1 to 200 characters.
    #[schema(value_type = Option<String>, min_length = 1, max_length = 200)]
    name: Option<DisplayName>,
    /// Null takes it away.
    #[schema(value_type = Option<String>, max_length = 2000)]
    #[expect(clippy::option_option, reason = "absent, null and a text are three things")]
    description: Option<Option<Description>>,
    /// https. One of another origin needs the credential again.
    #[schema(format = "uri", max_length = 2048)]
    model_url: Option<String>,
    /// Write-only; the stored credential stays where none is sent.
    #[schema(value_type = Option<String>, write_only)]
    token: Option<Credential>,
    /// Write-only; together with `secretKey`.
    #[schema(value_type = Option<String>, write_only)]
    #[expect(dead_code, reason = "the credential is read as a whole")]
    client_key: (),
    /// Write-only; together with `clientKey`.
    #[schema(value_type = Option<String>, write_only)]
    #[expect(dead_code, reason = "the credential is read as a whole")]
    secret_key: (),
}

impl Body for ModelChange {
    fn read(f: &mut Fields) -> Option<Self> {
        let organization_id = f.optional("organizationId");
        let (provider, name, description) = (f.optional("provider"), f.optional("name"), f.erasable("description"));
        let model_url = f.optional("modelUrl");
        let token = credential(f, "token").ok()?;
        Some(Self { organization_id, provider, name, description, model_url, token, client_key: (), secret_key: () })
    }
}

impl Change for ModelChange {
    async fn vet(self, api: &Api, tenant: WorkspaceId) -> Result<ChangeModel, Problem> {
        let Self { provider, name, description, model_url, token: credential, .. } = self;
        let url = vetted_if_there(api, model_url, tenant).await?;
        Ok(ChangeModel { provider, name, description, url, credential, visible: None })
    }
}

/// Whether workspaces may choose a system model.
#[derive(Debug, ToSchema)]
pub(crate) struct Visibility {
    /// False hides it: it stays where it is used and can't be chosen anew.
    visible: bool,
}

impl Body for Visibility {
    fn read(f: &mut Fields) -> Option<Self> {
        f.required_boolean("visible").map(|visible| Self { visible })
    }
}

impl Change for Visibility {
    async fn vet(self, _: &Api, _: WorkspaceId) -> Result<ChangeModel, Problem> {
        Ok(ChangeModel { visible: Some(self.visible), ..ChangeModel::default() })
    }
}
