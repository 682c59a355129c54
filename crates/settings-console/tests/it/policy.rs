//! Each page for each role: shown, shown without its buttons, or refused, exactly as the policy says.
use crate::stage::{Browser, Stage};
use http::StatusCode;
use settings_domain::policy::{Permission, Role};

/// Every page, and the permission that opens it.
async fn pages(stage: &Stage, admin: &Browser, other: &Browser) -> Vec<(String, Option<Permission>)> {
    let (key, _) = stage.key(admin, "CI", "runs:read").await;
    let invitation = stage.invite(admin, "waiting@people.example").await;
    let permit = [("name", "staging"), ("tier", "staging")];
    stage.post(admin, "/acme/settings/environments/new", &permit).await;
    let environments = stage.environments(admin).await;
    let staging = &environments.iter().find(|(_, n)| n == "staging").unwrap().0;
    let user = other.user;
    let variable = stage.variable(admin, "staging", "TOKEN", "v").await;
    let secret = stage.secret(admin, "staging", "Stripe", "v").await;
    let model = stage.model(admin, "GPT", "https://models.example/v1", "v").await;
    let webhook = stage.webhook(admin, "https://hooks.example/in").await;
    stage.connect_slack(admin).await;
    let slack = stage.connection(admin).await.unwrap().id;
    stage.post(admin, "/acme/settings/notifications/test", &[("channel", "email")]).await;
    let delivery = stage.deliveries(admin).await.first().unwrap().delivery.id;
    [
        ("workspace".to_owned(), Some(Permission::WorkspaceRead)),
        ("environments".to_owned(), Some(Permission::EnvironmentsRead)),
        ("environments/new".to_owned(), Some(Permission::EnvironmentsCreate)),
        (format!("environments/{staging}/edit"), Some(Permission::EnvironmentsUpdate)),
        (format!("environments/{staging}/delete"), Some(Permission::EnvironmentsDelete)),
        ("members".to_owned(), Some(Permission::MembersRead)),
        ("members/invite".to_owned(), Some(Permission::MembersInvite)),
        (format!("members/{user}/role"), Some(Permission::MembersEditRole)),
        (format!("members/{user}/remove"), Some(Permission::MembersRemove)),
        (format!("members/{user}/erase"), Some(Permission::MembersErase)),
        (format!("invitations/{invitation}/revoke"), Some(Permission::MembersInvite)),
        ("roles".to_owned(), None),
        ("api-keys".to_owned(), Some(Permission::ApiKeysRead)),
        ("api-keys/new".to_owned(), Some(Permission::ApiKeysCreate)),
        (format!("api-keys/{key}/revoke"), Some(Permission::ApiKeysRevoke)),
        ("variables".to_owned(), Some(Permission::VariablesRead)),
        ("variables?view=compare".to_owned(), Some(Permission::VariablesRead)),
        ("variables/new".to_owned(), Some(Permission::VariablesCreate)),
        ("variables/import".to_owned(), Some(Permission::VariablesUpdate)),
        (format!("variables/{variable}/edit"), Some(Permission::VariablesUpdate)),
        (format!("variables/{variable}/delete"), Some(Permission::VariablesDelete)),
        ("secrets".to_owned(), Some(Permission::SecretsRead)),
        ("secrets/new".to_owned(), Some(Permission::SecretsCreate)),
        (format!("secrets/{secret}/rotate"), Some(Permission::SecretsUpdate)),
        (format!("secrets/{secret}/seal"), Some(Permission::SecretsUpdate)),
        (format!("secrets/{secret}/reveal"), Some(Permission::SecretsReveal)),
        (format!("secrets/{secret}/delete"), Some(Permission::SecretsDelete)),
        ("models".to_owned(), Some(Permission::ModelsRead)),
        ("models/new".to_owned(), Some(Permission::ModelsCreate)),
        (format!("models/{model}/edit"), Some(Permission::ModelsUpdate)),
        (format!("models/{model}/test"), Some(Permission::ModelsUpdate)),
        (format!("models/{model}/delete"), Some(Permission::ModelsDelete)),
        ("system-models".to_owned(), Some(Permission::SystemModelsUpdate)),
        ("system-models/new".to_owned(), Some(Permission::SystemModelsCreate)),
        (format!("system-models/{model}/edit"), Some(Permission::SystemModelsUpdate)),
        (format!("system-models/{model}/test"), Some(Permission::SystemModelsUpdate)),
        (format!("system-models/{model}/delete"), Some(Permission::SystemModelsDelete)),
        ("notifications".to_owned(), Some(Permission::NotificationsRead)),
        ("notifications/test".to_owned(), Some(Permission::NotificationsUpdate)),
        ("webhooks".to_owned(), Some(Permission::NotificationsRead)),
        ("webhooks/new".to_owned(), Some(Permission::NotificationsUpdate)),
        (format!("webhooks/{webhook}/edit"), Some(Permission::NotificationsUpdate)),
        (format!("webhooks/{webhook}/status"), Some(Permission::NotificationsUpdate)),
        (format!("webhooks/{webhook}/rotate"), Some(Permission::NotificationsUpdate)),
        (format!("webhooks/{webhook}/delete"), Some(Permission::NotificationsUpdate)),
        ("deliveries".to_owned(), Some(Permission::NotificationsRead)),
        (format!("deliveries/{delivery}"), Some(Permission::NotificationsRead)),
        ("connections".to_owned(), Some(Permission::ConnectionsRead)),
        (format!("connections/{slack}/channel"), Some(Permission::ConnectionsUpdate)),
        (format!("connections/{slack}/disconnect"), Some(Permission::ConnectionsUpdate)),
        (format!("connections/{slack}/delete"), Some(Permission::ConnectionsDelete)),
        ("audit-digest".to_owned(), Some(Permission::AuditDigestRead)),
        ("audit-digest/preview".to_owned(), Some(Permission::AuditDigestRead)),
        ("audit-log".to_owned(), Some(Permission::AuditRead)),
        ("audit-log/1".to_owned(), Some(Permission::AuditRead)),
        ("audit-log/verify".to_owned(), Some(Permission::AuditRead)),
        ("audit-log/export".to_owned(), Some(Permission::AuditRead)),
        ("billing".to_owned(), Some(Permission::BillingRead)),
        ("sessions".to_owned(), None),
        ("sessions/others/end".to_owned(), None),
        ("find".to_owned(), None),
    ]
    .into_iter()
    .map(|(path, needs)| (format!("/acme/settings/{path}"), needs))
    .collect()
}

