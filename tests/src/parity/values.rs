//! The words that traces and policies share: few of them, so that policies meet what they ask for.

use fastrand::Rng;
use opentelemetry_proto::tonic::common::v1::any_value::Value;
use opentelemetry_proto::tonic::common::v1::{AnyValue, ArrayValue, KeyValue, KeyValueList};

/// Attribute keys.
pub const KEYS: &[&str] = &["k", "n", "s", "b", "http.status", "user.id", ""];
/// Texts.
pub const TEXTS: &[&str] = &["", "a", "b", "pay", "payment", "checkout", "500", "true", "-3", "1.5", "Über", "a.b"];
/// Whole numbers.
pub const INTS: &[i64] = &[i64::MIN, -3, -1, 0, 1, 2, 5, 200, 404, 500, 503, i64::MAX];
/// Numbers.
pub const DOUBLES: &[f64] = &[-1.0, 0.0, 0.5, 1.0, 1.5, 5.0, 500.0, 1e300, f64::INFINITY, f64::NAN];
/// Names of spans.
pub const NAMES: &[&str] = &["GET /", "checkout", "op", "", "pay"];
/// Trace states, some of which are none.
pub const STATES: &[&str] = &[
    "",
    "",
    "vendor=a",
    "vendor=b,other=a",
    "other=a, vendor=b",
    " vendor=a ",
    "vendor=a,vendor=b",
    "vendor=",
    "vendor",
    "Vendor=a",
    "vendor=a,,other=b",
    "ot=th:8;rv:abcdefabcdefab,vendor=a",
    "tenant@sys=a",
    "1vendor=a",
    "vendor=a=b",
    "vendor =a",
    "vendor= a",
    ",",
];

/// One of several.
pub fn one<'a, T>(random: &mut Rng, of: &'a [T]) -> &'a T {
    &of[random.usize(..of.len())]
}

/// Yes with a probability of one in `n`.
pub fn rarely(random: &mut Rng, n: u32) -> bool {
    random.u32(..n) == 0
}

/// A value of any kind.
pub fn value(random: &mut Rng, depth: u32) -> AnyValue {
    let value = match random.u32(..if depth == 0 { 14 } else { 16 }) {
        0..=4 => Some(Value::StringValue((*one(random, TEXTS)).to_owned())),
        5..=8 => Some(Value::IntValue(*one(random, INTS))),
        9..=10 => Some(Value::BoolValue(random.bool())),
        11 => Some(Value::DoubleValue(*one(random, DOUBLES))),
        12 => Some(Value::BytesValue((0..random.usize(..4)).map(|_| random.u8(..3)).collect())),
        13 => None,
        14 => {
            let values = (0..random.usize(..4)).map(|_| value(random, depth - 1)).collect();
            Some(Value::ArrayValue(ArrayValue { values }))
        }
        _ => Some(Value::KvlistValue(KeyValueList { values: attributes(random, 3, depth - 1) })),
    };
    AnyValue { value }
}

/// Up to so many attributes; rarely two with the same key.
pub fn attributes(random: &mut Rng, most: usize, depth: u32) -> Vec<KeyValue> {
    let mut attributes: Vec<KeyValue> = Vec::new();
    for _ in 0..random.usize(..=most) {
        let key = (*one(random, KEYS)).to_owned();
        if attributes.iter().all(|own| own.key != key) || rarely(random, 10) {
            attributes.push(KeyValue { key, value: Some(value(random, depth)), ..KeyValue::default() });
        }
    }
    attributes
}

/// An attribute that is a whole number.
pub fn int(key: &str, number: i64) -> KeyValue {
    let value = Some(AnyValue { value: Some(Value::IntValue(number)) });
    KeyValue { key: key.to_owned(), value, ..KeyValue::default() }
}
