//! The seam between one body of SQL and several sqlx drivers.
//!
//! sqlx's bounds (`Encode`, `Decode`, `Executor`) are not implied by a trait alias, so they are wrapped once, here, in
//! traits with blanket implementations; all other code says `D: SqlDb` and nothing more.
use crate::error::Suspicion;
use settings_domain::{micros, ports::StoreError, tokens::Digest};
use sqlx::{Arguments as _, ColumnIndex, Database, Decode, Encode, Executor, IntoArguments, Row as _, Type};
use std::{fmt, future::Future, pin::Pin, str::FromStr, sync::Arc};
use time::OffsetDateTime;
use uuid::Uuid;

/// A boxed, sendable future of the driver.
pub type Fut<'a, T> = Pin<Box<dyn Future<Output = Result<T, sqlx::Error>> + Send + 'a>>;

/// `T` can be an argument.
pub trait Binds<T>: Database {
    /// Adds the argument.
    fn bind(args: &mut Self::Arguments, value: T) -> Result<(), sqlx::error::BoxDynError>;
}

impl<D: Database, T> Binds<T> for D
where
    T: for<'q> Encode<'q, D> + Type<D> + 'static,
{
    fn bind(args: &mut Self::Arguments, value: T) -> Result<(), sqlx::error::BoxDynError> {
        args.add(value)
    }
}

/// A column can be read as `T`.
pub trait Reads<T>: Database {
    /// Reads the column of that name.
    fn read(row: &Self::Row, column: &str) -> Result<T, sqlx::Error>;
}

impl<D: Database, T> Reads<T> for D
where
    T: for<'r> Decode<'r, D> + Type<D>,
    for<'i> &'i str: ColumnIndex<D::Row>,
{
    fn read(row: &Self::Row, column: &str) -> Result<T, sqlx::Error> {
        row.try_get::<T, &str>(column)
    }
}

/// Statements can run on a connection.
pub trait Runs: Database {
    /// Runs a statement for its effect.
    fn run<'c>(
        conn: &'c mut Self::Connection,
        sql: &'static str,
        args: Self::Arguments,
        persistent: bool,
    ) -> Fut<'c, Self::QueryResult>;
    /// Runs a statement for its rows.
    fn rows<'c>(
        conn: &'c mut Self::Connection,
        sql: &'static str,
        args: Self::Arguments,
        persistent: bool,
    ) -> Fut<'c, Vec<Self::Row>>;
}

impl<D: Database + sqlx::database::HasStatementCache> Runs for D
where
    for<'c> &'c mut D::Connection: Executor<'c, Database = D>,
    D::Arguments: IntoArguments<D>,
{
    fn run<'c>(
        conn: &'c mut Self::Connection,
        sql: &'static str,
        args: Self::Arguments,
        persistent: bool,
    ) -> Fut<'c, Self::QueryResult> {
        Box::pin(sqlx::query_with(sql, args).persistent(persistent).execute(conn))
    }
    fn rows<'c>(
        conn: &'c mut Self::Connection,
        sql: &'static str,
        args: Self::Arguments,
        persistent: bool,
    ) -> Fut<'c, Vec<Self::Row>> {
        Box::pin(sqlx::query_with(sql, args).persistent(persistent).fetch_all(conn))
    }
}

macro_rules! sql_db {
    ($($t:ty),*) => {
        /// Everything the shared SQL needs of a driver. Implemented for every driver that can.
        pub trait SqlDb: Runs $(+ Binds<$t> + Reads<$t>)* {}
        impl<D: Runs $(+ Binds<$t> + Reads<$t>)*> SqlDb for D {}
    };
}
sql_db!(Uuid, Option<Uuid>, String, Option<String>, i64, Option<i64>, Vec<u8>, Option<Vec<u8>>);

/// A statement with its arguments, ready to run.
pub struct Stmt<D: Database> {
    sql: &'static str,
    args: Result<D::Arguments, sqlx::Error>,
}

impl<D: Database> fmt::Debug for Stmt<D> {
    /// The text only: arguments are people's data.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Stmt").field("sql", &self.sql).finish_non_exhaustive()
    }
}

