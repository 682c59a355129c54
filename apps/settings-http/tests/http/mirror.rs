//! Auth0 Organizations follow the service: from its own outbox, without being in anybody's way, and by an operator's plan.
use crate::support::{
    Home, Site, Store, Tenant, Value,
    auth0::{Auth0, ORGANIZATION, encoded},
    eventually,
    issuer::Issuer,
    json, on_both_stores, unique,
};
use std::process::Output;

on_both_stores!(
    an_organization_is_made_and_follows_every_change,
    an_auth0_that_is_away_is_in_nobody_s_way,
    drift_is_found_and_reconciled_by_a_plan,
    an_organization_of_somebody_else_is_left_alone,
    a_deleted_workspace_takes_its_organization_along,
    half_a_configuration_is_refused_and_none_is_said,
);

/// A workspace with an editor and somebody who is invited, that no directory knows of yet.
async fn tenant(site: &Site) -> (Tenant, String, String) {
    let tenant = site.tenant().await;
    let [editor] = tenant.members(["editor"]).await;
    let guest = format!("Guest.{}@example.org", unique());
    tenant.invite(&guest, "viewer").await;
    (tenant, editor.person.subject, guest)
}
fn said(output: &Output) -> String {
    format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr))
}
fn adds(subject: &str) -> (String, String, Value) {
    ("POST".to_owned(), format!("{ORGANIZATION}/members"), json!({"members": [subject]}))
}
fn gives(subject: &str, role: &str) -> (String, String, Value) {
    let path = format!("{ORGANIZATION}/members/{}/roles", encoded(subject));
    ("POST".to_owned(), path, json!({"roles": [format!("rol_{role}")]}))
}
async fn changed(auth0: &Auth0, what: &(String, String, Value)) {
    eventually(&format!("{what:?}"), async || auth0.changes().contains(what).then_some(())).await;
}
/// Until the directory has followed everything.
async fn quiet(site: &Site, tenant: &Tenant) {
    let question = "SELECT wanted - mirrored FROM identity_mirrors WHERE workspace_id = {ws}";
    eventually("a directory that has followed", async || {
        (site.home.number(&tenant.id, question).await == 0).then_some(())
    })
    .await;
}

async fn an_organization_is_made_and_follows_every_change(store: Store) {
    let (auth0, site) = (Auth0::start(), Site::own(store, &[]).await);
    let (tenant, editor, guest) = tenant(&site).await;
    let admin = tenant.admin.person.subject.clone();
    // What there was before anybody followed is followed too. The organization is there once it was made.
    auth0.organization(&tenant);
    let by_name = format!("/api/v2/organizations/name/{}", tenant.slug);
    let state = |required: &str, next: &str, request: Value, response: Value| {
        auth0.stub(json!({"scenarioName": "made", "requiredScenarioState": required, "newScenarioState": next,
            "request": request, "response": response}));
    };
    let missing = json!({"status": 404, "jsonBody": {"errorCode": "inexistent_organization"}});
    state("Started", "Started", json!({"method": "GET", "urlPath": by_name}), missing);
    let made = json!({"status": 201, "jsonBody": Auth0::named(&tenant, &tenant.id)});
    state("Started", "made", json!({"method": "POST", "urlPath": "/api/v2/organizations"}), made);
    let site = site.through(site.home.serve(&auth0.env()));
    let invites = |email: &str, role: &str| {
        let body = json!({"inviter": {"name": "Tenant of a test"}, "invitee": {"email": email}, "client_id": "the application",
            "roles": [format!("rol_{role}")], "ttl_sec": 604_800, "send_invitation_email": false});
        ("POST".to_owned(), format!("{ORGANIZATION}/invitations"), body)
    };
    changed(&auth0, &invites(&guest, "viewer")).await;
    let metadata = json!({"settings_workspace": tenant.id});
    let create = json!({"name": tenant.slug, "display_name": "Tenant of a test", "metadata": metadata});
    let mut all = auth0.changes();
    assert_eq!(all.remove(0), ("POST".to_owned(), "/api/v2/organizations".to_owned(), create));
    for expected in [adds(&admin), gives(&admin, "admin"), adds(&editor), gives(&editor, "editor")] {
        assert!(all.contains(&expected), "{expected:?} in {all:?}");
    }
    assert_eq!(all.len(), 5);
    quiet(&site, &tenant).await;

    // From now on each change is followed by itself.
    let tenant = tenant.at(&site);
    let there = json!([Auth0::member(&admin, "admin"), Auth0::member(&editor, "editor")]);
    auth0.holds(&there, &json!([Auth0::invitation(&guest, "viewer")]));
    let editor_id =
        tenant.admin.get(tenant.path("/workspace/members?role=editor")).await.ok()["items"][0]["userId"].clone();
    let path = tenant.path(&format!("/workspace/members/{}", editor_id.as_str().unwrap()));
    let before = auth0.changes().len();
    tenant.admin.put(&path, json!({"role": "viewer"})).await.ok();
    changed(&auth0, &gives(&editor, "viewer")).await;
    let roles = format!("{ORGANIZATION}/members/{}/roles", encoded(&editor));
    let taken = ("DELETE".to_owned(), roles, json!({"roles": ["rol_editor"]}));
    assert_eq!(auth0.changes()[before..], [taken, gives(&editor, "viewer")], "the old role goes first");
    tenant.admin.delete(&path).await.ok();
    let removed = ("DELETE".to_owned(), format!("{ORGANIZATION}/members"), json!({"members": [editor]}));
    changed(&auth0, &removed).await;
    quiet(&site, &tenant).await;
    let ready = site.anonymous().get("/readyz").await.has(200).json();
    assert_eq!(ready["checks"]["directory"], "ok");
    let metrics = site.anonymous().get("/metrics").await.text();
    assert!(metrics.contains("settings_directory_behind 0"), "{metrics}");
}

