//! The comparison rules of OTTL: numbers compare as numbers, other values only with their own type; everything else is
//! different, and neither smaller nor greater.

use crate::{List, Map, Value};

/// A comparison operator.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Op {
    Equal,
    NotEqual,
    Less,
    LessEqual,
    Greater,
    GreaterEqual,
}

/// Compares two values. Nil equals nil and nothing else; as in the Collector bytes that are none are nil.
pub(crate) fn compare(a: &Value<'_>, op: Op, b: &Value<'_>) -> bool {
    let is_nil = |value: &Value<'_>| match value {
        Value::Nil => true,
        Value::Bytes(bytes) => bytes.is_empty(),
        _ => false,
    };
    match (a, b) {
        (a, b) if is_nil(a) && is_nil(b) => matches!(op, Op::Equal | Op::LessEqual | Op::GreaterEqual),
        (Value::Bool(a), Value::Bool(b)) => ordered(a, op, b),
        (Value::Int(a), Value::Int(b)) => ordered(a, op, b),
        (Value::Int(a), Value::Float(b)) => ordered(&(*a as f64), op, b),
        (Value::Float(a), Value::Int(b)) => ordered(a, op, &(*b as f64)),
        (Value::Float(a), Value::Float(b)) => ordered(a, op, b),
        (Value::Text(a), Value::Text(b)) => ordered(&a.as_bytes(), op, &b.as_bytes()),
        (a, b) if is_nil(a) || is_nil(b) => op == Op::NotEqual,
        (Value::Bytes(a), Value::Bytes(b)) => ordered(a, op, b),
        (Value::Time(a), Value::Time(b)) | (Value::Duration(a), Value::Duration(b)) => ordered(a, op, b),
        _ => match op {
            Op::Equal => same(a, b),
            Op::NotEqual => !same(a, b),
            _ => false,
        },
    }
}

fn ordered<T: PartialOrd>(a: &T, op: Op, b: &T) -> bool {
    match op {
        Op::Equal => a == b,
        Op::NotEqual => a != b,
        Op::Less => a < b,
        Op::LessEqual => a <= b,
        Op::Greater => a > b,
        Op::GreaterEqual => a >= b,
    }
}

/// Whether two values are of one type and equal, element by element. The order of a map does not matter.
pub(crate) fn same(a: &Value<'_>, b: &Value<'_>) -> bool {
    match (a, b) {
        (Value::Nil, Value::Nil) => true,
        (Value::Bool(a), Value::Bool(b)) => a == b,
        (Value::Int(a), Value::Int(b))
        | (Value::Time(a), Value::Time(b))
        | (Value::Duration(a), Value::Duration(b)) => a == b,
        (Value::Float(a), Value::Float(b)) => a == b,
        (Value::Text(a), Value::Text(b)) => a == b,
        (Value::Bytes(a), Value::Bytes(b)) => a == b,
        (Value::TraceId(a), Value::TraceId(b)) => a == b,
        (Value::SpanId(a), Value::SpanId(b)) => a == b,
        (Value::List(a), Value::List(b)) => same_lists(a, b),
        (Value::Map(a), Value::Map(b)) => same_maps(a, b),
        _ => false,
    }
}

fn same_lists(a: &List<'_>, b: &List<'_>) -> bool {
    a.len() == b.len() && a.iter().zip(b.iter()).all(|(a, b)| same(&a, &b))
}

fn same_maps(a: &Map<'_>, b: &Map<'_>) -> bool {
    a.len() == b.len() && a.iter().all(|(key, value)| b.find(&key).is_some_and(|other| same(&value, &other)))
}
