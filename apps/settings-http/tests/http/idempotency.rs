//! `Idempotency-Key`: one effect, one answer, whoever repeats the call and however often.
use crate::support::{
    Answer, Site, Store, Tenant, added, assert_unchanged, json, on_both_stores,
    tenant::{Person, SCOPES},
    unique,
};
use futures_util::future::join_all;

on_both_stores!(
    an_equal_call_gets_the_first_answer_again,
    another_call_under_the_same_key_is_refused,
    the_same_key_of_somebody_else_is_another_key,
    a_call_that_failed_is_judged_anew,
    a_replayed_key_creation_never_shows_the_value_again,
    twenty_equal_calls_at_once_have_one_effect,
    an_acceptance_can_be_repeated,
    whoever_may_no_longer_call_gets_no_replay,
    after_a_day_a_key_is_free_again,
);

fn environment(tenant: &Tenant, name: &str) -> (String, serde_json::Value) {
    (format!("/api/environments?organizationId={}", tenant.id), json!({"name": name, "tier": "staging"}))
}

#[track_caller]
fn replays(first: &Answer, again: &Answer) {
    assert_eq!(first.header("idempotent-replayed"), None, "{}", first.what);
    assert_eq!(again.header("idempotent-replayed"), Some("true"), "{}", again.what);
    assert_eq!((first.status, first.json()), (again.status, again.json()), "{}", again.what);
    assert_eq!(first.header("etag"), again.header("etag"), "{}", again.what);
}

async fn an_equal_call_gets_the_first_answer_again(store: Store) {
    let site = Site::shared(store).await;
    let tenant = site.tenant().await;
    let admin = &tenant.admin;
    let (path, body) = environment(&tenant, "once");
    let ((), events) = added(&tenant, async {
        let first = admin.post(&path, body.clone()).once("k-1").await;
        first.created();
        for _ in 0..3 {
            replays(&first, &admin.post(&path, body.clone()).once("k-1").await);
        }
        // A replay is the first answer, whatever became of the thing meanwhile.
        let id = first.json()["id"].as_str().unwrap().to_owned();
        admin.delete(format!("/api/environments/{id}?organizationId={}", tenant.id)).await.done();
        replays(&first, &admin.post(&path, body.clone()).once("k-1").await);
    })
    .await;
    assert_eq!(events.len(), 2, "{events:?}");

    let invite = json!({"email": format!("twice.{}@example.org", unique()), "role": "viewer"});
    let ((first, again), events) = added(&tenant, async {
        let post = || admin.post(tenant.path("/workspace/members"), invite.clone()).once("k-2");
        (post().await, post().await)
    })
    .await;
    replays(&first, &again);
    assert_eq!(events.len(), 1);
    let id = first.created()["id"].as_str().unwrap().to_owned();
    let path = tenant.path(&format!("/workspace/invitations/{id}/resend"));
    let (first, again) = (admin.act(&path).once("k-3").await, admin.act(&path).once("k-3").await);
    replays(&first, &again);
    assert_eq!(admin.act(&path).await.ok()["version"], 3, "without a key it is a new call");

    let organization = json!({"name": "Once", "slug": format!("o-{}", unique()), "adminEmail": "o@example.org"});
    let post = || site.platform().post("/api/organizations", organization.clone()).once("k-4");
    let (first, again) = (post().await, post().await);
    replays(&first, &again);
    assert_eq!(first.header("location"), again.header("location"));
    // A key holds for the place where it was used: the same one elsewhere is another.
    let other = site.tenant().await;
    let (path, body) = environment(&other, "once");
    let elsewhere = tenant.platform.post(&path, body).once("k-1").await;
    assert_eq!(elsewhere.header("idempotent-replayed"), None);
    elsewhere.created();
}

