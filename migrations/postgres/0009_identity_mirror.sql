-- How far the directory of people elsewhere (Auth0 Organizations) has followed each workspace. An outbox of one row for a
-- workspace: whoever follows looks up what holds by then, so many changes that wait are one.
CREATE TABLE identity_mirrors (
    workspace_id uuid   NOT NULL PRIMARY KEY REFERENCES workspaces (id),
    -- Raised by each change that the directory has to follow, in its transaction.
    wanted       bigint NOT NULL CHECK (wanted > 0),
    -- The `wanted` that the directory was seen to have followed.
    mirrored     bigint NOT NULL,
    -- Since when it is behind; without a meaning where it is not.
    behind_since bigint NOT NULL,
    attempts     bigint NOT NULL,
    next_at      bigint NOT NULL,
    lease_until  bigint,
    -- In our own words.
    last_cause   text,
    CONSTRAINT identity_mirrors_not_ahead CHECK (mirrored >= 0 AND mirrored <= wanted)
);
CREATE INDEX identity_mirrors_due ON identity_mirrors (next_at) WHERE mirrored < wanted;

-- What is there already has to be followed too, once there is somebody who follows. Not the platform's own tenant.
INSERT INTO identity_mirrors (workspace_id, wanted, mirrored, behind_since, attempts, next_at)
SELECT id, 1, 0, CAST(unixepoch('subsec') * 1000000 AS BIGINT), 0, 0 FROM workspaces
WHERE id <> '00000000-0000-0000-0000-000000000001';

ALTER TABLE identity_mirrors ENABLE ROW LEVEL SECURITY;
ALTER TABLE identity_mirrors FORCE ROW LEVEL SECURITY;
CREATE POLICY tenant ON identity_mirrors
    USING (workspace_id = (SELECT nullif(current_setting('settings.workspace', true), '')::uuid));
CREATE POLICY directory ON identity_mirrors
    USING ((SELECT current_setting('settings.scope', true)) = 'directory');

-- Who was told that somebody asks for a new link of an invitation that has expired: each admin once for each link. The mail is a message
-- of the outbox about the invitation, of generation 0.
CREATE TABLE invitation_asks (
    workspace_id  uuid   NOT NULL,
    invitation_id uuid   NOT NULL,
    generation    bigint NOT NULL CHECK (generation > 0),
    user_id       uuid   NOT NULL REFERENCES users (id) ON DELETE CASCADE,
    delivery_id   uuid   NOT NULL UNIQUE,
    PRIMARY KEY (workspace_id, invitation_id, generation, user_id),
    FOREIGN KEY (workspace_id, invitation_id) REFERENCES invitations (workspace_id, id) ON DELETE CASCADE
);
ALTER TABLE invitation_asks ENABLE ROW LEVEL SECURITY;
ALTER TABLE invitation_asks FORCE ROW LEVEL SECURITY;
CREATE POLICY tenant ON invitation_asks
    USING (workspace_id = (SELECT nullif(current_setting('settings.workspace', true), '')::uuid));

DO $$
BEGIN
    IF EXISTS (SELECT FROM pg_roles WHERE rolname = 'settings_app') THEN
        GRANT SELECT, INSERT, UPDATE ON identity_mirrors TO settings_app;
        GRANT SELECT, INSERT ON invitation_asks TO settings_app;
    END IF;
END $$;
