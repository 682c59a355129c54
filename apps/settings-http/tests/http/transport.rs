//! HTTP itself: methods, limits, odd requests, request ids. Much of it by bytes over TCP, since no client would send it.
use crate::support::{Answer, Site, Store, Tenant, assert_unchanged, eventually, json, on_both_stores, raw};
use std::time::{Duration, Instant};

on_both_stores!(
    a_method_that_is_not_offered_is_refused,
    a_head_is_a_get_without_its_body,
    a_path_that_is_no_id_names_nothing,
    requests_beyond_the_limits_are_refused,
    requests_that_could_be_read_in_two_ways_are_refused,
    a_slow_request_does_not_hold_its_connection,
    a_request_id_is_taken_or_made_and_always_given_back,
    whoever_is_not_signed_in_learns_no_path,
);

/// A request by bytes, its head lines included.
async fn lines(site: &Site, text: String) -> Option<raw::Raw> {
    raw::exchange(site.address(), text).await
}

async fn a_method_that_is_not_offered_is_refused(store: Store) {
    let site = Site::shared(store).await;
    let tenant = site.tenant().await;
    let admin = &tenant.admin;
    let document = site.anonymous().get("/openapi.json").await.has(200).json();
    assert_unchanged(&tenant, async {
        for (path, item) in document["paths"].as_object().unwrap() {
            let offered = item.as_object().unwrap();
            let place = path
                .replace("{slug}", &tenant.slug)
                .replace("{organizationId}", &tenant.id)
                .replace("{userId}", &admin.id)
                .replace("{token}", "x");
            let place = place.split('/').map(|p| if p.starts_with('{') { tenant.id.as_str() } else { p });
            let place = place.collect::<Vec<_>>().join("/");
            for method in
                ["GET", "POST", "PUT", "PATCH", "DELETE", "HEAD", "OPTIONS", "TRACE", "PROPFIND", "QUERY", "get"]
            {
                let word = method.to_lowercase();
                if offered.contains_key(&word) && method != "get" || (method == "HEAD" && offered.contains_key("get")) {
                    continue;
                }
                let answer = admin.send(method, &place).await;
                if method == "HEAD" {
                    assert_eq!((answer.status, answer.body.len()), (405, 0), "{}", answer.what);
                } else {
                    answer.problem(405, "method-not-allowed");
                }
                let allow = answer.header("allow").unwrap_or_else(|| panic!("{}: no Allow header", answer.what));
                for method in offered.keys() {
                    assert!(
                        allow.split(',').any(|m| m.trim().eq_ignore_ascii_case(method)),
                        "{}: {allow}",
                        answer.what
                    );
                }
            }
        }
    })
    .await;
    for path in
        ["/healthz", "/readyz", "/metrics", "/openapi.json", "/docs", "/problems", "/problems/conflict", "/dev/mailbox"]
    {
        for method in ["POST", "TRACE", "DELETE"] {
            site.anonymous().send(method, path).await.problem(405, "method-not-allowed");
        }
        let cross = site.anonymous().send("OPTIONS", path).header("origin", "https://evil.example").await;
        assert!(cross.headers.keys().all(|h| !h.as_str().starts_with("access-control")), "{cross:?}");
    }
}

async fn a_head_is_a_get_without_its_body(store: Store) {
    let site = Site::shared(store).await;
    let tenant = site.tenant().await;
    for path in ["/workspace", "/workspace/environments", "/audit/verify"] {
        let (get, head) =
            (tenant.admin.get(tenant.path(path)).await, tenant.admin.send("HEAD", &tenant.path(path)).await);
        assert_eq!((get.status, head.status), (200, 200));
        assert!(head.body.is_empty());
        for header in ["content-type", "etag", "cache-control"] {
            assert_eq!(get.header(header), head.header(header), "{header} of {path}");
        }
    }
    let refused = site.anonymous().send("HEAD", "/workspace").await;
    assert_eq!((refused.status, refused.body.len()), (401, 0));
}

