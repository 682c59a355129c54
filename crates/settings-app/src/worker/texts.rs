//! What notifications say, on each channel. All texts of strangers go through as they are: the adapters make them harmless.
use settings_domain::{
    deliveries::{Outgoing, OutgoingContent},
    events::Content,
    ids::DeliveryId,
    policy::EventType,
    ports::{mail::Letter, slack::SlackMessage},
};
use time::{OffsetDateTime, format_description::well_known::Rfc3339};

const TEST: &str = "This is a test message";
const FAILING: &str = "no delivery to it is taken";

/// What is said, for people.
struct Said {
    headline: String,
    facts: Vec<(String, String)>,
    link: Option<String>,
}

fn said(kind: EventType, text: &str, public_url: &str) -> Said {
    let facts = Content::facts(text).into_iter().map(|f| (f.name, f.value)).collect();
    Said { headline: kind.headline().to_owned(), facts, link: Content::link(text, public_url) }
}

fn test() -> Said {
    Said { headline: TEST.to_owned(), facts: Vec::new(), link: None }
}

/// A page of the workspace's settings.
fn page(out: &Outgoing, public_url: &str, page: &str) -> String {
    format!("{public_url}/{}/settings/{page}", out.slug)
}

/// As a mail. `text` is the opened text of an event.
pub(super) fn letter(out: &Outgoing, text: Option<&str>, public_url: &str) -> Letter {
    let workspace = out.workspace_name.clone();
    let settings_link = page(out, public_url, "notifications");
    let notification = |s: Said| Letter::Notification {
        workspace: workspace.clone(),
        headline: s.headline,
        facts: s.facts,
        link: s.link,
        settings_link,
    };
    match &out.content {
        OutgoingContent::Event(record) => notification(said(record.event.kind, text.unwrap_or_default(), public_url)),
        OutgoingContent::Test => notification(test()),
        OutgoingContent::SlackFailing(connection) => Letter::ChannelFailing {
            workspace,
            channel: "Slack".to_owned(),
            reason: connection.status_reason.clone().unwrap_or_else(|| "Slack refuses messages".to_owned()),
            link: page(out, public_url, "connections"),
        },
        OutgoingContent::WebhookFailing(subscription) => Letter::ChannelFailing {
            workspace,
            channel: format!("the webhook at {}", subscription.host),
            reason: subscription.status_reason.clone().unwrap_or_else(|| FAILING.to_owned()),
            link: page(out, public_url, "webhooks"),
        },
    }
}

/// As a message in Slack.
pub(super) fn slack(out: &Outgoing, text: Option<&str>, public_url: &str) -> SlackMessage {
    let Said { headline, facts, link } = match &out.content {
        OutgoingContent::Event(record) => said(record.event.kind, text.unwrap_or_default(), public_url),
        _ => test(),
    };
    SlackMessage {
        text: format!("{}: {headline}", out.workspace_name),
        headline,
        fields: std::iter::once(("Workspace".to_owned(), out.workspace_name.clone())).chain(facts).collect(),
        link: link.map(|url| ("Open".to_owned(), url)),
    }
}

/// What a webhook gets for a test: a CloudEvent like every other, of a type that no event has.
pub(super) fn test_event(id: DeliveryId, out: &Outgoing, public_url: &str, at: OffsetDateTime) -> Vec<u8> {
    let time = at.format(&Rfc3339).unwrap_or_default();
    let source = format!("{public_url}/{}", out.slug);
    serde_json::json!({
        "specversion": "1.0", "id": id.to_string(), "source": source, "type": "test", "time": time,
        "datacontenttype": "application/json", "data": {"message": format!("{TEST}.")},
    })
    .to_string()
    .into_bytes()
}
