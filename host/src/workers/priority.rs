//! How the system shares the processors among our threads: whoever moves data goes first, and in short turns.
//!
//! Elsewhere than on Linux a priority would be the whole process's, and all threads stay as they are. What the system
//! refuses is left as it was: a priority makes neighbours quicker, and nothing depends on it.

/// The place of a thread among others.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Priority {
    /// It computes little at a time, and somebody waits for it: its turns are so short that when it wakes up it need not wait for the
    /// end of anybody else's turn, as far as it has not had its share (Linux 6.12; a millisecond or two before that).
    Short,
    /// Its share is a tenth of a worker's, in turns of 0.2 ms: whoever has had its share waits for the end of a turn, and a usual one
    /// takes milliseconds.
    Less,
    /// The same, but where there is work for all no more than a sixtieth of a processor is left for it.
    Low,
    /// It gets the processor time that nobody else wants, and whoever wakes up takes the processor from it at once.
    Idle,
}

/// Gives this thread its place, and those that it starts from now on.
#[cfg(target_os = "linux")]
pub(crate) fn take_place(place: Priority) {
    /// The least that the kernel knows, and a little more.
    const SHORT_NANOS: u64 = 100_000;
    const NANOS: u64 = 200_000;
    const LOWER: i32 = 10;
    const LOWEST: i32 = 19;

    let niceness = rustix::process::getpriority_process(None).unwrap_or(0);
    match place {
        // Whatever kind of scheduling the operator has chosen for the process remains.
        Priority::Short => schedule(libc::SCHED_OTHER, libc::SCHED_FLAG_KEEP_POLICY, niceness, SHORT_NANOS),
        Priority::Less => schedule(libc::SCHED_OTHER, 0, niceness.max(LOWER), NANOS),
        Priority::Low => schedule(libc::SCHED_OTHER, 0, LOWEST, NANOS),
        Priority::Idle => {
            // Where the one is not allowed, the other remains.
            let _ = rustix::process::setpriority_process(None, LOWEST);
            schedule(libc::SCHED_IDLE, 0, LOWEST, 0);
        }
    }
}

#[cfg(not(target_os = "linux"))]
pub(crate) fn take_place(_: Priority) {}

/// Calls `sched_setattr(2)` for this thread. A turn of 0 is the kernel's own default.
#[cfg(target_os = "linux")]
#[expect(unsafe_code, reason = "no safe wrapper of this system call sets the length of a turn")]
fn schedule(policy: i32, flags: i32, niceness: i32, turn_nanos: u64) {
    let attributes = libc::sched_attr {
        size: size_of::<libc::sched_attr>() as u32,
        sched_policy: policy.unsigned_abs(),
        sched_flags: u64::from(flags.unsigned_abs()),
        sched_nice: niceness,
        sched_priority: 0,
        sched_runtime: turn_nanos,
        sched_deadline: 0,
        sched_period: 0,
    };
    let (this_thread, no_flags) = (0, 0);
    // SAFETY: the kernel reads `size` bytes of the attributes, which live until it returns, and writes nothing.
    let _ = unsafe { libc::syscall(libc::SYS_sched_setattr, this_thread, &raw const attributes, no_flags) };
}

#[cfg(test)]
#[cfg(target_os = "linux")]
mod tests {
    use super::*;

    /// Policy, niceness and length of a turn of this thread, as the kernel says.
    fn place() -> (u32, i32, Option<u64>) {
        let read = std::fs::read_to_string("/proc/thread-self/sched").unwrap_or_default();
        let field = |name: &str| {
            let line = read.lines().find(|line| line.split(':').next().is_some_and(|key| key.trim() == name))?;
            line.rsplit(':').next()?.trim().parse::<u64>().ok()
        };
        let niceness = rustix::process::getpriority_process(None).unwrap();
        (field("policy").unwrap_or_default() as u32, niceness, field("se.slice"))
    }

    /// On a thread of its own, as nothing here can be taken back.
    fn placed(places: &'static [Priority]) -> (u32, i32, Option<u64>) {
        let thread = std::thread::spawn(|| {
            places.iter().for_each(|at| take_place(*at));
            place()
        });
        thread.join().unwrap()
    }

    #[test]
    fn the_kernel_knows() {
        let before = place();
        let short = placed(&[Priority::Short]);
        assert_eq!((short.0, short.1), (before.0, before.1), "nothing but the turn");
        // Older kernels do not say it, and do not know it.
        let is = |turn, nanos| turn == Some(nanos) || turn == before.2;
        assert!(is(short.2, 100_000), "{short:?}");
        let (less, low) = (&[Priority::Short, Priority::Less], &[Priority::Short, Priority::Low]);
        for (places, niceness) in [(less, before.1.max(10)), (low, 19)] {
            let is_at = placed(places);
            assert_eq!(is_at.1, niceness);
            assert!(is(is_at.2, 200_000), "{is_at:?}");
        }
        let idle = placed(&[Priority::Idle]);
        assert_eq!(idle.1, 19);
        if before.2.is_some() {
            assert_eq!(idle.0, libc::SCHED_IDLE.unsigned_abs());
        }
    }
}
