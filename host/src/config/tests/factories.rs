//! Components that are nothing but their settings.

use crate::component::{
    BuildError, ComponentInfo, Consumer, Context, Exporter, ExporterConfig, ExporterFactory, Extension,
    ExtensionConfig, ExtensionFactory, Factories, Outputs, Processor, ProcessorConfig, ProcessorFactory, Receiver,
    ReceiverConfig, ReceiverFactory, Stability, parse,
};
use crate::pdata::Signal;
use crate::yaml::endpoint::HostPort;
use crate::yaml::{Check, GoDuration, Settings};
use serde::Deserialize;
use std::sync::Arc;

pub(super) const FACTORIES: Factories = Factories {
    receivers: &[
        ReceiverFactory { info: info("otlp", &[], ALL), parse: |s, p| Some(parse::<Otlp>(s, p)? as _) },
        ReceiverFactory { info: info("nop", &[], ALL), parse: |s, p| Some(parse::<Nop>(s, p)? as _) },
    ],
    processors: &[
        ProcessorFactory { info: info("batch", &[], ALL), parse: |s, p| Some(parse::<Batch>(s, p)? as _) },
        ProcessorFactory { info: info("memory_limiter", &[], ALL), parse: |s, p| Some(parse::<Limiter>(s, p)? as _) },
        ProcessorFactory {
            info: info("tail_sampling", &[], &[Signal::Traces]),
            parse: |s, p| Some(parse::<Sampling>(s, p)? as _),
        },
    ],
    exporters: &[
        ExporterFactory { info: info("otlp_grpc", &["otlp"], ALL), parse: |s, p| Some(parse::<Client>(s, p)? as _) },
        ExporterFactory { info: info("nop", &[], ALL), parse: |s, p| Some(parse::<Nop>(s, p)? as _) },
    ],
    extensions: &[ExtensionFactory {
        info: info("health_check", &["healthcheck"], &[]),
        parse: |s, p| Some(parse::<Nop>(s, p)? as _),
    }],
};

const ALL: &[Signal] = &Signal::ALL;

const fn info(kind: &'static str, deprecated: &'static [&'static str], signals: &'static [Signal]) -> ComponentInfo {
    ComponentInfo { kind, deprecated, signals, stability: Stability::Development }
}

macro_rules! settings {
    ($(struct $name:ident { $($field:ident: $type:ty),* })*) => {
        $(
            #[derive(Debug, Default, Deserialize)]
            #[serde(default, deny_unknown_fields)]
            #[allow(dead_code, reason = "read, never used")]
            struct $name { $($field: $type),* }
        )*
    };
}

settings! {
    struct Nop {}
    struct Otlp { protocols: Protocols }
    struct Protocols { grpc: Option<Server>, http: Option<Server> }
    struct Server { endpoint: Option<HostPort> }
    struct Batch { timeout: GoDuration, send_batch_size: u32 }
    struct Limiter { check_interval: GoDuration, limit_mib: u32 }
    struct Sampling { decision_wait: GoDuration, policies: Vec<Policy> }
    struct Policy {
        name: String,
        r#type: String,
        status_code: Option<StatusCode>,
        latency: Option<Latency>,
        probabilistic: Option<Probabilistic>
    }
    struct StatusCode { status_codes: Vec<String> }
    struct Latency { threshold_ms: u64 }
    struct Probabilistic { sampling_percentage: f64 }
    struct Client { endpoint: String, tls: Option<Tls> }
    struct Tls { insecure: bool }
}

impl Settings for Nop {}
impl Settings for Batch {}
impl Settings for Limiter {}
impl Settings for Sampling {}

impl Settings for Otlp {
    fn check(&self, check: &mut Check<'_>) {
        if self.protocols.grpc.is_none() && self.protocols.http.is_none() {
            check.error("protocols", "must specify at least one protocol");
        }
    }
}

impl Settings for Client {
    fn check(&self, check: &mut Check<'_>) {
        if self.endpoint.is_empty() {
            check.error("endpoint", "must not be empty");
        }
    }
}

macro_rules! never_built {
    ($trait:ident for $name:ident -> $built:ident $(, $argument:ty)?) => {
        impl $trait for $name {
            fn build(&self, context: Context $(, _: $argument)?) -> Result<Arc<dyn $built>, BuildError> {
                Err(context.error("is never built"))
            }
        }
    };
}

never_built!(ReceiverConfig for Otlp -> Receiver, Outputs);
never_built!(ReceiverConfig for Nop -> Receiver, Outputs);
never_built!(ProcessorConfig for Batch -> Processor, Arc<dyn Consumer>);
never_built!(ProcessorConfig for Limiter -> Processor, Arc<dyn Consumer>);
never_built!(ProcessorConfig for Sampling -> Processor, Arc<dyn Consumer>);
never_built!(ExporterConfig for Client -> Exporter);
never_built!(ExporterConfig for Nop -> Exporter);
never_built!(ExtensionConfig for Nop -> Extension);
