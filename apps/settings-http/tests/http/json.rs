//! Bodies: one clean object or none at all, and every fault of it at once.
use crate::support::{Answer, Site, Store, Tenant, Value, assert_unchanged, client::Call, json, on_both_stores, raw};

on_both_stores!(
    a_body_is_one_clean_json_object,
    every_fault_is_reported_at_once_with_its_pointer,
    nobody_sets_what_is_not_theirs_to_set,
    a_body_has_its_media_type_and_no_other,
    a_body_is_at_most_256_kib,
);

fn put(tenant: &Tenant, body: impl Into<Vec<u8>>) -> Call {
    tenant.admin.send("PUT", &tenant.path("/workspace")).body("application/json", body)
}

async fn a_body_is_one_clean_json_object(store: Store) {
    let site = Site::shared(store).await;
    let tenant = site.tenant().await;
    assert_unchanged(&tenant, async {
        let deep = format!("{{\"name\":{}{}}}", "[".repeat(200), "]".repeat(200));
        let malformed: Vec<(&str, Vec<u8>)> = vec![
            ("nothing", vec![]),
            ("a cut-off object", b"{\"name\":\"x\"".to_vec()),
            ("a byte order mark", b"\xef\xbb\xbf{\"name\":\"x\"}".to_vec()),
            ("trailing garbage", b"{\"name\":\"x\"}x".to_vec()),
            ("two documents", b"{\"name\":\"x\"}{\"name\":\"y\"}".to_vec()),
            ("a comment", b"{/*c*/\"name\":\"x\"}".to_vec()),
            ("a trailing comma", b"{\"name\":\"x\",}".to_vec()),
            ("single quotes", b"{'name':'x'}".to_vec()),
            ("NaN", b"{\"seatLimit\":NaN}".to_vec()),
            ("an endless number", b"{\"seatLimit\":1e999}".to_vec()),
            ("a hexadecimal number", b"{\"seatLimit\":0x10}".to_vec()),
            ("a number with a plus", b"{\"seatLimit\":+10}".to_vec()),
            ("a leading zero", b"{\"seatLimit\":010}".to_vec()),
            ("bytes that are not UTF-8", b"{\"name\":\"\xff\xfe\"}".to_vec()),
            ("UTF-16", b"{\0\"\0n\0\"\0:\0\"\0x\0\"\0}\0".to_vec()),
            ("a lone surrogate", br#"{"name":"\ud800"}"#.to_vec()),
            ("a lone low surrogate", br#"{"name":"\udc00x"}"#.to_vec()),
            ("a raw control character", b"{\"name\":\"a\nb\"}".to_vec()),
            ("a member twice", br#"{"name":"x","name":"y"}"#.to_vec()),
            ("an unknown member twice", br#"{"a":1,"a":1}"#.to_vec()),
            ("a nested member twice", br#"{"name":{"a":1,"a":2}}"#.to_vec()),
            ("a member twice by escape", br#"{"name":"x","n\u0061me":"y"}"#.to_vec()),
            ("200 levels", deep.into_bytes()),
            ("many brackets", b"[".repeat(100_000)),
        ];
        for (what, body) in malformed {
            let answer = put(&tenant, body).await;
            assert_eq!(answer.kind(), "400 malformed-request", "{what}");
            assert!(!answer.text().contains("expected"), "{what}: the parser speaks: {}", answer.text());
        }
        for other in ["[]", "[\"name\",30]", "[{\"name\":\"x\"}]", "null", "true", "3", "\"name\"", " [ ] "] {
            assert_eq!(put(&tenant, other).await.faults(), [""], "{other}");
        }
        for (body, pointer) in [
            (r#"{"name":"a\u0000b"}"#, "/name"),
            (r#"{"name":null}"#, "/name"),
            (r#"{"name":7}"#, "/name"),
            (r#"{"name":["x"]}"#, "/name"),
            (r#"{"name":{"a":"b"}}"#, "/name"),
            (r#"{"seatLimit":"25"}"#, "/seatLimit"),
            (r#"{"seatLimit":25.5}"#, "/seatLimit"),
            (r#"{"seatLimit":9007199254740993}"#, "/seatLimit"),
            (r#"{"seatLimit":99999999999999999999}"#, "/seatLimit"),
            (r#"{"seatLimit":-0}"#, "/seatLimit"),
            (r#"{"seatLimit":true}"#, "/seatLimit"),
            (r#"{"seatLimit":null}"#, "/seatLimit"),
        ] {
            assert_eq!(put(&tenant, body).await.faults(), [pointer], "{body}");
        }
    })
    .await;
    // What JSON Schema calls an integer is one, and escapes are the characters they stand for.
    assert_eq!(put(&tenant, r#" {"seatLimit": 3e1} "#).await.ok()["seatLimit"], 30);
    assert_eq!(put(&tenant, r#"{"seatLimit":31.0}"#).await.ok()["seatLimit"], 31);
    assert_eq!(put(&tenant, r#"{"n\u0061me":"\ud83d\ude80 \u00e9"}"#).await.ok()["name"], "🚀 é");
}

async fn every_fault_is_reported_at_once_with_its_pointer(store: Store) {
    let site = Site::shared(store).await;
    let tenant = site.tenant().await;
    let admin = &tenant.admin;
    assert_unchanged(&tenant, async {
        let body =
            json!({"name": " ", "dataRetentionDays": 0, "seatLimit": "x", "defaultRegion": "?", "plan": 1, "a/b~c": 2});
        let want = ["/a~1b~0c", "/dataRetentionDays", "/defaultRegion", "/name", "/plan", "/seatLimit"];
        assert_eq!(admin.put(tenant.path("/workspace"), body).await.faults(), want);
        assert_eq!(admin.post(tenant.path("/workspace/members"), json!({})).await.faults(), ["/email", "/role"]);
        let body = json!({"email": "nobody", "role": "owner", "status": "active", "userId": admin.id});
        let want = ["/email", "/role", "/status", "/userId"];
        assert_eq!(admin.post(tenant.path("/workspace/members"), body).await.faults(), want);
        let body = json!({"scopes": ["runs:read", "*", "runs:read", 7], "expiresAt": "soon", "id": "x"});
        let want = ["/expiresAt", "/id", "/name", "/scopes/1", "/scopes/2", "/scopes/3"];
        assert_eq!(admin.post(tenant.path("/workspace/api-keys"), body).await.faults(), want);
        // A good member beside a bad one is no fault.
        let body = json!({"scopes": ["runs:read"], "expiresAt": "2099-01-01T00:00:00Z"});
        assert_eq!(admin.post(tenant.path("/workspace/api-keys"), body).await.faults(), ["/name"]);
        let body = json!({"environments": [{"name": "Production", "tier": "prod"}, 7, {"x": 1}], "y": 2});
        let want = [
            "/environments/0/name",
            "/environments/0/tier",
            "/environments/1",
            "/environments/2/name",
            "/environments/2/tier",
            "/environments/2/x",
            "/y",
        ];
        assert_eq!(admin.put(tenant.path("/workspace/environments"), body).await.faults(), want);
        let body =
            json!({"name": "", "slug": "A", "adminEmail": "x", "seatLimit": 0, "complianceFloorDays": 9999, "z": 1});
        let want = ["/adminEmail", "/complianceFloorDays", "/name", "/seatLimit", "/slug", "/z"];
        assert_eq!(site.platform().post("/api/organizations", body).await.faults(), want);
    })
    .await;
}

async fn nobody_sets_what_is_not_theirs_to_set(store: Store) {
    let site = Site::shared(store).await;
    let tenant = site.tenant().await;
    let admin = &tenant.admin;
    let [member] = tenant.members(["viewer"]).await;
    assert_unchanged(&tenant, async {
        let refused =
            async |answer: Answer, member: &str| assert_eq!(answer.faults(), [format!("/{member}")], "{}", answer.what);
        for field in [
            "id",
            "createdAt",
            "updatedAt",
            "version",
            "seatsUsed",
            "complianceFloorDays",
            "plan",
            "stripeCustomerId",
            "ownerId",
            "workspaceId",
            "__proto__",
            "constructor",
            "Name",
            "NAME",
            "n\u{0430}me",
            "name ",
            "",
        ] {
            refused(admin.put(tenant.path("/workspace"), json!({field: 1})).await, field).await;
        }
        let invite = |field: &str| json!({"email": "new@example.org", "role": "viewer", field: "x"});
        for field in ["status", "invitedBy", "userId", "expiresAt", "id", "emailStatus", "token", "rol\u{0435}"] {
            refused(admin.post(tenant.path("/workspace/members"), invite(field)).await, field).await;
        }
        let path = tenant.path(&format!("/workspace/members/{}", member.id));
        for field in ["email", "workspaceId", "permissions", "name", "version", "reason", "joinedAt"] {
            refused(admin.put(&path, json!({"role": "editor", field: "x"})).await, field).await;
        }
        let key = |field: &str| json!({"name": "k", "scopes": ["runs:read"], field: "x"});
        for field in ["createdBy", "key", "prefix", "workspaceId", "status", "lastUsedAt", "role"] {
            refused(admin.post(tenant.path("/workspace/api-keys"), key(field)).await, field).await;
        }
        let query = format!("?organizationId={}", tenant.id);
        let environment = |field: &str| json!({"name": "e", "tier": "staging", field: "x"});
        for field in ["protected", "variables", "version", "workspaceId", "id"] {
            refused(admin.post(format!("/api/environments{query}"), environment(field)).await, field).await;
        }
        // Calls without a body take none, or an empty object.
        let delete = admin.delete(&path).json(&json!({"force": true})).await;
        refused(delete, "force").await;
        // What overrides methods elsewhere does nothing here.
        admin
            .send("POST", &path)
            .header("x-http-method-override", "PUT")
            .json(&json!({"role": "admin"}))
            .await
            .problem(405, "method-not-allowed");
        admin.get(format!("{path}?_method=DELETE")).header("x-method-override", "DELETE").await.ok();
    })
    .await;
    let path = tenant.path(&format!("/workspace/members/{}", member.id));
    admin.delete(&path).json(&json!({})).await.ok();
}

async fn a_body_has_its_media_type_and_no_other(store: Store) {
    let site = Site::shared(store).await;
    let tenant = site.tenant().await;
    let good = r#"{"seatLimit":26}"#;
    let with = |media: &str| tenant.admin.send("PUT", &tenant.path("/workspace")).body(media, good);
    assert_unchanged(&tenant, async {
        for media in [
            "text/plain",
            "application/x-www-form-urlencoded",
            "multipart/form-data; boundary=x",
            "application/xml",
            "application/json-patch+json",
            "application/jsonx",
            "text/json",
            "application/json; charset=utf-16",
            "application/json; charset=latin1",
            "application/json, text/plain",
            "json",
            "*/*",
            "",
        ] {
            with(media).await.problem(415, "unsupported-media-type");
        }
        let path = tenant.path("/workspace");
        tenant.admin.send("PUT", &path).await.problem(415, "unsupported-media-type");
        for encoding in ["gzip", "deflate", "br", "zstd", "gzip, identity", "x"] {
            with("application/json").header("content-encoding", encoding).await.problem(415, "unsupported-media-type");
        }
        // A bomb of 1 MiB of zeros in a kilobyte is refused by its name, not unpacked.
        let bomb = [0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 0, 3].repeat(50);
        let call = tenant.admin.send("PUT", &path).body("application/json", bomb).header("content-encoding", "gzip");
        call.await.problem(415, "unsupported-media-type");
        let two = with("application/json").header("content-type", "text/plain").await;
        assert!([400, 415].contains(&two.status), "two media types: {}", two.text());
    })
    .await;
    for media in [
        "application/json",
        "Application/JSON",
        "application/json;charset=UTF-8",
        "application/json; charset=\"utf-8\"",
    ] {
        with(media).await.ok();
    }
    with("application/json").header("content-encoding", "identity").await.ok();
    with("application/json").header("accept", "text/xml").await.ok();
}

async fn a_body_is_at_most_256_kib(store: Store) {
    const MOST: usize = 256 * 1024;
    let site = Site::shared(store).await;
    let tenant = site.tenant().await;
    let body = |size: usize| {
        let object = br#"{"seatLimit":27}"#;
        let mut body = vec![b' '; size - object.len()];
        body.extend_from_slice(object);
        body
    };
    put(&tenant, body(MOST - 1)).await.ok();
    put(&tenant, body(MOST)).await.ok();
    let chunked = |payload: &[u8]| {
        let (name, value) = tenant.admin.credential_header();
        let path = tenant.path("/workspace");
        let mut request = format!("PUT {path} HTTP/1.1\r\nhost: x\r\n{name}: {value}\r\ncontent-type: application/json\r\ntransfer-encoding: chunked\r\n\r\n").into_bytes();
        for chunk in payload.chunks(64 * 1024) {
            request.extend(format!("{:x}\r\n", chunk.len()).bytes());
            request.extend_from_slice(chunk);
            request.extend_from_slice(b"\r\n");
        }
        request.extend_from_slice(b"0\r\n\r\n");
        raw::exchange(site.address(), request)
    };
    assert_eq!(chunked(&body(MOST)).await.unwrap().status, 200);
    assert_unchanged(&tenant, async {
        put(&tenant, body(MOST + 1)).await.problem(413, "payload-too-large");
        // Without a length that could be refused up front.
        let answer = chunked(&body(MOST + 1)).await.unwrap();
        answer.answer("a chunked body").problem(413, "payload-too-large");
        let member = tenant.path(&format!("/workspace/members/{}", tenant.admin.id));
        let reason = json!({"role": "viewer", "reason": "x".repeat(1024 * 1024)});
        let answer: Value = tenant.admin.put(member, reason).await.problem(413, "payload-too-large");
        assert_eq!(answer["title"], "Body too large");
    })
    .await;
}
