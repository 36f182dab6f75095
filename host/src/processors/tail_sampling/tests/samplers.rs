//! Policies that ask a plugin.

use super::*;
use crate::plugin::tests::guests;
use crate::yaml::{Problems, Section, parse as parse_yaml};
use tempfile::TempDir;

/// The directory with `mad-sampler` in it, as `mad` and, doing the opposite without a configuration, as `other`.
pub(super) fn plugins() -> TempDir {
    let directory = tempfile::tempdir().unwrap();
    std::fs::write(directory.path().join("mad.wasm"), guests::guest("mad-sampler")).unwrap();
    std::fs::write(directory.path().join("other.wasm"), guests::behaving("mad-sampler", "the opposite")).unwrap();
    directory
}

/// The `wasm` block of a policy.
fn block(directory: &TempDir, module: &str, more: &str) -> String {
    let limits = "limits: {timeout: 2s}";
    format!("{{directory: {:?}, module: {module}, {limits}, {more}}}", directory.path())
}

/// A policy `plugin` that asks `mad.wasm` to do something.
pub(super) fn asks(directory: &TempDir, what: &str, error_mode: &str) -> String {
    let more = format!("config: {{do: {what:?}}}, error_mode: {error_mode}");
    format!("{{name: plugin, type: wasm, wasm: {}}}", block(directory, "mad", &more))
}

/// A trace of so many spans, named after it.
fn trace(number: u64, spans: usize) -> Vec<TestSpan> {
    (0..spans).map(|i| span(number, &format!("{number}.{i}"))).collect()
}

async fn put_all(stage: &Stage, traces: &[(u64, usize)]) {
    let spans: Vec<_> = traces.iter().flat_map(|(number, spans)| trace(*number, *spans)).collect();
    stage.put(&spans).await.unwrap();
}

/// Names of the traces that came out, each once.
fn out(stage: &Stage) -> Vec<String> {
    let mut traces: Vec<String> =
        stage.next.spans().into_iter().map(|span| span.name.split('.').next().unwrap().to_owned()).collect();
    traces.dedup();
    traces
}

/// Its answers are votes: sampled, not sampled, dropped, undecided; and it can be part of other policies. A span without a
/// trace id is shown by itself.
#[tokio::test(start_paused = true)]
async fn answers_are_votes() {
    let directory = plugins();
    let sampler = asks(&directory, "by span count", "ignore");
    let all = "{name: all, type: always_sample}";
    for (policies, expected) in [
        (sampler.clone(), vec!["1"]),
        (format!("{all}, {sampler}"), vec!["1", "2", "4"]),
        (format!("{{name: a, type: and, and: {{and_sub_policy: [{sampler}, {all}]}}}}"), vec!["1"]),
        (format!("{{name: n, type: not, not: {{not_sub_policy: {sampler}}}}}"), vec!["2", "4"]),
    ] {
        let stage = Stage::start(&format!("{{policies: [{policies}], decision_wait: 1s}}")).await;
        put_all(&stage, &[(1, 1), (2, 2), (3, 3), (4, 4)]).await;
        pass(1_100).await;
        assert_eq!(out(&stage), expected, "{policies}");
        assert_eq!(line(&stage.context).held, 0);
    }
    let stage = Stage::start(&format!("{{policies: [{sampler}], decision_wait: 1s}}")).await;
    stage.put(&[TestSpan { trace: vec![], ..span(0, "stray") }]).await.unwrap();
    pass(600).await;
    assert_eq!(out(&stage), ["stray"]);
}

/// Why a plugin has no answer is in the log: an accident as well as its own "no", at once, and in few words.
#[tokio::test(start_paused = true)]
async fn the_log_says_why_there_is_no_vote() {
    let directory = plugins();
    for (what, words) in [
        ("one too many", "decided about 2 traces, but was asked about 1"),
        ("never at length", r"vote: no\r\nx-evil: 1\u{0} no"),
        ("later at length", "not now not now"),
    ] {
        let log = Arc::<Mutex<Vec<u8>>>::default();
        let written = Arc::clone(&log);
        let subscriber = tracing_subscriber::fmt().with_ansi(false).with_writer(move || Lines(Arc::clone(&written)));
        let _heard = tracing::subscriber::set_default(subscriber.finish());
        let stage =
            Stage::start(&format!("{{policies: [{}], decision_wait: 1s}}", asks(&directory, what, "ignore"))).await;
        put_all(&stage, &[(1, 1)]).await;
        pass(1_100).await;
        let log = String::from_utf8(log.lock().unwrap().clone()).unwrap();
        let lines: Vec<_> = log.lines().filter(|line| line.contains("the plugin fails")).collect();
        assert!(lines.len() == 1 && lines[0].contains(words) && lines[0].len() < 2000, "{what}: {log:.3000}");
        assert!(lines[0].contains("policy=\"plugin\""), "{what}: {log}");
    }
}

