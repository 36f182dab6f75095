//! `probabilistic`: keeps a share of the traces, chosen by a hash of the trace id.
//!
//! ```yaml
//! - name: some
//!   type: probabilistic
//!   probabilistic: {sampling_percentage: 10, hash_salt: ""}
//! ```
//! The hash is FNV-1a, 64 bits, over the salt and the 16 bytes of the id, bit for bit the Collector's: tiers of both keep
//! the same traces. The golden values in the tests pin it.
//!
//! With `use_tracestate` a trace about which samplers before this one said something in its tracestate is chosen by its randomness
//! instead, consistently with them; all others still by the hash.

use super::{Fault, Layout, Policy, PolicyConfig, Trace, Vote};
use crate::processors::tail_sampling::ot::Threshold;
use serde::Deserialize;

/// The salt where none is written.
const DEFAULT_SALT: &str = "default-hash-seed";

/// Which share is kept.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Config {
    /// Percent of the traces to keep; 100 and more keep all, 0 and less keep none.
    pub sampling_percentage: f64,
    /// Changes which traces are chosen. Collectors that sample one after another should have different salts,
    /// those that share the work the same one.
    pub hash_salt: String,
}

impl PolicyConfig for Config {
    fn check(&self, fault: &mut Fault<'_, '_>) {
        if self.sampling_percentage.is_nan() {
            fault.at("sampling_percentage", "must be a number");
        }
    }

    fn build(&self, layout: &mut Layout) -> Box<dyn Policy> {
        if layout.uses_tracestate() {
            layout.read_trace_state();
        }
        let salt = if self.hash_salt.is_empty() { DEFAULT_SALT } else { &self.hash_salt };
        Box::new(Probabilistic {
            salted: fnv1a(FNV_OFFSET, salt.as_bytes()),
            threshold: threshold(self.sampling_percentage / 100.0),
            consistent: layout.uses_tracestate().then(|| Threshold::of_share(self.sampling_percentage / 100.0)),
        })
    }
}

struct Probabilistic {
    /// State of the hash behind the salt.
    salted: u64,
    threshold: u64,
    /// The same share as a threshold of OpenTelemetry, with `use_tracestate`.
    consistent: Option<Threshold>,
}

impl Policy for Probabilistic {
    fn vote(&self, trace: &Trace<'_>) -> Vote {
        Vote::sampled_if(match self.consistent {
            Some(threshold) if trace.facts.upstream.says_something() => threshold.keeps(trace.randomness()),
            _ => fnv1a(self.salted, trace.id) <= self.threshold,
        })
    }

    fn threshold(&self, _: &Trace<'_>) -> Threshold {
        self.consistent.unwrap_or(Threshold::ALWAYS)
    }
}

const FNV_OFFSET: u64 = 0xcbf2_9ce4_8422_2325;
const FNV_PRIME: u64 = 0x0100_0000_01b3;

fn fnv1a(state: u64, bytes: &[u8]) -> u64 {
    bytes.iter().fold(state, |hash, byte| (hash ^ u64::from(*byte)).wrapping_mul(FNV_PRIME))
}

/// `ratio * (2^64 - 1)` as arbitrary-precision arithmetic with a mantissa of 64 bits gives it: the product is rounded to
/// 64 significant bits, to the nearest and to even on a tie, and then cut to a whole number. A plain `f64` product would
/// lose the last eleven bits.
fn threshold(ratio: f64) -> u64 {
    if ratio.is_nan() || ratio <= 0.0 {
        return 0;
    }
    if ratio >= 1.0 {
        return u64::MAX;
    }
    let bits = ratio.to_bits();
    let (fraction, exponent) = (bits & ((1 << 52) - 1), (bits >> 52 & 0x7ff) as i32);
    // ratio = mantissa * 2^power
    let (mantissa, power) = if exponent == 0 { (fraction, -1074) } else { (fraction | 1 << 52, exponent - 1075) };
    let product = u128::from(mantissa) * u128::from(u64::MAX);
    let excess = 128u32.saturating_sub(64 + product.leading_zeros());
    let kept = product >> excess;
    let rest = product - (kept << excess);
    let half = if excess == 0 { u128::MAX } else { 1 << (excess - 1) };
    let rounded = kept + u128::from(rest > half || (rest == half && kept & 1 == 1));
    // ratio < 1, so that power + excess is at most 0: 64 bits times 2^0.
    let shift = u32::try_from(-(power + excess as i32)).unwrap_or(0);
    u64::try_from(rounded.checked_shr(shift).unwrap_or(0)).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests;
