//! A link that has expired: one click tells the admins, once, and says nothing to anybody else.
use crate::support::{Answer, Site, Store, Tenant, assert_unchanged, eventually, on_both_stores, tenant::Person};

on_both_stores!(one_click_on_an_expired_link_tells_each_admin_once, an_ask_tells_who_asks_nothing);

const OVER: &str = "UPDATE invitations SET expires_at = expires_at - 604801000000, created_at = created_at - 604801000000 \
    WHERE workspace_id = {ws}";

/// A workspace whose invitation to somebody is over; who that is, and the link's token.
async fn late(site: &Site) -> (Tenant, Person, String) {
    let tenant = site.tenant().await;
    let person = Person::new("late");
    tenant.invite(&person.email, "editor").await;
    let token = site.invitation_to(&person.email).await;
    site.home.sql(&tenant.id, &[OVER]).await;
    (tenant, person, token)
}
async fn ask(site: &Site, token: &str, from: &str) -> Answer {
    site.anonymous().act(format!("/invitations/{token}/ask")).header("sec-fetch-site", from).await
}
async fn told(site: &Site, email: &str) -> Vec<crate::support::Value> {
    let all = site.mails_to(email).await;
    all.into_iter()
        .filter(|m| m["subject"].as_str().unwrap().starts_with("Somebody asks for a new invitation"))
        .collect()
}

/// Addresses in mails are taken apart by spaces, so that no mail program makes a link of one.
fn names(mail: &crate::support::Value, person: &Person) -> bool {
    let text: String = mail["text"].as_str().unwrap().split_whitespace().collect();
    text.to_lowercase().contains(&person.email.to_lowercase())
}

async fn one_click_on_an_expired_link_tells_each_admin_once(store: Store) {
    let site = Site::shared(store).await;
    let (tenant, person, token) = late(&site).await;
    let [second, editor] = tenant.members(["admin", "editor"]).await;
    let page = site.anonymous().get(format!("/invitations/{token}")).header("accept", "text/html").await;
    assert_eq!(page.status, 410);
    assert!(page.text().contains("Ask for a new one") && page.text().contains(&format!("/invitations/{token}/ask")));
    assert!(!page.text().contains(&person.email));
    assert_unchanged(&tenant, async {
        for _ in 0..3 {
            ask(&site, &token, "same-origin").await.has(200);
        }
    })
    .await;
    for admin in [&tenant.admin, &second] {
        let mail =
            eventually("a mail to the admin", async || told(&site, &admin.person.email).await.into_iter().next()).await;
        assert!(names(&mail, &person), "{mail}");
        assert!(mail["link"].as_str().unwrap().ends_with(&format!("/{}/settings/members", tenant.slug)), "{mail}");
        assert_eq!(told(&site, &admin.person.email).await.len(), 1, "once");
    }
    assert!(told(&site, &editor.person.email).await.is_empty(), "who can't send it again is not asked");
    // What the admin then does.
    let waiting = tenant.admin.get(tenant.path("/workspace/invitations")).await.ok();
    let id = waiting["items"][0]["id"].as_str().unwrap().to_owned();
    tenant.admin.act(tenant.path(&format!("/workspace/invitations/{id}/resend"))).await.ok();
    let fresh = site.nth_invitation(&person.email, 2).await;
    assert_ne!(fresh, token);
    site.person(&person).act(format!("/api/invitations/{fresh}/accept")).await.ok();
    ask(&site, &token, "same-origin").await.has(200);
    ask(&site, &fresh, "same-origin").await.has(200);
    assert_eq!(told(&site, &tenant.admin.person.email).await.len(), 1, "nobody is asked for what was answered");
}

async fn an_ask_tells_who_asks_nothing(store: Store) {
    let site = Site::shared(store).await;
    let (tenant, person, token) = late(&site).await;
    let working = Person::new("working");
    tenant.invite(&working.email, "viewer").await;
    let works = site.invitation_to(&working.email).await;
    let [head, tail] = [&token[..8], &token[8..]];
    let guessed = format!("{head}{}", tail.chars().rev().collect::<String>());
    let mut pages = Vec::new();
    for token in [token.as_str(), &works, &guessed, "inv_nonsense"] {
        let page = ask(&site, token, "same-origin").await.has(200).text();
        assert!(!page.contains(&person.email) && !page.contains("Tenant of a test"), "{page}");
        pages.push(page);
    }
    assert!(pages.iter().all(|page| page == &pages[0]), "{pages:?}");
    // Another site's page can't click for anybody.
    for from in ["cross-site", "same-site"] {
        ask(&site, &token, from).await.has(403);
    }
    let mail =
        eventually("a mail to the admin", async || told(&site, &tenant.admin.person.email).await.into_iter().next())
            .await;
    assert!(names(&mail, &person), "{mail}");
    assert_eq!(told(&site, &tenant.admin.person.email).await.len(), 1);
    // Looking is not asking.
    site.anonymous().get(format!("/invitations/{token}/ask")).await.has(405);
}
