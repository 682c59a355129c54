//! Audit digests (DG): begun once however many workers there are, every event in exactly one, recorded once accepted.
use super::{
    No, Scenario, World,
    scenario::{app, call},
};
use crate::senders::{pause, senders};
use async_trait::async_trait;
use settings_domain::{
    audit::Risk,
    audit_digest::{
        ActorName, AuditDigest, DayOfMonth, DayOfWeek, DigestRun, DigestSettings, Frequency, Hour, RunState, Schedule,
    },
    ids::DeliveryId,
    impact::Guard,
    policy::{Role, actions},
    ports::{
        mail::{AuditDigestLetter, Letter, Mail, MailError, Mailer},
        outbox::Job,
    },
};
use std::{
    collections::BTreeSet,
    sync::{Arc, Mutex, PoisonError},
};
use time::Duration;
use tokio::task::JoinSet;

cases![
    what_was_chosen_is_read_again,
    a_stale_choice_changes_nothing,
    nothing_begins_before_it_is_due,
    ten_workers_begin_a_due_digest_once,
    missed_periods_are_one_digest,
    a_digest_that_nobody_accepted_is_covered_by_the_next,
    every_recipient_gets_the_digest_and_it_is_recorded_once,
    two_workers_that_send_at_once_record_one_digest,
    a_worker_that_dies_after_the_beginning_loses_no_mail,
    windows_follow_on_one_another,
    a_digest_tells_its_window_and_nothing_else,
    a_log_that_does_not_hold_gets_no_checkpoint,
    whoever_is_no_longer_named_gets_nothing,
    a_deleted_workspace_has_no_digest,
    digests_of_long_ago_are_forgotten,
];

const ALL_RISKS: [Risk; 4] = Risk::ALL;

/// A post office that notes what it accepts, or refuses for now.
#[derive(Clone, Default)]
struct Post {
    away: bool,
    accepted: Arc<Mutex<Vec<(DeliveryId, String, AuditDigestLetter)>>>,
}

#[async_trait]
impl Mailer for Post {
    async fn send(&self, mail: &Mail) -> Result<(), MailError> {
        let Letter::AuditDigest(letter) = &mail.letter else { return Ok(()) };
        if self.away {
            return Err(MailError::Unavailable("away".into()));
        }
        // The letter is nobody's but the mail's: what is asked of it is copied.
        let copy = AuditDigestLetter {
            workspace: letter.workspace.clone(),
            from: letter.from,
            to: letter.to,
            totals: letter.totals.clone(),
            actors: letter.actors.clone(),
            events: Vec::new(),
            more: letter.more,
            checkpoint: letter.checkpoint.clone(),
            link: letter.link.clone(),
            settings_link: letter.settings_link.clone(),
        };
        let mut accepted = self.accepted.lock().unwrap_or_else(PoisonError::into_inner);
        accepted.push((mail.delivery, mail.to.as_str().to_owned(), copy));
        Ok(())
    }
}

impl Post {
    fn letters(self) -> Vec<AuditDigestLetter> {
        let mut accepted = self.accepted.lock().unwrap_or_else(PoisonError::into_inner);
        accepted.drain(..).map(|(_, _, letter)| letter).collect()
    }
    fn to(&self) -> Vec<String> {
        let accepted = self.accepted.lock().unwrap_or_else(PoisonError::into_inner);
        let mut to: Vec<_> = accepted.iter().map(|(_, to, _)| to.clone()).collect();
        to.sort();
        to
    }
}

