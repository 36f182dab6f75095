//! Resources and scopes of the spans that a shard holds: each once, however many traces and segments share it.
//!
//! A run of spans names its [`Context`] by number. A context counts the runs that name it, and a resource the contexts that it
//! is part of; with the last one it goes. A resource of 256 KiB that a hundred thousand traces share costs 256 KiB.

use super::sub_tables::{NUMBER_MAX, SubTables};
use std::sync::atomic::{AtomicU64, Ordering};

/// What one resource or scope costs beside its bytes: its place, its shares of the tables, and what an allocation adds.
const OVERHEAD: usize = size_of::<Option<Counted<Scope>>>() + 32;
/// Places of a block. Blocks never move, so that growing is no pause; one is kept when the last context goes.
const BLOCK: usize = 1024;

/// The resource and scope of a span, as bytes, with their keyed hashes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Context<'a> {
    /// The fields of the `ResourceSpans` other than its scopes.
    pub resource: &'a [u8],
    /// The fields of the `ScopeSpans` other than its spans.
    pub scope: &'a [u8],
    /// Hash of `resource`.
    pub resource_hash: u64,
    /// Hash of `resource` and `scope`.
    pub hash: u64,
    /// Two contexts with the same serial are the same, so that large ones need not be compared byte by byte; with other
    /// serials they may still be. 0 says nothing.
    pub serial: u64,
}

/// A serial that no context has had.
pub fn next_serial() -> u64 {
    static LAST: AtomicU64 = AtomicU64::new(0);
    LAST.fetch_add(1, Ordering::Relaxed) + 1
}

/// Something that is kept as long as it has users.
#[derive(Debug)]
struct Counted<T> {
    value: T,
    hash: u64,
    users: u32,
}

/// A scope and the number of its resource.
#[derive(Debug)]
struct Scope {
    resource: u32,
    bytes: Box<[u8]>,
    serial: u64,
}

/// Counted things in numbered places.
#[derive(Debug)]
struct Shelf<T> {
    blocks: Vec<Vec<Option<Counted<T>>>>,
    free: Vec<u32>,
    by_hash: SubTables,
    len: usize,
}

impl<T> Default for Shelf<T> {
    fn default() -> Self {
        Self { blocks: Vec::new(), free: Vec::new(), by_hash: SubTables::new(0), len: 0 }
    }
}

/// What is in a place, if anything.
fn place<T>(blocks: &[Vec<Option<Counted<T>>>], number: u32) -> Option<&Counted<T>> {
    blocks.get(number as usize / BLOCK)?.get(number as usize % BLOCK)?.as_ref()
}

impl<T> Shelf<T> {
    fn get(&self, number: u32) -> Option<&Counted<T>> {
        place(&self.blocks, number)
    }

    fn place_mut(&mut self, number: u32) -> Option<&mut Option<Counted<T>>> {
        self.blocks.get_mut(number as usize / BLOCK)?.get_mut(number as usize % BLOCK)
    }

    fn find(&self, hash: u64, same: impl Fn(&T) -> bool) -> Option<u32> {
        let alike = |number: &u32| self.get(*number).is_some_and(|kept| kept.hash == hash && same(&kept.value));
        self.by_hash.find(hash, alike)
    }

    /// Puts in something that has no user yet.
    fn put(&mut self, hash: u64, value: T) -> u32 {
        let number = self.free.pop().unwrap_or_else(|| self.new_place());
        if let Some(place) = self.place_mut(number) {
            *place = Some(Counted { value, hash, users: 0 });
        }
        let blocks = &self.blocks;
        self.by_hash.insert(hash, number, |number| place(blocks, *number).map_or(0, |kept| kept.hash));
        self.len += 1;
        number
    }

    fn new_place(&mut self) -> u32 {
        if self.blocks.last().is_none_or(|block| block.len() == BLOCK) {
            self.blocks.push(Vec::with_capacity(BLOCK));
        }
        let before = (self.blocks.len() - 1) * BLOCK;
        let last = self.blocks.last_mut().map_or(0, |block| {
            block.push(None);
            block.len() - 1
        });
        (before + last) as u32
    }

    fn hold(&mut self, number: u32) {
        if let Some(kept) = self.place_mut(number).and_then(Option::as_mut) {
            kept.users += 1;
        }
    }

    /// One user less. What had only this one comes out.
    fn release(&mut self, number: u32) -> Option<T> {
        let place = self.place_mut(number)?;
        let kept = place.as_mut()?;
        kept.users = kept.users.saturating_sub(1);
        if kept.users > 0 {
            return None;
        }
        let kept = place.take()?;
        self.by_hash.remove(kept.hash, number);
        self.free.push(number);
        self.len -= 1;
        if self.len == 0 && self.blocks.len() > 1 {
            *self = Self::default();
        }
        Some(kept.value)
    }
}

/// The contexts of a shard.
#[derive(Debug)]
pub(super) struct Contexts {
    resources: Shelf<Box<[u8]>>,
    scopes: Shelf<Scope>,
    /// So many at most.
    most: usize,
    bytes: usize,
    /// Serial and number of the one that was asked for last: neighbours are often alike.
    last: (u64, u32),
}

