//! Slack as somebody else's emulator plays it, and as a script does where the emulator cannot: it never throttles, never
//! fails, knows no revoked token and hands out no channel.
#![expect(clippy::unwrap_used, clippy::indexing_slicing, clippy::panic, reason = "test")]
mod connecting;
mod emulator;
mod failures;
mod posting;
mod responder;

use secrecy::SecretString;
use settings_domain::{ids::DeliveryId, ports::slack::SlackMessage};
use settings_slack::SlackClient;
use settings_testkit::slack::{CLIENT_ID, CLIENT_SECRET, REDIRECT};
use uuid::Uuid;

fn client(base: &str) -> SlackClient {
    SlackClient::new(CLIENT_ID, SecretString::from(CLIENT_SECRET), base).unwrap()
}

fn delivery() -> DeliveryId {
    DeliveryId::from_uuid(Uuid::from_u128(7))
}

fn message() -> SlackMessage {
    SlackMessage {
        text: "A workflow run failed in Acme".to_owned(),
        headline: "A workflow run failed".to_owned(),
        fields: vec![("Workflow".to_owned(), "nightly".to_owned())],
        link: Some(("See the run".to_owned(), "https://settings.example/runs/7?a=1&b=2".to_owned())),
    }
}
