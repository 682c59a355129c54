//! Who a delivery is for. It holds ids alone: names are looked up, and who is gone has none.
use crate::{cx::Cx, stop::Stop, ui::called};
use maud::{Markup, html};
use settings_domain::{
    deliveries::{DeliveryView, Destination},
    ids::UserId,
    members::MemberView,
    notifications::{Channels, NotificationSettings},
    policy::{Permission, actions},
    transaction::Snapshot,
};
use std::collections::BTreeMap;

pub(super) struct Receivers {
    settings: NotificationSettings,
    channels: Channels,
    people: BTreeMap<UserId, MemberView>,
}

impl Receivers {
    pub(super) async fn load(
        cx: &Cx,
        mut snapshot: Snapshot<actions::ReadNotifications>,
        deliveries: &[DeliveryView],
    ) -> Result<Self, Stop> {
        let settings = snapshot.notification_settings().await?;
        let channels = snapshot.channels(cx.site().app().slack_configured()).await?;
        drop(snapshot);
        let mut people = BTreeMap::new();
        if cx.can(Permission::MembersRead) {
            let mut snapshot = cx.snapshot::<actions::ListMembers>().await?;
            for d in deliveries {
                if let Destination::Member(id) = d.delivery.destination
                    && !people.contains_key(&id)
                    && let Some(m) = snapshot.anybody(id).await?
                {
                    people.insert(id, m);
                }
            }
        }
        Ok(Self { settings, channels, people })
    }

    pub(super) fn name(&self, to: Destination) -> Markup {
        let known = match to {
            Destination::Member(id) => self.people.get(&id).map(|m| called(&m.user).to_owned()),
            Destination::Recipient(id) => {
                let recipients = self.settings.recipients();
                recipients.iter().find(|r| r.id == id).map(|r| r.email.as_str().to_owned())
            }
            Destination::Slack(id) => {
                let there = self.channels.connection.as_ref().filter(|c| c.id == id);
                there.map(|c| c.team_name.as_str().to_owned())
            }
            Destination::Webhook(id) => self.channels.subscriptions.iter().find(|s| s.id == id).map(|s| s.host.clone()),
        };
        let unknown = match to {
            Destination::Member(_) => "A member",
            Destination::Recipient(_) => "An address that was removed",
            Destination::Slack(_) => "A Slack that was disconnected",
            Destination::Webhook(_) => "A webhook that was deleted",
        };
        html! { @if let Some(name) = known { bdi { (name) } } @else { (unknown) } }
    }
}
