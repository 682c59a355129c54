//! People and tenants, made through the API alone.
use super::{
    client::{Caller, Site},
    issuer::Issuer,
    unique,
};
use serde_json::{Value, json};
use std::ops::Deref;

/// All 16 scopes, written down here by hand.
pub(crate) const SCOPES: [&str; 16] = [
    "workflows:read",
    "workflows:write",
    "runs:read",
    "runs:write",
    "approvals:read",
    "approvals:write",
    "agents:read",
    "agents:write",
    "skills:read",
    "skills:write",
    "connections:read",
    "connections:write",
    "audit:read",
    "workspace:read",
    "workspace:write",
    "secrets:read",
];

/// Somebody with an account at the issuer.
#[derive(Debug, Clone)]
pub(crate) struct Person {
    pub(crate) subject: String,
    pub(crate) email: String,
    pub(crate) name: String,
}

impl Person {
    /// Somebody new.
    pub(crate) fn new(name: &str) -> Self {
        Self::with_email(&format!("{name}.{}@example.org", unique()), name)
    }
    pub(crate) fn with_email(email: &str, name: &str) -> Self {
        Self { subject: format!("auth0|{}", unique()), email: email.to_owned(), name: format!("{name} Of-Tests") }
    }
    /// The claims of their token.
    pub(crate) fn claims(&self) -> Value {
        let mut claims = Issuer::shared().claims(&self.subject);
        claims["email"] = json!(self.email);
        claims["email_verified"] = json!(true);
        claims["name"] = json!(self.name);
        claims
    }
    pub(crate) fn token(&self) -> String {
        Issuer::shared().token(&self.claims())
    }
}

/// A member, present or former.
#[derive(Debug, Clone)]
pub(crate) struct Member {
    pub(crate) id: String,
    pub(crate) person: Person,
    caller: Caller,
}

impl Deref for Member {
    type Target = Caller;
    fn deref(&self) -> &Caller {
        &self.caller
    }
}

/// A key with its value.
#[derive(Debug, Clone)]
pub(crate) struct Key {
    pub(crate) id: String,
    pub(crate) value: String,
    caller: Caller,
}

impl Deref for Key {
    type Target = Caller;
    fn deref(&self) -> &Caller {
        &self.caller
    }
}

impl Key {
    pub(crate) fn new(site: &Site, id: String, value: &str) -> Self {
        Self { id, value: value.to_owned(), caller: site.key(value) }
    }
}

/// A workspace and its admin.
#[derive(Debug, Clone)]
pub(crate) struct Tenant {
    pub(crate) site: Site,
    pub(crate) id: String,
    pub(crate) slug: String,
    pub(crate) admin: Member,
    /// The platform's owner, acting in this workspace.
    pub(crate) platform: Caller,
}

impl std::fmt::Debug for Site {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Site").field("address", &self.address()).finish_non_exhaustive()
    }
}

impl Site {
    /// A new workspace with one admin, who was invited and has joined.
    pub(crate) async fn tenant(&self) -> Tenant {
        self.tenant_with(json!({})).await
    }
    /// A new workspace with further fields.
    pub(crate) async fn tenant_with(&self, more: Value) -> Tenant {
        let person = Person::new("ada");
        let slug = format!("t-{}", unique());
        let mut body = json!({"name": "Tenant of a test", "slug": slug, "adminEmail": person.email});
        body.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        let made = self.platform().post("/api/organizations", body).await.created();
        let id = made["id"].as_str().unwrap().to_owned();
        let admin = self.join(&person).await;
        assert_eq!(admin.1["organizationId"], id.as_str());
        let platform = self.platform().within(&id);
        Tenant { site: self.clone(), slug, admin: self.member(&id, person, admin.0).await, platform, id }
    }
    /// Accepts the newest invitation to a person.
    async fn join(&self, person: &Person) -> (Caller, Value) {
        let token = self.invitation_to(&person.email).await;
        let caller = self.person(person);
        let joined = caller.act(format!("/api/invitations/{token}/accept")).await.ok();
        (caller, joined)
    }
    async fn member(&self, workspace: &str, person: Person, caller: Caller) -> Member {
        let path = format!("/api/organizations/{workspace}/members?q={}", person.email.replace('+', "%2B"));
        let found = self.platform().get(path).await.ok();
        let id = found["items"][0]["userId"].as_str().expect("the new member").to_owned();
        Member { id, person, caller }
    }
}

impl Tenant {
    /// The same workspace through another process.
    pub(crate) fn at(&self, site: &Site) -> Self {
        let admin = Member { caller: self.admin.caller.at(site), ..self.admin.clone() };
        Self { site: site.clone(), admin, platform: self.platform.at(site), ..self.clone() }
    }
    /// A path of this workspace: `/w/{slug}` before it.
    pub(crate) fn path(&self, path: &str) -> String {
        format!("/w/{}{path}", self.slug)
    }
    /// A path of this organization.
    pub(crate) fn org(&self, path: &str) -> String {
        format!("/api/organizations/{}{path}", self.id)
    }
    /// Invites an address; the invitation.
    pub(crate) async fn invite(&self, email: &str, role: &str) -> Value {
        self.admin.post(self.path("/workspace/members"), json!({"email": email, "role": role})).await.created()
    }
    /// New members with these roles, in order.
    pub(crate) async fn members<const N: usize>(&self, roles: [&str; N]) -> [Member; N] {
        let people: Vec<Person> = roles.iter().map(|role| Person::new(role)).collect();
        for (person, role) in people.iter().zip(roles) {
            self.invite(&person.email, role).await;
        }
        let mut members = Vec::new();
        for person in people {
            let (caller, _) = self.site.join(&person).await;
            members.push(self.site.member(&self.id, person, caller).await);
        }
        members.try_into().unwrap()
    }
    /// A person who joins by an invitation sent before.
    pub(crate) async fn joins(&self, person: Person) -> Member {
        let (caller, _) = self.site.join(&person).await;
        self.site.member(&self.id, person, caller).await
    }
    /// A key with these scopes.
    pub(crate) async fn key(&self, scopes: &[&str]) -> Key {
        let body = json!({"name": "a key of the test", "scopes": scopes});
        let made = self.admin.post(self.path("/workspace/api-keys"), body).await.created();
        let value = made["key"].as_str().unwrap().to_owned();
        let caller = self.site.key(&value).named(&format!("key {}", scopes.join(" ")));
        Key { id: made["id"].as_str().unwrap().to_owned(), value, caller }
    }
    /// Revokes a key, whatever it takes.
    pub(crate) async fn revoke(&self, key: &str) {
        let path = self.path(&format!("/workspace/api-keys/{key}"));
        let answer = self.admin.delete(&path).await;
        if answer.status == 428 {
            let (digest, _) = answer.impact(1);
            return self.admin.delete(&path).confirming(&digest).await.done();
        }
        answer.done();
    }
    /// The workspace as its admin sees it.
    pub(crate) async fn workspace(&self) -> Value {
        self.admin.get(self.path("/workspace")).await.ok()
    }
}
