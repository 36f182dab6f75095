//! Parts of a request: splitting by items or bytes, and dropping items.

use crate::index::Index;
use crate::wire;
use crate::write::RequestWriter;
use crate::{Error, Signal};
use alloc::vec::Vec;
use core::ops::Range;

/// How big the parts of a split may be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Bound {
    /// At most so many items; 0 counts as 1.
    Items(usize),
    /// At most so many encoded bytes. An item that is bigger even alone (with its contexts) goes alone.
    Bytes(usize),
}

/// Splits a request into parts within a bound, each a request with its index.
///
/// Items stay in order, each in a copy of its context; all parts but the last are as full as they can be. A metric is split
/// between its data points. Scopes, resources and metrics without items vanish, so a request without items has no
/// parts. Fields of the request itself that this crate does not know are in every part.
#[must_use]
pub fn split<'a>(signal: Signal, data: &'a [u8], index: &'a Index, bound: Bound) -> Split<'a> {
    Split { signal, data, index, bound, next: 0 }
}

/// Iterator over the parts of a request.
#[derive(Clone, Debug)]
pub struct Split<'a> {
    signal: Signal,
    data: &'a [u8],
    index: &'a Index,
    bound: Bound,
    next: usize,
}

impl Split<'_> {
    /// How many items fit into the part that starts at `first`, and how many bytes they probably take.
    fn fill(&self, first: usize) -> (usize, Option<usize>) {
        let left = self.index.items.len() - first;
        match self.bound {
            Bound::Items(max) => (max.clamp(1, left), None),
            Bound::Bytes(max) => {
                let mut size = Size::new(self.data, self.index);
                let mut count = 0;
                let mut bytes = 0;
                for item in first..self.index.items.len() {
                    size.add(item);
                    let total = size.total();
                    if total > max && count > 0 {
                        break;
                    }
                    bytes = total;
                    count += 1;
                }
                (count, Some(bytes))
            }
        }
    }
}

impl Iterator for Split<'_> {
    type Item = (Vec<u8>, Index);

    fn next(&mut self) -> Option<(Vec<u8>, Index)> {
        if self.next >= self.index.items.len() {
            return None;
        }
        let first = self.next;
        let (count, bytes) = self.fill(first);
        self.next += count;
        let range = first..self.next;
        // A part of a request that fits 32 bits fits too.
        write(self.signal, self.data, self.index, core::iter::once(range), count, bytes).ok()
    }
}

impl core::iter::FusedIterator for Split<'_> {}

/// The request with only those items for which `keep` (asked once for each number, in order) is true. Scopes, resources and
/// metrics without items vanish.
///
/// # Errors
/// If the result is longer than `u32::MAX` bytes, which it is only if the request was about as long.
pub fn select(
    signal: Signal,
    data: &[u8],
    index: &Index,
    mut keep: impl FnMut(usize) -> bool,
) -> Result<(Vec<u8>, Index), Error> {
    let mut ranges: Vec<Range<usize>> = Vec::new();
    let mut count = 0;
    for item in 0..index.items.len() {
        if !keep(item) {
            continue;
        }
        count += 1;
        match ranges.last_mut() {
            Some(last) if last.end == item => last.end += 1,
            _ => ranges.push(item..item + 1),
        }
    }
    write(signal, data, index, ranges.into_iter(), count, None)
}

/// Writes the items of `ranges`, `count` in all, with their contexts.
fn write(
    signal: Signal,
    data: &[u8],
    index: &Index,
    ranges: impl Iterator<Item = Range<usize>>,
    count: usize,
    bytes: Option<usize>,
) -> Result<(Vec<u8>, Index), Error> {
    let total = index.items.len().max(1);
    let likely = bytes.unwrap_or_else(|| {
        let share = data.len() as u64 * count as u64 / total as u64;
        share as usize + 512
    });
    let mut writer = RequestWriter::with_capacity(signal, likely, count);
    index.root.pieces(data, 0..data.len(), 1, |piece| writer.root(piece));
    let mut current = Place::default();
    let hint = |len: u32| Some((len as usize).min(likely));
    for range in ranges {
        let mut next = range.start;
        while next < range.end {
            let Some(place) = Place::of(index, next) else { break };
            if current.resource != place.resource
                && let Some(resource) = place.resource.and_then(|number| index.resources.get(number))
            {
                writer.resource_with(hint(resource.len), |out| {
                    resource.context.pieces(data, resource.range(), 2, |piece| out.extend_from_slice(piece));
                });
            }
            if current.scope != place.scope
                && let Some(scope) = place.scope.and_then(|number| index.scopes.get(number))
            {
                writer.scope_with(hint(scope.len), |out| {
                    scope.context.pieces(data, scope.range(), 2, |piece| out.extend_from_slice(piece));
                });
            }
            if current.metric != place.metric
                && let Some(metric) = place.metric.and_then(|number| index.metrics.get(number))
            {
                let (len, data_len) = ((metric.len as usize).min(likely), (metric.data_len as usize).min(likely));
                writer.metric_with(
                    metric.kind,
                    Some((len, data_len)),
                    |out| {
                        let child = metric.kind.field();
                        metric.context.pieces(data, metric.range(), child, |piece| out.extend_from_slice(piece));
                    },
                    |out| {
                        let range = metric.data_range().unwrap_or_default();
                        metric.data_context.pieces(data, range, 1, |piece| out.extend_from_slice(piece));
                    },
                );
            }
            let end = place.items.end.min(range.end);
            let items = index.items.get(next..end).unwrap_or_default();
            if place.scattered {
                for item in items {
                    writer.item(data.get(item.range()).unwrap_or_default(), item.trace_in_item());
                }
            } else if let Some(last) = items.last() {
                let start = place.record_start(index, next);
                writer.copy_run(data, start..last.range().end, items);
            }
            current = place;
            next = end;
        }
    }
    writer.finish()
}

