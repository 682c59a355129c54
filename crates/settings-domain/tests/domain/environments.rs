//! Environments (EN): production always, exactly once; a list replaced as a whole is what was wanted, or nothing is.
use crate::support::{facts, is_nothing, permit_for, refusal, start, uuid, workspace};
use proptest::prelude::*;
use settings_domain::{
    change::{Change, Write},
    environments::{
        Environment, EnvironmentError, EnvironmentRights, EnvironmentWrite, MAX_ENVIRONMENTS, PRODUCTION, Tier, Wanted,
    },
    error::Refused,
    ids::EnvironmentId,
    impact::{Affected, Guard},
    policy::{Role, actions},
};
use std::collections::BTreeSet;
use time::Duration;

fn id(n: u64) -> EnvironmentId {
    EnvironmentId::from_uuid(uuid(500 + n))
}
fn present(n: u64, name: &str, tier: Tier) -> Environment {
    let at = start() - Duration::days(2);
    Environment {
        workspace: workspace(),
        id: id(n),
        name: name.parse().unwrap(),
        tier,
        created_at: at,
        updated_at: at,
        version: 1,
    }
}
fn want(by: Option<u64>, name: &str, tier: Tier) -> Wanted {
    // Every entry gets an id that nobody has, should it be new.
    let fresh =
        EnvironmentId::from_uuid(uuid(900 + name.len() as u64 * 1_000 + u64::from(*name.as_bytes().last().unwrap())));
    Wanted { id: by.map(id), fresh, name: name.parse().unwrap(), tier, version: None }
}
fn three() -> Vec<Environment> {
    vec![
        present(0, PRODUCTION, Tier::Production),
        present(1, "blue", Tier::Staging),
        present(2, "green", Tier::Development),
    ]
}
fn rights() -> EnvironmentRights {
    let admin = Role::Admin;
    EnvironmentRights { update: permit_for(admin), create: Some(permit_for(admin)), delete: Some(permit_for(admin)) }
}
type Replaced = Result<Change<Vec<Environment>>, Refused<EnvironmentError>>;
fn replace(present: &[Environment], wanted: Vec<Wanted>) -> Replaced {
    Environment::replace(&rights(), present, wanted, |_| Vec::new(), &Guard::default())
}
/// Writes a change down as a store would, row by row.
fn apply<T>(present: &[Environment], change: &Change<T>) -> Vec<Environment> {
    let mut rows = present.to_vec();
    for write in change.set().writes() {
        let Write::Environment(write) = write else { panic!("{write:?}") };
        match write {
            EnvironmentWrite::Insert(row) => {
                assert!(rows.iter().all(|r| r.id != row.id), "{:?} is there already", row.id);
                assert!(rows.iter().all(|r| r.name != row.name), "{} is not given up yet", row.name);
                assert_eq!((row.workspace, row.version), (workspace(), 1));
                rows.push(row.clone());
            }
            EnvironmentWrite::Update(row) => {
                let there = rows.iter_mut().find(|r| r.id == row.id).expect("an update of a row that is there");
                assert_eq!((row.version, row.created_at), (there.version + 1, there.created_at));
                assert_eq!(row.updated_at, start());
                *there = row.clone();
            }
            EnvironmentWrite::Delete(id) => {
                assert!(rows.iter().any(|r| r.id == *id), "{id} was there");
                rows.retain(|r| r.id != *id);
            }
        }
    }
    rows
}
fn shape(rows: &[Environment]) -> BTreeSet<(String, &'static str)> {
    rows.iter().map(|e| (e.name.to_string(), e.tier.name())).collect()
}

#[test]
fn production_is_always_there_once_and_stays_what_it_is() {
    let (p, s) = (Tier::Production, Tier::Staging);
    let protected = Some("production-protected");
    for (wanted, expected) in [
        (vec![], protected),
        (vec![want(None, "blue", s)], protected),
        (vec![want(None, PRODUCTION, s)], protected),
        (vec![want(None, "blue", p)], protected),
        (vec![want(None, PRODUCTION, p), want(None, "blue", p)], protected),
        (vec![want(Some(0), "blue", s), want(None, PRODUCTION, p)], protected),
        (vec![want(Some(0), "live", p)], protected),
        (vec![want(Some(0), PRODUCTION, p)], None),
        (vec![want(None, PRODUCTION, p)], None),
        (vec![want(None, PRODUCTION, p), want(None, PRODUCTION, p)], protected),
    ] {
        let shown = format!("{wanted:?}");
        assert_eq!(refusal(replace(&three(), wanted)), expected, "{shown}");
    }
}

