use super::*;
use crate::cli::demo::generator::{Generator, Settings};
use crate::cli::demo::span_ids::SpanIds;
use std::time::Duration;

/// The generator straight into the backend, over a real connection: everything that was accepted arrived once, with the
/// addresses in it, since no plugin was in between; and a span was followed.
#[tokio::test]
async fn generator_and_backend_agree() {
    let ids = SpanIds::new(11);
    let ledger = SpanLedger::new(ids);
    let specimens = Specimens::default();
    let backend = Backend::start(ledger.clone(), specimens.clone()).await.unwrap();
    let settings = Settings { target: backend.address(), rate: 5_000, seed: 5, ids };
    let generator = Generator::start(settings, ledger.clone(), specimens.clone());
    let tally = generator.tally().clone();
    let enough = async {
        while tally.accepted.get() < 2_000 || specimens.latest().is_none() {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    };
    tokio::time::timeout(Duration::from_secs(60), enough).await.unwrap();
    let tally = generator.stop().await;
    let arrivals = backend.stop(Deadline::after(Duration::from_secs(5))).await;

    let sums = ledger.sums();
    assert_eq!(tally.reason(), None);
    assert_eq!((tally.accepted.get(), arrivals.spans.get()), (sums.accepted, sums.accepted));
    assert_eq!((sums.arrived, sums.missing, sums.unasked), (sums.accepted, 0, 0));
    assert_eq!((sums.duplicates, sums.foreign), (0, 0));
    assert!(arrivals.unredacted.get() > 100);
    let pair = specimens.latest().unwrap();
    assert_eq!(pair.before, pair.after);
}
