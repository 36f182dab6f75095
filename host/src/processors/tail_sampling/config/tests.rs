use super::*;
use crate::yaml::from_str;

const ONE: &str = "policies: [{name: a, type: always_sample}]";

/// The article's policies and the defaults of everything else.
#[test]
fn usual() {
    let config: Config = from_str(
        "t",
        "
        decision_wait: 10s
        policies:
        - name: errors-policy
          type: status_code
          status_code: {status_codes: [ERROR]}
        - name: slow-traces
          type: latency
          latency: {threshold_ms: 1000}
        - name: probabilistic
          type: probabilistic
          probabilistic: {sampling_percentage: 10}
        ",
    )
    .unwrap();
    let names: Vec<String> = config.policies(1, None).0.into_iter().map(|(name, _)| name).collect();
    assert_eq!(names, ["errors-policy", "slow-traces", "probabilistic"]);
    assert_eq!((config.num_traces, config.cache_sizes()), (50_000, (500_000, 500_000)));
    assert_eq!((config.decision_history.size, config.policies(1, None).1.len()), (10_000, 0));
    let config: Config = from_str(
        "t",
        &format!(
            "{{{ONE}, num_traces: 100, decision_cache: {{sampled_cache_size: 0}}, expected_new_traces_per_sec: 2}}"
        ),
    )
    .unwrap();
    assert_eq!((config.cache_sizes(), config.expected_traces()), ((100, 1_000), 60));
}

/// Every fault names its key and says what would be right.
#[test]
fn faults() {
    let check = |text: &str, expected: &[&str]| {
        let problems = from_str::<Config>("t", text).unwrap_err().to_string();
        for part in expected {
            assert!(problems.contains(part), "{text}: {part:?} is not in {problems}");
        }
    };
    check("{}", &["policies", "at least one"]);
    check("policies: []", &["policies", "at least one"]);
    check("policies: [{type: always_sample}]", &["policies[0]", "name"]);
    check("policies: [{name: a}]", &["policies[0]", "type", "latency"]);
    check(
        "policies: [{name: a, type: always_sample}, {name: a, type: latency}]",
        &["policies[1]", "duplicate", "\"a\""],
    );
    check("policies: [{name: a, type: wasm}]", &["policies[0]::wasm::module", "must be set"]);
    check(
        "policies: [{name: a, type: wasm, wasm: {module: m, limits: {memory_mib: 0}}}]",
        &["policies[0]::wasm::limits::memory_mib", "between 1 and 4096"],
    );
    check("wasm_max_spans_per_trace: 0", &["wasm_max_spans_per_trace", "greater than zero"]);
    check("policies: [{name: a, type: latecy, latency: {}}]", &["did you mean \"latency\"?"]);
    check("policies: [{name: a, type: latency, latency: {threshold: 1}}]", &["threshold"]);
    check(
        "policies: [{name: a, type: latency, status_code: {status_codes: [OK]}}]",
        &["status_code", "does not belong"],
    );
    check("policies: [{name: a, type: status_code}]", &["status_code", "at least one of OK"]);
    check("policies: [{name: a, type: status_code, status_code: {status_codes: [OK, BAD]}}]", &["\"BAD\""]);
    check(&format!("{{{ONE}, num_traces: 0}}"), &["num_traces"]);
    check(&format!("{{{ONE}, max_memory_mib: 0}}"), &["max_memory_mib"]);
    check(&format!("{{{ONE}, decision_history: {{size: 1000001}}}}"), &["decision_history::size", "1000000 at most"]);
    check(
        &format!("{{{ONE}, shadow_policies: [{{name: a, type: latency, latency: {{threshold: 1}}}}]}}"),
        &["shadow_policies[0]::latency::threshold"],
    );
    check(
        &format!(
            "{{{ONE}, shadow_policies: [{{name: a, type: not, not: {{not_sub_policy: {{name: b, type: drop}}}}}}]}}"
        ),
        &["shadow_policies[0]::not::not_sub_policy::type", "of its own"],
    );
    check(
        &format!("{{{ONE}, shadow_policies: [{{name: a, type: drop}}, {{name: a, type: always_sample}}]}}"),
        &["shadow_policies[0]::drop::drop_sub_policy", "shadow_policies[1]::name", "duplicate"],
    );
    check(&format!("{{{ONE}, num_shards: 257}}"), &["num_shards"]);
    check(&format!("{{{ONE}, sampling_strategy: span-injest}}"), &["sampling_strategy", "span-ingest"]);
    check(&format!("{{{ONE}, use_tracestate: true, sample_on_first_match: true}}"), &["sample_on_first_match"]);
    check(
        &format!("{{{ONE}, span_attributes: {{probability: p}}}}"),
        &["span_attributes::probability", "use_tracestate"],
    );
    check(
        &format!("{{{ONE}, use_tracestate: true, span_attributes: {{probability: p, policy: p}}}}"),
        &["span_attributes::probability", "another key"],
    );
    check(&format!("{{{ONE}, tail_storage: pebble_tail_storage}}"), &["tail_storage"]);
    check(&format!("{{{ONE}, decision_wiat: 5s}}"), &["decision_wiat", "decision_wait"]);
}