/// Another environment that takes production's name and tier would drop production and everything in it.
#[test]
fn no_other_environment_takes_productions_place() {
    let wanted = vec![want(Some(1), PRODUCTION, Tier::Production), want(Some(2), "green", Tier::Development)];
    assert_eq!(refusal(replace(&three(), wanted)), Some("production-protected"));
}

#[test]
fn a_name_that_one_entry_gives_up_may_be_taken_by_another() {
    let production = || want(Some(0), PRODUCTION, Tier::Production);
    let swap = vec![production(), want(Some(1), "green", Tier::Staging), want(Some(2), "blue", Tier::Development)];
    let renamed_and_new =
        vec![production(), want(Some(1), "red", Tier::Staging), want(None, "blue", Tier::Development)];
    let new_and_renamed =
        vec![production(), want(None, "blue", Tier::Development), want(Some(1), "red", Tier::Staging)];
    let dropped_and_new = vec![production(), want(Some(2), "blue", Tier::Development)];
    for wanted in [swap, renamed_and_new, new_and_renamed, dropped_and_new] {
        let expected: BTreeSet<_> = wanted.iter().map(|w| (w.name.to_string(), w.tier.name())).collect();
        let change = replace(&three(), wanted).unwrap();
        assert_eq!(shape(&apply(&three(), &change)), expected);
    }
}

#[test]
fn the_same_list_again_changes_nothing() {
    let same =
        three().into_iter().map(|e| Wanted { fresh: id(90), id: None, name: e.name, tier: e.tier, version: None });
    assert!(is_nothing(&replace(&three(), same.collect()).unwrap()));
}

#[test]
fn at_most_fifty_environments_fit() {
    let many = |n: usize| {
        let names =
            (1..n).map(|i| Wanted { fresh: id(1_000 + i as u64), ..want(None, &format!("e{i}"), Tier::Staging) });
        [want(None, PRODUCTION, Tier::Production)].into_iter().chain(names).collect::<Vec<_>>()
    };
    assert_eq!(refusal(replace(&three(), many(MAX_ENVIRONMENTS))), None);
    assert_eq!(refusal(replace(&three(), many(MAX_ENVIRONMENTS + 1))), Some("validation-failed"));
    let full: Vec<_> = (0..MAX_ENVIRONMENTS as u64)
        .map(|i| {
            if i == 0 { present(0, PRODUCTION, Tier::Production) } else { present(i, &format!("e{i}"), Tier::Staging) }
        })
        .collect();
    let create = permit_for::<actions::CreateEnvironment>(Role::Admin);
    let one_more = |list| refusal(Environment::create(&create, list, want(None, "blue", Tier::Staging)));
    assert_eq!(one_more(&full), Some("validation-failed"));
    assert_eq!(one_more(full.split_last().unwrap().1), None);
}

#[test]
fn one_at_a_time_the_rules_are_the_same() {
    let create = permit_for::<actions::CreateEnvironment>(Role::Admin);
    let update = permit_for::<actions::UpdateEnvironment>(Role::Admin);
    let delete = permit_for::<actions::DeleteEnvironment>(Role::Admin);
    let list = three();
    let [production, blue, _] = list.as_slice() else { panic!("three") };
    let make = |name: &str, tier| refusal(Environment::create(&create, &list, want(None, name, tier)));
    assert_eq!(make("red", Tier::Staging), None);
    assert_eq!(make("blue", Tier::Staging), Some("name-taken"));
    assert_eq!(make(PRODUCTION, Tier::Production), Some("production-protected"));
    assert_eq!(make(PRODUCTION, Tier::Staging), Some("production-protected"));
    assert_eq!(make("live", Tier::Production), Some("production-protected"));
    let change = |e: &Environment, name: &str, tier, version| {
        let guard = Guard { version, confirm: None };
        refusal(e.update(&update, &list, name.parse().unwrap(), tier, &guard))
    };
    assert_eq!(change(blue, "red", Tier::Development, None), None);
    assert_eq!(change(blue, "green", Tier::Staging, None), Some("name-taken"));
    assert_eq!(change(blue, "green", Tier::Staging, Some(2)), Some("stale"));
    assert_eq!(change(blue, "red", Tier::Production, None), Some("production-protected"));
    assert_eq!(change(production, PRODUCTION, Tier::Production, None), None);
    assert_eq!(change(production, PRODUCTION, Tier::Staging, None), Some("production-protected"));
    assert_eq!(change(production, "live", Tier::Production, None), Some("production-protected"));
    assert_eq!(refusal(production.delete(&delete, vec![], &Guard::default())), Some("production-protected"));
    let stale = Guard { version: Some(2), confirm: None };
    assert_eq!(refusal(production.delete(&delete, vec![], &stale)), Some("stale"));
    assert_eq!(refusal(blue.delete(&delete, vec![], &Guard::default())), None);
    let same = blue.update(&update, &list, blue.name.clone(), blue.tier, &Guard::default()).unwrap();
    assert!(is_nothing(&same));
}

