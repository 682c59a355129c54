-- Data keys and the platform's own tenant. The twin of migrations/postgres/0002_data_keys.sql.

-- The key that seals a workspace's values, as the keyring wrapped it: one row per generation. No foreign key: a key is made
-- before the tenant's lock is taken, for the platform's tenant as for any other.
CREATE TABLE data_keys (
    workspace_id BLOB    NOT NULL CHECK (length(workspace_id) = 16),
    generation   INTEGER NOT NULL CHECK (generation > 0),
    wrapped      BLOB    NOT NULL,
    -- The key-encryption key, by the keyring's own name: tells what a rotation still has to wrap anew.
    wrapped_by   TEXT    NOT NULL,
    created_at   INTEGER NOT NULL,
    PRIMARY KEY (workspace_id, generation)
) STRICT, WITHOUT ROWID;

-- The platform's own tenant: system models are its models, and its chain records what is done to the whole service. Nobody
-- is a member of it, no list shows it, no address leads to it.
INSERT INTO workspaces (id, slug, name, region, retention_days, floor_days, seat_limit, version, created_at, updated_at)
    VALUES (x'00000000000000000000000000000001', 'system', 'Platform', 'global', 3650, 1, 1, 1, 0, 0);
