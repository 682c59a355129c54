//! Variables (VA): unique in their environment, never moved, confirmed in production, imported without a look at values.
use crate::support::{facts, is_nothing, permit_for, platform_permit, record, refusal, start, uuid, workspace};
use settings_domain::{
    change::Write,
    environments::{Environment, Tier},
    error::Refused,
    ids::{EnvironmentId, VariableId},
    impact::Guard,
    policy::{Role, actions},
    references::{Dependant, ReferrerKey, Use},
    sealed::{Sealed, StoredValue},
    tokens::Digest,
    variables::{
        CellState, ImportRights, ImportedValue, InUse, MAX_VARIABLES, Matrix, NewVariable, PlannedChange, Surroundings,
        Variable, VariableName, VariableRecord, VariableWrite, plan,
    },
};

pub(crate) fn environment(n: u64, tier: Tier) -> Environment {
    let name = if tier == Tier::Production { "production".to_owned() } else { format!("environment-{n}") };
    Environment {
        workspace: workspace(),
        id: EnvironmentId::from_uuid(uuid(4_000 + n)),
        name: name.parse().unwrap(),
        tier,
        created_at: start(),
        updated_at: start(),
        version: 1,
    }
}
fn id(n: u64) -> VariableId {
    VariableId::from_uuid(uuid(5_000 + n))
}
fn name(text: &str) -> VariableName {
    text.parse().unwrap()
}
fn value(environment: &Environment, n: u64, version: i64, content: u8) -> StoredValue {
    let binding = Variable::binding(workspace(), environment.id, id(n), version);
    StoredValue::new(binding, Sealed::new(1, vec![content; 40]), Digest::new([content; 32]))
}
fn variable(environment: &Environment, n: u64, called: &str) -> Variable {
    Variable {
        workspace: workspace(),
        id: id(n),
        environment: environment.id,
        name: name(called),
        created_at: start(),
        updated_at: start(),
        version: 1,
    }
}
pub(crate) fn dependant(of: impl Into<Use>) -> Dependant {
    let key = ReferrerKey { kind: "workflow".parse().unwrap(), id: "w-1".parse().unwrap() };
    Dependant { uses: of.into(), key, name: "Nightly".parse().unwrap() }
}
/// The digest that a refusal asks to be confirmed, and what it lists.
pub(crate) fn impact<T: std::fmt::Debug, E: std::fmt::Debug>(result: Result<T, Refused<E>>) -> (Guard, Vec<String>) {
    match result {
        Err(Refused::Unconfirmed(impact)) => {
            let kinds = impact.affected().iter().map(|a| a.kind.clone()).collect();
            (Guard { version: None, confirm: Some(impact.digest().to_owned()) }, kinds)
        }
        other => panic!("a confirmation was expected, not {other:?}"),
    }
}

fn create(there: &Surroundings, value: StoredValue) -> Option<&'static str> {
    let permit = permit_for::<actions::CreateVariable>(Role::Admin);
    refusal(Variable::create(&permit, there, NewVariable { id: id(1), name: name("KEY"), value }))
}

#[test]
fn a_variable_needs_its_environment_a_free_name_and_a_free_place() {
    let dev = environment(1, Tier::Development);
    let there = |environment: Option<&Environment>, taken, count| Surroundings {
        environment: environment.cloned(),
        taken,
        count,
    };
    let fine = || value(&dev, 1, 1, 7);
    assert_eq!(create(&there(Some(&dev), false, 0), fine()), None);
    assert_eq!(create(&there(Some(&dev), false, MAX_VARIABLES - 1), fine()), None);
    assert_eq!(create(&there(Some(&dev), false, MAX_VARIABLES), fine()), Some("quota-reached"));
    assert_eq!(create(&there(Some(&dev), true, 0), fine()), Some("name-taken"));
    assert_eq!(create(&there(None, false, 0), fine()), Some("validation-failed"));
}

