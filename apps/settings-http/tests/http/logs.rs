//! What the process says while it works: JSON lines, and nothing that is anybody's secret or name.
use crate::support::{
    Site, Store, eventually, json, on_both_stores,
    tenant::{Person, SCOPES},
    unique,
};

on_both_stores!(no_line_shows_a_secret_or_a_person, every_line_is_one_json_object_whatever_was_sent);

async fn no_line_shows_a_secret_or_a_person(store: Store) {
    let site = Site::own(store, &[("RUST_LOG", Some("debug"))]).await;
    let tenant = site.tenant().await;
    let canary = format!("canary{}", unique());
    let person = Person { name: format!("{canary} name"), ..Person::with_email(&format!("{canary}@example.org"), "x") };
    tenant.admin.put(tenant.path("/workspace"), json!({"name": format!("{canary} workspace")})).await.ok();
    tenant.invite(&person.email, "admin").await;
    let first = site.invitation_to(&person.email).await;
    let waiting = tenant.admin.get(tenant.path("/workspace/invitations")).await.ok();
    let id = waiting["items"][0]["id"].as_str().unwrap().to_owned();
    tenant.admin.act(tenant.path(&format!("/workspace/invitations/{id}/resend"))).await.ok();
    let second = site.nth_invitation(&person.email, 2).await;
    let caller = site.person(&person);
    site.anonymous().get(format!("/invitations/{second}")).await.has(200);
    caller.act(format!("/api/invitations/{first}/accept")).await.problem(404, "not-found");
    caller.act(format!("/api/invitations/{second}/accept")).await.ok();
    let body = json!({"name": format!("{canary} key"), "scopes": SCOPES});
    let made = caller.post("/workspace/api-keys", body).once(&format!("{canary}-idempotent")).await.created();
    let value = made["key"].as_str().unwrap().to_owned();
    let key = site.key(&value);
    key.get("/workspace").await.ok();
    key.get(format!("/workspace/none?q={canary}&key={value}")).await.problem(404, "not-found");
    site.bearer(&value).get("/workspace").await.problem(401, "unauthenticated");
    site.anonymous().get(format!("/workspace?api_key={value}")).await.problem(401, "unauthenticated");
    site.key(format!("{}0", &value[..76])).get("/workspace").await.problem(401, "unauthenticated");
    caller.get(format!("/workspace/members?q={canary}")).await.ok();
    caller.post("/workspace/members", json!({"email": format!("{canary} at"), "role": canary})).await.faults();
    caller
        .send("PUT", "/workspace")
        .body("application/json", format!("{{\"{canary}"))
        .await
        .problem(400, "malformed-request");
    site.bearer(format!("{}.x", person.token())).get("/workspace").await.problem(401, "unauthenticated");
    let token = person.token();
    site.server.stop();
    let mut lines = site.server.log.to_the_end();
    lines.extend(site.server.out.to_the_end());
    assert!(lines.len() > 20, "the log is too short to prove anything");
    let all = lines.join("\n");
    // The log keeps ids, so it is the whole story by ids: the template of each path stands there, never the path.
    assert!(all.contains("/api/invitations/{token}/accept"), "templates are logged");
    for (what, secret) in [
        ("a name or an address", canary.as_str()),
        ("a key", &value[27..70]),
        ("an invitation's token", &first[27..70]),
        ("an invitation's token", &second[27..70]),
        ("a bearer token's claims", token.split('.').nth(1).unwrap()),
        ("a bearer token's signature", token.split('.').nth(2).unwrap()),
        ("an address", "@example.org"),
        ("the platform's address", "root@platform"),
        ("a slug", &tenant.slug),
    ] {
        let found: Vec<_> = lines.iter().filter(|l| l.contains(secret)).collect();
        assert!(found.is_empty(), "{what} is in the log: {found:#?}");
    }
}

async fn every_line_is_one_json_object_whatever_was_sent(store: Store) {
    let site = Site::own(store, &[]).await;
    let tenant = site.tenant().await;
    let forged = "{\"level\":\"ERROR\",\"message\":\"forged\"}";
    for path in ["/%0a%0d{}", "/\u{1b}[31m", "/workspace/%22%2c%22forged%22%3a%22", "/none\\n"] {
        let _ = tenant.admin.to_the_letter("GET", &path.replace('\u{1b}', "%1b")).await;
    }
    for id in ["{\"level\":\"forged\"}", "a\tb", "\u{e9}", &"x".repeat(1_000)] {
        tenant.admin.get("/none").header("x-request-id", id).await.problem(404, "not-found");
    }
    tenant.admin.get("/none").header("user-agent", forged).await.problem(404, "not-found");
    let method = "M".repeat(200);
    tenant.admin.to_the_letter(&method, "/workspace").await.problem(405, "method-not-allowed");
    let name = "\u{202e}\u{1f600}\"}\\n{\"message\":\"forged\"}".repeat(4);
    tenant.admin.put(tenant.path("/workspace"), json!({"name": name})).await.ok();
    eventually("the last request's line", async || (site.server.log.all().len() > 10).then_some(())).await;
    site.server.stop();
    for line in site.server.log.to_the_end() {
        let parsed: serde_json::Value = serde_json::from_str(&line).unwrap_or_else(|e| panic!("{e}: {line}"));
        assert!(parsed.is_object() && parsed["level"].is_string() && parsed["timestamp"].is_string(), "{line}");
        assert!(parsed["message"] != "forged" && !line.contains('\u{1b}'), "{line}");
        assert_eq!(line.matches("\"level\":").count(), 1, "{line}");
        assert!(line.len() < 2_000, "{} bytes in one line: {line}", line.len());
    }
}
