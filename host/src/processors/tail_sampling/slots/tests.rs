use super::super::ot::Upstream;
use super::*;

/// Random entries with random facts beside a map of them, for longer than 49 days: they read as they were written, but for
/// sizes beyond a tebibyte; and when most are gone, so is their memory.
#[test]
fn beside_a_map() {
    let seed = fastrand::u64(..);
    println!("seed {seed}");
    let mut random = fastrand::Rng::with_seed(seed);
    let mut slots = Slots::new(10);
    let mut map = BTreeMap::new();
    let mut now_ms = 0;
    let mut most = 0;
    let mut generation = 7;
    let said = ["", "ot=rv:12345678901234", "ot=th:8"].map(|state| Upstream::of(state.as_bytes()));
    for step in 0..120_000_u64 {
        now_ms += random.u64(..200_000);
        let grows = step / 20_000 % 2 == 0;
        if map.is_empty() || random.u8(..100) < if grows { 80 } else { 20 } {
            let id = random.u128(..).to_le_bytes();
            let number = slots.add(id, now_ms, generation);
            assert!(map.insert(number, (id, now_ms, Facts::default(), generation, Wait::Full)).is_none());
        }
        let Some(number) = map.keys().nth(random.usize(..map.len().min(500))).copied() else { continue };
        let known = map.get_mut(&number).unwrap();
        // Nobody waits for weeks.
        let old = now_ms - known.1 > 1_000_000_000;
        match random.u8(..4) {
            0 => {
                let bits = random.u32(..=step.max(2).ilog2() * 8).min(128);
                known.2 = Facts {
                    start_ns: random.u64(..),
                    end_ns: random.u64(..),
                    bytes: random.u64(..1 << 40),
                    spans: random.u32(..),
                    errors: random.u32(..),
                    root: random.bool(),
                    matches: if bits == 0 { 0 } else { random.u128(..) >> (128 - bits) },
                    upstream: if step > 20_000 { said[random.usize(..3)] } else { Upstream::default() },
                };
                slots.set_facts(number, &known.2);
                // Policies change now and then; facts are for new ones or stay for the old.
                generation += u16::from(random.u8(..100) == 0);
                if random.bool() {
                    known.3 = generation;
                    slots.set_policies(number, generation);
                }
            }
            1 => {
                known.4 = [Wait::Full, Wait::AfterRoot(now_ms), Wait::Nothing][random.usize(..3)];
                slots.set_wait(number, known.4);
            }
            _ => {}
        }
        if old || random.u8(..100) < if grows { 20 } else { 80 } {
            let entry = slots.remove(number).unwrap();
            let (id, arrived_ms, facts, policies, wait) = map.remove(&number).unwrap();
            assert_eq!((entry.id, entry.facts), (id, facts));
            // Of earlier policies it may have been forgotten which they were.
            let is_known = entry.policies == Some(policies) || (entry.policies.is_none() && policies < generation);
            assert!(is_known, "{:?}, {policies} of {generation}", entry.policies);
            assert_eq!((entry.arrived_ms, entry.wait), (arrived_ms, wait));
            assert!(slots.chain(number).is_none_or(Chain::is_empty));
        }
        most = most.max(map.len());
    }
    assert!(most > 2 * CHUNK, "{most}");
    for number in map.keys() {
        slots.remove(*number);
    }
    assert_eq!((slots.chunks.iter().flatten().count(), slots.wide.len(), slots.footprint()), (1, 0, 0));
}

/// After a peak, entries that come and go do not keep its chunks: the memory that is mapped for them is that of a few.
#[test]
fn memory_comes_back_after_a_peak() {
    let mut slots = Slots::new(0);
    let mapped = |slots: &Slots| slots.chunks.iter().flatten().map(|chunk| chunk.memory.len()).sum::<usize>();
    let peak: Vec<u32> = (0..100_000).map(|_| slots.add([1; 16], 0, 0)).collect();
    assert!(mapped(&slots) >= 100_000 * Shape::default().len());
    assert!(slots.chunks.iter().flatten().all(|chunk| matches!(chunk.memory, Memory::Mapped(_))));
    let mut steady = std::collections::VecDeque::new();
    for number in peak {
        slots.remove(number);
        steady.push_back(slots.add([2; 16], 1, 0));
        if steady.len() > 1_500 {
            slots.remove(steady.pop_front().unwrap());
        }
    }
    assert!(mapped(&slots) <= 3 * CHUNK * Shape::default().len(), "{}", mapped(&slots));
}

/// A usual trace takes 49 bytes, and one more if a filter matched. What only some configurations need is not there before it is.
#[test]
fn entries_are_small() {
    let mut slots = Slots::new(0);
    let number = slots.add([1; 16], 0, 0);
    let usual = Facts {
        start_ns: 1 << 60,
        end_ns: (1 << 60) + 60_000_000_000,
        bytes: 5 << 20,
        spans: 2_000,
        errors: 100,
        ..Facts::default()
    };
    slots.set_facts(number, &usual);
    assert_eq!(slots.footprint(), 49);
    slots.set_facts(number, &Facts { matches: 1 << 7, ..usual });
    assert_eq!(slots.footprint(), 50);
    slots.set_facts(number, &Facts { matches: 1 << 8, ..usual });
    assert_eq!(slots.footprint(), 51);
    slots.set_wait(number, Wait::AfterRoot(3));
    assert_eq!(slots.footprint(), 55);
    slots.set_facts(number, &Facts { spans: 100_000, ..usual });
    assert_eq!((slots.footprint(), slots.get(number).unwrap().facts.spans), (55 + WIDE_BYTES, 100_000));
    slots.set_facts(number, &usual);
    assert_eq!((slots.footprint(), slots.get(number).unwrap().facts), (55, usual));
}
