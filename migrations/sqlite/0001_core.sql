-- The core schema, for SQLite. The twin of migrations/postgres/0001_core.sql: same tables, same columns, same rules.
--
-- Conventions:
--   ids       BLOB of 16 bytes (UUID version 7, so they sort by age; the nil UUID stands for "nobody" or "no workspace")
--   instants  INTEGER, whole microseconds since 1970: compared exactly, the same on both engines
--   texts     TEXT; closed sets of words are CHECKed
--   JSON      TEXT, written and read by the program alone
--   flags     INTEGER 0 or 1
-- Rules that a decision checks first are repeated here as constraints and triggers; the name in RAISE is what the program
-- reports. A released migration is never edited.

CREATE TABLE workspaces (
    id             BLOB    NOT NULL PRIMARY KEY CHECK (length(id) = 16),
    slug           TEXT    NOT NULL UNIQUE,
    name           TEXT    NOT NULL,
    region         TEXT    NOT NULL,
    retention_days INTEGER NOT NULL,
    floor_days     INTEGER NOT NULL,
    seat_limit     INTEGER NOT NULL,
    -- Counts the commits that changed anything of this workspace: what was cached under an epoch holds as long as it.
    epoch          INTEGER NOT NULL DEFAULT 1,
    version        INTEGER NOT NULL,
    created_at     INTEGER NOT NULL,
    updated_at     INTEGER NOT NULL,
    -- A mark only: the slug stays taken for ever, so that no old link leads to a stranger.
    deleted_at     INTEGER
) STRICT;

CREATE TABLE environments (
    workspace_id BLOB    NOT NULL REFERENCES workspaces (id),
    id           BLOB    NOT NULL CHECK (length(id) = 16),
    name         TEXT    NOT NULL,
    tier         TEXT    NOT NULL CHECK (tier IN ('production', 'staging', 'development')),
    version      INTEGER NOT NULL,
    created_at   INTEGER NOT NULL,
    updated_at   INTEGER NOT NULL,
    PRIMARY KEY (workspace_id, id),
    UNIQUE (workspace_id, name),
    CONSTRAINT environments_production_name CHECK ((tier = 'production') = (name = 'production'))
) STRICT, WITHOUT ROWID;
CREATE UNIQUE INDEX environments_one_production ON environments (workspace_id) WHERE tier = 'production';

-- Accounts, the same in every workspace. Identity is issuer and subject, never the e-mail.
CREATE TABLE users (
    id             BLOB    NOT NULL PRIMARY KEY CHECK (length(id) = 16),
    issuer         TEXT    NOT NULL,
    subject        TEXT    NOT NULL,
    email          TEXT,
    email_key      TEXT,
    email_verified INTEGER NOT NULL CHECK (email_verified IN (0, 1)),
    name           TEXT,
    avatar_url     TEXT,
    created_at     INTEGER NOT NULL,
    updated_at     INTEGER NOT NULL,
    UNIQUE (issuer, subject)
) STRICT;
CREATE INDEX users_by_email ON users (email_key);

-- A person inside one workspace: what audit salts hang on. An account may have been several persons here (invited under
-- one address, later under another), so the account is indexed and not unique.
CREATE TABLE persons (
    workspace_id BLOB NOT NULL REFERENCES workspaces (id),
    id           BLOB NOT NULL CHECK (length(id) = 16),
    user_id      BLOB REFERENCES users (id),
    email_key    TEXT,
    -- Wrapped; made when the first personal field of this person is sealed, destroyed at erasure.
    salt         BLOB,
    PRIMARY KEY (workspace_id, id),
    UNIQUE (workspace_id, email_key)
) STRICT, WITHOUT ROWID;
CREATE INDEX persons_by_user ON persons (workspace_id, user_id);

CREATE TABLE memberships (
    workspace_id BLOB    NOT NULL REFERENCES workspaces (id),
    user_id      BLOB    NOT NULL REFERENCES users (id),
    person_id    BLOB    NOT NULL,
    role         TEXT    NOT NULL CHECK (role IN ('admin', 'editor', 'viewer')),
    joined_at    INTEGER NOT NULL,
    removed_at   INTEGER,
    version      INTEGER NOT NULL,
    PRIMARY KEY (workspace_id, user_id),
    FOREIGN KEY (workspace_id, person_id) REFERENCES persons (workspace_id, id)
) STRICT, WITHOUT ROWID;
CREATE INDEX memberships_by_user ON memberships (user_id);

