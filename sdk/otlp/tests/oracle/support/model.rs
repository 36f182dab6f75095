//! Requests as prost decodes them: what every result is compared with.

use opentelemetry_proto::tonic::collector::logs::v1::ExportLogsServiceRequest;
use opentelemetry_proto::tonic::collector::metrics::v1::ExportMetricsServiceRequest;
use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceRequest;
use opentelemetry_proto::tonic::common::v1::{InstrumentationScope, KeyValue};
use opentelemetry_proto::tonic::logs::v1::LogRecord;
use opentelemetry_proto::tonic::metrics::v1::{Exemplar, Metric, metric};
use opentelemetry_proto::tonic::resource::v1::Resource;
use opentelemetry_proto::tonic::trace::v1::{Span, Status};
use prost::{DecodeError, Message};
use tailrace_otlp::{Signal, Target};

#[derive(Clone, Debug)]
pub enum Model {
    Traces(ExportTraceServiceRequest),
    Metrics(ExportMetricsServiceRequest),
    Logs(ExportLogsServiceRequest),
}

/// One item with everything around it, encoded by prost.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Flat {
    pub resource: Vec<u8>,
    pub scope: Vec<u8>,
    pub metric: Vec<u8>,
    pub item: Vec<u8>,
    pub trace_id: Vec<u8>,
    /// Numbers of resource, scope and metric.
    pub numbers: (usize, usize, usize),
}

macro_rules! points {
    ($metric:expr, $points:ident => $body:expr) => {
        match &mut $metric.data {
            None => {}
            Some(metric::Data::Gauge(data)) => {
                let $points = &mut data.data_points;
                $body
            }
            Some(metric::Data::Sum(data)) => {
                let $points = &mut data.data_points;
                $body
            }
            Some(metric::Data::Histogram(data)) => {
                let $points = &mut data.data_points;
                $body
            }
            Some(metric::Data::ExponentialHistogram(data)) => {
                let $points = &mut data.data_points;
                $body
            }
            Some(metric::Data::Summary(data)) => {
                let $points = &mut data.data_points;
                $body
            }
        }
    };
}

/// Attributes and exemplars of a data point of any type.
trait Point: Message {
    fn parts(&mut self) -> (&mut Vec<KeyValue>, &mut [Exemplar]);
}

macro_rules! point {
    ($($type:ident)*) => {$(
        impl Point for opentelemetry_proto::tonic::metrics::v1::$type {
            fn parts(&mut self) -> (&mut Vec<KeyValue>, &mut [Exemplar]) {
                (&mut self.attributes, &mut self.exemplars)
            }
        }
    )*};
}
point!(NumberDataPoint HistogramDataPoint ExponentialHistogramDataPoint);
impl Point for opentelemetry_proto::tonic::metrics::v1::SummaryDataPoint {
    fn parts(&mut self) -> (&mut Vec<KeyValue>, &mut [Exemplar]) {
        (&mut self.attributes, &mut [])
    }
}

fn visit_resource(option: &mut Option<Resource>, visit: impl FnOnce(&mut Vec<KeyValue>)) {
    let was_none = option.is_none();
    let resource = option.get_or_insert_default();
    visit(&mut resource.attributes);
    if was_none && resource.attributes.is_empty() {
        *option = None;
    }
}

fn visit_scope(option: &mut Option<InstrumentationScope>, visit: impl FnOnce(&mut InstrumentationScope)) {
    let was_none = option.is_none();
    let scope = option.get_or_insert_default();
    visit(scope);
    if was_none && *scope == InstrumentationScope::default() {
        *option = None;
    }
}

impl Model {
    pub fn decode(signal: Signal, data: &[u8]) -> Result<Self, DecodeError> {
        Ok(match signal {
            Signal::Traces => Self::Traces(ExportTraceServiceRequest::decode(data)?),
            Signal::Metrics => Self::Metrics(ExportMetricsServiceRequest::decode(data)?),
            Signal::Logs => Self::Logs(ExportLogsServiceRequest::decode(data)?),
        })
    }

