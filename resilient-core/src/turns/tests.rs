//! Callers that come, wait, go away and are let in, in every order that proptest thinks of. They
//! are polled only when they were woken, so that a wake-up that is lost is a caller that is stuck.

use std::{
    collections::{BTreeSet, HashMap, VecDeque},
    future::Future,
    pin::Pin,
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, Ordering},
    },
    task::{Context, Poll, Wake, Waker},
};

use proptest::prelude::*;

use super::{Order, Table, TurnKeys, Want};

#[derive(Default)]
struct Woken(AtomicBool);

impl Wake for Woken {
    fn wake(self: Arc<Self>) {
        self.0.store(true, Ordering::SeqCst);
    }
}

/// Who is in, by key, and in which order they were let in.
#[derive(Default)]
struct Inside {
    by_key: HashMap<u64, usize>,
    order: Vec<usize>,
}

/// Takes its turns, stays for some polls, and leaves.
async fn caller(
    number: usize,
    table: Arc<Table>,
    keys: BTreeSet<u64>,
    stay: usize,
    inside: Arc<Mutex<Inside>>,
) {
    let wants = keys.iter().map(|key| Want {
        table: Arc::clone(&table),
        key: *key,
        writer: false,
    });
    let mut order = Order::new(TurnKeys::new(), wants.collect(), None);
    order.proceed();
    while let Some((met, _)) = order.met() {
        order.wait(met).await;
        order.proceed();
    }
    let held = order.done();
    let room = Room {
        number,
        keys: &keys,
        inside: &inside,
    };
    room.enter();
    for _ in 0..stay {
        yield_once().await;
    }
    drop(room);
    drop(held);
}

/// Being in, until it is dropped.
struct Room<'a> {
    number: usize,
    keys: &'a BTreeSet<u64>,
    inside: &'a Mutex<Inside>,
}

impl Room<'_> {
    fn enter(&self) {
        let mut inside = self.inside.lock().unwrap();
        for key in self.keys {
            let before = inside.by_key.insert(*key, self.number);
            assert_eq!(before, None, "two are in at once");
        }
        inside.order.push(self.number);
    }
}

impl Drop for Room<'_> {
    fn drop(&mut self) {
        let mut inside = self.inside.lock().unwrap();
        for key in self.keys {
            inside.by_key.remove(key);
        }
    }
}

async fn yield_once() {
    let mut yielded = false;
    std::future::poll_fn(|cx| {
        if std::mem::replace(&mut yielded, true) {
            return Poll::Ready(());
        }
        cx.waker().wake_by_ref();
        Poll::Pending
    })
    .await;
}

type Task = (Option<Pin<Box<dyn Future<Output = ()>>>>, Arc<Woken>);

/// Runs the callers; `steps` says which of those that are awake is polled next, or dropped.
/// Answers the order of their first polls, who ended by itself, and the order of entries.
fn run(
    callers: &[(BTreeSet<u64>, usize)],
    steps: &[(usize, bool)],
) -> (Vec<usize>, BTreeSet<usize>, Vec<usize>) {
    let table = Arc::new(Table::default());
    let inside = Arc::new(Mutex::new(Inside::default()));
    let mut tasks: Vec<Task> = Vec::new();
    for (number, (keys, stay)) in callers.iter().enumerate() {
        let (table, inside) = (Arc::clone(&table), Arc::clone(&inside));
        let future = caller(number, table, keys.clone(), *stay, inside);
        let woken = Arc::new(Woken(AtomicBool::new(true)));
        tasks.push((Some(Box::pin(future)), woken));
    }
    let (mut came, mut ended) = (Vec::new(), BTreeSet::new());
    let mut steps = steps.iter().copied().collect::<VecDeque<_>>();
    loop {
        let (choice, dropped) = steps.pop_front().unwrap_or((0, false));
        let alive: Vec<usize> = (0..tasks.len()).filter(|i| tasks[*i].0.is_some()).collect();
        if alive.is_empty() {
            break;
        }
        if dropped {
            // Any, also one that waits.
            tasks[alive[choice % alive.len()]].0 = None;
            continue;
        }
        let awake = |i: &&usize| tasks[**i].1.0.load(Ordering::SeqCst);
        let awake: Vec<usize> = alive.iter().filter(awake).copied().collect();
        assert!(!awake.is_empty(), "{alive:?} wait, and nobody wakes them");
        let at = awake[choice % awake.len()];
        let (task, woken) = &mut tasks[at];
        woken.0.store(false, Ordering::SeqCst);
        if !came.contains(&at) {
            came.push(at);
        }
        let waker = Waker::from(Arc::clone(woken));
        let polled = task
            .as_mut()
            .map(|task| task.as_mut().poll(&mut Context::from_waker(&waker)));
        if polled.is_some_and(|polled| polled.is_ready()) {
            *task = None;
            ended.insert(at);
        }
    }
    assert_eq!(table.len(), 0, "nothing is left in the table");
    let order = std::mem::take(&mut inside.lock().unwrap().order);
    (came, ended, order)
}

