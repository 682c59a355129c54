//! The audit chain in tables: appending, listing, handing stretches to the verifier.
use crate::{
    db::{Cells, SqlDb, Stmt, Tx},
    erasure_work,
};
use settings_domain::{
    audit::{AuditEvent, AuditRecord, Opening, Risk, SealedEvent},
    erasure::Survey,
    ids::{ApiKeyId, PersonId, WorkspaceId},
    ports::{
        StoreError,
        audit::{AuditSealer, Link, Salts},
        store::{AuditEntry, AuditFilter, ChainPart},
    },
};
use std::collections::{BTreeMap, BTreeSet, btree_map::Entry};
use uuid::Uuid;

/// How many ids one statement takes: [`IN_LIST`]'s length.
const LIST: usize = 16;

macro_rules! in_list {
    () => {
        "IN ($2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17)"
    };
}

macro_rules! event_columns {
    () => {
        "e.workspace_id AS workspace_id, e.seq AS seq, e.at AS at, e.version AS version, e.action AS action, \
         e.risk AS risk, e.actor_kind AS actor_kind, e.actor_key AS actor_key, e.target_kind AS target_kind, \
         e.target_id AS target_id, e.changes AS changes, e.commitments AS commitments, e.hash AS hash, e.mac AS mac"
    };
}

/// Whether the event has an opening of this field by a person that the account is or was. What the opening says is
/// compared after it was opened: one person may have been two accounts, one after the other.
macro_rules! spoken_of {
    ($field:literal, $account:literal) => {
        concat!(
            "EXISTS (SELECT 1 FROM audit_openings o WHERE o.workspace_id = e.workspace_id AND o.seq = e.seq \
             AND o.field = '",
            $field,
            "' AND o.sealed IS NOT NULL AND o.person_id IN \
             (SELECT p.id FROM persons p WHERE p.workspace_id = $1 AND p.user_id = ",
            $account,
            " \
              UNION SELECT m.person_id FROM memberships m WHERE m.workspace_id = $1 AND m.user_id = ",
            $account,
            "))"
        )
    };
}

statements! {
    /// The chain's end.
    HEAD = "SELECT seq, hash FROM audit_heads WHERE workspace_id = $1";
    /// Moves the end, from the place that was read.
    MOVE_HEAD = "INSERT INTO audit_heads (workspace_id, seq, hash) VALUES ($1, $2, $3) \
        ON CONFLICT (workspace_id) DO UPDATE SET seq = excluded.seq, hash = excluded.hash WHERE audit_heads.seq = $4";
    /// Appends an event.
    APPEND = "INSERT INTO audit_events (workspace_id, seq, id, at, version, action, risk, actor_kind, actor_key, \
        target_kind, target_id, changes, commitments, hash, mac) \
        VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15)";
    /// Keeps what opens a commitment.
    OPENING = "INSERT INTO audit_openings (workspace_id, seq, field, person_id, sealed) VALUES ($1, $2, $3, $4, $5)";
    /// Wrapped salts of some persons.
    SALTS = concat!("SELECT id, salt FROM persons WHERE workspace_id = $1 AND salt IS NOT NULL AND id ", in_list!());
    /// Gives a person a salt; a person nobody wrote down yet gets a row.
    NEW_SALT = "INSERT INTO persons (workspace_id, id, salt) VALUES ($1, $2, $3) \
        ON CONFLICT (workspace_id, id) DO UPDATE SET salt = excluded.salt WHERE persons.salt IS NULL";
    /// A page, newest first.
    PAGE = concat!("SELECT ", event_columns!(), " FROM audit_events e WHERE e.workspace_id = $1 AND e.seq < $2 AND e.seq > $12 \
        AND ($3 = '' OR $3 LIKE '%' || e.risk || '%') AND ($4 = '' OR e.action = $4) AND e.at >= $5 AND e.at < $6 \
        AND ($7 = 0 OR e.actor_key = $8 OR ", spoken_of!("actor", "$8"), ") \
        AND ($9 = 0 OR e.target_id = $10 OR (e.target_kind = 'workspace' AND e.workspace_id = $10) OR ",
        spoken_of!("target", "$10"), ") ORDER BY e.seq DESC LIMIT $11");
    /// Openings of some events.
    OPENINGS = concat!("SELECT seq, field, person_id, sealed FROM audit_openings WHERE workspace_id = $1 AND seq ",
        in_list!());
    /// A stretch, oldest first.
    CHAIN = concat!("SELECT ", event_columns!(), " FROM audit_events e WHERE e.workspace_id = $1 AND e.seq > $2 \
        ORDER BY e.seq LIMIT $3");
    /// Openings of a stretch.
    CHAIN_OPENINGS = "SELECT seq, field, person_id, sealed FROM audit_openings \
        WHERE workspace_id = $1 AND seq >= $2 AND seq <= $3";
    /// Salts of the persons of a stretch.
    CHAIN_SALTS = "SELECT p.id AS id, p.salt AS salt FROM persons p WHERE p.workspace_id = $1 AND p.salt IS NOT NULL \
        AND p.id IN (SELECT o.person_id FROM audit_openings o \
                     WHERE o.workspace_id = $1 AND o.seq >= $2 AND o.seq <= $3)";
}

