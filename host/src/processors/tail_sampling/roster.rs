//! Who decided: names and versions of the policies, under a number that grows with every change of either.
//!
//! Decisions that are remembered refer to a roster, and keep it for as long as they are.

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering::Relaxed};

/// Somebody who votes.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Voter {
    /// Its name in the configuration.
    pub name: String,
    /// Which plugins it runs: they can change while the policy stays.
    pub version: Option<String>,
}

/// The policies between two changes.
#[derive(Clone, Debug, Default)]
pub struct Roster {
    /// From 1, in the order of time.
    pub number: u32,
    /// The policies in the order in which they are asked.
    pub policies: Vec<Voter>,
    /// The shadow policies.
    pub shadow: Vec<Voter>,
    /// Which version each plugin runs, in the order in which they are asked.
    pub plugins: Vec<u64>,
}

impl Roster {
    /// How many can vote. Real ones come first in a [`Ballot`](super::ballot::Ballot).
    pub fn voters(&self) -> usize {
        self.policies.len() + self.shadow.len()
    }

    /// Number in the ballot and voter: the real policies, and the shadow ones.
    pub fn all(&self) -> impl Iterator<Item = (usize, &Voter)> {
        self.policies.iter().chain(&self.shadow).enumerate()
    }
}

/// Gives out numbers. Cloning shares it.
#[derive(Clone, Debug, Default)]
pub struct Numbers(Arc<AtomicU32>);

impl Numbers {
    /// The next one.
    pub fn next(&self) -> u32 {
        self.0.fetch_add(1, Relaxed).wrapping_add(1)
    }
}
