//! Invitations: one use, seven days, one address; a link is looked at without consequence.
use crate::support::{
    Site, Store, Tenant, added, assert_unchanged, eventually, json, on_both_stores, shape, tenant::Person,
    unchanged_by, unique,
};
use futures_util::future::join_all;

on_both_stores!(
    an_invitation_is_accepted_once,
    only_the_invited_address_can_accept,
    a_link_is_looked_at_without_consequence,
    an_invitation_ends_after_seven_days,
    a_resent_invitation_kills_the_old_link,
    an_address_is_invited_once,
    a_closed_invitation_stays_closed,
    an_invitation_joins_its_own_workspace_with_its_own_role,
    a_deleted_workspace_cannot_be_joined,
    the_words_of_strangers_are_harmless_in_the_mail,
);

const DAY: i64 = 86_400_000_000;

fn accept(site: &Site, person: &Person, token: &str) -> crate::support::client::Call {
    site.person(person).act(format!("/api/invitations/{token}/accept"))
}

async fn an_invitation_is_accepted_once(store: Store) {
    let site = Site::shared(store).await;
    let tenant = site.tenant().await;
    let person = Person::new("once");
    tenant.invite(&person.email, "editor").await;
    let token = site.invitation_to(&person.email).await;
    let (answers, events) =
        added(&tenant, async { join_all((0..30).map(|_| accept(&site, &person, &token).into_future())).await }).await;
    assert_eq!(answers.iter().filter(|a| a.status == 200).count(), 1);
    answers.iter().filter(|a| a.status != 200).for_each(|a| {
        a.problem(404, "not-found");
    });
    assert_eq!(events.len(), 1, "{events:?}");
    accept(&site, &person, &token).await.problem(404, "not-found");
    let members = tenant.admin.get(tenant.path("/workspace/members")).await.ok();
    assert_eq!(members["items"].as_array().unwrap().len(), 2);
    assert_eq!(tenant.workspace().await["seatsUsed"], 2);
}

async fn only_the_invited_address_can_accept(store: Store) {
    let site = Site::shared(store).await;
    let tenant = site.tenant().await;
    let invited = Person::new("invited");
    let invitation = tenant.invite(&invited.email, "viewer").await;
    let token = site.invitation_to(&invited.email).await;
    let key = tenant.key(&crate::support::tenant::SCOPES).await;
    assert_unchanged(&tenant, async {
        let stranger = Person::new("stranger");
        let refused = accept(&site, &stranger, &token).await;
        refused.problem(403, "invitation-email-mismatch");
        assert!(!refused.text().contains(&invited.email), "the invited address is told to a stranger");
        assert!(!refused.text().contains(&stranger.email));
        // Nobody vouches for the address, or there is none at all.
        for (claim, value) in
            [("email_verified", json!(false)), ("email_verified", json!(null)), ("email", json!(null))]
        {
            let mut claims = Person { subject: format!("auth0|{}", unique()), ..invited.clone() }.claims();
            claims[claim] = value;
            let token_of = crate::support::issuer::Issuer::shared().token(&claims);
            let refused = site.bearer(token_of).act(format!("/api/invitations/{token}/accept")).await;
            refused.problem(403, "email-not-verified");
        }
        site.anonymous().act(format!("/api/invitations/{token}/accept")).await.problem(401, "unauthenticated");
        key.act(format!("/api/invitations/{token}/accept")).await.problem(403, "session-required");
        for wrong in [
            format!("{}x", &token[..token.len() - 1]),
            token[..token.len() - 1].to_owned(),
            token.to_uppercase(),
            token.replace("inv_", "sgn_"),
            "inv_".to_owned(),
            invitation["id"].as_str().unwrap().to_owned(),
            format!("inv_{}_{}_000000", "0".repeat(22), "0".repeat(43)),
            "%00".to_owned(),
        ] {
            let answer = accept(&site, &invited, &wrong).await;
            answer.problem(404, "not-found");
        }
    })
    .await;
    // Case and the domain's script do not matter: the right person still gets in.
    let same = Person { email: invited.email.to_uppercase(), ..invited };
    accept(&site, &same, &token).await.ok();
}

