//! One span, before and after: as it was generated and as it arrived at the backend, matched by span id.
//!
//! The generator offers at most one a second, of traces that are kept for certain. Bounded: [`WAITING_MAX`] offers wait;
//! the oldest is forgotten for a new one.

use super::generator::model::{Span, Value};
use std::collections::VecDeque;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use tailrace_otlp::SpanView;
use tokio::time::Instant;

/// Offers that wait for their span to arrive.
const WAITING_MAX: usize = 32;
/// Time between two offers that are taken.
const EVERY: Duration = Duration::from_secs(1);

/// Keys and values as text.
pub(super) type Shown = Vec<(String, String)>;

/// A span on both sides of the collector.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Pair {
    /// Its id.
    pub span_id: u64,
    /// Who sent it.
    pub service: &'static str,
    /// What it is called.
    pub name: String,
    /// Its attributes as they were sent.
    pub before: Shown,
    /// Its attributes as they arrived.
    pub after: Shown,
}

/// Spans that are followed. Cloning shares them.
#[derive(Clone, Debug, Default)]
pub(super) struct Specimens(Arc<Mutex<Inner>>);

#[derive(Debug, Default)]
struct Inner {
    waiting: VecDeque<Pair>,
    taken: Option<Instant>,
    latest: Option<Pair>,
}

impl Specimens {
    /// A span that is about to be sent.
    pub(super) fn offer(&self, span_id: u64, span: &Span) {
        let mut inner = self.inner();
        let now = Instant::now();
        if inner.taken.is_some_and(|taken| now - taken < EVERY) {
            return;
        }
        inner.taken = Some(now);
        if inner.waiting.len() == WAITING_MAX {
            inner.waiting.pop_front();
        }
        inner.waiting.push_back(Pair {
            span_id,
            service: span.service.name(),
            name: span.name.to_string(),
            before: span.attributes.iter().map(|(key, value)| ((*key).to_owned(), sent_text(value))).collect(),
            after: Shown::new(),
        });
    }

    /// A generated span that has arrived, if it is followed.
    pub(super) fn arrived(&self, span_id: u64, span: SpanView<'_>) {
        let mut inner = self.inner();
        let Some(at) = inner.waiting.iter().position(|pair| pair.span_id == span_id) else { return };
        let Some(mut pair) = inner.waiting.remove(at) else { return };
        pair.after =
            span.attributes().map(|found| (found.key.to_str().to_owned(), arrived_text(&found.value))).collect();
        inner.latest = Some(pair);
    }

    /// The span that arrived last.
    pub(super) fn latest(&self) -> Option<Pair> {
        self.inner().latest.clone()
    }

    fn inner(&self) -> MutexGuard<'_, Inner> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn sent_text(value: &Value) -> String {
    match value {
        Value::Text(text) => format!("{text:?}"),
        Value::Int(int) => int.to_string(),
    }
}

fn arrived_text(value: &tailrace_otlp::Value<'_>) -> String {
    match value {
        tailrace_otlp::Value::String(text) => format!("{:?}", text.to_str()),
        tailrace_otlp::Value::Int(int) => int.to_string(),
        tailrace_otlp::Value::Bool(bool) => bool.to_string(),
        tailrace_otlp::Value::Double(double) => double.to_string(),
        tailrace_otlp::Value::Empty => "(empty)".to_owned(),
        tailrace_otlp::Value::Bytes(bytes) => format!("({} bytes)", bytes.len()),
        tailrace_otlp::Value::Array(_) | tailrace_otlp::Value::KvList(_) => "(nested)".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::demo::generator::shop::Shop;
    use tailrace_otlp::wire::put_len_field;

    /// Offers are taken once a second, the oldest makes room, and a followed span is shown with what arrived.
    #[tokio::test(start_paused = true)]
    async fn a_span_is_matched_by_its_id() {
        let specimens = Specimens::default();
        let span = Shop::new(1).trace(1_000_000_000_000).remove(0);
        for id in 1..=2 * WAITING_MAX as u64 {
            specimens.offer(id, &span);
            specimens.offer(1_000_000, &span);
            tokio::time::advance(EVERY).await;
        }
        let mut arrived = Vec::new();
        tailrace_otlp::view::put_attribute(&mut arrived, 9, "user.id".into(), &"u-1".into());
        put_len_field(&mut arrived, 5, b"a name");
        specimens.arrived(1, SpanView::new(&arrived));
        specimens.arrived(1_000_000, SpanView::new(&arrived));
        assert_eq!(specimens.latest(), None, "forgotten, and never taken");
        specimens.arrived(2 * WAITING_MAX as u64, SpanView::new(&arrived));
        let pair = specimens.latest().unwrap();
        assert_eq!(pair.after, [("user.id".to_owned(), "\"u-1\"".to_owned())]);
        assert_eq!(pair.before.len(), span.attributes.len());
    }
}
