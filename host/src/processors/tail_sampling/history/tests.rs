use super::super::roster::Voter;
use super::*;

fn id(trace: u64) -> [u8; 16] {
    (u128::from(trace) + 1).to_be_bytes()
}

fn hash(trace: u64) -> u64 {
    (trace + 1).wrapping_mul(0x9e37_79b9_7f4a_7c15)
}

fn roster(number: u32, policies: usize, shadow: usize) -> Arc<Roster> {
    let voters = |count: usize, kind: &str| {
        (0..count).map(|i| Voter { name: format!("{kind}{number}.{i}"), version: None }).collect()
    };
    Arc::new(Roster { number, policies: voters(policies, "p"), shadow: voters(shadow, "s"), plugins: Vec::new() })
}

/// Decides a trace: each policy votes as the number of the trace says.
fn put(history: &mut History, trace: u64, roster: &Arc<Roster>) {
    let mut votes = Ballot::default();
    (0..roster.voters()).for_each(|number| votes.put(number, vote_of(trace, number)));
    let facts =
        Facts { spans: trace as u32, errors: 1, start_ns: 5, end_ns: 12, bytes: 70, root: true, ..Facts::default() };
    let decided = Decided {
        hash: hash(trace),
        id: id(trace),
        facts: &facts,
        arrived_ms: trace * 10,
        verdict: Verdict::NotSampled,
        because: Because::Root,
        shadow: Some(Verdict::Sampled),
        votes: &votes,
    };
    history.put(&decided, roster, trace * 10 + 3);
}

fn vote_of(trace: u64, number: usize) -> Vote {
    if (trace as usize + number).is_multiple_of(3) { Vote::Sampled } else { Vote::NotSampled }
}

fn check(history: &History, trace: u64, roster: u32, voters: usize) {
    let about = history.about(hash(trace), &id(trace));
    assert_eq!(about.len(), 1, "trace {trace}");
    let Remembered { record, .. } = &about[0];
    assert_eq!((record.id, record.spans, record.decided_ms), (id(trace), trace as u32, trace * 10 + 3));
    assert_eq!((record.errors, record.duration_ns, record.bytes, record.held_ms, record.root), (1, 7, 70, 3, true));
    assert_eq!((about[0].roster.number, about[0].roster.voters()), (roster, voters));
    for number in 0..voters {
        assert_eq!(about[0].vote(number), Some(vote_of(trace, number)), "trace {trace}, voter {number}");
    }
    assert_eq!(about[0].vote(voters), None);
}

/// The last decisions are known with all that belongs to them, whatever was there before; older ones are forgotten.
#[test]
fn the_ring_turns() {
    let roster = roster(1, 25, 3);
    for size in [1, 2, 7, 64] {
        let mut history = History::new(size, 2);
        for trace in 0..300 {
            put(&mut history, trace, &roster);
            let oldest = (trace + 1).saturating_sub(size as u64);
            (oldest..=trace).for_each(|known| check(&history, known, 1, 28));
            if let Some(forgotten) = oldest.checked_sub(1) {
                assert!(history.about(hash(forgotten), &id(forgotten)).is_empty());
            }
            assert_eq!(
                (history.count() as u64, history.reaches_back_to()),
                (trace + 1 - oldest, Some(oldest * 10 + 3))
            );
            assert_eq!(history.is_whole(), oldest == 0);
        }
    }
}

/// Two ids with one hash do not take each other's place, and every decision about one trace is known.
#[test]
fn what_meets_in_the_index() {
    let mut history = History::new(10, 2);
    let roster = roster(1, 1, 0);
    let facts = Facts::default();
    let votes = Ballot::default();
    for step in 0..100_u64 {
        let (verdict, because) = (Verdict::Sampled, Because::Due);
        let decided = Decided {
            hash: 7,
            id: id(step % 3),
            facts: &facts,
            arrived_ms: 0,
            verdict,
            because,
            shadow: None,
            votes: &votes,
        };
        history.put(&decided, &roster, step);
        let known: Vec<u64> = history.about(7, &id(step % 3)).iter().map(|one| one.record.decided_ms).collect();
        let expected: Vec<u64> = (0..=step).rev().take(10).filter(|other| other % 3 == step % 3).collect();
        assert_eq!(known, expected);
    }
    assert!(history.about(7, &id(5)).is_empty() && history.about(u64::MAX, &id(1)).is_empty());
}

