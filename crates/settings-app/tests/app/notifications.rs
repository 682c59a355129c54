//! What the worker makes of receivers' moods, over the fake store. The ledger itself is tried by the contract suite.
use async_trait::async_trait;
use secrecy::SecretString;
use settings_app::{App, Ports, events::PublishEvent, worker::Senders};
use settings_domain::{
    audit::Receipts,
    deliveries::{DeliveryStatus, DeliveryView},
    events::{Content, EventData, Extensions},
    ids::DeliveryId,
    impact::Guard,
    notifications::{Channel, PreferenceChange},
    policy::{EventType, TenantScope, actions},
    ports::{
        keyring::{KeyringError, Rotation},
        mail::{Mail, MailError, Mailer},
        outbound::OutboundUrl,
        sending::{Accepted, Retry, SendFailure},
        slack::{SlackApi, SlackError, SlackGrant, SlackMessage},
        store::{DeliveryFilter, Page},
        vault::{OldWrapping, Rewrapped, ValueCipher, Vault, VaultError, WrappedDataKey},
        webhooks::{WebhookDelivery, WebhookSender},
    },
    sealed::SecretValue,
    tokens::Digest,
    transaction::{Call, Snapshot},
    webhook_subscriptions::Health,
};
use settings_testkit::{
    contract::{Scenario, World},
    senders::pause,
};
use std::{
    collections::{BTreeMap, BTreeSet},
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, Ordering},
    },
};
use time::Duration;

/// All ways out at once: they answer as they are told and remember what came.
#[derive(Default)]
struct Everybody {
    webhook: Mutex<Option<SendFailure>>,
    slack: Mutex<Option<SlackError>>,
    mail: Mutex<Option<&'static str>>,
    /// The webhook never answers.
    hangs: AtomicBool,
    called: Mutex<Vec<DeliveryId>>,
    posted: Mutex<Vec<DeliveryId>>,
    /// To whom, and what.
    mailed: Mutex<Vec<(String, String)>>,
}

#[async_trait]
impl WebhookSender for Everybody {
    async fn send(&self, delivery: &WebhookDelivery) -> Result<Accepted, SendFailure> {
        if self.hangs.load(Ordering::SeqCst) {
            std::future::pending::<()>().await;
        }
        if let Some(failure) = *self.webhook.lock().unwrap() {
            return Err(failure);
        }
        self.called.lock().unwrap().push(delivery.delivery);
        Ok(Accepted { status: 200 })
    }
}

#[async_trait]
impl SlackApi for Everybody {
    fn authorize_url(&self, state: &str, _: &str) -> String {
        state.to_owned()
    }
    async fn exchange(&self, _: &str, _: &str) -> Result<SlackGrant, SlackError> {
        Ok(SlackGrant {
            token: SecretString::from("xoxb-1"),
            team_id: "T1".to_owned(),
            team_name: "Team".to_owned(),
            channel: Some("C1".to_owned()),
            channel_name: Some("#alerts".to_owned()),
            scopes: Vec::new(),
        })
    }
    async fn post(&self, _: &SecretString, _: &str, _: &SlackMessage, id: DeliveryId) -> Result<(), SlackError> {
        if let Some(error) = *self.slack.lock().unwrap() {
            return Err(error);
        }
        self.posted.lock().unwrap().push(id);
        Ok(())
    }
}

#[async_trait]
impl Mailer for Everybody {
    async fn send(&self, mail: &Mail) -> Result<(), MailError> {
        if let Some(refusal) = *self.mail.lock().unwrap() {
            return Err(MailError::Refused(refusal.into()));
        }
        self.mailed.lock().unwrap().push((mail.to.as_str().to_owned(), format!("{:?}", mail.letter)));
        Ok(())
    }
}

/// A vault that can be taken away.
struct Keys {
    vault: Arc<dyn Vault>,
    away: AtomicBool,
}

