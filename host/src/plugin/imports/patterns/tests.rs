//! Against the `regex` crate, whose meaning this must have; and what a search may cost.

use super::*;
use crate::plugin::guest::CallClock;
use proptest::prelude::*;
use std::time::{Duration, Instant};

fn texts(all: &[&str]) -> Texts {
    let mut end = 0;
    let mut ends = |text: &&str| {
        end += text.len();
        u32::try_from(end).unwrap()
    };
    Texts { ends: all.iter().map(&mut ends).collect(), data: all.concat() }
}

struct Instance {
    patterns: Patterns,
    memory: Memory,
    clock: CallClock,
}

impl Instance {
    fn new(budget: Duration) -> Self {
        let mut clock = CallClock::new();
        clock.begin(budget);
        Self { patterns: Patterns::default(), memory: Memory::new(64 << 20), clock }
    }

    async fn compile(&mut self, patterns: &[&str]) -> Result<u32, String> {
        let patterns = patterns.iter().map(|pattern| (*pattern).to_owned()).collect();
        self.patterns.compile(patterns, &mut self.memory, &mut self.clock.pace()).await.unwrap()
    }

    /// All three questions about these texts, checked against the `regex` crate.
    async fn check(&mut self, patterns: &[&str], all: &[&str]) {
        let set = self.compile(patterns).await.unwrap();
        let (texts, room) = (texts(all), 1 << 20);
        let (mut matching, mut found) = (Vec::new(), Vec::new());
        for (at, text) in all.iter().enumerate() {
            for (number, pattern) in patterns.iter().enumerate() {
                let regex = regex::Regex::new(pattern).unwrap();
                if regex.is_match(text) {
                    matching.push((at, number));
                }
                found.extend(regex.find_iter(text).map(|one| (at, number, one.start(), one.end())));
                let groups = regex.captures(text).map_or_else(Vec::new, |captures| {
                    captures.iter().map(|group| group.map(|group| (group.start() as u32, group.end() as u32))).collect()
                });
                let ours = self.patterns.captures(set, number as u32, text, &mut self.clock.pace()).await.unwrap();
                assert_eq!(ours, groups, "groups of {pattern:?} in {text:?}");
                let names: Vec<_> = regex.capture_names().map(Option::unwrap_or_default).collect();
                assert_eq!(self.patterns.groups(set, number as u32), names);
            }
        }
        let ours = self.patterns.matching(set, &texts, room, &mut self.clock.pace()).await.unwrap();
        let ours: Vec<_> = ours.texts.iter().zip(&ours.patterns).map(|(t, p)| (*t as usize, *p as usize)).collect();
        assert_eq!(ours, matching, "{patterns:?} in {all:?}");
        let ours = self.patterns.find(set, &texts, room, &mut self.clock.pace()).await.unwrap();
        let places = ours.starts.iter().zip(&ours.ends);
        let ours: Vec<_> = ours.texts.iter().zip(&ours.patterns).zip(places).collect();
        let ours: Vec<_> =
            ours.iter().map(|((t, p), (s, e))| (**t as usize, **p as usize, **s as usize, **e as usize)).collect();
        assert_eq!(ours, found, "{patterns:?} in {all:?}");
    }
}

const PATTERNS: &[&str] = &[
    "a+",
    "a*",
    "",
    "a|ab|abc",
    "(a|ab)(c|bcd)?(d*)",
    "^a",
    "b$",
    r"\ba",
    r"\b",
    r"\B",
    r"(?m)^.*$",
    r"(?i)STRASSE|ß",
    ".",
    r"(?s).+",
    r"\d{3}-\d{4}",
    r"(?P<user>[^@\s]+)@(?P<host>[a-z.]+)",
    "x*?y",
    "[^a]",
    r"\p{Greek}+",
    "(a)|(b)",
    "(a*)*",
    "(a|b)*?c",
    r"(?-u:\b)a",
    "é",
    r"\w+",
    "[[:digit:]]+",
    "(?:a{2,3}){2}",
    r"\z",
    r"a\b|b",
];

