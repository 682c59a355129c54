-- The core schema, for Postgres. The twin of migrations/sqlite/0001_core.sql: same tables, same columns, same rules.
--
-- Conventions:
--   ids       uuid (version 7, so they sort by age; the nil UUID stands for "nobody" or "no workspace")
--   instants  bigint, whole microseconds since 1970: compared exactly, the same on both engines
--   texts     text; closed sets of words are CHECKed
--   JSON      text, written and read by the program alone
--   flags     bigint 0 or 1
-- Keys of tenant tables start with workspace_id, so that the schema can be partitioned or distributed by tenant. Rules
-- that a decision checks first are repeated here as constraints and triggers. A released migration is never edited.

-- SQLite's clock function, so that one statement reads the clock on both engines: unixepoch('subsec').
CREATE FUNCTION unixepoch(text) RETURNS double precision LANGUAGE sql VOLATILE
    AS $$ SELECT extract(epoch FROM clock_timestamp())::float8 $$;

CREATE TABLE workspaces (
    id             uuid   NOT NULL PRIMARY KEY,
    slug           text   NOT NULL CONSTRAINT workspaces_slug_key UNIQUE,
    name           text   NOT NULL,
    region         text   NOT NULL,
    retention_days bigint NOT NULL,
    floor_days     bigint NOT NULL,
    seat_limit     bigint NOT NULL,
    -- Counts the commits that changed anything of this workspace: what was cached under an epoch holds as long as it.
    epoch          bigint NOT NULL DEFAULT 1,
    version        bigint NOT NULL,
    created_at     bigint NOT NULL,
    updated_at     bigint NOT NULL,
    -- A mark only: the slug stays taken for ever, so that no old link leads to a stranger.
    deleted_at     bigint
) WITH (fillfactor = 70);

CREATE TABLE environments (
    workspace_id uuid   NOT NULL REFERENCES workspaces (id),
    id           uuid   NOT NULL,
    name         text   NOT NULL,
    tier         text   NOT NULL CHECK (tier IN ('production', 'staging', 'development')),
    version      bigint NOT NULL,
    created_at   bigint NOT NULL,
    updated_at   bigint NOT NULL,
    PRIMARY KEY (workspace_id, id),
    CONSTRAINT environments_name_key UNIQUE (workspace_id, name),
    CONSTRAINT environments_production_name CHECK ((tier = 'production') = (name = 'production'))
);
CREATE UNIQUE INDEX environments_one_production ON environments (workspace_id) WHERE tier = 'production';

-- Accounts, the same in every workspace. Identity is issuer and subject, never the e-mail.
CREATE TABLE users (
    id             uuid   NOT NULL PRIMARY KEY,
    issuer         text   NOT NULL,
    subject        text   NOT NULL,
    email          text,
    email_key      text,
    email_verified bigint NOT NULL CHECK (email_verified IN (0, 1)),
    name           text,
    avatar_url     text,
    created_at     bigint NOT NULL,
    updated_at     bigint NOT NULL,
    UNIQUE (issuer, subject)
);
CREATE INDEX users_by_email ON users (email_key);

-- A person inside one workspace: what audit salts hang on. An account may have been several persons here (invited under
-- one address, later under another), so the account is indexed and not unique.
CREATE TABLE persons (
    workspace_id uuid NOT NULL REFERENCES workspaces (id),
    id           uuid NOT NULL,
    user_id      uuid REFERENCES users (id),
    email_key    text,
    -- Wrapped; made when the first personal field of this person is sealed, destroyed at erasure.
    salt         bytea,
    PRIMARY KEY (workspace_id, id),
    CONSTRAINT persons_email_key UNIQUE (workspace_id, email_key)
);
CREATE INDEX persons_by_user ON persons (workspace_id, user_id);

CREATE TABLE memberships (
    workspace_id uuid   NOT NULL REFERENCES workspaces (id),
    user_id      uuid   NOT NULL REFERENCES users (id),
    person_id    uuid   NOT NULL,
    role         text   NOT NULL CHECK (role IN ('admin', 'editor', 'viewer')),
    joined_at    bigint NOT NULL,
    removed_at   bigint,
    version      bigint NOT NULL,
    PRIMARY KEY (workspace_id, user_id),
    FOREIGN KEY (workspace_id, person_id) REFERENCES persons (workspace_id, id)
);
CREATE INDEX memberships_by_user ON memberships (user_id);