fn steps() -> impl Strategy<Value = Vec<(usize, bool)>> {
    prop::collection::vec((0..64_usize, prop::bool::weighted(0.1)), 0..200)
}

proptest! {
    #[test]
    fn one_at_a_time_by_key_and_nobody_is_forgotten(
        callers in prop::collection::vec((prop::collection::btree_set(0..5_u64, 1..4), 0..4_usize), 1..10),
        steps in steps(),
    ) {
        let dropped = steps.iter().filter(|(_, dropped)| *dropped).count();
        let (_, ended, entered) = run(&callers, &steps);
        prop_assert!(ended.len() + dropped >= callers.len());
        prop_assert!(ended.iter().all(|number| entered.contains(number)));
    }

    #[test]
    fn in_the_order_in_which_they_came(
        stays in prop::collection::vec(0..4_usize, 1..10),
        steps in steps(),
    ) {
        let callers: Vec<_> = stays.iter().map(|stay| (BTreeSet::from([7]), *stay)).collect();
        let (came, _, entered) = run(&callers, &steps);
        let expected: Vec<usize> = came.into_iter().filter(|i| entered.contains(i)).collect();
        prop_assert_eq!(entered, expected);
    }
}

#[test]
fn a_caller_dropped_after_any_poll_passes_its_turn_on() {
    let both = BTreeSet::from([1, 2]);
    let callers = [
        (BTreeSet::from([2]), 3),
        (both.clone(), 2),
        (both, 1),
        (BTreeSet::from([1]), 0),
    ];
    for at in 0..20 {
        for victim in 0..callers.len() {
            let mut steps: Vec<_> = (0..at).map(|n| (n, false)).collect();
            steps.push((victim, true));
            let (_, ended, _) = run(&callers, &steps);
            assert!(
                ended.len() >= callers.len() - 1,
                "{victim} after {at} polls"
            );
        }
    }
}

#[test]
fn a_crowd_leaves_no_memory_behind() {
    let table = Arc::new(Table::default());
    let visits: Vec<_> = (0..10_000).map(|key| table.come(key)).collect();
    assert_eq!(table.len(), 10_000);
    assert!(table.room() >= 10_000);
    drop(visits);
    assert_eq!(table.len(), 0);
    assert!(table.room() < 256, "{}", table.room());
}

#[test]
fn turns_are_free_while_nobody_else_names_the_key() {
    let table = Arc::new(Table::default());
    let first = table.come(1).try_enter(Some("first"));
    assert!(first.is_ok());
    let other = table.come(2).try_enter(None);
    assert!(other.is_ok());
    let Err(met) = table.come(1).try_enter(None) else {
        panic!("it is taken");
    };
    assert_eq!(met.holder()(), Some("first"));
    drop(first);
    assert!(met.try_enter(None).is_ok());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn threads_do_not_meet_inside() {
    let table = Arc::new(Table::default());
    let inside = Arc::new(Mutex::new(Inside::default()));
    let tasks: Vec<_> = (0..400_usize)
        .map(|number| {
            let keys = BTreeSet::from([number as u64 % 3, number as u64 % 5]);
            let (table, inside) = (Arc::clone(&table), Arc::clone(&inside));
            let stay = number % 4;
            let task = tokio::spawn(caller(number, table, keys, stay, inside));
            if number % 7 == 0 {
                task.abort();
            }
            task
        })
        .collect();
    for task in tasks {
        match task.await {
            Ok(()) => {}
            Err(error) => assert!(error.is_cancelled(), "{error}"),
        }
    }
    assert_eq!(table.len(), 0);
}
