//! `SETTINGS_MAIL=ses`: the program as an operator configures it, and AWS as moto plays it.
use crate::support::{Site, Store, Value, eventually, json, unique};
use base64::{Engine as _, engine::general_purpose::STANDARD};
use settings_testkit::moto::Moto;

const FROM: &str = "settings@example.org";

/// The raw messages that SES took, as texts.
async fn raw_mails(http: &reqwest::Client, moto: &Moto) -> Vec<String> {
    let url = format!("http://127.0.0.1:{}/moto-api/data.json", moto.port());
    let data: Value = serde_json::from_slice(&http.get(url).send().await.unwrap().bytes().await.unwrap()).unwrap();
    let raw = data["ses"]["RawMessage"].as_array().cloned().unwrap_or_default();
    raw.iter().map(|m| m["raw_data"].as_str().unwrap().to_owned()).collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_invitation_and_an_event_are_mailed_through_ses() {
    let moto = tokio::task::block_in_place(|| Moto::start(env!("CARGO_TARGET_TMPDIR"))).unwrap();
    let authorization =
        "AWS4-HMAC-SHA256 Credential=a/20260101/eu-central-1/ses/aws4_request, SignedHeaders=host, Signature=0";
    let headers = [("content-type", "application/x-www-form-urlencoded"), ("authorization", authorization)];
    let form = format!("Action=VerifyEmailIdentity&EmailAddress={FROM}&Version=2010-12-01");
    assert_eq!(moto.post("/", &headers, &form).unwrap().0, 200);
    let key = moto.access_key("mailer", "ses%3A%2A").unwrap();
    moto.check_signatures().unwrap();
    // A workspace needs an admin who has got a mail; the local mailbox is where tests read theirs.
    let site = Site::own(Store::Sqlite, &[]).await;
    let tenant = site.tenant().await;
    site.server.stop();
    let endpoint = format!("http://127.0.0.1:{}", moto.port());
    let env = [
        ("SETTINGS_MAIL", Some("ses")),
        ("SETTINGS_MAIL_FROM", Some(FROM)),
        ("AWS_REGION", Some("eu-central-1")),
        ("AWS_ENDPOINT_URL", Some(endpoint.as_str())),
        ("AWS_ACCESS_KEY_ID", Some(key.id.as_str())),
        ("AWS_SECRET_ACCESS_KEY", Some(key.secret.as_str())),
        ("AWS_EC2_METADATA_DISABLED", Some("true")),
    ];
    let site = site.through(site.home.serve(&env));
    let tenant = tenant.at(&site);
    let invited = format!("grace.{}@example.org", unique());
    tenant.invite(&invited, "viewer").await;
    let published = tenant.tells("run_failed").await;
    tenant.told(&published, "email", "delivered", 1).await;
    let http = reqwest::Client::builder().no_proxy().build().unwrap();
    let mails =
        eventually("both mails", async || Some(raw_mails(&http, &moto).await).filter(|mails| mails.len() >= 2)).await;
    let to = |address: &str| {
        mails.iter().find(|m| m.contains(&format!("To: {address}"))).unwrap_or_else(|| panic!("{mails:?}"))
    };
    for (mail, link) in [(to(&invited), "/invitations/"), (to(&tenant.admin.person.email), "/settings/notifications")] {
        assert!(mail.contains(&format!("From: {FROM}")) && mail.contains("Message-ID: <"), "{mail}");
        // The text may be in base64 or quoted-printable: either way its link survives in one piece or in none.
        let decoded: String = mail
            .split("\r\n\r\n")
            .filter_map(|part| STANDARD.decode(part.replace("\r\n", "")).ok())
            .map(|b| String::from_utf8_lossy(&b).into_owned())
            .collect();
        let soft = mail.replace("=\r\n", "");
        assert!(soft.contains(link) || decoded.contains(link), "{link} in {mail}");
    }
    let failed = tenant.deliveries("&status=failed").await;
    assert_eq!(json!(failed), json!([]));
}
