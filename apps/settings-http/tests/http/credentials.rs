//! Credentials: what is let in, what is not, and what is said about it.
use crate::support::{
    Answer, Site, Store, assert_unchanged,
    issuer::{Issuer, now, parts},
    json, on_both_stores, raw,
    tenant::{Person, SCOPES},
};

on_both_stores!(
    a_wrong_key_gets_the_answer_of_no_key,
    a_key_in_the_wrong_place_is_told_its_place_or_nothing,
    two_credentials_are_one_too_many,
    only_tokens_of_the_issuer_for_this_audience_count,
    an_issuer_that_is_away_is_no_reason_to_drop_a_token,
    the_same_subject_of_another_issuer_is_somebody_else,
);

async fn a_wrong_key_gets_the_answer_of_no_key(store: Store) {
    let site = Site::shared(store).await;
    let tenant = site.tenant().await;
    let key = tenant.key(&SCOPES).await;
    let value = key.value.clone();
    assert_eq!(value.len(), 77);
    key.get("/workspace").await.ok();
    let reference = site.anonymous().get("/workspace").await;
    reference.problem(401, "unauthenticated");
    let with = |from: usize, to: usize, text: &str| format!("{}{text}{}", &value[..from], &value[to..]);
    let flipped = |at: usize| {
        let old = value.as_bytes()[at];
        let new = if old.is_ascii_lowercase() {
            old.to_ascii_uppercase()
        } else if old.is_ascii_uppercase() {
            old.to_ascii_lowercase()
        } else if old == b'0' {
            b'1'
        } else {
            b'0'
        };
        with(at, at + 1, &char::from(new).to_string())
    };
    let mut wrong = vec![
        resum(&with(4, 26, "7AAAAAAAAAAAAAAAAAAAAA")), // an id that nobody has, the checksum right
        resum(&with(27, 70, "0A1B2C3D4E5F6G7H8I9J0A1B2C3D4E5F6G7H8I9J0AB")), // a secret that is wrong, the checksum right
        String::from("wsk_"),
        "x".to_owned(),
        value[4..].to_owned(),
        value[..76].to_owned(),
        format!("{value}0"),
        value.to_uppercase(),
        with(4, 26, "' OR 1=1 --           "),
        with(4, 26, "%%%%%%%%%%%%%%%%%%%%%%"),
        with(4, 26, "../../../../etc/passwd"),
        with(0, 4, "ses_"),
        with(0, 4, "inv_"),
        format!("{value} "),
        format!("{value},{value}"),
        "k".repeat(10_000),
    ];
    wrong.extend([0, 5, 12, 25, 26, 27, 40, 69, 70, 71, 76].map(flipped));
    wrong.retain(|w| w.trim() != value);
    assert_unchanged(&tenant, async {
        for (n, wrong) in wrong.iter().enumerate() {
            let answer = site.key(wrong).get("/workspace").await;
            assert_eq!(answer.anonymised(), reference.anonymised(), "case {n}: {wrong}");
            let names = |a: &Answer| a.headers.keys().map(ToString::to_string).collect::<Vec<_>>();
            assert_eq!(names(&answer), names(&reference), "case {n}");
        }
        for bytes in [&b"\xd9\xa1\xd9\xa2"[..], b"wsk_\xff\xfe"] {
            let answer = site.anonymous().get("/workspace").header("x-api-key", bytes).await;
            answer.problem(401, "unauthenticated");
        }
        let nul = format!("GET /workspace HTTP/1.1\r\nhost: x\r\nx-api-key: {value}\0\r\n\r\n");
        assert_eq!(raw::exchange(site.address(), nul).await.map(|a| a.status), Some(400));
    })
    .await;
    for name in ["X-API-KEY", "X-Api-Key", "x-aPi-kEy"] {
        let text = format!("GET /workspace HTTP/1.1\r\nhost: x\r\n{name}: {value}\r\nconnection: close\r\n\r\n");
        assert_eq!(raw::exchange(site.address(), text).await.unwrap().status, 200, "{name}");
    }
}

