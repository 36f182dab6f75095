//! From tokens to a condition with everything resolved. Grammar of the Collector's `pkg/ottl`, conditions only:
//!
//! ```text
//! condition  = term { "or" term }            term    = part { "and" part }
//! part       = [ "not" ] ( value op value | "true" | "false" | Function | "(" condition ")" )
//! value      = sum | "nil" | text | bytes | "true" | "false" | ENUM | list | map
//! sum        = product { ("+" | "-") product }     product = number { ("*" | "/") number }
//! number     = [ "+" | "-" ] ( int | float | path | Function | "(" sum ")" )
//! path       = name { key } { "." name { key } }   key     = "[" ( text | int | value ) "]"
//! Function   = Name "(" [ [ name "=" ] value { "," ... } ] ")" { key }
//! ```

use crate::compare::{Op, compare};
use crate::expr::{Condition, Expr, Key, entry};
use crate::functions::{self, Argument};
use crate::lex::{Kind, Token, tokens};
use crate::math::Math;
use crate::near::near;
use crate::path::Path;
use crate::prelude::*;
use crate::{Context, List, Map, ParseError, Value};

/// Deepest nesting of parentheses, lists, functions and negations.
const DEPTH_MAX: usize = 64;

/// The enums, in the Collector's words.
const ENUMS: [(&str, i64); 9] = [
    ("STATUS_CODE_UNSET", 0),
    ("STATUS_CODE_OK", 1),
    ("STATUS_CODE_ERROR", 2),
    ("SPAN_KIND_UNSPECIFIED", 0),
    ("SPAN_KIND_INTERNAL", 1),
    ("SPAN_KIND_SERVER", 2),
    ("SPAN_KIND_CLIENT", 3),
    ("SPAN_KIND_PRODUCER", 4),
    ("SPAN_KIND_CONSUMER", 5),
];

/// Parses a condition.
pub(crate) fn parse(text: &str, context: Context) -> Result<Condition, ParseError> {
    if text.len() > crate::Condition::TEXT_BYTES_MAX {
        let max = crate::Condition::TEXT_BYTES_MAX;
        return Err(ParseError::new(max, format!("a condition has at most {max} bytes")));
    }
    let tokens = tokens(text)?;
    let mut parser = Parser { tokens: &tokens, at: 0, depth: 0, context };
    let condition = parser.condition()?;
    match parser.peek() {
        Kind::End => Ok(condition),
        Kind::Compare(_) => Err(parser.error("a comparison has two sides; join several with `and`")),
        other => {
            Err(parser.error(format!("{} is not expected here; join conditions with `and` or `or`", other.shown())))
        }
    }
}

struct Parser<'t> {
    tokens: &'t [Token<'t>],
    at: usize,
    depth: usize,
    context: Context,
}

impl<'t> Parser<'t> {
    fn ahead(&self, by: usize) -> &'t Kind<'t> {
        self.tokens.get(self.at + by).map_or(&Kind::End, |token| &token.kind)
    }

    fn peek(&self) -> &'t Kind<'t> {
        self.ahead(0)
    }

    fn place(&self) -> usize {
        self.tokens.get(self.at).or(self.tokens.last()).map_or(0, |token| token.at)
    }

    fn error(&self, message: impl Into<String>) -> ParseError {
        ParseError::new(self.place(), message)
    }

    fn eat(&mut self, wanted: &Kind<'_>) -> bool {
        let there = self.peek() == wanted;
        self.at += usize::from(there);
        there
    }

    fn sign(&mut self, sign: char) -> bool {
        self.eat(&Kind::Sign(sign))
    }

    fn expect(&mut self, sign: char) -> Result<(), ParseError> {
        if self.sign(sign) {
            return Ok(());
        }
        Err(self.error(format!("`{sign}` is expected, not {}", self.peek().shown())))
    }

    /// Goes one level deeper for as long as `inner` runs.
    fn deeper<T>(&mut self, inner: impl FnOnce(&mut Self) -> Result<T, ParseError>) -> Result<T, ParseError> {
        if self.depth == DEPTH_MAX {
            return Err(self.error(format!("this is nested more than {DEPTH_MAX} times")));
        }
        self.depth += 1;
        let parsed = inner(self);
        self.depth -= 1;
        parsed
    }

    fn condition(&mut self) -> Result<Condition, ParseError> {
        let mut any = vec![self.term()?];
        while self.eat(&Kind::Name("or")) {
            any.push(self.term()?);
        }
        Ok(join(any, true, Condition::Or))
    }

    fn term(&mut self) -> Result<Condition, ParseError> {
        let mut all = vec![self.part()?];
        while self.eat(&Kind::Name("and")) {
            all.push(self.part()?);
        }
        Ok(join(all, false, Condition::And))
    }

