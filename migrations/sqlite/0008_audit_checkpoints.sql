-- Signed checkpoints of audit chains. The twin of migrations/postgres/0008_audit_checkpoints.sql.

CREATE TABLE audit_checkpoints (
    workspace_id BLOB    NOT NULL,
    seq          INTEGER NOT NULL CHECK (seq > 0),
    hash         BLOB    NOT NULL CHECK (length(hash) = 32),
    -- The place that the checkpoint before speaks of; 0 for the first. Unique: each is followed once, by one process.
    previous_seq INTEGER NOT NULL CHECK (previous_seq >= 0 AND previous_seq < seq),
    note         TEXT    NOT NULL,
    signed_at    INTEGER NOT NULL,
    PRIMARY KEY (workspace_id, seq),
    UNIQUE (workspace_id, previous_seq)
) STRICT, WITHOUT ROWID;

CREATE TRIGGER audit_checkpoints_no_update BEFORE UPDATE ON audit_checkpoints BEGIN
    SELECT RAISE(ABORT, 'audit-append-only');
END;
CREATE TRIGGER audit_checkpoints_no_delete BEFORE DELETE ON audit_checkpoints BEGIN
    SELECT RAISE(ABORT, 'audit-append-only');
END;
