use super::super::contexts;
use super::super::packed::LEFT_OUT;
use super::super::segment::RUN_SPANS_MAX;
use super::*;
use std::collections::{BTreeMap, VecDeque};
use tailrace_otlp::wire;

/// One trace as the simple store has it: resource, scope, number of spans and their bytes of each run.
type Runs = VecDeque<(Vec<u8>, Vec<u8>, u16, Vec<u8>)>;

/// The chains by their owners.
#[derive(Default)]
struct ByOwner(BTreeMap<u32, Chain>);

impl Chains for ByOwner {
    fn chain(&self, owner: u32) -> Option<Chain> {
        self.0.get(&owner).copied()
    }

    fn set_chain(&mut self, owner: u32, chain: Chain) {
        self.0.insert(owner, chain);
    }
}

fn division(segment_bytes: (usize, usize), lanes: u64) -> Division {
    Division { segment_bytes, lanes }
}

/// A run of one span that is kept as it comes.
fn run(owner: u32, bytes: &[u8]) -> NewRun<'_> {
    NewRun { context: CONTEXT, owner, spans: 1, pieces: [bytes, &[]], led: false }
}

/// The id of an owner's trace.
fn id(owner: u32) -> [u8; 16] {
    [owner as u8 ^ 0x5a; 16]
}

/// Records of random spans that begin with the id.
fn led(owner: u32, spans: u16, random: &mut fastrand::Rng) -> Vec<u8> {
    let mut records = Vec::new();
    for _ in 0..spans {
        let rest: Vec<u8> = (0..random.usize(1..200)).map(|_| random.u8(..)).collect();
        wire::put_len_field(&mut records, 2, &[&[0x0a, 16], &id(owner)[..], &rest].concat());
    }
    records
}

/// Random appends with random due times, frees, partial releases and compactions beside a map of queues: what is held comes
/// out byte for byte and in order, the live bytes are exact, and when nothing is held, nothing is in use.
#[test]
fn beside_a_simple_store() {
    for round in 0..40 {
        let seed = fastrand::u64(..);
        println!("seed {seed}");
        let mut random = fastrand::Rng::with_seed(seed);
        let segment_bytes = if round % 2 == 0 { (512, 512) } else { (256, 4096) };
        let mut store = Store::new(division(segment_bytes, random.u64(1..8)), random.u64(1..2_000));
        let mut chains = ByOwner::default();
        let mut simple: BTreeMap<u32, Runs> = BTreeMap::new();
        let most_owners = random.u32(1..30);
        for step in 0..3_000 {
            match random.u8(..100) {
                0..=69 => {
                    let owner = random.u32(..most_owners);
                    let resource = vec![random.u8(..4); usize::from(random.u8(..3)) * 40];
                    let scope = vec![random.u8(..4); usize::from(random.u8(..20))];
                    let most = if random.u8(..50) == 0 { 6_000 } else { 100 };
                    let is_led = random.bool();
                    let spans = if is_led { random.u16(1..4) } else { random.u16(1..=RUN_SPANS_MAX) };
                    let span: Vec<u8> = match is_led {
                        true => led(owner, spans, &mut random),
                        false => (0..random.usize(1..most)).map(|_| random.u8(..)).collect(),
                    };
                    let cut = if is_led { 0 } else { random.usize(..span.len()) };
                    let resource_hash = u64::from(resource.first().copied().unwrap_or(9) & 1);
                    let hash = u64::from(scope.first().copied().unwrap_or(9) & 1) + resource_hash;
                    let serial = if random.bool() { contexts::next_serial() } else { 0 };
                    let context = Context { resource: &resource, scope: &scope, resource_hash, hash, serial };
                    let run = NewRun { context, owner, spans, pieces: [&span[..cut], &span[cut..]], led: is_led };
                    // Also long ago and far ahead: clocks and settings change.
                    let due_ms = (step + random.u64(..3_000)).saturating_sub(500);
                    store.append(chains.0.entry(owner).or_default(), &run, due_ms, step).unwrap();
                    simple.entry(owner).or_default().push_back((resource.clone(), scope.clone(), spans, span.clone()));
                }
                70..=79 => {
                    let owner = random.u32(..20);
                    if let Some(mut chain) = chains.0.remove(&owner) {
                        store.free(&mut chain, &mut { Portion::ALL });
                        simple.remove(&owner);
                    }
                }
                80..=89 => {
                    let owner = random.u32(..20);
                    if let Some(chain) = chains.0.get_mut(&owner) {
                        let runs = simple.get_mut(&owner).unwrap();
                        let most = random.usize(..4);
                        let expected = most.min(runs.len());
                        let mut portion = Portion { runs: most, ..Portion::ALL };
                        store.release(chain, &id(owner), &mut portion, |context, spans, pieces| {
                            let Context { resource, scope, .. } = context;
                            let run = (resource.to_vec(), scope.to_vec(), spans, pieces.concat());
                            assert_eq!(Some(run), runs.pop_front());
                        });
                        assert_eq!((most - portion.runs, chain.is_empty()), (expected, runs.is_empty()));
                    }
                }
                _ => {
                    if let Some(slot) = store.worth_compacting(0) {
                        let before = store.footprint();
                        store.compact(slot, &mut chains, step).unwrap();
                        assert!(store.slots[usize::from(slot)].is_none());
                        assert!(store.footprint() <= before + 8192, "compacting does not hoard");
                    }
                }
            }
            if step % 100 == 0 {
                check(&mut store, &chains, &simple);
            }
        }
        check(&mut store, &chains, &simple);
        for (_, mut chain) in std::mem::take(&mut chains.0) {
            store.free(&mut chain, &mut { Portion::ALL });
        }
        assert_eq!((store.footprint(), store.live()), (0, 0));
    }
}

