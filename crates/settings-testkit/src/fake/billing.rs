//! Billing: accounts, handled events, usage and what is to be looked at.
use super::{
    FakeStore,
    state::{State, Tenant},
};
use async_trait::async_trait;
use settings_domain::{
    billing::{
        BillingAccount, BillingEventId, BillingWrite, CustomerId, DayTotal, Metric, UsageId, UsageRecord, usage,
    },
    ids::WorkspaceId,
    ports::{
        StoreError,
        billing::{BillingQueue, Reported},
    },
};
use std::collections::BTreeMap;
use time::{Date, Duration, OffsetDateTime};

/// A workspace's billing.
#[derive(Debug, Clone, Default)]
pub(super) struct Billing {
    pub(super) account: BillingAccount,
    pub(super) handled: BTreeMap<BillingEventId, OffsetDateTime>,
    pub(super) usage: BTreeMap<UsageId, Usage>,
    pub(super) days: BTreeMap<(Date, Metric), i64>,
    next_check: Option<OffsetDateTime>,
}

#[derive(Debug, Clone)]
pub(super) struct Usage {
    pub(super) record: UsageRecord,
    waits: bool,
    attempts: i64,
}

fn require(met: bool) -> Result<(), StoreError> {
    if met { Ok(()) } else { Err(StoreError::Constraint("version".to_owned())) }
}

pub(super) fn write(
    state: &mut State,
    id: WorkspaceId,
    write: &BillingWrite,
    now: OffsetDateTime,
) -> Result<(), StoreError> {
    if let BillingWrite::Account(account) = write {
        let other = |t: &&Tenant| t.workspace.id != id && t.billing.account.customer == account.customer;
        if account.customer.is_some() && state.tenants.values().any(|t| other(&t)) {
            return Err(StoreError::Constraint("billing-customer".to_owned()));
        }
    }
    let tenant = state.tenants.get_mut(&id).ok_or_else(|| StoreError::Constraint("version".to_owned()))?;
    let billing = &mut tenant.billing;
    match write {
        BillingWrite::Account(account) => {
            require(account.version == billing.account.version + 1)?;
            billing.account = account.as_ref().clone();
            Ok(())
        }
        BillingWrite::Handled(event, at) => require(billing.handled.insert(event.clone(), *at).is_none()),
        BillingWrite::CheckNow => {
            billing.next_check = billing.next_check.map(|_| now);
            Ok(())
        }
        BillingWrite::Usage(record) => {
            let row = Usage { record: record.clone(), waits: true, attempts: 0 };
            require(billing.usage.insert(record.id.clone(), row).is_none())?;
            *billing.days.entry((record.day(), record.metric.clone())).or_default() += record.quantity.get();
            Ok(())
        }
    }
}

pub(super) fn by_day(tenant: &Tenant, first: Date, last: Date) -> Vec<DayTotal> {
    let within = tenant.billing.days.iter().filter(|((date, _), _)| (first..=last).contains(date));
    within
        .map(|((date, metric), quantity)| DayTotal { metric: metric.clone(), date: *date, quantity: *quantity })
        .collect()
}

/// How many rows are kept that are forgotten one day.
pub(super) fn rows(state: &State) -> usize {
    state.tenants.values().map(|t| t.billing.handled.len() + t.billing.usage.len()).sum()
}

/// Forgets what came before an instant.
pub(super) fn forget(state: &mut State, before: OffsetDateTime) {
    for tenant in state.tenants.values_mut() {
        tenant.billing.handled.retain(|_, at| *at >= before);
        tenant.billing.usage.retain(|_, u| u.record.at >= before);
    }
}

fn some<T>(all: impl Iterator<Item = T>, limit: i64) -> Vec<T> {
    all.take(usize::try_from(limit).unwrap_or_default()).collect()
}

#[async_trait]
impl BillingQueue for FakeStore {
    async fn workspace_of_customer(&self, customer: &CustomerId) -> Result<Option<WorkspaceId>, StoreError> {
        let state = self.state();
        let found = state.open_tenants().find(|t| t.billing.account.customer.as_ref() == Some(customer));
        Ok(found.map(|t| t.workspace.id))
    }
    async fn claim_checks(&self, limit: i64, lease: Duration) -> Result<Vec<WorkspaceId>, StoreError> {
        let (mut state, now) = (self.state(), self.now());
        let due = |t: &&Tenant| t.billing.next_check.is_none_or(|at| at <= now);
        let mut ids: Vec<_> =
            state.open_tenants().filter(due).map(|t| (t.billing.next_check, t.workspace.id)).collect();
        ids.sort();
        let ids = some(ids.into_iter().map(|(_, id)| id), limit);
        for id in &ids {
            if let Some(tenant) = state.tenants.get_mut(id) {
                tenant.billing.next_check = Some(now + lease);
            }
        }
        Ok(ids)
    }
    async fn checked(&self, workspace: WorkspaceId, next_in: Duration) -> Result<(), StoreError> {
        let (mut state, now) = (self.state(), self.now());
        let taken = |t: &&mut Tenant| t.billing.next_check.is_some_and(|at| at > now);
        if let Some(tenant) = state.tenants.get_mut(&workspace).filter(taken) {
            tenant.billing.next_check = Some(now + next_in);
        }
        Ok(())
    }
    async fn unreported_usage(&self, limit: i64) -> Result<Vec<(WorkspaceId, CustomerId, UsageRecord)>, StoreError> {
        let (state, now) = (self.state(), self.now());
        let mut waiting = Vec::new();
        for tenant in state.open_tenants() {
            let Some(customer) = &tenant.billing.account.customer else { continue };
            let due = tenant.billing.usage.values().filter(|u| u.waits && u.record.at > now - usage::LATEST);
            waiting.extend(
                due.map(|u| (u.attempts, u.record.at, (tenant.workspace.id, customer.clone(), u.record.clone()))),
            );
        }
        waiting.sort_by_key(|(attempts, at, _)| (*attempts, *at));
        Ok(some(waiting.into_iter().map(|(_, _, row)| row), limit))
    }
    async fn usage_reported(&self, workspace: WorkspaceId, id: &UsageId, what: Reported) -> Result<(), StoreError> {
        let mut state = self.state();
        let row = state.tenants.get_mut(&workspace).and_then(|t| t.billing.usage.get_mut(id));
        if let Some(row) = row.filter(|row| row.waits) {
            row.waits = what == Reported::Failed;
            row.attempts += 1;
        }
        Ok(())
    }
}
