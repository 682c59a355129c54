-- Signed checkpoints of audit chains. The twin of migrations/sqlite/0008_audit_checkpoints.sql.

CREATE TABLE audit_checkpoints (
    workspace_id uuid   NOT NULL,
    seq          bigint NOT NULL CHECK (seq > 0),
    hash         bytea  NOT NULL CHECK (length(hash) = 32),
    -- The place that the checkpoint before speaks of; 0 for the first. Unique: each is followed once, by one process.
    previous_seq bigint NOT NULL CHECK (previous_seq >= 0 AND previous_seq < seq),
    note         text   NOT NULL,
    signed_at    bigint NOT NULL,
    PRIMARY KEY (workspace_id, seq),
    CONSTRAINT audit_checkpoints_previous_key UNIQUE (workspace_id, previous_seq)
);

CREATE TRIGGER audit_checkpoints_append_only BEFORE UPDATE OR DELETE ON audit_checkpoints
    FOR EACH ROW EXECUTE FUNCTION refuse('audit-append-only');
CREATE TRIGGER audit_checkpoints_no_truncate BEFORE TRUNCATE ON audit_checkpoints
    FOR EACH STATEMENT EXECUTE FUNCTION refuse('audit-append-only');

ALTER TABLE audit_checkpoints ENABLE ROW LEVEL SECURITY;
ALTER TABLE audit_checkpoints FORCE ROW LEVEL SECURITY;
CREATE POLICY tenant ON audit_checkpoints
    USING (workspace_id = (SELECT nullif(current_setting('settings.workspace', true), '')::uuid));
-- The scope 'directory' finds which chains have grown since they were signed: places and hashes, no event.
CREATE POLICY directory ON audit_checkpoints FOR SELECT
    USING ((SELECT current_setting('settings.scope', true)) = 'directory');
CREATE POLICY directory ON audit_heads FOR SELECT
    USING ((SELECT current_setting('settings.scope', true)) = 'directory');

DO $$
BEGIN
    IF EXISTS (SELECT FROM pg_roles WHERE rolname = 'settings_app') THEN
        GRANT SELECT, INSERT ON audit_checkpoints TO settings_app;
    END IF;
END $$;
