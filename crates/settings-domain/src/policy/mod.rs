//! Who may do what. The matrix is data in [`permissions`] and [`api_key_scopes`]; [`permit()`] turns it into proof.
//!
//! ```
//! use settings_domain::policy::{Permission, Role, Scope};
//! assert!(Role::Admin.permissions().contains(Permission::MembersInvite));
//! assert!(!Role::Editor.permissions().contains(Permission::MembersInvite));
//! // `write` never implies `read`:
//! assert!(!Scope::WorkspaceWrite.permissions().contains(Permission::WorkspaceRead));
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
pub use permissions::{ParseRoleError, Permission, PermissionSet, Role, SYSTEM, UnknownPermission};
pub use permit::{Denied, Permit, TenantScope, permit};
