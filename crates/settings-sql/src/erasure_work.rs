//! What an erasure has to know of a long chain, and what is left to do of it once it was decided. Every statement goes along
//! an index and takes a stretch of it: none takes long, however long the chain is.
use crate::{
    audit,
    db::{Cells, SqlDb, Stmt, Tx},
    engine::{Engine, Scope},
    erasure::UNOPENED,
    store::SqlStore,
};
use async_trait::async_trait;
use settings_domain::{
    audit::Unopened,
    erasure::{ErasureWrite, Survey},
    ids::{PersonId, WorkspaceId},
    ports::{
        StoreError,
        erasures::{ErasureRun, Erasures},
    },
};
use std::collections::BTreeSet;
use time::Duration;
use uuid::Uuid;

/// How many places of the chain are looked at together.
const PLACES: i64 = 10_000;
/// How many erasures that were left alone are taken up together.
const LEFT: i64 = 100;

statements! {
    /// The fields of a person in a stretch that can be read. The tenant is named so that SQLite goes by the person's index.
    FIELDS_OF = "SELECT seq, field FROM audit_openings WHERE (workspace_id = $1) IS TRUE AND person_id = $2 \
        AND sealed IS NOT NULL AND seq > $3 AND seq <= $4";
    /// Whether somebody was erased after a place.
    ERASED_SINCE = "SELECT 1 AS erased FROM audit_events WHERE workspace_id = $1 AND seq > $2 AND action = 'member.erased' \
        LIMIT 1";
    /// Whose openings are still to be emptied.
    LEFT_OF = "SELECT person_id FROM erasure_work WHERE workspace_id = $1";
    /// Whose of one erasure.
    LEFT_OF_RUN = "SELECT person_id FROM erasure_work WHERE workspace_id = $1 AND seq = $2 ORDER BY person_id LIMIT 1";
    /// An erasure begins.
    BEGIN = concat!("INSERT INTO erasure_runs (workspace_id, seq, events, openings, emptied, touched_at, completed_at) \
        VALUES ($1, $2, $3, $4, 0, ", now!(), ", NULL)");
    /// Somebody's openings are to be emptied.
    LEAVE_WORK = "INSERT INTO erasure_work (workspace_id, person_id, seq) VALUES ($1, $2, $3)";
    /// One erasure.
    RUN = "SELECT seq, events, openings, emptied, completed_at FROM erasure_runs WHERE workspace_id = $1 AND seq = $2";
    /// Erasures that nobody works on.
    LEFT_ALONE = concat!("SELECT workspace_id, seq FROM erasure_runs WHERE completed_at IS NULL AND touched_at <= ", now!(),
        " - $1 ORDER BY touched_at LIMIT $2");
    /// The place of the opening up to which a batch goes.
    BATCH_END = "SELECT seq FROM audit_openings WHERE (workspace_id = $1) IS TRUE AND person_id = $2 \
        AND sealed IS NOT NULL AND seq > $3 AND seq < $4 ORDER BY seq LIMIT 1 OFFSET $5";
    /// Empties a stretch of a person's openings.
    EMPTY = "UPDATE audit_openings SET sealed = NULL, person_id = $3 \
        WHERE (workspace_id = $1) IS TRUE AND person_id = $2 AND sealed IS NOT NULL AND seq > $4 AND seq <= $5";
    /// Nothing of somebody is left.
    WORK_DONE = "DELETE FROM erasure_work WHERE workspace_id = $1 AND person_id = $2";
    /// So many more are empty.
    TOUCH = concat!("UPDATE erasure_runs SET emptied = emptied + $3, touched_at = ", now!(), " \
        WHERE workspace_id = $1 AND seq = $2");
    /// Nothing is left to do.
    COMPLETE = concat!("UPDATE erasure_runs SET touched_at = ", now!(), ", completed_at = ", now!(), " \
        WHERE workspace_id = $1 AND seq = $2 AND completed_at IS NULL");
}

/// The persons whose salt is gone, and whose openings are still there.
pub async fn left<D: SqlDb>(tx: &mut Tx<D>, workspace: Uuid) -> Result<BTreeSet<PersonId>, StoreError> {
    let persons =
        tx.all(Stmt::new(LEFT_OF).bind(workspace), |row| row.id("person_id").map(PersonId::from_uuid)).await?;
    Ok(persons.into_iter().collect())
}

/// Goes on with a survey, up to a place of the chain.
async fn extend<D: SqlDb>(tx: &mut Tx<D>, workspace: Uuid, survey: &mut Survey, end: i64) -> Result<(), StoreError> {
    let place = |row: &Cells<'_, D>| Ok((row.int("seq")?, row.text("field")?));
    let mut persons = left(tx, workspace).await?;
    persons.extend(&survey.persons);
    while survey.upto < end {
        let (after, upto) = (survey.upto, end.min(survey.upto + PLACES));
        // Those that can be read come first: what is emptied between the two statements is then met twice, and not never.
        let mut fields = Vec::new();
        for person in &persons {
            let stmt = Stmt::new(FIELDS_OF).bind(workspace).bind(person.as_uuid()).bind(after).bind(upto);
            let theirs = survey.persons.contains(person);
            fields.extend(tx.all(stmt, place).await?.into_iter().map(|(seq, field)| (seq, field, theirs)));
        }
        let stmt = Stmt::new(UNOPENED).bind(workspace).bind(after).bind(upto);
        fields.extend(tx.all(stmt, place).await?.into_iter().map(|(seq, field)| (seq, field, false)));
        survey.extend(upto, fields);
    }
    Ok(())
}