/// What is written to a log.
struct Lines(Arc<Mutex<Vec<u8>>>);

impl std::io::Write for Lines {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0.lock().unwrap().write(bytes)
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

/// A trace on which the plugin traps loses this vote. The others in the same slice do not.
#[tokio::test(start_paused = true)]
async fn a_poisoned_trace_costs_its_own_vote() {
    let directory = plugins();
    for (error_mode, poisoned_kept, reason) in
        [("ignore", false, "not_sampled"), ("sample", true, ""), ("drop", false, "dropped_by_policy")]
    {
        let sampler = asks(&directory, "trap on 13 spans", error_mode);
        let stage = Stage::start(&format!("{{policies: [{sampler}], decision_wait: 1s, num_shards: 1}}")).await;
        let traces: Vec<(u64, usize)> = (0..300).map(|number| (number, if number == 77 { 13 } else { 1 })).collect();
        put_all(&stage, &traces).await;
        pass(1_100).await;
        let out = out(&stage);
        assert_eq!((out.len(), out.contains(&"77".to_owned())), (299 + usize::from(poisoned_kept), poisoned_kept));
        let errors = stage.metric("sampling_policy_evaluation_error_total", "");
        assert_eq!(errors, if error_mode == "ignore" { 1.0 } else { 0.0 }, "{error_mode}");
        if !reason.is_empty() {
            assert_eq!(stage.dropped(reason), 13);
        }
    }
}

/// One that traps, loops, refuses or miscounts on everything costs its vote and no trace: another policy decides.
#[tokio::test(start_paused = true)]
async fn a_mad_sampler_costs_its_vote_never_a_trace() {
    let directory = plugins();
    for what in ["trap", "loop", "never", "one too few", "one too many", "a million"] {
        let sampler = asks(&directory, what, "ignore");
        let all = "{name: errors, type: status_code, status_code: {status_codes: [ERROR]}}";
        let section = format!("{{policies: [{sampler}, {all}], decision_wait: 1s, num_shards: 1}}");
        let stage = Stage::start(&section.replace("timeout: 2s", "timeout: 50ms")).await;
        put_all(&stage, &(0..60).map(|number| (number, 2)).collect::<Vec<_>>()).await;
        stage.put(&[error(7, "7.e")]).await.unwrap();
        pass(1_100).await;
        assert_eq!(out(&stage), ["7"], "{what}");
        assert_eq!((stage.dropped("not_sampled"), line(&stage.context).held), (118, 0), "{what}");
        assert_eq!(stage.metric("sampling_policy_evaluation_error_total", ""), 60.0, "{what}");
    }
}

/// At `num_traces` and at the memory limit the oldest traces are decided early, and the plugin is asked about them too; the
/// sender waits as long as that takes.
#[tokio::test(start_paused = true)]
async fn room_is_made_by_asking() {
    let directory = plugins();
    let sampler = asks(&directory, "by span count", "ignore");
    let stage =
        Stage::start(&format!("{{policies: [{sampler}], num_traces: 10, num_shards: 1, decision_wait: 100s}}")).await;
    for number in 0..40 {
        put_all(&stage, &[(number, 1 + number as usize % 2)]).await;
    }
    pass(600).await;
    assert_eq!(out(&stage).len(), 15, "every other of the 30 oldest");
    assert_eq!(stage.metric("sampling_trace_dropped_too_early_total", ""), 30.0);
    assert_eq!(stage.metric("sampling_policy_evaluation_error_total", ""), 0.0, "it was asked about each");
    assert_eq!(stage.metric("sampling_traces_on_memory", ""), 10.0);
    // A request that is larger than everything that may be held.
    put_all(&stage, &(100..130).map(|number| (number, 1)).collect::<Vec<_>>()).await;
    stage.shutdown(Duration::from_secs(60)).await;
    assert_eq!((out(&stage).len(), line(&stage.context).held), (20 + 30, 0));
}

/// What is wrong with a plugin is said when the processor is built.
#[tokio::test]
async fn a_plugin_that_cannot_be_used_is_named() {
    let directory = plugins();
    std::fs::write(directory.path().join("attributes.wasm"), guests::guest("mad-attributes")).unwrap();
    for (policy, words) in [
        (format!("wasm: {}", block(&directory, "absent", "")), "policy \"p\": cannot read plugin \"absent\""),
        (format!("wasm: {}", block(&directory, "attributes", "")), "does not export `sampler`"),
    ] {
        let config: Config = from_str("t", &format!("{{policies: [{{name: p, type: wasm, {policy}}}]}}")).unwrap();
        let context = context("tail_sampling");
        let next = Next::new(&context);
        let error = TailSampling::new(&config, context, next).map(drop).unwrap_err().to_string();
        assert!(error.contains(words), "{error}");
    }
}

/// What is wrong with a plugin or its configuration has a place in the file, also inside of other policies.
#[tokio::test]
async fn faults_of_plugins_have_a_place() {
    let directory = plugins();
    for (plugin, place, words) in [
        ("module: absent", "c.yaml:9:19: t::policies[1]::and::and_sub_policy[0]::wasm::module", "cannot read plugin"),
        ("module: core", "c.yaml:9:19: t::policies[1]::and::and_sub_policy[0]::wasm::module", "cannot use"),
        (
            "module: mad, config: {do: refuse configure}",
            "c.yaml:9:37: t::policies[1]::and::and_sub_policy[0]::wasm::config::do",
            "not to my taste",
        ),
    ] {
        std::fs::write(directory.path().join("core.wasm"), guests::CORE_MODULE).unwrap();
        let text = format!(
            "policies:\n- {{name: all, type: always_sample}}\n- name: some\n  type: and\n  and:\n    and_sub_policy:\n    \
             - type: wasm\n      wasm:\n        {{ {plugin}, directory: {:?}}}\n",
            directory.path()
        );
        let mut problems = Problems::default();
        let node = parse_yaml("c.yaml", &text, &mut problems).unwrap();
        let config = (FACTORY.parse)(&Section { path: "t", node: &node }, &mut problems).unwrap();
        let context = context("tail_sampling");
        let next = Next::new(&context);
        let error = config.build(context, next).map(drop).unwrap_err().to_string();
        assert!(error.starts_with(&format!("{place}: ")) && error.contains(words), "{error}");
    }
}

/// Other policies while traces wait, also another plugin: nothing is lost, and the new ones decide.
#[tokio::test(start_paused = true)]
async fn another_plugin_while_traces_wait() {
    let directory = plugins();
    let section = |module: &str| {
        let block = block(&directory, module, "");
        format!("{{policies: [{{name: plugin, type: wasm, wasm: {block}}}], decision_wait: 2s}}")
    };
    let stage = Stage::start(&section("mad")).await;
    put_all(&stage, &[(1, 1), (2, 2)]).await;
    pass(2_600).await;
    assert_eq!(out(&stage), ["1"]);
    put_all(&stage, &[(3, 1), (4, 2)]).await;
    stage.change(&section("other")).await.unwrap();
    pass(2_600).await;
    assert_eq!(out(&stage), ["1", "4"]);
    put_all(&stage, &[(1, 1), (2, 1)]).await;
    pass(600).await;
    assert_eq!((out(&stage), line(&stage.context).held), (vec!["1".to_owned(), "4".to_owned()], 0));
    let late = |sampled| stage.metric("early_releases_from_cache_decision_total", sampled);
    assert_eq!((late("sampled=\"true\""), late("sampled=\"false\"")), (1.0, 1.0), "late spans follow the old decision");
    let error = stage.change(&section("absent")).await.unwrap_err().to_string();
    assert!(error.contains("cannot read plugin \"absent\""), "{error}");
    put_all(&stage, &[(5, 2)]).await;
    pass(2_600).await;
    assert_eq!(out(&stage), ["1", "4", "5"], "a change that cannot be made changes nothing");
}
