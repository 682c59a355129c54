-- The audit digest: what was chosen, and the digests that began. The twin of migrations/sqlite/0004_audit_digest.sql.

CREATE TABLE audit_digests (
    workspace_id uuid   NOT NULL PRIMARY KEY REFERENCES workspaces (id),
    enabled      bigint NOT NULL CHECK (enabled IN (0, 1)),
    frequency    text   NOT NULL CHECK (frequency IN ('daily', 'weekly', 'monthly')),
    -- Of the week from 0, Sunday, or of the month from 1.
    day          bigint,
    hour         bigint NOT NULL CHECK (hour BETWEEN 0 AND 23),
    -- Words, separated by spaces.
    risks        text   NOT NULL,
    -- A list of addresses, as JSON.
    recipients   text   NOT NULL,
    next_due_at  bigint,
    -- When the digest that began last was due.
    last_due_at  bigint,
    last_sent_at bigint,
    -- Place of the last event that an accepted digest covered, and when that digest began.
    covered_seq  bigint NOT NULL CHECK (covered_seq >= 0),
    covered_at   bigint,
    version      bigint NOT NULL,
    CHECK ((enabled = 1) = (next_due_at IS NOT NULL)),
    CHECK (CASE frequency WHEN 'daily' THEN day IS NULL
                          WHEN 'weekly' THEN day IS NOT NULL AND day BETWEEN 0 AND 6
                          ELSE day IS NOT NULL AND day BETWEEN 1 AND 28 END)
);
CREATE INDEX audit_digests_due ON audit_digests (next_due_at) WHERE next_due_at IS NOT NULL;

-- A digest begins once for each instant at which one is due: the last wall against two workers.
CREATE TABLE audit_digest_runs (
    workspace_id uuid   NOT NULL REFERENCES workspaces (id),
    id           uuid   NOT NULL,
    due_at       bigint NOT NULL,
    from_seq     bigint NOT NULL CHECK (from_seq > 0),
    to_seq       bigint NOT NULL,
    since        bigint,
    until        bigint NOT NULL,
    risks        text   NOT NULL,
    recipients   text   NOT NULL,
    state        text   NOT NULL CHECK (state IN ('queued', 'sent', 'superseded')),
    sent_at      bigint,
    PRIMARY KEY (workspace_id, id),
    CONSTRAINT audit_digest_runs_due_key UNIQUE (workspace_id, due_at),
    CHECK (to_seq >= from_seq - 1),
    CHECK ((state = 'sent') = (sent_at IS NOT NULL))
);
CREATE UNIQUE INDEX audit_digest_runs_one_queued ON audit_digest_runs (workspace_id) WHERE state = 'queued';
CREATE INDEX audit_digest_runs_by_age ON audit_digest_runs (until);

-- The queue carries their mails.
ALTER TABLE outbox DROP CONSTRAINT outbox_kind_check;
ALTER TABLE outbox ADD CONSTRAINT outbox_kind_check CHECK (kind IN ('invitation', 'sign-in', 'audit-digest'));

-- The scope 'directory' finds what is due in any tenant, and drops runs of long ago.
DO $$
DECLARE
    tenant_table text;
BEGIN
    FOREACH tenant_table IN ARRAY ARRAY['audit_digests', 'audit_digest_runs'] LOOP
        EXECUTE format('ALTER TABLE %I ENABLE ROW LEVEL SECURITY', tenant_table);
        EXECUTE format('ALTER TABLE %I FORCE ROW LEVEL SECURITY', tenant_table);
        EXECUTE format('CREATE POLICY tenant ON %I USING (workspace_id = '
            '(SELECT nullif(current_setting(''settings.workspace'', true), '''')::uuid))', tenant_table);
    END LOOP;
    CREATE POLICY directory ON audit_digests FOR SELECT
        USING ((SELECT current_setting('settings.scope', true)) = 'directory');
    CREATE POLICY directory ON audit_digest_runs
        USING ((SELECT current_setting('settings.scope', true)) = 'directory');
    IF EXISTS (SELECT FROM pg_roles WHERE rolname = 'settings_app') THEN
        GRANT SELECT, INSERT, UPDATE ON audit_digests TO settings_app;
        GRANT SELECT, INSERT, UPDATE, DELETE ON audit_digest_runs TO settings_app;
    END IF;
END $$;
