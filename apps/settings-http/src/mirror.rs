//! The directory of people elsewhere that follows this service: its settings, its commands, and what keeps it following.
use crate::{
    compose,
    config::Config,
    database::Database,
    failure::{Failure, causes},
};
use clap::{Args, Subcommand};
use settings_app::{
    App,
    mirror::{Followed, Mirroring, MirroringError},
};
use settings_domain::{
    mirror::Step,
    ports::{
        Clock,
        mirror::{MirrorError, Place},
    },
};
use settings_oidc::{Auth0Config, Auth0Organizations};
use std::{
    collections::BTreeSet,
    sync::Arc,
    time::{Duration, Instant},
};
use tokio_util::sync::CancellationToken;

/// How long a follower rests where nothing is due.
const REST: Duration = Duration::from_secs(1);
/// How long it rests where the directory or the store is away: the next workspace would fare no better.
const AWAY: Duration = Duration::from_secs(10);
/// How many workspaces are looked up at once.
const PAGE: i64 = 200;
/// How often a long run says how far it is.
const EVERY: Duration = Duration::from_secs(5);
/// How long `doctor` compares at most.
const PATIENCE: Duration = Duration::from_secs(45);

/// The tenant of Auth0, and this service's machine-to-machine client there.
#[derive(Debug, Args)]
pub(crate) struct Directory {
    /// Tenant of Auth0, such as `acme.eu.auth0.com`: the issuer where `AUTH0_ISSUER_BASE_URL` is unset, and with the two
    /// below the place that memberships are mirrored into (Organizations).
    #[arg(long, env = "AUTH0_DOMAIN", global = true)]
    domain: Option<String>,
    /// Machine-to-machine client of the Management API. Members, roles and, with `AUTH0_CLIENT_ID`, invitations follow.
    #[arg(long, env = "AUTH0_M2M_CLIENT_ID", global = true)]
    m2m_client_id: Option<String>,
    /// Its secret.
    #[arg(long, env = "AUTH0_M2M_CLIENT_SECRET", hide_env_values = true, global = true)]
    m2m_client_secret: Option<String>,
}

fn given(value: Option<&String>) -> Option<String> {
    value.map(|v| v.trim()).filter(|v| !v.is_empty()).map(str::to_owned)
}

impl Directory {
    /// The tenant as an issuer: Auth0's own has a slash at its end.
    pub(crate) fn issuer(&self) -> Option<String> {
        let domain = given(self.domain.as_ref())?;
        let domain = domain.trim_end_matches('/');
        Some(if domain.contains("://") { format!("{domain}/") } else { format!("https://{domain}/") })
    }
    /// Domain, id and secret of the machine-to-machine client. A domain alone is an issuer and no directory.
    fn client(&self) -> Result<Option<(String, String, String)>, Failure> {
        let [domain, id, secret] =
            [&self.domain, &self.m2m_client_id, &self.m2m_client_secret].map(|v| given(v.as_ref()));
        match (domain, id, secret) {
            (_, None, None) => Ok(None),
            (Some(domain), Some(id), Some(secret)) => Ok(Some((domain, id, secret))),
            _ => Err(Failure::configuration(
                "mirroring into Auth0 Organizations needs AUTH0_DOMAIN, AUTH0_M2M_CLIENT_ID and AUTH0_M2M_CLIENT_SECRET: set all three, or none of the last two",
            )),
        }
    }
}

/// The directory that is configured.
pub(crate) fn mirroring(config: &Config, clock: Arc<dyn Clock>) -> Result<Option<Mirroring>, Failure> {
    let Some((domain, client_id, client_secret)) = config.directory.client()? else { return Ok(None) };
    let wrong = |e: settings_oidc::ConfigError| {
        Failure::configuration(format!("AUTH0_DOMAIN, AUTH0_M2M_CLIENT_ID or AUTH0_M2M_CLIENT_SECRET: {e}"))
    };
    let auth0 = Auth0Config { domain, client_id, client_secret: client_secret.into(), application: config.client_id() };
    let directory =
        Auth0Organizations::new(auth0, settings_oidc::http_client().map_err(wrong)?, clock).map_err(wrong)?;
    // With the domain there is always an issuer.
    Ok(config.issuer().map(|issuer| Mirroring::new(Arc::new(directory), issuer)))
}

