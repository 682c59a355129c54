//! Use cases: permit, open, load, decide, commit. One file per feature; no rule lives here.
//!
//! An [`App`] composes the ports. The HTTP layer, the console and embedders call it; it calls nothing of them.
#![warn(missing_docs)]

pub mod activity;
pub mod api_keys;
pub mod audit;
pub mod audit_checkpoints;
pub mod audit_digest;
pub mod audit_export;
pub mod authenticate;
pub mod billing;
pub mod connections;
pub mod denials;
pub mod environments;
pub mod erasure;
pub mod events;
pub mod failure;
pub mod invitations;
pub mod keys;
pub mod members;
pub mod mirror;
pub mod models;
pub mod notifications;
pub mod permits;
pub mod provider;
pub mod references;
mod sealing;
pub mod secrets;
pub mod sessions;
pub mod sign_in;
pub mod variables;
pub mod webhook_subscriptions;
pub mod worker;
pub mod workspaces;

use settings_domain::{
    ports::{
        Clock, Entropy,
        accounts::Accounts,
        audit::AuditSealer,
        billing::{BillingGateway, BillingQueue},
        checkpoints::Checkpoints,
        directory::{ActivityLog, Directory, Upkeep},
        erasures::Erasures,
        identity::TokenVerifier,
        mail::KeptMail,
        mirror::MirrorQueue,
        outbound::Outbound,
        outbox::{DueDigests, Outbox},
        probe::ModelProber,
        sign_in::SignInProvider,
        slack::SlackApi,
        store::{KeyDirectory, Resolving, Store},
        tokens::TokenMint,
        vault::{DataKeyStore, Vault},
    },
    text::{EmailKey, Region},
};
use std::{collections::BTreeSet, sync::Arc};

/// Everything a store offers.
pub trait AnyStore:
    Store
    + Resolving
    + DataKeyStore
    + KeyDirectory
    + Accounts
    + Directory
    + ActivityLog
    + Outbox
    + DueDigests
    + Checkpoints
    + Erasures
    + BillingQueue
    + MirrorQueue
    + Upkeep
{
}
impl<T> AnyStore for T where
    T: Store
        + Resolving
        + DataKeyStore
        + KeyDirectory
        + Accounts
        + Directory
        + ActivityLog
        + Outbox
        + DueDigests
        + Checkpoints
        + Erasures
        + BillingQueue
        + MirrorQueue
        + Upkeep
{
}

/// What the operator configured and rules need to know.
#[derive(Debug, Clone)]
pub struct Rules {
    /// Lowest retention in days that any workspace may choose.
    pub floor_days: i64,
    /// Regions to choose from; the first is the default.
    pub regions: Vec<Region>,
    /// Verified e-mails that hold the System role.
    pub platform_emails: BTreeSet<EmailKey>,
    /// Subjects of the configured issuer that hold the System role.
    pub platform_subjects: BTreeSet<String>,
    /// Base of every link, without a trailing slash.
    pub public_url: String,
}

/// The ports, as one bundle.
#[derive(Clone)]
pub struct Ports {
    /// The store.
    pub store: Arc<dyn AnyStore>,
    /// Makes and recognises tokens.
    pub mint: Arc<dyn TokenMint>,
    /// Seals audit events.
    pub sealer: Arc<dyn AuditSealer>,
    /// Seals and opens the values of tenants.
    pub vault: Arc<dyn Vault>,
    /// Vets places that tenants name.
    pub outbound: Arc<dyn Outbound>,
    /// Calls the providers of models.
    pub prober: Arc<dyn ModelProber>,
    /// Mail that is kept on this machine; `None` where it is sent.
    pub kept_mail: Option<Arc<dyn KeptMail>>,
    /// Slack; `None` where the operator has not set it up.
    pub slack: Option<Arc<dyn SlackApi>>,
    /// The billing service; `None` where the operator has not set one up.
    pub billing: Option<Arc<dyn BillingGateway>>,
    /// Verifies bearer tokens; `None` when no issuer is configured.
    pub verifier: Option<Arc<dyn TokenVerifier>>,
    /// Where people sign in; `None` where they do by e-mailed links, or not here.
    pub provider: Option<Arc<dyn SignInProvider>>,
    /// The process's clock.
    pub clock: Arc<dyn Clock>,
    /// Randomness for ids.
    pub entropy: Arc<dyn Entropy>,
}

/// The use cases.
pub struct App {
    ports: Ports,
    rules: Rules,
    activity: activity::Recorder,
    denials: denials::Recorder,
    broken_chains: audit_checkpoints::Reported,
}

impl std::fmt::Debug for Ports {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Ports").finish_non_exhaustive()
    }
}

impl std::fmt::Debug for App {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("App").field("rules", &self.rules).finish_non_exhaustive()
    }
}

impl App {
    /// Composes the use cases.
    #[must_use]
    pub fn new(ports: Ports, rules: Rules) -> Self {
        Self {
            ports,
            rules,
            activity: activity::Recorder::default(),
            denials: denials::Recorder::default(),
            broken_chains: audit_checkpoints::Reported::default(),
        }
    }
    /// What the operator configured.
    #[must_use]
    pub const fn rules(&self) -> &Rules {
        &self.rules
    }
    /// The ports.
    #[must_use]
    pub const fn ports(&self) -> &Ports {
        &self.ports
    }
}
