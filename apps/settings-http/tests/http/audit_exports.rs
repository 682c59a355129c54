//! Exports (AU): streamed as they stand, and checked elsewhere by the program itself with the public key alone.
use crate::support::{
    Site, Store, Tenant, Value, assert_unchanged,
    export::{Desk, changed, open},
    json, on_both_stores,
};

on_both_stores!(
    an_export_is_checked_with_the_public_key_alone,
    every_attack_on_an_export_is_found,
    a_filtered_export_holds_and_shows_what_was_asked_for,
    a_log_that_was_touched_is_exported_with_its_fault,
    a_spreadsheet_computes_nothing_of_what_people_wrote,
    who_may_not_read_the_log_exports_nothing_and_learns_nothing,
    every_mutation_is_answered_with_a_receipt_that_holds,
);

/// Events 1 to 8: founded, joined, a key, a member invited and joined, three renamings.
async fn told(site: &Site) -> Tenant {
    let tenant = site.tenant().await;
    tenant.key(&["runs:read"]).await;
    tenant.members(["editor"]).await;
    for n in 0..3 {
        tenant.admin.put(tenant.path("/workspace"), json!({"name": format!("Name {n}")})).await.ok();
    }
    assert_eq!(tenant.intact().await, 8);
    tenant
}
/// Signs what there is, as the worker does it every minute.
fn sign(site: &Site) {
    let signed = site.home.run(&["audit", "checkpoint"], &[]);
    assert!(signed.status.success(), "{signed:?}");
}
fn json_of(line: &str) -> Value {
    serde_json::from_str(line).unwrap()
}
fn count(lines: &[String], kind: &str) -> usize {
    lines.iter().filter(|l| json_of(l)["type"] == kind).count()
}

async fn an_export_is_checked_with_the_public_key_alone(store: Store) {
    let site = Site::own(store, &[]).await;
    let tenant = told(&site).await;
    let desk = Desk::of(&site);
    let lines = tenant.export("").await;
    let file = tenant.export_file("").await;
    let name = file.header("content-disposition").unwrap();
    assert!(name.starts_with(&format!("attachment; filename=\"audit-{}-", tenant.slug)) && name.ends_with(".jsonl\""));
    assert!(file.header("etag").is_none() && file.header("cache-control").unwrap().contains("no-cache"));
    assert_eq!((count(&lines, "event"), count(&lines, "end"), count(&lines, "omitted")), (8, 1, 0));
    let head = json_of(&lines[0]);
    assert_eq!(
        (&head["workspace"], &head["head"]["seq"], &head["slug"]),
        (&json!(tenant.id), &json!(8), &json!(tenant.slug))
    );
    // What the list shows is what the export holds.
    for (line, shown) in lines[1..9].iter().map(|l| json_of(l)).zip(tenant.events().await) {
        assert_eq!((&line["seq"], &line["hash"], &line["id"]), (&shown["seq"], &shown["hash"], &shown["id"]));
        let personal = line["personal"].as_array().unwrap();
        let actor = personal.iter().find(|p| p["field"] == "actor");
        assert_eq!(actor.map_or(&Value::Null, |a| &a["value"]), &shown["personId"], "{line}");
    }
    desk.verify(&lines, &[]).holds().says("8 events").says("8 are written out").says("against     nothing");
    // The key itself, and the key that the address gives.
    let key = tenant.admin.get(tenant.path("/audit/public-key")).await.ok();
    assert_eq!(desk.key(), format!("{}\n{}", key["verifier"].as_str().unwrap(), key["pem"].as_str().unwrap()));
    desk.keep("key.txt", key["pem"].as_str().unwrap());
    desk.verify(&lines, &[]).holds();
    // What is kept outside: a signed note, of this log and not of another one.
    let own = desk.keep("own.txt", newest_note(&lines));
    tenant.admin.put(tenant.path("/workspace"), json!({"name": "Later"})).await.ok();
    sign(&site);
    let lines = tenant.export("").await;
    assert!(count(&lines, "checkpoint") >= 2, "{lines:#?}");
    desk.verify(&lines, &[&own]).holds().says("event 8 is as its checkpoint says");
    let foreign = desk.keep("foreign.txt", newest_note(&site.tenant().await.export("").await));
    desk.verify(&lines, &[&foreign]).broken("the note is about another log");
    // What is none of it.
    desk.verify_file(&desk.path("key.txt"), &[]).unreadable();
    desk.verify_file(&desk.path("nothing"), &[]).unreadable();
    desk.verify(&lines, &[&desk.path("export.jsonl")]).holds();
    desk.verify(&lines, &[&desk.path("key.txt")]).unreadable();
}

