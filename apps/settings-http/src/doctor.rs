//! `doctor`: what is configured, what answers, what is missing.
use crate::{
    compose,
    config::{Config, Kms, Mail},
    database::Database,
    failure::Failure,
    keys::Standing,
    mirror,
};
use secrecy::ExposeSecret as _;
use settings_crypto::{SystemClock, SystemEntropy};
use settings_domain::ports::{Clock as _, sign_in::SignInError};
use std::{sync::Arc, time::Duration};
use tokio::{net::TcpStream, time::timeout};
use url::Url;

/// How long anything may take to answer.
const PATIENCE: Duration = Duration::from_secs(5);

/// What a check found: what is fine, or what is wrong and what to do.
type Finding = Result<String, String>;

/// Checks everything and says so; exit 1 on a fault.
pub(crate) async fn doctor(config: &Config) -> Result<(), Failure> {
    let mut findings: Vec<(&str, Finding)> = Vec::new();
    match Database::connect(&config.database_url()?).await {
        Err(e) => findings.push(("database", Err(e.to_string()))),
        Ok(database) => {
            findings.push(("database", Ok(format!("{} answers", config.database_url()?.kind()))));
            findings.push(("tenant isolation", isolation(&database).await));
            let migrations = migrations(&database).await;
            let migrated = migrations.is_ok();
            findings.push(("migrations", migrations));
            if migrated {
                findings.push(("directory", mirror::finding(config, &database).await));
            }
            findings.push((
                "keyring",
                if migrated { keyring(config, &database).await } else { Err("not checked: migrate first".to_owned()) },
            ));
        }
    }
    findings.push(("issuer", issuer(config).await));
    findings.push(("sign-in", sign_in(config).await));
    findings.push(("mail", mail(config).await));
    findings.push(("slack", slack(config).await));
    findings.push(("stripe", stripe(config).await));
    let (emails, subjects) = config.platform();
    findings.push(("platform owners", Ok(format!("{} e-mails, {} subjects", emails.len(), subjects.len()))));

    let faults = findings.iter().filter(|(_, f)| f.is_err()).count();
    for (what, finding) in &findings {
        match finding {
            Ok(text) => println!("ok     {what}: {text}"),
            Err(text) => println!("FAULT  {what}: {text}"),
        }
    }
    if faults == 0 { Ok(()) } else { Err(Failure::service(format!("{faults} faults found"))) }
}

/// The second wall behind every query's own tenant: row-level security, which Postgres lifts for superusers.
async fn isolation(database: &Database) -> Finding {
    match database.rls_enforced().await {
        None => Ok("by every statement; SQLite has no second wall".to_owned()),
        Some(Ok(true)) => Ok("row-level security binds this connection".to_owned()),
        Some(Ok(false)) => Err("row-level security does not bind this role: connect as one that is no superuser, or let it take the role settings_app".to_owned()),
        Some(Err(e)) => Err(e.to_string()),
    }
}

async fn migrations(database: &Database) -> Finding {
    match database.pending_migrations().await {
        Ok(0) => Ok("up to date".to_owned()),
        Ok(n) => Err(format!("{n} pending; run `settings-http migrate`")),
        Err(e) => Err(e.to_string()),
    }
}

/// The whole service is put together as `serve` would do it: this opens the keyring and unwraps the root key.
async fn keyring(config: &Config, database: &Database) -> Finding {
    match compose::service(config, database, String::new(), config.bind).await {
        Ok(service) => {
            let keyring = match &config.kms {
                Kms::Local => format!("{} opens this database's keys", config.keyring.display()),
                Kms::Aws(key) => format!("AWS KMS opens this database's keys with {key}"),
            };
            match Standing::of(&service, database).await {
                Ok(standing) if standing.is_done() => Ok(format!("{keyring}; {standing}")),
                // A rotation that is not over is no fault: everything opens.
                Ok(standing) => Ok(format!("{keyring}; {standing}: `settings-http keys rotate` wraps these anew")),
                Err(e) => Err(e.to_string()),
            }
        }
        Err(e) => Err(e.to_string()),
    }
}

