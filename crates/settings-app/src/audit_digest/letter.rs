//! What a digest says: its window of the log as it can be read now. Whoever was erased meanwhile is not named.
use settings_domain::{
    audit::Risk,
    audit_digest::{ActorName, DigestRun},
    ids::{ApiKeyId, UserId, WorkspaceId},
    ports::{
        StoreError,
        audit::{AuditSealer, Link},
        mail::{AuditDigestLetter, DigestLine},
        store::{AuditEntry, AuditFilter, TenantReads},
    },
};
use std::collections::BTreeMap;

/// Most events that are shown one by one.
const SHOWN: i64 = 50;
/// The risks whose events are shown one by one, the worst first.
const SHOWN_RISKS: [Risk; 2] = [Risk::Critical, Risk::High];

/// Writes the letter; `None` when the workspace is not there any more.
pub(super) async fn write(
    reads: &mut dyn TenantReads,
    sealer: &dyn AuditSealer,
    public_url: &str,
    run: &DigestRun,
) -> Result<Option<AuditDigestLetter>, StoreError> {
    let Some(workspace) = reads.workspace().await? else { return Ok(None) };
    let settings = format!("{public_url}/{}/settings", workspace.slug);
    let summary = reads.audit_summary(run).await?;
    let total = |risk| summary.totals.iter().find(|(r, _)| *r == risk).map_or(0, |(_, n)| *n);
    let shown_risks = SHOWN_RISKS.into_iter().filter(|r| run.risks.contains(r));
    let mut names = Names::default();
    let (mut events, mut more) = (Vec::new(), 0);
    for risk in shown_risks {
        let room = SHOWN - i64::try_from(events.len()).unwrap_or(SHOWN);
        let entries = if room > 0 { window(reads, run, risk, room).await? } else { Vec::new() };
        more += total(risk) - i64::try_from(entries.len()).unwrap_or_default();
        for entry in entries {
            events.push(line(reads, &mut names, &settings, entry).await?);
        }
    }
    Ok(Some(AuditDigestLetter {
        workspace: workspace.name.to_string(),
        from: run.since,
        to: run.until,
        totals: run.risks.iter().rev().map(|r| (*r, total(*r))).collect(),
        actors: summary.actors.into_iter().map(|a| (a.actor.in_words(), a.events)).collect(),
        events,
        more,
        checkpoint: checkpoint(reads, sealer, workspace.id, run.to_seq).await?,
        link: format!("{settings}/audit-log"),
        settings_link: format!("{settings}/audit-digest"),
    }))
}

/// The newest events of a risk in the run's window, newest first.
async fn window(
    reads: &mut dyn TenantReads,
    run: &DigestRun,
    risk: Risk,
    limit: i64,
) -> Result<Vec<AuditEntry>, StoreError> {
    let before_seq = run.to_seq.checked_add(1);
    let after_seq = Some(run.from_seq - 1);
    let filter = AuditFilter { risks: vec![risk], before_seq, after_seq, ..AuditFilter::default() };
    reads.audit_events(&filter, limit).await
}

/// Names that were looked up already.
#[derive(Default)]
struct Names {
    users: BTreeMap<UserId, Option<String>>,
    keys: BTreeMap<ApiKeyId, ActorName>,
}

impl Names {
    async fn user(&mut self, reads: &mut dyn TenantReads, id: &str) -> Result<Option<String>, StoreError> {
        let Ok(id) = id.parse::<UserId>() else { return Ok(None) };
        if let Some(known) = self.users.get(&id) {
            return Ok(known.clone());
        }
        let name = reads.member(id).await?.and_then(|m| m.user.name.or_else(|| m.user.email.map(String::from)));
        self.users.insert(id, name.clone());
        Ok(name)
    }
    async fn key(&mut self, reads: &mut dyn TenantReads, id: ApiKeyId) -> Result<Option<ActorName>, StoreError> {
        if let Some(known) = self.keys.get(&id) {
            return Ok(Some(known.clone()));
        }
        let name = reads.api_key(id).await?.map(|k| ActorName::key(k.key.name.as_str(), &k.key.prefix));
        self.keys.extend(name.clone().map(|name| (id, name)));
        Ok(name)
    }
}

async fn line(
    reads: &mut dyn TenantReads,
    names: &mut Names,
    settings: &str,
    entry: AuditEntry,
) -> Result<DigestLine, StoreError> {
    let said = |field: &str| entry.personal.iter().find(|(f, _)| f == field).and_then(|(_, v)| v.as_deref());
    let record = &entry.record;
    let actor = match (record.actor_key, record.actor_kind.as_str()) {
        (Some(key), _) => names.key(reads, key).await?,
        (None, "system") => Some(ActorName::Platform),
        (None, "service") => Some(ActorName::Service),
        (None, _) => match said("actor") {
            Some(user) => names.user(reads, user).await?.map(|name| ActorName::Person(Some(name))),
            None => Some(ActorName::Person(None)),
        },
    };
    // What it is about, by the best name that can still be read: a member's, the thing's own, or its kind alone.
    let about = match said("target") {
        Some(user) => names.user(reads, user).await?,
        None => said("name").or_else(|| said("email")).map(str::to_owned),
    };
    let kind = record.target_kind.replace('_', " ");
    Ok(DigestLine {
        at: record.at,
        risk: record.risk,
        action: record.action.clone(),
        actor: actor.map(ActorName::in_words),
        target: about.map_or_else(|| kind.clone(), |name| format!("{kind} {name}")),
        link: format!("{settings}/audit-log/{}", record.seq),
    })
}

/// The signed note about the state of the log at the end of the window. The event there is checked first, so that nothing
/// is signed because somebody wrote it into the database. A log that does not hold gets no note: better none than one that
/// vouches for a forgery.
async fn checkpoint(
    reads: &mut dyn TenantReads,
    sealer: &dyn AuditSealer,
    workspace: WorkspaceId,
    seq: i64,
) -> Result<Option<String>, StoreError> {
    let part = reads.audit_chain((seq - 2).max(0), 2).await?;
    let last = part.events.iter().position(|e| e.record.seq == seq);
    let before = |place: usize| match place.checked_sub(1).and_then(|p| part.events.get(p)) {
        Some(e) => Link { seq: e.record.seq, hash: e.hash },
        None => Link::START,
    };
    let checked = last.and_then(|place| part.events.get(place).map(|event| (before(place), event)));
    let Some((prev, event)) = checked else { return Ok(None) };
    match sealer.check(&prev, event, &part.salts) {
        Ok(link) => sealer.checkpoint(workspace, &link).map(Some).map_err(StoreError::unavailable),
        Err(fault) => {
            tracing::error!(%workspace, seq, fault, "an audit digest goes without its checkpoint: the log does not hold");
            Ok(None)
        }
    }
}
