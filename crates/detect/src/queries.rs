//! Name queries far longer than the container's own: data that leaves through the resolver.
//!
//! The resolver is a peer that everybody knows, so a tunnel through it is no new peer. But the data
//! is in the names, and names that carry data are long and many. What is asked for is not looked at
//! (payloads are not kept): a message's size is enough.

use hanabi_event::Category;
use hanabi_profile::behaviour::{self, Flow, Object};

use crate::{Instance, Settings, Watch, bursts::Burst, judge::Case};

/// The port of name servers.
const DNS: u16 = 53;
/// Queries up to this many bytes are ordinary whatever was learned: a header of 12, a name of four
/// or five labels, type and class.
const ORDINARY: u32 = 64;
/// Programs whose queries are measured; further ones share the container's longest.
const MAX_PROGRAMS: usize = 256;

/// The size of a query that this event sends; `None` for everything else.
pub(crate) fn query_size(case: &Case<'_>) -> Option<u32> {
    if case.behaviour.category != Category::Network || !behaviour::is_send(case.behaviour.call) {
        return None;
    }
    match &case.behaviour.object {
        Object::Peer { flow: Flow::Out, service, .. } if service.port == DNS => {
            case.event.result.and_then(|sent| u32::try_from(sent).ok()).filter(|sent| *sent > 0)
        }
        _ => None,
    }
}

impl Watch {
    /// Learns how long a program's queries are.
    pub(crate) fn learn_query(&mut self, case: &Case<'_>) {
        let Some(size) = query_size(case) else { return };
        if let Some(longest) = self.queries.get_mut(case.program) {
            *longest = size.max(*longest);
        } else if self.queries.len() < MAX_PROGRAMS {
            self.queries.insert(case.program.to_owned(), size);
        }
    }

    /// Counts a query more than twice as long as any before; many of them are a burst.
    pub(crate) fn long_query(
        &mut self,
        instance: &mut Instance,
        case: &Case<'_>,
        settings: &Settings,
    ) {
        let Some(size) = query_size(case).filter(|size| *size > ORDINARY) else { return };
        let longest = self
            .queries
            .get(case.program)
            .or_else(|| self.queries.values().max())
            .copied()
            .unwrap_or_default();
        if settings.bursts && size > longest.saturating_mul(2) {
            self.count_burst(instance, case, Burst::Queries, &case.event.time.to_string());
        }
    }
}
