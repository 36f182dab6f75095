//! A batch cut into runs: what is done before any lock is taken.
//!
//! Neighbouring spans of one trace and scope become one run, with their facts folded already. A run is copied as it stands, if
//! the tags and lengths in between are written as everybody writes them; a span that is not gets them written anew.

mod around;

use super::contexts::{self, Context};
use super::fold;
use super::packed::{self, SPAN_TAG};
use super::policies::Policies;
use super::policy::{Facts, Matches};
use super::segment::RUN_SPANS_MAX;
use crate::pdata::Batch;
use siphasher::sip::SipHasher13;
use std::borrow::Cow;
use std::hash::{BuildHasher, RandomState};
use std::ops::Range;
use tailrace_otlp::{Index, Item, ResourceView, wire};

/// Runs are not longer than this many bytes, so that little of a segment's end is wasted.
const RUN_BYTES_MAX: usize = 32 << 10;
/// So many runs, or bytes of them, are stored at a time.
const PORTION: (usize, usize) = (1_000, 1 << 20);

/// Hashes ids and contexts with a key that nobody outside knows: senders choose both.
#[derive(Clone, Copy, Debug)]
pub struct Keyed(SipHasher13);

impl Keyed {
    /// With a random key.
    pub fn random() -> Self {
        // The standard library draws its keys from the system; a hash under such a key is as good as one.
        let draw = || RandomState::new().hash_one(0);
        Self(SipHasher13::new_with_keys(draw(), draw()))
    }

    /// The hash of some bytes.
    pub fn hash(&self, bytes: &[u8]) -> u64 {
        self.0.hash(bytes)
    }
}

/// Neighbouring spans of one trace in one scope.
#[derive(Debug)]
pub struct Run {
    /// Id of the trace; `None` if the spans have none, or a wrong one.
    pub id: Option<[u8; 16]>,
    /// Keyed hash of the id.
    pub hash: u64,
    /// Number of the context in [`Runs`].
    pub context: usize,
    /// How many spans.
    pub spans: u16,
    /// What is known of them.
    pub facts: Facts,
    /// The message of each begins with the id, and stands in the request as everybody would write it.
    pub led: bool,
    header: Header,
    records: Range<usize>,
}

/// Tag and length of a span, where they had to be written anew.
#[derive(Clone, Copy, Debug, Default)]
struct Header {
    bytes: [u8; 6],
    len: usize,
}

impl Header {
    fn new(len: usize) -> Self {
        let mut header = Self { bytes: [SPAN_TAG; 6], len: 1 };
        let mut rest = len as u32;
        for byte in header.bytes.iter_mut().skip(1) {
            header.len += 1;
            *byte = rest as u8 & 0x7f | if rest >= 0x80 { 0x80 } else { 0 };
            rest >>= 7;
            if rest == 0 {
                break;
            }
        }
        header
    }
}

/// A resource and scope of the batch.
#[derive(Debug)]
struct Place<'a> {
    /// Number of the resource in the batch.
    number: usize,
    /// What all spans of the resource have in common.
    matches: Matches,
    resource: Cow<'a, [u8]>,
    scope: Cow<'a, [u8]>,
    resource_hash: u64,
    hash: u64,
    serial: u64,
}

/// The runs of a batch.
#[derive(Debug)]
pub struct Runs<'a> {
    data: &'a [u8],
    runs: Vec<Run>,
    places: Vec<Place<'a>>,
    /// Which generation of policies the facts are for.
    policies: u16,
}

impl<'a> Runs<'a> {
    /// Cuts `batch` into runs and folds the facts that `policies` ask for.
    pub fn new(batch: &'a Batch, policies: &Policies, keyed: &Keyed) -> Self {
        let (data, index) = (batch.data().as_ref(), batch.index().as_ref());
        let mut runs = Self { data, runs: Vec::new(), places: Vec::new(), policies: policies.generation() };
        let mut parent = None;
        // The resource of the last span, and the first run of it.
        let (mut resource, mut first) = (None, 0);
        let sizes = policies.wants_sizes();
        let now_ns = fold::now_ns();
        for (number, item) in index.items.iter().enumerate() {
            let Some(message) = data.get(item.range()) else { continue };
            if parent != Some(item.parent) {
                parent = Some(item.parent);
                let entered = index.scopes.get(item.parent as usize).map(|scope| scope.resource);
                if sizes && resource != entered {
                    runs.count_around(first);
                    (resource, first) = (entered, runs.runs.len());
                }
                runs.enter(index, item.parent as usize, policies, keyed);
            }
            let id = index.trace_id(data, number);
            let facts = runs.facts(message, policies, now_ns);
            let start = record_start(data, item);
            let led = start.is_some() && id.is_some_and(|id| packed::is_led(message, id));
            if !runs.extend(id, start, item, &facts, led) {
                let header = if start.is_some() { Header::default() } else { Header::new(message.len()) };
                runs.runs.push(Run {
                    id: id.copied(),
                    hash: id.map_or(0, |id| keyed.hash(id)),
                    context: runs.places.len() - 1,
                    spans: 1,
                    facts,
                    led,
                    header,
                    records: start.unwrap_or(item.offset as usize)..item.range().end,
                });
            }
        }
        if sizes {
            runs.count_around(first);
        }
        runs
    }

    /// The runs in the order of the batch.
    pub fn iter(&self) -> impl Iterator<Item = &Run> {
        self.runs.iter()
    }