fn variable(n: u64) -> Affected {
    Affected { kind: "variable".into(), id: n.to_string(), name: format!("V{n}"), why: "It is in there.".into() }
}

#[test]
fn what_an_environment_holds_has_to_be_confirmed_before_it_goes() {
    let delete = permit_for::<actions::DeleteEnvironment>(Role::Admin);
    let list = three();
    let [_, blue, green] = list.as_slice() else { panic!("three") };
    let drop = |e: &Environment, holds: Vec<Affected>, confirm: Option<String>| {
        e.delete(&delete, holds, &Guard { version: None, confirm })
    };
    let Err(Refused::Unconfirmed(impact)) = drop(blue, vec![variable(1)], None) else { panic!("it asks") };
    let digest = || Some(impact.digest().to_owned());
    assert_eq!(refusal(drop(blue, vec![variable(1)], digest())), None);
    assert_eq!(refusal(drop(green, vec![variable(1)], digest())), Some("unconfirmed"));
    assert_eq!(refusal(drop(blue, vec![variable(1), variable(2)], digest())), Some("unconfirmed"));
    assert_eq!(refusal(drop(blue, vec![], digest())), None);

    let keep = || vec![want(Some(0), PRODUCTION, Tier::Production)];
    let contents = |e: EnvironmentId| if e == blue.id { vec![variable(1)] } else { vec![] };
    let all = |confirm| Environment::replace(&rights(), &list, keep(), contents, &Guard { version: None, confirm });
    assert_eq!(refusal(all(digest())), Some("unconfirmed"), "the answer for one call does not fit another");
    let Err(Refused::Unconfirmed(impact)) = all(None) else { panic!("it asks") };
    assert_eq!(refusal(all(Some(impact.digest().to_owned()))), None);
}

#[test]
fn who_may_not_add_or_drop_is_told_so_before_any_confirmation_is_asked() {
    let production = || want(Some(0), PRODUCTION, Tier::Production);
    let only_update = || EnvironmentRights { create: None, delete: None, ..rights() };
    let try_it =
        |wanted| Environment::replace(&only_update(), &three(), wanted, |_| vec![variable(1)], &Guard::default());
    let keep_both = |third: Wanted| {
        vec![production(), want(Some(1), "blue", Tier::Staging), want(Some(2), "green", Tier::Development), third]
    };
    assert_eq!(refusal(try_it(vec![production()])), Some("forbidden"));
    assert_eq!(refusal(try_it(keep_both(want(None, "red", Tier::Staging)))), Some("forbidden"));
    let renamed = vec![production(), want(Some(1), "red", Tier::Staging), want(Some(2), "green", Tier::Staging)];
    assert_eq!(refusal(try_it(renamed)), None);
}

#[derive(Debug, Clone)]
struct Entry {
    by: Option<u64>,
    name: &'static str,
    tier: Tier,
    version: Option<i64>,
}
fn entry() -> impl Strategy<Value = Entry> {
    // Mostly sensible pairs, so that the interesting combinations are not drowned in refusals.
    let named = prop_oneof![
        6 => (prop::sample::select(vec!["blue", "green", "red", "grey"]), prop::sample::select(vec![Tier::Staging, Tier::Development])),
        4 => Just((PRODUCTION, Tier::Production)),
        1 => (prop::sample::select(vec![PRODUCTION, "blue"]), prop::sample::select(Tier::ALL.to_vec())),
    ];
    let by = prop_oneof![5 => Just(None), 6 => (0_u64..4).prop_map(Some), 1 => Just(Some(99))];
    let version = prop_oneof![6 => Just(None), 3 => Just(Some(1)), 1 => Just(Some(2))];
    (by, named, version).prop_map(|(by, (name, tier), version)| Entry { by, name, tier, version })
}

