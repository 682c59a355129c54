//! What operators and readers need: health, metrics, the document, the pages, and an orderly end.
use crate::support::{Home, Site, Store, json, on_both_stores, unique};
use std::{
    collections::BTreeSet,
    io::{Read as _, Write as _},
    net::TcpStream,
    time::Duration,
};

on_both_stores!(
    health_readiness_and_metrics_are_there_for_anybody,
    metrics_name_no_tenant_and_have_few_labels,
    every_problem_has_a_readable_page,
    the_document_describes_what_is_served,
    a_stop_lets_running_requests_finish,
    restarts_keep_everything,
    a_wrong_configuration_is_a_clear_error,
    a_mistyped_password_is_not_printed,
    the_mailbox_shows_each_mail_with_its_link,
);

async fn health_readiness_and_metrics_are_there_for_anybody(store: Store) {
    let site = Site::shared(store).await;
    let anonymous = site.anonymous();
    assert_eq!(anonymous.get("/healthz").await.has(200).json()["status"], "ok");
    let ready = anonymous.get("/readyz").await.has(200).json();
    for check in ["database", "keys", "migrations"] {
        assert_eq!(ready["checks"][check], "ok", "{ready}");
    }
    let metrics = anonymous.get("/metrics").await;
    assert!(metrics.has(200).header("content-type").unwrap().starts_with("text/plain; version=0.0.4"));
    // A key makes no difference, and a wrong one neither.
    site.key("wrong").get("/healthz").await.has(200);
    let docs = anonymous.get("/docs").await;
    assert_eq!(docs.has(200).header("content-type"), Some("text/html; charset=utf-8"));
    for needed in ["/workspace/members", "members:invite", "/api/organizations", "x-api-key"] {
        assert!(docs.text().contains(needed), "{needed}");
    }
    let policy = docs.header("content-security-policy").unwrap();
    assert!(policy.contains("default-src 'none'") && policy.contains("frame-ancestors 'none'"), "{policy}");
    assert!(!docs.text().contains("<script"), "a page with a script");
}

async fn metrics_name_no_tenant_and_have_few_labels(store: Store) {
    let site = Site::own(store, &[]).await;
    let tenant = site.tenant().await;
    let key = tenant.key(&["workspace:read"]).await;
    key.get("/workspace").await.ok();
    let token = "inv_unknown";
    tenant.admin.act(format!("/api/invitations/{token}/accept")).await.problem(404, "not-found");
    for n in 0..30 {
        tenant.admin.get(format!("/none/{n}")).await.problem(404, "not-found");
        tenant.admin.send(&format!("VERB{n}"), "/workspace").await.problem(405, "method-not-allowed");
        tenant
            .admin
            .get(tenant.path(&format!("/workspace/members/{}", uuid::Uuid::now_v7())))
            .await
            .problem(404, "not-found");
        site.anonymous()
            .get("/workspace")
            .header("x-request-id", format!("id-{n}"))
            .await
            .problem(401, "unauthenticated");
    }
    let text = site.anonymous().get("/metrics").await.text();
    for secret in [
        &tenant.id,
        &tenant.slug,
        &tenant.admin.person.email,
        &tenant.admin.id,
        &key.id,
        &key.value,
        token,
        "VERB",
        "id-7",
    ] {
        assert!(!text.contains(secret), "{secret} is in the metrics");
    }
    assert!(text.contains("settings_http_requests_total{"), "{text}");
    assert!(text.contains("/workspace/members/{userId}"), "routes are templates");
    let series = text.lines().filter(|l| l.starts_with("settings_http_requests_total{")).count();
    assert!(series < 60, "{series} series");
}

async fn every_problem_has_a_readable_page(store: Store) {
    let site = Site::shared(store).await;
    let document = site.anonymous().get("/openapi.json").await.has(200).json();
    let types = document["components"]["schemas"]["Problem"]["properties"]["type"]["enum"].as_array().unwrap().clone();
    assert!(types.len() >= 38, "{}", types.len());
    let index = site.anonymous().get("/problems").await.has(200).text();
    for kind in types {
        let kind = kind.as_str().unwrap();
        let page = site.anonymous().get(kind).await;
        assert_eq!(page.has(200).header("content-type"), Some("text/html; charset=utf-8"), "{kind}");
        let text = page.text();
        let (slug, help) = (kind.rsplit('/').next().unwrap(), text.split("<p>").nth(2).unwrap_or_default());
        assert!(text.contains("<h1>") && text.contains(slug) && help.len() > 20, "{kind}: {text}");
        assert!(index.contains(kind), "{kind} is not in the index");
    }
}

