//! Messages that are open. How long one is, is known when it is closed, so there is room for its length in front of it: as much as
//! the last one of its level took, or as the caller guesses. If the guess was wrong the message is moved.

use super::RequestWriter;
use crate::index::{Context, Index, NONE};
use crate::wire::{self, WireType};

#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub(super) enum Level {
    Resource,
    Scope,
    Metric,
    Data,
}

/// A message whose length is not known yet.
#[derive(Clone, Copy, Debug)]
pub(super) struct Open {
    /// Offset of its payload; the room for its length is in front of it.
    start: usize,
    /// How much room that is, in bytes.
    width: usize,
}

impl RequestWriter {
    #[inline]
    pub(super) fn is_open(&self, level: Level) -> bool {
        self.open.get(level as usize).is_some_and(Option::is_some)
    }

    pub(super) fn start(&mut self, level: Level, number: u32, len_hint: Option<usize>) -> u32 {
        wire::put_tag(&mut self.out, number, WireType::Len);
        let guess = self.widths.get(level as usize).copied().unwrap_or(1);
        let width = len_hint.map_or(guess, |len| wire::varint_len(len as u64));
        self.out.resize(self.out.len() + width, 0);
        let start = self.out.len();
        if let Some(open) = self.open.get_mut(level as usize) {
            *open = Some(Open { start, width });
        }
        start as u32
    }

    /// Closes the open messages of `level` and inside.
    pub(super) fn close(&mut self, level: Level) {
        for inner in [Level::Data, Level::Metric, Level::Scope, Level::Resource] {
            if inner >= level
                && let Some(open) = self.open.get_mut(inner as usize).and_then(Option::take)
            {
                self.close_one(inner, open);
            }
        }
    }

    fn close_one(&mut self, level: Level, open: Open) {
        let len = self.out.len() - open.start;
        let needed = wire::varint_len(len as u64);
        let mut start = open.start;
        if needed != open.width {
            start = open.start - open.width + needed;
            let end = self.out.len();
            if needed > open.width {
                self.out.resize(end + needed - open.width, 0);
            }
            self.out.copy_within(open.start..end, start);
            self.out.truncate(start + len);
            self.moved(level, (start as u32).wrapping_sub(open.start as u32));
        }
        if let Some(width) = self.widths.get_mut(level as usize) {
            *width = needed;
        }
        let room = self.out.get_mut(start - needed..start).unwrap_or_default();
        let mut rest = len as u64;
        for (i, byte) in room.iter_mut().enumerate() {
            *byte = rest as u8 & 0x7f | if i + 1 < needed { 0x80 } else { 0 };
            rest >>= 7;
        }
        let end = self.out.len() as u32;
        let len = len as u32;
        let index = &mut self.index;
        match level {
            Level::Resource => {
                if let Some(resource) = index.resources.last_mut() {
                    resource.len = len;
                    resource.context.tail = end;
                    resource.count = index.scopes.len() as u32 - resource.first;
                }
            }
            Level::Scope => {
                if let Some(scope) = index.scopes.last_mut() {
                    scope.len = len;
                    scope.context.tail = end;
                    let children = if self.is_metrics { index.metrics.len() } else { index.items.len() };
                    scope.count = children as u32 - scope.first;
                }
            }
            Level::Metric => {
                if let Some(metric) = index.metrics.last_mut() {
                    metric.len = len;
                    metric.context.tail = end;
                    metric.count = index.items.len() as u32 - metric.first;
                }
            }
            Level::Data => {
                if let Some(metric) = index.metrics.last_mut() {
                    metric.data_len = len;
                    metric.data_context.tail = end;
                }
            }
        }
    }

    /// The payload of the last message of `level` has moved by `shift` (modulo 2^32), and everything in it.
    fn moved(&mut self, level: Level, shift: u32) {
        let Index { items, scopes, resources, metrics, .. } = &mut self.index;
        let by = |offset: &mut u32| *offset = offset.wrapping_add(shift);
        let context = |context: &mut Context| {
            by(&mut context.head);
            by(&mut context.tail);
        };
        let (mut first_scope, mut first_metric, mut first_item) = (scopes.len(), metrics.len(), items.len());
        if level == Level::Resource
            && let Some(resource) = resources.last_mut()
        {
            by(&mut resource.offset);
            context(&mut resource.context);
            first_scope = resource.first as usize;
        }
        if level == Level::Scope {
            first_scope = scopes.len().saturating_sub(1);
        }
        for (i, scope) in scopes.iter_mut().enumerate().skip(first_scope) {
            by(&mut scope.offset);
            context(&mut scope.context);
            if i == first_scope {
                *(if self.is_metrics { &mut first_metric } else { &mut first_item }) = scope.first as usize;
            }
        }
        if level == Level::Metric {
            first_metric = metrics.len().saturating_sub(1);
        }
        for (i, metric) in metrics.iter_mut().enumerate().skip(first_metric) {
            by(&mut metric.offset);
            context(&mut metric.context);
            if metric.data_offset != NONE {
                by(&mut metric.data_offset);
                context(&mut metric.data_context);
            }
            if i == first_metric {
                first_item = metric.first as usize;
            }
        }
        if level == Level::Data
            && let Some(metric) = metrics.last_mut()
        {
            by(&mut metric.data_offset);
            context(&mut metric.data_context);
            first_item = metric.first as usize;
        }
        for item in items.iter_mut().skip(first_item) {
            by(&mut item.offset);
            if item.trace != NONE {
                by(&mut item.trace);
            }
        }
    }
}
