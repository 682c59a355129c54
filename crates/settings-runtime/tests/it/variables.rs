//! Variables in a real V8.
use crate::engine::{Answer, Realm, run, run_all};
use proptest::{prelude::*, strategy::ValueTree as _, test_runner::TestRunner};
use secrecy::ExposeSecret as _;
use settings_runtime::{
    Prelude,
    inject::{Variable, variables_prelude},
};

pub(crate) fn prelude(variables: &[(&str, &str)]) -> Prelude {
    let variables: Vec<_> = variables
        .iter()
        .map(|(name, value)| Variable { name: name.parse().unwrap(), value: (*value).into() })
        .collect();
    variables_prelude(&variables).unwrap()
}

/// What a script answers that runs after the prelude.
fn after(variables: &[(&str, &str)], script: &str) -> Answer {
    run(&[prelude(variables).expose_secret(), script])
}

/// All names and values, each in the three ways: `[[name, binding, value in the array, value in the map], …]`.
const THREE_WAYS: &str =
    "__variables__.map(({ name, value }) => [name, globalThis[name], value, __variablesByName__[name]])";

fn three_ways(name: &str, value: &str) -> Answer {
    Answer::List([name, value, value, value].into_iter().map(|text| Answer::Text(text.to_owned())).collect())
}

#[test]
fn the_examples_of_the_documentation_run() {
    let variables = [("OPENAI_API_KEY", "sk-1"), ("MASTODON_SERVER_URL", "https://m.example"), ("API_TOKEN", "t")];
    let script = "
        const apiKey = OPENAI_API_KEY;
        const serverUrl = MASTODON_SERVER_URL;
        const printed = [];
        for (const variable of __variables__) {
            printed.push(`${variable.name}: defined`);
        }
        const token = __variablesByName__['API_TOKEN'];
        [apiKey, serverUrl, token, printed.join()]";
    let printed = "OPENAI_API_KEY: defined,MASTODON_SERVER_URL: defined,API_TOKEN: defined";
    assert_eq!(after(&variables, script).texts(), ["sk-1", "https://m.example", "t", printed]);
}

#[test]
fn hostile_values_arrive_unchanged_in_all_three_ways() {
    let everything: String =
        (0..=0x2ff).chain(0x2000..=0x20ff).chain(0xfe00..=0xffff).filter_map(char::from_u32).collect();
    let long = "0123456789abcde\"".repeat(4096);
    assert_eq!(long.len(), 64 << 10);
    let values = [
        "",
        " ",
        "'",
        "\"",
        "`",
        "\\",
        "\\\\",
        "\\\"",
        "\\u0041",
        "\\x41",
        "${OPENAI_API_KEY}",
        "`${1}`",
        "\u{2028}",
        "\u{2029}",
        "a\u{2028}b\u{2029}c",
        "\0",
        "a\0b",
        "\r\n",
        "\u{feff}",
        "\u{1f600}",
        "\u{10ffff}",
        "é",
        "e\u{301}",
        "\u{202e}",
        "</script>",
        "<!--",
        "-->",
        "]]>",
        "*/",
        "/*",
        "//",
        "\"])});throw 1;//",
        "');throw 1;//",
        "\");throw 1;//",
        "\\\");throw 1;//",
        "\n;throw 1;//",
        "__proto__",
        "constructor",
        "{\"__proto__\":{\"polluted\":1}}",
        "undefined",
        "null",
        "1e999",
        &everything,
        &long,
    ];
    let names: Vec<String> = (0..values.len()).map(|i| format!("V{i}")).collect();
    let variables: Vec<_> = names.iter().zip(values).map(|(name, value)| (name.as_str(), value)).collect();
    // Together, and each alone.
    let alone: Vec<Prelude> = variables.iter().map(|variable| prelude(&[*variable])).collect();
    let all = prelude(&variables);
    let jobs: Vec<_> = alone.iter().chain([&all]).map(|prelude| vec![prelude.expose_secret(), THREE_WAYS]).collect();
    let mut answers = run_all(Realm::Context, &jobs);
    let expected: Vec<_> = variables.iter().map(|(name, value)| three_ways(name, value)).collect();
    assert_eq!(answers.pop().unwrap(), Answer::List(expected.clone()));
    for (answer, expected) in answers.into_iter().zip(expected) {
        assert_eq!(answer, Answer::List(vec![expected]));
    }
}

