//! The service's own wrapped root key.
use crate::db::{SqlDb, Stmt, Tx};
use settings_domain::ports::StoreError;

statements! {
    /// The one that is kept.
    GET = "SELECT wrapped FROM service_root_key WHERE id = 1";
    /// Keeps one unless there is one.
    KEEP = concat!("INSERT INTO service_root_key (id, wrapped, created_at) VALUES (1, $1, ", now!(), ") \
        ON CONFLICT (id) DO NOTHING");
    /// Another wrapping, if the present one still is the one that was wrapped anew.
    REWRAP = "UPDATE service_root_key SET wrapped = $2 WHERE id = 1 AND wrapped = $1";
}

/// Loads it.
pub async fn get<D: SqlDb>(tx: &mut Tx<D>) -> Result<Option<Vec<u8>>, StoreError> {
    tx.first(Stmt::new(GET), |row| row.get::<Vec<u8>>("wrapped")).await
}

/// Keeps this one unless another process was first.
pub async fn keep<D: SqlDb>(tx: &mut Tx<D>, wrapped: &[u8]) -> Result<u64, StoreError> {
    tx.run(Stmt::new(KEEP).bytes(wrapped)).await
}

/// Replaces the wrapping, if it still is `old`.
pub async fn rewrap<D: SqlDb>(tx: &mut Tx<D>, old: &[u8], new: &[u8]) -> Result<bool, StoreError> {
    Ok(tx.run(Stmt::new(REWRAP).bytes(old).bytes(new)).await? == 1)
}
