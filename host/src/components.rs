//! What is built in: the one list that names concrete components. A new one is its file and a line here.

use crate::component::Factories;
use crate::{exporters, extensions, processors, receivers};

/// Every component of this build.
pub const FACTORIES: Factories = Factories {
    receivers: &[receivers::otlp::FACTORY],
    processors: &[
        processors::memory_limiter::FACTORY,
        processors::batch::FACTORY,
        processors::tail_sampling::FACTORY,
        processors::wasm::FACTORY,
        processors::bundled::ATTRIBUTES,
        processors::bundled::RESOURCE,
        processors::bundled::REDACTION,
    ],
    exporters: &[
        exporters::otlp_grpc::FACTORY,
        exporters::otlp_http::FACTORY,
        exporters::debug::FACTORY,
        exporters::file::FACTORY,
        exporters::nop::FACTORY,
    ],
    extensions: &[extensions::health_check::FACTORY, extensions::plugins::FACTORY],
};
