//! One expression: read, and compiled by itself.
//!
//! Nothing here can be interrupted, and a guest chooses the expression. So what would take long is refused before it is
//! begun: an expression takes a tenth of a second at most, nearly all of them some microseconds. The limits are far
//! beyond what people write.

use super::Refused;
use regex_automata::nfa::thompson::{BuildError, Compiler, Config, NFA, WhichCaptures};
use regex_syntax::ast::{Ast, ClassPerlKind, ClassSetBinaryOp, ClassSetItem, Flag, Flags, Visitor, parse, visit};
use regex_syntax::hir::{Look, translate};

/// One compiled expression.
const PROGRAM_BYTES_MAX: usize = 1 << 20;
/// Classes such as `\w` in one expression: each is some kilobytes before the size of a program is known.
const CLASSES_MAX: usize = 1000;
/// Groups with names. With more no expression is small enough for a search that notes its groups, and reading the names
/// takes the square of their number.
const NAMES_MAX: usize = 512;
/// Characters, classes and assertions: with more the program is too large, unless they are repeated no times.
const LEAVES_MAX: usize = 1 << 16;
/// What the classes of an expression may cost: nanoseconds, about.
const CLASS_WORK_MAX: u64 = 100_000_000;

/// Compiles one expression; also whether it can only match at the beginning of a text.
pub(super) fn compile(pattern: &str) -> Result<(NFA, bool), Refused> {
    let is_class = |pair: &&[u8]| matches!(pair, [b'\\', b'w' | b'W' | b'd' | b'D' | b's' | b'S' | b'p' | b'P']);
    if pattern.as_bytes().windows(2).filter(is_class).count() > CLASSES_MAX {
        return Err(format!("it has more than {CLASSES_MAX} classes of characters"));
    }
    if pattern.matches("(?P<").count() + pattern.matches("(?<").count() > NAMES_MAX {
        return Err(format!("it has more than {NAMES_MAX} groups with names"));
    }
    let said = |error: regex_syntax::Error| error.to_string();
    let tree = parse::Parser::new().parse(pattern).map_err(|error| said(error.into()))?;
    Work::of(&tree)?;
    let hir = translate::Translator::new().translate(pattern, &tree).map_err(|error| said(error.into()))?;
    let config = Config::new().nfa_size_limit(Some(PROGRAM_BYTES_MAX)).which_captures(WhichCaptures::All);
    let nfa = Compiler::new().configure(config).build_from_hir(&hir).map_err(|error| unfit("it", &error))?;
    Ok((nfa, hir.properties().look_set_prefix().contains(Look::Start)))
}

/// What the builder of a program says of `what`, with the limit named.
pub(super) fn unfit(what: &str, error: &BuildError) -> Refused {
    match error.size_limit() {
        Some(limit) => format!("{what} needs more than {} MiB compiled", limit >> 20),
        None => error.to_string(),
    }
}

/// What it will cost to make sense of an expression, added up from its parts. Only what takes more than linear time counts.
#[derive(Default)]
struct Work {
    leaves: usize,
    /// Ranges of characters that were listed so far in the class at hand.
    ranges: u64,
    /// Classes around what is looked at now, and operations on them.
    depth: u64,
    /// Nanoseconds that classes take as such, and if they stand where `(?i)` holds.
    listing: u64,
    folding: u64,
    folds: bool,
}

/// Ranges of a class such as `\w`.
const RANGES_OF_A_CLASS: u64 = 800;
/// Nanoseconds to find a class by its name.
const FIND: u64 = 100_000;
/// Nanoseconds for each range that is there already when another comes.
const LIST: u64 = 8;
/// Nanoseconds to look for the other cases of a character.
const FOLD: u64 = 5;
const ALL_CHARACTERS: u64 = 0x11_0000;

impl Work {
    fn of(tree: &Ast) -> Result<(), Refused> {
        let Ok(work) = visit(tree, Self::default());
        if work.leaves > LEAVES_MAX {
            return Err(format!("it needs more than {} MiB compiled", PROGRAM_BYTES_MAX >> 20));
        }
        if work.listing > CLASS_WORK_MAX {
            return Err("its classes list too many characters, or too many classes in one another".to_owned());
        }
        if work.folds && work.listing.saturating_add(work.folding) > CLASS_WORK_MAX {
            return Err(
                "it has too many large classes for (?i): put (?-i: ) around those that need no folding".to_owned()
            );
        }
        Ok(())
    }

    /// So many ranges are listed, with so many characters. Folding happens at every level.
    fn lists(&mut self, ranges: u64, characters: u64) {
        self.listing = self.listing.saturating_add(LIST * self.ranges);
        self.ranges += ranges;
        self.folding = self.folding.saturating_add(FOLD * characters * self.depth);
    }

    fn names_a_class(&mut self) {
        self.listing = self.listing.saturating_add(FIND);
        self.lists(RANGES_OF_A_CLASS, ALL_CHARACTERS);
    }

    fn flags(&mut self, flags: &Flags) {
        self.folds |= flags.flag_state(Flag::CaseInsensitive) == Some(true);
    }
}

impl Visitor for Work {
    type Output = Self;
    type Err = std::convert::Infallible;

    fn finish(self) -> Result<Self, Self::Err> {
        Ok(self)
    }

