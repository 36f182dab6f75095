//! The `nop` exporter: takes everything and forgets it. Also the smallest example of an exporter.
//!
//! A new exporter is a file like this one, a line in `exporters/mod.rs` and a line in `components.rs`. It says what one
//! attempt to send one batch is ([`Sender`]); metrics, the ledger and, if its settings ask for them, queue, retries and
//! timeout are put around it by [`exporter`].
//!
//! ```yaml
//! exporters:
//!   nop:
//! ```

use crate::component::{
    BuildError, ComponentInfo, ConsumeError, Context, Exporter, ExporterConfig, ExporterFactory, Stability, parse,
};
use crate::export::{SendSettings, Sender, Sent, exporter};
use crate::pdata::{Batch, Signal};
use crate::yaml::Settings;
use serde::Deserialize;
use std::sync::Arc;

/// The line for `components.rs`.
pub const FACTORY: ExporterFactory = ExporterFactory {
    info: ComponentInfo { kind: "nop", deprecated: &[], signals: &Signal::ALL, stability: Stability::Beta },
    parse: |section, problems| Some(parse::<Config>(section, problems)? as _),
};

/// No settings: any key is refused by name.
#[derive(Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
struct Config {}

impl Settings for Config {}

impl ExporterConfig for Config {
    fn build(&self, context: Context) -> Result<Arc<dyn Exporter>, BuildError> {
        Ok(exporter(context, &SendSettings::default(), Nop))
    }
}

struct Nop;

impl Sender for Nop {
    async fn send(&self, _batch: Batch) -> Result<Sent, ConsumeError> {
        Ok(Sent::all())
    }
}
