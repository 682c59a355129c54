//! Everything, put together.
use crate::{
    Builder, Database, Event,
    builder::{Mail, Place, Witness, Wrapping},
    nowhere::Nowhere,
};
use settings_app::{App, Ports, Rules, events::PublishEvent, failure::Failure, worker::Senders};
use settings_crypto::{AuditKeys, EnvelopeVault, LocalKeyring, SystemClock, SystemEntropy, Tokens, load_root};
use settings_domain::{
    change::Committed,
    events::{Publication, PublishEventError},
    policy::{Permit, actions},
    ports::{
        Clock, StoreError,
        keyring::Keyring,
        mail::{KeptMail, Mailer},
        outbound::Outbound,
        probe::ModelProber,
        webhooks::WebhookSender,
    },
    text::{DisplayName, Email, EmailKey, Slug},
    transaction::Call,
};
use settings_runtime::Resolver;
use std::{error::Error, sync::Arc};

/// Why nothing was opened. No message holds a secret; the causes may name addresses and paths.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum OpenError {
    /// Something that is needed was not chosen.
    #[error("{0} was not chosen")]
    Missing(&'static str),
    /// The database can't be opened, or its schema can't be brought up to date.
    #[error("the database can't be opened")]
    Database(#[source] Box<dyn Error + Send + Sync>),
    /// The keyring can't be used, or it is not the one that this database was made with.
    #[error("the keyring can't be used")]
    Keyring(#[source] Box<dyn Error + Send + Sync>),
    /// The way out for mail can't be set up.
    #[error("mail can't be set up")]
    Mail(#[source] Box<dyn Error + Send + Sync>),
    /// Calls to other places can't be set up.
    #[error("outbound calls can't be set up")]
    Outbound(#[source] Box<dyn Error + Send + Sync>),
    /// The machine gives no randomness.
    #[error("there is no randomness")]
    Entropy(#[source] Box<dyn Error + Send + Sync>),
}

/// The settings service, inside another one. Cheap to clone; clones are the same.
#[derive(Clone)]
pub struct Settings {
    app: Arc<App>,
    senders: Option<Senders>,
    witness: Option<Witness>,
    #[cfg(feature = "axum")]
    api: Arc<settings_api::Api>,
}

impl std::fmt::Debug for Settings {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Settings").field("app", &self.app).finish_non_exhaustive()
    }
}

/// The ways out to places that tenants name.
struct Ways {
    outbound: Arc<dyn Outbound>,
    prober: Arc<dyn ModelProber>,
    webhooks: Option<Arc<dyn WebhookSender>>,
}

impl Settings {
    /// Chooses what to open.
    pub const fn builder() -> Builder {
        Builder::new()
    }

    pub(crate) async fn open(mut builder: Builder) -> Result<Self, OpenError> {
        let database = database(builder.place.take().ok_or(OpenError::Missing("a database"))?).await?;
        if builder.migrate {
            database.migrate().await.map_err(OpenError::Database)?;
        }
        let wrapping = builder.wrapping.take().ok_or(OpenError::Missing("a keyring"))?;
        let keyring = keyring(wrapping, database.as_ref()).await?;
        let root = load_root(keyring.as_ref(), database.root_keys()).await.map_err(|e| OpenError::Keyring(e.into()))?;
        let clock = Arc::new(SystemClock);
        let now = {
            let clock = Arc::clone(&clock);
            move || clock.now()
        };
        let entropy = SystemEntropy::new(now).map_err(|e| OpenError::Entropy(e.into()))?;
        let sealer = Arc::new(AuditKeys::new(&root));
        let store = database.store(Arc::clone(&sealer) as _);
        let vault = EnvelopeVault::new(keyring, Arc::clone(&store) as _, Arc::clone(&clock) as _, &root);
        let ways = ways(&mut builder, &clock)?;
        let mail = mail(builder.mail.take(), &clock).await?;
        let senders = mail.mailer.map(|mailer| Senders {
            mailer,
            webhooks: ways.webhooks.unwrap_or_else(|| Arc::new(Nowhere)),
            slack: builder.slack.clone(),
        });
        let ports = Ports {
            store,
            mint: Arc::new(Tokens::new(&root)),
            sealer,
            vault: Arc::new(vault),
            outbound: ways.outbound,
            prober: ways.prober,
            slack: builder.slack,
            kept_mail: mail.kept.or(builder.kept_mail),
            billing: builder.billing,
            verifier: builder.verifier,
            provider: builder.provider,
            clock,
            entropy: Arc::new(entropy),
        };
        if builder.regions.is_empty() {
            builder.regions.extend("eu-central-1".parse());
        }
        let rules = Rules {
            floor_days: builder.floor_days,
            regions: builder.regions,
            platform_emails: builder.owners.iter().map(|e| EmailKey::clone(e.key())).collect(),
            platform_subjects: builder.subjects,
            public_url: builder.public_url,
        };
        let app = Arc::new(App::new(ports, rules));
        Ok(Self {
            #[cfg(feature = "axum")]
            api: Arc::new(settings_api::Api::new(
                Arc::clone(&app),
                builder.limits.then(settings_api::limits::Limits::default),
            )),
            app,
            senders,
            witness: builder.witness,
        })
    }

    /// Every use case.
    #[must_use]
    pub const fn app(&self) -> &Arc<App> {
        &self.app
    }
    /// The ways out, where mail was set up.
    pub(crate) const fn senders(&self) -> Option<&Senders> {
        self.senders.as_ref()
    }

    /// Makes a workspace and its first admin, who gets the returned sign-in link: the way in to an empty database. The link works
    /// once, for a day.
    pub async fn found(
        &self,
        slug: Slug,
        name: DisplayName,
        admin: Email,
    ) -> Result<secrecy::SecretString, settings_app::sign_in::SeedError> {
        self.app.seed(slug, name, admin).await
    }

    /// Variables and models, opened for what runs in the workspace of this permit. Whoever may start a run does not thereby get
    /// to see them: hand them to the run and to nobody else.
    #[must_use]
    pub fn resolver<A>(&self, permit: &Permit<A>) -> Resolver {
        let ports = self.app.ports();
        let (store, vault, clock) = (Arc::clone(&ports.store), Arc::clone(&ports.vault), Arc::clone(&ports.clock));
        Resolver::new(store as _, vault, clock, permit.scope().workspace())
    }

    /// Hands an event to notifications.
    pub async fn publish(
        &self,
        permit: &Permit<actions::PublishEvent>,
        call: &Call,
        event: Event,
    ) -> Result<Committed<Publication>, Failure<PublishEventError>> {
        let event = PublishEvent::new(event.0, permit.at())
            .map_err(|e| StoreError::Corrupt(format!("an event that can't be written down: {e}")))?;
        self.app.publish_event(permit, call, &event).await
    }

    /// The API in both dialects with its pages, to be merged into another router. It answers every path that nobody else does.
    #[cfg(feature = "axum")]
    pub fn router(&self) -> axum::Router {
        settings_api::router(Arc::clone(&self.api))
    }
    /// What every answer of the service has, for a whole router: request ids, security headers, metrics, caught panics. `https`
    /// says whether the public address is https.
    #[cfg(feature = "axum")]
    pub fn edge(&self, router: axum::Router, https: bool) -> axum::Router {
        let entropy = Arc::clone(&self.app.ports().entropy);
        settings_api::edge::edge(router, Arc::new(move || entropy.uuid().to_string()), https)
    }
    /// The API that [`router`](Self::router) serves, for pages that share its callers and limits.
    #[cfg(feature = "axum")]
    #[must_use]
    pub const fn api(&self) -> &Arc<settings_api::Api> {
        &self.api
    }
    pub(crate) const fn witness(&self) -> Option<&Witness> {
        self.witness.as_ref()
    }
    /// Forgets callers who have not called for long.
    pub(crate) fn sweep_limits(&self) {
        #[cfg(feature = "axum")]
        if let Some(limits) = self.api.limits() {
            limits.sweep();
        }
    }
}

async fn database(place: Place) -> Result<Box<dyn Database>, OpenError> {
    match place {
        #[cfg(feature = "sqlite")]
        Place::Sqlite(address) => {
            let database = settings_sqlite::Database::connect(&address).await;
            Ok(Box::new(database.map_err(|e| OpenError::Database(e.into()))?))
        }
        #[cfg(feature = "postgres")]
        Place::Postgres(address) => {
            let database = settings_postgres::Database::connect(&address).await;
            Ok(Box::new(database.map_err(|e| OpenError::Database(e.into()))?))
        }
        Place::Any(database) => Ok(database),
    }
}

async fn keyring(wrapping: Wrapping, database: &dyn Database) -> Result<Arc<dyn Keyring>, OpenError> {
    match wrapping {
        Wrapping::Any(keyring) => Ok(keyring),
        Wrapping::File(path) => {
            let known = database.root_keys().root_key().await.map_err(|e| OpenError::Database(e.into()))?.is_some();
            let keyring = LocalKeyring::open_for(&path, known);
            Ok(Arc::new(keyring.map_err(|e| OpenError::Keyring(e.into()))?))
        }
    }
}

/// The way out for mail, and what keeps it on this machine where it does not leave.
#[derive(Default)]
struct MailWay {
    mailer: Option<Arc<dyn Mailer>>,
    kept: Option<Arc<dyn KeptMail>>,
}

#[cfg(feature = "mail")]
async fn mail(mail: Option<Mail>, clock: &Arc<SystemClock>) -> Result<MailWay, OpenError> {
    let now = Arc::clone(clock);
    let now: settings_notify::Clock = Arc::new(move || now.now());
    Ok(match mail {
        None => MailWay::default(),
        Some(Mail::Any(mailer)) => MailWay { mailer: Some(mailer), kept: None },
        Some(Mail::Folder(folder)) => {
            let mailbox = settings_notify::LocalMailbox::open(&folder, now).await;
            let mailbox = Arc::new(mailbox.map_err(|e| OpenError::Mail(e.into()))?);
            // An erasure forgets what lies there.
            MailWay { mailer: Some(Arc::clone(&mailbox) as _), kept: Some(mailbox) }
        }
        Some(Mail::Smtp { url, from }) => {
            let mailer = settings_notify::SmtpMailer::new(&url, &from, now);
            MailWay { mailer: Some(Arc::new(mailer.map_err(|e| OpenError::Mail(e.into()))?)), kept: None }
        }
    })
}

#[cfg(not(feature = "mail"))]
#[expect(clippy::unused_async, reason = "as with the feature")]
async fn mail(mail: Option<Mail>, _: &Arc<SystemClock>) -> Result<MailWay, OpenError> {
    Ok(MailWay { mailer: mail.map(|Mail::Any(mailer)| mailer), kept: None })
}

#[cfg(feature = "outbound")]
fn ways(builder: &mut Builder, clock: &Arc<SystemClock>) -> Result<Ways, OpenError> {
    // Whoever brings all of them needs no client of ours.
    if let (Some(outbound), Some(prober), Some(webhooks)) = (&builder.outbound, &builder.prober, &builder.webhooks) {
        let (outbound, prober) = (Arc::clone(outbound), Arc::clone(prober));
        return Ok(Ways { outbound, prober, webhooks: Some(Arc::clone(webhooks)) });
    }
    // A tenant may not name the service itself.
    let own = url::Url::parse(&builder.public_url).ok().and_then(|url| {
        let port = url.port_or_known_default()?;
        url.host_str().map(|host| format!("{host}:{port}"))
    });
    let policy = settings_egress::Policy::new(Vec::new(), own).map_err(|e| OpenError::Outbound(e.into()))?;
    let client = settings_egress::Client::new(policy, Arc::new(settings_egress::SystemResolver));
    let client = Arc::new(client.map_err(|e| OpenError::Outbound(e.into()))?);
    let webhooks = Arc::new(settings_webhook::WebhookClient::new(Arc::clone(&client)));
    Ok(Ways {
        outbound: builder.outbound.take().unwrap_or_else(|| Arc::clone(&webhooks) as _),
        prober: builder
            .prober
            .take()
            .unwrap_or_else(|| Arc::new(settings_probe::HttpProber::new(client, Arc::clone(clock) as _))),
        webhooks: Some(builder.webhooks.take().unwrap_or(webhooks)),
    })
}

#[cfg(not(feature = "outbound"))]
#[expect(clippy::unnecessary_wraps, reason = "as with the feature")]
fn ways(builder: &mut Builder, _: &Arc<SystemClock>) -> Result<Ways, OpenError> {
    Ok(Ways {
        outbound: builder.outbound.take().unwrap_or_else(|| Arc::new(Nowhere)),
        prober: builder.prober.take().unwrap_or_else(|| Arc::new(Nowhere)),
        webhooks: builder.webhooks.take(),
    })
}
