//! The response to a request that was taken, perhaps not with every item: `partial_success`.

use super::json::{self, Limits};
use crate::pdata::Signal;
use tailrace_otlp::schema;
use tailrace_otlp::wire::{Fields, Wire};

/// Longest response that a client reads, in bytes (OTLP's limit).
pub const RESPONSE_BYTES_MAX: usize = 4 << 20;

/// What a response says about the items that were not taken. The default is a full success.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct PartialSuccess {
    /// Items that were rejected for good.
    pub rejected: u64,
    /// Why; or a warning, if nothing was rejected.
    pub message: String,
}

impl PartialSuccess {
    /// Whether there is nothing to say.
    pub fn is_full(&self) -> bool {
        self.rejected == 0 && self.message.is_empty()
    }

    /// From an encoded `Export...ServiceResponse` of any signal (their numbers are the same). `None` if it is malformed.
    pub fn from_proto(response: &[u8]) -> Option<Self> {
        let mut partial = Self::default();
        let mut fields = Fields::new(response);
        for field in &mut fields {
            if field.number != 1 {
                continue;
            }
            let mut inner = Fields::new(field.bytes()?);
            for field in &mut inner {
                match (field.number, field.wire) {
                    (1, Wire::Varint(rejected)) => {
                        partial.rejected = u64::try_from(rejected as i64).unwrap_or_default()
                    }
                    (2, Wire::Bytes(message)) => partial.message = String::from_utf8_lossy(message).into_owned(),
                    _ => {}
                }
            }
            if !inner.finished() {
                return None;
            }
        }
        fields.finished().then_some(partial)
    }

    /// From a response in OTLP/JSON. `None` if it is malformed.
    pub fn from_json(signal: Signal, response: &[u8]) -> Option<Self> {
        let limits = Limits { bytes: RESPONSE_BYTES_MAX, ..Limits::default() };
        Self::from_proto(&json::read(schema::response(signal), response, &limits).ok()?)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_encodings_say_the_same() {
        let expected = PartialSuccess { rejected: 3, message: "too old".into() };
        let json = br#"{"partialSuccess":{"rejectedLogRecords":"3","errorMessage":"too old"}}"#;
        assert_eq!(PartialSuccess::from_json(Signal::Logs, json), Some(expected.clone()));
        let proto = b"\x0a\x0b\x08\x03\x12\x07too old";
        assert_eq!(PartialSuccess::from_proto(proto), Some(expected));
    }

    #[test]
    fn nothing_is_a_full_success_and_rubbish_is_none() {
        assert!(PartialSuccess::from_proto(b"").unwrap().is_full());
        assert!(PartialSuccess::from_json(Signal::Traces, b"{}").unwrap().is_full());
        assert!(PartialSuccess::from_json(Signal::Traces, br#"{"partialSuccess":{}}"#).unwrap().is_full());
        assert_eq!(PartialSuccess::from_proto(b"\x0a\xff"), None);
        assert_eq!(PartialSuccess::from_json(Signal::Traces, b"<html>"), None);
    }

    #[test]
    fn a_negative_count_is_none_rejected() {
        let proto = b"\x0a\x0b\x08\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01";
        assert_eq!(PartialSuccess::from_proto(proto).unwrap().rejected, 0);
    }
}
