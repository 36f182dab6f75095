//! One pass over the bytes of a request that checks everything and yields the index of its items.
//!
//! The fast path ([`fast`]) recognises what the usual encoders write and says "valid up to here"; it never refuses. What it
//! does not recognise goes to the general walker ([`walk`]), which follows the [`schema`](crate::schema) and alone
//! makes errors.

use crate::{Error, Index, Signal};

mod fast;
mod walk;

/// Bounds of what validation accepts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// How deep messages may be nested below the request; more than 400 counts as 400.
    pub depth: u32,
    /// How many sub-messages (and repeated strings) a request may have in all. An empty one takes two bytes on the wire
    /// and a hundred times as much in a program that decodes it.
    pub elements: usize,
    /// How many of these may be resources, scopes, metrics and items, each of which has an entry of 16 to 60 bytes in the index.
    pub entries: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self { depth: 100, elements: 4 << 20, entries: 1 << 20 }
    }
}

/// Checks that `data` is a valid request of `signal`, and says where its items lie.
///
/// What holds afterwards, for every message down to the leaves:
/// - tags, lengths and varints are well formed, nothing reaches beyond its message, groups (unknown, as OTLP has none)
///   are balanced, known fields have their wire type, repeated numbers packed or not;
/// - nesting and the number of sub-messages are within `limits`;
/// - strings are UTF-8;
/// - trace ids are 16 bytes long or empty, span ids 8 bytes or empty, wherever they occur. All-zero ids pass; an index treats an
///   all-zero trace id like an absent one;
/// - values that readers would have to merge occur once: `KeyValue.value`, `LogRecord.body`, `AnyValue.arrayValue`,
///   `AnyValue.kvlistValue` and the data of a `Metric`. Protobuf allows to split them; no encoder does, and two readers that
///   disagree about the result are a way around a filter.
///
/// Unknown fields are legal. Of a single scalar field that occurs more than once the last occurrence counts, as in
/// protobuf.
///
/// # Errors
/// The first thing that is wrong, and where.
pub fn validate(signal: Signal, data: &[u8], limits: &Limits) -> Result<Index, Error> {
    let mut index = Index::default();
    validate_into(signal, data, limits, &mut index)?;
    Ok(index)
}

/// [`validate`](validate()) into an index whose vectors are reused. After an error the index is empty.
///
/// # Errors
/// The first thing that is wrong, and where.
pub fn validate_into(signal: Signal, data: &[u8], limits: &Limits, index: &mut Index) -> Result<(), Error> {
    index.clear();
    let result = walk::request(signal, data, limits, index, true);
    if result.is_err() {
        index.clear();
    }
    result
}

/// [`validate_into`] by the general walker alone, for tests that compare both ways.
///
/// # Errors
/// As [`validate_into`].
#[doc(hidden)]
pub fn validate_by_walk(signal: Signal, data: &[u8], limits: &Limits, index: &mut Index) -> Result<(), Error> {
    index.clear();
    let result = walk::request(signal, data, limits, index, false);
    if result.is_err() {
        index.clear();
    }
    result
}
