//! Exports as files, and the command that checks them on a machine that has nothing else of the service.
use super::{Answer, Site, Store, Tenant, Value};
use std::{
    fs,
    path::{Path, PathBuf},
    process::Command,
};
use tempfile::TempDir;

/// A folder with the public key in it, as an auditor would have.
pub(crate) struct Desk {
    dir: TempDir,
    site: Site,
}

/// What the command said: its exit code, and what it printed.
#[derive(Debug)]
pub(crate) struct Verdict(pub(crate) Option<i32>, pub(crate) String);

impl Verdict {
    #[track_caller]
    pub(crate) fn holds(&self) -> &Self {
        assert_eq!(self.0, Some(0), "{}", self.1);
        assert!(self.1.contains("intact"), "{}", self.1);
        self
    }
    #[track_caller]
    pub(crate) fn says(&self, text: &str) -> &Self {
        assert!(self.1.contains(text), "no {text:?} in: {}", self.1);
        self
    }
    /// Broken, at the place and for the reason that these words name.
    #[track_caller]
    pub(crate) fn broken(&self, place: &str) -> &Self {
        assert_eq!(self.0, Some(1), "{place}: {}", self.1);
        self.says(&format!("BROKEN  {place}"))
    }
    #[track_caller]
    pub(crate) fn unreadable(&self) -> &Self {
        assert_eq!(self.0, Some(2), "{}", self.1);
        self
    }
}

impl Desk {
    pub(crate) fn of(site: &Site) -> Self {
        let dir = tempfile::tempdir().unwrap();
        let key = site.home.run(&["audit", "public-key"], &[]);
        assert!(key.status.success(), "{key:?}");
        fs::write(dir.path().join("key.txt"), key.stdout).unwrap();
        Self { dir, site: site.clone() }
    }
    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }
    pub(crate) fn keep(&self, name: &str, content: impl AsRef<[u8]>) -> PathBuf {
        fs::write(self.path(name), content).unwrap();
        self.path(name)
    }
    /// The key as text.
    pub(crate) fn key(&self) -> String {
        fs::read_to_string(self.path("key.txt")).unwrap()
    }
    /// Runs the check, without a database, a keyring or any setting.
    pub(crate) fn verify(&self, export: &[String], against: &[&Path]) -> Verdict {
        let file = self.keep("export.jsonl", export.join("\n") + "\n");
        self.verify_file(&file, against)
    }
    pub(crate) fn verify_file(&self, export: &Path, against: &[&Path]) -> Verdict {
        let mut command: Command = self.site.home.command(&[]);
        command.env_clear().current_dir(self.dir.path());
        command.args(["audit", "verify", "--public-key", "key.txt", "--export"]).arg(export);
        for file in against {
            command.arg("--against").arg(file);
        }
        let output = tokio::task::block_in_place(|| command.output().unwrap());
        let text = [output.stdout, output.stderr].map(|b| String::from_utf8_lossy(&b).into_owned()).concat();
        assert!(!text.contains("example.org"), "what a person wrote is in no message: {text}");
        Verdict(output.status.code(), text)
    }
}

impl Tenant {
    /// The export, as lines.
    pub(crate) async fn export(&self, query: &str) -> Vec<String> {
        let answer = self.export_file(query).await;
        assert_eq!(answer.header("content-type"), Some("application/x-ndjson"));
        answer.text().lines().map(str::to_owned).collect()
    }
    pub(crate) async fn export_file(&self, query: &str) -> Answer {
        let answer = self.admin.get(self.path(&format!("/audit/events/export{query}"))).await;
        answer.has(200);
        answer
    }
}

/// A line with something changed.
pub(crate) fn changed(line: &str, change: impl FnOnce(&mut Value)) -> String {
    let mut value: Value = serde_json::from_str(line).unwrap();
    change(&mut value);
    value.to_string()
}

/// Puts the triggers that guard the log out of the way, as an owner of the database can.
pub(crate) fn open(store: Store) -> &'static [&'static str] {
    match store {
        Store::Sqlite => &[
            "DROP TRIGGER audit_events_no_update",
            "DROP TRIGGER audit_events_no_delete",
            "DROP TRIGGER audit_openings_only_erased",
            "DROP TRIGGER audit_openings_no_delete",
            "DROP TRIGGER audit_checkpoints_no_update",
            "DROP TRIGGER audit_checkpoints_no_delete",
        ],
        Store::Postgres => &[
            "ALTER TABLE audit_events DISABLE TRIGGER USER",
            "ALTER TABLE audit_openings DISABLE TRIGGER USER",
            "ALTER TABLE audit_openings DROP CONSTRAINT audit_openings_erased",
            "ALTER TABLE audit_checkpoints DISABLE TRIGGER USER",
        ],
    }
}
