//! What is built in: the one list that names concrete components. A new one is its file and a line here.

use crate::component::Factories;
use crate::{exporters, extensions};

/// Every component of this build.
pub const FACTORIES: Factories = Factories {
    receivers: &[],
    processors: &[],
    exporters: &[exporters::nop::FACTORY],
    extensions: &[extensions::health_check::FACTORY],
};
