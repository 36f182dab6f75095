//! Golden values, computed apart from this code with exact fractions: thresholds rounded as a 64-bit mantissa rounds,
//! hashes byte by byte.

use super::*;
use crate::processors::tail_sampling::policy::Facts;

#[test]
fn thresholds() {
    for (percentage, expected) in [
        (1e-300, 0x0000000000000000),
        (1e-09, 0x000000000afebff0),
        (0.001, 0x0000a7c5ac471b47),
        (0.1, 0x004189374bc6a7ef),
        (1.0, 0x028f5c28f5c28f5f),
        (10.0, 0x19999999999999ff),
        (12.5, 0x1fffffffffffffff),
        (23.0, 0x3ae147ae147ae1ff),
        (25.0, 0x3fffffffffffffff),
        (33.0, 0x547ae147ae147bff),
        (33.333, 0x55551d68c692f3ff),
        (50.0, 0x7fffffffffffffff),
        (75.0, 0xbfffffffffffffff),
        (99.0, 0xfd70a3d70a3d6fff),
        (99.9, 0xffbe76c8b4395fff),
        (99.99999999999999, 0xfffffffffffff7ff),
        (100.0, u64::MAX),
        (150.0, u64::MAX),
        (f64::INFINITY, u64::MAX),
        (0.0, 0),
        (-50.0, 0),
        (5e-324, 0),
    ] {
        assert_eq!(threshold(percentage / 100.0), expected, "{percentage}");
    }
}

#[test]
fn hashes() {
    for (salt, id, expected) in [
        ("default-hash-seed", 0x000102030405060708090a0b0c0d0e0fu128, 0xa6622cfe5bfb0e0d),
        ("default-hash-seed", 0xffffffffffffffffffffffffffffffff, 0x17bec3739634fe2d),
        ("default-hash-seed", 0x00000000000000000000000000000001, 0xe19535eed1bbaa8a),
        ("tier-2", 0x000102030405060708090a0b0c0d0e0f, 0x41c237c0b55d3ada),
        ("tier-2", 0xffffffffffffffffffffffffffffffff, 0x4b7d29272a2d4dea),
        ("tier-2", 0x00000000000000000000000000000001, 0xd70da59aa199ffad),
    ] {
        assert_eq!(fnv1a(fnv1a(FNV_OFFSET, salt.as_bytes()), &id.to_be_bytes()), expected, "{salt} {id:x}");
    }
}

/// Which of 64 ids are kept at four percentages, with the default salt and with the empty one, which means the same.
#[test]
fn decisions() {
    let mut state = 0x9e37_79b9_7f4a_7c15u64;
    let mut random = move || {
        state = state.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let z = (state ^ state >> 30).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let z = (z ^ z >> 27).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ z >> 31
    };
    let ids: Vec<u128> = (0..64).map(|_| u128::from(random()) << 64 | u128::from(random())).collect();
    for (sampling_percentage, expected) in [
        (10.0, 0x0000000048020080u64),
        (33.0, 0x090124286a4651aa),
        (50.0, 0x092b34286a6759eb),
        (90.0, 0x5feffffbfbe7ddff),
        (100.0, u64::MAX),
        (0.0, 0),
    ] {
        for hash_salt in ["", DEFAULT_SALT] {
            let config = Config { sampling_percentage, hash_salt: hash_salt.to_owned() };
            let policy = config.build(&mut Layout::default());
            let facts = Facts::default();
            let kept = ids.iter().enumerate().fold(0, |kept, (i, id)| {
                let vote = policy.vote(&Trace::new(&id.to_be_bytes(), &facts, 0));
                kept | u64::from(vote == Vote::Sampled) << i
            });
            assert_eq!(kept, expected, "{sampling_percentage}");
        }
    }
}
