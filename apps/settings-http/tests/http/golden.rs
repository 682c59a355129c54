//! The whole matrix over HTTP: every operation of the document × every kind of caller, against a table written by hand.
use crate::support::{
    Caller, Member, Site, Store, Tenant, Value, added, json, on_both_stores, tenant::SCOPES, values::Values,
};
use futures_util::{StreamExt as _, stream};
use std::{collections::BTreeMap, fmt::Write as _, path::Path};

on_both_stores!(every_operation_answers_every_kind_of_caller_as_the_table_says, a_wrong_cell_of_the_table_is_found);

const USERS: [&str; 8] = ["anonymous", "outsider", "other admin", "removed", "viewer", "editor", "admin", "platform"];

struct Row {
    cells: Vec<String>,
    scopes: Vec<String>,
    otherwise: String,
}

impl Row {
    fn key(&self, scopes: &[&str]) -> &str {
        let granted = self.scopes.iter().any(|s| s == "*" || scopes.contains(&s.as_str()));
        if granted { "ok" } else { &self.otherwise }
    }
}

fn table() -> BTreeMap<String, Row> {
    let mut rows = BTreeMap::new();
    for line in include_str!("golden.txt").lines().filter(|l| !l.starts_with('#') && !l.trim().is_empty()) {
        let [left, scopes, otherwise] = line.split('|').map(str::trim).collect::<Vec<_>>()[..] else {
            panic!("{line}")
        };
        let words: Vec<_> = left.split_whitespace().map(str::to_owned).collect();
        assert_eq!(words.len(), 2 + USERS.len(), "{line}");
        let scopes = scopes.split_whitespace().filter(|s| *s != "-").map(str::to_owned).collect();
        let row = Row { cells: words[2..].to_vec(), scopes, otherwise: otherwise.to_owned() };
        let before = rows.insert(format!("{} {}", words[0], words[1]), row);
        assert!(before.is_none(), "two rows for {left}");
    }
    rows
}

