//! New versions that are worse than the one before, in the real host: taken back, not tried again, and known after a restart.

use super::super::error::{Incident, RunError};
use super::super::live::{Counted, Plugin};
use super::super::options::{Failed, Outcome};
use super::super::platform::{CacheSettings, Platform, PlatformSettings};
use super::super::rollback::RollbackSettings;
use super::super::tests::{batch, guests, options};
use super::*;
use crate::pdata::Batch;
use crate::telemetry::Metrics;
use serde_json::Value;
use std::time::Duration;
use tailrace_tests::plugins::stamp;

struct Fixture {
    place: tempfile::TempDir,
    platform: Arc<Platform>,
    metrics: Metrics,
}

impl Fixture {
    fn new(window: Duration) -> Self {
        let place = tempfile::tempdir().unwrap();
        let cache = CacheSettings { directory: Some(place.path().join("cache")), bytes_max: 1 << 30 };
        let rollback = RollbackSettings { window, ..RollbackSettings::default() };
        let settings = PlatformSettings { cache, rollback, start_with_last_good: true, ..PlatformSettings::default() };
        Self { place, platform: Platform::new(settings), metrics: Metrics::default() }
    }

    /// Starts the collector with this file in place.
    fn start(&self, wasm: &[u8]) -> Result<Plugin, LoadError> {
        let counted = Counted { metrics: &self.metrics, labels: &[] };
        let file = self.place.path().join("stamp.wasm");
        Plugin::load_in(&self.platform, Some(&file), &Candidate::new(wasm), options("{}"), counted)
    }
}

/// As the thread of the directory does it.
fn offer(plugin: &Plugin, wasm: &[u8]) -> Offer {
    std::thread::scope(|scope| scope.spawn(|| plugin.offer(&Candidate::new(wasm))).join().unwrap())
}

/// A batch of its own for each number.
fn numbered(number: usize) -> Batch {
    batch(&[&[("url.path", &format!("/{number}"))]])
}

/// Waits for what a verdict has set going.
fn settled(plugin: &Plugin) -> Value {
    let thread = plugin.inner.swaps.thread.lock().unwrap().take();
    thread.into_iter().for_each(|thread| thread.join().unwrap());
    plugin.status()
}

fn accident(ran: Result<Outcome, Failed>) -> Incident {
    match ran.expect_err("this call must fail").error {
        RunError::Accident(failure) => failure.incident,
        other => panic!("{other:?} is no accident"),
    }
}

/// Sends batches that fail until the plugin has been taken back; how many it took.
async fn fail_until_taken_back(plugin: &Plugin) -> usize {
    for number in 0..1000 {
        match plugin.run(&numbered(number)).await {
            Ok(_) => return number,
            Err(_) => tokio::time::sleep(Duration::from_millis(5)).await,
        }
        if plugin.status()["probation"].is_null() {
            settled(plugin);
        }
    }
    panic!("it was not taken back: {:#}", plugin.status());
}

/// A version that traps, or runs into its limits, or refuses what the one before took: the last good one runs again. The bad
/// one is not tried again, until there was another file.
#[tokio::test]
async fn a_bad_version_is_taken_back() {
    for bad in ["trap", "never", "grow"] {
        let fixture = Fixture::new(Duration::from_secs(300));
        let plugin = fixture.start(&stamp("v1")).unwrap();
        for number in 0..20 {
            plugin.run(&numbered(number)).await.unwrap();
        }
        assert_eq!(offer(&plugin, &stamp(bad)), Offer::Swapped(2), "{bad}");
        fail_until_taken_back(&plugin).await;
        let status = plugin.status();
        let good = Candidate::new(stamp("v1")).hash().to_string();
        assert_eq!((&status["generation"], &status["hash"]), (&3.into(), &good.clone().into()), "{status:#}");
        assert_eq!((&status["rollbacks"], &status["reloads"]), (&1.into(), &1.into()), "{status:#}");
        assert_eq!(status["last_rollback"]["to"], good, "{status:#}");
        let reason = status["load_error"]["reason"].as_str().unwrap();
        assert!(reason.contains("taken back") && reason.contains("5 of its 5 calls"), "{bad}: {reason}");
        assert_eq!(fixture.metrics.total("tailrace_plugin_reloads_total", &["result=\"rolled_back\""]), 1.0);

        assert!(matches!(offer(&plugin, &stamp(bad)), Offer::Refused(_)), "{bad} again");
        assert_eq!(offer(&plugin, &stamp("v1")), Offer::Same);
        assert!(plugin.status()["load_error"].is_null());
        assert_eq!(offer(&plugin, &stamp("v2")), Offer::Swapped(4));
        assert_eq!(offer(&plugin, &stamp(bad)), Offer::Swapped(5), "the file has changed since");
    }
}

/// The file with another sidecar: `reconfigured`, as the thread of the directory does it.
fn reconfigure(plugin: &Plugin, file: &Candidate, config: &str) -> Plugin {
    let reconfigured = || plugin.reconfigured(file, options(config), &[]).unwrap();
    std::thread::scope(|scope| scope.spawn(reconfigured).join().unwrap())
}