    fn part(&mut self) -> Result<Condition, ParseError> {
        if self.eat(&Kind::Name("not")) {
            return self.deeper(Self::part).map(|inner| match inner {
                Condition::Const(truth) => Condition::Const(!truth),
                inner => Condition::Not(Box::new(inner)),
            });
        }
        // A parenthesis opens a condition, or the sum on the left of a comparison: whichever parses.
        if self.peek() == &Kind::Sign('(') {
            let start = self.at;
            let inner = self.deeper(|parser| {
                parser.at += 1;
                let inner = parser.condition()?;
                parser.expect(')')?;
                Ok(inner)
            });
            let goes_on = matches!(self.peek(), Kind::Compare(_) | Kind::Sign('+' | '-' | '*' | '/'));
            if inner.is_ok() && !goes_on {
                return inner;
            }
            let end = self.at;
            self.at = start;
            return match self.comparison() {
                Ok(comparison) => Ok(comparison),
                // The error that lies further inside says more.
                Err(error) => {
                    let at = |index: usize| self.tokens.get(index).map_or(0, |token| token.at);
                    inner.and(Err(error.clone())).map_err(|first: ParseError| {
                        if error.at > first.at || first.at < at(end) && error.at >= at(end) { error } else { first }
                    })
                }
            };
        }
        self.comparison()
    }

    fn comparison(&mut self) -> Result<Condition, ParseError> {
        let start = self.at;
        let left = self.value()?;
        if let Kind::Compare(op) = self.peek() {
            let op: Op = *op;
            self.at += 1;
            return Ok(match (left, self.value()?) {
                (Expr::Literal(left), Expr::Literal(right)) => Condition::Const(compare(&left, op, &right)),
                (left, right) => Condition::Compare(left, op, right),
            });
        }
        match left {
            Expr::Literal(Value::Bool(truth)) => Ok(Condition::Const(truth)),
            Expr::Call(..) => Ok(Condition::Call(left)),
            _ => {
                let found = self.peek().shown();
                if self.peek() == &Kind::Sign('=') {
                    return Err(self.error("equality is written `==`"));
                }
                if self.peek() != &Kind::End {
                    return Err(self.error(format!("a comparison such as `==` is expected, not {found}")));
                }
                self.at = start;
                Err(self.error("this is a value, not a condition: compare it, as in `... == \"x\"` or `... != nil`"))
            }
        }
    }

    fn value(&mut self) -> Result<Expr, ParseError> {
        let literal = |value| Ok(Expr::Literal(value));
        match self.peek() {
            Kind::Name("nil") => {
                self.at += 1;
                literal(Value::Nil)
            }
            Kind::Name(truth @ ("true" | "false")) => {
                self.at += 1;
                literal(Value::Bool(*truth == "true"))
            }
            Kind::Name(name) if is_enum(name) && self.ahead(1) != &Kind::Sign('(') => {
                let known = ENUMS.iter().find(|(known, _)| known == name);
                let (_, number) = known.ok_or_else(|| {
                    let names = ENUMS.map(|(name, _)| name);
                    self.error(format!("there is no enum `{name}`{}", near(name, names)))
                })?;
                self.at += 1;
                literal(Value::Int(*number))
            }
            Kind::Text(text) => {
                self.at += 1;
                literal(Value::Text(text.clone().into_owned().into()))
            }
            Kind::Bytes(bytes) => {
                self.at += 1;
                literal(Value::Bytes(bytes.clone().into()))
            }
            Kind::Sign('[') => self.deeper(Self::list),
            Kind::Sign('{') => self.deeper(Self::map),
            _ => self.sum(),
        }
    }

    fn list(&mut self) -> Result<Expr, ParseError> {
        self.expect('[')?;
        let mut elements = Vec::new();
        while !self.sign(']') {
            if !elements.is_empty() {
                self.expect(',')?;
            }
            elements.push(self.value()?);
        }
        // Of literals it is one.
        let values: Option<Vec<_>> = elements.iter().map(Expr::as_literal).collect();
        Ok(values.map_or(Expr::List(elements), |values| Expr::Literal(Value::List(List::Made(values)))))
    }

    fn map(&mut self) -> Result<Expr, ParseError> {
        self.expect('{')?;
        let mut entries = Vec::new();
        while !self.sign('}') {
            if !entries.is_empty() {
                self.expect(',')?;
            }
            let Kind::Text(key) = self.peek() else { return Err(self.error("a key in double quotes is expected")) };
            self.at += 1;
            self.expect(':')?;
            entries.push((key.clone().into_owned(), self.value()?));
        }
        let value = |(key, value): &(String, Expr)| Some((key.clone().into(), entry(value.as_literal()?).ok()?));
        let values: Option<Vec<_>> = entries.iter().map(value).collect();
        Ok(values.map_or(Expr::Map(entries), |values| Expr::Literal(Value::Map(Map::Made(values)))))
    }

    fn sum(&mut self) -> Result<Expr, ParseError> {
        let mut left = self.product()?;
        loop {
            let op = match self.peek() {
                Kind::Sign('+') => Math::Add,
                Kind::Sign('-') => Math::Subtract,
                _ => return Ok(left),
            };
            self.at += 1;
            left = Expr::Math(Box::new(left), op, Box::new(self.product()?));
        }
    }