async fn a_link_is_looked_at_without_consequence(store: Store) {
    let site = Site::shared(store).await;
    let tenant = site.tenant().await;
    let person = Person::new("scanned");
    tenant.invite(&person.email, "viewer").await;
    let token = site.invitation_to(&person.email).await;
    assert_unchanged(&tenant, async {
        for method in ["GET", "HEAD", "GET"] {
            let page = site.anonymous().send(method, &format!("/invitations/{token}")).await;
            assert_eq!(page.status, 200);
            assert_eq!(page.header("referrer-policy"), Some("no-referrer"));
            assert!(page.header("cache-control").unwrap().contains("no-store"));
            assert!(page.header("content-security-policy").unwrap().contains("frame-ancestors 'none'"));
            assert!(!page.text().contains(&person.email), "the page names the invited address");
        }
        // With an issuer configured the link alone proves nothing.
        site.anonymous().act(format!("/invitations/{token}")).await.problem(401, "unauthenticated");
        site.anonymous().get(format!("/api/invitations/{token}/accept")).await.problem(405, "method-not-allowed");
        let unknown = site.anonymous().get("/invitations/inv_unknown").await;
        assert_eq!(unknown.status, 404);
    })
    .await;
    accept(&site, &person, &token).await.ok();
    let used = site.anonymous().get(format!("/invitations/{token}")).await;
    assert_eq!(used.status, 404);
}

async fn an_invitation_ends_after_seven_days(store: Store) {
    let site = Site::shared(store).await;
    let tenant = site.tenant_with(json!({"seatLimit": 2})).await;
    let person = Person::new("late");
    let invitation = tenant.invite(&person.email, "viewer").await;
    let life = |i: &crate::support::Value| {
        let at = |f: &str| {
            time::OffsetDateTime::parse(i[f].as_str().unwrap(), &time::format_description::well_known::Rfc3339).unwrap()
        };
        at("expiresAt") - at("createdAt")
    };
    assert_eq!(life(&invitation), time::Duration::days(7));
    let token = site.invitation_to(&person.email).await;
    // A week passes, as far as this invitation is concerned.
    let age = format!(
        "UPDATE invitations SET expires_at = expires_at - 7 * {DAY} - 1000000, created_at = created_at - 7 * {DAY} - 1000000 WHERE workspace_id = {{ws}}"
    );
    site.home.sql(&tenant.id, &[&age]).await;
    assert_unchanged(&tenant, async {
        accept(&site, &person, &token).await.problem(410, "invitation-expired");
        let page = site.anonymous().get(format!("/invitations/{token}")).await;
        assert_eq!(page.status, 410);
        let waiting = tenant.admin.get(tenant.path("/workspace/invitations")).await.ok();
        assert_eq!(shape::list(&waiting, shape::INVITATION)[0]["status"], "expired");
        assert_eq!(tenant.workspace().await["seatsUsed"], 1, "an expired invitation holds no seat");
    })
    .await;
    // Its seat went to somebody else; it comes back only where one is free.
    let other = tenant.invite(&format!("o.{}@example.org", unique()), "viewer").await;
    let resend = tenant.path(&format!("/workspace/invitations/{}/resend", invitation["id"].as_str().unwrap()));
    tenant.admin.act(&resend).await.problem(409, "seat-limit-reached");
    tenant.admin.delete(tenant.path(&format!("/workspace/invitations/{}", other["id"].as_str().unwrap()))).await.done();
    let resent = tenant.admin.act(&resend).await.ok();
    assert_eq!(resent["status"], "pending");
    accept(&site, &person, &token).await.problem(404, "not-found");
    let token = site.nth_invitation(&person.email, 2).await;
    accept(&site, &person, &token).await.ok();

    // An expired one does not stand in the way of a new one for the same address.
    let again = Person::new("again");
    let tenant = site.tenant().await;
    let first = tenant.invite(&again.email, "viewer").await;
    site.home.sql(&tenant.id, &[&age]).await;
    let second = tenant.invite(&again.email, "editor").await;
    assert_ne!(first["id"], second["id"]);
    let waiting = tenant.admin.get(tenant.path("/workspace/invitations")).await.ok();
    assert_eq!(waiting["items"].as_array().unwrap().len(), 1);
}

