//! Whoever can write to the database but has no key of the service is found out, at the first event they touched.
use crate::support::{Site, Store, Tenant, json, on_both_stores, shape};

on_both_stores!(
    the_log_can_only_grow,
    what_cannot_be_logged_is_not_done,
    a_touched_event_is_the_first_that_does_not_verify,
    a_chain_that_was_cut_is_found_out,
    an_openings_table_that_was_touched_is_found_out,
    the_command_line_names_the_workspace_and_the_event,
);

/// Events 1 to 8: founded, joined, six renamings.
async fn told(site: &Site) -> Tenant {
    let tenant = site.tenant().await;
    for n in 0..6 {
        tenant
            .admin
            .put(tenant.path("/workspace"), json!({"name": format!("Name {n}"), "seatLimit": 30 + n}))
            .await
            .ok();
    }
    assert_eq!(tenant.intact().await, 8);
    tenant
}

/// Puts the triggers that guard the log out of the way, as an owner of the database can.
fn open(store: Store) -> &'static [&'static str] {
    match store {
        Store::Sqlite => &[
            "DROP TRIGGER audit_events_no_update",
            "DROP TRIGGER audit_events_no_delete",
            "DROP TRIGGER audit_openings_only_erased",
            "DROP TRIGGER audit_openings_no_delete",
        ],
        Store::Postgres => &[
            "ALTER TABLE audit_events DISABLE TRIGGER USER",
            "ALTER TABLE audit_openings DISABLE TRIGGER USER",
            "ALTER TABLE audit_openings DROP CONSTRAINT audit_openings_erased",
        ],
    }
}

async fn tamper(tenant: &Tenant, statement: &str) {
    tenant.site.home.sql(&tenant.id, &[statement]).await;
}

/// The place of the first event that does not verify.
async fn first_broken(tenant: &Tenant, what: &str) -> i64 {
    let verdict = tenant.admin.get(tenant.path("/audit/verify")).await.ok();
    shape::is(
        &verdict,
        &[
            ("events", "number"),
            ("erasedFields", "number"),
            ("head", "text"),
            ("intact", "flag"),
            ("firstBroken", "object"),
        ],
    );
    assert_eq!(verdict["intact"], false, "{what}: nobody noticed");
    shape::is(&verdict["firstBroken"], &[("seq", "number"), ("fault", "text")]);
    let seq = verdict["firstBroken"]["seq"].as_i64().unwrap();
    assert_eq!(verdict["events"].as_i64().unwrap(), seq - 1, "{what}: {verdict}");
    seq
}

async fn the_log_can_only_grow(store: Store) {
    let site = Site::own(store, &[]).await;
    let tenant = told(&site).await;
    let statements = [
        "UPDATE audit_events SET risk = 'low' WHERE workspace_id = {ws} AND seq = 3",
        "DELETE FROM audit_events WHERE workspace_id = {ws} AND seq = 8",
        "UPDATE audit_openings SET field = 'x' WHERE workspace_id = {ws} AND seq = 3",
        "DELETE FROM audit_openings WHERE workspace_id = {ws}",
    ];
    for statement in statements {
        let home = site.home.clone();
        let (id, text) = (tenant.id.clone(), statement.to_owned());
        let refused = tokio::spawn(async move { home.sql(&id, &[&text]).await }).await;
        assert!(refused.is_err(), "the database took: {statement}");
    }
    assert_eq!(tenant.intact().await, 8);
}

async fn what_cannot_be_logged_is_not_done(store: Store) {
    let site = Site::own(store, &[]).await;
    let tenant = told(&site).await;
    // The log's table takes nothing more, as on a full disk.
    let (full, emptied): (&[&str], &[&str]) = match store {
        Store::Sqlite => (
            &["CREATE TRIGGER full BEFORE INSERT ON audit_events BEGIN SELECT json('disk full'); END"],
            &["DROP TRIGGER full"],
        ),
        Store::Postgres => (
            &[
                "CREATE FUNCTION full_disk() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RAISE EXCEPTION USING ERRCODE = 'disk_full'; END $$",
                "CREATE TRIGGER full_disk BEFORE INSERT ON audit_events FOR EACH ROW EXECUTE FUNCTION full_disk()",
            ],
            &["DROP TRIGGER full_disk ON audit_events"],
        ),
    };
    site.home.sql(&tenant.id, full).await;
    crate::support::assert_unchanged(&tenant, async {
        for answer in [
            tenant.admin.put(tenant.path("/workspace"), json!({"name": "Unlogged"})).await,
            tenant.admin.post(tenant.path("/workspace/api-keys"), json!({"name": "k", "scopes": ["runs:read"]})).await,
            tenant
                .admin
                .post(tenant.path("/workspace/members"), json!({"email": "u@example.org", "role": "admin"}))
                .await,
        ] {
            assert_eq!(answer.problem(503, "unavailable")["outcome"], "none", "{}", answer.what);
        }
    })
    .await;
    site.home.sql(&tenant.id, emptied).await;
    tenant.admin.put(tenant.path("/workspace"), json!({"name": "Logged"})).await.ok();
    assert_eq!(tenant.intact().await, 9);
}

