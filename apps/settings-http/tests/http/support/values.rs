//! A variable, a secret and a model of a tenant, and short ways to make more.
use super::{Tenant, Value, json};

/// Where a model of a test is called. No test goes there: no network is needed.
pub(crate) const MODEL_URL: &str = "https://models.example.org/v1/chat";

/// One of each kind.
#[derive(Debug, Clone)]
pub(crate) struct Values {
    pub(crate) environment: String,
    pub(crate) variable: String,
    pub(crate) secret: String,
    pub(crate) model: String,
}

fn text(v: &Value) -> String {
    v.as_str().unwrap().to_owned()
}

impl Values {
    /// Made in an environment called `lab`, so that nothing has to be confirmed.
    pub(crate) async fn of(tenant: &Tenant) -> Self {
        let environment = text(&tenant.environment("lab").await["id"]);
        let variable = tenant.variable(&environment, "KEPT", "a kept value").await;
        let secret = json!({"name": "kept", "value": "a kept value", "environmentId": environment});
        let secret = tenant.admin.post(tenant.path("/secrets"), secret).await.created();
        let model = tenant.model("kept", "a kept token").await;
        Self { environment, variable: text(&variable["id"]), secret: text(&secret["id"]), model: text(&model["id"]) }
    }
}

impl Tenant {
    /// A new development environment.
    pub(crate) async fn environment(&self, name: &str) -> Value {
        let body = json!({"organizationId": self.id, "name": name, "tier": "development"});
        self.admin.post("/api/environments", body).await.created()
    }
    /// The production environment's id.
    pub(crate) async fn production(&self) -> String {
        let list = self.admin.get(self.path("/workspace/environments")).await.ok();
        let all = list["items"].as_array().unwrap();
        text(&all.iter().find(|e| e["tier"] == "production").unwrap()["id"])
    }
    /// A new variable.
    pub(crate) async fn variable(&self, environment: &str, name: &str, value: &str) -> Value {
        let body = json!({"organizationId": self.id, "environmentId": environment, "name": name, "value": value});
        self.admin.post("/api/variables", body).await.created()
    }
    /// A new model with a token.
    pub(crate) async fn model(&self, name: &str, token: &str) -> Value {
        let body = json!({"organizationId": self.id, "name": name, "modelUrl": MODEL_URL, "token": token});
        self.admin.post("/api/models", body).await.created()
    }
}