/// The note about the end of an export.
pub(crate) fn newest_note(lines: &[String]) -> String {
    let last = lines.iter().rev().map(|l| json_of(l)).find(|l| l["type"] == "checkpoint");
    last.unwrap()["note"].as_str().unwrap().to_owned()
}

async fn every_attack_on_an_export_is_found(store: Store) {
    let site = Site::own(store, &[]).await;
    let (tenant, other) = (told(&site).await, told(&site).await);
    let desk = Desk::of(&site);
    sign(&site);
    let short = tenant.export("").await;
    tenant.admin.put(tenant.path("/workspace"), json!({"name": "Later"})).await.ok();
    let (lines, foreign) = (tenant.export("").await, other.export("").await);
    assert_eq!(count(&lines, "event"), 9);
    let late = desk.keep("late.txt", newest_note(&lines));
    desk.verify(&lines, &[&late]).holds();
    let attacked = |attack: &dyn Fn(&mut Vec<String>)| {
        let mut forged = lines.clone();
        attack(&mut forged);
        desk.verify(&forged, &[])
    };
    let edit = |member: &'static str, value: Value| {
        attacked(&|l| l[4] = changed(&l[4], |v| v[member] = value.clone())).broken("event 4");
    };
    edit("risk", json!("high"));
    edit("action", json!("member.removed"));
    edit("at", json!("2026-01-01T00:00:00Z"));
    edit("actorKind", json!("service"));
    edit("hash", json!("0".repeat(64)));
    edit("seq", json!(5));
    // Deleted, inserted, exchanged, and with the places written anew.
    attacked(&|l| drop(l.remove(4))).broken("event 4");
    attacked(&|l| l.insert(4, l[4].clone())).broken("event 5");
    attacked(&|l| l.swap(4, 5)).broken("event 4");
    attacked(&|l| {
        l.remove(4);
        for (seq, line) in l.iter_mut().enumerate().take(9).skip(4) {
            *line = changed(line, |v| v["seq"] = json!(seq));
        }
    })
    .broken("event 4");
    // From another tenant: an event, and a checkpoint.
    attacked(&|l| l[4].clone_from(&foreign[4])).broken("event 4");
    attacked(&|l| l[10].clone_from(&foreign[9])).broken("line 11");
    // Who did it, and that somebody did.
    attacked(&|l| {
        let value = json_of(&l[5])["personal"][0].clone();
        l[4] = changed(&l[4], |v| v["personal"][0]["value"] = value["value"].clone());
    })
    .broken("event 4");
    attacked(&|l| l[4] = changed(&l[4], |v| v["personal"][0]["value"] = json!(other.admin.id))).broken("event 4");
    attacked(&|l| {
        l[4] = changed(&l[4], |v| {
            let field = v["personal"][0].as_object_mut().unwrap();
            field.remove("value");
            field.remove("nonce");
        });
    })
    .broken("event 4")
    .says("somebody is being hidden");
    // Cut: in the middle of the file, before its end, and cleanly at a checkpoint.
    attacked(&|l| l.truncate(7)).broken("the file was cut off");
    attacked(&|l| drop(l.remove(9))).broken("event 9");
    desk.verify(&short, &[]).holds();
    let early = desk.keep("early.txt", newest_note(&short));
    desk.verify(&short, &[&early]).holds();
    desk.verify(&short, &[&early, &late]).broken("event 9").says("ends before it");
    // A note that was changed proves nothing, and is not passed over.
    let forged = desk.keep("forged.txt", std::fs::read_to_string(&late).unwrap().replacen("\n9\n", "\n8\n", 1));
    assert_eq!(desk.verify(&lines, &[&forged]).0, Some(1));
    // Another service's export is not this one's.
    let stranger = Desk::of(&Site::own(Store::Sqlite, &[]).await);
    stranger.verify(&lines, &[]).broken("line").says("not signed with this key");
}

