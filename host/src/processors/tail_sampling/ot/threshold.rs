//! How much is rejected.

use std::fmt;

/// How many of 2^56 equally likely random numbers are rejected: whoever has at least this number is kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Threshold(u64);

/// How many random numbers there are.
const ALL: u64 = 1 << 56;
/// Hexadecimal digits of a number.
const DIGITS: usize = 14;

impl Threshold {
    /// Nothing is rejected.
    pub const ALWAYS: Self = Self(0);
    /// Everything is rejected.
    pub const NEVER: Self = Self(ALL);

    /// Rejects all random numbers below this one.
    pub fn new(rejected: u64) -> Self {
        Self(rejected.min(ALL))
    }

    /// Keeps this share. What is too small to be said keeps nothing.
    pub fn of_share(share: f64) -> Self {
        if share >= 1.0 {
            Self::ALWAYS
        } else if share * (ALL as f64) >= 1.0 {
            Self(ALL - (share * ALL as f64).round() as u64)
        } else {
            Self::NEVER
        }
    }

    /// How many random numbers are rejected.
    pub fn number(self) -> u64 {
        self.0
    }

    /// The share that is kept.
    pub fn share(self) -> f64 {
        (ALL - self.0) as f64 / ALL as f64
    }

    /// Whether what has this randomness is kept.
    pub fn keeps(self, randomness: u64) -> bool {
        self.0 <= randomness
    }

    /// From the value of `th`: digits from the most significant on, zeros at the end left out.
    pub fn parse(digits: &[u8]) -> Option<Self> {
        if digits.is_empty() || digits.len() > DIGITS {
            return None;
        }
        Some(Self(hex(digits)? << (4 * (DIGITS - digits.len()))))
    }
}

/// The value of `th`; nothing for [`Threshold::NEVER`], which nothing that was kept can have.
impl fmt::Display for Threshold {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match *self {
            Self::ALWAYS => f.write_str("0"),
            Self::NEVER => Ok(()),
            Self(number) => {
                let zeros = number.trailing_zeros() / 4;
                write!(f, "{:0width$x}", number >> (4 * zeros), width = DIGITS - zeros as usize)
            }
        }
    }
}

/// The value of `rv`: all digits of a random number.
pub(super) fn parse_randomness(digits: &[u8]) -> Option<u64> {
    if digits.len() == DIGITS { hex(digits) } else { None }
}

/// The random number that a trace id has in it.
pub(super) fn randomness_of(id: &[u8; 16]) -> u64 {
    let [_, _, _, _, _, _, _, _, _, last @ ..] = *id;
    last.iter().fold(0, |number, byte| number << 8 | u64::from(*byte))
}

fn hex(digits: &[u8]) -> Option<u64> {
    digits.iter().try_fold(0, |number, digit| Some(number << 4 | u64::from((*digit as char).to_digit(16)?)))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What the Collector's library (`pkg/sampling` 0.161) says of the same shares.
    #[test]
    fn shares() {
        for (share, expected) in [
            (0.0, ""),
            (-1.0, ""),
            (f64::NAN, ""),
            (1.0, "0"),
            (2.0, "0"),
            (0.5, "8"),
            (0.1, "e6666666666666"),
            (0.01, "fd70a3d70a3d71"),
            (0.25, "c"),
            (0.333, "aac083126e978c"),
            (1e-9, "fffffffbb47d06"),
            (1e-16, "fffffffffffff9"),
            (1e-17, ""),
            (1.3877787807814457e-17, "ffffffffffffff"),
            (1.3e-17, ""),
            (0.9999999999, "000000006df38"),
            (0.05, "f3333333333333"),
            (0.001, "ffbe76c8b43958"),
            (0.75, "4"),
            (0.15, "d999999999999a"),
        ] {
            let threshold = Threshold::of_share(share);
            assert_eq!(threshold.to_string(), expected, "{share}");
            if !expected.is_empty() {
                assert_eq!(Threshold::parse(expected.as_bytes()), Some(threshold));
                assert!((threshold.share() - share.min(1.0)).abs() < 1e-16, "{share}");
            }
        }
    }

    #[test]
    fn digits() {
        for (digits, expected) in [
            ("", None),
            ("c", Some(0xc0_0000_0000_0000)),
            ("C", Some(0xc0_0000_0000_0000)),
            ("00000000000001", Some(1)),
            ("000000000000010", None),
            ("x", None),
            ("+1", None),
        ] {
            assert_eq!(Threshold::parse(digits.as_bytes()), expected.map(Threshold), "{digits}");
        }
        assert_eq!(parse_randomness(b"0123456789abcd"), Some(0x0001_2345_6789_abcd));
        assert_eq!(parse_randomness(b"0123456789abc"), None);
    }

    /// The last seven bytes of the id.
    #[test]
    fn randomness() {
        let id = [1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16];
        assert_eq!(randomness_of(&id), 0x0a_0b0c_0d0e_0f10);
        assert!(Threshold::NEVER > Threshold::new(ALL - 1) && !Threshold::NEVER.keeps(ALL - 1));
        assert!(Threshold::ALWAYS.keeps(0) && Threshold::new(5).keeps(5) && !Threshold::new(5).keeps(4));
    }
}
