-- Notifications: what was chosen, connections, webhooks, published events, and the ledger of deliveries. The twin of
-- migrations/postgres/0005_notifications.sql.
--
-- Addresses, tokens and texts stand in one place each; a delivery names its receiver and holds none of them.

CREATE TABLE notification_settings (
    workspace_id BLOB    NOT NULL PRIMARY KEY REFERENCES workspaces (id),
    -- By event type: the channels, and the recipients by id. As JSON.
    preferences  TEXT    NOT NULL,
    version      INTEGER NOT NULL
) STRICT;

-- Addresses of a workspace's own choice: the only place where they are.
CREATE TABLE notification_recipients (
    workspace_id BLOB NOT NULL REFERENCES workspaces (id),
    id           BLOB NOT NULL CHECK (length(id) = 16),
    email        TEXT NOT NULL,
    email_key    TEXT NOT NULL,
    PRIMARY KEY (workspace_id, id),
    UNIQUE (workspace_id, email_key)
) STRICT, WITHOUT ROWID;

CREATE TABLE connections (
    workspace_id     BLOB    NOT NULL UNIQUE REFERENCES workspaces (id),
    id               BLOB    NOT NULL CHECK (length(id) = 16),
    kind             TEXT    NOT NULL CHECK (kind = 'slack'),
    status           TEXT    NOT NULL CHECK (status IN ('active', 'error', 'disconnected')),
    status_reason    TEXT,
    channel          TEXT,
    channel_name     TEXT,
    -- A part of what the token's ciphertext is bound to.
    team_id          TEXT    NOT NULL,
    team_name        TEXT    NOT NULL,
    token            BLOB    CHECK (length(token) BETWEEN 30 AND 66000),
    token_generation INTEGER,
    token_version    INTEGER,
    authorized_at    INTEGER NOT NULL,
    created_at       INTEGER NOT NULL,
    updated_at       INTEGER NOT NULL,
    version          INTEGER NOT NULL,
    PRIMARY KEY (workspace_id, id),
    -- Whoever disconnects destroys the token.
    CHECK ((token IS NULL) = (status = 'disconnected')),
    CHECK ((token IS NULL) = (token_generation IS NULL) AND (token IS NULL) = (token_version IS NULL))
) STRICT;

CREATE TABLE webhook_subscriptions (
    workspace_id          BLOB    NOT NULL REFERENCES workspaces (id),
    id                    BLOB    NOT NULL CHECK (length(id) = 16),
    url                   TEXT    NOT NULL,
    host                  TEXT    NOT NULL,
    -- Words, separated by spaces.
    events                TEXT    NOT NULL CHECK (events <> ''),
    status                TEXT    NOT NULL CHECK (status IN ('active', 'disabled')),
    status_reason         TEXT,
    secret                BLOB    NOT NULL CHECK (length(secret) BETWEEN 30 AND 66000),
    secret_generation     INTEGER NOT NULL,
    secret_version        INTEGER NOT NULL,
    -- The secret of before, valid until an instant beside the present one.
    previous_secret       BLOB,
    previous_generation   INTEGER,
    previous_version      INTEGER,
    previous_secret_until INTEGER,
    created_at            INTEGER NOT NULL,
    updated_at            INTEGER NOT NULL,
    version               INTEGER NOT NULL,
    PRIMARY KEY (workspace_id, id),
    CHECK ((previous_secret IS NULL) = (previous_generation IS NULL)
        AND (previous_secret IS NULL) = (previous_version IS NULL))
) STRICT;

-- Since when a webhook fails. Apart from its row: what every delivery changes must not collide with a person's change.
CREATE TABLE webhook_health (
    workspace_id    BLOB    NOT NULL,
    subscription_id BLOB    NOT NULL,
    failing_since   INTEGER,
    told_at         INTEGER,
    PRIMARY KEY (workspace_id, subscription_id),
    FOREIGN KEY (workspace_id, subscription_id) REFERENCES webhook_subscriptions (workspace_id, id) ON DELETE CASCADE
) STRICT, WITHOUT ROWID;