async fn a_path_that_is_no_id_names_nothing(store: Store) {
    let site = Site::shared(store).await;
    let tenant = site.tenant().await;
    let id = tenant.admin.id.clone();
    let long = "a".repeat(300);
    let odd = [
        "%00",
        "%2F",
        "%2f..%2f",
        "%ff",
        "%c0%af",
        &long,
        "0",
        "-1",
        "null",
        "*",
        "%2a",
        "'%20OR%201=1--",
        "%25",
        &id.to_uppercase(),
        &format!("{{{id}}}"),
        &format!("%7B{id}%7D"),
        &id.replace('-', ""),
        &format!("urn:uuid:{id}"),
        &format!("%20{id}"),
        &format!("{id}%20"),
        &format!("{id}%00"),
        &format!("{id}%0a"),
        &format!("{id}/"),
        "00000000-0000-0000-0000-000000000000",
        "..",
        "%2e%2e",
        ".",
    ];
    assert_unchanged(&tenant, async {
        for odd in odd {
            for (method, place) in [
                ("GET", tenant.path("/workspace/members/{}")),
                ("DELETE", tenant.path("/workspace/members/{}")),
                ("DELETE", tenant.path("/workspace/api-keys/{}")),
                ("POST", tenant.path("/workspace/invitations/{}/resend")),
                ("DELETE", "/api/invitations/{}".to_owned()),
                ("POST", "/api/invitations/{}/accept".to_owned()),
                ("GET", "/api/environments/{}".to_owned()),
                ("GET", "/api/organizations/{}/members".to_owned()),
                ("GET", "/w/{}/workspace".to_owned()),
            ] {
                let target = place.replace("{}", odd);
                let answer = tenant.admin.to_the_letter(method, &target).await;
                answer.problem(404, "not-found");
            }
        }
        tenant.admin.get(tenant.path("/workspace/")).await.problem(404, "not-found");
        tenant.admin.get("//workspace").await.problem(404, "not-found");
        tenant.admin.get(format!("/W/{}/workspace", tenant.slug)).await.problem(404, "not-found");
        tenant.admin.get(format!("/w/{}/workspace", tenant.slug.to_uppercase())).await.problem(404, "not-found");
        for page in ["/problems/%ff", "/problems/%00", "/problems/no-such", "/invitations/%ff"] {
            let answer = site.anonymous().to_the_letter("GET", page).await;
            assert_eq!(answer.status, 404, "{page}: {}", answer.text());
            assert!(
                ["application/problem+json", "text/html; charset=utf-8"]
                    .contains(&answer.header("content-type").unwrap()),
                "{page}"
            );
        }
        site.anonymous().get("/problems/no-such").await.problem(404, "not-found");
    })
    .await;
}

async fn requests_beyond_the_limits_are_refused(store: Store) {
    let site = Site::shared(store).await;
    let tenant = site.tenant().await;
    let (name, value) = tenant.admin.credential_header();
    let get = |target: &str, more: &str| {
        format!("GET {target} HTTP/1.1\r\nhost: x\r\n{name}: {value}\r\n{more}connection: close\r\n\r\n")
    };
    let path = tenant.path("/workspace");
    let answer =
        async |text: String| -> Answer { lines(&site, text).await.expect("an answer").answer("a request of bytes") };
    let many = |n: usize| (0..n).map(|i| format!("x-h{i}: 1")).collect::<Vec<_>>().join("\r\n") + "\r\n";
    answer(get(&path, &many(90))).await.ok();
    answer(get(&path, &many(150))).await.problem(431, "headers-too-large");
    let big = |n: usize| format!("x-big: {}\r\n", "a".repeat(n));
    answer(get(&path, &big(14 * 1024))).await.ok();
    answer(get(&path, &big(20 * 1024))).await.problem(431, "headers-too-large");
    answer(get(&path, &big(100 * 1024))).await.problem(431, "headers-too-large");
    // A key of 100 KB is refused before anybody looks at it.
    let key =
        format!("GET {path} HTTP/1.1\r\nhost: x\r\nx-api-key: {}\r\nconnection: close\r\n\r\n", "k".repeat(100_000));
    answer(key).await.problem(431, "headers-too-large");
    let query = |n: usize| format!("{path}?{}", "q".repeat(n - path.len() - 1));
    answer(get(&query(8 * 1024), "")).await.ok();
    answer(get(&query(8 * 1024 + 1), "")).await.problem(414, "uri-too-long");
    answer(get(&query(60 * 1024), "")).await.problem(414, "uri-too-long");
    // Beyond this nothing is a request any more: the connection's own limit answers, in a word.
    for text in [get(&query(100 * 1024), ""), get(&path, &big(500 * 1024)), get(&path, &many(2_000))] {
        let status = lines(&site, text).await.map(|a| a.status);
        assert!(status.is_none_or(|s| [414, 431].contains(&s)), "{status:?}");
    }
    tenant.workspace().await;
}

