//! The connection pool.
use crate::Options;
use settings_sql::{ConnectError, db::Manner, error::Suspicion};
use sqlx::{
    Connection as _, PgConnection, PgPool, Postgres,
    postgres::{PgConnectOptions, PgPoolOptions, PgQueryResult},
};
use std::{future::Future, pin::Pin, str::FromStr as _, sync::Arc, time::Duration};

/// A connection that was idle for longer is asked whether it lives before it is used.
const TRUSTED: Duration = Duration::from_secs(1);
/// Connections are renewed, so that a server's memory and a load balancer's choice do not last for ever.
const LIFETIME: Duration = Duration::from_mins(30);
/// Connections that nobody needs are closed.
const IDLE: Duration = Duration::from_mins(10);

type Check<'c> = Pin<Box<dyn Future<Output = Result<bool, sqlx::Error>> + Send + 'c>>;

/// Whether a connection may be used: old ones after a failover may not, and idle ones have to answer first.
fn check(conn: &mut PgConnection, suspected: bool, idle: Duration) -> Check<'_> {
    Box::pin(async move { Ok(!suspected && (idle < TRUSTED || conn.ping().await.is_ok())) })
}

/// Refuses a replica. A server stops being the primary only by a restart, which ends its connections: so one that was made
/// to a primary leads to one for as long as it lives, unless a pooler stands between (for that see `Pg::begin`).
fn only_primary(conn: &mut PgConnection) -> Pin<Box<dyn Future<Output = Result<(), sqlx::Error>> + Send + '_>> {
    Box::pin(async move {
        let replica: bool = sqlx::query_scalar("SELECT pg_is_in_recovery()").persistent(false).fetch_one(conn).await?;
        if replica { Err(sqlx::Error::Configuration("the server is a replica".into())) } else { Ok(()) }
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
        .after_connect(|conn, _| only_primary(conn))
        .before_acquire(move |conn, meta| check(conn, suspicion.covers(meta.age), meta.idle_for))
        .connect_with(server)
        .await
        .map_err(ConnectError::Open)?;
    Ok((pool, manner))
}
