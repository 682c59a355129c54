//! What the commands of the audit log take.
use clap::{Args, Subcommand};
use std::path::PathBuf;

/// What to do with the audit log.
#[derive(Debug, Subcommand)]
pub(crate) enum AuditCommand {
    /// Check the chains in the database, or an export without the service; exit 1 and the first broken event on a fault.
    #[command(after_help = "Examples:
  settings-http audit verify                                   every chain in the database
  settings-http audit verify --workspace acme --against mail.eml
                                                               one chain, and whether it is still the one of a digest mail
  settings-http audit verify --export acme.jsonl --public-key key.txt --against mail.eml
                                                               a file, on any machine: no database, no keyring

Exit codes: 0 everything holds, 1 something does not (the first fault is printed), 2 bad usage, or a file that can't be read,
is no export or holds no note.")]
    Verify(Verify),
    /// Print the public key that checkpoints, receipts and exports are checked with: for C2SP's tools, then as PEM.
    #[command(alias = "checkpoint-key")]
    PublicKey,
    /// Sign every chain that has grown since its newest checkpoint, and print the signed notes, to be kept elsewhere.
    Checkpoint,
}

/// What to check.
#[derive(Debug, Args)]
pub(crate) struct Verify {
    /// Only this workspace.
    #[arg(long, value_name = "SLUG", conflicts_with = "export")]
    pub(crate) workspace: Option<String>,
    /// Check this export (JSON Lines; - for stdin) with the public key alone, instead of the database.
    #[arg(long, value_name = "FILE", requires = "public_key")]
    pub(crate) export: Option<PathBuf>,
    /// The service's public key, or a file with it: what `audit public-key` prints. Take it from where the export did not come from.
    #[arg(long, value_name = "KEY", requires = "export")]
    pub(crate) public_key: Option<String>,
    /// Compare with what was kept elsewhere: a digest mail as it came (.eml), a signed note, an `audit-receipt`, or an earlier export. Can be
    /// repeated.
    #[arg(long, value_name = "FILE")]
    pub(crate) against: Vec<PathBuf>,
}
