//! The breaker on a clock that is moved by hand, in many threads, and under any sequence.

use std::{
    sync::{
        Arc, Barrier,
        atomic::{AtomicU32, Ordering::SeqCst},
    },
    thread,
};

use proptest::prelude::*;

use super::{
    BreakerState::{Closed, HalfOpen, Open},
    *,
};
use crate::{metrics, time::FakeClock};

const SECOND: Duration = Duration::from_secs(1);
const DOWN: FaultKind = FaultKind::ServerUnavailable;

fn breaker(config: BreakerConfig) -> (Breaker, FakeClock, Events) {
    counted(config, Arc::default())
}

fn counted(config: BreakerConfig, by: Arc<ConnectionMetrics>) -> (Breaker, FakeClock, Events) {
    let (clock, events) = (FakeClock::new(), Events::default());
    let breaker = Breaker::new("db", config, Arc::new(clock.clone()), by, events.clone());
    (breaker, clock, events)
}

fn three() -> BreakerConfig {
    BreakerConfig::new()
        .consecutive_failures(3)
        .open_for(SECOND * 5, SECOND * 15)
}

fn open(breaker: &Breaker) {
    while let Ok(permit) = breaker.admit() {
        permit.failed(DOWN);
    }
}

#[test]
fn it_opens_rejects_probes_and_closes() {
    let (breaker, clock, events) = breaker(three());
    let mut hears = events.subscribe();
    breaker.admit().unwrap().failed(DOWN);
    breaker.admit().unwrap().failed(DOWN);
    breaker.admit().unwrap().succeeded();
    breaker.admit().unwrap().failed(FaultKind::ConnectionLost);
    breaker.admit().unwrap().failed(FaultKind::ConnectionLost);
    assert_eq!(
        breaker.state(),
        BreakerState::Closed,
        "a success lay between"
    );
    breaker.admit().unwrap().failed(FaultKind::ConnectionLost);
    assert_eq!(breaker.state(), BreakerState::Open);

    clock.advance(SECOND * 2);
    assert!(!breaker.wants_probe());
    let rejection = breaker.admit().unwrap_err();
    assert_eq!(
        rejection.to_string(),
        "the circuit breaker has been open for 2.0 s, after connection_lost; it probes in 3.0 s"
    );
    clock.advance(SECOND * 3);
    assert!(breaker.wants_probe());
    let probe = breaker.admit().unwrap();
    assert!(probe.is_probe());
    let second = breaker.admit().unwrap_err();
    assert!(
        second.to_string().ends_with("; a probe is under way"),
        "{second}"
    );
    probe.failed(DOWN);
    // Twice as long, then at most 15 s.
    for seconds in [10, 15, 15] {
        assert_eq!(breaker.admit().unwrap_err().probes_in, SECOND * seconds);
        clock.advance(SECOND * seconds);
        breaker.admit().unwrap().failed(DOWN);
    }
    clock.advance(SECOND * 15);
    breaker.admit().unwrap().succeeded();
    assert_eq!(breaker.state(), BreakerState::Closed);
    assert!(!breaker.admit().unwrap().is_probe());
    let report = breaker.report();
    assert_eq!(
        (report.opened, report.rejected, report.open_for_ms),
        (5, 5, None)
    );
    let states: Vec<_> = std::iter::from_fn(|| hears.try_recv().ok())
        .map(|event| match event {
            HealthEvent::Breaker { state, .. } => state,
            other => panic!("{other:?}"),
        })
        .collect();
    assert_eq!(states[..3], [Open, HalfOpen, Open]);
    assert_eq!(states[states.len() - 2..], [HalfOpen, Closed]);
}