/// Goes on with a survey, to the end of the chain.
pub async fn survey<D: SqlDb>(tx: &mut Tx<D>, workspace: Uuid, mut from: Survey) -> Result<Survey, StoreError> {
    let end = audit::head(tx, workspace).await?.map_or(0, |(seq, _)| seq);
    extend(tx, workspace, &mut from, end).await?;
    Ok(from)
}

/// What of the chain can't be read, up to the place before the event that says so.
pub async fn unopened<D: SqlDb>(
    tx: &mut Tx<D>,
    workspace: Uuid,
    survey: &Survey,
    end: i64,
) -> Result<Unopened, StoreError> {
    let mut survey = survey.clone();
    extend(tx, workspace, &mut survey, end).await?;
    Ok(survey.unopened)
}

/// Whether somebody was erased after a place.
pub async fn erased_since<D: SqlDb>(tx: &mut Tx<D>, workspace: Uuid, seq: i64) -> Result<bool, StoreError> {
    let stmt = Stmt::new(ERASED_SINCE).bind(workspace).bind(seq);
    Ok(tx.first(stmt, |_| Ok(())).await?.is_some())
}

/// Writes down what is to be emptied.
pub async fn begin<D: SqlDb>(tx: &mut Tx<D>, workspace: Uuid, write: &ErasureWrite) -> Result<(), StoreError> {
    let stmt = Stmt::new(BEGIN).bind(workspace).bind(write.seq);
    tx.run_one(stmt.bind(write.survey.events).bind(write.survey.openings)).await?;
    for person in &write.persons {
        tx.run_one(Stmt::new(LEAVE_WORK).bind(workspace).bind(person.as_uuid()).bind(write.seq)).await?;
    }
    Ok(())
}

fn read<D: SqlDb>(row: &Cells<'_, D>) -> Result<ErasureRun, StoreError> {
    Ok(ErasureRun {
        seq: row.int("seq")?,
        events: row.int("events")?,
        openings: row.int("openings")?,
        emptied: row.int("emptied")?,
        completed_at: row.maybe_time("completed_at")?,
    })
}

/// Empties a batch. The place that the next one follows; `None` at the end.
async fn empty<D: SqlDb>(
    tx: &mut Tx<D>,
    workspace: Uuid,
    seq: i64,
    after: i64,
    limit: i64,
) -> Result<Option<i64>, StoreError> {
    let stmt = Stmt::new(LEFT_OF_RUN).bind(workspace).bind(seq);
    let Some(person) = tx.first(stmt, |row| row.id("person_id")).await? else {
        tx.run(Stmt::new(COMPLETE).bind(workspace).bind(seq)).await?;
        return Ok(None);
    };
    let stmt = Stmt::new(BATCH_END).bind(workspace).bind(person).bind(after).bind(seq).bind((limit - 1).max(0));
    let end = tx.first(stmt, |row| row.int("seq")).await?;
    let stmt = Stmt::new(EMPTY).bind(workspace).bind(person).bind(PersonId::ERASED.as_uuid()).bind(after);
    let emptied = tx.run(stmt.bind(end.unwrap_or(seq))).await?;
    let emptied = i64::try_from(emptied).unwrap_or(i64::MAX);
    tx.run(Stmt::new(TOUCH).bind(workspace).bind(seq).bind(emptied)).await?;
    if end.is_some() {
        return Ok(end);
    }
    if after > 0 {
        // Whoever began in the middle looks at the whole once more before it is called done.
        return Ok(Some(0));
    }
    tx.run(Stmt::new(WORK_DONE).bind(workspace).bind(person)).await?;
    Ok(Some(0))
}

#[async_trait]
impl<E: Engine> Erasures for SqlStore<E> {
    async fn erasure(&self, workspace: WorkspaceId, seq: i64) -> Result<Option<ErasureRun>, StoreError> {
        let workspace = workspace.as_uuid();
        let mut tx = self.engine.begin_read(Scope::tenant(workspace)).await?;
        tx.first(Stmt::new(RUN).bind(workspace).bind(seq), read).await
    }
    async fn left_alone(&self, idle: Duration) -> Result<Vec<(WorkspaceId, i64)>, StoreError> {
        let idle = i64::try_from(idle.whole_microseconds()).unwrap_or(i64::MAX);
        let mut tx = self.engine.begin_read(Scope::directory()).await?;
        let place = |row: &Cells<'_, E::Db>| Ok((WorkspaceId::from_uuid(row.id("workspace_id")?), row.int("seq")?));
        tx.all(Stmt::new(LEFT_ALONE).bind(idle).bind(LEFT), place).await
    }
    async fn empty(&self, workspace: WorkspaceId, seq: i64, after: i64, limit: i64) -> Result<Option<i64>, StoreError> {
        let workspace = workspace.as_uuid();
        let mut tx = self.engine.begin_write(Scope::tenant(workspace)).await?;
        let begun = tokio::time::Instant::now();
        let next = empty(&mut tx, workspace, seq, after, limit).await?;
        tx.commit().await?;
        // Another process that waits for SQLite's lock looks for it now and then: it has to find it free.
        tokio::time::sleep(begun.elapsed() / 3).await;
        if next.is_none()
            && let Err(error) = self.engine.scrub().await
        {
            tracing::warn!(%error, "emptied values may stay in the database's files until its next checkpoint");
        }
        Ok(next)
    }
}
