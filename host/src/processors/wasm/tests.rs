//! The processor between a sender and a next stage: what each of them hears, and whether the ledger adds up.

use super::*;
use crate::component::{BoxFuture, ComponentId, ConsumeError};
use crate::pdata::Batch;
use crate::plugin::tests::guests;
use crate::plugin::{ErrorMode, LimitsConfig};
use crate::shutdown::Deadline;
use crate::telemetry::Telemetry;
use crate::workers::Workers;
use crate::yaml::{GoDuration, Problems, Section, parse};
use std::path::Path;
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::time::{Duration, Instant};
use tailrace_otlp::view::put_attribute;
use tailrace_otlp::{Limits as Validation, NONE, RequestWriter, Value};
use tempfile::TempDir;

/// Remembers what came, or refuses it.
#[derive(Default)]
struct Next {
    taken: Mutex<Vec<Batch>>,
    refuses: AtomicBool,
}

impl Consumer for Next {
    fn consume(&self, batch: Batch) -> BoxFuture<'_, Result<(), ConsumeError>> {
        Box::pin(async move {
            if self.refuses.load(Relaxed) {
                return Err(ConsumeError::retryable("the next stage is full"));
            }
            self.taken.lock().unwrap().push(batch);
            Ok(())
        })
    }
}

struct Fixture {
    directory: TempDir,
    telemetry: Telemetry,
    next: Arc<Next>,
    processor: Arc<dyn Processor>,
}

fn context(telemetry: &Telemetry) -> Context {
    let account = telemetry.ledger().open("processor:wasm/mad@traces", Some(Signal::Traces));
    Context {
        id: "wasm/mad".parse().unwrap(),
        pipeline: Some(ComponentId::of_kind("traces")),
        signal: Some(Signal::Traces),
        telemetry: telemetry.clone(),
        workers: Workers::current(),
        account,
    }
}

/// A processor over `mad-attributes`, told what to do.
fn fixture(what: &str, error_mode: Option<ErrorMode>) -> Fixture {
    let directory = tempfile::tempdir().unwrap();
    std::fs::write(directory.path().join("mad.wasm"), guests::guest("mad-attributes")).unwrap();
    let telemetry = Telemetry::new();
    let next = Arc::new(Next::default());
    let limits = LimitsConfig { timeout: GoDuration::from_secs(2), ..LimitsConfig::default() };
    let config = Config {
        directory: directory.path().to_owned(),
        module: "mad".into(),
        config: serde_json::json!({ "do": what }),
        error_mode,
        limits,
        ..Config::default()
    };
    let processor = config.build(context(&telemetry), Arc::clone(&next) as _).unwrap();
    Fixture { directory, telemetry, next, processor }
}

impl Fixture {
    fn dropped(&self, reason: &str) -> u64 {
        self.telemetry.ledger().lines()[0].dropped.get(reason).copied().unwrap_or(0)
    }

    fn taken(&self) -> Vec<Batch> {
        std::mem::take(&mut *self.next.taken.lock().unwrap())
    }

    fn status(&self) -> serde_json::Value {
        self.telemetry.status().views()["processor:wasm/mad@traces"].clone()
    }
}

/// A batch of spans, each with the attribute `victim`.
fn batch(values: &[&str]) -> Batch {
    let mut writer = RequestWriter::new(Signal::Traces);
    for value in values {
        let mut span = Vec::new();
        put_attribute(&mut span, 9, "victim".into(), &Value::from(*value));
        writer.item(&span, NONE);
    }
    let (data, _) = writer.finish().unwrap();
    Batch::validate(Signal::Traces, data.into(), &Validation::default()).unwrap()
}

/// A good plugin: what it makes of the batch goes on, what it drops is counted once the rest is taken.
#[tokio::test]
async fn what_is_dropped_is_counted_once_the_rest_is_taken() {
    let fixture = fixture("drop the first", None);
    fixture.next.refuses.store(true, Relaxed);
    let refused = fixture.processor.consume(batch(&["a", "b", "c"])).await.unwrap_err();
    assert!(refused.to_string().contains("full"));
    assert_eq!(fixture.dropped("plugin"), 0);
    fixture.next.refuses.store(false, Relaxed);
    fixture.processor.consume(batch(&["a", "b", "c"])).await.unwrap();
    assert_eq!((fixture.taken()[0].items(), fixture.dropped("plugin")), (2, 1));
    fixture.processor.consume(batch(&["a"])).await.unwrap();
    assert_eq!((fixture.taken().len(), fixture.dropped("plugin")), (0, 2));
}