#[test]
fn a_value_that_was_sealed_for_another_place_or_version_is_not_taken() {
    let (dev, other) = (environment(1, Tier::Development), environment(2, Tier::Development));
    let there = Surroundings { environment: Some(dev.clone()), taken: false, count: 0 };
    for foreign in [value(&other, 1, 1, 7), value(&dev, 2, 1, 7), value(&dev, 1, 2, 7)] {
        assert_eq!(create(&there, foreign), Some("stale"));
    }
    let there = variable(&dev, 1, "KEY");
    let in_use = InUse { environment: &dev, taken: false, dependants: &[] };
    let permit = permit_for::<actions::UpdateVariable>(Role::Admin);
    let old = value(&dev, 1, 1, 8);
    assert_eq!(refusal(there.update(&permit, &in_use, name("KEY"), Some(old), &Guard::default())), Some("stale"));
}

#[test]
fn what_stays_the_same_is_no_change_and_a_stale_version_is_told() {
    let dev = environment(1, Tier::Development);
    let there = variable(&dev, 1, "KEY");
    let in_use = InUse { environment: &dev, taken: false, dependants: &[] };
    let permit = permit_for::<actions::UpdateVariable>(Role::Admin);
    assert!(is_nothing(&there.update(&permit, &in_use, name("KEY"), None, &Guard::default()).unwrap()));
    let stale = Guard { version: Some(2), confirm: None };
    assert_eq!(refusal(there.update(&permit, &in_use, name("KEY"), None, &stale)), Some("stale"));
    let taken = InUse { taken: true, ..in_use };
    assert_eq!(refusal(there.update(&permit, &taken, name("B"), None, &Guard::default())), Some("name-taken"));
}

#[test]
fn a_value_in_production_is_overwritten_and_deleted_only_when_that_is_confirmed() {
    let production = environment(1, Tier::Production);
    let there = variable(&production, 1, "KEY");
    let in_use = InUse { environment: &production, taken: false, dependants: &[] };
    let permit = permit_for::<actions::UpdateVariable>(Role::Admin);
    let update = |guard: &Guard| there.update(&permit, &in_use, name("KEY"), Some(value(&production, 1, 2, 9)), guard);
    let (guard, kinds) = impact(update(&Guard::default()));
    assert_eq!(kinds, ["variable"]);
    let change = update(&guard).unwrap();
    assert_eq!(facts(&change), ["variable.updated"]);
    let [Write::Variable(VariableWrite::Update(row, Some(stored)))] = change.set().writes() else { panic!("one row") };
    assert_eq!((row.version, stored.binding().version()), (2, 2));

    let permit = permit_for::<actions::DeleteVariable>(Role::Admin);
    let used = [dependant(id(1))];
    let in_use = InUse { dependants: &used, ..in_use };
    // A confirmation of the update is none of the deletion.
    let (confirmed, kinds) = impact(there.delete(&permit, &in_use, &guard));
    assert_eq!(kinds, ["variable", "workflow"]);
    assert_eq!(facts(&there.delete(&permit, &in_use, &confirmed).unwrap()), ["variable.deleted"]);
}

#[test]
fn elsewhere_a_rename_breaks_who_uses_the_name_and_a_new_value_breaks_nobody() {
    let dev = environment(1, Tier::Development);
    let there = variable(&dev, 1, "KEY");
    let used = [dependant(id(1))];
    let in_use = InUse { environment: &dev, taken: false, dependants: &used };
    let permit = permit_for::<actions::UpdateVariable>(Role::Admin);
    let (_, kinds) = impact(there.update(&permit, &in_use, name("OTHER"), None, &Guard::default()));
    assert_eq!(kinds, ["workflow"]);
    let new = Some(value(&dev, 1, 2, 9));
    assert!(there.update(&permit, &in_use, name("KEY"), new, &Guard::default()).is_ok());
    let permit = permit_for::<actions::DeleteVariable>(Role::Admin);
    let unused = InUse { dependants: &[], ..in_use };
    assert!(there.delete(&permit, &unused, &Guard::default()).is_ok());
}

