//! Erasure (GD01 to GD20): nothing names the person any more, the log still verifies, and nothing is erased by mistake.
use crate::support::{
    Answer, Member, Site, Store, Tenant, Value, assert_unchanged, eventually, json, on_both_stores, tenant::Person,
    unique,
};
use futures_util::future::join;
use std::fmt::Write as _;

on_both_stores!(
    nothing_names_an_erased_person,
    an_erasure_is_confirmed_by_the_address_and_done_once,
    a_workspace_keeps_its_last_admin_from_erasure,
    a_removed_member_can_be_erased,
    an_admin_can_erase_themselves,
    a_person_of_two_workspaces_is_erased_in_one,
    whoever_comes_back_is_somebody_else,
    hiding_somebody_without_an_erasure_is_found,
    two_admins_who_erase_each_other_leave_one,
    an_erasure_and_an_acceptance_leave_no_half_person,
    an_erasure_and_a_role_change_leave_no_member,
);

fn erase_path(tenant: &Tenant, id: &str) -> String {
    tenant.path(&format!("/workspace/members/{id}/erase"))
}

async fn erase(tenant: &Tenant, by: &Member, whom: &Member) -> Answer {
    by.post(erase_path(tenant, &whom.id), json!({"confirm": whom.person.email})).await
}

/// A text in every spelling in which it might turn up again.
fn spellings(text: &str) -> Vec<Vec<u8>> {
    use base64::{Engine as _, engine::general_purpose::STANDARD_NO_PAD};
    let mut all: Vec<Vec<u8>> = Vec::new();
    for text in [text.to_owned(), text.to_lowercase(), text.to_uppercase()] {
        let hex = text.bytes().fold(String::new(), |mut all, b| {
            let _ = write!(all, "{b:02x}");
            all
        });
        let utf16: Vec<u16> = text.encode_utf16().collect();
        let url: String = url::form_urlencoded::byte_serialize(text.as_bytes()).collect();
        let escaped = text.chars().fold(String::new(), |mut all, c| {
            let _ = if c.is_ascii_alphanumeric() { write!(all, "{c}") } else { write!(all, "\\u{:04x}", u32::from(c)) };
            all
        });
        // Base64 of a text depends on where in its threes it begins; the middle is the same each time.
        for n in 0..3 {
            let shifted = STANDARD_NO_PAD.encode([&vec![b'x'; n], text.as_bytes()].concat());
            let middle = shifted[4..shifted.len() - 4].to_owned();
            all.push(middle.replace('+', "-").replace('/', "_").into_bytes());
            all.push(middle.into_bytes());
        }
        all.push(utf16.iter().flat_map(|u| u.to_le_bytes()).collect());
        all.push(utf16.iter().flat_map(|u| u.to_be_bytes()).collect());
        all.push(hex.to_uppercase().into_bytes());
        all.extend(
            [hex, url.replace('+', "%20"), url, escaped, text.chars().rev().collect(), text].map(String::into_bytes),
        );
    }
    all.sort();
    all.dedup();
    all
}

/// Where, if anywhere, a text is in any of its spellings.
fn found(needles: &[Vec<u8>], haystack: &[u8]) -> Option<String> {
    let hit = needles.iter().find(|n| haystack.windows(n.len()).any(|w| w == n.as_slice()))?;
    Some(String::from_utf8_lossy(hit).into_owned())
}

/// A member whose every trait can be searched for, and who has left traces in every feature.
async fn somebody(tenant: &Tenant) -> (Member, Vec<String>) {
    let mark = unique();
    let person = Person {
        subject: format!("auth0|canary-subject-{mark}"),
        email: format!("Canary.Mail+{mark}@Example.org"),
        name: format!("Canary Called {mark}"),
    };
    tenant.invite(&person.email, "admin").await;
    let member = tenant.joins(person).await;
    let avatar = format!("https://img.example.org/canary-avatar-{mark}.png");
    let mut claims = member.person.claims();
    claims["picture"] = json!(avatar);
    let token = crate::support::issuer::Issuer::shared().token(&claims);
    tenant.site.bearer(token).get(tenant.path("/workspace")).await.ok();
    let me = tenant.admin.get(tenant.path(&format!("/workspace/members/{}", member.id))).await.ok();
    assert_eq!(me["avatarUrl"], avatar.as_str());
    let Person { subject, email, name } = member.person.clone();
    (member, vec![subject, email, name, avatar])
}

