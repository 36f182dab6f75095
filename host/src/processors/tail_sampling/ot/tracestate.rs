//! W3C tracestate with its `ot` entry: what is valid, what it says about sampling, and how it is written with another threshold.
//!
//! The rules, limits and the order of what is written are those of the Collector's library, which the tests hold against it; the
//! library takes one entry fewer than the standard allows.

use super::Threshold;
use super::threshold::parse_randomness;
use std::io::Write;

/// Longest tracestate, in bytes.
const BYTES_MAX: usize = 1024;
/// Entries at most, empty ones included.
const ENTRIES_MAX: usize = 31;
/// Longest key, and longest value of an entry or of `ot`, in bytes.
const KEY_MAX: usize = 256;
/// Longest parts of a key with an `@`.
const TENANT_MAX: usize = 241;
const SYSTEM_MAX: usize = 14;

/// It breaks the rules of W3C, or its `ot` entry those of OpenTelemetry.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Unparseable;

/// A valid tracestate.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct TraceState<'a> {
    text: &'a [u8],
    ot: &'a [u8],
    rv: Option<(&'a [u8], u64)>,
    th: Option<Threshold>,
}

impl<'a> TraceState<'a> {
    /// Reads it.
    ///
    /// # Errors
    /// Any part of it is wrong.
    pub fn parse(text: &'a [u8]) -> Result<Self, Unparseable> {
        let mut state = Self { text, ..Self::default() };
        if text.len() > BYTES_MAX || items(text, b',').count() > ENTRIES_MAX {
            return Err(Unparseable);
        }
        for entry in entries(text) {
            let (key, value) = split(entry, b'=').ok_or(Unparseable)?;
            if !is_key(key) || !is_value(value) {
                return Err(Unparseable);
            }
            if key == b"ot" {
                state.read_ot(value)?;
            }
        }
        Ok(state)
    }

    /// The last `ot` entry counts, and in it the last `rv` and `th`.
    fn read_ot(&mut self, ot: &'a [u8]) -> Result<(), Unparseable> {
        (self.ot, self.rv, self.th) = (ot, None, None);
        for member in items(ot, b';') {
            let (key, value) = split(member, b':').ok_or(Unparseable)?;
            if !is_ot_key(key) || !value.iter().all(|byte| is_ot_char(*byte)) {
                return Err(Unparseable);
            }
            match key {
                b"rv" => self.rv = Some((value, parse_randomness(value).ok_or(Unparseable)?)),
                b"th" => self.th = Some(Threshold::parse(value).ok_or(Unparseable)?),
                _ => {}
            }
        }
        Ok(())
    }

    /// The randomness that it says.
    pub fn randomness(&self) -> Option<u64> {
        self.rv.map(|(_, randomness)| randomness)
    }

    /// The threshold that it says.
    pub fn threshold(&self) -> Option<Threshold> {
        self.th
    }

    /// Appends it with this threshold instead of its own: `ot` first, and in it `rv` and `th`.
    pub fn write_with(&self, threshold: Threshold, out: &mut Vec<u8>) {
        let start = out.len();
        if let Some((digits, _)) = self.rv {
            begin(out, start, b"ot=", b"");
            out.extend_from_slice(b"rv:");
            out.extend_from_slice(digits);
        }
        if threshold != Threshold::NEVER {
            begin(out, start, b"ot=", b";");
            // Writing to a vector does not fail.
            let _ = write!(out, "th:{threshold}");
        }
        let others = items(self.ot, b';').filter(|member| !member.starts_with(b"rv:") && !member.starts_with(b"th:"));
        for member in others.filter(|member| !member.is_empty()) {
            begin(out, start, b"ot=", b";");
            out.extend_from_slice(member);
        }
        for entry in entries(self.text).filter(|entry| !entry.starts_with(b"ot=")) {
            begin(out, start, b"", b",");
            out.extend_from_slice(entry);
        }
    }
}

/// What comes before something that begins at the end of `out`.
fn begin(out: &mut Vec<u8>, start: usize, first: &[u8], other: &[u8]) {
    let text = if out.len() == start { first } else { other };
    out.extend_from_slice(text);
}

/// The pieces between separators; a separator at the very end ends the last piece instead of starting another.
fn items(text: &[u8], separator: u8) -> impl Iterator<Item = &[u8]> {
    // In an `ot` entry that last separator is an error: it is seen as an empty piece there.
    let text = if separator == b',' { text.strip_suffix(b",").unwrap_or(text) } else { text };
    let pieces = if text.is_empty() { 0 } else { usize::MAX };
    text.split(move |byte| *byte == separator).take(pieces)
}

/// The entries that are not empty, without the blanks around them.
fn entries(text: &[u8]) -> impl Iterator<Item = &[u8]> {
    let is_blank = |byte: &u8| matches!(byte, b' ' | b'\t');
    let trim = move |entry: &'_ [u8]| {
        let start = entry.iter().position(|byte| !is_blank(byte)).unwrap_or(entry.len());
        let end = entry.iter().rposition(|byte| !is_blank(byte)).map_or(start, |last| last + 1);
        start..end
    };
    items(text, b',').filter_map(move |entry| entry.get(trim(entry))).filter(|entry| !entry.is_empty())
}

/// The parts around the first separator.
fn split(text: &[u8], separator: u8) -> Option<(&[u8], &[u8])> {
    let (before, after) = text.split_at_checked(text.iter().position(|byte| *byte == separator)?)?;
    Some((before, after.get(1..)?))
}

fn is_key(key: &[u8]) -> bool {
    if key.len() > KEY_MAX {
        return false;
    }
    match split(key, b'@') {
        Some((tenant, system)) => {
            tenant.len() <= TENANT_MAX
                && system.len() <= SYSTEM_MAX
                && is_word(tenant, |byte| byte.is_ascii_lowercase() || byte.is_ascii_digit())
                && is_word(system, |byte| byte.is_ascii_lowercase())
        }
        None => is_word(key, |byte| byte.is_ascii_lowercase()),
    }
}

fn is_word(word: &[u8], is_first: impl Fn(u8) -> bool) -> bool {
    let is_other = |byte: &u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || b"_-*/".contains(byte);
    word.split_first().is_some_and(|(first, others)| is_first(*first) && others.iter().all(is_other))
}

fn is_value(value: &[u8]) -> bool {
    let is_char = |byte: u8| matches!(byte, 0x20..=0x7e) && byte != b',' && byte != b'=';
    value.len() <= KEY_MAX && value.last().is_some_and(|last| *last != b' ') && value.iter().all(|byte| is_char(*byte))
}

fn is_ot_key(key: &[u8]) -> bool {
    let is_other = |byte: &u8| byte.is_ascii_lowercase() || byte.is_ascii_digit();
    key.split_first().is_some_and(|(first, others)| first.is_ascii_lowercase() && others.iter().all(is_other))
}

fn is_ot_char(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || b"._-".contains(&byte)
}

#[cfg(test)]
#[path = "tests/tracestate.rs"]
mod tests;
