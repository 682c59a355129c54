//! `/workspace/notifications` (seed A): which events are told on which channels, and to whom by mail.
use crate::{
    Api,
    answer::Answer,
    deliveries::Delivery,
    input::Input,
    json::{Body, Fields},
    operation::{Operation, op},
    problem::Problem,
};
use http::Method;
use serde::Serialize;
use settings_domain::{
    deliveries::{DeliveryStatus, DeliveryView},
    notifications::{
        Channel, Channels, MAX_RECIPIENTS, NotificationSettings, Preference as DomainPreference, PreferenceChange,
    },
    policy::{EventType, Permit, actions},
    text::Email,
    transaction::{Call, Snapshot},
};
use std::{
    collections::{BTreeMap, BTreeSet},
    str::FromStr,
    sync::Arc,
};
use utoipa::ToSchema;

/// What is chosen for one type of event.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Preference {
    /// `run_failed`, `approval_requested`, `workflow_deployed`, `mcp_server_degraded` or `secret_rotated`.
    event: &'static str,
    /// Some of `email`, `slack`, `webhook`.
    channels: Vec<&'static str>,
    /// Who gets the mails; empty stands for the admins.
    recipients: Vec<String>,
}

/// Whether a channel can be used.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct ChannelReadiness {
    /// `email`, `slack` or `webhook`.
    channel: &'static str,
    /// Whether it can.
    available: bool,
    /// Why not, and what to do about it.
    reason: Option<&'static str>,
}

/// Notification preferences.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Notifications {
    /// Every type of event, in the order of the documents.
    preferences: Vec<Preference>,
    /// Every channel.
    channels: Vec<ChannelReadiness>,
    /// Counts changes, from 1; 0 before the first. Also the entity tag.
    version: i64,
}

impl Notifications {
    fn new(settings: &NotificationSettings, channels: &Channels) -> Self {
        let preference = |(event, p): (EventType, DomainPreference)| Preference {
            event: event.name(),
            channels: p.channels.iter().map(|c| c.name()).collect(),
            recipients: p.recipients.iter().map(|r| r.email.as_str().to_owned()).collect(),
        };
        let channel = |c: Channel| {
            let readiness = channels.readiness(c);
            ChannelReadiness { channel: c.name(), available: readiness.is_ok(), reason: readiness.err() }
        };
        Self {
            preferences: settings.all().map(preference).collect(),
            channels: Channel::ALL.into_iter().map(channel).collect(),
            version: settings.version,
        }
    }
}

/// A channel, in its one spelling.
struct ChannelName(Channel);

impl FromStr for ChannelName {
    type Err = &'static str;
    fn from_str(s: &str) -> Result<Self, &'static str> {
        Channel::parse(s).map(Self).ok_or("must be one of email, slack, webhook")
    }
}

/// What is wanted for one type of event.
#[derive(Debug, ToSchema)]
pub(crate) struct WantedPreference {
    /// Which type.
    #[schema(value_type = String)]
    event: EventType,
    /// Some of `email`, `slack`, `webhook`, each once; none is fine.
    #[schema(value_type = Vec<String>, max_items = 3)]
    channels: BTreeSet<Channel>,
    /// Who gets the mails: at most 50 addresses, equal ones count once; empty stands for the admins. Left as they are where
    /// absent.
    #[schema(value_type = Option<Vec<String>>, max_items = 50)]
    recipients: Option<Vec<Email>>,
}

impl Body for WantedPreference {
    fn read(f: &mut Fields) -> Option<Self> {
        let event = f.required("event");
        let mut seen = BTreeSet::new();
        let channels = f.list("channels", Channel::ALL.len(), |f, path, v| {
            let ChannelName(channel) = f.entry_text(&path, &v)?;
            if !seen.insert(channel) {
                f.fault_at(&path, "stands twice");
            }
            Some(channel)
        });
        let named = f.has("recipients");
        let recipients = if named {
            Some(f.list("recipients", MAX_RECIPIENTS, |f, path, v| f.entry_text(&path, &v))?)
        } else {
            None
        };
        Some(Self { event: event?, channels: channels?.into_iter().collect(), recipients })
    }
}

