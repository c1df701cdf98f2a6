//! The gate: in order, never over its limit, and nothing is lost by those who give up.

use std::{
    future::Future,
    pin::Pin,
    task::{Context, Poll, Waker},
};

use proptest::prelude::*;

use super::*;
use crate::time::TokioClock;

type Entering = Pin<Box<dyn Future<Output = Permit>>>;

fn gate(limit: usize) -> Arc<Gate> {
    let gate = Arc::new(Gate::new(Arc::new(TokioClock)));
    restrict(&gate, limit);
    gate
}

fn restrict(gate: &Gate, limit: usize) {
    let mut state = gate.state();
    state.limit = Limit::fixed(limit, gate.clock.now());
    gate.fit(&mut state, 0);
}

fn enter(gate: &Arc<Gate>) -> Entering {
    let gate = Arc::clone(gate);
    Box::pin(async move { gate.enter().await })
}

fn poll(entering: &mut Entering) -> Option<Permit> {
    match entering
        .as_mut()
        .poll(&mut Context::from_waker(Waker::noop()))
    {
        Poll::Ready(permit) => Some(permit),
        Poll::Pending => None,
    }
}

#[tokio::test]
async fn who_came_first_is_first_and_who_gave_up_takes_no_place() {
    let gate = gate(1);
    let first = gate.enter().await;
    let mut queue: Vec<Entering> = (0..3).map(|_| enter(&gate)).collect();
    assert!(queue.iter_mut().all(|e| poll(e).is_none()));
    assert_eq!(gate.snapshot("").waiting, 3);
    drop(queue.remove(0));
    first.end(Ended::Done);
    assert!(poll(&mut queue[1]).is_none(), "the later one");
    // Its place was granted; it gives up without ever having heard of it.
    drop(queue.remove(0));
    assert!(poll(&mut queue[0]).is_some());
    drop(queue);
    let now = gate.snapshot("");
    assert_eq!((now.in_flight, now.waiting, now.waited), (0, 0, 1));
}

#[tokio::test(start_paused = true)]
async fn those_inside_who_wait_for_one_outside_get_it() {
    let gate = gate(1);
    let outer = gate.enter().await;
    let before = tokio::time::Instant::now();
    // As in a method that waits for a task which calls that method.
    let inner = gate.enter().await;
    assert_eq!(before.elapsed(), PATIENCE);
    drop((outer, inner));
    let only = gate.enter().await;
    assert!(poll(&mut enter(&gate)).is_none(), "the limit is as it was");
    drop(only);
}

#[tokio::test(start_paused = true)]
async fn while_somebody_leaves_nobody_is_let_in_out_of_turn() {
    let gate = gate(1);
    let mut inside = gate.enter().await;
    let mut queue: Vec<Entering> = (0..10).map(|_| enter(&gate)).collect();
    assert!(queue.iter_mut().all(|e| poll(e).is_none()));
    for _ in 0..10 {
        tokio::time::advance(PATIENCE * 9 / 10).await;
        drop(inside);
        inside = poll(&mut queue[0]).expect("its turn has come");
        drop(queue.remove(0));
        assert!(queue.iter_mut().all(|e| poll(e).is_none()));
        assert_eq!(gate.snapshot("").in_flight, 1);
    }
}

#[derive(Clone, Copy, Debug)]
enum Step {
    Come,
    Poll(usize),
    GiveUp(usize),
    Leave(usize),
    Restrict(usize),
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let step = prop_oneof![
        3 => Just(Step::Come),
        4 => (0..8_usize).prop_map(Step::Poll),
        1 => (0..8_usize).prop_map(Step::GiveUp),
        3 => (0..8_usize).prop_map(Step::Leave),
        1 => prop_oneof![1..5_usize, Just(UNLIMITED)].prop_map(Step::Restrict),
    ];
    prop::collection::vec(step, 0..200)
}

proptest! {
    #[test]
    fn places_are_never_lost_nor_made(steps in steps()) {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_time()
            .start_paused(true)
            .build()
            .expect("a runtime");
        let _entered = runtime.enter();
        let gate = gate(2);
        let (mut coming, mut inside, mut limit) = (Vec::new(), Vec::new(), 2);
        for step in steps {
            match step {
                Step::Come => coming.push(enter(&gate)),
                Step::Poll(i) if i < coming.len() => {
                    let before = inside.len();
                    if let Some(permit) = poll(&mut coming[i]) {
                        drop(coming.remove(i));
                        inside.push(permit);
                        // Those who were inside or granted a place when the limit fell may stay.
                        prop_assert!(before < gate.state().places);
                    }
                }
                Step::GiveUp(i) if i < coming.len() => drop(coming.remove(i)),
                Step::Leave(i) if i < inside.len() => {
                    inside.remove(i).end(Ended::Done);
                }
                Step::Restrict(to) => {
                    limit = to;
                    restrict(&gate, to);
                }
                _ => {}
            }
            prop_assert_eq!(gate.snapshot("").in_flight, inside.len() as u64);
        }
        drop(coming);
        // The last to leave sees to what is still too much.
        inside.extend(poll(&mut enter(&gate)));
        drop(inside);
        let now = gate.snapshot("");
        prop_assert_eq!((now.in_flight, now.waiting), (0, 0));
        prop_assert_eq!(gate.places.available_permits(), limit);
        prop_assert_eq!(gate.state().places, limit);
    }
}
