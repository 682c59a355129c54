-- How far the directory of people elsewhere (Auth0 Organizations) has followed each workspace. An outbox of one row for a
-- workspace: whoever follows looks up what holds by then, so many changes that wait are one.
CREATE TABLE identity_mirrors (
    workspace_id BLOB    NOT NULL PRIMARY KEY REFERENCES workspaces (id),
    -- Raised by each change that the directory has to follow, in its transaction.
    wanted       INTEGER NOT NULL CHECK (wanted > 0),
    -- The `wanted` that the directory was seen to have followed.
    mirrored     INTEGER NOT NULL,
    -- Since when it is behind; without a meaning where it is not.
    behind_since INTEGER NOT NULL,
    attempts     INTEGER NOT NULL,
    next_at      INTEGER NOT NULL,
    lease_until  INTEGER,
    -- In our own words.
    last_cause   TEXT,
    CONSTRAINT identity_mirrors_not_ahead CHECK (mirrored >= 0 AND mirrored <= wanted)
) STRICT;
CREATE INDEX identity_mirrors_due ON identity_mirrors (next_at) WHERE mirrored < wanted;

-- What is there already has to be followed too, once there is somebody who follows. Not the platform's own tenant.
INSERT INTO identity_mirrors (workspace_id, wanted, mirrored, behind_since, attempts, next_at)
SELECT id, 1, 0, CAST(unixepoch('subsec') * 1000000 AS INTEGER), 0, 0 FROM workspaces
WHERE id <> x'00000000000000000000000000000001';

-- Who was told that somebody asks for a new link of an invitation that has expired: each admin once for each link. The mail is a message
-- of the outbox about the invitation, of generation 0.
CREATE TABLE invitation_asks (
    workspace_id  BLOB    NOT NULL,
    invitation_id BLOB    NOT NULL,
    generation    INTEGER NOT NULL CHECK (generation > 0),
    user_id       BLOB    NOT NULL REFERENCES users (id) ON DELETE CASCADE,
    delivery_id   BLOB    NOT NULL UNIQUE,
    PRIMARY KEY (workspace_id, invitation_id, generation, user_id),
    FOREIGN KEY (workspace_id, invitation_id) REFERENCES invitations (workspace_id, id) ON DELETE CASCADE
) STRICT, WITHOUT ROWID;
