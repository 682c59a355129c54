//! Who may do what: one table, one bit test, and a sentence that says why.
//!
//! The matrix is data ([`Permission`], [`Role`], [`Scope`]); everything that shows it or asks it is made from that one table.
//! This module is usable by itself: it is pure, and the crate's tree holds no async runtime, no database and no HTTP.
//!
//! # A check
//!
//! An [`Actor`] is somebody in one workspace: a member with a role, a platform owner, a key with scopes. It is `Copy`, and a check
//! is one bit test without an allocation.
//!
//! ```
//! use settings_domain::{
//!     ids::{PersonId, UserId, WorkspaceId},
//!     members::Member,
//!     policy::{Actor, Permission, Requirement, Role},
//! };
//! use time::OffsetDateTime;
//! use uuid::Uuid;
//!
//! let ada = Member {
//!     workspace: WorkspaceId::from_uuid(Uuid::from_u128(1)),
//!     user: UserId::from_uuid(Uuid::from_u128(2)),
//!     person: PersonId::from_uuid(Uuid::from_u128(3)),
//!     role: Role::Editor,
//!     joined_at: OffsetDateTime::UNIX_EPOCH,
//!     removed_at: None,
//!     version: 1,
//! };
//! let actor = Actor::member(&ada, false).expect("an active member");
//! assert!(Requirement::Permission(Permission::WorkflowsUpdate).is_met_by(&actor));
//! assert!(!Requirement::Permission(Permission::MembersInvite).is_met_by(&actor));
//!
//! // Who has left is nobody any more, whatever the role was.
//! let left = Member { removed_at: Some(OffsetDateTime::UNIX_EPOCH), ..ada };
//! assert_eq!(Actor::member(&left, false), None);
//! ```
//!
//! # Why
//!
//! [`explain`] decides the same and says what granted it, or what is missing and who has it: the sentence of every 403.
//!
//! ```
//! use settings_domain::{ids::{UserId, WorkspaceId}, policy::{Actor, Permission, explain}};
//! use uuid::Uuid;
//!
//! let platform = Actor::platform(UserId::from_uuid(Uuid::from_u128(2)), WorkspaceId::from_uuid(Uuid::from_u128(1)));
//! let yes = explain(&platform, Permission::OrganizationsRead);
//! assert_eq!((yes.allowed, yes.granted_by), (true, Some("system")));
//! // The platform reaches no secret of a tenant.
//! let no = explain(&platform, Permission::SecretsReveal);
//! assert_eq!(no.because, "needs secrets:reveal; system has it not; admin have");
//! ```
//!
//! # The matrix
//!
//! ```
//! use settings_domain::policy::{Permission, Role, SYSTEM, Scope, ScopeSet, holders};
//!
//! for permission in Permission::ALL {
//!     let roles = Role::ALL.map(|role| role.permissions().contains(*permission));
//!     println!("{:24} {:5} {roles:?}", permission.name(), SYSTEM.contains(*permission));
//! }
//! // Which roles and scopes hold one permission:
//! assert_eq!(holders(Permission::RunsWrite), (vec!["admin", "editor", "system"], vec![Scope::RunsWrite]));
//!
//! // Keys have scopes and no role. `write` never implies `read`:
//! let scopes: ScopeSet = "runs:write workspace:write".parse()?;
//! assert!(!scopes.permissions().contains(Permission::WorkspaceRead));
//! // An unknown name is an error and never skipped.
//! assert!("runs:read runs:*".parse::<ScopeSet>().is_err());
//! # Ok::<(), settings_domain::policy::ParseScopeError>(())
//! ```
//!
//! `docs/permissions.md` of the repository is this table as Markdown, and `settings-http docs permissions` prints it.
//!
//! # Proof
//!
//! [`permit()`] turns a check into a [`Permit`], which functions ask for. There is no other way to get one, so the wrong right for
//! a function does not compile. [`actions`] has what this service does; [`rights`] has every permission, for what others do.
//!
//! ```
//! use settings_domain::policy::{Actor, Denied, Permit, permit, rights::RunsWrite};
//! use time::OffsetDateTime;
//!
//! fn start_run(permit: &Permit<RunsWrite>) {
//!     println!("a run starts in {}", permit.scope().workspace());
//! }
//! fn called(actor: &Actor, now: OffsetDateTime) -> Result<(), Denied> {
//!     start_run(&permit::<RunsWrite>(actor, now)?);
//!     Ok(())
//! }
//! ```
pub mod actions;
mod actor;
mod api_key_scopes;
mod evaluate;
mod permissions;
mod permit;

pub use actions::{Action, Mutation};
pub use actor::{Actor, Principal, SystemTask};
pub use api_key_scopes::{EventType, ParseScopeError, Scope, ScopeSet};
pub use evaluate::{Decision, Requirement, explain, holders};
pub use permissions::{ParseRoleError, Permission, PermissionSet, Role, SYSTEM, UnknownPermission, rights};
pub use permit::{Denied, Permit, TenantScope, permit};