/// `propagate`, which is the default: the sender hears whether to try again, and nothing goes on.
#[tokio::test]
async fn propagate_refuses() {
    for (what, mode, again) in
        [("trap", None, true), ("later", None, true), ("never", Some(ErrorMode::Propagate), false)]
    {
        let fixture = fixture(what, mode);
        let error = fixture.processor.consume(batch(&["a"])).await.unwrap_err();
        assert_eq!(error.is_retryable(), again, "{what}: {error}");
        assert!(error.to_string().starts_with("wasm/mad: "), "{error}");
        assert!(fixture.taken().is_empty());
        assert_eq!(fixture.telemetry.ledger().lines()[0].dropped.values().sum::<u64>(), 0);
    }
}

/// `ignore`: the batch goes on as it came.
#[tokio::test]
async fn ignore_passes_on() {
    let fixture = fixture("trap", Some(ErrorMode::Ignore));
    let before = batch(&["a", "b"]);
    // Longer than it takes until the plugin rests: that is no reason to refuse either.
    for _ in 0..6 {
        fixture.processor.consume(before.clone()).await.unwrap();
    }
    assert!(fixture.taken().iter().all(|after| after.data() == before.data()));
}

/// `drop`: the sender is content, the ledger knows.
#[tokio::test]
async fn drop_drops_and_counts() {
    let fixture = fixture("trap", Some(ErrorMode::Drop));
    fixture.processor.consume(batch(&["a", "b"])).await.unwrap();
    assert_eq!((fixture.taken().len(), fixture.dropped("plugin_error")), (0, 2));
}