async fn everybody() -> (Stage, Vec<(Browser, Role)>) {
    let (stage, admin) = Stage::new().await;
    let editor = stage.member(&admin, "editor@people.example", Role::Editor).await;
    let viewer = stage.member(&admin, "viewer@people.example", Role::Viewer).await;
    (stage, vec![(admin, Role::Admin), (editor, Role::Editor), (viewer, Role::Viewer)])
}

#[tokio::test]
async fn each_page_opens_for_whom_the_policy_lets_in() {
    let (stage, people) = everybody().await;
    let pages = pages(&stage, &people[0].0, &people[2].0).await;
    for (who, role) in &people {
        for (path, needs) in &pages {
            let shown = stage.get(Some(who), path).await;
            let allowed = needs.is_none_or(|p| role.permissions().contains(p));
            let expected = if allowed { StatusCode::OK } else { StatusCode::FORBIDDEN };
            assert_eq!(shown.status, expected, "{role} {path}\n{}", shown.text);
            if let Some(needs) = needs.filter(|_| !allowed) {
                assert!(shown.text.contains(needs.name()), "{role} {path} does not say what is missing");
                assert!(!shown.text.contains("<form method=\"post\" action=\"/acme/settings/members"), "{path}");
            }
        }
    }
}

#[tokio::test]
async fn buttons_are_shown_to_whom_they_work_for() {
    let (stage, people) = everybody().await;
    let buttons = [
        ("/acme/settings/environments", "environments/new", Permission::EnvironmentsCreate),
        ("/acme/settings/environments", "/edit\"", Permission::EnvironmentsUpdate),
        ("/acme/settings/members", "members/invite", Permission::MembersInvite),
        ("/acme/settings/members", "/role\"", Permission::MembersEditRole),
        ("/acme/settings/members", "/remove\"", Permission::MembersRemove),
        ("/acme/settings/members", "/erase\"", Permission::MembersErase),
        ("/acme/settings/members", "/resend\"", Permission::MembersInvite),
        ("/acme/settings/api-keys", "api-keys/new", Permission::ApiKeysCreate),
        ("/acme/settings/workspace", "Save changes", Permission::WorkspaceUpdate),
        ("/acme/settings/variables", "variables/new", Permission::VariablesCreate),
        ("/acme/settings/variables", "variables/import", Permission::VariablesUpdate),
        ("/acme/settings/variables", "/edit\"", Permission::VariablesUpdate),
        ("/acme/settings/variables", "/delete\"", Permission::VariablesDelete),
        ("/acme/settings/variables?view=compare", "/edit\"", Permission::VariablesUpdate),
        ("/acme/settings/variables?view=compare", "variables/new", Permission::VariablesCreate),
        ("/acme/settings/notifications", "Save changes", Permission::NotificationsUpdate),
        ("/acme/settings/notifications", "notifications/test", Permission::NotificationsUpdate),
        ("/acme/settings/webhooks", "webhooks/new", Permission::NotificationsUpdate),
        ("/acme/settings/webhooks", "/rotate\"", Permission::NotificationsUpdate),
        ("/acme/settings/connections", "slack/start", Permission::ConnectionsCreate),
        ("/acme/settings/connections", "/disconnect\"", Permission::ConnectionsUpdate),
        ("/acme/settings/connections", "/delete\"", Permission::ConnectionsDelete),
    ];
    pages(&stage, &people[0].0, &people[2].0).await;
    for (who, role) in &people {
        for (path, button, needs) in &buttons {
            let shown = stage.get(Some(who), path).await;
            if shown.status == StatusCode::OK {
                let there = shown.text.contains(button);
                assert_eq!(there, role.permissions().contains(*needs), "{role} {path} {button}");
            }
        }
    }
}

