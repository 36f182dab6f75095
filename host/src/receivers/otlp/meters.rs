//! What a protocol of the receiver counts and complains about.

use super::complaints::Complaints;
use crate::component::{ComponentId, Context};
use crate::otlp::status::Status;
use crate::pdata::Signal;
use crate::telemetry::{Counter, names};

/// What became of a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Outcome {
    /// Taken.
    Success,
    /// Not now; the client was told to try again.
    Refused,
    /// Never.
    Failure,
}

impl Outcome {
    pub(super) fn of(result: &Result<(), Status>) -> Self {
        match result {
            Ok(()) => Self::Success,
            Err(status) if status.is_retryable() => Self::Refused,
            Err(_) => Self::Failure,
        }
    }
}

/// Counters of one transport.
#[derive(Debug)]
pub(super) struct Meters {
    receiver: ComponentId,
    transport: &'static str,
    items: [[Counter; 3]; 3],
    requests: [Counter; 3],
    complaints: [Complaints; 2],
}

impl Meters {
    pub(super) fn new(context: &Context, transport: &'static str) -> Self {
        let id = context.id.to_string();
        let metrics = context.telemetry.metrics();
        let items = |desc| {
            Signal::ALL
                .map(|signal| metrics.counter(desc, Some(signal), &[("receiver", &id), ("transport", transport)]))
        };
        let requests = |outcome| {
            let labels = [("receiver", &*id), ("transport", transport), ("outcome", outcome)];
            metrics.counter(&names::RECEIVER_REQUESTS, None, &labels)
        };
        Self {
            receiver: context.id.clone(),
            transport,
            items: [&names::RECEIVER_ACCEPTED, &names::RECEIVER_REFUSED, &names::RECEIVER_FAILED].map(items),
            requests: ["success", "refused", "failure"].map(requests),
            complaints: Default::default(),
        }
    }

    /// Items that the pipeline took, refused or will never take.
    pub(super) fn items(&self, signal: Signal, outcome: Outcome, items: usize) {
        if let Some(counter) = self.items.get(outcome as usize).and_then(|of| of.get(signal as usize)) {
            counter.add(items as u64);
        }
    }

    /// One request is answered. The first failure is logged, and then one in ten seconds.
    pub(super) fn request(&self, signal: Option<Signal>, result: &Result<(), Status>) {
        let outcome = Outcome::of(result);
        if let Some(counter) = self.requests.get(outcome as usize) {
            counter.add(1);
        }
        let Err(status) = result else { return };
        let Some(untold) = self.complaints.get(outcome as usize - 1).and_then(Complaints::turn) else { return };
        let (receiver, transport, signal) = (&self.receiver, self.transport, signal.map_or("", Signal::as_str));
        let what = if outcome == Outcome::Refused { "refused a request for now" } else { "failed a request" };
        tracing::warn!(%receiver, transport, signal, code = %status.code, message = %status.message, untold, "{what}");
    }
}
