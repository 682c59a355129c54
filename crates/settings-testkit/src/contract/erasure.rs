//! Erasure of a person: everything goes, the chain still verifies, and others keep what is theirs (GD01 to GD13).
use super::{
    No, Person, Scenario, World,
    scenario::{self, ALL, account, call, idempotent},
};
use settings_app::{App, Ports, members::TheirKeys};
use settings_domain::{
    erasure::Erased,
    ids::{PersonId, UserId, WorkspaceId},
    policy::{Role, Scope, actions},
    ports::{
        Clock, Entropy as _,
        directory::Sightings,
        store::{ApiKeyFilter, MemberFilter},
    },
    transaction::Caller,
};
use std::sync::Arc;
use time::{Duration, OffsetDateTime};
use tokio::task::JoinSet;

cases![
    an_erased_person_is_in_no_list_and_no_event,
    a_removed_member_is_erased_too_and_nobody_twice,
    the_last_admin_is_not_erased,
    a_wrong_address_erases_nobody,
    an_invitation_to_an_erased_person_is_dead,
    an_account_goes_with_the_last_workspace_that_knows_it,
    whoever_comes_back_is_a_new_person,
    a_sighting_of_an_erased_person_is_not_kept,
    an_outcome_that_names_an_erased_person_is_not_kept,
    several_erasures_verify,
    what_an_erasure_left_is_emptied_a_few_at_a_time_and_verifies_all_the_while,
    what_one_process_left_another_one_completes,
    erasures_at_the_same_time_vouch_for_each_other,
];

impl Scenario {
    async fn erase(&self, by: &Caller, whom: &Person) -> Result<Erased, No> {
        self.erase_as(by, whom.id, whom.email.as_str()).await
    }
    async fn erase_as(&self, by: &Caller, whom: UserId, confirm: &str) -> Result<Erased, No> {
        let permit = self.may::<actions::EraseMember>(by).await?;
        Ok(self.app.erase_member(&permit, &call(by), whom, confirm).await?.into_value())
    }
}

async fn an_erased_person_is_in_no_list_and_no_event(world: World) {
    let s = Scenario::acme(&world).await;
    let editor = s.editor_turned_admin().await;
    let key = s.create_key(&editor, "theirs", &[Scope::RunsRead]).await.expect("a key");
    let sent = s.invite(&editor, "friend@people.example", Role::Viewer).await.expect("an invitation");
    let before = s.events().await;
    let erased = s.erase(&s.admin.caller, &s.editor).await.expect("erased");
    assert!(erased.account, "no other workspace knows the account");
    assert_eq!(erased.active_keys.iter().map(|k| (k.id, k.created_by)).collect::<Vec<_>>(), [(key.id, None)]);
    let id = s.editor.id.to_string();
    let speaks = |personal: &[(String, Option<String>)]| personal.iter().any(|(_, v)| v.as_deref() == Some(&*id));
    let spoke = before.iter().filter(|e| speaks(&e.personal) || e.record.action == "member.invited").count();
    assert!(erased.events >= 5 && usize::try_from(erased.events).expect("a count") <= spoke, "{}", erased.events);

    let events = s.events().await;
    assert!(events.iter().all(|e| !speaks(&e.personal)), "no event names the account");
    let said = events.iter().flat_map(|e| &e.personal).filter_map(|(_, v)| v.as_deref());
    assert!(said.into_iter().all(|v| !v.contains(s.editor.email.as_str())), "no event holds the address");
    let last = events.last().expect("an event");
    assert_eq!((last.record.action.as_str(), last.record.seq), ("member.erased", erased.seq));
    assert_eq!(last.record.risk.name(), "critical");
    let of = |field: &str| last.personal.iter().find(|(f, _)| f == field).and_then(|(_, v)| v.clone());
    assert_eq!((of("target"), of("requestId")), (None, None));
    assert_eq!(of("actor"), Some(s.admin.id.to_string()));
    let verified = s.verify().await;
    assert_eq!((verified.first_broken, verified.erased > 5), (None, true));

    let mut reads = s.reads().await;
    for former in [false, true] {
        let filter = MemberFilter { former, ..MemberFilter::default() };
        let members = reads.members(&filter, ALL).await.expect("members");
        assert!(members.iter().all(|m| m.user.id != s.editor.id));
    }
    assert!(reads.member(s.editor.id).await.expect("a read").is_none());
    let keys = reads.api_keys(ApiKeyFilter::default(), ALL).await.expect("keys");
    assert_eq!(keys.iter().map(|k| (k.key.created_by, k.creator.is_none(), k.key.revoked_at)).collect::<Vec<_>>(), [(None, true, None)]);
    let sent = reads.invitation(sent.id).await.expect("a read").expect("the invitation they sent");
    assert_eq!((sent.invitation.invited_by, sent.invitation.state.name()), (None, "revoked"));
    drop(reads);
    assert_eq!(s.members().await.len(), 2);
    assert!(world.store.key(key.id).await.expect("a read").is_some(), "their key keeps working");
}

