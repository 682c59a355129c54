-- The transaction of a rename as the store runs it: scope, tenant lock, standing, workspace, headcount, update, chain
-- head, salts, event, its three openings, head, epoch. Values stand in for hashes: the database's work is the same.
BEGIN ISOLATION LEVEL READ COMMITTED READ WRITE;
SELECT set_config('settings.workspace', '{workspace}', true), set_config('settings.user', '', true), set_config('settings.scope', '', true), set_config('lock_timeout', '5s', true), set_config('statement_timeout', '8s', true), set_config('role', 'settings_app', true);
SELECT version + 1 AS next_version FROM workspaces WHERE id = '{workspace}' FOR NO KEY UPDATE \gset
SELECT person_id FROM memberships WHERE workspace_id = '{workspace}' AND role = 'admin' LIMIT 1 FOR SHARE \gset
SELECT id, slug, name, region, retention_days, floor_days, seat_limit, created_at, updated_at, version FROM workspaces WHERE id = '{workspace}' AND deleted_at IS NULL;
SELECT (SELECT count(*) FROM memberships WHERE workspace_id = '{workspace}' AND removed_at IS NULL) AS members, (SELECT count(*) FROM memberships WHERE workspace_id = '{workspace}' AND removed_at IS NULL AND role = 'admin') AS admins, (SELECT count(*) FROM invitations WHERE workspace_id = '{workspace}' AND state = 'pending' AND expires_at > 0) AS pending;
UPDATE workspaces SET slug = slug, name = 'Bench ' || :next_version::text, region = region, retention_days = retention_days, floor_days = floor_days, seat_limit = seat_limit, updated_at = updated_at + 1, version = :next_version::bigint WHERE id = '{workspace}' AND deleted_at IS NULL;
SELECT seq + 1 AS next_seq FROM audit_heads WHERE workspace_id = '{workspace}' \gset
SELECT id, salt FROM persons WHERE workspace_id = '{workspace}' AND salt IS NOT NULL AND id = :person_id::uuid;
INSERT INTO audit_events (workspace_id, seq, id, at, version, action, risk, actor_kind, actor_key, target_kind, target_id, changes, commitments, hash, mac) VALUES ('{workspace}', :next_seq::bigint, gen_random_uuid(), 1, 1, 'workspace.updated', 'medium', 'member', NULL, 'workspace', NULL, '[{"field":"name"}]', '[{"field":"actor","hash":"0123456789012345678901234567890123456789012345678901234567890123"},{"field":"name","hash":"0123456789012345678901234567890123456789012345678901234567890123"},{"field":"requestId","hash":"0123456789012345678901234567890123456789012345678901234567890123"}]', decode(repeat('00', 32), 'hex'), decode(repeat('00', 32), 'hex'));
INSERT INTO audit_openings (workspace_id, seq, field, person_id, sealed) VALUES ('{workspace}', :next_seq::bigint, 'actor', :person_id::uuid, decode(repeat('00', 64), 'hex'));
INSERT INTO audit_openings (workspace_id, seq, field, person_id, sealed) VALUES ('{workspace}', :next_seq::bigint, 'name', :person_id::uuid, decode(repeat('00', 40), 'hex'));
INSERT INTO audit_openings (workspace_id, seq, field, person_id, sealed) VALUES ('{workspace}', :next_seq::bigint, 'requestId', :person_id::uuid, decode(repeat('00', 64), 'hex'));
INSERT INTO audit_heads (workspace_id, seq, hash) VALUES ('{workspace}', :next_seq::bigint, decode(repeat('00', 32), 'hex')) ON CONFLICT (workspace_id) DO UPDATE SET seq = excluded.seq, hash = excluded.hash WHERE audit_heads.seq = :next_seq::bigint - 1;
UPDATE workspaces SET epoch = epoch + 1 WHERE id = '{workspace}';
COMMIT;
