-- Data keys and the platform's own tenant. The twin of migrations/sqlite/0002_data_keys.sql.

-- The key that seals a workspace's values, as the keyring wrapped it: one row per generation. No foreign key: a key is made
-- before the tenant's lock is taken, for the platform's tenant as for any other.
CREATE TABLE data_keys (
    workspace_id uuid   NOT NULL,
    generation   bigint NOT NULL CHECK (generation > 0),
    wrapped      bytea  NOT NULL,
    -- The key-encryption key, by the keyring's own name: tells what a rotation still has to wrap anew.
    wrapped_by   text   NOT NULL,
    created_at   bigint NOT NULL,
    PRIMARY KEY (workspace_id, generation)
);

-- The platform's own tenant: system models are its models, and its chain records what is done to the whole service. Nobody
-- is a member of it, no list shows it, no address leads to it.
-- Row-level security binds the owner of the table too: the migration names the tenant, for this transaction alone.
SELECT set_config('settings.workspace', '00000000-0000-0000-0000-000000000001', true);
INSERT INTO workspaces (id, slug, name, region, retention_days, floor_days, seat_limit, version, created_at, updated_at)
    VALUES ('00000000-0000-0000-0000-000000000001', 'system', 'Platform', 'global', 3650, 1, 1, 1, 0, 0);
SELECT set_config('settings.workspace', '', true);

ALTER TABLE data_keys ENABLE ROW LEVEL SECURITY;
ALTER TABLE data_keys FORCE ROW LEVEL SECURITY;
CREATE POLICY tenant ON data_keys
    USING (workspace_id = (SELECT nullif(current_setting('settings.workspace', true), '')::uuid));
-- Rotation walks over all tenants.
CREATE POLICY directory ON data_keys
    USING ((SELECT current_setting('settings.scope', true)) = 'directory');

DO $$
BEGIN
    IF EXISTS (SELECT FROM pg_roles WHERE rolname = 'settings_app') THEN
        GRANT SELECT, INSERT, UPDATE ON data_keys TO settings_app;
        GRANT UPDATE (wrapped) ON service_root_key TO settings_app;
    END IF;
END $$;
