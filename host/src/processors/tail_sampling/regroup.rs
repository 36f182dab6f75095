//! Spans that leave, grouped by resource and scope again, in batches as full as can be.
//!
//! Traces come out one by one, each with spans of many resources. Handed on like that they would be one small batch per trace
//! and would fill every queue behind; so they are gathered to [`SPANS_FULL`] spans, or until the end of the tick.

use super::contexts::Context;
use super::mark::Mark;
use crate::pdata::{Batch, Signal};
use hashbrown::HashTable;
use tailrace_otlp::RequestWriter;

/// A batch with so many spans is full.
pub const SPANS_FULL: usize = 1_000;
/// A batch with so many bytes is full, however few spans those are.
pub const BYTES_FULL: usize = 1 << 20;

/// Spans of one scope.
#[derive(Debug, Default)]
struct Group {
    resource: Vec<u8>,
    scope: Vec<u8>,
    resource_hash: u64,
    hash: u64,
    serial: u64,
    /// What is written on the scope.
    mark: Mark,
    /// Number of the first group with this resource.
    with: usize,
    runs: Vec<u8>,
}

/// Gathers runs into batches.
#[derive(Debug, Default)]
pub struct Regroup {
    groups: Vec<Group>,
    by_hash: HashTable<usize>,
    /// The first group of each resource.
    by_resource: HashTable<usize>,
    spans: usize,
    bytes: usize,
    /// Groups that were used before, for their memory.
    spare: Vec<Group>,
}

/// Spans that could not be made into a batch, because it would be longer than one can be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Unwritable {
    /// How many.
    pub spans: usize,
}

impl Regroup {
    /// Adds a run of spans, each with tag and length, whose scope gets a mark. When a batch is full with it, or would be overfull, `ready` gets it.
    pub fn add(
        &mut self,
        context: &Context<'_>,
        mark: &Mark,
        spans: u16,
        pieces: [&[u8]; 2],
        ready: &mut impl FnMut(Result<Batch, Unwritable>),
    ) {
        let len: usize = pieces.iter().map(|piece| piece.len()).sum();
        if self.bytes + len > BYTES_FULL {
            self.flush(ready);
        }
        let number = self.group(context, mark);
        if let Some(group) = self.groups.get_mut(number) {
            pieces.iter().for_each(|piece| group.runs.extend_from_slice(piece));
        }
        self.spans += usize::from(spans);
        self.bytes += len;
        if self.spans >= SPANS_FULL || self.bytes >= BYTES_FULL {
            self.flush(ready);
        }
    }

    /// Gives what has been gathered, if anything, as a batch.
    pub fn flush(&mut self, ready: &mut impl FnMut(Result<Batch, Unwritable>)) {
        if self.spans > 0 {
            ready(self.write());
        }
    }

    /// The number of the group of `context`, which may be new.
    fn group(&mut self, context: &Context<'_>, mark: &Mark) -> usize {
        let Self { groups, by_hash, by_resource, spare, .. } = self;
        let hash = if mark.is_nothing() { context.hash } else { context.hash ^ mark.hash() };
        let same = |number: &usize| {
            groups.get(*number).is_some_and(|group| {
                group.hash == hash
                    && group.mark == *mark
                    && ((group.serial == context.serial && context.serial != 0)
                        || (group.scope == context.scope && group.resource == context.resource))
            })
        };
        if let Some(number) = by_hash.find(hash, same) {
            return *number;
        }
        let number = groups.len();
        let alike = |number: &usize| {
            groups
                .get(*number)
                .is_some_and(|group| group.resource_hash == context.resource_hash && group.resource == context.resource)
        };
        let with = by_resource.find(context.resource_hash, alike).copied().unwrap_or(number);
        let mut group = spare.pop().unwrap_or_default();
        group.resource.extend_from_slice(context.resource);
        group.scope.extend_from_slice(context.scope);
        (group.resource_hash, group.hash, group.with) = (context.resource_hash, hash, with);
        group.serial = context.serial;
        group.mark.clone_from(mark);
        groups.push(group);
        self.bytes += context.scope.len() + if with == number { context.resource.len() } else { 0 };
        by_hash.insert_unique(hash, number, |number| groups.get(*number).map_or(0, |group| group.hash));
        if with == number {
            let hash = |number: &usize| groups.get(*number).map_or(0, |group| group.resource_hash);
            by_resource.insert_unique(context.resource_hash, number, hash);
        }
        number
    }

    fn write(&mut self) -> Result<Batch, Unwritable> {
        self.groups.sort_by_key(|group| group.with);
        let framing = 16 * self.groups.len();
        let mut writer = RequestWriter::with_capacity(Signal::Traces, self.bytes + framing, self.spans);
        let (mut resource, mut marked) = (None, Vec::new());
        for group in &self.groups {
            if resource != Some(group.with) {
                writer.open_resource(&group.resource);
                resource = Some(group.with);
            }
            if group.mark.is_nothing() {
                writer.open_scope(&group.scope);
            } else {
                marked.clear();
                group.mark.write(&group.scope, &mut marked);
                writer.open_scope(&marked);
            }
            writer.run(&group.runs);
        }
        let spans = std::mem::take(&mut self.spans);
        self.bytes = 0;
        self.by_hash.clear();
        self.by_resource.clear();
        for mut group in self.groups.drain(..) {
            // The memory of a few groups is kept, if it is not much.
            if self.spare.len() < 64 && group.runs.capacity() <= BYTES_FULL / 16 {
                group.resource.clear();
                group.scope.clear();
                group.runs.clear();
                self.spare.push(group);
            }
        }
        match writer.finish() {
            Ok((data, index)) if index.items.len() == spans => Ok(Batch::from_parts(Signal::Traces, data, index)),
            _ => Err(Unwritable { spans }),
        }
    }
}
