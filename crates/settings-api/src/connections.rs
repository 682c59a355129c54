//! `/connections` (seed A): a workspace's Slack, connected by OAuth.
use crate::{
    Api,
    answer::{Answer, List, rfc3339},
    input::Input,
    json::{Body, Fields},
    operation::{Operation, op},
    problem::Problem,
};
use http::Method;
use serde::Serialize;
use serde_json::json;
use settings_app::connections::ConnectFailure;
use settings_domain::{
    connections::{Connection as DomainConnection, ConnectionPatch, SlackChannel},
    ids::ConnectionId,
    policy::{Permit, actions},
    ports::slack::SlackError,
    transaction::{Call, Snapshot},
};
use std::{str::FromStr, sync::Arc};
use utoipa::ToSchema;

/// A connection, without its token.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Connection {
    /// Its id.
    #[schema(format = Uuid)]
    id: String,
    /// `slack`.
    kind: &'static str,
    /// `active`, `error` or `disconnected`.
    status: &'static str,
    /// Why it is in error.
    status_reason: Option<String>,
    /// Where it posts, as Slack takes it.
    channel: Option<String>,
    /// What that channel is called.
    channel_name: Option<String>,
    /// What the team calls itself.
    team_name: String,
    /// When somebody last authorized it. RFC 3339, UTC.
    #[schema(format = DateTime)]
    authorized_at: String,
    /// RFC 3339, UTC.
    #[schema(format = DateTime)]
    created_at: String,
    /// RFC 3339, UTC.
    #[schema(format = DateTime)]
    updated_at: String,
    /// Counts changes; also the entity tag.
    version: i64,
}

impl From<&DomainConnection> for Connection {
    fn from(c: &DomainConnection) -> Self {
        Self {
            id: c.id.to_string(),
            kind: "slack",
            status: c.status.name(),
            status_reason: c.status_reason.clone(),
            channel: c.channel.as_ref().map(ToString::to_string),
            channel_name: c.channel_name.as_ref().map(ToString::to_string),
            team_name: c.team_name.to_string(),
            authorized_at: rfc3339(c.authorized_at),
            created_at: rfc3339(c.created_at),
            updated_at: rfc3339(c.updated_at),
            version: c.version,
        }
    }
}

/// Where to go.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Authorization {
    /// Slack's page, on which a person allows the connection within ten minutes. It leads back to
    /// `/connections/slack/callback`, to be called with the same credential.
    #[schema(example = "https://slack.com/oauth/v2/authorize")]
    url: String,
}

/// What a connection can be made to be.
struct Disconnected;

impl FromStr for Disconnected {
    type Err = &'static str;
    fn from_str(s: &str) -> Result<Self, &'static str> {
        if s == "disconnected" {
            Ok(Self)
        } else {
            Err("can only be set to disconnected: authorize the connection to make it active")
        }
    }
}

/// The wanted changes; what is absent stays.
#[derive(Debug, ToSchema)]
pub(crate) struct ConnectionChange {
    /// The id or name of a channel.
    #[schema(value_type = Option<String>, max_length = 81)]
    channel: Option<SlackChannel>,
    /// `disconnected` switches it off and destroys its token.
    #[schema(value_type = Option<String>)]
    status: bool,
}

impl Body for ConnectionChange {
    fn read(f: &mut Fields) -> Option<Self> {
        let channel = f.optional("channel");
        let status = f.optional::<Disconnected>("status").is_some();
        Some(Self { channel, status })
    }
}

impl From<ConnectFailure> for Problem {
    fn from(failure: ConnectFailure) -> Self {
        let said = |slug, error: &dyn std::fmt::Display| Self::new(slug, format!("{error}."));
        let unavailable = |detail| Self::new("slack-unavailable", detail).member("outcome", json!("none"));
        match failure {
            ConnectFailure::NotConfigured => {
                unavailable("Slack is not set up on this installation: its operator has to.".to_owned())
            }
            ConnectFailure::Slack(
                e @ (SlackError::Unavailable(_) | SlackError::RateLimited(_) | SlackError::Resting(_)),
            ) => unavailable(format!("{e}.")),
            ConnectFailure::Slack(e @ SlackError::Configuration) => {
                tracing::error!(error = %e, "Slack can't be connected");
                unavailable(format!("{e}."))
            }
            ConnectFailure::Slack(e @ SlackError::Code(_)) => said("connection-state-invalid", &e),
            ConnectFailure::Slack(e @ (SlackError::Auth(_) | SlackError::Channel(_) | SlackError::Refused(_))) => {
                said("connection-refused", &e)
            }
            ConnectFailure::Use(e) => e.into(),
        }
    }
}

