//! `settings-http serve` and `worker`.
use crate::{
    background, compose,
    config::{Config, DEMO_ADMIN, DatabaseUrl},
    database::Database,
    failure::Failure,
    listen, operations, pages, witness,
};
use metrics_exporter_prometheus::PrometheusBuilder;
use secrecy::ExposeSecret as _;
use settings::{Share, Working};
use settings_console::{Console, SignIn};
use std::{io::Write as _, sync::Arc};
use tokio::{
    net::TcpListener,
    signal::unix::{SignalKind, signal},
};
use tokio_util::{sync::CancellationToken, task::TaskTracker};

/// Buckets of the request histogram, in seconds.
const BUCKETS: &[f64] = &[0.000_5, 0.001, 0.002_5, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 10.0];

/// Runs the service until a signal.
pub(crate) async fn serve(config: &Config) -> Result<(), Failure> {
    refuse_public_demo(config)?;
    let listener = TcpListener::bind(config.bind).await.map_err(|e| {
        Failure::service(format!("{} can't be listened on: {e}\nSet SETTINGS_BIND to another address.", config.bind))
    })?;
    let address = listener.local_addr().map_err(|e| Failure::service(e.to_string()))?;
    let public_url = config.public_url()?.unwrap_or_else(|| format!("http://{address}"));
    let https = public_url.starts_with("https://");

    let database = Database::connect(&config.database_url()?).await?;
    prepare_schema(config, &database).await?;
    let service = compose::service(config, &database, public_url, address).await?;
    check_witnesses(&service).await?;
    let first = seed(config, &service).await?;

    let recorder = PrometheusBuilder::new().set_buckets(BUCKETS).map_err(|e| Failure::service(e.to_string()))?;
    let metrics = recorder.install_recorder().map_err(|e| Failure::service(e.to_string()))?;
    let api = Arc::clone(service.settings.api());
    let (tasks, stop) = (TaskTracker::new(), CancellationToken::new());
    let share = if config.worker.is_on() { Share::All } else { Share::Requests };
    if share == Share::All {
        background::follow(&tasks, &stop, &service);
    }
    let working = service.settings.begin_work(share);

    let mailbox = service.mailbox.clone().filter(|_| address.ip().is_loopback());
    let console = Console {
        api: api.clone(),
        sign_in: match (config.issuer(), &service.app.ports().provider) {
            (_, Some(_)) => SignIn::Provider,
            (None, None) => SignIn::Links,
            (Some(_), None) => SignIn::Elsewhere,
        },
        mailbox: mailbox.is_some(),
    };
    let router = service
        .settings
        .router()
        .merge(settings_console::router(console))
        .merge(pages::router(pages::Pages { mailbox, api }))
        .merge(operations::router(&service, metrics));
    let router = service.settings.edge(router, https);

    // Before anybody is told that it runs: whoever hears of it may want it to stop.
    stop_on_signal(&stop)?;
    say(&format!("listening on http://{address}"));
    if let Some(link) = first {
        say(&format!("workspace acme is ready; sign in as its admin: {}", link.expose_secret()));
    }
    listen::serve(listener, router, &stop).await;
    // The last requests are over: what they left in memory is written now.
    finish(&tasks, &stop, working).await;
    Ok(())
}

/// Runs the worker alone until a signal.
pub(crate) async fn worker(config: &Config) -> Result<(), Failure> {
    let public_url = config
        .public_url()?
        .ok_or_else(|| Failure::configuration("the worker writes links into mails: set SETTINGS_PUBLIC_URL"))?;
    let database = Database::connect(&config.database_url()?).await?;
    prepare_schema(config, &database).await?;
    let service = compose::service(config, &database, public_url, config.bind).await?;
    check_witnesses(&service).await?;
    let (tasks, stop) = (TaskTracker::new(), CancellationToken::new());
    background::follow(&tasks, &stop, &service);
    let working = service.settings.begin_work(Share::Queue);
    stop_on_signal(&stop)?;
    say("working");
    stop.cancelled().await;
    finish(&tasks, &stop, working).await;
    Ok(())
}

async fn prepare_schema(config: &Config, database: &Database) -> Result<(), Failure> {
    let may = config.migrate.is_on() || matches!(config.database_url()?, DatabaseUrl::Sqlite(_));
    if may {
        return database.migrate().await;
    }
    match database.pending_migrations().await? {
        0 => Ok(()),
        n => Err(Failure::service(format!(
            "the schema is {n} migrations behind and SETTINGS_MIGRATE is off. Run `settings-http migrate`."
        ))),
    }
}

/// Serves no database that lost what was signed.
async fn check_witnesses(service: &compose::Service) -> Result<(), Failure> {
    match &service.audit_witness {
        Some(folder) => witness::check(folder, &service.app).await,
        None => Ok(()),
    }
}

/// A way in that is printed on a terminal must not open a public address by accident.
fn refuse_public_demo(config: &Config) -> Result<(), Failure> {
    if !config.demo_is_meant() && config.demo() && !config.bind.ip().is_loopback() {
        return Err(Failure::unsafe_configuration(format!(
            "{} is not a loopback address, and without an OIDC issuer the first start would make a demo workspace with a printed sign-in link. Set AUTH0_ISSUER_BASE_URL, or SETTINGS_DEMO to on or off to say that this is meant.",
            config.bind
        )));
    }
    Ok(())
}

/// On an empty database: the workspace `acme` and its admin's link.
async fn seed(config: &Config, service: &compose::Service) -> Result<Option<secrecy::SecretString>, Failure> {
    let empty = service.app.ports().store.is_empty().await.map_err(|e| Failure::service(e.to_string()))?;
    if !config.demo() || !empty {
        return Ok(None);
    }
    let wrong = |_| Failure::service("the demo workspace could not be named");
    let (slug, name, admin) =
        ("acme".parse().map_err(wrong)?, "Acme".parse().map_err(wrong)?, DEMO_ADMIN.parse().map_err(wrong)?);
    service.app.seed(slug, name, admin).await.map(Some).map_err(|e| Failure::service(e.to_string()))
}

/// One line on stdout, at once: whoever started the process may be reading.
fn say(line: &str) {
    let mut out = std::io::stdout().lock();
    let _ = writeln!(out, "{line}");
    let _ = out.flush();
}

fn stop_on_signal(stop: &CancellationToken) -> Result<(), Failure> {
    let failed = |e: std::io::Error| Failure::service(format!("signals can't be waited for: {e}"));
    let (mut terminate, mut interrupt) =
        (signal(SignalKind::terminate()).map_err(failed)?, signal(SignalKind::interrupt()).map_err(failed)?);
    let stop = stop.clone();
    tokio::spawn(async move {
        tokio::select! { _ = terminate.recv() => {}, _ = interrupt.recv() => {} }
        tracing::info!("stopping");
        stop.cancel();
    });
    Ok(())
}

/// Lets the tasks finish what they hold; what they can't is taken up again by another worker after its lease.
async fn finish(tasks: &TaskTracker, stop: &CancellationToken, working: Working) {
    const PATIENCE: std::time::Duration = std::time::Duration::from_secs(4);
    stop.cancel();
    tasks.close();
    let (own, ended) = tokio::join!(tokio::time::timeout(PATIENCE, tasks.wait()), working.finish(PATIENCE));
    if own.is_err() || !ended {
        tracing::warn!("background tasks did not finish in time");
    }
}
