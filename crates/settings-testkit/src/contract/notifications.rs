//! Preferences, connections, webhooks and events: read as they were written, each tenant's own, and one where one may be.
use super::{
    No, Scenario, World,
    scenario::{ALL, call},
    telling::{
        choose, connect, connection, delivery, drop_hook, fresh, hook, hook_record, ledger, outgoing, publish, quiet,
        run_failed, sealed, task, waiting,
    },
};
use settings_app::members::TheirKeys;
use settings_domain::{
    connections::{Connection, ConnectionPatch, ConnectionStatus, SlackFault},
    impact::Guard,
    notifications::Channel,
    policy::{EventType, Role, actions},
    ports::store::{CallerId, DeliveryFilter, Selector, TenantReads},
    transaction::{Transaction, audience},
    webhook_subscriptions::{Health, MAX_SUBSCRIPTIONS, OVERLAP},
};
use std::sync::Arc;
use time::Duration;
use tokio::task::JoinSet;

cases![
    what_was_chosen_is_read_again,
    an_address_keeps_its_id_until_nobody_names_it,
    a_stale_choice_changes_nothing,
    admins_are_told_in_the_order_they_joined,
    a_workspace_has_one_connection,
    a_disconnected_connection_has_no_token,
    a_connection_in_error_keeps_its_token,
    a_webhook_is_read_as_it_was_written,
    a_rotated_secret_leaves_the_one_of_before,
    a_workspace_has_fifty_webhooks,
    an_event_is_taken_once,
    twenty_parallel_events_of_one_key_are_one,
    what_is_another_tenants_is_not_there,
    a_change_of_one_tenant_touches_no_delivery_of_another,
];

const FAILED: EventType = EventType::RunFailed;

async fn what_was_chosen_is_read_again(world: World) {
    let s = Scenario::acme(&world).await;
    assert_eq!(s.reads().await.notification_settings().await.expect("a read"), None);
    hook(&s, "https://hooks.example/in", &[FAILED]).await.expect("a webhook");
    let first = choose(&s, FAILED, &[Channel::Email, Channel::Webhook], Some(&["Ops@out.example", "b@out.example"]));
    let first = first.await.expect("chosen");
    let second = choose(&s, EventType::SecretRotated, &[], None).await.expect("chosen");
    assert_eq!((first.version, second.version), (1, 2));
    let read = s.reads().await.notification_settings().await.expect("a read");
    assert_eq!(read.as_ref(), Some(&second));
    let kept = second.of(FAILED);
    assert_eq!(kept.recipients.iter().map(|r| r.email.as_str()).collect::<Vec<_>>(), ["Ops@out.example", "b@out.example"]);
    assert_eq!(kept, first.of(FAILED));
}

async fn an_address_keeps_its_id_until_nobody_names_it(world: World) {
    let s = Scenario::acme(&world).await;
    let id = async |kind: EventType, address: &str| {
        let read = s.reads().await.notification_settings().await.expect("a read").expect("preferences");
        let found = read.of(kind).recipients.iter().find(|r| r.email.as_str() == address).map(|r| r.id);
        found.unwrap_or_else(|| panic!("{address} is named"))
    };
    let email = [Channel::Email];
    choose(&s, FAILED, &email, Some(&["a@out.example", "b@out.example"])).await.expect("chosen");
    let (a, b) = (id(FAILED, "a@out.example").await, id(FAILED, "b@out.example").await);
    choose(&s, EventType::SecretRotated, &email, Some(&["a@out.example"])).await.expect("chosen");
    choose(&s, FAILED, &email, Some(&["b@out.example"])).await.expect("chosen");
    assert_eq!(id(EventType::SecretRotated, "a@out.example").await, a, "one address, one id");
    choose(&s, EventType::SecretRotated, &email, Some(&[])).await.expect("chosen");
    choose(&s, FAILED, &email, Some(&["b@out.example", "a@out.example"])).await.expect("chosen");
    assert_eq!(id(FAILED, "b@out.example").await, b);
    assert_ne!(id(FAILED, "a@out.example").await, a, "who was forgotten comes back as somebody else");
}

