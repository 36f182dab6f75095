//! Edits of attributes and a few fields by splicing: the request is copied once, the lengths of the messages around an edit are
//! corrected, everything else (order, unknown fields) stays as it is.
//!
//! [`Edits`] collects what is to be done; [`Edits::apply`] does it in one pass, and the index of the result comes with it.
//! [`resolve`] turns edits into patches (replace these bytes by those), [`splice`] applies patches.

use crate::find::Target;
use crate::index::Index;
use crate::view::{Value, put_value, put_value_but_bytes};
use crate::wire;
use crate::{Error, Signal};
use alloc::vec::Vec;
use core::ops::Range;

mod open;
mod resolve;
mod splice;

pub use open::{Open, close_within};

/// Edits to be applied to one request.
///
/// Edits of one target happen in the order in which they were added. An edit whose target does not exist (no such item, an
/// event of a log record) does nothing. New values are copied, unless they are [`New::Borrowed`].
///
/// ```
/// use tailrace_otlp::{Edits, Limits, RequestWriter, Signal, SpanView, Target, validate};
///
/// let mut writer = RequestWriter::new(Signal::Traces);
/// writer.item(b"\x2a\x05GET /", tailrace_otlp::NONE);
/// let (data, index) = writer.finish()?;
///
/// let mut edits = Edits::new();
/// edits.set(Target::Item(0), "http.route", "/");
/// edits.set(Target::Resource(0), "service.name", "shop");
/// let (data, index) = edits.apply(Signal::Traces, &data, &index)?;
///
/// let span = SpanView::new(&data[index.items[0].range()]);
/// assert_eq!(span.attributes().get("http.route").unwrap().as_str(), Some("/"));
/// assert_eq!(index, validate(Signal::Traces, &data, &Limits::default())?);
/// # Ok::<_, tailrace_otlp::Error>(())
/// ```
#[derive(Clone, Debug, Default)]
pub struct Edits<'v> {
    ops: Vec<Op<'v>>,
    /// Keys and encoded values of all operations, one after the other.
    text: Vec<u8>,
    /// Bytes of all values that are borrowed.
    borrowed: usize,
}

/// A new value. Everything that is a [`Value`] is one that is copied.
#[derive(Clone, Copy, Debug)]
pub enum New<'c, 'v> {
    /// Copied at once.
    Copied(Value<'c>),
    /// Left where it is until the edits are applied: what is long is copied once then.
    Borrowed(Value<'v>),
}

impl<'c, T: Into<Value<'c>>> From<T> for New<'c, '_> {
    fn from(value: T) -> Self {
        Self::Copied(value.into())
    }
}

/// A field of an item, metric or scope that is not an attribute and can be set.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Intrinsic {
    /// Name of a span (`Target::Item`) or event.
    SpanName,
    /// Kind of a span.
    SpanKind,
    /// Status code of a span.
    SpanStatusCode,
    /// Status message of a span.
    SpanStatusMessage,
    /// Body of a log record.
    LogBody,
    /// Severity number of a log record.
    LogSeverityNumber,
    /// Severity text of a log record.
    LogSeverityText,
    /// Name of a metric (`Target::Metric`).
    MetricName,
    /// Name of an instrumentation scope (`Target::Scope`).
    ScopeName,
}

#[derive(Clone, Debug)]
struct Op<'v> {
    target: Target,
    what: What<'v>,
}

impl Op<'_> {
    /// The key that it looks for, as a range of [`Edits::text`].
    fn key(&self) -> Option<&Range<usize>> {
        match &self.what {
            What::Set(key, _) | What::Insert(key, _) | What::Remove(key) | What::Rename(key, _) => Some(key),
            What::SetRecord(..) | What::RemoveRecord(_) | What::Intrinsic(..) => None,
        }
    }
}

