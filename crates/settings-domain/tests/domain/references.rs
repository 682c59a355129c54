//! References: whole lists, of things that are there; what is hidden stays with who used it before.
use crate::{
    support::{facts, is_nothing, permit_for, refusal, uuid},
    variables::dependant,
};
use settings_domain::{
    change::{Change, Write},
    error::Refused,
    ids::{ModelId, VariableId},
    impact::Guard,
    policy::{Role, actions},
    references::{
        Declaration, DeclareReferencesError, MAX_REFERRERS, Referrer, ReferrerId, ReferrerKey, ReferrerKind,
        ReferrerWrite, Usable, Use, affected,
    },
};
use std::collections::BTreeSet;

fn variable() -> Use {
    VariableId::from_uuid(uuid(1)).into()
}
fn hidden() -> Use {
    ModelId::from_uuid(uuid(2)).into()
}
fn declare(there: &Usable, uses: &[Use], guard: &Guard) -> Result<Change<Referrer>, Refused<DeclareReferencesError>> {
    let key = ReferrerKey { kind: "workflow".parse().unwrap(), id: "nightly".parse().unwrap() };
    let new = Declaration { key, name: "Nightly".parse().unwrap(), uses: uses.iter().copied().collect() };
    Referrer::declare(&permit_for::<actions::DeclareReferences>(Role::Editor), there, new, guard)
}
fn usable(present: Option<Referrer>, known: &[Use], referrers: i64) -> Usable {
    Usable { present, known: known.iter().copied().collect::<BTreeSet<_>>(), referrers }
}
fn row(change: &Change<Referrer>) -> Referrer {
    let [Write::Referrer(ReferrerWrite::Put(row))] = change.set().writes() else { panic!("one row") };
    row.clone()
}

#[test]
fn only_what_is_there_can_be_used_and_the_quota_holds() {
    let guard = Guard::default();
    let change = declare(&usable(None, &[variable()], 0), &[variable()], &guard).unwrap();
    assert_eq!(facts(&change), ["references.declared"]);
    assert_eq!(row(&change).version, 1);
    assert_eq!(refusal(declare(&usable(None, &[], 0), &[variable()], &guard)), Some("validation-failed"));
    assert_eq!(refusal(declare(&usable(None, &[], MAX_REFERRERS), &[], &guard)), Some("quota-reached"));
}

#[test]
fn what_was_used_before_stays_usable_for_who_used_it_and_for_nobody_else() {
    let guard = Guard::default();
    let before = row(&declare(&usable(None, &[hidden()], 0), &[hidden()], &guard).unwrap());
    // It is hidden now: not among the known any more.
    let later = usable(Some(before), &[variable()], 1);
    assert_eq!(row(&declare(&later, &[hidden(), variable()], &guard).unwrap()).version, 2);
    assert_eq!(refusal(declare(&usable(None, &[variable()], 1), &[hidden()], &guard)), Some("validation-failed"));
}

#[test]
fn the_same_list_is_no_change_and_a_stale_one_is_told() {
    let guard = Guard::default();
    let before = row(&declare(&usable(None, &[variable()], 0), &[variable()], &guard).unwrap());
    let there = usable(Some(before), &[variable()], 1);
    assert!(is_nothing(&declare(&there, &[variable()], &guard).unwrap()));
    let stale = Guard { version: Some(7), confirm: None };
    assert_eq!(refusal(declare(&there, &[], &stale)), Some("stale"));
    assert!(row(&declare(&there, &[], &guard).unwrap()).uses.is_empty());
}

#[test]
fn kinds_and_ids_are_plain_codes() {
    for bad in ["", "Workflow", "a b", "a/b", &"a".repeat(33)] {
        assert!(bad.parse::<ReferrerKind>().is_err(), "{bad}");
    }
    for bad in ["", "a b", "a/b", "ä", &"a".repeat(129)] {
        assert!(bad.parse::<ReferrerId>().is_err(), "{bad}");
    }
    assert!("0192f0c1-2d3e-7a4b-8c5d-6e7f80910a1b".parse::<ReferrerId>().is_ok());
}

#[test]
fn an_impact_names_who_depends() {
    let [entry] = affected(&[dependant(VariableId::from_uuid(uuid(1)))], "why").try_into().unwrap_or_else(|_| panic!());
    assert_eq!((entry.kind.as_str(), entry.id.as_str(), entry.name.as_str()), ("workflow", "w-1", "Nightly"));
}
