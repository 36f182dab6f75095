//! What every exporter that talks to something needs: `sending_queue`, then `retry_on_failure`, then `timeout`.
//!
//! An exporter implements [`Sender`], one attempt to send one batch, and [`exporter`] puts the rest around it. Nothing here
//! knows HTTP or gRPC.
//!
//! ```text
//! consume -> [sending_queue -> batch] -> retry_on_failure -> timeout -> Sender::send
//! ```
//!
//! **Promise.** With the queue, `Ok` means that the batch is in memory: a crash loses it, a shutdown sends it until the
//! deadline. A full queue refuses with a retryable error (or waits, with `block_on_overflow`) and takes nothing. Without the
//! queue, or with `wait_for_result`, `Ok` means that the backend took it, and every failure goes back to the caller.
//!
//! **Ledger.** What the backend took is `otelcol_exporter_sent_*` and handed on. What it rejected in a partial success is
//! `tailrace_exporter_rejected_*` and dropped with reason `rejected`: unlike the Collector, which counts it as sent as well,
//! so that accepted = sent + dropped + held holds by the metrics alone. What was given up is `otelcol_exporter_send_failed_*`
//! and, if it had been taken, dropped with reason `send_failed`, `shutdown` or `panic`. What the queue refused is
//! `otelcol_exporter_enqueue_failed_*` and was never ours.

mod backoff;
pub mod calendar;
pub mod client;
mod gather;
mod lane;
mod outcome;
mod parcel;
mod phase;
mod queue;
mod retry;
mod sender;
mod settings;
mod stage;

#[cfg(test)]
pub(crate) mod testing;
#[cfg(test)]
mod tests;

pub use sender::{Sender, Sent};
pub use settings::{GatherSettings, QueueSettings, RetrySettings, SendSettings, Sizer};
pub use stage::exporter;
