//! Audit digests (DG): due at exactly the hours that were chosen; every event in exactly one digest; one event of their own.
use crate::support::{facts, is_nothing, permit_for, permit_of, record, refusal, start, uuid, workspace};
use settings_domain::{
    audit::Risk,
    audit_digest::{
        AuditDigest, AuditDigestError, AuditDigestWrite, DayOfMonth, DayOfWeek, DigestRun, DigestSettings, Frequency,
        Hour, RunState, Schedule,
    },
    change::{Change, Write},
    error::Refused,
    ids::{DeliveryId, DigestRunId},
    impact::Guard,
    notices::Notice,
    policy::{Actor, Permit, Role, SystemTask, actions, permit},
};
use sha2::{Digest as _, Sha256};
use std::{collections::BTreeSet, fmt::Write as _};
use time::{Duration, OffsetDateTime, macros::datetime};

fn schedule(frequency: Frequency, hour: i64) -> Schedule {
    Schedule { frequency, hour: Hour::try_from(hour).unwrap() }
}

#[test]
fn runs_are_due_at_the_instants_that_an_independent_program_found_for_every_hour_of_21_years() {
    let (first, last) = (datetime!(2024-01-01 0:00 UTC), datetime!(2044-12-31 23:00 UTC));
    let golden = include_str!("schedule.golden.txt");
    assert_eq!(golden.lines().count(), 33);
    for line in golden.lines() {
        let [name, number, hour, expected] = line.split(' ').collect::<Vec<_>>()[..] else { panic!("{line}") };
        let number: i64 = number.parse().unwrap();
        let frequency = match name {
            "daily" => Frequency::Daily,
            "weekly" => Frequency::Weekly(DayOfWeek::try_from(number).unwrap()),
            _ => Frequency::Monthly(DayOfMonth::try_from(number).unwrap()),
        };
        let plan = schedule(frequency, hour.parse().unwrap());
        let mut hash = Sha256::new();
        let (mut at, mut due) = (first, plan.next_after(first));
        while at <= last {
            // Between two runs the answer is the same: a property test of the schedule says so.
            if at >= due {
                due = plan.next_after(at);
            }
            hash.update(format!("{}\n", due.unix_timestamp()));
            at += Duration::HOUR;
        }
        let found = hash.finalize().iter().fold(String::new(), |mut s, b| {
            let _ = write!(s, "{b:02x}");
            s
        });
        assert_eq!(found, expected, "{line}");
    }
}

fn settings() -> DigestSettings {
    let recipients = ["ada@example.org", "bo@example.org"].map(|e| e.parse().unwrap());
    let risks = BTreeSet::from([Risk::High, Risk::Critical]);
    DigestSettings::new(true, schedule(Frequency::Daily, 8), risks, recipients.to_vec())
}

type Configured = Result<Change<AuditDigest>, Refused<AuditDigestError>>;
fn configure(digest: &AuditDigest, wanted: DigestSettings, guard: &Guard) -> Configured {
    digest.configure(&permit_for::<actions::UpdateAuditDigest>(Role::Admin), wanted, guard)
}
fn configured(digest: &AuditDigest, wanted: DigestSettings) -> AuditDigest {
    let change = configure(digest, wanted, &Guard::default()).unwrap();
    let [Write::AuditDigest(AuditDigestWrite::Configure(row))] = change.set().writes() else { panic!("one row") };
    row.clone()
}
fn task(at: OffsetDateTime) -> Permit<actions::SendAuditDigest> {
    permit(&Actor::task(SystemTask::SendDigest, workspace()), at).unwrap()
}
fn begin(digest: &AuditDigest, head: i64, at: OffsetDateTime) -> Change<Option<DigestRun>> {
    let mut n = 100;
    digest.begin(&task(at), head, DigestRunId::from_uuid(uuid(7)), || {
        n += 1;
        DeliveryId::from_uuid(uuid(n))
    })
}
/// What a store keeps of a digest that began.
fn begun(digest: &AuditDigest, head: i64, at: OffsetDateTime) -> (AuditDigest, DigestRun) {
    let change = begin(digest, head, at);
    let [Write::AuditDigest(AuditDigestWrite::Begin(run, next))] = change.set().writes() else { panic!("one run") };
    (AuditDigest { next_due_at: Some(*next), ..digest.clone() }, (**run).clone())
}
/// What a store keeps once a digest was accepted.
fn accepted(digest: &AuditDigest, run: &DigestRun, at: OffsetDateTime) -> AuditDigest {
    AuditDigest { covered_seq: run.to_seq, covered_at: Some(run.until), last_sent_at: Some(at), ..digest.clone() }
}

#[test]
fn nobody_gets_digests_before_somebody_chose_them() {
    let none = AuditDigest::default();
    assert_eq!((none.version, none.settings.enabled, none.next_due_at), (0, false, None));
    assert!(!none.is_due(start() + Duration::days(365)));
    assert!(is_nothing(&begin(&none, 9, start())));
}

