//! The drain signal and its deadline.
//!
//! Shutdown is ordered by the collector: receivers stop first, then each stage flushes into a stage that is still alive.
//! All of them share one [`Deadline`]; what is held when it passes is dropped and counted with reason `shutdown`.

use std::time::Duration;
use tokio::time::Instant;

/// The instant by which a component must have let go of what it holds.
#[derive(Clone, Copy, Debug)]
pub struct Deadline(Instant);

impl Deadline {
    /// A deadline `grace` from now.
    pub fn after(grace: Duration) -> Self {
        Self(Instant::now() + grace)
    }

    /// The instant itself, for `tokio::time::timeout_at`.
    pub fn instant(self) -> Instant {
        self.0
    }

    /// Time that is left; zero when it has passed.
    pub fn remaining(self) -> Duration {
        self.0.saturating_duration_since(Instant::now())
    }

    /// Runs `work` until the deadline; `None` when it did not finish.
    pub async fn bound<F: Future>(self, work: F) -> Option<F::Output> {
        tokio::time::timeout_at(self.0, work).await.ok()
    }
}