/// Where an item belongs.
#[derive(Clone, Debug, Default)]
struct Place {
    resource: Option<usize>,
    scope: Option<usize>,
    metric: Option<usize>,
    /// The items with the same parent.
    items: Range<usize>,
    /// Where the records of those items start.
    head: usize,
    /// Whether there is something between them.
    scattered: bool,
}

impl Place {
    fn of(index: &Index, item: usize) -> Option<Self> {
        let parent = index.items.get(item)?.parent as usize;
        if index.metrics.is_empty() {
            let scope = index.scopes.get(parent)?;
            return Some(Self {
                resource: Some(scope.resource as usize),
                scope: Some(parent),
                metric: None,
                items: scope.children(),
                head: scope.context.head as usize,
                scattered: scope.context.scattered,
            });
        }
        let metric = index.metrics.get(parent)?;
        let scope = metric.scope as usize;
        Some(Self {
            resource: Some(index.scopes.get(scope)?.resource as usize),
            scope: Some(scope),
            metric: Some(parent),
            items: metric.items(),
            head: metric.data_context.head as usize,
            scattered: metric.data_context.scattered,
        })
    }

    /// Offset of the tag of item `item`, which belongs here, if nothing lies between the items.
    fn record_start(&self, index: &Index, item: usize) -> usize {
        match item
            .checked_sub(1)
            .filter(|before| self.items.contains(before))
            .and_then(|before| index.items.get(before))
        {
            Some(before) => before.range().end,
            None => self.head,
        }
    }
}

/// The encoded size of a request that grows item by item.
struct Size<'a> {
    data: &'a [u8],
    index: &'a Index,
    place: Place,
    /// Bytes in the request, the open resource, scope, metric and its data, without what is open inside.
    request: usize,
    resource: usize,
    scope: usize,
    metric: usize,
    points: usize,
}

impl<'a> Size<'a> {
    fn new(data: &'a [u8], index: &'a Index) -> Self {
        let request = index.root.len(data, 0..data.len(), 1);
        Self { data, index, place: Place::default(), request, resource: 0, scope: 0, metric: 0, points: 0 }
    }

    /// Bytes of the open scope with its open metric, if any.
    fn scope_len(&self) -> usize {
        match self.place.metric {
            Some(_) => self.scope + wire::len_field_len(self.metric + wire::len_field_len(self.points)),
            None => self.scope,
        }
    }

    fn resource_len(&self) -> usize {
        match self.place.scope {
            Some(_) => self.resource + wire::len_field_len(self.scope_len()),
            None => self.resource,
        }
    }

    fn total(&self) -> usize {
        match self.place.resource {
            Some(_) => self.request + wire::len_field_len(self.resource_len()),
            None => self.request,
        }
    }

    fn add(&mut self, item: usize) {
        if !self.place.items.contains(&item) {
            self.enter(item);
        }
        let Some(entry) = self.index.items.get(item) else { return };
        let record = if self.place.scattered {
            wire::len_field_len(entry.len as usize)
        } else {
            entry.range().end - self.place.record_start(self.index, item)
        };
        *(if self.place.metric.is_some() { &mut self.points } else { &mut self.scope }) += record;
    }

    /// Opens what item `item` needs and closes what it does not.
    fn enter(&mut self, item: usize) {
        let Some(place) = Place::of(self.index, item) else { return };
        let Self { data, index, .. } = *self;
        if place.resource != self.place.resource {
            self.request = self.total();
            self.place.scope = None;
            let resource = place.resource.and_then(|number| index.resources.get(number));
            self.resource = resource.map_or(0, |resource| resource.context.len(data, resource.range(), 2));
        }
        if place.scope != self.place.scope {
            self.resource = self.resource_len();
            self.place.metric = None;
            let scope = place.scope.and_then(|number| index.scopes.get(number));
            self.scope = scope.map_or(0, |scope| scope.context.len(data, scope.range(), 2));
        }
        if place.metric != self.place.metric {
            self.scope = self.scope_len();
            let metric = place.metric.and_then(|number| index.metrics.get(number));
            self.metric = metric.map_or(0, |metric| metric.context.len(data, metric.range(), metric.kind.field()));
            self.points = metric
                .and_then(|metric| Some((metric, metric.data_range()?)))
                .map_or(0, |(metric, range)| metric.data_context.len(data, range, 1));
        }
        self.place = place;
    }
}