    pub fn encode(&self) -> Vec<u8> {
        match self {
            Self::Traces(request) => request.encode_to_vec(),
            Self::Metrics(request) => request.encode_to_vec(),
            Self::Logs(request) => request.encode_to_vec(),
        }
    }

    pub fn flatten(&self) -> Vec<Flat> {
        let mut flats = Vec::new();
        let (mut r, mut s, mut m) = (0, 0, 0);
        macro_rules! walk {
            ($resources:expr, $scopes:ident, $items:ident, |$resource:ident, $scope:ident, $item:ident| $body:expr) => {
                for mut outer in $resources.clone() {
                    let scopes = std::mem::take(&mut outer.$scopes);
                    let $resource = outer.encode_to_vec();
                    for mut inner in scopes {
                        let items = std::mem::take(&mut inner.$items);
                        let $scope = inner.encode_to_vec();
                        for $item in items {
                            $body;
                        }
                        s += 1;
                    }
                    r += 1;
                }
            };
        }
        let mut push = |resource: &[u8], scope: &[u8], metric: &[u8], item: Vec<u8>, trace_id: &[u8], numbers| {
            flats.push(Flat {
                resource: resource.into(),
                scope: scope.into(),
                metric: metric.into(),
                item,
                trace_id: trace_id.into(),
                numbers,
            });
        };
        match self {
            Self::Traces(request) => walk!(request.resource_spans, scope_spans, spans, |resource, scope, item| {
                push(&resource, &scope, &[], item.encode_to_vec(), &item.trace_id, (r, s, 0));
            }),
            Self::Logs(request) => walk!(request.resource_logs, scope_logs, log_records, |resource, scope, item| {
                push(&resource, &scope, &[], item.encode_to_vec(), &item.trace_id, (r, s, 0));
            }),
            Self::Metrics(request) => {
                walk!(request.resource_metrics, scope_metrics, metrics, |resource, scope, item| {
                    let mut item = item;
                    points!(item, points => {
                        let points = std::mem::take(points);
                        let metric = item.encode_to_vec();
                        for point in points {
                            push(&resource, &scope, &metric, point.encode_to_vec(), &[], (r, s, m));
                        }
                    });
                    m += 1;
                });
            }
        }
        flats
    }

    /// How many resources, scopes and metrics there are.
    pub fn counts(&self) -> (usize, usize, usize) {
        match self {
            Self::Traces(r) => (r.resource_spans.len(), r.resource_spans.iter().map(|r| r.scope_spans.len()).sum(), 0),
            Self::Logs(r) => (r.resource_logs.len(), r.resource_logs.iter().map(|r| r.scope_logs.len()).sum(), 0),
            Self::Metrics(r) => {
                let scopes = r.resource_metrics.iter().flat_map(|r| &r.scope_metrics);
                (r.resource_metrics.len(), scopes.clone().count(), scopes.map(|s| s.metrics.len()).sum())
            }
        }
    }

    /// Resources and scopes that say nothing are the same as none.
    pub fn without_empty_contexts(mut self) -> Self {
        fn clear<T: Default + PartialEq>(option: &mut Option<T>) {
            if *option == Some(T::default()) {
                *option = None;
            }
        }
        macro_rules! each {
            ($resources:expr, $scopes:ident) => {
                for resource in $resources {
                    clear(&mut resource.resource);
                    resource.$scopes.iter_mut().for_each(|scope| clear(&mut scope.scope));
                }
            };
        }
        match &mut self {
            Self::Traces(request) => each!(&mut request.resource_spans, scope_spans),
            Self::Logs(request) => each!(&mut request.resource_logs, scope_logs),
            Self::Metrics(request) => each!(&mut request.resource_metrics, scope_metrics),
        }
        self
    }

