//! Inputs on which a plugin had accidents: answered at once for a while, so that a client that sends one poisoned batch
//! again and again, or a poisoned trace about which a sampler is asked again, does not burn an instance each time, and costs
//! its neighbours nothing.
//!
//! The first [`ACCIDENTS`] accidents on the same bytes are taken as they come. Then an input of these bytes fails without a
//! call for [`HOLD_MIN`]; when that is over one call is tried, and with each further accident the time doubles, up to
//! [`HOLD_MAX`]. A call that works ends it. [`INPUTS_MAX`] inputs are remembered, for [`MEMORY`] after they were last seen.
//!
//! An input is hashed only if one of the same size is remembered, so that good traffic pays for a comparison of lengths.

use super::error::Incident;
use crate::pdata::Batch;
use siphasher::sip128::{Hasher128 as _, SipHasher13};
use std::hash::Hasher as _;
use std::time::Duration;
use tailrace_columns::Traces;
use tokio::time::Instant;

/// Accidents on the same input before it is held.
const ACCIDENTS: u32 = 2;
const HOLD_MIN: Duration = Duration::from_secs(1);
const HOLD_MAX: Duration = Duration::from_secs(300);
/// Inputs that are remembered; the one not seen for longest makes room.
const INPUTS_MAX: usize = 64;
/// How long an input is remembered that does not come again.
const MEMORY: Duration = Duration::from_secs(900);

/// What a plugin is called with.
#[derive(Clone, Copy, Debug)]
pub(super) enum Input<'a> {
    /// A batch.
    Batch(&'a Batch),
    /// Traces about which a sampler is asked in one call.
    Traces(&'a Traces),
}

impl Input<'_> {
    /// In words.
    pub(super) fn what(&self) -> &'static str {
        match self {
            Self::Batch(_) => "this very batch",
            Self::Traces(_) => "these very traces",
        }
    }

    /// The greater part of its bytes: enough to tell most inputs apart without looking at them.
    fn bytes(&self) -> usize {
        match self {
            Self::Batch(batch) => batch.data().len(),
            Self::Traces(traces) => traces.ids.len() + traces.values.data.len() + traces.spans.len(),
        }
    }

    fn write(&self, hasher: &mut SipHasher13) {
        match self {
            Self::Batch(batch) => {
                hasher.write(batch.signal().as_str().as_bytes());
                hasher.write(batch.data());
            }
            Self::Traces(traces) => {
                let Traces { ids, span_counts, error_counts, starts, durations, sizes, last_calls, .. } = traces;
                let Traces { values, item_ends, span_ends, spans, .. } = traces;
                let numbers = [span_counts, error_counts, item_ends, span_ends];
                let shape = [&values.shape.resource_ends, &values.shape.scope_ends, &values.shape.metric_ends];
                let columns = [&values.owners, &values.keys, &values.ends, &values.name_ends];
                numbers.into_iter().chain(shape).chain(columns).flatten().for_each(|number| hasher.write_u32(*number));
                [starts, durations, sizes].into_iter().flatten().for_each(|number| hasher.write_u64(*number));
                let texts = [ids, last_calls, spans, &values.levels, &values.kinds, &values.data];
                texts.into_iter().for_each(|bytes| hasher.write(bytes));
                hasher.write(values.names.as_bytes());
            }
        }
    }
}

/// Inputs with accidents.
#[derive(Debug)]
pub(super) struct Quarantine {
    key: [u8; 16],
    inputs: Vec<Known>,
}

#[derive(Debug)]
struct Known {
    print: Print,
    accidents: u32,
    seen: Instant,
    held_until: Option<Instant>,
}

/// What tells an input from another.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Print {
    bytes: usize,
    hash: u128,
}

impl Default for Quarantine {
    fn default() -> Self {
        Self { key: fastrand::u128(..).to_le_bytes(), inputs: Vec::new() }
    }
}

impl Quarantine {
    /// How long calls with this input fail without being made, and how many accidents there were; or nothing.
    pub(super) fn held(&mut self, input: Input<'_>, now: Instant) -> Option<(Duration, u32)> {
        let at = self.find(input, now)?;
        let input = self.inputs.get_mut(at)?;
        input.seen = now;
        let until = input.held_until?;
        if let Some(rest) = until.checked_duration_since(now).filter(|rest| !rest.is_zero()) {
            return Some((rest, input.accidents));
        }
        // This one finds out whether it works by now; others wait for a moment.
        input.held_until = Some(now + HOLD_MIN);
        None
    }

    /// A call with this input ended in an accident; whether it was the first.
    pub(super) fn accident(&mut self, input: Input<'_>, incident: Incident, now: Instant) -> bool {
        if !incident.is_about_the_input() {
            return true;
        }
        let at = self.find(input, now).unwrap_or_else(|| {
            let print = self.print(input);
            self.remember(Known { print, accidents: 0, seen: now, held_until: None })
        });
        let Some(input) = self.inputs.get_mut(at) else { return true };
        input.accidents = input.accidents.saturating_add(1);
        input.seen = now;
        if let Some(further) = input.accidents.checked_sub(ACCIDENTS) {
            let hold = HOLD_MIN.saturating_mul(1 << further.min(10)).min(HOLD_MAX);
            input.held_until = Some(now + hold);
        }
        input.accidents == 1
    }