#[test]
fn any_values_under_any_names_arrive_unchanged_in_the_order_given() {
    let variable = ("[A-Za-z_][A-Za-z0-9_]{0,20}", any::<String>());
    let list =
        proptest::collection::vec(variable, 0..12).prop_filter_map("a name is reserved or there twice", |list| {
            let list: Vec<_> =
                list.into_iter().map(|(name, value)| Some((name.parse().ok()?, value))).collect::<Option<_>>()?;
            let variables: Vec<_> = list
                .iter()
                .map(|(name, value): &(_, String)| Variable { name: Clone::clone(name), value: value.as_str().into() })
                .collect();
            Some((variables_prelude(&variables).ok()?.expose_secret().to_owned(), list))
        });
    let mut runner = TestRunner::default();
    let cases: Vec<_> = (0..256).map(|_| list.new_tree(&mut runner).unwrap().current()).collect();
    let jobs: Vec<_> = cases.iter().map(|(source, _)| vec![source.as_str(), THREE_WAYS]).collect();
    for (answer, (_, list)) in run_all(Realm::Context, &jobs).into_iter().zip(&cases) {
        let expected = list.iter().map(|(name, value)| three_ways(name.as_str(), value)).collect();
        assert_eq!(answer, Answer::List(expected), "{list:?}");
    }
}

#[test]
fn a_hundred_variables_arrive() {
    let variables: Vec<_> = (0..100).map(|i| (format!("NAME_{i}"), format!("value {i}"))).collect();
    let variables: Vec<_> = variables.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
    let expected = variables.iter().map(|(name, value)| three_ways(name, value)).collect();
    assert_eq!(after(&variables, THREE_WAYS), Answer::List(expected));
}

#[test]
fn no_variables_are_an_empty_array_and_an_empty_map() {
    let script =
        "`${Array.isArray(__variables__)} ${__variables__.length} ${Reflect.ownKeys(__variablesByName__).length}`";
    assert_eq!(after(&[], script).text(), "true 0 0");
}

#[test]
fn the_map_inherits_nothing_and_no_prototype_is_touched() {
    let variables = [("A", "__proto__"), ("B", "{\"__proto__\":{\"polluted\":\"yes\"}}")];
    let script = "
        const before = 'constructor __defineGetter__ __defineSetter__ hasOwnProperty __lookupGetter__ __lookupSetter__ ' +
            'isPrototypeOf propertyIsEnumerable toString valueOf __proto__ toLocaleString';
        const map = __variablesByName__;
        [
            String(Object.getPrototypeOf(map)),
            before.split(' ').filter((name) => name in map || map[name] !== undefined).join(),
            String(map['missing']),
            Object.keys(map).join(),
            String(Object.getOwnPropertyNames(Object.prototype).filter((name) => !before.split(' ').includes(name))),
            String({}.polluted) + String([].polluted) + String(globalThis.polluted),
        ]";
    assert_eq!(after(&variables, script).texts(), ["null", "", "undefined", "A,B", "", "undefinedundefinedundefined"]);
}

