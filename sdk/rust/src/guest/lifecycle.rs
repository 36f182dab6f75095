//! What every plugin exports, and the types that everything shares.

/// Made from `wit/`.
#[allow(unsafe_code, missing_docs, clippy::all, unreachable_pub, reason = "generated")]
#[rustfmt::skip]
#[path = "bindings/lifecycle.rs"]
pub mod bindings;

use bindings::exports::tailrace::plugin::lifecycle::{AttributeSelector, ErrorMode, Instances, Level};
pub use bindings::exports::tailrace::plugin::lifecycle::{Guest, Info, Interest};
pub use bindings::tailrace::plugin::types::{Failure, Projection, Signal};

/// Who the plugin is.
pub fn describe<P: crate::Plugin>(name: &str, version: &str) -> Info {
    super::report_panics();
    Info {
        name: name.into(),
        version: version.into(),
        config_schema: P::CONFIG_SCHEMA.map(Into::into),
        error_mode: P::ERROR_MODE.map(|mode| match mode {
            crate::ErrorMode::Propagate => ErrorMode::Propagate,
            crate::ErrorMode::Ignore => ErrorMode::Ignore,
            crate::ErrorMode::Drop => ErrorMode::Drop,
        }),
    }
}

/// Makes the plugin of this instance.
///
/// # Errors
/// What the plugin has against its configuration.
pub fn configure<P: crate::Plugin>(slot: &super::Slot<P>, config: &str) -> Result<Interest, String> {
    use crate::interest::Selector;
    super::report_panics();
    let plugin: P = crate::plugin::make(config)?;
    let interest = plugin.interest();
    slot.set(plugin, interest.asked());
    let signal = |signal| match signal {
        crate::Signal::Traces => Signal::Traces,
        crate::Signal::Metrics => Signal::Metrics,
        crate::Signal::Logs => Signal::Logs,
    };
    let level = |level| match level {
        crate::Level::Resource => Level::Resource,
        crate::Level::Scope => Level::Scope,
        crate::Level::Item => Level::Item,
        crate::Level::Event => Level::Event,
        crate::Level::Link => Level::Link,
        crate::Level::Exemplar => Level::Exemplar,
        crate::Level::Metric => Level::Metric,
    };
    let attribute = |selector| match selector {
        Selector::Exact(key) => AttributeSelector::Exact(key),
        Selector::Prefix(prefix) => AttributeSelector::Prefix(prefix),
        Selector::All => AttributeSelector::All,
    };
    Ok(Interest {
        signals: interest.signals.into_iter().map(signal).collect(),
        attributes: interest.attributes.into_iter().map(attribute).collect(),
        levels: interest.levels.into_iter().map(level).collect(),
        intrinsics: interest.intrinsics.iter().map(|intrinsic| intrinsic.name().into()).collect(),
        always: !interest.every.is_empty(),
        instances: if interest.single { Instances::Single } else { Instances::Pooled },
    })
}

/// The signal as the SDK has it.
pub(super) fn signal(signal: Signal) -> crate::Signal {
    match signal {
        Signal::Traces => crate::Signal::Traces,
        Signal::Metrics => crate::Signal::Metrics,
        Signal::Logs => crate::Signal::Logs,
    }
}

/// The failure as the contract has it.
pub(super) fn failure(failure: crate::Failure) -> Failure {
    match failure {
        crate::Failure::Retryable(message) => Failure::Retryable(message),
        crate::Failure::Permanent(message) => Failure::Permanent(message),
    }
}

/// The columns as the SDK has them.
pub(super) fn columns(values: Projection) -> tailrace_columns::Columns {
    tailrace_columns::Columns {
        shape: tailrace_columns::Shape {
            resource_ends: values.shape.resource_ends,
            scope_ends: values.shape.scope_ends,
            metric_ends: values.shape.metric_ends,
            items: values.shape.items,
        },
        owners: values.owners,
        levels: values.levels,
        keys: values.keys,
        kinds: values.kinds,
        ends: values.ends,
        data: values.data,
        name_ends: values.name_ends,
        names: values.names,
    }
}