async fn a_removed_member_is_erased_too_and_nobody_twice(world: World) {
    let s = Scenario::acme(&world).await;
    s.remove(&s.admin.caller, s.viewer.id, TheirKeys::Keep).await.expect("removed");
    s.erase(&s.admin.caller, &s.viewer).await.expect("erased");
    assert_eq!(s.erase(&s.admin.caller, &s.viewer).await, Err(No::Rule("already-erased")));
    let stranger = UserId::from_uuid(world.entropy.uuid());
    assert_eq!(s.erase_as(&s.admin.caller, stranger, "x@y.example").await, Err(No::Rule("not-found")));
    let erased = s.facts().await.into_iter().filter(|f| f == "member.erased").count();
    assert_eq!((erased, s.verify().await.first_broken), (1, None));
}

async fn the_last_admin_is_not_erased(world: World) {
    let s = Scenario::acme(&world).await;
    for by in [&s.admin.caller, &s.founder.caller] {
        assert_eq!(s.erase(by, &s.admin).await, Err(No::Rule("last-admin")));
    }
    s.editor_turned_admin().await;
    s.erase(&s.admin.caller, &s.admin).await.expect("there is another");
    assert_eq!(s.may::<actions::ReadWorkspace>(&s.admin.caller).await.map(|_| ()), Err(No::NotFound));
    assert_eq!(s.verify().await.first_broken, None);
}

async fn a_wrong_address_erases_nobody(world: World) {
    let s = Scenario::acme(&world).await;
    let before = s.events().await.len();
    for confirm in ["", s.admin.email.as_str(), &s.viewer.id.to_string()] {
        assert_eq!(s.erase_as(&s.admin.caller, s.viewer.id, confirm).await, Err(No::Rule("validation-failed")));
    }
    assert_eq!(s.erase(&s.editor.caller, &s.viewer).await, Err(No::Denied));
    assert_eq!((s.events().await.len(), s.members().await.len()), (before, 3));
    let shouted = s.viewer.email.as_str().to_uppercase();
    s.erase_as(&s.admin.caller, s.viewer.id, &format!(" {shouted} ")).await.expect("the same address");
}

async fn an_invitation_to_an_erased_person_is_dead(world: World) {
    let s = Scenario::acme(&world).await;
    s.remove(&s.admin.caller, s.viewer.id, TheirKeys::Keep).await.expect("removed");
    let again = s.invite(&s.admin.caller, s.viewer.email.as_str(), Role::Editor).await.expect("an invitation");
    s.erase(&s.admin.caller, &s.viewer).await.expect("erased");
    assert_eq!(s.accept(&s.viewer, &again).await, Err(No::Rule("not-found")));
    let letter = world.store.invitation_letter(s.workspace, again.id, 1).await.expect("an answer");
    assert!(letter.is_none(), "its mail is not sent any more");
    assert_eq!((s.invitations().await.len(), s.members().await.len()), (0, 2));
}

async fn an_account_goes_with_the_last_workspace_that_knows_it(world: World) {
    let (a, b) = (Scenario::acme(&world).await, Scenario::called(&world, "other").await);
    let there = b.invite(&b.admin.caller, a.viewer.email.as_str(), Role::Viewer).await.expect("an invitation");
    b.accept(&a.viewer, &there).await.expect("joined");
    let before = b.events().await.len();
    assert!(!a.erase(&a.admin.caller, &a.viewer).await.expect("erased").account);
    assert_eq!(b.events().await.len(), before, "the other workspace hears nothing");
    let _still = b.may::<actions::ReadWorkspace>(&a.viewer.caller).await.expect("still a member there");
    // A former member is known, too.
    b.remove(&b.admin.caller, a.viewer.id, TheirKeys::Keep).await.expect("removed");
    assert!(b.erase(&b.admin.caller, &a.viewer).await.expect("erased").account);
    assert_eq!((a.verify().await.first_broken, b.verify().await.first_broken), (None, None));
}