CREATE TABLE invitations (
    workspace_id uuid   NOT NULL REFERENCES workspaces (id),
    id           uuid   NOT NULL UNIQUE,
    person_id    uuid   NOT NULL,
    email        text   NOT NULL,
    email_key    text   NOT NULL,
    role         text   NOT NULL CHECK (role IN ('admin', 'editor', 'viewer')),
    state        text   NOT NULL CHECK (state IN ('pending', 'accepted', 'revoked', 'expired')),
    invited_by   uuid REFERENCES users (id),
    created_at   bigint NOT NULL,
    expires_at   bigint NOT NULL,
    generation   bigint NOT NULL,
    email_status text   NOT NULL CHECK (email_status IN ('queued', 'sent', 'failed')),
    token_digest bytea  NOT NULL CHECK (length(token_digest) = 32),
    version      bigint NOT NULL,
    closed_at    bigint,
    PRIMARY KEY (workspace_id, id),
    FOREIGN KEY (workspace_id, person_id) REFERENCES persons (workspace_id, id)
);
CREATE UNIQUE INDEX invitations_one_pending ON invitations (workspace_id, email_key) WHERE state = 'pending';

CREATE TABLE api_keys (
    workspace_id uuid   NOT NULL REFERENCES workspaces (id),
    id           uuid   NOT NULL UNIQUE,
    name         text   NOT NULL,
    prefix       text   NOT NULL,
    last4        text   NOT NULL,
    scopes       text   NOT NULL CONSTRAINT api_keys_some_scope CHECK (scopes <> ''),
    digest       bytea  NOT NULL CHECK (length(digest) = 32),
    seal         bytea  NOT NULL CHECK (length(seal) = 32),
    created_by   uuid REFERENCES users (id),
    created_at   bigint NOT NULL,
    expires_at   bigint,
    revoked_at   bigint,
    PRIMARY KEY (workspace_id, id)
);

-- When keys and members were last seen. Apart from their rows and without foreign keys: a call must not collide with the
-- lock of its own authority.
CREATE TABLE api_key_uses (
    workspace_id uuid   NOT NULL,
    key_id       uuid   NOT NULL,
    last_used_at bigint NOT NULL,
    PRIMARY KEY (workspace_id, key_id)
) WITH (fillfactor = 70);

CREATE TABLE member_activity (
    workspace_id   uuid   NOT NULL,
    user_id        uuid   NOT NULL,
    last_active_at bigint NOT NULL,
    PRIMARY KEY (workspace_id, user_id)
) WITH (fillfactor = 70);

-- One chain per workspace, from 1 without gaps. Nothing personal is in here but as a commitment.
CREATE TABLE audit_events (
    workspace_id uuid   NOT NULL,
    seq          bigint NOT NULL CHECK (seq > 0),
    id           uuid   NOT NULL,
    at           bigint NOT NULL,
    version      bigint NOT NULL,
    action       text   NOT NULL,
    risk         text   NOT NULL CHECK (risk IN ('low', 'medium', 'high', 'critical')),
    actor_kind   text   NOT NULL,
    actor_key    uuid,
    target_kind  text   NOT NULL,
    target_id    uuid,
    changes      text   NOT NULL,
    commitments  text   NOT NULL,
    hash         bytea  NOT NULL CHECK (length(hash) = 32),
    mac          bytea  NOT NULL CHECK (length(mac) = 32),
    PRIMARY KEY (workspace_id, seq)
);

-- What opens the commitments. Set to NULL at erasure, never anything else.
CREATE TABLE audit_openings (
    workspace_id uuid   NOT NULL,
    seq          bigint NOT NULL,
    field        text   NOT NULL,
    person_id    uuid   NOT NULL,
    sealed       bytea,
    PRIMARY KEY (workspace_id, seq, field)
);
CREATE INDEX audit_openings_by_person ON audit_openings (workspace_id, person_id);

CREATE TABLE audit_heads (
    workspace_id uuid   NOT NULL PRIMARY KEY,
    seq          bigint NOT NULL,
    hash         bytea  NOT NULL CHECK (length(hash) = 32)
) WITH (fillfactor = 70);

-- Outcomes of calls with an Idempotency-Key, kept for 24 hours. The scope is the workspace, or nil for making one.
CREATE TABLE idempotency (
    scope_id    uuid   NOT NULL,
    principal   text   NOT NULL,
    operation   text   NOT NULL,
    key         text   NOT NULL,
    fingerprint bytea  NOT NULL CHECK (length(fingerprint) = 32),
    outcome     text   NOT NULL,
    created_at  bigint NOT NULL,
    PRIMARY KEY (scope_id, principal, operation, key)
);
CREATE INDEX idempotency_by_age ON idempotency (scope_id, created_at);

