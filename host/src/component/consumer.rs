//! Handing a batch on, and what the answer means.

use super::Draft;
use crate::pdata::{Batch, Signal};
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;
use tailrace_columns::Wants;

/// A future behind a pointer: one allocation per batch and stage, none per item.
pub type BoxFuture<'a, T> = Pin<Box<dyn Future<Output = T> + Send + 'a>>;

/// A stage that takes batches.
///
/// The result is the acknowledgement: `Ok` means that this stage has taken responsibility for every item, an error that
/// it has taken none. Backpressure is a future that has not finished yet. Dropping the future before it is done means
/// that nobody will hear the answer; a stage must then have taken all or nothing.
pub trait Consumer: Send + Sync + 'static {
    /// Takes `batch`, or says why not.
    fn consume(&self, batch: Batch) -> BoxFuture<'_, Result<(), ConsumeError>>;

    /// Takes a batch of which edits are still to be written. Plugin stages go on editing; for everybody else it is
    /// written first.
    fn consume_draft(&self, draft: Draft) -> BoxFuture<'_, Result<(), ConsumeError>> {
        match draft.into_batch() {
            Ok(batch) => self.consume(batch),
            Err(error) => Box::pin(std::future::ready(Err(ConsumeError::permanent(error.to_string())))),
        }
    }

    /// Whether this stage goes on editing drafts; then it adds what it, and what comes behind it, will want to see of
    /// batches of this signal. A hint: it is asked before the batch comes, and may have changed by then.
    fn foresee(&self, signal: Signal, wants: &mut Vec<Arc<Wants>>) -> bool {
        let _ = (signal, wants);
        false
    }
}

/// Why a stage did not take a batch; it carries the decision what to do next.
#[derive(Clone, Debug, thiserror::Error)]
pub enum ConsumeError {
    /// Sending the same again cannot help: drop and count, or tell the client so.
    #[error("{message}")]
    Permanent {
        /// gRPC status code that says it best; `None` is `INTERNAL` at the door.
        code: Option<u32>,
        /// For the log and the client.
        message: String,
    },
    /// Sending again later may help.
    #[error("{message}")]
    Retryable {
        /// How long to wait at least, if the one who refuses knows.
        after: Option<Duration>,
        /// For the log and the client.
        message: String,
    },
}

impl ConsumeError {
    /// A permanent error without a status of its own.
    pub fn permanent(message: impl Into<String>) -> Self {
        Self::Permanent { code: None, message: message.into() }
    }

    /// A retryable error without a wish for the delay.
    pub fn retryable(message: impl Into<String>) -> Self {
        Self::Retryable { after: None, message: message.into() }
    }

    /// Whether sending again may help.
    pub fn is_retryable(&self) -> bool {
        matches!(self, Self::Retryable { .. })
    }
}
