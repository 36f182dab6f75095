use super::*;
use std::collections::HashMap;

/// Beside a map that forgets nothing: the last `size` decisions of either kind are always known, and known rightly; what is
/// known at all is right, but for the mistakes that 32 bits allow.
#[test]
fn remembers_what_it_promises() {
    let seed = fastrand::u64(..);
    println!("seed {seed}");
    let mut random = fastrand::Rng::with_seed(seed);
    for (sampled, not_sampled, decisions) in [(1, 1, 50), (10, 100, 2_000), (1_000, 5_000, 50_000), (0, 7, 100)] {
        let mut cache = DecisionCache::new(sampled, not_sampled);
        let mut truth = HashMap::new();
        let mut order = [Vec::new(), Vec::new()];
        for _ in 0..decisions {
            let hash = random.u64(..);
            let keep = random.u8(..10) == 0;
            let outcome = if keep { Outcome::Sampled } else { Outcome::NotSampled };
            cache.put(hash, outcome, 0);
            truth.insert(hash, keep);
            order[usize::from(keep)].push(hash);
        }
        for (ids, size) in order.iter().zip([not_sampled, sampled]) {
            for hash in ids.iter().rev().take(size) {
                // Looking does not change what is promised about the others: ask a copy.
                let mut asked = clone(&cache);
                assert_eq!(
                    asked.get(*hash, 0).map(|past| past.kept),
                    Some(truth[hash]),
                    "size {size} of {sampled} and {not_sampled}"
                );
                if size > 100 && random.u8(..) > 0 {
                    break;
                }
            }
        }
        let known = truth.keys().filter(|hash| clone_get(&cache, **hash).is_some()).count();
        let most = 2 * (sampled + not_sampled) + 8;
        assert!(known <= most, "{known} known, at most {most} promised");
    }
}

/// A million ids that were never put are not found, and the newest `size` of a big cache all are.
#[test]
fn big_and_exact_enough() {
    let seed = fastrand::u64(..);
    println!("seed {seed}");
    let mut random = fastrand::Rng::with_seed(seed);
    let size = 100_000;
    let mut cache = DecisionCache::new(0, size);
    let ids: Vec<u64> = (0..3 * size).map(|_| random.u64(..)).collect();
    ids.iter().for_each(|id| cache.put(*id, Outcome::Dropped, 0));
    assert!(!cache.not_sampled.newer.jammed && !cache.not_sampled.older.jammed);
    let mut missing = 0;
    for id in &ids[2 * size..] {
        missing += usize::from(cache.get(*id, 0) != Some(Past { kept: false, age_s: 0 }));
    }
    assert_eq!(missing, 0);
    let mistaken = (0..1_000_000).filter(|_| cache.get(random.u64(..), 0).is_some()).count();
    assert!(mistaken <= 3, "{mistaken} of a million");
}

/// An id that keeps being asked for outlives any number of others.
#[test]
fn what_is_asked_for_stays() {
    let mut cache = DecisionCache::new(100, 0);
    cache.put(42, Outcome::Sampled, 0);
    for id in 0..10_000u64 {
        cache.put(id.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1 << 63, Outcome::Sampled, 0);
        if id % 50 == 0 {
            assert_eq!(cache.get(42, 0).map(|past| past.kept), Some(true), "after {id}");
        }
    }
}

fn clone(cache: &DecisionCache) -> DecisionCache {
    let set = |set: &Cuckoo| Cuckoo { buckets: set.buckets.clone(), stamps: set.stamps.clone(), ..*set };
    let both = |both: &Generations| Generations { newer: set(&both.newer), older: set(&both.older) };
    DecisionCache { sampled: both(&cache.sampled), not_sampled: both(&cache.not_sampled) }
}

fn clone_get(cache: &DecisionCache, hash: u64) -> Option<bool> {
    let contains = |both: &Generations| {
        !both.newer.is_nothing() && {
            let key = Key::of(hash, both.newer.buckets.len());
            both.newer.find(key).is_some() || both.older.find(key).is_some()
        }
    };
    if contains(&cache.sampled) { Some(true) } else { contains(&cache.not_sampled).then_some(false) }
}

/// What a decision's age is said to be, over times in which generations come and go: right to the second at first, later to a
/// hundredth of what two generations span, and never forgotten by moving around.
#[test]
fn ages() {
    let seed = fastrand::u64(..);
    println!("seed {seed}");
    let mut random = fastrand::Rng::with_seed(seed);
    for (size, pause_ms) in [(1_000, 100), (1_000, 20_000), (5_000, 1), (100, 3_600_000)] {
        let mut cache = DecisionCache::new(size, 0);
        let mut decided = Vec::new();
        let mut now_ms = 1_000;
        let mut checked = 0;
        for _ in 0..size * 6 {
            now_ms += random.u64(..2 * pause_ms);
            let hash = random.u64(..);
            cache.put(hash, Outcome::Sampled, now_ms);
            decided.push((hash, now_ms));
            let (hash, decided_ms) = decided[random.usize(..decided.len())];
            if let Some(past) = cache.get(hash, now_ms) {
                let age_s = (now_ms / 1000).saturating_sub(decided_ms / 1000);
                // Kept by being asked for, one can be older than two generations; then it is at least that old.
                let generations_s = (2 * size as u64 * pause_ms).div_ceil(1000);
                let coarse = 1 + generations_s * 2 / 128;
                let low = age_s.min(generations_s / 4);
                assert!(
                    past.age_s + coarse >= low && past.age_s <= age_s + coarse,
                    "{past:?}, {age_s} s, {size} every {pause_ms}"
                );
                if age_s * 1000 < size as u64 * pause_ms / 2 {
                    assert!(past.age_s + coarse >= age_s, "{past:?}, {age_s} s, {size} every {pause_ms}");
                    checked += 1;
                }
            }
        }
        assert!(checked > size / 10, "{checked}");
    }
}
