use settings_domain::{
    audit::Fact,
    policy::actions,
    ports::store::{AuditFilter, Selector},
    transaction::{EntryError, Snapshot},
};
use settings_testkit::contract::{Scenario, World};

#[tokio::test]
async fn refused_calls_leave_one_event_per_caller_and_action_and_none_at_once() {
    let world = World::fake();
    let s = Scenario::acme(&world).await;
    let store = s.app.ports().store.clone();
    let here = Selector::Id(s.workspace);
    let knock = async |times: usize| {
        for _ in 0..times {
            let refused = Snapshot::<actions::ListApiKeys>::open(store.as_ref(), &s.viewer.caller, &here).await;
            let Err(EntryError::Denied(denied)) = refused else { panic!("a viewer may not list keys") };
            s.app.denied(&denied);
        }
    };
    knock(40).await;
    let events = async || {
        let mut log = Snapshot::<actions::ReadAudit>::open(store.as_ref(), &s.admin.caller, &here).await.unwrap();
        let filter = AuditFilter { action: Some(Fact::AuthzDenied.name().to_owned()), ..AuditFilter::default() };
        log.audit_events(&filter, 100).await.unwrap()
    };
    assert!(events().await.is_empty(), "a refused call changes nothing, the log included");
    s.app.flush_denials().await;
    let written = events().await;
    assert_eq!(written.len(), 1);
    let changes: Vec<_> = written[0].record.changes.iter().map(|c| (c.field.as_str(), c.to.as_deref())).collect();
    assert_eq!(changes, [("action", Some("ListApiKeys")), ("count", Some("40"))]);
    assert_eq!(written[0].record.actor_kind, "service");
    s.app.flush_denials().await;
    assert_eq!(events().await.len(), 1, "written once");
}
