//! Plugins in a row, sharing a scan, against the same plugins one after the other: what goes on, what the sender hears, what
//! each plugin counts and what the ledger says are the same.

use super::super::tests::{batch, guests};
use super::*;
use crate::component::ComponentId;
use crate::plugin::{Candidate, Limits, Options, Role, bundled};
use crate::telemetry::Telemetry;
use crate::workers::Workers;
use std::sync::Mutex;
use std::sync::atomic::Ordering::Relaxed;
use std::time::Duration;

/// Remembers what came.
#[derive(Default)]
struct End(Mutex<Vec<Batch>>);

impl Consumer for End {
    fn consume(&self, batch: Batch) -> BoxFuture<'_, Result<(), ConsumeError>> {
        self.0.lock().unwrap().push(batch);
        Box::pin(std::future::ready(Ok(())))
    }
}

/// Takes batches only, so that nothing is shared across it.
struct Wall(Arc<dyn Consumer>);

impl Consumer for Wall {
    fn consume(&self, batch: Batch) -> BoxFuture<'_, Result<(), ConsumeError>> {
        self.0.consume(batch)
    }
}

/// A plugin of a test: which one, its configuration, and what happens when it fails.
#[derive(Clone, Copy, Debug)]
struct Cast(&'static str, &'static str, Option<ErrorMode>);

