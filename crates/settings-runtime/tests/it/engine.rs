//! V8, as it comes with node.
use serde_json::{Value, json};
use std::{
    io::Write as _,
    process::{Command, Stdio},
};

/// Where sources run.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Realm {
    /// A fresh context of node's `vm`.
    Context,
    /// A realm whose global object is a plain one.
    Plain,
}

/// What the last source has answered.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Answer {
    /// A string of Unicode characters.
    Text(String),
    /// An array.
    List(Vec<Answer>),
    /// Anything else, as `String()` shows it.
    Other(String),
    /// A source has thrown.
    Threw {
        /// `TypeError: …`
        error: String,
        /// Which one.
        source: u64,
        /// What a host would log of it.
        stack: String,
    },
}

impl Answer {
    pub(crate) fn text(self) -> String {
        match self {
            Self::Text(text) => text,
            other => panic!("not a string: {other:?}"),
        }
    }
    pub(crate) fn list(self) -> Vec<Self> {
        match self {
            Self::List(list) => list,
            other => panic!("not a list: {other:?}"),
        }
    }
    pub(crate) fn texts(self) -> Vec<String> {
        self.list().into_iter().map(Self::text).collect()
    }
    fn read(value: &Value) -> Self {
        if let Some(hex) = value["string"].as_str() {
            let bytes = hex::decode(hex).unwrap();
            let units: Vec<u16> = bytes.chunks(2).map(|pair| u16::from_le_bytes([pair[0], pair[1]])).collect();
            Self::Text(String::from_utf16(&units).unwrap())
        } else if let Some(list) = value["list"].as_array() {
            Self::List(list.iter().map(Self::read).collect())
        } else if let Some(error) = value["threw"].as_str() {
            let (source, stack) = (value["source"].as_u64().unwrap(), value["stack"].as_str().unwrap().to_owned());
            Self::Threw { error: error.to_owned(), source, stack }
        } else {
            Self::Other(value["other"].as_str().unwrap().to_owned())
        }
    }
}

/// Runs each list of sources in a realm of its own. One process runs all of them, except in [`Realm::Plain`].
pub(crate) fn run_all(realm: Realm, jobs: &[Vec<&str>]) -> Vec<Answer> {
    let each = if realm == Realm::Plain { 1 } else { jobs.len().max(1) };
    jobs.chunks(each).flat_map(|jobs| process(realm, jobs)).collect()
}

/// Runs the sources, one after the other, in one fresh context.
pub(crate) fn run(sources: &[&str]) -> Answer {
    run_all(Realm::Context, &[sources.to_vec()]).remove(0)
}

fn process(realm: Realm, jobs: &[Vec<&str>]) -> Vec<Answer> {
    let realm = if realm == Realm::Plain { "plain" } else { "context" };
    let jobs: Vec<_> = jobs.iter().map(|sources| json!({ "realm": realm, "sources": sources })).collect();
    let script = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/it/engine.cjs");
    let child = Command::new("node").arg(script).stdin(Stdio::piped()).stdout(Stdio::piped()).spawn();
    let mut child = child.unwrap_or_else(|error| {
        panic!(
            "node cannot be started ({error}). These tests need a real V8 and are not skipped without one: install \
             node 18 or later (Debian: apt-get install nodejs) and have it on the PATH"
        )
    });
    // node reads all of it before it writes, so neither waits for the other.
    child.stdin.take().unwrap().write_all(&serde_json::to_vec(&jobs).unwrap()).unwrap();
    let output = child.wait_with_output().unwrap();
    assert!(output.status.success(), "node has failed: {}", output.status);
    let answers: Vec<Value> = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(answers.len(), jobs.len());
    answers.iter().map(Answer::read).collect()
}
