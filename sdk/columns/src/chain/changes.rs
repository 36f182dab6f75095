//! What the answers of plugins changed so far, and the values in it: they stay where the answers have them until the request is
//! written, long ones even then.

use crate::edits::Edits;
use crate::splice::{self, Home, LONG};
use crate::{Intrinsic, Value};
use alloc::string::String;
use alloc::vec::Vec;
use core::ops::Range;
use tailrace_otlp::{Error, Index, New, Open, Signal, Str, Target, view};

/// The values of a table.
#[derive(Clone, Debug)]
pub(super) struct Values {
    /// Those that were scanned, and those that a scan would find in another form than an answer has them.
    scanned: Vec<u8>,
    /// Answers with values that are in use.
    answers: Vec<Edits>,
}

/// Where a value lies.
#[derive(Clone, Debug)]
pub(super) struct At {
    buffer: Buffer,
    range: Range<usize>,
}

/// What a value lies in; numbers are of answers.
#[derive(Clone, Copy, Debug)]
enum Buffer {
    Scanned,
    Edits(usize),
    Additions(usize),
}

impl At {
    /// Among those that were scanned.
    pub(super) fn scanned(range: Range<usize>) -> Self {
        Self { buffer: Buffer::Scanned, range }
    }
}

impl Values {
    pub(super) fn scanned(values: Vec<u8>) -> Self {
        Self { scanned: values, answers: Vec::new() }
    }

    pub(super) fn get(&self, at: &At) -> &[u8] {
        let buffer = match at.buffer {
            Buffer::Scanned => Some(&self.scanned),
            Buffer::Edits(number) => self.answers.get(number).map(|answer| &answer.data),
            Buffer::Additions(number) => self.answers.get(number).map(|answer| &answer.additions.data),
        };
        buffer.and_then(|buffer| buffer.get(at.range.clone())).unwrap_or_default()
    }

    /// Where a value of the answer that will be [kept](Self::keep) next lies: there, in the edits or in the additions.
    pub(super) fn next(&mut self, value: &Value<'_>, is_addition: bool, range: Range<usize>) -> At {
        if let (Value::Nested(_), Some(nested)) = (value, splice::to_otlp(*value)) {
            let start = self.scanned.len();
            view::put_value(&mut self.scanned, &nested);
            return At::scanned(start..self.scanned.len());
        }
        let number = self.answers.len();
        At { buffer: if is_addition { Buffer::Additions(number) } else { Buffer::Edits(number) }, range }
    }

    /// The number of the answer that will be kept next.
    pub(super) fn answers(&self) -> usize {
        self.answers.len()
    }

    /// Keeps an answer.
    pub(super) fn keep(&mut self, answer: Edits) {
        self.answers.push(answer);
    }
}

/// Changes in their order.
#[derive(Clone, Debug, Default)]
pub(super) struct Changes {
    list: Vec<Change>,
    /// Bytes of all their keys and values.
    bytes: usize,
}

/// One change. The names are numbers of the table's.
#[derive(Clone, Debug)]
pub(super) struct Change {
    pub(super) target: Target,
    pub(super) what: What,
}

#[derive(Clone, Debug)]
pub(super) enum What {
    RemoveFound(Range<usize>),
    SetFound(Range<usize>, usize, u8, At),
    SetNamed(usize, u8, At),
    SetField(Intrinsic, u8, At),
    /// An addition: whether it is an insert; the number of its answer and the key in there.
    Add(bool, (usize, Range<usize>), u8, At),
}

impl Changes {
    pub(super) fn is_empty(&self) -> bool {
        self.list.is_empty()
    }

    /// By how much they can make a request longer, at most.
    pub(super) fn growth_max(&self) -> usize {
        // Tags and lengths of an attribute and its value, and the lengths of the messages around it.
        self.bytes.saturating_add(self.list.len().saturating_mul(80))
    }

    /// Adds a change whose key and value have so many bytes.
    pub(super) fn push(&mut self, target: Target, what: What, bytes: usize) {
        self.list.push(Change { target, what });
        self.bytes = self.bytes.saturating_add(bytes);
    }

    /// Writes them into the request.
    pub(super) fn write(
        &self,
        signal: Signal,
        data: &[u8],
        index: &Index,
        names: &[String],
        values: Values,
    ) -> Result<(Vec<u8>, Index), Error> {
        let mut edits = tailrace_otlp::Edits::new();
        for change in &self.list {
            change.put(names, &values, &mut edits);
        }
        let (open, index) = edits.apply_open(signal, data, index, LONG)?;
        let request = match Home::of(&open, &values.answers) {
            None => open.close(),
            Some(home) => {
                let Open { bytes, at, .. } = open;
                home.close(values.answers, &bytes, at)
            }
        };
        Ok((request, index))
    }
}

impl Change {
    fn put<'v>(&self, names: &[String], values: &'v Values, edits: &mut tailrace_otlp::Edits<'v>) {
        let name = |number: &usize| names.get(*number).map_or("", String::as_str);
        let value = |kind: u8, at: &At| {
            let bytes = values.get(at);
            // It was checked when the answer was; a text is not checked again.
            let value = match kind {
                1 => Some(tailrace_otlp::Value::String(Str::new(bytes))),
                6 => Some(tailrace_otlp::Value::new(bytes)),
                _ => Value::read(kind, bytes).and_then(splice::to_otlp),
            };
            value.map(New::Borrowed)
        };
        let target = self.target;
        match &self.what {
            What::RemoveFound(record) => edits.remove_found(target, record.clone()),
            What::SetFound(record, key, kind, at) => {
                if let Some(value) = value(*kind, at) {
                    edits.set_found(target, record.clone(), name(key), value);
                }
            }
            What::SetNamed(key, kind, at) => {
                if let Some(value) = value(*kind, at) {
                    edits.set(target, name(key), value);
                }
            }
            What::SetField(field, kind, at) => {
                if let Some(value) = value(*kind, at) {
                    splice::set_field(edits, target, *field, value);
                }
            }
            What::Add(insert, (answer, key), kind, at) => {
                let answer = values.answers.get(*answer);
                let key = answer.and_then(|answer| answer.additions.names.get(key.clone())).unwrap_or_default();
                match value(*kind, at) {
                    Some(value) if *insert => edits.insert(target, key, value),
                    Some(value) => edits.set(target, key, value),
                    None => {}
                }
            }
        }
    }
}
