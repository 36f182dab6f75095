//! Times and lengths of time.

use super::{Call, expected};
use crate::prelude::*;
use crate::{EvalError, Value};

type Answer<'a> = Result<Value<'a>, EvalError>;

/// What time it is.
pub(super) fn now<'a>(call: &Call<'_, 'a>) -> Answer<'a> {
    Ok(Value::Time(call.scene.now))
}

/// A length of time as Go writes it: `1h30m`, `-1.5s`, `300ms`.
pub(super) fn duration<'a>(call: &Call<'_, 'a>) -> Answer<'a> {
    let text = call.text(0)?;
    let nanos = parse_duration(&text);
    nanos.map(Value::Duration).ok_or_else(|| EvalError::new(format!("{text:?} is no duration, such as \"1m30s\"")))
}

/// A time from seconds and nanoseconds since 1970.
pub(super) fn unix<'a>(call: &Call<'_, 'a>) -> Answer<'a> {
    let nanos = if call.given(1) { call.int(1)? } else { 0 };
    Ok(Value::Time(call.int(0)?.saturating_mul(SECOND).saturating_add(nanos)))
}

const MICROSECOND: i64 = 1_000;
const MILLISECOND: i64 = 1_000_000;
const SECOND: i64 = 1_000_000_000;
const MINUTE: i64 = 60 * SECOND;
const HOUR: i64 = 60 * MINUTE;

macro_rules! of_time {
    ($($name:ident: $unit:expr,)*) => {
        $(pub(super) fn $name<'a>(call: &Call<'_, 'a>) -> Answer<'a> {
            match call.value(0)? {
                Value::Time(nanos) => Ok(Value::Int(nanos.div_euclid($unit))),
                other => Err(expected("a time", &other)),
            }
        })*
    };
}
of_time! {
    unix_nano: 1,
    unix_micro: MICROSECOND,
    unix_milli: MILLISECOND,
    unix_seconds: SECOND,
}

macro_rules! whole {
    ($($name:ident: $unit:expr,)*) => {
        $(pub(super) fn $name<'a>(call: &Call<'_, 'a>) -> Answer<'a> {
            Ok(Value::Int(length(call)? / $unit))
        })*
    };
}
whole! {
    nanoseconds: 1,
    microseconds: MICROSECOND,
    milliseconds: MILLISECOND,
}

macro_rules! fraction {
    ($($name:ident: $unit:expr,)*) => {
        $(pub(super) fn $name<'a>(call: &Call<'_, 'a>) -> Answer<'a> {
            Ok(Value::Float(length(call)? as f64 / $unit as f64))
        })*
    };
}
fraction! {
    seconds: SECOND,
    minutes: MINUTE,
    hours: HOUR,
}

fn length(call: &Call<'_, '_>) -> Result<i64, EvalError> {
    match call.value(0)? {
        Value::Duration(nanos) => Ok(nanos),
        other => Err(expected("a duration", &other)),
    }
}

/// The format of Go's `time.ParseDuration`, in nanoseconds.
fn parse_duration(text: &str) -> Option<i64> {
    let (negative, mut rest) = match text.strip_prefix('-') {
        Some(rest) => (true, rest),
        None => (false, text.strip_prefix('+').unwrap_or(text)),
    };
    if rest == "0" {
        return Some(0);
    }
    if rest.is_empty() {
        return None;
    }
    let mut sum = 0_i128;
    while !rest.is_empty() {
        let end = rest.find(|c: char| !(c.is_ascii_digit() || c == '.')).filter(|end| *end > 0)?;
        let (number, after) = rest.split_at(end);
        let end = after.find(|c: char| c.is_ascii_digit() || c == '.').unwrap_or(after.len());
        let (unit, after) = after.split_at(end);
        let unit = match unit {
            "ns" => 1,
            "us" | "µs" | "μs" => MICROSECOND,
            "ms" => MILLISECOND,
            "s" => SECOND,
            "m" => MINUTE,
            "h" => HOUR,
            _ => return None,
        };
        let (whole, fraction) = number.split_once('.').unwrap_or((number, ""));
        if whole.is_empty() && fraction.is_empty() || fraction.contains('.') {
            return None;
        }
        let whole: i128 = if whole.is_empty() { 0 } else { whole.parse().ok()? };
        sum = sum.checked_add(whole.checked_mul(unit.into())?)?;
        // A fraction of a nanosecond is cut off.
        let digits = fraction.get(..fraction.len().min(18))?;
        if !digits.is_empty() {
            let parts: i128 = digits.parse().ok()?;
            sum = sum.checked_add(parts * i128::from(unit) / 10_i128.pow(u32::try_from(digits.len()).ok()?))?;
        }
        rest = after;
    }
    i64::try_from(if negative { -sum } else { sum }).ok()
}