    fn visit_pre(&mut self, part: &Ast) -> Result<(), Self::Err> {
        match part {
            Ast::Empty(_) | Ast::Repetition(_) | Ast::Alternation(_) | Ast::Concat(_) => return Ok(()),
            Ast::Flags(set) => {
                self.flags(&set.flags);
                return Ok(());
            }
            Ast::Group(group) => {
                group.flags().into_iter().for_each(|flags| self.flags(flags));
                return Ok(());
            }
            Ast::Literal(_) | Ast::Dot(_) | Ast::Assertion(_) | Ast::ClassPerl(_) => {}
            Ast::ClassUnicode(_) => {
                (self.ranges, self.depth) = (0, 1);
                self.names_a_class();
            }
            Ast::ClassBracketed(_) => (self.ranges, self.depth) = (0, 1),
        }
        self.leaves += 1;
        Ok(())
    }

    fn visit_class_set_item_pre(&mut self, item: &ClassSetItem) -> Result<(), Self::Err> {
        match item {
            ClassSetItem::Empty(_) | ClassSetItem::Union(_) => {}
            ClassSetItem::Literal(_) => self.lists(1, 1),
            ClassSetItem::Range(range) => self.lists(1, u64::from(range.end.c).abs_diff(range.start.c.into()) + 1),
            ClassSetItem::Ascii(class) if !class.negated => self.lists(1, 128),
            ClassSetItem::Ascii(_) => self.lists(1, ALL_CHARACTERS),
            ClassSetItem::Perl(class) => {
                let (ranges, characters) = match class.kind {
                    ClassPerlKind::Space => (10, 25),
                    ClassPerlKind::Digit => (100, 1000),
                    ClassPerlKind::Word => (RANGES_OF_A_CLASS, ALL_CHARACTERS / 8),
                };
                self.lists(ranges, if class.negated { ALL_CHARACTERS } else { characters });
            }
            ClassSetItem::Unicode(_) => self.names_a_class(),
            ClassSetItem::Bracketed(class) => {
                self.lists(1, if class.negated { ALL_CHARACTERS } else { 0 });
                self.depth += 1;
            }
        }
        Ok(())
    }

    fn visit_class_set_item_post(&mut self, item: &ClassSetItem) -> Result<(), Self::Err> {
        if matches!(item, ClassSetItem::Bracketed(_)) {
            self.depth = self.depth.saturating_sub(1);
        }
        Ok(())
    }

    fn visit_class_set_binary_op_pre(&mut self, _: &ClassSetBinaryOp) -> Result<(), Self::Err> {
        self.lists(1, 0);
        self.depth += 1;
        Ok(())
    }

    fn visit_class_set_binary_op_post(&mut self, _: &ClassSetBinaryOp) -> Result<(), Self::Err> {
        self.depth = self.depth.saturating_sub(1);
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What nobody writes is refused before it is done; what people write is not, by far.
    #[test]
    fn work_has_a_limit() {
        let descending: String = (0..40_000).filter_map(|at| char::from_u32(0x3_0000 - 2 * at)).collect();
        let many = |part: &str, count: usize| part.repeat(count);
        for (pattern, words) in [
            (format!("(?i){}", many("[\0-\u{10ffff}]", 30_000)), "(?i)"),
            (format!("a(?i:{})", many(r"\p{Any}", 200)), "(?i)"),
            (format!("(?i){}", many(r"[\S\s]", 200)), "(?i)"),
            (format!("(?i){}", many("[[^a]b]", 200)), "(?i)"),
            (format!("[{descending}]"), "list too many"),
            (format!("[{}]", many("[a]", 40_000)), "list too many"),
            (format!("[{}b]", many("[a-c]&&", 40_000)), "nest"),
            ((0..2000).map(|at| format!("(?P<n{at}>)")).collect(), "512 groups"),
            (many(r"\w", 1001), "1000 classes"),
            (many("a", 100_000), "1 MiB"),
            (many("abc|", 20_000), "1 MiB"),
        ] {
            let error = compile(&pattern).map(drop).unwrap_err();
            assert!(error.contains(words), "{words}: {error:.400}");
        }
        for pattern in [
            &format!("(?i){}", many(r"[\s\S]*?x", 10)),
            &format!("(?i){}", many(r"[^\s,;<>()]+", 100)),
            &format!(r"(?i)\b[\p{{L}}\p{{N}}._%+-]+@{}\b", many("[a-z0-9-]+", 300)),
            &format!("[{}]", descending.chars().take(4000).collect::<String>()),
            &many("[a-z&&[^aeiou]]", 200),
            &many(r"[[:alpha:]_]", 500),
            &many(r"\p{Greek}?", 200),
            &format!("(?x)a # {}", many("-", 200 << 10)),
        ] {
            assert!(compile(pattern).is_ok(), "{pattern:.100}: {:?}", compile(pattern).map(drop));
        }
    }

    /// Whether it holds on to the beginning.
    #[test]
    fn anchors() {
        for (pattern, anchored) in [("^a", true), (r"\Aa|^b", true), ("a", false), ("^a|b", false), ("(?m)^a", false)] {
            assert_eq!(compile(pattern).unwrap().1, anchored, "{pattern}");
        }
    }
}
