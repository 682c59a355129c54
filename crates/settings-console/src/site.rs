//! What all pages share.
use settings_api::{
    Api,
    limits::{Limits, Wait},
};
use settings_app::App;
use std::sync::Arc;

/// How people come to a session.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SignIn {
    /// By links that are e-mailed to them.
    Links,
    /// At the identity provider of the ports.
    Provider,
    /// Elsewhere: an OIDC issuer is configured, and this service is no client of it that browsers could use.
    Elsewhere,
}

/// What the console needs from the program that mounts it.
#[derive(Debug, Clone)]
pub struct Console {
    /// The use cases and the rate limits, which the pages share with the API.
    pub api: Arc<Api>,
    /// How people sign in.
    pub sign_in: SignIn,
    /// Whether the program shows mail at `/dev/mailbox`, so that the sign-in page can say so.
    pub mailbox: bool,
}

/// The console and what follows from its public address.
#[derive(Debug)]
pub(crate) struct Site {
    console: Console,
    /// Scheme and authority of the public address.
    origin: String,
    /// Path of the public address without a trailing slash: what every link begins with.
    base: String,
    https: bool,
}

impl Site {
    pub(crate) fn new(console: Console) -> Self {
        let public = console.api.app().rules().public_url.clone();
        let parsed = url::Url::parse(&public).ok();
        let origin = parsed.as_ref().map_or_else(|| public.clone(), |u| u.origin().ascii_serialization());
        let base = parsed.as_ref().map(|u| u.path().trim_end_matches('/').to_owned()).unwrap_or_default();
        Self { console, origin, base, https: public.starts_with("https://") }
    }
    pub(crate) fn app(&self) -> &App {
        self.console.api.app()
    }
    pub(crate) fn api(&self) -> Arc<Api> {
        self.console.api.clone()
    }
    pub(crate) fn origin(&self) -> &str {
        &self.origin
    }
    pub(crate) fn public_url(&self) -> &str {
        &self.app().rules().public_url
    }
    pub(crate) const fn https(&self) -> bool {
        self.https
    }
    pub(crate) fn links(&self) -> bool {
        self.console.sign_in == SignIn::Links
    }
    /// What people know the identity provider by, where they sign in there.
    pub(crate) fn provider(&self) -> Option<&str> {
        let provider = self.app().ports().provider.as_ref().filter(|_| self.console.sign_in == SignIn::Provider);
        provider.map(|provider| provider.name())
    }
    pub(crate) const fn mailbox(&self) -> bool {
        self.console.mailbox
    }
    /// The address of a page: `path` begins with a slash.
    pub(crate) fn at(&self, path: &str) -> String {
        format!("{}{path}", self.base)
    }
    pub(crate) fn base(&self) -> &str {
        &self.base
    }
    /// Asks a rate limit, where there are any.
    pub(crate) fn limit(&self, check: impl FnOnce(&Limits) -> Result<(), Wait>) -> Result<(), Wait> {
        self.console.api.limits().map_or(Ok(()), check)
    }
}