-- Messages that are owed. No secret and no address: the sender looks both up when it sends.
CREATE TABLE outbox (
    id           uuid   NOT NULL PRIMARY KEY,
    workspace_id uuid,
    kind         text   NOT NULL CHECK (kind IN ('invitation', 'sign-in')),
    subject_id   uuid   NOT NULL,
    generation   bigint NOT NULL,
    state        text   NOT NULL CHECK (state IN ('pending', 'done', 'dead')),
    attempts     bigint NOT NULL,
    next_at      bigint NOT NULL,
    lease_until  bigint,
    last_cause   text,
    created_at   bigint NOT NULL
);
CREATE INDEX outbox_due ON outbox (next_at) WHERE state = 'pending';

CREATE TABLE sign_in_links (
    id           uuid   NOT NULL PRIMARY KEY,
    token_digest bytea  NOT NULL CHECK (length(token_digest) = 32),
    email        text   NOT NULL,
    email_key    text   NOT NULL,
    expires_at   bigint NOT NULL,
    used_at      bigint
);
CREATE INDEX sign_in_links_by_expiry ON sign_in_links (expires_at);

CREATE TABLE sessions (
    id           uuid   NOT NULL PRIMARY KEY,
    token_digest bytea  NOT NULL CHECK (length(token_digest) = 32),
    user_id      uuid   NOT NULL REFERENCES users (id),
    created_at   bigint NOT NULL,
    expires_at   bigint NOT NULL,
    ended_at     bigint
);
CREATE INDEX sessions_by_expiry ON sessions (expires_at);

-- The service's own root key, wrapped: one row at most.
CREATE TABLE service_root_key (
    id         bigint NOT NULL PRIMARY KEY CHECK (id = 1),
    wrapped    bytea  NOT NULL,
    created_at bigint NOT NULL
);

-- Rules over a whole workspace ------------------------------------------------------------------------------------------
-- Each rule takes the tenant's lock (the workspace row) before it counts, so that it also holds against a writer that
-- forgot to; the program has the lock already.

CREATE FUNCTION refuse() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION USING ERRCODE = 'check_violation', MESSAGE = TG_ARGV[0], CONSTRAINT = TG_ARGV[0];
END $$;

CREATE TRIGGER workspaces_slug_immutable BEFORE UPDATE OF slug ON workspaces
    FOR EACH ROW WHEN (NEW.slug <> OLD.slug) EXECUTE FUNCTION refuse('slug-immutable');

CREATE TRIGGER environments_keep_production BEFORE DELETE ON environments
    FOR EACH ROW WHEN (OLD.tier = 'production') EXECUTE FUNCTION refuse('production');
CREATE TRIGGER environments_fix_production BEFORE UPDATE ON environments
    FOR EACH ROW WHEN (OLD.tier = 'production'
        AND (NEW.tier <> OLD.tier OR NEW.name <> OLD.name OR NEW.workspace_id <> OLD.workspace_id))
    EXECUTE FUNCTION refuse('production');

CREATE FUNCTION keep_admin() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    PERFORM 1 FROM workspaces WHERE id = OLD.workspace_id FOR NO KEY UPDATE;
    PERFORM 1 FROM memberships WHERE workspace_id = OLD.workspace_id AND role = 'admin' AND removed_at IS NULL;
    IF NOT FOUND THEN
        RAISE EXCEPTION USING ERRCODE = 'check_violation', MESSAGE = 'last-admin', CONSTRAINT = 'last-admin';
    END IF;
    RETURN NULL;
END $$;
CREATE TRIGGER memberships_keep_admin AFTER UPDATE ON memberships
    FOR EACH ROW WHEN (OLD.role = 'admin' AND OLD.removed_at IS NULL
        AND (NEW.role <> 'admin' OR NEW.removed_at IS NOT NULL))
    EXECUTE FUNCTION keep_admin();
CREATE TRIGGER memberships_keep_admin_row AFTER DELETE ON memberships
    FOR EACH ROW WHEN (OLD.role = 'admin' AND OLD.removed_at IS NULL) EXECUTE FUNCTION keep_admin();

-- Seats in use: active members and pending invitations whose time is not over. A statement that frees a seat is never
-- refused; one that takes a seat is checked with its own effect included. The argument is the column of the workspace.
CREATE FUNCTION check_seats() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
    tenant uuid := CASE TG_ARGV[0] WHEN 'id' THEN (to_jsonb(NEW) ->> 'id')::uuid
                                   ELSE (to_jsonb(NEW) ->> 'workspace_id')::uuid END;
    seats  bigint;
    used   bigint;