async fn a_filtered_export_holds_and_shows_what_was_asked_for(store: Store) {
    let site = Site::shared(store).await;
    let tenant = told(&site).await;
    let desk = Desk::of(&site);
    let events = tenant.events().await;
    let key = events.iter().find(|e| e["action"] == "api_key.created").unwrap();
    for (query, shown) in [
        ("?risk=low".to_owned(), events.iter().filter(|e| e["risk"] == "low").count()),
        ("?action=workspace.updated".to_owned(), 3),
        (
            format!("?actor={}", tenant.admin.id),
            events.iter().filter(|e| e["personId"] == json!(tenant.admin.id)).count(),
        ),
        (format!("?target={}", key["targetId"].as_str().unwrap()), 1),
        (format!("?target={}", tenant.id), 4),
        ("?from=2100-01-01T00:00:00Z".to_owned(), 0),
        ("?to=2100-01-01T00:00:00Z&risk=low,medium,high,critical".to_owned(), 8),
    ] {
        let lines = tenant.export(&query).await;
        assert_eq!(count(&lines, "event"), shown, "{query}");
        assert!(json_of(&lines[0])["filter"].is_object(), "{query}");
        desk.verify(&lines, &[])
            .holds()
            .says(&format!("8 events, each follows the one before; {shown} are written out"));
        // The list says the same.
        let listed = tenant.events_where(&query.replace('?', "&")).await.len();
        assert_eq!(listed, shown, "{query}");
        if shown < 8 {
            // What was left out can't be left out of the places as well.
            let mut forged = lines.clone();
            let at = forged.iter().position(|l| json_of(l)["type"] == "omitted").unwrap();
            forged.remove(at);
            assert_eq!(desk.verify(&forged, &[]).0, Some(1), "{query}");
            let mut whole = lines.clone();
            whole[0] = changed(&whole[0], |v| drop(v.as_object_mut().unwrap().remove("filter")));
            assert_eq!(desk.verify(&whole, &[]).0, Some(1), "{query}");
        }
    }
    for (query, faults) in [
        ("?format=xml", vec!["/format"]),
        ("?risk=severe", vec!["/risk"]),
        ("?actor=ada", vec!["/actor"]),
        ("?from=2026-02-01T00:00:00Z&to=2026-01-01T00:00:00Z", vec!["/from"]),
    ] {
        assert_eq!(tenant.admin.get(tenant.path(&format!("/audit/events/export{query}"))).await.faults(), faults);
    }
    tenant.admin.get(tenant.path("/audit/events/export?limit=5")).await.problem(400, "malformed-request");
}

async fn a_log_that_was_touched_is_exported_with_its_fault(store: Store) {
    let site = Site::own(store, &[]).await;
    let (edited, hidden) = (told(&site).await, told(&site).await);
    let desk = Desk::of(&site);
    sign(&site);
    site.home.sql(&edited.id, open(store)).await;
    let touch = async |tenant: &Tenant, statement: &str| site.home.sql(&tenant.id, &[statement]).await;
    touch(&edited, "UPDATE audit_events SET risk = 'low' WHERE workspace_id = {ws} AND seq = 3").await;
    let lines = edited.export("").await;
    assert_eq!((count(&lines, "fault"), count(&lines, "checkpoint"), count(&lines, "end")), (1, 0, 0), "{lines:#?}");
    desk.verify(&lines, &[]).broken("event 3").says("the service found this");
    // Nobody can turn it into one that holds by leaving the fault out.
    let without: Vec<String> = lines.into_iter().filter(|l| json_of(l)["type"] != "fault").collect();
    desk.verify(&without, &[]).broken("the file was cut off");
    touch(&hidden, "UPDATE audit_openings SET sealed = NULL WHERE workspace_id = {ws} AND seq = 6 AND field = 'actor'")
        .await;
    desk.verify(&hidden.export("").await, &[]).broken("event 6");
    // A chain that does not hold is not signed any more.
    edited.admin.put(edited.path("/workspace"), json!({"name": "On top"})).await.ok();
    let signed = site.home.run(&["audit", "checkpoint"], &[]);
    assert_eq!(signed.status.code(), Some(0), "what was signed before the attack is not looked at again");
    touch(&edited, "UPDATE audit_events SET mac = hash WHERE workspace_id = {ws} AND seq = 9").await;
    touch(&edited, "DELETE FROM audit_checkpoints WHERE workspace_id = {ws}").await;
    let signed = site.home.run(&["audit", "checkpoint"], &[]);
    assert_eq!(signed.status.code(), Some(1), "{signed:?}");
    let kept = "SELECT count(*) FROM audit_checkpoints WHERE workspace_id = {ws}";
    assert_eq!(site.home.number(&edited.id, kept).await, 0);
}

async fn a_spreadsheet_computes_nothing_of_what_people_wrote(store: Store) {
    let site = Site::shared(store).await;
    let tenant = site.tenant().await;
    for name in ["=HYPERLINK(\"http://evil.example\",\"x\")", "+1", "-1;=1", "@SUM(A1)", "a \"quoted\", name"] {
        tenant.admin.put(tenant.path("/workspace"), json!({"name": name})).await.ok();
    }
    let answer = tenant.export_file("?format=csv").await;
    assert_eq!(answer.header("content-type"), Some("text/csv; charset=utf-8"));
    assert!(answer.header("content-disposition").unwrap().ends_with(".csv\""));
    let text = answer.text();
    let rows = csv(&text);
    assert_eq!(rows.len(), 1 + tenant.events().await.len());
    assert_eq!(rows[0][..4], ["seq", "createdAt", "action", "risk"]);
    for (row, shown) in rows[1..].iter().zip(tenant.events().await) {
        assert_eq!(row.len(), 13, "{row:?}");
        assert_eq!((row[0].clone(), &row[12]), (shown["seq"].to_string(), &shown["hash"].as_str().unwrap().to_owned()));
        for part in row.iter().flat_map(|cell| cell.split([',', ';', '\t', '\n', '"'])) {
            assert!(!part.trim().starts_with(['=', '+', '-', '@']), "{row:?}");
        }
    }
    let only = tenant.export_file("?format=csv&action=workspace.updated").await;
    assert_eq!(csv(&only.text()).len(), 6);
}

