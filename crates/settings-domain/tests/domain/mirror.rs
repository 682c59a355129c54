//! Plans for the mirror, held against a naive mirror that carries them out.
use proptest::{
    collection::{btree_map, btree_set, vec},
    option,
    prelude::*,
    sample::select,
};
use settings_domain::{
    mirror::{Invited, Mirrored, MirroredInvitation, Roster, Step, plan},
    policy::Role,
    text::Email,
};
use std::collections::{BTreeMap, BTreeSet};

/// A mirror with what is somebody else's in it: roles of other applications, and their invitations.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
struct World {
    organization: Option<Mirrored>,
    /// Roles that are not ours, by the members who have them.
    other_roles: BTreeMap<String, BTreeSet<&'static str>>,
    other_invitations: BTreeSet<String>,
    made: usize,
}

impl World {
    /// Carries a step out as a directory does: twice is as good as once, and what is not there can't be changed.
    fn apply(&mut self, step: &Step) -> Result<(), String> {
        if let Step::CreateOrganization(name) = step {
            self.organization.get_or_insert_with(|| Mirrored { name: name.clone(), ..Mirrored::default() });
            return Ok(());
        }
        let Some(there) = &mut self.organization else { return Err(format!("{step:?} on nothing")) };
        match step {
            Step::DeleteOrganization => {
                self.organization = None;
                self.other_roles.clear();
                self.other_invitations.clear();
            }
            Step::Rename(name) => there.name.clone_from(name),
            Step::RemoveMember(id) => {
                there.members.remove(id);
                self.other_roles.remove(id);
            }
            Step::AddMember(id) => drop(there.members.entry(id.clone()).or_default()),
            Step::GiveRole(id, role) => {
                there.members.get_mut(id).ok_or(format!("{step:?} to a stranger"))?.insert(*role);
            }
            Step::TakeRole(id, role) => {
                there.members.get_mut(id).ok_or(format!("{step:?} from a stranger"))?.remove(role);
            }
            Step::Withdraw(id) => {
                if self.other_invitations.contains(id) {
                    return Err(format!("{step:?} of somebody else's"));
                }
                there.invitations.remove(id);
            }
            Step::Invite(invited) => {
                self.made += 1;
                let made = MirroredInvitation { email: invited.email.key().clone(), roles: [invited.role].into() };
                there.invitations.insert(format!("made-{}", self.made), made);
            }
            Step::CreateOrganization(_) => {}
        }
        Ok(())
    }

    /// Whether the mirror says what the store says.
    fn equals(&self, ours: Option<&Roster>) -> bool {
        let (Some(ours), Some(there)) = (ours, &self.organization) else {
            return ours.is_none() && self.organization.is_none();
        };
        let members: BTreeMap<_, BTreeSet<_>> =
            ours.members.iter().map(|(id, role)| (id.clone(), [*role].into())).collect();
        let mut invitations: Vec<_> = there
            .invitations
            .values()
            .map(|i| (i.email.clone(), i.roles.iter().copied().collect::<Vec<_>>()))
            .collect();
        invitations.sort();
        let wanted: Vec<_> = ours.invitations.iter().map(|(email, i)| (email.clone(), vec![i.role])).collect();
        there.name == ours.name && there.members == members && invitations == wanted
    }
}

