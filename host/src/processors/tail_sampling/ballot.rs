//! The votes on one trace, packed: three bits each, 21 to a word.

use super::policy::Vote;

/// Votes of a word.
const PER_WORD: usize = 21;
/// Bits of a vote. All zero is a policy that was not asked.
const BITS: usize = 3;

/// How many words so many votes take.
pub fn words_for(votes: usize) -> usize {
    votes.div_ceil(PER_WORD)
}

/// Votes as they come in: first those of the real policies, in the order in which they are asked, then those of shadow ones.
#[derive(Debug, Default)]
pub struct Ballot(Vec<u64>);

impl Ballot {
    /// Starts afresh. The memory stays.
    pub fn clear(&mut self) {
        self.0.clear();
    }

    /// Policy `number` voted so.
    pub fn put(&mut self, number: usize, vote: Vote) {
        let (word, shift) = place(number);
        if self.0.len() <= word {
            self.0.resize(word + 1, 0);
        }
        if let Some(word) = self.0.get_mut(word) {
            *word = *word & !(7 << shift) | code(vote) << shift;
        }
    }

    /// All of them, packed.
    pub fn words(&self) -> &[u64] {
        &self.0
    }
}

/// What policy `number` voted; `None` if it was not asked.
pub fn vote(words: &[u64], number: usize) -> Option<Vote> {
    let (word, shift) = place(number);
    match words.get(word)? >> shift & 7 {
        1 => Some(Vote::Sampled),
        2 => Some(Vote::NotSampled),
        3 => Some(Vote::Dropped),
        4 => Some(Vote::Error),
        _ => None,
    }
}

fn code(vote: Vote) -> u64 {
    match vote {
        Vote::Sampled => 1,
        Vote::NotSampled => 2,
        Vote::Dropped => 3,
        Vote::Error => 4,
    }
}

fn place(number: usize) -> (usize, usize) {
    (number / PER_WORD, number % PER_WORD * BITS)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What was put in comes out, over the borders of words; the rest was not asked; a second vote replaces the first.
    #[test]
    fn votes_come_out_as_they_went_in() {
        let all = [Vote::Sampled, Vote::NotSampled, Vote::Dropped, Vote::Error];
        let mut ballot = Ballot::default();
        for round in 0..2 {
            ballot.clear();
            for number in (0..100).filter(|number| number % 3 != 1) {
                ballot.put(number, Vote::Sampled);
                ballot.put(number, all[(number + round) % 4]);
            }
            for number in 0..200 {
                let expected = (number < 100 && number % 3 != 1).then(|| all[(number + round) % 4]);
                assert_eq!(vote(ballot.words(), number), expected, "{number}");
            }
        }
        assert_eq!((words_for(0), words_for(21), words_for(22), ballot.words().len()), (0, 1, 2, 5));
    }
}