CREATE TABLE invitations (
    workspace_id BLOB    NOT NULL REFERENCES workspaces (id),
    id           BLOB    NOT NULL UNIQUE CHECK (length(id) = 16),
    person_id    BLOB    NOT NULL,
    email        TEXT    NOT NULL,
    email_key    TEXT    NOT NULL,
    role         TEXT    NOT NULL CHECK (role IN ('admin', 'editor', 'viewer')),
    state        TEXT    NOT NULL CHECK (state IN ('pending', 'accepted', 'revoked', 'expired')),
    invited_by   BLOB REFERENCES users (id),
    created_at   INTEGER NOT NULL,
    expires_at   INTEGER NOT NULL,
    generation   INTEGER NOT NULL,
    email_status TEXT    NOT NULL CHECK (email_status IN ('queued', 'sent', 'failed')),
    token_digest BLOB    NOT NULL CHECK (length(token_digest) = 32),
    version      INTEGER NOT NULL,
    closed_at    INTEGER,
    PRIMARY KEY (workspace_id, id),
    FOREIGN KEY (workspace_id, person_id) REFERENCES persons (workspace_id, id)
) STRICT, WITHOUT ROWID;
CREATE UNIQUE INDEX invitations_one_pending ON invitations (workspace_id, email_key) WHERE state = 'pending';

CREATE TABLE api_keys (
    workspace_id BLOB    NOT NULL REFERENCES workspaces (id),
    id           BLOB    NOT NULL UNIQUE CHECK (length(id) = 16),
    name         TEXT    NOT NULL,
    prefix       TEXT    NOT NULL,
    last4        TEXT    NOT NULL,
    scopes       TEXT    NOT NULL CONSTRAINT api_keys_some_scope CHECK (scopes <> ''),
    digest       BLOB    NOT NULL CHECK (length(digest) = 32),
    seal         BLOB    NOT NULL CHECK (length(seal) = 32),
    created_by   BLOB REFERENCES users (id),
    created_at   INTEGER NOT NULL,
    expires_at   INTEGER,
    revoked_at   INTEGER,
    PRIMARY KEY (workspace_id, id)
) STRICT, WITHOUT ROWID;

-- When keys and members were last seen. Apart from their rows and without foreign keys: a call must not collide with the
-- lock of its own authority.
CREATE TABLE api_key_uses (
    workspace_id BLOB    NOT NULL,
    key_id       BLOB    NOT NULL,
    last_used_at INTEGER NOT NULL,
    PRIMARY KEY (workspace_id, key_id)
) STRICT, WITHOUT ROWID;

CREATE TABLE member_activity (
    workspace_id   BLOB    NOT NULL,
    user_id        BLOB    NOT NULL,
    last_active_at INTEGER NOT NULL,
    PRIMARY KEY (workspace_id, user_id)
) STRICT, WITHOUT ROWID;

-- One chain per workspace, from 1 without gaps. Nothing personal is in here but as a commitment.
CREATE TABLE audit_events (
    workspace_id BLOB    NOT NULL,
    seq          INTEGER NOT NULL CHECK (seq > 0),
    id           BLOB    NOT NULL,
    at           INTEGER NOT NULL,
    version      INTEGER NOT NULL,
    action       TEXT    NOT NULL,
    risk         TEXT    NOT NULL CHECK (risk IN ('low', 'medium', 'high', 'critical')),
    actor_kind   TEXT    NOT NULL,
    actor_key    BLOB,
    target_kind  TEXT    NOT NULL,
    target_id    BLOB,
    changes      TEXT    NOT NULL,
    commitments  TEXT    NOT NULL,
    hash         BLOB    NOT NULL CHECK (length(hash) = 32),
    mac          BLOB    NOT NULL CHECK (length(mac) = 32),
    PRIMARY KEY (workspace_id, seq)
) STRICT, WITHOUT ROWID;