async fn issuer(config: &Config) -> Finding {
    let Some(issuer) = config.issuer() else { return Ok("none".to_owned()) };
    let address = format!("{}/.well-known/openid-configuration", issuer.trim_end_matches('/'));
    let http = settings_oidc::http_client().map_err(|e| e.to_string())?;
    match timeout(PATIENCE, http.get(&address).send()).await {
        Ok(Ok(answer)) if answer.status().is_success() => Ok(format!("{issuer} answers")),
        Ok(Ok(answer)) => {
            Err(format!("{address} answers {}; check AUTH0_ISSUER_BASE_URL or AUTH0_DOMAIN", answer.status()))
        }
        Ok(Err(_)) | Err(_) => {
            Err(format!("{address} does not answer; check AUTH0_ISSUER_BASE_URL or AUTH0_DOMAIN, and the network"))
        }
    }
}

/// Whether Slack answers. Whether it knows this app shows when somebody connects it: there is no call that would tell before.
async fn slack(config: &Config) -> Finding {
    let Some(client) = compose::slack(config).map_err(|e| e.to_string())? else {
        return Ok("not set up: SLACK_CLIENT_ID and SLACK_CLIENT_SECRET are unset".to_owned());
    };
    let place = &config.slack_api_base;
    match timeout(PATIENCE, client.check()).await {
        Ok(Ok(())) => Ok(format!("{place} answers")),
        Ok(Err(e)) => Err(format!("{e}; check SLACK_API_BASE and the network")),
        Err(_) => Err(format!("{place} does not answer; check SLACK_API_BASE and the network")),
    }
}

async fn stripe(config: &Config) -> Finding {
    let clock = SystemClock;
    let entropy = SystemEntropy::new(move || clock.now()).map_err(|e| e.to_string())?;
    config.stripe.finding(Arc::new(entropy)).await
}

/// Asks the issuer whether it knows this service's client, by a code that nobody has.
async fn sign_in(config: &Config) -> Finding {
    let public = config.public_url().map_err(|e| e.to_string())?;
    // What `serve` would use: the bound address.
    let public = public.unwrap_or_else(|| format!("http://{}", config.bind));
    let Some(provider) = compose::sign_in(config, &public).map_err(|e| e.to_string())? else {
        return Ok(match config.issuer() {
            None => "by e-mailed links".to_owned(),
            Some(_) => "people bring tokens of the issuer; without AUTH0_CLIENT_ID they can't sign in to the console"
                .to_owned(),
        });
    };
    match timeout(PATIENCE * 2, provider.check()).await {
        Ok(Ok(())) => Ok(format!("{} knows this client; its callback must be {public}/auth/callback", provider.name())),
        Ok(Err(e @ SignInError::Misconfigured(_))) => {
            Err(format!("{e}; check AUTH0_CLIENT_ID and AUTH0_CLIENT_SECRET"))
        }
        Ok(Err(_)) | Err(_) => Err(format!("{} does not answer", provider.name())),
    }
}

/// Whether SES answers and knows the credentials. Whether it sends shows when it does: no call would prove the right to.
async fn ses(config: &Config) -> Finding {
    let mailer = compose::ses(config, Arc::new(|| SystemClock.now())).await.map_err(|e| e.to_string())?;
    let domain = config.mail_from.rsplit('@').next().unwrap_or_default().trim_end_matches('>');
    match timeout(PATIENCE, mailer.check(domain)).await {
        Ok(Ok(())) => Ok("SES answers; `POST /workspace/notifications/test` sends a mail".to_owned()),
        Ok(Err(e)) => Err(e.to_string()),
        Err(_) => Err("SES does not answer; check AWS_REGION, AWS_ENDPOINT_URL and the network".to_owned()),
    }
}

async fn mail(config: &Config) -> Finding {
    let relay = match config.mail().map_err(|e| e.to_string())? {
        Mail::Mailbox => return Ok(format!("kept in {}", config.mailbox.display())),
        Mail::Ses => return ses(config).await,
        Mail::Smtp(relay) => relay,
    };
    let wrong = || "SETTINGS_MAIL is no URL with a host".to_owned();
    let url: Url = relay.expose_secret().parse().map_err(|_| wrong())?;
    let host = url.host_str().ok_or_else(wrong)?;
    let bare = url.query_pairs().any(|(name, value)| name == "tls" && value == "none")
        || ["localhost", "127.0.0.1", "[::1]"].contains(&host);
    let port = url.port().unwrap_or(match url.scheme() {
        "smtps" => 465,
        _ if bare => 25,
        _ => 587,
    });
    match timeout(PATIENCE, TcpStream::connect((host, port))).await {
        Ok(Ok(_)) => Ok(format!("{host}:{port} accepts connections")),
        Ok(Err(_)) | Err(_) => {
            Err(format!("{host}:{port} does not accept connections; check SETTINGS_MAIL and the network"))
        }
    }
}
