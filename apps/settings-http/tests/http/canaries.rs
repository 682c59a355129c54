//! Values that were stored once are found nowhere: in no answer, no error, no log line, no metric, no file.
use crate::support::{Caller, Site, Store, Value, json, on_both_stores, unique, values::MODEL_URL};
use std::fmt::Write as _;

on_both_stores!(a_stored_value_is_in_no_answer_no_error_no_log_no_metric_and_no_file);

/// A planted value, in every spelling in which it might turn up again.
pub(crate) struct Canary(pub(crate) String);

impl Canary {
    pub(crate) fn new(what: &str) -> Self {
        Self(format!("canary-{what}-{}", unique()))
    }
    fn spellings(&self) -> Vec<Vec<u8>> {
        use base64::{Engine as _, engine::general_purpose::STANDARD_NO_PAD};
        let hex = self.0.bytes().fold(String::new(), |mut all, b| {
            let _ = write!(all, "{b:02x}");
            all
        });
        // Base64 of a text depends on where in its threes it begins; the middle is the same each time.
        let shifted = (0..3).map(|n| STANDARD_NO_PAD.encode([&vec![b'x'; n], self.0.as_bytes()].concat()));
        let middles = shifted.map(|s| s[4..s.len() - 4].to_owned());
        let plain =
            [self.0.clone(), self.0.to_uppercase(), hex.clone(), hex.to_uppercase(), self.0.chars().rev().collect()];
        plain.into_iter().chain(middles).map(String::into_bytes).collect()
    }
    pub(crate) fn is_in(&self, haystack: &[u8]) -> bool {
        self.spellings().iter().any(|needle| haystack.windows(needle.len()).any(|w| w == needle.as_slice()))
    }
}

fn id(v: &Value) -> String {
    v["id"].as_str().unwrap().to_owned()
}

#[track_caller]
pub(crate) fn clean(canaries: &[Canary], haystack: &[u8], place: &str) {
    for canary in canaries {
        assert!(!canary.is_in(haystack), "{} is in {place}", canary.0);
    }
}

