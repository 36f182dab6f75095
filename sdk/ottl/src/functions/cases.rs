//! Words in another case: `someName` and `some_name`. Letters are those of ASCII, as in the Collector.

use super::Call;
use crate::prelude::*;
use crate::{EvalError, Value};

type Answer<'a> = Result<Value<'a>, EvalError>;

/// `lower`, `upper`, `snake` or `camel`.
pub(super) fn convert<'a>(call: &Call<'_, 'a>) -> Answer<'a> {
    let (text, case) = (call.text(0)?, call.text(1)?);
    let converted = match &*case {
        "lower" => text.to_lowercase(),
        "upper" => text.to_uppercase(),
        "snake" => snake(&text),
        "camel" => camel(&text),
        _ => return Err(EvalError::new(format!("{case:?} is no case: lower, upper, snake or camel"))),
    };
    Ok(Value::Text(converted.into()))
}

/// `some_name`.
pub(super) fn to_snake<'a>(call: &Call<'_, 'a>) -> Answer<'a> {
    Ok(Value::Text(snake(&call.text(0)?).into()))
}

/// `SomeName`.
pub(super) fn to_camel<'a>(call: &Call<'_, 'a>) -> Answer<'a> {
    Ok(Value::Text(camel(&call.text(0)?).into()))
}

/// What a character is for the border of words.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Class {
    Capital,
    Small,
    Digit,
    Other,
}

impl Class {
    fn of(c: char) -> Self {
        match c {
            'A'..='Z' => Self::Capital,
            'a'..='z' => Self::Small,
            '0'..='9' => Self::Digit,
            _ => Self::Other,
        }
    }
}

fn snake(text: &str) -> String {
    use Class::{Capital, Digit, Other, Small};
    let mut out = String::with_capacity(text.len() + 2);
    let mut chars = text.trim().chars().peekable();
    let mut before = Other;
    while let Some(c) = chars.next() {
        let (own, next) = (Class::of(c), chars.peek().map_or(Other, |next| Class::of(*next)));
        // The last capital of several begins a word: `JSONData` is `json_data`.
        if own == Capital && next == Small && before == Capital {
            out.push('_');
        }
        let separates = matches!(c, ' ' | '_' | '-' | '.');
        out.push(if separates { '_' } else { c.to_ascii_lowercase() });
        let ends = match own {
            Capital => next == Digit,
            Small => matches!(next, Capital | Digit),
            Digit => matches!(next, Capital | Small),
            Other => false,
        };
        if ends {
            out.push('_');
        }
        before = own;
    }
    out
}

fn camel(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let (mut begins, mut before) = (true, Class::Other);
    for c in text.trim().chars() {
        let own = Class::of(c);
        match own {
            Class::Capital | Class::Small => {
                let lower = !begins && own == Class::Capital && before == Class::Capital;
                out.push(if begins {
                    c.to_ascii_uppercase()
                } else if lower {
                    c.to_ascii_lowercase()
                } else {
                    c
                });
                begins = false;
            }
            Class::Digit => {
                out.push(c);
                begins = true;
            }
            // Other characters are left out.
            Class::Other => begins = matches!(c, ' ' | '_' | '-' | '.'),
        }
        before = own;
    }
    out
}

#[cfg(test)]
mod tests {
    use super::{camel, snake};

    #[test]
    fn words() {
        for (text, as_snake, as_camel) in [
            ("someName", "some_name", "SomeName"),
            ("some_name", "some_name", "SomeName"),
            ("JSONData", "json_data", "Jsondata"),
            (" a-b.c d ", "a_b_c_d", "ABCD"),
            ("v2Beta", "v_2_beta", "V2Beta"),
            ("http500x", "http_500_x", "Http500X"),
            ("ABC", "abc", "Abc"),
            ("", "", ""),
        ] {
            assert_eq!((snake(text).as_str(), camel(text).as_str()), (as_snake, as_camel), "{text:?}");
        }
    }
}