-- What opens the commitments. Set to NULL at erasure, never anything else.
CREATE TABLE audit_openings (
    workspace_id BLOB    NOT NULL,
    seq          INTEGER NOT NULL,
    field        TEXT    NOT NULL,
    person_id    BLOB    NOT NULL,
    sealed       BLOB,
    PRIMARY KEY (workspace_id, seq, field)
) STRICT, WITHOUT ROWID;
CREATE INDEX audit_openings_by_person ON audit_openings (workspace_id, person_id);

CREATE TABLE audit_heads (
    workspace_id BLOB    NOT NULL PRIMARY KEY,
    seq          INTEGER NOT NULL,
    hash         BLOB    NOT NULL CHECK (length(hash) = 32)
) STRICT, WITHOUT ROWID;

-- Outcomes of calls with an Idempotency-Key, kept for 24 hours. The scope is the workspace, or nil for making one.
CREATE TABLE idempotency (
    scope_id    BLOB    NOT NULL,
    principal   TEXT    NOT NULL,
    operation   TEXT    NOT NULL,
    key         TEXT    NOT NULL,
    fingerprint BLOB    NOT NULL CHECK (length(fingerprint) = 32),
    outcome     TEXT    NOT NULL,
    created_at  INTEGER NOT NULL,
    PRIMARY KEY (scope_id, principal, operation, key)
) STRICT, WITHOUT ROWID;
CREATE INDEX idempotency_by_age ON idempotency (scope_id, created_at);

-- Messages that are owed. No secret and no address: the sender looks both up when it sends.
CREATE TABLE outbox (
    id           BLOB    NOT NULL PRIMARY KEY CHECK (length(id) = 16),
    workspace_id BLOB,
    kind         TEXT    NOT NULL CHECK (kind IN ('invitation', 'sign-in')),
    subject_id   BLOB    NOT NULL,
    generation   INTEGER NOT NULL,
    state        TEXT    NOT NULL CHECK (state IN ('pending', 'done', 'dead')),
    attempts     INTEGER NOT NULL,
    next_at      INTEGER NOT NULL,
    lease_until  INTEGER,
    last_cause   TEXT,
    created_at   INTEGER NOT NULL
) STRICT;
CREATE INDEX outbox_due ON outbox (next_at) WHERE state = 'pending';

CREATE TABLE sign_in_links (
    id           BLOB    NOT NULL PRIMARY KEY CHECK (length(id) = 16),
    token_digest BLOB    NOT NULL CHECK (length(token_digest) = 32),
    email        TEXT    NOT NULL,
    email_key    TEXT    NOT NULL,
    expires_at   INTEGER NOT NULL,
    used_at      INTEGER
) STRICT;
CREATE INDEX sign_in_links_by_expiry ON sign_in_links (expires_at);

CREATE TABLE sessions (
    id           BLOB    NOT NULL PRIMARY KEY CHECK (length(id) = 16),
    token_digest BLOB    NOT NULL CHECK (length(token_digest) = 32),
    user_id      BLOB    NOT NULL REFERENCES users (id),
    created_at   INTEGER NOT NULL,
    expires_at   INTEGER NOT NULL,
    ended_at     INTEGER
) STRICT;
CREATE INDEX sessions_by_expiry ON sessions (expires_at);

-- The service's own root key, wrapped: one row at most.
CREATE TABLE service_root_key (
    id         INTEGER NOT NULL PRIMARY KEY CHECK (id = 1),
    wrapped    BLOB    NOT NULL,
    created_at INTEGER NOT NULL
) STRICT;

-- Rules over a whole workspace ------------------------------------------------------------------------------------------

CREATE TRIGGER workspaces_slug_immutable BEFORE UPDATE OF slug ON workspaces WHEN NEW.slug <> OLD.slug BEGIN
    SELECT RAISE(ABORT, 'slug-immutable');
END;

CREATE TRIGGER environments_keep_production BEFORE DELETE ON environments WHEN OLD.tier = 'production' BEGIN
    SELECT RAISE(ABORT, 'production');
END;
CREATE TRIGGER environments_fix_production BEFORE UPDATE ON environments
WHEN OLD.tier = 'production' AND (NEW.tier <> OLD.tier OR NEW.name <> OLD.name OR NEW.workspace_id <> OLD.workspace_id) BEGIN
    SELECT RAISE(ABORT, 'production');
END;