/// Ranges are of [`Edits::text`].
#[derive(Clone, Debug)]
enum What<'v> {
    /// Key and `AnyValue`.
    Set(Range<usize>, Encoded<'v>),
    /// Key and `AnyValue`.
    Insert(Range<usize>, Encoded<'v>),
    Remove(Range<usize>),
    /// From key, to key.
    Rename(Range<usize>, Range<usize>),
    /// The attribute whose field lies here in the request; new key and `AnyValue`.
    SetRecord(Range<usize>, Range<usize>, Encoded<'v>),
    RemoveRecord(Range<usize>),
    /// The intrinsic and the payload of its new value.
    Intrinsic(Intrinsic, Encoded<'v>),
}

/// A new value as it is written: a range of [`Edits::text`], and behind it what is borrowed.
#[derive(Clone, Debug)]
struct Encoded<'v> {
    text: Range<usize>,
    rest: &'v [u8],
}

impl<'v> Encoded<'v> {
    fn len(&self) -> usize {
        self.text.len() + self.rest.len()
    }

    /// The longer part of it, to be written behind the shorter one, which is appended to `out`.
    fn put_but_last<'e>(&self, edits: &'e Edits<'_>, out: &mut Vec<u8>) -> &'e [u8]
    where
        'v: 'e,
    {
        let text = edits.text.get(self.text.clone()).unwrap_or_default();
        if self.rest.is_empty() {
            return text;
        }
        out.extend_from_slice(text);
        self.rest
    }
}

impl<'v> Edits<'v> {
    /// No edits.
    #[must_use]
    pub const fn new() -> Self {
        Self { ops: Vec::new(), text: Vec::new(), borrowed: 0 }
    }

    /// How many edits there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.ops.len()
    }

    /// Whether there are no edits.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.ops.is_empty()
    }

    /// By how much the edits can make a request longer, at most.
    #[must_use]
    pub fn growth_max(&self) -> usize {
        // Tags and lengths of an attribute, and the lengths of the messages around it.
        (self.text.len() + self.borrowed).saturating_add(self.ops.len().saturating_mul(64))
    }

    /// Forgets all edits but keeps the memory.
    pub fn clear(&mut self) {
        self.ops.clear();
        self.text.clear();
        self.borrowed = 0;
    }

    /// Gives the attribute `key` this value. The first attribute with the key keeps its place, further ones with it go; if
    /// there is none, it is appended.
    pub fn set<'c>(&mut self, target: Target, key: &str, value: impl Into<New<'c, 'v>>) {
        let key = self.text(key.as_bytes());
        let value = self.value(value.into());
        self.push(target, What::Set(key, value));
    }

    /// Appends the attribute `key` with this value, if there is none with that key.
    pub fn insert<'c>(&mut self, target: Target, key: &str, value: impl Into<New<'c, 'v>>) {
        let key = self.text(key.as_bytes());
        let value = self.value(value.into());
        self.push(target, What::Insert(key, value));
    }

    /// Removes every attribute with this key.
    pub fn remove(&mut self, target: Target, key: &str) {
        let key = self.text(key.as_bytes());
        self.push(target, What::Remove(key));
    }

    /// Renames every attribute with the key `from`. Attributes that have the key `to` already go, if there is one to rename.
    pub fn rename(&mut self, target: Target, from: &str, to: &str) {
        let (from, to) = (self.text(from.as_bytes()), self.text(to.as_bytes()));
        self.push(target, What::Rename(from, to));
    }

    /// Replaces the attribute that [`find`](crate::find()) found at `record` in `target`.
    pub fn set_found<'c>(&mut self, target: Target, record: Range<usize>, key: &str, value: impl Into<New<'c, 'v>>) {
        let key = self.text(key.as_bytes());
        let value = self.value(value.into());
        self.push(target, What::SetRecord(record, key, value));
    }

    /// Removes the attribute that [`find`](crate::find()) found at `record` in `target`.
    pub fn remove_found(&mut self, target: Target, record: Range<usize>) {
        self.push(target, What::RemoveRecord(record));
    }

    /// Sets a field that is not an attribute. Names, texts and messages take a [`Value::String`], the log body any value,
    /// kind, status code and severity number a [`Value::Int`] within 32 bits. Returns `false`, and does nothing, if the value
    /// is of another type or `target` does not have such a field.
    pub fn set_intrinsic<'c>(&mut self, target: Target, intrinsic: Intrinsic, value: impl Into<New<'c, 'v>>) -> bool {
        let fits = match intrinsic {
            Intrinsic::SpanName => matches!(target, Target::Item(_) | Target::Event { .. }),
            Intrinsic::MetricName => matches!(target, Target::Metric(_)),
            Intrinsic::ScopeName => matches!(target, Target::Scope(_)),
            _ => matches!(target, Target::Item(_)),
        };
        if !fits {
            return false;
        }
        let start = self.text.len();
        let copied = |text: &[u8]| Encoded { text: start..text.len(), rest: &[] };
        let new = match (intrinsic, value.into()) {
            (Intrinsic::LogBody, value) => self.value(value),
            (
                Intrinsic::SpanKind | Intrinsic::SpanStatusCode | Intrinsic::LogSeverityNumber,
                New::Copied(Value::Int(number)) | New::Borrowed(Value::Int(number)),
            ) if i32::try_from(number).is_ok() => {
                wire::put_varint(&mut self.text, number.cast_unsigned());
                copied(&self.text)
            }
            (
                Intrinsic::SpanName
                | Intrinsic::SpanStatusMessage
                | Intrinsic::LogSeverityText
                | Intrinsic::MetricName
                | Intrinsic::ScopeName,
                new,
            ) => match new {
                New::Copied(Value::String(string)) => {
                    self.text.extend_from_slice(string.as_bytes());
                    copied(&self.text)
                }
                New::Borrowed(Value::String(string)) => {
                    self.borrowed += string.len();
                    Encoded { text: start..start, rest: string.as_bytes() }
                }
                _ => return false,
            },
            _ => return false,
        };
        self.push(target, What::Intrinsic(intrinsic, new));
        true
    }

    /// Applies the edits to a request; returns the new one with its index.
    ///
    /// # Errors
    /// If the result is longer than `u32::MAX` bytes.
    pub fn apply(&self, signal: Signal, data: &[u8], index: &Index) -> Result<(Vec<u8>, Index), Error> {
        let patches = resolve::resolve(self, signal, data, index);
        let (request, index) = splice::splice(data, index, &patches, None)?;
        Ok((request.close(), index))
    }

    /// Like [`apply`](Self::apply), but the longest new value is left out, if it has at least so many bytes: who owns it may
    /// have a better place to put them together.
    ///
    /// # Errors
    /// As those of [`apply`](Self::apply).
    pub fn apply_open<'e>(
        &'e self,
        signal: Signal,
        data: &[u8],
        index: &Index,
        least: usize,
    ) -> Result<(Open<'e>, Index), Error> {
        let patches = resolve::resolve(self, signal, data, index);
        let longest = patches.list.iter().enumerate().max_by_key(|(_, patch)| patch.value.len());
        let left_out = longest.filter(|(_, patch)| patch.value.len() >= least).map(|(number, _)| number);
        splice::splice(data, index, &patches, left_out)
    }

    fn push(&mut self, target: Target, what: What<'v>) {
        self.ops.push(Op { target, what });
    }

    fn text(&mut self, bytes: &[u8]) -> Range<usize> {
        let start = self.text.len();
        self.text.extend_from_slice(bytes);
        start..self.text.len()
    }

    /// Encodes an `AnyValue`.
    fn value(&mut self, new: New<'_, 'v>) -> Encoded<'v> {
        let start = self.text.len();
        let rest: &[u8] = match new {
            New::Copied(value) => {
                put_value(&mut self.text, &value);
                &[]
            }
            New::Borrowed(value) => put_value_but_bytes(&mut self.text, &value),
        };
        self.borrowed += rest.len();
        Encoded { text: start..self.text.len(), rest }
    }
}

/// The message of the index that a patch lies in. The bytes of its children are not the patch's.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Container {
    Resource(u32),
    Scope(u32),
    Metric(u32),
    Item(u32),
}

/// Replace the bytes `old` of the request, which lie in `container`, by the bytes `new` of [`Patches::text`] and behind them
/// `value`, which may be long and is copied once, to where it belongs.
#[derive(Clone, Debug)]
struct Patch<'e> {
    container: Container,
    old: Range<usize>,
    new: Range<usize>,
    value: &'e [u8],
}

impl Patch<'_> {
    /// By how many bytes its container grows, or shrinks.
    fn growth(&self) -> isize {
        (self.new.len() + self.value.len()) as isize - self.old.len() as isize
    }
}

/// Patches in the order of their containers, and in each in the order of the bytes; they do not overlap.
#[derive(Clone, Debug, Default)]
struct Patches<'e> {
    list: Vec<Patch<'e>>,
    text: Vec<u8>,
}