impl<D: SqlDb> Stmt<D> {
    /// A statement without arguments yet.
    #[must_use]
    pub fn new(sql: &'static str) -> Self {
        Self { sql, args: Ok(D::Arguments::default()) }
    }
    /// Adds the next argument.
    #[must_use]
    pub fn bind<T>(mut self, value: T) -> Self
    where
        D: Binds<T>,
    {
        self.args =
            self.args.and_then(|mut a| <D as Binds<T>>::bind(&mut a, value).map(|()| a).map_err(sqlx::Error::Encode));
        self
    }
    /// Adds a text.
    #[must_use]
    pub fn text(self, value: &str) -> Self {
        self.bind(value.to_owned())
    }
    /// Adds a text that may be absent.
    #[must_use]
    pub fn maybe(self, value: Option<&str>) -> Self {
        self.bind(value.map(str::to_owned))
    }
    /// Adds bytes.
    #[must_use]
    pub fn bytes(self, value: &[u8]) -> Self {
        self.bind(value.to_vec())
    }
    /// Adds an instant.
    #[must_use]
    pub fn time(self, value: OffsetDateTime) -> Self {
        self.bind(micros::from_time(value))
    }
    /// Adds an instant that may be absent.
    #[must_use]
    pub fn maybe_time(self, value: Option<OffsetDateTime>) -> Self {
        self.bind(value.map(micros::from_time))
    }
}

/// A row, read column by column. A value that the domain does not know is [`StoreError::Corrupt`], never a guess; the
/// error names the column and not the value.
pub struct Cells<'r, D: Database>(&'r D::Row);

impl<D: Database> fmt::Debug for Cells<'_, D> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Cells(..)")
    }
}

fn corrupt(column: &str) -> StoreError {
    StoreError::Corrupt(format!("column {column}"))
}

impl<D: SqlDb> Cells<'_, D> {
    /// A column as the driver reads it.
    pub fn get<T>(&self, column: &str) -> Result<T, StoreError>
    where
        D: Reads<T>,
    {
        <D as Reads<T>>::read(self.0, column).map_err(|_| corrupt(column))
    }
    /// A number.
    pub fn int(&self, column: &str) -> Result<i64, StoreError> {
        self.get::<i64>(column)
    }
    /// A flag, 0 or 1.
    pub fn flag(&self, column: &str) -> Result<bool, StoreError> {
        match self.int(column)? {
            0 => Ok(false),
            1 => Ok(true),
            _ => Err(corrupt(column)),
        }
    }
    /// A text.
    pub fn text(&self, column: &str) -> Result<String, StoreError> {
        self.get::<String>(column)
    }
    /// A text that may be absent.
    pub fn maybe_text(&self, column: &str) -> Result<Option<String>, StoreError> {
        self.get::<Option<String>>(column)
    }
    /// An id.
    pub fn id(&self, column: &str) -> Result<Uuid, StoreError> {
        self.get::<Uuid>(column)
    }
    /// An id that may be absent.
    pub fn maybe_id(&self, column: &str) -> Result<Option<Uuid>, StoreError> {
        self.get::<Option<Uuid>>(column)
    }
    /// A text of a type that checks it.
    pub fn parse<T: FromStr>(&self, column: &str) -> Result<T, StoreError> {
        self.text(column)?.parse().map_err(|_| corrupt(column))
    }
    /// The same for one that may be absent.
    pub fn maybe_parse<T: FromStr>(&self, column: &str) -> Result<Option<T>, StoreError> {
        self.maybe_text(column)?.map(|t| t.parse().map_err(|_| corrupt(column))).transpose()
    }
    /// A word that `read` knows.
    pub fn word<T>(&self, column: &str, read: impl FnOnce(&str) -> Option<T>) -> Result<T, StoreError> {
        read(&self.text(column)?).ok_or_else(|| corrupt(column))
    }
    /// An instant.
    pub fn time(&self, column: &str) -> Result<OffsetDateTime, StoreError> {
        micros::to_time(self.int(column)?).ok_or_else(|| corrupt(column))
    }
    /// An instant that may be absent.
    pub fn maybe_time(&self, column: &str) -> Result<Option<OffsetDateTime>, StoreError> {
        self.get::<Option<i64>>(column)?.map(|m| micros::to_time(m).ok_or_else(|| corrupt(column))).transpose()
    }
    /// 32 bytes.
    pub fn bytes32(&self, column: &str) -> Result<[u8; 32], StoreError> {
        self.get::<Vec<u8>>(column)?.try_into().map_err(|_| corrupt(column))
    }
    /// The digest of a token.
    pub fn digest(&self, column: &str) -> Result<Digest, StoreError> {
        Ok(Digest::new(self.bytes32(column)?))
    }
}

/// Ids in one text, as the engines' own statements take them.
#[must_use]
pub fn id_list(ids: impl IntoIterator<Item = Uuid>) -> String {
    ids.into_iter().map(|id| id.simple().to_string()).collect::<Vec<_>>().join(",")
}

