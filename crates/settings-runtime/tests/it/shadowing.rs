//! What happens when a script uses a variable's name for something of its own: the table in the documentation of
//! `inject`, line by line, in both kinds of realm.
use crate::{
    engine::{Answer, Realm, run_all},
    variables::prelude,
};
use secrecy::ExposeSecret as _;

const CASES: &[(&str, &str)] = &[
    ("const KEY = 'own'; KEY", "own"),
    ("let KEY = 'own'; KEY", "own"),
    ("class KEY { static own = 'own' }; KEY.own", "own"),
    ("(function (KEY) { return KEY })('own')", "own"),
    ("(() => { var KEY = 'own'; return KEY })()", "own"),
    ("(() => { function KEY() {} return typeof KEY })()", "function"),
    ("{ const KEY = 'own'; KEY }", "own"),
    ("const KEY = globalThis.KEY + '!'; KEY", "value!"),
    ("const KEY = __variablesByName__.KEY + '!'; KEY", "value!"),
    ("const { KEY } = __variablesByName__; KEY", "value"),
    ("const KEY = KEY; KEY", "ReferenceError"),
    ("var KEY = 'own'; KEY", "value"),
    ("'use strict'; var KEY = 'own'; KEY", "TypeError"),
    ("var KEY; KEY", "value"),
    ("KEY = 'own'; KEY", "value"),
    ("'use strict'; KEY = 'own'; KEY", "TypeError"),
    ("delete globalThis.KEY; typeof KEY + __variables__[0].value + __variablesByName__.KEY", "undefinedvaluevalue"),
    ("const __variables__ = 1", "SyntaxError"),
    ("let __variablesByName__ = 1", "SyntaxError"),
    ("var __variables__ = 1; typeof __variables__", "object"),
];

fn outcomes(realm: Realm, cases: &[(&str, &str)]) -> Vec<String> {
    let prelude = prelude(&[("KEY", "value")]);
    let jobs: Vec<_> = cases.iter().map(|(script, _)| vec![prelude.expose_secret(), script]).collect();
    run_all(realm, &jobs)
        .into_iter()
        .map(|answer| match answer {
            Answer::Text(text) => text,
            Answer::Threw { error, source: 1, .. } => error.split(':').next().unwrap().to_owned(),
            other => panic!("{other:?}"),
        })
        .collect()
}

#[test]
fn scripts_may_have_names_of_their_own_and_the_documentation_says_what_happens() {
    for realm in [Realm::Context, Realm::Plain] {
        for (outcome, (script, expected)) in outcomes(realm, CASES).iter().zip(CASES) {
            assert_eq!(outcome, expected, "{realm:?}: {script}");
        }
    }
}

#[test]
fn a_global_function_of_the_name_replaces_it_only_where_the_global_object_is_a_plain_one() {
    let script = ("function KEY() {} typeof KEY", "");
    assert_eq!(outcomes(Realm::Plain, &[script]), ["function"]);
    assert_eq!(outcomes(Realm::Context, &[script]), ["string"]);
}
