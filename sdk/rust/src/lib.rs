#![doc = include_str!("../README.md")]
//!
//! [`Attributes`] is for plugins that read, change or remove single attributes or drop items because of them;
//! [`Processor`] for those that take whole batches; [`Sampler`] for those that decide which traces are kept. On any target but Wasm the macro exports nothing and the plugin is
//! ordinary Rust: [`testing`] runs it under `cargo test` with the code that the host uses around it.
//!
//! A panic is a trap: its text reaches the host's log, the instance is thrown away, and what happens to the batch is
//! the operator's choice (`error_mode`). Return a [`Failure`] for what is an answer and not an accident.

mod attributes;
mod fault;
mod interest;
mod plugin;
mod processor;
mod sampler;
mod state;

pub mod clock;
#[cfg(target_family = "wasm")]
#[doc(hidden)]
pub mod guest;
pub mod hash;
pub mod log;
pub mod metrics;
#[cfg(not(target_family = "wasm"))]
mod native;
pub mod patterns;
pub mod testing;
mod texts;

/// The functions of `wit/host.wit`: the real ones in a plugin, those of this machine under `cargo test`.
mod host {
    #[cfg(target_family = "wasm")]
    pub(crate) use crate::guest::lifecycle::bindings::tailrace::plugin::host::*;
    #[cfg(not(target_family = "wasm"))]
    pub(crate) use crate::native::*;
}

pub use attributes::{Attribute, Attributes, Edit, Group, NewValue, NoValue};
pub use fault::config_fault;
pub use interest::Interest;
pub use plugin::{ErrorMode, Failure, Plugin};
pub use processor::{Batch, Item, Outcome, Processor};
pub use sampler::{Decision, ResourceValues, Sampler, SpanValues, Trace};
pub use state::Stateful;
pub use tailrace_columns::{Intrinsic, Level, Value};
pub use tailrace_otlp as otlp;
pub use tailrace_otlp::Signal;

/// Makes a type the plugin of this crate: `export!(Type: attributes)` for a type that implements [`Attributes`],
/// `processor` for [`Processor`], `sampler` for [`Sampler`]. A further `, sampler` makes a type a [`Sampler`] as well, a further
/// `, state` exports [`Stateful`]. Name and version are those of the crate.
///
/// The crate is a `cdylib` and is built with `cargo build --target wasm32-wasip2`. On other targets this checks the
/// traits and does nothing else.
#[macro_export]
macro_rules! export {
    ($plugin:ty: attributes $(, $more:ident)*) => {
        $crate::__export!($plugin, attributes: $crate::Attributes $(, $more)*);
    };
    ($plugin:ty: processor $(, $more:ident)*) => {
        $crate::__export!($plugin, processor: $crate::Processor $(, $more)*);
    };
    ($plugin:ty: sampler $(, $more:ident)*) => {
        $crate::__export!($plugin, sampler: $crate::Sampler $(, $more)*);
    };
}

/// What all forms of [`export!`] have in common.
#[cfg(target_family = "wasm")]
#[doc(hidden)]
#[macro_export]
macro_rules! __export {
    ($plugin:ty, $world:ident: $kind:path $(, $more:ident)*) => {
        #[allow(unsafe_code, missing_docs, clippy::all, reason = "what the component model asks of a guest, generated")]
        const _: () = {
            struct Component;

            ::std::thread_local! {
                static PLUGIN: $crate::guest::Slot<$plugin> = const { $crate::guest::Slot::new() };
            }

            impl $crate::guest::lifecycle::Guest for Component {
                fn describe() -> $crate::guest::lifecycle::Info {
                    $crate::guest::lifecycle::describe::<$plugin>(
                        ::core::env!("CARGO_PKG_NAME"),
                        ::core::env!("CARGO_PKG_VERSION"),
                    )
                }

                fn configure(
                    config: ::std::string::String,
                ) -> ::core::result::Result<$crate::guest::lifecycle::Interest, ::std::string::String> {
                    PLUGIN.with(|slot| $crate::guest::lifecycle::configure(slot, &config))
                }
            }

            $crate::guest::lifecycle::bindings::export!(
                Component with_types_in $crate::guest::lifecycle::bindings
            );
            $crate::guest::$world::body!(Component, $plugin, PLUGIN);
            $crate::guest::$world::bindings::export!(Component with_types_in $crate::guest::$world::bindings);
            $(
                $crate::guest::$more::body!(Component, $plugin, PLUGIN);
                $crate::guest::$more::bindings::export!(Component with_types_in $crate::guest::$more::bindings);
            )*
        };
    };
}

/// What all forms of [`export!`] have in common.
#[cfg(not(target_family = "wasm"))]
#[doc(hidden)]
#[macro_export]
macro_rules! __export {
    ($plugin:ty, is: sampler) => {
        $crate::__export!($plugin, sampler: $crate::Sampler);
    };
    ($plugin:ty, is: state) => {
        $crate::__export!($plugin, state: $crate::Stateful);
    };
    ($plugin:ty, $world:ident: $kind:path $(, $more:ident)*) => {
        const _: () = {
            const fn is_a_plugin<P: $kind>() {}
            is_a_plugin::<$plugin>();
        };
        $($crate::__export!($plugin, is: $more);)*
    };
}