async fn leave_traces(tenant: &Tenant, whom: &Member) {
    let email = &whom.person.email;
    let body = json!({"name": "a key", "scopes": ["runs:read"]});
    whom.post(tenant.path("/workspace/api-keys"), body).once(&format!("key-by-{email}")).await.created();
    let body = json!({"email": format!("invited.{}@example.org", unique()), "role": "viewer"});
    whom.post(tenant.path("/workspace/members"), body).once(&unique()).await.created();
    let digest = json!({"enabled": true, "frequency": "daily", "hourUTC": 3, "includeRiskLevels": ["high"],
        "recipients": [email, "other@example.org"]});
    tenant.admin.put(tenant.path("/workspace/audit-digest"), digest).await.ok();
    let wanted = json!({"preferences": [{"event": "run_failed", "channels": ["email"], "recipients": [email]}]});
    tenant.admin.put(tenant.path("/workspace/notifications"), wanted).await.ok();
    whom.post(tenant.path("/workspace/notifications/test"), json!({"channel": "email"})).await;
    let path = tenant.path(&format!("/workspace/members/{}", whom.id));
    tenant.admin.put(&path, json!({"role": "editor"})).await.ok();
    tenant.admin.get(tenant.path("/workspace/members")).await.ok();
    // A call that is refused, and is written down a minute later.
    whom.put(&path, json!({"role": "admin"})).await.problem(403, "forbidden");
}

async fn nothing_names_an_erased_person(store: Store) {
    let site = Site::own(store, &[("RUST_LOG", Some("trace"))]).await;
    let tenant = site.tenant().await;
    let (whom, texts) = somebody(&tenant).await;
    leave_traces(&tenant, &whom).await;
    let email = whom.person.email.clone();
    let (answer, events) = {
        let path = erase_path(&tenant, &whom.id);
        let call = tenant.admin.post(path, json!({"confirm": email.to_lowercase()}));
        let answer = call.header("x-request-id", format!("erase-{email}")).once("an-erasure").await;
        (answer.ok(), tenant.events().await)
    };
    assert_eq!(answer["tombstone"], "erased");
    assert_eq!(answer["accountErased"], true);
    assert_eq!(answer["activeApiKeys"].as_array().unwrap().len(), 1);
    assert!(answer["auditEventsRewritten"].as_i64().unwrap() >= 5, "{answer}");
    assert!(answer["receipt"].as_str().unwrap().starts_with("settings-erasure/"), "{answer}");
    let last = events.last().unwrap();
    assert_eq!((&last["action"], &last["risk"]), (&json!("member.erased"), &json!("critical")));
    assert_eq!((&last["targetId"], &last["requestId"]), (&json!("erased"), &json!("erased")));
    assert_eq!(last["personId"], tenant.admin.id.as_str(), "who erased stays known");
    tenant.intact().await;
    // The same call is answered with the same receipt.
    let again = tenant.admin.post(erase_path(&tenant, &whom.id), json!({"confirm": email.to_lowercase()}));
    let again = again.once("an-erasure").await;
    assert_eq!(again.ok()["receipt"], answer["receipt"]);

    let mut needles: Vec<Vec<u8>> = texts.iter().flat_map(|t| spellings(t)).collect();
    let paths = [
        "/audit/events?limit=100",
        "/workspace/members",
        "/workspace/invitations",
        "/workspace/api-keys",
        "/workspace/audit-digest",
        "/workspace/notifications",
        "/workspace/notifications/deliveries",
    ];
    for path in paths {
        let answer = tenant.admin.get(tenant.path(path)).await;
        assert_eq!(answer.status, 200, "{path}");
        assert_eq!(found(&needles, &answer.body), None, "{path}");
        assert!(!String::from_utf8_lossy(&answer.body).contains(&whom.id), "the account's id is in {path}");
    }
    for path in ["/metrics", "/dev/mailbox"] {
        assert_eq!(found(&needles, &site.anonymous().get(path).await.body), None, "{path}");
    }
    site.server.stop();
    let mut lines = site.server.log.to_the_end();
    lines.extend(site.server.out.to_the_end());
    assert!(lines.len() > 100, "the log is too short to prove anything");
    assert_eq!(found(&needles, lines.join("\n").as_bytes()), None, "the log at level trace");
    // The account's id too, as text and as the bytes that SQLite keeps.
    let id = whom.id.replace('-', "");
    let bytes = (0..16).map(|n| u8::from_str_radix(&id[2 * n..2 * n + 2], 16).unwrap()).collect();
    needles.extend([whom.id.clone().into_bytes(), id.into_bytes(), bytes]);
    let data = site.home.raw_data().await;
    assert!(data.len() > 2, "there is nothing to search");
    for (name, content) in data {
        assert_eq!(found(&needles, &content), None, "{name}");
    }
}