/// Everybody, with the fixture they call.
struct Cast {
    a: Tenant,
    users: Vec<(&'static str, Caller)>,
    keys: Vec<(Vec<&'static str>, Caller)>,
    revoked: Caller,
    params: Vec<(&'static str, String)>,
}

async fn cast(site: &Site) -> Cast {
    let (a, b) = tokio::join!(site.tenant(), site.tenant());
    let [editor, viewer, removed] = a.members(["editor", "viewer", "viewer"]).await;
    a.admin.delete(a.path(&format!("/workspace/members/{}", removed.id))).await.ok();
    let invitation = a.invite(&format!("waiting.{}@example.org", crate::support::unique()), "viewer").await;
    let outsider = crate::support::tenant::Person::new("outsider");
    let mut keys = Vec::new();
    for scope in SCOPES {
        keys.push((vec![scope], (*a.key(&[scope]).await).clone()));
    }
    keys.push((SCOPES.to_vec(), (*a.key(&SCOPES).await).clone()));
    let revoked = a.key(&SCOPES).await;
    a.revoke(&revoked.id).await;
    let environments = a.admin.get(a.path("/workspace/environments")).await.ok();
    let text = |v: &Value| v.as_str().unwrap().to_owned();
    let values = Values::of(&a).await;
    let test = json!({"channel": "email"});
    let delivery = a.admin.post(a.path("/workspace/notifications/test"), test).await.ok();
    let params = vec![
        ("deliveryId", text(&delivery["id"])),
        ("subscriptionId", a.hook("https://hooks.example.org/x", &["run_failed"]).await.id),
        // There is none: no probe of a change gets as far as looking for it.
        ("connectionId", uuid::Uuid::now_v7().to_string()),
        ("variableId", values.variable),
        ("secretId", values.secret),
        ("modelId", values.model.clone()),
        ("modelIntegrationId", values.model),
        ("referrerKind", "workflow".to_owned()),
        ("referrerId", "w-1".to_owned()),
        ("slug", a.slug.clone()),
        ("organizationId", a.id.clone()),
        ("userId", viewer.id.clone()),
        ("invitationId", text(&invitation["id"])),
        ("environmentId", text(&environments["items"][0]["id"])),
        ("keyId", keys_id(&a).await),
        ("token", "inv_nobody".to_owned()),
    ];
    let plain = |m: &Member| Caller::clone(m);
    let users = vec![
        ("anonymous", site.anonymous()),
        ("outsider", site.person(&outsider)),
        ("other admin", plain(&b.admin)),
        ("removed", plain(&removed)),
        ("viewer", plain(&viewer)),
        ("editor", plain(&editor)),
        ("admin", plain(&a.admin)),
        ("platform", site.platform()),
    ];
    Cast { users, keys, revoked: Caller::clone(&revoked), params, a }
}

async fn keys_id(tenant: &Tenant) -> String {
    let keys = tenant.admin.get(tenant.path("/workspace/api-keys")).await.ok();
    keys["items"][0]["id"].as_str().unwrap().to_owned()
}

/// One request to an operation; what came of it, in the words of the table.
async fn probe(cast: &Cast, caller: &Caller, method: &str, template: &str) -> String {
    let mut path = template.to_owned();
    for (name, value) in &cast.params {
        path = path.replace(&format!("{{{name}}}"), value);
    }
    let by_parameter = ["/api/environments", "/api/variables", "/api/models", "/api/mcp/tools"];
    if by_parameter.iter().any(|p| template.starts_with(p))
        && !["{variableId}", "{modelId}"].iter().any(|p| template.contains(p))
    {
        path = format!("{path}?organizationId={}", cast.a.id);
    }
    if template.ends_with("/authz/explain") {
        path.push_str("?action=workspace:read");
    }
    let named = template.starts_with("/w/") || template.starts_with("/api/");
    let caller = if named { caller.clone() } else { caller.within(&cast.a.id) };
    let mut call = caller.send(method, &path);
    let accepts = template.ends_with("/accept");
    if method != "GET" && !accepts {
        // Wrong for every operation, so that nobody changes anything.
        call = call.json(&json!([]));
    }
    let answer = call.await;
    match (method, answer.status) {
        // A file is no JSON, and is never kept by a cache either.
        ("GET", 200) if template.ends_with("/audit/events/export") => {
            assert_eq!(answer.header("content-type"), Some("application/x-ndjson"));
            "ok".to_owned()
        }
        ("GET", 200) => {
            answer.ok();
            "ok".to_owned()
        }
        // Nobody comes back from Slack's page without a code: the one GET that changes something.
        (_, 422) if method != "GET" || template.ends_with("/connections/slack/callback") => {
            answer.problem(422, "validation-failed");
            "ok".to_owned()
        }
        (_, 401) => slug(&answer, 401, "unauthenticated", "401"),
        (_, 404) => slug(&answer, 404, "not-found", "404"),
        (_, 403) if answer.json()["type"] == "/problems/session-required" => "people".to_owned(),
        (_, 403) => {
            let body = answer.problem(403, "forbidden");
            let permission = body["permission"].as_str().expect("the missing permission");
            assert!(body["detail"].as_str().unwrap().contains(permission), "{body}");
            "403".to_owned()
        }
        (_, other) => format!("{other}"),
    }
}

fn slug(answer: &crate::support::Answer, status: u16, slug: &str, word: &str) -> String {
    answer.problem(status, slug);
    word.to_owned()
}

/// Every operation of the served document, as method and path.
async fn operations(site: &Site) -> Vec<(String, String)> {
    let document = site.anonymous().get("/openapi.json").await.has(200).json();
    let mut found = Vec::new();
    // Stripe's signature is no credential of a caller: who gets past it is a test of its own (`billing`).
    let signed = |path: &str| path == "/billing/stripe/webhook";
    for (path, item) in document["paths"].as_object().unwrap().iter().filter(|(path, _)| !signed(path)) {
        found.extend(item.as_object().unwrap().keys().map(|method| (method.to_uppercase(), path.clone())));
    }
    found
}

/// What every caller gets from one address: the eight kinds of people, then the 18 keys.
async fn column(cast: &Cast, method: &str, path: &str) -> Vec<String> {
    let mut callers: Vec<Caller> = cast.users.iter().map(|(_, c)| c.clone()).collect();
    callers.extend(cast.keys.iter().map(|(_, c)| c.clone()));
    callers.push(cast.revoked.clone());
    let probes = callers.into_iter().map(|caller| async move { probe(cast, &caller, method, path).await });
    stream::iter(probes).buffered(4).collect().await
}

fn expected(row: &Row, cast: &Cast) -> Vec<String> {
    let mut all = row.cells.clone();
    all.extend(cast.keys.iter().map(|(scopes, _)| row.key(scopes).to_owned()));
    all.push("401".to_owned());
    all
}

fn name_of(cast: &Cast, index: usize) -> String {
    match index.checked_sub(USERS.len()) {
        None => USERS[index].to_owned(),
        Some(key) => {
            cast.keys.get(key).map_or("a revoked key".to_owned(), |(scopes, _)| format!("key {}", scopes.join("+")))
        }
    }
}

/// The differences between a table and the service, and how many cells were compared.
async fn differences(site: &Site, cast: &Cast, rows: &BTreeMap<String, Row>) -> (Vec<String>, usize) {
    let (mut wrong, mut compared) = (Vec::new(), 0);
    let mut seen = Vec::new();
    for (method, path) in operations(site).await {
        let base = path.strip_prefix("/w/{slug}").unwrap_or(&path).to_owned();
        let name = format!("{method} {base}");
        let Some(row) = rows.get(&name) else {
            wrong.push(format!("{method} {path} has no row"));
            continue;
        };
        seen.push(name);
        let got = column(cast, &method, &path).await;
        for (index, (want, got)) in expected(row, cast).iter().zip(&got).enumerate() {
            compared += 1;
            if want != got {
                wrong.push(format!("{method} {path} by {}: {got} instead of {want}", name_of(cast, index)));
            }
        }
    }
    wrong.extend(rows.keys().filter(|r| !seen.contains(r)).map(|r| format!("{r} is no operation")));
    (wrong, compared)
}

async fn every_operation_answers_every_kind_of_caller_as_the_table_says(store: Store) {
    let site = Site::shared(store).await;
    let cast = cast(&site).await;
    if std::env::var_os("SETTINGS_GOLDEN_REWRITE").is_some() {
        return rewrite(&site, &cast).await;
    }
    let ((wrong, compared), events) = added(&cast.a, differences(&site, &cast, &table())).await;
    assert!(wrong.is_empty(), "{} of {compared} cells differ:\n{}", wrong.len(), wrong.join("\n"));
    assert!(compared >= 100 * 26, "only {compared} cells were compared");
    assert!(events.is_empty(), "a refused or invalid call has left an event: {events:?}");
}

/// The table is not decoration: one wrong cell, one row too few and one too many are noticed.
async fn a_wrong_cell_of_the_table_is_found(store: Store) {
    let site = Site::shared(store).await;
    let cast = cast(&site).await;
    let mut rows = table();
    rows.retain(|name, _| name.ends_with(" /api/roles") || name.ends_with("/audit/verify"));
    "ok".clone_into(&mut rows.get_mut("GET /audit/verify").unwrap().cells[4]);
    rows.get_mut("GET /api/roles").unwrap().scopes.clear();
    let (wrong, _) = differences(&site, &cast, &rows).await;
    let has = |text: &str| wrong.iter().filter(|w| w.contains(text)).count();
    assert_eq!(has("audit/verify by viewer: 403 instead of ok"), 2, "{wrong:#?}");
    assert_eq!(has("/api/roles by key"), 17, "{wrong:#?}");
    assert_eq!(has("has no row"), operations(&site).await.len() - 3, "{wrong:#?}");
}

/// Writes what the service does. Only for a reviewer's eyes: every changed cell is a change of who may do what.
async fn rewrite(site: &Site, cast: &Cast) {
    let comments = include_str!("golden.txt").lines().filter(|l| l.starts_with('#')).collect::<Vec<_>>().join("\n");
    let mut text = format!("{comments}\n");
    for (method, path) in operations(site).await.into_iter().filter(|(_, p)| !p.starts_with("/w/")) {
        let got = column(cast, &method, &path).await;
        let (people, keys) = got.split_at(USERS.len());
        let may: Vec<_> = SCOPES.iter().zip(keys).filter(|(_, got)| *got == "ok").map(|(s, _)| *s).collect();
        let scopes = match may.len() {
            0 => "-".to_owned(),
            16 => "*".to_owned(),
            _ => may.join(" "),
        };
        let otherwise = keys[..16].iter().find(|got| *got != "ok").map_or("403", String::as_str);
        let cells: String = people.iter().fold(String::new(), |mut all, cell| {
            let _ = write!(all, " {cell:<9}");
            all
        });
        let _ = writeln!(text, "{method:<8} {path:<58}{cells} | {scopes:<15} | {otherwise}");
    }
    let place = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/http/golden.txt");
    std::fs::write(place, text).unwrap();
    panic!("golden.txt was rewritten: review it, then run again without SETTINGS_GOLDEN_REWRITE");
}
