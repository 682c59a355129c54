-- Erasure of a person from a workspace (docs/adr/0011): who may be forgotten, and how openings are emptied.

-- Who was erased: a MAC of workspace and account, so that a second call can be answered and nobody can be read from it.
CREATE TABLE erasures (
    workspace_id BLOB NOT NULL REFERENCES workspaces (id),
    subject      BLOB NOT NULL CHECK (length(subject) = 32),
    PRIMARY KEY (workspace_id, subject)
) STRICT, WITHOUT ROWID;

-- An opening is emptied once, and then names nobody: not even which fields spoke of the same person.
DROP TRIGGER audit_openings_only_erased;
CREATE TRIGGER audit_openings_only_erased BEFORE UPDATE ON audit_openings
WHEN NEW.sealed IS NOT NULL OR NEW.workspace_id <> OLD.workspace_id OR NEW.seq <> OLD.seq OR NEW.field <> OLD.field
    OR NEW.person_id <> X'ffffffffffffffffffffffffffffffff' BEGIN
    SELECT RAISE(ABORT, 'audit-append-only');
END;
CREATE TRIGGER audit_openings_erased BEFORE INSERT ON audit_openings
WHEN (NEW.sealed IS NULL) <> (NEW.person_id = X'ffffffffffffffffffffffffffffffff') BEGIN
    SELECT RAISE(ABORT, 'audit-append-only');
END;

-- By place too, so that many are emptied in steps; and only those that are still there. A person is of one workspace.
DROP INDEX audit_openings_by_person;
CREATE INDEX audit_openings_by_person ON audit_openings (person_id, seq) WHERE sealed IS NOT NULL;
CREATE INDEX audit_openings_unopened ON audit_openings (workspace_id, seq) WHERE sealed IS NULL;
CREATE INDEX deliveries_by_destination ON deliveries (workspace_id, destination_id);
-- What refers to an account or a person is looked for when it goes.
CREATE INDEX sessions_by_user ON sessions (user_id);
CREATE INDEX persons_by_account ON persons (user_id) WHERE user_id IS NOT NULL;
CREATE INDEX memberships_by_person ON memberships (workspace_id, person_id);
CREATE INDEX invitations_by_person ON invitations (workspace_id, person_id);
CREATE INDEX invitations_by_sender ON invitations (invited_by) WHERE invited_by IS NOT NULL;
CREATE INDEX api_keys_by_creator ON api_keys (created_by) WHERE created_by IS NOT NULL;
