//! The functions that conditions use, by their names and with the parameters of the Collector (`ottlfuncs`).
//!
//! A function is one line in [`FUNCTIONS`] and one Rust function. Arguments may be given by place or by name.

use crate::prelude::*;
mod calendar;
mod cases;
mod hashes;
mod kinds;
mod nets;
mod numbers;
mod patterns;
mod texts;
mod times;

pub(crate) use calendar::rfc3339;

use crate::expr::Expr;
use crate::near::near;
use crate::{EvalError, ParseError, Scene, Value};
use regex::Regex;

/// An argument as it was written.
pub(crate) struct Argument<'t> {
    pub(crate) at: usize,
    pub(crate) name: Option<&'t str>,
    pub(crate) value: Expr,
}

/// A function with its arguments.
#[derive(Clone, Debug)]
pub(crate) struct Function {
    run: Run,
    /// One for each parameter; `None` for optional ones that were not given.
    arguments: Vec<Option<Expr>>,
    /// The compiled pattern, if the function has one and it is a literal.
    pattern: Option<Regex>,
}

type Run = for<'f, 'a> fn(&Call<'f, 'a>) -> Result<Value<'a>, EvalError>;

/// A function of the language.
struct Known {
    name: &'static str,
    parameters: &'static [&'static str],
    /// How many of them must be given.
    required: usize,
    /// The parameter that is a regular expression.
    pattern: Option<usize>,
    run: Run,
}