#[test]
fn a_digest_that_is_sent_needs_recipients_and_levels_and_one_that_is_not_needs_neither() {
    let none = AuditDigest::default();
    let without = |recipients, risks| {
        let mut s = settings();
        if recipients {
            s.recipients.clear();
        }
        if risks {
            s.risks.clear();
        }
        s
    };
    let tried = |s| configure(&none, s, &Guard::default()).err();
    assert!(matches!(tried(without(true, false)), Some(Refused::Rule(AuditDigestError::NoRecipients))));
    assert!(matches!(tried(without(false, true)), Some(Refused::Rule(AuditDigestError::NoRiskLevels))));
    assert!(tried(DigestSettings { enabled: false, ..without(true, true) }).is_none());
}

#[test]
fn an_address_counts_once_in_its_first_spelling() {
    let typed = ["Ada@Example.org", "bo@example.org", "ada@example.ORG"].map(|e| e.parse().unwrap());
    let s = DigestSettings::new(true, Schedule::default(), BTreeSet::from([Risk::Low]), typed.to_vec());
    assert_eq!(
        s.recipients.iter().map(settings_domain::text::Email::as_str).collect::<Vec<_>>(),
        ["Ada@Example.org", "bo@example.org"]
    );
}

#[test]
fn what_was_chosen_is_recorded_without_any_address() {
    let change = configure(&AuditDigest::default(), settings(), &Guard::default()).unwrap();
    assert_eq!(facts(&change), ["audit_digest.updated"]);
    let event = record(&change);
    assert_eq!((event.target_kind.as_str(), event.risk), ("audit_digest", Risk::Medium));
    let said: Vec<_> = event
        .changes
        .iter()
        .map(|c| (c.field.as_str(), c.from.as_deref().unwrap_or("-"), c.to.as_deref().unwrap_or("-")))
        .collect();
    assert_eq!(
        said,
        [
            ("enabled", "false", "true"),
            ("frequency", "weekly", "daily"),
            ("dayOfWeek", "1", "-"),
            ("recipients", "0", "2")
        ]
    );
    assert!(!format!("{event:?}").contains("example.org"));
}

#[test]
fn the_same_choice_again_changes_nothing_but_another_spelling_does() {
    let digest = configured(&AuditDigest::default(), settings());
    assert!(is_nothing(&configure(&digest, settings(), &Guard::default()).unwrap()));
    let mut spelled = settings();
    spelled.recipients[0] = "Ada@example.org".parse().unwrap();
    assert_eq!(configured(&digest, spelled).settings.recipients[0].as_str(), "Ada@example.org");
    let stale = configure(&digest, settings(), &Guard { version: Some(0), confirm: None });
    assert_eq!(refusal(stale), Some("stale"));
}

#[test]
fn another_schedule_is_due_in_the_future_only_and_other_choices_leave_the_hour_alone() {
    let digest = configured(&AuditDigest::default(), settings());
    let due = digest.next_due_at.unwrap();
    assert!(due > start() && due.hour() == 8);
    // The hour has passed and no worker was there: a new recipient must not skip what is due.
    let late = AuditDigest { next_due_at: Some(start() - Duration::HOUR), ..digest.clone() };
    let mut more = settings();
    more.recipients.push("cy@example.org".parse().unwrap());
    assert_eq!(configured(&late, more).next_due_at, late.next_due_at);
    for hour in [7, 9] {
        let moved = configured(&late, DigestSettings { schedule: schedule(Frequency::Daily, hour), ..settings() });
        assert!(moved.next_due_at.unwrap() > start(), "{hour}");
    }
    let off = configured(&digest, DigestSettings { enabled: false, ..settings() });
    assert_eq!(off.next_due_at, None);
    assert!(configured(&off, settings()).next_due_at.unwrap() > start(), "switched on again");
}

#[test]
fn a_digest_begins_once_when_it_is_due_and_owes_each_recipient_a_mail() {
    let digest = configured(&AuditDigest::default(), settings());
    let due = digest.next_due_at.unwrap();
    assert!(is_nothing(&begin(&digest, 9, due - Duration::MICROSECOND)), "too early");
    let change = begin(&digest, 9, due);
    assert!(facts(&change).is_empty(), "the fact is that it was sent");
    let owed: Vec<_> = change
        .set()
        .notices()
        .iter()
        .map(|n| match n {
            Notice::AuditDigestMail { run, recipient, .. } => (*run, *recipient),
            other @ (Notice::InvitationMail { .. }
            | Notice::ErasureMail { .. }
            | Notice::Delivery(_)
            | Notice::SeatQuantity(_)) => {
                panic!("{other:?}")
            }
        })
        .collect();
    let id = DigestRunId::from_uuid(uuid(7));
    assert_eq!(owed, [(id, 0), (id, 1)]);
    let (after, run) = begun(&digest, 9, due);
    assert_eq!((run.due_at, run.from_seq, run.to_seq, run.state), (due, 1, 9, RunState::Queued));
    assert_eq!(after.next_due_at, Some(due + Duration::DAY));
    assert!(is_nothing(&begin(&after, 9, due)), "another worker comes too late");
}

