//! A guest of the tests: it counts its batches in the attribute `victim`, and keeps the count when its instance is
//! replaced; or does with the state what its configuration says. As a sampler it tells the count of calls as the threshold.

use serde::Deserialize;
use tailrace_sdk::{Attributes, Decision, Edit, Failure, Group, Interest, Plugin, Sampler, Stateful, Trace};

/// What to do.
#[derive(Deserialize)]
struct Config {
    #[serde(rename = "do", default)]
    what: String,
    /// Bytes of state beside the count.
    #[serde(default)]
    size: usize,
}

struct Keeper {
    config: Config,
    batches: u64,
    saved: bool,
}

impl Plugin for Keeper {
    type Config = Config;

    fn new(config: Config) -> Result<Self, String> {
        Ok(Self { config, batches: 0, saved: false })
    }

    fn interest(&self) -> Interest {
        let interest = Interest::in_attributes(["victim"]);
        if self.config.what == "run in many" { interest } else { interest.in_one_instance() }
    }
}

impl Attributes for Keeper {
    fn group(&mut self, group: &mut Group<'_>) -> Result<(), Failure> {
        assert!(!self.saved, "a call after save");
        if !group.is_empty() {
            self.batches += 1;
        }
        if self.config.what == "work hard" {
            work_hard();
        }
        for at in 0..group.len() {
            group.edit(at, Edit::set(self.batches.to_string()));
        }
        Ok(())
    }
}

impl Sampler for Keeper {
    fn decide(&mut self, _trace: &Trace<'_>) -> Result<Decision, Failure> {
        assert!(!self.saved, "a call after save");
        self.batches += 1;
        if self.config.what == "work hard" {
            work_hard();
        }
        Ok(Decision::Sample(Some(self.batches)))
    }
}

impl Stateful for Keeper {
    #[expect(clippy::panic, reason = "that is what it is for")]
    fn save(&mut self) -> Vec<u8> {
        self.saved = true;
        match self.config.what.as_str() {
            "trap in save" => panic!("there is nothing to save"),
            "loop in save" => spin(),
            _ => {}
        }
        let mut state = self.batches.to_le_bytes().to_vec();
        state.resize(8 + self.config.size, 7);
        state
    }

    #[expect(clippy::panic, reason = "that is what it is for")]
    fn restore(&mut self, state: &[u8]) -> Result<(), String> {
        assert_eq!(self.batches, 0, "a batch before restore");
        let count = state.first_chunk().ok_or("the state is too short")?;
        self.batches = u64::from_le_bytes(*count);
        match self.config.what.as_str() {
            "refuse" => Err("this is not my state".to_owned()),
            "trap in restore" => panic!("there is nothing to restore"),
            "loop in restore" => spin(),
            _ => Ok(()),
        }
    }
}

/// Longer than it takes to be polled for the first time.
fn work_hard() {
    let mut turns = 0_u64;
    while std::hint::black_box(turns) < 3_000_000 {
        turns += 1;
    }
}

fn spin() -> ! {
    let mut turns = 0_u64;
    loop {
        turns = std::hint::black_box(turns.wrapping_add(1));
    }
}

tailrace_sdk::export!(Keeper: attributes, sampler, state);
