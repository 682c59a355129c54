//! The key-encryption key in AWS KMS, which is moto here: moved to another key, silent, and gone.
use crate::support::{Answer, Site, Store, Tenant, home::Env, json, on_both_stores};
use settings_testkit::moto::Moto;
use std::{
    process::Output,
    time::{Duration, Instant},
};

on_both_stores!(
    a_rotation_moves_everything_to_another_kms_key,
    while_kms_is_away_what_needs_its_keys_is_503_and_the_rest_goes_on,
);

const ANY: &str = "00000000-0000-0000-0000-000000000000";
/// Five seconds is the limit of a call to KMS. Two of them one after the other would be ten; the rest is for a machine that has
/// much to do.
const BOUND: Duration = Duration::from_secs(9);

fn moto() -> Moto {
    Moto::start(env!("CARGO_TARGET_TMPDIR")).unwrap()
}

/// The environment of a service whose key is this one.
fn environment<'a>(endpoint: &'a str, key: &'a str) -> [(&'static str, Option<&'a str>); 6] {
    [
        ("SETTINGS_KEYRING", None),
        ("SETTINGS_KMS", Some(key)),
        ("AWS_ENDPOINT_URL", Some(endpoint)),
        ("AWS_REGION", Some("eu-central-1")),
        ("AWS_ACCESS_KEY_ID", Some("AKIAIOSFODNN7EXAMPLE")),
        ("AWS_SECRET_ACCESS_KEY", Some("hunter2hunter2hunter2hunter2hunter2hunter")),
    ]
}

/// A secret with its tenant; the path of it.
async fn keep(tenant: &Tenant, value: &str) -> String {
    let lab = tenant.environment("lab").await;
    let body = json!({"name": "kept", "value": value, "environmentId": lab["id"]});
    let made = tenant.admin.post(tenant.path("/secrets"), body).await.created();
    tenant.path(&format!("/secrets/{}", made["id"].as_str().unwrap()))
}

fn said(output: &Output) -> String {
    format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr))
}

/// Runs a command, which must end with this code.
fn run(site: &Site, arguments: &[&str], env: Env<'_>, code: i32) -> String {
    let output = site.home.run(arguments, env);
    assert_eq!(output.status.code(), Some(code), "{arguments:?}: {}", said(&output));
    said(&output)
}

async fn a_rotation_moves_everything_to_another_kms_key(store: Store) {
    let moto = moto();
    let ((_, one), (_, two)) = (moto.kms_key().unwrap(), moto.kms_key().unwrap());
    let (url, by_one, by_two) = (moto.url(), format!("aws:{one}"), format!("aws:{two}"));
    let (before, after) = (environment(&url, &by_one), environment(&url, &by_two));
    let site = Site::own(store, &before).await;
    let (a, b) = tokio::join!(site.tenant(), site.tenant());
    let (in_a, in_b) = (keep(&a, "value of a").await, keep(&b, "value of b").await);
    assert!(run(&site, &["doctor"], &before, 0).contains(&one));
    site.server.stop();

    // Restarted with the new key, the service opens what the old one wrapped, and wraps what is new by the new one.
    let next = site.through(site.home.serve(&after));
    let wrapped_by = async |arn: &str| {
        site.home.number(ANY, &format!("SELECT count(*) FROM data_keys WHERE wrapped_by = '{arn}'")).await
    };
    assert_eq!(a.admin.at(&next).act(format!("{in_a}/reveal")).await.ok()["value"], "value of a");
    assert_eq!((wrapped_by(&one).await, wrapped_by(&two).await), (2, 0));
    let status = run(&next, &["keys", "status"], &after, 1);
    assert!(status.contains("2 on an old key") && status.contains("root key on the old key"), "{status}");
    assert!(run(&next, &["keys", "rotate", "--dry-run"], &after, 0).contains("nothing was changed"));
    assert_eq!((wrapped_by(&one).await, wrapped_by(&two).await), (2, 0));
    assert!(run(&next, &["keys", "rotate"], &after, 0).contains("2 data keys wrapped anew"));
    assert_eq!((wrapped_by(&one).await, wrapped_by(&two).await), (0, 2));
    let status = run(&next, &["keys", "status"], &after, 0);
    assert!(status.contains("0 on an old key; root key on the current key"), "{status}");
    next.server.stop();

    // A process that knows nothing from before.
    let last = site.through(site.home.serve(&after));
    for (tenant, path, value) in [(&a, &in_a, "value of a"), (&b, &in_b, "value of b")] {
        assert_eq!(tenant.admin.at(&last).act(format!("{path}/reveal")).await.ok()["value"], value);
    }
    let verified = run(&last, &["audit", "verify"], &after, 0);
    // Begun and finished.
    assert!(verified.contains("system: 2 events, intact"), "{verified}");
}

async fn while_kms_is_away_what_needs_its_keys_is_503_and_the_rest_goes_on(store: Store) {
    let moto = moto();
    let (_, key) = moto.kms_key().unwrap();
    let (url, key) = (moto.url(), format!("aws:{key}"));
    let env = environment(&url, &key);
    let site = Site::own(store, &env).await;
    let (known, unknown) = tokio::join!(site.tenant(), site.tenant());
    let (kept, asleep) = (keep(&known, "value").await, keep(&unknown, "value").await);
    site.server.stop();
    // Another process, which has unwrapped the key of one workspace alone.
    let site = site.through(site.home.serve(&env));
    let reveal = async |tenant: &Tenant, path: &str| tenant.admin.at(&site).act(format!("{path}/reveal")).await;
    assert_eq!(reveal(&known, &kept).await.ok()["value"], "value");

    assert_eq!(site.anonymous().get("/readyz").await.json()["checks"]["keyring"], "ok");
    let away = async || {
        let since = Instant::now();
        let answers = tokio::join!(reveal(&unknown, &asleep), reveal(&unknown, &asleep), new_value(&unknown, &site));
        assert!(since.elapsed() < BOUND, "{:?}", since.elapsed());
        for answer in [answers.0, answers.1, answers.2] {
            assert_eq!(answer.problem(503, "unavailable")["outcome"], "none");
        }
        assert_eq!(reveal(&known, &kept).await.ok()["value"], "value", "its key is in memory");
        unknown.admin.at(&site).get(unknown.path("/secrets")).await.ok();
        assert_eq!(site.anonymous().get("/readyz").await.has(200).json()["checks"]["keyring"], "unavailable");
    };
    moto.fall_silent().unwrap();
    away().await;
    drop(moto);
    away().await;
    // No answer says why; the log does.
    let log = site.server.log.all().join("\n");
    assert!(log.contains("AWS KMS, or the source of the AWS credentials, did not answer in time"), "{log}");
    assert!(log.contains("AWS KMS can't be reached"), "{log}");
    assert!(!log.contains("hunter2"), "{log}");
    // The commands need the root key, which KMS has wrapped: they say so and end.
    let status = run(&site, &["keys", "status"], &env, 1);
    assert!(status.contains("AWS KMS can't be reached"), "{status}");
}

async fn new_value(tenant: &Tenant, site: &Site) -> Answer {
    let all = tenant.admin.at(site).get(format!("/api/environments?organizationId={}", tenant.id)).await.ok();
    let body = json!({"name": "another", "value": "v", "environmentId": all["items"][0]["id"]});
    tenant.admin.at(site).post(tenant.path("/secrets"), body).await
}