    /// How many of these runs are stored at a time; if so, all of one resource together.
    pub fn portion(&self, numbers: &[u32], whole_resources: bool) -> usize {
        let (mut bytes, mut last) = (0, None);
        for (at, run) in numbers.iter().filter_map(|number| self.get(*number)).enumerate() {
            let resource = self.resource(run);
            let may_end = !whole_resources || last != Some(resource);
            if may_end && (at >= PORTION.0 || bytes >= PORTION.1) {
                return at;
            }
            last = Some(resource);
            bytes += run.records.len();
        }
        numbers.len()
    }

    /// The run of this number.
    pub fn get(&self, number: u32) -> Option<&Run> {
        self.runs.get(number as usize)
    }

    /// Which generation of policies the facts are for.
    pub fn generation(&self) -> u16 {
        self.policies
    }

    /// How many spans there are.
    pub fn spans(&self) -> usize {
        self.runs.iter().map(|run| usize::from(run.spans)).sum()
    }

    /// What is known of a run, for these policies: they may have changed since it was cut.
    pub fn facts_for(&self, run: &Run, policies: &Policies) -> Facts {
        if self.policies == policies.generation() {
            return run.facts;
        }
        Facts { bytes: run.facts.bytes, ..fold::run(&self.context(run), &self.pieces(run).concat(), policies) }
    }

    /// The bytes of a run, each span with tag and length.
    pub fn pieces<'b>(&'b self, run: &'b Run) -> [&'b [u8]; 2] {
        let header = run.header.bytes.get(..run.header.len).unwrap_or_default();
        [header, self.data.get(run.records.clone()).unwrap_or_default()]
    }

    /// Number of a run's resource in the batch.
    pub fn resource(&self, run: &Run) -> usize {
        self.places.get(run.context).map_or(usize::MAX, |place| place.number)
    }

    /// Resource and scope of a run.
    pub fn context(&self, run: &Run) -> Context<'_> {
        self.places.get(run.context).map_or(Context::default(), |place| Context {
            resource: &place.resource,
            scope: &place.scope,
            resource_hash: place.resource_hash,
            hash: place.hash,
            serial: place.serial,
        })
    }

    /// The next spans are in scope `number`.
    fn enter(&mut self, index: &Index, number: usize, policies: &Policies, keyed: &Keyed) {
        let scope = scope_context(self.data, index, number);
        let at = index.scopes.get(number).map_or(usize::MAX, |scope| scope.resource as usize);
        let resource = resource_context(self.data, index, at);
        let (resource_hash, matches) = match self.places.last() {
            Some(last) if last.resource == resource => (last.resource_hash, last.matches),
            _ => (keyed.hash(&resource), policies.of_resource(ResourceView::new(&resource))),
        };
        let hash = (keyed.hash(&scope).rotate_left(23) ^ resource_hash).wrapping_mul(0x9e37_79b9_7f4a_7c15);
        let serial = contexts::next_serial();
        self.places.push(Place { number: at, matches, resource, scope, resource_hash, hash, serial });
    }

    /// What is to be remembered of a span in the last place.
    fn facts(&self, message: &[u8], policies: &Policies, now_ns: u64) -> Facts {
        let Some(place) = self.places.last() else { return Facts::default() };
        let place = fold::Place { resource: &place.resource, scope: &place.scope, matches: place.matches, now_ns };
        fold::span(message, place, policies)
    }

    /// Adds a span to the last run if it belongs there.
    fn extend(&mut self, id: Option<&[u8; 16]>, start: Option<usize>, item: &Item, facts: &Facts, led: bool) -> bool {
        let context = self.places.len() - 1;
        let Some(last) = self.runs.last_mut() else { return false };
        let end = item.range().end;
        let fits = start == Some(last.records.end)
            && last.context == context
            && last.spans < RUN_SPANS_MAX
            && end - last.records.start <= RUN_BYTES_MAX;
        // Spans without an id belong to nobody, not to each other.
        if !fits || id.is_none() || last.id.as_ref() != id {
            return false;
        }
        last.records.end = end;
        last.spans += 1;
        last.facts.fold(facts);
        last.led &= led;
        true
    }
}

/// Where the tag of a span is, if tag and length in front of it are what anybody would write.
fn record_start(data: &[u8], item: &Item) -> Option<usize> {
    let offset = item.offset as usize;
    let start = offset.checked_sub(1 + wire::varint_len(u64::from(item.len)))?;
    let usual = *data.get(start)? == SPAN_TAG && wire::read_varint(data, start + 1)? == (u64::from(item.len), offset);
    usual.then_some(start)
}

fn scope_context<'a>(data: &'a [u8], index: &Index, number: usize) -> Cow<'a, [u8]> {
    match index.scopes.get(number) {
        Some(scope) if !scope.context.scattered && scope.context.tail as usize == scope.range().end => {
            Cow::Borrowed(data.get(scope.offset as usize..scope.context.head as usize).unwrap_or_default())
        }
        _ => {
            let mut out = Vec::new();
            tailrace_otlp::scope_context(data, index, number, &mut out);
            Cow::Owned(out)
        }
    }
}

fn resource_context<'a>(data: &'a [u8], index: &Index, number: usize) -> Cow<'a, [u8]> {
    match index.resources.get(number) {
        Some(resource) if !resource.context.scattered && resource.context.tail as usize == resource.range().end => {
            Cow::Borrowed(data.get(resource.offset as usize..resource.context.head as usize).unwrap_or_default())
        }
        _ => {
            let mut out = Vec::new();
            tailrace_otlp::resource_context(data, index, number, &mut out);
            Cow::Owned(out)
        }
    }
}