const CAST: [Cast; 22] = [
    Cast("redact", r#"{"keys": ["user.email"]}"#, None),
    Cast("redact", r#"{"keys": ["user.email", "added"], "action": "mask"}"#, None),
    Cast("redact", r#"{"keys": ["*"], "action": "mask", "levels": ["item"]}"#, None),
    Cast("redact", r#"{"keys": ["added"], "action": "delete"}"#, None),
    Cast("redact", r#"{"keys": ["not.there"]}"#, None),
    Cast("redact", r#"{"keys": ["not.there", "nor.this", "and.this"]}"#, None),
    Cast("mad-attributes", r#"{"do": "stamp"}"#, None),
    Cast("mad-attributes", r#"{"do": "stamp"}"#, None),
    Cast("mad-attributes", r#"{"do": "remove"}"#, None),
    Cast("mad-attributes", r#"{"do": "add"}"#, None),
    Cast("mad-attributes", r#"{"do": "add to all, always"}"#, None),
    Cast("mad-attributes", r#"{"do": "drop the first"}"#, None),
    Cast("mad-attributes", r#"{"do": "drop the first"}"#, None),
    Cast("mad-attributes", r#"{"do": "drop all"}"#, None),
    Cast("mad-attributes", r#"{"do": "trap"}"#, Some(ErrorMode::Ignore)),
    Cast("mad-attributes", r#"{"do": "no such row"}"#, Some(ErrorMode::Ignore)),
    Cast("mad-attributes", r#"{"do": "not UTF-8"}"#, Some(ErrorMode::Drop)),
    Cast("mad-attributes", r#"{"do": "later"}"#, None),
    Cast("mad-attributes", r#"{"do": "never"}"#, Some(ErrorMode::Drop)),
    Cast("mad-processor", r#"{"do": "hand back the same"}"#, None),
    Cast("mad-processor", r#"{"do": "unchanged"}"#, None),
    Cast("mad-processor", r#"{"do": "drop"}"#, None),
];

fn load(Cast(guest, config, error_mode): Cast) -> Arc<Plugin> {
    let bytes = match bundled().iter().find(|(name, _)| *name == guest) {
        Some((_, bytes)) => Candidate::new(*bytes),
        None => Candidate::new(guests::guest(guest)),
    };
    let limits = Limits { timeout: Duration::from_secs(2), ..Limits::default() };
    let options = Options { name: guest.into(), role: Role::Batches, config: config.into(), error_mode, limits };
    Arc::new(Plugin::load(&bytes, options, Telemetry::new().metrics(), &[]).unwrap())
}

fn context(telemetry: &Telemetry, id: &str) -> Context {
    Context {
        id: "wasm".parse().unwrap(),
        pipeline: Some(ComponentId::of_kind("traces")),
        signal: Some(Signal::Traces),
        telemetry: telemetry.clone(),
        workers: Workers::current(),
        account: telemetry.ledger().open(id, Some(Signal::Traces)),
    }
}

/// How the plugins are put together.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Form {
    /// Stages of one plugin that share nothing: the model.
    Apart,
    /// Stages of one plugin next to each other.
    Neighbours,
    /// One stage with all of them.
    One,
    /// Two stages, next to each other.
    Two,
}

/// What came of some batches.
#[derive(Debug, PartialEq)]
struct Story {
    went_on: Vec<Vec<u8>>,
    /// What the sender heard: whether to come again, and the text behind the names.
    heard: Vec<Option<(bool, String)>>,
    /// What each plugin counted.
    counted: Vec<[(&'static str, serde_json::Value); 8]>,
    /// What was dropped by reason, over all stages.
    dropped: std::collections::BTreeMap<&'static str, u64>,
}

async fn tell(form: Form, cast: &[Cast], batches: &[Batch]) -> Story {
    let telemetry = Telemetry::new();
    let plugins: Vec<_> = cast.iter().map(|cast| load(*cast)).collect();
    let end = Arc::new(End::default());
    let mut next: Arc<dyn Consumer> = Arc::clone(&end) as _;
    let groups: Vec<&[Arc<Plugin>]> = match form {
        Form::Apart | Form::Neighbours => plugins.chunks(1).collect(),
        Form::One => vec![&plugins[..]],
        Form::Two => plugins.chunks(plugins.len().div_ceil(2)).collect(),
    };
    for (number, group) in groups.iter().enumerate().rev() {
        let members = group.iter().enumerate().map(|(at, plugin)| Member::new(format!("{at}"), Arc::clone(plugin)));
        let stage = Arc::new(Stage::new(context(&telemetry, &format!("stage {number}")), members.collect(), next));
        next = if form == Form::Apart { Arc::new(Wall(stage)) } else { stage };
    }
    let mut heard = Vec::new();
    for batch in batches {
        let answer = next.consume(batch.clone()).await;
        let words = |error: ConsumeError| (error.is_retryable(), error.to_string());
        heard.push(
            answer.err().map(words).map(|(again, text)| (again, text.splitn(3, ": ").last().unwrap().to_owned())),
        );
    }
    let counted = plugins.iter().map(|plugin| {
        const COUNTS: [&str; 8] =
            ["calls", "skipped", "items", "items_dropped", "values_set", "values_removed", "failures", "refusals"];
        let status = plugin.status();
        COUNTS.map(|count| (count, status[count].clone()))
    });
    let counted = counted.collect();
    let mut dropped = std::collections::BTreeMap::new();
    for line in telemetry.ledger().lines() {
        for (reason, items) in line.dropped {
            *dropped.entry(reason).or_default() += items;
        }
    }
    let went_on = std::mem::take(&mut *end.0.lock().unwrap()).into_iter().map(|batch| {
        let checked = Batch::validate(batch.signal(), batch.data().clone(), &crate::pdata::Limits::default()).unwrap();
        assert_eq!(batch.index(), checked.index());
        batch.data().to_vec()
    });
    Story { went_on: went_on.collect(), heard, counted, dropped }
}

fn batches() -> Vec<Batch> {
    let victim = ("victim", "v");
    vec![
        batch(&[&[victim, ("user.email", "ann@example.com")], &[("a", "b")], &[victim]]),
        batch(&[&[("user.email", "bob@example.com")], &[("added", "before")]]),
        batch(&[&[("a", "b")], &[]]),
        batch(&[&[victim]]),
    ]
}

/// Plugins of every kind, two to four in a row, in an order that a seed decides.
#[tokio::test]
async fn sharing_changes_nothing() {
    // As long as there is one plugin of a program, the program need not be compiled again.
    let _keep = [CAST[0], CAST[6], CAST[19]].map(load);
    let mut random = fastrand::Rng::with_seed(4);
    for _ in 0..12 {
        let cast: Vec<_> = (0..random.usize(2..=4)).map(|_| CAST[random.usize(..CAST.len())]).collect();
        let expected = tell(Form::Apart, &cast, &batches()).await;
        for form in [Form::Neighbours, Form::One, Form::Two] {
            assert_eq!(tell(form, &cast, &batches()).await, expected, "{form:?}: {cast:?}");
        }
    }
}

/// Counts drafts that come with edits which are not written yet.
struct Counts(Arc<Stage>, std::sync::atomic::AtomicUsize);
impl Consumer for Counts {
    fn consume(&self, batch: Batch) -> BoxFuture<'_, Result<(), ConsumeError>> {
        self.0.consume(batch)
    }
    fn consume_draft(&self, mut draft: Draft) -> BoxFuture<'_, Result<(), ConsumeError>> {
        self.1.fetch_add(usize::from(draft.parts().1.is_some_and(|table| !table.is_untouched())), Relaxed);
        self.0.consume_draft(draft)
    }
    fn foresee(&self, signal: Signal, wants: &mut Vec<Arc<Wants>>) -> bool {
        self.0.foresee(signal, wants)
    }
}

/// The point of it: with nothing dropped and no whole-batch plugin between them, several stages write the batch once and
/// hand it to the next stage in one piece.
#[tokio::test]
async fn neighbours_hand_over_drafts() {
    let telemetry = Telemetry::new();
    let end = Arc::new(End::default());
    let second = Arc::new(Stage::single(context(&telemetry, "2"), load(CAST[1]), Arc::clone(&end) as _));
    let between = Arc::new(Counts(second, Default::default()));
    let first = Stage::single(context(&telemetry, "1"), load(CAST[6]), Arc::clone(&between) as _);
    let batch = batch(&[&[("victim", "v"), ("user.email", "ann@example.com")]]);
    first.consume(batch).await.unwrap();
    assert_eq!(between.1.load(Relaxed), 1, "the edits of the first were not written yet when the second came");
    let texts = String::from_utf8_lossy(end.0.lock().unwrap()[0].data()).into_owned();
    assert!(texts.contains("@@STAMP-00@@") && texts.contains("****") && !texts.contains("ann@"), "{texts}");
}

/// What is dropped is written at once; the plugins behind share the next scan.
#[tokio::test]
async fn after_a_drop_the_rest_share() {
    let telemetry = Telemetry::new();
    let end = Arc::new(End::default());
    let third = Arc::new(Stage::single(context(&telemetry, "3"), load(CAST[1]), Arc::clone(&end) as _));
    let between = Arc::new(Counts(third, Default::default()));
    let members = [CAST[11], CAST[6]].map(|cast| Member::new("plugin", load(cast)));
    let first = Stage::new(context(&telemetry, "1"), members.to_vec(), Arc::clone(&between) as _);
    let batch = batch(&[&[("victim", "a")], &[("victim", "v"), ("user.email", "ann@example.com")]]);
    first.consume(batch).await.unwrap();
    assert_eq!(between.1.load(Relaxed), 1, "the edits of the second were not written yet when the third came");
    let end = end.0.lock().unwrap();
    let texts = String::from_utf8_lossy(end[0].data()).into_owned();
    assert_eq!(end[0].items(), 1);
    assert!(texts.contains("@@STAMP-00@@") && texts.contains("****") && !texts.contains("ann@"), "{texts}");
}

/// A plugin that is swapped between the scan of the stage before and its own turn gets a scan of its own.
#[tokio::test]
async fn swapped_between_scan_and_turn() {
    struct Swaps(Arc<Stage>, Mutex<Option<Arc<Plugin>>>);
    impl Consumer for Swaps {
        fn consume(&self, batch: Batch) -> BoxFuture<'_, Result<(), ConsumeError>> {
            self.0.consume(batch)
        }
        fn consume_draft(&self, draft: Draft) -> BoxFuture<'_, Result<(), ConsumeError>> {
            if let Some(new) = self.1.lock().unwrap().take() {
                self.0.set(vec![Member::new("new", new)]);
            }
            self.0.consume_draft(draft)
        }
        fn foresee(&self, signal: Signal, wants: &mut Vec<Arc<Wants>>) -> bool {
            self.0.foresee(signal, wants)
        }
    }
    let telemetry = Telemetry::new();
    let end = Arc::new(End::default());
    let second = Arc::new(Stage::single(context(&telemetry, "2"), load(CAST[4]), Arc::clone(&end) as _));
    let between = Arc::new(Swaps(second, Mutex::new(Some(load(CAST[0])))));
    let first = Stage::single(context(&telemetry, "1"), load(CAST[6]), between as _);
    first.consume(batch(&[&[("victim", "v"), ("user.email", "ann@example.com")]])).await.unwrap();
    let texts = String::from_utf8_lossy(end.0.lock().unwrap()[0].data()).into_owned();
    assert!(texts.contains("@@STAMP-00@@") && !texts.contains("ann@"), "{texts}");
}