    /// All lists of attributes with what carries them, in the order of `find`.
    pub fn attributes(&mut self, mut visit: impl FnMut(Target, &mut Vec<KeyValue>)) {
        let (mut r, mut s, mut m, mut i) = (0, 0, 0, 0);
        let index = |number: &mut u32| {
            *number += 1;
            *number - 1
        };
        match self {
            Self::Traces(request) => {
                for resource in &mut request.resource_spans {
                    visit_resource(&mut resource.resource, |list| visit(Target::Resource(index(&mut r)), list));
                    for scope in &mut resource.scope_spans {
                        let target = Target::Scope(index(&mut s));
                        visit_scope(&mut scope.scope, |scope| visit(target, &mut scope.attributes));
                        for span in &mut scope.spans {
                            let item = index(&mut i);
                            visit(Target::Item(item), &mut span.attributes);
                            for (event, inner) in (0..).zip(&mut span.events) {
                                visit(Target::Event { item, event }, &mut inner.attributes);
                            }
                            for (link, inner) in (0..).zip(&mut span.links) {
                                visit(Target::Link { item, link }, &mut inner.attributes);
                            }
                        }
                    }
                }
            }
            Self::Logs(request) => {
                for resource in &mut request.resource_logs {
                    visit_resource(&mut resource.resource, |list| visit(Target::Resource(index(&mut r)), list));
                    for scope in &mut resource.scope_logs {
                        let target = Target::Scope(index(&mut s));
                        visit_scope(&mut scope.scope, |scope| visit(target, &mut scope.attributes));
                        for record in &mut scope.log_records {
                            visit(Target::Item(index(&mut i)), &mut record.attributes);
                        }
                    }
                }
            }
            Self::Metrics(request) => {
                for resource in &mut request.resource_metrics {
                    visit_resource(&mut resource.resource, |list| visit(Target::Resource(index(&mut r)), list));
                    for scope in &mut resource.scope_metrics {
                        let target = Target::Scope(index(&mut s));
                        visit_scope(&mut scope.scope, |scope| visit(target, &mut scope.attributes));
                        for metric in &mut scope.metrics {
                            visit(Target::Metric(index(&mut m)), &mut metric.metadata);
                            points!(metric, points => for point in points {
                                let item = index(&mut i);
                                let (attributes, exemplars) = point.parts();
                                visit(Target::Item(item), attributes);
                                for (exemplar, inner) in (0..).zip(exemplars) {
                                    visit(Target::Exemplar { item, exemplar }, &mut inner.filtered_attributes);
                                }
                            });
                        }
                    }
                }
            }
        }
    }

    pub fn span(&mut self, item: u32) -> Option<&mut Span> {
        let Self::Traces(request) = self else { return None };
        let scopes = request.resource_spans.iter_mut().flat_map(|resource| &mut resource.scope_spans);
        scopes.flat_map(|scope| &mut scope.spans).nth(item as usize)
    }

    /// Lets `edit` act on the status of a span, which exists afterwards.
    pub fn status(&mut self, item: u32, edit: impl FnOnce(&mut Status)) {
        if let Some(span) = self.span(item) {
            edit(span.status.get_or_insert_default());
        }
    }

    pub fn log(&mut self, item: u32) -> Option<&mut LogRecord> {
        let Self::Logs(request) = self else { return None };
        let scopes = request.resource_logs.iter_mut().flat_map(|resource| &mut resource.scope_logs);
        scopes.flat_map(|scope| &mut scope.log_records).nth(item as usize)
    }

    pub fn metric(&mut self, number: u32) -> Option<&mut Metric> {
        let Self::Metrics(request) = self else { return None };
        let scopes = request.resource_metrics.iter_mut().flat_map(|resource| &mut resource.scope_metrics);
        scopes.flat_map(|scope| &mut scope.metrics).nth(number as usize)
    }

    pub fn scope(&mut self, number: u32) -> Option<&mut Option<InstrumentationScope>> {
        let number = number as usize;
        match self {
            Self::Traces(r) => {
                r.resource_spans.iter_mut().flat_map(|r| &mut r.scope_spans).nth(number).map(|scope| &mut scope.scope)
            }
            Self::Logs(r) => {
                r.resource_logs.iter_mut().flat_map(|r| &mut r.scope_logs).nth(number).map(|scope| &mut scope.scope)
            }
            Self::Metrics(r) => r
                .resource_metrics
                .iter_mut()
                .flat_map(|r| &mut r.scope_metrics)
                .nth(number)
                .map(|scope| &mut scope.scope),
        }
    }
}