async fn requests_that_could_be_read_in_two_ways_are_refused(store: Store) {
    let site = Site::shared(store).await;
    let tenant = site.tenant().await;
    let (name, value) = tenant.admin.credential_header();
    let path = tenant.path("/workspace");
    let head = format!("PUT {path} HTTP/1.1\r\nhost: x\r\n{name}: {value}\r\ncontent-type: application/json\r\n");
    let body = r#"{"name":"smuggled"}"#;
    let length = body.len();
    assert_unchanged(&tenant, async {
        for (what, more) in [
            ("a length and chunks", format!("content-length: {length}\r\ntransfer-encoding: chunked\r\n\r\n{body}")),
            ("two lengths", format!("content-length: {length}\r\ncontent-length: {}\r\n\r\n{body}", length + 1)),
            ("a length that is none", format!("content-length: +{length}\r\n\r\n{body}")),
            ("a negative length", format!("content-length: -1\r\n\r\n{body}")),
            ("an unknown coding", format!("transfer-encoding: xchunked\r\n\r\n{body}")),
            ("chunked, but not last", format!("transfer-encoding: chunked, gzip\r\n\r\n{body}")),
            ("a folded header", format!("x-a: 1\r\n 2\r\ncontent-length: {length}\r\n\r\n{body}")),
            ("a space before the colon", format!("content-length : {length}\r\n\r\n{body}")),
            ("a NUL in a header", format!("x-a: a\0b\r\ncontent-length: {length}\r\n\r\n{body}")),
            ("a bad chunk size", format!("transfer-encoding: chunked\r\n\r\nzz\r\n{body}\r\n0\r\n\r\n")),
        ] {
            let status = lines(&site, format!("{head}{more}")).await.map(|a| a.status);
            assert!(status.is_none_or(|s| s == 400), "{what}: {status:?}");
        }
        let hostless = format!("GET {path} HTTP/1.1\r\n{name}: {value}\r\nconnection: close\r\n\r\n");
        let answer = lines(&site, hostless).await.unwrap().answer("without a host");
        answer.problem(400, "malformed-request");
        for (what, text) in [
            (
                "two hosts",
                format!("GET {path} HTTP/1.1\r\nhost: a\r\nhost: b\r\n{name}: {value}\r\nconnection: close\r\n\r\n"),
            ),
            ("no version", format!("GET {path}\r\n\r\n")),
            ("another protocol", "\x16\x03\x01\x02\x00\x01\x00\x01\u{fc}\x03\x03".to_owned()),
            ("HTTP/3", format!("GET {path} HTTP/3.0\r\nhost: x\r\n\r\n")),
        ] {
            let status = lines(&site, text).await.map(|a| a.status);
            assert!(status.is_none_or(|s| s == 400), "{what}: {status:?}");
        }
        for (what, text) in [
            ("a relative target", "GET workspace HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n".to_owned()),
            ("an asterisk", "OPTIONS * HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n".to_owned()),
            ("a tunnel", "CONNECT x:443 HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n".to_owned()),
        ] {
            let status = lines(&site, text).await.map(|a| a.status);
            assert!(status.is_none_or(|s| [400, 404].contains(&s)), "{what}: {status:?}");
        }
    })
    .await;
}

