//! Pages: complete, in order, and opened by their own cursors only.
use crate::support::{Site, Store, Tenant, Value, json, on_both_stores, unique};

on_both_stores!(
    pages_together_are_the_whole_list_once,
    a_cursor_opens_its_own_list_filter_and_tenant_only,
    a_limit_is_from_one_to_a_hundred,
    a_search_takes_its_text_literally,
);

async fn filled(site: &Site) -> Tenant {
    let tenant = site.tenant().await;
    for n in 0..5 {
        tenant.invite(&format!("p{n}.{}@example.org", unique()), "viewer").await;
        tenant.key(&["runs:read"]).await;
    }
    tenant
}

const LISTS: [&str; 4] = ["/workspace/members", "/workspace/invitations", "/workspace/api-keys", "/audit/events"];

async fn pages_together_are_the_whole_list_once(store: Store) {
    let site = Site::shared(store).await;
    let tenant = filled(&site).await;
    tenant.members(["viewer", "viewer"]).await;
    for path in LISTS {
        let whole = tenant.admin.get(tenant.path(&format!("{path}?limit=100"))).await.ok();
        let whole = whole["items"].as_array().unwrap();
        assert!(whole.len() >= 3, "{path}");
        for limit in [1, 2, whole.len() - 1, whole.len()] {
            let (mut pages, mut cursor) = (Vec::<Value>::new(), String::new());
            loop {
                let page = tenant.admin.get(tenant.path(&format!("{path}?limit={limit}{cursor}"))).await.ok();
                let items = page["items"].as_array().unwrap();
                assert!((1..=limit).contains(&items.len()), "{path} by {limit}: {}", items.len());
                pages.extend(items.iter().cloned());
                match page["nextCursor"].as_str() {
                    Some(next) => cursor = format!("&cursor={next}"),
                    None => break,
                }
            }
            let ids = |list: &[Value]| -> Vec<Value> {
                list.iter().map(|v| v.get("userId").or(v.get("id")).unwrap().clone()).collect()
            };
            assert_eq!(ids(&pages), ids(whole), "{path} by {limit}");
        }
    }
    let seqs: Vec<_> = tenant.admin.get(tenant.path("/audit/events")).await.ok()["items"]
        .as_array()
        .unwrap()
        .iter()
        .map(|e| e["seq"].as_i64().unwrap())
        .collect();
    assert!(seqs.windows(2).all(|w| w[0] == w[1] + 1), "newest first: {seqs:?}");
    let platform = site.platform().get("/api/organizations?limit=1").await.ok();
    assert_eq!(platform["items"].as_array().unwrap().len(), 1);
}

async fn a_cursor_opens_its_own_list_filter_and_tenant_only(store: Store) {
    let site = Site::shared(store).await;
    let (a, b) = tokio::join!(filled(&site), filled(&site));
    for tenant in [&a, &b] {
        tenant.members(["viewer", "viewer"]).await;
    }
    let cursor = async |tenant: &Tenant, path: &str| {
        let page = tenant.admin.get(tenant.path(&format!("{path}limit=1"))).await.ok();
        page["nextCursor"].as_str().unwrap_or_else(|| panic!("{path} has one page only")).to_owned()
    };
    let filters = [
        ("/workspace/members?", "/workspace/members?q=example&"),
        ("/workspace/members?role=viewer&", "/workspace/members?role=admin&"),
        ("/workspace/invitations?", "/workspace/api-keys?"),
        ("/workspace/api-keys?", "/workspace/api-keys?creator=departed&"),
        ("/audit/events?", "/audit/events?risk=low&"),
        ("/audit/events?action=api_key.created&", "/audit/events?action=member.invited&"),
        ("/audit/events?", "/workspace/invitations?"),
    ];
    for (list, other) in filters {
        let good = cursor(&a, list).await;
        a.admin.get(a.path(&format!("{list}limit=1&cursor={good}"))).await.ok();
        let refused = async |path: String| {
            a.admin.get(&path).await.problem(400, "invalid-cursor");
        };
        refused(a.path(&format!("{other}cursor={good}"))).await;
        refused(a.path(&format!("{list}cursor={}", cursor(&b, list).await))).await;
        refused(a.path(&format!("{list}cursor="))).await;
        refused(a.path(&format!("{list}cursor={}", &good[..good.len() - 4]))).await;
        refused(a.path(&format!("{list}cursor={good}AAAA"))).await;
        refused(a.path(&format!("{list}cursor={}", "A".repeat(good.len())))).await;
        refused(a.path(&format!("{list}cursor={}", "A".repeat(4000)))).await;
        // One bit in each part of it: version, nonce, text, tag.
        for at in [0, good.len() / 4, good.len() / 2, good.len() - 2] {
            let mut flipped = good.clone().into_bytes();
            flipped[at] = if flipped[at] == b'A' { b'B' } else { b'A' };
            refused(a.path(&format!("{list}cursor={}", String::from_utf8(flipped).unwrap()))).await;
        }
        let twice = a.path(&format!("{list}cursor={good}&cursor={good}"));
        a.admin.get(twice).await.problem(400, "malformed-request");
    }
    // The list of organizations is somebody's own.
    let all = site.platform().get("/api/organizations?limit=1").await.ok();
    let all = all["nextCursor"].as_str().unwrap();
    a.admin.get(format!("/api/organizations?cursor={all}")).await.problem(400, "invalid-cursor");
}

