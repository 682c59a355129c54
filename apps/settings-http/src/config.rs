//! Configuration: every variable, its default and its meaning. Only this file and `main.rs` know the environment.
use crate::{audit_arguments::AuditCommand, billing::Stripe, failure::Failure, mcp, mirror};
use clap::{Args, Parser, Subcommand, ValueEnum};
use ipnet::IpNet;
use secrecy::SecretString;
use settings_domain::text::{Email, Region};
use std::{net::SocketAddr, path::PathBuf};
use url::Url;

/// The settings service.
#[derive(Debug, Parser)]
#[command(name = "settings-http", version, about = "Where a workspace keeps who it is, who may do what, its keys and its audit trail.", long_about = None)]
#[command(
    after_help = "Exit codes: 0 done, 1 a fault was found or the service failed, 2 bad usage or configuration, 78 unsafe configuration."
)]
pub(crate) struct Cli {
    #[command(subcommand)]
    pub(crate) command: Option<Command>,
    #[command(flatten)]
    pub(crate) config: Config,
}

/// What to do; `serve` where nothing is said.
#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Run the service: API, pages and, unless `SETTINGS_WORKER=off`, the worker.
    Serve,
    /// Bring the database of `DATABASE_URL` to the newest schema.
    Migrate,
    /// Print the OpenAPI 3.1 document.
    Openapi,
    /// Print generated documentation.
    Docs {
        /// Which document.
        #[arg(value_enum)]
        which: Document,
    },
    /// Audit log.
    #[command(subcommand)]
    Audit(AuditCommand),
    /// Key-encryption keys.
    #[command(subcommand)]
    Keys(KeysCommand),
    /// The directory of people elsewhere that follows this service (Auth0 Organizations).
    #[command(subcommand)]
    Mirror(mirror::MirrorCommand),
    /// Serve the tools of a running service over standard input and output, to a client of the Model Context Protocol.
    Mcp(mcp::McpOptions),
    /// Say what is configured, what answers and what is missing; exit 1 on a fault.
    Doctor,
    /// Run the worker alone: it delivers notifications and sends queued mail.
    Worker,
}

/// A generated document.
#[derive(Debug, Clone, Copy, ValueEnum)]
pub(crate) enum Document {
    /// The permission matrix.
    Permissions,
    /// The problems.
    Errors,
}

/// What to do with the keys.
#[derive(Debug, Subcommand)]
pub(crate) enum KeysCommand {
    /// Wrap every data key and the root key by a new key-encryption key, while the service runs.
    ///
    /// Values are not touched. A run that was stopped is finished by the next, which makes no further key. With a key in AWS
    /// KMS: set `SETTINGS_KMS` to the new key on every server first.
    #[command(after_help = "Examples:
  settings-http keys rotate --dry-run    what would be done
  settings-http keys rotate              do it; run it again if it was stopped
  settings-http keys status              what is still on an old key

Exit codes: 0 everything is on the current key, 1 something is not, 2 bad usage or configuration.")]
    Rotate {
        /// Say what would be done and change nothing.
        #[arg(long)]
        dry_run: bool,
        /// Make a further key even where something is still on an old one, such as a data key that does not open.
        #[arg(long)]
        new_key: bool,
    },
    /// Say which key-encryption key wraps and what is still on an old one; exit 1 where something is.
    Status,
}

/// On, off or by circumstances.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Switch {
    /// On.
    On,
    /// Off.
    Off,
}

impl Switch {
    pub(crate) fn is_on(self) -> bool {
        self == Self::On
    }
}

