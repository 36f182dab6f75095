//! Turns edits into patches: finds what they aim at and encodes what comes there.

use super::{Container, Edits, Intrinsic, Op, Patches, What};
use crate::Signal;
use crate::find::Target;
use crate::index::{Index, MetricKind};
use crate::view::DataPointKind;
use alloc::vec::Vec;
use core::ops::Range;
use message::{Cursor, Message};

mod by_key;
mod message;
mod slot;

/// Bytes of an attribute that are not of its value, about.
const HEADERS: usize = 32;

/// The messages inside a container that are edited: itself, or some of its sub-messages.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Part {
    /// The container itself.
    Own,
    /// The one message in field `.0`; all of them together, should there be several.
    Single(u32),
    /// The message number `.1` of those in field `.0`.
    Nth(u32, u32),
}

/// Where an operation happens.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Place {
    container: Container,
    part: Part,
}

/// All patches for `edits`.
pub(super) fn resolve<'e>(edits: &'e Edits<'_>, signal: Signal, data: &[u8], index: &Index) -> Patches<'e> {
    let mut ops: Vec<(Place, &Op<'_>)> =
        edits.ops.iter().filter_map(|op| Some((place(op, signal, index)?, op))).collect();
    // Stable: operations at one place keep their order.
    ops.sort_by_key(|(place, _)| *place);
    let mut patches = Patches::default();
    patches.text.reserve(ops.len().saturating_mul(HEADERS));
    let (mut slots, mut cursor) = (Vec::new(), Cursor::default());
    for same in ops.chunk_by(|a, b| a.0.container == b.0.container) {
        let before = patches.list.len();
        for group in same.chunk_by(|a, b| a.0 == b.0) {
            let Some((place, first)) = group.first() else { continue };
            let Some(range) = container(place.container, index) else { continue };
            let attributes = attributes_field(first.target, signal, index);
            let target = Message { data, range, attributes, place: *place };
            target.resolve(edits, group.iter().map(|(_, op)| *op), &mut slots, &mut cursor, &mut patches);
        }
        // Parts of one container are resolved one after the other but lie in any order.
        if let Some(same) = patches.list.get_mut(before..) {
            same.sort_by_key(|patch| (patch.old.start, patch.old.end));
        }
    }
    patches
}

fn place(op: &Op<'_>, signal: Signal, index: &Index) -> Option<Place> {
    let own = |container| Place { container, part: Part::Own };
    let single = |container, field| Place { container, part: Part::Single(field) };
    let nth = |item, field, n| Place { container: Container::Item(item), part: Part::Nth(field, n) };
    let intrinsic = match op.what {
        What::Intrinsic(intrinsic, _) => Some(intrinsic),
        _ => None,
    };
    let of_signal = match intrinsic {
        None | Some(Intrinsic::ScopeName) => true,
        Some(Intrinsic::SpanName | Intrinsic::SpanKind | Intrinsic::SpanStatusCode | Intrinsic::SpanStatusMessage) => {
            signal == Signal::Traces
        }
        Some(Intrinsic::LogBody | Intrinsic::LogSeverityNumber | Intrinsic::LogSeverityText) => signal == Signal::Logs,
        Some(Intrinsic::MetricName) => signal == Signal::Metrics,
    };
    if !of_signal {
        return None;
    }
    Some(match op.target {
        Target::Resource(number) => single(Container::Resource(number), 1),
        Target::Scope(number) => single(Container::Scope(number), 1),
        Target::Metric(number) if signal == Signal::Metrics => own(Container::Metric(number)),
        Target::Item(number) => match intrinsic {
            Some(Intrinsic::SpanStatusCode | Intrinsic::SpanStatusMessage) => single(Container::Item(number), 15),
            _ => own(Container::Item(number)),
        },
        Target::Event { item, event } if signal == Signal::Traces => nth(item, 11, event),
        Target::Link { item, link } if signal == Signal::Traces => nth(item, 13, link),
        Target::Exemplar { item, exemplar } if signal == Signal::Metrics => {
            nth(item, point_kind(item, index).exemplars(), exemplar)
        }
        _ => return None,
    })
}

fn container(container: Container, index: &Index) -> Option<Range<usize>> {
    match container {
        Container::Resource(number) => index.resources.get(number as usize).map(|resource| resource.range()),
        Container::Scope(number) => index.scopes.get(number as usize).map(|scope| scope.range()),
        Container::Metric(number) => index.metrics.get(number as usize).map(|metric| metric.range()),
        Container::Item(number) => index.items.get(number as usize).map(|item| item.range()),
    }
}

fn point_kind(item: u32, index: &Index) -> DataPointKind {
    let metric = index.items.get(item as usize).and_then(|item| index.metrics.get(item.parent as usize));
    DataPointKind::of(metric.map_or(MetricKind::Empty, |metric| metric.kind))
}

/// Field number of the attributes in the message of a target.
fn attributes_field(target: Target, signal: Signal, index: &Index) -> u32 {
    match (target, signal) {
        (Target::Resource(_), _) => 1,
        (Target::Scope(_) | Target::Event { .. }, _) => 3,
        (Target::Metric(_), _) => 12,
        (Target::Link { .. }, _) => 4,
        (Target::Exemplar { .. }, _) => 7,
        (Target::Item(_), Signal::Traces) => 9,
        (Target::Item(_), Signal::Logs) => 6,
        (Target::Item(item), Signal::Metrics) => point_kind(item, index).attributes(),
    }
}