impl Default for Contexts {
    fn default() -> Self {
        Self::new(NUMBER_MAX as usize)
    }
}

impl Contexts {
    /// With numbers for so many, [`NUMBER_MAX`] or fewer.
    pub(super) fn new(most: usize) -> Self {
        Self { resources: Shelf::default(), scopes: Shelf::default(), most, bytes: 0, last: (0, 0) }
    }

    /// Memory that they take, in bytes.
    pub(super) fn footprint(&self) -> usize {
        self.bytes + (self.resources.len + self.scopes.len) * OVERHEAD
    }

    /// The number of `context`, which has one more user now; `None` if it is new and there is no number left.
    pub(super) fn hold(&mut self, context: &Context<'_>) -> Option<u32> {
        let number = match self.last {
            (serial, number) if serial == context.serial && serial != 0 => number,
            _ => match self.find(context) {
                Some(number) => number,
                None if self.scopes.len >= self.most => return None,
                None => self.add(context),
            },
        };
        self.last = (context.serial, number);
        self.scopes.hold(number);
        Some(number)
    }

    /// The context of this number has one user less.
    pub(super) fn release(&mut self, number: u32) {
        let Some(scope) = self.scopes.release(number) else { return };
        self.bytes -= scope.bytes.len();
        self.bytes -= self.resources.release(scope.resource).map_or(0, |resource| resource.len());
        if self.last.1 == number {
            self.last = (0, 0);
        }
    }

    /// The context of this number.
    pub(super) fn get(&self, number: u32) -> Context<'_> {
        let Some(scope) = self.scopes.get(number) else { return Context::default() };
        let resource = self.resources.get(scope.value.resource);
        Context {
            resource: resource.map_or(&[], |resource| &resource.value),
            scope: &scope.value.bytes,
            resource_hash: resource.map_or(0, |resource| resource.hash),
            hash: scope.hash,
            serial: scope.value.serial,
        }
    }

    fn find(&self, context: &Context<'_>) -> Option<u32> {
        self.scopes.find(context.hash, |scope| {
            let same_resource = || {
                let resource = self.resources.get(scope.resource);
                resource.is_some_and(|resource| *resource.value == *context.resource)
            };
            (scope.serial == context.serial && context.serial != 0)
                || (*scope.bytes == *context.scope && same_resource())
        })
    }

    fn add(&mut self, context: &Context<'_>) -> u32 {
        let known = self.resources.find(context.resource_hash, |resource| **resource == *context.resource);
        let resource = known.unwrap_or_else(|| {
            self.bytes += context.resource.len();
            self.resources.put(context.resource_hash, context.resource.into())
        });
        self.resources.hold(resource);
        self.bytes += context.scope.len();
        self.scopes.put(context.hash, Scope { resource, bytes: context.scope.into(), serial: context.serial })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeMap;

    /// Random users come and go, with hashes that often collide, beside a map: what is held reads as it was put in, equal
    /// contexts have one number, and what nobody uses takes nothing.
    #[test]
    fn beside_a_map() {
        let seed = fastrand::u64(..);
        println!("seed {seed}");
        let mut random = fastrand::Rng::with_seed(seed);
        let mut contexts = Contexts::default();
        let mut users: Vec<(u32, [u8; 2])> = Vec::new();
        let serials = [(); 36].map(|()| next_serial());
        for _ in 0..20_000 {
            if users.is_empty() || random.u8(..100) < 51 {
                let kind = [random.u8(..6), random.u8(..6)];
                let (resource, scope) = (vec![kind[0]; 3000], vec![kind[1]; 20]);
                let serial = match random.u8(..3) {
                    0 => 0,
                    1 => next_serial(),
                    _ => serials[usize::from(kind[0] * 6 + kind[1])],
                };
                let hash = u64::from(kind[0] + kind[1]);
                let resource_hash = u64::from(kind[0] / 2);
                let context = Context { resource: &resource, scope: &scope, resource_hash, hash, serial };
                users.push((contexts.hold(&context).unwrap(), kind));
            } else {
                let (number, _) = users.swap_remove(random.usize(..users.len()));
                contexts.release(number);
            }
            let mut numbers = BTreeMap::new();
            for (number, kind) in &users {
                assert_eq!(numbers.insert(kind, number).unwrap_or(number), number);
            }
            if random.u8(..50) == 0 {
                for (kind, number) in &numbers {
                    let context = contexts.get(**number);
                    assert_eq!((context.resource, context.scope), (&[kind[0]; 3000][..], &[kind[1]; 20][..]));
                    assert_eq!(
                        (context.hash, context.resource_hash),
                        ((kind[0] + kind[1]).into(), (kind[0] / 2).into())
                    );
                }
            }
            let resources: std::collections::BTreeSet<u8> = users.iter().map(|(_, kind)| kind[0]).collect();
            let bytes = resources.len() * (3000 + OVERHEAD) + numbers.len() * (20 + OVERHEAD);
            assert_eq!(contexts.footprint(), bytes);
        }
    }
}
