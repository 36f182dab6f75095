//! Applies patches: one copy of the request with new lengths where something changed, and the index along with it.

use super::{Container, Open, Patch, Patches};
use crate::Error;
use crate::index::{Context, Index, Metric, NONE};
use crate::wire;
use alloc::vec;
use alloc::vec::Vec;

/// The request with all patches applied, and its index. The value of the patch with the number `left_out` is missing.
pub(super) fn splice<'e>(
    data: &[u8],
    index: &Index,
    patches: &Patches<'e>,
    left_out: Option<usize>,
) -> Result<(Open<'e>, Index), Error> {
    let growth = Growth::of(data, index, patches);
    let bytes = data.len().checked_add_signed(growth.request).filter(|bytes| *bytes < u32::MAX as usize);
    let bytes = bytes.ok_or(Error::too_large())?;
    let left_out = left_out.and_then(|number| patches.list.get(number));
    let capacity = bytes.saturating_sub(left_out.map_or(0, |patch| patch.value.len()));
    let out = Open { bytes: Vec::with_capacity(capacity), at: 0, value: &[] };
    let mut splicer = Splicer { data, old: index, patches, left_out, growth, out, copied: 0, index: index.clone() };
    splicer.request();
    debug_assert_eq!(splicer.out.len(), bytes);
    splicer.index.bytes = splicer.out.len() as u32;
    Ok((splicer.out, splicer.index))
}

/// By how many bytes the messages grow (or shrink), their own tag and length not counted.
struct Growth {
    /// Only items with patches, in order.
    items: Vec<(u32, isize)>,
    metrics: Vec<isize>,
    /// Of the data in the metrics.
    points: Vec<isize>,
    scopes: Vec<isize>,
    resources: Vec<isize>,
    request: isize,
}

/// By how many bytes a message's record grows whose payload at `offset` grows by `growth`: the length may take more bytes,
/// or fewer. A message that does not change keeps its length as it is encoded.
fn record(data: &[u8], offset: usize, len: usize, growth: isize) -> isize {
    if growth == 0 {
        return 0;
    }
    let old = offset - wire::varint_start_before(data, offset);
    let new = wire::varint_len(len.saturating_add_signed(growth) as u64);
    growth + new as isize - old as isize
}

fn add(growths: &mut [isize], number: u32, growth: isize) {
    if let Some(sum) = growths.get_mut(number as usize) {
        *sum += growth;
    }
}

impl Growth {
    fn of(data: &[u8], index: &Index, patches: &Patches<'_>) -> Self {
        let mut this = Self {
            items: Vec::new(),
            metrics: vec![0; index.metrics.len()],
            points: vec![0; index.metrics.len()],
            scopes: vec![0; index.scopes.len()],
            resources: vec![0; index.resources.len()],
            request: 0,
        };
        for patch in &patches.list {
            let growth = patch.growth();
            match patch.container {
                Container::Resource(number) => add(&mut this.resources, number, growth),
                Container::Scope(number) => add(&mut this.scopes, number, growth),
                Container::Metric(number) => add(&mut this.metrics, number, growth),
                Container::Item(number) => match this.items.last_mut() {
                    Some((last, sum)) if *last == number => *sum += growth,
                    _ => this.items.push((number, growth)),
                },
            }
        }
        // From the inside out.
        for &(number, growth) in &this.items {
            let Some(item) = index.items.get(number as usize) else { continue };
            let growth = record(data, item.offset as usize, item.len as usize, growth);
            add(if index.metrics.is_empty() { &mut this.scopes } else { &mut this.points }, item.parent, growth);
        }
        for (number, metric) in index.metrics.iter().enumerate() {
            let points = this.points.get(number).copied().unwrap_or_default();
            if points != 0 {
                let growth = record(data, metric.data_offset as usize, metric.data_len as usize, points);
                add(&mut this.metrics, number as u32, growth);
            }
            let own = this.metrics.get(number).copied().unwrap_or_default();
            add(&mut this.scopes, metric.scope, record(data, metric.offset as usize, metric.len as usize, own));
        }
        for (scope, growth) in index.scopes.iter().zip(&this.scopes) {
            let growth = record(data, scope.offset as usize, scope.len as usize, *growth);
            add(&mut this.resources, scope.resource, growth);
        }
        for (resource, growth) in index.resources.iter().zip(&this.resources) {
            this.request += record(data, resource.offset as usize, resource.len as usize, *growth);
        }
        this
    }
}