/// The text with the checksum that belongs to it: six digits to the base of 62 for the CRC-32 of what comes before.
fn resum(text: &str) -> String {
    const DIGITS: &[u8] = b"0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";
    let body = &text[..70];
    let mut crc = !0_u32;
    for byte in body.bytes() {
        crc ^= u32::from(byte);
        for _ in 0..8 {
            crc = if crc & 1 == 1 { (crc >> 1) ^ 0xedb8_8320 } else { crc >> 1 };
        }
    }
    let (mut rest, mut digits) = (!crc, Vec::new());
    for _ in 0..6 {
        digits.push(char::from(DIGITS[(rest % 62) as usize]));
        rest /= 62;
    }
    format!("{body}_{}", digits.into_iter().rev().collect::<String>())
}

async fn a_key_in_the_wrong_place_is_told_its_place_or_nothing(store: Store) {
    let site = Site::shared(store).await;
    let tenant = site.tenant().await;
    let key = tenant.key(&SCOPES).await;
    assert_eq!(resum(&key.value), key.value, "this test knows how checksums are made");
    let reference = site.anonymous().get("/workspace").await;
    assert_unchanged(&tenant, async {
        let right = site.bearer(&key.value).get("/workspace").await;
        let told = right.problem(401, "unauthenticated");
        assert!(told["detail"].as_str().unwrap().contains("x-api-key"), "{told}");
        let wrong = site.bearer(format!("{}x", &key.value[..70])).get("/workspace").await;
        assert_eq!(right.anonymised(), wrong.anonymised(), "it is not said whether the key is good");
        let anonymous = site.anonymous();
        for answer in [
            anonymous.get(format!("/workspace?api_key={0}&x-api-key={0}&access_token={0}", key.value)).await,
            anonymous.get("/workspace").header("cookie", format!("x-api-key={}", key.value)).await,
            anonymous.send("PUT", "/workspace").json(&json!({"apiKey": key.value})).await,
            anonymous.get("/workspace").header("authorization", format!("Basic {}", key.value)).await,
            anonymous.get("/workspace").header("authorization", &key.value).await,
            anonymous.get("/workspace").header("authorization", format!("Token {}", key.value)).await,
            anonymous.get("/workspace").header("authorization", "Bearer").await,
            anonymous.get("/workspace").header("authorization", "Bearer ").await,
            anonymous.get("/workspace").header("authorization", "").await,
            anonymous.get("/workspace").header("proxy-authorization", format!("Bearer {}", key.value)).await,
        ] {
            assert_eq!(answer.anonymised(), reference.anonymised(), "{}", answer.what);
        }
    })
    .await;
    let (_, bearer) = tenant.admin.credential_header();
    for scheme in ["bearer ", "BEARER ", "Bearer  "] {
        let header = bearer.replace("Bearer ", scheme);
        site.anonymous().get(tenant.path("/workspace")).header("authorization", header).await.ok();
    }
}

async fn two_credentials_are_one_too_many(store: Store) {
    let site = Site::shared(store).await;
    let tenant = site.tenant().await;
    let (one, other) = (tenant.key(&["workspace:read"]).await, tenant.key(&["workspace:write"]).await);
    let (_, bearer) = tenant.admin.credential_header();
    let get = || site.anonymous().get("/workspace");
    let wrong = format!("{}x", &one.value[..76]);
    let cookie = "__Host-settings=anything";
    assert_unchanged(&tenant, async {
        for (a, b) in [(&one.value, &other.value), (&one.value, &wrong), (&wrong, &one.value), (&one.value, &one.value)]
        {
            get().header("x-api-key", a).header("x-api-key", b).await.problem(400, "ambiguous-credentials");
        }
        let both = get().header("x-api-key", &one.value).header("authorization", &bearer).await;
        both.problem(400, "ambiguous-credentials");
        get().header("x-api-key", "x").header("authorization", "x").await.problem(400, "ambiguous-credentials");
        get()
            .header("authorization", &bearer)
            .header("authorization", &bearer)
            .await
            .problem(400, "ambiguous-credentials");
        get().header("x-api-key", &one.value).header("cookie", cookie).await.problem(400, "ambiguous-credentials");
        // A console cookie is no credential of the API.
        get().header("cookie", cookie).await.problem(401, "unauthenticated");
    })
    .await;
    get().header("x-api-key", &one.value).header("cookie", "theme=dark; settings-hint=1").await.ok();
}

