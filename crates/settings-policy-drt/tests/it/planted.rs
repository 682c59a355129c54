//! Faults planted on purpose: a search that finds none of them would prove nothing.
use settings_policy_drt::{
    CedarPolicy, Evaluator, Files, Halt, Question, Situation, Table, Trouble, compare,
    domain::{self, Extent},
    search::Search,
};
use std::{collections::BTreeSet, num::NonZero};

/// The table, but for one answer.
struct Slipped(&'static str);

impl Evaluator for Slipped {
    fn name(&self) -> &'static str {
        "the table with a slip"
    }
    fn answer(&self, situation: &Situation, questions: &[Question]) -> Result<Vec<bool>, Trouble> {
        let mut answers = Table.answer(situation, questions)?;
        let here = matches!(situation, Situation::Key { scopes, .. } if scopes.iter().count() > 2);
        for (answer, question) in answers.iter_mut().zip(questions) {
            if here && question.to_string() == self.0 {
                *answer = !*answer;
            }
        }
        Ok(answers)
    }
}

fn smallest(halt: Result<(), Halt>) -> String {
    match halt {
        Err(Halt::Differ(difference)) => difference.case.to_string(),
        other => panic!("a difference was expected, not {other:?}"),
    }
}

#[test]
fn a_slip_is_found_at_random_and_made_small() {
    let search = Search { one: &Table, other: &Slipped("billing:manage"), jobs: NonZero::<usize>::MIN };
    let case = smallest(search.random(20_000, 7, &|_| ()));
    // Three scopes are the fewest on which the two differ; everything else is at its simplest.
    let scopes = case.split(['[', ']']).nth(1).unwrap().split(',').count();
    assert_eq!(scopes, 3, "{case}");
    assert!(case.contains(r#""asks":"billing:manage""#), "{case}");
    assert!(!case.contains("true"), "{case}");
    assert!(matches!(search.random(20_000, 7, &|_| ()), Err(Halt::Differ(d)) if d.case.to_string() == case));
}

#[test]
fn a_slip_is_found_in_the_finite_domain() {
    let search = Search { one: &Slipped("audit:read"), other: &Table, jobs: NonZero::new(2).unwrap() };
    assert!(smallest(search.domain(Extent::Short, &|_| ())).contains("audit:read"));
}

#[test]
fn an_evaluator_that_fails_is_no_agreement() {
    struct Silent;
    impl Evaluator for Silent {
        fn name(&self) -> &'static str {
            "nobody"
        }
        fn answer(&self, _: &Situation, _: &[Question]) -> Result<Vec<bool>, Trouble> {
            Ok(Vec::new())
        }
    }
    let search = Search { one: &Table, other: &Silent, jobs: NonZero::<usize>::MIN };
    assert!(matches!(search.domain(Extent::Short, &|_| ()), Err(Halt::Trouble(_))));
    assert!(matches!(search.random(1, 1, &|_| ()), Err(Halt::Trouble(_))));
}

/// The policies, each with what stands before the next.
fn policies() -> Vec<String> {
    Files::default().policies.split("@id(").skip(1).map(|p| format!("@id({p}")).collect()
}
fn action(line: &str) -> Option<&str> {
    line.trim().strip_prefix("Action::\"")?.split('"').next()
}
fn named(policy: &str) -> BTreeSet<&str> {
    policy.lines().filter_map(action).collect()
}

/// Whether a search of the short domain meets a difference with these policies, asking only about `about`.
fn is_found(policies: &[String], about: Option<&str>) -> bool {
    let cedar = CedarPolicy::of(&Files { policies: policies.concat(), ..Files::default() });
    let cedar = cedar.unwrap_or_else(|e| panic!("the fault is no valid policy: {e}"));
    let asks = |q: &Question| about.is_none_or(|name| q.to_string().split(' ').next() == Some(name));
    let questions: Vec<_> = Question::all().into_iter().filter(asks).collect();
    domain::situations(Extent::Short).any(|situation| match compare(&Table, &cedar, &situation, &questions) {
        Ok(()) => false,
        Err(Halt::Differ(_)) => true,
        Err(Halt::Trouble(trouble)) => panic!("{trouble}"),
    })
}

#[test]
#[ignore = "many minutes in a debug build: `just drt-planted`"]
fn every_right_that_a_policy_loses_is_noticed() {
    let all = policies();
    let mut planted = 0;
    for (at, policy) in all.iter().enumerate() {
        for name in named(policy).into_iter().filter(|_| named(policy).len() > 1) {
            let kept: Vec<_> = policy.lines().filter(|line| action(line) != Some(name)).collect();
            // The last of a list has no comma after it.
            let without = format!("{}\n", kept.join("\n")).replace(",\n  ],", "\n  ],");
            let mut faulty = all.clone();
            faulty.splice(at..=at, [without]);
            assert!(is_found(&faulty, Some(name)), "nobody noticed that {name} is gone from\n{policy}");
            planted += 1;
        }
    }
    assert!(planted > 150, "{planted}");
}

#[test]
#[ignore = "many minutes in a debug build: `just drt-planted`"]
fn every_policy_that_is_missing_is_noticed() {
    let all = policies();
    assert!(all.len() >= 34, "{}", all.len());
    for at in 0..all.len() {
        let mut faulty = all.clone();
        let gone = faulty.remove(at);
        assert!(is_found(&faulty, None), "nobody noticed that this is gone:\n{gone}");
    }
}

#[test]
#[ignore = "many minutes in a debug build: `just drt-planted`"]
fn a_right_that_a_policy_gains_is_noticed() {
    let all = policies();
    let everything: BTreeSet<_> = all.iter().flat_map(|p| named(p)).collect();
    for (at, policy) in all.iter().enumerate().filter(|(_, p)| p.contains("action in [")) {
        let held = named(policy);
        // Another one for each policy, so that the rights take turns.
        let more =
            everything.iter().cycle().skip(at * 7).take(everything.len()).find(|name| !held.contains(**name)).unwrap();
        let mut faulty = all.clone();
        faulty.splice(at..=at, [policy.replacen("action in [", &format!("action in [\n    Action::\"{more}\","), 1)]);
        assert!(is_found(&faulty, Some(more)), "nobody noticed {more} in\n{policy}");
    }
}

#[test]
fn a_policy_that_does_not_fit_the_schema_is_a_fault() {
    let with = |more: &str| Files { policies: Files::default().policies + more, ..Files::default() };
    assert!(CedarPolicy::of(&with("")).is_ok());
    for more in [
        "permit (principal is Account, action == Action::\"workflows:execute\", resource);",
        "permit (principal is ApiKey, action, resource) when { principal.scopes.contains(Scope::\"runs:*\") };",
        "permit (principal is Account, action, resource) when { principal.admin };",
        "permit (",
    ] {
        assert!(CedarPolicy::of(&with(more)).is_err(), "{more}");
    }
}