async fn a_touched_event_is_the_first_that_does_not_verify(store: Store) {
    let edits = [
        ("UPDATE audit_events SET risk = 'low' WHERE workspace_id = {ws} AND seq = 3", 3),
        ("UPDATE audit_events SET action = 'member.invited' WHERE workspace_id = {ws} AND seq = 4", 4),
        ("UPDATE audit_events SET at = at - 1 WHERE workspace_id = {ws} AND seq = 5", 5),
        ("UPDATE audit_events SET actor_kind = 'service' WHERE workspace_id = {ws} AND seq = 1", 1),
        ("UPDATE audit_events SET changes = replace(changes, '35', '36') WHERE workspace_id = {ws} AND seq = 8", 8),
        ("UPDATE audit_events SET commitments = '[]' WHERE workspace_id = {ws} AND seq = 6", 6),
        ("UPDATE audit_events SET version = 2 WHERE workspace_id = {ws} AND seq = 7", 7),
        ("UPDATE audit_events SET target_id = workspace_id WHERE workspace_id = {ws} AND seq = 3", 3),
        ("UPDATE audit_events SET hash = mac WHERE workspace_id = {ws} AND seq = 4", 4),
        ("UPDATE audit_events SET mac = hash WHERE workspace_id = {ws} AND seq = 4", 4),
        // Deleted in the middle, deleted and renumbered, two exchanged.
        ("DELETE FROM audit_events WHERE workspace_id = {ws} AND seq = 5", 5),
        ("DELETE FROM audit_events WHERE workspace_id = {ws} AND seq = 1", 1),
        ("UPDATE audit_events SET seq = seq + 100 WHERE workspace_id = {ws} AND seq >= 5", 5),
    ];
    let site = Site::own(store, &[]).await;
    let spared = told(&site).await;
    site.home.sql(&spared.id, open(store)).await;
    for (statement, first) in edits {
        let tenant = told(&site).await;
        tamper(&tenant, statement).await;
        assert_eq!(first_broken(&tenant, statement).await, first, "{statement}");
    }
    let swapped = told(&site).await;
    for step in [
        "SET seq = 999 WHERE workspace_id = {ws} AND seq = 4",
        "SET seq = 4 WHERE workspace_id = {ws} AND seq = 5",
        "SET seq = 5 WHERE workspace_id = {ws} AND seq = 999",
    ] {
        tamper(&swapped, &format!("UPDATE audit_events {step}")).await;
    }
    assert_eq!(first_broken(&swapped, "two exchanged").await, 4);
    let closed_up = told(&site).await;
    tamper(&closed_up, "DELETE FROM audit_events WHERE workspace_id = {ws} AND seq = 5").await;
    for seq in 6..=8 {
        tamper(
            &closed_up,
            &format!("UPDATE audit_events SET seq = {} WHERE workspace_id = {{ws}} AND seq = {seq}", seq - 1),
        )
        .await;
    }
    assert_eq!(first_broken(&closed_up, "closed up").await, 5);
    // An event of another workspace, whole and well-formed, is none of this one's.
    let thief = told(&site).await;
    let other = spared.id.replace('-', "");
    let literal = if store == Store::Sqlite { format!("x'{other}'") } else { format!("'{}'::uuid", spared.id) };
    tamper(&thief, "DELETE FROM audit_events WHERE workspace_id = {ws} AND seq = 6").await;
    let columns = "seq, id, at, version, action, risk, actor_kind, actor_key, target_kind, target_id, changes, commitments, hash, mac";
    tamper(&thief, &format!("INSERT INTO audit_events (workspace_id, {columns}) SELECT {{ws}}, {columns} FROM audit_events WHERE workspace_id = {literal} AND seq = 6")).await;
    assert_eq!(first_broken(&thief, "moved from another workspace").await, 6);
    assert_eq!(spared.intact().await, 8);
}

