//! `mcp`: the tools of a running service over standard input and output, for clients of the Model Context Protocol.
//!
//! Nothing is decided here and nothing is kept: each list and each call asks the service, with the credential of whoever
//! started this, so a right that was taken away is gone from the next call on.
use crate::failure::{Failure, causes};
use clap::Args;
use http::StatusCode;
use rmcp::{
    ErrorData, RoleServer, ServerHandler, ServiceExt as _,
    model::{
        CacheScope, CallToolRequestParams, CallToolResponse, CallToolResult, ContentBlock, Implementation,
        ListToolsResult, PaginatedRequestParams, ResultType, ServerCapabilities, ServerConfig,
    },
    service::RequestContext,
    transport::stdio,
};
use secrecy::{ExposeSecret as _, SecretString};
use serde_json::{Value, json};
use std::{net::IpAddr, time::Duration};
use url::{Host, Url};

/// How long a call may take: longer than the service itself gives anything.
const PATIENCE: Duration = Duration::from_mins(1);
/// What is told to the client's model.
const INSTRUCTIONS: &str = "Settings of a workspace: members, invitations, API keys, variables, secrets, models, \
    notifications, audit log. Only what the caller may do is listed. No tool shows a secret value. A call that would break \
    something is refused first and says what it would break: ask a person before you confirm it.";

/// Which service, as whom.
#[derive(Debug, Args)]
pub(crate) struct McpOptions {
    /// Where the service is.
    #[arg(long, env = "SETTINGS_URL", default_value = "http://127.0.0.1:8080")]
    url: String,
    /// An API key of a workspace.
    #[arg(long, env = "SETTINGS_API_KEY", hide_env_values = true)]
    api_key: Option<String>,
    /// A person's bearer token, instead of a key.
    #[arg(long, env = "SETTINGS_TOKEN", hide_env_values = true)]
    token: Option<String>,
    /// Slug or id of the workspace, where the person is in several.
    #[arg(long, env = "SETTINGS_WORKSPACE")]
    workspace: Option<String>,
}

/// The service, as somebody calls it.
struct Face {
    http: reqwest::Client,
    url: String,
    credential: (&'static str, SecretString),
    workspace: Option<String>,
}

/// Serves until the client closes standard input.
pub(crate) async fn mcp(options: McpOptions) -> Result<(), Failure> {
    let service = Face::new(options)?.serve(stdio()).await;
    let service = match service {
        Ok(service) => service,
        // The client went away before it said anything: nothing is wrong.
        Err(rmcp::service::ServerInitializeError::ConnectionClosed(_)) => return Ok(()),
        Err(e) => return Err(Failure::service(causes(&e))),
    };
    service.waiting().await.map(drop).map_err(|e| Failure::service(causes(&e)))
}

/// A credential is sent there: over TLS, or within this machine.
fn address(text: &str) -> Result<String, Failure> {
    let wrong = || Failure::configuration("SETTINGS_URL must be an https address, or http on this machine");
    let url = Url::parse(text).map_err(|_| wrong())?;
    let loopback = match url.host() {
        Some(Host::Domain(name)) => name == "localhost",
        Some(Host::Ipv4(ip)) => IpAddr::from(ip).is_loopback(),
        Some(Host::Ipv6(ip)) => IpAddr::from(ip).is_loopback(),
        None => false,
    };
    let plain =
        url.username().is_empty() && url.password().is_none() && url.query().is_none() && url.fragment().is_none();
    if !plain || !(url.scheme() == "https" || (url.scheme() == "http" && loopback)) {
        return Err(wrong());
    }
    Ok(url.as_str().trim_end_matches('/').to_owned())
}

impl Face {
    fn new(options: McpOptions) -> Result<Self, Failure> {
        let given = |text: Option<String>| text.map(|t| t.trim().to_owned()).filter(|t| !t.is_empty());
        let credential = match (given(options.api_key), given(options.token)) {
            (Some(key), None) => ("x-api-key", key),
            (None, Some(token)) => ("authorization", format!("Bearer {token}")),
            _ => {
                return Err(Failure::configuration(
                    "tools are called as somebody: set SETTINGS_API_KEY or SETTINGS_TOKEN, and not both",
                ));
            }
        };
        let http = settings_oidc::http_client_with(PATIENCE).map_err(|e| Failure::service(causes(&e)))?;
        let (name, text) = credential;
        let workspace = given(options.workspace);
        Ok(Self { http, url: address(&options.url)?, credential: (name, text.into()), workspace })
    }

