//! What an embedder chooses.
use crate::{Database, OpenError, Settings};
#[cfg(feature = "mail")]
use secrecy::SecretString;
use settings_domain::{
    ids::WorkspaceId,
    ports::{
        billing::BillingGateway,
        identity::TokenVerifier,
        keyring::Keyring,
        mail::{KeptMail, Mailer},
        outbound::Outbound,
        probe::ModelProber,
        sign_in::SignInProvider,
        slack::SlackApi,
        webhooks::WebhookSender,
    },
    text::{Email, Region},
};
use std::{collections::BTreeSet, path::PathBuf, sync::Arc};

/// Where the data lives.
pub(crate) enum Place {
    #[cfg(feature = "sqlite")]
    Sqlite(String),
    #[cfg(feature = "postgres")]
    Postgres(String),
    Any(Box<dyn Database>),
}

/// What wraps the database's keys.
pub(crate) enum Wrapping {
    File(PathBuf),
    Any(Arc<dyn Keyring>),
}

/// How mail leaves.
pub(crate) enum Mail {
    #[cfg(feature = "mail")]
    Folder(PathBuf),
    #[cfg(feature = "mail")]
    Smtp {
        url: SecretString,
        from: String,
    },
    Any(Arc<dyn Mailer>),
}

/// Told of each checkpoint that was signed.
pub(crate) type Witness = Arc<dyn Fn(WorkspaceId, &str) + Send + Sync>;

/// Chooses store, keyring and ways out. A database and a keyring are needed; everything else has a default.
#[must_use = "nothing is opened before `open`"]
pub struct Builder {
    pub(crate) place: Option<Place>,
    pub(crate) wrapping: Option<Wrapping>,
    pub(crate) mail: Option<Mail>,
    pub(crate) webhooks: Option<Arc<dyn WebhookSender>>,
    pub(crate) slack: Option<Arc<dyn SlackApi>>,
    pub(crate) outbound: Option<Arc<dyn Outbound>>,
    pub(crate) prober: Option<Arc<dyn ModelProber>>,
    pub(crate) verifier: Option<Arc<dyn TokenVerifier>>,
    pub(crate) provider: Option<Arc<dyn SignInProvider>>,
    pub(crate) billing: Option<Arc<dyn BillingGateway>>,
    pub(crate) kept_mail: Option<Arc<dyn KeptMail>>,
    pub(crate) witness: Option<Witness>,
    pub(crate) owners: Vec<Email>,
    pub(crate) subjects: BTreeSet<String>,
    #[cfg_attr(not(feature = "axum"), expect(dead_code, reason = "limits are of the API"))]
    pub(crate) limits: bool,
    pub(crate) regions: Vec<Region>,
    pub(crate) floor_days: i64,
    pub(crate) public_url: String,
    pub(crate) migrate: bool,
}

impl std::fmt::Debug for Builder {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Builder").field("public_url", &self.public_url).finish_non_exhaustive()
    }
}

impl Builder {
    pub(crate) const fn new() -> Self {
        Self {
            place: None,
            wrapping: None,
            mail: None,
            webhooks: None,
            slack: None,
            outbound: None,
            prober: None,
            verifier: None,
            provider: None,
            billing: None,
            kept_mail: None,
            witness: None,
            owners: Vec::new(),
            subjects: BTreeSet::new(),
            limits: true,
            regions: Vec::new(),
            floor_days: 30,
            public_url: String::new(),
            migrate: true,
        }
    }

    /// The data in a SQLite file, which is made if it is missing: a path, or `sqlite://path`.
    #[cfg(feature = "sqlite")]
    pub fn sqlite(mut self, address: impl Into<String>) -> Self {
        self.place = Some(Place::Sqlite(address.into()));
        self
    }
    /// The data in Postgres: `postgres://…`.
    #[cfg(feature = "postgres")]
    pub fn postgres(mut self, address: impl Into<String>) -> Self {
        self.place = Some(Place::Postgres(address.into()));
        self
    }
    /// The data in another store, already open.
    pub fn database(mut self, database: impl Database + 'static) -> Self {
        self.place = Some(Place::Any(Box::new(database)));
        self
    }
    /// Whether the schema is brought up to date at [`open`](Self::open). Default: yes.
    pub const fn migrate(mut self, migrate: bool) -> Self {
        self.migrate = migrate;
        self
    }

