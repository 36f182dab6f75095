//! The export of plugins that keep state.

/// Made from `wit/`: this export alone; the lifecycle comes with its own bindings.
#[allow(unsafe_code, missing_docs, clippy::all, unreachable_pub, reason = "generated")]
#[rustfmt::skip]
#[path = "bindings/state.rs"]
pub mod bindings;

pub use bindings::exports::tailrace::plugin::state::Guest;

/// What the macro writes between the lifecycle and the export.
#[doc(hidden)]
#[macro_export]
macro_rules! __state_body {
    ($component:ident, $plugin:ty, $slot:ident) => {
        impl $crate::guest::state::Guest for $component {
            fn save() -> ::std::vec::Vec<u8> {
                $slot.with(|slot| $crate::guest::state::save(slot))
            }

            fn restore(state: ::std::vec::Vec<u8>) -> ::core::result::Result<(), ::std::string::String> {
                $slot.with(|slot| $crate::guest::state::restore(slot, &state))
            }
        }
    };
}
pub use __state_body as body;

/// What the plugin wants to keep.
pub fn save<P: crate::Stateful>(slot: &super::Slot<P>) -> Vec<u8> {
    slot.with(|configured| configured.plugin.save())
}

/// Hands the plugin what it kept.
///
/// # Errors
/// The plugin's own answer.
pub fn restore<P: crate::Stateful>(slot: &super::Slot<P>, state: &[u8]) -> Result<(), String> {
    slot.with(|configured| configured.plugin.restore(state))
}
