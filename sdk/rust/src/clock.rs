//! The host's clock and random numbers. `std::time::SystemTime` works in a plugin too; this is one call, and is there
//! without WASI.

use crate::host;

/// Nanoseconds since 1970, as OTLP counts time.
pub fn now() -> u64 {
    host::now()
}

/// A random number, not for secrets.
pub fn random() -> u64 {
    host::random()
}

#[cfg(test)]
mod tests {
    #[test]
    fn time_and_numbers_go_on() {
        let before = super::now();
        assert!(before > 1_600_000_000_000_000_000 && super::now() >= before);
        assert_ne!(super::random(), super::random());
    }
}
