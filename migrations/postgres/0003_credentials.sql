-- Variables, secrets, models, and what is said to use them. The twin of migrations/sqlite/0003_credentials.sql.
--
-- Values are ciphertexts of the program's; no statement compares or searches them. `value_version` is the version of the row
-- that its present value came with: a part of what the ciphertext is bound to.

CREATE TABLE variables (
    workspace_id   uuid   NOT NULL REFERENCES workspaces (id),
    id             uuid   NOT NULL UNIQUE,
    environment_id uuid   NOT NULL,
    name           text   NOT NULL,
    sealed         bytea  NOT NULL CHECK (length(sealed) BETWEEN 30 AND 66000),
    key_generation bigint NOT NULL,
    value_version  bigint NOT NULL,
    -- Keyed, under a key that the database does not hold: tells equal values of one workspace from different ones.
    value_digest   bytea  NOT NULL CHECK (length(value_digest) = 32),
    version        bigint NOT NULL,
    created_at     bigint NOT NULL,
    updated_at     bigint NOT NULL,
    PRIMARY KEY (workspace_id, id),
    CONSTRAINT variables_name_key UNIQUE (workspace_id, environment_id, name),
    FOREIGN KEY (workspace_id, environment_id) REFERENCES environments (workspace_id, id) ON DELETE CASCADE
);

CREATE TABLE secrets (
    workspace_id   uuid   NOT NULL REFERENCES workspaces (id),
    id             uuid   NOT NULL UNIQUE,
    environment_id uuid   NOT NULL,
    name           text   NOT NULL,
    sealed         bytea  NOT NULL CHECK (length(sealed) BETWEEN 30 AND 66000),
    key_generation bigint NOT NULL,
    value_version  bigint NOT NULL,
    -- 1: nobody can read it through the API any more.
    is_sealed      bigint NOT NULL CHECK (is_sealed IN (0, 1)),
    version        bigint NOT NULL,
    created_at     bigint NOT NULL,
    updated_at     bigint NOT NULL,
    rotated_at     bigint,
    PRIMARY KEY (workspace_id, id),
    CONSTRAINT secrets_name_key UNIQUE (workspace_id, environment_id, name),
    FOREIGN KEY (workspace_id, environment_id) REFERENCES environments (workspace_id, id) ON DELETE CASCADE
);

CREATE TABLE models (
    workspace_id   uuid   NOT NULL REFERENCES workspaces (id),
    id             uuid   NOT NULL UNIQUE,
    provider       text   NOT NULL
        CHECK (provider IN ('anthropic', 'openai', 'google', 'azure_openai', 'aws_bedrock', 'custom')),
    name           text   NOT NULL,
    description    text,
    url            text   NOT NULL,
    -- Scheme, host and port: where the credential may go, and a part of what its ciphertext is bound to.
    origin         text   NOT NULL,
    auth           text   NOT NULL CHECK (auth IN ('token', 'client_key')),
    sealed         bytea  NOT NULL CHECK (length(sealed) BETWEEN 30 AND 132000),
    key_generation bigint NOT NULL,
    value_version  bigint NOT NULL,
    visible        bigint NOT NULL CHECK (visible IN (0, 1)),
    version        bigint NOT NULL,
    created_at     bigint NOT NULL,
    updated_at     bigint NOT NULL,
    PRIMARY KEY (workspace_id, id),
    -- Models of the platform alone can be hidden.
    CONSTRAINT models_hidden_system CHECK (visible = 1 OR workspace_id = '00000000-0000-0000-0000-000000000001')
);

-- When a model's credential was last used. Apart from its row and without a foreign key, like the uses of API keys.
CREATE TABLE model_uses (
    workspace_id uuid   NOT NULL,
    model_id     uuid   NOT NULL,
    last_used_at bigint NOT NULL,
    PRIMARY KEY (workspace_id, model_id)
) WITH (fillfactor = 70);

