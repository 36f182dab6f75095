//! Random settings, a random backend, random callers: whatever happens, every item is accounted for exactly once.

use super::*;
use std::collections::BTreeMap;

/// What callers were told, beside what the backend took and what the ledger says.
#[derive(Default)]
struct Told {
    accepted: BTreeMap<String, usize>,
    refused: BTreeMap<String, usize>,
}

async fn life(seed: u64) {
    let mut random = fastrand::Rng::with_seed(seed);
    let batch_settings = random.bool().then(|| GatherSettings {
        min_size: random.usize(0..10),
        max_size: if random.bool() { 10 + random.usize(0..5) } else { 0 },
        ..GatherSettings::default()
    });
    let queue = QueueSettings {
        enabled: random.u8(0..5) > 0,
        num_consumers: random.usize(1..5),
        queue_size: random.usize(10..40),
        sizer: if random.bool() { Sizer::Requests } else { Sizer::Items },
        block_on_overflow: random.bool(),
        wait_for_result: batch_settings.is_none() && random.bool(),
        batch: batch_settings,
        ..QueueSettings::default()
    };
    let mut retry = steady();
    retry.enabled = random.u8(0..4) > 0;
    retry.max_elapsed_time = GoDuration(Duration::from_secs(random.u64(2..20)));
    let ours = queue.enabled && !queue.wait_for_result;
    let settings = SendSettings { queue: Some(queue), retry: Some(retry), timeout: Duration::from_secs(2) };

    let mut dice = random.fork();
    let rig = Rig::start(&settings, move |_: &Batch| match dice.u8(0..20) {
        0 => Act::Hang,
        1 => Act::Fail(ConsumeError::permanent("no")),
        2 => Act::Reject(dice.u64(0..3)),
        3..7 => unavailable(),
        7 => Act::Panic,
        8..12 => Act::Slow(Duration::from_millis(dice.u64(0..3000))),
        _ => Act::Take,
    });
    let rig = Arc::new(rig.await);
    let books: Arc<Mutex<Told>> = Arc::default();

    let callers: Vec<_> = (0..4)
        .map(|caller| {
            let (rig, books, mut random) = (Arc::clone(&rig), Arc::clone(&books), random.fork());
            tokio::spawn(async move {
                for i in 0..40 {
                    let (name, items) = (format!("{caller}-{i}"), random.usize(1..8));
                    let patience = Duration::from_millis(random.u64(1..20_000));
                    // Who loses patience hears nothing and counts the batch as refused.
                    match tokio::time::timeout(patience, rig.consume(batch(&name, items))).await {
                        Ok(Ok(())) => books.lock().unwrap().accepted.insert(name, items),
                        _ => books.lock().unwrap().refused.insert(name, items),
                    };
                    tokio::time::sleep(Duration::from_millis(random.u64(0..800))).await;
                    // In flight, nothing is missing either. (Items of callers who wait are held, but not taken.)
                    if ours {
                        assert_eq!(rig.line().gap(), 0, "seed {seed}: {:?}", rig.line());
                    }
                }
            })
        })
        .collect();
    let early = random.bool().then(|| Duration::from_millis(random.u64(0..20_000)));
    match early {
        Some(early) => tokio::time::sleep(early).await,
        None => {
            for caller in callers {
                if let Err(error) = caller.await {
                    assert!(!settings.queue.as_ref().unwrap().enabled, "seed {seed}: {error}");
                }
            }
        }
    }
    rig.shutdown(Duration::from_millis(random.u64(0..5000))).await;
    tokio::time::sleep(Duration::from_secs(1000)).await;

    let line = rig.settled();
    let books = books.lock().unwrap();
    let accepted: usize = books.accepted.values().sum();
    assert_eq!(line.taken as usize, accepted, "seed {seed}: {line:?}");
    let mut seen: BTreeMap<String, usize> = BTreeMap::new();
    for name in rig.taken().into_iter().flatten() {
        *seen.entry(name).or_default() += 1;
    }
    let from_accepted: usize = books.accepted.keys().filter_map(|name| seen.get(name)).sum();
    let rejected = line.dropped.get("rejected").copied().unwrap_or_default();
    assert_eq!(from_accepted as u64, line.handed_on + rejected, "seed {seed}: {line:?}");
    for (name, count) in &seen {
        let sent = books.accepted.get(name).or_else(|| books.refused.get(name)).copied().unwrap_or_default();
        assert!(*count <= sent, "seed {seed}: {name} arrived {count} times, sent {sent}");
    }
}

#[tokio::test(start_paused = true)]
async fn every_item_is_accounted_for() {
    let base = fastrand::u64(..);
    for seed in (0..150).map(|i| base.wrapping_add(i)) {
        eprintln!("seed {seed}");
        life(seed).await;
    }
}