fn settings(frequency: Frequency, risks: &[Risk]) -> DigestSettings {
    let schedule = Schedule { frequency, hour: Hour::try_from(8).expect("an hour") };
    let recipients = ["one@out.example", "Two@out.example"].map(|e| e.parse().expect("an address")).to_vec();
    DigestSettings::new(true, schedule, risks.iter().copied().collect(), recipients)
}
fn daily() -> DigestSettings {
    settings(Frequency::Daily, &ALL_RISKS)
}
async fn choose(s: &Scenario, settings: DigestSettings, guard: Guard) -> Result<AuditDigest, No> {
    let permit = s.may::<actions::UpdateAuditDigest>(&s.admin.caller).await?;
    let call = settings_domain::transaction::Call { guard, ..call(&s.admin.caller) };
    Ok(s.app.configure_audit_digest(&permit, &call, settings).await?.into_value())
}
async fn stored(s: &Scenario) -> AuditDigest {
    s.reads().await.audit_digest().await.expect("a read").expect("a digest")
}
async fn begin(s: &Scenario) -> usize {
    s.app.begin_audit_digests().await.expect("a look at the clock")
}
async fn deliver(s: &Scenario, post: &Post) {
    let senders = senders(Arc::new(post.clone()));
    while s.app.deliver(&senders, pause, || false).await.expect("messages") > 0 {}
}
/// A workspace whose founding messages are sent and whose digest is chosen.
async fn acme(world: &World) -> Scenario {
    let s = Scenario::acme(world).await;
    deliver(&s, &Post::default()).await;
    choose(&s, daily(), Guard::default()).await.expect("chosen");
    s
}
/// The runs of the mails that wait, with the recipients' places.
async fn waiting(world: &World, s: &Scenario) -> Vec<(DigestRun, i64)> {
    let mut found = Vec::new();
    for message in world.store.claim(100, Duration::minutes(5)).await.expect("messages") {
        if let Job::AuditDigest(workspace, run, place) = message.job {
            assert_eq!(workspace, s.workspace);
            let run = s.reads().await.audit_digest_run(run).await.expect("a read").expect("a run");
            found.push((run, place));
        }
        world.store.release(&[message]).await.expect("given back");
    }
    found.sort_by_key(|(_, place)| *place);
    found
}
fn seq(n: usize) -> i64 {
    i64::try_from(n).expect("a count")
}

async fn what_was_chosen_is_read_again(world: World) {
    let s = Scenario::acme(&world).await;
    assert_eq!(s.reads().await.audit_digest().await.expect("a read"), None);
    let monthly = Frequency::Monthly(DayOfMonth::try_from(28).expect("a day"));
    let weekly = Frequency::Weekly(DayOfWeek::try_from(0).expect("a day"));
    let off = DigestSettings { enabled: false, recipients: vec![], risks: BTreeSet::new(), ..daily() };
    let choices = [daily(), settings(monthly, &[Risk::Critical]), settings(weekly, &[Risk::Low, Risk::High]), off];
    for (version, choice) in (1..).zip(choices) {
        let chosen = choose(&s, choice.clone(), Guard::default()).await.expect("chosen");
        assert_eq!((chosen.version, &chosen.settings), (version, &choice));
        assert_eq!(stored(&s).await, chosen);
        let spelled: Vec<_> = chosen.settings.recipients.iter().map(|e| e.as_str().to_owned()).collect();
        assert_eq!(spelled, choice.recipients.iter().map(|e| e.as_str().to_owned()).collect::<Vec<_>>());
    }
    s.expect_facts(Scenario::EVENTS, &["audit_digest.updated"; 4]).await;
}

async fn a_stale_choice_changes_nothing(world: World) {
    let s = acme(&world).await;
    let before = stored(&s).await;
    let stale = Guard { version: Some(7), confirm: None };
    choose(&s, settings(Frequency::Daily, &[Risk::Low]), stale).await.expect_err("a stale choice");
    assert_eq!(stored(&s).await, before);
}

async fn nothing_begins_before_it_is_due(world: World) {
    let s = acme(&world).await;
    assert_eq!(begin(&s).await, 0);
    assert_eq!(world.store.depth().await.expect("a count"), 0);
    world.pass(Duration::days(1)).await;
    assert_eq!(begin(&s).await, 1);
    assert_eq!(begin(&s).await, 0, "the next one is due in a day");
    let waiting = waiting(&world, &s).await;
    let [(first, 0), (second, 1)] = &waiting[..] else { panic!("a mail for each recipient: {waiting:?}") };
    assert_eq!(first, second);
    assert_eq!((first.from_seq, first.to_seq, first.since), (1, seq(Scenario::EVENTS + 1), None));
    assert_eq!((first.state, &first.risks), (RunState::Queued, &daily().risks));
}

async fn ten_workers_begin_a_due_digest_once(world: World) {
    let s = acme(&world).await;
    world.pass(Duration::days(1)).await;
    let mut workers = JoinSet::new();
    for _ in 0..10 {
        let worker = app(&world);
        workers.spawn(async move { worker.begin_audit_digests().await });
    }
    let begun: usize = workers.join_all().await.into_iter().map(|b| b.expect("a look at the clock")).sum();
    assert_eq!((begun, waiting(&world, &s).await.len()), (1, 2));
}