#[async_trait]
impl Vault for Keys {
    async fn current(&self, scope: TenantScope) -> Result<Arc<dyn ValueCipher>, VaultError> {
        self.vault.current(scope).await
    }
    async fn generation(&self, scope: TenantScope, generation: i64) -> Result<Arc<dyn ValueCipher>, VaultError> {
        if self.away.load(Ordering::SeqCst) {
            return Err(KeyringError::Unavailable("away".into()).into());
        }
        self.vault.generation(scope, generation).await
    }
    async fn unwrapped(&self, scope: TenantScope, key: &WrappedDataKey) -> Result<Arc<dyn ValueCipher>, VaultError> {
        self.vault.unwrapped(scope, key).await
    }
    fn sweep(&self) {}
    async fn wrapped_by(&self) -> Result<String, VaultError> {
        self.vault.wrapped_by().await
    }
    async fn rotate(&self) -> Result<Rotation, VaultError> {
        self.vault.rotate().await
    }
    async fn rewrap(&self, old: OldWrapping) -> Result<Rewrapped, VaultError> {
        self.vault.rewrap(old).await
    }
    fn digest(&self, scope: TenantScope, value: &SecretValue) -> Digest {
        self.vault.digest(scope, value)
    }
}

struct Stage {
    world: World,
    scenario: Scenario,
    app: App,
    out: Arc<Everybody>,
    keys: Arc<Keys>,
}

impl Stage {
    /// The workspace `acme`, whose failed runs are told on one channel.
    async fn telling(channel: Channel) -> Self {
        let world = World::fake();
        let scenario = Scenario::acme(&world).await;
        let out = Arc::new(Everybody::default());
        let ports = scenario.app.ports().clone();
        let keys = Arc::new(Keys { vault: Arc::clone(&ports.vault), away: AtomicBool::new(false) });
        let ports = Ports { slack: Some(out.clone()), vault: keys.clone(), ..ports };
        let app = App::new(ports, scenario.app.rules().clone());
        let stage = Self { world, scenario, app, out, keys };
        // The invitations of the people who are there.
        stage.deliver().await;
        stage.out.mailed.lock().unwrap().clear();
        match channel {
            Channel::Webhook => stage.hook().await,
            Channel::Slack => stage.connect().await,
            Channel::Email => {}
        }
        let change = PreferenceChange { channels: BTreeSet::from([channel]), recipients: None };
        let wanted = BTreeMap::from([(EventType::RunFailed, change)]);
        let permit = stage.scenario.may::<actions::UpdateNotifications>(&stage.scenario.admin.caller).await.unwrap();
        stage.app.update_notifications(&permit, &stage.call(), &wanted).await.unwrap();
        stage
    }
    fn call(&self) -> Call {
        let caller = self.scenario.admin.caller.clone();
        Call {
            caller,
            request: "req-1".to_owned(),
            idempotent: None,
            guard: Guard::default(),
            receipts: Receipts::default(),
        }
    }
    async fn hook(&self) {
        let permit =
            self.scenario.may::<actions::CreateWebhookSubscription>(&self.scenario.admin.caller).await.unwrap();
        let url = OutboundUrl::vetted(
            "https://hooks.example/x".to_owned(),
            "https://hooks.example".to_owned(),
            "hooks.example".to_owned(),
        );
        let events = BTreeSet::from([EventType::RunFailed]);
        self.app.create_webhook_subscription(&permit, &self.call(), url, events).await.unwrap();
    }
    async fn connect(&self) {
        let admin = &self.scenario.admin.caller;
        let permit = self.scenario.may::<actions::StartConnection>(admin).await.unwrap();
        let state = self.app.start_connection(&permit, &self.call(), "https://here.example").await.unwrap();
        self.world.pass(Duration::seconds(1)).await;
        let permit = self.scenario.may::<actions::AuthorizeConnection>(admin).await.unwrap();
        let way = ("code", state.as_str());
        self.app.authorize_connection(&permit, &self.call(), way, "https://here.example").await.unwrap();
    }
    async fn tell(&self, id: &str) {
        let permit = self.scenario.may::<actions::PublishEvent>(&self.scenario.admin.caller).await.unwrap();
        let content = Content {
            source: "urn:test".parse().unwrap(),
            id: id.parse().unwrap(),
            kind: EventType::RunFailed,
            subject: None,
            time: None,
            extensions: Extensions::default(),
            data: EventData::default(),
        };
        let event = PublishEvent::new(content, permit.at()).unwrap();
        self.app.publish_event(&permit, &self.call(), &event).await.unwrap();
    }
    fn senders(&self) -> Senders {
        Senders { mailer: self.out.clone(), webhooks: self.out.clone(), slack: Some(self.out.clone()) }
    }
    /// Lets the worker do all that is due.
    async fn deliver(&self) {
        while self.app.deliver(&self.senders(), pause, || false).await.unwrap() > 0 {}
    }
    async fn ledger(&self) -> Vec<DeliveryView> {
        let caller = &self.scenario.admin.caller;
        let store = self.app.ports().store.as_ref();
        let mut snapshot =
            Snapshot::<actions::ReadNotifications>::open(store, caller, &self.scenario.here()).await.unwrap();
        let page = Page { after: None, limit: 1_000 };
        snapshot.deliveries(DeliveryFilter::default(), page).await.unwrap()
    }
    /// The one delivery on a channel.
    async fn on(&self, channel: Channel) -> DeliveryView {
        let mut there = self.ledger().await;
        there.retain(|d| d.delivery.destination.channel() == channel);
        assert_eq!(there.len(), 1, "{there:?}");
        there.remove(0)
    }
    async fn health(&self) -> Health {
        let mut reads = self.scenario.reads().await;
        let subscriptions = reads.webhook_subscriptions().await.unwrap();
        let [one] = subscriptions.as_slice() else { panic!("one webhook") };
        reads.webhook_subscription(one.id).await.unwrap().unwrap().1
    }
}

