//! The world of plugins that take whole batches.

/// Made from `wit/`: this export alone; the lifecycle comes with its own bindings.
#[allow(unsafe_code, missing_docs, clippy::all, unreachable_pub, reason = "generated")]
#[rustfmt::skip]
#[path = "bindings/processor.rs"]
pub mod bindings;

pub use super::lifecycle::{Failure, Signal};
use super::lifecycle::{failure, signal};
pub use bindings::exports::tailrace::plugin::processor::{Guest, Outcome};

/// What the macro writes between the lifecycle and the export.
#[doc(hidden)]
#[macro_export]
macro_rules! __processor_body {
    ($component:ident, $plugin:ty, $slot:ident) => {
        impl $crate::guest::processor::Guest for $component {
            fn process(
                signal: $crate::guest::processor::Signal,
                batch: ::std::vec::Vec<u8>,
            ) -> ::core::result::Result<$crate::guest::processor::Outcome, $crate::guest::processor::Failure> {
                $slot.with(|slot| $crate::guest::processor::process(slot, signal, &batch))
            }
        }
    };
}
pub use __processor_body as body;

/// Runs the plugin over a batch.
///
/// # Errors
/// The plugin's own answer.
pub fn process<P: crate::Processor>(slot: &super::Slot<P>, batch: Signal, bytes: &[u8]) -> Result<Outcome, Failure> {
    slot.with(|configured| {
        let done = configured.plugin.process(&crate::Batch::new(signal(batch), bytes));
        Ok(match done.map_err(failure)? {
            crate::Outcome::Unchanged => Outcome::Unchanged,
            crate::Outcome::Replaced(bytes) => Outcome::Replaced(bytes),
            crate::Outcome::Drop(reason) => Outcome::Drop(reason.into_owned()),
        })
    })
}