const fn known(name: &'static str, parameters: &'static [&'static str], run: Run) -> Known {
    Known { name, parameters, required: parameters.len(), pattern: None, run }
}

static FUNCTIONS: &[Known] = &[
    Known { required: 1, ..known("Base64Encode", &["target", "variant"], hashes::base64) },
    known("Bool", &["target"], numbers::bool),
    known("Coalesce", &["values"], kinds::coalesce),
    known("Concat", &["vals", "delimiter"], texts::concat),
    known("ContainsValue", &["target", "item"], kinds::contains_value),
    known("ConvertCase", &["target", "to_case"], cases::convert),
    known("Day", &["time"], calendar::day),
    known("Double", &["target"], numbers::double),
    known("Duration", &["duration"], times::duration),
    known("FNV", &["target"], hashes::fnv),
    known("HasPrefix", &["target", "prefix"], texts::has_prefix),
    known("HasSuffix", &["target", "suffix"], texts::has_suffix),
    known("Hex", &["target"], texts::hex),
    known("Hour", &["time"], calendar::hour),
    known("Hours", &["duration"], times::hours),
    known("Index", &["target", "value"], texts::index),
    known("Int", &["target"], numbers::int),
    known("IsBool", &["target"], kinds::is_bool),
    known("IsDouble", &["target"], kinds::is_double),
    known("IsEmpty", &["target"], kinds::is_empty),
    known("IsInCIDR", &["target", "networks"], nets::is_in_cidr),
    known("IsInt", &["target"], kinds::is_int),
    known("IsList", &["target"], kinds::is_list),
    known("IsMap", &["target"], kinds::is_map),
    Known { pattern: Some(1), ..known("IsMatch", &["target", "pattern"], patterns::is_match) },
    known("IsRootSpan", &[], kinds::is_root_span),
    known("IsString", &["target"], kinds::is_string),
    known("Keys", &["target"], kinds::keys),
    known("Len", &["target"], kinds::len),
    known("MD5", &["target"], hashes::md5),
    known("Microseconds", &["duration"], times::microseconds),
    known("Milliseconds", &["duration"], times::milliseconds),
    known("Minute", &["time"], calendar::minute),
    known("Minutes", &["duration"], times::minutes),
    known("Month", &["time"], calendar::month),
    known("Nanosecond", &["time"], calendar::nanosecond),
    known("Nanoseconds", &["duration"], times::nanoseconds),
    known("Now", &[], times::now),
    known("ParseInt", &["target", "base"], numbers::parse_int),
    known("SHA1", &["target"], hashes::sha1),
    known("SHA256", &["target"], hashes::sha256),
    known("SHA512", &["target"], hashes::sha512),
    known("Second", &["time"], calendar::second),
    known("Seconds", &["duration"], times::seconds),
    known("SpanID", &["target"], kinds::span_id),
    known("Split", &["target", "delimiter"], texts::split),
    known("String", &["target"], texts::string),
    known("Substring", &["target", "start", "length"], texts::substring),
    known("ToCamelCase", &["target"], cases::to_camel),
    known("ToLowerCase", &["target"], texts::to_lower_case),
    known("ToSnakeCase", &["target"], cases::to_snake),
    known("ToUpperCase", &["target"], texts::to_upper_case),
    known("TraceID", &["target"], kinds::trace_id),
    Known { required: 1, ..known("Trim", &["target", "replacement"], texts::trim) },
    known("TrimPrefix", &["target", "prefix"], texts::trim_prefix),
    known("TrimSuffix", &["target", "suffix"], texts::trim_suffix),
    known("TruncateTime", &["time", "duration"], calendar::truncate),
    Known { required: 1, ..known("Unix", &["seconds", "nanoseconds"], times::unix) },
    known("UnixMicro", &["time"], times::unix_micro),
    known("UnixMilli", &["time"], times::unix_milli),
    known("UnixNano", &["time"], times::unix_nano),
    known("UnixSeconds", &["time"], times::unix_seconds),
    known("Values", &["target"], kinds::values),
    known("Weekday", &["time"], calendar::weekday),
    known("Year", &["time"], calendar::year),
];

/// Finds a function and puts its arguments in order.
pub(crate) fn find(name: &str, at: usize, arguments: Vec<Argument<'_>>) -> Result<Function, ParseError> {
    let names = || FUNCTIONS.iter().map(|known| known.name);
    if name.starts_with(|c: char| c.is_ascii_lowercase()) {
        let message = format!("`{name}` would change something, and a condition only asks{}", near(name, names()));
        return Err(ParseError::new(at, message));
    }
    let known = FUNCTIONS.iter().find(|known| known.name == name).ok_or_else(|| {
        let message = match near(name, names()) {
            hint if hint.is_empty() => {
                format!("there is no function `{name}`; there is {}", names().collect::<Vec<_>>().join(", "))
            }
            hint => format!("there is no function `{name}`{hint}"),
        };
        ParseError::new(at, message)
    })?;
    let mut places: Vec<Option<Expr>> = known.parameters.iter().map(|_| None).collect();
    let mut named = false;
    for (number, argument) in arguments.into_iter().enumerate() {
        named |= argument.name.is_some();
        let place = match argument.name {
            Some(name) => known.parameters.iter().position(|parameter| *parameter == name).ok_or_else(|| {
                let parameters = known.parameters.join(", ");
                ParseError::new(argument.at, format!("`{}` has no parameter `{name}`; it has {parameters}", known.name))
            })?,
            None if named => {
                let message = "an argument without a name cannot follow one with a name";
                return Err(ParseError::new(argument.at, message));
            }
            None => number,
        };
        match places.get_mut(place) {
            Some(free @ None) => *free = Some(argument.value),
            Some(Some(_)) => return Err(ParseError::new(argument.at, "this argument was given already")),
            None => return Err(ParseError::new(argument.at, wrong_count(known))),
        }
    }
    if places.iter().take(known.required).any(Option::is_none) {
        return Err(ParseError::new(at, wrong_count(known)));
    }
    let literal = known.pattern.and_then(|place| places.get(place)?.as_ref()?.as_text());
    let pattern = literal.map(patterns::compile).transpose().map_err(|message| ParseError::new(at, message))?;
    Ok(Function { run: known.run, arguments: places, pattern })
}

fn wrong_count(known: &Known) -> String {
    match (known.parameters, known.required) {
        ([], _) => format!("`{}` takes no arguments", known.name),
        (all, required) if required == all.len() => format!("`{}` takes {}: {}", known.name, all.len(), all.join(", ")),
        (all, required) => format!("`{}` takes {required} to {}: {}", known.name, all.len(), all.join(", ")),
    }
}

impl Function {
    pub(crate) fn call<'a>(&self, scene: &Scene<'a>) -> Result<Value<'a>, EvalError> {
        (self.run)(&Call { function: self, scene })
    }
}

/// A call of a function on a span.
pub(crate) struct Call<'f, 'a> {
    function: &'f Function,
    scene: &'f Scene<'a>,
}

impl<'a> Call<'_, 'a> {
    /// The value of an argument; nil if it was not given.
    fn value(&self, place: usize) -> Result<Value<'a>, EvalError> {
        match self.function.arguments.get(place) {
            Some(Some(argument)) => argument.eval(self.scene),
            _ => Ok(Value::Nil),
        }
    }

    /// Whether an argument was given.
    fn given(&self, place: usize) -> bool {
        matches!(self.function.arguments.get(place), Some(Some(_)))
    }

    /// An argument that must be a text.
    fn text(&self, place: usize) -> Result<Cow<'a, str>, EvalError> {
        match self.value(place)? {
            Value::Text(text) => Ok(text),
            other => Err(expected("a string", &other)),
        }
    }

    /// An argument that must be a whole number.
    fn int(&self, place: usize) -> Result<i64, EvalError> {
        match self.value(place)? {
            Value::Int(number) => Ok(number),
            other => Err(expected("an int", &other)),
        }
    }
}

fn expected(wanted: &str, found: &Value<'_>) -> EvalError {
    EvalError::new(format!("{wanted} is expected, not {}", found.type_name()))
}