/// What to do with the directory.
#[derive(Debug, Subcommand)]
pub(crate) enum MirrorCommand {
    /// Show what it would take so that the directory equals this service, and change nothing; exit 1 where they differ.
    Plan {
        /// Only this workspace.
        #[arg(long, value_name = "SLUG")]
        workspace: Option<String>,
    },
    /// Do what `plan` shows. A run that was stopped is finished by the next.
    ///
    /// Workspaces, members and invitations of this service alone are touched. The worker does the same by itself after each
    /// change; this is for what somebody changed in the directory.
    #[command(after_help = "Examples:
  settings-http mirror plan                      what differs
  settings-http mirror apply --dry-run           the same
  settings-http mirror apply --workspace acme    make one workspace equal
  settings-http mirror apply                     make all of them equal

Exit codes: 0 the directory equals this service, 1 it does not or does not answer, 2 bad usage or configuration.")]
    Apply {
        /// Only this workspace.
        #[arg(long, value_name = "SLUG")]
        workspace: Option<String>,
        /// Show what would be done and change nothing.
        #[arg(long)]
        dry_run: bool,
    },
}

/// Runs a command.
pub(crate) async fn run(config: &Config, command: MirrorCommand) -> Result<(), Failure> {
    let database = Database::connect(&config.database_url()?).await?;
    let pending = database.pending_migrations().await?;
    if pending > 0 {
        return Err(Failure::service(format!(
            "the schema is {pending} migrations behind. Run `settings-http migrate`."
        )));
    }
    let service = compose::service(config, &database, String::new(), config.bind).await?;
    let mirror = service.mirror.as_ref().ok_or_else(|| {
        Failure::configuration(
            "there is no directory: set AUTH0_DOMAIN, AUTH0_M2M_CLIENT_ID and AUTH0_M2M_CLIENT_SECRET",
        )
    })?;
    let (only, apply) = match command {
        MirrorCommand::Plan { workspace } => (workspace, false),
        MirrorCommand::Apply { workspace, dry_run } => (workspace, !dry_run),
    };
    let places = places(&service.app, only.as_deref()).await?;
    if apply { reconcile(&service.app, mirror, &places).await } else { show(&service.app, mirror, &places).await }
}

