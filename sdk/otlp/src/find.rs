//! Finding attributes by key, at every level of a request, in one walk.

use crate::Signal;
use crate::index::{Index, MetricKind};
use crate::view::{DataPointKind, KeyValue, Str, Value};
use crate::wire::Fields;
use alloc::vec::Vec;
use core::ops::Range;

/// The message that carries attributes: where they are found, and what an edit aims at. The numbers are those of the index.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Target {
    /// The resource of resource `.0`.
    Resource(u32),
    /// The instrumentation scope of scope `.0`.
    Scope(u32),
    /// The metadata of metric `.0`.
    Metric(u32),
    /// Item `.0`.
    Item(u32),
    /// Event `event` of span `item`.
    Event {
        /// The span.
        item: u32,
        /// Counted from 0 in the span.
        event: u32,
    },
    /// Link `link` of span `item`.
    Link {
        /// The span.
        item: u32,
        /// Counted from 0 in the span.
        link: u32,
    },
    /// The filtered attributes of exemplar `exemplar` of data point `item`.
    Exemplar {
        /// The data point.
        item: u32,
        /// Counted from 0 in the data point.
        exemplar: u32,
    },
}

/// An attribute that was found.
#[derive(Clone, Debug, PartialEq)]
pub struct Found<'a> {
    /// Where.
    pub target: Target,
    /// Which entry of the [`KeySet`] it matches, counted from 0; the first if several do.
    pub key: usize,
    /// Key and value.
    pub attribute: KeyValue<'a>,
    /// Where the whole field lies in the request, tag and length included.
    pub record: Range<usize>,
}

/// A set of attribute keys: exact ones, prefixes, or all.
#[derive(Clone, Debug, Default)]
pub struct KeySet {
    entries: Vec<Entry>,
    /// Numbers of exact keys and prefixes in the order of their bytes, each once: to search where there are many.
    sorted: Vec<usize>,
    /// Number of the entry that everything matches.
    all: Option<usize>,
    /// Bit `n` is set if an exact key of length `n` (63: or longer) is in the set.
    lengths: u64,
    /// Whether there are other entries than exact keys.
    open: bool,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Entry {
    Exact(Vec<u8>),
    Prefix(Vec<u8>),
    All,
}

/// So many entries are looked at one after the other.
const FEW: usize = 16;

impl Entry {
    fn bytes(&self) -> &[u8] {
        match self {
            Self::Exact(bytes) | Self::Prefix(bytes) => bytes,
            Self::All => &[],
        }
    }

    /// What it is sorted by.
    fn rank(&self) -> (&[u8], bool) {
        (self.bytes(), matches!(self, Self::Prefix(_)))
    }

    fn matches(&self, key: &[u8]) -> bool {
        match self {
            Self::Exact(exact) => exact == key,
            Self::Prefix(prefix) => key.starts_with(prefix),
            Self::All => true,
        }
    }
}

impl KeySet {
    /// The empty set.
    #[must_use]
    pub const fn new() -> Self {
        Self { entries: Vec::new(), sorted: Vec::new(), all: None, lengths: 0, open: false }
    }

    /// A set of exact keys.
    #[must_use]
    pub fn exact<'k>(keys: impl IntoIterator<Item = &'k str>) -> Self {
        let mut set = Self::new();
        for key in keys {
            set.add(key);
        }
        set
    }

    /// Adds a key; returns its number.
    pub fn add(&mut self, key: &str) -> usize {
        self.lengths |= 1 << key.len().min(63);
        self.push(Entry::Exact(key.into()))
    }

    /// Adds all keys that start with `prefix`; returns the number of this entry.
    pub fn add_prefix(&mut self, prefix: &str) -> usize {
        self.open = true;
        self.push(Entry::Prefix(prefix.into()))
    }

    /// Adds all keys; returns the number of this entry.
    pub fn add_all(&mut self) -> usize {
        self.open = true;
        self.push(Entry::All)
    }

    fn push(&mut self, entry: Entry) -> usize {
        let number = self.entries.len();
        if entry == Entry::All {
            self.all = self.all.or(Some(number));
        } else if let Err(place) = self.place(&entry) {
            self.sorted.insert(place, number);
        }
        self.entries.push(entry);
        number
    }

