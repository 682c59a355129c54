//! Answers. Whatever a test asks for, every answer is also held against what holds for all of them.
use reqwest::header::HeaderMap;
use serde_json::Value;

/// What no answer may ever show: SQL, code, paths, names of our types.
const LEAKS: &[&str] = &[
    "SELECT ",
    "INSERT ",
    "UPDATE ",
    "DELETE FROM",
    "sqlx",
    "sqlite",
    "postgres",
    "UNIQUE",
    "constraint",
    "violates",
    "panicked",
    "backtrace",
    ".rs:",
    env!("CARGO_MANIFEST_DIR"),
    "/tmp/",
    "/root/",
    "/home/",
    "src/",
    "settings_",
    "Some(",
    "Err(",
    "::",
    "Deserialize",
    "serde",
    "axum",
    "hyper",
    "expected struct",
    "missing field",
    "unknown field",
    "invalid type",
];

/// An answer.
#[derive(Debug, Clone)]
pub(crate) struct Answer {
    /// The request, in a word.
    pub(crate) what: String,
    pub(crate) status: u16,
    pub(crate) headers: HeaderMap,
    pub(crate) body: Vec<u8>,
}

impl Answer {
    #[track_caller]
    pub(crate) fn new(what: String, status: u16, headers: HeaderMap, body: Vec<u8>) -> Self {
        let answer = Self { what, status, headers, body };
        answer.hold_to_the_common_rules();
        answer
    }

    #[track_caller]
    fn hold_to_the_common_rules(&self) {
        assert_eq!(self.header("x-content-type-options"), Some("nosniff"), "{self:?}");
        assert!(self.header("x-request-id").is_some_and(|id| !id.is_empty()), "{self:?}");
        assert!(self.header("content-security-policy").is_some(), "{self:?}");
        assert!(self.header("server").is_none() && self.header("x-powered-by").is_none(), "{self:?}");
        if self.status >= 400 {
            let text = self.text();
            for leak in LEAKS {
                assert!(!text.contains(leak), "{}: the answer shows {leak:?}: {text}", self.what);
            }
        }
    }

    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name).map(|v| v.to_str().unwrap())
    }
    pub(crate) fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }
    /// The strong entity tag.
    #[track_caller]
    pub(crate) fn tag(&self) -> String {
        let tag = self.header("etag").unwrap_or_else(|| panic!("{}: no entity tag", self.what)).to_owned();
        assert!(tag.starts_with('"') && tag.ends_with('"'), "{tag} is no strong entity tag");
        tag
    }
    /// The body, whatever the status.
    #[track_caller]
    pub(crate) fn json(&self) -> Value {
        serde_json::from_slice(&self.body)
            .unwrap_or_else(|e| panic!("{}: {e}: {} {}", self.what, self.status, self.text()))
    }
    #[track_caller]
    pub(crate) fn has(&self, status: u16) -> &Self {
        assert_eq!(self.status, status, "{}: {}", self.what, self.text());
        self
    }
    #[track_caller]
    fn success(&self, status: u16) -> Value {
        self.has(status);
        assert_eq!(self.header("content-type"), Some("application/json"), "{}", self.what);
        let cache = self.header("cache-control").unwrap_or_default();
        assert!(cache.contains("no-store") || cache.contains("no-cache"), "{}: cache-control {cache}", self.what);
        self.json()
    }
    /// 200 with JSON.
    #[track_caller]
    pub(crate) fn ok(&self) -> Value {
        self.success(200)
    }
    /// 201 with JSON.
    #[track_caller]
    pub(crate) fn created(&self) -> Value {
        self.success(201)
    }
    /// 202 with JSON.
    #[track_caller]
    pub(crate) fn accepted(&self) -> Value {
        self.success(202)
    }
    /// 204.
    #[track_caller]
    pub(crate) fn done(&self) {
        self.has(204);
        assert!(self.body.is_empty(), "{}", self.what);
    }

    /// A problem of the table, complete in every respect.
    #[track_caller]
    pub(crate) fn problem(&self, status: u16, slug: &str) -> Value {
        assert_eq!(self.status, status, "{} should be {slug}: {}", self.what, self.text());
        assert_eq!(self.header("content-type"), Some("application/problem+json"), "{}", self.what);
        assert_eq!(self.header("cache-control"), Some("no-store"), "{}", self.what);
        let body = self.json();
        assert_eq!(body["type"], format!("/problems/{slug}"), "{}: {body}", self.what);
        assert_eq!(body["status"], status, "{body}");
        for member in ["title", "detail", "instance", "requestId", "error"] {
            assert!(body[member].as_str().is_some_and(|t| !t.is_empty()), "{}: {member} in {body}", self.what);
        }
        assert_eq!(body["requestId"].as_str(), self.header("x-request-id"), "{body}");
        assert!(!body["error"].as_str().unwrap().contains('\n'), "{body}");
        match status {
            401 => assert!(self.header("www-authenticate").is_some_and(|c| c.starts_with("Bearer")), "{}", self.what),
            429 => assert!(self.header("retry-after").is_some_and(|s| s.parse::<u64>().is_ok_and(|s| s > 0))),
            503 => assert!(["none", "unknown"].contains(&body["outcome"].as_str().unwrap_or("")), "{body}"),
            _ => {}
        }
        body
    }
    /// 422, with the pointers of its faults in order.
    #[track_caller]
    pub(crate) fn faults(&self) -> Vec<String> {
        let body = self.problem(422, "validation-failed");
        let faults = body["errors"].as_array().unwrap_or_else(|| panic!("{}: no errors in {body}", self.what));
        assert!(!faults.is_empty(), "{body}");
        let pointer = |f: &Value| {
            assert!(f["detail"].as_str().is_some_and(|d| !d.is_empty()), "{body}");
            f["pointer"].as_str().unwrap().to_owned()
        };
        let mut pointers: Vec<_> = faults.iter().map(pointer).collect();
        pointers.sort();
        pointers
    }
    /// 428, with its digest, for an impact of `count` things.
    #[track_caller]
    pub(crate) fn impact(&self, count: usize) -> (String, Value) {
        let body = self.problem(428, "confirmation-required");
        let impact = body["impact"].as_array().unwrap_or_else(|| panic!("no impact in {body}"));
        assert_eq!(impact.len(), count, "{body}");
        for affected in impact {
            super::shape::is(affected, &[("kind", "text"), ("id", "text"), ("name", "text"), ("why", "text")]);
        }
        (body["impactDigest"].as_str().unwrap().to_owned(), body["impact"].clone())
    }
    /// The status and slug, for tables of expectations.
    pub(crate) fn kind(&self) -> String {
        if self.status < 400 {
            return self.status.to_string();
        }
        let slug = self.problem(self.status, self.json()["type"].as_str().unwrap().trim_start_matches("/problems/"));
        format!("{} {}", self.status, slug["type"].as_str().unwrap().trim_start_matches("/problems/"))
    }
    /// The body with what differs between any two requests taken out.
    pub(crate) fn anonymised(&self) -> String {
        let id = self.header("x-request-id").unwrap_or_default();
        self.text().replace(id, "<request>")
    }
}