async fn a_slow_request_does_not_hold_its_connection(store: Store) {
    let site = Site::shared(store).await;
    // The head never ends: the connection does.
    let head = async {
        let since = Instant::now();
        let answer = lines(&site, "GET /workspace HTTP/1.1\r\nhost: x\r\nx-slow: ".to_owned()).await;
        assert!(answer.is_none_or(|a| a.status == 408), "an unfinished request was answered");
        assert!(since.elapsed() < Duration::from_secs(15), "{:?}", since.elapsed());
    };
    // The body never ends: the caller is told.
    let body = async {
        let since = Instant::now();
        let text =
            "PUT /workspace HTTP/1.1\r\nhost: x\r\ncontent-type: application/json\r\ncontent-length: 100\r\n\r\n{";
        let answer = lines(&site, text.to_owned()).await.expect("an answer");
        assert!([401, 408].contains(&answer.status), "{}", answer.head);
        assert!(since.elapsed() < Duration::from_secs(20), "{:?}", since.elapsed());
    };
    tokio::join!(head, body);
    site.anonymous().get("/healthz").await.has(200);
}

async fn a_request_id_is_taken_or_made_and_always_given_back(store: Store) {
    let site = Site::shared(store).await;
    let tenant = site.tenant().await;
    let path = tenant.path("/workspace");
    let longest = "r".repeat(128);
    for good in ["abc", "trace-1_2.3:4/5+6=7@8", "0", "\"quoted\"", "<b>", "a,b;c", &longest] {
        let answer = tenant.admin.get(&path).header("x-request-id", good).await;
        assert_eq!(answer.header("x-request-id"), Some(good));
    }
    let too_long = "r".repeat(129);
    let kilobyte = "r".repeat(1024);
    for bad in ["", "a b", "a\tb", &too_long, &kilobyte, "\u{e9}"] {
        let answer = tenant.admin.get(&path).header("x-request-id", bad).await;
        let given = answer.header("x-request-id").unwrap();
        assert!(given != bad && given.parse::<uuid::Uuid>().is_ok(), "{bad:?} became {given}");
    }
    let twice = tenant.admin.get(&path).header("x-request-id", "a").header("x-request-id", "b").await;
    assert!(twice.header("x-request-id").unwrap().parse::<uuid::Uuid>().is_ok());
    let (one, other) = (tenant.admin.get(&path).await, tenant.admin.get(&path).await);
    assert_ne!(one.header("x-request-id"), other.header("x-request-id"));
    let id = format!("mine-{}", crate::support::unique());
    tenant.admin.put(&path, json!({"name": "With an id"})).header("x-request-id", &id).await.ok();
    assert_eq!(tenant.events().await.last().unwrap()["requestId"], id.as_str());
    let refused = tenant.admin.get("/api/environments/x").header("x-request-id", &id).await;
    assert_eq!(refused.problem(404, "not-found")["instance"], format!("urn:request:{id}"));
    eventually("the log line", async || site.server.log.all().iter().any(|l| l.contains(&id)).then_some(())).await;
}

async fn whoever_is_not_signed_in_learns_no_path(store: Store) {
    let site = Site::shared(store).await;
    let tenant: Tenant = site.tenant().await;
    let reference = site.anonymous().get("/workspace").await;
    reference.problem(401, "unauthenticated");
    for path in [
        "/workspace/members",
        "/workspace/none",
        "/none",
        "/api",
        "/api/organizations",
        "/api/none",
        "/w/none/workspace",
        "/w/none/none",
        "/workspace/api-keys/1/2/3",
        &tenant.path("/workspace"),
        &tenant.org(""),
        "/audit/events",
        "/admin",
        "/.git/config",
        "/.env",
    ] {
        for method in ["GET", "DELETE"] {
            let answer = site.anonymous().send(method, path).await;
            if answer.status == 405 {
                continue;
            }
            assert_eq!(answer.anonymised(), reference.anonymised(), "{method} {path}");
            assert_eq!(answer.status, 401, "{method} {path}");
        }
    }
    // Signed in, an unknown path is simply not there.
    tenant.admin.get("/none").await.problem(404, "not-found");
    tenant.admin.post("/workspace/none", json!({})).await.problem(404, "not-found");
}