async fn an_auth0_that_is_away_is_in_nobody_s_way(store: Store) {
    let auth0 = Auth0::start();
    auth0.all(
        &json!({"status": 429, "headers": {"retry-after": "3600"}, "jsonBody": {"errorCode": "too_many_requests"}}),
    );
    let site = Site::own(store, &auth0.env()).await;
    // Everything goes its way: the invitations' mails arrive, people join.
    let (tenant, ..) = tenant(&site).await;
    let waits = "SELECT count(*) FROM identity_mirrors WHERE workspace_id = {ws} AND mirrored < wanted AND attempts > 0 \
        AND last_cause = 'the directory is unavailable'";
    eventually("a directory that is away", async || (site.home.number(&tenant.id, waits).await == 1).then_some(()))
        .await;
    let ready = site.anonymous().get("/readyz").await.has(200).json();
    assert_eq!((&ready["status"], &ready["checks"]["directory"]), (&json!("ready"), &json!("unavailable")));
    // It is left alone as long as it asks: the last attempt is followed by an hour without one.
    let hour = "SELECT CAST(3590000000 AS BIGINT) - (next_at - CAST(unixepoch('subsec') * 1000000 AS BIGINT)) \
        FROM identity_mirrors WHERE workspace_id = {ws}";
    eventually("an hour's patience", async || (site.home.number(&tenant.id, hour).await <= 0).then_some(())).await;
    // Once it is back, the next change takes everything along.
    auth0.organization(&tenant);
    let role = |name: &str| json!({"id": format!("rol_{name}"), "name": format!("settings-{name}")});
    auth0.answers("GET", "/api/v2/roles", 200, &json!(["admin", "editor", "viewer"].map(role)));
    tenant.admin.put(tenant.path("/workspace"), json!({"name": "Another name"})).await.ok();
    let renamed = ("PATCH".to_owned(), ORGANIZATION.to_owned(), json!({"display_name": "Another name"}));
    changed(&auth0, &renamed).await;
    changed(&auth0, &gives(&tenant.admin.person.subject, "admin")).await;
    quiet(&site, &tenant).await;
    let doctor = said(&site.home.run(&["doctor"], &auth0.env()));
    for text in [doctor, site.server.log.all().join("\n")] {
        assert!(!text.contains("m2m secret") && !text.contains("client secret") && !text.contains("0123456789abcdef"));
    }
}

