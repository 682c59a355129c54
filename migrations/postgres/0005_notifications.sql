-- Notifications: what was chosen, connections, webhooks, published events, and the ledger of deliveries. The twin of
-- migrations/sqlite/0005_notifications.sql.
--
-- Addresses, tokens and texts stand in one place each; a delivery names its receiver and holds none of them.

CREATE TABLE notification_settings (
    workspace_id uuid   NOT NULL PRIMARY KEY REFERENCES workspaces (id),
    -- By event type: the channels, and the recipients by id. As JSON.
    preferences  text   NOT NULL,
    version      bigint NOT NULL
);

-- Addresses of a workspace's own choice: the only place where they are.
CREATE TABLE notification_recipients (
    workspace_id uuid NOT NULL REFERENCES workspaces (id),
    id           uuid NOT NULL,
    email        text NOT NULL,
    email_key    text NOT NULL,
    PRIMARY KEY (workspace_id, id),
    CONSTRAINT notification_recipients_email_key UNIQUE (workspace_id, email_key)
);

CREATE TABLE connections (
    workspace_id     uuid   NOT NULL CONSTRAINT connections_one_key UNIQUE REFERENCES workspaces (id),
    id               uuid   NOT NULL,
    kind             text   NOT NULL CHECK (kind = 'slack'),
    status           text   NOT NULL CHECK (status IN ('active', 'error', 'disconnected')),
    status_reason    text,
    channel          text,
    channel_name     text,
    -- A part of what the token's ciphertext is bound to.
    team_id          text   NOT NULL,
    team_name        text   NOT NULL,
    token            bytea  CHECK (length(token) BETWEEN 30 AND 66000),
    token_generation bigint,
    token_version    bigint,
    authorized_at    bigint NOT NULL,
    created_at       bigint NOT NULL,
    updated_at       bigint NOT NULL,
    version          bigint NOT NULL,
    PRIMARY KEY (workspace_id, id),
    -- Whoever disconnects destroys the token.
    CHECK ((token IS NULL) = (status = 'disconnected')),
    CHECK ((token IS NULL) = (token_generation IS NULL) AND (token IS NULL) = (token_version IS NULL))
);

CREATE TABLE webhook_subscriptions (
    workspace_id          uuid   NOT NULL REFERENCES workspaces (id),
    id                    uuid   NOT NULL,
    url                   text   NOT NULL,
    host                  text   NOT NULL,
    -- Words, separated by spaces.
    events                text   NOT NULL CHECK (events <> ''),
    status                text   NOT NULL CHECK (status IN ('active', 'disabled')),
    status_reason         text,
    secret                bytea  NOT NULL CHECK (length(secret) BETWEEN 30 AND 66000),
    secret_generation     bigint NOT NULL,
    secret_version        bigint NOT NULL,
    -- The secret of before, valid until an instant beside the present one.
    previous_secret       bytea,
    previous_generation   bigint,
    previous_version      bigint,
    previous_secret_until bigint,
    created_at            bigint NOT NULL,
    updated_at            bigint NOT NULL,
    version               bigint NOT NULL,
    PRIMARY KEY (workspace_id, id),
    CHECK ((previous_secret IS NULL) = (previous_generation IS NULL)
        AND (previous_secret IS NULL) = (previous_version IS NULL))
);

-- Since when a webhook fails. Apart from its row: what every delivery changes must not collide with a person's change.
CREATE TABLE webhook_health (
    workspace_id    uuid   NOT NULL,
    subscription_id uuid   NOT NULL,
    failing_since   bigint,
    told_at         bigint,
    PRIMARY KEY (workspace_id, subscription_id),
    FOREIGN KEY (workspace_id, subscription_id) REFERENCES webhook_subscriptions (workspace_id, id) ON DELETE CASCADE
);

CREATE TABLE published_events (
    workspace_id   uuid   NOT NULL REFERENCES workspaces (id),
    id             uuid   NOT NULL,
    -- Keyed, of its source and id: the same event again is none.
    key_digest     bytea  NOT NULL CHECK (length(key_digest) = 32),
    kind           text   NOT NULL
        CHECK (kind IN ('run_failed', 'approval_requested', 'workflow_deployed', 'mcp_server_degraded', 'secret_rotated')),
    deliveries     bigint NOT NULL CHECK (deliveries >= 0),
    received_at    bigint NOT NULL,
    sealed         bytea  NOT NULL CHECK (length(sealed) BETWEEN 30 AND 66000),
    key_generation bigint NOT NULL,
    PRIMARY KEY (workspace_id, id),
    CONSTRAINT published_events_digest_key UNIQUE (workspace_id, key_digest)
);
CREATE INDEX published_events_by_age ON published_events (received_at);

