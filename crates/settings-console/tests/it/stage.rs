//! A console with a workspace, people and keys in it.
use axum::{Router, body::Body};
use http::{HeaderMap, Request, StatusCode, header};
use http_body_util::BodyExt as _;
use secrecy::{ExposeSecret as _, SecretString};
use settings_api::Api;
use settings_app::{App, Ports, Rules};
use settings_console::{Console, SignIn};
use settings_domain::{
    audit::Receipts,
    audit_digest::AuditDigest,
    connections::Connection,
    deliveries::DeliveryView,
    ids::{DeliveryId, UserId},
    impact::Guard,
    models::Model,
    notifications::NotificationSettings,
    policy::{Permit, Role, ScopeSet, actions},
    ports::{
        identity::Profile,
        slack::{SlackApi, SlackError, SlackGrant, SlackMessage},
        store::{ApiKeyFilter, AuditFilter, DeliveryFilter, MemberFilter, Page, Selector},
        tokens::TokenMint as _,
    },
    references::{Declaration, ReferrerKey, Use, UsedKind},
    sealed::SecretValue,
    secrets::Secret,
    text::{Email, EmailKey},
    transaction::{Call, Caller, Snapshot},
    variables::{Entry, PlannedChange},
    webhook_subscriptions::WebhookSubscription,
};
use settings_testkit::{
    billing::FixedBilling,
    entropy::{FixedClock, FixedMint, SeededEntropy},
    fake::FakeStore,
    seal::PlainSealer,
    vault::{FixedOutbound, FixedProber, FixedVault},
};
use std::{collections::BTreeSet, sync::Arc};
use tower::ServiceExt as _;

pub(crate) const ORIGIN: &str = "https://settings.example";

pub(crate) struct Stage {
    pub(crate) app: Arc<App>,
    pub(crate) store: FakeStore,
    pub(crate) slack: TestSlack,
    pub(crate) router: Router,
}

/// A Slack that grants what it is asked for, unless it is told to fail.
#[derive(Clone, Default)]
pub(crate) struct TestSlack {
    pub(crate) fails: Arc<std::sync::Mutex<Option<SlackError>>>,
    /// Where people were to be sent back to, of each exchange.
    pub(crate) exchanged: Arc<std::sync::Mutex<Vec<String>>>,
}

#[async_trait::async_trait]
impl SlackApi for TestSlack {
    fn authorize_url(&self, state: &str, redirect: &str) -> String {
        let mut url = url::Url::parse("https://slack.example/oauth/v2/authorize").unwrap();
        url.query_pairs_mut().append_pair("state", state).append_pair("redirect_uri", redirect);
        url.into()
    }
    async fn exchange(&self, _: &str, redirect: &str) -> Result<SlackGrant, SlackError> {
        self.exchanged.lock().unwrap().push(redirect.to_owned());
        if let Some(error) = *self.fails.lock().unwrap() {
            return Err(error);
        }
        Ok(SlackGrant {
            token: "xoxb-canary".to_owned().into(),
            team_id: "T1".to_owned(),
            team_name: "Acme <Team>".to_owned(),
            channel: Some("C1".to_owned()),
            channel_name: Some("#alerts".to_owned()),
            scopes: Vec::new(),
        })
    }
    async fn post(&self, _: &SecretString, _: &str, _: &SlackMessage, _: DeliveryId) -> Result<(), SlackError> {
        Ok(())
    }
}

/// A signed-in browser.
#[derive(Clone)]
pub(crate) struct Browser {
    pub(crate) token: String,
    pub(crate) user: UserId,
}

pub(crate) struct Shown {
    pub(crate) status: StatusCode,
    pub(crate) headers: HeaderMap,
    pub(crate) text: String,
}

impl Shown {
    pub(crate) fn location(&self) -> &str {
        self.headers.get(header::LOCATION).map_or("", |v| v.to_str().unwrap())
    }
    pub(crate) fn cookies(&self) -> Vec<&str> {
        self.headers.get_all(header::SET_COOKIE).iter().map(|v| v.to_str().unwrap()).collect()
    }
}

