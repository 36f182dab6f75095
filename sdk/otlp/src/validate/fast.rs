//! What the usual encoders write, recognised without a table: the fields of a span in order, and attributes with short keys
//! and values.
//!
//! Every function here says "valid up to this position" and never refuses; the general walker goes on from there.
//!
//! Strings of attributes are not checked one by one: lengths that vary would cost a mispredicted branch each. A run of attributes
//! is walked for its structure first. In such a run tags and lengths are below 0x80, and numbers own a known count of bytes
//! from 0x80 up; so if the whole run has just as many such bytes, all its strings are ASCII. If not, they are checked
//! one by one after all.

use crate::index::NONE;

/// What has been checked: up to where, and how many sub-messages that took.
pub(super) struct Checked {
    pub(super) pos: usize,
    pub(super) elements: usize,
}

/// Checks the fields of a span from its start to its attributes. Also says where the trace id lies, if it was seen.
#[inline]
pub(super) fn span_start(data: &[u8], start: usize) -> (usize, u32) {
    let span = data.get(start..).unwrap_or_default();
    let mut rest = span;
    let mut trace = NONE;
    if let [0x0a, 0x10, after @ ..] = rest
        && let Some((id, after)) = after.split_first_chunk::<16>()
    {
        if *id != [0; 16] {
            trace = (start + 2) as u32;
        }
        rest = after;
    }
    if let [0x12, 0x08, after @ ..] = rest
        && let Some((_, after)) = after.split_first_chunk::<8>()
    {
        rest = after;
    }
    rest = string(rest, 0x1a);
    match rest {
        [0x22, 0x08, after @ ..] => {
            if let Some((_, after)) = after.split_first_chunk::<8>() {
                rest = after;
            }
        }
        [0x22, 0x00, after @ ..] => rest = after,
        _ => {}
    }
    rest = string(rest, 0x2a);
    if let [0x30, kind, after @ ..] = rest
        && *kind < 0x80
    {
        rest = after;
    }
    if let [0x39, after @ ..] = rest
        && let Some((_, after)) = after.split_first_chunk::<8>()
    {
        rest = after;
    }
    if let [0x41, after @ ..] = rest
        && let Some((_, after)) = after.split_first_chunk::<8>()
    {
        rest = after;
    }
    (data.len() - rest.len(), trace)
}

/// Behind a string field with this tag, if it comes first and is short and valid.
#[inline]
fn string(rest: &[u8], tag: u8) -> &[u8] {
    if let [first, len, after @ ..] = rest
        && *first == tag
        && *len < 0x80
        && let Some((string, after)) = after.split_at_checked(usize::from(*len))
        && (is_ascii(string) || core::str::from_utf8(string).is_ok())
    {
        return after;
    }
    rest
}

/// Checks what follows the attributes of a span if it is a short status and the flags.
#[inline]
pub(super) fn span_end(data: &[u8], start: usize) -> Checked {
    let mut rest = data.get(start..).unwrap_or_default();
    let mut elements = 0;
    match rest {
        [0x7a, 0x00, after @ ..] => {
            rest = after;
            elements = 1;
        }
        [0x7a, 0x02, 0x18, code, after @ ..] if *code < 0x80 => {
            rest = after;
            elements = 1;
        }
        _ => {}
    }
    if let [0x85, 0x01, _, _, _, _, after @ ..] = rest {
        rest = after;
    }
    Checked { pos: data.len() - rest.len(), elements }
}

/// Checks the attributes (fields whose one-byte tag is `tag`) from `start` on, as far as they are of the usual form. `whole` is the
/// request, `end` the end of the message at hand.
#[inline]
pub(super) fn attributes(whole: &[u8], start: usize, end: usize, tag: u8) -> Checked {
    let mut rest = whole.get(start..).unwrap_or_default();
    // What is left of the request behind the message.
    let behind = whole.len() - end;
    let mut elements = 0;
    // How many bytes from 0x80 up are not part of strings.
    let mut high = 0usize;
    let pattern = 0x000a_0000 | u32::from(tag);
    while let Some(head) = rest.first_chunk::<4>() {
        let [_, len, _, key_len] = *head;
        if u32::from_le_bytes(*head) & 0x80ff_80ff != pattern {
            break;
        }
        let (len, key_len) = (usize::from(len), usize::from(key_len));
        let Some(next) = rest.get(2 + len..) else { break };
        let Some(value) = rest.get(4 + key_len..) else { break };
        let Some(&[a, b, c, d, e]) = value.first_chunk::<5>() else { break };
        if next.len() < behind {
            break;
        }
        // Length of the AnyValue: the attribute without the key, two tags and two lengths.
        let value_len = (len as u32).wrapping_sub(key_len as u32 + 4);
        let word = u32::from_le_bytes([a, b, c, d]);
        let string = word == 0x000a_0012u32.wrapping_add(value_len << 8).wrapping_add(value_len.wrapping_sub(2) << 24)
            && value_len.wrapping_sub(2) < 126;
        let small = word & 0x80f7_ffff == 0x0010_0212 && value_len == 2;
        let two_bytes = word & 0x80ff_ffff == 0x8018_0312 && value_len == 3 && e < 0x80;
        if string | small | two_bytes {
            high += usize::from(two_bytes);
        } else if let Some(more) = number(value, value_len) {
            high += more;
        } else {
            break;
        }
        elements += 2;
        rest = next;
    }
    let pos = whole.len() - rest.len();
    let run = whole.get(start..pos).unwrap_or_default();
    if count_high(run) == high {
        return Checked { pos, elements };
    }
    one_by_one(run, start)
}

