-- What is still to be done of an erasure after it was decided (docs/adr/0011). The twin of migrations/postgres/0011_erasure_work.sql.

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
