//! What became of items: metrics, the ledger and a log that does not flood.

use super::retry::GaveUp;
use super::sender::Sent;
use crate::component::{ConsumeError, Context};
use crate::telemetry::{Account, Counter, names};
use std::sync::Mutex;
use std::sync::PoisonError;
use std::time::Duration;
use tokio::time::Instant;

/// At most one line of a kind in this time.
const LOG_EVERY: Duration = Duration::from_secs(10);

/// Counts and logs for one exporter and signal.
#[derive(Debug)]
pub(super) struct Outcome {
    id: String,
    account: Account,
    sent: Counter,
    rejected: Counter,
    send_failed: Counter,
    enqueue_failed: Counter,
    retries_log: LogGate,
    failures_log: LogGate,
    rejects_log: LogGate,
}

impl Outcome {
    pub(super) fn new(context: &Context) -> Self {
        let id = context.id.to_string();
        let counter = |desc| context.telemetry.metrics().counter(desc, context.signal, &[("exporter", &id)]);
        Self {
            account: context.account.clone(),
            sent: counter(&names::EXPORTER_SENT),
            rejected: counter(&names::EXPORTER_REJECTED),
            send_failed: counter(&names::EXPORTER_SEND_FAILED),
            enqueue_failed: counter(&names::EXPORTER_ENQUEUE_FAILED),
            retries_log: LogGate::default(),
            failures_log: LogGate::default(),
            rejects_log: LogGate::default(),
            id,
        }
    }

    pub(super) fn account(&self) -> &Account {
        &self.account
    }

    /// The destination took a request of `items`.
    pub(super) fn sent(&self, items: usize, sent: &Sent) {
        let rejected = usize::try_from(sent.rejected).unwrap_or(usize::MAX).min(items);
        self.sent.add((items - rejected) as u64);
        self.account.handed_on(items - rejected);
        self.rejected.add(rejected as u64);
        self.account.dropped("rejected", rejected);
        if (rejected > 0 || !sent.message.is_empty())
            && let Some(quiet) = self.rejects_log.pass()
        {
            let (exporter, message) = (&self.id, &sent.message);
            tracing::warn!(%exporter, rejected, items, message, not_logged = quiet, "partial success");
        }
    }

    /// An attempt failed and there will be another one.
    pub(super) fn will_retry(&self, error: &ConsumeError, wait: Duration) {
        if let Some(quiet) = self.retries_log.pass() {
            let exporter = &self.id;
            tracing::info!(%exporter, %error, interval = ?wait, not_logged = quiet, "sending failed, will retry");
        }
    }

    /// Items that had been taken could not be sent.
    pub(super) fn lost(&self, items: usize, failure: &GaveUp) {
        self.account.dropped(failure.reason, items);
        self.failed(items, failure);
    }

    /// Items could not be sent; if somebody loses them, it is the caller, who knows.
    pub(super) fn failed(&self, items: usize, failure: &GaveUp) {
        self.send_failed.add(items as u64);
        if let Some(quiet) = self.failures_log.pass() {
            let (exporter, error, reason) = (&self.id, &failure.error, failure.reason);
            tracing::error!(%exporter, %error, reason, items, not_logged = quiet, "sending failed for good");
        }
    }

    /// The queue had no room for `items`.
    pub(super) fn not_queued(&self, items: usize) {
        self.enqueue_failed.add(items as u64);
    }
}

/// Lets a line pass now and then.
#[derive(Debug, Default)]
struct LogGate(Mutex<(Option<Instant>, u64)>);

impl LogGate {
    /// How many were held back since the last line; `None` when this one is held back too.
    fn pass(&self) -> Option<u64> {
        let mut state = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let (last, quiet) = &mut *state;
        if last.is_some_and(|last| last.elapsed() < LOG_EVERY) {
            *quiet += 1;
            return None;
        }
        *last = Some(Instant::now());
        Some(std::mem::take(quiet))
    }
}
