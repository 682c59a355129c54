//! Rate limits: guessing, flooding and mail bombing are slowed down, and the answer says for how long.
use crate::support::{Answer, Site, Store, added, json, on_both_stores, unique};
use futures_util::{StreamExt as _, stream};
use std::collections::BTreeMap;

on_both_stores!(
    guessing_a_secret_is_stopped_and_others_are_not,
    a_flood_of_one_credential_is_stopped,
    mail_bombing_is_stopped,
);

async fn statuses(calls: impl Iterator<Item = crate::support::client::Call>) -> BTreeMap<u16, Vec<Answer>> {
    let answers: Vec<Answer> = stream::iter(calls.map(IntoFuture::into_future)).buffered(16).collect().await;
    answers.into_iter().fold(BTreeMap::new(), |mut all: BTreeMap<u16, Vec<Answer>>, answer| {
        all.entry(answer.status).or_default().push(answer);
        all
    })
}

#[track_caller]
fn limited(answers: &BTreeMap<u16, Vec<Answer>>) -> usize {
    let stopped = answers.get(&429).map_or(&[][..], Vec::as_slice);
    for answer in stopped {
        answer.problem(429, "rate-limited");
    }
    stopped.len()
}

async fn guessing_a_secret_is_stopped_and_others_are_not(store: Store) {
    let site = Site::own(store, &[("SETTINGS_RATE_LIMIT", Some("on"))]).await;
    let tenant = site.tenant().await;
    let (guessed, other) = (tenant.key(&["workspace:read"]).await, tenant.key(&["workspace:read"]).await);
    let prefix = guessed.value[..27].to_owned();
    let guess = |n: usize| site.key(format!("{prefix}{n:0>43}_000000")).get("/workspace");
    let answers = statuses((0..60).map(guess)).await;
    assert!((25..=35).contains(&answers[&401].len()), "{}", answers[&401].len());
    assert!(limited(&answers) >= 25);
    assert_eq!(answers.len(), 2);
    guess(99).await.problem(429, "rate-limited");
    // Neither another key nor the rightful holder of this one pays for it.
    other.get("/workspace").await.ok();
    guessed.get("/workspace").await.ok();
    tenant.admin.get(tenant.path("/workspace")).await.ok();
    // Tokens of invitations are no easier to guess.
    let guess = |n: usize| tenant.admin.act(format!("/api/invitations/inv_{n:0>22}_{n:0>43}_{n:0>6}/accept"));
    let answers = statuses((0..60).map(guess)).await;
    assert!(limited(&answers) >= 10, "{:?}", answers.keys());
}

async fn a_flood_of_one_credential_is_stopped(store: Store) {
    let site = Site::own(store, &[("SETTINGS_RATE_LIMIT", Some("on"))]).await;
    let tenant = site.tenant().await;
    let (flooding, quiet) = (tenant.key(&["runs:read"]).await, tenant.key(&["workspace:read"]).await);
    let ((), events) = added(&tenant, async {
        // Refused for its scope or for its haste, never served more.
        let mut stopped = 0;
        for _ in 0..8 {
            let answers = statuses((0..250).map(|_| flooding.act("/api-keys/verify"))).await;
            assert!(answers.keys().all(|s| [200, 429].contains(s)), "{:?}", answers.keys());
            stopped += limited(&answers);
            if stopped > 0 {
                break;
            }
        }
        assert!(stopped > 0, "2000 calls at once and nobody was stopped");
        quiet.get("/workspace").await.ok();
    })
    .await;
    assert!(events.is_empty());
    site.anonymous().get("/healthz").await.has(200);
}

async fn mail_bombing_is_stopped(store: Store) {
    let site = Site::own(store, &[("SETTINGS_RATE_LIMIT", Some("on"))]).await;
    let tenant = site.tenant_with(json!({"seatLimit": 1000})).await;
    let invite =
        |email: String| tenant.admin.post(tenant.path("/workspace/members"), json!({"email": email, "role": "viewer"}));
    let (answers, events) =
        added(&tenant, async { statuses((0..200).map(|n| invite(format!("bomb{n}.{}@example.org", unique())))).await })
            .await;
    assert!((110..=130).contains(&answers[&201].len()), "{}", answers[&201].len());
    assert_eq!(limited(&answers) + answers[&201].len(), 200);
    assert_eq!(events.len(), answers[&201].len());
    // One victim, many workspaces.
    let victim = format!("victim.{}@example.org", unique());
    let mut sent = 0;
    for _ in 0..15 {
        let other = json!({"name": "Bomb", "slug": format!("b-{}", unique()), "adminEmail": "root@platform.example"});
        let other = site.platform().post("/api/organizations", other).await.created();
        let path = format!("/api/organizations/{}/invitations", other["id"].as_str().unwrap());
        let answer = site.platform().post(path, json!({"email": victim, "role": "guest"})).await;
        match answer.status {
            201 => sent += 1,
            _ => {
                answer.problem(429, "rate-limited");
            }
        }
    }
    assert!((9..=11).contains(&sent), "{sent} mails to one address within a minute");
    // Sending the same invitation again and again is no way around it.
    let waiting = tenant.admin.get(tenant.path("/workspace/invitations?limit=1")).await.ok();
    let path = tenant.path(&format!("/workspace/invitations/{}/resend", waiting["items"][0]["id"].as_str().unwrap()));
    let answers = statuses((0..40).map(|_| tenant.admin.act(&path))).await;
    assert!(limited(&answers) >= 25, "{:?}", answers.iter().map(|(s, a)| (s, a.len())).collect::<Vec<_>>());
}
