//! The words that traces and policies share: few of them, so that policies meet what they ask for.

use fastrand::Rng;
use opentelemetry_proto::tonic::common::v1::any_value::Value;
use opentelemetry_proto::tonic::common::v1::{AnyValue, ArrayValue, KeyValue, KeyValueList};

/// Attribute keys.
pub const KEYS: &[&str] = &["k", "n", "s", "b", "http.status", "user.id", ""];
/// Texts.
pub const TEXTS: &[&str] = &["", "a", "b", "pay", "payment", "checkout", "500", "true", "-3", "1.5", "Über", "a.b"];
/// Whole numbers.
pub const INTS: &[i64] = &[i64::MIN, -3, -1, 0, 1, 2, 5, 200, 404, 500, 503, i64::MAX];
/// Numbers.
pub const DOUBLES: &[f64] = &[-1.0, 0.0, 0.5, 1.0, 1.5, 5.0, 500.0, 1e300, f64::INFINITY, f64::NAN];
/// Names of spans.
pub const NAMES: &[&str] = &["GET /", "checkout", "op", "", "pay"];
/// Trace states, some of which are none.
pub const STATES: &[&str] = &[
    "",
    "",
    "vendor=a",
    "vendor=b,other=a",
    "other=a, vendor=b",
    " vendor=a ",
    "vendor=a,vendor=b",
    "vendor=",
    "vendor",
    "Vendor=a",
    "vendor=a,,other=b",
    "ot=th:8;rv:abcdefabcdefab,vendor=a",
    "tenant@sys=a",
    "1vendor=a",
    "vendor=a=b",
    "vendor =a",
    "vendor= a",
    ",",
    "\tvendor=a\t",
    "vendor=b\t,\tother=a",
    "ot=th:0",
    "ot=th:c;rv:00000000000001",
    "ot=rv:fffffffffffff0,vendor=a",
    "ot=th:",
    "ot=rv:123",
    "ot=th:8;th:4",
    "vendor=a,ot=th:fffffffffffff;p:8",
    "ot=th:123456789012345",
    "ot=TH:8",
    "ot=th:8;",
    "ot=th:8,ot=rv:80000000000000",
    "vendor=a,ot=rv:80000000000000;x:1;th:4",
    "ot=th:C",
    "ot=x:y",
    "ot=",
];

/// Regular expressions, in the syntax of RE2.
const PATTERNS: &[&str] = &[
    "pay.*",
    "^a$",
    "^$",
    "",
    ".",
    "[0-9]+",
    "(?i)CHECK",
    "out$",
    r"\d{3}",
    r"^\S+$",
    r"\pL\z",
    r"^\p{Lu}",
    r"^\PL",
    "[[:alpha:]]b?$",
    "[[:^alpha:]]",
    "(?P<n>a)$",
    "(?<n>^b)",
    r"\Q.\E",
    r"\Aa\.",
    r"\x{DC}b",
    r"\xDC",
    r"\bout\b",
    r"a\B",
    "(?s)^.$",
    "(?U)x+$",
    "x{1000}$",
    "(?:a|b){2,}",
    "^[^\\x00-\\x7f]",
    r"^\w+$",
    r"\W",
    "(?i)ü",
    "(?i:PAY)ment",
    r"^-?\d+(\.\d+)?$",
    r"\0|\a|\f|\v|\t|\012",
    r"[\d\-.]+$",
    "[]a]$",
    "[a-]$",
    "(|a)b",
    ".*",
    "^pay",
    "a|b",
    r"\p{L}.*\P{Ll}",
    r"\p{^Lu}",
    r"[\p{Greek}\pN]",
    "[+--]1",
    "[a-\\-]",
    r"[\0-\101]",
    "[&&~~]",
    "a??$",
    "(?m)^a$",
    "(?-s).x",
];