    /// The service's answer: its JSON, or the problem that it says.
    async fn ask(&self, path: &str, body: Option<Value>) -> Result<(StatusCode, Value), ErrorData> {
        let address = format!("{}{path}", self.url);
        let request = match body {
            Some(body) => self.http.post(address).json(&body),
            None => self.http.get(address),
        };
        let (name, credential) = &self.credential;
        let mut request = request.header(*name, credential.expose_secret());
        if let Some(workspace) = &self.workspace {
            request = request.header("x-workspace", workspace);
        }
        let away = |e: reqwest::Error| {
            let text = causes(&e.without_url());
            ErrorData::internal_error(format!("the settings service does not answer: {text}"), None)
        };
        let answer = request.send().await.map_err(away)?;
        let status = answer.status();
        Ok((status, answer.json().await.map_err(away)?))
    }
}

/// What a problem says, in a line.
fn said(problem: &Value) -> String {
    let line = ["error", "detail"].iter().find_map(|name| problem.get(*name)?.as_str());
    line.unwrap_or("the settings service refused the call").to_owned()
}

fn another_version() -> ErrorData {
    ErrorData::internal_error("this is no settings service of this version", None)
}

impl ServerHandler for Face {
    fn get_info(&self) -> ServerConfig {
        let this = Implementation::new("settings", env!("CARGO_PKG_VERSION")).with_title("Settings");
        let capabilities = ServerCapabilities::builder().enable_tools().build();
        ServerConfig::new(capabilities).with_server_info(this).with_instructions(INSTRUCTIONS)
    }

    async fn list_tools(
        &self,
        _: Option<PaginatedRequestParams>,
        _: RequestContext<RoleServer>,
    ) -> Result<ListToolsResult, ErrorData> {
        let (status, body) = self.ask("/api/mcp/tools", None).await?;
        if !status.is_success() {
            return Err(ErrorData::invalid_request(said(&body), Some(body)));
        }
        let listed: ListToolsResult = serde_json::from_value(body).map_err(|_| another_version())?;
        // Made anew, so that it says what its version of the protocol wants said. Rights may change at any moment.
        let list = ListToolsResult::with_all_items(listed.tools);
        Ok(list.with_ttl_ms(0).with_cache_scope(CacheScope::Private))
    }

    async fn call_tool(
        &self,
        request: CallToolRequestParams,
        _: RequestContext<RoleServer>,
    ) -> Result<CallToolResponse, ErrorData> {
        let name = request.name;
        let call = json!({"name": name, "arguments": request.arguments.unwrap_or_default()});
        let (status, body) = self.ask("/api/mcp/tools/call", Some(call)).await?;
        if status.is_success() {
            let mut result: CallToolResult = serde_json::from_value(body).map_err(|_| another_version())?;
            // Left out again for clients of before.
            result.result_type = Some(ResultType::COMPLETE);
            return Ok(result.into());
        }
        if body.pointer("/errors/0/pointer") == Some(&json!("/name")) {
            return Err(ErrorData::invalid_params(format!("there is no tool {name}"), Some(body)));
        }
        // A credential that is refused, a limit: the model's person has to read it.
        Ok(CallToolResult::error(vec![ContentBlock::text(body.to_string())]).into())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_credential_leaves_this_machine_by_tls_alone() {
        for fine in
            ["http://127.0.0.1:8080", "http://localhost:1/", "http://[::1]:8080", "https://settings.example.org"]
        {
            assert_eq!(address(fine).ok().as_deref(), Some(fine.trim_end_matches('/')), "{fine}");
        }
        let bad = [
            "",
            "settings",
            "http://settings.example.org",
            "http://10.0.0.1",
            "ftp://localhost",
            "https://a:b@c.d",
            "https://c.d?x=1",
        ];
        for bad in bad {
            assert!(address(bad).is_err(), "{bad}");
        }
    }
}
