//! Chooses the adapters and puts the service together.
use crate::{
    config::{Config, Kms, Mail, OidcClient},
    database::Database,
    failure::{Failure, causes},
};
use settings_app::{App, Ports, Rules, mirror::Mirroring, worker::Senders};
use settings_aws::{AwsOptions, KmsKeyring, MimeMessage, SesMailer};
use settings_crypto::{AuditKeys, EnvelopeVault, LocalKeyring, SystemClock, SystemEntropy, Tokens, load_root};
use settings_domain::{
    ports::{Clock, identity::TokenVerifier, keyring::Keyring, mail::Mailer, sign_in::SignInProvider, slack::SlackApi},
    text::EmailKey,
};
use settings_egress::{Client, Policy, SystemResolver};
use settings_notify::{Composer, LocalMailbox, SmtpMailer};
use settings_probe::HttpProber;
use settings_slack::SlackClient;
use settings_webhook::WebhookClient;
use std::{net::SocketAddr, path::PathBuf, sync::Arc};

/// The service, and what only its shell needs.
pub(crate) struct Service {
    pub(crate) app: Arc<App>,
    /// What wraps the database's keys.
    pub(crate) keyring: Arc<dyn Keyring>,
    /// The ways out for queued messages.
    pub(crate) senders: Senders,
    /// Where the newest checkpoints are kept outside of the database.
    pub(crate) audit_witness: Option<PathBuf>,
    /// The directory elsewhere that follows this service, where there is one.
    pub(crate) mirror: Option<Mirroring>,
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
    let root = load_root(keyring.as_ref(), database.root_keys()).await.map_err(|e| Failure::service(causes(&e)))?;
    let sealer = Arc::new(AuditKeys::new(&root));
    let clock = Arc::new(SystemClock);
    let now = {
        let clock = clock.clone();
        move || clock.now()
    };
    let entropy = SystemEntropy::new(now.clone()).map_err(|e| Failure::service(e.to_string()))?;
    let (emails, subjects) = config.platform();
    let issuer = issuer(config, &public_url, clock.clone())?;
    let mirror = crate::mirror::mirroring(config, clock.clone())?;
    let rules = Rules {
        floor_days: config.compliance_floor_days,
        regions: config.regions.clone(),
        platform_emails: emails.iter().map(|e| EmailKey::clone(e.key())).collect(),
        platform_subjects: subjects.into_iter().collect(),
        public_url,
    };
    let store = database.store(sealer.clone());
    let vault = EnvelopeVault::new(Arc::clone(&keyring), Arc::clone(&store) as _, Arc::clone(&clock) as _, &root);
    let webhooks = Arc::new(WebhookClient::new(Arc::clone(&outbound)));
    let slack = slack(config)?.map(|client| Arc::new(client) as Arc<dyn SlackApi>);
    let (mailer, mailbox) = mail(config, Arc::new(now)).await?;
    let entropy = Arc::new(entropy);
    let billing = config.stripe.gateway(Arc::clone(&entropy) as _)?;
    let ports = Ports {
        store,
        mint: Arc::new(Tokens::new(&root)),
        sealer,
        vault: Arc::new(vault),
        outbound: Arc::clone(&webhooks) as _,
        prober: Arc::new(HttpProber::new(outbound, Arc::clone(&clock) as _)),
        kept_mail: mailbox.clone().map(|m| Arc::new(m) as _),
        slack: slack.clone(),
        billing: billing.map(|client| client as _),
        verifier: issuer.verifier,
        provider: issuer.provider,
        clock,
        entropy,
    };
    let senders = Senders { mailer, webhooks, slack };
    let audit_witness = config.audit_witness.clone().filter(|folder| !folder.as_os_str().is_empty());
    Ok(Service { app: Arc::new(App::new(ports, rules)), keyring, senders, audit_witness, mirror, mailbox })
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
            // A database that has a root key already was made with some keyring: a fresh one would not be it.
            let known = database.root_keys().root_key().await.map_err(|e| Failure::service(causes(&e)))?.is_some();
            let path = &config.keyring;
            let keyring = if known { LocalKeyring::open(path) } else { LocalKeyring::open_or_create(path) };
            let keyring = keyring.map_err(|e| Failure::configuration(format!("the keyring can't be used: {e}")))?;
            Ok(Arc::new(keyring))
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