struct Splicer<'a, 'e> {
    data: &'a [u8],
    old: &'a Index,
    patches: &'a Patches<'e>,
    left_out: Option<&'a Patch<'e>>,
    growth: Growth,
    out: Open<'e>,
    /// Up to where the old request has been copied or replaced.
    copied: usize,
    /// Still the old numbers where the walk has not come by.
    index: Index,
}

/// The patches of one container, to be used up in order.
type Own<'p, 'e> = core::iter::Peekable<core::slice::Iter<'p, Patch<'e>>>;

impl<'a, 'e> Splicer<'a, 'e> {
    /// Copies the old request up to `to`.
    fn copy(&mut self, to: usize) {
        self.out.bytes.extend_from_slice(self.data.get(self.copied..to).unwrap_or_default());
        self.copied = to;
    }

    /// Where the old offset, which lies behind what has been copied with nothing to replace in between, comes to lie.
    fn map(&self, old: usize) -> u32 {
        (self.out.len() + old - self.copied) as u32
    }

    /// Writes the record of a message up to its payload at `offset`, with the new length, and returns the latter.
    fn enter(&mut self, offset: u32, len: u32, growth: isize) -> u32 {
        if growth == 0 {
            return len;
        }
        let len = (len as usize).saturating_add_signed(growth);
        self.copy(wire::varint_start_before(self.data, offset as usize));
        wire::put_varint(&mut self.out.bytes, len as u64);
        self.copied = offset as usize;
        len as u32
    }

    fn patches(&self, container: Container) -> Own<'a, 'e> {
        let list = &self.patches.list;
        let start = list.partition_point(|patch| patch.container < container);
        let end = list.partition_point(|patch| patch.container <= container);
        list.get(start..end).unwrap_or_default().iter().peekable()
    }

    /// Applies the patches that start at or before `before`.
    fn apply(&mut self, own: &mut Own<'a, 'e>, before: usize) {
        while let Some(patch) = own.next_if(|patch| patch.old.start <= before) {
            self.copy(patch.old.start);
            self.out.bytes.extend_from_slice(self.patches.text.get(patch.new.clone()).unwrap_or_default());
            if self.left_out.is_some_and(|left_out| core::ptr::eq(left_out, patch)) {
                (self.out.at, self.out.value) = (self.out.bytes.len(), patch.value);
            } else {
                self.out.bytes.extend_from_slice(patch.value);
            }
            self.copied = patch.old.end;
        }
    }

    fn request(&mut self) {
        let old = self.old;
        if self.patches.list.is_empty() {
            self.copy(self.data.len());
            return;
        }
        let mut root = old.root;
        for (number, resource) in old.resources.iter().enumerate() {
            if number == 0 {
                root.head = self.map(root.head as usize);
            }
            root.tail = self.resource(number, resource.range().end);
        }
        if old.resources.is_empty() {
            root = Context { head: self.map(self.data.len()), tail: self.map(self.data.len()), scattered: false };
        }
        self.index.root = root;
        self.copy(self.data.len());
    }

    /// Returns where the resource ends now.
    fn resource(&mut self, number: usize, end: usize) -> u32 {
        let old = self.old;
        let Some(mut resource) = old.resources.get(number).copied() else { return 0 };
        let mut own = self.patches(Container::Resource(number as u32));
        let growth = self.growth.resources.get(number).copied().unwrap_or_default();
        resource.len = self.enter(resource.offset, resource.len, growth);
        resource.offset = self.map(resource.offset as usize);
        let context = resource.context;
        for (i, number) in resource.scopes().enumerate() {
            let Some(scope) = old.scopes.get(number) else { continue };
            if i == 0 {
                self.apply(&mut own, context.head as usize);
                resource.context.head = self.map(context.head as usize);
            }
            self.apply(&mut own, scope.offset as usize);
            resource.context.tail = self.scope(number, scope.range().end);
        }
        self.apply(&mut own, end);
        let new_end = self.map(end);
        if resource.count == 0 {
            resource.context = Context { head: new_end, tail: new_end, scattered: false };
        }
        if let Some(slot) = self.index.resources.get_mut(number) {
            *slot = resource;
        }
        new_end
    }

