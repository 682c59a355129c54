//! API keys (KS): made with at least one scope, revoked at once, confirmed while in use.
use crate::support::{facts, is_nothing, key, permit_for, record, refusal, start, uuid};
use proptest::prelude::*;
use settings_domain::{
    api_keys::{ApiKey, ApiKeyWrite, KeyStatus, MAX_KEYS, NewApiKey, RECENT, RevokeApiKeyError},
    audit::Risk,
    change::{Change, Write},
    error::{Classified as _, Refused},
    ids::ApiKeyId,
    impact::Guard,
    policy::{Role, Scope, ScopeSet, actions},
    tokens::{Digest, Seal},
};
use time::{Duration, OffsetDateTime};

fn wanted(scopes: ScopeSet, expires_at: Option<OffsetDateTime>) -> NewApiKey {
    NewApiKey {
        id: ApiKeyId::from_uuid(uuid(70)),
        prefix: "sk_test".to_owned(),
        last4: "wxyz".to_owned(),
        digest: Digest::new([3; 32]),
        name: "Canary laptop".parse().unwrap(),
        scopes,
        expires_at,
    }
}
fn make(active: i64, new: NewApiKey) -> Result<Change<ApiKey>, &'static str> {
    let permit = permit_for::<actions::CreateApiKey>(Role::Admin);
    ApiKey::create(&permit, active, new, |_, _| Seal::new([4; 32])).map_err(|e| e.code())
}
fn revoke(key: &ApiKey, used: Option<Duration>, guard: &Guard) -> Result<Change<()>, Refused<RevokeApiKeyError>> {
    key.revoke(&permit_for::<actions::RevokeApiKey>(Role::Admin), used.map(|ago| start() - ago), guard)
}
fn runs() -> ScopeSet {
    ScopeSet::EMPTY.with(Scope::RunsRead)
}

#[test]
fn a_key_needs_a_scope_a_future_end_and_a_free_place() {
    let tick = Duration::microseconds(1);
    for (active, scopes, end, expected) in [
        (0, ScopeSet::EMPTY, None, Some("validation-failed")),
        (0, runs(), Some(-tick), Some("validation-failed")),
        (0, runs(), Some(Duration::ZERO), Some("validation-failed")),
        (0, runs(), Some(tick), None),
        (0, runs(), None, None),
        (MAX_KEYS - 1, runs(), None, None),
        (MAX_KEYS, runs(), None, Some("quota-reached")),
        (MAX_KEYS, ScopeSet::EMPTY, None, Some("validation-failed")),
    ] {
        assert_eq!(make(active, wanted(scopes, end.map(|d| start() + d))).err(), expected);
    }
}

#[test]
fn a_key_has_exactly_the_scopes_that_were_asked_for_and_its_risk_follows_them() {
    for bits in 1..=u16::MAX {
        let scopes = ScopeSet::from_bits(bits);
        let change = make(0, wanted(scopes, None)).unwrap();
        let [Write::ApiKey(ApiKeyWrite::Insert(row))] = change.set().writes() else { panic!("one row") };
        assert_eq!(row.key.scopes, scopes);
        let record = record(&change);
        let high = scopes.contains(Scope::SecretsRead);
        assert_eq!(record.risk, if high { Risk::High } else { Risk::Medium });
        let [shown] = record.changes.as_slice() else { panic!("one field") };
        assert_eq!((shown.field.as_str(), shown.to.as_deref()), ("scopes", Some(scopes.names().as_str())));
    }
}

#[test]
fn the_seal_is_made_for_exactly_the_row_that_is_written() {
    let permit = permit_for::<actions::CreateApiKey>(Role::Admin);
    let mut sealed = None;
    let change = ApiKey::create(&permit, 0, wanted(runs(), None), |key, digest| {
        sealed = Some((key.clone(), *digest));
        Seal::new([9; 32])
    })
    .unwrap();
    let [Write::ApiKey(ApiKeyWrite::Insert(row))] = change.set().writes() else { panic!("one row") };
    assert_eq!(sealed, Some((row.key.clone(), row.digest)));
    assert_eq!(row.seal, Seal::new([9; 32]));
    assert_eq!((row.key.created_by, row.key.created_at), (permit.actor().user(), start()));
}

#[test]
fn the_free_text_of_a_key_is_no_part_of_the_public_event() {
    let change = make(0, wanted(runs(), None)).unwrap();
    let bytes = record(&change).encode();
    assert!(!bytes.windows(6).any(|w| w == b"Canary"));
    let [event] = change.set().events() else { panic!("one event") };
    assert!(event.personal().iter().any(|p| p.field == "name" && p.value == "Canary laptop"));
}

#[test]
fn revoking_twice_is_fine_and_recorded_once() {
    let revoked = ApiKey { revoked_at: Some(start() - Duration::days(1)), ..key(1, runs()) };
    assert!(is_nothing(&revoke(&revoked, Some(Duration::ZERO), &Guard::default()).unwrap()));
    let change = revoke(&key(1, runs()), None, &Guard::default()).unwrap();
    assert_eq!(facts(&change), ["api_key.revoked"]);
    assert!(matches!(change.set().writes(), [Write::ApiKey(ApiKeyWrite::Revoke(_, at))] if *at == start()));
}

#[test]
fn a_key_in_use_is_revoked_only_once_its_loss_is_confirmed() {
    let tick = Duration::microseconds(1);
    for (used, asks) in [
        (None, false),
        (Some(Duration::ZERO), true),
        (Some(RECENT - tick), true),
        (Some(RECENT), false),
        // The clock of whoever noted the use may run ahead.
        (Some(Duration::seconds(-5)), true),
    ] {
        let refused = refusal(revoke(&key(1, runs()), used, &Guard::default()));
        assert_eq!(refused, asks.then_some("unconfirmed"), "{used:?}");
    }
}

#[test]
fn a_key_that_no_longer_works_needs_no_confirmation() {
    let over = ApiKey { expires_at: Some(start()), ..key(1, runs()) };
    assert_eq!(over.status(start()), KeyStatus::Expired);
    assert_eq!(refusal(revoke(&over, Some(Duration::ZERO), &Guard::default())), None);
}

#[test]
fn a_confirmation_fits_one_key() {
    let Err(Refused::Unconfirmed(impact)) = revoke(&key(1, runs()), Some(Duration::ZERO), &Guard::default()) else {
        panic!("a key in use asks")
    };
    assert_eq!(impact.affected().first().map(|a| a.kind.as_str()), Some("api-key"));
    let guard = Guard { version: None, confirm: Some(impact.digest().to_owned()) };
    assert_eq!(refusal(revoke(&key(1, runs()), Some(Duration::ZERO), &guard)), None);
    assert_eq!(refusal(revoke(&key(2, runs()), Some(Duration::ZERO), &guard)), Some("unconfirmed"));
}

#[test]
fn a_stale_version_wins_over_a_confirmation() {
    let guard = Guard { version: Some(2), confirm: None };
    assert_eq!(refusal(revoke(&key(1, runs()), Some(Duration::ZERO), &guard)), Some("stale"));
}

proptest! {
    #[test]
    fn a_key_works_from_its_making_to_its_end(end in proptest::option::of(-100_i64..100), revoked: bool) {
        let key = ApiKey {
            expires_at: end.map(|s| start() + Duration::seconds(s)),
            revoked_at: revoked.then(start),
            ..key(1, runs())
        };
        let works = !revoked && end.is_none_or(|s| s > 0);
        prop_assert_eq!(key.status(start()) == KeyStatus::Active, works);
    }
}
