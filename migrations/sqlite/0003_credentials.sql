-- Variables, secrets, models, and what is said to use them. The twin of migrations/postgres/0003_credentials.sql.
--
-- Values are ciphertexts of the program's; no statement compares or searches them. `value_version` is the version of the row
-- that its present value came with: a part of what the ciphertext is bound to.

CREATE TABLE variables (
    workspace_id   BLOB    NOT NULL REFERENCES workspaces (id),
    id             BLOB    NOT NULL UNIQUE CHECK (length(id) = 16),
    environment_id BLOB    NOT NULL,
    name           TEXT    NOT NULL,
    sealed         BLOB    NOT NULL CHECK (length(sealed) BETWEEN 30 AND 66000),
    key_generation INTEGER NOT NULL,
    value_version  INTEGER NOT NULL,
    -- Keyed, under a key that the database does not hold: tells equal values of one workspace from different ones.
    value_digest   BLOB    NOT NULL CHECK (length(value_digest) = 32),
    version        INTEGER NOT NULL,
    created_at     INTEGER NOT NULL,
    updated_at     INTEGER NOT NULL,
    PRIMARY KEY (workspace_id, id),
    UNIQUE (workspace_id, environment_id, name),
    FOREIGN KEY (workspace_id, environment_id) REFERENCES environments (workspace_id, id) ON DELETE CASCADE
) STRICT;

CREATE TABLE secrets (
    workspace_id   BLOB    NOT NULL REFERENCES workspaces (id),
    id             BLOB    NOT NULL UNIQUE CHECK (length(id) = 16),
    environment_id BLOB    NOT NULL,
    name           TEXT    NOT NULL,
    sealed         BLOB    NOT NULL CHECK (length(sealed) BETWEEN 30 AND 66000),
    key_generation INTEGER NOT NULL,
    value_version  INTEGER NOT NULL,
    -- 1: nobody can read it through the API any more.
    is_sealed      INTEGER NOT NULL CHECK (is_sealed IN (0, 1)),
    version        INTEGER NOT NULL,
    created_at     INTEGER NOT NULL,
    updated_at     INTEGER NOT NULL,
    rotated_at     INTEGER,
    PRIMARY KEY (workspace_id, id),
    UNIQUE (workspace_id, environment_id, name),
    FOREIGN KEY (workspace_id, environment_id) REFERENCES environments (workspace_id, id) ON DELETE CASCADE
) STRICT;

CREATE TABLE models (
    workspace_id   BLOB    NOT NULL REFERENCES workspaces (id),
    id             BLOB    NOT NULL UNIQUE CHECK (length(id) = 16),
    provider       TEXT    NOT NULL
        CHECK (provider IN ('anthropic', 'openai', 'google', 'azure_openai', 'aws_bedrock', 'custom')),
    name           TEXT    NOT NULL,
    description    TEXT,
    url            TEXT    NOT NULL,
    -- Scheme, host and port: where the credential may go, and a part of what its ciphertext is bound to.
    origin         TEXT    NOT NULL,
    auth           TEXT    NOT NULL CHECK (auth IN ('token', 'client_key')),
    sealed         BLOB    NOT NULL CHECK (length(sealed) BETWEEN 30 AND 132000),
    key_generation INTEGER NOT NULL,
    value_version  INTEGER NOT NULL,
    visible        INTEGER NOT NULL CHECK (visible IN (0, 1)),
    version        INTEGER NOT NULL,
    created_at     INTEGER NOT NULL,
    updated_at     INTEGER NOT NULL,
    PRIMARY KEY (workspace_id, id),
    -- Models of the platform alone can be hidden.
    CONSTRAINT models_hidden_system CHECK (visible = 1 OR workspace_id = x'00000000000000000000000000000001')
) STRICT;

-- When a model's credential was last used. Apart from its row and without a foreign key, like the uses of API keys.
CREATE TABLE model_uses (
    workspace_id BLOB    NOT NULL,
    model_id     BLOB    NOT NULL,
    last_used_at INTEGER NOT NULL,
    PRIMARY KEY (workspace_id, model_id)
) STRICT, WITHOUT ROWID;

-- What other services say they use. A use may name a system model, so it has no foreign key.
CREATE TABLE referrers (
    workspace_id BLOB    NOT NULL REFERENCES workspaces (id),
    kind         TEXT    NOT NULL,
    id           TEXT    NOT NULL,
    name         TEXT    NOT NULL,
    version      INTEGER NOT NULL,
    updated_at   INTEGER NOT NULL,
    PRIMARY KEY (workspace_id, kind, id)
) STRICT, WITHOUT ROWID;
CREATE TABLE reference_uses (
    workspace_id  BLOB NOT NULL,
    referrer_kind TEXT NOT NULL,
    referrer_id   TEXT NOT NULL,
    used_kind     TEXT NOT NULL CHECK (used_kind IN ('variable', 'model', 'secret', 'environment')),
    used_id       BLOB NOT NULL CHECK (length(used_id) = 16),
    PRIMARY KEY (workspace_id, referrer_kind, referrer_id, used_kind, used_id),
    FOREIGN KEY (workspace_id, referrer_kind, referrer_id) REFERENCES referrers (workspace_id, kind, id) ON DELETE CASCADE
) STRICT, WITHOUT ROWID;
CREATE INDEX reference_uses_by_used ON reference_uses (used_id, used_kind, workspace_id);

-- Rules ---------------------------------------------------------------------------------------------------------------------

-- A value stays where it was put: nobody promotes one by moving it.
CREATE TRIGGER variables_environment_fixed BEFORE UPDATE ON variables
    WHEN NEW.environment_id <> OLD.environment_id OR NEW.workspace_id <> OLD.workspace_id
    BEGIN SELECT RAISE(ABORT, 'environment-fixed'); END;
CREATE TRIGGER secrets_environment_fixed BEFORE UPDATE ON secrets
    WHEN NEW.environment_id <> OLD.environment_id OR NEW.workspace_id <> OLD.workspace_id
    BEGIN SELECT RAISE(ABORT, 'environment-fixed'); END;
-- What was sealed stays sealed.
CREATE TRIGGER secrets_stay_sealed BEFORE UPDATE ON secrets
    WHEN OLD.is_sealed = 1 AND NEW.is_sealed = 0
    BEGIN SELECT RAISE(ABORT, 'secret-sealed'); END;

-- Whatever was said to use a thing is said no more once it is gone, also when it goes with its environment.
CREATE TRIGGER variables_forget_uses AFTER DELETE ON variables BEGIN
    DELETE FROM reference_uses WHERE used_id = OLD.id AND used_kind = 'variable' AND workspace_id = OLD.workspace_id;
END;
CREATE TRIGGER secrets_forget_uses AFTER DELETE ON secrets BEGIN
    DELETE FROM reference_uses WHERE used_id = OLD.id AND used_kind = 'secret' AND workspace_id = OLD.workspace_id;
END;
CREATE TRIGGER models_forget_uses AFTER DELETE ON models BEGIN
    DELETE FROM reference_uses WHERE used_id = OLD.id AND used_kind = 'model' AND workspace_id = OLD.workspace_id;
END;
CREATE TRIGGER environments_forget_uses AFTER DELETE ON environments BEGIN
    DELETE FROM reference_uses WHERE used_id = OLD.id AND used_kind = 'environment' AND workspace_id = OLD.workspace_id;
END;