    /// The key-encryption key in a file, made with rights 0600 for a new database. **Back it up apart from the database.**
    pub fn keyring_file(mut self, path: impl Into<PathBuf>) -> Self {
        self.wrapping = Some(Wrapping::File(path.into()));
        self
    }
    /// Another keyring: `settings_aws::KmsKeyring`, or your own.
    pub fn keyring(mut self, keyring: Arc<dyn Keyring>) -> Self {
        self.wrapping = Some(Wrapping::Any(keyring));
        self
    }

    /// Mail into a folder, to look at while you develop.
    #[cfg(feature = "mail")]
    pub fn mailbox(mut self, folder: impl Into<PathBuf>) -> Self {
        self.mail = Some(Mail::Folder(folder.into()));
        self
    }
    /// Mail by SMTP: `smtp://…` or `smtps://…`, which may hold a password, and the sender of every mail.
    #[cfg(feature = "mail")]
    pub fn smtp(mut self, url: SecretString, from: impl Into<String>) -> Self {
        self.mail = Some(Mail::Smtp { url, from: from.into() });
        self
    }
    /// Mail another way. Without any, [`Settings::work`] delivers nothing.
    pub fn mailer(mut self, mailer: Arc<dyn Mailer>) -> Self {
        self.mail = Some(Mail::Any(mailer));
        self
    }
    /// Another sender of webhooks than that of the feature `outbound`.
    pub fn webhooks(mut self, webhooks: Arc<dyn WebhookSender>) -> Self {
        self.webhooks = Some(webhooks);
        self
    }
    /// The Slack app that workspaces connect to. Without it Slack is no channel.
    pub fn slack(mut self, slack: Arc<dyn SlackApi>) -> Self {
        self.slack = Some(slack);
        self
    }
    /// Another judge of the URLs that tenants name than that of the feature `outbound`.
    pub fn outbound(mut self, outbound: Arc<dyn Outbound>) -> Self {
        self.outbound = Some(outbound);
        self
    }
    /// Another way to test models than that of the feature `outbound`.
    pub fn prober(mut self, prober: Arc<dyn ModelProber>) -> Self {
        self.prober = Some(prober);
        self
    }
    /// Who vouches for bearer tokens: `settings_oidc::OidcVerifier`, or your own. Without it, bearer tokens are this service's sessions.
    pub fn verifier(mut self, verifier: Arc<dyn TokenVerifier>) -> Self {
        self.verifier = Some(verifier);
        self
    }

    /// Where people sign in: `settings_oidc`'s, or your own. Without it they get links by mail.
    pub fn provider(mut self, provider: Arc<dyn SignInProvider>) -> Self {
        self.provider = Some(provider);
        self
    }
    /// The billing service. Without it nothing is billed here, and usage is only counted.
    pub fn billing(mut self, billing: Arc<dyn BillingGateway>) -> Self {
        self.billing = Some(billing);
        self
    }
    /// Mail of [`mailer`](Self::mailer) that is kept on this machine, so that an erasure forgets it there.
    pub fn kept_mail(mut self, kept: Arc<dyn KeptMail>) -> Self {
        self.kept_mail = Some(kept);
        self
    }
    /// Whoever keeps the audit log's signed checkpoints outside of the database: told of each, with its workspace and note.
    pub fn witness(mut self, witness: impl Fn(WorkspaceId, &str) + Send + Sync + 'static) -> Self {
        self.witness = Some(Arc::new(witness));
        self
    }
    /// Whether callers of the API are limited. Default: yes.
    pub const fn rate_limits(mut self, limits: bool) -> Self {
        self.limits = limits;
        self
    }

    /// Base of every link in mails, without a trailing slash.
    pub fn public_url(mut self, url: impl Into<String>) -> Self {
        self.public_url = url.into();
        self
    }
    /// One more owner of the platform, by verified address.
    pub fn platform_owner(mut self, email: Email) -> Self {
        self.owners.push(email);
        self
    }
    /// One more owner of the platform, by the subject that the verifier vouches for.
    pub fn platform_subject(mut self, subject: impl Into<String>) -> Self {
        self.subjects.insert(subject.into());
        self
    }
    /// One more region to choose from; the first is the default. Without any: `eu-central-1`.
    pub fn region(mut self, region: Region) -> Self {
        self.regions.push(region);
        self
    }
    /// The lowest retention that a workspace may choose, in days. Default: 30.
    pub const fn floor_days(mut self, days: i64) -> Self {
        self.floor_days = days;
        self
    }

    /// Opens everything.
    pub async fn open(self) -> Result<Settings, OpenError> {
        Settings::open(self).await
    }
}