fn email(text: &str) -> Email {
    text.parse().unwrap()
}
fn role() -> impl Strategy<Value = Role> {
    select(Role::ALL.to_vec())
}
// Few ids, so that both sides often have the same ones.
fn person() -> impl Strategy<Value = String> {
    (0..6).prop_map(|n| format!("auth0|{n}"))
}
fn address() -> impl Strategy<Value = Email> {
    (0..5, any::<bool>()).prop_map(|(n, loud)| email(&format!("{}{n}@people.example", if loud { "P" } else { "p" })))
}
fn name() -> impl Strategy<Value = String> {
    select(vec!["Acme".to_owned(), "Acme Robotics".to_owned()])
}
fn roster() -> impl Strategy<Value = Roster> {
    let invited = (address(), role()).prop_map(|(email, role)| (email.key().clone(), Invited { email, role }));
    (name(), btree_map(person(), role(), 0..6), vec(invited, 0..5)).prop_map(|(name, members, invited)| Roster {
        name,
        members,
        invitations: invited.into_iter().collect(),
    })
}
fn mirrored() -> impl Strategy<Value = Mirrored> {
    let roles = || btree_set(role(), 0..3);
    let invitation =
        (address(), roles()).prop_map(|(email, roles)| MirroredInvitation { email: email.key().clone(), roles });
    let ids = (0..8).prop_map(|n| format!("uinv-{n}"));
    (name(), btree_map(person(), roles(), 0..6), btree_map(ids, invitation, 0..6))
        .prop_map(|(name, members, invitations)| Mirrored { name, members, invitations })
}
fn world() -> impl Strategy<Value = World> {
    let other = btree_map(person(), btree_set(select(vec!["billing", "support"]), 1..3), 0..4);
    (option::weighted(0.9, mirrored()), other).prop_map(|(organization, mut other_roles)| {
        let there = organization.as_ref();
        other_roles.retain(|id, _| there.is_some_and(|t| t.members.contains_key(id)));
        let other_invitations = there.map(|_| "somebody else's".to_owned()).into_iter().collect();
        World { organization, other_roles, other_invitations, made: 0 }
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2000))]

    #[test]
    fn a_plan_makes_the_mirror_equal_and_then_there_is_nothing_to_do(
        ours in option::weighted(0.9, roster()),
        mut world in world(),
    ) {
        let before = world.clone();
        for step in plan(ours.as_ref(), world.organization.as_ref()) {
            prop_assert!(world.apply(&step).is_ok(), "{:?}", world.clone().apply(&step));
        }
        prop_assert!(world.equals(ours.as_ref()), "{world:?}");
        prop_assert_eq!(plan(ours.as_ref(), world.organization.as_ref()), vec![]);
        // What is somebody else's stays with whoever stays.
        if let (Some(ours), Some(_)) = (&ours, &before.organization) {
            let stay: BTreeMap<_, _> =
                before.other_roles.into_iter().filter(|(id, _)| ours.members.contains_key(id)).collect();
            prop_assert_eq!(world.other_roles, stay);
            prop_assert_eq!(world.other_invitations, before.other_invitations);
        }
    }

    #[test]
    fn a_plan_that_was_interrupted_or_repeated_is_made_good_by_the_next(
        ours in option::weighted(0.9, roster()),
        mut world in world(),
        stop in 0_usize..30,
    ) {
        for step in plan(ours.as_ref(), world.organization.as_ref()).iter().take(stop) {
            prop_assert!(world.apply(step).is_ok());
            // An answer that was lost: the step is sent again. An invitation is the one that then is there twice.
            prop_assert!(world.apply(step).is_ok() || *step == Step::DeleteOrganization);
        }
        for step in plan(ours.as_ref(), world.organization.as_ref()) {
            prop_assert!(world.apply(&step).is_ok());
        }
        prop_assert!(world.equals(ours.as_ref()), "{world:?}");
    }

    #[test]
    fn a_plan_takes_away_first_and_touches_nothing_that_is_right(ours in roster(), there in mirrored()) {
        let steps = plan(Some(&ours), Some(&there));
        let first_gift = steps.iter().position(|s| !s.takes_away()).unwrap_or(steps.len());
        prop_assert!(steps.iter().skip(first_gift).all(|s| !s.takes_away()), "{steps:?}");
        for step in &steps {
            match step {
                Step::RemoveMember(id) => prop_assert!(!ours.members.contains_key(id)),
                Step::AddMember(id) => prop_assert!(!there.members.contains_key(id)),
                Step::TakeRole(id, role) => prop_assert!(ours.members.get(id) != Some(role)),
                Step::GiveRole(id, role) => {
                    prop_assert_eq!(ours.members.get(id), Some(role));
                    prop_assert!(!there.members.get(id).is_some_and(|held| held.contains(role)));
                }
                Step::Withdraw(id) => prop_assert!(there.invitations.contains_key(id)),
                Step::Invite(invited) => prop_assert_eq!(ours.invitations.get(invited.email.key()), Some(invited)),
                Step::Rename(name) => prop_assert!(*name == ours.name && ours.name != there.name),
                Step::DeleteOrganization | Step::CreateOrganization(_) => prop_assert!(false, "{step:?}"),
            }
        }
        let distinct: BTreeSet<_> = steps.iter().map(|s| format!("{s:?}")).collect();
        prop_assert_eq!(distinct.len(), steps.len(), "nothing twice");
    }
}

#[test]
fn a_workspace_that_is_gone_takes_its_mirror_along_and_a_new_one_gets_one() {
    let acme = Roster {
        name: "Acme".to_owned(),
        members: [("auth0|1".to_owned(), Role::Admin)].into(),
        invitations: BTreeMap::new(),
    };
    assert_eq!(plan(None, Some(&Mirrored::default())), [Step::DeleteOrganization]);
    assert_eq!(plan(None, None), []);
    let expected = [
        Step::CreateOrganization("Acme".to_owned()),
        Step::AddMember("auth0|1".to_owned()),
        Step::GiveRole("auth0|1".to_owned(), Role::Admin),
    ];
    assert_eq!(plan(Some(&acme), None), expected);
}