async fn another_call_under_the_same_key_is_refused(store: Store) {
    let site = Site::shared(store).await;
    let tenant = site.tenant().await;
    let admin = &tenant.admin;
    let (path, body) = environment(&tenant, "first");
    admin.post(&path, body.clone()).once("key").await.created();
    assert_unchanged(&tenant, async {
        for other in [json!({"name": "second", "tier": "staging"}), json!({"name": "first", "tier": "development"})] {
            admin.post(&path, other).once("key").await.problem(422, "idempotency-key-reused");
        }
        let spaced = admin.send("POST", &path).body("application/json", format!(" {body}")).once("key").await;
        spaced.problem(422, "idempotency-key-reused");
        let query = admin.post(format!("{path}&x=1"), body.clone()).once("key").await;
        query.problem(422, "idempotency-key-reused");
        for bad in ["", &"k".repeat(256)] {
            admin.post(&path, body.clone()).once(bad).await.problem(400, "malformed-request");
        }
        let two = admin.post(&path, body.clone()).once("a").once("b").await;
        two.problem(400, "malformed-request");
    })
    .await;
    admin.post(&path, json!({"name": "long", "tier": "staging"})).once(&"k".repeat(255)).await.created();
    // The same key for another operation is independent of this one.
    let key =
        admin.post(tenant.path("/workspace/api-keys"), json!({"name": "k", "scopes": ["runs:read"]})).once("key").await;
    assert_eq!(key.status, 201, "{}", key.text());
    // On other methods it means nothing.
    for name in ["One", "Two"] {
        assert_eq!(admin.put(tenant.path("/workspace"), json!({"name": name})).once("key").await.ok()["name"], name);
    }
}

async fn the_same_key_of_somebody_else_is_another_key(store: Store) {
    let site = Site::shared(store).await;
    let tenant = site.tenant().await;
    let [second] = tenant.members(["admin"]).await;
    let key = tenant.key(&SCOPES).await;
    let (path, _) = environment(&tenant, "");
    let callers = [&*tenant.admin, &*second, &*key, &tenant.platform];
    for (n, caller) in callers.iter().enumerate() {
        let made = caller.post(&path, json!({"name": format!("e{n}"), "tier": "staging"})).once("shared").await;
        assert_eq!(made.header("idempotent-replayed"), None, "{caller:?}");
        assert_eq!(made.created()["name"], format!("e{n}"));
    }
    let again = second.post(&path, json!({"name": "e1", "tier": "staging"})).once("shared").await;
    assert_eq!(again.header("idempotent-replayed"), Some("true"));
    let other = site.tenant().await;
    let (path, body) = environment(&other, "e9");
    other.admin.post(&path, body).once("shared").await.created();
}

async fn a_call_that_failed_is_judged_anew(store: Store) {
    let site = Site::shared(store).await;
    let tenant = site.tenant_with(json!({"seatLimit": 2})).await;
    let admin = &tenant.admin;
    let [viewer] = tenant.members(["viewer"]).await;
    let email = format!("later.{}@example.org", unique());
    let invite =
        |role: &str| admin.post(tenant.path("/workspace/members"), json!({"email": email, "role": role})).once("k");
    assert_eq!(invite("owner").await.faults(), ["/role"]);
    invite("viewer").await.problem(409, "seat-limit-reached");
    invite("editor").await.problem(409, "seat-limit-reached");
    admin.put(tenant.path("/workspace"), json!({"seatLimit": 3})).await.ok();
    invite("viewer").await.created();
    invite("editor").await.problem(422, "idempotency-key-reused");
    let (path, body) = environment(&tenant, "viewers");
    viewer.post(&path, body.clone()).once("v").await.problem(403, "forbidden");
    let member = tenant.path(&format!("/workspace/members/{}", viewer.id));
    admin.put(member, json!({"role": "admin"})).await.ok();
    viewer.post(&path, body).once("v").await.created();
}

async fn a_replayed_key_creation_never_shows_the_value_again(store: Store) {
    let site = Site::shared(store).await;
    let tenant = site.tenant().await;
    let body = json!({"name": "lost on the way", "scopes": ["secrets:read"]});
    let ((first, again), events) = added(&tenant, async {
        let post = || tenant.admin.post(tenant.path("/workspace/api-keys"), body.clone()).once("k");
        (post().await, post().await)
    })
    .await;
    assert_eq!(events.len(), 1, "one key, one event");
    let (first_body, mut again_body) = (first.created(), again.created());
    assert_eq!(again.header("idempotent-replayed"), Some("true"));
    assert_eq!(again.header("cache-control"), Some("no-store"));
    assert!(first_body["key"].is_string());
    assert!(again_body["key"].is_null(), "the value came a second time");
    again_body["key"] = first_body["key"].clone();
    assert_eq!(first_body, again_body, "all but the value is the same");
    // Nothing in the database holds the value, the kept outcome included.
    let secret = first_body["key"].as_str().unwrap()[27..70].to_owned();
    let question = format!("SELECT count(*) FROM idempotency WHERE outcome LIKE '%{secret}%'");
    assert_eq!(site.home.number(&tenant.id, &question).await, 0);
    assert_eq!(site.home.number(&tenant.id, "SELECT count(*) FROM idempotency WHERE scope_id = {ws}").await, 1);
}