pub(crate) fn call(who: &Browser) -> Call {
    let verified_email = Some("admin@acme.example".parse().unwrap());
    let caller = Caller::User { id: who.user, verified_email, platform: false };
    Call {
        caller,
        request: "test".to_owned(),
        idempotent: None,
        guard: Guard::default(),
        receipts: Receipts::default(),
    }
}

impl Stage {
    /// `acme` with an admin.
    pub(crate) async fn new() -> (Self, Browser) {
        Self::with(BTreeSet::new(), None).await
    }
    /// The same where this is the billing service.
    pub(crate) async fn billed(billing: FixedBilling) -> (Self, Browser) {
        Self::with(BTreeSet::new(), Some(billing)).await
    }
    /// The same where the admin is an owner of the platform too.
    pub(crate) async fn owned() -> (Self, Browser) {
        let admin: Email = "admin@acme.example".parse().unwrap();
        Self::with(BTreeSet::from([admin.key().clone()]), None).await
    }
    async fn with(platform_emails: BTreeSet<EmailKey>, billing: Option<FixedBilling>) -> (Self, Browser) {
        let sealer = Arc::new(PlainSealer);
        let slack = TestSlack::default();
        let store = FakeStore::new(sealer.clone());
        let ports = Ports {
            store: Arc::new(store.clone()),
            mint: Arc::new(FixedMint),
            sealer,
            vault: Arc::new(FixedVault::new(Arc::new(store.clone()), Arc::new(FixedClock(store.now())))),
            outbound: Arc::new(FixedOutbound),
            prober: Arc::new(FixedProber),
            kept_mail: None,
            slack: Some(Arc::new(slack.clone())),
            billing: billing.map(|b| Arc::new(b) as _),
            verifier: None,
            provider: None,
            clock: Arc::new(FixedClock(store.now())),
            entropy: Arc::new(SeededEntropy::new(7)),
        };
        let rules = Rules {
            floor_days: 30,
            regions: vec!["eu-central-1".parse().unwrap(), "us-east-1".parse().unwrap()],
            platform_emails,
            platform_subjects: BTreeSet::new(),
            public_url: ORIGIN.to_owned(),
        };
        let app = Arc::new(App::new(ports, rules));
        let api = Arc::new(Api::new(app.clone(), None));
        let router = settings_api::router(api.clone()).merge(settings_console::router(Console {
            api,
            sign_in: SignIn::Links,
            mailbox: false,
        }));
        let stage = Self { app, store, slack, router };
        let link =
            stage.app.seed("acme".parse().unwrap(), "Acme".parse().unwrap(), "admin@acme.example".parse().unwrap());
        let link = link.await.unwrap();
        let admin = stage.redeem(link.expose_secret().rsplit('/').next().unwrap()).await;
        (stage, admin)
    }
    async fn redeem(&self, token: &str) -> Browser {
        let signed_in = self.app.redeem_sign_in(token).await.unwrap().unwrap();
        Browser { token: signed_in.token.expose_secret().to_owned(), user: signed_in.session.user.id }
    }
    /// A right in the workspace, as it stands now.
    pub(crate) async fn right<A: settings_domain::policy::Action>(&self, by: &Browser) -> Permit<A> {
        self.snapshot::<A>(by).await.permit().clone()
    }
    async fn snapshot<A: settings_domain::policy::Action>(&self, by: &Browser) -> Snapshot<A> {
        let asking = call(by);
        Snapshot::open(&self.store, &asking.caller, &Selector::Slug("acme".parse().unwrap())).await.unwrap()
    }
    /// Somebody who joined by invitation.
    pub(crate) async fn member(&self, admin: &Browser, email: &str, role: Role) -> Browser {
        let permit = self.snapshot::<actions::InviteMember>(admin).await;
        let sent = self.app.invite(permit.permit(), &call(admin), email.parse().unwrap(), role).await.unwrap();
        let token = FixedMint.invitation(sent.value().id, 1).text;
        let (_, signed_in) = self.app.join_by_link(token.expose_secret(), "test".to_owned()).await.unwrap().unwrap();
        Browser { token: signed_in.token.expose_secret().to_owned(), user: signed_in.session.user.id }
    }
    /// Gives an account a name, as an issuer would.
    pub(crate) async fn name(&self, email: &str, name: &str) {
        let profile = Profile {
            issuer: settings_domain::ports::accounts::EMAIL_ISSUER.to_owned(),
            subject: email.to_owned(),
            email: Some(email.parse().unwrap()),
            email_verified: true,
            name: Some(name.to_owned()),
            picture: None,
        };
        let fresh = UserId::from_uuid(self.app.ports().entropy.uuid());
        self.app.ports().store.sync(fresh, &profile).await.unwrap();
    }
    /// A key; its id and its value.
    pub(crate) async fn key(&self, admin: &Browser, name: &str, scopes: &str) -> (String, String) {
        let permit = self.snapshot::<actions::CreateApiKey>(admin).await;
        let scopes: ScopeSet = scopes.parse().unwrap();
        let made =
            self.app.create_api_key(permit.permit(), &call(admin), name.parse().unwrap(), scopes, None).await.unwrap();
        (made.key.value().id.to_string(), made.value.unwrap().expose_secret().to_owned())
    }
    pub(crate) async fn invite(&self, admin: &Browser, email: &str) -> String {
        let permit = self.snapshot::<actions::InviteMember>(admin).await;
        let sent = self.app.invite(permit.permit(), &call(admin), email.parse().unwrap(), Role::Viewer).await.unwrap();
        sent.value().id.to_string()
    }
    pub(crate) async fn workspace(&self, admin: &Browser) -> settings_domain::ids::WorkspaceId {
        self.snapshot::<actions::ReadWorkspace>(admin).await.permit().scope().workspace()
    }
    pub(crate) async fn members(&self, admin: &Browser) -> Vec<String> {
        let mut snapshot = self.snapshot::<actions::ListMembers>(admin).await;
        let found = snapshot.members(&MemberFilter::default(), Page { after: None, limit: 100 }).await.unwrap();
        found.iter().map(|m| format!("{} {}", m.user.email.as_ref().unwrap().as_str(), m.member.role)).collect()
    }
    pub(crate) async fn key_names(&self, admin: &Browser) -> Vec<String> {
        let mut snapshot = self.snapshot::<actions::ListApiKeys>(admin).await;
        let found = snapshot.api_keys(ApiKeyFilter::default(), Page { after: None, limit: 100 }).await.unwrap();
        found.iter().map(|k| k.key.name.as_str().to_owned()).collect()
    }
    pub(crate) async fn environments(&self, admin: &Browser) -> Vec<(String, String)> {
        let found = self.snapshot::<actions::ListEnvironments>(admin).await.environments().await.unwrap();
        found.iter().map(|e| (e.id.to_string(), e.name.as_str().to_owned())).collect()
    }