async fn drift_is_found_and_reconciled_by_a_plan(store: Store) {
    let (auth0, site) = (Auth0::start(), Site::own(store, &[]).await);
    let (tenant, editor, guest) = tenant(&site).await;
    let (admin, stranger) = (tenant.admin.person.subject.clone(), format!("auth0|{}", unique()));
    auth0.organization(&tenant);
    // Somebody was let in there, and somebody has too much.
    let there =
        json!([Auth0::member(&admin, "admin"), Auth0::member(&editor, "admin"), Auth0::member(&stranger, "admin")]);
    auth0.holds(&there, &json!([Auth0::invitation(&guest, "viewer")]));
    let env = auth0.env();
    let run = |arguments: &[&str]| site.home.run(arguments, &env);
    for look in
        [&["mirror", "plan"][..], &["mirror", "apply", "--dry-run"], &["mirror", "plan", "--workspace", &tenant.slug]]
    {
        let shown = run(look);
        let text = said(&shown);
        assert_eq!(shown.status.code(), Some(1), "{text}");
        let steps = [
            format!("{}: 3 steps", tenant.slug),
            format!("- remove member {stranger}"),
            format!("- take role admin from {editor}"),
            format!("+ give role editor to {editor}"),
            "1 workspaces, 1 differ, 3 steps, 2 of them take something away; nothing was changed".to_owned(),
        ];
        for step in &steps {
            assert!(text.contains(step), "{step} in {text}");
        }
    }
    let doctor = run(&["doctor"]);
    let fault =
        format!("FAULT  directory: Auth0 Organizations differ in 1 workspaces by 3 steps, such as {}", tenant.slug);
    assert!(said(&doctor).contains(&fault), "{}", said(&doctor));
    assert_eq!((doctor.status.code(), auth0.changes()), (Some(1), vec![]), "looking changes nothing");

    let done = run(&["mirror", "apply"]);
    assert_eq!(done.status.code(), Some(0), "{}", said(&done));
    assert!(said(&done).contains(&format!("{}: 3 steps done", tenant.slug)), "{}", said(&done));
    let roles = format!("{ORGANIZATION}/members/{}/roles", encoded(&editor));
    let mut expected = vec![
        ("DELETE".to_owned(), roles, json!({"roles": ["rol_admin"]})),
        ("DELETE".to_owned(), format!("{ORGANIZATION}/members"), json!({"members": [stranger]})),
        gives(&editor, "editor"),
    ];
    let mut changes = auth0.changes();
    assert_eq!(changes.last(), expected.last(), "what takes something away goes first");
    changes.sort_by_key(|change| format!("{change:?}"));
    expected.sort_by_key(|change| format!("{change:?}"));
    assert_eq!(changes, expected);

    auth0.holds(
        &json!([Auth0::member(&admin, "admin"), Auth0::member(&editor, "editor")]),
        &json!([Auth0::invitation(&guest, "viewer")]),
    );
    let equal = run(&["mirror", "plan"]);
    assert_eq!(equal.status.code(), Some(0), "{}", said(&equal));
    assert!(said(&equal).contains(&format!("{}: equal", tenant.slug)));
    let doctor = said(&run(&["doctor"]));
    assert!(doctor.contains("ok     directory: Auth0 Organizations equal 1 workspaces"), "{doctor}");
    assert_eq!(auth0.changes().len(), 3);

    // A person whom Auth0 does not know stays out, and everybody else gets in.
    auth0.holds(&json!([]), &json!([]));
    let unknown = json!({"status": 400, "jsonBody": {"statusCode": 400, "errorCode": "inexistent_user"}});
    let add = json!({"method": "POST", "urlPath": format!("{ORGANIZATION}/members"),
        "bodyPatterns": [{"equalToJson": {"members": [editor]}}]});
    auth0.stub(json!({"request": add, "response": unknown}));
    auth0.stub(json!({"request": {"method": "POST", "urlPath": format!("{ORGANIZATION}/members/{}/roles", encoded(&editor))}, "response": unknown}));
    let partly = run(&["mirror", "apply"]);
    assert_eq!(partly.status.code(), Some(1), "{}", said(&partly));
    let line = format!("{}: 3 steps done, 2 name people whom the directory does not know", tenant.slug);
    assert!(said(&partly).contains(&line), "{}", said(&partly));
    // An Auth0 that does not answer ends a run, and says so.
    auth0.all(&json!({"status": 403, "jsonBody": {"errorCode": "insufficient_scope"}}));
    for command in ["plan", "apply"] {
        let refused = run(&["mirror", command]);
        assert_eq!(refused.status.code(), Some(1));
        assert!(said(&refused).contains("lacks a scope"), "{}", said(&refused));
    }
    assert!(said(&run(&["doctor"])).contains("FAULT  directory: "));
    let nowhere = run(&["mirror", "plan", "--workspace", "nowhere"]);
    assert_eq!((nowhere.status.code(), said(&nowhere).contains("there is no workspace nowhere")), (Some(1), true));
}