#[tokio::test]
async fn a_form_posted_by_hand_is_refused_like_its_page() {
    let (stage, people) = everybody().await;
    let pages = pages(&stage, &people[0].0, &people[2].0).await;
    let before = stage.members(&people[0].0).await;
    for (who, role) in people.iter().filter(|(_, r)| *r != Role::Admin) {
        for (path, needs) in &pages {
            if needs.is_none_or(|p| role.permissions().contains(p)) {
                continue;
            }
            let form = [
                ("role", "admin"),
                ("email", "x@people.example"),
                ("name", "x"),
                ("scope", "runs:read"),
                ("confirm", "staging"),
            ];
            let shown = stage.post(who, path, &form).await;
            // A page without a form.
            let read_only = [
                "/members",
                "/api-keys",
                "/audit-digest/preview",
                "/audit-log",
                "/audit-log/1",
                "/audit-log/verify",
                "/audit-log/export",
                "/secrets",
                "/webhooks",
                "/deliveries",
                "/connections",
                "/billing",
                "/models",
                "/system-models",
            ]
            .iter()
            .any(|page| path.ends_with(&format!("/settings{page}")));
            let read_only = read_only || path.contains("/settings/deliveries/");
            let expected = if read_only { StatusCode::METHOD_NOT_ALLOWED } else { StatusCode::FORBIDDEN };
            assert_eq!(shown.status, expected, "{role} {path}");
        }
        let shown = stage
            .post(
                who,
                "/acme/settings/workspace",
                &[("name", "Mine"), ("region", "eu-central-1"), ("retention", "90"), ("seats", "25")],
            )
            .await;
        assert_eq!(shown.status, StatusCode::FORBIDDEN);
    }
    assert_eq!(stage.members(&people[0].0).await, before);
    assert_eq!(stage.key_names(&people[0].0).await, ["CI"]);
    assert_eq!(stage.environments(&people[0].0).await.len(), 2);
    assert_eq!(stage.variable_names(&people[0].0).await, ["TOKEN v1"]);
    let secrets = stage.secrets(&people[0].0).await;
    assert!(secrets.iter().map(|s| (s.name.as_str(), s.version, s.sealed)).eq([("Stripe", 1, false)]));
    assert_eq!(stage.events(&people[0].0, "secret.accessed").await, 0);
    assert_eq!(stage.notifications(&people[0].0).await.version, 0);
    assert!(stage.webhooks(&people[0].0).await.iter().map(|w| w.version).eq([1]));
    assert_eq!(stage.connection(&people[0].0).await.unwrap().version, 1);
    assert_eq!(stage.deliveries(&people[0].0).await.len(), 1);
}

#[tokio::test]
async fn who_may_not_read_members_is_told_no_names() {
    let (stage, people) = everybody().await;
    let (viewer, editor) = (&people[2].0, &people[1].0);
    for path in ["/acme/settings/members", "/acme/settings/api-keys", "/acme/settings/workspace"] {
        let shown = stage.get(Some(viewer), path).await;
        assert!(!shown.text.contains("admin@acme.example"), "{path}");
    }
    let shown = stage.get(Some(editor), "/acme/settings/api-keys").await;
    assert!(shown.text.contains("admin@acme.example"), "who may read members is told whom to ask");
}

#[tokio::test]
async fn another_workspace_is_nothing_at_all() {
    let (stage, _) = Stage::new().await;
    stage.app.send_sign_in_link("stranger@people.example".parse().unwrap()).await.unwrap();
    let link =
        stage.app.sign_in_link("stranger@people.example".parse().unwrap(), time::Duration::hours(1)).await.unwrap();
    let token = secrecy::ExposeSecret::expose_secret(&link).rsplit('/').next().unwrap().to_owned();
    let shown = stage.post_from(None, &format!("/sign-in/{token}"), &[], &[("sec-fetch-site", "same-origin")]).await;
    let cookie = shown.cookies()[0].split(';').next().unwrap().split_once('=').unwrap().1.to_owned();
    let stranger = Browser { token: cookie, user: settings_domain::ids::UserId::from_uuid(uuid::Uuid::nil()) };
    let (theirs, none) = (
        stage.get(Some(&stranger), "/acme/settings/members").await,
        stage.get(Some(&stranger), "/nobody/settings/members").await,
    );
    assert_eq!((theirs.status, &theirs.text), (StatusCode::NOT_FOUND, &none.text));
}