/// Some that are none, or not what they look like.
const ODD_PATTERNS: &[&str] = &[
    "(",
    "a**",
    "x{1001}",
    r"(a)\1",
    "(?=a)",
    "(?!a)",
    "(?<=a)",
    "[b-a]",
    r"\C",
    "a{2,1}",
    "(?x) a",
    r"\p{Greek2}",
    r"\y",
    r"\8",
    "[",
    ")",
    "*",
    "a\\",
    "(?P<n>a)(?P<n>b)",
    r"\h",
    r"\u0041",
    "[[:foo:]]",
    "[a&&b]",
    "[a--b]",
    r"\pN{2}{3}",
    "x{2}{3}",
    "(?i",
    "(?Pn>a)",
    r"\R",
    r"\N{DIGIT ONE}",
    r"\<a\>",
    r"\b{start}a",
    "(?R)a",
    "(?u)a",
    "a++",
    "{",
    "a{,2}",
    "a{ 1 }",
    "^*",
];

/// A regular expression, rarely one that is none.
pub fn pattern(random: &mut Rng) -> &'static str {
    let patterns = if rarely(random, 30) { ODD_PATTERNS } else { PATTERNS };
    patterns[random.usize(..patterns.len())]
}

/// One of several.
pub fn one<'a, T>(random: &mut Rng, of: &'a [T]) -> &'a T {
    &of[random.usize(..of.len())]
}

/// Yes with a probability of one in `n`.
pub fn rarely(random: &mut Rng, n: u32) -> bool {
    random.u32(..n) == 0
}

/// A trace state; rarely one at the limits of how long it, its entries and their list may be.
pub fn state(random: &mut Rng) -> String {
    if !rarely(random, 12) {
        return (*one(random, STATES)).to_owned();
    }
    let entries = |count: usize| (1..count).map(|number| format!("k{number}=v")).collect::<Vec<_>>().join(",");
    match random.u32(..5) {
        0 => format!("vendor=a,{}", entries(*one(random, &[30, 31, 32, 33]))),
        1 => format!("{}=a,vendor=b", "k".repeat(*one(random, &[255, 256, 257]))),
        2 => format!("vendor=a,k={}", "v".repeat(*one(random, &[255, 256, 257]))),
        3 => format!("{}@{}=a,vendor=a", "t".repeat(*one(random, &[241, 242])), "s".repeat(*one(random, &[14, 15]))),
        _ => {
            format!("vendor=a,k={0},l={0},m={0},n={1}", "v".repeat(250), "v".repeat(*one(random, &[0, 249, 250, 251])))
        }
    }
}

/// A text; rarely a long one, around the length up to which answers of regular expressions are remembered.
fn text(random: &mut Rng) -> String {
    if rarely(random, 40) {
        let length = *one(random, &[1_023, 1_024, 1_025, 5_000, 70_000]);
        return format!("{}{}", "x".repeat(length), one(random, TEXTS));
    }
    (*one(random, TEXTS)).to_owned()
}

/// A value of any kind.
pub fn value(random: &mut Rng, depth: u32) -> AnyValue {
    let value = match random.u32(..if depth == 0 { 14 } else { 16 }) {
        0..=4 => Some(Value::StringValue(text(random))),
        5..=8 => Some(Value::IntValue(*one(random, INTS))),
        9..=10 => Some(Value::BoolValue(random.bool())),
        11 => Some(Value::DoubleValue(*one(random, DOUBLES))),
        12 => Some(Value::BytesValue((0..random.usize(..4)).map(|_| random.u8(..3)).collect())),
        13 => None,
        14 => {
            let values = (0..random.usize(..4)).map(|_| value(random, depth - 1)).collect();
            Some(Value::ArrayValue(ArrayValue { values }))
        }
        _ => Some(Value::KvlistValue(KeyValueList { values: attributes(random, 3, depth - 1) })),
    };
    AnyValue { value }
}

/// Up to so many attributes; rarely two with the same key.
pub fn attributes(random: &mut Rng, most: usize, depth: u32) -> Vec<KeyValue> {
    let mut attributes: Vec<KeyValue> = Vec::new();
    for _ in 0..random.usize(..=most) {
        let key = (*one(random, KEYS)).to_owned();
        if attributes.iter().all(|own| own.key != key) || rarely(random, 10) {
            attributes.push(KeyValue { key, value: Some(value(random, depth)), ..KeyValue::default() });
        }
    }
    attributes
}

/// An attribute that is a whole number.
pub fn int(key: &str, number: i64) -> KeyValue {
    let value = Some(AnyValue { value: Some(Value::IntValue(number)) });
    KeyValue { key: key.to_owned(), value, ..KeyValue::default() }
}
