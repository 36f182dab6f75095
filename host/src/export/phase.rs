//! Running, draining, over: how far an exporter's shutdown is.

use tokio::sync::watch;

/// How far the shutdown is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Phase {
    /// Batches come and go.
    Running,
    /// None come any more. What is there gets one more attempt, at once.
    Draining,
    /// The deadline has passed. What is still there is dropped and counted.
    Over,
}

/// Tells everybody.
#[derive(Debug)]
pub(super) struct PhaseControl(watch::Sender<Phase>);

/// Hears it.
#[derive(Clone, Debug)]
pub(super) struct PhaseWatch(watch::Receiver<Phase>);

impl PhaseControl {
    pub(super) fn new() -> Self {
        Self(watch::Sender::new(Phase::Running))
    }

    /// Moves on; never back.
    pub(super) fn advance(&self, phase: Phase) {
        self.0.send_if_modified(|now| {
            let later = phase > *now;
            *now = (*now).max(phase);
            later
        });
    }

    pub(super) fn watch(&self) -> PhaseWatch {
        PhaseWatch(self.0.subscribe())
    }

    pub(super) fn now(&self) -> Phase {
        *self.0.borrow()
    }
}

impl PhaseWatch {
    pub(super) fn now(&self) -> Phase {
        *self.0.borrow()
    }

    /// Waits until `phase` or a later one. Safe to drop.
    pub(super) async fn reached(&mut self, phase: Phase) {
        // An error means that the control is gone: the exporter was dropped without a shutdown, which is the end as well.
        let _ = self.0.wait_for(|now| *now >= phase).await;
    }
}