const TEXTS: &[&str] = &[
    "",
    "a",
    "ab",
    "abc",
    "abcd",
    "aab aaa",
    "xxy",
    "b\nab\na",
    "ann@example.com, bob@x.org",
    "555-1234 5555-12345",
    "é aé",
    "αβγ a",
    "straße STRASSE",
    "aaaaaa",
    "ß",
    "cab",
    "日本語 abc",
    "a\u{301}b",
];

#[tokio::test]
async fn the_meaning_is_that_of_the_regex_crate() {
    let mut instance = Instance::new(Duration::from_secs(60));
    instance.memory = Memory::new(1 << 30);
    instance.check(PATTERNS, TEXTS).await;
    for pattern in PATTERNS {
        instance.check(&[pattern], TEXTS).await;
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(300))]

    /// Random expressions over a small alphabet, in random texts.
    #[test]
    fn random_expressions_too(
        patterns in prop::collection::vec(r"(\(?[abé.](\*|\+|\?|\+\?|\{1,2\})?(\||\))?){1,4}|\\b[ab]+\\b|[ab]\$", 1..4),
        all in prop::collection::vec("[abéx ]{0,12}", 1..4),
    ) {
        let patterns: Vec<_> = patterns.iter().map(String::as_str).filter(|one| regex::Regex::new(one).is_ok()).collect();
        let all: Vec<_> = all.iter().map(String::as_str).collect();
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        runtime.block_on(Instance::new(Duration::from_secs(60)).check(&patterns, &all));
    }
}

/// Instances that compile the same share it; one that does so twice gets the same number.
#[tokio::test]
async fn sets_are_shared() {
    let (mut one, mut other) = (Instance::new(Duration::from_secs(60)), Instance::new(Duration::from_secs(60)));
    let set = one.compile(&["shared", "by [a-z]+"]).await.unwrap();
    assert_eq!(one.compile(&["something else"]).await, Ok(set + 1));
    assert_eq!(one.compile(&["shared", "by [a-z]+"]).await, Ok(set));
    other.compile(&["shared", "by [a-z]+"]).await.unwrap();
    assert!(Arc::ptr_eq(&one.patterns.sets[0].set, &other.patterns.sets[0].set));
}

/// What an expression may be, and that the message names it.
#[tokio::test]
async fn bad_sets_are_refused() {
    let mut instance = Instance::new(Duration::from_secs(60));
    let large = r"\w{200}".repeat(20);
    let long = "a".repeat(300 << 10);
    let classes = r"\w".repeat(2000);
    for (patterns, words) in [
        (vec!["fine", "(oops"], "expression 1, \"(oops\": regex parse error"),
        (vec![r"(?=look)"], "look-around"),
        (vec![r"(a)\1"], "backreferences"),
        (vec![large.as_str()], "expression 0"),
        (vec![long.as_str()], "256 KiB"),
        (vec![classes.as_str()], "classes"),
        (vec!["a"; 1001], "1000 are possible"),
        (vec![r"\w{20}"; 1000], "16 MiB"),
    ] {
        let error = instance.compile(&patterns).await.unwrap_err();
        assert!(error.contains(words), "{words}: {error}");
    }
    assert!(instance.compile(&vec!["[a-f0-9]{32}"; 1000]).await.is_ok(), "what the contract promises");
    for number in 1..64 {
        instance.compile(&[&format!("number {number}")]).await.unwrap();
    }
    assert!(instance.compile(&["one more"]).await.unwrap_err().contains("64 sets"));
    let mut poor = Instance::new(Duration::from_secs(60));
    poor.memory = Memory::new(100 << 10);
    assert!(poor.compile(&["a"]).await.unwrap_err().contains("memory_mib"));
    // The text of a set is kept too, however little becomes of it.
    poor.memory = Memory::new(300 << 10);
    let comment = format!("(?x)a # {}", "-".repeat(200 << 10));
    assert!(poor.compile(&[&comment]).await.unwrap_err().contains("memory_mib"));
    assert_eq!(poor.compile(&["a"]).await, Ok(0));
}

