//! A condition with everything resolved, and how it is evaluated.

use crate::compare::{Op, compare};
use crate::functions::Function;
use crate::math::{Math, calculate, negative};
use crate::path::Path;
use crate::prelude::*;
use crate::trace_state;
use crate::{EvalError, List, Map, Scene, Value};

/// Something that is true or false.
#[derive(Clone, Debug)]
pub(crate) enum Condition {
    Const(bool),
    Compare(Expr, Op, Expr),
    /// A function that gives true or false.
    Call(Expr),
    Not(Box<Condition>),
    And(Vec<Condition>),
    Or(Vec<Condition>),
}

/// Something that gives a value.
#[derive(Clone, Debug)]
pub(crate) enum Expr {
    Literal(Value<'static>),
    Path(Path, Vec<Key>),
    Call(Box<Function>, Vec<Key>),
    List(Vec<Expr>),
    Map(Vec<(String, Expr)>),
    Math(Box<Expr>, Math, Box<Expr>),
    Negative(Box<Expr>),
}

/// What stands in brackets.
#[derive(Clone, Debug)]
pub(crate) enum Key {
    Text(String),
    Number(i64),
    Expr(Box<Expr>),
}

impl Condition {
    pub(crate) fn eval(&self, scene: &Scene<'_>) -> Result<bool, EvalError> {
        match self {
            Self::Const(truth) => Ok(*truth),
            Self::Compare(a, op, b) => Ok(compare(&a.eval(scene)?, *op, &b.eval(scene)?)),
            Self::Call(call) => match call.eval(scene)? {
                Value::Bool(truth) => Ok(truth),
                other => Err(EvalError::new(format!(
                    "a condition is true or false, but the function gives {}",
                    other.type_name()
                ))),
            },
            Self::Not(inner) => inner.eval(scene).map(|truth| !truth),
            Self::And(all) => {
                for condition in all {
                    if !condition.eval(scene)? {
                        return Ok(false);
                    }
                }
                Ok(true)
            }
            Self::Or(any) => {
                for condition in any {
                    if condition.eval(scene)? {
                        return Ok(true);
                    }
                }
                Ok(false)
            }
        }
    }
}

impl Expr {
    pub(crate) fn eval<'a>(&self, scene: &Scene<'a>) -> Result<Value<'a>, EvalError> {
        match self {
            Self::Literal(value) => Ok(value.clone()),
            Self::Path(path, keys) => match (path, keys.as_slice()) {
                (_, []) => Ok(path.get(scene)),
                (Path::TraceState, [Key::Text(key)]) => {
                    let entry = trace_state::entry(scene.span.trace_state().to_str(), key);
                    Ok(entry.map(|value| Value::Text(value.into())).unwrap_or_default())
                }
                (_, keys) => index(path.get(scene), keys, scene),
            },
            Self::Call(function, keys) => index(function.call(scene)?, keys, scene),
            Self::List(elements) => {
                let elements = elements.iter().map(|element| element.eval(scene));
                Ok(Value::List(List::Made(elements.collect::<Result<_, _>>()?)))
            }
            Self::Map(entries) => {
                let entries = entries.iter().map(|(key, value)| Ok((key.clone().into(), entry(value.eval(scene)?)?)));
                Ok(Value::Map(Map::Made(entries.collect::<Result<_, EvalError>>()?)))
            }
            Self::Math(a, op, b) => calculate(&a.eval(scene)?, *op, &b.eval(scene)?),
            Self::Negative(inner) => negative(inner.eval(scene)?),
        }
    }

    /// The value that it always is, if it is a literal.
    pub(crate) fn as_literal(&self) -> Option<Value<'static>> {
        if let Self::Literal(value) = self { Some(value.clone()) } else { None }
    }

    /// The text that it always is, if it is a literal.
    pub(crate) fn as_text(&self) -> Option<&str> {
        if let Self::Literal(Value::Text(text)) = self { Some(text) } else { None }
    }
}

/// The value of an entry of a map: one that an attribute could hold.
pub(crate) fn entry(value: Value<'_>) -> Result<Value<'_>, EvalError> {
    match &value {
        Value::Map(_) => {}
        Value::List(List::Made(elements)) => {
            elements.iter().filter(|element| !matches!(element, Value::Map(_))).try_for_each(Value::storable)?;
        }
        other => other.storable()?,
    }
    Ok(value)
}

/// Follows keys into maps and lists. A key that a map does not have gives nil, whatever follows it; a value that is there and is
/// nil cannot be indexed.
fn index<'a>(mut value: Value<'a>, keys: &[Key], scene: &Scene<'a>) -> Result<Value<'a>, EvalError> {
    for key in keys {
        value = match (&value, resolve(key, scene)?) {
            (Value::Map(map), Value::Text(key)) => {
                let Some(inner) = map.find(&key) else { return Ok(Value::Nil) };
                inner
            }
            (Value::List(list), Value::Int(number)) => {
                let element = usize::try_from(number).ok().and_then(|at| list.iter().nth(at));
                element.ok_or_else(|| EvalError::new(format!("index {number} is out of bounds")))?
            }
            (value, key) => {
                let (value, key) = (value.type_name(), key.type_name());
                return Err(EvalError::new(format!("{value} has no index that is {key}")));
            }
        };
    }
    Ok(value)
}

fn resolve<'a>(key: &Key, scene: &Scene<'a>) -> Result<Value<'a>, EvalError> {
    match key {
        Key::Text(text) => Ok(Value::Text(text.clone().into())),
        Key::Number(number) => Ok(Value::Int(*number)),
        Key::Expr(expr) => expr.eval(scene),
    }
}