pub(crate) fn operations() -> Vec<Operation> {
    const T: &str = "connections";
    const BACK: &[(&str, &str)] = &[
        ("code", "What Slack gave"),
        ("state", "What Slack got"),
        ("error", "What Slack says where the person did not allow it"),
    ];
    vec![
        op(Method::GET, "/connections", "listConnections", T, "List connections").gives_list::<Connection>().read(list),
        op(Method::POST, "/connections/slack/authorize", "startConnection", T, "Begin to connect Slack")
            .gives::<Authorization>(200)
            .problems(&["slack-unavailable"])
            .no_tool("it begins what only a person in a browser can go on with")
            .write(start),
        op(
            Method::GET,
            "/connections/slack/callback",
            "authorizeConnection",
            T,
            "Connect Slack, on the way back from its page",
        )
        .query(BACK)
        .gives::<Connection>(200)
        .problems(&["connection-state-invalid", "connection-refused", "slack-unavailable"])
        .no_tool("it is told a code of Slack's")
        .write(callback),
        op(
            Method::PUT,
            "/connections/{connectionId}",
            "updateConnection",
            T,
            "Choose a connection's channel, or switch it off",
        )
        .takes::<ConnectionChange>()
        .gives::<Connection>(200)
        .problems(&["connection-disconnected", "precondition-failed"])
        .write(update),
        op(Method::DELETE, "/connections/{connectionId}", "deleteConnection", T, "Delete a connection, with its token")
            .problems(&["precondition-failed"])
            .write(delete),
    ]
}

/// Where Slack sends people back to.
fn redirect(api: &Api) -> String {
    format!("{}/connections/slack/callback", api.app().rules().public_url)
}

async fn list(
    _: Arc<Api>,
    mut snapshot: Snapshot<actions::ListConnections>,
    input: Arc<Input>,
) -> Result<Answer, Problem> {
    input.only(&[])?;
    let there = snapshot.connections().await?;
    let items: Vec<Connection> = there.iter().map(Connection::from).collect();
    Ok(Answer::ok(&List { items, next_cursor: None }))
}

async fn start(
    api: Arc<Api>,
    permit: Permit<actions::StartConnection>,
    call: Call,
    input: Arc<Input>,
) -> Result<Answer, Problem> {
    let () = input.json()?;
    let url = api.app().start_connection(&permit, &call, &redirect(&api)).await?;
    Ok(Answer::ok(&Authorization { url }).no_store())
}

async fn callback(
    api: Arc<Api>,
    permit: Permit<actions::AuthorizeConnection>,
    call: Call,
    input: Arc<Input>,
) -> Result<Answer, Problem> {
    input.only(&["code", "state", "error"])?;
    if input.query("error")?.is_some() {
        return Err(Problem::new("connection-refused", "The connection was not allowed on Slack's page."));
    }
    let (code, state) = (input.query("code")?, input.query("state")?);
    let required = |name: &str, value: Option<String>| {
        value.filter(|v| !v.is_empty()).ok_or_else(|| Problem::field(&format!("/{name}"), "is required"))
    };
    let (code, state) = (required("code", code)?, required("state", state)?);
    let done = api.app().authorize_connection(&permit, &call, (&code, &state), &redirect(&api)).await?;
    Ok(Answer::ok(&Connection::from(done.value())).version(done.value().version).no_store())
}

async fn update(
    api: Arc<Api>,
    permit: Permit<actions::UpdateConnection>,
    call: Call,
    input: Arc<Input>,
) -> Result<Answer, Problem> {
    let id: ConnectionId = input.id("connectionId")?;
    let ConnectionChange { channel, status: disconnect } = input.json()?;
    let done = api.app().update_connection(&permit, &call, id, ConnectionPatch { channel, disconnect }).await?;
    Ok(Answer::ok(&Connection::from(done.value())).version(done.value().version))
}

async fn delete(
    api: Arc<Api>,
    permit: Permit<actions::DeleteConnection>,
    call: Call,
    input: Arc<Input>,
) -> Result<Answer, Problem> {
    let id: ConnectionId = input.id("connectionId")?;
    let () = input.json()?;
    api.app().delete_connection(&permit, &call, id).await?;
    Ok(Answer::nothing())
}