async fn an_erasure_is_confirmed_by_the_address_and_done_once(store: Store) {
    let site = Site::shared(store).await;
    let tenant = site.tenant().await;
    let [whom, editor] = tenant.members(["viewer", "editor"]).await;
    let path = erase_path(&tenant, &whom.id);
    let key = tenant.key(&["workspace:write"]).await;
    assert_unchanged(&tenant, async {
        for confirm in ["", "no address", tenant.admin.person.email.as_str(), &whom.id] {
            let answer = tenant.admin.post(&path, json!({"confirm": confirm})).await;
            assert_eq!(answer.faults(), ["/confirm"], "{confirm}");
        }
        assert_eq!(tenant.admin.post(&path, json!({})).await.faults(), ["/confirm"]);
        let right = json!({"confirm": whom.person.email});
        editor.post(&path, right.clone()).await.problem(403, "forbidden");
        key.post(&path, right.clone()).await.problem(403, "session-required");
        let stranger = erase_path(&tenant, "0190a0a0-0000-7000-8000-000000000000");
        tenant.admin.post(&stranger, right).await.problem(404, "not-found");
    })
    .await;
    let before = tenant.events().await.len();
    erase(&tenant, &tenant.admin, &whom).await.ok();
    let after = tenant.events().await;
    assert_eq!(after[before..].iter().map(|e| e["action"].clone()).collect::<Vec<_>>(), ["member.erased"]);
    erase(&tenant, &tenant.admin, &whom).await.problem(409, "already-erased");
    tenant.admin.get(tenant.path(&format!("/workspace/members/{}", whom.id))).await.problem(404, "not-found");
}

async fn a_workspace_keeps_its_last_admin_from_erasure(store: Store) {
    let site = Site::shared(store).await;
    let tenant = site.tenant().await;
    assert_unchanged(&tenant, async {
        erase(&tenant, &tenant.admin, &tenant.admin).await.problem(409, "last-admin");
        let by =
            tenant.platform.post(erase_path(&tenant, &tenant.admin.id), json!({"confirm": tenant.admin.person.email}));
        by.await.problem(409, "last-admin");
    })
    .await;
}

async fn a_removed_member_can_be_erased(store: Store) {
    let site = Site::shared(store).await;
    let tenant = site.tenant().await;
    let [whom] = tenant.members(["editor"]).await;
    tenant.admin.delete(tenant.path(&format!("/workspace/members/{}", whom.id))).await.ok();
    erase(&tenant, &tenant.admin, &whom).await.ok();
    let text = tenant.admin.get(tenant.path("/audit/events?limit=100")).await.ok().to_string();
    assert!(!text.contains(&whom.id) && !text.contains(&whom.person.email), "{text}");
    tenant.intact().await;
}

