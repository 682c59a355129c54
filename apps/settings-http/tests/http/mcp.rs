//! The Model Context Protocol face: the tools of each caller over HTTP, and the official client over `settings-http mcp`.
use crate::support::{
    Caller, Site, Store, Tenant, Value, added, assert_unchanged, json, on_both_stores, unique, values::Values,
};
use settings_testkit::peers;
use std::{
    collections::BTreeSet,
    io::{BufRead as _, BufReader, Write as _},
    path::Path,
    process::{Child, ChildStdout, Command, Stdio},
};

on_both_stores!(
    a_caller_is_offered_the_tools_that_their_rights_allow,
    a_tool_is_its_operation_with_its_checks_and_its_events,
    a_call_that_is_wrong_is_told_so_after_its_right_was_asked,
    no_tool_shows_a_value,
    the_official_client_works_with_a_running_service,
);

async fn offered(caller: &Caller) -> BTreeSet<String> {
    let listed = caller.get("/api/mcp/tools").await.ok();
    listed["tools"].as_array().unwrap().iter().map(|t| t["name"].as_str().unwrap().to_owned()).collect()
}
/// Calls a tool; the answer's JSON.
async fn called(caller: &Caller, name: &str, arguments: Value) -> Value {
    let body = json!({"name": name, "arguments": arguments});
    let answer = caller.post("/api/mcp/tools/call", body).await.ok();
    assert_eq!(answer["isError"], false, "{name}: {answer}");
    serde_json::from_str(answer["content"][0]["text"].as_str().unwrap()).unwrap_or(Value::Null)
}
/// Calls a tool that has to answer with a problem.
async fn refused(caller: &Caller, name: &str, arguments: Value, status: u16, slug: &str) -> Value {
    let body = json!({"name": name, "arguments": arguments});
    let answer = caller.post("/api/mcp/tools/call", body).await.ok();
    assert_eq!(answer["isError"], true, "{name}: {answer}");
    assert!(answer.get("structuredContent").is_none(), "{answer}");
    let problem: Value = serde_json::from_str(answer["content"][0]["text"].as_str().unwrap()).unwrap();
    let is = (&problem["status"], problem["type"].as_str().unwrap());
    assert_eq!(is, (&json!(status), format!("/problems/{slug}").as_str()), "{name}: {problem}");
    problem
}

async fn a_caller_is_offered_the_tools_that_their_rights_allow(store: Store) {
    let site = Site::shared(store).await;
    let tenant = site.tenant().await;
    let [viewer] = tenant.members(["viewer"]).await;
    let admin = offered(&tenant.admin).await;
    for tool in
        ["variables_list", "variables_create", "models_create", "members_invite", "secrets_list", "api_keys_revoke"]
    {
        assert!(admin.contains(tool), "{tool} in {admin:?}");
    }
    // What shows a value, or is told a credential, is offered to nobody.
    for word in ["reveal", "accept", "rotate_secret", "api_keys_create", "subscription_create", "authorize", "mcp"] {
        assert!(!admin.iter().any(|t| t.contains(word)), "{word} in {admin:?}");
    }
    assert!(!admin.contains("system_models_create"), "the platform's own");
    assert!(offered(&tenant.platform).await.contains("system_models_create"));
    let sees = offered(&viewer).await;
    assert!(sees.contains("variables_list") && sees.contains("roles_list"));
    for tool in ["variables_create", "members_list", "members_invite", "secrets_list", "api_keys_verify"] {
        assert!(!sees.contains(tool), "{tool} for a viewer");
    }
    let key = tenant.key(&["workspace:read"]).await;
    let keys = offered(&key).await;
    assert!(keys.contains("workspaces_get") && keys.contains("api_keys_verify"), "{keys:?}");
    assert!(keys.is_subset(&admin.iter().cloned().chain(["api_keys_verify".to_owned()]).collect()));
    assert!(!keys.contains("workspaces_update") && !keys.contains("members_list"), "{keys:?}");
    // Each has its whole schema with it, and its hints.
    let listed = tenant.admin.get("/api/mcp/tools").await.ok();
    let tool = |name: &str| listed["tools"].as_array().unwrap().iter().find(|t| t["name"] == name).unwrap().clone();
    let create = tool("variables_create");
    assert_eq!(create["inputSchema"]["additionalProperties"], false);
    assert_eq!(create["annotations"]["readOnlyHint"], false);
    let needed = create["inputSchema"]["required"].as_array().unwrap();
    assert!(needed.contains(&json!("name")) && needed.contains(&json!("value")), "{create}");
    assert_eq!(tool("variables_list")["annotations"]["readOnlyHint"], true);
    assert_eq!(tool("variables_delete")["annotations"]["destructiveHint"], true);
    // Nobody else learns what there is.
    site.anonymous().get("/api/mcp/tools").await.problem(401, "unauthenticated");
    let other = site.tenant().await;
    other.admin.get(format!("/api/mcp/tools?organizationId={}", tenant.id)).await.problem(404, "not-found");
    // A right that is taken away is gone from the next list on, and from the next call.
    tenant.revoke(&key.id).await;
    key.get("/api/mcp/tools").await.problem(401, "unauthenticated");
}

