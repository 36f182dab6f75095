//! Regular expressions of the Collector, which is written in Go, in the syntax that the host compiles.
//!
//! Both are close to RE2; what differs is rewritten, so that an expression matches here what it matches there:
//!
//! - `\d`, `\w`, `\s` and `\b` are about ASCII in Go;
//! - a `[` inside of a class, and a `{` that begins no repetition, stand for themselves;
//! - `\Q...\E` quotes, and `\<` and `\>` are the characters.

use std::fmt::Write as _;
use std::iter::Peekable;
use std::str::Chars;
use tailrace_sdk::patterns::Patterns;

/// Compiles expressions written for Go.
///
/// # Errors
/// The number of the first expression that is none, and what is wrong with it.
pub fn compile<S: AsRef<str>>(patterns: &[S]) -> Result<Patterns, (usize, String)> {
    let translated: Vec<_> = patterns.iter().map(|pattern| translate(pattern.as_ref())).collect();
    Patterns::compile(translated.iter().map(String::as_str)).map_err(|error| {
        // The host names the expression; which one it is in the list says the first that does not compile alone.
        let alone = |pattern: &String| Patterns::compile([pattern.as_str()]).err();
        let first = translated.iter().enumerate().find_map(|(at, pattern)| Some((at, alone(pattern)?)));
        first.unwrap_or((0, error))
    })
}

/// An expression in the syntax of Go's `regexp` in that of the host.
pub fn translate(pattern: &str) -> String {
    let mut out = String::with_capacity(pattern.len());
    let mut rest = pattern.chars().peekable();
    while let Some(c) = rest.next() {
        match c {
            '\\' => escape(&mut out, &mut rest),
            '[' => class(&mut out, &mut rest),
            '{' if !is_repetition(&rest) => out.push_str("\\{"),
            _ => out.push(c),
        }
    }
    out
}

/// What follows a backslash outside of a class.
fn escape(out: &mut String, rest: &mut Peekable<Chars<'_>>) {
    match rest.next() {
        None => out.push('\\'),
        Some('d') => out.push_str("[0-9]"),
        Some('D') => out.push_str("[^0-9]"),
        Some('w') => out.push_str("[0-9A-Za-z_]"),
        Some('W') => out.push_str("[^0-9A-Za-z_]"),
        Some('s') => out.push_str("[\\t\\n\\x0C\\r ]"),
        Some('S') => out.push_str("[^\\t\\n\\x0C\\r ]"),
        Some('b') => out.push_str("(?-u:\\b)"),
        Some('B') => out.push_str("(?-u:\\B)"),
        Some('Q') => quoted(out, rest),
        // The end of a quotation that never began is nothing in Go.
        Some('E') => {}
        Some(c @ ('<' | '>')) => out.push(c),
        Some(c) => {
            out.push('\\');
            out.push(c);
        }
    }
}

/// The characters up to `\E`, or the end, as they are.
fn quoted(out: &mut String, rest: &mut Peekable<Chars<'_>>) {
    while let Some(c) = rest.next() {
        if c == '\\' && rest.next_if_eq(&'E').is_some() {
            return;
        }
        if c.is_alphanumeric() || c.is_whitespace() {
            out.push(c);
        } else {
            // Writing into a String cannot fail.
            let _ = write!(out, "\\x{{{:x}}}", u32::from(c));
        }
    }
}

/// A class, from behind its `[` to its `]`.
fn class(out: &mut String, rest: &mut Peekable<Chars<'_>>) {
    out.push('[');
    if rest.next_if_eq(&'^').is_some() {
        out.push('^');
    }
    if rest.next_if_eq(&']').is_some() {
        out.push_str("\\]");
    }
    while let Some(c) = rest.next() {
        match c {
            ']' => {
                out.push(']');
                return;
            }
            '[' => match posix(rest) {
                Some(name) => {
                    let _ = write!(out, "[:{name}:]");
                }
                None => out.push_str("\\["),
            },
            // Two of them in a row are operators to the host.
            '&' | '~' => {
                out.push('\\');
                out.push(c);
            }
            '\\' => match rest.next() {
                None => out.push('\\'),
                Some('d') => out.push_str("0-9"),
                Some('w') => out.push_str("0-9A-Za-z_"),
                Some('s') => out.push_str("\\t\\n\\x0C\\r "),
                Some('D') => out.push_str("[^0-9]"),
                Some('W') => out.push_str("[^0-9A-Za-z_]"),
                Some('S') => out.push_str("[^\\t\\n\\x0C\\r ]"),
                Some(c @ ('<' | '>')) => out.push(c),
                Some(c) => {
                    out.push('\\');
                    out.push(c);
                }
            },
            _ => out.push(c),
        }
    }
}

/// The `alpha` of `[:alpha:]`, if that is what comes behind the `[`.
fn posix(rest: &mut Peekable<Chars<'_>>) -> Option<String> {
    let text: String = rest.clone().take(16).collect();
    let (name, _) = text.strip_prefix(':')?.split_once(":]")?;
    if !name.trim_start_matches('^').chars().all(|c| c.is_ascii_lowercase()) {
        return None;
    }
    let length = name.len() + ":".len() + ":]".len();
    rest.nth(length - 1)?;
    Some(name.to_owned())
}

/// Whether `{` with this behind it is a repetition: `2}`, `2,}`, `2,5}`.
fn is_repetition(rest: &Peekable<Chars<'_>>) -> bool {
    let text: String = rest.clone().take_while(|c| *c != '}').take(12).collect();
    let closed = rest.clone().nth(text.chars().count()) == Some('}');
    let number = |text: &str| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    closed
        && match text.split_once(',') {
            None => number(&text),
            Some((least, most)) => number(least) && (most.is_empty() || number(most)),
        }
}
