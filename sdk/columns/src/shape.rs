//! How the things of a batch belong to each other: the record `shape` of the contract.

use alloc::vec::Vec;
use core::ops::Range;
use tailrace_otlp::{Index, Signal};

use crate::Level;

/// The record `shape`, owned; the fields are those of the contract.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Shape {
    /// Per resource: where its scopes end.
    pub resource_ends: Vec<u32>,
    /// Per scope: where its items end; its metrics, if the batch has metrics.
    pub scope_ends: Vec<u32>,
    /// Per metric: where its data points end.
    pub metric_ends: Vec<u32>,
    /// How many items there are.
    pub items: u32,
}

impl Shape {
    /// The shape of a batch.
    pub fn of(signal: Signal, index: &Index) -> Self {
        let metric_ends = match signal {
            Signal::Metrics => ends(index.metrics.iter().map(|metric| metric.items().len())),
            _ => Vec::new(),
        };
        Self {
            resource_ends: ends(index.resources.iter().map(|resource| resource.scopes().len())),
            scope_ends: ends(index.scopes.iter().map(|scope| scope.children().len())),
            metric_ends,
            items: u32::try_from(index.len()).unwrap_or(u32::MAX),
        }
    }

    /// How many there are of what owners on this level count.
    pub fn count(&self, level: Level) -> usize {
        match level {
            Level::Resource => self.resource_ends.len(),
            Level::Scope => self.scope_ends.len(),
            Level::Metric => self.metric_ends.len(),
            Level::Item | Level::Event | Level::Link | Level::Exemplar => self.items as usize,
        }
    }

    /// The scopes of a resource.
    pub fn scopes(&self, resource: u32) -> Range<u32> {
        part(&self.resource_ends, resource)
    }

    /// The items of a scope, or its metrics if the batch has metrics.
    pub fn children(&self, scope: u32) -> Range<u32> {
        part(&self.scope_ends, scope)
    }

    /// The data points of a metric.
    pub fn points(&self, metric: u32) -> Range<u32> {
        part(&self.metric_ends, metric)
    }

    /// The metric that data point `item` belongs to, if the batch has metrics.
    pub fn metric_of(&self, item: u32) -> Option<u32> {
        holder(&self.metric_ends, item)
    }

    /// The scope that an item belongs to.
    pub fn scope_of(&self, item: u32) -> Option<u32> {
        if self.metric_ends.is_empty() {
            holder(&self.scope_ends, item)
        } else {
            holder(&self.scope_ends, self.metric_of(item)?)
        }
    }

    /// The resource that a scope belongs to.
    pub fn resource_of(&self, scope: u32) -> Option<u32> {
        holder(&self.resource_ends, scope)
    }
}

/// Running sums.
fn ends(lengths: impl Iterator<Item = usize>) -> Vec<u32> {
    let sums = lengths.scan(0_usize, |sum, length| {
        *sum += length;
        Some(u32::try_from(*sum).unwrap_or(u32::MAX))
    });
    sums.collect()
}

fn part(ends: &[u32], at: u32) -> Range<u32> {
    let end = |at: usize| ends.get(at).copied();
    let start = (at as usize).checked_sub(1).map_or(Some(0), end);
    start.zip(end(at as usize)).map_or(0..0, |(start, end)| start..end)
}

/// The entry whose part holds `child`; entries without children hold none.
fn holder(ends: &[u32], child: u32) -> Option<u32> {
    let at = ends.partition_point(|end| *end <= child);
    (at < ends.len()).then(|| u32::try_from(at).unwrap_or(u32::MAX))
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::vec;

    #[test]
    fn parents_and_children_agree() {
        let shape = Shape { resource_ends: vec![1, 1, 3], scope_ends: vec![2, 2, 5], metric_ends: vec![], items: 5 };
        assert_eq!((shape.scopes(0), shape.scopes(1), shape.scopes(2), shape.scopes(3)), (0..1, 1..1, 1..3, 0..0));
        assert_eq!((0..5).map(|item| shape.scope_of(item).unwrap()).collect::<Vec<_>>(), [0, 0, 2, 2, 2]);
        assert_eq!((0..3).map(|scope| shape.resource_of(scope).unwrap()).collect::<Vec<_>>(), [0, 2, 2]);
        assert_eq!(shape.scope_of(5), None);
        let metrics = Shape { metric_ends: vec![0, 4], scope_ends: vec![2], resource_ends: vec![1], items: 4 };
        assert_eq!((metrics.metric_of(0), metrics.scope_of(3), metrics.points(1)), (Some(1), Some(0), 0..4));
    }
}