async fn a_stale_choice_changes_nothing(world: World) {
    let s = Arc::new(Scenario::acme(&world).await);
    let mut calls = JoinSet::new();
    for n in 0..10 {
        let s = Arc::clone(&s);
        let address = format!("n{n}@out.example");
        calls.spawn(async move { choose(&s, FAILED, &[Channel::Email], Some(&[&address])).await.map(|_| ()) });
    }
    assert!(calls.join_all().await.into_iter().all(|r| r.is_ok()));
    let read = s.reads().await.notification_settings().await.expect("a read").expect("preferences");
    assert_eq!((read.version, read.recipients().len()), (10, 1), "each was decided on the one before");
}

async fn admins_are_told_in_the_order_they_joined(world: World) {
    let s = Scenario::acme(&world).await;
    let admins = async || s.reads().await.admins().await.expect("a read");
    assert_eq!(admins().await, [s.admin.id]);
    s.editor_turned_admin().await;
    let third = s.join(&world, "third", Role::Admin).await;
    assert_eq!(admins().await, [s.admin.id, s.editor.id, third.id]);
    s.remove(&s.editor.caller, s.admin.id, TheirKeys::Keep).await.expect("a removal");
    assert_eq!(admins().await, [s.editor.id, third.id]);
}

async fn a_workspace_has_one_connection(world: World) {
    let s = Scenario::acme(&world).await;
    assert!(connection(&s).await.is_none());
    let first = connect(&world, &s, "T1", 1).await;
    let record = connection(&s).await.expect("a connection");
    assert_eq!(record.connection, first);
    assert_eq!(record.token, Some(sealed(Connection::binding(s.workspace, first.id, "T1", 1), 1)));
    world.pass(Duration::minutes(1)).await;
    let again = connect(&world, &s, "T1", 2).await;
    let record = connection(&s).await.expect("a connection");
    assert_eq!((record.connection.id, record.connection.version), (first.id, 2));
    assert_eq!(record.token, Some(sealed(first.next_binding(), 2)), "the token is bound to the version it came with");
    world.pass(Duration::minutes(1)).await;
    let other = connect(&world, &s, "T2", 3).await;
    assert_ne!(other.id, again.id, "another team is another connection");
    assert_eq!(connection(&s).await.expect("a connection").connection, other);
    let permit = s.may::<actions::DeleteConnection>(&s.admin.caller).await.expect("a right");
    let gone = s.app.delete_connection(&permit, &call(&s.admin.caller), again.id).await.map(|_| ()).map_err(No::from);
    assert_eq!(gone, Err(No::Rule("not-found")));
    s.app.delete_connection(&permit, &call(&s.admin.caller), other.id).await.unwrap_or_else(|e| panic!("{e:?}"));
    assert!(connection(&s).await.is_none());
}

async fn a_disconnected_connection_has_no_token(world: World) {
    let s = Scenario::acme(&world).await;
    let there = connect(&world, &s, "T1", 1).await;
    let permit = s.may::<actions::UpdateConnection>(&s.admin.caller).await.expect("a right");
    let change = async |patch| {
        let done = s.app.update_connection(&permit, &call(&s.admin.caller), there.id, patch).await;
        done.unwrap_or_else(|e| panic!("{e:?}")).into_value()
    };
    let channel = Some("C9".parse().expect("a channel"));
    let moved = change(ConnectionPatch { channel, disconnect: false }).await;
    let record = connection(&s).await.expect("a connection");
    assert_eq!((record.connection, record.token.is_some()), (moved, true));
    let off = change(ConnectionPatch { channel: None, disconnect: true }).await;
    let record = connection(&s).await.expect("a connection");
    assert_eq!((&record.connection, record.connection.status), (&off, ConnectionStatus::Disconnected));
    assert!(record.token.is_none());
    world.pass(Duration::minutes(1)).await;
    connect(&world, &s, "T1", 2).await;
    let record = connection(&s).await.expect("a connection");
    assert_eq!((record.connection.id, record.token), (there.id, Some(sealed(off.next_binding(), 2))));
}

