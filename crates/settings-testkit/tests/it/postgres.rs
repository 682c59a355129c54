//! The throw-away Postgres against the real thing.

use std::io::{BufRead as _, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use settings_testkit::postgres::{Cluster, OWNER, Options, PostgresError};
use sqlx::{Connection as _, PgConnection};

type Result<T = ()> = std::result::Result<T, Box<dyn std::error::Error>>;

async fn ask<T>(url: &str, question: &'static str) -> Result<T>
where
    T: Send + Unpin + for<'r> sqlx::Decode<'r, sqlx::Postgres> + sqlx::Type<sqlx::Postgres>,
{
    let mut connection = PgConnection::connect(url).await?;
    let answer = sqlx::query_scalar(question).fetch_one(&mut connection).await?;
    connection.close().await?;
    Ok(answer)
}

async fn run(url: &str, statement: &'static str) -> std::result::Result<(), sqlx::Error> {
    let mut connection = PgConnection::connect(url).await?;
    sqlx::raw_sql(statement).execute(&mut connection).await?;
    connection.close().await
}

fn gone_within(seconds: u64, path: &Path) -> bool {
    let since = Instant::now();
    while path.exists() && since.elapsed() < Duration::from_secs(seconds) {
        std::thread::sleep(Duration::from_millis(20));
    }
    !path.exists()
}

#[tokio::test]
async fn the_owner_is_bound_by_row_level_security() -> Result {
    let db = Cluster::shared().await.fresh().await;
    assert_eq!(ask::<String>(db.url(), "SELECT current_user::text").await?, OWNER);
    let superuser = "SELECT rolsuper OR rolbypassrls FROM pg_roles WHERE rolname = current_user";
    assert!(!ask::<bool>(db.url(), superuser).await?);
    assert!(ask::<bool>(db.admin_url(), superuser).await?);
    let guarded = "CREATE TABLE t (n int); INSERT INTO t VALUES (1); ALTER TABLE t ENABLE ROW LEVEL SECURITY; \
                   ALTER TABLE t FORCE ROW LEVEL SECURITY";
    run(db.url(), guarded).await?;
    assert_eq!(ask::<i64>(db.url(), "SELECT count(*) FROM t").await?, 0);
    assert_eq!(ask::<i64>(db.admin_url(), "SELECT count(*) FROM t").await?, 1);
    Ok(())
}

#[tokio::test]
async fn a_database_goes_with_its_value_even_while_it_is_used() -> Result {
    let cluster = Cluster::shared().await;
    let (kept, dropped) = (cluster.fresh().await, cluster.fresh().await);
    assert_ne!(kept.name(), dropped.name());
    let url = dropped.url().to_owned();
    let mut connection = PgConnection::connect(&url).await?;
    drop(dropped);
    assert!(connection.ping().await.is_err());
    assert!(PgConnection::connect(&url).await.is_err());
    assert_eq!(ask::<i32>(kept.url(), "SELECT 1").await?, 1);
    Ok(())
}

#[tokio::test]
async fn a_template_is_migrated_once_for_all_processes() -> Result {
    let ours = Cluster::start(Options::default()).await?;
    let theirs = Cluster::attach(ours.socket_dir()).await?;
    let runs = AtomicUsize::new(0);
    let migrate = async |url: String| {
        runs.fetch_add(1, Ordering::SeqCst);
        run(&url, "CREATE TABLE migrated (n int)").await
    };
    tokio::join!(ours.template("k1", migrate), theirs.template("k1", migrate), ours.template("k1", migrate));
    assert_eq!(runs.load(Ordering::SeqCst), 1);
    let (one, other) = tokio::join!(ours.fresh(), theirs.fresh());
    run(one.url(), "INSERT INTO migrated VALUES (1)").await?;
    assert_eq!(ask::<i64>(one.url(), "SELECT count(*) FROM migrated").await?, 1);
    assert_eq!(ask::<i64>(other.url(), "SELECT count(*) FROM migrated").await?, 0);
    assert!(run(ours.empty().await.url(), "SELECT FROM migrated").await.is_err());
    Ok(())
}

#[tokio::test]
async fn a_template_that_failed_half_way_is_made_anew() -> Result {
    let cluster = Cluster::start(Options::default()).await?;
    let other = Cluster::attach(cluster.socket_dir()).await?;
    let failed = tokio::spawn(async move {
        let migrate = async |url: String| {
            run(&url, "CREATE TABLE half (n int)").await?;
            Err(sqlx::Error::WorkerCrashed)
        };
        other.template("k1", migrate).await;
    });
    assert!(failed.await.is_err_and(|error| error.is_panic()));
    cluster.template("k1", async |url: String| run(&url, "CREATE TABLE half (n int)").await).await;
    assert_eq!(ask::<i64>(cluster.fresh().await.url(), "SELECT count(*) FROM half").await?, 0);
    Ok(())
}

#[tokio::test]
async fn tcp_is_off_unless_asked_for() -> Result {
    let (private, open) =
        tokio::try_join!(Cluster::start(Options::default()), Cluster::start(Options { tcp: true, durable: false }))?;
    let db = private.fresh().await;
    assert_eq!(db.tcp_url(), None);
    assert_eq!(ask::<String>(db.url(), "SHOW listen_addresses").await?, "");
    let attached = Cluster::attach(open.socket_dir()).await?;
    for cluster in [&open, &attached] {
        let db = cluster.fresh().await;
        let url = db.tcp_url().ok_or("no TCP URL")?;
        assert_eq!(ask::<String>(url, "SELECT host(inet_server_addr())").await?, "127.0.0.1");
        assert!(!ask::<bool>(db.url(), "SELECT inet_server_addr() IS NOT NULL").await?);
    }
    Ok(())
}

#[tokio::test]
async fn a_durable_cluster_keeps_what_was_committed_when_it_is_killed() -> Result {
    let cluster = Cluster::start(Options { tcp: true, durable: true }).await?;
    let db = cluster.fresh().await;
    assert_eq!(ask::<String>(db.url(), "SHOW fsync").await?, "on");
    let mut busy = PgConnection::connect(db.url()).await?;
    run(db.url(), "CREATE TABLE t (n int); INSERT INTO t VALUES (7)").await?;
    cluster.crash().await?;
    assert!(busy.ping().await.is_err());
    cluster.start_again().await?;
    assert_eq!(ask::<i32>(db.tcp_url().ok_or("no TCP URL")?, "SELECT n FROM t").await?, 7);
    cluster.stop()?;
    assert!(PgConnection::connect(db.url()).await.is_err());
    cluster.start_again().await?;
    assert_eq!(ask::<i32>(db.url(), "SELECT n FROM t").await?, 7);
    Ok(())
}

#[tokio::test]
async fn a_dropped_cluster_leaves_nothing() -> Result {
    let cluster = Cluster::start(Options::default()).await?;
    let dir = cluster.socket_dir().to_owned();
    let postmaster = postmaster_of(&dir)?;
    drop(cluster);
    assert!(!dir.exists());
    assert!(!postmaster.exists());
    Ok(())
}

#[tokio::test]
async fn only_a_throw_away_cluster_is_attached_to() -> Result {
    let cluster = Cluster::start(Options::default()).await?;
    let attached = Cluster::attach(cluster.socket_dir()).await?;
    assert!(matches!(attached.crash().await, Err(PostgresError::NotOurs)));
    assert!(matches!(attached.stop(), Err(PostgresError::NotOurs)));
    let admin = cluster.fresh().await;
    run(admin.admin_url(), "DROP ROLE settings_throw_away").await?;
    let refused = Cluster::attach(cluster.socket_dir()).await;
    assert!(matches!(refused, Err(PostgresError::NotThrowAway(_))));
    let nothing = tempfile::tempdir()?;
    assert!(matches!(Cluster::attach(nothing.path()).await, Err(PostgresError::NoSocket(_))));
    Ok(())
}

#[test]
fn a_killed_process_leaves_nothing() -> Result {
    let (mut served, dir) = serve()?;
    let postmaster = postmaster_of(&dir)?;
    served.kill()?;
    served.wait()?;
    assert!(gone_within(20, &dir), "the directory stayed");
    assert!(gone_within(20, &postmaster), "the server stayed");
    Ok(())
}

#[test]
fn the_program_serves_until_its_input_closes() -> Result {
    let (mut served, dir) = serve()?;
    drop(served.stdin.take());
    assert!(served.wait()?.success());
    assert!(!dir.exists());
    Ok(())
}

#[test]
fn the_program_serves_until_it_is_terminated() -> Result {
    let (mut served, dir) = serve()?;
    Command::new("/bin/sh").args(["-c", "kill -TERM $1", "kill", &served.id().to_string()]).status()?;
    assert!(served.wait()?.success());
    assert!(!dir.exists());
    Ok(())
}

/// The program with its input open, and the directory that it prints.
fn serve() -> Result<(Child, PathBuf)> {
    let mut program = Command::new(env!("CARGO_BIN_EXE_throwaway-postgres"));
    let mut served = program.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn()?;
    let mut lines = BufReader::new(served.stdout.take().ok_or("no output")?).lines();
    let first = lines.next().ok_or("it printed nothing")??;
    let second = lines.next().ok_or("it printed one line")??;
    assert!(second.starts_with("DATABASE_URL='postgres://"), "{second}");
    let dir = first.strip_prefix("SETTINGS_TEST_PG=").ok_or("no environment line")?;
    Ok((served, dir.into()))
}

/// The entry of a cluster's postmaster in the process table.
fn postmaster_of(dir: &Path) -> Result<PathBuf> {
    let file = std::fs::read_to_string(dir.join("data/postmaster.pid"))?;
    let process = Path::new("/proc").join(file.lines().next().ok_or("no process id")?);
    assert!(process.exists());
    Ok(process)
}
