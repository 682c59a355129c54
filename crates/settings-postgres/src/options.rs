//! What can be chosen when connecting.
use std::time::Duration;

/// What can be chosen.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct Options {
    /// Most connections.
    pub connections: u32,
    /// How long a call waits for a free one.
    pub patience: Duration,
    /// Whether statements stay prepared on the server. `false` behind a transaction pooler such as pgbouncer.
    pub persistent: bool,
}

impl Default for Options {
    fn default() -> Self {
        Self { connections: 16, patience: Duration::from_secs(2), persistent: true }
    }
}

impl Options {
    /// With at most this many connections.
    #[must_use]
    pub const fn connections(mut self, connections: u32) -> Self {
        self.connections = connections;
        self
    }
    /// Waiting this long for a free connection.
    #[must_use]
    pub const fn patience(mut self, patience: Duration) -> Self {
        self.patience = patience;
        self
    }
    /// With or without statements that stay prepared.
    #[must_use]
    pub const fn persistent(mut self, persistent: bool) -> Self {
        self.persistent = persistent;
        self
    }
}
