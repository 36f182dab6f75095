//! Regular expressions as the Collector has them, which is written in Go, in the syntax of the crate `regex` and its relatives.
//!
//! Both are close to RE2; what differs is rewritten, so that an expression matches here what it matches there:
//!
//! - `\d`, `\w`, `\s` and `\b` are about ASCII in Go;
//! - a `[` inside of a class, and a `{` that begins no repetition, stand for themselves;
//! - `\Q...\E` quotes, and `\<` and `\>` are the characters.
//!
//! ```
//! assert_eq!(tailrace_pattern::translate(r"^\d+\Q.*\E"), r"^[0-9]+\x{2e}\x{2a}");
//! ```
#![no_std]

extern crate alloc;

use alloc::borrow::ToOwned;
use alloc::string::String;
use core::fmt::Write as _;
use core::iter::Peekable;
use core::str::Chars;

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

#[cfg(test)]
mod tests {
    use super::*;

    /// What is written for Go, and what it becomes.
    #[test]
    fn what_differs_is_rewritten() {
        for (go, here) in [
            (r"\d\D\w\W", "[0-9][^0-9][0-9A-Za-z_][^0-9A-Za-z_]"),
            (r"\bword\B", r"(?-u:\b)word(?-u:\B)"),
            (r"\Qa.b\E.", r"a\x{2e}b."),
            (r"\Qnever ends.", r"never ends\x{2e}"),
            (r"[[:alpha:]\d[x]", r"[[:alpha:]0-9\[x]"),
            (r"[]a]", r"[\]a]"),
            (r"[a&&b~~c]", r"[a\&\&b\~\~c]"),
            (r"a{2,3}b{c", r"a{2,3}b\{c"),
            (r"\<a\>", "<a>"),
            (r"plain (text)?", "plain (text)?"),
        ] {
            assert_eq!(translate(go), here, "{go}");
        }
    }
}
