//! Slack: connecting a workspace by OAuth, and posting notifications.
//!
//! [`SlackClient`] implements the domain's [`SlackApi`](settings_domain::ports::slack::SlackApi).
//!
//! | a way in | closed by |
//! |---|---|
//! | a mention, a link or a command in a stranger's words | everything is escaped and on one line, and Slack is told to look for nothing (`message.rs`) |
//! | a Slack that is slow, away or endless | 3 s to connect, 10 s in all, 64 KiB at most; after 5 failures in a row it is left alone for 10 s |
//! | an answer from somebody else | TLS is verified, always; no redirect is followed, no proxy is used |
//! | Slack's sentences in our logs and pages | its codes become words of our own (`failure.rs`) |
//!
//! Nothing is tried twice in here: that is for the caller's queue.
mod client;
mod config;
mod failure;
mod message;

pub use client::SlackClient;
pub use config::{SLACK, SlackConfigError};