#[test]
fn a_ratio_opens_it_only_over_enough_recent_calls() {
    let config = BreakerConfig::new()
        .consecutive_failures(0)
        .failure_ratio(0.5, 10, SECOND * 10);
    let (breaker, clock, _) = breaker(config);
    // A calm hour.
    for _ in 0..100_000 {
        breaker.admit().unwrap().succeeded();
    }
    clock.advance(Duration::from_hours(1));
    breaker.admit().unwrap().failed(DOWN);
    let mut failures = 1;
    while breaker.state() == BreakerState::Closed {
        breaker.admit().unwrap().failed(DOWN);
        failures += 1;
    }
    assert!((250..350).contains(&failures), "{failures}");
}

#[test]
fn only_connection_faults_count_and_pool_timeouts_if_asked() {
    let (strict, _, _) = breaker(three());
    for kind in [
        FaultKind::Unique,
        FaultKind::Deadlock,
        FaultKind::PoolTimeout,
        FaultKind::Other,
    ] {
        for _ in 0..10 {
            strict.admit().unwrap().failed(kind);
            strict.fault(kind);
        }
    }
    assert_eq!(strict.state(), BreakerState::Closed);
    let (asked, _, _) = breaker(three().pool_timeout());
    for _ in 0..3 {
        asked.fault(FaultKind::PoolTimeout);
    }
    assert_eq!(asked.state(), BreakerState::Open);
}

#[test]
fn a_probe_that_says_nothing_makes_room_and_one_that_hangs_is_given_up() {
    let (breaker, clock, _) = breaker(three());
    open(&breaker);
    clock.advance(SECOND * 5);
    drop(breaker.admit().unwrap());
    breaker.admit().unwrap().failed(FaultKind::PoolTimeout);
    let hangs = breaker.admit().unwrap();
    assert!(breaker.admit().is_err());
    clock.advance(SECOND * 30);
    let second = breaker.admit().unwrap();
    hangs.failed(DOWN);
    assert_eq!(
        breaker.state(),
        BreakerState::HalfOpen,
        "what is late is not heard"
    );
    second.succeeded();
    assert_eq!(breaker.state(), BreakerState::Closed);
}

#[test]
fn what_began_before_it_opened_neither_closes_nor_reopens_it() {
    let (breaker, clock, _) = breaker(three());
    let early = [(); 2].map(|()| breaker.admit().unwrap());
    open(&breaker);
    clock.advance(SECOND * 5);
    let probe = breaker.admit().unwrap();
    let [one, two] = early;
    one.succeeded();
    two.failed(DOWN);
    breaker.fault(DOWN);
    assert_eq!(breaker.state(), BreakerState::HalfOpen);
    probe.succeeded();
    assert_eq!(breaker.state(), BreakerState::Closed);
}

/// What the metrics say of the breakers of this name.
fn state_of(name: &str) -> BreakerState {
    metrics::global().snapshot().connections[name].breaker_state
}

#[test]
fn a_breaker_that_is_gone_is_not_open() {
    const NAME: &str = "a breaker that is gone";
    let of = || counted(three(), metrics::global().connection(NAME));
    for probes in [false, true] {
        let (breaker, clock, _) = of();
        open(&breaker);
        assert_eq!(state_of(NAME), Open);
        if probes {
            clock.advance(SECOND * 5);
            drop(breaker.admit().unwrap());
            assert_eq!(state_of(NAME), HalfOpen);
        }
        drop(breaker);
        assert_eq!(state_of(NAME), Closed);
    }
}

#[test]
fn a_closed_breaker_that_goes_says_nothing_of_an_open_one_of_its_name() {
    const NAME: &str = "an open breaker that stays";
    let of = || counted(three(), metrics::global().connection(NAME)).0;
    let (stays, goes) = (of(), of());
    open(&stays);
    drop(goes);
    assert_eq!(state_of(NAME), Open);
}

#[test]
fn of_two_breakers_of_a_name_the_one_that_is_open_counts() {
    const NAME: &str = "two breakers";
    let of = || counted(three(), metrics::global().connection(NAME));
    let ((first, clock, _), (second, _, _)) = (of(), of());
    open(&first);
    open(&second);
    clock.advance(SECOND * 5);
    drop(first.admit().unwrap());
    assert_eq!(state_of(NAME), Open, "the second one still rejects");
    drop(second);
    assert_eq!(state_of(NAME), HalfOpen);
    drop(first);
    assert_eq!(state_of(NAME), Closed);
}