/// Whether `value`, which starts with the tag of an `AnyValue`, is a longer integer or a double: how many bytes from 0x80
/// up it has.
#[inline(never)]
fn number(value: &[u8], value_len: u32) -> Option<usize> {
    let [0x12, len, tag, bytes @ ..] = value else { return None };
    if u32::from(*len) != value_len || *len >= 0x80 {
        return None;
    }
    let bytes = bytes.get(..usize::from(*len).checked_sub(1)?)?;
    match (*tag, bytes) {
        (0x21, bytes) if bytes.len() == 8 => Some(count_high(bytes)),
        // A varint of ten bytes has more rules; the general walker knows them.
        (0x18, [high @ .., last]) if high.len() < 9 && *last < 0x80 && count_high(high) == high.len() => {
            Some(high.len())
        }
        _ => None,
    }
}

/// Checks every string of a run of attributes whose structure has been checked.
#[cold]
fn one_by_one(run: &[u8], start: usize) -> Checked {
    let mut rest = run;
    let mut elements = 0;
    let valid = |string: &[u8]| is_ascii(string) || core::str::from_utf8(string).is_ok();
    while let [_, len, _, key_len, after @ ..] = rest {
        let Some((attribute, next)) = after.split_at_checked((usize::from(*len)).saturating_sub(2)) else { break };
        let Some((key, value)) = attribute.split_at_checked(usize::from(*key_len)) else { break };
        let is_valid = valid(key)
            && match value {
                [_, _, 0x0a, _, string @ ..] => valid(string),
                _ => true,
            };
        if !is_valid {
            break;
        }
        elements += 2;
        rest = next;
    }
    Checked { pos: start + run.len() - rest.len(), elements }
}

const HIGH: u64 = 0x8080_8080_8080_8080;

/// How many bytes are 0x80 or more. On words of eight, which is fast with and without wide vectors.
#[inline]
fn count_high(bytes: &[u8]) -> usize {
    let (words, rest) = bytes.as_chunks::<8>();
    let mut count = rest.iter().filter(|byte| **byte >= 0x80).count();
    // Eight counters of a byte each, summed up before one can overflow.
    for words in words.chunks(250) {
        let mut counters = 0u64;
        for word in words {
            counters += (u64::from_le_bytes(*word) & HIGH) >> 7;
        }
        let pairs = (counters & 0x00ff_00ff_00ff_00ff) + (counters >> 8 & 0x00ff_00ff_00ff_00ff);
        count += (pairs.wrapping_mul(0x0001_0001_0001_0001) >> 48) as usize;
    }
    count
}

/// Whether a short string is ASCII.
#[inline]
fn is_ascii(bytes: &[u8]) -> bool {
    let (words, rest) = bytes.as_chunks::<8>();
    let word = words.iter().fold(0, |all, word| all | u64::from_le_bytes(*word));
    let byte = rest.iter().fold(0, |all, byte| all | byte);
    word & HIGH == 0 && byte < 0x80
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::vec::Vec;

    /// The count on words is the count of bytes, at every length around its borders.
    #[test]
    fn counts() {
        for len in (0..40).chain(1_990..2_020).chain(8_000..8_002) {
            for step in [1, 2, 3, 7, 255] {
                let bytes: Vec<u8> = (0..len).map(|i| (i * step) as u8).collect();
                let expected = bytes.iter().filter(|byte| **byte >= 0x80).count();
                assert_eq!(count_high(&bytes), expected, "{len} {step}");
                assert_eq!(is_ascii(&bytes), bytes.is_ascii());
            }
            assert_eq!(count_high(&alloc::vec![0xff; len]), len);
        }
    }
}
