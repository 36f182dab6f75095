//! Durations beside a simple model of Go's.

use super::*;
use proptest::prelude::*;

fn nanos(text: &str) -> Result<u128, String> {
    text.parse::<GoDuration>().map(|duration| duration.as_nanos()).map_err(|error| error.to_string())
}

#[test]
fn goes_grammar() {
    let good: [(&str, u128); 16] = [
        ("0", 0),
        ("-0", 0),
        ("0s", 0),
        ("5s", 5_000_000_000),
        ("+5s", 5_000_000_000),
        ("1h30m", 5_400_000_000_000),
        ("1m1h", 3_660_000_000_000),
        ("1.5h", 5_400_000_000_000),
        (".5s", 500_000_000),
        ("1.s", 1_000_000_000),
        ("100ms", 100_000_000),
        ("3us", 3_000),
        ("3\u{b5}s4\u{3bc}s", 7_000),
        ("1.9ns", 1),
        ("0.100000000000000000000h", 360_000_000_000),
        ("9223372036854775807ns", 9_223_372_036_854_775_807),
    ];
    for (text, expected) in good {
        assert_eq!(nanos(text), Ok(expected), "{text}");
    }
    let bad = [
        ("", "\"\" is no duration such as \"300ms\" or \"1h30m\""),
        ("s", "\"s\" is no duration such as \"300ms\" or \"1h30m\""),
        (".s", "\".s\" is no duration such as \"300ms\" or \"1h30m\""),
        ("--1s", "\"--1s\" is no duration such as \"300ms\" or \"1h30m\""),
        ("10", "\"10\" needs a unit, as in \"10s\""),
        ("1h5", "\"1h5\" needs a unit, as in \"1h5s\""),
        ("1d", "\"1d\" has the unknown unit \"d\"; units are ns, us, ms, s, m, h"),
        ("1 s", "\"1 s\" has the unknown unit \" s\"; units are ns, us, ms, s, m, h"),
        ("-1s", "\"-1s\" is negative"),
        ("9223372036854775808ns", "\"9223372036854775808ns\" is too long"),
        ("99999999999999999999999999999999999999999h", "\"99999999999999999999999999999999999999999h\" is too long"),
        ("3000000h", "\"3000000h\" is too long"),
    ];
    for (text, expected) in bad {
        assert_eq!(nanos(text), Err(expected.to_owned()), "{text}");
    }
}

#[test]
fn goes_printing() {
    let printed = [
        (0, "0s"),
        (1, "1ns"),
        (1_100, "1.1\u{b5}s"),
        (2_200_000, "2.2ms"),
        (3_300_000_000, "3.3s"),
        (245_000_000_000, "4m5s"),
        (245_001_000_000, "4m5.001s"),
        (18_367_001_000_000, "5h6m7.001s"),
        (3_600_000_000_000, "1h0m0s"),
        (9_223_372_036_854_775_807, "2562047h47m16.854775807s"),
    ];
    for (nanos, expected) in printed {
        assert_eq!(GoDuration(Duration::from_nanos(nanos)).to_string(), expected);
    }
}

proptest! {
    /// What is printed parses back to the same.
    #[test]
    fn round_trip(nanos in 0..=i64::MAX) {
        let duration = GoDuration(Duration::from_nanos(nanos.cast_unsigned()));
        prop_assert_eq!(duration.to_string().parse(), Ok(duration));
    }

    /// A sum of parts is the sum of the parts.
    #[test]
    fn sums(parts in prop::collection::vec((0u64..1000, 0u64..1000, 0usize..6), 1..6)) {
        const UNITS: [(&str, u128); 6] =
            [("ns", 1), ("us", 1_000), ("ms", 1_000_000), ("s", 1_000_000_000), ("m", 60_000_000_000), ("h", 3_600_000_000_000)];
        let text: String = parts.iter().map(|(whole, milli, unit)| format!("{whole}.{milli:03}{}", UNITS[*unit].0)).collect();
        let expected: u128 = parts
            .iter()
            .map(|(whole, milli, unit)| u128::from(*whole) * UNITS[*unit].1 + u128::from(*milli) * UNITS[*unit].1 / 1000)
            .sum();
        prop_assert_eq!(nanos(&text), Ok(expected));
    }

    /// Nothing panics.
    #[test]
    fn any_text(text in "[-+0-9.nuµmsh ]{0,30}|\\PC{0,20}") {
        let _ = nanos(&text);
    }
}
