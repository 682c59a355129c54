//! The tables that were typed by hand from the policy, read as plain text: nothing of the code under test is used here.
use std::collections::BTreeSet;

/// Columns of the role table, in its order.
pub(crate) const COLUMNS: [&str; 4] = ["system", "admin", "editor", "viewer"];

/// One permission and which of [`COLUMNS`] have it.
#[derive(Debug)]
pub(crate) struct RoleRow {
    pub(crate) permission: &'static str,
    pub(crate) has: [bool; 4],
}

/// One scope, what it grants, and the event that it may publish.
#[derive(Debug)]
pub(crate) struct ScopeRow {
    pub(crate) scope: &'static str,
    pub(crate) grants: BTreeSet<&'static str>,
    pub(crate) publishes: Option<&'static str>,
}

/// One action of the other table.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct ActionLine {
    pub(crate) name: &'static str,
    pub(crate) requires: &'static str,
    pub(crate) fact: Option<&'static str>,
    pub(crate) risk: Option<&'static str>,
}

fn section(name: &str) -> impl Iterator<Item = &'static str> {
    let header = format!("[{name}]");
    include_str!("matrix.golden.txt")
        .lines()
        .skip_while(move |l| *l != header)
        .skip(1)
        .take_while(|l| !l.starts_with('['))
        .filter(|l| !l.is_empty())
}

pub(crate) fn roles() -> Vec<RoleRow> {
    let mut lines = section("roles").map(|l| l.split_whitespace().collect::<Vec<_>>());
    assert_eq!(lines.next().unwrap(), [&["permission"][..], &COLUMNS].concat());
    lines
        .map(|cells| {
            let [permission, marks @ ..] = cells.as_slice() else { panic!("an empty line") };
            let has: Vec<_> = marks
                .iter()
                .map(|mark| match *mark {
                    "x" => true,
                    "-" => false,
                    other => panic!("{permission}: {other} is neither x nor -"),
                })
                .collect();
            RoleRow { permission, has: has.try_into().unwrap() }
        })
        .collect()
}

pub(crate) fn scopes() -> Vec<ScopeRow> {
    section("scopes")
        .map(|line| {
            let mut words = line.split_whitespace();
            let mut row = ScopeRow { scope: words.next().unwrap(), grants: BTreeSet::new(), publishes: None };
            for word in words {
                match word.strip_suffix(')').and_then(|w| w.split_once('(')) {
                    Some((permission, event)) => {
                        assert_eq!(row.publishes.replace(event), None);
                        row.grants.insert(permission);
                    }
                    None => _ = row.grants.insert(word),
                }
            }
            row
        })
        .collect()
}

pub(crate) fn actions() -> Vec<ActionLine> {
    let lines = include_str!("actions.golden.txt").lines().filter(|l| !l.starts_with('#') && !l.is_empty()).skip(1);
    let cell = |c: &'static str| (c != "-").then_some(c);
    lines
        .map(|line| {
            let cells: Vec<_> = line.split_whitespace().collect();
            let [name, requires, fact, risk] = cells.as_slice() else { panic!("{line}: four cells") };
            ActionLine { name, requires, fact: cell(fact), risk: cell(risk) }
        })
        .collect()
}
