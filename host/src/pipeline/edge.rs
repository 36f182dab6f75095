//! The edge between two components: everything that is seen of the flow is counted here, once per batch.
//!
//! `otelcol_processor_*_items`, the ledger and later `top` and `tap` read the same edges. An edge adds two relaxed
//! atomics per batch and never waits.

use crate::component::{BoxFuture, ConsumeError, Consumer, Draft};
use crate::pdata::{Batch, Signal};
use crate::telemetry::{Account, Counter};
use std::sync::Arc;
use tailrace_columns::Wants;

/// What an edge counts on one of its sides.
pub(super) struct Side {
    /// The ledger of the component there.
    pub account: Account,
    /// Its own item counter, if that kind of component has one.
    pub items: Option<Counter>,
}

/// Hands batches from one component to the next and counts what became of them.
pub(super) struct Edge {
    /// Whom it leaves, if this edge is the one behind a component.
    pub from: Option<Side>,
    /// Whom it enters, if this edge is the one in front of a component.
    pub into: Option<Side>,
    /// The component that it enters, or the fan-out in front of several.
    pub next: Arc<dyn Consumer>,
}

impl Consumer for Edge {
    fn consume(&self, batch: Batch) -> BoxFuture<'_, Result<(), ConsumeError>> {
        Box::pin(async move {
            let items = batch.items();
            let outcome = self.next.consume(batch).await;
            self.count(items, outcome.is_ok());
            outcome
        })
    }

    fn consume_draft(&self, draft: Draft) -> BoxFuture<'_, Result<(), ConsumeError>> {
        Box::pin(async move {
            let items = draft.items();
            let outcome = self.next.consume_draft(draft).await;
            self.count(items, outcome.is_ok());
            outcome
        })
    }

    fn foresee(&self, signal: Signal, wants: &mut Vec<Arc<Wants>>) -> bool {
        self.next.foresee(signal, wants)
    }
}

impl Edge {
    fn count(&self, items: usize, taken: bool) {
        if let Some(counter) = self.into.as_ref().and_then(|side| side.items.as_ref()) {
            counter.add(items as u64);
        }
        if !taken {
            return;
        }
        if let Some(side) = &self.into {
            side.account.taken(items);
        }
        if let Some(side) = &self.from {
            side.account.handed_on(items);
            if let Some(counter) = &side.items {
                counter.add(items as u64);
            }
        }
    }
}