async fn a_stored_value_is_in_no_answer_no_error_no_log_no_metric_and_no_file(store: Store) {
    let site = Site::own(store, &[("RUST_LOG", Some("trace"))]).await;
    let tenant = site.tenant().await;
    let kinds =
        ["variable", "changed", "imported", "secret", "rotated", "token", "client", "pair", "system", "refused"];
    let canaries = kinds.map(Canary::new);
    let [variable, changed, imported, secret, rotated, token, client, pair, system, refused] =
        canaries.each_ref().map(|c| c.0.as_str());
    let lab = id(&tenant.environment("lab").await);
    let kept = id(&tenant.variable(&lab, "KEPT", variable).await);
    tenant.admin.put(format!("/api/variables/{kept}"), json!({"value": changed})).await.ok();
    let file = format!("KEPT={imported}\nNEW={imported}");
    let body = json!({"organizationId": tenant.id, "environmentId": lab, "content": file});
    let answers = [
        tenant.admin.post("/api/variables/import/preview", body.clone()).await,
        tenant.admin.post("/api/variables/import", body).once("import").await,
    ];
    let body = json!({"name": "s", "value": secret, "environmentId": lab});
    let made = tenant.admin.post(tenant.path("/secrets"), body).once(&format!("idem-{}", unique())).await;
    let secrets = tenant.path(&format!("/secrets/{}", id(&made.created())));
    let turned = tenant.admin.post(format!("{secrets}/rotate"), json!({"value": rotated})).await;
    // The one answer that shows a value, to whom it was meant for.
    assert_eq!(tenant.admin.act(format!("{secrets}/reveal")).await.ok()["value"], rotated);
    let model = id(&tenant.model("m", token).await);
    let body = json!({"clientKey": client, "secretKey": pair});
    let paired = tenant.admin.put(format!("/api/models/{model}"), body).await;
    let tested = tenant.admin.act(format!("/api/models/{model}/test")).await;
    let body = json!({"name": format!("S {}", unique()), "modelUrl": MODEL_URL, "token": system});
    let made_system = site.platform().post("/api/system-models", body).await;

    // Refusals of every kind, with values in them.
    let long = format!("{refused}{}", "x".repeat(70_000));
    let post = |body: Value| tenant.admin.post("/api/variables", body);
    let refusals = [
        post(json!({"organizationId": tenant.id, "environmentId": lab, "name": "KEPT", "value": refused})).await,
        post(json!({"organizationId": tenant.id, "environmentId": lab, "name": "1X", "value": refused})).await,
        post(json!({"organizationId": tenant.id, "environmentId": lab, "name": "A", "value": long})).await,
        post(json!({"organizationId": tenant.id, "environmentId": lab, "name": "A", "value": [refused]})).await,
        post(json!({"organizationId": tenant.id, "environmentId": lab, "name": "A", "value": refused, "x": refused})).await,
        tenant.admin.send("POST", "/api/variables").body("application/json", format!("{{\"value\":\"{refused}\"")).await,
        tenant.admin.post("/api/variables/import", json!({"organizationId": tenant.id, "environmentId": lab, "content": format!("A B {refused}\nX='{refused}")})).await,
        tenant.admin.post("/api/models", json!({"organizationId": tenant.id, "name": "m", "modelUrl": "https://10.0.0.1", "token": refused})).await,
        tenant.admin.put(format!("/api/models/{model}"), json!({"modelUrl": "https://other.example.org", "description": "d"})).await,
        tenant.key(&["runs:read"]).await.post("/api/variables", json!({"organizationId": tenant.id, "value": refused})).await,
        site.anonymous().post("/api/variables", json!({"value": refused})).await,
    ];
    for answer in refusals.iter().chain(&answers).chain([&turned, &paired, &tested, &made_system, &made]) {
        clean(&canaries, &answer.body, &answer.what);
        clean(&canaries, format!("{:?}", answer.headers).as_bytes(), &answer.what);
    }
    for refusal in &refusals {
        assert!(refusal.status >= 400, "{}", refusal.what);
    }
    every_get_is_clean(
        &site,
        &canaries,
        &tenant.admin,
        &tenant.slug,
        &[
            ("variableId", &kept),
            ("modelId", &model),
            ("secretId", secrets.rsplit('/').next().unwrap()),
            ("environmentId", &lab),
        ],
        &tenant.id,
    )
    .await;

    site.server.stop();
    let mut lines = site.server.log.to_the_end();
    lines.extend(site.server.out.to_the_end());
    assert!(lines.len() > 100, "the log is too short to prove anything");
    clean(&canaries, lines.join("\n").as_bytes(), "the log at level trace");
    for (name, content) in site.home.raw_data().await {
        clean(&canaries, &content, &name);
    }
}

/// Every GET of the document, as who may see most.
pub(crate) async fn every_get_is_clean(
    site: &Site,
    canaries: &[Canary],
    admin: &Caller,
    slug: &str,
    ids: &[(&str, &str)],
    organization: &str,
) {
    let document = site.anonymous().get("/openapi.json").await;
    clean(canaries, &document.body, "/openapi.json");
    let mut seen = 0;
    for (template, item) in document.json()["paths"].as_object().unwrap() {
        if item.get("get").is_none() {
            continue;
        }
        let mut path = template
            .replace("{slug}", slug)
            .replace("{organizationId}", organization)
            .replace("{modelIntegrationId}", "{modelId}");
        for (name, value) in ids {
            path = path.replace(&format!("{{{name}}}"), value);
        }
        if template.starts_with("/api/")
            && !template.starts_with("/api/organizations")
            && !template.starts_with("/api/roles")
            && !template.starts_with("/api/system-models")
        {
            path = format!("{path}?organizationId={organization}");
        }
        let caller = if template.starts_with('/') && !template.starts_with("/w/") && !template.starts_with("/api/") {
            admin.within(organization)
        } else {
            admin.clone()
        };
        let answer = caller.get(&path).await;
        seen += usize::from(answer.status == 200);
        clean(canaries, &answer.body, &path);
    }
    assert!(seen > 25, "only {seen} readings succeeded");
    for path in ["/metrics", "/readyz", "/docs", "/dev/mailbox", "/problems"] {
        clean(canaries, &site.anonymous().get(path).await.body, path);
    }
}
