//! `retry_on_failure` and `timeout` around a sender.

use super::backoff::Backoff;
use super::outcome::Outcome;
use super::phase::{Phase, PhaseWatch};
use super::queue::shutting_down;
use super::sender::{Sender, Sent};
use super::settings::{RetrySettings, SendSettings};
use crate::component::ConsumeError;
use crate::pdata::Batch;
use std::sync::Arc;
use std::time::Duration;
use tokio::time::Instant;

/// A destination cannot make us wait longer than this.
const LONGEST_WISH: Duration = Duration::from_secs(3600);

/// A sender that tries again.
#[derive(Debug)]
pub(super) struct Retrying<S> {
    sender: S,
    retry: Option<RetrySettings>,
    timeout: Duration,
    outcome: Arc<Outcome>,
}

/// Why there is no further attempt.
#[derive(Clone, Debug)]
pub(super) struct GaveUp {
    /// The last error.
    pub(super) error: ConsumeError,
    /// The reason in the ledger, if the items were ours.
    pub(super) reason: &'static str,
}

impl<S: Sender> Retrying<S> {
    pub(super) fn new(sender: S, settings: &SendSettings, outcome: Arc<Outcome>) -> Self {
        let retry = settings.retry.clone().filter(|retry| retry.enabled);
        Self { sender, retry, timeout: settings.timeout, outcome }
    }

    pub(super) fn sender(&self) -> &S {
        &self.sender
    }

    /// Attempts until the batch is sent, the error is permanent, time is up or the shutdown ends it.
    ///
    /// While draining there is one attempt; a wait that is cut short by the drain is followed by a last one.
    pub(super) async fn send(&self, batch: &Batch, phase: &mut PhaseWatch) -> Result<Sent, GaveUp> {
        let started = Instant::now();
        let mut backoff = self.retry.as_ref().map(Backoff::new);
        loop {
            let last = phase.now() != Phase::Running;
            let error = match self.attempt(batch, phase).await? {
                Ok(sent) => return Ok(sent),
                Err(error) => error,
            };
            let (ConsumeError::Retryable { after, .. }, Some(backoff)) = (&error, &mut backoff) else {
                return Err(GaveUp { error, reason: "send_failed" });
            };
            if last {
                return Err(GaveUp { error, reason: "shutdown" });
            }
            let wait = longer(backoff.next(fastrand::f64()), *after);
            if self.too_late(started.elapsed().saturating_add(wait)) {
                return Err(GaveUp { error, reason: "send_failed" });
            }
            self.outcome.will_retry(&error, wait);
            tokio::select! {
                biased;
                () = phase.reached(Phase::Draining) => {}
                () = tokio::time::sleep(wait) => {}
            }
        }
    }

    /// One attempt within `timeout`; an outer error when the shutdown's deadline passes meanwhile.
    async fn attempt(&self, batch: &Batch, phase: &mut PhaseWatch) -> Result<Result<Sent, ConsumeError>, GaveUp> {
        let send = self.sender.send(batch.clone());
        let bounded = async {
            if self.timeout.is_zero() {
                return send.await;
            }
            let timed = tokio::time::timeout(self.timeout, send).await;
            timed.unwrap_or_else(|_| Err(ConsumeError::retryable(format!("no answer within {:?}", self.timeout))))
        };
        tokio::select! {
            biased;
            result = bounded => Ok(result),
            () = phase.reached(Phase::Over) => Err(GaveUp { error: shutting_down(), reason: "shutdown" }),
        }
    }

    fn too_late(&self, elapsed: Duration) -> bool {
        let limit = self.retry.as_ref().map_or(Duration::ZERO, |retry| retry.max_elapsed_time.0);
        !limit.is_zero() && elapsed > limit
    }
}

/// The backoff, or what the destination asks for if that is longer. Its wish gets up to a tenth on top, since it tells
/// everybody the same.
fn longer(wait: Duration, wish: Option<Duration>) -> Duration {
    let wish = wish.unwrap_or_default().min(LONGEST_WISH);
    if wish <= wait { wait } else { wish + wish.mul_f64(fastrand::f64() / 10.0) }
}