async fn a_chain_that_was_cut_is_found_out(store: Store) {
    let site = Site::own(store, &[]).await;
    let cut = told(&site).await;
    site.home.sql(&cut.id, open(store)).await;
    tamper(&cut, "DELETE FROM audit_events WHERE workspace_id = {ws} AND seq > 6").await;
    assert_eq!(first_broken(&cut, "cut off").await, 7);
    // Nothing is written on top of a log that was touched.
    let cut_again = told(&site).await;
    tamper(&cut_again, "DELETE FROM audit_events WHERE workspace_id = {ws}").await;
    assert_eq!(first_broken(&cut_again, "all gone").await, 1);
    let headless = told(&site).await;
    tamper(&headless, "DELETE FROM audit_heads WHERE workspace_id = {ws}").await;
    first_broken(&headless, "the head is gone").await;
    let appended = told(&site).await;
    let columns =
        "at, version, action, risk, actor_kind, actor_key, target_kind, target_id, changes, commitments, hash, mac";
    tamper(&appended, &format!("INSERT INTO audit_events (workspace_id, seq, id, {columns}) SELECT workspace_id, 9, id, {columns} FROM audit_events WHERE workspace_id = {{ws}} AND seq = 8")).await;
    tamper(&appended, "UPDATE audit_heads SET seq = 9 WHERE workspace_id = {ws}").await;
    assert_eq!(first_broken(&appended, "a forged event at the end").await, 9);
}

async fn an_openings_table_that_was_touched_is_found_out(store: Store) {
    let site = Site::own(store, &[]).await;
    let first = told(&site).await;
    site.home.sql(&first.id, open(store)).await;
    let edits = [
        // Who did it is hidden, changed, exchanged, or gone with its place.
        "UPDATE audit_openings SET sealed = NULL WHERE workspace_id = {ws} AND seq = 4 AND field = 'actor'",
        "DELETE FROM audit_openings WHERE workspace_id = {ws} AND seq = 4 AND field = 'actor'",
        "UPDATE audit_openings SET sealed = (SELECT sealed FROM audit_openings o WHERE o.workspace_id = {ws} AND o.seq = 5 AND o.field = 'actor') WHERE workspace_id = {ws} AND seq = 4 AND field = 'actor'",
        "UPDATE audit_openings SET field = 'target' WHERE workspace_id = {ws} AND seq = 4 AND field = 'actor'",
        "INSERT INTO audit_openings (workspace_id, seq, field, person_id, sealed) SELECT workspace_id, 4, 'extra', person_id, sealed FROM audit_openings WHERE workspace_id = {ws} AND seq = 5 AND field = 'actor'",
        "UPDATE audit_openings SET person_id = workspace_id WHERE workspace_id = {ws} AND seq = 4 AND field = 'actor'",
    ];
    for edit in edits {
        let tenant = told(&site).await;
        tamper(&tenant, edit).await;
        assert_eq!(first_broken(&tenant, edit).await, 4, "{edit}");
    }
    let saltless = told(&site).await;
    tamper(&saltless, "UPDATE persons SET salt = NULL WHERE workspace_id = {ws}").await;
    first_broken(&saltless, "a salt was destroyed without an erasure").await;
}

async fn the_command_line_names_the_workspace_and_the_event(store: Store) {
    let site = Site::own(store, &[]).await;
    let (good, bad) = (told(&site).await, told(&site).await);
    let run = |arguments: &[&str]| {
        let output = site.home.run(arguments, &[]);
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        (output.status.code(), text(&output.stdout), text(&output.stderr))
    };
    let (code, out, err) = run(&["audit", "verify"]);
    assert_eq!(code, Some(0), "{out}{err}");
    for tenant in [&good, &bad] {
        let line = out.lines().find(|l| l.contains(&tenant.slug)).unwrap_or_else(|| panic!("{} in {out}", tenant.slug));
        assert!(line.contains("8 events") && line.contains("intact"), "{line}");
    }
    site.home.sql(&bad.id, open(store)).await;
    tamper(&bad, "UPDATE audit_events SET risk = 'low' WHERE workspace_id = {ws} AND seq = 5").await;
    let (code, out, _) = run(&["audit", "verify"]);
    assert_eq!(code, Some(1), "{out}");
    let line = out.lines().find(|l| l.contains(&bad.slug)).unwrap();
    assert!(line.contains("event 5"), "{line}");
    assert_eq!(run(&["audit", "verify", "--workspace", &bad.slug]).0, Some(1));
    let (code, out, _) = run(&["audit", "verify", "--workspace", &good.slug]);
    assert_eq!(code, Some(0), "{out}");
    assert!(!out.contains(&bad.slug));
    assert_eq!(run(&["audit", "verify", "--workspace", "no-such-workspace"]).0, Some(1));
    for output in [run(&["audit", "verify"]).1, run(&["audit", "verify"]).2] {
        assert!(!output.contains("example.org") && !output.contains("SELECT"), "{output}");
    }
}
