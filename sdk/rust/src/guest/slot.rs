//! The plugin of this instance.

use crate::Plugin;
use crate::attributes::Asked;
use std::cell::RefCell;

/// Holds the plugin of this instance once it is configured. An instance is one thread, so a cell will do.
#[derive(Debug)]
pub struct Slot<P>(RefCell<Option<Configured<P>>>);

/// A plugin, and what it asked for.
#[derive(Debug)]
pub(crate) struct Configured<P> {
    pub(crate) plugin: P,
    pub(crate) asked: Asked,
}

impl<P: Plugin> Slot<P> {
    /// With nothing in it yet.
    #[expect(clippy::new_without_default, reason = "only the export macro makes one, in a const")]
    pub const fn new() -> Self {
        Self(RefCell::new(None))
    }

    pub(crate) fn set(&self, plugin: P, asked: Asked) {
        self.0.replace(Some(Configured { plugin, asked }));
    }

    /// Runs `work` with the plugin.
    ///
    /// # Panics
    /// If it was never configured, which the contract forbids; for a guest that is a trap.
    #[expect(clippy::expect_used, reason = "the host broke the contract; a trap is the only answer a guest has")]
    pub(crate) fn with<T>(&self, work: impl FnOnce(&mut Configured<P>) -> T) -> T {
        work(self.0.borrow_mut().as_mut().expect("the host did not call configure"))
    }
}