/// RFC 4180, as a program reads it.
fn csv(text: &str) -> Vec<Vec<String>> {
    let (mut rows, mut row, mut cell, mut quoted) = (Vec::new(), Vec::new(), String::new(), false);
    let mut chars = text.chars().peekable();
    while let Some(c) = chars.next() {
        match (c, quoted) {
            ('"', true) if chars.peek() == Some(&'"') => cell.push(chars.next().unwrap()),
            ('"', _) => quoted = !quoted,
            (',', false) => row.push(std::mem::take(&mut cell)),
            ('\r', false) => {}
            ('\n', false) => {
                row.push(std::mem::take(&mut cell));
                rows.push(std::mem::take(&mut row));
            }
            (c, _) => cell.push(c),
        }
    }
    assert!(row.is_empty() && cell.is_empty() && !quoted, "the file ends in the middle of a row");
    rows
}

async fn who_may_not_read_the_log_exports_nothing_and_learns_nothing(store: Store) {
    let site = Site::shared(store).await;
    let (tenant, other) = (site.tenant().await, site.tenant().await);
    let [viewer] = tenant.members(["viewer"]).await;
    let path = tenant.path("/audit/events/export?risk=nonsense&nonsense=1");
    assert_unchanged(&other, async {
        viewer.get(&path).await.problem(403, "forbidden");
        other.admin.get(&path).await.problem(404, "not-found");
        site.anonymous().get(&path).await.problem(401, "unauthenticated");
        tenant.key(&["workspace:read"]).await.get(&path).await.problem(403, "forbidden");
    })
    .await;
    let reader = tenant.key(&["audit:read"]).await;
    let lines = reader.get(tenant.path("/audit/events/export")).await.has(200).text();
    assert!(!lines.contains(&other.id) && !lines.contains(&other.admin.id));
}

async fn every_mutation_is_answered_with_a_receipt_that_holds(store: Store) {
    let site = Site::shared(store).await;
    let tenant = site.tenant().await;
    let desk = Desk::of(&site);
    let rename = |name: &str| tenant.admin.put(tenant.path("/workspace"), json!({"name": name}));
    let first = rename("One").await;
    first.ok();
    let receipt = first.header("audit-receipt").expect("a receipt").to_owned();
    assert!(receipt.starts_with(&format!("settings-audit-receipt/{} ", tenant.id)), "{receipt}");
    let seq: i64 = receipt.split(' ').nth(1).unwrap().parse().unwrap();
    assert_eq!(seq, tenant.intact().await);
    // No event, no receipt: the same again, a refusal, a reading, and a kept answer.
    assert_eq!(rename("One").await.header("audit-receipt"), None);
    let refused = tenant.admin.put(tenant.path("/workspace"), json!({"seatLimit": 0})).await;
    assert_eq!((refused.status, refused.header("audit-receipt")), (422, None));
    assert_eq!(tenant.admin.get(tenant.path("/workspace")).await.header("audit-receipt"), None);
    let once = || {
        let body = json!({"name": "k", "scopes": ["runs:read"]});
        tenant.admin.post(tenant.path("/workspace/api-keys"), body).header("idempotency-key", "once")
    };
    assert!(once().await.header("audit-receipt").is_some());
    let replayed = once().await;
    assert_eq!((replayed.header("idempotent-replayed"), replayed.header("audit-receipt")), (Some("true"), None));
    // It is checked as it was received, and finds what was cut off since.
    let kept = desk.keep("headers.txt", format!("HTTP/1.1 200 OK\r\naudit-receipt: {receipt}\r\n"));
    desk.verify(&tenant.export("").await, &[&kept]).holds().says(&format!("event {seq} is as its receipt says"));
    let other = desk.keep("other.txt", receipt.replacen(&format!(" {seq} "), &format!(" {} ", seq - 1), 1));
    assert_eq!(desk.verify(&tenant.export("").await, &[&other]).0, Some(1), "a receipt that was changed");
}
