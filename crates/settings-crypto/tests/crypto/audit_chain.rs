//! A chain that nobody meddled with: what it proves, what it shows, what an erasure leaves.
use crate::support::{Log, at, audit_keys, key_created, member_removed, root};
use proptest::prelude::*;
use settings_crypto::{AuditKeys, verify_public};
use settings_domain::{
    audit::Opening,
    ids::PersonId,
    members::Member,
    ports::audit::{AuditSealer as _, Link, Salts},
};
use std::collections::BTreeSet;
use time::Duration;

const ADA: u128 = 1;
const BOB: u128 = 2;

fn person(log: &Log, n: u128) -> PersonId {
    log.member(n).person
}
/// Every personal value, as a reader sees it.
fn values(log: &Log) -> Vec<Option<String>> {
    let keys = audit_keys();
    let openings = log.events.iter().flat_map(|e| e.openings.iter().map(|o| (e.record.seq, o)));
    openings.map(|(seq, o)| keys.open(log.workspace, seq, o, &log.salts).unwrap()).collect()
}

#[test]
fn an_honest_chain_verifies_with_and_without_keys() {
    let log = Log::of_two_people(1);
    assert_eq!(log.verify(), Ok(log.last()));
    let public =
        log.events.iter().try_fold(Link::START, |last, e| verify_public(&last, &e.record, &e.commitments, &e.hash));
    assert_eq!(public, Ok(log.last()));
    assert_eq!(log.last().seq, 6);
}

#[test]
fn a_batch_continues_where_the_one_before_ended() {
    let log = Log::of_two_people(1);
    let keys = audit_keys();
    let third = Link { seq: 3, hash: log.events[2].hash };
    assert!(keys.check(&third, &log.events[3], &log.salts).is_ok());
}

#[test]
fn readers_see_the_values() {
    let log = Log::of_two_people(1);
    let (ada, bob) = (log.member(ADA).user.to_string(), log.member(BOB).user.to_string());
    let expected = [&ada, "CI", &ada, "CI", &ada, "CI", &bob, "CI", &ada, "CI", &bob, &ada];
    assert_eq!(values(&log), expected.map(|v| Some(v.to_owned())));
}

#[test]
fn no_personal_value_is_in_what_is_stored() {
    let log = Log::of_two_people(1);
    let stored = format!("{:?}", log.events);
    for n in [ADA, BOB] {
        assert!(!stored.contains(&log.member(n).user.to_string()));
    }
    let raw: Vec<u8> = log.events.iter().flat_map(|e| &e.openings).filter_map(|o| o.sealed.clone()).flatten().collect();
    let user = log.member(ADA).user.to_string();
    assert!(!raw.windows(user.len()).any(|w| w == user.as_bytes()));
}

#[test]
fn the_same_value_of_one_person_never_gives_the_same_commitment_or_ciphertext() {
    let mut log = Log::new(1);
    let ada = log.member(ADA);
    for _ in 0..5 {
        log.append(&key_created(&ada, "CI", at()));
    }
    let hashes: BTreeSet<_> = log.events.iter().flat_map(|e| &e.commitments).map(|c| &c.hash).collect();
    let sealed: BTreeSet<_> = log.events.iter().flat_map(|e| &e.openings).map(|o| &o.sealed).collect();
    assert_eq!((hashes.len(), sealed.len()), (10, 10));
}

#[test]
fn the_same_event_at_the_same_place_is_sealed_anew_after_a_rollback() {
    let log = Log::of_two_people(1);
    let event = key_created(&log.member(ADA), "CI", at());
    let [a, b] = [(); 2].map(|()| audit_keys().seal(&log.last(), &event, &log.salts).unwrap());
    assert_eq!((a.hash, a.mac), (b.hash, b.mac));
    assert_ne!(a.openings, b.openings);
}

