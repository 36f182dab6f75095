//! What lives beside the pipelines. One file or folder per component.
pub mod health_check;
pub mod plugins;
