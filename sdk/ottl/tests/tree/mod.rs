//! A tree of a condition, how it is written, and what it means.

use fastrand::Rng;
use opentelemetry_proto::tonic::common::v1::any_value::Value as Any;
use opentelemetry_proto::tonic::common::v1::{AnyValue, KeyValue};
use opentelemetry_proto::tonic::trace::v1::Span;
use std::cmp::Ordering;

/// A value, or none because something does not fit.
pub(crate) type Answer<T> = Result<T, ()>;

/// True or false.
#[derive(Clone, Debug)]
pub(crate) enum Test {
    Const(bool),
    Compare(Term, &'static str, Term),
    Is(&'static str, Term),
    IsRootSpan,
    Not(Box<Test>),
    And(Vec<Test>),
    Or(Vec<Test>),
}

/// A value.
#[derive(Clone, Debug)]
pub(crate) enum Term {
    Nil,
    Bool(bool),
    Int(i64),
    Float(f64),
    Text(&'static str),
    Path(&'static str),
    Attribute(&'static str, Vec<Index>),
    List(Vec<Term>),
    Math(Box<Term>, char, Box<Term>),
    Len(Box<Term>),
    Convert(&'static str, Box<Term>),
    Concat(Vec<Term>, &'static str),
}

/// What stands in brackets behind an attribute.
#[derive(Clone, Debug)]
pub(crate) enum Index {
    Key(&'static str),
    Number(usize),
}

/// What a term gives.
#[derive(Clone, Debug)]
pub(crate) enum Value {
    Nil,
    Bool(bool),
    Int(i64),
    Float(f64),
    Text(String),
    List(Vec<Value>),
    /// Written down in the condition.
    Made(Vec<Value>),
    Map(Vec<(String, Value)>),
}

impl Test {
    pub(crate) fn random(random: &mut Rng, depth: u32) -> Self {
        let several = |random: &mut Rng| (0..random.usize(2..4)).map(|_| Self::random(random, depth - 1)).collect();
        match random.u32(..if depth == 0 { 8 } else { 14 }) {
            0 => Self::Const(random.bool()),
            1 => Self::IsRootSpan,
            2..=3 => {
                let name = random.choice(["IsString", "IsInt", "IsDouble", "IsBool", "IsMap", "IsList"]).unwrap();
                Self::Is(name, Term::random(random, depth))
            }
            4..=7 => {
                let op = random.choice(["==", "!=", "<", "<=", ">", ">="]).unwrap();
                Self::Compare(Term::random(random, depth), op, Term::random(random, depth))
            }
            8..=9 => Self::Not(Box::new(Self::random(random, depth - 1))),
            10..=11 => Self::And(several(random)),
            _ => Self::Or(several(random)),
        }
    }

    /// As text; `wrapped` has parentheses around every part.
    pub(crate) fn print(&self, wrapped: bool) -> String {
        let joined = |parts: &[Self], word: &str| {
            let parts: Vec<_> = parts.iter().map(|part| part.part(wrapped, word == " and ")).collect();
            parts.join(word)
        };
        match self {
            Self::Const(truth) => truth.to_string(),
            Self::IsRootSpan => "IsRootSpan()".to_owned(),
            Self::Is(name, term) => format!("{name}({})", term.print(wrapped)),
            Self::Compare(a, op, b) => format!("{} {op} {}", a.print(wrapped), b.print(wrapped)),
            Self::Not(inner) => format!("not {}", inner.part(wrapped, true)),
            Self::And(parts) => joined(parts, " and "),
            Self::Or(parts) => joined(parts, " or "),
        }
    }

    /// As a part of another; one that binds less needs parentheses. So does one of the same kind, which would be joined.
    fn part(&self, wrapped: bool, tight: bool) -> String {
        let needs = match self {
            Self::And(_) => tight,
            Self::Or(_) => true,
            _ => false,
        };
        let text = self.print(wrapped);
        if needs || wrapped { format!("({text})") } else { text }
    }

    pub(crate) fn answer(&self, span: &Span) -> Answer<bool> {
        match self {
            Self::Const(truth) => Ok(*truth),
            Self::IsRootSpan => Ok(span.parent_span_id.is_empty()),
            Self::Is(name, term) => Ok(matches!(
                (*name, term.answer(span)?),
                ("IsString", Value::Text(_))
                    | ("IsInt", Value::Int(_))
                    | ("IsDouble", Value::Float(_))
                    | ("IsBool", Value::Bool(_))
                    | ("IsMap", Value::Map(_))
                    | ("IsList", Value::List(_) | Value::Made(_))
            )),
            Self::Compare(a, op, b) => Ok(compare(&a.answer(span)?, op, &b.answer(span)?)),
            Self::Not(inner) => Ok(!inner.answer(span)?),
            Self::And(parts) => joined(parts, span, false),
            Self::Or(parts) => joined(parts, span, true),
        }
    }

    /// What it always is, if it says so without looking at a span.
    fn constant(&self) -> Option<bool> {
        let of = |parts: &[Self], settles: bool| {
            let constants: Vec<_> = parts.iter().map(Self::constant).collect();
            if constants.contains(&Some(settles)) {
                Some(settles)
            } else {
                constants.into_iter().collect::<Option<Vec<_>>>().map(|_| !settles)
            }
        };
        match self {
            Self::Const(truth) => Some(*truth),
            Self::Not(inner) => Some(!inner.constant()?),
            Self::And(parts) => of(parts, false),
            Self::Or(parts) => of(parts, true),
            Self::Compare(a, op, b) => Some(compare(&a.literal()?, op, &b.literal()?)),
            _ => None,
        }
    }
}

/// Constants first: one that settles the answer hides what would go wrong.
fn joined(parts: &[Test], span: &Span, settles: bool) -> Answer<bool> {
    if parts.iter().any(|part| part.constant() == Some(settles)) {
        return Ok(settles);
    }
    for part in parts {
        if part.answer(span)? == settles {
            return Ok(settles);
        }
    }
    Ok(!settles)
}

impl Term {
    pub(crate) fn random(random: &mut Rng, depth: u32) -> Self {
        let inner = |random: &mut Rng| Box::new(Self::random(random, depth - 1));
        match random.u32(..if depth == 0 { 12 } else { 18 }) {
            0 => Self::Nil,
            1 => Self::Bool(random.bool()),
            2..=3 => Self::Int(random.choice([-3, 0, 1, 2, 12, i64::MAX]).unwrap()),
            4 => Self::Float(random.choice([0.0, 0.5, -1.5, 12.0]).unwrap()),
            5 => Self::Text(random.choice(["", "a", "12", "\"\\\n"]).unwrap()),
            6..=7 => Self::Path(
                random.choice(["name", "kind", "status.code", "status.message", "dropped_events_count"]).unwrap(),
            ),
            8..=11 => {
                let mut keys = Vec::new();
                while random.u8(..4) == 0 {
                    keys.push(if random.bool() { Index::Key("k") } else { Index::Number(random.usize(..2)) });
                }
                Self::Attribute(random.choice(["k", "l", "m", "none"]).unwrap(), keys)
            }
            12 => Self::List((0..random.usize(..3)).map(|_| Self::random(random, depth - 1)).collect()),
            13..=14 => Self::Math(
                Box::new(Self::number(random, depth - 1)),
                random.choice(['+', '-', '*', '/']).unwrap(),
                Box::new(Self::number(random, depth - 1)),
            ),
            15 => Self::Len(inner(random)),
            16 => Self::Convert(random.choice(["Int", "Double"]).unwrap(), inner(random)),
            _ => Self::Concat((0..random.usize(..3)).map(|_| Self::random(random, 0)).collect(), "-"),
        }
    }

    /// What can stand in a calculation.
    fn number(random: &mut Rng, depth: u32) -> Self {
        loop {
            let term = Self::random(random, depth);
            if !matches!(term, Self::Nil | Self::Bool(_) | Self::Text(_) | Self::List(_)) {
                return term;
            }
        }
    }

    fn print(&self, wrapped: bool) -> String {
        let list = |terms: &[Self]| terms.iter().map(|term| term.print(wrapped)).collect::<Vec<_>>().join(", ");
        match self {
            Self::Nil => "nil".to_owned(),
            Self::Bool(truth) => truth.to_string(),
            Self::Int(number) => number.to_string(),
            Self::Float(number) => format!("{number:?}"),
            Self::Text(text) => quoted(text),
            Self::Path(path) => (*path).to_owned(),
            Self::Attribute(key, indexes) => {
                let indexes = indexes.iter().map(|index| match index {
                    Index::Key(key) => format!("[\"{key}\"]"),
                    Index::Number(number) => format!("[{number}]"),
                });
                format!("attributes[\"{key}\"]{}", indexes.collect::<String>())
            }
            Self::List(terms) => format!("[{}]", list(terms)),
            Self::Math(a, op, b) => {
                // The right side of the same rank needs parentheses, and so does a sum in a product.
                let rank = |term: &Self| match term {
                    Self::Math(_, '+' | '-', _) => 0,
                    Self::Math(..) => 1,
                    _ => 2,
                };
                let own = rank(self);
                let side = |term: &Self, least: i32| {
                    let text = term.print(wrapped);
                    if rank(term) < least || wrapped && rank(term) < 2 { format!("({text})") } else { text }
                };
                let text = format!("{} {op} {}", side(a, own), side(b, own + 1));
                if wrapped { format!("({text})") } else { text }
            }
            Self::Len(term) => format!("Len({})", term.print(wrapped)),
            Self::Convert(name, term) => format!("{name}({})", term.print(wrapped)),
            Self::Concat(terms, delimiter) => format!("Concat([{}], {})", list(terms), quoted(delimiter)),
        }
    }

    fn literal(&self) -> Option<Value> {
        match self {
            Self::Nil => Some(Value::Nil),
            Self::Bool(truth) => Some(Value::Bool(*truth)),
            Self::Int(number) => Some(Value::Int(*number)),
            Self::Float(number) => Some(Value::Float(*number)),
            Self::Text(text) => Some(Value::Text((*text).to_owned())),
            Self::List(terms) => terms.iter().map(Self::literal).collect::<Option<Vec<_>>>().map(Value::Made),
            _ => None,
        }
    }

    fn answer(&self, span: &Span) -> Answer<Value> {
        if let Some(value) = self.literal() {
            return Ok(value);
        }
        let status = span.status.clone().unwrap_or_default();
        Ok(match self {
            Self::Path("name") => Value::Text(span.name.clone()),
            Self::Path("kind") => Value::Int(span.kind.into()),
            Self::Path("status.code") => Value::Int(status.code.into()),
            Self::Path("status.message") => Value::Text(status.message),
            Self::Path(_) => Value::Int(span.dropped_events_count.into()),
            Self::Attribute(key, indexes) => {
                let Some(mut value) = get(&span.attributes, key) else { return Ok(Value::Nil) };
                for index in indexes {
                    value = match (value, index) {
                        (Value::Map(map), Index::Key(key)) => match map.into_iter().find(|(own, _)| own == key) {
                            None => return Ok(Value::Nil),
                            Some((_, value)) => value,
                        },
                        (Value::List(list) | Value::Made(list), Index::Number(number)) => {
                            list.get(*number).cloned().ok_or(())?
                        }
                        _ => return Err(()),
                    };
                }
                value
            }
            Self::List(terms) => Value::Made(terms.iter().map(|term| term.answer(span)).collect::<Answer<_>>()?),
            Self::Math(a, op, b) => math(&a.answer(span)?, *op, &b.answer(span)?)?,
            Self::Len(term) => match term.answer(span)? {
                Value::Text(text) => Value::Int(text.len() as i64),
                Value::List(list) | Value::Made(list) => Value::Int(list.len() as i64),
                Value::Map(map) => Value::Int(map.len() as i64),
                _ => return Err(()),
            },
            Self::Convert(name, term) => convert(name, term.answer(span)?)?,
            Self::Concat(terms, delimiter) => {
                let texts = terms.iter().map(|term| text(&term.answer(span)?)).collect::<Answer<Vec<_>>>()?;
                Value::Text(texts.join(delimiter))
            }
            _ => panic!("literals were answered"),
        })
    }
}

fn quoted(text: &str) -> String {
    format!("\"{}\"", text.replace('\\', "\\\\").replace('"', "\\\"").replace('\n', "\\n"))
}

fn get(attributes: &[KeyValue], key: &str) -> Option<Value> {
    attributes.iter().find(|own| own.key == key).map(|own| of(own.value.as_ref()))
}

fn of(value: Option<&AnyValue>) -> Value {
    match value.and_then(|value| value.value.as_ref()) {
        None => Value::Nil,
        Some(Any::StringValue(text)) => Value::Text(text.clone()),
        Some(Any::IntValue(number)) => Value::Int(*number),
        Some(Any::DoubleValue(number)) => Value::Float(*number),
        Some(Any::BoolValue(truth)) => Value::Bool(*truth),
        Some(Any::ArrayValue(array)) => Value::List(array.values.iter().map(|value| of(Some(value))).collect()),
        Some(Any::KvlistValue(map)) => {
            Value::Map(map.values.iter().map(|entry| (entry.key.clone(), of(entry.value.as_ref()))).collect())
        }
        Some(other) => panic!("no span has {other:?}"),
    }
}

fn compare(a: &Value, op: &str, b: &Value) -> bool {
    let order = match (a, b) {
        (Value::Nil, Value::Nil) => Some(Ordering::Equal),
        (Value::Int(a), Value::Int(b)) => Some(a.cmp(b)),
        (Value::Int(a), Value::Float(b)) => (*a as f64).partial_cmp(b),
        (Value::Float(a), Value::Int(b)) => a.partial_cmp(&(*b as f64)),
        (Value::Float(a), Value::Float(b)) => a.partial_cmp(b),
        (Value::Bool(a), Value::Bool(b)) => Some(a.cmp(b)),
        (Value::Text(a), Value::Text(b)) => Some(a.cmp(b)),
        _ if op == "==" => return same(a, b),
        _ if op == "!=" => return !same(a, b),
        _ => return false,
    };
    match op {
        "==" => order == Some(Ordering::Equal),
        "!=" => order != Some(Ordering::Equal),
        "<" => order == Some(Ordering::Less),
        "<=" => matches!(order, Some(Ordering::Less | Ordering::Equal)),
        ">" => order == Some(Ordering::Greater),
        _ => matches!(order, Some(Ordering::Greater | Ordering::Equal)),
    }
}

/// Of one type and equal, all the way down.
fn same(a: &Value, b: &Value) -> bool {
    match (a, b) {
        (Value::Nil, Value::Nil) => true,
        (Value::Bool(a), Value::Bool(b)) => a == b,
        (Value::Int(a), Value::Int(b)) => a == b,
        (Value::Float(a), Value::Float(b)) => a == b,
        (Value::Text(a), Value::Text(b)) => a == b,
        (Value::List(a) | Value::Made(a), Value::List(b) | Value::Made(b)) => {
            a.len() == b.len() && a.iter().zip(b).all(|(a, b)| same(a, b))
        }
        (Value::Map(a), Value::Map(b)) => {
            let found = |(key, value): &(String, Value)| b.iter().any(|(own, other)| own == key && same(value, other));
            a.len() == b.len() && a.iter().all(found)
        }
        _ => false,
    }
}

fn math(a: &Value, op: char, b: &Value) -> Answer<Value> {
    let float = |number: &Value| match number {
        Value::Int(number) => Ok(*number as f64),
        Value::Float(number) => Ok(*number),
        _ => Err(()),
    };
    if let (Value::Int(a), Value::Int(b)) = (a, b) {
        return Ok(Value::Int(match op {
            '+' => a.wrapping_add(*b),
            '-' => a.wrapping_sub(*b),
            '*' => a.wrapping_mul(*b),
            _ if *b == 0 => return Err(()),
            _ => a.wrapping_div(*b),
        }));
    }
    let (a, b) = (float(a)?, float(b)?);
    Ok(Value::Float(match op {
        '+' => a + b,
        '-' => a - b,
        '*' => a * b,
        _ if b == 0.0 => return Err(()),
        _ => a / b,
    }))
}

fn convert(name: &str, value: Value) -> Answer<Value> {
    Ok(match (name, value) {
        (_, Value::Nil) => Value::Nil,
        ("Int", Value::Int(number)) => Value::Int(number),
        // Too large, or none.
        ("Int", Value::Float(number)) if !(-9.3e18..9.3e18).contains(&number) => Value::Int(i64::MIN),
        ("Int", Value::Float(number)) => Value::Int(number as i64),
        ("Int", Value::Bool(truth)) => Value::Int(truth.into()),
        ("Int", Value::Text(text)) => Value::Int(text.parse().map_err(|_| ())?),
        (_, Value::Int(number)) => Value::Float(number as f64),
        (_, Value::Float(number)) => Value::Float(number),
        (_, Value::Bool(truth)) => Value::Float(u8::from(truth).into()),
        (_, Value::Text(text)) => Value::Float(text.parse().map_err(|_| ())?),
        _ => return Err(()),
    })
}

/// As `Concat` writes it. Lists and maps are JSON, whose keys are sorted.
fn text(value: &Value) -> Answer<String> {
    Ok(match value {
        Value::Nil => "<nil>".to_owned(),
        Value::Text(text) => text.clone(),
        other => json(other)?,
    })
}

fn json(value: &Value) -> Answer<String> {
    let list = |list: &[Value]| Ok(format!("[{}]", list.iter().map(json).collect::<Answer<Vec<_>>>()?.join(",")));
    Ok(match value {
        Value::Nil => "null".to_owned(),
        Value::Bool(truth) => truth.to_string(),
        Value::Int(number) => number.to_string(),
        Value::Float(number) if number.is_finite() => number.to_string(),
        Value::Float(_) => return Err(()),
        Value::Text(text) => quoted(text),
        Value::List(elements) => list(elements)?,
        // What the span holds is not looked into there.
        Value::Made(elements) => {
            let shallow = elements.iter().map(|element| match element {
                Value::List(_) | Value::Map(_) => Value::Map(Vec::new()),
                element => element.clone(),
            });
            list(&shallow.collect::<Vec<_>>())?
        }
        Value::Map(map) => {
            let entry = |(key, value): &(String, Value)| Ok((key.clone(), json(value)?));
            let mut entries = map.iter().map(entry).collect::<Answer<Vec<_>>>()?;
            entries.sort();
            let entries: Vec<_> = entries.iter().map(|(key, value)| format!("{}:{value}", quoted(key))).collect();
            format!("{{{}}}", entries.join(","))
        }
    })
}
