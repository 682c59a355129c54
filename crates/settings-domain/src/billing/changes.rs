//! What is decided about billing, each with its event.
use super::{
    BillingAccount, Overtaken, Reading,
    names::{BillingEventId, CustomerId},
    subscription::Subscription,
    usage::{Counted, UsageError, UsageRecord, UsageReport},
};
use crate::{
    audit::{Details, PublicValue, Target},
    change::{Change, Write},
    ids::{DeliveryId, PersonId},
    notices::Notice,
    policy::{Permit, actions},
    workspaces::WorkspaceView,
};
use serde::{Deserialize, Serialize};
use time::OffsetDateTime;

/// What an adapter writes.
#[derive(Debug, Clone)]
pub enum BillingWrite {
    /// The account as it shall be; it has the version before this one now, or is not there where this is the first.
    Account(Box<BillingAccount>),
    /// An event of the billing service was handled at this instant.
    Handled(BillingEventId, OffsetDateTime),
    /// The workspace is to be checked at once, and not when its day is over.
    CheckNow,
    /// A report of usage, which also counts for its day.
    Usage(UsageRecord),
}

/// What became of a report of usage.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct UsageReceipt {
    /// What is kept of it.
    pub record: UsageRecord,
    /// Whether it was counted before.
    pub known: bool,
}

impl BillingAccount {
    /// Keeps the customer that was made for the workspace. One that is there stays.
    pub fn adopt(&self, permit: &Permit<actions::SyncBilling>, customer: CustomerId) -> Change<Self> {
        let next = self.with_customer(customer);
        if next == *self {
            return Change::nothing(permit, next);
        }
        let details = Details::new().change("customer", None, Some(PublicValue::word("set")));
        let write = Write::Billing(BillingWrite::Account(Box::new(next.clone())));
        Change::decided(permit, write, Target::Billing, details, next)
    }

    /// Keeps a reading that began when the account had `version`, and with it that the event which led to it was handled. A
    /// reading that says nothing new is kept without an event of the audit log: only the time of it is new. One that says that
    /// the customer is gone asks for the check that makes another one.
    pub fn keep(
        &self,
        permit: &Permit<actions::SyncBilling>,
        version: i64,
        reading: Reading,
        event: Option<BillingEventId>,
    ) -> Result<Change<Self>, Overtaken> {
        let next = self.learn(version, reading, permit.at())?;
        let write = Write::Billing(BillingWrite::Account(Box::new(next.clone())));
        let change = if self.differs_from(&next) {
            Change::decided(permit, write, Target::Billing, self.difference(&next), next)
        } else {
            Change::prepared(permit, write, next)
        };
        let gone = self.customer.is_some() && change.value().customer.is_none();
        let change = if gone { change.write(Write::Billing(BillingWrite::CheckNow)) } else { change };
        Ok(match event {
            Some(id) => change.write(Write::Billing(BillingWrite::Handled(id, permit.at()))),
            None => change,
        })
    }

    /// Somebody gets the address of the portal.
    pub fn open_portal(permit: &Permit<actions::OpenBillingPortal>) -> Change<()> {
        Change::recorded(permit, Target::Billing, Details::new(), ())
    }

    fn difference(&self, next: &Self) -> Details {
        let mut details = Details::new();
        if self.customer.is_some() && next.customer.is_none() {
            details = details.change("customer", Some(PublicValue::word("set")), None);
        }
        let (from, to) = (self.subscription.as_ref(), next.subscription.as_ref());
        let status = |s: &Subscription| PublicValue::word(s.status.name());
        let seats = |s: &Subscription| s.seats().map(PublicValue::from);
        let (a, b) = (from.map(|s| s.status), to.map(|s| s.status));
        if a != b {
            details = details.change("status", from.map(status), to.map(status));
        }
        let (a, b) = (from.and_then(Subscription::seats), to.and_then(Subscription::seats));
        if a != b {
            details = details.change("seats", from.and_then(seats), to.and_then(seats));
        }
        // What a plan is called is free text of somebody else, so only that it is another one stands here.
        if from.map(|s| (&s.plan, &s.id)) != to.map(|s| (&s.plan, &s.id)) {
            details = details.change("plan", None, None);
        }
        details
    }
}

impl UsageReport {
    /// Counts the report, once for each id.
    pub fn record(
        self,
        permit: &Permit<actions::RecordUsage>,
        kept: Option<UsageRecord>,
    ) -> Result<Change<UsageReceipt>, UsageError> {
        Ok(match self.count(kept, permit.at())? {
            Counted::Before(record) => Change::nothing(permit, UsageReceipt { record, known: true }),
            Counted::New(record) => {
                // A metric's name is a text of whoever reports it: it stands aside.
                let author = permit.actor().person().unwrap_or(PersonId::NOBODY);
                let details = Details::new().change("quantity", None, Some(record.quantity.get().into())).personal(
                    "metric",
                    author,
                    record.metric.as_str(),
                );
                let write = Write::Billing(BillingWrite::Usage(record.clone()));
                Change::decided(permit, write, Target::Billing, details, UsageReceipt { record, known: false })
            }
        })
    }
}

/// A change of a workspace, with the message that the seats which are paid for have to follow where it changed their limit
/// and somebody pays.
pub fn seat_limit_changed(
    change: Change<WorkspaceView>,
    before: i64,
    account: &BillingAccount,
    delivery: DeliveryId,
) -> Change<WorkspaceView> {
    if account.customer.is_some() && change.value().workspace.seat_limit != before {
        change.notice(Notice::SeatQuantity(delivery))
    } else {
        change
    }
}
