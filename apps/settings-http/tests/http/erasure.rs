//! Erasure (GD01 to GD20): nothing names the person any more, the log still verifies, and nothing is erased by mistake.
use crate::support::{Answer, Member, Site, Store, Tenant, Value, assert_unchanged, eventually, json, on_both_stores};
use futures_util::future::join;

on_both_stores!(
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

pub(crate) fn erase_path(tenant: &Tenant, id: &str) -> String {
    tenant.path(&format!("/workspace/members/{id}/erase"))
}

async fn erase(tenant: &Tenant, by: &Member, whom: &Member) -> Answer {
    by.post(erase_path(tenant, &whom.id), json!({"confirm": whom.person.email})).await
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