/// Every setting. Each is an environment variable, or the option of the same name.
#[derive(Debug, Args)]
pub(crate) struct Config {
    /// Address to listen on; port 0 picks one.
    #[arg(long, env = "SETTINGS_BIND", default_value = "127.0.0.1:8080", global = true)]
    pub(crate) bind: SocketAddr,
    /// Base of every link; the bound address where absent.
    #[arg(long, env = "SETTINGS_PUBLIC_URL", hide_env_values = true, global = true)]
    public_url: Option<String>,
    /// `sqlite://…` or `postgres://…`.
    #[arg(
        long,
        env = "DATABASE_URL",
        default_value = "sqlite://data/settings.db",
        hide_env_values = true,
        global = true
    )]
    database_url: String,
    /// Migrate at start: `off` leaves a Postgres schema alone (SQLite is always migrated).
    #[arg(long, env = "SETTINGS_MIGRATE", value_enum, default_value = "on", global = true)]
    pub(crate) migrate: Switch,
    /// Verified e-mails or token subjects that hold the System role, separated by commas.
    #[arg(long, env = "SETTINGS_PLATFORM_ADMINS", value_delimiter = ',', hide_env_values = true, global = true)]
    pub(crate) platform_admins: Vec<String>,
    /// On an empty database make the workspace `acme` and print a sign-in link of its admin, who is the platform's owner too
    /// where `SETTINGS_PLATFORM_ADMINS` names nobody. By default on where no OIDC issuer is set: there is no other way in.
    #[arg(long, env = "SETTINGS_DEMO", value_enum, global = true)]
    demo: Option<Switch>,
    /// OIDC issuer of bearer tokens (Auth0 or any other); http only for loopback. Where absent, `AUTH0_DOMAIN`.
    #[arg(long, env = "AUTH0_ISSUER_BASE_URL", global = true)]
    issuer: Option<String>,
    /// Expected `aud` of bearer tokens.
    #[arg(long, env = "AUTH0_AUDIENCE", default_value = "settings", global = true)]
    pub(crate) audience: String,
    /// This service's client at the issuer: with the three below, people sign in there in their browser.
    #[arg(long, env = "AUTH0_CLIENT_ID", global = true)]
    client_id: Option<String>,
    /// The client's secret.
    #[arg(long, env = "AUTH0_CLIENT_SECRET", hide_env_values = true, global = true)]
    client_secret: Option<String>,
    /// Seals what browsers keep while somebody signs in: 32 characters or more, the same for every process.
    #[arg(long, env = "AUTH0_SECRET", hide_env_values = true, global = true)]
    sign_in_secret: Option<String>,
    /// Where people reach this service; `SETTINGS_PUBLIC_URL` where absent, and its default where that is absent.
    #[arg(long, env = "AUTH0_BASE_URL", global = true)]
    base_url: Option<String>,
    #[command(flatten)]
    pub(crate) directory: mirror::Directory,
    /// Where the key-encryption key lives: `local`, or `aws:<key id, ARN or alias>` with AWS's own environment variables.
    #[arg(long, env = "SETTINGS_KMS", default_value = "local", value_parser = kms, global = true)]
    pub(crate) kms: Kms,
    /// The local keyring file, mode 0600; made at first start.
    #[arg(long, env = "SETTINGS_KEYRING", default_value = "data/keyring.json", global = true)]
    pub(crate) keyring: PathBuf,
    /// `mailbox` (kept locally, shown at /dev/mailbox on loopback), `smtp://…`, `smtps://…`, or `ses` with AWS's own
    /// environment variables.
    #[arg(long, env = "SETTINGS_MAIL", default_value = "mailbox", hide_env_values = true, global = true)]
    mail: String,
    /// Sender of every mail.
    #[arg(long, env = "SETTINGS_MAIL_FROM", default_value = "Settings <settings@example.invalid>", global = true)]
    pub(crate) mail_from: String,
    /// Folder of the local mailbox.
    #[arg(long, env = "SETTINGS_MAILBOX", default_value = "data/mailbox", global = true)]
    pub(crate) mailbox: PathBuf,
    /// Client id of the Slack app that workspaces connect to; unset, Slack is no channel.
    #[arg(long, env = "SLACK_CLIENT_ID", global = true)]
    slack_client_id: Option<String>,
    /// Its client secret.
    #[arg(long, env = "SLACK_CLIENT_SECRET", hide_env_values = true, global = true)]
    slack_client_secret: Option<String>,
    /// Where Slack is.
    #[arg(long, env = "SLACK_API_BASE", default_value = settings_slack::SLACK, global = true)]
    pub(crate) slack_api_base: String,
    #[command(flatten)]
    pub(crate) stripe: Stripe,
    /// Lowest retention in days that any workspace may choose.
    #[arg(long, env = "SETTINGS_COMPLIANCE_FLOOR_DAYS", default_value_t = 30, value_parser = clap::value_parser!(i64).range(1..=3650), global = true)]
    pub(crate) compliance_floor_days: i64,
    /// Allowed values of defaultRegion, separated by commas; the first is the default.
    #[arg(
        long,
        env = "SETTINGS_REGIONS",
        default_value = "eu-central-1,us-east-1",
        value_delimiter = ',',
        global = true
    )]
    pub(crate) regions: Vec<Region>,
    /// Networks that webhooks and model probes may reach although private, over plain http and on any port, as CIDRs
    /// separated by commas. Outside of them https on port 443 of public hosts alone.
    #[arg(long, env = "SETTINGS_OUTBOUND_ALLOW", value_delimiter = ',', global = true)]
    pub(crate) outbound_allow: Vec<IpNet>,
    /// Limit requests per credential and per address.
    #[arg(long, env = "SETTINGS_RATE_LIMIT", value_enum, default_value = "on", global = true)]
    pub(crate) rate_limit: Switch,
    /// A folder outside of the database for the newest checkpoint of each audit log. Where the database does not hold what was
    /// signed, nothing is served.
    #[arg(long, env = "SETTINGS_AUDIT_WITNESS", value_name = "FOLDER", global = true)]
    pub(crate) audit_witness: Option<PathBuf>,
    /// Run the worker in this process.
    #[arg(long, env = "SETTINGS_WORKER", value_enum, default_value = "on", global = true)]
    pub(crate) worker: Switch,
    /// What to log, such as `info` or `settings_api=debug`.
    #[arg(long, env = "RUST_LOG", default_value = "info", global = true)]
    pub(crate) log: String,
}

