//! Answers to `GET /tailsampling/why`: decisions as JSON.
//!
//! A shard's lock is held while [`PAGE`] decisions are looked at, then others have their turn; JSON is made outside of it.

use super::history::{Look, Record, Remembered};
use super::inner::{Inner, lock};
use super::policy::{Facts, Vote};
use super::roster::Voter;
use super::shard::Shard;
use crate::export::calendar::Utc;
use crate::telemetry::decisions::{Answer, Because, NOT_ASKED, Question, Verdict};
use serde_json::{Map, Value, json};
use std::sync::Mutex;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

/// Decisions that are looked at in one go.
const PAGE: usize = 1000;

/// What this processor says.
pub(super) fn answer(inner: &Inner, question: &Question) -> Answer {
    let clock = Clock { now_ms: inner.now_ms(), now: SystemTime::now() };
    let name = inner.context.place();
    let (mut remembered, mut about) = (Vec::new(), Map::new());
    match question.trace_id {
        Some(id) => {
            let found = inner.in_shard_of(&id, |shard, hash| {
                let (decided, waiting) = (shard.history().about(hash, &id), shard.waiting(hash, &id));
                let unknown = decided.is_empty() && waiting.is_none();
                let outcome = if unknown { shard.outcome(hash, clock.now_ms) } else { None };
                (decided, waiting, outcome)
            });
            let (decided, waiting, outcome) = found.unwrap_or_default();
            remembered = decided;
            if let Some((facts, arrived_ms, due_ms)) = waiting {
                let in_seconds = seconds(due_ms.saturating_sub(clock.now_ms));
                let mut waiting = json!({"since": clock.at(arrived_ms), "decision_in_seconds": in_seconds});
                put_evidence(&mut waiting, &facts.into());
                about.insert("undecided".to_owned(), waiting);
            }
            if let Some(kept) = outcome {
                let verdict = if kept { Verdict::Sampled } else { Verdict::NotSampled };
                about.insert("decided_before".to_owned(), verdict.word().into());
            }
        }
        None => inner.each_shard(|shard| latest(shard, question, &mut remembered)),
    }
    remembered.sort_by_key(|remembered| std::cmp::Reverse(remembered.record.decided_ms));
    remembered.truncate(question.limit);
    let decisions = remembered.iter().map(|remembered| {
        let ago_ms = clock.now_ms.saturating_sub(remembered.record.decided_ms);
        (ago_ms, decision(&name, remembered, &clock))
    });
    let decisions: Vec<(u64, Value)> = decisions.collect();
    let known = !decisions.is_empty() || !about.is_empty();
    about.insert("processor".to_owned(), name.clone().into());
    about.insert("decision_history".to_owned(), reach(inner, &clock));
    let roster = inner.roster();
    let names = |voters: &[Voter]| voters.iter().map(|voter| voter.name.as_str()).collect::<Vec<_>>().into();
    about.insert("policies_version".to_owned(), roster.number.into());
    about.insert("policies".to_owned(), names(&roster.policies));
    about.insert("shadow_policies".to_owned(), names(&roster.shadow));
    Answer { decisions, memory: Value::Object(about), known }
}

/// The latest decisions of a shard that are asked for.
fn latest(shard: &Mutex<Shard>, question: &Question, found: &mut Vec<Remembered>) {
    let most = found.len() + question.limit;
    let mut from = None;
    loop {
        let locked = lock(shard);
        let on = locked.history().look_back(from, PAGE, |look| {
            if found.len() < most && concerns(question, look) {
                found.extend(look.remember());
            }
        });
        drop(locked);
        from = on;
        if from.is_none() || found.len() >= most {
            return;
        }
    }
}

/// Whether a decision is asked for, as far as can be seen quickly.
fn concerns(question: &Question, look: Look<'_>) -> bool {
    let Some(record) = look.record() else { return false };
    let says = |vote: Option<Vote>| match (&question.vote, vote) {
        (Some(asked), Some(vote)) => asked == word(vote),
        (None, vote) => matches!(vote, Some(Vote::Sampled | Vote::Dropped)),
        (Some(_), None) => false,
    };
    let is_asked = |voter: &Voter| question.policy.as_ref().is_none_or(|name| *name == voter.name);
    let by_vote = question.policy.is_none() && question.vote.is_none()
        || look
            .roster()
            .is_some_and(|roster| roster.all().any(|(number, voter)| is_asked(voter) && says(look.vote(number))));
    question.verdict.is_none_or(|verdict| verdict == record.verdict)
        && question.because.is_none_or(|because| because == record.because)
        && (!question.disagree || agrees(record) == Some(false))
        && by_vote
}

/// Whether the shadow policies would have kept the trace as well, or would not have kept it either.
fn agrees(record: &Record) -> Option<bool> {
    record.shadow.map(|shadow| shadow.keeps() == record.verdict.keeps())
}

