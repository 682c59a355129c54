-- Billing: what was last read at the billing service, what was used, and when to look again. The twin of
-- migrations/sqlite/0006_billing.sql.

CREATE TABLE billing_accounts (
    workspace_id uuid   NOT NULL PRIMARY KEY REFERENCES workspaces (id),
    -- The customer at the billing service: nobody else's.
    customer_id  text   CONSTRAINT billing_accounts_customer_key UNIQUE,
    -- The subscription as it was last read, as JSON.
    subscription text,
    -- The seats that it gives; absent where it says nothing of seats. For the rule below.
    plan_seats   bigint CHECK (plan_seats >= 0),
    read_at      bigint,
    version      bigint NOT NULL CHECK (version > 0),
    CHECK (subscription IS NOT NULL OR plan_seats IS NULL),
    CHECK (customer_id IS NOT NULL OR subscription IS NULL)
);

-- Events of the billing service that were handled: none is handled twice.
CREATE TABLE billing_events (
    workspace_id uuid   NOT NULL REFERENCES workspaces (id),
    id           text   NOT NULL,
    handled_at   bigint NOT NULL,
    PRIMARY KEY (workspace_id, id)
);
CREATE INDEX billing_events_by_age ON billing_events (handled_at);

-- When a workspace's subscription is looked at again, events or none.
CREATE TABLE billing_checks (
    workspace_id uuid   NOT NULL PRIMARY KEY REFERENCES workspaces (id),
    next_at      bigint NOT NULL
);
CREATE INDEX billing_checks_due ON billing_checks (next_at);

-- What was used, by reports: an id counts once.
CREATE TABLE usage_records (
    workspace_id uuid   NOT NULL REFERENCES workspaces (id),
    id           text   NOT NULL,
    metric       text   NOT NULL,
    quantity     bigint NOT NULL CHECK (quantity BETWEEN 1 AND 1000000000),
    at           bigint NOT NULL,
    -- Whether the billing service knows of it.
    reported     text   NOT NULL CHECK (reported IN ('waiting', 'taken', 'refused')),
    attempts     bigint NOT NULL,
    PRIMARY KEY (workspace_id, id)
);
CREATE INDEX usage_records_waiting ON usage_records (attempts, at) WHERE reported = 'waiting';
CREATE INDEX usage_records_by_age ON usage_records (at);

-- The same, added up: by metric and day, in days since 1970.
CREATE TABLE usage_days (
    workspace_id uuid   NOT NULL REFERENCES workspaces (id),
    day          bigint NOT NULL,
    metric       text   NOT NULL,
    quantity     bigint NOT NULL CHECK (quantity > 0),
    PRIMARY KEY (workspace_id, day, metric)
);

-- Whoever is invited takes a seat, which both the workspace's limit and its subscription have to give. A membership comes
-- of an invitation that has its seat already, so it asks for the limit alone: a subscription that shrinks meanwhile puts
-- nobody out.
CREATE FUNCTION check_effective_seats() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
    seats bigint;
    used  bigint;
BEGIN
    SELECT seat_limit INTO seats FROM workspaces WHERE id = NEW.workspace_id FOR NO KEY UPDATE;
    SELECT least(seats, b.plan_seats) INTO seats FROM (SELECT 1) one
        LEFT JOIN billing_accounts b ON b.workspace_id = NEW.workspace_id;
    SELECT (SELECT count(*) FROM memberships m WHERE m.workspace_id = NEW.workspace_id AND m.removed_at IS NULL)
         + (SELECT count(*) FROM invitations i
            WHERE i.workspace_id = NEW.workspace_id AND i.state = 'pending'
              AND i.expires_at > CAST(unixepoch('subsec') * 1000000 AS BIGINT))
      INTO used;
    IF used > seats THEN
        RAISE EXCEPTION USING ERRCODE = 'check_violation', MESSAGE = 'seat-limit', CONSTRAINT = 'seat-limit';
    END IF;
    RETURN NULL;
END $$;
DROP TRIGGER invitations_take_seat ON invitations;
DROP TRIGGER invitations_retake_seat ON invitations;
CREATE TRIGGER invitations_take_seat AFTER INSERT ON invitations
    FOR EACH ROW WHEN (NEW.state = 'pending') EXECUTE FUNCTION check_effective_seats();
CREATE TRIGGER invitations_retake_seat AFTER UPDATE ON invitations
    FOR EACH ROW WHEN (NEW.state = 'pending' AND (OLD.state <> 'pending'
        OR (NEW.expires_at > CAST(unixepoch('subsec') * 1000000 AS BIGINT)
            AND OLD.expires_at <= CAST(unixepoch('subsec') * 1000000 AS BIGINT))))
    EXECUTE FUNCTION check_effective_seats();

-- The queue carries changes of the seats that are paid for.
ALTER TABLE outbox DROP CONSTRAINT outbox_kind_check;
ALTER TABLE outbox ADD CONSTRAINT outbox_kind_check
    CHECK (kind IN ('invitation', 'sign-in', 'audit-digest', 'notification', 'seat-quantity'));

-- The scope 'directory' finds whose customer it is, what is to be checked and what is to be reported, and drops what nobody
-- asks for any more.
DO $$
DECLARE
    tenant_table text;
BEGIN
    FOREACH tenant_table IN ARRAY ARRAY['billing_accounts', 'billing_events', 'billing_checks', 'usage_records',
        'usage_days'] LOOP
        EXECUTE format('ALTER TABLE %I ENABLE ROW LEVEL SECURITY', tenant_table);
        EXECUTE format('ALTER TABLE %I FORCE ROW LEVEL SECURITY', tenant_table);
        EXECUTE format('CREATE POLICY tenant ON %I USING (workspace_id = '
            '(SELECT nullif(current_setting(''settings.workspace'', true), '''')::uuid))', tenant_table);
    END LOOP;
    FOREACH tenant_table IN ARRAY ARRAY['billing_accounts', 'billing_events', 'usage_records'] LOOP
        EXECUTE format('CREATE POLICY directory ON %I FOR SELECT '
            'USING ((SELECT current_setting(''settings.scope'', true)) = ''directory'')', tenant_table);
    END LOOP;
    FOREACH tenant_table IN ARRAY ARRAY['billing_events', 'usage_records'] LOOP
        EXECUTE format('CREATE POLICY upkeep ON %I FOR DELETE '
            'USING ((SELECT current_setting(''settings.scope'', true)) = ''directory'')', tenant_table);
    END LOOP;
    CREATE POLICY directory ON billing_checks
        USING ((SELECT current_setting('settings.scope', true)) = 'directory');
    IF EXISTS (SELECT FROM pg_roles WHERE rolname = 'settings_app') THEN
        GRANT SELECT, INSERT, UPDATE ON billing_accounts, billing_checks, usage_days TO settings_app;
        GRANT SELECT, INSERT, DELETE ON billing_events TO settings_app;
        GRANT SELECT, INSERT, DELETE ON usage_records TO settings_app;
        GRANT UPDATE (reported, attempts) ON usage_records TO settings_app;
    END IF;
END $$;