fn failed(e: &(dyn std::error::Error + 'static)) -> Failure {
    Failure::service(causes(e))
}

async fn places(app: &App, only: Option<&str>) -> Result<Vec<Place>, Failure> {
    let mut all: Vec<Place> = Vec::new();
    loop {
        let after = all.last().map(|p| p.workspace);
        let page = app.ports().store.places(after, PAGE).await.map_err(|e| failed(&e))?;
        if page.is_empty() {
            break;
        }
        all.extend(page);
    }
    if let Some(slug) = only {
        all.retain(|p| p.slug.as_str() == slug);
        if all.is_empty() {
            return Err(Failure::service(format!("there is no workspace {slug}")));
        }
    }
    Ok(all)
}

/// A step for an operator, with whom it is about.
fn said(step: &Step) -> String {
    match step {
        Step::RemoveMember(id) => format!("- remove member {id}"),
        Step::TakeRole(id, role) => format!("- take role {role} from {id}"),
        Step::Withdraw(id) => format!("- withdraw invitation {id}"),
        Step::DeleteOrganization => "- delete the organization: the workspace is gone".to_owned(),
        Step::CreateOrganization(name) => format!("+ create the organization {name:?}"),
        Step::Rename(name) => format!("~ rename to {name:?}"),
        Step::AddMember(id) => format!("+ add member {id}"),
        Step::GiveRole(id, role) => format!("+ give role {role} to {id}"),
        Step::Invite(invited) => format!("+ invite {} as {}", invited.email.as_str(), invited.role),
    }
}

async fn show(app: &App, mirror: &Mirroring, places: &[Place]) -> Result<(), Failure> {
    let (mut differ, mut steps, mut less, mut unread) = (0, 0, 0, 0);
    for place in places {
        match app.plan_mirror(mirror, place.workspace).await {
            Ok(plan) if plan.is_empty() => println!("{}: equal", place.slug),
            Ok(plan) => {
                (differ, steps) = (differ + 1, steps + plan.len());
                less += plan.iter().filter(|s| s.takes_away()).count();
                println!("{}: {} steps", place.slug, plan.len());
                for step in &plan {
                    println!("  {}", said(step));
                }
            }
            Err(MirroringError::Directory(e)) if is_over(&e) => return Err(unreachable(&e)),
            Err(MirroringError::Directory(e)) => {
                unread += 1;
                println!("{}: FAULT {}", place.slug, causes(&e));
            }
            Err(MirroringError::Store(e)) => return Err(failed(&e)),
        }
    }
    println!(
        "{} workspaces, {differ} differ, {steps} steps, {less} of them take something away; nothing was changed",
        places.len()
    );
    if differ + unread == 0 {
        return Ok(());
    }
    Err(Failure::service("the directory differs: the worker follows by itself, or run `settings-http mirror apply`"))
}

async fn reconcile(app: &App, mirror: &Mirroring, places: &[Place]) -> Result<(), Failure> {
    let (mut faults, mut unknown_people, mut done) = (0, 0, 0);
    for place in places {
        let since = std::sync::Mutex::new(Instant::now());
        let progress = |step: usize, of: usize| {
            let Ok(mut said) = since.lock() else { return };
            if said.elapsed() >= EVERY {
                *said = Instant::now();
                eprintln!("{}: {step} of {of} steps", place.slug);
            }
        };
        loop {
            match app.follow(mirror, Some(place.workspace), progress, || false).await.map_err(|e| failed(&e))? {
                None => {
                    faults += 1;
                    println!("{}: a worker follows it at this moment; look again in some minutes", place.slug);
                }
                Some(Followed::Done { steps, unknown }) => {
                    (done, unknown_people) = (done + steps, unknown_people + unknown);
                    match (steps, unknown) {
                        (0, 0) => println!("{}: equal", place.slug),
                        (_, 0) => println!("{}: {steps} steps done", place.slug),
                        _ => println!(
                            "{}: {steps} steps done, {unknown} name people whom the directory does not know",
                            place.slug
                        ),
                    }
                }
                // Its turn is over; the next one begins where it ended.
                Some(Followed::Later { error: None, .. }) => continue,
                Some(Followed::Later { error: Some(e), .. }) if is_over(&e) => return Err(unreachable(&e)),
                Some(Followed::Later { error: Some(e), .. }) => {
                    faults += 1;
                    println!("{}: FAULT {}", place.slug, causes(&e));
                }
            }
            break;
        }
    }
    println!("{} workspaces, {done} steps done, {faults} faults", places.len());
    if faults + unknown_people == 0 {
        return Ok(());
    }
    Err(Failure::service(
        "the directory does not equal this service everywhere: `settings-http mirror plan` shows where",
    ))
}

/// Whether every other workspace would fare the same.
const fn is_over(error: &MirrorError) -> bool {
    matches!(error, MirrorError::Unavailable { .. } | MirrorError::Refused(_))
}

fn unreachable(error: &MirrorError) -> Failure {
    let patience = match error {
        MirrorError::Unavailable { retry_after: Some(wait), .. } => {
            format!("\nIt asks to be left alone for {} seconds.", wait.whole_seconds())
        }
        _ => String::new(),
    };
    Failure::service(format!("{}{patience}\nWhat is done stays done: run it again to go on.", causes(error)))
}

/// What `doctor` says of it.
pub(crate) async fn finding(config: &Config, database: &Database) -> Result<String, String> {
    if config.directory.client().map_err(|e| e.to_string())?.is_none() {
        return Ok("none: AUTH0_M2M_CLIENT_ID and AUTH0_M2M_CLIENT_SECRET are unset".to_owned());
    }
    let service = compose::service(config, database, String::new(), config.bind).await.map_err(|e| e.to_string())?;
    let Some(mirror) = &service.mirror else { return Ok("none".to_owned()) };
    let places = places(&service.app, None).await.map_err(|e| e.to_string())?;
    let (until, mut looked, mut steps, mut differ) = (Instant::now() + PATIENCE, 0, 0, Vec::new());
    for place in &places {
        if Instant::now() > until {
            break;
        }
        let plan = service.app.plan_mirror(mirror, place.workspace).await;
        let plan = plan.map_err(|e| format!("{}: {}", place.slug, causes(&e)))?;
        looked += 1;
        if !plan.is_empty() {
            steps += plan.len();
            differ.push(place.slug.as_str());
        }
    }
    let rest = if looked < places.len() { format!(" ({looked} of {} looked at)", places.len()) } else { String::new() };
    if differ.is_empty() {
        return Ok(format!("Auth0 Organizations equal {looked} workspaces{rest}"));
    }
    let backlog = service.app.ports().store.backlog().await.map_err(|e| e.to_string())?;
    let waiting = match (backlog.workspaces, backlog.cause) {
        (0, _) => String::new(),
        (n, None) => format!("; {n} wait for the worker"),
        (n, Some(cause)) => format!("; {n} wait for the worker, whose last word was: {cause}"),
    };
    let named: Vec<_> = differ.iter().take(5).copied().collect();
    Err(format!(
        "Auth0 Organizations differ in {} workspaces by {steps} steps, such as {}{rest}{waiting}; `settings-http mirror plan` shows them, `settings-http mirror apply` makes them equal",
        differ.len(),
        named.join(", ")
    ))
}

/// Follows what is due until `stop`.
pub(crate) async fn keep_following(app: Arc<App>, mirror: Mirroring, stop: CancellationToken) {
    // What only an operator can mend is said once for each workspace, and again after it went well.
    let mut told: BTreeSet<String> = BTreeSet::new();
    while !stop.is_cancelled() {
        let rest = match app.follow(&mirror, None, |_, _| (), || stop.is_cancelled()).await {
            Ok(None) => {
                count(&app).await;
                REST
            }
            Ok(Some(Followed::Done { .. })) => {
                told.clear();
                continue;
            }
            Ok(Some(Followed::Later { error: None, .. })) => continue,
            Ok(Some(Followed::Later { error: Some(error), .. })) => {
                if matches!(error, MirrorError::Refused(_) | MirrorError::NotOurs) && told.insert(error.to_string()) {
                    tracing::error!(%error, "the directory can't follow until an operator mends this");
                }
                if !is_over(&error) {
                    continue;
                }
                count(&app).await;
                AWAY
            }
            Err(error) => {
                tracing::warn!(%error, "it could not be seen what the directory has to follow");
                AWAY
            }
        };
        tokio::select! { () = tokio::time::sleep(rest) => {}, () = stop.cancelled() => {} }
    }
}

/// How many workspaces the directory has yet to follow.
async fn count(app: &App) {
    match app.ports().store.backlog().await {
        #[expect(clippy::cast_precision_loss, reason = "a gauge")]
        Ok(backlog) => metrics::gauge!("settings_directory_behind").set(backlog.workspaces as f64),
        Err(error) => tracing::debug!(%error, "it could not be counted what the directory has to follow"),
    }
}