BEGIN
    SELECT seat_limit INTO seats FROM workspaces WHERE id = tenant FOR NO KEY UPDATE;
    SELECT (SELECT count(*) FROM memberships m WHERE m.workspace_id = tenant AND m.removed_at IS NULL)
         + (SELECT count(*) FROM invitations i
            WHERE i.workspace_id = tenant AND i.state = 'pending'
              AND i.expires_at > CAST(unixepoch('subsec') * 1000000 AS BIGINT))
      INTO used;
    IF used > seats THEN
        RAISE EXCEPTION USING ERRCODE = 'check_violation', MESSAGE = 'seat-limit', CONSTRAINT = 'seat-limit';
    END IF;
    RETURN NULL;
END $$;
CREATE TRIGGER memberships_take_seat AFTER INSERT ON memberships
    FOR EACH ROW WHEN (NEW.removed_at IS NULL) EXECUTE FUNCTION check_seats('workspace_id');
CREATE TRIGGER memberships_retake_seat AFTER UPDATE ON memberships
    FOR EACH ROW WHEN (NEW.removed_at IS NULL AND OLD.removed_at IS NOT NULL)
    EXECUTE FUNCTION check_seats('workspace_id');
CREATE TRIGGER invitations_take_seat AFTER INSERT ON invitations
    FOR EACH ROW WHEN (NEW.state = 'pending') EXECUTE FUNCTION check_seats('workspace_id');
CREATE TRIGGER invitations_retake_seat AFTER UPDATE ON invitations
    FOR EACH ROW WHEN (NEW.state = 'pending' AND (OLD.state <> 'pending'
        OR (NEW.expires_at > CAST(unixepoch('subsec') * 1000000 AS BIGINT)
            AND OLD.expires_at <= CAST(unixepoch('subsec') * 1000000 AS BIGINT))))
    EXECUTE FUNCTION check_seats('workspace_id');
CREATE TRIGGER workspaces_keep_seats AFTER UPDATE ON workspaces
    FOR EACH ROW WHEN (NEW.seat_limit < OLD.seat_limit) EXECUTE FUNCTION check_seats('id');

CREATE TRIGGER audit_events_append_only BEFORE UPDATE OR DELETE ON audit_events
    FOR EACH ROW EXECUTE FUNCTION refuse('audit-append-only');
CREATE TRIGGER audit_events_no_truncate BEFORE TRUNCATE ON audit_events
    FOR EACH STATEMENT EXECUTE FUNCTION refuse('audit-append-only');
CREATE TRIGGER audit_openings_only_erased BEFORE UPDATE ON audit_openings
    FOR EACH ROW WHEN (NEW.sealed IS NOT NULL OR NEW.workspace_id <> OLD.workspace_id OR NEW.seq <> OLD.seq
        OR NEW.field <> OLD.field OR NEW.person_id <> OLD.person_id)
    EXECUTE FUNCTION refuse('audit-append-only');
CREATE TRIGGER audit_openings_no_delete BEFORE DELETE ON audit_openings
    FOR EACH ROW EXECUTE FUNCTION refuse('audit-append-only');
CREATE TRIGGER audit_openings_no_truncate BEFORE TRUNCATE ON audit_openings
    FOR EACH STATEMENT EXECUTE FUNCTION refuse('audit-append-only');

-- Row-level security: the second wall -----------------------------------------------------------------------------------
-- The program names the tenant in each transaction (settings.workspace, settings.user), never for a session. Without a
-- name nothing is seen. settings.scope = 'directory' is set by lookups that find the tenant in the first place, and by
-- the service's own upkeep: it opens reading where that is needed, and the queue and the activity tables.

ALTER TABLE workspaces ENABLE ROW LEVEL SECURITY;
ALTER TABLE workspaces FORCE ROW LEVEL SECURITY;
CREATE POLICY tenant ON workspaces
    USING (id = (SELECT nullif(current_setting('settings.workspace', true), '')::uuid));
CREATE POLICY directory ON workspaces FOR SELECT
    USING ((SELECT current_setting('settings.scope', true)) = 'directory');

DO $$
DECLARE
    tenant_table text;
