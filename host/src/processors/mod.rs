//! What happens to batches on their way. One file or folder per component.
pub mod batch;
pub mod bundled;
pub mod memory_limiter;
pub mod tail_sampling;
pub mod wasm;