/// Late spans are counted at the latest decision about their trace. If that is forgotten they stand for themselves, once a trace.
#[test]
fn late_spans() {
    let mut history = History::new(3, 2);
    let roster = roster(1, 2, 0);
    (0..3).for_each(|trace| put(&mut history, trace, &roster));
    history.late(hash(1), id(1), 4, false, &roster, 1013);
    history.late(hash(1), id(1), 1, false, &roster, 2013);
    let record = history.about(hash(1), &id(1))[0].record;
    assert_eq!((record.late_spans, record.late_after_ms, history.count()), (5, 2000, 3));
    assert_eq!(history.about(hash(0), &id(0))[0].record.late_spans, 0);

    history.late(hash(9), id(9), 2, true, &roster, 3000);
    history.late(hash(9), id(9), 2, true, &roster, 3500);
    let about = history.about(hash(9), &id(9));
    assert_eq!((about.len(), about[0].vote(0)), (1, None), "nobody voted, and votes of an older record are not shown");
    let record = about[0].record;
    assert_eq!((record.verdict, record.because), (Verdict::Sampled, Because::Late));
    assert_eq!((record.spans, record.late_spans, record.late_after_ms), (0, 4, 500));
    assert!(history.about(hash(0), &id(0)).is_empty(), "it took the place of the oldest");
}

/// Policies come and go: each decision keeps the names of its own, more votes get room, and names to which nothing refers go.
#[test]
fn policies_change() {
    let mut history = History::new(50, 2);
    let rosters = [roster(1, 3, 0), roster(2, 40, 5), roster(3, 1, 1)];
    for trace in 0..120 {
        put(&mut history, trace, &rosters[trace as usize / 40]);
        for known in trace.saturating_sub(49)..=trace {
            let roster = &rosters[known as usize / 40];
            check(&history, known, roster.number, roster.voters());
        }
    }
    assert_eq!(history.rosters.len(), 2);
    assert_eq!(Arc::strong_count(&rosters[0]), 1);
    // Back and forth: none is lost, and the list does not grow with it.
    for trace in 120..1000 {
        put(&mut history, trace, &rosters[trace as usize % 2]);
    }
    for trace in 950..1000 {
        let roster = &rosters[trace as usize % 2];
        check(&history, trace, roster.number, roster.voters());
    }
    assert!(history.rosters.len() <= 50, "{}", history.rosters.len());
}

/// From the latest to the oldest in pages, while others are added.
#[test]
fn looking_back_in_pages() {
    let mut history = History::new(100, 2);
    let roster = roster(1, 2, 0);
    (0..130).for_each(|trace| put(&mut history, trace, &roster));
    let (mut seen, mut from, mut pages) = (Vec::new(), None, 0);
    loop {
        let on = history.look_back(from, 30, |look| seen.push(look.record().unwrap().spans));
        pages += 1;
        put(&mut history, 130 + pages, &roster);
        from = on;
        if from.is_none() {
            break;
        }
    }
    // Three decisions were forgotten while we looked.
    assert_eq!(seen, (33..130).rev().collect::<Vec<u32>>());
    assert_eq!(pages, 4);
    assert_eq!(history.look_back(Some(history.total.wrapping_sub(5000)), 30, |_| panic!("long forgotten")), None);
}

/// Sequence numbers begin again at 0 and nobody notices.
#[test]
fn numbers_wrap() {
    let mut history = History::new(20, 2);
    let roster = roster(1, 2, 0);
    history.total = u32::MAX - 30;
    for trace in 0..100 {
        put(&mut history, trace, &roster);
        (trace.saturating_sub(19)..=trace).for_each(|known| check(&history, known, 1, 2));
    }
}

/// Of size 0 it does nothing.
#[test]
fn off() {
    let mut history = History::new(0, 2);
    let roster = roster(1, 2, 0);
    put(&mut history, 1, &roster);
    history.late(hash(1), id(1), 4, false, &roster, 1013);
    assert!(history.about(hash(1), &id(1)).is_empty());
    assert_eq!(
        (history.count(), history.bytes(), history.reaches_back_to(), history.look_back(None, 9, |_| panic!())),
        (0, 0, None, None)
    );
}

/// What the docs say about memory.
#[test]
fn bytes_of_a_record() {
    let mut history = History::new(1000, 2);
    put(&mut history, 1, &roster(1, 18, 3));
    assert_eq!((size_of::<Record>(), history.bytes()), (72, 84_000));
    put(&mut history, 2, &roster(2, 19, 3));
    assert_eq!(history.bytes(), 92_000);
}
