//! From a batch to columns: the host's half, also used by the SDK's native tests.

use crate::{Columns, INTRINSIC, Intrinsic, Level, Shape, Value};
use alloc::collections::BTreeMap;
use alloc::vec::Vec;
use core::ops::Range;
use tailrace_otlp::{Index, KeySet, LogRecordView, MetricView, ScopeView, Signal, SpanView, StatusCode, Target, find};

/// Different keys that are searched one by one.
const FEW: usize = 32;

/// What a plugin wants to see.
#[derive(Clone, Copy, Debug)]
pub struct Wanted<'a> {
    /// Attributes by key.
    pub keys: &'a KeySet,
    /// Where to look for them; empty means everywhere.
    pub levels: &'a [Level],
    /// Fields.
    pub intrinsics: &'a [Intrinsic],
}

/// Columns, and where each row came from.
#[derive(Clone, Debug, Default)]
pub struct Projection {
    /// What the plugin gets.
    pub columns: Columns,
    pub(crate) places: Vec<Place>,
}

/// Where a row came from.
#[derive(Clone, Debug)]
pub(crate) struct Place {
    pub(crate) target: Target,
    pub(crate) field: Field,
}

/// What kind of thing a row is.
#[derive(Clone, Debug)]
pub(crate) enum Field {
    /// An attribute whose field lies here in the request.
    Attribute(Range<usize>),
    Intrinsic(Intrinsic),
}

/// Projects what is `wanted` from a validated request.
pub fn project(signal: Signal, data: &[u8], index: &Index, wanted: Wanted<'_>) -> Projection {
    let mut projector = Projector {
        projection: Projection::default(),
        names: Vec::new(),
        more_names: BTreeMap::new(),
        fields: Fields::new(signal, data, index, wanted.intrinsics),
    };
    find(signal, data, index, wanted.keys, |found| {
        let level = level(found.target);
        if wanted.levels.is_empty() || wanted.levels.contains(&level) {
            projector.fields.up_to(found.target, &mut projector.projection);
            projector.attribute(level, found);
        }
    });
    projector.fields.rest(&mut projector.projection);
    projector.projection.columns.shape = Shape::of(signal, index);
    projector.projection
}

struct Projector<'a> {
    projection: Projection,
    /// Keys that occurred, by the entry of the key set they matched; few, so that a search is cheaper than a map.
    names: Vec<(usize, &'a [u8], u32)>,
    /// Further ones: a sender may use as many different keys as it likes.
    more_names: BTreeMap<(usize, &'a [u8]), u32>,
    fields: Fields<'a>,
}

impl<'a> Projector<'a> {
    fn attribute(&mut self, level: Level, found: tailrace_otlp::Found<'a>) {
        let key = found.attribute.key.as_bytes();
        let known = self.names.iter().find(|(entry, name, _)| *entry == found.key && *name == key);
        let known = known.map(|(_, _, name)| *name);
        let known = known.or_else(|| self.more_names.get(&(found.key, key)).copied());
        let Projection { columns, places } = &mut self.projection;
        let name = known.unwrap_or_else(|| {
            let name = columns.name(found.attribute.key.to_str());
            if self.names.len() < FEW {
                self.names.push((found.key, key, name));
            } else {
                self.more_names.insert((found.key, key), name);
            }
            name
        });
        push(columns, found.target, level, name, &found.attribute.value);
        places.push(Place { target: found.target, field: Field::Attribute(found.record) });
    }
}

/// Adds a row with a value as OTLP has it.
fn push(columns: &mut Columns, target: Target, level: Level, key: u32, value: &tailrace_otlp::Value<'_>) {
    use tailrace_otlp::Value as Otlp;
    let owner = owner(target);
    match value {
        // The kinds of the contract; a string of a validated request is UTF-8.
        Otlp::String(text) => columns.push_raw(owner, level, key, 1, text.as_bytes()),
        Otlp::Empty => columns.push(owner, level, key, &Value::Empty),
        Otlp::Bool(truth) => columns.push(owner, level, key, &Value::Bool(*truth)),
        Otlp::Int(number) => columns.push(owner, level, key, &Value::Int(*number)),
        Otlp::Double(number) => columns.push(owner, level, key, &Value::Double(*number)),
        Otlp::Bytes(bytes) => columns.push(owner, level, key, &Value::Bytes(bytes)),
        Otlp::Array(_) | Otlp::KvList(_) => {
            let mut encoded = Vec::new();
            tailrace_otlp::view::put_value(&mut encoded, value);
            columns.push(owner, level, key, &Value::Nested(&encoded));
        }
    }
}

/// The number that OTLP gives a status code.
fn status(code: StatusCode) -> i64 {
    match code {
        StatusCode::Unset => 0,
        StatusCode::Ok => 1,
        StatusCode::Error => 2,
    }
}

/// The level of an attribute that was found.
fn level(target: Target) -> Level {
    match target {
        Target::Resource(_) => Level::Resource,
        Target::Scope(_) => Level::Scope,
        Target::Metric(_) => Level::Metric,
        Target::Item(_) => Level::Item,
        Target::Event { .. } => Level::Event,
        Target::Link { .. } => Level::Link,
        Target::Exemplar { .. } => Level::Exemplar,
    }
}

/// The number in the column `owners`.
pub(crate) fn owner(target: Target) -> u32 {
    match target {
        Target::Resource(number) | Target::Scope(number) | Target::Metric(number) | Target::Item(number) => number,
        Target::Event { item, .. } | Target::Link { item, .. } | Target::Exemplar { item, .. } => item,
    }
}

/// The resource, scope, metric or item that a row belongs to.
pub(crate) fn carrier(target: Target) -> Target {
    match target {
        Target::Event { item, .. } | Target::Link { item, .. } | Target::Exemplar { item, .. } => Target::Item(item),
        other => other,
    }
}

/// Adds the fields of each scope, metric and item before its attributes.
struct Fields<'a> {
    data: &'a [u8],
    index: &'a Index,
    wanted: &'a [Intrinsic],
    signal: Signal,
    /// Everything that has fields, in the order in which `find` visits it; empty if no field is wanted.
    carriers: alloc::vec::IntoIter<Target>,
    last: Option<Target>,
}