#[test]
fn after_an_erasure_everything_verifies_and_only_that_person_is_gone() {
    let mut log = Log::of_two_people(1);
    log.erase(person(&log, ADA));
    assert_eq!(log.verify(), Ok(log.last()));
    let bob = Some(log.member(BOB).user.to_string());
    // The last two: who erased, and whom.
    let mut expected = vec![None; 14];
    expected[12] = Some(log.member(9).user.to_string());
    (expected[6], expected[7], expected[10]) = (bob.clone(), Some("CI".to_owned()), bob);
    assert_eq!(values(&log), expected);
    // Several in a row, and the chain goes on.
    log.erase(person(&log, BOB));
    assert_eq!(log.verify(), Ok(log.last()));
    log.append(&key_created(&log.member(3), "CI", at()));
    assert_eq!(log.verify(), Ok(log.last()));
}

#[test]
fn who_comes_back_after_an_erasure_must_be_a_new_person() {
    let mut log = Log::of_two_people(1);
    let bob = log.member(BOB);
    let commitments =
        |log: &Log| log.events.iter().flat_map(|e| e.commitments.clone()).map(|c| c.hash).collect::<Vec<_>>();
    log.erase(bob.person);
    let before = commitments(&log);
    // Even under the old id there is a new salt, which opens nothing of before.
    let mut same = log.clone();
    same.append(&key_created(&bob, "CI", at()));
    assert_eq!(same.verify(), Ok(same.last()));
    assert_eq!(commitments(&same)[..before.len()], before);
    assert!(log.events.iter().flat_map(|e| &e.openings).all(|o| o.person != bob.person), "nothing links to the old id");
    let new_person = Member { person: person(&log, 4), ..bob };
    log.append(&key_created(&new_person, "CI", at()));
    assert_eq!(log.verify(), Ok(log.last()));
}

#[test]
fn a_salt_made_anew_opens_nothing_of_before() {
    let mut log = Log::of_two_people(1);
    let ada = person(&log, ADA);
    log.salts.insert(ada, audit_keys().new_salt(log.workspace, ada).unwrap());
    let opening = &log.events[0].openings[0];
    assert!(audit_keys().open(log.workspace, 1, opening, &log.salts).is_err());
}

#[test]
fn an_erased_value_reads_as_none_whichever_half_is_gone() {
    let log = Log::of_two_people(1);
    let opening = &log.events[0].openings[0];
    let emptied = Opening { sealed: None, ..opening.clone() };
    assert_eq!(audit_keys().open(log.workspace, 1, &emptied, &log.salts).unwrap(), None);
    assert_eq!(audit_keys().open(log.workspace, 1, opening, &Salts::new()).unwrap(), None);
}

#[test]
fn what_cannot_be_sealed_rightly_is_not_sealed() {
    let log = Log::of_two_people(1);
    let (ada, bob) = (log.member(ADA), log.member(BOB));
    let keys = audit_keys();
    let event = member_removed(&bob, &ada);
    let one_salt = Salts::from([(bob.person, log.salts[&bob.person].clone())]);
    assert!(keys.seal(&Link::START, &event, &one_salt).is_err());
    let swapped =
        Salts::from([(bob.person, log.salts[&ada.person].clone()), (ada.person, log.salts[&bob.person].clone())]);
    assert!(keys.seal(&Link::START, &event, &swapped).is_err());
    assert!(AuditKeys::new(&root(2)).seal(&Link::START, &event, &log.salts).is_err());
    assert!(keys.seal(&Link { seq: i64::MAX, hash: [0; 32] }, &event, &log.salts).is_err());
    let fine = key_created(&ada, "CI", at() + Duration::nanoseconds(1));
    assert!(keys.seal(&Link::START, &fine, &log.salts).is_err());
}

proptest! {
    #[test]
    fn any_text_survives_seal_and_open(name in "\\PC{1,200}") {
        prop_assume!(!name.trim().is_empty());
        let mut log = Log::new(1);
        log.append(&key_created(&log.member(ADA), &name, at()));
        prop_assert_eq!(log.verify(), Ok(log.last()));
        prop_assert_eq!(values(&log).pop().flatten(), Some(name));
    }
}