async fn an_organization_of_somebody_else_is_left_alone(store: Store) {
    let (auth0, site) = (Auth0::start(), Site::own(store, &[]).await);
    let (tenant, ..) = tenant(&site).await;
    auth0.organization(&tenant);
    let by_name = format!("/api/v2/organizations/name/{}", tenant.slug);
    auth0.answers("GET", &by_name, 200, &Auth0::named(&tenant, "another service"));
    let site = site.through(site.home.serve(&auth0.env()));
    let cause =
        "SELECT count(*) FROM identity_mirrors WHERE workspace_id = {ws} AND last_cause LIKE '%not this workspace''s'";
    eventually("a word to the operator", async || (site.home.number(&tenant.id, cause).await == 1).then_some(())).await;
    for command in ["plan", "apply"] {
        let shown = site.home.run(&["mirror", command], &auth0.env());
        assert_eq!(shown.status.code(), Some(1), "{}", said(&shown));
        assert!(said(&shown).contains("FAULT an organization of this name is there already"), "{}", said(&shown));
    }
    assert_eq!(auth0.changes(), []);
}

async fn a_deleted_workspace_takes_its_organization_along(store: Store) {
    let auth0 = Auth0::start();
    let site = Site::own(store, &[]).await;
    let (tenant, ..) = tenant(&site).await;
    auth0.organization(&tenant);
    tenant.platform.delete(tenant.org("")).await.done();
    let site = site.through(site.home.serve(&auth0.env()));
    changed(&auth0, &("DELETE".to_owned(), ORGANIZATION.to_owned(), Value::Null)).await;
    quiet(&site, &tenant).await;
    assert_eq!(auth0.changes().len(), 1);
}

async fn half_a_configuration_is_refused_and_none_is_said(store: Store) {
    let home = Home::new(store).await;
    assert_eq!(home.run(&["migrate"], &[]).status.code(), Some(0));
    let domain = Issuer::shared().url.clone();
    let none = home.run(&["mirror", "plan"], &[]);
    assert_eq!((none.status.code(), said(&none).contains("set AUTH0_DOMAIN")), (Some(2), true), "{}", said(&none));
    for half in [
        &[("AUTH0_DOMAIN", Some(domain.as_str())), ("AUTH0_M2M_CLIENT_ID", Some("m2m"))][..],
        &[("AUTH0_M2M_CLIENT_ID", Some("m2m")), ("AUTH0_M2M_CLIENT_SECRET", Some("the secret"))],
        &[
            ("AUTH0_DOMAIN", Some("http://acme.auth0.com")),
            ("AUTH0_M2M_CLIENT_ID", Some("m2m")),
            ("AUTH0_M2M_CLIENT_SECRET", Some("the secret")),
        ],
    ] {
        let refused = home.run(&["serve"], half);
        assert_eq!(refused.status.code(), Some(2), "{}", said(&refused));
        assert!(said(&refused).contains("AUTH0_M2M_CLIENT_SECRET") && !said(&refused).contains("the secret"));
    }
    // A domain alone is where people sign in, and nothing that follows.
    let site = Site::in_home(home, &[("AUTH0_ISSUER_BASE_URL", None), ("AUTH0_DOMAIN", Some(&domain))]);
    let tenant = site.tenant().await;
    tenant.admin.get("/api/roles").await.ok();
    let doctor = site.home.run(&["doctor"], &[("AUTH0_ISSUER_BASE_URL", None), ("AUTH0_DOMAIN", Some(&domain))]);
    assert!(said(&doctor).contains("ok     directory: none"), "{}", said(&doctor));
    assert!(said(&doctor).contains(&format!("ok     issuer: {domain}/ answers")), "{}", said(&doctor));
    assert!(site.anonymous().get("/readyz").await.has(200).json()["checks"].get("directory").is_none());
}
