//! Requests become one by concatenation: protobuf appends repeated fields.

use crate::{Error, Index};
use alloc::vec::Vec;

/// One request with everything that `parts` hold, in their order.
///
/// The parts must be of one signal, each with its own index.
///
/// # Errors
/// If the sum is longer than `u32::MAX` bytes.
pub fn merge<'a, I>(parts: I) -> Result<(Vec<u8>, Index), Error>
where
    I: IntoIterator<Item = (&'a [u8], &'a Index)>,
    I::IntoIter: Clone,
{
    let parts = parts.into_iter();
    let mut index = Index::default();
    let (mut bytes, mut items, mut metrics) = (0, 0, 0);
    for (data, part) in parts.clone() {
        bytes += data.len();
        items += part.items.len();
        metrics += part.metrics.len();
    }
    index.items.reserve(items);
    index.metrics.reserve(metrics);
    let mut out = Vec::with_capacity(bytes);
    for (data, part) in parts {
        index.append(part)?;
        out.extend_from_slice(data);
    }
    Ok((out, index))
}
