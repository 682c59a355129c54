//! Slack: connecting a workspace by OAuth, and posting notifications.
