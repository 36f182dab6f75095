//! The section `limits`, which the Collector does not have.

use super::Fault;
use serde::Deserialize;

/// Bounds that all requests of a receiver share.
#[derive(Clone, Copy, Debug, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(in super::super) struct Limits {
    /// MiB of requests in memory at once, from the first byte until they are answered. Who finds no room waits a second,
    /// then is refused and may retry.
    in_flight_mib: usize,
    /// Connections of each protocol; more are closed at once.
    pub(in super::super) connections: usize,
    /// How deep the messages of a request may be nested.
    depth: u32,
    /// How many messages there may be in a request. A quarter of them may be resources, scopes, metrics and items.
    elements: usize,
}

impl Default for Limits {
    fn default() -> Self {
        let crate::pdata::Limits { depth, elements, .. } = crate::pdata::Limits::default();
        Self { in_flight_mib: 128, connections: 1_024, depth, elements }
    }
}

impl Limits {
    /// Bytes of requests in memory at once.
    pub(in super::super) fn in_flight_bytes(self) -> usize {
        self.in_flight_mib << 20
    }

    /// For validation.
    pub(in super::super) fn of_request(self) -> crate::pdata::Limits {
        crate::pdata::Limits { depth: self.depth, elements: self.elements, entries: self.elements.div_ceil(4) }
    }

    pub(super) fn check(self, fault: &mut Fault<'_>) {
        let mut range = |key: &str, value: usize, max: usize| {
            if !(1..=max).contains(&value) {
                fault(key, format!("must be from 1 to {max}"));
            }
        };
        range("in_flight_mib", self.in_flight_mib, 4_095);
        range("connections", self.connections, 1_000_000);
        range("depth", self.depth as usize, 200);
        range("elements", self.elements, 1 << 30);
    }
}