    /// A variable, made as a form makes it; its id.
    pub(crate) async fn variable(&self, admin: &Browser, environment: &str, name: &str, value: &str) -> String {
        let environment = self.environments(admin).await.into_iter().find(|(_, n)| n == environment).unwrap().0;
        let form = [("name", name), ("value", value), ("environment", environment.as_str())];
        let shown = self.post(admin, "/acme/settings/variables/new", &form).await;
        assert_eq!(shown.status, StatusCode::SEE_OTHER, "{}", shown.text);
        let mut snapshot = self.snapshot::<actions::ListVariables>(admin).await;
        let all = snapshot.variables(None, Page { after: None, limit: 500 }).await.unwrap().unwrap();
        let found = all.iter().find(|v| v.name.as_str() == name && v.environment.to_string() == environment);
        found.unwrap().id.to_string()
    }
    /// A secret, made as a form makes it; its id.
    pub(crate) async fn secret(&self, admin: &Browser, environment: &str, name: &str, value: &str) -> String {
        let environment = self.environments(admin).await.into_iter().find(|(_, n)| n == environment).unwrap().0;
        let form = [("name", name), ("value", value), ("environment", environment.as_str())];
        let shown = self.post(admin, "/acme/settings/secrets/new", &form).await;
        assert_eq!(shown.status, StatusCode::SEE_OTHER, "{}", shown.text);
        self.secrets(admin).await.into_iter().find(|s| s.name.as_str() == name).unwrap().id.to_string()
    }
    pub(crate) async fn secrets(&self, admin: &Browser) -> Vec<Secret> {
        let mut snapshot = self.snapshot::<actions::ListSecrets>(admin).await;
        snapshot.secrets(None, Page { after: None, limit: 500 }).await.unwrap().unwrap()
    }
    /// A model, made as a form makes it; its id.
    pub(crate) async fn model(&self, admin: &Browser, name: &str, url: &str, token: &str) -> String {
        let form = [("provider", "custom"), ("name", name), ("url", url), ("auth", "token"), ("token", token)];
        let shown = self.post(admin, "/acme/settings/models/new", &form).await;
        assert_eq!(shown.status, StatusCode::SEE_OTHER, "{}", shown.text);
        self.models(admin).await.into_iter().find(|m| m.name.as_str() == name).unwrap().id.to_string()
    }
    pub(crate) async fn models(&self, admin: &Browser) -> Vec<Model> {
        let mut snapshot = self.snapshot::<actions::ListModels>(admin).await;
        let found = snapshot.models(Page { after: None, limit: 500 }).await.unwrap();
        found.into_iter().map(|v| v.model).collect()
    }
    pub(crate) async fn digest(&self, admin: &Browser) -> AuditDigest {
        self.snapshot::<actions::ReadAuditDigest>(admin).await.audit_digest().await.unwrap()
    }
    /// A webhook, made as a form makes it; its id.
    pub(crate) async fn webhook(&self, admin: &Browser, url: &str) -> String {
        let form = [("url", url), ("event", "run_failed")];
        let shown = self.post(admin, "/acme/settings/webhooks/new", &form).await;
        assert_eq!(shown.status, StatusCode::CREATED, "{}", shown.text);
        let all = self.webhooks(admin).await;
        all.into_iter().find(|s| s.url == url).unwrap().id.to_string()
    }
    pub(crate) async fn webhooks(&self, admin: &Browser) -> Vec<WebhookSubscription> {
        self.snapshot::<actions::ReadNotifications>(admin).await.webhook_subscriptions().await.unwrap()
    }
    pub(crate) async fn notifications(&self, admin: &Browser) -> NotificationSettings {
        self.snapshot::<actions::ReadNotifications>(admin).await.notification_settings().await.unwrap()
    }
    pub(crate) async fn deliveries(&self, admin: &Browser) -> Vec<DeliveryView> {
        let mut snapshot = self.snapshot::<actions::ReadNotifications>(admin).await;
        snapshot.deliveries(DeliveryFilter::default(), Page { after: None, limit: 100 }).await.unwrap()
    }
    pub(crate) async fn connection(&self, admin: &Browser) -> Option<Connection> {
        self.snapshot::<actions::ListConnections>(admin).await.connections().await.unwrap().into_iter().next()
    }
    /// Slack, connected by going there and back.
    pub(crate) async fn connect_slack(&self, admin: &Browser) -> Shown {
        let started = self.post(admin, "/acme/settings/connections/slack/start", &[]).await;
        assert_eq!(started.status, StatusCode::OK, "{}", started.text);
        let state = slack_state(&started);
        self.get(Some(admin), &format!("/acme/settings/connections/slack/callback?code=c1&state={state}")).await
    }
    /// How often something of this name is in the audit log.
    pub(crate) async fn events(&self, admin: &Browser, action: &str) -> usize {
        let mut snapshot = self.snapshot::<actions::ReadAudit>(admin).await;
        let filter = AuditFilter { action: Some(action.to_owned()), ..AuditFilter::default() };
        snapshot.audit_events(&filter, 100).await.unwrap().len()
    }
    pub(crate) async fn variable_names(&self, admin: &Browser) -> Vec<String> {
        let mut snapshot = self.snapshot::<actions::ListVariables>(admin).await;
        let all = snapshot.variables(None, Page { after: None, limit: 500 }).await.unwrap().unwrap();
        let mut names: Vec<_> = all.iter().map(|v| format!("{} v{}", v.name, v.version)).collect();
        names.sort();
        names
    }
    /// What a stored value is, by its keyed digest alone: whether it is this one.
    pub(crate) async fn holds(&self, admin: &Browser, environment: &str, name: &str, value: &str) -> bool {
        let id = self.environments(admin).await.into_iter().find(|(_, n)| n == environment).unwrap().0;
        let mut snapshot = self.snapshot::<actions::PreviewVariables>(admin).await;
        let value = SecretValue::new(value.to_owned().into()).unwrap();
        let entry = Entry { name: name.parse().unwrap(), value, line: 1 };
        let planned = self.app.preview_variables(&mut snapshot, id.parse().unwrap(), &[entry]).await.unwrap().unwrap();
        planned.first().is_some_and(|p| p.change == PlannedChange::Same)
    }
    /// Says that a workflow uses something.
    pub(crate) async fn uses(&self, admin: &Browser, name: &str, kind: UsedKind, id: &str) {
        let permit = self.snapshot::<actions::DeclareReferences>(admin).await;
        let key = ReferrerKey { kind: "workflow".parse().unwrap(), id: format!("wf-{}", name.len()).parse().unwrap() };
        let uses = BTreeSet::from([Use { kind, id: id.parse().unwrap() }]);
        let declaration = Declaration { key, name: name.parse().unwrap(), uses };
        self.app.declare_references(permit.permit(), &call(admin), declaration).await.unwrap();
    }