#[tokio::test]
async fn a_message_for_which_no_place_is_free_waits_without_an_attempt_and_for_three_days_at_most() {
    let stage = Stage::telling(Channel::Webhook).await;
    let busy = SendFailure { cause: "busy", status: None, retry: Retry::After(Duration::seconds(15)) };
    *stage.out.webhook.lock().unwrap() = Some(busy);
    stage.tell("1").await;
    for _ in 0..20 {
        stage.deliver().await;
        stage.world.pass(Duration::seconds(16)).await;
    }
    let waiting = stage.on(Channel::Webhook).await;
    assert_eq!((waiting.status, waiting.attempts.len()), (DeliveryStatus::Pending, 0));
    assert_eq!(stage.health().await, Health::default(), "what never came to it is no fault of the receiver's");
    *stage.out.webhook.lock().unwrap() = None;
    stage.deliver().await;
    let done = stage.on(Channel::Webhook).await;
    assert_eq!((done.status, done.attempts.len()), (DeliveryStatus::Delivered, 1));

    let stage = Stage::telling(Channel::Webhook).await;
    *stage.out.webhook.lock().unwrap() = Some(busy);
    stage.tell("2").await;
    stage.deliver().await;
    stage.world.pass(Duration::hours(73)).await;
    stage.deliver().await;
    assert_eq!(stage.on(Channel::Webhook).await.status, DeliveryStatus::Failed);
    assert_eq!(stage.on(Channel::Email).await.status, DeliveryStatus::Delivered, "mailed instead");
}

#[tokio::test]
async fn a_slow_receiver_holds_one_place_and_is_given_back_when_the_worker_stops() {
    let stage = Stage::telling(Channel::Webhook).await;
    stage.out.hangs.store(true, Ordering::SeqCst);
    stage.tell("1").await;
    let senders = stage.senders();
    let others = || stage.out.mailed.lock().unwrap().len();
    let stop = || others() > 0;
    let worker = stage.app.deliver(&senders, pause, stop);
    let mails = async {
        tokio::task::yield_now().await;
        stage.app.send_sign_in_link(stage.scenario.admin.email.clone()).await.unwrap();
    };
    let (taken, ()) = tokio::join!(worker, mails);
    assert_eq!((taken.unwrap(), others()), (2, 1), "the mail did not wait for the webhook");
    stage.out.hangs.store(false, Ordering::SeqCst);
    stage.deliver().await;
    let done = stage.on(Channel::Webhook).await;
    assert_eq!((done.status, done.attempts.len()), (DeliveryStatus::Delivered, 1), "at once, not after the lease");
}

