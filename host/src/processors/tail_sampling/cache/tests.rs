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
            cache.put(hash, outcome);
            truth.insert(hash, keep);
            order[usize::from(keep)].push(hash);
        }
        for (ids, size) in order.iter().zip([not_sampled, sampled]) {
            for hash in ids.iter().rev().take(size) {
                // Looking does not change what is promised about the others: ask a copy.
                let mut asked = clone(&cache);
                assert_eq!(asked.get(*hash), Some(truth[hash]), "size {size} of {sampled} and {not_sampled}");
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
    ids.iter().for_each(|id| cache.put(*id, Outcome::Dropped));
    assert!(!cache.not_sampled.newer.jammed && !cache.not_sampled.older.jammed);
    let mut missing = 0;
    for id in &ids[2 * size..] {
        missing += usize::from(cache.get(*id) != Some(false));
    }
    assert_eq!(missing, 0);
    let mistaken = (0..1_000_000).filter(|_| cache.get(random.u64(..)).is_some()).count();
    assert!(mistaken <= 3, "{mistaken} of a million");
}

/// An id that keeps being asked for outlives any number of others.
#[test]
fn what_is_asked_for_stays() {
    let mut cache = DecisionCache::new(100, 0);
    cache.put(42, Outcome::Sampled);
    for id in 0..10_000u64 {
        cache.put(id.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1 << 63, Outcome::Sampled);
        if id % 50 == 0 {
            assert_eq!(cache.get(42), Some(true), "after {id}");
        }
    }
}

fn clone(cache: &DecisionCache) -> DecisionCache {
    let set = |set: &Cuckoo| Cuckoo { buckets: set.buckets.clone(), ..*set };
    let both = |both: &Generations| Generations { newer: set(&both.newer), older: set(&both.older) };
    DecisionCache { sampled: both(&cache.sampled), not_sampled: both(&cache.not_sampled) }
}

fn clone_get(cache: &DecisionCache, hash: u64) -> Option<bool> {
    let contains = |both: &Generations| {
        !both.newer.is_nothing() && {
            let key = Key::of(hash, both.newer.buckets.len());
            both.newer.contains(key) || both.older.contains(key)
        }
    };
    if contains(&cache.sampled) { Some(true) } else { contains(&cache.not_sampled).then_some(false) }
}
