//! Arithmetic: whole numbers stay whole, and wrap as they do in the Collector; times and durations add and subtract.

use crate::prelude::*;
use crate::{EvalError, Value};

/// An arithmetic operator.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Math {
    Add,
    Subtract,
    Multiply,
    Divide,
}

/// Calculates.
pub(crate) fn calculate<'a>(a: &Value<'a>, op: Math, b: &Value<'a>) -> Result<Value<'a>, EvalError> {
    match (a, b) {
        (Value::Int(a), Value::Int(b)) => whole(*a, op, *b).map(Value::Int),
        (Value::Int(a), Value::Float(b)) => float(*a as f64, op, *b).map(Value::Float),
        (Value::Float(a), Value::Int(b)) => float(*a, op, *b as f64).map(Value::Float),
        (Value::Float(a), Value::Float(b)) => float(*a, op, *b).map(Value::Float),
        _ => timely(a, op, b),
    }
}

/// The negative of a number.
pub(crate) fn negative(value: Value<'_>) -> Result<Value<'_>, EvalError> {
    match value {
        Value::Int(number) => Ok(Value::Int(number.wrapping_neg())),
        Value::Float(number) => Ok(Value::Float(-number)),
        other => Err(EvalError::new(format!("{} has no negative", other.type_name()))),
    }
}

fn whole(a: i64, op: Math, b: i64) -> Result<i64, EvalError> {
    match op {
        Math::Add => Ok(a.wrapping_add(b)),
        Math::Subtract => Ok(a.wrapping_sub(b)),
        Math::Multiply => Ok(a.wrapping_mul(b)),
        Math::Divide if b == 0 => Err(EvalError::new("division by 0")),
        Math::Divide => Ok(a.wrapping_div(b)),
    }
}

fn float(a: f64, op: Math, b: f64) -> Result<f64, EvalError> {
    match op {
        Math::Add => Ok(a + b),
        Math::Subtract => Ok(a - b),
        Math::Multiply => Ok(a * b),
        Math::Divide if b == 0.0 => Err(EvalError::new("division by 0")),
        Math::Divide => Ok(a / b),
    }
}

fn timely<'a>(a: &Value<'a>, op: Math, b: &Value<'a>) -> Result<Value<'a>, EvalError> {
    Ok(match (a, op, b) {
        (Value::Time(a), Math::Subtract, Value::Time(b)) => Value::Duration(a.saturating_sub(*b)),
        (Value::Time(a), Math::Add, Value::Duration(b)) | (Value::Duration(b), Math::Add, Value::Time(a)) => {
            Value::Time(a.saturating_add(*b))
        }
        (Value::Time(a), Math::Subtract, Value::Duration(b)) => Value::Time(a.saturating_sub(*b)),
        (Value::Duration(a), Math::Add, Value::Duration(b)) => Value::Duration(a.wrapping_add(*b)),
        (Value::Duration(a), Math::Subtract, Value::Duration(b)) => Value::Duration(a.wrapping_sub(*b)),
        _ => {
            let verb = match op {
                Math::Add => "add",
                Math::Subtract => "subtract",
                Math::Multiply => "multiply",
                Math::Divide => "divide",
            };
            let (a, b) = (a.type_name(), b.type_name());
            return Err(EvalError::new(format!("cannot {verb} {a} and {b}")));
        }
    })
}
