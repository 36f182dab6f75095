//! What components that decide about traces can be asked: the words of question and answer, and who answers.
//!
//! Asking is for people: it may take a lock for a moment, never wait.

use serde_json::Value;
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};

/// What became of a trace.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// Handed on.
    Sampled,
    /// No policy wanted it.
    NotSampled,
    /// A policy vetoed it.
    Dropped,
    /// It passed the limit on the size of a trace.
    TooLarge,
    /// It was dropped at shutdown without having been decided.
    Undecided,
}

impl Verdict {
    /// All of them.
    pub const ALL: [Self; 5] = [Self::Sampled, Self::NotSampled, Self::Dropped, Self::TooLarge, Self::Undecided];

    /// Whether the spans were handed on.
    pub fn keeps(self) -> bool {
        self == Self::Sampled
    }

    /// Its word in questions and answers.
    pub fn word(self) -> &'static str {
        match self {
            Self::Sampled => "sampled",
            Self::NotSampled => "not_sampled",
            Self::Dropped => "dropped",
            Self::TooLarge => "too_large",
            Self::Undecided => "undecided",
        }
    }
}

/// Why a decision was made when it was made.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Because {
    /// `decision_wait` was over.
    Due,
    /// `decision_wait_after_root_received` was over.
    Root,
    /// There were `num_traces`.
    Traces,
    /// There was `max_memory_mib` of spans.
    Memory,
    /// The trace had `maximum_trace_spans`.
    Spans,
    /// The trace passed `maximum_trace_size_bytes`.
    Size,
    /// It was the end.
    Shutdown,
    /// A policy of `sampling_strategy: span-ingest` had its mind made up by the spans that came.
    Ingest,
    /// Spans came late and followed a decision of which nothing but its outcome is known any more.
    Late,
}

impl Because {
    /// All of them.
    pub const ALL: [Self; 9] = [
        Self::Due,
        Self::Root,
        Self::Traces,
        Self::Memory,
        Self::Spans,
        Self::Size,
        Self::Shutdown,
        Self::Ingest,
        Self::Late,
    ];

    /// Its word in questions and answers.
    pub fn word(self) -> &'static str {
        match self {
            Self::Due => "due",
            Self::Root => "root",
            Self::Traces => "num_traces",
            Self::Memory => "max_memory_mib",
            Self::Spans => "maximum_trace_spans",
            Self::Size => "maximum_trace_size_bytes",
            Self::Shutdown => "shutdown",
            Self::Ingest => "span_ingest",
            Self::Late => "late",
        }
    }
}

/// What a policy said, as a question's word.
pub const VOTES: [&str; 4] = ["sampled", "not_sampled", "dropped", "error"];

/// The vote of a policy that was not asked.
pub const NOT_ASKED: &str = "not_asked";

/// Which decisions somebody wants to know of.
#[derive(Clone, Debug, Default)]
pub struct Question {
    /// Those about this trace.
    pub trace_id: Option<[u8; 16]>,
    /// Those with this outcome.
    pub verdict: Option<Verdict>,
    /// Those that were made for this reason.
    pub because: Option<Because>,
    /// Those on which this policy, real or shadow, voted [`Self::vote`] or, without it, to keep or to drop.
    pub policy: Option<String>,
    /// Those on which a policy voted so; one of [`VOTES`].
    pub vote: Option<String>,
    /// Those on which the shadow policies would have decided differently.
    pub disagree: bool,
    /// So many at most, the latest ones.
    pub limit: usize,
}

/// What one component answers.
#[derive(Clone, Debug)]
pub struct Answer {
    /// Decisions, the latest first: how many milliseconds ago, and a JSON object.
    pub decisions: Vec<(u64, Value)>,
    /// How far back it remembers, and what else it knows of the trace, as a JSON object.
    pub memory: Value,
    /// Whether it knows anything of the trace that was asked for.
    pub known: bool,
}

type Explain = Arc<dyn Fn(&Question) -> Option<Answer> + Send + Sync>;

/// Who can be asked about decisions, by name. Cloning shares it.
#[derive(Clone, Default)]
pub struct Decisions(Arc<Mutex<BTreeMap<String, Explain>>>);

impl std::fmt::Debug for Decisions {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Decisions")
    }
}

impl Decisions {
    /// From now on `component` answers so, until it is gone and gives `None`; replaces one of the same name.
    pub fn answer_with(&self, component: &str, explain: impl Fn(&Question) -> Option<Answer> + Send + Sync + 'static) {
        let mut all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        all.insert(component.to_owned(), Arc::new(explain));
    }

    /// Asks everybody; answers by component.
    pub fn ask(&self, question: &Question) -> BTreeMap<String, Answer> {
        let all = self.0.lock().unwrap_or_else(PoisonError::into_inner).clone();
        all.into_iter().filter_map(|(component, explain)| Some((component, explain(question)?))).collect()
    }
}
