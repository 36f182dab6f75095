//! What an exporter has to implement: one attempt to send one batch.

use crate::component::ConsumeError;
use crate::pdata::Batch;
use std::future::{Future, ready};

/// Sends batches to one destination.
pub trait Sender: Send + Sync + 'static {
    /// Sends `batch` once. Retrying, waiting and giving up are the caller's business: a [`ConsumeError::Retryable`] asks for
    /// another attempt, not before `after`; a [`ConsumeError::Permanent`] ends it.
    ///
    /// The future may be dropped at any await (a timeout, a shutdown); the batch may then have arrived or not.
    fn send(&self, batch: Batch) -> impl Future<Output = Result<Sent, ConsumeError>> + Send;

    /// Opens what [`Self::send`] needs. A destination that is merely away is no reason to fail.
    fn start(&self) -> impl Future<Output = Result<(), String>> + Send {
        ready(Ok(()))
    }

    /// Closes it again. Nothing is sent any more.
    fn stop(&self) -> impl Future<Output = ()> + Send {
        ready(())
    }
}

/// The destination took the request; perhaps not every item of it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Sent {
    /// Items that it says it rejected for good.
    pub rejected: u64,
    /// What it had to say: why it rejected them, or a warning.
    pub message: String,
}

impl Sent {
    /// Every item was taken.
    pub fn all() -> Self {
        Self::default()
    }
}
