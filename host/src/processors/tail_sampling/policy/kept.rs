//! State of policies that outlives a change of the configuration: a limiter that has given away its tokens does not get new ones
//! because something else was changed.

use std::any::Any;
use std::fmt::Debug;
use std::sync::Arc;

/// The state of each policy that keeps some.
#[derive(Clone, Default)]
pub struct Kept {
    states: Vec<State>,
    /// Those of the policies before, as long as nobody has taken them over.
    before: Vec<State>,
}

#[derive(Clone)]
struct State {
    /// Name of the policy, behind those of the policies that it is part of, and its settings.
    of: String,
    state: Arc<dyn Any + Send + Sync>,
}

impl Kept {
    /// For policies that follow on those of `before`.
    pub fn after(before: &Self) -> Self {
        Self { states: Vec::new(), before: before.states.clone() }
    }

    /// The state of the policy before that had this name and these settings; a new one if there was none.
    pub fn keep<T: Any + Send + Sync>(&mut self, name: &str, settings: &dyn Debug, make: impl FnOnce() -> T) -> Arc<T> {
        let of = format!("{name}: {settings:?}");
        let same = |state: &State| state.of == of && state.state.is::<T>();
        let before = self.before.iter().position(same).map(|at| self.before.swap_remove(at).state);
        let state = before.and_then(|state| state.downcast().ok()).unwrap_or_else(|| Arc::new(make()));
        self.states.push(State { of, state: Arc::clone(&state) as _ });
        state
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Same name and settings, or something new; two policies do not share one.
    #[test]
    fn what_is_taken_over() {
        let mut first = Kept::default();
        let states = [("a", 1), ("a", 1), ("b", 1)].map(|(name, rate)| first.keep(name, &rate, || 0_u8));
        let mut second = Kept::after(&first);
        let again = [("b", 1), ("a", 1), ("a", 2)].map(|(name, rate)| second.keep(name, &rate, || 0_u8));
        assert!(Arc::ptr_eq(&again[0], &states[2]) && Arc::ptr_eq(&again[1], &states[0]));
        assert!(states.iter().all(|old| !Arc::ptr_eq(old, &again[2])), "other settings");
        let other = second.keep("a", &1, || 0_u8);
        assert!(Arc::ptr_eq(&other, &states[1]), "the second of the same name");
        assert!(Arc::strong_count(&second.keep("a", &1, || 0_u8)) == 2, "no third");
        assert_eq!(*Kept::after(&second).keep("b", &1, || 7_u16), 7, "another kind of state");
    }
}