-- The ledger. When a delivery is tried next stands in its row of the queue, under the same id.
CREATE TABLE deliveries (
    workspace_id   uuid   NOT NULL REFERENCES workspaces (id),
    id             uuid   NOT NULL,
    message        text   NOT NULL CHECK (message IN ('event', 'test', 'slack-failing', 'webhook-failing')),
    -- The event, connection or webhook that it is about. No foreign key: they may go first.
    about_id       uuid,
    destination    text   NOT NULL CHECK (destination IN ('member', 'recipient', 'slack', 'webhook')),
    destination_id uuid   NOT NULL,
    instead_of     uuid,
    status         text   NOT NULL CHECK (status IN ('pending', 'parked', 'delivered', 'failed', 'dropped')),
    created_at     bigint NOT NULL,
    PRIMARY KEY (workspace_id, id),
    CHECK ((message = 'test') = (about_id IS NULL))
);
CREATE INDEX deliveries_by_status ON deliveries (workspace_id, status, id);
CREATE INDEX deliveries_by_about ON deliveries (workspace_id, about_id, id);
CREATE INDEX deliveries_by_age ON deliveries (created_at, id) WHERE status IN ('delivered', 'failed', 'dropped');

CREATE TABLE delivery_attempts (
    workspace_id uuid   NOT NULL,
    delivery_id  uuid   NOT NULL,
    number       bigint NOT NULL CHECK (number > 0),
    at           bigint NOT NULL,
    accepted     bigint NOT NULL CHECK (accepted IN (0, 1)),
    status       bigint,
    cause        text,
    millis       bigint NOT NULL,
    PRIMARY KEY (workspace_id, delivery_id, number),
    FOREIGN KEY (workspace_id, delivery_id) REFERENCES deliveries (workspace_id, id) ON DELETE CASCADE
);

-- The workspace's row is locked first, so that two that are made at once are counted one after the other.
CREATE FUNCTION limit_webhooks() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    PERFORM 1 FROM workspaces WHERE id = NEW.workspace_id FOR NO KEY UPDATE;
    IF (SELECT count(*) FROM webhook_subscriptions WHERE workspace_id = NEW.workspace_id) > 50 THEN
        RAISE EXCEPTION USING ERRCODE = 'check_violation', MESSAGE = 'webhook-limit', CONSTRAINT = 'webhook-limit';
    END IF;
    RETURN NULL;
END $$;
CREATE TRIGGER webhook_subscriptions_limit AFTER INSERT ON webhook_subscriptions
    FOR EACH ROW EXECUTE FUNCTION limit_webhooks();

-- The queue carries notifications.
ALTER TABLE outbox DROP CONSTRAINT outbox_kind_check;
ALTER TABLE outbox ADD CONSTRAINT outbox_kind_check CHECK (kind IN ('invitation', 'sign-in', 'audit-digest', 'notification'));
ALTER TABLE outbox
    -- 1: it waits for something to be mended, and comes back at the latest at next_at.
    ADD COLUMN parked bigint NOT NULL DEFAULT 0 CHECK (parked IN (0, 1)),
    -- Whose turn it is when messages are taken: the workspace's, or that of all messages without one.
    ADD COLUMN turn uuid NOT NULL
        GENERATED ALWAYS AS (coalesce(workspace_id, '00000000-0000-0000-0000-000000000000')) STORED;
CREATE INDEX outbox_turns ON outbox (turn, next_at, id) WHERE state = 'pending';
CREATE INDEX outbox_sent ON outbox (created_at) WHERE state = 'done';

-- The scope 'directory' drops what nobody asks for any more. It changes nothing and sees no address, token or secret.
DO $$
DECLARE
    tenant_table text;
BEGIN
    FOREACH tenant_table IN ARRAY ARRAY['notification_settings', 'notification_recipients', 'connections',
        'webhook_subscriptions', 'webhook_health', 'published_events', 'deliveries', 'delivery_attempts'] LOOP
        EXECUTE format('ALTER TABLE %I ENABLE ROW LEVEL SECURITY', tenant_table);
        EXECUTE format('ALTER TABLE %I FORCE ROW LEVEL SECURITY', tenant_table);
        EXECUTE format('CREATE POLICY tenant ON %I USING (workspace_id = '
            '(SELECT nullif(current_setting(''settings.workspace'', true), '''')::uuid))', tenant_table);
    END LOOP;
    FOREACH tenant_table IN ARRAY ARRAY['published_events', 'deliveries'] LOOP
        EXECUTE format('CREATE POLICY directory ON %I FOR SELECT '
            'USING ((SELECT current_setting(''settings.scope'', true)) = ''directory'')', tenant_table);
        EXECUTE format('CREATE POLICY upkeep ON %I FOR DELETE '
            'USING ((SELECT current_setting(''settings.scope'', true)) = ''directory'')', tenant_table);
    END LOOP;
    IF EXISTS (SELECT FROM pg_roles WHERE rolname = 'settings_app') THEN
        GRANT SELECT, INSERT, UPDATE ON notification_settings TO settings_app;
        GRANT SELECT, INSERT, DELETE ON notification_recipients, published_events TO settings_app;
        GRANT SELECT, INSERT, UPDATE, DELETE ON connections, webhook_subscriptions, webhook_health, deliveries TO settings_app;
        -- Attempts go with their delivery, which needs no right of its own.
        GRANT SELECT, INSERT ON delivery_attempts TO settings_app;
    END IF;
END $$;