CREATE TABLE published_events (
    workspace_id   BLOB    NOT NULL REFERENCES workspaces (id),
    id             BLOB    NOT NULL CHECK (length(id) = 16),
    -- Keyed, of its source and id: the same event again is none.
    key_digest     BLOB    NOT NULL CHECK (length(key_digest) = 32),
    kind           TEXT    NOT NULL
        CHECK (kind IN ('run_failed', 'approval_requested', 'workflow_deployed', 'mcp_server_degraded', 'secret_rotated')),
    deliveries     INTEGER NOT NULL CHECK (deliveries >= 0),
    received_at    INTEGER NOT NULL,
    sealed         BLOB    NOT NULL CHECK (length(sealed) BETWEEN 30 AND 66000),
    key_generation INTEGER NOT NULL,
    PRIMARY KEY (workspace_id, id),
    UNIQUE (workspace_id, key_digest)
) STRICT;
CREATE INDEX published_events_by_age ON published_events (received_at);

-- The ledger. When a delivery is tried next stands in its row of the queue, under the same id.
CREATE TABLE deliveries (
    workspace_id   BLOB    NOT NULL REFERENCES workspaces (id),
    id             BLOB    NOT NULL CHECK (length(id) = 16),
    message        TEXT    NOT NULL CHECK (message IN ('event', 'test', 'slack-failing', 'webhook-failing')),
    -- The event, connection or webhook that it is about. No foreign key: they may go first.
    about_id       BLOB,
    destination    TEXT    NOT NULL CHECK (destination IN ('member', 'recipient', 'slack', 'webhook')),
    destination_id BLOB    NOT NULL CHECK (length(destination_id) = 16),
    instead_of     BLOB,
    status         TEXT    NOT NULL CHECK (status IN ('pending', 'parked', 'delivered', 'failed', 'dropped')),
    created_at     INTEGER NOT NULL,
    PRIMARY KEY (workspace_id, id),
    CHECK ((message = 'test') = (about_id IS NULL))
) STRICT, WITHOUT ROWID;
CREATE INDEX deliveries_by_status ON deliveries (workspace_id, status, id);
CREATE INDEX deliveries_by_about ON deliveries (workspace_id, about_id, id);
CREATE INDEX deliveries_by_age ON deliveries (created_at, id) WHERE status IN ('delivered', 'failed', 'dropped');

CREATE TABLE delivery_attempts (
    workspace_id BLOB    NOT NULL,
    delivery_id  BLOB    NOT NULL,
    number       INTEGER NOT NULL CHECK (number > 0),
    at           INTEGER NOT NULL,
    accepted     INTEGER NOT NULL CHECK (accepted IN (0, 1)),
    status       INTEGER,
    cause        TEXT,
    millis       INTEGER NOT NULL,
    PRIMARY KEY (workspace_id, delivery_id, number),
    FOREIGN KEY (workspace_id, delivery_id) REFERENCES deliveries (workspace_id, id) ON DELETE CASCADE
) STRICT, WITHOUT ROWID;

CREATE TRIGGER webhook_subscriptions_limit AFTER INSERT ON webhook_subscriptions BEGIN
    SELECT RAISE(ABORT, 'webhook-limit')
    WHERE (SELECT count(*) FROM webhook_subscriptions WHERE workspace_id = NEW.workspace_id) > 50;
END;

-- The queue carries notifications. A CHECK of SQLite can't be changed, so the table is made anew; nothing refers to it.
CREATE TABLE outbox_next (
    id           BLOB    NOT NULL PRIMARY KEY CHECK (length(id) = 16),
    workspace_id BLOB,
    kind         TEXT    NOT NULL CHECK (kind IN ('invitation', 'sign-in', 'audit-digest', 'notification')),
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
    created_at)
SELECT id, workspace_id, kind, subject_id, generation, state, attempts, next_at, lease_until, last_cause, created_at FROM outbox;
DROP TABLE outbox;
ALTER TABLE outbox_next RENAME TO outbox;
CREATE INDEX outbox_due ON outbox (next_at) WHERE state = 'pending';
CREATE INDEX outbox_turns ON outbox (turn, next_at, id) WHERE state = 'pending';
CREATE INDEX outbox_sent ON outbox (created_at) WHERE state = 'done';