async fn a_resent_invitation_kills_the_old_link(store: Store) {
    let site = Site::shared(store).await;
    let tenant = site.tenant().await;
    let person = Person::new("resent");
    let first = tenant.invite(&person.email, "viewer").await;
    let old = site.invitation_to(&person.email).await;
    let path = tenant.path(&format!("/workspace/invitations/{}/resend", first["id"].as_str().unwrap()));
    let resent = tenant.admin.act(&path).await.ok();
    shape::is(&resent, shape::INVITATION);
    assert_eq!((&resent["version"], &resent["id"]), (&json!(2), &first["id"]));
    assert!(resent["expiresAt"].as_str() > first["expiresAt"].as_str(), "a new week");
    let new = site.nth_invitation(&person.email, 2).await;
    assert_ne!(old, new);
    assert_unchanged(&tenant, async { accept(&site, &person, &old).await.problem(404, "not-found") }).await;
    assert_eq!(site.anonymous().get(format!("/invitations/{old}")).await.status, 404);
    accept(&site, &person, &new).await.ok();
}

async fn an_address_is_invited_once(store: Store) {
    let site = Site::shared(store).await;
    let tenant = site.tenant().await;
    let admin = &tenant.admin;
    let email = format!("Ada.{}@Example.ORG", unique());
    let first = tenant.invite(&email, "viewer").await;
    assert_eq!(first["email"], email.as_str());
    assert_unchanged(&tenant, async {
        for again in [email.clone(), email.to_lowercase(), email.to_uppercase()] {
            let body = json!({"email": again, "role": "editor"});
            admin.post(tenant.path("/workspace/members"), body.clone()).await.problem(409, "already-invited");
        }
        for own in [admin.person.email.clone(), admin.person.email.to_uppercase()] {
            let body = json!({"email": own, "role": "viewer"});
            admin.post(tenant.path("/workspace/members"), body).await.problem(409, "already-member");
        }
    })
    .await;
    let parallel = format!("p.{}@example.org", unique());
    let (answers, events) = added(&tenant, async {
        let post = || {
            admin.post(tenant.path("/workspace/members"), json!({"email": parallel, "role": "viewer"})).into_future()
        };
        join_all((0..20).map(|_| post())).await
    })
    .await;
    assert_eq!((answers.iter().filter(|a| a.status == 201).count(), events.len()), (1, 1));
    answers.iter().filter(|a| a.status != 201).for_each(|a| {
        a.problem(409, "already-invited");
    });
    // In another workspace it is another invitation.
    let other = site.tenant().await;
    unchanged_by(&[&tenant], async { other.invite(&email, "viewer").await }).await;
}

async fn a_closed_invitation_stays_closed(store: Store) {
    let site = Site::shared(store).await;
    let tenant = site.tenant().await;
    let close = async |by_accepting: bool| {
        let person = Person::new("closed");
        let made = tenant.invite(&person.email, "viewer").await;
        let id = made["id"].as_str().unwrap().to_owned();
        if by_accepting {
            tenant.joins(person).await;
        } else {
            tenant.admin.delete(tenant.path(&format!("/workspace/invitations/{id}"))).await.done();
            let token = site.invitation_to(&person.email);
            // The mail may have been on its way; its link is dead in any case.
            if let Ok(token) = tokio::time::timeout(std::time::Duration::from_millis(600), token).await {
                accept(&site, &person, &token).await.problem(404, "not-found");
            }
        }
        id
    };
    for id in [close(true).await, close(false).await] {
        assert_unchanged(&tenant, async {
            let admin = &tenant.admin;
            admin.delete(tenant.path(&format!("/workspace/invitations/{id}"))).await.problem(409, "invitation-closed");
            admin
                .act(tenant.path(&format!("/workspace/invitations/{id}/resend")))
                .await
                .problem(409, "invitation-closed");
            admin.delete(format!("/api/invitations/{id}")).await.problem(409, "invitation-closed");
            admin.act(format!("/api/invitations/{id}/resend")).await.problem(409, "invitation-closed");
        })
        .await;
    }
}

