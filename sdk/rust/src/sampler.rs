//! Plugins that decide which traces are kept.

use crate::attributes::attribute;
use crate::{Attribute, Batch, Failure, Intrinsic, Plugin, Signal};
use std::time::Duration;
pub use tailrace_columns::Decision;
use tailrace_columns::{Level, Row, Traces};

/// A plugin that decides which traces are kept: a policy of tail sampling.
///
/// Implement [`decide`](Self::decide), or [`decide_all`](Self::decide_all) to see the traces of one tick together.
pub trait Sampler: Plugin {
    /// Whether whole spans are wanted ([`Trace::batch`]) besides the values that the interest names. Costs a copy of
    /// every trace.
    const WANTS_SPANS: bool = false;

    /// What is to become of a trace. Return [`Decision::Undecided`] to be asked again.
    ///
    /// # Errors
    /// The plugin's own "no": it has no opinion on any trace of this call.
    fn decide(&mut self, trace: &Trace<'_>) -> Result<Decision, Failure>;

    /// One decision for each trace, in their order. Asks [`decide`](Self::decide) for each, unless you implement it.
    ///
    /// # Errors
    /// The plugin's own "no".
    fn decide_all(&mut self, traces: &[Trace<'_>]) -> Result<Vec<Decision>, Failure> {
        traces.iter().map(|trace| self.decide(trace)).collect()
    }
}

/// A trace that waits for a decision.
#[derive(Clone, Copy, Debug)]
pub struct Trace<'a> {
    /// Its id.
    pub id: [u8; 16],
    /// How many spans arrived.
    pub span_count: u32,
    /// How many of them have status error.
    pub error_count: u32,
    /// The earliest start, in nanoseconds since 1970.
    pub start: u64,
    /// From the earliest start to the latest end.
    pub duration: Duration,
    /// How many bytes its spans have.
    pub size: u64,
    /// Whether it is shown for the last time: [`Decision::Undecided`] then counts as not sampled.
    pub last_call: bool,
    columns: &'a Traces,
    /// Its number in the columns, and its rows.
    at: usize,
    rows: &'a [Row<'a>],
}

impl<'a> Trace<'a> {
    /// Every value that the plugin asked for: of resources, scopes and spans, in the order in which they arrived.
    pub fn values(&self) -> impl Iterator<Item = Attribute<'a>> + use<'a> {
        self.rows.iter().map(attribute)
    }

    /// The values with this key or name, of all spans, scopes and resources.
    pub fn all<'k>(&self, key: &'k str) -> impl Iterator<Item = Attribute<'a>> + use<'a, 'k> {
        self.values().filter(move |value| value.key() == key)
    }

    /// The first value with this key or name.
    pub fn find(&self, key: &str) -> Option<Attribute<'a>> {
        self.all(key).next()
    }

    /// The values of each span that has any.
    pub fn spans(&self) -> impl Iterator<Item = SpanValues<'a>> + use<'a> {
        let of_items = |row: &Row<'_>| !matches!(row.level, Level::Resource | Level::Scope);
        let groups = self.rows.chunk_by(move |a, b| of_items(a) && of_items(b) && a.owner == b.owner);
        groups.filter(move |rows| rows.first().is_some_and(of_items)).map(SpanValues)
    }

    /// The resources that its spans come from, with the values of each that the plugin asked for. One that sent spans in
    /// several requests may occur several times.
    pub fn resources(&self) -> impl Iterator<Item = ResourceValues<'a>> + use<'a> {
        let parts = self.columns.by_resource(self.at, self.rows);
        parts.map(|(items, rows)| ResourceValues { span_count: items.end - items.start, rows })
    }

    /// Its spans as OTLP; empty unless [`Sampler::WANTS_SPANS`].
    pub fn batch(&self) -> Batch<'a> {
        Batch::new(Signal::Traces, self.columns.spans(self.at))
    }
}

/// The values of one span that the plugin asked for.
#[derive(Clone, Copy, Debug)]
pub struct SpanValues<'a>(&'a [Row<'a>]);

impl<'a> SpanValues<'a> {
    /// All of them.
    pub fn values(&self) -> impl Iterator<Item = Attribute<'a>> + use<'a> {
        self.0.iter().map(attribute)
    }

    /// The first with this key or name.
    pub fn find(&self, key: &str) -> Option<Attribute<'a>> {
        self.values().find(|value| value.key() == key)
    }
}

/// A resource of a trace, and the values of it, its scopes and its spans that the plugin asked for.
#[derive(Clone, Copy, Debug)]
pub struct ResourceValues<'a> {
    /// How many spans of the trace are here. Of a trace with very many only the first ones are;
    /// [`Trace::span_count`] is always of all.
    pub span_count: u32,
    rows: &'a [Row<'a>],
}

impl<'a> ResourceValues<'a> {
    /// All of them: those of the resource first.
    pub fn values(&self) -> impl Iterator<Item = Attribute<'a>> + use<'a> {
        self.rows.iter().map(attribute)
    }

    /// The first with this key or name.
    pub fn find(&self, key: &str) -> Option<Attribute<'a>> {
        self.values().find(|value| value.key() == key)
    }
}

/// Runs a plugin over columns: what the export and the tests have in common.
pub(crate) fn sample<P: Sampler>(
    plugin: &mut P,
    intrinsics: &[Intrinsic],
    columns: &Traces,
) -> Result<Vec<Decision>, Failure> {
    let rows = columns.rows(intrinsics);
    let by_trace = columns.rows_by_trace(&rows).into_iter();
    let traces: Option<Vec<_>> = by_trace.enumerate().map(|(at, rows)| trace(columns, at, rows)).collect();
    let traces = traces.ok_or_else(|| Failure::Permanent("the host's columns have different lengths".to_owned()))?;
    let decisions = plugin.decide_all(&traces)?;
    if decisions.len() == traces.len() {
        return Ok(decisions);
    }
    let (given, asked) = (decisions.len(), traces.len());
    Err(Failure::Permanent(format!("the plugin decided about {given} traces, but was asked about {asked}")))
}

fn trace<'a>(columns: &'a Traces, at: usize, rows: &'a [Row<'a>]) -> Option<Trace<'a>> {
    Some(Trace {
        id: columns.id(at)?,
        span_count: *columns.span_counts.get(at)?,
        error_count: *columns.error_counts.get(at)?,
        start: *columns.starts.get(at)?,
        duration: Duration::from_nanos(*columns.durations.get(at)?),
        size: *columns.sizes.get(at)?,
        last_call: *columns.last_calls.get(at)? != 0,
        columns,
        at,
        rows,
    })
}
