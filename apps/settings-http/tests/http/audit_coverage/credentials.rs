//! What variables, secrets, models and references leave, in every dialect.
use super::{Actor, Expected, SYSTEM, leaves, leaves_unseen};
use crate::support::{Site, Tenant, Value, json, unique, values::MODEL_URL};

fn id(v: &Value) -> &str {
    v["id"].as_str().unwrap()
}

/// No value, no name of a value and no URL is in the public part of an event.
fn public(events: &[Value], hidden: &[&str]) {
    for event in events {
        let mut public = event.clone();
        public.as_object_mut().unwrap().remove("details");
        for text in hidden {
            assert!(!public.to_string().contains(text), "{text} is in {public}");
        }
    }
}

pub(super) async fn variables(tenant: &Tenant, by: &Actor<'_>) {
    let lab = tenant.environment("lab").await;
    let event = |action| [(action, "medium", "member", "variable")];
    let body =
        json!({"organizationId": tenant.id, "environmentId": lab["id"], "name": "PLANTED_NAME", "value": "planted-1"});
    let call = async { by.caller.post("/api/variables", body).await };
    let (made, events) = leaves(tenant, by, call, &event("variable.created")).await;
    assert_eq!(events[0]["targetId"], made["id"]);
    public(&events, &["PLANTED_NAME", "planted-1"]);
    let path = format!("/api/variables/{}", id(&made));
    let call = async { by.caller.put(&path, json!({"name": "OTHER_NAME"})).await };
    leaves(tenant, by, call, &event("variable.updated")).await;
    let call = async { by.caller.put(&path, json!({"value": "planted-2"})).await };
    let (_, events) = leaves(tenant, by, call, &event("variable.updated")).await;
    public(&events, &["OTHER_NAME", "planted-2"]);
    // A file is as many events as it changes variables.
    let file = "OTHER_NAME=planted-2\nPLANTED_A=1\nPLANTED_B=2\n";
    let body = json!({"organizationId": tenant.id, "environmentId": lab["id"], "content": file});
    let call = async { by.caller.post("/api/variables/import", body).await };
    let [one] = event("variable.created");
    leaves(tenant, by, call, &[one, one]).await;
    let call = async { by.caller.delete(&path).await };
    leaves(tenant, by, call, &event("variable.deleted")).await;
}

pub(super) async fn secrets(tenant: &Tenant, by: &Actor<'_>) {
    let lab = tenant.environment("vault").await;
    let medium = |action| [(action, "medium", "member", "secret")];
    let body = json!({"name": "planted name", "value": "planted-1", "environmentId": lab["id"]});
    let call = async { by.caller.post(tenant.path("/secrets"), body).await };
    let (made, events) = leaves(tenant, by, call, &medium("secret.created")).await;
    assert_eq!(events[0]["targetId"], made["id"]);
    public(&events, &["planted"]);
    let path = tenant.path(&format!("/secrets/{}", id(&made)));
    let call = async { by.caller.act(format!("{path}/reveal")).await };
    leaves(tenant, by, call, &[("secret.accessed", "high", "member", "secret")]).await;
    let call = async { by.caller.post(format!("{path}/rotate"), json!({"value": "planted-2"})).await };
    let (_, events) = leaves(tenant, by, call, &medium("secret.rotated")).await;
    public(&events, &["planted"]);
    let call = async { by.caller.act(format!("{path}/seal")).await };
    leaves(tenant, by, call, &medium("secret.sealed")).await;
    let call = async { by.caller.delete(&path).await };
    leaves(tenant, by, call, &medium("secret.deleted")).await;
}

pub(super) async fn models(tenant: &Tenant, by: &Actor<'_>) {
    let event = |action, risk| [(action, risk, "member", "model")];
    let hidden = ["planted", "models.example.org"];
    let body =
        json!({"organizationId": tenant.id, "name": "planted name", "modelUrl": MODEL_URL, "token": "planted-1"});
    let call = async { by.caller.post("/api/models", body).await };
    let (made, events) = leaves(tenant, by, call, &event("model.created", "medium")).await;
    assert_eq!(events[0]["targetId"], made["id"]);
    public(&events, &hidden);
    let path = format!("/api/models/{}", id(&made));
    let call = async { by.caller.put(&path, json!({"clientKey": "planted", "secretKey": "planted"})).await };
    let (_, events) = leaves(tenant, by, call, &event("model.updated", "medium")).await;
    public(&events, &hidden);
    let call = async { by.caller.act(format!("{path}/test")).await };
    leaves(tenant, by, call, &event("model.tested", "low")).await;
    let call = async { by.caller.delete(&path).await };
    leaves(tenant, by, call, &event("model.deleted", "medium")).await;

    let all = tenant.path("/settings/model-integrations");
    let body = json!({"provider": "openai", "name": "planted name", "credential": {"token": "planted-1"}});
    let call = async { by.caller.post(&all, body).await };
    let (made, events) = leaves(tenant, by, call, &event("model.created", "medium")).await;
    public(&events, &hidden);
    let path = format!("{all}/{}", id(&made));
    let call = async { by.caller.send("PATCH", &path).json(&json!({"credential": {"token": "planted-2"}})).await };
    let (_, events) = leaves(tenant, by, call, &event("model.updated", "medium")).await;
    public(&events, &hidden);
    let call = async { by.caller.act(format!("{path}/test")).await };
    leaves(tenant, by, call, &event("model.tested", "low")).await;
    let call = async { by.caller.delete(&path).await };
    leaves(tenant, by, call, &event("model.deleted", "medium")).await;
}

pub(super) async fn references(tenant: &Tenant, by: &Actor<'_>) {
    let model = tenant.model("used", "t").await;
    let body = json!({"name": "planted name", "uses": [{"kind": "model", "id": model["id"]}]});
    for kind in ["workflow", "agent"] {
        let path = tenant.path(&format!("/references/{kind}/r-1"));
        let call = async { by.caller.put(&path, body.clone()).await };
        let want: [Expected<'_>; 1] = [("references.declared", "low", "member", "referrer")];
        let (_, events) = leaves(tenant, by, call, &want).await;
        public(&events, &["planted"]);
        let call = async { by.caller.put(&path, body.clone()).await };
        leaves(tenant, by, call, &[]).await;
    }
}

/// What the platform does with its own models is in the platform's chain, which no address leads to.
pub(super) async fn system_models(site: &Site) {
    let platform = site.platform();
    let body = json!({"name": format!("System {}", unique()), "modelUrl": MODEL_URL, "token": "planted"});
    let call = async { platform.post("/api/system-models", body).await };
    let made = leaves_unseen(site, SYSTEM, call, "model.created").await;
    let path = format!("/api/system-models/{}", id(&made));
    let call = async { platform.put(&path, json!({"token": "planted again"})).await };
    leaves_unseen(site, SYSTEM, call, "model.updated").await;
    let call = async { platform.put(format!("{path}/visibility"), json!({"visible": false})).await };
    leaves_unseen(site, SYSTEM, call, "model.updated").await;
    let call = async { platform.act(format!("{path}/test")).await };
    leaves_unseen(site, SYSTEM, call, "model.tested").await;
    let call = async { platform.delete(&path).await };
    leaves_unseen(site, SYSTEM, call, "model.deleted").await;
}