/// Policies whose vote later spans can take back, or that depend on other traces, cannot vote on spans as they arrive: just
/// those that the Collector refuses, wherever they stand.
#[test]
fn on_ingest() {
    let section = |policy: &str| format!("{{sampling_strategy: span-ingest, policies: [{{name: a, {policy}}}]}}");
    let refused = |policy: &str, key: &str| {
        let problems = from_str::<Config>("t", &section(policy)).unwrap_err().to_string();
        for part in ["t:1:", &format!("policies[0]{key}"), "span-ingest"] {
            assert!(problems.contains(part), "{policy}: {part:?} is not in {problems}");
        }
    };
    let taken = |policy: &str| {
        from_str::<Config>("t", &section(policy)).unwrap_or_else(|problems| panic!("{policy}: {problems}"));
    };
    let inside = |kind: &str, part: &str| match kind {
        "not" => format!("type: not, not: {{not_sub_policy: {{name: b, {part}}}}}"),
        "composite" => format!(
            "type: composite, composite: {{max_total_spans_per_second: 9, policy_order: [b], \
             composite_sub_policy: [{{name: b, {part}}}]}}"
        ),
        kind => format!("type: {kind}, {kind}: {{{kind}_sub_policy: [{{name: b, {part}}}]}}"),
    };
    for (policy, key) in [
        ("type: latency, latency: {threshold_ms: 1, upper_threshold_ms: 9}", "::latency::upper_threshold_ms"),
        ("type: span_count, span_count: {min_spans: 1, max_spans: 9}", "::span_count::max_spans"),
        ("type: rate_limiting, rate_limiting: {spans_per_second: 9}", "::rate_limiting"),
        ("type: bytes_limiting, bytes_limiting: {bytes_per_second: 9}", "::bytes_limiting"),
    ] {
        refused(policy, key);
        refused(&inside("not", policy), &format!("::not::not_sub_policy{key}"));
        for kind in ["and", "drop", "composite"] {
            refused(&inside(kind, policy), &format!("::{kind}::{kind}_sub_policy[0]{key}"));
        }
    }
    for policy in [
        "type: latency, latency: {threshold_ms: 1}",
        "type: span_count, span_count: {min_spans: 1}",
        "type: probabilistic, probabilistic: {sampling_percentage: 9}",
    ] {
        taken(policy);
        for kind in ["not", "and", "drop", "composite"] {
            taken(&inside(kind, policy));
        }
    }
}

/// More conditions on spans than a trace's state has bits are refused, not mixed up.
#[test]
fn too_many_conditions() {
    let policies = |count: usize| {
        let one = |i| format!("{{name: p{i}, type: status_code, status_code: {{status_codes: [OK]}}}}");
        format!("policies: [{}]", (0..count).map(one).collect::<Vec<_>>().join(","))
    };
    assert!(from_str::<Config>("t", &policies(Layout::FILTERS_MAX)).is_ok());
    let problems = from_str::<Config>("t", &policies(Layout::FILTERS_MAX + 1)).unwrap_err().to_string();
    assert!(problems.contains("more than 128 conditions"), "{problems}");
    let shadow = |count: usize| format!("{}, shadow_{}", policies(120), policies(count));
    assert!(from_str::<Config>("t", &format!("{{{}}}", shadow(8))).is_ok());
    let problems = from_str::<Config>("t", &format!("{{{}}}", shadow(9))).unwrap_err().to_string();
    assert!(
        problems.contains("shadow_policies: more than 128 conditions on spans, together with those of policies"),
        "{problems}"
    );
}
