//! A search that can be stopped: Thompson's algorithm with captures, run a slice at a time.
//!
//! The engines of the `regex` crate are quicker and cannot be interrupted; with a large expression and a long text, both of
//! which a guest chooses, one of their searches takes minutes. Here a search says after so many steps that it is not done,
//! and the caller looks at the clock. It is used where a scan has found that there is something to find, so most texts
//! never come here.
//!
//! The meaning is that of the `regex` crate: the leftmost match, and of those the one that earlier alternatives prefer.

use regex_automata::nfa::thompson::{NFA, State};
use regex_automata::util::primitives::StateID;

/// No place.
const NOWHERE: u32 = u32::MAX;
/// Bytes that are skipped between two looks at the allowance.
const SKIP_BYTES: usize = 32 << 10;

/// An expression, ready to be searched for.
pub(super) struct Expression {
    nfa: NFA,
    /// The bytes with which a match can begin; `None` if it may be empty.
    first: Option<Box<[bool; 256]>>,
}

impl Expression {
    pub(super) fn new(nfa: NFA) -> Self {
        let first = first_bytes(&nfa);
        Self { nfa, first }
    }

    /// Names of the groups, group 0 first.
    pub(super) fn groups(&self) -> impl Iterator<Item = &str> {
        let groups = self.nfa.patterns().next().map(|pattern| self.nfa.group_info().pattern_names(pattern));
        groups.into_iter().flatten().map(Option::unwrap_or_default)
    }

    /// Slots for the places where groups begin and end.
    pub(super) fn slots(&self) -> usize {
        self.nfa.group_info().slot_len().max(2)
    }

    pub(super) fn states(&self) -> usize {
        self.nfa.states().len()
    }

    pub(super) fn memory_bytes(&self) -> usize {
        self.nfa.memory_usage() + size_of::<Self>() + 256
    }
}

/// The bytes with which a match can begin: those that lead on from any state that is reached without one.
fn first_bytes(nfa: &NFA) -> Option<Box<[bool; 256]>> {
    let (mut first, mut seen) = (Box::new([false; 256]), vec![false; nfa.states().len()]);
    let mut stack = vec![nfa.start_anchored()];
    while let Some(id) = stack.pop() {
        if std::mem::replace(seen.get_mut(id.as_usize())?, true) {
            continue;
        }
        match nfa.state(id) {
            State::ByteRange { trans } => mark(&mut first, trans.start, trans.end),
            State::Sparse(sparse) => {
                sparse.transitions.iter().for_each(|trans| mark(&mut first, trans.start, trans.end));
            }
            State::Dense(_) | State::Match { .. } => return None,
            State::Look { next, .. } | State::Capture { next, .. } => stack.push(*next),
            State::Union { alternates } => stack.extend(alternates.iter().copied()),
            State::BinaryUnion { alt1, alt2 } => stack.extend([*alt1, *alt2]),
            State::Fail => {}
        }
    }
    Some(first)
}

fn mark(first: &mut [bool; 256], start: u8, end: u8) {
    for byte in start..=end {
        if let Some(known) = first.get_mut(usize::from(byte)) {
            *known = true;
        }
    }
}

/// Memory of searches, kept from one to the next.
#[derive(Default)]
pub(super) struct Scratch {
    current: Threads,
    next: Threads,
    stack: Vec<Frame>,
    /// The slots of the thread that is being followed.
    slots: Vec<u32>,
    /// The slots of the best match so far.
    found: Vec<u32>,
}

/// States that are alive, those that are preferred first, each with its slots.
#[derive(Default)]
struct Threads {
    order: Vec<StateID>,
    place: Vec<u32>,
    slots: Vec<u32>,
}

enum Frame {
    Explore(StateID),
    Restore { slot: usize, value: u32 },
}

impl Threads {
    fn resize(&mut self, states: usize, stride: usize) {
        self.order.clear();
        self.place.resize(states.max(self.place.len()), 0);
        self.slots.resize((states * stride).max(self.slots.len()), NOWHERE);
    }

    /// Adds a state; false if it is there already. A place that was never written, or for another search, points to an
    /// entry that is not this state.
    fn insert(&mut self, id: StateID) -> bool {
        let Some(place) = self.place.get_mut(id.as_usize()) else { return false };
        if self.order.get(*place as usize) == Some(&id) {
            return false;
        }
        *place = self.order.len() as u32;
        self.order.push(id);
        true
    }

    fn slots(&mut self, id: StateID, stride: usize) -> &mut [u32] {
        let at = id.as_usize() * stride;
        self.slots.get_mut(at..at + stride).unwrap_or_default()
    }
}

/// One search.
pub(super) struct Search<'a> {
    expression: &'a Expression,
    text: &'a str,
    scratch: &'a mut Scratch,
    at: usize,
    stride: usize,
    /// Any match will do, wherever it ends.
    earliest: bool,
    matched: bool,
    steps: usize,
}

impl<'a> Search<'a> {
    /// From this place on.
    pub(super) fn new(expression: &'a Expression, text: &'a str, from: usize, scratch: &'a mut Scratch) -> Self {
        let mut search =
            Self { expression, text, scratch, at: from, stride: 2, earliest: false, matched: false, steps: 0 };
        search.prepare();
        search
    }

    /// Only whether there is a match.
    pub(super) fn earliest(mut self) -> Self {
        self.earliest = true;
        self
    }

    /// With all groups.
    pub(super) fn with_groups(mut self) -> Self {
        self.stride = self.expression.slots();
        self.prepare();
        self
    }