    /// Where an exact key or prefix is in the order, or would be.
    fn place(&self, entry: &Entry) -> Result<usize, usize> {
        self.sorted.binary_search_by(|at| self.entry(*at).rank().cmp(&entry.rank()))
    }

    fn entry(&self, number: usize) -> &Entry {
        self.entries.get(number).unwrap_or(&Entry::All)
    }

    /// Adds everything that another set has; a key or prefix that is there already is not added again.
    pub fn extend(&mut self, other: &Self) {
        for entry in other.entries.iter().filter(|entry| !matches!(entry, Entry::All)) {
            if self.place(entry).is_err() {
                self.push(entry.clone());
            }
        }
        // Last, since everything matches it.
        if other.all.is_some() && self.all.is_none() {
            self.push(Entry::All);
        }
        self.lengths |= other.lengths;
        self.open |= other.open;
    }

    /// How many entries it has.
    #[must_use]
    pub fn len(&self) -> usize {
        self.entries.len()
    }

    /// Whether it has no entries.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }

    /// The first entry that `key` matches.
    #[must_use]
    #[inline]
    pub fn find(&self, key: &[u8]) -> Option<usize> {
        if !self.open && self.lengths >> key.len().min(63) & 1 == 0 {
            return None;
        }
        if self.entries.len() <= FEW {
            return self.entries.iter().position(|entry| entry.matches(key));
        }
        self.search(key)
    }

    /// The same among many entries: with each byte of the key fewer of them are left.
    fn search(&self, key: &[u8]) -> Option<usize> {
        let mut first = self.all;
        let mut left = self.sorted.as_slice();
        for depth in 0..=key.len() {
            // Those that end here stand before those that go on.
            while let [at, rest @ ..] = left
                && self.entry(*at).bytes().len() == depth
            {
                if self.entry(*at).matches(key) {
                    first = Some(first.map_or(*at, |first| first.min(*at)));
                }
                left = rest;
            }
            let byte = key.get(depth);
            let next = |at: &usize| self.entry(*at).bytes().get(depth);
            let ([at, ..], [.., last], Some(_)) = (left, left, byte) else { break };
            if (next(at), next(last)) != (byte, byte) {
                left = left.get(left.partition_point(|at| next(at) < byte)..).unwrap_or_default();
                left = left.get(..left.partition_point(|at| next(at) == byte)).unwrap_or_default();
            }
        }
        first
    }

    /// The keys, if all entries are exact.
    fn all_exact(&self) -> Option<impl Iterator<Item = &[u8]>> {
        if self.open {
            return None;
        }
        Some(self.entries.iter().map(|entry| match entry {
            Entry::Exact(key) | Entry::Prefix(key) => key.as_slice(),
            Entry::All => &[],
        }))
    }
}

/// Finds all attributes whose key is in `keys`: of resources, scopes, metrics (metadata), items, and the events, links
/// and exemplars of items. Keys inside of values (a `KvList`) are not looked at.
///
/// Order: resource by resource its own attributes, then scope by scope its own and those of its items, each in the
/// order of the bytes. A key that occurs twice in one message is found twice.
///
/// `data` is a validated request and `index` its index.
pub fn find<'a>(signal: Signal, data: &'a [u8], index: &Index, keys: &KeySet, mut visit: impl FnMut(Found<'a>)) {
    walk(signal, data, index, keys, &mut |found| {
        visit(found);
        false
    });
}

/// [`find()`] that stops soon after `visit` has returned `true`.
fn walk<'a>(signal: Signal, data: &'a [u8], index: &Index, keys: &KeySet, visit: &mut dyn FnMut(Found<'a>) -> bool) {
    if keys.is_empty() {
        return;
    }
    let mut finder = Finder { data, keys, visit, stop: false };
    for (r, resource) in index.resources.iter().enumerate() {
        finder.context(Target::Resource(r as u32), resource.context, resource.range(), 1);
        for s in resource.scopes() {
            let Some(scope) = index.scopes.get(s) else { continue };
            finder.context(Target::Scope(s as u32), scope.context, scope.range(), 3);
            if signal == Signal::Metrics {
                for m in scope.children() {
                    let Some(metric) = index.metrics.get(m) else { continue };
                    finder.metadata(m as u32, metric);
                    for i in metric.items() {
                        finder.item(signal, metric.kind, index, i);
                    }
                }
            } else {
                for i in scope.children() {
                    finder.item(signal, MetricKind::Empty, index, i);
                    if finder.stop {
                        return;
                    }
                }
            }
            if finder.stop {
                return;
            }
        }
    }
}

