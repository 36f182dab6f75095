//! What the tests against prost share. Also used by the fuzz targets.

pub mod check;
pub mod mangle;
pub mod model;
pub mod objects;
pub mod source;
pub mod views;
