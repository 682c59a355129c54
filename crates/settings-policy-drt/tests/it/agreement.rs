//! The table and Cedar agree. The long search is a command: `cargo drt --domain scope-sets --requests 5000000`.
use settings_domain::policy::{Requirement, SystemTask, actions};
use settings_policy_drt::{
    CedarPolicy, Evaluator, Question, TASKS, Table,
    corpus::{self, Known},
    domain::{self, Extent},
    search::Search,
};
use std::{
    collections::BTreeSet,
    num::NonZero,
    path::Path,
    sync::atomic::{AtomicU64, Ordering},
};

fn known() -> Vec<Known> {
    corpus::read(&Path::new(env!("CARGO_MANIFEST_DIR")).join("corpus")).unwrap()
}
fn jobs() -> NonZero<usize> {
    std::thread::available_parallelism().unwrap()
}

#[test]
fn both_answer_the_corpus_as_the_policy_document_does() {
    let cedar = CedarPolicy::new().unwrap();
    let (known, evaluators): (_, [&dyn Evaluator; 2]) = (known(), [&Table, &cedar]);
    assert!(known.len() >= 39);
    for known in known {
        assert!(
            known.allowed.is_some(),
            "{}: look it up in the policy document, and write the answer down",
            known.case
        );
        for evaluator in evaluators {
            assert_eq!(corpus::check(evaluator, &known).unwrap(), None);
        }
    }
}

#[test]
fn they_agree_on_the_short_part_of_the_finite_domain() {
    let cedar = CedarPolicy::new().unwrap();
    let (search, asked) = (Search { one: &Table, other: &cedar, jobs: jobs() }, AtomicU64::new(0));
    search.domain(Extent::Short, &|n| _ = asked.fetch_add(n, Ordering::Relaxed)).unwrap();
    assert_eq!(asked.into_inner(), search.requests_of(Extent::Short));
}

#[test]
fn they_agree_on_requests_made_up_at_random() {
    let cedar = CedarPolicy::new().unwrap();
    let (search, asked) = (Search { one: &Table, other: &cedar, jobs: jobs() }, AtomicU64::new(0));
    search.random(20_000, 1, &|n| _ = asked.fetch_add(n, Ordering::Relaxed)).unwrap();
    assert_eq!(asked.into_inner(), 20_000);
}

#[test]
fn the_domain_is_as_large_as_it_says_and_nothing_stands_in_it_twice() {
    for extent in [Extent::Short, Extent::ScopeSets] {
        let situations: Vec<_> = domain::situations(extent).map(|s| format!("{s:?}")).collect();
        assert_eq!(situations.len() as u64, domain::size(extent), "{extent:?}");
        assert_eq!(situations.iter().collect::<BTreeSet<_>>().len(), situations.len(), "{extent:?}");
    }
    assert_eq!(domain::situations(Extent::Whole).count() as u64, domain::size(Extent::Whole));
}

#[test]
fn every_permission_every_event_and_every_other_action_is_asked_about() {
    let questions = Question::all();
    let names: BTreeSet<_> = questions.iter().map(ToString::to_string).collect();
    assert_eq!(names.len(), questions.len());
    for name in &names {
        assert_eq!(name.parse::<Question>().unwrap().to_string(), *name);
    }
    for action in actions::ALL {
        match action.requires {
            Requirement::Permission(permission) => assert!(names.contains(permission.name())),
            Requirement::Invitee => assert!(names.contains(action.name)),
            Requirement::Task(task) => {
                assert!(names.contains(action.name));
                assert!(TASKS.contains(&task), "{task:?} has no place in TASKS");
            }
        }
    }
    assert!(!TASKS.iter().skip(1).any(|t| matches!(t, SystemTask::RecordDenials)));
}
