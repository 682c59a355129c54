//! Chooses the adapters and puts the service together.
use crate::{
    config::{Config, Kms, Mail, OidcClient},
    database::Database,
    failure::{Failure, causes},
    witness,
};
use settings::{Builder, Settings};
use settings_app::{App, mirror::Mirroring};
use settings_aws::{AwsOptions, KmsKeyring, MimeMessage, SesMailer};
use settings_crypto::{AuditKeys, LocalKeyring, SystemClock, SystemEntropy, load_root};
use settings_domain::ports::{Clock, identity::TokenVerifier, keyring::Keyring, mail::Mailer, sign_in::SignInProvider};
use settings_egress::{Client, Policy, SystemResolver};
use settings_notify::{Composer, LocalMailbox, SmtpMailer};
use settings_probe::HttpProber;
use settings_slack::SlackClient;
use settings_webhook::WebhookClient;
use std::{error::Error as _, net::SocketAddr, path::PathBuf, sync::Arc};

/// The service, and what only its shell needs.
pub(crate) struct Service {
    pub(crate) app: Arc<App>,
    /// The same, as services that embed it have it.
    pub(crate) settings: Settings,
    /// What wraps the database's keys.
    pub(crate) keyring: Arc<dyn Keyring>,
    /// Where the newest checkpoints are kept outside of the database.
    pub(crate) audit_witness: Option<PathBuf>,
    /// The directory elsewhere that follows this service, where there is one.
    pub(crate) mirror: Option<Mirroring>,
    /// The way out for mail.
    pub(crate) mailer: Arc<dyn Mailer>,
    /// The local mailbox, where mail is kept instead of sent.
    pub(crate) mailbox: Option<LocalMailbox>,
}

/// Opens everything that the use cases need. `public_url` has no trailing slash; `own` is where the service listens.
pub(crate) async fn service(
    config: &Config,
    database: &Database,
    public_url: String,
    own: SocketAddr,
) -> Result<Service, Failure> {
    let keyring = keyring(config, database).await?;
    let outbound = Arc::new(outbound(config, &public_url, own)?);
    let webhooks = Arc::new(WebhookClient::new(Arc::clone(&outbound)));
    let clock = Arc::new(SystemClock);
    let now = {
        let clock = Arc::clone(&clock);
        move || clock.now()
    };
    let entropy = SystemEntropy::new(now.clone()).map_err(|e| Failure::service(e.to_string()))?;
    let issuer = issuer(config, &public_url, clock.clone())?;
    let mirror = crate::mirror::mirroring(config, clock.clone())?;
    let (mailer, mailbox) = mail(config, Arc::new(now)).await?;
    let mut builder = Settings::builder()
        .migrate(false)
        .keyring(Arc::clone(&keyring))
        .mailer(Arc::clone(&mailer))
        .outbound(Arc::clone(&webhooks) as _)
        .webhooks(webhooks)
        .prober(Arc::new(HttpProber::new(outbound, clock)))
        .public_url(public_url)
        .floor_days(config.compliance_floor_days)
        .rate_limits(config.rate_limit.is_on());
    builder = match database {
        Database::Sqlite(database) => builder.database(database.clone()),
        Database::Postgres(database) => builder.database(database.clone()),
    };
    if let Some(mailbox) = &mailbox {
        builder = builder.kept_mail(Arc::new(mailbox.clone()));
    }
    if let Some(slack) = slack(config)? {
        builder = builder.slack(Arc::new(slack));
    }
    if let Some(billing) = config.stripe.gateway(Arc::new(entropy))? {
        builder = builder.billing(billing);
    }
    if let Some(verifier) = issuer.verifier {
        builder = builder.verifier(verifier);
    }
    if let Some(provider) = issuer.provider {
        builder = builder.provider(provider);
    }
    let (emails, subjects) = config.platform();
    builder = emails.into_iter().fold(builder, Builder::platform_owner);
    builder = subjects.into_iter().fold(builder, Builder::platform_subject);
    builder = config.regions.iter().cloned().fold(builder, Builder::region);
    let audit_witness = config.audit_witness.clone().filter(|folder| !folder.as_os_str().is_empty());
    if let Some(folder) = audit_witness.clone() {
        builder = builder.witness(move |workspace, note| {
            if let Err(error) = witness::keep(&folder, workspace, note) {
                tracing::warn!(%workspace, %error, "a checkpoint could not be kept in the folder of witnesses");
            }
        });
    }
    let settings = builder.open().await.map_err(|e| Failure::service(causes(e.source().unwrap_or(&e))))?;
    Ok(Service { app: Arc::clone(settings.app()), settings, keyring, audit_witness, mirror, mailer, mailbox })
}

/// The keys of the audit log alone.
pub(crate) async fn audit_keys(config: &Config, database: &Database) -> Result<AuditKeys, Failure> {
    let keyring = keyring(config, database).await?;
    let root = load_root(keyring.as_ref(), database.root_keys()).await.map_err(|e| Failure::service(causes(&e)))?;
    Ok(AuditKeys::new(&root))
}

async fn keyring(config: &Config, database: &Database) -> Result<Arc<dyn Keyring>, Failure> {
    match &config.kms {
        Kms::Local => {
            let known = database.root_keys().root_key().await.map_err(|e| Failure::service(causes(&e)))?.is_some();
            let keyring = LocalKeyring::open_for(&config.keyring, known);
            Ok(Arc::new(keyring.map_err(|e| Failure::configuration(format!("the keyring can't be used: {e}")))?))
        }
        Kms::Aws(key) => {
            let keyring = KmsKeyring::connect(key, &AwsOptions::default()).await;
            Ok(Arc::new(keyring.map_err(|e| Failure::configuration(format!("SETTINGS_KMS: {e}")))?))
        }
    }
}

