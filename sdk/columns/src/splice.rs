//! From edits back to a batch: the host's half, also used by the SDK's native tests.

use crate::edits::{Action, BadEdit, Edits, Limits};
use crate::project::{Field, Place, Projection};
use crate::{Intrinsic, Level, Put, Value};
use alloc::vec::Vec;
use core::ops::Range;
use tailrace_otlp::{Error, Index, New, Open, Signal, Target, close_within, select};

/// A new value of so many bytes is not moved into the new request: the request is written around it, where the plugin's answer
/// has it. Memory for megabytes is new memory each time, and to get it costs more than to copy.
pub(crate) const LONG: usize = 64 << 10;

/// What the edits made of a batch.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Spliced {
    /// The new request and its index; `None` if nothing changed.
    pub request: Option<(Vec<u8>, Index)>,
    /// Values that were set or added.
    pub set: usize,
    /// Attributes that were removed.
    pub removed: usize,
    /// Items that were dropped.
    pub dropped: usize,
}

/// Applies the edits that a plugin made to `projection`, which was projected from this request.
///
/// # Errors
/// The first edit that makes no sense; then nothing is changed.
pub fn splice(
    signal: Signal,
    data: &[u8],
    index: &Index,
    projection: &Projection,
    edits: Edits,
    limits: &Limits,
) -> Result<Spliced, BadEdit> {
    let mut spliced = Spliced::default();
    let mut changes = tailrace_otlp::Edits::new();
    let mut drops: Vec<Range<usize>> = Vec::new();
    for edit in edits.check(projection.places.len(), limits)? {
        let Some(place) = projection.places.get(edit.row as usize) else { return Err(BadEdit::NoRow(edit.row)) };
        let fits = match edit.action {
            Action::Drop => {
                drops.push(items(index, place.target));
                true
            }
            Action::Remove => {
                spliced.removed += 1;
                remove(&mut changes, place)
            }
            Action::Set => {
                spliced.set += 1;
                set(&mut changes, place, data, edit.value)
            }
        };
        if !fits {
            return Err(BadEdit::BadValue(edit.row));
        }
    }
    for addition in edits.additions.check(&projection.columns.shape, limits)? {
        let target = target(addition.level, addition.owner);
        match (addition.put, to_otlp(addition.value)) {
            (Put::Set, Some(value)) => changes.set(target, addition.key, New::Borrowed(value)),
            (Put::Insert, Some(value)) => changes.insert(target, addition.key, New::Borrowed(value)),
            (Put::Drop, _) => drops.push(items(index, target)),
            _ => {}
        }
        spliced.set += usize::from(addition.put != Put::Drop);
    }
    let too_much = |_: Error| BadEdit::TooMuch;
    let mut request = None;
    if !changes.is_empty() {
        let (open, index) = changes.apply_open(signal, data, index, LONG).map_err(too_much)?;
        let bytes = match Home::of(&open, core::slice::from_ref(&edits)) {
            None => open.close(),
            Some(home) => {
                let Open { bytes, at, .. } = open;
                home.close([edits], &bytes, at)
            }
        };
        request = Some((bytes, index));
    }
    let written = drop_items(signal, data, index, request, drops).map_err(too_much)?;
    Ok(Spliced { set: spliced.set, removed: spliced.removed, ..written })
}

/// Where the value lies that is missing in an open request: in which answer, whether in its additions, and where in there.
pub(crate) struct Home {
    answer: usize,
    in_additions: bool,
    value: Range<usize>,
}

impl Home {
    /// `None` if nothing is missing, or if other things take most of its buffer.
    pub(crate) fn of(open: &Open<'_>, answers: &[Edits]) -> Option<Self> {
        let buffers = answers.iter().flat_map(|answer| [&answer.data, &answer.additions.data]);
        buffers.enumerate().find_map(|(number, buffer)| {
            let start = open.value.as_ptr().addr().checked_sub(buffer.as_ptr().addr())?;
            let value = start..start.checked_add(open.value.len())?;
            let lies_here = !value.is_empty() && value.end <= buffer.len();
            let is_most = value.len() >= buffer.capacity() / 2;
            (lies_here && is_most).then_some(Self { answer: number / 2, in_additions: number % 2 == 1, value })
        })
    }

    /// The whole request: within the buffer that the value is in.
    pub(crate) fn close(self, answers: impl IntoIterator<Item = Edits>, rest: &[u8], at: usize) -> Vec<u8> {
        let answer = answers.into_iter().nth(self.answer).unwrap_or_default();
        let buffer = if self.in_additions { answer.additions.data } else { answer.data };
        close_within(buffer, self.value, rest, at)
    }
}