#[test]
fn many_threads_make_one_probe_and_a_closed_breaker_lets_all_through() {
    let (breaker, clock, _) = breaker(three().probes(2));
    for round in 0..50 {
        open(&breaker);
        clock.advance(SECOND * 15);
        let (barrier, probes) = (Barrier::new(8), AtomicU32::new(0));
        thread::scope(|scope| {
            for _ in 0..8 {
                scope.spawn(|| {
                    barrier.wait();
                    let permit = breaker.admit();
                    barrier.wait();
                    if let Ok(permit) = permit {
                        assert!(permit.is_probe());
                        probes.fetch_add(1, SeqCst);
                        permit.succeeded();
                    }
                });
            }
        });
        assert_eq!(probes.into_inner(), 2, "round {round}");
        assert_eq!(breaker.state(), BreakerState::Closed);
        thread::scope(|scope| {
            for _ in 0..8 {
                scope.spawn(|| breaker.admit().unwrap().succeeded());
            }
        });
    }
}

#[derive(Clone, Debug)]
enum Move {
    Admit,
    Succeed(usize),
    Fail(usize),
    Drop(usize),
    Fault,
    Wait(u64),
}

fn moves() -> impl Strategy<Value = Vec<Move>> {
    let one = prop_oneof![
        4 => Just(Move::Admit),
        2 => (0..8usize).prop_map(Move::Succeed),
        4 => (0..8usize).prop_map(Move::Fail),
        1 => (0..8usize).prop_map(Move::Drop),
        1 => Just(Move::Fault),
        2 => (0..20u64).prop_map(Move::Wait),
    ];
    proptest::collection::vec(one, 0..200)
}

fn pick<'a>(held: &mut Vec<Permit<'a>>, i: usize) -> Option<Permit<'a>> {
    (!held.is_empty()).then(|| held.swap_remove(i % held.len()))
}

proptest! {
    #[test]
    fn whatever_happens_probes_are_bounded_and_time_lets_one_through(
        moves in moves(),
        probes in 1..4u32,
    ) {
        let (breaker, clock, _) = breaker(three().probes(probes));
        let mut held: Vec<Permit<'_>> = Vec::new();
        let mut opened_until = None;
        for step in moves {
            let before = breaker.state();
            match step {
                Move::Admit => {
                    match breaker.admit() {
                        Ok(permit) => {
                            prop_assert!(permit.is_probe() == (before != BreakerState::Closed));
                            if before == BreakerState::Open {
                                prop_assert!(opened_until.is_none_or(|t| clock.now() >= t));
                            }
                            held.push(permit);
                        }
                        Err(rejection) => {
                            prop_assert!(before != BreakerState::Closed);
                            prop_assert!(rejection.probes_in <= SECOND * 15);
                        }
                    }
                }
                Move::Succeed(i) => if let Some(permit) = pick(&mut held, i) { permit.succeeded() },
                Move::Fail(i) => if let Some(permit) = pick(&mut held, i) { permit.failed(DOWN) },
                Move::Drop(i) => drop(pick(&mut held, i)),
                Move::Fault => breaker.fault(DOWN),
                Move::Wait(seconds) => clock.advance(SECOND * u32::try_from(seconds).unwrap()),
            }
            if before != BreakerState::Open && breaker.state() == BreakerState::Open {
                opened_until = Some(clock.now() + SECOND * 5);
            }
            let phase = breaker.machine().phase();
            let current = held.iter().filter(|p| p.probe && p.phase == phase).count();
            prop_assert!(current <= probes as usize);
        }
        drop(held);
        // A server that is back is found, always.
        for _ in 0..=probes {
            clock.advance(SECOND * 15);
            breaker.admit().expect("in time").succeeded();
        }
        prop_assert_eq!(breaker.state(), BreakerState::Closed);
    }
}
