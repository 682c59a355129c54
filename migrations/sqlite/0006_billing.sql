-- Billing: what was last read at the billing service, what was used, and when to look again. The twin of
-- migrations/postgres/0006_billing.sql.

CREATE TABLE billing_accounts (
    workspace_id BLOB    NOT NULL PRIMARY KEY REFERENCES workspaces (id),
    -- The customer at the billing service: nobody else's.
    customer_id  TEXT    UNIQUE,
    -- The subscription as it was last read, as JSON.
    subscription TEXT,
    -- The seats that it gives; absent where it says nothing of seats. For the rule below.
    plan_seats   INTEGER CHECK (plan_seats >= 0),
    read_at      INTEGER,
    version      INTEGER NOT NULL CHECK (version > 0),
    CHECK (subscription IS NOT NULL OR plan_seats IS NULL),
    CHECK (customer_id IS NOT NULL OR subscription IS NULL)
) STRICT;

-- Events of the billing service that were handled: none is handled twice.
CREATE TABLE billing_events (
    workspace_id BLOB    NOT NULL REFERENCES workspaces (id),
    id           TEXT    NOT NULL,
    handled_at   INTEGER NOT NULL,
    PRIMARY KEY (workspace_id, id)
) STRICT, WITHOUT ROWID;
CREATE INDEX billing_events_by_age ON billing_events (handled_at);

-- When a workspace's subscription is looked at again, events or none.
CREATE TABLE billing_checks (
    workspace_id BLOB    NOT NULL PRIMARY KEY REFERENCES workspaces (id),
    next_at      INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
CREATE INDEX billing_checks_due ON billing_checks (next_at);

-- What was used, by reports: an id counts once.
CREATE TABLE usage_records (
    workspace_id BLOB    NOT NULL REFERENCES workspaces (id),
    id           TEXT    NOT NULL,
    metric       TEXT    NOT NULL,
    quantity     INTEGER NOT NULL CHECK (quantity BETWEEN 1 AND 1000000000),
    at           INTEGER NOT NULL,
    -- Whether the billing service knows of it.
    reported     TEXT    NOT NULL CHECK (reported IN ('waiting', 'taken', 'refused')),
    attempts     INTEGER NOT NULL,
    PRIMARY KEY (workspace_id, id)
) STRICT, WITHOUT ROWID;
CREATE INDEX usage_records_waiting ON usage_records (attempts, at) WHERE reported = 'waiting';
CREATE INDEX usage_records_by_age ON usage_records (at);

-- The same, added up: by metric and day, in days since 1970.
CREATE TABLE usage_days (
    workspace_id BLOB    NOT NULL REFERENCES workspaces (id),
    day          INTEGER NOT NULL,
    metric       TEXT    NOT NULL,
    quantity     INTEGER NOT NULL CHECK (quantity > 0),
    PRIMARY KEY (workspace_id, day, metric)
) STRICT, WITHOUT ROWID;

-- Whoever is invited takes a seat, which both the workspace's limit and its subscription have to give. A membership comes
-- of an invitation that has its seat already, so it asks for the limit alone: a subscription that shrinks meanwhile puts
-- nobody out.
CREATE VIEW effective_seats (workspace_id, seats, used) AS
SELECT s.workspace_id, min(s.seat_limit, coalesce(b.plan_seats, s.seat_limit)), s.used
FROM seats_used s LEFT JOIN billing_accounts b ON b.workspace_id = s.workspace_id;

DROP TRIGGER invitations_take_seat;
DROP TRIGGER invitations_retake_seat;
CREATE TRIGGER invitations_take_seat AFTER INSERT ON invitations
WHEN NEW.state = 'pending' AND NEW.expires_at > CAST(unixepoch('subsec') * 1000000 AS BIGINT) BEGIN
    SELECT RAISE(ABORT, 'seat-limit') FROM effective_seats WHERE workspace_id = NEW.workspace_id AND used > seats;
END;
CREATE TRIGGER invitations_retake_seat AFTER UPDATE OF state, expires_at ON invitations
WHEN NEW.state = 'pending' AND NEW.expires_at > CAST(unixepoch('subsec') * 1000000 AS BIGINT)
    AND NOT (OLD.state = 'pending' AND OLD.expires_at > CAST(unixepoch('subsec') * 1000000 AS BIGINT)) BEGIN
    SELECT RAISE(ABORT, 'seat-limit') FROM effective_seats WHERE workspace_id = NEW.workspace_id AND used > seats;
END;

-- The queue carries changes of the seats that are paid for. A CHECK of SQLite can't be changed, so the table is made anew;
-- nothing refers to it.
CREATE TABLE outbox_next (
    id           BLOB    NOT NULL PRIMARY KEY CHECK (length(id) = 16),
    workspace_id BLOB,
    kind         TEXT    NOT NULL
        CHECK (kind IN ('invitation', 'sign-in', 'audit-digest', 'notification', 'seat-quantity')),
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
