use super::*;
use std::collections::BTreeMap;

/// One trace as the simple store has it: resource, scope and span of each run.
type Runs = Vec<(Vec<u8>, Vec<u8>, u16, Vec<u8>)>;

#[derive(Default)]
struct ByOwner(BTreeMap<u32, Chain>);

impl Chains for ByOwner {
    fn chain_mut(&mut self, owner: u32) -> Option<&mut Chain> {
        self.0.get_mut(&owner)
    }
}

/// Random appends, frees and compactions beside a map of vectors: what is held comes out byte for byte and in order, the
/// live bytes are exact, and when nothing is held, nothing is in use.
#[test]
fn beside_a_simple_store() {
    for round in 0..40 {
        let seed = fastrand::u64(..);
        println!("seed {seed}");
        let mut random = fastrand::Rng::with_seed(seed);
        let mut store = Store::new(if round % 2 == 0 { 512 } else { 4096 });
        let mut chains = ByOwner::default();
        let mut simple: BTreeMap<u32, Runs> = BTreeMap::new();
        for step in 0..3_000 {
            match random.u8(..100) {
                0..=69 => {
                    let owner = random.u32(..20);
                    let resource = vec![random.u8(..4); usize::from(random.u8(..3)) * 40];
                    let scope = vec![random.u8(..4); usize::from(random.u8(..20))];
                    let most = if random.u8(..50) == 0 { 6_000 } else { 100 };
                    let span: Vec<u8> = (0..random.usize(1..most)).map(|_| random.u8(..)).collect();
                    let cut = random.usize(..span.len());
                    let resource_hash = u64::from(resource.first().copied().unwrap_or(9) & 1);
                    let hash = u64::from(scope.first().copied().unwrap_or(9) & 1) + resource_hash;
                    let context = Context { resource: &resource, scope: &scope, resource_hash, hash };
                    let spans = random.u16(1..);
                    let run = NewRun { context, spans, pieces: [&span[..cut], &span[cut..]] };
                    store.append(chains.0.entry(owner).or_default(), owner, &run, step).unwrap();
                    simple.entry(owner).or_default().push((resource.clone(), scope.clone(), spans, span.clone()));
                }
                70..=89 => {
                    let owner = random.u32(..20);
                    if let Some(chain) = chains.0.remove(&owner) {
                        store.free(chain);
                        simple.remove(&owner);
                    }
                }
                _ => {
                    if let Some(slot) = store.worth_compacting(0) {
                        let before = store.footprint();
                        store.compact(slot, &mut chains, step).unwrap();
                        assert!(store.slots[usize::from(slot)].is_none() || store.active.contains(&Some(slot)));
                        assert!(store.footprint() <= before + 8192, "compacting does not hoard");
                    }
                }
            }
            if step % 100 == 0 {
                check(&store, &chains, &simple);
            }
        }
        check(&store, &chains, &simple);
        for (_, chain) in std::mem::take(&mut chains.0) {
            store.free(chain);
        }
        assert_eq!((store.footprint(), store.live()), (0, 0));
    }
}

fn check(store: &Store, chains: &ByOwner, simple: &BTreeMap<u32, Runs>) {
    for (owner, chain) in &chains.0 {
        let mut runs = Runs::new();
        store.visit(*chain, |run| {
            let Context { resource, scope, .. } = run.context;
            runs.push((resource.to_vec(), scope.to_vec(), run.spans, run.bytes.to_vec()));
        });
        assert_eq!(&runs, &simple[owner]);
    }
    assert_eq!(store.live(), simple.values().flatten().map(|run| run.3.len()).sum::<usize>());
    let in_use: usize = store.slots.iter().flatten().map(Segment::footprint).sum();
    assert_eq!(store.footprint(), in_use);
    let live: usize = store.slots.iter().flatten().map(|segment| segment.live).sum();
    assert_eq!(live, store.live());
}

/// Nine of ten traces are decided early: without compaction every segment would stay for the sake of the tenth.
#[test]
fn early_decisions_do_not_pin_memory() {
    let mut store = Store::new(64 << 10);
    let mut chains = ByOwner::default();
    let context = Context { resource: b"resource", scope: b"scope", resource_hash: 1, hash: 2 };
    let span = [7; 500];
    for owner in 0..10_000 {
        let run = NewRun { context, spans: 1, pieces: [&span, &[]] };
        store.append(chains.0.entry(owner).or_default(), owner, &run, 1_000).unwrap();
        if let Some(early) = owner.checked_sub(100)
            && early % 10 != 0
        {
            store.free(chains.0.remove(&early).unwrap());
        }
        // At each tick.
        while owner % 1_000 == 999
            && let Some(slot) = store.worth_compacting(0)
        {
            store.compact(slot, &mut chains, 1_000).unwrap();
        }
    }
    let ratio = store.footprint() as f64 / store.live() as f64;
    assert!(ratio < 1.5, "{ratio}");
    let slot = store.slots.iter().position(Option::is_some).unwrap();
    store.slots[slot].as_mut().unwrap().live = 1;
    assert_eq!(store.worth_compacting(1_000), None, "what will soon die by itself is left alone");
}

/// One span larger than a segment gets a segment of its own, which is not kept for later.
#[test]
fn huge_spans() {
    let mut store = Store::new(1024);
    let mut chain = Chain::default();
    let huge = vec![1; 100_000];
    let run = NewRun { context: Context::default(), spans: 1, pieces: [&huge, &[]] };
    store.append(&mut chain, 0, &run, 0).unwrap();
    let mut seen = 0;
    store.visit(chain, |run| seen += run.bytes.len());
    assert_eq!(seen, huge.len());
    store.free(chain);
    assert_eq!((store.footprint(), store.pool.len()), (0, 0));
}
