//! How long a permission check takes: `cargo bench -p settings-domain`.
#![expect(clippy::expect_used, reason = "a bench")]
use criterion::{Criterion, criterion_group, criterion_main};
use settings_domain::{
    ids::{PersonId, UserId, WorkspaceId},
    members::Member,
    policy::{Actor, Permission, Requirement, Role, actions, permit},
};
use std::hint::black_box;
use time::OffsetDateTime;
use uuid::Uuid;

fn actor(role: Role) -> Actor {
    let member = Member {
        workspace: WorkspaceId::from_uuid(Uuid::from_u128(1)),
        user: UserId::from_uuid(Uuid::from_u128(2)),
        person: PersonId::from_uuid(Uuid::from_u128(3)),
        role,
        joined_at: OffsetDateTime::UNIX_EPOCH,
        removed_at: None,
        version: 1,
    };
    Actor::member(&member, false).expect("an active member")
}

fn policy(c: &mut Criterion) {
    let (admin, viewer) = (actor(Role::Admin), actor(Role::Viewer));
    let at = OffsetDateTime::UNIX_EPOCH;
    c.bench_function("check", |b| {
        b.iter(|| Requirement::Permission(black_box(Permission::MembersInvite)).is_met_by(black_box(&viewer)));
    });
    c.bench_function("permit", |b| {
        b.iter(|| permit::<actions::InviteMember>(black_box(&admin), black_box(at)).is_ok());
    });
    c.bench_function("deny", |b| b.iter(|| permit::<actions::InviteMember>(black_box(&viewer), black_box(at)).is_ok()));
}

criterion_group!(benches, policy);
criterion_main!(benches);