    pub(crate) async fn send(&self, request: Request<Body>) -> Shown {
        let response = self.router.clone().oneshot(request).await.unwrap();
        let (parts, body) = response.into_parts();
        let bytes = body.collect().await.unwrap().to_bytes();
        Shown { status: parts.status, headers: parts.headers, text: String::from_utf8(bytes.to_vec()).unwrap() }
    }
    pub(crate) async fn get(&self, who: Option<&Browser>, path: &str) -> Shown {
        let mut request = Request::get(path).header("accept", "text/html");
        if let Some(who) = who {
            request = request.header("cookie", format!("__Host-settings={}", who.token));
        }
        self.send(request.body(Body::empty()).unwrap()).await
    }
    /// Posts a form as a browser would from a page of this console.
    pub(crate) async fn post(&self, who: &Browser, path: &str, form: &[(&str, &str)]) -> Shown {
        self.post_from(Some(who), path, form, &[("sec-fetch-site", "same-origin")]).await
    }
    pub(crate) async fn post_from(
        &self,
        who: Option<&Browser>,
        path: &str,
        form: &[(&str, &str)],
        more: &[(&str, &str)],
    ) -> Shown {
        let body = url::form_urlencoded::Serializer::new(String::new()).extend_pairs(form).finish();
        let mut request = Request::post(path).header("content-type", "application/x-www-form-urlencoded");
        if let Some(who) = who {
            request = request.header("cookie", format!("__Host-settings={}", who.token));
        }
        for (name, value) in more {
            request = request.header(*name, *value);
        }
        self.send(request.body(body.into()).unwrap()).await
    }
}

/// What goes along to Slack and back, still encoded.
pub(crate) fn slack_state(started: &Shown) -> String {
    let refresh = started.headers.get("refresh").unwrap().to_str().unwrap();
    refresh.split("state=").nth(1).unwrap().split('&').next().unwrap().to_owned()
}

/// The value of a hidden or typed field on a page.
pub(crate) fn value<'a>(page: &'a str, name: &str) -> &'a str {
    let wanted = format!("name=\"{name}\"");
    let tag =
        page.split('<').filter_map(|t| t.split('>').next()).find(|t| t.starts_with("input") && t.contains(&wanted));
    let tag = tag.unwrap_or_else(|| panic!("no {name} in {page}"));
    tag.split("value=\"").nth(1).unwrap().split('"').next().unwrap()
}
