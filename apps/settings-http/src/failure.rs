//! How a command ends when it does not end well: one sentence that names the fix, and an exit code.
pub(crate) use settings_api::problem::causes;
use std::process::ExitCode;

/// Why the program stops.
#[derive(Debug)]
pub(crate) struct Failure {
    code: u8,
    message: String,
}

impl Failure {
    /// A fault was found, or the service could not run: exit 1.
    pub(crate) fn service(message: impl Into<String>) -> Self {
        Self { code: 1, message: message.into() }
    }
    /// The configuration is wrong: exit 2.
    pub(crate) fn configuration(message: impl Into<String>) -> Self {
        Self { code: 2, message: message.into() }
    }
    /// The configuration is right but dangerous: exit 78.
    pub(crate) fn unsafe_configuration(message: impl Into<String>) -> Self {
        Self { code: 78, message: message.into() }
    }
    /// Says it and gives the code.
    pub(crate) fn report(&self) -> ExitCode {
        eprintln!("settings-http: {}", self.message);
        ExitCode::from(self.code)
    }
}

impl std::fmt::Display for Failure {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.message)
    }
}