/// What becomes of a list, thought through without the code: the kind of refusal, or which entry is which environment.
fn expect(present: &[Environment], wanted: &[Entry]) -> Result<Vec<Option<EnvironmentId>>, &'static str> {
    let times = |f: &dyn Fn(&Entry) -> bool| wanted.iter().filter(|w| f(w)).count();
    if times(&|w| w.name == PRODUCTION || w.tier == Tier::Production) > 1 {
        return Err("production-protected");
    }
    if wanted.iter().any(|w| times(&|o| o.name == w.name) > 1 || (w.by.is_some() && times(&|o| o.by == w.by) > 1)) {
        return Err("validation-failed");
    }
    if wanted.iter().any(|w| w.by.is_some_and(|n| present.iter().all(|e| e.id != id(n)))) {
        return Err("validation-failed");
    }
    let claimed = |e: &Environment| wanted.iter().any(|w| w.by.map(id) == Some(e.id));
    let same: Vec<Option<&Environment>> = wanted
        .iter()
        .map(|w| match w.by {
            Some(n) => present.iter().find(|e| e.id == id(n)),
            None => present.iter().find(|e| e.name.as_str() == w.name && !claimed(e)),
        })
        .collect();
    if wanted.iter().zip(&same).any(|(w, e)| w.version.is_some_and(|v| e.is_some_and(|e| e.version != v))) {
        return Err("stale");
    }
    let odd = wanted.iter().any(|w| (w.name == PRODUCTION) != (w.tier == Tier::Production));
    let once = times(&|w| w.tier == Tier::Production) == 1;
    let in_place = same.iter().zip(wanted).any(|(e, w)| e.is_some_and(|e| e.id == id(0)) && w.name == PRODUCTION);
    if odd || !once || !in_place {
        return Err("production-protected");
    }
    Ok(same.into_iter().map(|e| e.map(|e| e.id)).collect())
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(4_000))]
    #[test]
    fn a_replaced_list_is_what_was_wanted_or_refused_for_the_right_reason(
        others in 0_usize..4, list in proptest::collection::vec(entry(), 0..5), with_production: bool,
    ) {
        let mut all = three();
        all.push(present(3, "grey", Tier::Staging));
        all.truncate(1 + others);
        let mut list = list;
        if with_production && !list.iter().any(|w| w.name == PRODUCTION || w.by == Some(0)) {
            list.push(Entry { by: Some(0), name: PRODUCTION, tier: Tier::Production, version: None });
        }
        let wanted = list.iter().map(|w| Wanted { version: w.version, ..want(w.by, w.name, w.tier) }).collect();
        match (expect(&all, &list), replace(&all, wanted)) {
            (Err(code), result) => prop_assert_eq!(refusal(result), Some(code)),
            (Ok(_), Err(refused)) => prop_assert!(false, "{refused:?}"),
            (Ok(same), Ok(change)) => {
                let after = apply(&all, &change);
                prop_assert_eq!(after.len(), list.len());
                prop_assert_eq!(facts(&change).len(), change.set().writes().len());
                prop_assert!(facts(&change).iter().all(|f| *f == "workspace.environment_updated"));
                for (w, known) in list.iter().zip(&same) {
                    let row = after.iter().find(|e| e.name.as_str() == w.name).unwrap();
                    prop_assert_eq!(row.tier, w.tier);
                    let before = all.iter().find(|e| e.id == row.id);
                    prop_assert_eq!(before.map(|e| e.id), *known);
                    let touched = before.is_none_or(|e| e.name != row.name || e.tier != row.tier);
                    prop_assert_eq!(row.version, before.map_or(1, |e| e.version + i64::from(touched)));
                }
                let mut handed_back = Vec::new();
                let _ = change.map(|list| handed_back = list);
                let mut rows = after;
                rows.sort_by_key(|e| list.iter().position(|w| w.name == e.name.as_str()));
                prop_assert_eq!(handed_back, rows);
            }
        }
    }
}
