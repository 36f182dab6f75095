//! Spans rewritten on their way out: a run of encoded spans goes in, the same run with attributes and another tracestate comes out.
//!
//! Nothing is decoded: each span is copied but for the fields that are replaced, and what is new stands at its end. Fields
//! that nobody knows stay as they are. An attribute that the span already has is replaced, since no key may be there twice.

use super::ot::{Threshold, TraceState, Unparseable};
use std::ops::Range;
use tailrace_otlp::view::{Value, put_attribute};
use tailrace_otlp::{KeyValue, wire};

/// Fields of a span, and the span in its scope.
const TRACE_STATE: u32 = 3;
const ATTRIBUTES: u32 = 9;
const SPAN: u32 = 2;

/// What is to be written on every span of a run.
#[derive(Clone, Copy, Debug, Default)]
pub struct Inscription<'a> {
    /// Key and value of an attribute.
    pub attribute: Option<(&'a str, &'a str)>,
    /// What the trace was sampled with: goes into the tracestate, unless the span was sampled more strictly before.
    pub threshold: Option<Threshold>,
    /// Key of an attribute for the share of such spans that is kept, from the threshold that the span leaves with.
    pub share_key: Option<&'a str>,
}

/// Rewrites runs; keeps its memory in between.
#[derive(Debug, Default)]
pub struct Rewriter {
    out: Vec<u8>,
    added: Vec<u8>,
    removed: Vec<Range<usize>>,
}

impl Rewriter {
    /// The run, in two pieces, with the inscription, and how many of its spans have a tracestate that cannot be read: that stays as
    /// it is.
    pub fn rewrite(&mut self, pieces: [&[u8]; 2], inscription: &Inscription<'_>) -> (&[u8], usize) {
        self.out.clear();
        let mut unparseable = 0;
        let [first, second] = pieces;
        let joined;
        let run = if first.is_empty() {
            second
        } else if second.is_empty() {
            first
        } else {
            joined = pieces.concat();
            &joined
        };
        for span in wire::Fields::new(run).filter_map(|field| field.bytes()) {
            unparseable += usize::from(self.span(span, inscription).is_err());
        }
        (&self.out, unparseable)
    }

    fn span(&mut self, span: &[u8], inscription: &Inscription<'_>) -> Result<(), Unparseable> {
        self.added.clear();
        self.removed.clear();
        let mut state: &[u8] = b"";
        let mut state_at = 0..0;
        for field in wire::Fields::new(span) {
            match (field.number, field.bytes()) {
                (TRACE_STATE, Some(text)) => {
                    // Of several the last counts.
                    self.removed.extend(Some(std::mem::replace(&mut state_at, field.start..field.end)));
                    state = text;
                }
                (ATTRIBUTES, Some(message)) if inscription.has_key(message) => {
                    self.removed.push(field.start..field.end)
                }
                _ => {}
            }
        }
        let written = self.trace_state(state, inscription.threshold);
        if written == Ok(true) {
            self.removed.push(state_at);
        }
        if let Some((key, value)) = inscription.attribute {
            put_attribute(&mut self.added, ATTRIBUTES, key.into(), &value.into());
        }
        let own = || TraceState::parse(state).ok().and_then(|state| state.threshold());
        if let (Some(key), Some(threshold)) = (inscription.share_key, inscription.threshold) {
            let leaves_with = own().map_or(threshold, |own| own.max(threshold));
            put_attribute(&mut self.added, ATTRIBUTES, key.into(), &Value::from(leaves_with.share()));
        }
        self.splice(span);
        written.map(|_| ())
    }

    /// Adds the tracestate with the threshold. `false` if it stays as it is.
    fn trace_state(&mut self, text: &[u8], threshold: Option<Threshold>) -> Result<bool, Unparseable> {
        let Some(threshold) = threshold else { return Ok(false) };
        let state = TraceState::parse(text)?;
        if state.threshold().is_some_and(|own| own > threshold) {
            return Ok(false);
        }
        let mut written = Vec::new();
        state.write_with(threshold, &mut written);
        if written == text {
            return Ok(false);
        }
        if !written.is_empty() {
            wire::put_len_field(&mut self.added, TRACE_STATE, &written);
        }
        Ok(true)
    }

    /// Writes the span without what was removed, then what was added.
    fn splice(&mut self, span: &[u8]) {
        self.removed.sort_unstable_by_key(|range| range.start);
        let removed: usize = self.removed.iter().map(ExactSizeIterator::len).sum();
        wire::put_tag(&mut self.out, SPAN, wire::WireType::Len);
        wire::put_varint(&mut self.out, (span.len() - removed + self.added.len()) as u64);
        let mut from = 0;
        for range in &self.removed {
            self.out.extend_from_slice(span.get(from..range.start).unwrap_or_default());
            from = range.end.max(from);
        }
        self.out.extend_from_slice(span.get(from..).unwrap_or_default());
        self.out.extend_from_slice(&self.added);
    }
}

impl Inscription<'_> {
    /// Whether it writes nothing.
    pub fn is_nothing(&self) -> bool {
        self.attribute.is_none() && self.threshold.is_none()
    }

    /// Whether the attribute is one that it writes.
    fn has_key(&self, attribute: &[u8]) -> bool {
        if self.attribute.is_none() && self.share_key.is_none() {
            return false;
        }
        let key = KeyValue::new(attribute).key.as_bytes();
        self.attribute.is_some_and(|(own, _)| own.as_bytes() == key)
            || (self.threshold.is_some() && self.share_key.is_some_and(|own| own.as_bytes() == key))
    }
}

#[cfg(test)]
mod tests;
