//! Regular expressions as the Collector has them, which is written in Go, in the syntax of the crate `regex` and its relatives.
//!
//! Both are close to RE2; what differs is rewritten, so that an expression matches here what it matches there:
//!
//! - `\d`, `\w`, `\s` and `\b` are about ASCII in Go;
//! - a `[` inside of a class, a `-` at either end of one or of a range, and a `{` that begins no repetition, stand for themselves;
//! - `\012` is a character by its octal number, and `\p{^Lu}` is what `\p{Lu}` is not;
//! - two groups may have one name;
//! - `\Q...\E` quotes, and `\<` and `\>` are the characters.
//!
//! ```
//! assert_eq!(tailrace_pattern::translate(r"^\d+\Q.*\E"), r"^[0-9]+\x{2e}\x{2a}");
//! ```
#![no_std]

extern crate alloc;

use alloc::borrow::ToOwned;
use alloc::string::String;
use alloc::vec::Vec;
use core::fmt::Write as _;
use core::iter::Peekable;
use core::str::Chars;

/// An expression in the syntax of Go's `regexp` in that of the host.
pub fn translate(pattern: &str) -> String {
    let mut out = String::with_capacity(pattern.len());
    let mut rest = pattern.chars().peekable();
    let mut names = Vec::new();
    while let Some(c) = rest.next() {
        match c {
            '\\' => escape(&mut out, &mut rest),
            '[' => class(&mut out, &mut rest),
            '(' => group(&mut out, &mut rest, &mut names),
            '{' if !is_repetition(&rest) => out.push_str("\\{"),
            _ => out.push(c),
        }
    }
    out
}

/// What follows the parenthesis of a group: a name that another has already is left out.
fn group(out: &mut String, rest: &mut Peekable<Chars<'_>>, names: &mut Vec<String>) {
    out.push('(');
    if rest.peek() != Some(&'?') {
        return;
    }
    let text: String = rest.clone().take_while(|c| *c != '>').collect();
    let Some(name) = text.strip_prefix("?P<").or_else(|| text.strip_prefix("?<")) else { return };
    let end = text.chars().count();
    if names.iter().any(|known| known == name) && rest.clone().nth(end) == Some('>') {
        let _ = rest.nth(end);
    } else {
        names.push(name.to_owned());
    }
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
        Some(c @ ('p' | 'P')) => category(out, c, rest),
        Some(c) => character(out, c, rest),
    }
}

/// `\p{Lu}`, `\p{^Lu}` or `\pL`, from behind the `p` or `P`.
fn category(out: &mut String, p: char, rest: &mut Peekable<Chars<'_>>) {
    let opposite = if p == 'p' { 'P' } else { 'p' };
    let in_braces = rest.next_if_eq(&'{').is_some();
    let is_not = in_braces && rest.next_if_eq(&'^').is_some();
    out.push('\\');
    out.push(if is_not { opposite } else { p });
    if in_braces {
        out.push('{');
        braced(out, rest);
    } else {
        out.extend(rest.next());
    }
}

/// A character behind a backslash that stands for one character.
fn character(out: &mut String, c: char, rest: &mut Peekable<Chars<'_>>) {
    match c {
        '<' | '>' => out.push(c),
        '0'..='7' if c == '0' || rest.peek().is_some_and(|next| next.is_digit(8)) => {
            let mut number = c.to_digit(8).unwrap_or(0);
            for _ in 0..2 {
                if let Some(digit) = rest.next_if(|next| next.is_digit(8)).and_then(|next| next.to_digit(8)) {
                    number = number * 8 + digit;
                }
            }
            // Writing into a String cannot fail.
            let _ = write!(out, "\\x{{{number:x}}}");
        }
        'x' if rest.next_if_eq(&'{').is_some() => {
            out.push_str("\\x{");
            braced(out, rest);
        }
        _ => {
            out.push('\\');
            out.push(c);
        }
    }
}

/// Everything up to a `}`, and that.
fn braced(out: &mut String, rest: &mut Peekable<Chars<'_>>) {
    for c in rest {
        out.push(c);
        if c == '}' {
            return;
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
        range(out, rest);
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
                None => {
                    member(out, c, rest);
                    range(out, rest);
                }
            },
            _ if member(out, c, rest) => range(out, rest),
            _ => {}
        }
    }
}

/// What is in a class. Whether it is one character.
fn member(out: &mut String, c: char, rest: &mut Peekable<Chars<'_>>) -> bool {
    match c {
        '\\' => match rest.next() {
            None => out.push('\\'),
            Some('d') => out.push_str("0-9"),
            Some('w') => out.push_str("0-9A-Za-z_"),
            Some('s') => out.push_str("\\t\\n\\x0C\\r "),
            Some('D') => out.push_str("[^0-9]"),
            Some('W') => out.push_str("[^0-9A-Za-z_]"),
            Some('S') => out.push_str("[^\\t\\n\\x0C\\r ]"),
            Some(c @ ('p' | 'P')) => category(out, c, rest),
            Some(c) => {
                character(out, c, rest);
                return true;
            }
        },
        // Two of them in a row are operators to the host, and it has classes in classes.
        '&' | '~' | '-' | '[' => {
            out.push('\\');
            out.push(c);
            return true;
        }
        _ => {
            out.push(c);
            return true;
        }
    }
    false
}

/// The `-z` of a range, if one is there: a `-` before the end of the class is itself.
fn range(out: &mut String, rest: &mut Peekable<Chars<'_>>) {
    let mut ahead = rest.clone();
    if ahead.next() != Some('-') || matches!(ahead.peek(), None | Some(']')) {
        return;
    }
    rest.next();
    out.push('-');
    if let Some(c) = rest.next() {
        member(out, c, rest);
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

/// What an error of the crate `regex` says is wrong, of the several lines in which it shows the place.
pub fn reason(error: &str) -> &str {
    let last = error.trim_end().lines().last().unwrap_or(error);
    last.strip_prefix("error: ").unwrap_or(last)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_line_says_what_is_wrong() {
        assert_eq!(reason("regex parse error:\n    (\n    ^\nerror: unclosed group"), "unclosed group");
        assert_eq!(
            reason("Compiled regex exceeds size limit of 7 bytes."),
            "Compiled regex exceeds size limit of 7 bytes."
        );
    }

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
            (r"\p{Lu}\pL\P{Greek}\p{^Lu}\P{^Lu}", r"\p{Lu}\pL\P{Greek}\P{Lu}\p{Lu}"),
            (r"[\p{Lu}\pL\p{^Lu}x]", r"[\p{Lu}\pL\P{Lu}x]"),
            (r"\x{DC}\xDC[\x{DC}-\xFF]", r"\x{DC}\xDC[\x{DC}-\xFF]"),
            (r"\0\12\0128[\0-\101]", r"\x{0}\x{a}\x{a}8[\x{0}-\x{41}]"),
            (r"(a)\1\8", r"(a)\1\8"),
            (r"[+--][a-][-a][a--b][--a][[-a]", r"[+-\-][a\-][\-a][a-\-b][\--a][\[-a]"),
            (r"[a-\d]", r"[a-0-9]"),
            (r"(?P<n>a)(?<n>b)(?P<n>c)(?<m>d)(e)", r"(?P<n>a)(b)(c)(?<m>d)(e)"),
            (r"(?P<n>a)(?P<n", r"(?P<n>a)(?P<n"),
        ] {
            assert_eq!(translate(go), here, "{go}");
        }
    }
}