async fn a_connection_in_error_keeps_its_token(world: World) {
    let s = Scenario::acme(&world).await;
    let there = connect(&world, &s, "T1", 1).await;
    let mut tx = task::<actions::FailConnection>(&world, &s).await;
    let audience = audience(tx.load()).await.expect("an audience");
    let change = there.fail(tx.permit(), 1, SlackFault::Token, "token_revoked", &audience, || fresh(&world));
    tx.commit(change).await.expect("committed");
    let record = connection(&s).await.expect("a connection");
    assert_eq!((record.connection.status, record.token.is_some()), (ConnectionStatus::Error, true));
    assert_eq!(record.connection.status_reason.as_deref(), Some("token_revoked"));
    let [told] = &ledger(&s, DeliveryFilter::default()).await[..] else { panic!("the admin is told") };
    assert!(outgoing(&world, &s, told.delivery.id).await.is_some());
}

async fn a_webhook_is_read_as_it_was_written(world: World) {
    let s = Scenario::acme(&world).await;
    let url = "https://hooks.example/päth?token=x%20y";
    let made = hook(&s, url, &EventType::ALL).await.expect("a webhook");
    let other = hook(&s, "https://other.example/", &[FAILED]).await.expect("a webhook");
    assert_eq!(s.reads().await.webhook_subscriptions().await.expect("a read"), [made.clone(), other.clone()]);
    let (record, health) = hook_record(&s, made.id).await.expect("a webhook");
    assert_eq!((&record.subscription, record.subscription.url.as_str(), health), (&made, url, Health::default()));
    let binding = settings_domain::webhook_subscriptions::WebhookSubscription::binding(s.workspace, made.id, 1);
    assert_eq!((record.secret.binding(), record.previous), (&binding, None));
    drop_hook(&s, made.id).await;
    assert!(hook_record(&s, made.id).await.is_none());
    assert_eq!(s.reads().await.webhook_subscriptions().await.expect("a read"), [other]);
}

async fn a_rotated_secret_leaves_the_one_of_before(world: World) {
    let s = Scenario::acme(&world).await;
    let made = hook(&s, "https://hooks.example/", &[FAILED]).await.expect("a webhook");
    let record = async || hook_record(&s, made.id).await.expect("a webhook").0;
    let first = record().await.secret;
    let permit = s.may::<actions::RotateWebhookSecret>(&s.admin.caller).await.expect("a right");
    let rotate = async || {
        let done = s.app.rotate_webhook_secret(&permit, &call(&s.admin.caller), made.id).await;
        done.unwrap_or_else(|e| panic!("{e:?}")).subscription.into_value()
    };
    let rotated = rotate().await;
    let second = record().await;
    assert_eq!(second.subscription, rotated);
    assert_eq!(rotated.previous_secret_until.expect("an end") - rotated.updated_at, OVERLAP);
    assert_eq!((second.previous.as_ref(), second.secret.binding()), (Some(&first), &made.next_binding()));
    rotate().await;
    assert_eq!(record().await.previous, Some(second.secret), "the secret before the last is forgotten");
}

async fn a_workspace_has_fifty_webhooks(world: World) {
    let s = Scenario::acme(&world).await;
    for n in 0..MAX_SUBSCRIPTIONS {
        hook(&s, &format!("https://hooks.example/{n}"), &[FAILED]).await.expect("a webhook");
    }
    let more = hook(&s, "https://hooks.example/more", &[FAILED]).await.map(|_| ());
    assert_eq!(more, Err(No::Rule("quota-reached")));
    hook(&Scenario::called(&world, "other").await, "https://hooks.example/", &[FAILED]).await.expect("not counted there");
}

async fn an_event_is_taken_once(world: World) {
    let (s, other) = (Scenario::acme(&world).await, Scenario::called(&world, "other").await);
    let first = run_failed(&s, "r-1").await;
    assert_eq!((first.known, first.event.deliveries), (false, 1));
    let again = publish(&s, "r-1", EventType::WorkflowDeployed).await.expect("known");
    assert_eq!((again.known, again.event), (true, first.event), "whatever else it says the second time");
    assert!(!run_failed(&s, "r-2").await.known);
    assert!(!run_failed(&other, "r-1").await.known, "a key is one tenant's");
    assert_eq!((waiting(&s).await, waiting(&other).await), (2, 1));
    s.expect_facts(Scenario::EVENTS, &["event.published"; 2]).await;
}

