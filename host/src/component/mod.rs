//! What a component is: its id, what it consumes, how it starts and stops, and how it is made.
//!
//! A component is handed its `next` and never finds another one by itself. A new one is a file that ends in a factory,
//! plus one line in `components.rs`.

mod consumer;
mod draft;
mod factory;
pub mod handover;
mod id;
#[cfg(test)]
pub(crate) mod testing;

pub use consumer::{BoxFuture, ConsumeError, Consumer};
pub use draft::Draft;
pub use factory::{
    BuildError, ComponentInfo, Context, ExporterConfig, ExporterFactory, Exporters, Extension, ExtensionConfig,
    ExtensionFactory, Factories, Outputs, Parsed, ProcessorConfig, ProcessorFactory, ReceiverConfig, ReceiverFactory,
    Stability, parse,
};
pub use factory::{Component, Exporter, Processor, Receiver};
pub use id::ComponentId;