BEGIN
    FOREACH tenant_table IN ARRAY ARRAY['environments', 'persons', 'memberships', 'invitations', 'api_keys', 'api_key_uses',
        'member_activity', 'audit_events', 'audit_openings', 'audit_heads', 'outbox'] LOOP
        EXECUTE format('ALTER TABLE %I ENABLE ROW LEVEL SECURITY', tenant_table);
        EXECUTE format('ALTER TABLE %I FORCE ROW LEVEL SECURITY', tenant_table);
        EXECUTE format('CREATE POLICY tenant ON %I USING (workspace_id = '
            '(SELECT nullif(current_setting(''settings.workspace'', true), '''')::uuid))', tenant_table);
    END LOOP;
    FOREACH tenant_table IN ARRAY ARRAY['memberships', 'invitations', 'api_keys'] LOOP
        EXECUTE format('CREATE POLICY directory ON %I FOR SELECT '
            'USING ((SELECT current_setting(''settings.scope'', true)) = ''directory'')', tenant_table);
    END LOOP;
    FOREACH tenant_table IN ARRAY ARRAY['api_key_uses', 'member_activity', 'outbox'] LOOP
        EXECUTE format('CREATE POLICY directory ON %I '
            'USING ((SELECT current_setting(''settings.scope'', true)) = ''directory'')', tenant_table);
    END LOOP;
END $$;

CREATE POLICY own ON memberships FOR SELECT
    USING (user_id = (SELECT nullif(current_setting('settings.user', true), '')::uuid));

-- A call that makes a workspace has no tenant yet; its outcome is kept under nil and found by its principal.
ALTER TABLE idempotency ENABLE ROW LEVEL SECURITY;
ALTER TABLE idempotency FORCE ROW LEVEL SECURITY;
CREATE POLICY tenant ON idempotency
    USING (scope_id = (SELECT nullif(current_setting('settings.workspace', true), '')::uuid)
        OR scope_id = '00000000-0000-0000-0000-000000000000');
CREATE POLICY directory ON idempotency
    USING ((SELECT current_setting('settings.scope', true)) = 'directory');

-- The epochs of some workspaces, in one statement and one round trip: the hot path of every call with an API key. Called
-- outside any transaction; the scope lasts for the query alone. (A function's own SET would need a superuser here.) A
-- replica answers nothing: what it says may be older than the question.
CREATE FUNCTION directory_epochs(ids text) RETURNS TABLE (id uuid, epoch bigint, at bigint) LANGUAGE plpgsql VOLATILE AS $$
DECLARE
    before text := coalesce(current_setting('settings.scope', true), '');
BEGIN
    PERFORM set_config('settings.scope', 'directory', true);
    RETURN QUERY SELECT w.id, w.epoch, CAST(unixepoch('subsec') * 1000000 AS BIGINT) FROM workspaces w
        WHERE w.deleted_at IS NULL AND w.id = ANY (string_to_array(ids, ',')::uuid[]) AND NOT pg_is_in_recovery();
    PERFORM set_config('settings.scope', before, true);
END $$;

-- The role that transactions work as: no superuser and no owner, so that row-level security binds it in any case, and
-- without the right to touch an audit event. Where the migrating role may not make roles, everything works without it.
DO $$
BEGIN
    BEGIN
        CREATE ROLE settings_app NOLOGIN NOSUPERUSER NOBYPASSRLS;
    EXCEPTION WHEN duplicate_object OR unique_violation OR insufficient_privilege THEN
        NULL;
    END;
    IF NOT EXISTS (SELECT FROM pg_roles WHERE rolname = 'settings_app') THEN
        RETURN;
    END IF;
    EXECUTE format('GRANT USAGE ON SCHEMA %I TO settings_app', current_schema());
    GRANT SELECT, INSERT, UPDATE ON workspaces, users, persons, memberships, invitations, api_keys, api_key_uses,
        member_activity, audit_heads TO settings_app;
    GRANT SELECT, INSERT, UPDATE, DELETE ON environments, idempotency, outbox, sign_in_links, sessions TO settings_app;
    GRANT SELECT, INSERT ON audit_events, audit_openings, service_root_key TO settings_app;
    GRANT UPDATE (sealed) ON audit_openings TO settings_app;
    -- The migrator's own table, for the readiness check.
    IF to_regclass('_sqlx_migrations') IS NOT NULL THEN
        GRANT SELECT ON _sqlx_migrations TO settings_app;
    END IF;
    IF NOT pg_has_role(current_user, 'settings_app', 'MEMBER') OR
        EXISTS (SELECT FROM pg_roles WHERE rolname = current_user AND rolsuper) THEN
        BEGIN
            EXECUTE format('GRANT settings_app TO %I', current_user);
        EXCEPTION WHEN OTHERS THEN
            -- No right to, or another database of this cluster does the same at this moment: the program tries the role
            -- before it relies on it.
            NULL;
        END;
    END IF;
END $$;