-- What other services say they use. A use may name a system model, so it has no foreign key.
CREATE TABLE referrers (
    workspace_id uuid   NOT NULL REFERENCES workspaces (id),
    kind         text   NOT NULL,
    id           text   NOT NULL,
    name         text   NOT NULL,
    version      bigint NOT NULL,
    updated_at   bigint NOT NULL,
    PRIMARY KEY (workspace_id, kind, id)
);
CREATE TABLE reference_uses (
    workspace_id  uuid NOT NULL,
    referrer_kind text NOT NULL,
    referrer_id   text NOT NULL,
    used_kind     text NOT NULL CHECK (used_kind IN ('variable', 'model', 'secret', 'environment')),
    used_id       uuid NOT NULL,
    PRIMARY KEY (workspace_id, referrer_kind, referrer_id, used_kind, used_id),
    FOREIGN KEY (workspace_id, referrer_kind, referrer_id) REFERENCES referrers (workspace_id, kind, id) ON DELETE CASCADE
);
CREATE INDEX reference_uses_by_used ON reference_uses (used_id, used_kind, workspace_id);

-- Rules ---------------------------------------------------------------------------------------------------------------------

-- A value stays where it was put: nobody promotes one by moving it.
CREATE TRIGGER variables_environment_fixed BEFORE UPDATE ON variables
    FOR EACH ROW WHEN (NEW.environment_id <> OLD.environment_id OR NEW.workspace_id <> OLD.workspace_id)
    EXECUTE FUNCTION refuse('environment-fixed');
CREATE TRIGGER secrets_environment_fixed BEFORE UPDATE ON secrets
    FOR EACH ROW WHEN (NEW.environment_id <> OLD.environment_id OR NEW.workspace_id <> OLD.workspace_id)
    EXECUTE FUNCTION refuse('environment-fixed');
-- What was sealed stays sealed.
CREATE TRIGGER secrets_stay_sealed BEFORE UPDATE ON secrets
    FOR EACH ROW WHEN (OLD.is_sealed = 1 AND NEW.is_sealed = 0) EXECUTE FUNCTION refuse('secret-sealed');

-- Whatever was said to use a thing is said no more once it is gone, also when it goes with its environment.
CREATE FUNCTION forget_uses() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    DELETE FROM reference_uses WHERE used_id = OLD.id AND used_kind = TG_ARGV[0] AND workspace_id = OLD.workspace_id;
    RETURN NULL;
END $$;
CREATE TRIGGER variables_forget_uses AFTER DELETE ON variables FOR EACH ROW EXECUTE FUNCTION forget_uses('variable');
CREATE TRIGGER secrets_forget_uses AFTER DELETE ON secrets FOR EACH ROW EXECUTE FUNCTION forget_uses('secret');
CREATE TRIGGER models_forget_uses AFTER DELETE ON models FOR EACH ROW EXECUTE FUNCTION forget_uses('model');
CREATE TRIGGER environments_forget_uses AFTER DELETE ON environments
    FOR EACH ROW EXECUTE FUNCTION forget_uses('environment');

-- Row-level security ----------------------------------------------------------------------------------------------------------
-- The scope 'directory' finds the tenant of a record in the first place. It also lets the program show system models to a
-- workspace and resolve them for it: such statements name the platform's tenant, run in a transaction or statement that has
-- that scope for as long as they take, and no other statement has it.

DO $$
DECLARE
    tenant_table text;
BEGIN
    FOREACH tenant_table IN ARRAY ARRAY['variables', 'secrets', 'models', 'model_uses', 'referrers', 'reference_uses'] LOOP
        EXECUTE format('ALTER TABLE %I ENABLE ROW LEVEL SECURITY', tenant_table);
        EXECUTE format('ALTER TABLE %I FORCE ROW LEVEL SECURITY', tenant_table);
        EXECUTE format('CREATE POLICY tenant ON %I USING (workspace_id = '
            '(SELECT nullif(current_setting(''settings.workspace'', true), '''')::uuid))', tenant_table);
    END LOOP;
    FOREACH tenant_table IN ARRAY ARRAY['variables', 'models', 'reference_uses'] LOOP
        EXECUTE format('CREATE POLICY directory ON %I FOR SELECT '
            'USING ((SELECT current_setting(''settings.scope'', true)) = ''directory'')', tenant_table);
    END LOOP;
    CREATE POLICY directory ON model_uses
        USING ((SELECT current_setting('settings.scope', true)) = 'directory');
    IF EXISTS (SELECT FROM pg_roles WHERE rolname = 'settings_app') THEN
        GRANT SELECT, INSERT, UPDATE, DELETE ON variables, secrets, models, model_uses, referrers, reference_uses
            TO settings_app;
    END IF;
END $$;
