-- The audit digest: what was chosen, and the digests that began. The twin of migrations/postgres/0004_audit_digest.sql.

CREATE TABLE audit_digests (
    workspace_id BLOB    NOT NULL PRIMARY KEY REFERENCES workspaces (id),
    enabled      INTEGER NOT NULL CHECK (enabled IN (0, 1)),
    frequency    TEXT    NOT NULL CHECK (frequency IN ('daily', 'weekly', 'monthly')),
    -- Of the week from 0, Sunday, or of the month from 1.
    day          INTEGER,
    hour         INTEGER NOT NULL CHECK (hour BETWEEN 0 AND 23),
    -- Words, separated by spaces.
    risks        TEXT    NOT NULL,
    -- A list of addresses, as JSON.
    recipients   TEXT    NOT NULL,
    next_due_at  INTEGER,
    -- When the digest that began last was due.
    last_due_at  INTEGER,
    last_sent_at INTEGER,
    -- Place of the last event that an accepted digest covered, and when that digest began.
    covered_seq  INTEGER NOT NULL CHECK (covered_seq >= 0),
    covered_at   INTEGER,
    version      INTEGER NOT NULL,
    CHECK ((enabled = 1) = (next_due_at IS NOT NULL)),
    CHECK (CASE frequency WHEN 'daily' THEN day IS NULL
                          WHEN 'weekly' THEN day IS NOT NULL AND day BETWEEN 0 AND 6
                          ELSE day IS NOT NULL AND day BETWEEN 1 AND 28 END)
) STRICT;
CREATE INDEX audit_digests_due ON audit_digests (next_due_at) WHERE next_due_at IS NOT NULL;

-- A digest begins once for each instant at which one is due: the last wall against two workers.
CREATE TABLE audit_digest_runs (
    workspace_id BLOB    NOT NULL REFERENCES workspaces (id),
    id           BLOB    NOT NULL CHECK (length(id) = 16),
    due_at       INTEGER NOT NULL,
    from_seq     INTEGER NOT NULL CHECK (from_seq > 0),
    to_seq       INTEGER NOT NULL,
    since        INTEGER,
    until        INTEGER NOT NULL,
    risks        TEXT    NOT NULL,
    recipients   TEXT    NOT NULL,
    state        TEXT    NOT NULL CHECK (state IN ('queued', 'sent', 'superseded')),
    sent_at      INTEGER,
    PRIMARY KEY (workspace_id, id),
    UNIQUE (workspace_id, due_at),
    CHECK (to_seq >= from_seq - 1),
    CHECK ((state = 'sent') = (sent_at IS NOT NULL))
) STRICT, WITHOUT ROWID;
CREATE UNIQUE INDEX audit_digest_runs_one_queued ON audit_digest_runs (workspace_id) WHERE state = 'queued';
CREATE INDEX audit_digest_runs_by_age ON audit_digest_runs (until);

-- The queue carries their mails. A CHECK of SQLite can't be changed, so the table is made anew; nothing refers to it.
CREATE TABLE outbox_next (
    id           BLOB    NOT NULL PRIMARY KEY CHECK (length(id) = 16),
    workspace_id BLOB,
    kind         TEXT    NOT NULL CHECK (kind IN ('invitation', 'sign-in', 'audit-digest')),
    subject_id   BLOB    NOT NULL,
    generation   INTEGER NOT NULL,
    state        TEXT    NOT NULL CHECK (state IN ('pending', 'done', 'dead')),
    attempts     INTEGER NOT NULL,
    next_at      INTEGER NOT NULL,
    lease_until  INTEGER,
    last_cause   TEXT,
    created_at   INTEGER NOT NULL
) STRICT;
INSERT INTO outbox_next (id, workspace_id, kind, subject_id, generation, state, attempts, next_at, lease_until, last_cause,
    created_at)
SELECT id, workspace_id, kind, subject_id, generation, state, attempts, next_at, lease_until, last_cause, created_at FROM outbox;
DROP TABLE outbox;
ALTER TABLE outbox_next RENAME TO outbox;
CREATE INDEX outbox_due ON outbox (next_at) WHERE state = 'pending';
