//! What `record_policy` writes on the scope of spans that leave, under the names that the Collector uses.

use std::sync::Arc;
use tailrace_otlp::view::put_attribute;
use tailrace_otlp::{KeyValue, wire};

/// The policy that kept the trace.
const POLICY: &str = "tailsampling.policy";
/// The part of a composite policy that wanted it.
const COMPOSITE_POLICY: &str = "tailsampling.composite_policy";
/// The spans came late and followed the decision.
const CACHED_DECISION: &str = "tailsampling.cached_decision";

/// The scope in a `ScopeSpans`, and the attributes in it.
const SCOPE: u32 = 1;
const ATTRIBUTES: u32 = 3;

/// What is written.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Mark {
    /// The policy that kept the trace.
    pub policy: Option<Arc<str>>,
    /// The part of a composite policy that wanted it.
    pub part: Option<Arc<str>>,
    /// The spans came late.
    pub late: bool,
}

impl Mark {
    /// Whether nothing is written.
    pub fn is_nothing(&self) -> bool {
        self.policy.is_none() && self.part.is_none() && !self.late
    }

    /// Different marks mostly have different ones.
    pub fn hash(&self) -> u64 {
        let names = [&self.policy, &self.part].into_iter().map(|name| name.as_deref().unwrap_or_default().as_bytes());
        let bytes = names.flat_map(|name| name.iter().chain(&[0]));
        let start = u64::from(self.late) << 32;
        bytes.fold(start, |hash, byte| (hash.rotate_left(5) ^ u64::from(*byte)).wrapping_mul(0x517c_c1b7_2722_0a95))
    }

    /// Appends `scope`, the fields of a `ScopeSpans` other than its spans, with the mark. Attributes that are there already are
    /// replaced.
    pub fn write(&self, scope: &[u8], out: &mut Vec<u8>) {
        let scopes = || wire::Fields::new(scope).filter(|field| field.number == SCOPE && field.bytes().is_some());
        // One field, or none; if somebody wrote it in pieces, the attributes go to the last.
        let last = scopes().last().map(|field| field.start);
        if last.is_none() {
            self.write_scope(&[], true, out);
        }
        for field in wire::Fields::new(scope) {
            match field.bytes() {
                Some(message) if field.number == SCOPE => self.write_scope(message, Some(field.start) == last, out),
                _ => out.extend_from_slice(scope.get(field.start..field.end).unwrap_or_default()),
            }
        }
    }

    fn write_scope(&self, message: &[u8], with_mark: bool, out: &mut Vec<u8>) {
        let mut payload = Vec::with_capacity(message.len() + 128);
        for field in wire::Fields::new(message) {
            let replaced = field.number == ATTRIBUTES && field.bytes().is_some_and(|attribute| self.has_key(attribute));
            if !replaced {
                payload.extend_from_slice(message.get(field.start..field.end).unwrap_or_default());
            }
        }
        if with_mark {
            if let Some(policy) = &self.policy {
                put_attribute(&mut payload, ATTRIBUTES, POLICY.into(), &(&**policy).into());
            }
            if let Some(part) = &self.part {
                put_attribute(&mut payload, ATTRIBUTES, COMPOSITE_POLICY.into(), &(&**part).into());
            }
            if self.late {
                put_attribute(&mut payload, ATTRIBUTES, CACHED_DECISION.into(), &true.into());
            }
        }
        wire::put_len_field(out, SCOPE, &payload);
    }

    fn has_key(&self, attribute: &[u8]) -> bool {
        let key = KeyValue::new(attribute).key;
        self.policy.is_some() && key == POLICY
            || self.part.is_some() && key == COMPOSITE_POLICY
            || self.late && key == CACHED_DECISION
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use opentelemetry_proto::tonic::common::v1::any_value::Value;
    use opentelemetry_proto::tonic::common::v1::{AnyValue, InstrumentationScope, KeyValue};
    use opentelemetry_proto::tonic::trace::v1::ScopeSpans;
    use prost::Message;

    fn attribute(key: &str, value: Value) -> KeyValue {
        KeyValue { key: key.into(), value: Some(AnyValue { value: Some(value) }), ..KeyValue::default() }
    }

    fn text(key: &str, value: &str) -> KeyValue {
        attribute(key, Value::StringValue(value.into()))
    }

    fn marked(mark: &Mark, scope: &[u8]) -> ScopeSpans {
        let mut out = Vec::new();
        mark.write(scope, &mut out);
        ScopeSpans::decode(&*out).unwrap()
    }

    #[test]
    fn attributes_are_added_and_replaced() {
        let mark = Mark { policy: Some("errors".into()), part: Some("part".into()), late: true };
        let mut scope = ScopeSpans {
            scope: Some(InstrumentationScope {
                name: "lib".into(),
                version: "1".into(),
                attributes: vec![text("a", "b"), text(POLICY, "of another"), text("c", "d")],
                dropped_attributes_count: 3,
            }),
            schema_url: "schema".into(),
            ..ScopeSpans::default()
        };
        let found = marked(&mark, &scope.encode_to_vec());
        let attributes = &mut scope.scope.as_mut().unwrap().attributes;
        attributes.remove(1);
        attributes.extend([text(POLICY, "errors"), text(COMPOSITE_POLICY, "part")]);
        attributes.push(attribute(CACHED_DECISION, Value::BoolValue(true)));
        assert_eq!(found, scope);
        // Once more changes nothing, and a mark of its own only its own.
        assert_eq!(marked(&mark, &found.encode_to_vec()), found);
        let other = marked(&Mark { policy: Some("x".into()), ..Mark::default() }, &found.encode_to_vec());
        let keys: Vec<String> = other.scope.unwrap().attributes.into_iter().map(|attribute| attribute.key).collect();
        assert_eq!(keys, ["a", "c", COMPOSITE_POLICY, CACHED_DECISION, POLICY]);
    }

    /// Without a scope, with one in pieces, and with fields that nobody knows.
    #[test]
    fn unusual_scopes() {
        let mark = Mark { policy: Some("p".into()), ..Mark::default() };
        assert_eq!(marked(&mark, &[]).scope.unwrap().attributes, [text(POLICY, "p")]);
        let (mut pieces, mut out) = (Vec::new(), Vec::new());
        let piece = |scope: InstrumentationScope| scope.encode_to_vec();
        let name = piece(InstrumentationScope { name: "lib".into(), ..InstrumentationScope::default() });
        let old =
            piece(InstrumentationScope { attributes: vec![text(POLICY, "o")], ..InstrumentationScope::default() });
        wire::put_len_field(&mut pieces, SCOPE, &old);
        wire::put_len_field(&mut pieces, 1000, b"nobody knows");
        wire::put_len_field(&mut pieces, SCOPE, &name);
        let scope = marked(&mark, &pieces).scope.unwrap();
        assert_eq!((scope.name.as_str(), scope.attributes), ("lib", vec![text(POLICY, "p")]));
        mark.write(&pieces, &mut out);
        assert!(wire::Fields::new(&out).any(|field| field.bytes() == Some(b"nobody knows")));
    }
}
