//! A shared scan against its model, which is one plugin after the other: the same columns for every plugin, the same
//! counts, the same refusals, the same bytes.
//!
//! Random requests in random encodings (those of `sdk/otlp`'s oracle), random plugins, random edits; some of the edits
//! make no sense. `PROPTEST_CASES` sets how many cases.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    dead_code,
    unreachable_pub,
    reason = "a test may panic; its support modules are shared with other tests"
)]

mod plugins;
#[path = "../../../otlp/tests/oracle/support/mod.rs"]
mod support;

use opentelemetry_proto::tonic::collector::logs::v1::ExportLogsServiceRequest;
use opentelemetry_proto::tonic::collector::metrics::v1::ExportMetricsServiceRequest;
use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceRequest;
use plugins::{Plugin, plugin};
use proptest::prelude::*;
use prost::Message as _;
use std::cell::Cell;
use std::sync::Arc;
use support::mangle::mangle;
use support::objects::{encoded, usual};
use support::source::Source;
use tailrace_columns::{Applied, BadEdit, Columns, Limits, Table, Union, project, splice};
use tailrace_otlp::{Index, Signal, schema, validate};

const LIMITS: Limits = Limits { value_bytes: 1 << 16, data_bytes: 1 << 20 };

/// A request on its way.
#[derive(Clone, Debug, PartialEq)]
struct Request {
    signal: Signal,
    data: Vec<u8>,
    index: Index,
}

/// What one plugin saw, and what came of its edits: set, removed, dropped.
#[derive(Debug, PartialEq)]
#[expect(clippy::large_enum_variant, reason = "few of them live at once")]
enum Seen {
    Skipped,
    Called(Columns, Result<(usize, usize, usize), BadEdit>),
}

/// One plugin after the other, each with a scan of its own.
fn one_by_one(mut request: Request, plugins: &[Plugin]) -> (Request, Vec<Seen>) {
    let mut seen = Vec::new();
    for plugin in plugins {
        seen.push(alone(&mut request, plugin));
    }
    (request, seen)
}

fn alone(request: &mut Request, plugin: &Plugin) -> Seen {
    let Request { signal, data, index } = &*request;
    let projection = project(*signal, data, index, plugin.wants.wanted());
    if projection.columns.is_empty() && !plugin.always {
        return Seen::Skipped;
    }
    let edits = plugin.edits(&projection.columns);
    let spliced = splice(*signal, data, index, &projection, edits, &LIMITS);
    let outcome = spliced.map(|spliced| {
        let counts = (spliced.set, spliced.removed, spliced.dropped);
        if let Some((data, index)) = spliced.request {
            *request = Request { signal: request.signal, data, index };
        }
        counts
    });
    Seen::Called(projection.columns, outcome)
}

thread_local! {
    /// How often edits went into a table, how often they could not, and how often a table was given up for drops.
    static PATHS: [Cell<usize>; 3] = const { [const { Cell::new(0) }; 3] };
}

fn took(path: usize) {
    PATHS.with(|paths| paths[path].set(paths[path].get() + 1));
}

/// All with as few scans as possible.
fn together(mut request: Request, plugins: &[Plugin]) -> (Request, Vec<Seen>) {
    let parts: Vec<_> = plugins.iter().map(|plugin| Arc::clone(&plugin.wants)).collect();
    let union = Arc::new(Union::of(&parts));
    let mut table: Option<Table> = None;
    let mut seen = Vec::new();
    for plugin in plugins {
        let Request { signal, data, index } = request.clone();
        let shared = table.get_or_insert_with(|| Table::scan(signal, &data, &index, Arc::clone(&union)));
        assert!(shared.covers(&plugin.wants));
        let view = shared.view(&plugin.wants);
        if view.columns.is_empty() && !plugin.always {
            seen.push(Seen::Skipped);
            continue;
        }
        let mut edits = plugin.edits(&view.columns);
        let outcome = match shared.apply(&data, &index, &view, &mut edits, &LIMITS) {
            Err(bad) => Err(bad),
            Ok(Applied::Done { set, removed, drops: false }) => {
                took(0);
                Ok((set, removed, 0))
            }
            Ok(Applied::Done { set, removed, drops: true }) => {
                took(2);
                let before = index.len();
                settle(&mut request, &mut table);
                Ok((set, removed, before - request.index.len()))
            }
            Ok(Applied::Apart) => {
                took(1);
                settle(&mut request, &mut table);
                match alone(&mut request, plugin) {
                    Seen::Called(columns, outcome) => {
                        assert_eq!(columns, view.columns, "apart from the table the plugin sees the same");
                        outcome
                    }
                    Seen::Skipped => panic!("apart from the table there is nothing to see"),
                }
            }
        };
        seen.push(Seen::Called(view.columns, outcome));
    }
    settle(&mut request, &mut table);
    (request, seen)
}