/// Drops ranges of items from the request, which may have been written anew. `set` and `removed` of the outcome are 0.
pub(crate) fn drop_items(
    signal: Signal,
    data: &[u8],
    index: &Index,
    request: Option<(Vec<u8>, Index)>,
    mut drops: Vec<Range<usize>>,
) -> Result<Spliced, Error> {
    let mut spliced = Spliced { request, ..Spliced::default() };
    if !drops.is_empty() {
        drops.sort_unstable_by_key(|range| range.start);
        let mut drops = drops.into_iter().peekable();
        let mut gone = 0..0;
        let before = index.len();
        let (data, index) = spliced.request.as_ref().map_or((data, index), |(data, index)| (data, index));
        let keep = |item: usize| {
            while let Some(next) = drops.next_if(|next| next.start <= item) {
                gone = gone.start..gone.end.max(next.end);
            }
            item >= gone.end
        };
        let (data, index) = select(signal, data, index, keep)?;
        spliced.dropped = before - index.len();
        spliced.request = Some((data, index));
    }
    Ok(spliced)
}

/// What an addition is about.
pub(crate) fn target(level: Level, owner: u32) -> Target {
    match level {
        Level::Resource => Target::Resource(owner),
        Level::Scope => Target::Scope(owner),
        Level::Metric => Target::Metric(owner),
        _ => Target::Item(owner),
    }
}

/// The items that go if this is dropped.
pub(crate) fn items(index: &Index, target: Target) -> Range<usize> {
    match target {
        Target::Resource(number) => {
            let Some(resource) = index.resources.get(number as usize) else { return 0..0 };
            // Not scope by scope: there may be very many, empty ones too, and very many drops of one resource.
            let items_before = |scope: usize| {
                let parent = match index.metrics.is_empty() {
                    true => scope,
                    false => index.metrics.partition_point(|metric| (metric.scope as usize) < scope),
                };
                index.items.partition_point(|item| (item.parent as usize) < parent)
            };
            let scopes = resource.scopes();
            items_before(scopes.start)..items_before(scopes.end)
        }
        Target::Scope(number) => index.items_of_scope(number as usize),
        Target::Metric(number) => index.metrics.get(number as usize).map_or(0..0, tailrace_otlp::Metric::items),
        Target::Item(item) | Target::Event { item, .. } | Target::Link { item, .. } | Target::Exemplar { item, .. } => {
            item as usize..item as usize + 1
        }
    }
}

fn remove(changes: &mut tailrace_otlp::Edits<'_>, place: &Place) -> bool {
    let Field::Attribute(record) = &place.field else { return false };
    changes.remove_found(place.target, record.clone());
    true
}

fn set<'v>(changes: &mut tailrace_otlp::Edits<'v>, place: &Place, data: &[u8], value: Value<'v>) -> bool {
    let Some(new) = to_otlp(value).map(New::Borrowed) else { return false };
    match &place.field {
        Field::Attribute(record) => {
            let Some(key) = key(data, record.clone()) else { return false };
            changes.set_found(place.target, record.clone(), key, new);
            true
        }
        Field::Intrinsic(intrinsic) => intrinsic.accepts(&value) && set_field(changes, place.target, *intrinsic, new),
    }
}

/// Sets a field to a value that it accepts; false if it cannot be set.
pub(crate) fn set_field<'v>(
    changes: &mut tailrace_otlp::Edits<'v>,
    target: Target,
    intrinsic: Intrinsic,
    value: New<'_, 'v>,
) -> bool {
    let field = match intrinsic {
        Intrinsic::SpanName => tailrace_otlp::Intrinsic::SpanName,
        Intrinsic::SpanKind => tailrace_otlp::Intrinsic::SpanKind,
        Intrinsic::SpanStatus => tailrace_otlp::Intrinsic::SpanStatusCode,
        Intrinsic::SpanStatusMessage => tailrace_otlp::Intrinsic::SpanStatusMessage,
        Intrinsic::LogSeverityText => tailrace_otlp::Intrinsic::LogSeverityText,
        Intrinsic::LogSeverity => tailrace_otlp::Intrinsic::LogSeverityNumber,
        Intrinsic::LogBody => tailrace_otlp::Intrinsic::LogBody,
        Intrinsic::MetricName => tailrace_otlp::Intrinsic::MetricName,
        Intrinsic::ScopeName => tailrace_otlp::Intrinsic::ScopeName,
        _ => return false,
    };
    changes.set_intrinsic(target, field, value)
}

/// A value as OTLP has it, if it can be set.
pub(crate) fn to_otlp(value: Value<'_>) -> Option<tailrace_otlp::Value<'_>> {
    use tailrace_otlp::Value as Otlp;
    Some(match value {
        Value::String(text) => Otlp::from(text),
        Value::Bool(truth) => Otlp::Bool(truth),
        Value::Int(number) => Otlp::Int(number),
        Value::Double(number) => Otlp::Double(number),
        Value::Bytes(bytes) => Otlp::Bytes(bytes),
        Value::Nested(message) => Otlp::new(message),
        Value::Empty => return None,
    })
}

/// The key of the attribute whose field lies here.
fn key(data: &[u8], record: Range<usize>) -> Option<&str> {
    let field = tailrace_otlp::wire::Fields::new(data.get(record)?).next()?;
    Some(tailrace_otlp::KeyValue::new(field.bytes()?).key.to_str())
}