fn check(store: &mut Store, chains: &ByOwner, simple: &BTreeMap<u32, Runs>) {
    for (owner, chain) in &chains.0 {
        let mut runs = Runs::new();
        store.visit(*chain, &id(*owner), |run| {
            let Context { resource, scope, .. } = run.context;
            runs.push_back((resource.to_vec(), scope.to_vec(), run.spans, run.bytes.to_vec()));
        });
        assert_eq!(&runs, &simple[owner]);
        let mut cursor = store.cursor(*chain);
        let lens = std::iter::from_fn(|| store.visit_next(*chain, &id(*owner), &mut cursor, |run| run.bytes.len()));
        assert!(lens.eq(runs.iter().map(|run| run.3.len())));
        assert!(cursor.is_at_end() && store.is_valid(&cursor));
    }
    let kept = |(owner, runs): (&u32, &Runs)| -> usize {
        let led = [&[0x0a, 16], &id(*owner)[..]].concat();
        let are_led = |bytes: &[u8]| bytes.windows(18).filter(|window| *window == led).count();
        let kept = |(_, _, spans, bytes): &(Vec<u8>, Vec<u8>, u16, Vec<u8>)| match (are_led(bytes), spans) {
            (0, _) => bytes.len(),
            // Of one that is alone the length is left out as well.
            (_, 1) => bytes.len() - LEFT_OUT - wire::varint_len(wire::read_varint(bytes, 1).unwrap().0),
            (spans, _) => bytes.len() - spans * LEFT_OUT,
        };
        runs.iter().map(kept).sum()
    };
    assert_eq!(store.live(), simple.iter().map(kept).sum::<usize>());
    let in_use: usize = store.slots.iter().flatten().map(Segment::capacity).sum();
    assert_eq!(store.footprint(), in_use + store.contexts.footprint());
    let live: usize = store.slots.iter().flatten().map(|segment| segment.live).sum();
    assert_eq!(live, store.live());
    for slot in store.active.iter().flatten() {
        assert!(store.slots[usize::from(*slot)].is_some(), "an active segment is one in use");
    }
}

const CONTEXT: Context<'_> = Context { resource: b"resource", scope: b"scope", resource_hash: 1, hash: 2, serial: 0 };