async fn a_limit_is_from_one_to_a_hundred(store: Store) {
    let site = Site::shared(store).await;
    let tenant = site.tenant().await;
    for path in LISTS {
        for bad in ["0", "-1", "101", "1000000000", "abc", "1.5", "%31%30%31", "99999999999999999999", ""] {
            let answer = tenant.admin.get(tenant.path(&format!("{path}?limit={bad}"))).await;
            assert_eq!(answer.faults(), ["/limit"], "{path} {bad}");
        }
        for good in ["1", "100"] {
            tenant.admin.get(tenant.path(&format!("{path}?limit={good}"))).await.ok();
        }
        for odd in ["sort=name;drop", "limit=1&limit=2", "offset=1", "__proto__=1"] {
            let answer = tenant.admin.get(tenant.path(&format!("{path}?{odd}"))).await;
            answer.problem(400, "malformed-request");
        }
    }
}

async fn a_search_takes_its_text_literally(store: Store) {
    let site = Site::shared(store).await;
    let tenant = site.tenant().await;
    let odd = crate::support::tenant::Person {
        name: r"Per%cent _under\back O'Quote".to_owned(),
        ..crate::support::tenant::Person::new("odd")
    };
    tenant.invite(&odd.email, "viewer").await;
    tenant.joins(odd.clone()).await;
    let found = async |q: &str| {
        let q: String = url::form_urlencoded::byte_serialize(q.as_bytes()).collect();
        tenant.admin.get(tenant.path(&format!("/workspace/members?q={q}"))).await.ok()["items"]
            .as_array()
            .unwrap()
            .len()
    };
    for (q, want) in [
        ("", 2),
        ("%", 1),
        ("r%c", 1),
        ("_", 1),
        ("_under", 1),
        ("\\", 1),
        (r"\b", 1),
        ("'", 1),
        ("' OR 1=1 --", 0),
        ("per%", 1),
        ("p_r", 0),
        ("PER%CENT", 1),
        ("!", 0),
        ("@EXAMPLE.org", 2),
        ("Of-Tests", 1),
        ("no such", 0),
        (".*", 0),
    ] {
        assert_eq!(found(q).await, want, "q={q}");
    }
    let long = "x".repeat(201);
    assert_eq!(tenant.admin.get(tenant.path(&format!("/workspace/members?q={long}"))).await.faults(), ["/q"]);
    tenant.admin.get(tenant.path("/workspace/members?q=a%00b")).await.problem(400, "malformed-request");
    assert_eq!(tenant.admin.get(tenant.path("/workspace/members?role=user")).await.faults(), ["/role"]);
    assert_eq!(tenant.admin.get(tenant.org("/members?role=editor")).await.faults(), ["/role"]);
    let admins = tenant.admin.get(tenant.path("/workspace/members?role=admin")).await.ok();
    assert_eq!(admins["items"].as_array().unwrap().len(), 1);
    assert_eq!(admins["items"][0]["userId"], json!(tenant.admin.id));
}
