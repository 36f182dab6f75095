//! What is built in: the one list that names concrete components. A new one is its file and a line here.

use crate::component::Factories;
use crate::{exporters, extensions, processors};

/// Every component of this build.
pub const FACTORIES: Factories = Factories {
    receivers: &[],
    processors: &[processors::memory_limiter::FACTORY, processors::batch::FACTORY, processors::tail_sampling::FACTORY],
    exporters: &[exporters::otlp_grpc::FACTORY, exporters::nop::FACTORY],
    extensions: &[extensions::health_check::FACTORY],
};