#[test]
fn nothing_of_it_can_be_changed() {
    let script = "
        const attempts = [
            () => { __variables__[0] = 1 }, () => { __variables__.push(1) }, () => { __variables__.length = 0 },
            () => { __variables__[0].value = 'x' }, () => { __variables__[0].more = 'x' }, () => { delete __variables__[0].value },
            () => { __variablesByName__.A = 'x' }, () => { __variablesByName__.more = 'x' },
            () => { delete __variablesByName__.A }, () => { Object.setPrototypeOf(__variablesByName__, {}) },
            () => { globalThis.A = 'x' }, () => { globalThis.__variables__ = [] }, () => { globalThis.__variablesByName__ = {} },
            () => { delete globalThis.__variables__ }, () => { delete globalThis.__variablesByName__ },
            () => { Object.defineProperty(globalThis, '__variables__', { value: [] }) },
        ];
        const outcomes = attempts.map((attempt) => { 'use strict'; try { attempt(); return 'done' } catch (e) { return e.name } });
        [outcomes.join(), JSON.stringify([__variables__, __variablesByName__, A])]";
    let prelude = prelude(&[("A", "1")]);
    for realm in [Realm::Context, Realm::Plain] {
        for directive in ["", "'use strict';"] {
            let script = format!("{directive}{script}");
            let answer = run_all(realm, &[vec![prelude.expose_secret(), &script]]).remove(0).texts();
            assert_eq!(answer[1], r#"[[{"name":"A","value":"1"}],{"A":"1"},"1"]"#, "{realm:?} {directive}");
            // Sloppy code is not told, and node's `vm` does not tell of a `delete` either.
            if realm == Realm::Plain && !directive.is_empty() {
                assert_eq!(answer[0], ["TypeError"; 16].join(","));
            }
        }
    }
}

#[test]
fn the_prelude_defines_what_it_says_and_nothing_that_can_be_enumerated() {
    let names = "Object.getOwnPropertyNames(globalThis)";
    let bare = run(&[names]).texts();
    let (variables, added) = ([("A", "1"), ("B", "2")], ["A", "B", "__variablesByName__", "__variables__"]);
    let now = after(&variables, names).texts();
    let mut more: Vec<_> = now.iter().filter(|name| !bare.contains(name)).map(String::as_str).collect();
    more.sort_unstable();
    assert_eq!(more, added);
    assert_eq!(after(&variables, "Object.keys(globalThis)").texts(), [""; 0]);
    assert_eq!(after(&variables, "let s = ''; for (const name in globalThis) s += name; s").text(), "");
    assert_eq!(
        run(&[prelude(&variables).expose_secret()]),
        Answer::Other("undefined".into()),
        "the prelude's own answer"
    );
}

#[test]
fn a_second_prelude_and_a_global_of_the_runner_are_refused_before_anything_is_defined() {
    let (first, second) = (prelude(&[("A", "canary-1")]), prelude(&[("B", "canary-2"), ("C", "canary-3")]));
    let caught = |source: &str| format!("try {{ {source} }} catch (e) {{ globalThis.caught = e.message }}");
    let state = "[caught, String(Object.getOwnPropertyNames(globalThis).filter((n) => /^([A-Z]|__v.*)$/.test(n)))]";
    let twice = run(&[first.expose_secret(), &caught(second.expose_secret()), state]).texts();
    assert_eq!(
        twice,
        ["__variables__ is already defined: the context has had a prelude", "__variables__,__variablesByName__,A"]
    );
    let taken = run(&["globalThis.C = () => 1", &caught(second.expose_secret()), state]).texts();
    assert_eq!(taken, ["the variable C would replace a global of the same name", "C"]);
    // What a host logs of an error has the line at fault in it.
    let Answer::Threw { error, source, stack } = run(&[first.expose_secret(), second.expose_secret()]) else {
        panic!()
    };
    assert!(error.starts_with("TypeError: ") && source == 1);
    assert!(stack.contains("already defined") && !stack.contains("canary"), "{stack}");
}

#[test]
fn lone_surrogates_and_nul_are_not_confused_on_the_way() {
    // What V8 holds, unit by unit, and not what some encoder makes of it.
    let script = "Array.from({ length: A.length }, (_, i) => A.charCodeAt(i).toString(16)).join()";
    assert_eq!(after(&[("A", "\0\u{1f600}\u{ffff}")], script).text(), "0,d83d,de00,ffff");
}
