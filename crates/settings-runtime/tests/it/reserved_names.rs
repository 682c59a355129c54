//! The table of reserved names, held against a real V8.
use crate::engine::{Answer, Realm, run, run_all};
use settings_runtime::{RESERVED_VARIABLE_NAMES, VariableName, VariableNameError};

fn is_name(text: &str) -> bool {
    text.parse::<VariableName>().is_ok()
}

fn of_form(text: &str) -> bool {
    text.parse::<VariableName>() != Err(VariableNameError::Malformed)
}

#[test]
fn no_variable_is_called_like_anything_that_a_context_has_by_itself() {
    let names = "let all = []; \
        for (let o = globalThis; o; o = Object.getPrototypeOf(o)) all.push(...Object.getOwnPropertyNames(o)); \
        all.push(...Object.getOwnPropertyNames(Function.prototype).filter((name) => name === 'arguments' || name === 'prototype')); \
        all";
    let names = run(&[names]).texts();
    assert!(names.len() > 60 && names.iter().any(|name| name == "hasOwnProperty"));
    let free: Vec<_> = names.iter().filter(|name| is_name(name)).collect();
    assert!(free.is_empty(), "V8 has globals that the table has not: {free:?}");
}

/// Every word that any edition of the language uses as one, reserved or not.
const WORDS: &str = "abstract accessor arguments as assert async await boolean break byte case catch char class const \
    continue debugger default defer delete do double else enum eval export extends false final finally float for from \
    function get goto if implements import in instanceof int interface let long meta native new null of package private \
    protected public return set short source static super switch synchronized target this throw throws transient true \
    try type typeof undefined using var void volatile while with yield NaN Infinity";

#[test]
fn every_word_that_cannot_be_bound_or_read_somewhere_is_reserved() {
    // Strict code, a generator and an async function, as in a module; and where a bare word begins a statement or a loop.
    let scripts = |word: &str| {
        [
            format!("'use strict'; (() => {{ const {word} = 1; return {word}; }})"),
            format!("'use strict'; (function* () {{ let {word} = 1; return {word}; }})"),
            format!("'use strict'; (async () => {{ let {word} = 1; return {word}; }})"),
            format!("(() => {{ {word}; }})"),
            format!("(() => {{ {word}\n[0]; }})"),
            format!("(() => {{ for ({word} of []); }})"),
        ]
    };
    let words: Vec<&str> = WORDS.split_whitespace().collect();
    let sources: Vec<String> = words.iter().flat_map(|word| scripts(word)).collect();
    let jobs: Vec<_> = sources.iter().map(|source| vec![source.as_str()]).collect();
    let answers = run_all(Realm::Context, &jobs);
    let broken = |answers: &[Answer]| answers.iter().any(|answer| matches!(answer, Answer::Threw { .. }));
    let mut refused = 0;
    for (word, answers) in words.iter().zip(answers.chunks(scripts("").len())) {
        if broken(answers) {
            assert!(!is_name(word), "{word} is not reserved: {answers:?}");
            refused += 1;
        }
    }
    assert!(refused > 40, "only {refused} words are refused by V8: are they tried at all?");
}

#[test]
fn the_keywords_of_the_table_are_keywords_and_no_more() {
    let table: Vec<&str> = RESERVED_VARIABLE_NAMES[0].to_vec();
    let sources: Vec<_> =
        table.iter().map(|word| format!("'use strict'; (async function* () {{ let {word}; }})")).collect();
    let jobs: Vec<_> = sources.iter().map(|source| vec![source.as_str()]).collect();
    for (word, answer) in table.iter().zip(run_all(Realm::Context, &jobs)) {
        assert!(
            matches!(&answer, Answer::Threw { error, .. } if error.starts_with("SyntaxError")),
            "{word}: {answer:?}"
        );
    }
}

#[test]
fn hostile_names_never_become_source() {
    for name in [
        "A;throw 1",
        "A=1",
        "A\nB",
        "A\u{2028}B",
        "A'",
        "A\"",
        "A`",
        "A\\u0042",
        "A/**/",
        "A</script>",
        "__proto__",
        "constructor",
        "globalThis",
        "__variables__",
        "__variablesByName__",
        "entityModel",
        "let",
        "if",
        "\u{0410}PI_KEY",
    ] {
        assert!(!is_name(name), "{name}");
    }
    assert!(of_form("__proto__") && !of_form("A;throw 1"));
}