async fn missed_periods_are_one_digest(world: World) {
    let s = acme(&world).await;
    world.pass(Duration::hours(3 * 24 + 1)).await;
    assert_eq!((begin(&s).await, begin(&s).await), (1, 0));
    let post = Post::default();
    deliver(&s, &post).await;
    assert_eq!(post.to(), ["Two@out.example", "one@out.example"]);
}

async fn a_digest_that_nobody_accepted_is_covered_by_the_next(world: World) {
    let s = acme(&world).await;
    world.pass(Duration::hours(25)).await;
    begin(&s).await;
    deliver(&s, &Post { away: true, ..Post::default() }).await;
    assert_eq!(stored(&s).await.last_sent_at, None);
    world.pass(Duration::hours(25)).await;
    assert_eq!(begin(&s).await, 1);
    let post = Post::default();
    deliver(&s, &post).await;
    assert_eq!(post.to().len(), 2, "the mails of the first digest are not sent any more");
    let letters = post.letters();
    assert!(letters.iter().all(|l| l.from.is_none()), "from the beginning");
    s.expect_facts(Scenario::EVENTS, &["audit_digest.updated", "audit_digest.sent"]).await;
    assert_eq!(stored(&s).await.covered_seq, seq(Scenario::EVENTS + 1));
}

async fn every_recipient_gets_the_digest_and_it_is_recorded_once(world: World) {
    let s = acme(&world).await;
    world.pass(Duration::hours(25)).await;
    begin(&s).await;
    let post = Post::default();
    deliver(&s, &post).await;
    assert_eq!(post.to(), ["Two@out.example", "one@out.example"]);
    let letters = post.letters();
    let [one, two] = &letters[..] else { panic!("two letters") };
    assert_eq!(one.checkpoint, two.checkpoint, "every recipient is a witness of the same state");
    let digest = stored(&s).await;
    assert!(digest.last_sent_at.is_some() && digest.version == 1);
    s.expect_facts(Scenario::EVENTS, &["audit_digest.updated", "audit_digest.sent"]).await;
}

async fn two_workers_that_send_at_once_record_one_digest(world: World) {
    let s = acme(&world).await;
    world.pass(Duration::hours(25)).await;
    begin(&s).await;
    // Each takes one of the two mails, so both accept at once.
    let mut workers = JoinSet::new();
    for _ in 0..4 {
        let worker = app(&world);
        workers.spawn(async move { worker.deliver(&senders(Arc::new(Post::default())), pause, || false).await });
    }
    workers.join_all().await;
    deliver(&s, &Post::default()).await;
    s.expect_facts(Scenario::EVENTS, &["audit_digest.updated", "audit_digest.sent"]).await;
}

async fn a_worker_that_dies_after_the_beginning_loses_no_mail(world: World) {
    let s = acme(&world).await;
    world.pass(Duration::hours(25)).await;
    begin(&s).await;
    // Taken by a worker that is never seen again.
    let taken = world.store.claim(100, Duration::minutes(5)).await.expect("messages");
    assert_eq!(taken.len(), 2);
    let post = Post::default();
    deliver(&s, &post).await;
    assert_eq!(post.to().len(), 0, "they are still its own");
    world.pass(Duration::minutes(6)).await;
    deliver(&s, &post).await;
    assert_eq!(post.to().len(), 2);
}

async fn windows_follow_on_one_another(world: World) {
    let s = acme(&world).await;
    let mut told = Vec::new();
    for day in 0..4 {
        if day != 2 {
            s.invite(&s.admin.caller, &format!("guest{day}@people.example"), Role::Viewer).await.expect("invited");
        }
        world.pass(Duration::hours(25)).await;
        begin(&s).await;
        for (run, _) in waiting(&world, &s).await.into_iter().take(1) {
            assert_eq!(run.since.is_some(), day > 0);
            told.extend(run.from_seq..=run.to_seq);
        }
        deliver(&s, &Post::default()).await;
    }
    let covered = stored(&s).await.covered_seq;
    assert_eq!(told, (1..=covered).collect::<Vec<_>>(), "each event once, in order");
    assert_eq!(seq(s.events().await.len()), covered + 1, "but the last digest's own");
}