async fn a_tool_is_its_operation_with_its_checks_and_its_events(store: Store) {
    let site = Site::shared(store).await;
    let tenant = site.tenant().await;
    let [viewer] = tenant.members(["viewer"]).await;
    let environment = tenant.environment("lab").await["id"].clone();
    let new = json!({"organizationId": tenant.id, "environmentId": environment, "name": "FROM_A_TOOL", "value": "canary-value"});
    let (answer, events) = added(&tenant, async {
        tenant.admin.post("/api/mcp/tools/call", json!({"name": "variables_create", "arguments": new})).await
    })
    .await;
    let made = answer.ok();
    assert_eq!(made["isError"], false, "{made}");
    assert!(!made.to_string().contains("canary-value"));
    let made = made["structuredContent"].clone();
    assert_eq!((&made["name"], &made["version"]), (&json!("FROM_A_TOOL"), &json!(1)));
    assert_eq!(events.len(), 1, "{events:?}");
    assert_eq!(
        (&events[0]["action"], events[0]["requestId"].as_str()),
        (&json!("variable.created"), answer.header("x-request-id"))
    );
    // The same resource as by its own address.
    let id = made["id"].as_str().unwrap();
    let direct = tenant.admin.get(format!("/api/variables/{id}")).await.ok();
    assert_eq!(direct, called(&tenant.admin, "variables_get", json!({"variableId": id})).await);
    let listed = called(&tenant.admin, "variables_list", json!({"organizationId": tenant.id, "limit": 1})).await;
    assert_eq!(listed["items"].as_array().unwrap().len(), 1);
    // Preconditions, and a right that lacks.
    refused(
        &tenant.admin,
        "variables_update",
        json!({"variableId": id, "name": "OTHER", "ifVersion": 7}),
        412,
        "precondition-failed",
    )
    .await;
    let renamed =
        called(&tenant.admin, "variables_update", json!({"variableId": id, "name": "OTHER", "ifVersion": 1})).await;
    assert_eq!(renamed["name"], "OTHER");
    let lacking =
        assert_unchanged(&tenant, refused(&viewer, "variables_delete", json!({"variableId": id}), 403, "forbidden"))
            .await;
    assert_eq!(lacking["permission"], "variables:delete");
    // A retry is answered with the first answer.
    let invite =
        json!({"email": format!("by.tool.{}@example.org", unique()), "role": "viewer", "idempotencyKey": unique()});
    let first = called(&tenant.admin, "members_invite", invite.clone()).await;
    assert_eq!(first["id"], called(&tenant.admin, "members_invite", invite).await["id"]);
    // What would break something is refused with its impact, and done once that is confirmed.
    let key = tenant.key(&["workspace:read"]).await;
    key.get("/workspace").await.ok();
    crate::support::eventually("a key that was used", async || {
        let keys = tenant.admin.get(tenant.path("/workspace/api-keys")).await.ok();
        keys["items"].as_array().unwrap().iter().any(|k| k["lastUsedAt"].is_string()).then_some(())
    })
    .await;
    let revoke = json!({"keyId": key.id});
    let impact = refused(&tenant.admin, "api_keys_revoke", revoke, 428, "confirmation-required").await;
    let confirmed = json!({"keyId": key.id, "confirm": impact["impactDigest"]});
    assert_eq!(called(&tenant.admin, "api_keys_revoke", confirmed).await, Value::Null);
    key.get("/workspace").await.problem(401, "unauthenticated");
}