CREATE TRIGGER memberships_keep_admin AFTER UPDATE ON memberships
WHEN OLD.role = 'admin' AND OLD.removed_at IS NULL AND (NEW.role <> 'admin' OR NEW.removed_at IS NOT NULL) BEGIN
    SELECT RAISE(ABORT, 'last-admin') WHERE NOT EXISTS (
        SELECT 1 FROM memberships
        WHERE workspace_id = OLD.workspace_id AND role = 'admin' AND removed_at IS NULL
    );
END;
CREATE TRIGGER memberships_keep_admin_row AFTER DELETE ON memberships
WHEN OLD.role = 'admin' AND OLD.removed_at IS NULL BEGIN
    SELECT RAISE(ABORT, 'last-admin') WHERE NOT EXISTS (
        SELECT 1 FROM memberships
        WHERE workspace_id = OLD.workspace_id AND role = 'admin' AND removed_at IS NULL
    );
END;

-- Seats in use: active members and pending invitations whose time is not over. A statement that frees a seat is never
-- refused; one that takes a seat is checked with its own effect included.
CREATE VIEW seats_used (workspace_id, seat_limit, used) AS
SELECT w.id, w.seat_limit,
    (SELECT count(*) FROM memberships m WHERE m.workspace_id = w.id AND m.removed_at IS NULL)
    + (SELECT count(*) FROM invitations i
       WHERE i.workspace_id = w.id AND i.state = 'pending'
         AND i.expires_at > CAST(unixepoch('subsec') * 1000000 AS BIGINT))
FROM workspaces w;

CREATE TRIGGER memberships_take_seat AFTER INSERT ON memberships WHEN NEW.removed_at IS NULL BEGIN
    SELECT RAISE(ABORT, 'seat-limit') FROM seats_used WHERE workspace_id = NEW.workspace_id AND used > seat_limit;
END;
CREATE TRIGGER memberships_retake_seat AFTER UPDATE OF removed_at ON memberships
WHEN NEW.removed_at IS NULL AND OLD.removed_at IS NOT NULL BEGIN
    SELECT RAISE(ABORT, 'seat-limit') FROM seats_used WHERE workspace_id = NEW.workspace_id AND used > seat_limit;
END;
CREATE TRIGGER invitations_take_seat AFTER INSERT ON invitations
WHEN NEW.state = 'pending' AND NEW.expires_at > CAST(unixepoch('subsec') * 1000000 AS BIGINT) BEGIN
    SELECT RAISE(ABORT, 'seat-limit') FROM seats_used WHERE workspace_id = NEW.workspace_id AND used > seat_limit;
END;
CREATE TRIGGER invitations_retake_seat AFTER UPDATE OF state, expires_at ON invitations
WHEN NEW.state = 'pending' AND NEW.expires_at > CAST(unixepoch('subsec') * 1000000 AS BIGINT)
    AND NOT (OLD.state = 'pending' AND OLD.expires_at > CAST(unixepoch('subsec') * 1000000 AS BIGINT)) BEGIN
    SELECT RAISE(ABORT, 'seat-limit') FROM seats_used WHERE workspace_id = NEW.workspace_id AND used > seat_limit;
END;
CREATE TRIGGER workspaces_keep_seats AFTER UPDATE OF seat_limit ON workspaces WHEN NEW.seat_limit < OLD.seat_limit BEGIN
    SELECT RAISE(ABORT, 'seat-limit') FROM seats_used WHERE workspace_id = NEW.id AND used > seat_limit;
END;

CREATE TRIGGER audit_events_no_update BEFORE UPDATE ON audit_events BEGIN
    SELECT RAISE(ABORT, 'audit-append-only');
END;
CREATE TRIGGER audit_events_no_delete BEFORE DELETE ON audit_events BEGIN
    SELECT RAISE(ABORT, 'audit-append-only');
END;
CREATE TRIGGER audit_openings_only_erased BEFORE UPDATE ON audit_openings
WHEN NEW.sealed IS NOT NULL OR NEW.workspace_id <> OLD.workspace_id OR NEW.seq <> OLD.seq OR NEW.field <> OLD.field
    OR NEW.person_id <> OLD.person_id BEGIN
    SELECT RAISE(ABORT, 'audit-append-only');
END;
CREATE TRIGGER audit_openings_no_delete BEFORE DELETE ON audit_openings BEGIN
    SELECT RAISE(ABORT, 'audit-append-only');
END;