async fn a_digest_tells_its_window_and_nothing_else(world: World) {
    let s = Scenario::acme(&world).await;
    deliver(&s, &Post::default()).await;
    choose(&s, settings(Frequency::Daily, &[Risk::Low, Risk::Medium, Risk::Critical]), Guard::default())
        .await
        .expect("chosen");
    world.pass(Duration::hours(25)).await;
    begin(&s).await;
    // Too late for this digest.
    s.invite(&s.admin.caller, "late@people.example", Role::Viewer).await.expect("invited");
    let (run, _) = waiting(&world, &s).await.remove(0);
    let summary = s.reads().await.audit_summary(&run).await.expect("a summary");
    // Founded by the platform, one admin joined; two were invited by the admin and joined; the admin chose digests.
    let mut totals = summary.totals;
    totals.sort();
    assert_eq!(totals, [(Risk::Low, 5), (Risk::Medium, 2)]);
    let actors: Vec<_> = summary.actors.into_iter().map(|a| (a.actor, a.events)).collect();
    let named = |name: &str| ActorName::Person(Some(format!("{name}-acme the pérson")));
    assert_eq!(
        actors,
        [
            (named("admin"), 4),
            (ActorName::Platform, 1),
            (named("editor"), 1),
            (named("viewer"), 1),
        ]
    );
    let post = Post::default();
    deliver(&s, &post).await;
    let letters = post.letters();
    let [letter, _] = &letters[..] else { panic!("two letters") };
    assert_eq!(letter.workspace, "The acme company");
    assert_eq!(letter.totals, [(Risk::Critical, 0), (Risk::Medium, 2), (Risk::Low, 5)], "the worst first");
    assert_eq!((letter.more, letter.from), (0, None));
    assert!(letter.checkpoint.as_ref().is_some_and(|note| note.contains(&format!("\n{}\n", run.to_seq))));
    assert_eq!(letter.link, "https://settings.example/acme/settings/audit-log");
    assert_eq!(letter.settings_link, "https://settings.example/acme/settings/audit-digest");
}

async fn a_log_that_does_not_hold_gets_no_checkpoint(world: World) {
    let s = acme(&world).await;
    world.pass(Duration::hours(25)).await;
    begin(&s).await;
    world.tamper(s.workspace, super::Tamper::EditEvent(seq(Scenario::EVENTS + 1))).await;
    let post = Post::default();
    deliver(&s, &post).await;
    let letters = post.letters();
    assert_eq!(letters.len(), 2, "it is sent all the same");
    assert!(letters.iter().all(|l| l.checkpoint.is_none()), "nothing is signed because the database says so");
}

async fn whoever_is_no_longer_named_gets_nothing(world: World) {
    let s = acme(&world).await;
    world.pass(Duration::hours(25)).await;
    begin(&s).await;
    let mut fewer = daily();
    fewer.recipients.truncate(1);
    choose(&s, fewer.clone(), Guard::default()).await.expect("chosen");
    let post = Post::default();
    deliver(&s, &post).await;
    assert_eq!(post.to(), ["one@out.example"]);
    world.pass(Duration::hours(25)).await;
    begin(&s).await;
    choose(&s, DigestSettings { enabled: false, ..fewer }, Guard::default()).await.expect("switched off");
    let post = Post::default();
    deliver(&s, &post).await;
    assert_eq!((post.to().len(), world.store.depth().await.expect("a count")), (0, 0));
}

async fn a_deleted_workspace_has_no_digest(world: World) {
    let s = acme(&world).await;
    let other = Scenario::called(&world, "other").await;
    choose(&other, daily(), Guard::default()).await.expect("chosen");
    world.pass(Duration::hours(25)).await;
    s.delete().await.expect("deleted");
    assert_eq!(world.store.due_digests(10).await.expect("due"), [other.workspace]);
    assert_eq!(begin(&other).await, 1);
    other.delete().await.expect("deleted");
    let post = Post::default();
    deliver(&other, &post).await;
    assert_eq!((post.to().len(), world.store.depth().await.expect("a count")), (0, 0));
}

async fn digests_of_long_ago_are_forgotten(world: World) {
    let s = acme(&world).await;
    world.pass(Duration::hours(25)).await;
    begin(&s).await;
    let (run, _) = waiting(&world, &s).await.remove(0);
    deliver(&s, &Post::default()).await;
    world.store.tidy().await.expect("tidied");
    assert!(s.reads().await.audit_digest_run(run.id).await.expect("a read").is_some());
    world.pass(Duration::days(31)).await;
    world.store.tidy().await.expect("tidied");
    assert_eq!(s.reads().await.audit_digest_run(run.id).await.expect("a read"), None);
    assert_eq!(stored(&s).await.covered_seq, run.to_seq, "where the next one begins is kept");
}