/// Whether an attribute with one of these keys may occur in the request: the question before a plugin is called. No
/// false "no"; for one or two exact keys a false "yes" if the text of the key occurs elsewhere.
///
/// For one or two exact keys this searches the bytes without walking them; beyond that it walks until the first match.
#[must_use]
pub fn contains_any(signal: Signal, data: &[u8], index: &Index, keys: &KeySet) -> bool {
    if let Some(exact) = keys.all_exact()
        && keys.len() <= 2
    {
        return exact.into_iter().any(|key| memchr::memmem::find(data, key).is_some());
    }
    let mut any = false;
    walk(signal, data, index, keys, &mut |_| {
        any = true;
        true
    });
    any
}

struct Finder<'a, 'k, 'v> {
    data: &'a [u8],
    keys: &'k KeySet,
    visit: &'v mut dyn FnMut(Found<'a>) -> bool,
    stop: bool,
}

impl<'a> Finder<'a, '_, '_> {
    /// An attribute: the payload of a `KeyValue` message, and where the field lies.
    #[inline]
    fn attribute(&mut self, target: Target, message: &'a [u8], record: Range<usize>) {
        // The usual form is the key, then the value, and nothing else.
        if let Some((&[0x0a, len], rest)) = message.split_first_chunk::<2>()
            && let Some((key, rest)) = rest.split_at_checked(len as usize)
            && len < 0x80
        {
            let usual = match *rest {
                [] => true,
                [0x12, len, ref value @ ..] => value.len() == len as usize && len < 0x80,
                _ => false,
            };
            if usual {
                let Some(number) = self.keys.find(key) else { return };
                let value = Value::new(rest.get(2..).unwrap_or_default());
                let attribute = KeyValue { key: Str::new(key), value };
                self.stop |= (self.visit)(Found { target, key: number, attribute, record });
                return;
            }
        }
        let attribute = KeyValue::new(message);
        if let Some(number) = self.keys.find(attribute.key.as_bytes()) {
            self.stop |= (self.visit)(Found { target, key: number, attribute, record });
        }
    }

    /// The attributes in field `number` of the message at `base`.
    fn attributes(&mut self, target: Target, message: &'a [u8], base: usize, number: u32) {
        let mut fields = Fields::new(message);
        while let Some(field) = fields.next() {
            if field.number == number
                && let Some(attribute) = field.bytes()
            {
                self.attribute(target, attribute, base + field.start..base + field.end);
                fields.seek(self.run(target, message, base, field.end, number));
            }
        }
    }

    /// The attributes that follow each other from `start` on, as far as they are short and of the usual form. Returns the end of
    /// the last one.
    fn run(&mut self, target: Target, message: &'a [u8], base: usize, start: usize, number: u32) -> usize {
        let mut rest = message.get(start..).unwrap_or_default();
        // The tags of attributes are all one byte long.
        let tag = (number << 3 | 2) as u8;
        while let [first, len @ 0..0x80, 0x0a, key_len @ 0..0x80, after @ ..] = rest
            && *first == tag
        {
            let Some((inner, next)) = after.split_at_checked(usize::from(*len).wrapping_sub(2)) else { break };
            let Some((key, value)) = inner.split_at_checked(usize::from(*key_len)) else { break };
            let [0x12, value_len @ 0..0x80, value @ ..] = value else { break };
            if value.len() != usize::from(*value_len) {
                break;
            }
            if let Some(entry) = self.keys.find(key) {
                let attribute = KeyValue { key: Str::new(key), value: Value::new(value) };
                let start = base + message.len() - rest.len();
                let record = start..start + 2 + usize::from(*len);
                self.stop |= (self.visit)(Found { target, key: entry, attribute, record });
            }
            rest = next;
        }
        message.len() - rest.len()
    }