/// A set is compiled in turns with others and no longer than its call; one that was given up leaves nothing behind.
#[tokio::test]
async fn compiling_takes_turns() {
    let patterns: Vec<_> = (0..200).map(|number| format!(r"\w{{3}} in turns {number}")).collect();
    let patterns: Vec<_> = patterns.iter().map(String::as_str).collect();
    let mut instance = Instance::new(Duration::ZERO);
    let Instance { patterns: ours, memory, clock } = &mut instance;
    let owned = patterns.iter().map(|pattern| (*pattern).to_owned()).collect();
    let ended = ours.compile(owned, memory, &mut clock.pace()).await.unwrap_err();
    assert!(ended.to_string().contains("computed for longer"), "{ended}");
    instance.clock.begin(Duration::from_secs(60));
    let (mut turns, mut compile) = (0, std::pin::pin!(instance.compile(&patterns)));
    let compiled = std::future::poll_fn(|context| {
        turns += 1;
        compile.as_mut().poll(context)
    });
    assert_eq!(compiled.await, Ok(0));
    assert!(turns > 3, "{turns}");
}

/// A set or a text that is not there matches nothing, not even the empty expression.
#[tokio::test]
async fn what_is_not_there_matches_nothing() {
    let mut instance = Instance::new(Duration::from_secs(60));
    let set = instance.compile(&[""]).await.unwrap();
    let broken = Texts { ends: vec![1, 2, 5, 4, 9], data: "aéb c".to_owned() };
    let found = instance.patterns.matching(set, &broken, 1 << 20, &mut instance.clock.pace()).await.unwrap();
    // "a" ends at 1; 2 is within the é; from 2 on it is not text either; 5 is behind 4; 9 is outside.
    assert_eq!(found.texts, [0]);
    let found = instance.patterns.find(set + 1, &texts(&["a"]), 1 << 20, &mut instance.clock.pace()).await.unwrap();
    assert!(found.texts.is_empty());
    let groups = instance.patterns.captures(set, 1, "a", &mut instance.clock.pace()).await.unwrap();
    assert!(groups.is_empty() && instance.patterns.groups(set, 1).is_empty());
}

/// Whatever a guest asks for ends with the time of its call, and others have their turn meanwhile.
#[tokio::test]
async fn no_question_outlasts_the_call() {
    let explosive = "(?:[ab]*a[ab]{900})c";
    let text = "ab".repeat(4 << 20);
    let hard: Vec<String> = (0..200).map(|number| format!("[ab]*a[ab]{{{number}}}z|{number}")).collect();
    let unicode = format!("é {text}");
    for (patterns, text) in [
        (vec![explosive], &text),
        (hard.iter().map(String::as_str).collect(), &text),
        (vec![r"\bz+\b", explosive], &unicode),
        (vec!["ab"; 1000], &text),
        (vec![".*z|a"], &text),
    ] {
        let mut instance = Instance::new(Duration::from_secs(60));
        let set = instance.compile(&patterns).await.unwrap();
        let many = texts(&[text.as_str(); 4]);
        for question in 0..3 {
            // Long enough that a busy machine does not keep us from a second turn in it.
            instance.clock.begin(Duration::from_millis(300));
            let start = Instant::now();
            let Instance { patterns: ours, clock, .. } = &mut instance;
            let mut pace = clock.pace();
            let ask = async {
                match question {
                    0 => ours.matching(set, &many, 1 << 30, &mut pace).await.map(drop),
                    1 => ours.find(set, &many, 1 << 30, &mut pace).await.map(drop),
                    _ => ours.captures(set, 0, &many.data, &mut pace).await.map(drop),
                }
            };
            let (mut turns, mut ask) = (0, std::pin::pin!(ask));
            let asked = std::future::poll_fn(|context| {
                turns += 1;
                ask.as_mut().poll(context)
            })
            .await;
            let took = start.elapsed();
            let first = patterns[0];
            assert!(took < Duration::from_millis(4500), "{first:?}, {question}: {took:?}");
            assert!(asked.is_ok() || turns > 1, "{first:?}, {question}: only {turns} turns in {took:?}");
        }
    }
}

/// What goes back to the guest has a bound.
#[tokio::test]
async fn matches_have_an_end() {
    let mut instance = Instance::new(Duration::from_secs(60));
    let set = instance.compile(&["a"]).await.unwrap();
    let text = "a".repeat(2000);
    for (room, good) in [(16 * 2000, true), (16 * 1999, false)] {
        let found = instance.patterns.find(set, &texts(&[&text]), room, &mut instance.clock.pace()).await;
        assert_eq!(found.is_ok(), good, "{room}");
    }
}
