-- What is still to be done of an erasure after it was decided (docs/adr/0011). The twin of migrations/sqlite/0010_erasure_work.sql.

-- One for each erasure, kept: where it stands in the log, and how far its openings were emptied. Nobody can be read from it.
CREATE TABLE erasure_runs (
    workspace_id uuid   NOT NULL REFERENCES workspaces (id),
    -- The place of `member.erased`.
    seq          bigint NOT NULL CHECK (seq > 0),
    -- How many events spoke of the person, and in how many openings.
    events       bigint NOT NULL CHECK (events >= 0),
    openings     bigint NOT NULL CHECK (openings >= events),
    emptied      bigint NOT NULL CHECK (emptied >= 0),
    -- When somebody last worked on it: who finds it left alone goes on.
    touched_at   bigint NOT NULL,
    completed_at bigint,
    PRIMARY KEY (workspace_id, seq)
);
CREATE INDEX erasure_runs_left ON erasure_runs (touched_at) WHERE completed_at IS NULL;

-- Whose openings are still to be emptied. Their salts are gone since the same commit, so nobody can read them.
CREATE TABLE erasure_work (
    workspace_id uuid   NOT NULL,
    person_id    uuid   NOT NULL,
    seq          bigint NOT NULL,
    PRIMARY KEY (workspace_id, person_id),
    FOREIGN KEY (workspace_id, seq) REFERENCES erasure_runs (workspace_id, seq)
);
CREATE INDEX erasure_work_by_run ON erasure_work (workspace_id, seq);

ALTER TABLE erasure_runs ENABLE ROW LEVEL SECURITY;
ALTER TABLE erasure_runs FORCE ROW LEVEL SECURITY;
CREATE POLICY tenant ON erasure_runs
    USING (workspace_id = (SELECT nullif(current_setting('settings.workspace', true), '')::uuid));
-- The scope 'directory' finds what was left alone: places and numbers, no person.
CREATE POLICY directory ON erasure_runs FOR SELECT
    USING ((SELECT current_setting('settings.scope', true)) = 'directory');
ALTER TABLE erasure_work ENABLE ROW LEVEL SECURITY;
ALTER TABLE erasure_work FORCE ROW LEVEL SECURITY;
CREATE POLICY tenant ON erasure_work
    USING (workspace_id = (SELECT nullif(current_setting('settings.workspace', true), '')::uuid));

-- The queue carries the mails to admins about an erasure.
ALTER TABLE outbox DROP CONSTRAINT outbox_kind_check;
ALTER TABLE outbox ADD CONSTRAINT outbox_kind_check
    CHECK (kind IN ('invitation', 'sign-in', 'audit-digest', 'notification', 'seat-quantity', 'member-erased'));

DO $$
BEGIN
    IF EXISTS (SELECT FROM pg_roles WHERE rolname = 'settings_app') THEN
        GRANT SELECT, INSERT, UPDATE ON erasure_runs TO settings_app;
        GRANT SELECT, INSERT, DELETE ON erasure_work TO settings_app;
        GRANT DELETE ON invitation_asks TO settings_app;
    END IF;
END $$;