    /// The attributes of a resource or scope, which is field 1 of the message at `range`.
    fn context(&mut self, target: Target, context: crate::Context, range: Range<usize>, number: u32) {
        let data = self.data;
        let piece = |finder: &mut Self, range: Range<usize>| {
            let bytes = data.get(range.clone()).unwrap_or_default();
            for field in Fields::new(bytes) {
                if field.number == 1
                    && let Some(message) = field.bytes()
                {
                    finder.attributes(target, message, range.start + field.end - message.len(), number);
                }
            }
        };
        let (head, tail) = (context.head as usize, context.tail as usize);
        piece(self, range.start..head);
        if context.scattered {
            // The children's number is not 1, so they are passed over.
            piece(self, head..tail);
        }
        piece(self, tail..range.end);
    }

    fn metadata(&mut self, number: u32, metric: &crate::Metric) {
        let data = self.data;
        let (head, tail) = (metric.context.head as usize, metric.context.tail as usize);
        for range in [metric.offset as usize..head, tail..metric.range().end] {
            let bytes = data.get(range.clone()).unwrap_or_default();
            self.attributes(Target::Metric(number), bytes, range.start, 12);
        }
    }

    fn item(&mut self, signal: Signal, kind: MetricKind, index: &Index, number: usize) {
        let Some(entry) = index.items.get(number) else { return };
        let base = entry.offset as usize;
        let Some(message) = self.data.get(entry.range()) else { return };
        let item = number as u32;
        let target = Target::Item(item);
        match signal {
            Signal::Traces => {
                let (mut event, mut link) = (0, 0);
                let mut fields = Fields::new(message);
                while let Some(field) = fields.next() {
                    let Some(inner) = field.bytes() else { continue };
                    match field.number {
                        9 => {
                            self.attribute(target, inner, base + field.start..base + field.end);
                            fields.seek(self.run(target, message, base, field.end, 9));
                        }
                        11 => {
                            let start = base + field.end - inner.len();
                            self.attributes(Target::Event { item, event }, inner, start, 3);
                            event += 1;
                        }
                        13 => {
                            let start = base + field.end - inner.len();
                            self.attributes(Target::Link { item, link }, inner, start, 4);
                            link += 1;
                        }
                        _ => {}
                    }
                }
            }
            Signal::Logs => self.attributes(target, message, base, 6),
            Signal::Metrics => {
                let kind = DataPointKind::of(kind);
                let (attributes, exemplars) = (kind.attributes(), kind.exemplars());
                let mut exemplar = 0;
                for field in Fields::new(message) {
                    let Some(inner) = field.bytes() else { continue };
                    if field.number == attributes {
                        self.attribute(target, inner, base + field.start..base + field.end);
                    } else if field.number == exemplars {
                        let start = base + field.end - inner.len();
                        self.attributes(Target::Exemplar { item, exemplar }, inner, start, 7);
                        exemplar += 1;
                    }
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::numbers;
    use alloc::format;
    use alloc::string::String;

    /// Many entries are searched in another way than few: the outcome is the same, whatever the entries.
    #[test]
    fn many_keys_are_found_like_few() {
        let mut random = numbers();
        for round in 0..300 {
            let mut text = || -> String { (0..random(6)).map(|_| ['a', 'b', '\u{e9}'][random(3) as usize]).collect() };
            let texts: Vec<String> = (0..60).map(|_| text()).collect();
            let mut set = KeySet::new();
            for text in &texts {
                match random(if round % 3 == 0 { 30 } else { 3 }) {
                    0 => set.add_prefix(text),
                    29 => set.add_all(),
                    _ => set.add(text),
                };
            }
            let mut halves = KeySet::exact(texts.iter().take(9).map(String::as_str));
            halves.extend(&set);
            for set in [set, halves] {
                for key in texts.iter().map(String::as_str).chain(["abababab", "", "c"]) {
                    let linear = set.entries.iter().position(|entry| entry.matches(key.as_bytes()));
                    assert_eq!(set.find(key.as_bytes()), linear, "{key:?} in {set:?}");
                }
            }
        }
    }

    #[test]
    fn what_is_there_is_not_added_again() {
        let mut set = KeySet::exact((0..100).map(|n| format!("k{n}")).collect::<Vec<_>>().iter().map(String::as_str));
        set.extend(&set.clone());
        assert_eq!(set.len(), 100);
        let mut all = KeySet::new();
        all.add_prefix("k");
        all.add_all();
        set.extend(&all);
        assert_eq!(
            (set.len(), set.find(b"k99"), set.find(b"k100"), set.find(b"x")),
            (102, Some(99), Some(100), Some(101))
        );
    }
}
