//! Whether the pipelines run.

use std::sync::Arc;
use tokio::sync::watch;

/// The state of the process.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum State {
    /// Building and starting.
    Starting,
    /// Every pipeline takes data.
    Ready,
    /// Draining, or stopped.
    Stopping,
}

/// The state, and a way to wait for a change of it. Cloning shares it.
#[derive(Clone, Debug)]
pub struct Health(Arc<watch::Sender<State>>);

impl Default for Health {
    fn default() -> Self {
        Self(Arc::new(watch::Sender::new(State::Starting)))
    }
}

impl Health {
    /// Where we are.
    pub fn state(&self) -> State {
        *self.0.borrow()
    }

    /// Moves on. Only the collector does this.
    pub fn set(&self, state: State) {
        self.0.send_replace(state);
    }

    /// To wait for changes.
    pub fn watch(&self) -> watch::Receiver<State> {
        self.0.subscribe()
    }
}
