//! How long tasks live: as long as they like, until they have finished, or no longer.

use std::sync::Arc;
use tokio::sync::watch;

/// Where the server is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Phase {
    Running,
    /// No new connections; finish what is there.
    Draining,
    /// Stop now.
    Forced,
}

/// The server's end of it: says how far things have come, and knows who is still there.
pub(super) struct Ending {
    phase: watch::Sender<Phase>,
    alive: Arc<watch::Sender<usize>>,
}

/// A task's end of it. When the server is gone without a word, everything is [`Phase::Forced`].
#[derive(Clone, Debug)]
pub(in super::super) struct Life {
    phase: watch::Receiver<Phase>,
    alive: Arc<watch::Sender<usize>>,
}

/// A task that lives until this is dropped.
#[derive(Debug)]
pub(in super::super) struct Alive(Arc<watch::Sender<usize>>);

impl Default for Ending {
    fn default() -> Self {
        Self { phase: watch::Sender::new(Phase::Running), alive: Arc::new(watch::Sender::new(0)) }
    }
}

impl Ending {
    pub(super) fn life(&self) -> Life {
        Life { phase: self.phase.subscribe(), alive: Arc::clone(&self.alive) }
    }

    pub(super) fn enter(&self, phase: Phase) {
        self.phase.send_replace(phase);
    }

    /// Until no task lives.
    pub(super) async fn all_gone(&self) {
        // The sender is right here, so this cannot fail.
        let _ = self.alive.subscribe().wait_for(|alive| *alive == 0).await;
    }
}

impl Life {
    /// One more task.
    pub(in super::super) fn enter(&self) -> Alive {
        self.alive.send_modify(|alive| *alive += 1);
        Alive(Arc::clone(&self.alive))
    }

    /// Until the server drains.
    pub(super) async fn draining(&self) {
        let _ = self.phase.clone().wait_for(|phase| *phase >= Phase::Draining).await;
    }

    /// Until everything has to stop.
    pub(in super::super) async fn forced(&self) {
        let _ = self.phase.clone().wait_for(|phase| *phase == Phase::Forced).await;
    }
}

impl Drop for Alive {
    fn drop(&mut self) {
        self.0.send_modify(|alive| *alive -= 1);
    }
}
