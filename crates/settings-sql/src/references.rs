//! What other services say they use: rows, statements, writes.
use crate::{
    db::{Cells, SqlDb, Stmt, Tx, id_list},
    engine::EngineStatements,
};
use settings_domain::{
    ids::WorkspaceId,
    ports::StoreError,
    references::{Dependant, Referrer, ReferrerKey, ReferrerWrite, Use},
};
use std::collections::BTreeSet;
use uuid::Uuid;

statements! {
    /// One referrer.
    GET = "SELECT workspace_id, kind, id, name, version, updated_at FROM referrers \
        WHERE workspace_id = $1 AND kind = $2 AND id = $3";
    /// All that it uses.
    USES = "SELECT used_kind, used_id FROM reference_uses \
        WHERE workspace_id = $1 AND referrer_kind = $2 AND referrer_id = $3";
    /// How many there are.
    COUNT = "SELECT count(*) AS referrers FROM referrers WHERE workspace_id = $1";
    /// A new row.
    INSERT = "INSERT INTO referrers (workspace_id, kind, id, name, version, updated_at) VALUES ($1, $2, $3, $4, $5, $6)";
    /// The row as it shall be.
    UPDATE = "UPDATE referrers SET name = $4, version = $5, updated_at = $6 \
        WHERE workspace_id = $1 AND kind = $2 AND id = $3 AND version = $7";
    /// Takes the whole list back, before the new one is written.
    CLEAR = "DELETE FROM reference_uses WHERE workspace_id = $1 AND referrer_kind = $2 AND referrer_id = $3";
    /// One use.
    ADD = "INSERT INTO reference_uses (workspace_id, referrer_kind, referrer_id, used_kind, used_id) \
        VALUES ($1, $2, $3, $4, $5)";
}

fn read_use<D: SqlDb>(row: &Cells<'_, D>) -> Result<Use, StoreError> {
    Ok(Use { kind: row.parse("used_kind")?, id: row.id("used_id")? })
}

/// The ids in one text, as [`EngineStatements`] take them; `None` where there are none to ask for.
fn ids(uses: &BTreeSet<Use>) -> Option<String> {
    let text = id_list(uses.iter().map(|u| u.id));
    (!text.is_empty()).then_some(text)
}

/// Who is said to use any of these.
pub async fn dependants<D: SqlDb>(
    tx: &mut Tx<D>,
    own: &EngineStatements,
    workspace: Uuid,
    uses: &BTreeSet<Use>,
) -> Result<Vec<Dependant>, StoreError> {
    let Some(ids) = ids(uses) else { return Ok(Vec::new()) };
    let mut all = tx
        .all(Stmt::new(own.dependants).bind(ids).bind(workspace), |row| {
            let key = ReferrerKey { kind: row.parse("referrer_kind")?, id: row.parse("referrer_id")? };
            Ok(Dependant { uses: read_use(row)?, key, name: row.parse("name")? })
        })
        .await?;
    all.retain(|d| uses.contains(&d.uses));
    all.sort_by(|a, b| (&a.key, a.uses).cmp(&(&b.key, b.uses)));
    Ok(all)
}

/// Those of these that name something of the workspace.
pub async fn known<D: SqlDb>(
    tx: &mut Tx<D>,
    own: &EngineStatements,
    workspace: Uuid,
    uses: &BTreeSet<Use>,
) -> Result<BTreeSet<Use>, StoreError> {
    let Some(ids) = ids(uses) else { return Ok(BTreeSet::new()) };
    let there = tx.all(Stmt::new(own.known_uses).bind(ids).bind(workspace), read_use).await?;
    Ok(there.into_iter().filter(|u| uses.contains(u)).collect())
}

/// One referrer with all that it uses.
pub async fn get<D: SqlDb>(tx: &mut Tx<D>, workspace: Uuid, key: &ReferrerKey) -> Result<Option<Referrer>, StoreError> {
    let named = |sql| Stmt::new(sql).bind(workspace).text(key.kind.as_str()).text(key.id.as_str());
    let found = tx
        .first(named(GET), |row| {
            Ok(Referrer {
                workspace: WorkspaceId::from_uuid(row.id("workspace_id")?),
                key: ReferrerKey { kind: row.parse("kind")?, id: row.parse("id")? },
                name: row.parse("name")?,
                uses: BTreeSet::new(),
                updated_at: row.time("updated_at")?,
                version: row.int("version")?,
            })
        })
        .await?;
    let Some(referrer) = found else { return Ok(None) };
    let uses = tx.all(named(USES), read_use).await?.into_iter().collect();
    Ok(Some(Referrer { uses, ..referrer }))
}

/// How many there are.
pub async fn count<D: SqlDb>(tx: &mut Tx<D>, workspace: Uuid) -> Result<i64, StoreError> {
    tx.one(Stmt::new(COUNT).bind(workspace), |row| row.int("referrers")).await
}

/// Writes.
pub async fn write<D: SqlDb>(tx: &mut Tx<D>, workspace: Uuid, write: &ReferrerWrite) -> Result<(), StoreError> {
    let ReferrerWrite::Put(r) = write;
    let named = |sql| Stmt::new(sql).bind(workspace).text(r.key.kind.as_str()).text(r.key.id.as_str());
    let row = |sql| named(sql).text(r.name.as_str()).bind(r.version).time(r.updated_at);
    if r.version == 1 {
        tx.run_one(row(INSERT)).await?;
    } else {
        tx.run_one(row(UPDATE).bind(r.version - 1)).await?;
        tx.run(named(CLEAR)).await?;
    }
    for used in &r.uses {
        tx.run_one(named(ADD).text(used.kind.name()).bind(used.id)).await?;
    }
    Ok(())
}
