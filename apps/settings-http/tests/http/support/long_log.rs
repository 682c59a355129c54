//! A long past.
use super::{Member, Store, Tenant};

impl Tenant {
    /// So many copies of the newest event, each with an actor and a request of this member's. Their hashes are no chain: an erasure
    /// does not look at them.
    pub(crate) async fn lengthen(&self, whom: &Member, events: i64) {
        let (series, id, bytes, user) = match self.site.home.store {
            Store::Sqlite => (
                format!(
                    "(WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < {events}) SELECT i FROM n)"
                ),
                "randomblob(16)",
                "randomblob(65)",
                format!("X'{}'", whom.id.replace('-', "")),
            ),
            Store::Postgres => (
                format!("(SELECT i FROM generate_series(1, {events}) i)"),
                "gen_random_uuid()",
                "decode(repeat(md5(n.i::text), 2), 'hex')",
                format!("'{}'::uuid", whom.id),
            ),
        };
        let copies = format!(
            "INSERT INTO audit_events SELECT e.workspace_id, e.seq + n.i, {id}, e.at, e.version, e.action, e.risk, \
             e.actor_kind, e.actor_key, e.target_kind, e.target_id, e.changes, e.commitments, e.hash, e.mac FROM \
             (SELECT * FROM audit_events WHERE workspace_id = {{ws}} ORDER BY seq DESC LIMIT 1) e, {series} n"
        );
        let openings = ["actor", "requestId"].map(|field| {
            format!(
                "INSERT INTO audit_openings SELECT m.workspace_id, h.seq + n.i, '{field}', m.person_id, {bytes} \
                 FROM memberships m, audit_heads h, {series} n \
                 WHERE m.workspace_id = {{ws}} AND m.user_id = {user} AND h.workspace_id = {{ws}}"
            )
        });
        let head = format!("UPDATE audit_heads SET seq = seq + {events} WHERE workspace_id = {{ws}}");
        let [actors, requests] = &openings;
        self.site.home.sql(&self.id, &[&copies, actors, requests, &head, "ANALYZE"]).await;
    }
}
