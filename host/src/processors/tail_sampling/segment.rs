//! A segment: an append-only piece of memory that holds runs of spans, and what belongs to them.
//!
//! A *run* is one or more neighbouring spans of one trace in one scope, each with tag and length, as they stand in a
//! `ScopeSpans`. Each resource and each scope is written once into the segment that needs it, so that a segment can be
//! understood by itself. Beside the bytes is a table of 20-byte references; those of one trace form a chain.

use hashbrown::HashTable;

/// Where a reference is: number of the segment and of the reference in it. [`RunRef::NONE`] ends a chain.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RunRef(u32);

impl RunRef {
    /// There is none.
    pub const NONE: Self = Self(u32::MAX);

    pub(super) fn new(slot: u16, number: u16) -> Self {
        Self(u32::from(slot) << 16 | u32::from(number))
    }

    pub(super) fn slot(self) -> usize {
        (self.0 >> 16) as usize
    }

    pub(super) fn number(self) -> usize {
        (self.0 & 0xffff) as usize
    }
}

/// How many references, and how many contexts, a segment can hold. One number fewer than 16 bits have, so that no
/// reference looks like [`RunRef::NONE`].
pub(super) const NUMBERS_MAX: usize = u16::MAX as usize;

/// Stands for the owner of a run that is no longer wanted.
pub(super) const DEAD: u32 = u32::MAX;

/// A run of spans: 20 bytes.
#[derive(Clone, Copy, Debug)]
pub(super) struct Run {
    pub(super) offset: u32,
    pub(super) len: u32,
    /// The next run of the same trace.
    pub(super) next: RunRef,
    /// Number of the trace's entry, or [`DEAD`].
    pub(super) owner: u32,
    pub(super) context: u16,
    pub(super) spans: u16,
}

const _: () = assert!(size_of::<Run>() == 20);

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
}

/// Where a resource or a scope stands in the segment.
#[derive(Clone, Copy, Debug)]
struct Piece {
    offset: u32,
    len: u32,
}

impl Piece {
    fn view(self, bytes: &[u8]) -> &[u8] {
        bytes.get(self.offset as usize..self.offset as usize + self.len as usize).unwrap_or_default()
    }
}

#[derive(Clone, Copy, Debug)]
struct StoredResource {
    piece: Piece,
    hash: u64,
}

#[derive(Clone, Copy, Debug)]
struct StoredContext {
    resource: u16,
    scope: Piece,
    hash: u64,
}

/// A piece of memory with runs in it.
#[derive(Debug, Default)]
pub(super) struct Segment {
    bytes: Vec<u8>,
    pub(super) runs: Vec<Run>,
    resources: Vec<StoredResource>,
    contexts: Vec<StoredContext>,
    resources_by_hash: HashTable<u16>,
    contexts_by_hash: HashTable<u16>,
    /// Bytes of the runs that are still wanted.
    pub(super) live: usize,
    /// When the last run came, in milliseconds of the processor's clock.
    pub(super) touched_ms: u64,
}

impl Segment {
    pub(super) fn with_capacity(bytes: usize) -> Self {
        Self { bytes: Vec::with_capacity(bytes), ..Self::default() }
    }

    /// How many bytes it was made for.
    pub(super) fn capacity(&self) -> usize {
        self.bytes.capacity()
    }

    /// Memory that it takes, the references included.
    pub(super) fn footprint(&self) -> usize {
        self.bytes.capacity()
            + self.runs.capacity() * size_of::<Run>()
            + self.contexts.capacity() * size_of::<StoredContext>()
            + self.resources.capacity() * size_of::<StoredResource>()
    }

    /// Makes it as good as new, with its memory.
    pub(super) fn clear(&mut self) {
        self.bytes.clear();
        self.runs.clear();
        self.resources.clear();
        self.contexts.clear();
        self.resources_by_hash.clear();
        self.contexts_by_hash.clear();
        self.live = 0;
    }

    /// Whether a run of `len` bytes fits, even if its context is not here yet.
    pub(super) fn has_room(&self, len: usize, context: &Context<'_>) -> bool {
        let wanted = len + context.resource.len() + context.scope.len();
        wanted <= self.bytes.capacity() - self.bytes.len()
            && self.runs.len() < NUMBERS_MAX
            && self.contexts.len() < NUMBERS_MAX
    }

    /// The number of `context` in this segment; it is written if it is not here yet.
    pub(super) fn intern(&mut self, context: &Context<'_>) -> u16 {
        let Self { bytes, resources, contexts, .. } = self;
        let same = |number: &u16| {
            contexts.get(usize::from(*number)).is_some_and(|stored| {
                stored.hash == context.hash
                    && stored.scope.view(bytes) == context.scope
                    && resource_of(resources, *stored).view(bytes) == context.resource
            })
        };
        if let Some(number) = self.contexts_by_hash.find(context.hash, same) {
            return *number;
        }
        let alike = |number: &u16| {
            resources.get(usize::from(*number)).is_some_and(|stored| {
                stored.hash == context.resource_hash && stored.piece.view(bytes) == context.resource
            })
        };
        let resource = match self.resources_by_hash.find(context.resource_hash, alike) {
            Some(number) => *number,
            None => {
                let number = resources.len() as u16;
                resources.push(StoredResource { piece: put(bytes, context.resource), hash: context.resource_hash });
                let hash = |number: &u16| resources.get(usize::from(*number)).map_or(0, |stored| stored.hash);
                self.resources_by_hash.insert_unique(context.resource_hash, number, hash);
                number
            }
        };
        let number = contexts.len() as u16;
        contexts.push(StoredContext { resource, scope: put(bytes, context.scope), hash: context.hash });
        let hash = |number: &u16| contexts.get(usize::from(*number)).map_or(0, |stored| stored.hash);
        self.contexts_by_hash.insert_unique(context.hash, number, hash);
        number
    }

    /// Appends the bytes of a run and its reference. There must be room.
    pub(super) fn append(&mut self, owner: u32, context: u16, spans: u16, pieces: [&[u8]; 2]) -> u16 {
        let offset = self.bytes.len() as u32;
        pieces.iter().for_each(|piece| self.bytes.extend_from_slice(piece));
        let len = self.bytes.len() as u32 - offset;
        let number = self.runs.len() as u16;
        self.runs.push(Run { offset, len, next: RunRef::NONE, owner, context, spans });
        self.live += len as usize;
        number
    }

    /// The bytes of a run.
    pub(super) fn run_bytes(&self, run: &Run) -> &[u8] {
        Piece { offset: run.offset, len: run.len }.view(&self.bytes)
    }

    /// The context of a run.
    pub(super) fn context(&self, run: &Run) -> Context<'_> {
        let Some(stored) = self.contexts.get(usize::from(run.context)).copied() else { return Context::default() };
        let resource = self.resources.get(usize::from(stored.resource));
        Context {
            resource: resource_of(&self.resources, stored).view(&self.bytes),
            scope: stored.scope.view(&self.bytes),
            resource_hash: resource.map_or(0, |stored| stored.hash),
            hash: stored.hash,
        }
    }
}

fn resource_of(resources: &[StoredResource], context: StoredContext) -> Piece {
    resources.get(usize::from(context.resource)).map_or(Piece { offset: 0, len: 0 }, |stored| stored.piece)
}

fn put(bytes: &mut Vec<u8>, piece: &[u8]) -> Piece {
    let offset = bytes.len() as u32;
    bytes.extend_from_slice(piece);
    Piece { offset, len: piece.len() as u32 }
}
