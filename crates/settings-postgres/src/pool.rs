//! The connection pool.
use crate::Options;
use settings_sql::{ConnectError, db::Manner, error::Suspicion};
use sqlx::{
    Connection as _, PgConnection, PgPool, Postgres,
    pool::PoolConnectionMetadata,
    postgres::{PgConnectOptions, PgPoolOptions, PgQueryResult},
};
use std::{future::Future, pin::Pin, str::FromStr as _, sync::Arc, time::Duration};

/// A connection that was idle for longer is asked whether it lives before it is used.
const TRUSTED: Duration = Duration::from_secs(1);
/// Connections are renewed, so that a server's memory and a load balancer's choice do not last for ever.
const LIFETIME: Duration = Duration::from_secs(30 * 60);
/// Connections that nobody needs are closed.
const IDLE: Duration = Duration::from_secs(10 * 60);

type Check<'c> = Pin<Box<dyn Future<Output = Result<bool, sqlx::Error>> + Send + 'c>>;

fn check(conn: &mut PgConnection, meta: PoolConnectionMetadata, suspicion: Arc<Suspicion>) -> Check<'_> {
    Box::pin(async move {
        if suspicion.covers(meta.age) {
            return Ok(false);
        }
        Ok(meta.idle_for < TRUSTED || conn.ping().await.is_ok())
    })
}

/// Opens the pool; one connection is made at once, so that a wrong address is an error here.
pub(crate) async fn open(address: &str, options: &Options) -> Result<(PgPool, Manner<Postgres>), ConnectError> {
    if !address.starts_with("postgres:") && !address.starts_with("postgresql:") {
        return Err(ConnectError::Address("it is none of Postgres"));
    }
    let server = PgConnectOptions::from_str(address).map_err(ConnectError::Open)?.application_name("settings");
    let suspicion = Arc::new(Suspicion::default());
    let manner = Manner {
        persistent: options.persistent,
        suspicion: Arc::clone(&suspicion),
        affected: PgQueryResult::rows_affected,
    };
    let pool = PgPoolOptions::new()
        .max_connections(options.connections.max(2))
        .acquire_timeout(options.patience)
        .max_lifetime(LIFETIME)
        .idle_timeout(IDLE)
        .test_before_acquire(false)
        .before_acquire(move |conn, meta| check(conn, meta, Arc::clone(&suspicion)))
        .connect_with(server)
        .await
        .map_err(ConnectError::Open)?;
    Ok((pool, manner))
}