    fn product(&mut self) -> Result<Expr, ParseError> {
        let mut left = self.number()?;
        loop {
            let op = match self.peek() {
                Kind::Sign('*') => Math::Multiply,
                Kind::Sign('/') => Math::Divide,
                _ => return Ok(left),
            };
            self.at += 1;
            left = Expr::Math(Box::new(left), op, Box::new(self.number()?));
        }
    }

    fn number(&mut self) -> Result<Expr, ParseError> {
        if self.sign('-') {
            return Ok(match self.unsigned()? {
                Expr::Literal(Value::Int(number)) => Expr::Literal(Value::Int(number.wrapping_neg())),
                Expr::Literal(Value::Float(number)) => Expr::Literal(Value::Float(-number)),
                other => Expr::Negative(Box::new(other)),
            });
        }
        self.sign('+');
        self.unsigned()
    }

    fn unsigned(&mut self) -> Result<Expr, ParseError> {
        match self.peek() {
            Kind::Int(number) => {
                self.at += 1;
                Ok(Expr::Literal(Value::Int(*number)))
            }
            Kind::Float(number) => {
                self.at += 1;
                Ok(Expr::Literal(Value::Float(*number)))
            }
            Kind::Sign('(') => self.deeper(|parser| {
                parser.at += 1;
                let inner = parser.sum()?;
                parser.expect(')')?;
                Ok(inner)
            }),
            Kind::Name(name) if self.ahead(1) == &Kind::Sign('(') => self.deeper(|parser| parser.call(name)),
            Kind::Name(word @ ("and" | "or" | "not" | "where")) => {
                Err(self.error(format!("a value is expected, not the word `{word}`")))
            }
            Kind::Name(_) => self.path(),
            other => Err(self.error(format!("a value is expected, not {}", other.shown()))),
        }
    }

    fn path(&mut self) -> Result<Expr, ParseError> {
        let start = self.place();
        let mut segments = Vec::new();
        let mut keys = Vec::new();
        loop {
            let Kind::Name(name) = self.peek() else {
                return Err(self.error(format!("a name is expected after the dot, not {}", self.peek().shown())));
            };
            self.at += 1;
            segments.push(*name);
            keys.append(&mut self.keys()?);
            if !self.sign('.') {
                break;
            }
            if !keys.is_empty() {
                return Err(self.error("nothing can follow a key in brackets but another one: write [\"a\"][\"b\"]"));
            }
        }
        let path = Path::find(&segments, self.context).map_err(|message| ParseError::new(start, message))?;
        if !keys.is_empty() && !path.has_keys() {
            return Err(ParseError::new(start, format!("`{}` has no keys", segments.join("."))));
        }
        if path == Path::TraceState && !matches!(keys.as_slice(), [] | [Key::Text(_)]) {
            return Err(ParseError::new(start, "`trace_state` takes one key, a text"));
        }
        Ok(Expr::Path(path, keys))
    }

    fn keys(&mut self) -> Result<Vec<Key>, ParseError> {
        let mut keys = Vec::new();
        while self.sign('[') {
            let key = self.deeper(Self::value)?;
            self.expect(']')?;
            keys.push(match key {
                Expr::Literal(Value::Text(text)) => Key::Text(text.into_owned()),
                Expr::Literal(Value::Int(number)) => Key::Number(number),
                Expr::Literal(_) | Expr::List(_) | Expr::Map(_) => {
                    return Err(self.error("a key is a text or a whole number"));
                }
                other => Key::Expr(Box::new(other)),
            });
        }
        Ok(keys)
    }

    fn call(&mut self, name: &'t str) -> Result<Expr, ParseError> {
        let place = self.place();
        self.at += 1;
        self.expect('(')?;
        let mut arguments = Vec::new();
        while !self.sign(')') {
            if !arguments.is_empty() {
                self.expect(',')?;
            }
            let at = self.place();
            let name = match (self.peek(), self.ahead(1)) {
                (Kind::Name(name), Kind::Sign('=')) => {
                    self.at += 2;
                    Some(*name)
                }
                _ => None,
            };
            arguments.push(Argument { at, name, value: self.value()? });
        }
        let function = functions::find(name, place, arguments)?;
        Ok(Expr::Call(Box::new(function), self.keys()?))
    }
}

/// One condition alone, or several joined. A constant that settles the answer settles it before anything is looked at, so that
/// nothing in the others can go wrong; one that does not is left out.
fn join(conditions: Vec<Condition>, settles: bool, several: fn(Vec<Condition>) -> Condition) -> Condition {
    let constant = |condition: &Condition| if let Condition::Const(truth) = condition { Some(*truth) } else { None };
    if conditions.iter().any(|condition| constant(condition) == Some(settles)) {
        return Condition::Const(settles);
    }
    let mut open: Vec<_> = conditions.into_iter().filter(|condition| constant(condition).is_none()).collect();
    match open.pop() {
        None => Condition::Const(!settles),
        Some(only) if open.is_empty() => only,
        Some(last) => {
            open.push(last);
            several(open)
        }
    }
}

/// Enums are written in capitals only.
fn is_enum(name: &str) -> bool {
    name.starts_with(|c: char| c.is_ascii_uppercase()) && !name.contains(|c: char| c.is_ascii_lowercase())
}