enum Inner<D: Database> {
    Transaction(sqlx::Transaction<'static, D>),
    /// Every statement by itself.
    Single(sqlx::pool::PoolConnection<D>),
}

/// A connection at work: inside a transaction, which is rolled back when this is dropped, or statement by statement.
pub struct Tx<D: Database> {
    inner: Inner<D>,
    persistent: bool,
    suspicion: Arc<Suspicion>,
    affected: fn(&D::QueryResult) -> u64,
}

impl<D: Database> fmt::Debug for Tx<D> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Tx").field("transaction", &matches!(self.inner, Inner::Transaction(_))).finish_non_exhaustive()
    }
}

/// How the statements of an engine run.
#[derive(Debug)]
pub struct Manner<D: Database> {
    /// Whether statements stay prepared. Off behind a transaction pooler such as pgbouncer, where named statements of
    /// several clients meet on one server connection (measured: 125 of 400 transactions failed, or worse, met a
    /// stranger's statement).
    pub persistent: bool,
    /// Told of errors after which every older connection is to be dropped.
    pub suspicion: Arc<Suspicion>,
    /// How many rows a statement touched.
    pub affected: fn(&D::QueryResult) -> u64,
}

impl<D: Database> Clone for Manner<D> {
    fn clone(&self) -> Self {
        Self { persistent: self.persistent, suspicion: Arc::clone(&self.suspicion), affected: self.affected }
    }
}

impl<D: SqlDb> Tx<D> {
    /// A transaction.
    #[must_use]
    pub fn transaction(tx: sqlx::Transaction<'static, D>, manner: &Manner<D>) -> Self {
        Self::of(Inner::Transaction(tx), manner)
    }
    /// A connection whose statements stand alone.
    #[must_use]
    pub fn single(conn: sqlx::pool::PoolConnection<D>, manner: &Manner<D>) -> Self {
        Self::of(Inner::Single(conn), manner)
    }
    fn of(inner: Inner<D>, manner: &Manner<D>) -> Self {
        let Manner { persistent, suspicion, affected } = manner.clone();
        Self { inner, persistent, suspicion, affected }
    }
    fn conn(&mut self) -> &mut D::Connection {
        match &mut self.inner {
            Inner::Transaction(tx) => tx,
            Inner::Single(conn) => conn,
        }
    }
    /// Every row.
    pub async fn all<T>(
        &mut self,
        stmt: Stmt<D>,
        read: impl Fn(&Cells<'_, D>) -> Result<T, StoreError>,
    ) -> Result<Vec<T>, StoreError> {
        let rows = match stmt.args {
            Ok(args) => {
                let persistent = self.persistent;
                D::rows(self.conn(), stmt.sql, args, persistent).await
            }
            Err(e) => Err(e),
        };
        rows.map_err(|e| self.suspicion.classify(e))?.iter().map(|row| read(&Cells(row))).collect()
    }
    /// The first row.
    pub async fn first<T>(
        &mut self,
        stmt: Stmt<D>,
        read: impl Fn(&Cells<'_, D>) -> Result<T, StoreError>,
    ) -> Result<Option<T>, StoreError> {
        Ok(self.all(stmt, read).await?.into_iter().next())
    }
    /// The first row of a statement that always has one.
    pub async fn one<T>(
        &mut self,
        stmt: Stmt<D>,
        read: impl Fn(&Cells<'_, D>) -> Result<T, StoreError>,
    ) -> Result<T, StoreError> {
        self.first(stmt, read).await?.ok_or_else(|| StoreError::Corrupt("a statement without its row".to_owned()))
    }
    /// Runs for the effect; returns how many rows were touched.
    pub async fn run(&mut self, stmt: Stmt<D>) -> Result<u64, StoreError> {
        let done = match stmt.args {
            Ok(args) => {
                let persistent = self.persistent;
                D::run(self.conn(), stmt.sql, args, persistent).await
            }
            Err(e) => Err(e),
        };
        done.map(|r| (self.affected)(&r)).map_err(|e| self.suspicion.classify(e))
    }
    /// Runs for the effect on exactly one row: otherwise the world is not the one that was decided about.
    pub async fn run_one(&mut self, stmt: Stmt<D>) -> Result<(), StoreError> {
        match self.run(stmt).await? {
            1 => Ok(()),
            _ => Err(StoreError::Constraint(crate::error::VERSION.to_owned())),
        }
    }
    /// Commits. The error tells a definite rollback from an unknown outcome.
    pub async fn commit(self) -> Result<(), StoreError> {
        match self.inner {
            Inner::Transaction(tx) => tx.commit().await.map_err(|e| self.suspicion.classify_commit(e)),
            Inner::Single(_) => Ok(()),
        }
    }
}
