//! Where work goes on, seen from inside it.

use super::super::Workers;
use super::habit::FORGOTTEN_AFTER;
use super::*;

fn thread() -> String {
    std::thread::current().name().unwrap_or_default().to_owned()
}

/// Computes for a while, yields, and says on which threads it was.
async fn compute(time: Duration) -> Vec<String> {
    let mut seen = vec![thread()];
    for _ in 0..3 {
        let start = processor_time();
        while processor_time() - start < time {}
        tokio::task::yield_now().await;
        seen.push(thread());
    }
    seen
}

/// Does the work politely on a worker, and waits for it.
fn go<T: Send + 'static>(workers: &Workers, habit: &Arc<Habit>, work: impl Future<Output = T> + Send + 'static) -> T {
    let habit = Arc::clone(habit);
    let (tell, told) = std::sync::mpsc::channel();
    workers.spawn(async move { tell.send(polite(&habit, Box::pin(work)).await) });
    told.recv().unwrap()
}

fn trusted() -> Arc<Habit> {
    Arc::new(Habit::trusted())
}

/// Says on which thread it was dropped.
struct Dropped(std::sync::mpsc::Sender<String>);

impl Drop for Dropped {
    fn drop(&mut self) {
        let _ = self.0.send(thread());
    }
}

/// Quick work does not leave its worker; slow work does, and begins in the lane the next time, until it was quick often
/// enough.
#[test]
fn slow_work_gives_way() {
    let (workers, threads) = Workers::start(1).unwrap();
    let habit = trusted();
    let go_as = |habit: &Arc<Habit>, time| go(&workers, habit, compute(time));
    let go = |time| go_as(&habit, time);
    let (quick, slow) = (Duration::ZERO, 2 * SLOW);
    // A habit of its own: on a busy machine what is quick may take long.
    assert_eq!(go_as(&trusted(), quick)[0], "worker-0");
    let moved = go(slow);
    assert_eq!((moved[0].as_str(), moved.last().unwrap().as_str()), ("worker-0", "slow-0"));
    assert!(go(quick).iter().all(|thread| thread == "slow-0"), "what was slow begins in the lane");
    (0..FORGOTTEN_AFTER).for_each(|_| habit.was_quick());
    habit.was_quick();
    assert_eq!(go(quick)[0], "worker-0", "it is trusted again");
    threads.stop();
}

/// What does not end goes on in the idle lane, and begins there the next time; also if that one is only slow.
#[test]
fn endless_work_is_idle() {
    let (workers, threads) = Workers::start(1).unwrap();
    let habit = trusted();
    habit.suspect();
    let go = |time| go(&workers, &habit, compute(time));
    assert_eq!(go(ENDLESS / 2), ["worker-0", "slow-0", "idle-0", "idle-0"]);
    assert_eq!(go(2 * SLOW), ["idle-0"; 4]);
    (0..FORGOTTEN_AFTER).for_each(|_| habit.was_quick());
    assert_eq!(go(2 * SLOW), ["slow-0"; 4]);
    threads.stop();
}

/// What says that it is going to compute for long is moved before it begins, also the first time, and is not moved again.
#[test]
fn some_work_leaves_at_once() {
    let (workers, threads) = Workers::start(1).unwrap();
    let work = async {
        let before = thread();
        leave_worker().await;
        let after = thread();
        leave_worker().await;
        [before, after, thread()]
    };
    assert_eq!(go(&workers, &trusted(), work), ["worker-0", "slow-0", "slow-0"]);
    threads.stop();
}

/// A thread that waited for its processor did not compute: neither on a worker, nor in the lane, where it waits for all
/// others, is that a reason to send work into the lane.
#[test]
fn waiting_for_a_processor_is_no_habit() {
    let (workers, threads) = Workers::start(1).unwrap();
    let habit = trusted();
    let waits = || async {
        for _ in 0..3 {
            std::thread::sleep(2 * SLOW);
            tokio::task::yield_now().await;
        }
        thread()
    };
    let go = || go(&workers, &habit, waits());
    assert!(!habit.is_suspected());
    assert_eq!((go().as_str(), habit.is_suspected(), habit.is_slow()), ("worker-0", true, false));
    assert_eq!((go().as_str(), habit.is_slow()), ("worker-0", false));
    habit.was_quick();
    assert!(!habit.is_suspected());

    habit.did_much();
    assert_eq!(go().as_str(), "worker-0", "once is no habit");
    (0..2).for_each(|_| habit.did_much());
    assert_eq!(go(), "slow-0");
    (0..FORGOTTEN_AFTER - 1).for_each(|_| habit.was_quick());
    assert_eq!(go(), "slow-0");
    habit.was_quick();
    assert_eq!(go(), "worker-0", "it did not begin anew in the lane");
    threads.stop();
}

/// Work whose owner is gone is given up, wherever it is; a panic is its owner's.
#[test]
fn owners() {
    let (workers, threads) = Workers::start(1).unwrap();
    let habit = Arc::<Habit>::default();
    (0..2).for_each(|_| habit.did_much());
    let (tell, told) = std::sync::mpsc::channel();
    let (begun, began) = std::sync::mpsc::channel();
    let gone = Dropped(tell);
    let for_ever = async move {
        let _gone = gone;
        begun.send(thread()).unwrap();
        std::future::pending::<()>().await;
    };
    let shared = Arc::clone(&habit);
    let owner = workers.spawn(async move { polite(&shared, Box::pin(for_ever)).await });
    assert_eq!(began.recv().unwrap(), "slow-0");
    owner.abort();
    told.recv().unwrap();

    let (tell, told) = std::sync::mpsc::channel();
    let dropped = Dropped(tell.clone());
    workers.spawn(async move { drop_aside(dropped) });
    assert_eq!(told.recv().unwrap(), "slow-0");
    let dropped = Dropped(tell.clone());
    workers.spawn(async move { drop_in_bulk(dropped) });
    assert_eq!(told.recv().unwrap(), "bulk-0");
    drop_aside(Dropped(tell.clone()));
    drop_in_bulk(Dropped(tell));
    assert_eq!([told.recv().unwrap(), told.recv().unwrap()], [thread(), thread()], "where there is no lane");

    let (tell, told) = std::sync::mpsc::channel();
    let panics = workers.spawn(async move { polite(&habit, Box::pin(async { panic!("as it was told") })).await });
    workers.spawn(async move { tell.send(panics.await.unwrap_err().is_panic()) });
    assert!(told.recv().unwrap());
    threads.stop();
}

/// Where there is no worker nothing is moved.
#[tokio::test(start_paused = true)]
async fn no_lane_without_workers() {
    let habit = Arc::<Habit>::default();
    let seen = polite(&habit, Box::pin(compute(2 * SLOW))).await;
    assert!(seen.iter().all(|name| *name == thread()), "{seen:?}");
}