async fn twenty_equal_calls_at_once_have_one_effect(store: Store) {
    let site = Site::shared(store).await;
    let tenant = site.tenant().await;
    let second = site.through(site.home.serve(&[]));
    let email = format!("parallel.{}@example.org", unique());
    let body = json!({"email": email, "role": "viewer"});
    let (answers, events) = added(&tenant, async {
        join_all((0..20).map(|n| {
            let by = if n % 2 == 0 { tenant.admin.at(&site) } else { tenant.admin.at(&second) };
            by.post(tenant.path("/workspace/members"), body.clone()).once("same").into_future()
        }))
        .await
    })
    .await;
    assert_eq!(events.len(), 1, "{events:?}");
    let running = answers.iter().filter(|a| a.status == 409).inspect(|a| {
        a.problem(409, "idempotency-in-progress");
    });
    let running = running.count();
    let made: Vec<_> = answers.iter().filter(|a| a.status == 201).collect();
    assert_eq!(made.len() + running, 20, "{answers:?}");
    assert_eq!(made.iter().filter(|a| a.header("idempotent-replayed").is_none()).count(), 1);
    assert!(made.iter().all(|a| a.json() == made[0].json()));
    assert_eq!(
        tenant.admin.get(tenant.path("/workspace/invitations")).await.ok()["items"].as_array().unwrap().len(),
        1
    );
    // Founding a workspace has no tenant to lock; it is made once all the same.
    let body = json!({"name": "Raced", "slug": format!("r-{}", unique()), "adminEmail": "r@example.org"});
    let answers = join_all((0..10).map(|n| {
        let by = site.platform().at(if n % 2 == 0 { &site } else { &second });
        by.post("/api/organizations", body.clone()).once("found").into_future()
    }))
    .await;
    assert!(answers.iter().all(|a| [201, 409].contains(&a.status)), "{answers:?}");
    let ids: std::collections::BTreeSet<_> =
        answers.iter().filter(|a| a.status == 201).map(|a| a.json()["id"].to_string()).collect();
    assert_eq!(ids.len(), 1);
    answers.iter().filter(|a| a.status == 409).for_each(|a| {
        a.problem(409, "idempotency-in-progress");
    });
}

async fn an_acceptance_can_be_repeated(store: Store) {
    let site = Site::shared(store).await;
    let tenant = site.tenant().await;
    let person = Person::new("retry");
    tenant.invite(&person.email, "viewer").await;
    let token = site.invitation_to(&person.email).await;
    let caller = site.person(&person);
    let accept = || caller.act(format!("/api/invitations/{token}/accept")).once("a");
    let ((first, again), events) = added(&tenant, async { (accept().await, accept().await) }).await;
    replays(&first, &again);
    assert_eq!(events.len(), 1);
    caller.act(format!("/api/invitations/{token}/accept")).await.problem(404, "not-found");
}

async fn whoever_may_no_longer_call_gets_no_replay(store: Store) {
    let site = Site::shared(store).await;
    let tenant = site.tenant().await;
    let [second] = tenant.members(["admin"]).await;
    let body = json!({"name": "mine", "scopes": ["runs:read"]});
    let post = || second.post(tenant.path("/workspace/api-keys"), body.clone()).once("k");
    post().await.created();
    let path = tenant.path(&format!("/workspace/members/{}", second.id));
    tenant.admin.put(&path, json!({"role": "editor"})).await.ok();
    post().await.problem(403, "forbidden");
    tenant.admin.delete(&path).await.ok();
    post().await.problem(404, "not-found");
}

async fn after_a_day_a_key_is_free_again(store: Store) {
    let site = Site::shared(store).await;
    let tenant = site.tenant().await;
    let invite = || {
        let body = json!({"email": format!("day.{}@example.org", unique()), "role": "viewer"});
        tenant.admin.post(tenant.path("/workspace/members"), body).once("daily")
    };
    invite().await.created();
    let age = async |seconds: i64| {
        let text = format!("UPDATE idempotency SET created_at = created_at - {seconds}000000 WHERE scope_id = {{ws}}");
        site.home.sql(&tenant.id, &[&text]).await;
    };
    age(24 * 3600 - 60).await;
    invite().await.problem(422, "idempotency-key-reused");
    age(61).await;
    let again = invite().await;
    assert_eq!(again.header("idempotent-replayed"), None);
    again.created();
    invite().await.problem(422, "idempotency-key-reused");
}