async fn the_document_describes_what_is_served(store: Store) {
    let site = Site::shared(store).await;
    let served = site.anonymous().get("/openapi.json").await;
    assert_eq!(served.has(200).header("content-type"), Some("application/json"));
    let served = served.json();
    assert_eq!(served["openapi"], "3.1.0");
    let output = site.home.run(&["openapi"], &[]);
    let printed: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(served, printed, "the command prints what the service serves");
    let mut ids = BTreeSet::new();
    for (path, item) in served["paths"].as_object().unwrap() {
        for (method, operation) in item.as_object().unwrap() {
            let id = operation["operationId"].as_str().unwrap();
            assert!(ids.insert(id.to_owned()), "{id} twice");
            assert!(operation["summary"].as_str().is_some_and(|s| s.len() > 5), "{id}");
            let object = operation.as_object().unwrap();
            assert!(object.contains_key("x-permission") && object.contains_key("security"), "{id}");
            let responses = operation["responses"].as_object().unwrap();
            // Stripe has no credential of ours, only its signature.
            let signed = operation["security"] == serde_json::json!([]);
            assert_eq!(signed, path == "/billing/stripe/webhook", "{method} {path}");
            for needed in [if signed { "400" } else { "401" }, "503"] {
                assert!(responses.contains_key(needed), "{method} {path}: {needed}");
            }
            let named = path.matches('{').count();
            let parameters = operation["parameters"].as_array().unwrap();
            assert_eq!(parameters.iter().filter(|p| p["in"] == "path").count(), named, "{method} {path}");
        }
    }
    // Every reference leads somewhere.
    let text = served.to_string();
    for reference in text.split("\"#/").skip(1).map(|r| r.split('"').next().unwrap()) {
        assert!(served.pointer(&format!("/{reference}")).is_some(), "{reference} leads nowhere");
    }
}

async fn a_stop_lets_running_requests_finish(store: Store) {
    let site = Site::own(store, &[]).await;
    let tenant = site.tenant().await;
    let (name, value) = tenant.admin.credential_header();
    let body = r#"{"name":"Finished while stopping"}"#;
    let mut stream = TcpStream::connect(site.address()).unwrap();
    stream.set_read_timeout(Some(Duration::from_secs(20))).unwrap();
    let path = tenant.path("/workspace");
    let head = format!(
        "PUT {path} HTTP/1.1\r\nhost: x\r\n{name}: {value}\r\ncontent-type: application/json\r\ncontent-length: {}\r\n\r\n",
        body.len()
    );
    stream.write_all(head.as_bytes()).unwrap();
    stream.write_all(&body.as_bytes()[..10]).unwrap();
    // The request is under way once another one has been answered after it.
    site.anonymous().get("/healthz").await.has(200);
    site.server.ask_to_stop();
    crate::support::eventually("the door to close", async || TcpStream::connect(site.address()).is_err().then_some(()))
        .await;
    stream.write_all(&body.as_bytes()[10..]).unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    assert!(answer.starts_with("HTTP/1.1 200"), "{answer}");
    let (status, took) = tokio::task::block_in_place(|| site.server.ended());
    assert_eq!(status.code(), Some(0));
    assert!(took < Duration::from_secs(10), "{took:?}");
    let again = site.through(site.home.serve(&[]));
    assert_eq!(tenant.admin.at(&again).get(&path).await.ok()["name"], "Finished while stopping");
    // Connections that idle hold nobody up.
    let _idle = TcpStream::connect(again.address()).unwrap();
    again.anonymous().get("/healthz").await.has(200);
    let took = tokio::task::block_in_place(|| again.server.stop());
    assert!(took < Duration::from_secs(10), "{took:?}");
}

async fn restarts_keep_everything(store: Store) {
    let site = Site::own(store, &[]).await;
    let tenant = site.tenant().await;
    let key = tenant.key(&["workspace:read"]).await;
    let waiting = crate::support::tenant::Person::new("across");
    // Queued, and perhaps not yet sent: the mail survives the end of the process that owes it.
    tenant.invite(&waiting.email, "viewer").await;
    site.server.kill();
    let worker_off = site.through(site.home.serve(&[("SETTINGS_WORKER", Some("off"))]));
    let here = tenant.admin.at(&worker_off);
    let cursor = here.get(tenant.path("/audit/events?limit=1")).await.ok()["nextCursor"].as_str().unwrap().to_owned();
    key.at(&worker_off).get("/workspace").await.ok();
    worker_off.server.stop();
    // Perhaps it was just being sent: a lease outlives its worker by five minutes.
    site.home.sql(&tenant.id, &["UPDATE outbox SET lease_until = 1 WHERE lease_until IS NOT NULL"]).await;
    let again = site.through(site.home.serve(&[]));
    key.at(&again).get("/workspace").await.ok();
    tenant.admin.at(&again).get(tenant.path(&format!("/audit/events?limit=1&cursor={cursor}"))).await.ok();
    let token = again.invitation_to(&waiting.email).await;
    again.person(&waiting).act(format!("/api/invitations/{token}/accept")).await.ok();
    assert_eq!(again.mails_to(&waiting.email).await.len(), 1, "sent twice");
    assert_eq!(tenant.admin.at(&again).get(tenant.path("/audit/verify")).await.ok()["intact"], true);
    let output = again.home.run(&["migrate"], &[]);
    assert!(output.status.success());
    let output = again.home.run(&["doctor"], &[]);
    assert_eq!(output.status.code(), Some(0), "{}", String::from_utf8_lossy(&output.stdout));
}

