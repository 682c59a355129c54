//! What notifications keep and carry (NO11): tokens, webhook secrets and events' texts are found nowhere but where they are due.
use crate::{
    canaries::{Canary, clean, every_get_is_clean},
    support::{
        Store, json, on_both_stores,
        receiver::{Receiver, Reply},
        scripted_slack::ScriptedSlack,
    },
};

on_both_stores!(what_notifications_keep_is_in_no_answer_no_log_no_metric_no_file_and_no_other_channel);

async fn what_notifications_keep_is_in_no_answer_no_log_no_metric_no_file_and_no_other_channel(store: Store) {
    let slack = ScriptedSlack::start().await;
    let site = slack.site(store, &[("RUST_LOG", Some("trace"))]).await;
    let tenant = site.tenant().await;
    let [token, said, source, path, secret, answer] =
        ["token", "said", "source", "path", "secret", "answer"].map(Canary::new);
    slack.grants("T1", &format!("xoxb-{}", token.0));
    let connection = slack.connect(&tenant).await;
    // A receiver whose answers hold what nobody may read here.
    let receiver = Receiver::start([Reply::With(410, "x-inside", answer.0.clone())]).await;
    let hook = tenant.hook(&receiver.url(&path.0), &["run_failed", "secret_rotated"]).await;
    let rotated = tenant.admin.act(tenant.hook_path(&format!("{}/rotate-secret", hook.id))).await.ok();
    let hooks = [hook.secret, rotated["secret"].as_str().unwrap().to_owned()];
    for kind in ["run_failed", "secret_rotated"] {
        tenant.tell_on(kind, &["slack", "webhook"]).await;
    }
    let event = |n: usize| {
        json!({"specversion": "1.0", "id": format!("{}-{n}", said.0), "source": format!("urn:{}", source.0),
            "type": "run_failed", "data": {"note": said.0, "deep": {"a": said.0}}})
    };
    let published = [tenant.admin.publish(&tenant, event(1)).await, tenant.admin.publish(&tenant, event(1)).await];
    let [first, again] = &published;
    assert_eq!((first.status, again.status), (202, 200));
    let refused = [
        tenant.admin.publish(&tenant, json!({"id": said.0, "type": said.0, "source": source.0})).await,
        tenant.key(&["runs:read"]).await.publish(&tenant, event(2)).await,
        site.anonymous().publish(&tenant, event(3)).await,
    ];
    let failed = tenant.told(&first.json(), "webhook", "failed", 1).await.remove(0);
    tenant.told(&first.json(), "slack", "delivered", 1).await;
    tenant.told(&first.json(), "email", "delivered", 1).await;
    let lab = tenant.environment("lab").await;
    let body = json!({"name": "s", "value": format!("old-{}", secret.0), "environmentId": lab["id"]});
    let made = tenant.admin.post(tenant.path("/secrets"), body).await.created();
    let rotate = tenant.path(&format!("/secrets/{}/rotate", made["id"].as_str().unwrap()));
    tenant.admin.post(rotate, json!({"value": secret.0})).await.ok();
    receiver.got(2).await;
    slack.posts(2).await;

    // Where it is due: the webhook has the text, and Slack's own token goes to Slack.
    assert!(receiver.so_far().iter().any(|r| said.is_in(&r.body)), "nothing was planted");
    assert!(slack.posted().iter().all(|p| p.token == format!("xoxb-{}", token.0)));
    for received in receiver.so_far() {
        clean(std::slice::from_ref(&secret), &received.body, "a webhook");
        clean(std::slice::from_ref(&token), &received.body, "a webhook");
    }
    for posted in slack.posted() {
        clean(std::slice::from_ref(&secret), posted.message.to_string().as_bytes(), "Slack");
    }
    let mails = site.anonymous().get("/dev/mailbox").header("accept", "application/json").await;
    clean(&[secret, token], &mails.body, "the mailbox");
    // Where it is not: everywhere else. The address of a webhook is shown to those who may read it, and to nobody else.
    let kept: Vec<Canary> = hooks.iter().map(|h| Canary(h["whsec_".len()..].to_owned())).chain([answer]).collect();
    let kept: Vec<Canary> = kept.into_iter().collect();
    let ids = [
        ("deliveryId", failed["id"].as_str().unwrap()),
        ("subscriptionId", hook.id.as_str()),
        ("connectionId", connection["id"].as_str().unwrap()),
        ("environmentId", lab["id"].as_str().unwrap()),
        ("secretId", made["id"].as_str().unwrap()),
    ];
    every_get_is_clean(&site, &kept, &tenant.admin, &tenant.slug, &ids, &tenant.id).await;
    let texts = [said, source];
    for answer in published.iter().chain(&refused) {
        clean(&texts, &answer.body, &answer.what);
    }
    for place in ["/workspace/notifications/deliveries", "/audit/events", "/webhooks/subscriptions", "/connections"] {
        let answer = tenant.admin.get(tenant.path(place)).await;
        clean(&texts, &answer.body, place);
    }
    site.server.stop();
    let mut lines = site.server.log.to_the_end();
    lines.extend(site.server.out.to_the_end());
    let log = lines.join("\n");
    assert!(lines.len() > 100, "the log is too short to prove anything");
    for canaries in [&kept[..], &texts[..], &[path]] {
        clean(canaries, log.as_bytes(), "the log at level trace");
    }
    for (name, content) in site.home.raw_data().await {
        clean(&kept, &content, &name);
        // The local mailbox holds the mail, as a mail server would.
        if !name.contains("mailbox") {
            clean(&texts, &content, &name);
        }
    }
}
