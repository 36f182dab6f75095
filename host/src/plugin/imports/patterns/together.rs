//! All expressions of a set as one program, put together from those that were compiled one by one: a copy of them side by
//! side. To compile them all again would take ten times as long, in one piece.

use super::Refused;
use super::expression::unfit;
use regex_automata::nfa::thompson::{BuildError, Builder, NFA, State, Transition};
use regex_automata::util::primitives::StateID;

/// Programs side by side.
pub(super) struct Together {
    builder: Builder,
    states: usize,
    starts: Vec<StateID>,
    /// Whether all of them can only match at the beginning of a text.
    is_anchored: bool,
}

impl Together {
    /// Nothing yet; and no more than so many bytes in the end.
    pub(super) fn new(bytes: usize) -> Result<Self, Refused> {
        let mut builder = Builder::new();
        builder.set_utf8(true);
        builder.set_size_limit(Some(bytes)).map_err(|error| unfit("the set", &error))?;
        Ok(Self { builder, states: 0, starts: Vec::new(), is_anchored: true })
    }

    /// Another one, without its groups.
    pub(super) fn add(&mut self, nfa: &NFA, is_anchored: bool) -> Result<(), Refused> {
        self.is_anchored &= is_anchored;
        self.copy(nfa).map_err(|error| unfit("up to here the set", &error))
    }

    fn copy(&mut self, nfa: &NFA) -> Result<(), Box<BuildError>> {
        let (builder, first) = (&mut self.builder, self.states);
        // What does not fit into an id does not fit into the limit either.
        let at = |id: StateID| StateID::new(first + id.as_usize()).unwrap_or(StateID::MAX);
        let moved = |one: &Transition| Transition { start: one.start, end: one.end, next: at(one.next) };
        builder.start_pattern()?;
        for state in nfa.states() {
            match state {
                State::ByteRange { trans } => builder.add_range(moved(trans)),
                State::Sparse(sparse) => builder.add_sparse(sparse.transitions.iter().map(moved).collect()),
                State::Dense(dense) => {
                    let one = |byte| Some(Transition { start: byte, end: byte, next: at(dense.matches_byte(byte)?) });
                    builder.add_sparse((0..=u8::MAX).filter_map(one).collect())
                }
                State::Look { look, next } => builder.add_look(at(*next), *look),
                State::Union { alternates } => builder.add_union(alternates.iter().copied().map(at).collect()),
                State::BinaryUnion { alt1, alt2 } => builder.add_union(vec![at(*alt1), at(*alt2)]),
                State::Capture { next, .. } => {
                    let empty = builder.add_empty()?;
                    builder.patch(empty, at(*next))?;
                    Ok(empty)
                }
                State::Fail => builder.add_fail(),
                State::Match { .. } => builder.add_match(),
            }?;
            self.states += 1;
        }
        let start = at(nfa.start_anchored());
        self.starts.push(start);
        builder.finish_pattern(start)?;
        Ok(())
    }

    /// The program.
    pub(super) fn build(self) -> Result<NFA, Refused> {
        self.finish().map_err(|error| unfit("the set", &error))
    }

    fn finish(mut self) -> Result<NFA, Box<BuildError>> {
        let builder = &mut self.builder;
        let start = builder.add_union(self.starts)?;
        if self.is_anchored {
            return Ok(builder.build(start, start)?);
        }
        // Anything may come before a match.
        let anywhere = builder.add_union(Vec::new())?;
        let skip = builder.add_range(Transition { start: 0, end: u8::MAX, next: anywhere })?;
        builder.patch(anywhere, start)?;
        builder.patch(anywhere, skip)?;
        Ok(builder.build(start, anywhere)?)
    }
}
