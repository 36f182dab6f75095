//! From text to tokens.

use crate::ParseError;
use crate::compare::Op;
use crate::prelude::*;

/// A token, and where it begins.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Token<'t> {
    pub(crate) at: usize,
    pub(crate) kind: Kind<'t>,
}

#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Kind<'t> {
    /// A name: of a path, a function, an enum, or a word of the language.
    Name(&'t str),
    Text(Cow<'t, str>),
    Bytes(Vec<u8>),
    Int(i64),
    Float(f64),
    Compare(Op),
    /// One of `( ) [ ] { } , . : + - * / =`.
    Sign(char),
    End,
}

impl Kind<'_> {
    /// As messages show it.
    pub(crate) fn shown(&self) -> String {
        match self {
            Self::Name(name) => format!("`{name}`"),
            Self::Text(text) => format!("{text:?}"),
            Self::Bytes(_) => "bytes".to_owned(),
            Self::Int(number) => format!("`{number}`"),
            Self::Float(number) => format!("`{number}`"),
            Self::Compare(_) => "a comparison".to_owned(),
            Self::Sign(sign) => format!("`{sign}`"),
            Self::End => "the end".to_owned(),
        }
    }
}

/// All tokens of a text; the last is [`Kind::End`].
pub(crate) fn tokens(text: &str) -> Result<Vec<Token<'_>>, ParseError> {
    let mut lexer = Lexer { text, at: 0 };
    let mut tokens = Vec::new();
    loop {
        lexer.skip(|c| c.is_whitespace());
        let at = lexer.at;
        let kind = lexer.token()?;
        let end = kind == Kind::End;
        tokens.push(Token { at, kind });
        if end {
            return Ok(tokens);
        }
    }
}

struct Lexer<'t> {
    text: &'t str,
    at: usize,
}

impl<'t> Lexer<'t> {
    fn rest(&self) -> &'t str {
        self.text.get(self.at..).unwrap_or_default()
    }

    /// Passes over what `wanted` accepts, and returns it.
    fn skip(&mut self, wanted: impl Fn(char) -> bool) -> &'t str {
        let rest = self.rest();
        let length = rest.find(|c| !wanted(c)).unwrap_or(rest.len());
        self.at += length;
        rest.get(..length).unwrap_or_default()
    }

    fn eat(&mut self, text: &str) -> bool {
        let there = self.rest().starts_with(text);
        if there {
            self.at += text.len();
        }
        there
    }

    fn token(&mut self) -> Result<Kind<'t>, ParseError> {
        let Some(first) = self.rest().chars().next() else { return Ok(Kind::End) };
        let two = [
            ("==", Op::Equal),
            ("!=", Op::NotEqual),
            ("<=", Op::LessEqual),
            (">=", Op::GreaterEqual),
            ("<", Op::Less),
            (">", Op::Greater),
        ];
        if let Some((_, op)) = two.into_iter().find(|(text, _)| self.eat(text)) {
            return Ok(Kind::Compare(op));
        }
        let digit_after_dot = || self.rest().as_bytes().get(1).is_some_and(u8::is_ascii_digit);
        match first {
            '"' => self.string(),
            'a'..='z' | 'A'..='Z' | '_' => Ok(Kind::Name(self.skip(|c| c.is_ascii_alphanumeric() || c == '_'))),
            '0'..='9' => self.number(),
            '.' if digit_after_dot() => self.number(),
            '(' | ')' | '[' | ']' | '{' | '}' | ',' | '.' | ':' | '+' | '-' | '*' | '/' | '=' => {
                self.at += 1;
                Ok(Kind::Sign(first))
            }
            other => {
                let instead = match other {
                    '\'' | '`' | '\u{201c}' | '\u{201d}' => "; a text stands in double quotes",
                    '&' | '|' => "; conditions are joined with `and` and `or`",
                    '!' => "; the opposite is written `not`",
                    _ => "",
                };
                Err(ParseError::new(self.at, format!("{other:?} does not belong here{instead}")))
            }
        }
    }

    fn number(&mut self) -> Result<Kind<'t>, ParseError> {
        let start = self.at;
        if self.eat("0x") {
            let digits = self.skip(|c| c.is_ascii_hexdigit());
            if digits.is_empty() || !digits.len().is_multiple_of(2) {
                return Err(ParseError::new(start, "bytes are an even number of hexadecimal digits after 0x"));
            }
            let byte = |at: usize| u8::from_str_radix(digits.get(at..at + 2)?, 16).ok();
            return Ok(Kind::Bytes((0..digits.len()).step_by(2).filter_map(byte).collect()));
        }
        self.skip(|c| c.is_ascii_digit());
        let mut float = false;
        if self.rest().starts_with('.') && self.rest().as_bytes().get(1).is_some_and(u8::is_ascii_digit) {
            float = true;
            self.at += 1;
            self.skip(|c| c.is_ascii_digit());
            let before = self.at;
            if self.eat("e") || self.eat("E") {
                let _ = self.eat("+") || self.eat("-");
                if self.skip(|c| c.is_ascii_digit()).is_empty() {
                    self.at = before;
                }
            }
        }
        let digits = self.text.get(start..self.at).unwrap_or_default();
        let too_large = || ParseError::new(start, format!("{digits} is too large"));
        if float {
            let number: f64 = digits.parse().map_err(|_| too_large())?;
            return if number.is_finite() { Ok(Kind::Float(number)) } else { Err(too_large()) };
        }
        digits.parse().map(Kind::Int).map_err(|_| too_large())
    }

    /// A text in double quotes, with the escapes of Go.
    fn string(&mut self) -> Result<Kind<'t>, ParseError> {
        let start = self.at;
        self.at += 1;
        let mut made: Option<String> = None;
        loop {
            let piece = self.skip(|c| c != '"' && c != '\\');
            let end = self.eat("\"");
            if end && made.is_none() {
                return Ok(Kind::Text(piece.into()));
            }
            let text = made.get_or_insert_default();
            text.push_str(piece);
            if end {
                return Ok(Kind::Text(made.unwrap_or_default().into()));
            }
            if !self.eat("\\") {
                return Err(ParseError::new(start, "the text has no end: a quote is missing"));
            }
            let at = self.at - 1;
            let escaped = self.escape().ok_or_else(|| {
                ParseError::new(at, "this escape is not known (a backslash itself is written \\\\, as in \"\\\\d\")")
            })?;
            text.push(escaped);
        }
    }

    fn escape(&mut self) -> Option<char> {
        let sign = self.rest().chars().next()?;
        self.at += sign.len_utf8();
        let (digits, radix) = match sign {
            'a' => return Some('\x07'),
            'b' => return Some('\x08'),
            'f' => return Some('\x0c'),
            'n' => return Some('\n'),
            'r' => return Some('\r'),
            't' => return Some('\t'),
            'v' => return Some('\x0b'),
            '\\' | '"' => return Some(sign),
            'x' => (2, 16),
            'u' => (4, 16),
            'U' => (8, 16),
            '0'..='7' => {
                self.at -= 1;
                (3, 8)
            }
            _ => return None,
        };
        let code = u32::from_str_radix(self.rest().get(..digits)?, radix).ok()?;
        self.at += digits;
        // A byte above 127 alone would be no text.
        if matches!(sign, 'x' | '0'..='7') && code > 127 { None } else { char::from_u32(code) }
    }
}
