//! What somebody with write access to the tables might do.
use super::FakeStore;
use crate::contract::Tamper;
use settings_domain::{audit::Risk, ids::WorkspaceId};

impl FakeStore {
    /// Changes the stored chain of a workspace behind the service's back.
    ///
    /// # Panics
    /// When there is nothing to tamper with.
    pub fn tamper(&self, workspace: WorkspaceId, how: &Tamper) {
        let mut state = self.state();
        let foreign = match how {
            Tamper::CopyFromOtherTenant { other, seq } => {
                let events = &state.tenants.get(other).expect("the other tenant").events;
                Some(events.iter().find(|e| e.record.seq == *seq).expect("the other tenant's event").clone())
            }
            _ => None,
        };
        let tenant = state.tenants.get_mut(&workspace).expect("a workspace");
        let place = |seq: i64| tenant.events.iter().position(|e| e.record.seq == seq).expect("an event at that place");
        match how {
            Tamper::EditEvent(seq) => {
                let at = place(*seq);
                let event = tenant.events.get_mut(at).expect("an event");
                event.record.risk = if event.record.risk == Risk::Low { Risk::High } else { Risk::Low };
            }
            Tamper::DeleteEvent(seq) => _ = tenant.events.remove(place(*seq)),
            Tamper::SwapEvents(a, b) => {
                let (first, second) = (place(*a), place(*b));
                tenant.events.swap(first, second);
                for (at, seq) in [(first, a), (second, b)] {
                    tenant.events.get_mut(at).expect("an event").record.seq = *seq;
                }
            }
            Tamper::TruncateAfter(seq) => tenant.events.retain(|e| e.record.seq <= *seq),
            Tamper::EditOpening(seq) => {
                let at = place(*seq);
                let openings = &mut tenant.events.get_mut(at).expect("an event").openings;
                let sealed = openings.first_mut().and_then(|o| o.sealed.as_mut()).expect("an opening");
                *sealed.last_mut().expect("a value") ^= 1;
            }
            Tamper::CopyFromOtherTenant { seq, .. } => {
                let at = place(*seq);
                let mut copy = foreign.expect("the copy");
                copy.record.workspace = workspace;
                *tenant.events.get_mut(at).expect("an event") = copy;
            }
            Tamper::ForgetHead => tenant.head = None,
        }
    }
}