/// A file that is replaced while the processor runs is followed until shutdown; the status says so.
#[tokio::test]
async fn follows_its_file_until_shutdown() {
    let fixture = fixture("stamp", None);
    let file = fixture.directory.path().join("mad.wasm");
    fixture.processor.start().await.unwrap();
    assert_eq!(fixture.status()["file"], file.display().to_string());
    std::fs::write(fixture.directory.path().join("new"), guests::stamped("version-0002")).unwrap();
    std::fs::rename(fixture.directory.path().join("new"), &file).unwrap();
    let start = Instant::now();
    while fixture.status()["generation"] != 2 {
        assert!(start.elapsed() < Duration::from_secs(60), "{}", fixture.status());
        fixture.processor.consume(batch(&["a"])).await.unwrap();
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    fixture.taken();
    fixture.processor.consume(batch(&["a"])).await.unwrap();
    assert!(String::from_utf8_lossy(fixture.taken()[0].data()).contains("version-0002"));
    fixture.processor.shutdown(Deadline::after(Duration::from_secs(60))).await;
}

/// A plugin that is not there, or not one, is a fault of the build, which `validate` shows too; it says what to do.
#[tokio::test]
async fn a_bad_beginning_is_a_build_error() {
    let directory = tempfile::tempdir().unwrap();
    let build = |module: &str| {
        let config = Config { directory: directory.path().to_owned(), module: module.into(), ..Config::default() };
        config.build(context(&Telemetry::new()), Arc::new(Next::default())).map(drop).unwrap_err().to_string()
    };
    let missing = build("redact");
    assert!(missing.contains("redact.wasm") && missing.contains("set `directory`"), "{missing}");
    let path = build("redact.wasm");
    assert!(path.ends_with("(that is a path; the file in `directory` is `redact`)"), "{path}");
    std::fs::write(directory.path().join("core.wasm"), guests::CORE_MODULE).unwrap();
    let core = build("core");
    assert!(core.starts_with("wasm/mad: ") && core.contains("--target wasm32-wasip2"), "{core}");
    std::fs::write(directory.path().join("mad.wasm"), guests::guest("mad-attributes")).unwrap();
    let path = directory.path().join("mad.wasm");
    let refused = Config {
        module: path.display().to_string(),
        config: serde_json::json!({ "do": "refuse configure" }),
        ..Config::default()
    };
    let refused = refused.build(context(&Telemetry::new()), Arc::new(Next::default())).map(drop).unwrap_err();
    assert!(refused.to_string().contains("not to my taste"), "{refused}");
    // As one of a directory, without a sidecar.
    let every = tempfile::tempdir().unwrap();
    std::fs::write(every.path().join("mad.wasm"), guests::behaving("mad-attributes", "refuse configure")).unwrap();
    let refused = Config { directory: every.path().to_owned(), ..Config::default() };
    let refused = refused.build(context(&Telemetry::new()), Arc::new(Next::default())).map(drop).unwrap_err();
    let says = format!("not to my taste (there is no `config` in {}/mad.yaml)", every.path().display());
    assert!(refused.to_string().ends_with(&says), "{refused}");
}

#[test]
fn names_and_paths() {
    let config = |module: &str| Config { module: module.into(), ..Config::default() };
    assert_eq!(config("redact").file(), Path::new("/etc/tailrace/plugins/redact.wasm"));
    assert_eq!(config("./a/redact.wasm").file(), Path::new("./a/redact.wasm"));
    assert_eq!(config("redact.wasm").file(), Path::new("redact.wasm"));
    assert_eq!((config("redact").name(), config("./a/redact.wasm").name()), ("redact", "redact"));
    assert_eq!(config("redact").plugin_config(), "{}".into());
}

/// What the plugin has against its configuration is shown at its place in the file, and says whose word it is.
#[tokio::test]
async fn what_the_plugin_refuses_has_a_place() {
    let (_, redact) = crate::plugin::bundled().iter().find(|(name, _)| *name == "redaction").unwrap();
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("redaction.wasm");
    std::fs::write(&file, redact).unwrap();
    let text = format!(
        "module: {}\nconfig:\n  allow_all_keys: true\n  hash_function: md5\n  hmac_key: x\n  blocked_values: ['(']\n",
        file.display()
    );
    let mut problems = Problems::default();
    let node = parse("c.yaml", &text, &mut problems).unwrap();
    let section = Section { path: "processors::wasm/x", node: &node };
    let config = (FACTORY.parse)(&section, &mut problems).unwrap();
    let error = config.build(context(&Telemetry::new()), Arc::new(Next::default())).map(drop).unwrap_err();
    let (error, says) = (error.to_string(), format!(" (says {})", file.display()));
    let lines: Vec<_> = error.lines().collect();
    assert!(lines[0].starts_with("c.yaml:5:13: processors::wasm/x::config::hmac_key: is used by"), "{error}");
    assert!(lines[1].starts_with("c.yaml:6:20: processors::wasm/x::config::blocked_values[0]: "), "{error}");
    assert!(lines.len() == 2 && lines.iter().all(|line| line.ends_with(&says)), "{error}");
}

/// One plugin or a directory of them: keys of the one are faults with the other, and one of the two must be asked for.
#[test]
fn one_or_every() {
    let faults = |text: &str| {
        let mut problems = Problems::default();
        let node = parse("c.yaml", text, &mut problems).unwrap();
        let _ = Section { path: "processors::wasm", node: &node }.settings::<Config>(&mut problems);
        problems.to_string()
    };
    assert_eq!(faults("{module: redact, config: {a: 1}}"), "");
    assert_eq!(faults("{directory: /plugins, max_plugins: 3, removal_grace: 1s, limits: {timeout: 1s}}"), "");
    assert!(faults("{}").contains("set `module`"), "{}", faults("{}"));
    assert!(faults("{directory: /plugins, config: {a: 1}}").contains("redact.yaml"));
    assert!(faults("{directory: '', module: redact}").contains("directory: must name a directory"));
    assert!(faults("{module: redact, removal_grace: 1s}").contains("removal_grace: is for whole directories"));
    assert!(faults("{directory: /plugins, max_plugins: 0}").contains("between 1 and 1000"));
}