/// The wanted preferences. Types that are not named keep what they have.
#[derive(Debug, ToSchema)]
pub(crate) struct NotificationsChange {
    /// One for each type that is to change.
    #[schema(value_type = Vec<WantedPreference>, max_items = 5)]
    preferences: BTreeMap<EventType, PreferenceChange>,
}

impl Body for NotificationsChange {
    fn read(f: &mut Fields) -> Option<Self> {
        let mut seen = BTreeSet::new();
        let preferences = f.list("preferences", EventType::ALL.len(), |f, path, v| {
            let WantedPreference { event, channels, recipients } = f.entry_object(&path, v)?;
            if !seen.insert(event) {
                f.fault_at(&format!("{path}/event"), "stands twice");
            }
            Some((event, PreferenceChange { channels, recipients }))
        });
        Some(Self { preferences: preferences?.into_iter().collect() })
    }
}

/// Which channel to try.
#[derive(Debug, ToSchema)]
pub(crate) struct ChannelTest {
    /// `email` (to yourself), `slack`, or `webhook` (the active subscription that changed last).
    #[schema(value_type = String)]
    channel: Channel,
}

impl Body for ChannelTest {
    fn read(f: &mut Fields) -> Option<Self> {
        f.required::<ChannelName>("channel").map(|ChannelName(channel)| Self { channel })
    }
}

pub(crate) fn operations() -> Vec<Operation> {
    const T: &str = "notifications";
    vec![
        op(Method::GET, "/workspace/notifications", "getNotifications", T, "Read which events are told where")
            .gives::<Notifications>(200)
            .read(get),
        op(Method::PUT, "/workspace/notifications", "updateNotifications", T, "Choose which events are told where")
            .takes::<NotificationsChange>()
            .gives::<Notifications>(200)
            .problems(&["channel-unavailable", "precondition-failed"])
            .write(update),
        op(Method::POST, "/workspace/notifications/test", "testNotifications", T, "Send a test message over a channel")
            .takes::<ChannelTest>()
            .gives::<Delivery>(200)
            .problems(&["channel-unavailable", "idempotency-key-reused"])
            .write(test),
    ]
}

async fn get(
    api: Arc<Api>,
    mut snapshot: Snapshot<actions::ReadNotifications>,
    input: Arc<Input>,
) -> Result<Answer, Problem> {
    input.only(&[])?;
    let settings = snapshot.notification_settings().await?;
    let channels = snapshot.channels(api.app().slack_configured()).await?;
    Ok(Answer::ok(&Notifications::new(&settings, &channels)).version(settings.version))
}

async fn update(
    api: Arc<Api>,
    permit: Permit<actions::UpdateNotifications>,
    call: Call,
    input: Arc<Input>,
) -> Result<Answer, Problem> {
    let NotificationsChange { preferences } = input.json()?;
    let (done, channels) = api.app().update_notifications(&permit, &call, &preferences).await?;
    let settings = done.value();
    Ok(Answer::ok(&Notifications::new(settings, &channels)).version(settings.version))
}

async fn test(
    api: Arc<Api>,
    permit: Permit<actions::TestChannel>,
    call: Call,
    input: Arc<Input>,
) -> Result<Answer, Problem> {
    let ChannelTest { channel } = input.json()?;
    let done = api.app().test_channel(&permit, &call, channel).await?;
    let delivery = *done.value();
    // As it was queued: what became of it since stands in the ledger.
    let view = DeliveryView {
        delivery,
        event_type: None,
        status: DeliveryStatus::Pending,
        attempts: Vec::new(),
        next_attempt_at: Some(delivery.created_at),
    };
    Ok(Answer::ok(&Delivery::from(&view)).replayed(done.is_replay()))
}
