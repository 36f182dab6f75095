//! The runs of a trace one behind the other.
//!
//! A trace knows its last run. Behind the last comes the second, which knows the one before it, the first; the first knows no other.

use super::super::segment::{Before, Run, RunRef};
use super::{Chain, Portion, Store};

impl Store {
    /// The first run of a chain.
    pub(super) fn first(&self, chain: Chain) -> RunRef {
        match self.run(chain.tail) {
            Some(only) if only.is_first() => chain.tail,
            Some(_) => match self.run(self.next(chain.tail)).map(|second| second.before) {
                Some(Before::Run(first)) => first,
                _ => RunRef::NONE,
            },
            None => RunRef::NONE,
        }
    }

    /// The run that came behind `run`, which is at `at`, if one did.
    pub(super) fn behind(&self, chain: Chain, at: RunRef, run: &Run) -> RunRef {
        match at {
            last if last == chain.tail => RunRef::NONE,
            _ if run.is_first() => self.next(chain.tail),
            _ => self.next(at),
        }
    }

    /// What is behind a run that is not the first.
    pub(super) fn next(&self, at: RunRef) -> RunRef {
        self.segment(at.slot()).and_then(|segment| segment.next(at.number())).unwrap_or(RunRef::NONE)
    }

    /// Another run comes behind one that is not the first.
    pub(super) fn set_next(&mut self, at: RunRef, next: RunRef) {
        if let Some(segment) = self.slots.get_mut(at.slot()).and_then(Option::as_mut) {
            segment.set_next(at.number(), next);
        }
    }

    /// Puts `at` behind the last run of a chain.
    pub(super) fn put_behind(&mut self, chain: &mut Chain, at: RunRef) {
        if let Some(last) = self.run(chain.tail) {
            // It is the second itself if there was only one.
            let second = if last.is_first() { at } else { self.next(chain.tail) };
            self.set_next(chain.tail, at);
            self.set_next(at, second);
        }
        chain.tail = at;
    }

    /// Lets go of runs, each after something was done with so many bytes of it.
    pub(super) fn let_go(
        &mut self,
        chain: &mut Chain,
        portion: &mut Portion,
        mut done: impl FnMut(&Self, RunRef, &Run) -> usize,
    ) {
        let mut at = self.first(*chain);
        let owner = self.run(at).map(|run| run.before);
        while !portion.is_empty()
            && let Some(run) = self.run(at)
        {
            portion.bytes = portion.bytes.saturating_sub(done(self, at, &run));
            portion.runs -= 1;
            let behind = self.behind(*chain, at, &run);
            self.kill(at, &run, true);
            at = behind;
        }
        if let Some(first) = self.run(at) {
            let second = self.behind(*chain, at, &first);
            self.edit(at, |first| first.before = owner.unwrap_or(first.before));
            if second != RunRef::NONE {
                self.set_next(chain.tail, second);
            }
        } else {
            *chain = Chain::default();
        }
    }
}