/// The admin of the demo workspace.
pub(crate) const DEMO_ADMIN: &str = "admin@acme.example";

impl Config {
    /// Which database. Read here and not by the command line's parser, which would repeat a mistyped password.
    pub(crate) fn database_url(&self) -> Result<DatabaseUrl, Failure> {
        database_url(&self.database_url).map_err(|e| Failure::configuration(format!("DATABASE_URL {e}")))
    }
    /// Base of every link, without a trailing slash.
    pub(crate) fn public_url(&self) -> Result<Option<String>, Failure> {
        let named = |name: &str, value: &Option<String>| {
            let url = value.as_deref().filter(|u| !u.is_empty()).map(public_url).transpose();
            let url = url.map_err(|e| Failure::configuration(format!("{name} {e}")))?;
            Ok(url.map(|u| u.as_str().trim_end_matches('/').to_owned()))
        };
        match (named("SETTINGS_PUBLIC_URL", &self.public_url)?, named("AUTH0_BASE_URL", &self.base_url)?) {
            // People would come back to an address that their cookies are not for.
            (Some(public), Some(base)) if public != base => Err(Failure::configuration(
                "SETTINGS_PUBLIC_URL and AUTH0_BASE_URL are different addresses: set one of them, or both alike",
            )),
            (public, base) => Ok(public.or(base)),
        }
    }
    /// This service's client at the issuer. All or nothing: half of it is a mistake.
    pub(crate) fn client(&self) -> Result<Option<OidcClient>, Failure> {
        let given = |value: &Option<String>| value.clone().filter(|v| !v.is_empty());
        let (id, secret, seal) = (given(&self.client_id), given(&self.client_secret), given(&self.sign_in_secret));
        match (id, secret, seal) {
            (None, None, None) => Ok(None),
            (Some(id), Some(secret), Some(seal)) if self.issuer().is_some() => {
                Ok(Some(OidcClient { id, secret: secret.into(), seal: seal.into() }))
            }
            _ => Err(Failure::configuration(
                "sign-in at the issuer needs AUTH0_ISSUER_BASE_URL or AUTH0_DOMAIN, AUTH0_CLIENT_ID, AUTH0_CLIENT_SECRET and AUTH0_SECRET: set all four, or none of the last three",
            )),
        }
    }
    /// How mail leaves.
    pub(crate) fn mail(&self) -> Result<Mail, Failure> {
        mail(&self.mail).map_err(|e| Failure::configuration(format!("SETTINGS_MAIL {e}")))
    }
    /// The Slack app's id and secret; an empty variable is as good as none.
    pub(crate) fn slack(&self) -> Result<Option<(&str, SecretString)>, Failure> {
        let given = |text: &Option<String>| text.as_deref().is_some_and(|t| !t.is_empty());
        match (&self.slack_client_id, &self.slack_client_secret) {
            (Some(id), Some(secret)) if !id.is_empty() && !secret.is_empty() => {
                Ok(Some((id, SecretString::from(secret.as_str()))))
            }
            (id, secret) if given(id) || given(secret) => Err(Failure::configuration(
                "SLACK_CLIENT_ID and SLACK_CLIENT_SECRET belong together: set both, or neither",
            )),
            _ => Ok(None),
        }
    }
    /// The OIDC issuer: the one that is named, else the tenant of Auth0. An empty variable is as good as none.
    pub(crate) fn issuer(&self) -> Option<String> {
        let named = self.issuer.clone().filter(|i| !i.is_empty());
        named.or_else(|| self.directory.issuer())
    }
    /// The id of this service's client at the issuer, whether or not people sign in there.
    pub(crate) fn client_id(&self) -> Option<String> {
        self.client_id.clone().filter(|id| !id.is_empty())
    }
    /// Whether the first start makes a workspace and prints a way in.
    pub(crate) fn demo(&self) -> bool {
        self.demo.map_or_else(|| self.issuer().is_none(), Switch::is_on)
    }
    /// Whether somebody said so, rather than the circumstances.
    pub(crate) const fn demo_is_meant(&self) -> bool {
        self.demo.is_some()
    }
    /// The platform's owners: e-mails, and subjects for what is no e-mail.
    pub(crate) fn platform(&self) -> (Vec<Email>, Vec<String>) {
        let demo = self.demo() && self.platform_admins.iter().all(|s| s.trim().is_empty());
        let demo = demo.then_some(DEMO_ADMIN);
        let named = self.platform_admins.iter().map(|s| s.trim()).filter(|s| !s.is_empty()).chain(demo);
        let (mut emails, mut subjects) = (Vec::new(), Vec::new());
        for name in named {
            match name.parse() {
                Ok(email) => emails.push(email),
                Err(_) => subjects.push(name.to_owned()),
            }
        }
        (emails, subjects)
    }
}

