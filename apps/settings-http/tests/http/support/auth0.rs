//! A tenant of Auth0 with prepared answers, in the shapes of Auth0's published description of its Management API v2.
use super::{Tenant, Value, json};
use settings_testkit::wiremock::WireMock;

pub(crate) const ORGANIZATION: &str = "/api/v2/organizations/org_1";
/// The client that people sign in with.
pub(crate) const APPLICATION: &str = "the application";

/// A running Auth0.
pub(crate) struct Auth0 {
    mock: WireMock,
    url: String,
}

impl Auth0 {
    /// One with this service's roles, and nothing else: what is not prepared is 404.
    pub(crate) fn start() -> Self {
        let mock = tokio::task::block_in_place(|| WireMock::start(env!("CARGO_TARGET_TMPDIR")).unwrap());
        let auth0 = Self { url: mock.url(), mock };
        let token = json!({"access_token": "a token", "expires_in": 86400, "token_type": "Bearer"});
        auth0.answers("POST", "/oauth/token", 200, &token);
        let role = |name: &str| json!({"id": format!("rol_{name}"), "name": format!("settings-{name}")});
        auth0.answers("GET", "/api/v2/roles", 200, &json!(["admin", "editor", "viewer"].map(role)));
        auth0
    }
    /// What a server has to know of it. The issuer stays whoever it is.
    pub(crate) fn env(&self) -> [(&'static str, Option<&str>); 6] {
        [
            ("AUTH0_DOMAIN", Some(&self.url)),
            ("AUTH0_M2M_CLIENT_ID", Some("m2m")),
            ("AUTH0_M2M_CLIENT_SECRET", Some("m2m secret")),
            ("AUTH0_CLIENT_ID", Some(APPLICATION)),
            ("AUTH0_CLIENT_SECRET", Some("client secret")),
            ("AUTH0_SECRET", Some("0123456789abcdef0123456789abcdef")),
        ]
    }
    /// Prepares an answer; a later one goes before an earlier one.
    pub(crate) fn answers(&self, method: &str, path: &str, status: u16, body: &Value) {
        self.stub(
            json!({"request": {"method": method, "urlPath": path}, "response": {"status": status, "jsonBody": body}}),
        );
    }
    /// The same, as `WireMock` takes it.
    pub(crate) fn stub(&self, mapping: Value) {
        tokio::task::block_in_place(|| self.mock.stub(mapping)).unwrap();
    }
    /// Answers everything below the Management API.
    pub(crate) fn all(&self, response: &Value) {
        self.stub(json!({"request": {"method": "ANY", "urlPathPattern": "/api/v2/.*"}, "response": response}));
    }
    /// The organization of a workspace, with nobody in it.
    pub(crate) fn organization(&self, tenant: &Tenant) {
        let by_name = format!("/api/v2/organizations/name/{}", tenant.slug);
        self.answers("GET", &by_name, 200, &Self::named(tenant, &tenant.id));
        self.holds(&json!([]), &json!([]));
        for method in ["POST", "PATCH", "DELETE"] {
            let request = json!({"method": method, "urlPathPattern": format!("{ORGANIZATION}(/.*)?")});
            self.stub(json!({"request": request, "response": {"status": 204}}));
        }
    }
    /// An organization of this name that belongs to a workspace.
    pub(crate) fn named(tenant: &Tenant, owner: &str) -> Value {
        let metadata = json!({"settings_workspace": owner});
        json!({"id": "org_1", "name": tenant.slug, "display_name": "Tenant of a test", "metadata": metadata})
    }
    /// The organization's members and invitations.
    pub(crate) fn holds(&self, members: &Value, invitations: &Value) {
        self.answers("GET", &format!("{ORGANIZATION}/members"), 200, &json!({"members": members}));
        self.answers("GET", &format!("{ORGANIZATION}/invitations"), 200, invitations);
    }
    /// A member as Auth0 shows one.
    pub(crate) fn member(subject: &str, role: &str) -> Value {
        json!({"user_id": subject, "roles": [{"id": format!("rol_{role}"), "name": "any"}]})
    }
    /// An invitation of this service as Auth0 shows one.
    pub(crate) fn invitation(email: &str, role: &str) -> Value {
        json!({"id": "uinv_1", "invitee": {"email": email}, "client_id": APPLICATION, "roles": [format!("rol_{role}")],
               "expires_at": "2199-01-01T00:00:00.000Z"})
    }
    /// Everything that was asked to change, oldest first: method, path and body.
    pub(crate) fn changes(&self) -> Vec<(String, String, Value)> {
        let all = tokio::task::block_in_place(|| self.mock.journal()).unwrap();
        all.into_iter()
            .filter(|(method, path, _)| method != "GET" && path != "/oauth/token")
            .map(|(method, path, body)| (method, path, serde_json::from_str(&body).unwrap_or(Value::Null)))
            .collect()
    }
}

/// A part of a path, as this service writes a subject into one.
pub(crate) fn encoded(subject: &str) -> String {
    subject.replace('|', "%7C")
}