async fn a_wrong_configuration_is_a_clear_error(store: Store) {
    let home = Home::new(store).await;
    let run = |arguments: &[&str], name: &str, value: &str| {
        let output = home.run(arguments, &[(name, Some(value))]);
        (output.status.code(), String::from_utf8_lossy(&output.stderr).into_owned())
    };
    for (name, value) in [
        ("SETTINGS_BIND", "nowhere"),
        ("DATABASE_URL", "mysql://x"),
        ("SETTINGS_PUBLIC_URL", "ftp://x"),
        ("SETTINGS_RATE_LIMIT", "sometimes"),
        ("SETTINGS_COMPLIANCE_FLOOR_DAYS", "0"),
        ("SETTINGS_REGIONS", "EU West"),
        ("SETTINGS_KMS", "file"),
        ("SETTINGS_OUTBOUND_ALLOW", "everywhere"),
        ("SETTINGS_OUTBOUND_ALLOW", "10.0.0.0/33"),
        ("SETTINGS_MAIL", "pigeon"),
        ("AUTH0_ISSUER_BASE_URL", "http://issuer.example"),
        ("RUST_LOG", "===="),
    ] {
        let (code, err) = run(&["serve"], name, value);
        assert_eq!(code, Some(2), "{name}={value}: {err}");
        let option = name.trim_start_matches("SETTINGS_").to_lowercase().replace('_', "-");
        let option = option.trim_start_matches("auth0-").trim_end_matches("-base-url");
        assert!(err.contains(name) || err.contains(&format!("--{option}")), "{name}: {err}");
    }
    let secret = format!("s3cr3t{}", unique());
    let (code, err) = run(&["doctor"], "DATABASE_URL", &format!("postgres://u:{secret}@127.0.0.1:1/none"));
    assert_eq!(code, Some(1), "{err}");
    assert!(!err.contains(&secret), "a password is shown: {err}");
    // A demo with a printed way in never opens a public address by accident.
    let output = home.run(
        &["serve"],
        &[
            ("SETTINGS_BIND", Some("0.0.0.0:0")),
            ("AUTH0_ISSUER_BASE_URL", None),
            ("DATABASE_URL", Some("sqlite://demo.db")),
        ],
    );
    assert_eq!(output.status.code(), Some(78), "{}", String::from_utf8_lossy(&output.stderr));
    let output = home.run(&["--help"], &[]);
    let help = String::from_utf8_lossy(&output.stdout).into_owned();
    for name in [
        "SETTINGS_BIND",
        "DATABASE_URL",
        "SETTINGS_KEYRING",
        "AUTH0_ISSUER_BASE_URL",
        "SETTINGS_RATE_LIMIT",
        "SETTINGS_MAIL",
    ] {
        assert!(help.contains(name), "{name} is not in the help");
    }
    assert_eq!(json!(output.status.code()), json!(0));
}

async fn a_mistyped_password_is_not_printed(store: Store) {
    let home = Home::new(store).await;
    let secret = format!("s3cr3t{}", unique());
    for (name, value) in [
        ("DATABASE_URL", format!("postgress://u:{secret}@localhost/x")),
        ("SETTINGS_MAIL", format!("smpt://u:{secret}@localhost")),
        ("SETTINGS_PUBLIC_URL", format!("https://u:{secret}@localhost")),
    ] {
        let output = home.run(&["serve"], &[(name, Some(&value))]);
        let said = String::from_utf8_lossy(&[output.stdout, output.stderr].concat()).into_owned();
        assert_eq!(output.status.code(), Some(2), "{name}: {said}");
        assert!(!said.contains(&secret), "a password is shown: {said}");
    }
}

async fn the_mailbox_shows_each_mail_with_its_link(store: Store) {
    let site = Site::shared(store).await;
    let tenant = site.tenant().await;
    let email = format!("mail.{}@example.org", unique());
    tenant.invite(&email, "viewer").await;
    site.invitation_to(&email).await;
    for mail in site.mails_to(&email).await {
        let text = "text";
        let fields = [
            ("id", "uuid"),
            ("to", text),
            ("subject", text),
            ("text", text),
            ("html", text),
            ("link", text),
            ("sentAt", "instant"),
        ];
        crate::support::shape::is(&mail, &fields);
        assert!(mail["text"].as_str().unwrap().contains(mail["link"].as_str().unwrap()), "{mail}");
        assert!(mail["html"].as_str().unwrap().contains(mail["link"].as_str().unwrap()), "{mail}");
    }
    let page = site.anonymous().get("/dev/mailbox").await;
    assert_eq!(page.has(200).header("content-type"), Some("text/html; charset=utf-8"));
    assert!(page.text().contains(&email) && page.header("cache-control").unwrap().contains("no-store"));
}