#[test]
fn three_missed_periods_are_one_digest_and_the_next_is_due_in_the_future() {
    let digest = configured(&AuditDigest::default(), settings());
    let late = digest.next_due_at.unwrap() + Duration::days(3) + Duration::minutes(5);
    let (after, run) = begun(&digest, 40, late);
    assert_eq!((run.from_seq, run.to_seq), (1, 40));
    assert_eq!(after.next_due_at.unwrap() - late, Duration::DAY - Duration::minutes(5));
}

#[test]
fn windows_follow_on_one_another_and_one_that_nobody_accepted_is_covered_by_the_next() {
    let digest = configured(&AuditDigest::default(), settings());
    let due = digest.next_due_at.unwrap();
    let (digest, first) = begun(&digest, 9, due);
    let digest = accepted(&digest, &first, due);
    let (digest, lost) = begun(&digest, 12, due + Duration::DAY);
    assert_eq!((lost.from_seq, lost.to_seq, lost.since), (10, 12, Some(due)));
    let (digest, third) = begun(&digest, 15, due + Duration::days(2));
    assert_eq!((third.from_seq, third.to_seq, third.since), (10, 15, Some(due)));
    let digest = accepted(&digest, &third, due + Duration::days(2));
    let (_, quiet) = begun(&digest, 15, due + Duration::days(3));
    assert_eq!((quiet.from_seq, quiet.to_seq), (16, 15), "nothing happened, and that is said");
}

#[test]
fn clocks_that_jump_neither_skip_an_event_nor_tell_one_twice() {
    let mut digest = configured(&AuditDigest::default(), settings());
    let mut now = digest.next_due_at.unwrap();
    let (mut head, mut told) = (3, vec![]);
    for jump in [0, 8 * 24, -2, 24, -1, 1, 25, -30, 60, 24] {
        now += Duration::hours(jump);
        head += 2;
        let change = begin(&digest, head, now);
        if is_nothing(&change) {
            continue;
        }
        let (after, run) = begun(&digest, head, now);
        told.extend(run.from_seq..=run.to_seq);
        digest = accepted(&after, &run, now);
    }
    assert_eq!(told, (1..=digest.covered_seq).collect::<Vec<_>>());
}

#[test]
fn the_first_accepted_mail_is_the_digests_one_event() {
    let digest = configured(&AuditDigest::default(), settings());
    let due = digest.next_due_at.unwrap();
    let (_, run) = begun(&digest, 9, due);
    let change = run.accepted(&task(due));
    assert_eq!(facts(&change), ["audit_digest.sent"]);
    let event = record(&change);
    assert_eq!((event.actor_kind.as_str(), event.risk), ("service", Risk::Low));
    let said: Vec<_> = event.changes.iter().map(|c| (c.field.as_str(), c.to.as_deref().unwrap())).collect();
    assert_eq!(said, [("fromSeq", "1"), ("toSeq", "9"), ("recipients", "2")]);
    for state in [RunState::Sent, RunState::Superseded] {
        assert!(is_nothing(&DigestRun { state, ..run.clone() }.accepted(&task(due))), "{state:?}");
    }
}

#[test]
fn a_mail_is_wanted_as_long_as_digests_are_on_and_its_recipient_is_named() {
    let digest = configured(&AuditDigest::default(), settings());
    let (ada, cy) = ("ADA@example.org".parse().unwrap(), "cy@example.org".parse().unwrap());
    assert!(digest.is_wanted_by(&ada) && !digest.is_wanted_by(&cy));
    let off = configured(&digest, DigestSettings { enabled: false, ..settings() });
    assert!(!off.is_wanted_by(&ada));
}

#[test]
fn only_admins_and_the_platform_choose_and_only_the_service_sends() {
    let no_admin = |role| {
        let member = Actor::member(&crate::support::member(1, role), false).unwrap();
        permit::<actions::ReadAuditDigest>(&member, start()).is_err()
            && permit::<actions::UpdateAuditDigest>(&member, start()).is_err()
    };
    assert!(no_admin(Role::Editor) && no_admin(Role::Viewer));
    let admin = Actor::member(&crate::support::member(1, Role::Admin), true).unwrap();
    let _ = permit_of::<actions::UpdateAuditDigest>(&admin);
    assert!(permit::<actions::SendAuditDigest>(&admin, start()).is_err());
    let other = Actor::task(SystemTask::RecordDenials, workspace());
    assert!(permit::<actions::SendAuditDigest>(&other, start()).is_err());
}