fn settle(request: &mut Request, table: &mut Option<Table>) {
    let Some(table) = table.take() else { return };
    let untouched = table.is_untouched();
    let spliced = table.splice(request.signal, &request.data, &request.index).unwrap();
    assert_eq!(spliced.request.is_none(), untouched);
    if let Some((data, index)) = spliced.request {
        *request = Request { signal: request.signal, data, index };
    }
}

/// What prost makes of a request, in words.
fn objects(request: &Request) -> String {
    let data = &*request.data;
    match request.signal {
        Signal::Traces => format!("{:?}", ExportTraceServiceRequest::decode(data).unwrap()),
        Signal::Metrics => format!("{:?}", ExportMetricsServiceRequest::decode(data).unwrap()),
        Signal::Logs => format!("{:?}", ExportLogsServiceRequest::decode(data).unwrap()),
    }
}

fn check(entropy: &[u8], more: &[u8]) {
    let mut s = Source::new(entropy);
    let signal = Signal::ALL[s.below(3)];
    let form = s.below(4);
    let mangled = form == 3;
    let data = match form {
        0 | 1 => usual(signal, &mut s),
        2 => encoded(signal, &mut s),
        _ => {
            let data = encoded(signal, &mut s);
            mangle(&mut s, schema::request(signal), &data)
        }
    };
    let Ok(index) = validate(signal, &data, &tailrace_otlp::Limits::default()) else { return };
    // Other bytes decide about the plugins: those of the request may be used up.
    let mut s = Source::new(more);
    let plugins: Vec<_> = (0..2 + s.below(4)).map(|_| plugin(&mut s)).collect();
    let request = Request { signal, data, index };
    let (expected, expected_seen) = one_by_one(request.clone(), &plugins);
    let (found, seen) = together(request, &plugins);
    for (number, (seen, expected)) in seen.iter().zip(&expected_seen).enumerate() {
        let plugin = &plugins[number];
        assert_eq!(seen, expected, "plugin {number} of {} saw (left) and should have seen: {plugin:?}", plugins.len());
    }
    if mangled {
        // A length that is written longer than needed stays so if nothing changes it in the end.
        assert_eq!(objects(&found), objects(&expected), "{plugins:?}");
    } else {
        assert_eq!(found, expected, "{plugins:?}");
    }
    let index = validate(found.signal, &found.data, &tailrace_otlp::Limits::default()).unwrap();
    assert_eq!(found.index, index);
}

#[test]
fn as_if_one_after_the_other() {
    let cases = std::env::var("PROPTEST_CASES").ok().and_then(|cases| cases.parse().ok()).unwrap_or(3_000);
    let config =
        ProptestConfig { cases, failure_persistence: None, max_shrink_time: 30_000, ..ProptestConfig::default() };
    let entropy = prop::collection::vec(any::<u8>(), 50..3_000);
    let more = prop::collection::vec(any::<u8>(), 60..400);
    proptest!(config, |(entropy in entropy, more in more)| check(&entropy, &more));
    // None of the ways was left out.
    PATHS.with(|paths| {
        for (path, what) in paths.iter().zip(["shared", "apart", "with drops"]) {
            assert!(path.get() > cases as usize / 50, "only {} of {cases} cases went {what}", path.get());
        }
    });
}