async fn an_admin_can_erase_themselves(store: Store) {
    let site = Site::shared(store).await;
    let tenant = site.tenant().await;
    let [other] = tenant.members(["admin"]).await;
    let call = other.post(erase_path(&tenant, &other.id), json!({"confirm": other.person.email}));
    call.once("my own erasure").await.ok();
    let events = tenant.events().await;
    let last = events.last().unwrap();
    assert_eq!((&last["personId"], &last["targetId"]), (&json!("erased"), &json!("erased")));
    tenant.intact().await;
    other.get(tenant.path("/workspace")).await.problem(404, "not-found");
}

async fn a_person_of_two_workspaces_is_erased_in_one(store: Store) {
    let site = Site::shared(store).await;
    let (a, b) = (site.tenant().await, site.tenant().await);
    let [whom] = a.members(["viewer"]).await;
    b.invite(&whom.person.email, "viewer").await;
    let there = eventually("the second invitation", async || {
        let mails = site.mails_to(&whom.person.email).await;
        if mails.len() < 2 { None } else { mails[0]["link"].as_str().map(|l| l.rsplit('/').next().unwrap().to_owned()) }
    })
    .await;
    whom.act(format!("/api/invitations/{there}/accept")).await.ok();
    let before = b.events().await;
    let answer = erase(&a, &a.admin, &whom).await.ok();
    assert_eq!(answer["accountErased"], false, "the other workspace knows the account");
    whom.get(a.path("/workspace")).await.problem(404, "not-found");
    whom.get(b.path("/workspace")).await.ok();
    assert_eq!(b.events().await, before);
    assert_eq!((a.intact().await > 0, b.intact().await > 0), (true, true));
    assert_eq!(erase(&b, &b.admin, &whom).await.ok()["accountErased"], true);
    // ID12: what is somebody's elsewhere is nobody's here.
    erase(&a, &a.admin, &b.admin).await.problem(404, "not-found");
}

async fn whoever_comes_back_is_somebody_else(store: Store) {
    let site = Site::shared(store).await;
    let tenant = site.tenant().await;
    let [whom] = tenant.members(["viewer"]).await;
    erase(&tenant, &tenant.admin, &whom).await.ok();
    tenant.invite(&whom.person.email, "viewer").await;
    // The mails of before were erased with the person, so there is one again.
    let back = tenant.joins(whom.person.clone()).await;
    assert_ne!(back.id, whom.id);
    let of = |id: &str| tenant.path(&format!("/audit/events?limit=100&target={id}"));
    let new = tenant.admin.get(of(&back.id)).await.ok();
    assert_eq!(new["items"].as_array().unwrap().len(), 1, "only the joining: {new}");
    assert_eq!(tenant.admin.get(of(&whom.id)).await.ok()["items"], json!([]));
    tenant.intact().await;
    erase(&tenant, &tenant.admin, &back).await.ok();
    tenant.intact().await;
}

async fn hiding_somebody_without_an_erasure_is_found(store: Store) {
    let site = Site::own(store, &[]).await;
    let tenant = site.tenant().await;
    let [whom, hidden] = tenant.members(["viewer", "viewer"]).await;
    let copy = "CREATE TABLE kept AS SELECT * FROM audit_openings WHERE workspace_id = {ws}";
    let copies = "CREATE TABLE kept_persons AS SELECT * FROM persons WHERE workspace_id = {ws}";
    site.home.sql(&tenant.id, &[copy, copies]).await;
    erase(&tenant, &tenant.admin, &whom).await.ok();
    tenant.intact().await;
    let (nobody, off) = match store {
        Store::Sqlite => ("X'ffffffffffffffffffffffffffffffff'", "DROP TRIGGER audit_openings_only_erased"),
        Store::Postgres => {
            ("'ffffffff-ffff-ffff-ffff-ffffffffffff'", "ALTER TABLE audit_openings DISABLE TRIGGER USER")
        }
    };
    // The opening and its salt come back from a copy.
    let back = "UPDATE audit_openings SET sealed = (SELECT k.sealed FROM kept k WHERE k.seq = audit_openings.seq AND k.field = \
        audit_openings.field), person_id = (SELECT k.person_id FROM kept k WHERE k.seq = audit_openings.seq AND k.field = \
        audit_openings.field) WHERE workspace_id = {ws} AND sealed IS NULL AND EXISTS (SELECT 1 FROM kept k \
        WHERE k.seq = audit_openings.seq AND k.field = audit_openings.field)";
    let salts = "INSERT INTO persons (workspace_id, id, salt) SELECT workspace_id, id, salt FROM kept_persons k \
        WHERE NOT EXISTS (SELECT 1 FROM persons p WHERE p.workspace_id = {ws} AND p.id = k.id)";
    site.home.sql(&tenant.id, &[off, back, salts]).await;
    let verdict = tenant.admin.get(tenant.path("/audit/verify")).await.ok();
    assert_eq!(verdict["intact"], false, "what was erased came back: {verdict}");
    // Erased again, but one more with it.
    let again = format!(
        "UPDATE audit_openings SET sealed = NULL, person_id = {nobody} WHERE workspace_id = {{ws}} AND person_id NOT IN \
         (SELECT id FROM persons WHERE user_id IS NOT NULL AND workspace_id = {{ws}}) AND field IN ('target', 'email')"
    );
    let _ = hidden;
    site.home.sql(&tenant.id, &[&again]).await;
    let verdict: Value = tenant.admin.get(tenant.path("/audit/verify")).await.ok();
    assert_eq!(verdict["intact"], false, "{verdict}");
}