fn json<T: serde::Serialize>(value: &T) -> Result<String, StoreError> {
    serde_json::to_string(value).map_err(|_| StoreError::Corrupt("an event that is no JSON".to_owned()))
}

fn read<D: SqlDb>(row: &Cells<'_, D>) -> Result<SealedEvent, StoreError> {
    let corrupt = |column: &str| StoreError::Corrupt(format!("column {column}"));
    let record = AuditRecord {
        version: u8::try_from(row.int("version")?).map_err(|_| corrupt("version"))?,
        workspace: WorkspaceId::from_uuid(row.id("workspace_id")?),
        seq: row.int("seq")?,
        at: row.time("at")?,
        action: row.text("action")?,
        risk: row.word("risk", Risk::parse)?,
        actor_kind: row.text("actor_kind")?,
        actor_key: row.maybe_id("actor_key")?.map(ApiKeyId::from_uuid),
        target_kind: row.text("target_kind")?,
        target_id: row.maybe_id("target_id")?,
        changes: serde_json::from_str(&row.text("changes")?).map_err(|_| corrupt("changes"))?,
    };
    Ok(SealedEvent {
        record,
        commitments: serde_json::from_str(&row.text("commitments")?).map_err(|_| corrupt("commitments"))?,
        openings: Vec::new(),
        hash: row.bytes32("hash")?,
        mac: row.bytes32("mac")?,
    })
}

fn read_opening<D: SqlDb>(row: &Cells<'_, D>) -> Result<(i64, Opening), StoreError> {
    let opening = Opening {
        field: row.text("field")?,
        person: PersonId::from_uuid(row.id("person_id")?),
        sealed: row.get::<Option<Vec<u8>>>("sealed")?,
    };
    Ok((row.int("seq")?, opening))
}

fn read_salt<D: SqlDb>(row: &Cells<'_, D>) -> Result<(PersonId, Vec<u8>), StoreError> {
    Ok((PersonId::from_uuid(row.id("id")?), row.get::<Vec<u8>>("salt")?))
}

/// Puts openings beside their events, sorted by field as the commitments are. Sorted here: databases collate.
fn attach(events: &mut [SealedEvent], openings: Vec<(i64, Opening)>) {
    let mut by_seq: BTreeMap<i64, Vec<Opening>> = BTreeMap::new();
    for (seq, opening) in openings {
        by_seq.entry(seq).or_default().push(opening);
    }
    for event in events {
        let mut own = by_seq.remove(&event.record.seq).unwrap_or_default();
        own.sort_by(|a, b| a.field.cmp(&b.field));
        event.openings = own;
    }
}

/// The ids in portions of [`LIST`], each filled up with its first.
fn portions<T: Copy>(ids: &[T]) -> impl Iterator<Item = Vec<T>> {
    ids.chunks(LIST).map(|part| part.iter().copied().chain(part.iter().copied().cycle()).take(LIST).collect())
}

async fn salts_of<D: SqlDb>(
    tx: &mut Tx<D>,
    workspace: Uuid,
    persons: &BTreeSet<PersonId>,
) -> Result<Salts, StoreError> {
    let ids: Vec<Uuid> = persons.iter().map(|p| p.as_uuid()).collect();
    let mut salts = Salts::new();
    for part in portions(&ids) {
        let stmt = part.into_iter().fold(Stmt::new(SALTS).bind(workspace), Stmt::bind);
        salts.extend(tx.all(stmt, read_salt).await?);
    }
    Ok(salts)
}