/// This service's client at the issuer.
#[derive(Debug)]
pub(crate) struct OidcClient {
    pub(crate) id: String,
    pub(crate) secret: SecretString,
    /// What sealing keys are made of.
    pub(crate) seal: SecretString,
}

/// Which database. A password may stand in it, so it is never shown.
#[derive(Clone)]
pub(crate) enum DatabaseUrl {
    Sqlite(String),
    Postgres(String),
}

impl std::fmt::Debug for DatabaseUrl {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.kind())
    }
}

impl DatabaseUrl {
    pub(crate) const fn kind(&self) -> &'static str {
        match self {
            Self::Sqlite(_) => "SQLite",
            Self::Postgres(_) => "Postgres",
        }
    }
}

fn database_url(text: &str) -> Result<DatabaseUrl, String> {
    if text.starts_with("sqlite:") {
        Ok(DatabaseUrl::Sqlite(text.to_owned()))
    } else if text.starts_with("postgres://") || text.starts_with("postgresql://") {
        Ok(DatabaseUrl::Postgres(text.to_owned()))
    } else {
        Err("must start with sqlite:// or postgres://".to_owned())
    }
}

fn public_url(text: &str) -> Result<Url, String> {
    let url: Url = text.parse().map_err(|_| "must be a URL".to_owned())?;
    let plain =
        url.query().is_none() && url.fragment().is_none() && url.username().is_empty() && url.password().is_none();
    if ["http", "https"].contains(&url.scheme()) && url.has_host() && plain {
        Ok(url)
    } else {
        Err("must be an http(s) URL without query, fragment or credentials".to_owned())
    }
}

/// Where the key-encryption key lives.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Kms {
    /// In the keyring file.
    Local,
    /// In AWS KMS: a key id, an ARN or an alias.
    Aws(String),
}

fn kms(text: &str) -> Result<Kms, String> {
    match text.split_once(':') {
        None if text == "local" => Ok(Kms::Local),
        Some(("aws", key)) if !key.is_empty() => Ok(Kms::Aws(key.to_owned())),
        _ => Err("must be local or aws:<key id, ARN or alias>".to_owned()),
    }
}

/// How mail leaves. The URL may hold a password, so it is never shown.
#[derive(Clone)]
pub(crate) enum Mail {
    Mailbox,
    Ses,
    Smtp(SecretString),
}

impl std::fmt::Debug for Mail {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Mailbox => "mailbox",
            Self::Ses => "ses",
            Self::Smtp(_) => "smtp",
        })
    }
}

fn mail(text: &str) -> Result<Mail, String> {
    match text {
        "mailbox" => Ok(Mail::Mailbox),
        "ses" => Ok(Mail::Ses),
        smtp if smtp.starts_with("smtp://") || smtp.starts_with("smtps://") => Ok(Mail::Smtp(smtp.to_owned().into())),
        _ => Err("must be mailbox, smtp://…, smtps://… or ses".to_owned()),
    }
}