async fn two_admins_who_erase_each_other_leave_one(store: Store) {
    let site = Site::shared(store).await;
    for _ in 0..6 {
        let tenant = site.tenant().await;
        let [other] = tenant.members(["admin"]).await;
        let (one, two) = join(erase(&tenant, &tenant.admin, &other), erase(&tenant, &other, &tenant.admin)).await;
        let won = [&one, &two].iter().filter(|a| a.status == 200).count();
        assert_eq!(won, 1, "{} and {}", one.status, two.status);
        let left = if one.status == 200 { &tenant.admin } else { &other };
        let members = left.get(tenant.path("/workspace/members")).await.ok();
        assert_eq!(members["items"].as_array().unwrap().len(), 1);
        assert_eq!(left.get(tenant.path("/audit/verify")).await.ok()["intact"], true);
    }
}

async fn an_erasure_and_an_acceptance_leave_no_half_person(store: Store) {
    let site = Site::shared(store).await;
    let tenant = site.tenant().await;
    for _ in 0..6 {
        let [whom] = tenant.members(["viewer"]).await;
        tenant.admin.delete(tenant.path(&format!("/workspace/members/{}", whom.id))).await.ok();
        tenant.invite(&whom.person.email, "editor").await;
        let token = site.nth_invitation(&whom.person.email, 2).await;
        let accept = whom.act(format!("/api/invitations/{token}/accept")).into_future();
        let (erased, accepted) = join(erase(&tenant, &tenant.admin, &whom), accept).await;
        assert_eq!(erased.status, 200, "{}", String::from_utf8_lossy(&erased.body));
        assert!([200, 404, 409].contains(&accepted.status), "{}", accepted.status);
        let members = tenant.admin.get(tenant.path("/workspace/members?limit=100")).await.ok();
        assert!(!members.to_string().contains(&whom.id), "{members}");
        let invited = tenant.admin.get(tenant.path("/workspace/invitations")).await.ok();
        assert!(!invited.to_string().contains(&whom.person.email), "{invited}");
    }
    tenant.intact().await;
}

async fn an_erasure_and_a_role_change_leave_no_member(store: Store) {
    let site = Site::shared(store).await;
    let tenant = site.tenant().await;
    for _ in 0..6 {
        let [whom] = tenant.members(["viewer"]).await;
        let path = tenant.path(&format!("/workspace/members/{}", whom.id));
        let change = tenant.admin.put(&path, json!({"role": "editor"})).into_future();
        let (erased, changed) = join(erase(&tenant, &tenant.admin, &whom), change).await;
        assert_eq!(erased.status, 200);
        assert!([200, 404].contains(&changed.status), "{}", changed.status);
        tenant.admin.get(&path).await.problem(404, "not-found");
    }
    tenant.intact().await;
}