/// Nine of ten traces are decided early: without compaction every segment would stay for the sake of the tenth.
#[test]
fn early_decisions_do_not_pin_memory() {
    let mut store = Store::new(division((64 << 10, 64 << 10), 4), 40_000);
    let mut chains = ByOwner::default();
    for owner in 0..40_000 {
        let now_ms = u64::from(owner) / 2;
        let new = run(owner, &[7; 500]);
        store.append(chains.0.entry(owner).or_default(), &new, now_ms + 40_000, now_ms).unwrap();
        if let Some(early) = owner.checked_sub(100)
            && early % 10 != 0
        {
            store.free(&mut chains.0.remove(&early).unwrap(), &mut { Portion::ALL });
        }
        // At each tick.
        while owner % 1_000 == 999
            && let Some(slot) = store.worth_compacting(now_ms + 10_000)
        {
            store.compact(slot, &mut chains, now_ms).unwrap();
        }
    }
    let ratio = store.footprint() as f64 / store.live() as f64;
    assert!(ratio < 1.5, "{ratio}");
    let active = store.active.to_vec();
    let slot = store
        .slots
        .iter()
        .enumerate()
        .position(|(slot, segment)| segment.is_some() && !active.contains(&Some(slot as u16)));
    store.slots[slot.unwrap()].as_mut().unwrap().live = 1;
    assert_eq!(store.worth_compacting(100_000), None, "what will soon die by itself is left alone");
    assert!(store.worth_compacting(30_000).is_some());
}

/// The spans of a trace come over half of the wait, as those of thousands of others do. Still its segments die soon after it:
/// steadily, little more memory is in use than what is wanted. In order of arrival it would be half as much again.
#[test]
fn what_dies_together_lies_together() {
    let (wait_ms, spans) = (10_000, 10);
    let mut store = Store::new(Division::of(64 << 20), wait_ms);
    let mut chains: VecDeque<(u64, Chain)> = VecDeque::new();
    let mut shares = Vec::new();
    for now_ms in 0..4 * wait_ms {
        // A trace begins, and each of ten that began before gets a span.
        chains.push_back((now_ms + wait_ms, Chain::default()));
        for number in 0..spans {
            if let Some(at) = chains.len().checked_sub(1 + number * wait_ms as usize / 2 / spans) {
                let (due_ms, chain) = &mut chains[at];
                store.append(chain, &run(0, &[7; 500]), *due_ms, now_ms).unwrap();
            }
        }
        // Ticks.
        while now_ms % 500 == 0
            && let Some((due_ms, mut chain)) = chains.front().copied()
            && due_ms <= now_ms
        {
            chains.pop_front();
            store.free(&mut chain, &mut { Portion::ALL });
        }
        if now_ms > 2 * wait_ms {
            shares.push(store.footprint() as f64 / store.live() as f64);
        }
    }
    let mean = shares.iter().sum::<f64>() / shares.len() as f64;
    assert!(mean < 1.15, "{mean}");
}

/// A hundred thousand traces share a resource of 256 KiB: it is held once, and goes with the last of them.
#[test]
fn giant_resources_are_held_once() {
    let resource = vec![1; 256 << 10];
    let mut store = Store::new(Division::of(1 << 30), 30_000);
    let mut chains = Vec::new();
    for number in 0..100_000_u64 {
        // Every request brings it anew, as something not known to be the same.
        let serial = if number % 1_000 == 0 { contexts::next_serial() } else { 0 };
        let serial = if serial == 0 { chains.len() as u64 / 1_000 + (1 << 60) } else { serial };
        let context = Context { resource: &resource, serial, ..CONTEXT };
        let mut chain = Chain::default();
        store.append(&mut chain, &NewRun { context, ..run(0, &[7; 500]) }, number / 4, 0).unwrap();
        chains.push(chain);
    }
    let held = 100_000 * 500;
    assert_eq!(store.live(), held);
    assert!(store.footprint() < held + held / 10 + resource.len(), "{}", store.footprint());
    for mut chain in chains {
        store.visit(chain, &id(0), |run| assert_eq!(run.context.resource.len(), resource.len()));
        store.free(&mut chain, &mut { Portion::ALL });
    }
    assert_eq!(store.footprint(), 0);
}