async fn twenty_parallel_events_of_one_key_are_one(world: World) {
    let s = Arc::new(Scenario::acme(&world).await);
    let mut calls = JoinSet::new();
    for _ in 0..20 {
        let s = Arc::clone(&s);
        calls.spawn(async move { run_failed(&s, "r-1").await.known });
    }
    let known = calls.join_all().await;
    assert_eq!(known.into_iter().filter(|k| !k).count(), 1);
    assert_eq!(ledger(&s, DeliveryFilter::default()).await.len(), 1);
}

async fn what_is_another_tenants_is_not_there(world: World) {
    let (a, b) = (quiet(&world, "acme").await, quiet(&world, "other").await);
    connect(&world, &b, "T1", 1).await;
    let theirs = hook(&b, "https://hooks.example/", &[FAILED]).await.expect("a webhook");
    let channels = [Channel::Email, Channel::Slack, Channel::Webhook];
    choose(&b, FAILED, &channels, Some(&["b@out.example"])).await.expect("chosen");
    let event = run_failed(&b, "r-1").await.event;
    let all = ledger(&b, DeliveryFilter::default()).await;
    assert_eq!(all.len(), 3);
    let nothing = async |reads: &mut dyn TenantReads| {
        assert_eq!(reads.notification_settings().await.expect("a read"), None);
        assert!(reads.connection().await.expect("a read").is_none());
        assert!(reads.webhook_subscriptions().await.expect("a read").is_empty());
        assert!(reads.webhook_subscription(theirs.id).await.expect("a read").is_none());
        assert_eq!(reads.waiting_deliveries().await.expect("a read"), 0);
        for filter in [DeliveryFilter::default(), DeliveryFilter { event: Some(event.id), ..DeliveryFilter::default() }] {
            assert!(reads.deliveries(filter, ALL).await.expect("a read").is_empty());
        }
        for view in &all {
            assert!(reads.delivery(view.delivery.id).await.expect("a read").is_none());
        }
    };
    nothing(a.reads().await.as_mut()).await;
    assert_eq!(a.reads().await.admins().await.expect("a read"), [a.admin.id]);
    let permit = a.may::<actions::UpdateNotifications>(&a.admin.caller).await.expect("a right");
    let mut tx = Transaction::open(world.store.as_ref(), &permit, &call(&a.admin.caller)).await.expect("a transaction");
    nothing(tx.load()).await;
    drop(tx);
    let (mut reads, _) = world
        .store
        .snapshot(CallerId::User(a.admin.id), &Selector::Slug("nowhere".parse().expect("a slug")))
        .await
        .expect("a snapshot");
    nothing(reads.as_mut()).await;
    assert!(reads.admins().await.expect("a read").is_empty());
    for view in &all {
        assert!(outgoing(&world, &b, view.delivery.id).await.is_some());
        assert!(outgoing(&world, &a, view.delivery.id).await.is_none(), "a delivery is one tenant's");
    }
}

async fn a_change_of_one_tenant_touches_no_delivery_of_another(world: World) {
    let (a, b) = (quiet(&world, "acme").await, quiet(&world, "other").await);
    run_failed(&b, "r-1").await;
    let [theirs] = &ledger(&b, DeliveryFilter::default()).await[..] else { panic!("one delivery") };
    let mut tx = task::<actions::GiveUpDelivery>(&world, &a).await;
    let audience = audience(tx.load()).await.expect("an audience");
    let change = theirs.give_up(tx.permit(), &audience, Health::default(), false, || fresh(&world));
    assert!(tx.commit(change).await.is_err());
    assert_eq!(&delivery(&b, theirs.delivery.id).await, theirs);
    let hooks = hook(&b, "https://hooks.example/", &[FAILED]).await.expect("a webhook");
    let permit = a.may::<actions::DeleteWebhookSubscription>(&a.admin.caller).await.expect("a right");
    let tx = Transaction::open(world.store.as_ref(), &permit, &call(&a.admin.caller)).await.expect("a transaction");
    let change = hooks.delete(tx.permit(), &Guard::default()).expect("a decision");
    assert!(tx.commit(change).await.is_err());
    assert!(hook_record(&b, hooks.id).await.is_some());
}