    fn scope(&mut self, number: usize, end: usize) -> u32 {
        let old = self.old;
        let Some(mut scope) = old.scopes.get(number).copied() else { return 0 };
        let mut own = self.patches(Container::Scope(number as u32));
        let growth = self.growth.scopes.get(number).copied().unwrap_or_default();
        scope.len = self.enter(scope.offset, scope.len, growth);
        scope.offset = self.map(scope.offset as usize);
        let context = scope.context;
        if scope.count > 0 {
            self.apply(&mut own, context.head as usize);
            scope.context.head = self.map(context.head as usize);
        }
        if old.metrics.is_empty() {
            scope.context.tail = self.items(scope.children(), &mut own).unwrap_or(scope.context.tail);
        } else {
            for number in scope.children() {
                let Some(metric) = old.metrics.get(number) else { continue };
                self.apply(&mut own, metric.offset as usize);
                scope.context.tail = self.metric(number, *metric);
            }
        }
        self.apply(&mut own, end);
        let new_end = self.map(end);
        if scope.count == 0 {
            scope.context = Context { head: new_end, tail: new_end, scattered: false };
        }
        if let Some(slot) = self.index.scopes.get_mut(number) {
            *slot = scope;
        }
        new_end
    }

    fn metric(&mut self, number: usize, old: Metric) -> u32 {
        let mut metric = old;
        let mut own = self.patches(Container::Metric(number as u32));
        let growth = self.growth.metrics.get(number).copied().unwrap_or_default();
        metric.len = self.enter(old.offset, old.len, growth);
        metric.offset = self.map(old.offset as usize);
        if let Some(range) = old.data_range() {
            self.apply(&mut own, old.context.head as usize);
            metric.context.head = self.map(old.context.head as usize);
            let growth = self.growth.points.get(number).copied().unwrap_or_default();
            metric.data_len = self.enter(old.data_offset, old.data_len, growth);
            metric.data_offset = self.map(old.data_offset as usize);
            metric.data_context.head = self.map(old.data_context.head as usize);
            let tail = self.items(old.items(), &mut [].iter().peekable());
            let data_end = self.map(range.end);
            metric.data_context.tail = tail.unwrap_or(data_end);
            metric.context.tail = data_end;
        }
        let end = old.range().end;
        self.apply(&mut own, end);
        let new_end = self.map(end);
        if old.data_offset == NONE {
            metric.context = Context { head: new_end, tail: new_end, scattered: false };
        }
        if let Some(slot) = self.index.metrics.get_mut(number) {
            *slot = metric;
        }
        new_end
    }

    /// The items of one parent, whose own patches may lie between them. Returns where the last one ends now.
    fn items(&mut self, numbers: core::ops::Range<usize>, own: &mut Own<'a, 'e>) -> Option<u32> {
        let old = self.old;
        let list = &self.patches.list;
        let mut next = list.partition_point(|patch| patch.container < Container::Item(numbers.start as u32));
        let mut end = None;
        let mut number = numbers.start;
        while number < numbers.end {
            let patch = list.get(next).and_then(|patch| match patch.container {
                Container::Item(item) => Some(item as usize),
                _ => None,
            });
            // Items without patches only move, all by the same distance, unless the parent changes between them.
            let until = patch.filter(|item| *item < numbers.end).unwrap_or(numbers.end);
            let until = if own.peek().is_some() { until.min(number + 1) } else { until };
            if until > number {
                if let Some(first) = old.items.get(number) {
                    self.apply(own, first.offset as usize);
                }
                let shift = (self.out.len() as u32).wrapping_sub(self.copied as u32);
                for item in self.index.items.get_mut(number..until).unwrap_or_default() {
                    item.offset = item.offset.wrapping_add(shift);
                    if item.trace != NONE {
                        item.trace = item.trace.wrapping_add(shift);
                    }
                    end = Some(item.offset + item.len);
                }
                number = until;
            }
            if patch != Some(number) || number >= numbers.end {
                continue;
            }
            let Some(mut item) = old.items.get(number).copied() else { break };
            self.apply(own, item.offset as usize);
            let (mut first, mut growth) = (true, 0);
            let mut last = next;
            while let Some(patch) = list.get(last).filter(|patch| patch.container == Container::Item(number as u32)) {
                growth += patch.growth();
                last += 1;
            }
            let (old_end, trace) = (item.range().end, item.trace);
            item.len = self.enter(item.offset, item.len, growth);
            item.offset = self.map(item.offset as usize);
            let mut patches = list.get(next..last).unwrap_or_default().iter().peekable();
            while patches.peek().is_some() {
                let start = patches.peek().map_or(old_end, |patch| patch.old.start);
                if first && trace != NONE && (trace as usize) < start {
                    item.trace = self.map(trace as usize);
                    first = false;
                }
                self.apply(&mut patches, start);
            }
            if first && trace != NONE {
                item.trace = self.map(trace as usize);
            }
            let new_end = self.map(old_end);
            if let Some(slot) = self.index.items.get_mut(number) {
                *slot = item;
            }
            end = Some(new_end);
            next = last;
            number += 1;
        }
        end
    }
}
