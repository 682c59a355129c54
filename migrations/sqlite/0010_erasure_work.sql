-- What is still to be done of an erasure after it was decided (docs/adr/0011). The twin of migrations/postgres/0010_erasure_work.sql.

-- One for each erasure, kept: where it stands in the log, and how far its openings were emptied. Nobody can be read from it.
CREATE TABLE erasure_runs (
    workspace_id BLOB    NOT NULL REFERENCES workspaces (id),
    -- The place of `member.erased`.
    seq          INTEGER NOT NULL CHECK (seq > 0),
    -- How many events spoke of the person, and in how many openings.
    events       INTEGER NOT NULL CHECK (events >= 0),
    openings     INTEGER NOT NULL CHECK (openings >= events),
    emptied      INTEGER NOT NULL CHECK (emptied >= 0),
    -- When somebody last worked on it: who finds it left alone goes on.
    touched_at   INTEGER NOT NULL,
    completed_at INTEGER,
    PRIMARY KEY (workspace_id, seq)
) STRICT, WITHOUT ROWID;
CREATE INDEX erasure_runs_left ON erasure_runs (touched_at) WHERE completed_at IS NULL;

-- Whose openings are still to be emptied. Their salts are gone since the same commit, so nobody can read them.
CREATE TABLE erasure_work (
    workspace_id BLOB    NOT NULL,
    person_id    BLOB    NOT NULL,
    seq          INTEGER NOT NULL,
    PRIMARY KEY (workspace_id, person_id),
    FOREIGN KEY (workspace_id, seq) REFERENCES erasure_runs (workspace_id, seq)
) STRICT, WITHOUT ROWID;
CREATE INDEX erasure_work_by_run ON erasure_work (workspace_id, seq);

-- The queue carries the mails to admins about an erasure. A CHECK of SQLite can't be changed, so the table is made anew; nothing
-- refers to it.
CREATE TABLE outbox_next (
    id           BLOB    NOT NULL PRIMARY KEY CHECK (length(id) = 16),
    workspace_id BLOB,
    kind         TEXT    NOT NULL
        CHECK (kind IN ('invitation', 'sign-in', 'audit-digest', 'notification', 'seat-quantity', 'member-erased')),
    subject_id   BLOB    NOT NULL,
    generation   INTEGER NOT NULL,
    state        TEXT    NOT NULL CHECK (state IN ('pending', 'done', 'dead')),
    attempts     INTEGER NOT NULL,
    next_at      INTEGER NOT NULL,
    lease_until  INTEGER,
    last_cause   TEXT,
    created_at   INTEGER NOT NULL,
    -- 1: it waits for something to be mended, and comes back at the latest at next_at.
    parked       INTEGER NOT NULL DEFAULT 0 CHECK (parked IN (0, 1)),
    -- Whose turn it is when messages are taken: the workspace's, or that of all messages without one.
    turn         BLOB    NOT NULL GENERATED ALWAYS AS (coalesce(workspace_id, x'00000000000000000000000000000000')) STORED
) STRICT;
INSERT INTO outbox_next (id, workspace_id, kind, subject_id, generation, state, attempts, next_at, lease_until, last_cause,
    created_at, parked)
SELECT id, workspace_id, kind, subject_id, generation, state, attempts, next_at, lease_until, last_cause, created_at, parked
FROM outbox;
DROP TABLE outbox;
ALTER TABLE outbox_next RENAME TO outbox;
CREATE INDEX outbox_due ON outbox (next_at) WHERE state = 'pending';
CREATE INDEX outbox_turns ON outbox (turn, next_at, id) WHERE state = 'pending';
CREATE INDEX outbox_sent ON outbox (created_at) WHERE state = 'done';
