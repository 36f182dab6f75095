//! The modules that authors use, over the host of this machine.

use crate::hash::{Algorithm, digest, digest_all, hex};
use crate::metrics::{Counter, Gauge, Histogram, value};
use crate::patterns::{Match, Patterns};
use std::time::Duration;

#[test]
fn series_are_counted() {
    let counter = Counter::with_labels("seen", &[("kind", "a")]);
    counter.add(2);
    Counter::with_labels("seen", &[("kind", "a")]).add(0.5);
    Counter::with_labels("seen", &[("kind", "b")]).add(1);
    counter.add(-1);
    counter.add(f64::NAN);
    assert_eq!((value("seen", &[("kind", "a")]), value("seen", &[])), (Some(2.5), None));
    let gauge = Gauge::open("level");
    gauge.set(7_u64);
    gauge.set(-3);
    assert_eq!(value("level", &[]), Some(-3.0));
    Histogram::open("wait_seconds").record(Duration::from_millis(1));
    assert_eq!(value("wait_seconds", &[]), Some(1.0));
}

/// A refused series counts nothing and hurts nobody.
#[test]
fn refused_series_are_quiet() {
    for (name, labels) in
        [("Bad", &[][..]), ("", &[]), ("fine", &[("plugin", "me")]), ("fine", &[("a", "1"), ("a", "2")])]
    {
        Counter::with_labels(name, labels).add(1);
        assert_eq!(value(name, labels), None, "{name}");
    }
    Counter::open("one_kind").add(1);
    Gauge::open("one_kind").set(5);
    assert_eq!(value("one_kind", &[]), Some(1.0));
    for number in 0..200 {
        Counter::open(&format!("flood_{number}")).add(1);
    }
    assert_eq!((value("flood_98", &[]), value("flood_99", &[])), (Some(1.0), None));
}

#[test]
fn patterns_match_find_and_capture() {
    let set = Patterns::compile(["a+", "b(?P<rest>.*)|(c)"]).unwrap();
    assert_eq!(set.matches("xaab").collect::<Vec<_>>(), [0, 1]);
    assert!(set.is_match("c") && !set.is_match("xyz"));
    assert_eq!(set.matches_all(&["a", "", "ab"]), [vec![0], vec![], vec![0, 1]]);
    let at = |text, pattern, range| Match { text, pattern, range };
    assert_eq!(set.find_all(&["aaxa", "", "é c"]), [at(0, 0, 0..2), at(0, 0, 3..4), at(2, 1, 3..4)]);
    let captures = set.captures(1, "xbyz").unwrap();
    assert_eq!((captures.get(0), captures.name("rest"), captures.get(2)), (Some("byz"), Some("yz"), None));
    assert_eq!(captures.named().collect::<Vec<_>>(), [("rest", "yz")]);
    assert_eq!(set.names(1), ["", "rest", ""]);
    assert!(set.captures(7, "a").is_none() && set.captures(0, "x").is_none());
    assert_eq!(Patterns::compile::<String>([]).unwrap().find("a"), []);
    let error = Patterns::compile(["fine", "(oops"]).unwrap_err();
    assert!(error.contains("expression 1, \"(oops\""), "{error}");
    assert!(Patterns::compile([r"(?=look)"]).is_err());
    assert!(Patterns::compile(vec!["a"; 1001]).is_err());
}

/// Nothing that any expression matched survives, wherever matches overlap.
#[test]
fn replacements_cover_every_match() {
    let set = Patterns::compile(["abc", "cde", "x*"]).unwrap();
    let stars = |_: &Match| "*".to_owned();
    assert_eq!(Patterns::compile(["abc", "cde"]).unwrap().replace("0abcde1abc2", stars), "0*1*2");
    assert_eq!(set.replace("xxa", stars), "*a*");
    let none = Patterns::compile(["never"]).unwrap();
    assert!(matches!(none.replace("text", stars), std::borrow::Cow::Borrowed("text")));
    let numbers = Patterns::compile(["[0-9]+", "[a-z]+"]).unwrap();
    let shown = numbers.replace_all(&["1b", "-", "a22"], |one| format!("<{}>", one.pattern));
    assert_eq!(shown, ["<0><1>", "-", "<1><0>"]);
}

/// Against the first half or so of digests of `abc` that another program computed.
#[test]
fn digests_are_those_of_everyone() {
    for (algorithm, key, expected) in [
        (Algorithm::Md5, "", "900150983cd24fb0d6963f7d28e17f72"),
        (Algorithm::Md5, "salt", "10374787ed585803bc4cdb63f92a545b"),
        (Algorithm::Sha1, "", "a9993e364706816aba3e25717850c26c"),
        (Algorithm::Sha1, "salt", "f9ea891322cb966530ff146dcc6ab089"),
        (Algorithm::Sha256, "", "ba7816bf8f01cfea414140de5dae2223"),
        (Algorithm::Sha256, "salt", "3681099918be28c95b81e27e7e5c2e4c"),
        (Algorithm::Sha512, "", "ddaf35a193617abacc417349ae204131"),
        (Algorithm::Sha512, "salt", "57bef7d5551339538b18de2fdd729def"),
        (Algorithm::Sha3_256, "", "3a985da74fe225b2045c172d6bd390bd"),
        (Algorithm::Sha3_256, "salt", "498fcac7d62d1a07879a6530279d6a40"),
        (Algorithm::HmacSha256, "salt", "5031dfb5b067c1d64e70ad09acb9c542"),
        (Algorithm::HmacSha512, "salt", "25635da551d8ad180bab2708fca1f04d"),
    ] {
        let one = digest(algorithm, key.as_bytes(), "abc").unwrap();
        assert_eq!((hex(&one).get(..32), one.len()), (Some(expected), algorithm.digest_bytes()), "{algorithm}");
        let many = digest_all(algorithm, key.as_bytes(), &["", "abc"]).unwrap();
        assert_eq!((many.len(), many.get(1)), (2, Some(&one)));
        assert_eq!(algorithm.name().parse(), Ok(algorithm));
        let read: Algorithm = serde_json::from_str(&format!("{:?}", algorithm.name())).unwrap();
        assert_eq!(read, algorithm);
        assert_eq!(digest(algorithm, b"", "abc").is_err(), algorithm.needs_key());
    }
    assert!("crc32".parse::<Algorithm>().unwrap_err().contains("hmac-sha512"));
}