async fn whoever_comes_back_is_a_new_person(world: World) {
    let s = Scenario::acme(&world).await;
    s.erase(&s.admin.caller, &s.viewer).await.expect("erased");
    let invitation = s.invite(&s.admin.caller, s.viewer.email.as_str(), Role::Viewer).await.expect("an invitation");
    let back = account(&world, "viewer-acme", false).await;
    assert_ne!(back.id, s.viewer.id, "the account was made anew");
    s.accept(&back, &invitation).await.expect("joined");
    let id = back.id.to_string();
    let names = |v: &Option<String>| v.as_deref() == Some(&*id);
    let spoke = s.events().await.iter().filter(|e| e.personal.iter().any(|(_, v)| names(v))).count();
    assert_eq!((spoke, s.verify().await.first_broken), (1, None), "the joining, and nothing of before");
}

async fn a_sighting_of_an_erased_person_is_not_kept(world: World) {
    let s = Scenario::acme(&world).await;
    s.erase(&s.admin.caller, &s.viewer).await.expect("erased");
    let at = world.clock.now();
    let members = vec![(s.workspace, s.viewer.id, at), (s.workspace, s.editor.id, at)];
    world.store.record(&Sightings { keys: Vec::new(), members }).await.expect("recorded");
    let seen = s.reads().await.member(s.editor.id).await.expect("a read").and_then(|m| m.last_active_at);
    assert_eq!(seen, Some(at), "others are seen");
    let back = account(&world, "viewer-acme", false).await;
    assert_ne!(back.id, s.viewer.id);
}

async fn an_outcome_that_names_an_erased_person_is_not_kept(world: World) {
    let s = Scenario::acme(&world).await;
    let by = &s.admin.caller;
    s.remove(by, s.viewer.id, TheirKeys::Keep).await.expect("removed");
    let invite = |body| idempotent(by, "invite", "again", body);
    s.invite_as(&invite(1), s.viewer.email.as_str(), Role::Viewer).await.expect("an invitation");
    s.erase(by, &s.viewer).await.expect("erased");
    // The kept outcome held the address. The same key is free for another call.
    s.invite_as(&invite(2), "other@people.example", Role::Viewer).await.expect("nothing is kept");
}

async fn several_erasures_verify(world: World) {
    let s = Scenario::acme(&world).await;
    s.erase(&s.admin.caller, &s.viewer).await.expect("erased");
    s.create_key(&s.admin.caller, "between", &[Scope::RunsRead]).await.expect("a key");
    s.erase(&s.admin.caller, &s.editor).await.expect("erased");
    let verified = s.verify().await;
    assert_eq!(verified.first_broken, None);
    let part = s.reads().await.audit_chain(0, 100).await.expect("a chain");
    let empty = part.events.iter().flat_map(|e| &e.openings).filter(|o| o.sealed.is_none());
    assert!(empty.clone().all(|o| o.person == PersonId::ERASED), "nothing tells two erased people apart");
    assert_eq!(i64::try_from(empty.count()).expect("a count"), verified.erased);
}

/// A clock on which every wait is over at the next look.
#[derive(Debug)]
struct Hurried(std::sync::atomic::AtomicI64);

impl Clock for Hurried {
    fn now(&self) -> OffsetDateTime {
        let looks = self.0.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
        crate::fake::START + Duration::hours(looks)
    }
}

/// Use cases that wait for no erasure to be complete.
fn impatient(world: &World) -> App {
    let usual = scenario::app(world);
    let ports = Ports { clock: Arc::new(Hurried(0.into())), ..usual.ports().clone() };
    App::new(ports, usual.rules().clone())
}

