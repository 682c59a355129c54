//! Slack: a workspace is connected once by OAuth, and notifications are posted (seed A, Notifications; SL02, SL03).
use crate::ids::DeliveryId;
use async_trait::async_trait;
use secrecy::SecretString;
use time::Duration;

/// What Slack gives when a person has allowed the connection.
#[derive(Debug)]
pub struct SlackGrant {
    /// The bot's token.
    pub token: SecretString,
    /// Slack's id of the team, such as `T0123ABCD`. Messages queued for one team must not go to another (SL05).
    pub team_id: String,
    /// What the team calls itself: free text of a stranger.
    pub team_name: String,
    /// The id of the channel that the person picked, if Slack asked for one. What [`SlackApi::post`] takes.
    pub channel: Option<String>,
    /// What that channel is called, such as `#alerts`: to be shown, not to be posted to, since channels get renamed.
    pub channel_name: Option<String>,
    /// What the token may do, in Slack's words.
    pub scopes: Vec<String>,
}

/// A message in parts. All texts may be strangers' words: the adapter takes away what would mention or link.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SlackMessage {
    /// For notifications and for clients that show no blocks.
    pub text: String,
    /// What happened, in a line.
    pub headline: String,
    /// Names and values, such as `Workflow` and `nightly`.
    pub fields: Vec<(String, String)>,
    /// A link: what it says and the page of ours that it opens.
    pub link: Option<(String, String)>,
}

/// Why Slack did not do it. Each cause is one of our own words, never Slack's text.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum SlackError {
    /// The token is no good any more: the connection is in error until somebody connects it again (SL02).
    #[error("{0}")]
    Auth(&'static str),
    /// The channel is gone or closed to us: the connection is in error too, but for another reason.
    #[error("{0}")]
    Channel(&'static str),
    /// To be tried again, not before this long from now (SL03).
    #[error("Slack asks to wait")]
    RateLimited(Duration),
    /// No answer, or none that can be read: to be tried again.
    #[error("{0}")]
    Unavailable(&'static str),
    /// Nothing was sent: Slack failed several times in a row and is left alone, for this long at most.
    #[error("Slack has failed several times in a row and is left alone for some seconds")]
    Resting(Duration),
    /// Slack will not take this message, however often it is sent.
    #[error("{0}")]
    Refused(&'static str),
    /// The code of an authorization was used, has expired or belongs to another address: the person has to begin anew.
    #[error("{0}")]
    Code(&'static str),
    /// Slack does not know this service's client id and secret: for the operator to put right.
    #[error("Slack does not accept this service's client id and secret")]
    Configuration,
}

/// Slack.
#[async_trait]
pub trait SlackApi: Send + Sync {
    /// Slack's page on which a person allows the connection. It sends them back to `redirect` with a code and `state`.
    fn authorize_url(&self, state: &str, redirect: &str) -> String;
    /// Gives the code back for a token. `redirect` has to be the same as before. A code works once, also if it fails.
    async fn exchange(&self, code: &str, redirect: &str) -> Result<SlackGrant, SlackError>;
    /// Posts a message, within 10 seconds. At least once: a repeated delivery shows twice, with the same id in its metadata.
    async fn post(
        &self,
        token: &SecretString,
        channel: &str,
        message: &SlackMessage,
        delivery: DeliveryId,
    ) -> Result<(), SlackError>;
    /// Whether Slack answered when it was last asked; `None` where it has not been asked yet. Asks nobody.
    fn answered(&self) -> Option<bool> {
        None
    }
}
