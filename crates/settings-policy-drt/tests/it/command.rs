//! The command, from outside.
use std::{
    fs,
    path::Path,
    process::{Command, Output},
};

fn drt(corpus: &Path, arguments: &[&str]) -> (Option<i32>, String) {
    let mut command = Command::new(env!("CARGO_BIN_EXE_settings-policy-drt"));
    let Output { status, stdout, stderr } =
        command.arg("--corpus").arg(corpus).args(arguments).output().expect("the command runs");
    (status.code(), String::from_utf8(stdout).unwrap() + &String::from_utf8(stderr).unwrap())
}

#[test]
fn agreement_is_exit_status_0() {
    let folder = tempfile::tempdir().unwrap();
    let line =
        r#"{"account": {"here": {"active": "viewer"}}, "asks": "runs:read", "allowed": true, "why": "the matrix"}"#;
    fs::write(folder.path().join("a.jsonl"), format!("# a comment\n\n{line}\n")).unwrap();
    let (code, text) = drt(folder.path(), &["--domain", "none", "--requests", "500", "--seed", "3", "--jobs", "2"]);
    assert_eq!(code, Some(0), "{text}");
    assert!(text.contains("corpus: 1 cases, 0 wrong, 0 without an answer"), "{text}");
    assert!(text.contains("made up (seed 3): 500 requests, no difference"), "{text}");
}

#[test]
fn a_wrong_answer_in_the_corpus_is_exit_status_1() {
    let folder = tempfile::tempdir().unwrap();
    for (line, says) in [
        (r#"{"account": {}, "asks": "runs:read", "allowed": true}"#, "the table says no, the corpus says yes"),
        (r#"{"key": {"scopes": ["runs:read"]}, "asks": "runs:read", "allowed": false}"#, "Cedar says yes"),
        (r#"{"invitee": {}, "asks": "AcceptInvitation"}"#, "1 without an answer"),
    ] {
        fs::write(folder.path().join("a.jsonl"), line).unwrap();
        let (code, text) = drt(folder.path(), &["--domain", "none", "--requests", "1"]);
        assert_eq!(code, Some(1), "{text}");
        assert!(text.contains(says), "{text}");
    }
}

#[test]
fn what_can_not_be_searched_is_exit_status_2() {
    let folder = tempfile::tempdir().unwrap();
    for line in [
        r#"{"account": {}, "asks": "runs:execute"}"#,
        r#"{"account": {"owner": true}, "asks": "runs:read"}"#,
        r#"{"key": {"scopes": ["runs:*"]}, "asks": "runs:read"}"#,
        r#"{"service": {"task": "sleep"}, "asks": "RotateKeys"}"#,
        "{",
    ] {
        fs::write(folder.path().join("a.jsonl"), line).unwrap();
        let (code, text) = drt(folder.path(), &["--domain", "none", "--requests", "1"]);
        assert_eq!(code, Some(2), "{line}: {text}");
        assert!(text.contains("a.jsonl:1"), "{text}");
    }
    assert_eq!(drt(&folder.path().join("missing"), &[]).0, Some(2));
    assert_eq!(drt(folder.path(), &["--jobs", "0"]).0, Some(2));
    assert_eq!(drt(folder.path(), &["--domain", "half"]).0, Some(2));
    let (code, text) = drt(folder.path(), &["--help"]);
    assert_eq!(code, Some(0));
    assert!(text.contains("Exit status: 0") && text.contains("--requests"), "{text}");
}
