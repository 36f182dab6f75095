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
    if let (List::Items(_), _) | (_, List::Items(_)) = (a, b) {
        return matches!((a, b), (List::Items(a), List::Items(b)) if a == b);
    }
    a.len() == b.len() && a.iter().zip(b.iter()).all(|(a, b)| same(&a, &b))
}

fn same_maps(a: &Map<'_>, b: &Map<'_>) -> bool {
    a.len() == b.len() && a.iter().all(|(key, value)| b.find(&key).is_some_and(|other| same(&value, &other)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Items;
    use crate::prelude::*;

    /// Each value with each other, as `ottl.ValueComparator` of the Collector compares them: `=` equal, `<` and `>` smaller and
    /// greater, `e` equal without any order, `!` different without any order.
    const TABLE: &str = "\
        =!!!!!!!!!!=!!!!!!!!!!!!!!!! nil
        !=<!!!!!!!!!!!!!!!!!!!!!!!!! false
        !>=!!!!!!!!!!!!!!!!!!!!!!!!! true
        !!!=<=<!!!!!!!!!!!!!!!!!!!!! 1
        !!!>=>>!!!!!!!!!!!!!!!!!!!!! 2
        !!!=<=<!!!!!!!!!!!!!!!!!!!!! 1.0
        !!!><>=!!!!!!!!!!!!!!!!!!!!! 1.5
        !!!!!!!!!!!!!!!!!!!!!!!!!!!! NaN
        !!!!!!!!=<<!!!!!!!!!!!!!!!!! no text
        !!!!!!!!>=<!!!!!!!!!!!!!!!!! a
        !!!!!!!!>>=!!!!!!!!!!!!!!!!! b
        =!!!!!!!!!!=!!!!!!!!!!!!!!!! no bytes
        !!!!!!!!!!!!=<!!!!!!!!!!!!!! bytes 1
        !!!!!!!!!!!!>=!!!!!!!!!!!!!! bytes 1 0
        !!!!!!!!!!!!!!e!!!!!!!!!!!!! trace id 1
        !!!!!!!!!!!!!!!e!!!!!!!!!!!! span id 1
        !!!!!!!!!!!!!!!!e!!!!!!!!!!! span id 2
        !!!!!!!!!!!!!!!!!=<!!!!!!!!! time 1
        !!!!!!!!!!!!!!!!!>=!!!!!!!!! time 2
        !!!!!!!!!!!!!!!!!!!=<!!!!!!! duration 1
        !!!!!!!!!!!!!!!!!!!>=!!!!!!! duration 2
        !!!!!!!!!!!!!!!!!!!!!e!e!!!! made [1]
        !!!!!!!!!!!!!!!!!!!!!!e!!!!! made [1.0]
        !!!!!!!!!!!!!!!!!!!!!e!e!!!! stored [1]
        !!!!!!!!!!!!!!!!!!!!!!!!ee!! stored []
        !!!!!!!!!!!!!!!!!!!!!!!!ee!! made []
        !!!!!!!!!!!!!!!!!!!!!!!!!!e! {k: 1}
        !!!!!!!!!!!!!!!!!!!!!!!!!!!e {}";

    fn values() -> Vec<Value<'static>> {
        let (made, stored) = (|values| Value::List(List::Made(values)), |values| Value::List(List::Stored(values)));
        vec![
            Value::Nil,
            Value::Bool(false),
            Value::Bool(true),
            Value::Int(1),
            Value::Int(2),
            Value::Float(1.0),
            Value::Float(1.5),
            Value::Float(f64::NAN),
            Value::Text("".into()),
            Value::Text("a".into()),
            Value::Text("b".into()),
            Value::Bytes(Cow::Borrowed(&[])),
            Value::Bytes(Cow::Borrowed(&[1])),
            Value::Bytes(Cow::Borrowed(&[1, 0])),
            Value::TraceId([1; 16]),
            Value::SpanId([1; 8]),
            Value::SpanId([2; 8]),
            Value::Time(1),
            Value::Time(2),
            Value::Duration(1),
            Value::Duration(2),
            made(vec![Value::Int(1)]),
            made(vec![Value::Float(1.0)]),
            stored(vec![Value::Int(1)]),
            stored(vec![]),
            made(vec![]),
            Value::Map(Map::Made(vec![("k".into(), Value::Int(1))])),
            Value::Map(Map::Made(vec![])),
        ]
    }

    #[test]
    fn every_type_with_every_other() {
        const OPS: [Op; 6] = [Op::Equal, Op::NotEqual, Op::Less, Op::LessEqual, Op::Greater, Op::GreaterEqual];
        let sign = |a: &Value<'_>, b: &Value<'_>| match OPS.map(|op| u8::from(compare(a, op, b))) {
            [1, 0, 0, 1, 0, 1] => '=',
            [0, 1, 1, 1, 0, 0] => '<',
            [0, 1, 0, 0, 1, 1] => '>',
            [0, 1, 0, 0, 0, 0] => '!',
            [1, 0, 0, 0, 0, 0] => 'e',
            odd => panic!("{a:?} {b:?}: {odd:?}"),
        };
        let values = values();
        let rows: Vec<&str> = TABLE.lines().map(str::trim).collect();
        assert_eq!(rows.len(), values.len());
        for (a, row) in values.iter().zip(rows) {
            let (signs, name) = row.split_once(' ').unwrap();
            assert_eq!(values.iter().map(|b| sign(a, b)).collect::<String>(), signs, "{name}");
        }
    }

    /// Events and links are what they are only beside themselves.
    #[test]
    fn events_and_links() {
        let items = |links| Value::List(List::Items(Items { links, count: 2 }));
        let list = Value::List(List::Stored(vec![]));
        for (a, b, expected) in
            [(items(true), items(true), true), (items(true), items(false), false), (items(true), list, false)]
        {
            assert_eq!((compare(&a, Op::Equal, &b), compare(&a, Op::NotEqual, &b)), (expected, !expected));
        }
    }
}