#[tokio::test]
async fn a_token_that_slack_refuses_is_told_to_each_admin_once_and_its_messages_wait() {
    let stage = Stage::telling(Channel::Slack).await;
    *stage.out.slack.lock().unwrap() = Some(SlackError::Auth("revoked"));
    stage.tell("1").await;
    stage.tell("2").await;
    stage.deliver().await;
    let slack: Vec<_> =
        stage.ledger().await.into_iter().filter(|d| d.delivery.destination.channel() == Channel::Slack).collect();
    assert!(slack.iter().all(|d| d.status == DeliveryStatus::Parked), "{slack:?}");
    let mails = stage.out.mailed.lock().unwrap().clone();
    let [(to, letter)] = &mails[..] else { panic!("there is one admin, and {} mails", mails.len()) };
    assert!(letter.starts_with("ChannelFailing") && letter.contains("revoked"), "{letter}");
    assert_eq!(to, stage.scenario.admin.email.as_str());
    // It is authorized again, and what waited is there at once.
    *stage.out.slack.lock().unwrap() = None;
    stage.world.pass(Duration::hours(23)).await;
    stage.connect().await;
    stage.deliver().await;
    assert_eq!(stage.out.posted.lock().unwrap().len(), 2);
    assert!(stage.scenario.verify().await.first_broken.is_none());
}

#[tokio::test]
async fn what_has_waited_for_a_day_is_mailed_instead() {
    let stage = Stage::telling(Channel::Slack).await;
    *stage.out.slack.lock().unwrap() = Some(SlackError::Auth("revoked"));
    stage.tell("1").await;
    stage.deliver().await;
    stage.out.mailed.lock().unwrap().clear();
    stage.world.pass(Duration::hours(23)).await;
    stage.deliver().await;
    assert_eq!(stage.on(Channel::Slack).await.status, DeliveryStatus::Parked);
    stage.world.pass(Duration::hours(2)).await;
    stage.deliver().await;
    assert_eq!(stage.on(Channel::Slack).await.status, DeliveryStatus::Failed);
    let mails = stage.out.mailed.lock().unwrap().clone();
    assert!(matches!(&mails[..], [(_, letter)] if letter.starts_with("Notification")), "{mails:?}");
}

#[tokio::test]
async fn while_the_keyring_is_away_a_message_waits_without_an_attempt() {
    let stage = Stage::telling(Channel::Webhook).await;
    stage.tell("1").await;
    stage.keys.away.store(true, Ordering::SeqCst);
    for _ in 0..20 {
        stage.deliver().await;
        stage.world.pass(Duration::seconds(31)).await;
    }
    let waiting = stage.on(Channel::Webhook).await;
    assert_eq!((waiting.status, waiting.attempts.len()), (DeliveryStatus::Pending, 0));
    stage.keys.away.store(false, Ordering::SeqCst);
    stage.deliver().await;
    assert_eq!(stage.on(Channel::Webhook).await.status, DeliveryStatus::Delivered);
}

#[tokio::test]
async fn a_mail_that_is_refused_for_good_is_given_up_and_nothing_comes_in_its_place() {
    let stage = Stage::telling(Channel::Email).await;
    *stage.out.mail.lock().unwrap() = Some("550");
    stage.tell("1").await;
    stage.deliver().await;
    let failed = stage.on(Channel::Email).await;
    assert_eq!((failed.status, failed.attempts.len()), (DeliveryStatus::Failed, 1));
    assert_eq!(failed.attempts[0].cause.as_deref(), Some("the mail server refused the message"));
    *stage.out.mail.lock().unwrap() = None;
    stage.world.pass(Duration::days(4)).await;
    stage.deliver().await;
    assert!(stage.out.mailed.lock().unwrap().is_empty());
}