    fn prepare(&mut self) {
        let (states, scratch) = (self.expression.states(), &mut *self.scratch);
        scratch.current.resize(states, self.stride);
        scratch.next.resize(states, self.stride);
        scratch.found.clear();
        scratch.found.resize(self.stride, NOWHERE);
    }

    /// Goes on for about so many steps, each some nanoseconds; whether there is a match, as soon as that is known.
    pub(super) fn run(&mut self, allowance: usize) -> Option<bool> {
        let until = self.steps.saturating_add(allowance);
        let length = self.text.len();
        loop {
            if self.steps >= until {
                return None;
            }
            if self.scratch.current.order.is_empty() {
                if self.matched {
                    return Some(true);
                }
                if !self.skip() {
                    continue;
                }
            }
            if self.at > length {
                return Some(self.matched);
            }
            if !self.matched && self.text.is_char_boundary(self.at) {
                self.scratch.slots.clear();
                self.scratch.slots.resize(self.stride, NOWHERE);
                self.follow(self.expression.nfa.start_anchored(), self.at, true);
            }
            self.step();
            if self.matched && self.earliest {
                return Some(true);
            }
            self.at += 1;
            std::mem::swap(&mut self.scratch.current, &mut self.scratch.next);
            self.scratch.next.order.clear();
        }
    }

    /// Steps taken since the search began.
    pub(super) fn steps(&self) -> usize {
        self.steps
    }

    /// Where a group is, after a match.
    pub(super) fn group(&self, number: usize) -> Option<(u32, u32)> {
        let slot = |at: usize| self.scratch.found.get(at).copied().filter(|place| *place != NOWHERE);
        Some((slot(2 * number)?, slot(2 * number + 1)?))
    }

    /// Nothing is alive: on to where a match can begin. False if it has not come to such a place yet.
    fn skip(&mut self) -> bool {
        let Some(first) = &self.expression.first else { return true };
        let rest = self.text.as_bytes().get(self.at..).unwrap_or_default();
        let look = rest.get(..SKIP_BYTES.min(rest.len())).unwrap_or_default();
        let begins = |byte: &u8| first.get(usize::from(*byte)).copied().unwrap_or(true);
        let found = look.iter().position(begins);
        let skipped = found.unwrap_or(look.len());
        self.at += skipped;
        self.steps += 1 + skipped / 4;
        if found.is_none() && look.len() == rest.len() {
            // Nothing begins here any more; beyond the end the search is over.
            self.at = self.text.len() + 1;
        }
        found.is_some() || self.at > self.text.len()
    }

    /// Moves every thread over the byte at hand; at a match the threads that are less preferred end.
    fn step(&mut self) {
        let (bytes, at) = (self.text.as_bytes(), self.at);
        let mut current = std::mem::take(&mut self.scratch.current);
        for place in 0..current.order.len() {
            let Some(&id) = current.order.get(place) else { break };
            self.steps += 1;
            let next = match self.expression.nfa.state(id) {
                State::ByteRange { trans } if trans.matches(bytes, at) => Some(trans.next),
                State::Sparse(sparse) => sparse.matches(bytes, at),
                State::Dense(dense) => dense.matches(bytes, at),
                State::Match { .. } => {
                    self.matched = true;
                    self.scratch.found.copy_from_slice(current.slots(id, self.stride));
                    break;
                }
                _ => None,
            };
            if let Some(next) = next {
                self.scratch.slots.clear();
                self.scratch.slots.extend_from_slice(current.slots(id, self.stride));
                self.follow(next, at + 1, false);
            }
        }
        self.scratch.current = current;
    }

    /// Adds every state that is reached from this one without a byte.
    fn follow(&mut self, from: StateID, at: usize, into_current: bool) {
        let Scratch { current, next, stack, slots, .. } = &mut *self.scratch;
        let threads = if into_current { current } else { next };
        let nfa = &self.expression.nfa;
        stack.push(Frame::Explore(from));
        while let Some(frame) = stack.pop() {
            let mut id = match frame {
                Frame::Restore { slot, value } => {
                    if let Some(known) = slots.get_mut(slot) {
                        *known = value;
                    }
                    continue;
                }
                Frame::Explore(id) => id,
            };
            loop {
                self.steps += 1;
                if !threads.insert(id) {
                    break;
                }
                match nfa.state(id) {
                    State::Fail => break,
                    State::ByteRange { .. } | State::Sparse(_) | State::Dense(_) | State::Match { .. } => {
                        self.steps += self.stride / 8;
                        threads.slots(id, self.stride).copy_from_slice(slots);
                        break;
                    }
                    State::Look { look, next } => {
                        if !nfa.look_matcher().matches(*look, self.text.as_bytes(), at) {
                            break;
                        }
                        id = *next;
                    }
                    State::Union { alternates } => {
                        let Some((first, others)) = alternates.split_first() else { break };
                        stack.extend(others.iter().rev().map(|id| Frame::Explore(*id)));
                        id = *first;
                    }
                    State::BinaryUnion { alt1, alt2 } => {
                        stack.push(Frame::Explore(*alt2));
                        id = *alt1;
                    }
                    State::Capture { next, slot, .. } => {
                        let slot = slot.as_usize();
                        if let Some(known) = slots.get_mut(slot) {
                            stack.push(Frame::Restore { slot, value: *known });
                            *known = at as u32;
                        }
                        id = *next;
                    }
                }
            }
        }
    }
}
