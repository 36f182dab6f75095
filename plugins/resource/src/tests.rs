use super::*;
use std::path::Path;
use tailrace_sdk::testing;

/// Every case in `cases/`: what the plugin makes of the input is what is expected. All of them were also sent through the
/// Collector, with the same outcome but for what `README.md` lists.
#[test]
fn cases() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("cases");
    let count = actions::testing::cases(&folder, |config, signal, request| {
        let mut plugin = testing::attributes::<Resource>(config)?;
        plugin.run(signal, request).map_err(|failure| failure.to_string())
    });
    assert!(count >= 3, "{count} cases are too few to be all of them");
}
