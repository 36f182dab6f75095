//! The `tailrace` command. The only place that exits.
fn main() {}