/// The one way out to places that tenants name. They may not name this service itself, which listens at `bound`.
fn outbound(config: &Config, public_url: &str, bound: SocketAddr) -> Result<Client, Failure> {
    let public = url::Url::parse(public_url).ok().and_then(|url| {
        let port = url.port_or_known_default()?;
        url.host_str().map(|host| format!("{host}:{port}"))
    });
    // Bound to every address, it is reached at each of this machine's; these two are the ones an allowed network may hold.
    let loopback = bound.ip().is_unspecified().then(|| ["127.0.0.1", "[::1]"].map(|a| format!("{a}:{}", bound.port())));
    let own = public.into_iter().chain([bound.to_string()]).chain(loopback.into_iter().flatten());
    let policy = Policy::new(config.outbound_allow.clone(), own)
        .map_err(|e| Failure::configuration(format!("SETTINGS_PUBLIC_URL or SETTINGS_BIND: {e}")))?;
    Client::new(policy, Arc::new(SystemResolver)).map_err(|e| Failure::service(causes(&e)))
}

/// What an OIDC issuer is to the service: it vouches for bearer tokens, and people may sign in there.
#[derive(Default)]
struct Issuer {
    verifier: Option<Arc<dyn TokenVerifier>>,
    provider: Option<Arc<dyn SignInProvider>>,
}

/// Where people sign in, for who asks about that alone.
pub(crate) fn sign_in(config: &Config, public_url: &str) -> Result<Option<Arc<dyn SignInProvider>>, Failure> {
    Ok(issuer(config, public_url, Arc::new(SystemClock))?.provider)
}

fn issuer(config: &Config, public_url: &str, clock: Arc<dyn Clock>) -> Result<Issuer, Failure> {
    // Commands that serve nobody name no address to come back to.
    let client = config.client()?.filter(|_| !public_url.is_empty());
    let Some(issuer) = config.issuer() else { return Ok(Issuer::default()) };
    let wrong = |e: settings_oidc::ConfigError| {
        Failure::configuration(format!("AUTH0_ISSUER_BASE_URL, AUTH0_DOMAIN or AUTH0_AUDIENCE: {e}"))
    };
    let oidc = settings_oidc::OidcConfig { issuer, audience: config.audience.clone() };
    let http = settings_oidc::http_client().map_err(wrong)?;
    let verifier = settings_oidc::OidcVerifier::new(oidc, http, clock).map_err(wrong)?;
    let provider = client.map(|client| provider(&verifier, client, public_url)).transpose()?;
    Ok(Issuer { verifier: Some(Arc::new(verifier)), provider })
}

fn provider(
    verifier: &settings_oidc::OidcVerifier,
    client: OidcClient,
    public_url: &str,
) -> Result<Arc<dyn SignInProvider>, Failure> {
    let sign_in = settings_oidc::SignInConfig {
        client_id: client.id,
        client_secret: client.secret,
        secret: client.seal,
        base_url: public_url.to_owned(),
    };
    let provider = verifier.sign_in(sign_in).map_err(|e| {
        Failure::configuration(format!("AUTH0_CLIENT_ID, AUTH0_CLIENT_SECRET, AUTH0_SECRET or AUTH0_BASE_URL: {e}"))
    })?;
    Ok(Arc::new(provider))
}

/// Slack, where it is set up.
pub(crate) fn slack(config: &Config) -> Result<Option<SlackClient>, Failure> {
    let Some((id, secret)) = config.slack()? else { return Ok(None) };
    let wrong = |e| Failure::configuration(format!("SLACK_CLIENT_ID, SLACK_CLIENT_SECRET or SLACK_API_BASE: {e}"));
    Ok(Some(SlackClient::new(id, secret, &config.slack_api_base).map_err(wrong)?))
}

/// Mail by way of SES.
pub(crate) async fn ses(config: &Config, clock: settings_notify::Clock) -> Result<SesMailer, Failure> {
    let wrong = |e: String| Failure::configuration(format!("SETTINGS_MAIL or SETTINGS_MAIL_FROM: {e}"));
    let composer = Composer::new(&config.mail_from, clock).map_err(|e| wrong(e.to_string()))?;
    let compose = Arc::new(move |mail: &settings_domain::ports::mail::Mail| {
        let made = composer.compose(mail)?;
        Ok(MimeMessage { from: made.from, to: made.to, bytes: made.mime })
    });
    SesMailer::connect(&AwsOptions::default(), compose).await.map_err(|e| wrong(e.to_string()))
}

async fn mail(
    config: &Config,
    clock: settings_notify::Clock,
) -> Result<(Arc<dyn Mailer>, Option<LocalMailbox>), Failure> {
    match config.mail()? {
        Mail::Mailbox => {
            let wrong = |e| Failure::configuration(format!("SETTINGS_MAILBOX: {e}"));
            let mailbox = LocalMailbox::open(&config.mailbox, clock).await.map_err(wrong)?;
            Ok((Arc::new(mailbox.clone()), Some(mailbox)))
        }
        Mail::Ses => Ok((Arc::new(ses(config, clock).await?), None)),
        Mail::Smtp(url) => {
            let wrong = |e| Failure::configuration(format!("SETTINGS_MAIL or SETTINGS_MAIL_FROM: {e}"));
            Ok((Arc::new(SmtpMailer::new(&url, &config.mail_from, clock).map_err(wrong)?), None))
        }
    }
}
