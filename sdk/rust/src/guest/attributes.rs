//! The world of plugins that change attributes.

/// Made from `wit/`: this export alone; the lifecycle comes with its own bindings.
#[allow(unsafe_code, missing_docs, clippy::all, unreachable_pub, reason = "generated")]
#[rustfmt::skip]
#[path = "bindings/attributes.rs"]
pub mod bindings;

pub use super::lifecycle::{Failure, Signal};
use super::lifecycle::{columns, failure, signal};
pub use bindings::exports::tailrace::plugin::attributes::{Additions, Edits, Guest, Projection};

/// What the macro writes between the lifecycle and the export.
#[doc(hidden)]
#[macro_export]
macro_rules! __attributes_body {
    ($component:ident, $plugin:ty, $slot:ident) => {
        impl $crate::guest::attributes::Guest for $component {
            fn apply(
                signal: $crate::guest::attributes::Signal,
                values: $crate::guest::attributes::Projection,
            ) -> ::core::result::Result<$crate::guest::attributes::Edits, $crate::guest::attributes::Failure> {
                $slot.with(|slot| $crate::guest::attributes::apply(slot, signal, values))
            }
        }
    };
}
pub use __attributes_body as body;

/// Runs the plugin over the columns of a batch.
///
/// # Errors
/// The plugin's own answer.
pub fn apply<P: crate::Attributes>(slot: &super::Slot<P>, batch: Signal, values: Projection) -> Result<Edits, Failure> {
    let columns = columns(values);
    slot.with(|configured| {
        let done = crate::attributes::apply(&mut configured.plugin, &configured.asked, signal(batch), &columns);
        let edits = done.map_err(failure)?;
        let additions = edits.additions;
        Ok(Edits {
            rows: edits.rows,
            actions: edits.actions,
            kinds: edits.kinds,
            ends: edits.ends,
            data: edits.data,
            additions: Additions {
                owners: additions.owners,
                levels: additions.levels,
                actions: additions.actions,
                keys: additions.keys,
                kinds: additions.kinds,
                ends: additions.ends,
                data: additions.data,
                name_ends: additions.name_ends,
                names: additions.names,
            },
        })
    })
}
