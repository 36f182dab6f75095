//! An edited request in which one value is still missing.

use alloc::vec::Vec;

/// A request but for one value, so that a very long one need not be copied to where the rest is: the rest may come to it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Open<'e> {
    /// Everything else.
    pub bytes: Vec<u8>,
    /// Where in `bytes` the value belongs.
    pub at: usize,
    /// The value; empty if nothing is missing.
    pub value: &'e [u8],
}

impl Open<'_> {
    /// The whole request.
    #[must_use]
    pub fn close(self) -> Vec<u8> {
        if self.value.is_empty() {
            return self.bytes;
        }
        let (before, after) = self.bytes.split_at_checked(self.at).unwrap_or((&self.bytes, &[]));
        [before, self.value, after].concat()
    }

    /// Its length when it is closed.
    pub(super) fn len(&self) -> usize {
        self.bytes.len() + self.value.len()
    }
}

/// Closes an [`Open`] request within `buffer`, where its value lies at `value`; `rest` and `at` are its `bytes` and `at`.
///
/// ```
/// use tailrace_otlp::close_within;
///
/// let buffer = b"..value..".to_vec();
/// assert_eq!(close_within(buffer, 2..7, b"<>", 1), b"<value>");
/// ```
#[must_use]
pub fn close_within(mut buffer: Vec<u8>, value: core::ops::Range<usize>, rest: &[u8], at: usize) -> Vec<u8> {
    let (before, after) = rest.split_at_checked(at).unwrap_or((rest, &[]));
    let bytes = rest.len() + value.len();
    let end = before.len() + value.len();
    if let Some(more) = bytes.checked_sub(buffer.len()) {
        buffer.reserve_exact(more);
        buffer.resize(bytes, 0);
    }
    buffer.copy_within(value, before.len());
    buffer.truncate(bytes);
    if let Some(place) = buffer.get_mut(..before.len()) {
        place.copy_from_slice(before);
    }
    if let Some(place) = buffer.get_mut(end..) {
        place.copy_from_slice(after);
    }
    buffer
}
