//! OTLP/JSON to protobuf and back, driven by the schema table of `tailrace_otlp`.
//!
//! Both directions stream: no tree of values is built. The rules are those of the OTLP specification, which are protobuf's
//! JSON mapping with three exceptions: trace and span ids are hexadecimal (any case is read, lower case is written), enum
//! values are numbers and never names, and keys are lowerCamelCase only. Unknown keys are ignored. 64-bit integers are
//! written as strings and read as strings or numbers; doubles may be `"NaN"`, `"Infinity"` and `"-Infinity"`; bytes are
//! base64, standard or URL-safe; `null` is as good as absent. Fields with their default value are not written, unless their
//! presence means something (members of a oneof, `optional`).
//!
//! [`read`] checks the shape, the size, the depth and the number of elements; what the bytes mean (lengths of ids, for
//! example) is `validate`'s business, which its result has to pass like any other request. It takes about 128 levels of JSON,
//! some forty nested attribute values.

mod read;
mod write;

pub use read::{Error, Limits, read};
pub use write::{Malformed, write};

/// More bytes than this are not read or written on a worker: that takes milliseconds.
pub const INLINE_MAX: usize = 1 << 20;

#[cfg(test)]
mod tests;