/// Place and hash of the chain's head; `None` before the first event.
pub async fn head<D: SqlDb>(tx: &mut Tx<D>, workspace: Uuid) -> Result<Option<(i64, [u8; 32])>, StoreError> {
    tx.first(Stmt::new(HEAD).bind(workspace), |row| Ok((row.int("seq")?, row.bytes32("hash")?))).await
}

/// Appends events under the tenant's lock: place and time run in the order of commits. Answers with the last one's place.
/// `survey` is what an erasure knows of the chain already.
pub async fn append<D: SqlDb>(
    tx: &mut Tx<D>,
    workspace: Uuid,
    sealer: &dyn AuditSealer,
    events: &[AuditEvent],
    survey: Option<&Survey>,
) -> Result<Option<Link>, StoreError> {
    if events.is_empty() {
        return Ok(None);
    }
    let mut persons: BTreeSet<_> = events.iter().flat_map(|e| e.personal().into_iter().map(|f| f.person)).collect();
    persons.remove(&PersonId::ERASED);
    let mut salts = salts_of(tx, workspace, &persons).await?;
    for person in persons {
        if let Entry::Vacant(missing) = salts.entry(person) {
            let salt = sealer.new_salt(WorkspaceId::from_uuid(workspace), person).map_err(StoreError::unavailable)?;
            tx.run_one(Stmt::new(NEW_SALT).bind(workspace).bind(person.as_uuid()).bytes(&salt)).await?;
            missing.insert(salt);
        }
    }
    let start = head(tx, workspace).await?.map_or(Link::START, |(seq, hash)| Link { seq, hash });
    let mut link = start;
    for event in events {
        let vouching;
        let event = if event.closes_openings() {
            let mut unopened =
                erasure_work::unopened(tx, workspace, survey.unwrap_or(&Survey::default()), link.seq).await?;
            let own = event.personal().into_iter().filter(|f| f.person == PersonId::ERASED);
            own.for_each(|f| unopened.add(link.seq + 1, f.field));
            vouching = event.vouching(&unopened);
            &vouching
        } else {
            event
        };
        let next = sealer.seal(&link, event, &salts).map_err(StoreError::unavailable)?;
        store(tx, workspace, &next).await?;
        link = Link { seq: next.record.seq, hash: next.hash };
    }
    let stmt = Stmt::new(MOVE_HEAD).bind(workspace).bind(link.seq).bytes(&link.hash).bind(start.seq);
    tx.run_one(stmt).await?;
    Ok(Some(link))
}

async fn store<D: SqlDb>(tx: &mut Tx<D>, workspace: Uuid, sealed: &SealedEvent) -> Result<(), StoreError> {
    let r = &sealed.record;
    let stmt = Stmt::new(APPEND)
        .bind(workspace)
        .bind(r.seq)
        .bind(r.id(&sealed.hash).as_uuid())
        .time(r.at)
        .bind(i64::from(r.version))
        .text(&r.action)
        .text(r.risk.name())
        .text(&r.actor_kind)
        .bind(r.actor_key.map(ApiKeyId::as_uuid))
        .text(&r.target_kind)
        .bind(r.target_id)
        .bind(json(&r.changes)?)
        .bind(json(&sealed.commitments)?)
        .bytes(&sealed.hash)
        .bytes(&sealed.mac);
    tx.run_one(stmt).await?;
    for opening in &sealed.openings {
        let stmt = Stmt::new(OPENING)
            .bind(workspace)
            .bind(r.seq)
            .text(&opening.field)
            .bind(opening.person.as_uuid())
            .bind(opening.sealed.clone());
        tx.run_one(stmt).await?;
    }
    Ok(())
}

fn page_statement<D: SqlDb>(workspace: Uuid, filter: &AuditFilter, before: i64, limit: i64) -> Stmt<D> {
    let risks = filter.risks.iter().map(|r| r.name()).collect::<Vec<_>>().join(",");
    let from = filter.from.map_or(i64::MIN, settings_domain::micros::from_time);
    let to = filter.to.map_or(i64::MAX, settings_domain::micros::from_time);
    Stmt::new(PAGE)
        .bind(workspace)
        .bind(before)
        .bind(risks)
        .text(filter.action.as_deref().unwrap_or_default())
        .bind(from)
        .bind(to)
        .bind(i64::from(filter.actor.is_some()))
        .bind(filter.actor.unwrap_or_default())
        .bind(i64::from(filter.target.is_some()))
        .bind(filter.target.unwrap_or_default())
        .bind(limit)
        .bind(filter.after_seq.unwrap_or_default())
}