async fn a_call_that_is_wrong_is_told_so_after_its_right_was_asked(store: Store) {
    let site = Site::shared(store).await;
    let (tenant, other) = (site.tenant().await, site.tenant().await);
    let [viewer] = tenant.members(["viewer"]).await;
    let call = |name: &str| json!({"name": name, "arguments": {}});
    for none in ["variables_explode", "secrets_reveal", "mcp_call", "", "variables_list "] {
        let problem = tenant.admin.post("/api/mcp/tools/call", call(none)).await.problem(422, "validation-failed");
        assert_eq!(problem["errors"][0]["pointer"], "/name", "{problem}");
    }
    let bad = json!({"name": "variables_list", "arguments": []});
    tenant.admin.post("/api/mcp/tools/call", bad).await.problem(422, "validation-failed");
    let twice = tenant.admin.send("POST", "/api/mcp/tools/call");
    let twice = twice.body("application/json", br#"{"name":"roles_list","arguments":{"a":1,"a":2}}"#.to_vec());
    twice.await.problem(400, "malformed-request");
    site.anonymous().post("/api/mcp/tools/call", call("roles_list")).await.problem(401, "unauthenticated");
    // Every fault at once, of the address and of the body.
    let wrong = json!({"userId": ["x"], "shoe": 1, "size": 2});
    let problem = refused(&tenant.admin, "members_get", wrong.clone(), 422, "validation-failed").await;
    let mut pointers: Vec<_> =
        problem["errors"].as_array().unwrap().iter().map(|e| e["pointer"].as_str().unwrap()).collect();
    pointers.sort_unstable();
    assert_eq!(pointers, ["/shoe", "/size", "/userId"]);
    refused(&tenant.admin, "members_get", json!({}), 422, "validation-failed").await;
    // Who may not call learns nothing about arguments, and who may not know of a workspace nothing about it.
    refused(&viewer, "members_get", wrong, 403, "forbidden").await;
    let foreign = json!({"organizationId": tenant.id, "nonsense": true});
    refused(&other.admin, "variables_list", foreign, 404, "not-found").await;
    refused(&other.admin, "variables_list", json!({"organizationId": tenant.id}), 404, "not-found").await;
    // A path that an argument would lead elsewhere leads nowhere.
    refused(&tenant.admin, "members_get", json!({"userId": "../../audit/events"}), 404, "not-found").await;
    // Nobody's tool is a key's.
    refused(&tenant.admin, "api_keys_verify", json!({}), 401, "unauthenticated").await;
}

async fn no_tool_shows_a_value(store: Store) {
    let site = Site::shared(store).await;
    let tenant = site.tenant().await;
    let made = Values::of(&tenant).await;
    let key = tenant.key(&["workspace:read", "secrets:read"]).await;
    let ids = json!({"variableId": made.variable, "secretId": made.secret, "modelId": made.model, "modelIntegrationId": made.model,
        "keyId": key.id, "organizationId": tenant.id, "action": "variables:read"});
    for caller in [&*tenant.admin, &*key] {
        let listed = caller.get("/api/mcp/tools").await.ok();
        let mut read = 0;
        for tool in listed["tools"].as_array().unwrap() {
            if tool["annotations"]["readOnlyHint"] != true {
                continue;
            }
            let takes = tool["inputSchema"]["properties"].as_object().unwrap();
            let arguments = ids.as_object().unwrap().iter().filter(|(name, _)| takes.contains_key(*name));
            let arguments: serde_json::Map<_, _> = arguments.map(|(n, v)| (n.clone(), v.clone())).collect();
            let body = json!({"name": tool["name"], "arguments": arguments});
            let answer = caller.post("/api/mcp/tools/call", body).await;
            answer.ok();
            let text = answer.text();
            for value in ["a kept value", "a kept token"] {
                assert!(!text.contains(value), "{} shows {value}", tool["name"]);
            }
            assert!(!text.contains(&key.value), "{}", tool["name"]);
            read += 1;
        }
        assert!(read > 3, "{read} tools were looked at");
    }
}

/// The official client with our program as its server.
struct Client {
    child: Child,
    lines: BufReader<ChildStdout>,
}

impl Client {
    fn start(tenant: &Tenant, mode: &str, credential: (&str, &str)) -> (Self, Value) {
        let program = tenant.site.home.command(&[]);
        let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../crates/settings-testkit/peers/mcp_client.py");
        let python = peers::python(env!("CARGO_TARGET_TMPDIR"), peers::MCP).unwrap();
        let mut command = Command::new(python);
        command.arg(script).arg(mode).arg(program.get_program()).arg("mcp").env_clear();
        command.env("PATH", std::env::var("PATH").unwrap()).env(credential.0, credential.1);
        command.env("SETTINGS_URL", format!("http://{}", tenant.site.address())).env("RUST_LOG", "warn");
        let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
        let mut client = Self { lines: BufReader::new(child.stdout.take().unwrap()), child };
        let hello = client.line();
        (client, hello)
    }
    fn line(&mut self) -> Value {
        let mut line = String::new();
        self.lines.read_line(&mut line).unwrap();
        serde_json::from_str(&line).unwrap_or_else(|e| panic!("{line}: {e}"))
    }
    fn ask(&mut self, what: &Value) -> Value {
        writeln!(self.child.stdin.as_mut().unwrap(), "{what}").unwrap();
        self.line()
    }
    fn call(&mut self, name: &str, arguments: &Value) -> Value {
        self.ask(&json!({"call": name, "with": arguments}))
    }
}

impl Drop for Client {
    fn drop(&mut self) {
        drop(self.child.stdin.take());
        let _ = self.child.wait();
    }
}

async fn the_official_client_works_with_a_running_service(store: Store) {
    let site = Site::shared(store).await;
    let tenant = site.tenant().await;
    let key = tenant.key(&["workspace:read", "workspace:write"]).await;
    let work = |mode: &str, protocol: &str| {
        let (mut client, hello) = Client::start(&tenant, mode, ("SETTINGS_API_KEY", &key.value));
        assert_eq!((&hello["protocol"], &hello["server"]), (&json!(protocol), &json!("settings")));
        let names: BTreeSet<_> = client.ask(&json!({"list": true}))["tools"]
            .as_array()
            .unwrap()
            .iter()
            .map(|t| t["name"].clone().to_string())
            .collect();
        assert!(names.contains("\"workspaces_update\"") && !names.contains("\"members_list\""), "{names:?}");
        let read = client.call("workspaces_get", &json!({}));
        assert_eq!(read["result"]["structuredContent"]["slug"], tenant.slug.as_str(), "{read}");
        let name = format!("Named by {mode}");
        let told = client.call("workspaces_update", &json!({"name": name}));
        assert_eq!(told["result"]["structuredContent"]["name"], name.as_str(), "{told}");
        // A problem is an answer that a model can read; a tool that there is none is an error of the protocol.
        let lacking = client.call("members_list", &json!({}));
        assert_eq!(lacking["result"]["isError"], true, "{lacking}");
        assert!(lacking["result"]["content"][0]["text"].as_str().unwrap().contains("session-required"), "{lacking}");
        assert_eq!(client.call("secrets_reveal", &json!({}))["error"]["code"], -32602);
        client
    };
    let (mut present, mut legacy) =
        tokio::task::block_in_place(|| (work("auto", "2026-07-28"), work("legacy", "2025-11-25")));
    assert_eq!(tenant.workspace().await["name"], "Named by legacy");
    // A right that is taken away is gone from the very next call on, though both are still running.
    tenant.revoke(&key.id).await;
    tokio::task::block_in_place(|| {
        for client in [&mut present, &mut legacy] {
            let after = client.call("workspaces_get", &json!({}));
            assert_eq!(after["result"]["isError"], true, "{after}");
            assert!(after["result"]["content"][0]["text"].as_str().unwrap().contains("unauthenticated"), "{after}");
            assert!(client.ask(&json!({"list": true}))["error"]["message"].as_str().unwrap().contains("Not signed in"));
        }
    });
    // Somebody has to be somebody, and a credential does not leave this machine in the clear.
    for (env, word) in [
        (&[][..], "SETTINGS_API_KEY or SETTINGS_TOKEN"),
        (&[("SETTINGS_API_KEY", Some("k")), ("SETTINGS_TOKEN", Some("t"))], "not both"),
        (&[("SETTINGS_API_KEY", Some("k")), ("SETTINGS_URL", Some("http://settings.example.org"))], "SETTINGS_URL"),
    ] {
        let refused = site.home.run(&["mcp"], env);
        let text = String::from_utf8_lossy(&refused.stderr).into_owned();
        assert_eq!((refused.status.code(), text.contains(word)), (Some(2), true), "{text}");
    }
}