    /// A call with this input ended well.
    pub(super) fn good(&mut self, input: Input<'_>, now: Instant) {
        if let Some(at) = self.find(input, now) {
            self.inputs.swap_remove(at);
        }
    }

    /// Inputs that are held now.
    pub(super) fn count(&self, now: Instant) -> usize {
        self.inputs.iter().filter(|input| input.held_until.is_some_and(|until| until > now)).count()
    }

    /// Whether no input is remembered.
    pub(super) fn is_empty(&self) -> bool {
        self.inputs.is_empty()
    }

    fn find(&mut self, input: Input<'_>, now: Instant) -> Option<usize> {
        self.inputs.retain(|input| now.saturating_duration_since(input.seen) < MEMORY);
        let bytes = input.bytes();
        if !self.inputs.iter().any(|input| input.print.bytes == bytes) {
            return None;
        }
        let print = self.print(input);
        self.inputs.iter().position(|input| input.print == print)
    }

    fn print(&self, input: Input<'_>) -> Print {
        let mut hasher = SipHasher13::new_with_key(&self.key);
        input.write(&mut hasher);
        Print { bytes: input.bytes(), hash: hasher.finish128().as_u128() }
    }

    fn remember(&mut self, input: Known) -> usize {
        if self.inputs.len() >= INPUTS_MAX {
            let oldest = self.inputs.iter().enumerate().min_by_key(|(_, input)| input.seen);
            if let Some((at, _)) = oldest {
                self.inputs.swap_remove(at);
            }
        }
        self.inputs.push(input);
        self.inputs.len() - 1
    }
}

#[cfg(test)]
mod tests {
    use super::super::tests::batch;
    use super::Input::Batch;
    use super::*;

    /// The life of a poisoned batch whose sender does not give up, told by the number of calls in a day.
    #[tokio::test(start_paused = true)]
    async fn a_poisoned_batch_is_tried_less_and_less() {
        let (poison, other) = (batch(&[&[("victim", "poison")]]), batch(&[&[("victim", "poisoN")]]));
        let mut quarantine = Quarantine::default();
        let (mut calls, mut firsts) = (Vec::new(), 0);
        let start = Instant::now();
        for second in 0..3600 {
            let now = start + Duration::from_secs(second);
            if quarantine.held(Batch(&poison), now).is_none() {
                calls.push(second);
                firsts += u32::from(quarantine.accident(Batch(&poison), Incident::Trap, now));
            }
            assert_eq!(quarantine.held(Batch(&other), now), None, "one of the same size is another one");
        }
        assert_eq!(calls[..9], [0, 1, 2, 4, 8, 16, 32, 64, 128]);
        assert!(calls.windows(2).all(|pair| pair[1] - pair[0] <= 300), "{calls:?}");
        assert_eq!((calls.len(), firsts), (21, 1));
        let end = start + Duration::from_secs(3600);
        assert_eq!(quarantine.count(end), 1);
        quarantine.good(Batch(&poison), end);
        assert_eq!((quarantine.count(end), quarantine.held(Batch(&poison), end)), (0, None));
    }

    /// While one call finds out whether it works by now, others with the same bytes are not made; if nothing comes of it,
    /// because its sender went away, the next one may.
    #[tokio::test(start_paused = true)]
    async fn one_at_a_time() {
        let (poison, start) = (batch(&[&[("victim", "poison")]]), Instant::now());
        let mut quarantine = Quarantine::default();
        for _ in 0..ACCIDENTS {
            quarantine.accident(Batch(&poison), Incident::Timeout, start);
        }
        assert_eq!(quarantine.held(Batch(&poison), start), Some((HOLD_MIN, 2)));
        let later = start + HOLD_MIN;
        assert_eq!(quarantine.held(Batch(&poison), later), None);
        assert!(quarantine.held(Batch(&poison), later).is_some());
        assert_eq!(quarantine.held(Batch(&poison), later + HOLD_MIN), None);
    }

    /// What is remembered has a bound, and an end.
    #[tokio::test(start_paused = true)]
    async fn memory_is_bounded() {
        let mut quarantine = Quarantine::default();
        let start = Instant::now();
        for number in 0..3 * INPUTS_MAX {
            let input = batch(&[&[("victim", &format!("poison {number}"))]]);
            assert!(quarantine.accident(Batch(&input), Incident::Trap, start));
        }
        assert_eq!(quarantine.inputs.len(), INPUTS_MAX);
        // No instance, or a rest: that is not about the input.
        assert!(quarantine.accident(Batch(&batch(&[])), Incident::Start, start + MEMORY));
        assert_eq!(quarantine.held(Batch(&batch(&[])), start + MEMORY), None);
        quarantine.good(Batch(&batch(&[])), start + MEMORY);
        assert!(quarantine.is_empty());
    }
}
