//! The policy a second time, and the search for a request on which the two differ.
//!
//! `policy/*.cedar` says in [Cedar](https://www.cedarpolicy.com) what the tables of `settings-domain` say in Rust. They were
//! typed by hand from the policy document, and nothing of them is made from those tables: a slip would have to be made
//! twice, in two shapes, to stay unseen. Both stand behind [`Evaluator`], and the same requests are put to both:
//! the cases of `corpus/`, then the finite domain, then generated ones.
//!
//! Where they differ, neither is right by itself. The policy document decides, and the case stays in the corpus with its
//! answer.
//!
//! ```
//! use settings_policy_drt::{Case, Evaluator as _, Table};
//! let case: Case = serde_json::from_str(
//!     r#"{"key": {"scopes": ["workspace:write"]}, "asks": "workspace:read"}"#,
//! )?;
//! assert_eq!(Table.answer(&case.situation, &[case.question])?, [false]); // `write` never implies `read`
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
#![warn(missing_docs)]

#[cfg(feature = "cedar")]
mod cedar;
mod compare;
pub mod corpus;
pub mod domain;
mod request;
pub mod search;
mod table;

#[cfg(feature = "cedar")]
pub use cedar::{CedarPolicy, Files};
pub use compare::{Difference, Evaluator, Halt, Trouble, compare};
pub use request::{Case, Expiry, Membership, Question, Situation, TASKS, UnknownQuestion, duty};
pub use table::Table;