async fn only_tokens_of_the_issuer_for_this_audience_count(store: Store) {
    let site = Site::shared(store).await;
    let tenant = site.tenant().await;
    let issuer = Issuer::shared();
    let good = tenant.admin.person.claims();
    let path = tenant.path("/workspace");
    let reference = site.anonymous().get(&path).await;
    let try_it = async |token: String| site.bearer(token).get(&path).await;
    try_it(issuer.token(&good)).await.ok();
    let with = |name: &str, value: serde_json::Value| {
        let mut claims = good.clone();
        claims[name] = value;
        if claims[name].is_null() {
            claims.as_object_mut().unwrap().remove(name);
        }
        claims
    };
    let header = |alg: &str, kid: &str| json!({"alg": alg, "kid": kid, "typ": "JWT"});
    let whole = issuer.token(&good);
    let mut bad = vec![
        format!("{}.", parts(&header("none", "test-1"), &good)),
        format!("{}.", parts(&json!({"alg": "None"}), &good)),
        issuer.confused(&good),
        Issuer::forged(&good),
        issuer.token_with(&header("ES256", "unknown"), &good),
        issuer.token_with(&header("ES384", "test-1"), &good),
        issuer.token_with(&json!({"alg": "ES256", "kid": "test-1", "typ": "JWT", "crit": ["exp"]}), &good),
        issuer.token_with(&json!({"alg": "ES256", "kid": "test-1", "typ": "logout+jwt"}), &good),
        whole[..whole.len() - 2].to_owned(),
        format!("{whole}."),
        whole.replace('.', ".."),
        "a.b.c".to_owned(),
        "not-a-token".to_owned(),
        "x".repeat(12 * 1024),
    ];
    for (name, value) in [
        ("iss", json!("https://evil.example/")),
        ("iss", json!(issuer.url)),
        ("iss", json!(null)),
        ("aud", json!("another-application")),
        ("aud", json!([])),
        ("aud", json!(null)),
        ("exp", json!(now() - 3600)),
        ("exp", json!(null)),
        ("exp", json!("never")),
        ("nbf", json!(now() + 3600)),
        ("sub", json!(null)),
        ("sub", json!("")),
    ] {
        bad.push(issuer.token(&with(name, value)));
    }
    assert_unchanged(&tenant, async {
        for (n, token) in bad.into_iter().enumerate() {
            let answer = try_it(token).await;
            assert_eq!(answer.status, 401, "case {n}: {}", answer.text());
            assert_eq!(answer.anonymised(), reference.anonymised(), "case {n}");
        }
    })
    .await;
    try_it(issuer.token(&with("aud", json!(["other", "settings"])))).await.ok();
}

async fn an_issuer_that_is_away_is_no_reason_to_drop_a_token(store: Store) {
    // A port that was free a moment ago: nobody answers there.
    let free = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let away = format!("http://{free}");
    let site = Site::own(store, &[("AUTH0_ISSUER_BASE_URL", Some(&away))]).await;
    let person = Person::new("cold");
    for _ in 0..3 {
        let answer = site.person(&person).get("/workspace").await;
        assert_eq!(answer.problem(503, "unavailable")["outcome"], "none");
        assert!(answer.header("retry-after").is_some());
    }
    // What can be judged without the issuer is judged.
    site.bearer("not-a-token").get("/workspace").await.problem(401, "unauthenticated");
    site.anonymous().get("/workspace").await.problem(401, "unauthenticated");
    site.anonymous().get("/healthz").await.has(200);
}

async fn the_same_subject_of_another_issuer_is_somebody_else(store: Store) {
    let site = Site::own(store, &[]).await;
    let tenant = site.tenant().await;
    let person = &tenant.admin.person;
    site.server.stop();
    // The operator moves to another issuer: equal subjects there are other people.
    let subject = person.subject.clone();
    site.home
        .sql(&tenant.id, &[&format!("UPDATE users SET issuer = 'https://old.example/' WHERE subject = '{subject}'")])
        .await;
    let again = site.through(site.home.serve(&[]));
    again.person(person).get(tenant.path("/workspace")).await.problem(404, "not-found");
    again.platform().get(tenant.org("")).await.ok();
}