#[test]
fn an_event_says_that_a_value_changed_and_nothing_of_it() {
    let dev = environment(1, Tier::Development);
    let permit = platform_permit::<actions::UpdateVariable>();
    let in_use = InUse { environment: &dev, taken: false, dependants: &[] };
    let new = Some(value(&dev, 1, 2, 9));
    let change = variable(&dev, 1, "KEY").update(&permit, &in_use, name("NEW"), new, &Guard::default()).unwrap();
    let fields: Vec<_> = record(&change).changes.into_iter().map(|c| (c.field, c.to)).collect();
    let changed = || Some("changed".to_owned());
    assert_eq!(fields, [("value".to_owned(), changed()), ("name".to_owned(), changed())]);
}

#[test]
fn a_plan_tells_added_changed_and_same_by_digests_alone() {
    let dev = environment(1, Tier::Development);
    let present = [
        VariableRecord { variable: variable(&dev, 1, "A"), value: value(&dev, 1, 1, 1) },
        VariableRecord { variable: variable(&dev, 2, "B"), value: value(&dev, 2, 1, 2) },
    ];
    let wanted = [("A", 1), ("B", 9), ("C", 3)].map(|(n, d)| (name(n), Digest::new([d; 32])));
    let changes: Vec<_> = plan(&present, &wanted).into_iter().map(|p| p.change).collect();
    assert_eq!(changes, [PlannedChange::Same, PlannedChange::Changed, PlannedChange::Added]);
}

#[test]
fn an_import_leaves_one_event_for_each_variable_and_asks_before_it_overwrites_production() {
    let production = environment(1, Tier::Production);
    let rights = || ImportRights {
        update: permit_for(Role::Admin),
        create: Some(permit_for::<actions::CreateVariable>(Role::Admin)),
    };
    let values = || {
        vec![
            ImportedValue::New(NewVariable { id: id(1), name: name("A"), value: value(&production, 1, 1, 1) }),
            ImportedValue::Next(variable(&production, 2, "B"), value(&production, 2, 2, 2)),
        ]
    };
    let import =
        |rights: &ImportRights, count, guard: &Guard| Variable::import(rights, &production, count, values(), guard);
    let (guard, kinds) = impact(import(&rights(), 1, &Guard::default()));
    assert_eq!(kinds, ["variable"], "what is new overwrites nothing");
    assert_eq!(facts(&import(&rights(), 1, &guard).unwrap()), ["variable.created", "variable.updated"]);
    assert_eq!(refusal(import(&ImportRights { create: None, ..rights() }, 1, &guard)), Some("forbidden"));
    assert_eq!(refusal(import(&rights(), MAX_VARIABLES, &guard)), Some("quota-reached"));
    assert!(is_nothing(&Variable::import(&rights(), &production, 1, Vec::new(), &Guard::default()).unwrap()));
}

#[test]
fn the_matrix_compares_with_production_or_with_the_first_that_has_the_name() {
    let (dev, production) = (environment(2, Tier::Development), environment(1, Tier::Production));
    let staging = environment(3, Tier::Staging);
    let record = |e: &Environment, n, called: &str, content| VariableRecord {
        variable: variable(e, n, called),
        value: value(e, n, 1, content),
    };
    let records = [
        record(&production, 1, "A", 1),
        record(&dev, 2, "A", 1),
        record(&staging, 3, "A", 2),
        record(&dev, 4, "B", 5),
        record(&staging, 5, "B", 6),
    ];
    let matrix = Matrix::new(vec![dev, production.clone(), staging], &records);
    assert_eq!(matrix.environments.first().map(|e| e.id), Some(production.id));
    let states: Vec<Vec<_>> = matrix.rows.iter().map(|r| r.cells.iter().map(|c| c.state).collect()).collect();
    assert_eq!(
        states,
        [
            vec![CellState::Same, CellState::Same, CellState::Different],
            vec![CellState::Missing, CellState::Same, CellState::Different]
        ]
    );
}
