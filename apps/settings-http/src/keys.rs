//! `keys rotate` and `keys status`.
use crate::{
    compose::{self, Service},
    config::Config,
    database::Database,
    failure::{Failure, causes},
};
use indicatif::{ProgressBar, ProgressStyle};
use settings_app::keys::{Beginning, RotationError, Start};
use settings_crypto::{rewrap_root, root_is_current};
use settings_domain::keys::Wrappings;
use std::{
    io::IsTerminal as _,
    time::{Duration, Instant},
};

/// How often a run without a terminal says how far it is.
const EVERY: Duration = Duration::from_secs(5);
/// How many data keys that do not open are named; of the others only the number is said.
const NAMED: usize = 10;

/// How everything is wrapped that the keyring wraps.
pub(crate) struct Standing {
    pub(crate) wrappings: Wrappings,
    pub(crate) root_is_current: bool,
}

impl Standing {
    pub(crate) async fn of(service: &Service, database: &Database) -> Result<Self, Failure> {
        Ok(Self {
            wrappings: service.app.key_wrappings().await.map_err(|e| failed(&e))?,
            root_is_current: root(service, database).await?,
        })
    }
    /// Whether older key-encryption keys are needed no more.
    pub(crate) fn is_done(&self) -> bool {
        self.wrappings.old == 0 && self.root_is_current
    }
}

impl std::fmt::Display for Standing {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Wrappings { current, total, old } = &self.wrappings;
        let root = if self.root_is_current { "current" } else { "old" };
        write!(f, "key-encryption key {current}; {total} data keys, {old} on an old key; root key on the {root} key")
    }
}

async fn root(service: &Service, database: &Database) -> Result<bool, Failure> {
    let current = root_is_current(service.keyring.as_ref(), database.root_keys()).await;
    current.map_err(|e| Failure::service(causes(&e)))
}

fn failed(e: &RotationError) -> Failure {
    Failure::service(format!("{}\nWhat is done stays done: run `settings-http keys rotate` again to go on.", causes(e)))
}

async fn open(config: &Config) -> Result<(Database, Service), Failure> {
    let database = Database::connect(&config.database_url()?).await?;
    match database.pending_migrations().await? {
        0 => {}
        n => {
            return Err(Failure::service(format!("the schema is {n} migrations behind. Run `settings-http migrate`.")));
        }
    }
    let service = compose::service(config, &database, String::new(), config.bind).await?;
    Ok((database, service))
}

/// `keys status`: exit 1 while something is wrapped by an old key.
pub(crate) async fn status(config: &Config) -> Result<(), Failure> {
    let (database, service) = open(config).await?;
    let standing = Standing::of(&service, &database).await?;
    println!("{standing}");
    if standing.is_done() {
        println!("older key-encryption keys are needed for nothing in this database");
        return Ok(());
    }
    Err(Failure::service("an old key-encryption key is still needed: run `settings-http keys rotate`"))
}

/// `keys rotate`.
pub(crate) async fn rotate(config: &Config, dry_run: bool, new_key: bool) -> Result<(), Failure> {
    let (database, service) = open(config).await?;
    let before = Standing::of(&service, &database).await?;
    println!("{before}");
    if dry_run {
        println!("{}", plan(&before, new_key));
        return Ok(());
    }
    let start = match (new_key, before.root_is_current) {
        (true, _) => Start::NewKey,
        (false, true) => Start::Due,
        (false, false) => Start::Unfinished,
    };
    match service.app.begin_rotation(start).await.map_err(|e| failed(&e))? {
        Beginning::Elsewhere(who) => {
            println!("nothing to do: {who}");
            return Ok(());
        }
        Beginning::Begun { wrappings, resumed: true } => println!("going on with {}", wrappings.current),
        Beginning::Begun { wrappings, resumed: false } => println!("new key-encryption key {}", wrappings.current),
    }
    rewrap_root(service.keyring.as_ref(), database.root_keys()).await.map_err(|e| Failure::service(causes(&e)))?;
    let mut progress = Progress::new();
    let ended = service.app.finish_rotation(|done, of| progress.at(done, of)).await.map_err(|e| failed(&e))?;
    progress.end();
    println!("{} data keys wrapped anew", ended.rotated.rewrapped);
    for (workspace, generation) in ended.unopened.iter().take(NAMED) {
        eprintln!("the data key of workspace {workspace}, generation {generation}, does not open");
    }
    let after = Standing::of(&service, &database).await?;
    println!("{after}");
    if after.is_done() {
        println!("older key-encryption keys may be removed, once no backup needs them");
        return Ok(());
    }
    Err(Failure::service(format!(
        "{} data keys are still on an old key, {} of them do not open. Is a server running with another keyring? Keep the old keys, and run `settings-http keys rotate` again.",
        after.wrappings.old,
        ended.unopened.len()
    )))
}

/// What a run would do.
fn plan(standing: &Standing, new_key: bool) -> String {
    let Wrappings { total, old, .. } = standing.wrappings;
    if new_key || standing.is_done() {
        format!(
            "dry run: would ask the keyring for another key-encryption key and wrap {total} data keys and the root key by it; nothing was changed"
        )
    } else {
        format!(
            "dry run: would go on with an earlier rotation and wrap {old} data keys and the root key by the current key; nothing was changed"
        )
    }
}

/// A bar on a terminal, a line every few seconds elsewhere.
struct Progress {
    bar: Option<ProgressBar>,
    said: Instant,
}

impl Progress {
    fn new() -> Self {
        let bar = std::io::stderr().is_terminal().then(|| {
            let style = ProgressStyle::with_template("{bar:40} {pos}/{len} data keys, {per_sec}, {eta} left");
            ProgressBar::new(0).with_style(style.unwrap_or_else(|_| ProgressStyle::default_bar()))
        });
        Self { bar, said: Instant::now() }
    }
    fn at(&mut self, done: i64, of: i64) {
        if let Some(bar) = &self.bar {
            bar.set_length(of.unsigned_abs());
            bar.set_position(done.unsigned_abs());
        } else if self.said.elapsed() >= EVERY {
            self.said = Instant::now();
            eprintln!("{done} of {of} data keys wrapped anew");
        }
    }
    fn end(&self) {
        if let Some(bar) = &self.bar {
            bar.finish();
        }
    }
}
