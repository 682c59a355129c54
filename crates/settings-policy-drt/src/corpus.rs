//! Cases that were found once, or that somebody thought of: one JSON object per line, `#` begins a comment.
use crate::{
    compare::{Difference, Evaluator, Trouble},
    request::Case,
};
use serde::{Deserialize, Serialize};
use std::{
    fs::{self, OpenOptions},
    io::{self, Write as _},
    path::{Path, PathBuf},
};

/// A case of the corpus.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Known {
    /// The request.
    #[serde(flatten)]
    pub case: Case,
    /// The answer by the policy document. `None` in a line that the search wrote, until somebody has looked it up.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub allowed: Option<bool>,
    /// Why it is kept.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub why: String,
}

/// A corpus that can't be read or written.
#[derive(Debug, thiserror::Error)]
pub enum CorpusError {
    /// The disk said no.
    #[error("{}: {cause}", path.display())]
    Io {
        /// Which file or folder.
        path: PathBuf,
        /// What happened.
        cause: io::Error,
    },
    /// A line is no case.
    #[error("{}:{line}: {cause}", path.display())]
    Line {
        /// Which file.
        path: PathBuf,
        /// Which line, from 1.
        line: usize,
        /// What is wrong with it.
        cause: serde_json::Error,
    },
}

/// Reads every `.jsonl` file of a folder, in the order of their names.
pub fn read(folder: &Path) -> Result<Vec<Known>, CorpusError> {
    let io = |path: &Path| {
        let path = path.to_owned();
        move |cause| CorpusError::Io { path, cause }
    };
    let entries = fs::read_dir(folder).map_err(io(folder))?;
    let mut files = entries.map(|e| e.map(|e| e.path())).collect::<Result<Vec<_>, _>>().map_err(io(folder))?;
    files.retain(|path| path.extension().is_some_and(|e| e == "jsonl"));
    files.sort();
    let mut known = Vec::new();
    for path in files {
        let text = fs::read_to_string(&path).map_err(io(&path))?;
        for (index, line) in text.lines().enumerate().filter(|(_, l)| !l.trim().is_empty() && !l.starts_with('#')) {
            let case = serde_json::from_str(line);
            known.push(case.map_err(|cause| CorpusError::Line { path: path.clone(), line: index + 1, cause })?);
        }
    }
    Ok(known)
}

/// Keeps a difference in `found.jsonl`, to be looked up in the policy document and given its answer.
pub fn keep(folder: &Path, difference: &Difference) -> Result<PathBuf, CorpusError> {
    let path = folder.join("found.jsonl");
    let known = Known { case: difference.case, allowed: None, why: String::new() };
    let io = |cause| CorpusError::Io { path: path.clone(), cause };
    let line = serde_json::to_string(&known).map_err(|e| io(e.into()))?;
    let mut file = OpenOptions::new().create(true).append(true).open(&path).map_err(io)?;
    writeln!(file, "{line}").map_err(io)?;
    Ok(path)
}

/// An answer that is not the corpus's.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{evaluator} says {}, the corpus says {}: {}", if *.says { "yes" } else { "no" }, if *.says { "no" } else { "yes" }, .known.case)]
pub struct Wrong {
    /// Who says it.
    pub evaluator: &'static str,
    /// What it says.
    pub says: bool,
    /// The case.
    pub known: Known,
}

/// Asks an evaluator about a case whose answer is known. `Ok(None)` where it is right, or where nobody knows.
pub fn check(evaluator: &dyn Evaluator, known: &Known) -> Result<Option<Wrong>, Trouble> {
    let answers = evaluator.answer(&known.case.situation, &[known.case.question])?;
    let wrong = answers.into_iter().find(|says| known.allowed.is_some_and(|allowed| allowed != *says));
    Ok(wrong.map(|says| Wrong { evaluator: evaluator.name(), says, known: known.clone() }))
}