fn fits(entry: &AuditEntry, filter: &AuditFilter) -> bool {
    let says = |field: &str, id: Uuid| {
        let id = id.to_string();
        entry.personal.iter().any(|(f, value)| f == field && value.as_deref() == Some(id.as_str()))
    };
    let r = &entry.record;
    let actor = filter.actor.is_none_or(|id| r.actor_key.map(ApiKeyId::as_uuid) == Some(id) || says("actor", id));
    let target = filter.target.is_none_or(|id| {
        r.target_id == Some(id) || (r.target_kind == "workspace" && r.workspace.as_uuid() == id) || says("target", id)
    });
    actor && target
}

/// Events, newest first, with what is still readable of their personal fields.
pub async fn page<D: SqlDb>(
    tx: &mut Tx<D>,
    workspace: Uuid,
    sealer: &dyn AuditSealer,
    filter: &AuditFilter,
    limit: i64,
) -> Result<Vec<AuditEntry>, StoreError> {
    let wanted = usize::try_from(limit).unwrap_or_default();
    // No name of an action holds a NUL, and Postgres takes none as an argument.
    if wanted == 0 || filter.action.as_deref().is_some_and(|a| a.contains('\0')) {
        return Ok(Vec::new());
    }
    let mut entries: Vec<AuditEntry> = Vec::new();
    let mut before = filter.before_seq.unwrap_or(i64::MAX);
    // The statement finds every event whose personal fields may name the account; opening them may rule some out.
    while entries.len() < wanted {
        let events = tx.all(page_statement(workspace, filter, before, limit), read).await?;
        let (found, last) = (events.len(), events.last().map(|e| e.record.seq));
        entries.extend(open(tx, workspace, sealer, events).await?.into_iter().filter(|e| fits(e, filter)));
        match last {
            Some(seq) if found >= wanted => before = seq,
            _ => break,
        }
    }
    entries.truncate(wanted);
    Ok(entries)
}

async fn open<D: SqlDb>(
    tx: &mut Tx<D>,
    workspace: Uuid,
    sealer: &dyn AuditSealer,
    mut events: Vec<SealedEvent>,
) -> Result<Vec<AuditEntry>, StoreError> {
    let places: Vec<i64> = events.iter().map(|e| e.record.seq).collect();
    let mut openings = Vec::new();
    for part in portions(&places) {
        let stmt = part.into_iter().fold(Stmt::new(OPENINGS).bind(workspace), Stmt::bind);
        openings.extend(tx.all(stmt, read_opening).await?);
    }
    let persons = openings.iter().map(|(_, o)| o.person).collect();
    let salts = salts_of(tx, workspace, &persons).await?;
    attach(&mut events, openings);
    let entry = |e: SealedEvent| {
        let read = |o: &Opening| {
            let value = sealer.open(e.record.workspace, e.record.seq, o, &salts);
            value
                .map(|v| (o.field.clone(), v))
                .map_err(|_| StoreError::Corrupt(format!("opening {} of event {}", o.field, e.record.seq)))
        };
        let personal = e.openings.iter().map(read).collect::<Result<_, _>>()?;
        Ok(AuditEntry { record: e.record, hash: e.hash, personal })
    };
    events.into_iter().map(entry).collect()
}

/// A stretch of the chain after a place.
pub async fn chain<D: SqlDb>(tx: &mut Tx<D>, workspace: Uuid, after: i64, limit: i64) -> Result<ChainPart, StoreError> {
    let mut events = tx.all(Stmt::new(CHAIN).bind(workspace).bind(after).bind(limit), read).await?;
    let (Some(first), Some(last)) = (events.first(), events.last()) else {
        return Ok(ChainPart { events, salts: Salts::new() });
    };
    let (first, last) = (first.record.seq, last.record.seq);
    let stretch = |sql| Stmt::new(sql).bind(workspace).bind(first).bind(last);
    let openings = tx.all(stretch(CHAIN_OPENINGS), read_opening).await?;
    let mut salts: Salts = tx.all(stretch(CHAIN_SALTS), read_salt).await?.into_iter().collect();
    salts.destroyed = erasure_work::left(tx, workspace).await?;
    attach(&mut events, openings);
    Ok(ChainPart { events, salts })
}
