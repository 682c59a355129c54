//! Events and channels as people read them.
use super::icons::Icon;
use settings_domain::{notifications::Channel, policy::EventType};

/// What a type of event is called.
pub(crate) const fn event_name(kind: EventType) -> &'static str {
    match kind {
        EventType::RunFailed => "Run failed",
        EventType::ApprovalRequested => "Approval requested",
        EventType::WorkflowDeployed => "Workflow deployed",
        EventType::McpServerDegraded => "MCP server degraded",
        EventType::SecretRotated => "Secret rotated",
    }
}

/// What has happened.
pub(crate) const fn event_about(kind: EventType) -> &'static str {
    match kind {
        EventType::RunFailed => "A workflow run has failed.",
        EventType::ApprovalRequested => "An approval step is waiting for a person.",
        EventType::WorkflowDeployed => "A workflow has been published.",
        EventType::McpServerDegraded => "An MCP server’s health check has failed.",
        EventType::SecretRotated => "A secret has been rotated.",
    }
}

/// What a channel is called.
pub(crate) const fn channel_name(channel: Channel) -> &'static str {
    match channel {
        Channel::Email => "E-mail",
        Channel::Slack => "Slack",
        Channel::Webhook => "Webhook",
    }
}

/// Its icon.
pub(crate) const fn channel_icon(channel: Channel) -> Icon {
    match channel {
        Channel::Email => Icon::Mail,
        Channel::Slack => Icon::Hash,
        Channel::Webhook => Icon::Webhook,
    }
}
