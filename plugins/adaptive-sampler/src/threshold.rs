//! The arithmetic of OpenTelemetry's consistent probability sampling, in 56 bits.
//!
//! A trace has a randomness of 56 bits: the last seven bytes of its id. A threshold rejects all that are below it. So whoever
//! decides with the same threshold decides the same, on whatever machine and however late; and whoever decides with a lower
//! one keeps the same traces and some more. A kept trace stands for `1 / probability` traces.

/// One more than the highest randomness.
const RANGE: u64 = 1 << 56;
/// Significant bits of a probability: enough for a hundredth of a percent, and few, so that thresholds are short
/// texts in `tracestate` and hosts whose rates are nearly the same decide the same.
const PRECISION: u32 = 13;

/// Rejects traces whose randomness is below it. Never all of them.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Threshold(u64);

impl Threshold {
    /// Rejects none.
    pub const NONE: Self = Self(0);

    /// The one that keeps this share of all traces; rounded to [`PRECISION`] significant bits, 1 and more keep all, 0 and less
    /// keep one of 2^56.
    pub fn keeping(probability: f64) -> Self {
        // `as` saturates, and makes 0 of what is not a number.
        let kept = ((probability * RANGE as f64) as u64).clamp(1, RANGE);
        let excess = (u64::BITS - kept.leading_zeros()).saturating_sub(PRECISION);
        let half = (1 << excess) >> 1;
        Self(RANGE - ((kept + half) >> excess << excess).min(RANGE))
    }

    /// The share of all traces that it keeps.
    pub fn probability(self) -> f64 {
        (RANGE - self.0) as f64 / RANGE as f64
    }

    /// Whether a trace is kept.
    pub fn keeps(self, randomness: u64) -> bool {
        randomness >= self.0
    }

    /// As the contract wants it.
    pub fn bits(self) -> u64 {
        self.0
    }
}

/// The randomness of a trace: the last 56 bits of its id.
pub fn randomness(id: &[u8; 16]) -> u64 {
    let [.., a, b, c, d, e, f, g] = *id;
    u64::from_be_bytes([0, a, b, c, d, e, f, g])
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn the_ends_are_exact() {
        assert_eq!(Threshold::keeping(1.0), Threshold::NONE);
        assert_eq!(Threshold::keeping(2.0), Threshold::NONE);
        assert_eq!(Threshold::keeping(f64::INFINITY), Threshold::NONE);
        for nothing in [0.0, -1.0, f64::NAN, 1e-30] {
            assert_eq!(Threshold::keeping(nothing).bits(), RANGE - 1, "{nothing}");
        }
        assert!(Threshold::NONE.keeps(0) && Threshold::keeping(0.0).keeps(RANGE - 1));
    }

    /// Thresholds of the specification: `th` without its trailing zeros.
    #[test]
    fn they_are_those_of_the_specification() {
        for (probability, th) in [(0.5, "8"), (0.25, "c"), (0.1, "e666"), (0.01, "fd70a"), (0.75, "4")] {
            let text = format!("{:014x}", Threshold::keeping(probability).bits());
            assert_eq!(&text[..th.len()], th, "{probability}: {text}");
            assert!(text.trim_end_matches('0').len() <= 6, "{probability}: {text}");
        }
    }

    #[test]
    fn the_randomness_is_in_the_last_seven_bytes() {
        let id = [0xff, 1, 2, 3, 4, 5, 6, 7, 0xee, 0x10, 0x20, 0x30, 0x40, 0x50, 0x60, 0x70];
        assert_eq!(randomness(&id), 0x10_2030_4050_6070);
        assert_eq!((randomness(&[0; 16]), randomness(&[0xff; 16])), (0, RANGE - 1));
    }

    proptest! {
        /// There and back again: within the precision, and never above certainty.
        #[test]
        fn probabilities_come_back(exponent in -40.0..0.0_f64) {
            let probability = exponent.exp2();
            let back = Threshold::keeping(probability).probability();
            prop_assert!((back / probability - 1.0).abs() <= 1.0 / f64::from(1 << PRECISION), "{probability} {back}");
            prop_assert!(back <= 1.0);
            // What was rounded once is not rounded again.
            prop_assert_eq!(Threshold::keeping(back).probability(), back);
        }

        /// Whatever a lower rate keeps a higher one keeps too.
        #[test]
        fn a_higher_rate_keeps_the_same_and_more(a in 0.0..1.0_f64, b in 0.0..1.0_f64, randomness in 0..RANGE) {
            let (low, high) = (Threshold::keeping(a.min(b)), Threshold::keeping(a.max(b)));
            prop_assert!(high <= low);
            prop_assert!(!low.keeps(randomness) || high.keeps(randomness));
        }

        /// The share of random ids that is kept is the probability: within five standard deviations.
        #[test]
        fn the_share_that_is_kept_is_the_probability(probability in 0.001..1.0_f64, seed: u64) {
            const IDS: usize = 20_000;
            let (threshold, mut random) = (Threshold::keeping(probability), fastrand::Rng::with_seed(seed));
            let kept = (0..IDS).filter(|_| threshold.keeps(randomness(&random.u128(..).to_be_bytes()))).count() as f64;
            let expected = IDS as f64 * threshold.probability();
            let deviation = (expected * (1.0 - threshold.probability())).sqrt();
            prop_assert!((kept - expected).abs() <= 5.0 * deviation + 1.0, "{kept} of {expected} with seed {seed}");
        }

        /// Kept traces, each counted as often as its threshold says, add up to all traces, also when the rate changes in
        /// between.
        #[test]
        fn counts_can_be_extrapolated(rates in prop::collection::vec(0.01..1.0_f64, 1..5), seed: u64) {
            const EACH: usize = 10_000;
            let (mut random, mut sum, mut variance) = (fastrand::Rng::with_seed(seed), 0.0, 0.0);
            for rate in &rates {
                let threshold = Threshold::keeping(*rate);
                let weight = 1.0 / threshold.probability();
                variance += EACH as f64 * (weight - 1.0);
                sum += (0..EACH).filter(|_| threshold.keeps(random.u64(..RANGE))).count() as f64 * weight;
            }
            let all = (EACH * rates.len()) as f64;
            prop_assert!((sum - all).abs() <= 5.0 * variance.sqrt() + 1.0, "{sum} instead of {all} with seed {seed}");
        }
    }
}
