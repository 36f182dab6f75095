//! The place in a pipeline where a plugin runs.
//!
//! Holds nothing: a batch waits for a free instance, which is backpressure, and its answer is that of the next stage. What the
//! plugin drops is counted with reason `plugin`, what `error_mode: drop` drops with reason `plugin_error`, both only once
//! the rest of the batch has been taken.

use super::{ErrorMode, Failed, Outcome, Plugin, RunError};
use crate::component::{BoxFuture, ConsumeError, Consumer, Context};
use crate::pdata::Batch;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};

/// The ledger's reason for what a plugin dropped.
const DROPPED_BY_PLUGIN: &str = "plugin";
/// The ledger's reason for what was dropped because a call failed.
const DROPPED_BY_ERROR: &str = "plugin_error";

/// Runs batches through its plugin.
pub struct Stage {
    context: Context,
    plugin: Arc<Plugin>,
    next: Arc<dyn Consumer>,
    /// Whether the last call failed; a run of failures is logged once.
    failing: AtomicBool,
}

impl Stage {
    /// With one plugin.
    pub fn single(context: Context, plugin: Arc<Plugin>, next: Arc<dyn Consumer>) -> Self {
        Self { context, plugin, next, failing: AtomicBool::new(false) }
    }

    async fn hand_on(&self, batch: Batch, outcome: Outcome) -> Result<(), ConsumeError> {
        let items = batch.items();
        match outcome {
            Outcome::Unchanged => self.next.consume(batch).await,
            Outcome::Replaced(new) => {
                let dropped = items.saturating_sub(new.items());
                self.next.consume(new).await?;
                self.context.account.dropped(DROPPED_BY_PLUGIN, dropped);
                Ok(())
            }
            Outcome::Dropped { .. } => {
                self.context.account.dropped(DROPPED_BY_PLUGIN, items);
                Ok(())
            }
        }
    }
}

impl Consumer for Stage {
    fn consume(&self, batch: Batch) -> BoxFuture<'_, Result<(), ConsumeError>> {
        Box::pin(async move {
            let items = batch.items();
            let failed = match self.plugin.run(&batch).await {
                Ok(outcome) => {
                    if self.failing.load(Relaxed) && self.failing.swap(false, Relaxed) {
                        tracing::info!(processor = %self.context.id, "the plugin works again");
                    }
                    return self.hand_on(batch, outcome).await;
                }
                Err(failed) => failed,
            };
            if !self.failing.swap(true, Relaxed) {
                let (processor, error, mode) = (&self.context.id, &failed.error, failed.mode);
                tracing::warn!(%processor, ?mode, "the plugin fails: {error}");
            }
            match failed.mode {
                ErrorMode::Propagate => Err(refusal(&self.context, failed)),
                ErrorMode::Ignore => self.next.consume(batch).await,
                ErrorMode::Drop => {
                    self.context.account.dropped(DROPPED_BY_ERROR, items);
                    Ok(())
                }
            }
        })
    }
}

/// What the sender hears. An accident may not happen again, a plugin's answer says for itself.
fn refusal(context: &Context, failed: Failed) -> ConsumeError {
    let message = format!("{}: {}", context.id, failed.error);
    match failed.error {
        RunError::Accident(_) | RunError::Retryable(_) => ConsumeError::retryable(message),
        RunError::Permanent(_) => ConsumeError::permanent(message),
    }
}