async fn an_invitation_joins_its_own_workspace_with_its_own_role(store: Store) {
    let site = Site::shared(store).await;
    let (a, b) = tokio::join!(site.tenant(), site.tenant());
    let person = Person::new("modest");
    a.invite(&person.email, "viewer").await;
    let token = site.invitation_to(&person.email).await;
    let caller = site.person(&person);
    let path = format!("/api/invitations/{token}/accept");
    unchanged_by(&[&a, &b], async {
        assert_eq!(caller.post(&path, json!({"role": "admin"})).await.faults(), ["/role"]);
        assert_eq!(caller.post(&path, json!({"organizationId": b.id})).await.faults(), ["/organizationId"]);
    })
    .await;
    let joined = unchanged_by(&[&b], async {
        caller.within(&b.id).act(format!("{path}?role=admin&organizationId={}", b.id)).await.ok()
    })
    .await;
    assert_eq!((&joined["organizationId"], &joined["role"]), (&json!(a.id), &json!("guest")));
    caller.get(b.path("/workspace")).await.problem(404, "not-found");
    caller.get(a.path("/workspace/members")).await.problem(403, "forbidden");

    // Somebody who has become a member otherwise cannot join a second time.
    let [member] = a.members(["viewer"]).await;
    let alias = format!("alias.{}@example.org", unique());
    a.invite(&alias, "admin").await;
    let token = site.invitation_to(&alias).await;
    let renamed = Person { email: alias, ..member.person.clone() };
    let (_, events) = added(&a, async { accept(&site, &renamed, &token).await.problem(409, "already-member") }).await;
    assert!(events.is_empty(), "{events:?}");
    let there = a.admin.get(a.path(&format!("/workspace/members/{}", member.id))).await.ok();
    assert_eq!(there["role"], "viewer", "an invitation to be an admin has raised a member");
}

async fn a_deleted_workspace_cannot_be_joined(store: Store) {
    let site = Site::shared(store).await;
    let tenant: Tenant = site.tenant().await;
    let person = Person::new("too-late");
    tenant.invite(&person.email, "viewer").await;
    let token = site.invitation_to(&person.email).await;
    let key = tenant.key(&["workspace:read"]).await;
    key.get("/workspace").await.ok();
    site.platform().delete(tenant.org("")).await.done();
    for caller in [&*tenant.admin, &site.platform()] {
        let listed = caller.get("/api/organizations?limit=100").await;
        assert!(!listed.ok().to_string().contains(&tenant.id), "{caller:?} still sees it");
    }
    accept(&site, &person, &token).await.problem(404, "not-found");
    assert_eq!(site.anonymous().get(format!("/invitations/{token}")).await.status, 404);
    key.get("/workspace").await.problem(401, "unauthenticated");
    tenant.admin.get(tenant.path("/workspace")).await.problem(404, "not-found");
    site.platform().get(tenant.org("")).await.problem(404, "not-found");
    site.platform().delete(tenant.org("")).await.problem(404, "not-found");
    let again = json!({"name": "Again", "slug": tenant.slug, "adminEmail": person.email});
    site.platform().post("/api/organizations", again).await.problem(409, "slug-taken");
}

async fn the_words_of_strangers_are_harmless_in_the_mail(store: Store) {
    let site = Site::shared(store).await;
    let name = "<b>Win</b> at https://evil.example/?a=\"b\"&c \u{202e}gnp.exe 'q'";
    let tenant = site.tenant().await;
    tenant.admin.put(tenant.path("/workspace"), json!({"name": name})).await.ok();
    let crlf = json!({"name": "a\r\nBcc: victim@example.org"});
    assert_eq!(tenant.admin.put(tenant.path("/workspace"), crlf).await.faults(), ["/name"]);
    let email = format!("reader.{}@example.org", unique());
    tenant.invite(&email, "viewer").await;
    let mail = eventually("the mail", async || site.mails_to(&email).await.pop()).await;
    let (subject, html) = (mail["subject"].as_str().unwrap(), mail["html"].as_str().unwrap());
    assert!(!subject.contains(['\r', '\n', '\u{202e}']), "{subject:?}");
    assert!(!html.contains("<b>Win") && !html.contains("href=\"https://evil"), "{html}");
    let token = mail["link"].as_str().unwrap().rsplit('/').next().unwrap();
    let page = site.anonymous().get(format!("/invitations/{token}")).await.text();
    assert!(!page.contains("<b>Win") && page.contains("&lt;b&gt;Win"), "{page}");
}