impl<'a> Fields<'a> {
    fn new(signal: Signal, data: &'a [u8], index: &'a Index, wanted: &'a [Intrinsic]) -> Self {
        let mut carriers = Vec::new();
        if !wanted.is_empty() {
            for (number, resource) in index.resources.iter().enumerate() {
                carriers.push(Target::Resource(number as u32));
                for number in resource.scopes() {
                    let Some(scope) = index.scopes.get(number) else { continue };
                    carriers.push(Target::Scope(number as u32));
                    for number in scope.children() {
                        if signal != Signal::Metrics {
                            carriers.push(Target::Item(number as u32));
                            continue;
                        }
                        let Some(metric) = index.metrics.get(number) else { continue };
                        carriers.push(Target::Metric(number as u32));
                        carriers.extend(metric.items().map(|item| Target::Item(item as u32)));
                    }
                }
            }
        }
        Self { data, index, wanted, signal, carriers: carriers.into_iter(), last: None }
    }

    /// Adds the fields of everything up to what carries `target`. Targets come in the order of the carriers.
    fn up_to(&mut self, target: Target, projection: &mut Projection) {
        let until = carrier(target);
        while self.last != Some(until) {
            let Some(next) = self.carriers.next() else { return };
            self.add(next, projection);
        }
    }

    /// Adds the fields of all that is left.
    fn rest(&mut self, projection: &mut Projection) {
        while let Some(next) = self.carriers.next() {
            self.add(next, projection);
        }
    }

    fn add(&mut self, target: Target, projection: &mut Projection) {
        self.last = Some(target);
        let Some(message) = self.data.get(self.range(target)) else { return };
        for (number, intrinsic) in self.wanted.iter().enumerate() {
            if let Some((level, value)) = self.read(target, *intrinsic, message) {
                push(&mut projection.columns, target, level, INTRINSIC | number as u32, &value);
                projection.places.push(Place { target, field: Field::Intrinsic(*intrinsic) });
            }
        }
    }

    /// The bytes of the message that carries the fields.
    fn range(&self, target: Target) -> Range<usize> {
        match target {
            Target::Scope(number) => self.index.scopes.get(number as usize).map(tailrace_otlp::Scope::range),
            Target::Metric(number) => self.index.metrics.get(number as usize).map(tailrace_otlp::Metric::range),
            Target::Item(number) => self.index.items.get(number as usize).map(tailrace_otlp::Item::range),
            _ => None,
        }
        .unwrap_or_default()
    }

    /// The value of a field, if messages of this kind have it.
    fn read(
        &self,
        target: Target,
        intrinsic: Intrinsic,
        message: &'a [u8],
    ) -> Option<(Level, tailrace_otlp::Value<'a>)> {
        use tailrace_otlp::Value as Otlp;
        let span = || SpanView::new(message);
        let log = || LogRecordView::new(message);
        let value = match (target, self.signal, intrinsic) {
            (Target::Scope(_), _, Intrinsic::ScopeName) => {
                return Some((Level::Scope, Otlp::String(ScopeView::new(message).name())));
            }
            (Target::Scope(_), _, Intrinsic::ScopeVersion) => {
                return Some((Level::Scope, Otlp::String(ScopeView::new(message).version())));
            }
            (Target::Metric(_), _, Intrinsic::MetricName) => {
                return Some((Level::Metric, Otlp::String(MetricView::new(message).name())));
            }
            (Target::Item(_), Signal::Traces, Intrinsic::SpanName) => Otlp::String(span().name()),
            (Target::Item(_), Signal::Traces, Intrinsic::SpanKind) => Otlp::Int(span().kind().into()),
            (Target::Item(_), Signal::Traces, Intrinsic::SpanStatus) => Otlp::Int(status(span().status_code())),
            (Target::Item(_), Signal::Traces, Intrinsic::SpanDuration) => {
                let nanos = span().end_time_unix_nano().saturating_sub(span().start_time_unix_nano());
                Otlp::Int(i64::try_from(nanos).unwrap_or(i64::MAX))
            }
            (Target::Item(_), Signal::Traces, Intrinsic::SpanStatusMessage) => Otlp::String(span().status_message()),
            (Target::Item(_), Signal::Traces, Intrinsic::SpanTraceId) => {
                Otlp::Bytes(span().trace_id().map_or(&[], |id| id.as_slice()))
            }
            (Target::Item(_), Signal::Traces, Intrinsic::SpanParentId) => Otlp::Bytes(span().parent_span_id()?),
            (Target::Item(_), Signal::Logs, Intrinsic::LogSeverity) => Otlp::Int(log().severity_number().into()),
            (Target::Item(_), Signal::Logs, Intrinsic::LogSeverityText) => Otlp::String(log().severity_text()),
            (Target::Item(_), Signal::Logs, Intrinsic::LogBody) => match log().body() {
                Otlp::Empty => return None,
                body => body,
            },
            _ => return None,
        };
        Some((Level::Item, value))
    }
}