/// Where no number is left for a context nothing is added, also not to a trace that is there; with the last run of another there is
/// room again.
#[test]
fn as_many_contexts_as_there_are_numbers() {
    let mut store = Store::new(division((1024, 1024), 1), 1_000);
    store.contexts = Contexts::new(2);
    let mut chains = [Chain::default(); 2];
    let context = |scope| Context { scope, hash: scope.len() as u64, ..CONTEXT };
    let with = |scope| NewRun { context: context(scope), ..run(0, &[7; 500]) };
    store.append(&mut chains[0], &with(b"1"), 0, 0).unwrap();
    store.append(&mut chains[1], &with(b"22"), 0, 0).unwrap();
    let before = (chains, store.live(), store.footprint());
    assert_eq!(store.append(&mut chains[1], &with(b"333"), 0, 0), Err(Full));
    assert_eq!((chains, store.live(), store.footprint()), before);
    store.append(&mut chains[1], &with(b"1"), 0, 0).unwrap();
    store.free(&mut chains[1], &mut { Portion::ALL });
    store.append(&mut chains[1], &with(b"333"), 0, 0).unwrap();
    let mut scopes = Vec::new();
    store.visit(chains[1], &id(0), |run| scopes.push(run.context.scope.to_vec()));
    assert_eq!(scopes, [b"333"]);
}

/// One span larger than a segment gets a segment of its own, which is not kept for later.
#[test]
fn huge_spans() {
    let mut store = Store::new(division((1024, 1024), 1), 1_000);
    let mut chain = Chain::default();
    let huge = vec![1; 100_000];
    store.append(&mut chain, &NewRun { context: Context::default(), ..run(0, &huge) }, 0, 0).unwrap();
    let mut seen = 0;
    store.visit(chain, &id(0), |run| seen += run.bytes.len());
    assert_eq!(seen, huge.len());
    store.free(&mut chain, &mut { Portion::ALL });
    assert_eq!((store.footprint(), store.pool.len()), (0, 0));
}

/// After a peak almost nothing is kept for reuse.
#[test]
fn the_pool_shrinks_after_a_peak() {
    let mut store = Store::new(Division::of(256 << 20), 1_000);
    let mut chains = VecDeque::new();
    for number in 0..200_000_u64 {
        let mut chain = Chain::default();
        store.append(&mut chain, &run(0, &[7; 500]), number, number).unwrap();
        chains.push_back(chain);
    }
    while let Some(mut chain) = chains.pop_front() {
        store.free(&mut chain, &mut { Portion::ALL });
    }
    let kept: usize = store.pool.iter().map(Segment::capacity).sum();
    assert!(store.pool.len() <= room::POOL.0 && kept <= 5 << 20, "{kept}");
}

/// A trace of a million runs, held beside others that are decided early: neither adding to it, nor compacting around it, nor
/// releasing it piece by piece takes longer for its length. What is counted are the steps, not the time.
#[test]
fn a_trace_of_a_million_runs() {
    let mut store = Store::new(Division::of(1 << 30), 60_000);
    let mut chains = ByOwner::default();
    for number in 0..1_000_000_u64 {
        let owner = if number % 3 == 0 { 0 } else { 1 + (number / 3) as u32 };
        store.append(chains.0.entry(owner).or_default(), &run(owner, &[7; 60]), 60_000, 0).unwrap();
    }
    for mut chain in chains.0.split_off(&1).into_values() {
        store.free(&mut chain, &mut { Portion::ALL });
    }
    let mut moved = 0;
    while let Some(slot) = store.worth_compacting(0) {
        let segment = store.segment(slot.into()).unwrap();
        moved += (0..segment.runs()).filter(|number| !segment.run(*number).unwrap().is_dead()).count();
        store.compact(slot, &mut chains, 0).unwrap();
    }
    assert!(moved > 300_000 && moved < 400_000, "every run moved about once: {moved}");
    assert!(store.footprint() < store.live() * 3 / 2);
    let mut chain = chains.0[&0];
    let mut runs = 0;
    while !chain.is_empty() {
        let mut portion = Portion { runs: 1_000, bytes: 600 };
        store.release(&mut chain, &id(0), &mut portion, |_, _, pieces| assert_eq!(pieces.concat().len(), 60));
        assert!(portion.bytes == 0 || chain.is_empty());
        runs += 1_000 - portion.runs;
    }
    assert_eq!((runs, store.footprint()), (333_334, 0));
}