async fn what_an_erasure_left_is_emptied_a_few_at_a_time_and_verifies_all_the_while(world: World) {
    let mut s = Scenario::acme(&world).await;
    s.app = impatient(&world);
    s.create_key(&s.editor_turned_admin().await, "theirs", &[Scope::RunsRead]).await.expect("a key");
    let [first, second] = [&s.editor, &s.viewer];
    let mut runs = Vec::new();
    for whom in [first, second] {
        let erased = s.erase(&s.admin.caller, whom).await.expect("erased");
        let run = world.store.erasure(s.workspace, erased.seq).await.expect("a read").expect("a run");
        assert_eq!((run.emptied, run.completed_at, run.events), (0, None, erased.events));
        assert!(run.openings >= run.events && run.events > 0);
        runs.push(run);
    }
    assert_eq!(world.store.erasure(s.workspace, 1).await.expect("a read"), None, "no erasure stands there");
    let left = || async { world.store.left_alone(Duration::ZERO).await.expect("a list") };
    let own = |list: Vec<(WorkspaceId, i64)>| list.into_iter().filter(|(w, _)| *w == s.workspace).count();
    assert_eq!(own(left().await), 2);
    assert_eq!(own(world.store.left_alone(Duration::hours(1)).await.expect("a list")), 0, "somebody may be at it");

    let ids = [first.id.to_string(), second.id.to_string()];
    let unread = || async {
        let events = s.events().await;
        let said = events.iter().flat_map(|e| &e.personal).filter_map(|(_, v)| v.as_deref());
        assert!(said.into_iter().all(|v| !ids.iter().any(|id| v.contains(id.as_str()))), "nobody reads them any more");
        let verified = s.verify().await;
        assert_eq!(verified.first_broken, None);
        verified.erased
    };
    let erased = unread().await;
    // The newer one first, and every batch as small as can be.
    for run in runs.iter().rev() {
        let (mut after, mut batches) = (0, 0);
        while let Some(next) = world.store.empty(s.workspace, run.seq, after, 1).await.expect("a batch") {
            (after, batches) = (next, batches + 1);
            assert_eq!(unread().await, erased, "the same fields, whether they are empty yet or not");
            if batches % 3 == 0 {
                // Another process, which begins where it likes.
                world.store.empty(s.workspace, run.seq, 0, 1).await.expect("a batch");
            }
        }
        assert!(batches > 2, "{batches}");
        let done = world.store.erasure(s.workspace, run.seq).await.expect("a read").expect("a run");
        assert!(done.completed_at.is_some() && done.emptied == run.openings, "{done:?} of {}", run.openings);
        assert_eq!(world.store.empty(s.workspace, run.seq, 0, 1).await.expect("a batch"), None);
        let again = world.store.erasure(s.workspace, run.seq).await.expect("a read").expect("a run");
        assert_eq!(again, done, "done is done");
    }
    assert_eq!(own(left().await), 0);
    let part = s.reads().await.audit_chain(0, 100).await.expect("a chain");
    let gone = |p: PersonId| [first, second].iter().all(|_| p != PersonId::ERASED) && !part.salts.contains_key(&p);
    let openings = part.events.iter().flat_map(|e| &e.openings);
    assert!(openings.into_iter().all(|o| !gone(o.person) && o.sealed.is_none() == (o.person == PersonId::ERASED)));
    assert_eq!(unread().await, erased);
}

async fn what_one_process_left_another_one_completes(world: World) {
    let mut s = Scenario::acme(&world).await;
    s.app = impatient(&world);
    let erased = s.erase(&s.admin.caller, &s.viewer).await.expect("erased");
    assert_eq!(s.app.resume_erasures(|| false).await.expect("a look"), 0, "it was worked on a moment ago");
    world.pass(Duration::seconds(16)).await;
    assert_eq!(s.app.resume_erasures(|| true).await.expect("a look"), 0, "told to stop");
    world.pass(Duration::seconds(16)).await;
    assert!(s.app.resume_erasures(|| false).await.expect("a look") > 0);
    let run = s.app.erasure(s.workspace, erased.seq).await.expect("a read").expect("a run");
    assert!(run.completed_at.is_some() && run.emptied == run.openings);
    assert_eq!(s.verify().await.first_broken, None);
    s.app.erasure_receipt(s.workspace, &run).await.expect("a receipt");
}

async fn erasures_at_the_same_time_vouch_for_each_other(world: World) {
    let s = Scenario::acme(&world).await;
    s.seats(30).await.expect("more seats");
    let mut people = Vec::new();
    for n in 0..8 {
        people.push(s.join(&world, &format!("one-of-many-{n}"), Role::Viewer).await);
    }
    let s = Arc::new(s);
    let mut erasures = JoinSet::new();
    for person in people {
        let s = Arc::clone(&s);
        erasures.spawn(async move { s.erase(&s.admin.caller, &person).await });
    }
    for erased in erasures.join_all().await {
        assert!(erased.expect("erased").events > 0);
    }
    assert_eq!(s.verify().await.first_broken, None);
    assert_eq!(s.facts().await.iter().filter(|f| *f == "member.erased").count(), 8);
}
