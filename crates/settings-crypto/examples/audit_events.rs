//! Prints SQL that adds events to the end of a workspace's audit log, each with two personal fields and sealed as the
//! service seals them: what an export is measured with. Usage:
//! `audit_events KEYRING ROOT WORKSPACE SEQ HASH COUNT sqlite|postgres`, where ROOT is the wrapped root key and SEQ and HASH are
//! the head of the log, both from the database and in hex.
#![expect(clippy::unwrap_used, clippy::indexing_slicing, reason = "a tool of the measurement")]
use async_trait::async_trait;
use settings_crypto::{AuditKeys, LocalKeyring, load_root};
use settings_domain::{
    api_keys::{ApiKey, NewApiKey},
    audit::{AuditEvent, SealedEvent},
    ids::{ApiKeyId, PersonId, UserId, WorkspaceId},
    members::Member,
    policy::{Actor, Role, Scope, ScopeSet, actions, permit},
    ports::{
        StoreError,
        audit::{AuditSealer as _, Link, Salts},
        keyring::RootKeyStore,
    },
    tokens::{Digest, Seal},
};
use std::{
    env,
    io::{self, Write},
    path::Path,
};
use time::{Duration, OffsetDateTime};
use uuid::Uuid;

/// Rows of a statement.
const ROWS: usize = 250;

struct Root(Vec<u8>);
#[async_trait]
impl RootKeyStore for Root {
    async fn root_key(&self) -> Result<Option<Vec<u8>>, StoreError> {
        Ok(Some(self.0.clone()))
    }
    async fn keep_root_key(&self, _: &[u8]) -> Result<Vec<u8>, StoreError> {
        Ok(self.0.clone())
    }
    async fn rewrap_root_key(&self, _: &[u8], _: &[u8]) -> Result<bool, StoreError> {
        Ok(false)
    }
}

/// How an engine writes bytes and ids.
struct Literals(&'static str, &'static str);
impl Literals {
    fn id(&self, id: Uuid) -> String {
        format!("{}{}'", self.0, id.simple())
    }
    fn bytes(&self, bytes: &[u8]) -> String {
        format!("{}{}'", self.1, hex::encode(bytes))
    }
}

/// What the making of a key leaves: actor and name.
fn event(workspace: WorkspaceId, n: u128, at: OffsetDateTime) -> AuditEvent {
    let (user, person) = (UserId::from_uuid(Uuid::from_u128(1)), PersonId::from_uuid(Uuid::from_u128(2)));
    let by = Member { workspace, user, person, role: Role::Admin, joined_at: at, removed_at: None, version: 1 };
    let permit = permit::<actions::CreateApiKey>(&Actor::member(&by, false).unwrap(), at).unwrap();
    let new = NewApiKey {
        id: ApiKeyId::from_uuid(Uuid::from_u128(0x0192_f0c1_0000_7000_8000_0000_0000_0000 | n)),
        prefix: "wsk_000000000000".to_owned(),
        last4: "0000".to_owned(),
        digest: Digest::none(),
        name: format!("Key number {n}").parse().unwrap(),
        scopes: ScopeSet::EMPTY.with(Scope::RunsRead),
        expires_at: None,
    };
    ApiKey::create(&permit, 0, new, |_, _| Seal::new([0; 32])).unwrap().set().events()[0].clone()
}

fn write(out: &mut impl Write, l: &Literals, events: &[SealedEvent]) -> io::Result<()> {
    let text = |t: &str| format!("'{}'", t.replace('\'', "''"));
    let (mut rows, mut openings) = (Vec::new(), Vec::new());
    for e in events {
        let r = &e.record;
        let (changes, commitments) =
            (serde_json::to_string(&r.changes).unwrap(), serde_json::to_string(&e.commitments).unwrap());
        rows.push(format!(
            "({}, {}, {}, {}, {}, {}, {}, {}, NULL, {}, {}, {}, {}, {}, {})",
            l.id(r.workspace.as_uuid()),
            r.seq,
            l.id(r.id(&e.hash).as_uuid()),
            r.at.unix_timestamp_nanos() / 1_000,
            r.version,
            text(&r.action),
            text(r.risk.name()),
            text(&r.actor_kind),
            text(&r.target_kind),
            l.id(r.target_id.unwrap()),
            text(&changes),
            text(&commitments),
            l.bytes(&e.hash),
            l.bytes(&e.mac)
        ));
        for o in &e.openings {
            let (ws, person) = (l.id(r.workspace.as_uuid()), l.id(o.person.as_uuid()));
            let sealed = l.bytes(o.sealed.as_deref().unwrap());
            openings.push(format!("({ws}, {}, {}, {person}, {sealed})", r.seq, text(&o.field)));
        }
    }
    writeln!(
        out,
        "INSERT INTO audit_events (workspace_id, seq, id, at, version, action, risk, actor_kind, actor_key, target_kind, target_id, changes, commitments, hash, mac) VALUES {};",
        rows.join(",")
    )?;
    writeln!(
        out,
        "INSERT INTO audit_openings (workspace_id, seq, field, person_id, sealed) VALUES {};",
        openings.join(",")
    )
}

#[tokio::main]
async fn main() -> io::Result<()> {
    let arguments: Vec<_> = env::args().skip(1).collect();
    let [keyring, root, workspace, seq, hash, count, engine] = arguments.as_slice() else {
        return Err(io::Error::other("say: KEYRING ROOT WORKSPACE SEQ HASH COUNT sqlite|postgres"));
    };
    let ring = LocalKeyring::open(Path::new(keyring)).map_err(io::Error::other)?;
    let root = load_root(&ring, &Root(hex::decode(root).unwrap())).await.map_err(io::Error::other)?;
    let keys = AuditKeys::new(&root);
    let workspace = WorkspaceId::from_uuid(workspace.parse().unwrap());
    let literals = if engine == "sqlite" { Literals("x'", "x'") } else { Literals("'", "'\\x") };
    let mut link = Link { seq: seq.parse().unwrap(), hash: hex::decode(hash).unwrap().try_into().unwrap() };
    let (count, person): (u128, _) = (count.parse().unwrap(), PersonId::from_uuid(Uuid::from_u128(2)));
    let salt = keys.new_salt(workspace, person).unwrap();
    let mut out = io::BufWriter::new(io::stdout().lock());
    let ws = literals.id(workspace.as_uuid());
    writeln!(out, "BEGIN;")?;
    writeln!(
        out,
        "INSERT INTO persons (workspace_id, id, salt) VALUES ({ws}, {}, {});",
        literals.id(person.as_uuid()),
        literals.bytes(&salt)
    )?;
    let salts = Salts::from([(person, salt)]);
    let start = OffsetDateTime::from_unix_timestamp(1_700_000_000).unwrap();
    let mut events = Vec::new();
    for n in 1..=count {
        let at = start + Duration::milliseconds(i64::try_from(n).unwrap());
        let sealed = keys.seal(&link, &event(workspace, n, at), &salts).unwrap();
        link = Link { seq: sealed.record.seq, hash: sealed.hash };
        events.push(sealed);
        if events.len() == ROWS || n == count {
            write(&mut out, &literals, &events)?;
            events.clear();
        }
    }
    let hash = literals.bytes(&link.hash);
    writeln!(out, "UPDATE audit_heads SET seq = {}, hash = {hash} WHERE workspace_id = {ws};", link.seq)?;
    writeln!(out, "COMMIT;")
}