/// A configuration in which the same file fails: it is taken back to the one before, and says so. The next configuration
/// is another one.
#[tokio::test]
async fn a_bad_configuration_is_taken_back() {
    let fixture = Fixture::new(Duration::from_secs(300));
    let file = Candidate::new(guests::stamped("settings-001"));
    let counted = Counted { metrics: &fixture.metrics, labels: &[] };
    let (good, bad) = (r#"{"do": "stamp"}"#, r#"{"do": "trap"}"#);
    let place = fixture.place.path().join("stamp.wasm");
    let first = Plugin::load_in(&fixture.platform, Some(&place), &file, options(good), counted).unwrap();
    let victim = |number: usize| batch(&[&[("victim", &format!("{number}"))]]);
    for number in 0..5 {
        first.run(&victim(number)).await.unwrap();
    }
    let plugin = reconfigure(&first, &file, bad);
    drop(first);
    assert_eq!(plugin.generation(), 2);
    let mut failed = 0;
    while plugin.run(&victim(failed)).await.is_err() {
        failed += 1;
        assert!(failed < 1000, "it was not taken back: {:#}", plugin.status());
        tokio::time::sleep(Duration::from_millis(5)).await;
        if plugin.status()["probation"].is_null() {
            settled(&plugin);
        }
    }
    let status = plugin.status();
    assert_eq!((&status["generation"], &status["rollbacks"]), (&3.into(), &1.into()), "{status:#}");
    assert_eq!(status["hash"], file.hash().to_string());
    let reason = |plugin: &Plugin| plugin.status()["load_error"]["reason"].as_str().unwrap_or_default().to_owned();
    assert!(reason(&plugin).starts_with("this configuration was taken back"), "{}", reason(&plugin));
    // The file is looked at again: it is the one that runs, but not as it lies there.
    assert!(matches!(offer(&plugin, file.bytes()), Offer::Refused(_)));
    assert!(reason(&plugin).starts_with("this configuration was taken back"), "{}", reason(&plugin));
    // A restart knows nothing of configurations, and the file is not condemned.
    let again = Plugin::load_in(&fixture.platform, Some(&place), &file, options(bad), counted).unwrap();
    assert_eq!(again.hash(), file.hash());
    let next = reconfigure(&plugin, &file, r#"{"do": "remove"}"#);
    assert_eq!((next.generation(), reason(&next).as_str()), (4, ""));
    next.run(&victim(0)).await.unwrap();
}

/// Versions that have not seen a batch are not the ones to go back to.
#[tokio::test]
async fn the_last_version_that_worked_counts() {
    let fixture = Fixture::new(Duration::from_secs(300));
    let plugin = fixture.start(&stamp("v1")).unwrap();
    plugin.run(&numbered(0)).await.unwrap();
    for idle in ["v2", "v3"] {
        assert!(matches!(offer(&plugin, &stamp(idle)), Offer::Swapped(_)));
    }
    offer(&plugin, &stamp("trap"));
    fail_until_taken_back(&plugin).await;
    assert_eq!(plugin.hash(), Candidate::new(stamp("v1")).hash());
}

/// A client that repeats one poisoned batch among good traffic: the plugin is called for it twice, nobody else notices, and
/// no version is taken back.
#[tokio::test]
async fn one_poisoned_batch_brings_nothing_down() {
    let fixture = Fixture::new(Duration::from_secs(300));
    let counted = Counted { metrics: &fixture.metrics, labels: &[] };
    let candidate = |text: &str| Candidate::new(guests::stamped(text));
    let trap_on_poison = options(r#"{"do": "trap on poison"}"#);
    let plugin = Plugin::load_in(&fixture.platform, None, &candidate("poison-00001"), trap_on_poison, counted).unwrap();
    offer(&plugin, candidate("poison-00002").bytes());
    let (poison, good) = (batch(&[&[("victim", "poison")]]), batch(&[&[("victim", "poisoN")]]));
    for turn in 0..60 {
        let incident = accident(plugin.run(&poison).await);
        assert_eq!(incident, if turn < 2 { Incident::Trap } else { Incident::Quarantined }, "turn {turn}");
        for _ in 0..2 {
            plugin.run(&good).await.unwrap();
        }
    }
    let status = settled(&plugin);
    assert_eq!((&status["generation"], &status["rollbacks"]), (&2.into(), &0.into()), "{status:#}");
    assert_eq!((&status["quarantined"], &status["failures"]["trap"]), (&1.into(), &2.into()), "{status:#}");
    assert_eq!(fixture.metrics.total("tailrace_plugin_quarantined", &[]), 1.0);
    assert_eq!(fixture.metrics.total("tailrace_plugin_failures_total", &["reason=\"quarantined\""]), 58.0);
}

/// The same poisoned batch over and over, and nothing else: no reason to rest, so the first good batch is served.
#[tokio::test]
async fn a_poisoned_batch_does_not_make_the_plugin_rest() {
    let fixture = Fixture::new(Duration::ZERO);
    let counted = Counted { metrics: &fixture.metrics, labels: &[] };
    let (bytes, options) = (guests::stamped("poison-00003"), options(r#"{"do": "trap on poison"}"#));
    let plugin = Plugin::load_in(&fixture.platform, None, &Candidate::new(bytes), options, counted).unwrap();
    let (poison, good) = (batch(&[&[("victim", "poison")]]), batch(&[&[("victim", "good")]]));
    for _ in 0..10 {
        accident(plugin.run(&poison).await);
        assert!(plugin.status()["resting_for"].is_null());
    }
    plugin.run(&good).await.unwrap();
}

/// After a restart with a bad file the last good version runs, and says why; without one, and in a check of the
/// configuration, the bad file is an error.
#[tokio::test]
async fn a_restart_with_a_bad_file() {
    let fixture = Fixture::new(Duration::from_secs(300));
    let error = fixture.start(&stamp("refuse-configure")).map(drop).unwrap_err();
    assert!(error.0.contains("this configuration is not for me"), "{error}");
    drop(fixture.start(&stamp("v1")).unwrap());
    for (bad, reason) in [(&stamp("refuse-configure")[..], "not for me"), (guests::CORE_MODULE, "core WebAssembly")] {
        let plugin = fixture.start(bad).unwrap();
        plugin.run(&numbered(0)).await.unwrap();
        let status = plugin.status();
        assert_eq!(status["hash"], Candidate::new(stamp("v1")).hash().to_string());
        assert!(status["load_error"]["reason"].as_str().unwrap().contains(reason), "{status:#}");
        assert_eq!(offer(&plugin, &stamp("v2")), Offer::Swapped(2), "a good file is taken");
        assert!(plugin.status()["load_error"].is_null());
        let checking = PlatformSettings { start_with_last_good: false, ..fixture.platform.settings().clone() };
        let file = fixture.place.path().join("stamp.wasm");
        let counted = Counted { metrics: &fixture.metrics, labels: &[] };
        let checked =
            Plugin::load_in(&Platform::new(checking), Some(&file), &Candidate::new(bad), options("{}"), counted);
        assert!(checked.map(drop).unwrap_err().0.contains(reason));
    }
}

/// Deployed by a restart, a version is watched as well: it is taken back to the one on disk, and the next restart begins
/// with that one, although the bad file is still there.
#[tokio::test]
async fn a_restart_with_a_version_that_turns_out_bad() {
    let fixture = Fixture::new(Duration::from_secs(300));
    drop(fixture.start(&stamp("v1")).unwrap());
    let plugin = fixture.start(&stamp("trap")).unwrap();
    assert_eq!(plugin.hash(), Candidate::new(stamp("trap")).hash());
    fail_until_taken_back(&plugin).await;
    assert_eq!(plugin.hash(), Candidate::new(stamp("v1")).hash());
    drop(plugin);
    let plugin = fixture.start(&stamp("trap")).unwrap();
    assert_eq!((plugin.hash(), plugin.generation()), (Candidate::new(stamp("v1")).hash(), 1));
    assert!(matches!(offer(&plugin, &stamp("trap")), Offer::Refused(_)));
    assert!(plugin.status()["load_error"]["reason"].as_str().unwrap().contains("taken back"));
    drop(plugin);
    drop(fixture.start(&stamp("v3")).unwrap());
    let plugin = fixture.start(&stamp("trap")).unwrap();
    assert_eq!(plugin.hash(), Candidate::new(stamp("trap")).hash(), "another file was there meanwhile");
}

/// A version that has been watched for long enough is the one to start with after that, and is not taken back any more.
#[tokio::test(start_paused = true)]
async fn a_version_proves_itself() {
    let fixture = Fixture::new(Duration::from_secs(300));
    let plugin = fixture.start(&stamp("v1")).unwrap();
    offer(&plugin, &stamp("v2"));
    plugin.run(&numbered(0)).await.unwrap();
    assert_eq!(plugin.status()["probation"]["for_another"], 300.0);
    drop(
        fixture.start(guests::CORE_MODULE).map(|plugin| assert_eq!(plugin.hash(), Candidate::new(stamp("v1")).hash())),
    );
    tokio::time::advance(Duration::from_secs(301)).await;
    plugin.run(&numbered(1)).await.unwrap();
    assert!(settled(&plugin)["probation"].is_null());
    drop(plugin);
    let plugin = fixture.start(guests::CORE_MODULE).unwrap();
    assert_eq!(plugin.hash(), Candidate::new(stamp("v2")).hash());
}

/// One plugin too many is refused by name of the limit.
#[test]
fn there_is_room_for_so_many() {
    let platform = Platform::new(PlatformSettings { max_plugins: 1, ..PlatformSettings::default() });
    let candidate = Candidate::new(stamp("v1"));
    let load = || {
        let counted = Counted { metrics: &Metrics::default(), labels: &[] };
        Plugin::load_in(&platform, None, &candidate, options("{}"), counted)
    };
    let first = load().unwrap();
    assert!(load().map(drop).unwrap_err().0.contains("max_plugins"));
    drop(first);
    load().unwrap();
}