/// A decision for people and programs.
fn decision(processor: &str, remembered: &Remembered, clock: &Clock) -> Value {
    let Remembered { record, roster, .. } = remembered;
    let mut shown = json!({
        "trace_id": format!("{:032x}", u128::from_be_bytes(record.id)),
        "processor": processor,
        "outcome": record.verdict.word(),
        "because": record.because.word(),
        "decided_at": clock.at(record.decided_ms),
        "seconds_ago": seconds(clock.now_ms.saturating_sub(record.decided_ms)),
        "policies_version": roster.number,
        "late_spans": record.late_spans,
    });
    if record.late_spans > 0 {
        put(&mut shown, "last_late_after_seconds", seconds(record.late_after_ms.into()));
    }
    if record.because == Because::Late {
        return shown;
    }
    put(&mut shown, "held_seconds", seconds(record.held_ms.into()));
    let Record { spans, errors, bytes, duration_ns, root, .. } = *record;
    put_evidence(&mut shown, &Evidence { spans, errors, bytes, duration_ns, root });
    let first_shadow = roster.policies.len();
    put(&mut shown, "decided_by", decided_by(remembered, &roster.policies, 0));
    let votes_on_it = votes(remembered, &roster.policies, 0);
    // Nobody is asked about a trace that is too large, or when the policies had voted on its spans as they came.
    if votes_on_it.iter().any(|vote| vote.get("vote").is_some_and(|vote| vote != NOT_ASKED)) {
        put(&mut shown, "votes", votes_on_it);
    }
    if let Some(shadow) = record.shadow {
        let shadow = json!({
            "outcome": shadow.word(),
            "decided_by": decided_by(remembered, &roster.shadow, first_shadow),
            "agrees": agrees(record),
            "votes": votes(remembered, &roster.shadow, first_shadow),
        });
        put(&mut shown, "shadow", shadow);
    }
    shown
}

/// Who vetoed or, if nobody did, who was the first to keep it: policies are asked in the order in which they stand.
fn decided_by(remembered: &Remembered, voters: &[Voter], first: usize) -> Option<String> {
    let whose = |vote| (0..voters.len()).find(|number| remembered.vote(first + number) == Some(vote));
    let number = whose(Vote::Dropped).or_else(|| whose(Vote::Sampled))?;
    voters.get(number).map(|voter| voter.name.clone())
}

fn votes(remembered: &Remembered, voters: &[Voter], first: usize) -> Vec<Value> {
    let voted = |(number, voter): (usize, &Voter)| {
        let vote = remembered.vote(first + number).map_or(NOT_ASKED, word);
        let mut shown = json!({"policy": voter.name, "vote": vote});
        if let Some(version) = &voter.version {
            put(&mut shown, "version", version.as_str());
        }
        shown
    };
    voters.iter().enumerate().map(voted).collect()
}

/// What was known of the spans.
struct Evidence {
    spans: u32,
    errors: u32,
    bytes: u64,
    duration_ns: u64,
    root: bool,
}

impl From<Facts> for Evidence {
    fn from(facts: Facts) -> Self {
        let Facts { spans, errors, bytes, root, .. } = facts;
        Self { spans, errors, bytes, duration_ns: facts.end_ns.saturating_sub(facts.start_ns), root }
    }
}

fn put_evidence(shown: &mut Value, evidence: &Evidence) {
    put(shown, "spans", evidence.spans);
    put(shown, "errors", evidence.errors);
    put(shown, "root_span", evidence.root);
    put(shown, "duration_seconds", evidence.duration_ns as f64 / 1e9);
    put(shown, "bytes", evidence.bytes);
}

/// How far back the processor remembers.
fn reach(inner: &Inner, clock: &Clock) -> Value {
    let (mut size, mut decisions, mut bytes, mut since) = (0, 0, 0, 0);
    inner.each_shard(|shard| {
        let locked = lock(shard);
        let history = locked.history();
        size += history.size();
        decisions += history.count();
        bytes += history.bytes();
        // A shard that has not forgotten anything reaches back to the start.
        let oldest = history.reaches_back_to().filter(|_| !history.is_whole());
        since = since.max(oldest.unwrap_or(0));
    });
    json!({
        "size": size,
        "decisions": decisions,
        "bytes": bytes,
        "complete_since": clock.at(since),
        "reaches_back_seconds": seconds(clock.now_ms.saturating_sub(since)),
    })
}

/// Turns times of the processor's clock into those of the wall.
struct Clock {
    now_ms: u64,
    now: SystemTime,
}

impl Clock {
    fn at(&self, ms: u64) -> String {
        let ago = Duration::from_millis(self.now_ms.saturating_sub(ms));
        let at = self.now.checked_sub(ago).unwrap_or(UNIX_EPOCH);
        Utc::from_unix(at.duration_since(UNIX_EPOCH).unwrap_or_default()).rfc3339()
    }
}

fn put(shown: &mut Value, key: &str, value: impl Into<Value>) {
    if let Some(shown) = shown.as_object_mut() {
        shown.insert(key.to_owned(), value.into());
    }
}

fn seconds(ms: u64) -> f64 {
    ms as f64 / 1e3
}

/// The word of a vote, one of those that questions know.
fn word(vote: Vote) -> &'static str {
    match vote {
        Vote::Sampled => "sampled",
        Vote::NotSampled => "not_sampled",
        Vote::Dropped => "dropped",
        Vote::Error => "error",
    }
}
