//! The shop's traces as requests, for others that want real spans without a network.

use super::encode;
use super::model::Service;
use super::shop::Shop;
use crate::cli::demo::span_ids::SpanIds;
use std::time::{SystemTime, UNIX_EPOCH};

/// An endless stream of traces.
pub(in crate::cli) struct Traffic {
    shop: Shop,
    ids: SpanIds,
}

impl Traffic {
    /// The same seed makes the same traces.
    pub(in crate::cli) fn new(seed: u64) -> Self {
        Self { shop: Shop::new(seed), ids: SpanIds::new(seed) }
    }

    /// The next trace, whole, as an encoded `ExportTraceServiceRequest`: every service that took part is a resource in it.
    pub(in crate::cli) fn trace(&mut self) -> Vec<u8> {
        let now_ns = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_nanos() as u64;
        let spans = self.shop.trace(now_ns);
        let mut request = Vec::new();
        for service in Service::ALL {
            let own: Vec<_> = spans.iter().filter(|span| span.service == service).cloned().collect();
            if !own.is_empty() {
                // Requests put one after the other are one request: everything in them is a repeated field.
                request.extend(encode::request(service, &own, self.ids));
            }
        }
        request
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::pdata::{Batch, Limits, Signal};

    #[test]
    fn traces_are_whole_and_valid() {
        let mut traffic = Traffic::new(7);
        let mut largest = 0;
        for _ in 0..100 {
            let batch = Batch::validate(Signal::Traces, traffic.trace().into(), &Limits::default()).unwrap();
            let span = |item| tailrace_otlp::SpanView::new(batch.index().item(batch.data(), item).unwrap());
            assert!((0..batch.items()).all(|item| span(item).trace_id() == span(0).trace_id()));
            largest = largest.max(batch.items());
        }
        assert!(largest > 3, "{largest}");
    }
}
