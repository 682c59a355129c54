//! E-mail addresses: kept as typed, compared by their normal form, never folded into another one.
use crate::support::{Site, Store, added, assert_unchanged, json, on_both_stores, tenant::Person, unique};

on_both_stores!(
    spellings_of_one_address_are_one_address,
    odd_addresses_are_refused,
    the_mail_goes_to_the_stored_address,
    an_address_changes_with_the_issuer_and_grants_nothing,
);

async fn spellings_of_one_address_are_one_address(store: Store) {
    let site = Site::shared(store).await;
    let tenant = site.tenant().await;
    let invite =
        |email: &str| tenant.admin.post(tenant.path("/workspace/members"), json!({"email": email, "role": "viewer"}));
    let u = unique();
    let same = [
        (format!("Ada{u}@Example.ORG"), format!("ada{u}@example.org")),
        (format!("a{u}@ex\u{e4}mple.org"), format!("A{u}@xn--exmple-cua.org")),
        (format!("b{u}@B\u{dc}CHER.example"), format!("b{u}@b\u{fc}cher.example")),
    ];
    for (first, second) in &same {
        assert_eq!(invite(first).await.created()["email"], first.as_str(), "kept as typed");
        invite(second).await.problem(409, "already-invited");
    }
    let ((), events) = added(&tenant, async {
        // Nothing is folded that only some provider folds.
        for other in [
            format!("x.y{u}@gmail.com"),
            format!("xy{u}@gmail.com"),
            format!("xy{u}+tag@gmail.com"),
            format!("xy{u}@googlemail.com"),
        ] {
            invite(&other).await.created();
        }
        let local = format!("{}{u}", "l".repeat(64 - u.len()));
        invite(&format!("{local}@example.org")).await.created();
        let domain = |n: usize| format!("{}.{}.{}.org", "d".repeat(60), "e".repeat(60), "f".repeat(n));
        let longest = |n: usize| format!("{local}@{}", domain(n));
        assert_eq!(longest(63).len(), 254);
        invite(&longest(63)).await.created();
    })
    .await;
    assert_eq!(events.len(), 6);
}

async fn odd_addresses_are_refused(store: Store) {
    let site = Site::shared(store).await;
    let tenant = site.tenant().await;
    let long_local = format!("{}@example.org", "a".repeat(65));
    let long = format!("{}@{}.{}.{}.org", "l".repeat(64), "d".repeat(60), "e".repeat(60), "f".repeat(64));
    let odd = [
        "",
        "a",
        "@",
        "@example.org",
        "a@",
        "a@b",
        "a@localhost",
        "a@@example.org",
        "a b@example.org",
        " a@example.org",
        "a@example.org ",
        "a@example.org.",
        "a@.example.org",
        "a@exa mple.org",
        "a@example..org",
        ".a@example.org",
        "a.@example.org",
        "a..b@example.org",
        "a@-example.org",
        "a@[127.0.0.1]",
        "a@127.0.0.1",
        "a@1.2",
        "\"a\"@example.org",
        "A <a@example.org>",
        "a@example.org,b@example.org",
        "a@example.org;b@example.org",
        "a@example.org\r\nBcc: v@example.org",
        "a\0@example.org",
        "a@example.org\0",
        "m\u{131}ke@example.org",
        "mi\u{212a}e@example.org",
        "\u{e9}@example.org",
        "a\u{ff20}example.org",
        "a@example\u{3002}org",
        "a@exam\u{200b}ple.org",
        "a@exam\u{ad}ple.org",
        "a\u{a0}@example.org",
        "a@\u{ff45}xample.org",
        "a@example.org\u{202e}",
        "mailto:a@example.org",
        "a(comment)@example.org",
        "a@example.org?x=1",
        "a@xn--.org",
        "a@xn--a-.org",
        &long_local,
        &long,
    ];
    assert_unchanged(&tenant, async {
        for email in odd {
            let answer =
                tenant.admin.post(tenant.path("/workspace/members"), json!({"email": email, "role": "viewer"})).await;
            assert_eq!(answer.faults(), ["/email"], "{email:?}");
        }
    })
    .await;
    let body = json!({"name": "N", "slug": format!("n-{}", unique()), "adminEmail": "m\u{131}ke@example.org"});
    assert_eq!(site.platform().post("/api/organizations", body).await.faults(), ["/adminEmail"]);
}

async fn the_mail_goes_to_the_stored_address(store: Store) {
    let site = Site::shared(store).await;
    let tenant = site.tenant().await;
    let u = unique();
    let typed = format!("Case.{u}@B\u{dc}CHER.example");
    tenant.invite(&typed, "viewer").await;
    let mails = crate::support::eventually("the mail", async || {
        let mails = site.anonymous().get("/dev/mailbox").header("accept", "application/json").await.ok();
        let to = |m: &&crate::support::Value| m["to"].as_str().unwrap().to_lowercase().contains(&u);
        mails["items"].as_array().unwrap().iter().find(to).cloned()
    })
    .await;
    assert_eq!(mails["to"], typed.as_str());
    // The issuer spells it in another way; it is the same address.
    let token = mails["link"].as_str().unwrap().rsplit('/').next().unwrap().to_owned();
    let person = Person::with_email(&format!("case.{u}@xn--bcher-kva.example"), "case");
    site.person(&person).act(format!("/api/invitations/{token}/accept")).await.ok();
}

async fn an_address_changes_with_the_issuer_and_grants_nothing(store: Store) {
    let site = Site::shared(store).await;
    let tenant = site.tenant().await;
    let [member] = tenant.members(["editor"]).await;
    // The same address under another subject is another account.
    let twin = Person::with_email(&member.person.email, "twin");
    site.person(&twin).get(tenant.path("/workspace")).await.problem(404, "not-found");
    // The same subject with a new address stays the member.
    let moved = Person { email: format!("moved.{}@example.org", unique()), ..member.person.clone() };
    site.person(&moved).get(tenant.path("/workspace")).await.ok();
    let shown = tenant.admin.get(tenant.path(&format!("/workspace/members/{}", member.id))).await.ok();
    assert_eq!(shown["email"], moved.email.as_str());
    // An address that nobody vouches for is not shown and makes nobody the platform's owner.
    let mut claims = moved.claims();
    claims["email"] = json!(crate::support::home::PLATFORM);
    claims["email_verified"] = json!(false);
    let unverified = site.bearer(crate::support::issuer::Issuer::shared().token(&claims));
    unverified.get(tenant.org("")).await.ok();
    let body = json!({"name": "N", "slug": format!("n-{}", unique()), "adminEmail": "n@example.org"});
    unverified.post("/api/organizations", body).await.problem(403, "forbidden");
    let shown = tenant.admin.get(tenant.path(&format!("/workspace/members/{}", member.id))).await.ok();
    assert_ne!(shown["email"], crate::support::home::PLATFORM);
}
