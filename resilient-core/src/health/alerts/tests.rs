//! Raised once, cleared once, told in order.

use std::{
    sync::{Arc, Mutex},
    thread,
    time::Duration,
};

use proptest::prelude::*;
use tokio::sync::broadcast::error::TryRecvError;

use super::*;
use crate::{
    health::{Events, HealthEvent},
    time::FakeClock,
};

type Told = Arc<Mutex<Vec<(Change, Alert)>>>;

struct Rig {
    board: AlertBoard,
    clock: FakeClock,
    told: Told,
    events: Events,
}

impl Rig {
    fn new(config: &AlertConfig) -> Self {
        let (clock, told, events) = (FakeClock::new(), Told::default(), Events::default());
        let hear = Arc::clone(&told);
        let panics = AlertCallback::new(|_, _| std::panic::resume_unwind(Box::new("callback")));
        let keeps = AlertCallback::new(move |change, alert| {
            hear.lock().unwrap().push((change, alert.clone()));
        });
        let board = AlertBoard::new(
            "db",
            config,
            vec![panics, keeps],
            events.clone(),
            Arc::new(clock.clone()),
        );
        Self {
            board,
            clock,
            told,
            events,
        }
    }

    fn changes(&self) -> Vec<Change> {
        self.told.lock().unwrap().iter().map(|(c, _)| *c).collect()
    }
}

#[test]
fn an_alert_is_raised_once_and_cleared_once_below_its_lower_bound() {
    let rig = Rig::new(&AlertConfig::default());
    let mut hears = rig.events.subscribe();
    let kind = AlertKind::ResponseTime;
    let observe = |ms| rig.board.observe(kind, "db", ms);
    observe(99.0);
    assert!(rig.changes().is_empty());
    for ms in [
        100.0, 120.0, 90.0, 101.0, 95.0, 110.0, 79.0, 79.0, 81.0, 79.0, 79.0,
    ] {
        observe(ms);
        assert_eq!(rig.changes(), [Change::Raised], "{ms}");
    }
    observe(80.0);
    assert_eq!(rig.changes(), [Change::Raised, Change::Cleared]);
    observe(1.0);
    observe(2000.0);
    observe(3000.0);
    assert_eq!(rig.changes()[2..], [Change::Raised]);

    let report = rig.board.report();
    assert_eq!((report.active.len(), report.history.len()), (1, 1));
    assert_eq!(report.active[0].severity, Severity::Critical);
    let past = &report.history[0];
    assert_eq!(
        past.message,
        "db: statements take on average 120 ms (threshold 100 ms)"
    );
    assert!(past.cleared_unix_ms >= Some(past.since_unix_ms));
    let events: Vec<_> = std::iter::from_fn(|| hears.try_recv().ok()).collect();
    assert!(matches!(
        events[..],
        [
            HealthEvent::AlertRaised { .. },
            HealthEvent::AlertCleared { .. },
            HealthEvent::AlertRaised { .. }
        ]
    ));
}

#[test]
fn it_holds_for_a_time_escalates_once_and_is_over_after_silence() {
    let second = Duration::from_secs(1);
    let rule = AlertRule::new(10.0)
        .critical(20.0)
        .clears(5.0, 1, second * 2)
        .quiet(second * 30);
    let rig = Rig::new(&AlertConfig::default().rule(AlertKind::BulkOperation, rule));
    let observe = |rows| rig.board.observe(AlertKind::BulkOperation, "t", rows);
    observe(10.0);
    observe(20.0);
    observe(30.0);
    assert_eq!(rig.changes(), [Change::Raised, Change::Escalated]);
    observe(1.0);
    rig.clock.advance(second);
    observe(1.0);
    observe(6.0);
    rig.clock.advance(second);
    observe(1.0);
    assert_eq!(rig.changes().len(), 2, "it was not good for two seconds");
    rig.clock.advance(second * 29);
    rig.board.sweep();
    assert_eq!(rig.changes().len(), 2);
    rig.clock.advance(second);
    rig.board.sweep();
    rig.board.sweep();
    assert_eq!(rig.changes()[2..], [Change::Cleared]);
    rig.board.resolve(AlertKind::BulkOperation, "t");
    observe(10.0);
    rig.board.resolve(AlertKind::BulkOperation, "t");
    assert_eq!(rig.changes()[3..], [Change::Raised, Change::Cleared]);
}

#[test]
fn subjects_and_history_are_bounded_and_kinds_can_be_off() {
    let config = AlertConfig::default().without(AlertKind::ErrorRate);
    let rig = Rig::new(&config);
    rig.board.observe(AlertKind::ErrorRate, "db", 1.0);
    rig.board.observe(AlertKind::DeletionRatio, "t", f64::NAN);
    assert!(rig.changes().is_empty());
    for i in 0..3000 {
        rig.board
            .observe(AlertKind::BulkOperation, &i.to_string(), 1e6);
    }
    assert_eq!(rig.board.report().active.len(), 1001);
    rig.clock.advance(Duration::from_hours(1));
    let report = rig.board.report();
    assert_eq!((report.active.len(), report.history.len()), (0, 200));
}

#[test]
fn a_slow_receiver_loses_the_oldest_and_nobody_waits_for_it() {
    let rig = Rig::new(&AlertConfig::default());
    let mut slow = rig.events.subscribe();
    for i in 0..300 {
        rig.board
            .observe(AlertKind::BulkOperation, &i.to_string(), 1e5);
    }
    assert!(matches!(slow.try_recv(), Err(TryRecvError::Lagged(44))));
    assert!(slow.try_recv().is_ok());
}

#[test]
fn a_callback_may_observe_and_threads_are_told_in_order() {
    let (clock, events) = (FakeClock::new(), Events::default());
    let told: Told = Told::default();
    let board: Arc<std::sync::OnceLock<AlertBoard>> = Arc::default();
    let (hear, inner) = (Arc::clone(&told), Arc::clone(&board));
    let callback = AlertCallback::new(move |change, alert| {
        hear.lock().unwrap().push((change, alert.clone()));
        if let Some(board) = inner.get() {
            board.observe(AlertKind::RecoveryFailure, "inner", 1.0);
            let _ = board.report();
        }
    });
    board
        .set(AlertBoard::new(
            "db",
            &AlertConfig::default(),
            vec![callback],
            events,
            Arc::new(clock),
        ))
        .unwrap();
    let threads: Vec<_> = (0..4)
        .map(|_| {
            let board = Arc::clone(&board);
            thread::spawn(move || {
                for _ in 0..200 {
                    board
                        .get()
                        .unwrap()
                        .observe(AlertKind::ConnectionFailure, "db", 1.0);
                    board
                        .get()
                        .unwrap()
                        .observe(AlertKind::ConnectionFailure, "db", 0.0);
                }
            })
        })
        .collect();
    for thread in threads {
        thread.join().unwrap();
    }
    board.get().unwrap().sweep();
    let told = told.lock().unwrap();
    let of_db: Vec<_> = told
        .iter()
        .filter(|(_, a)| a.subject == "db")
        .map(|(c, _)| *c)
        .collect();
    assert!(of_db.len() >= 2);
    for (i, change) in of_db.iter().enumerate() {
        let expected = if i % 2 == 0 {
            Change::Raised
        } else {
            Change::Cleared
        };
        assert_eq!(*change, expected, "{i}");
    }
}

#[test]
fn every_kind_has_a_rule_that_can_clear() {
    for kind in AlertKind::ALL {
        let rule = AlertRule::for_kind(*kind);
        assert!(rule.enabled && rule.clear_below < rule.threshold, "{kind}");
        assert_eq!(AlertKind::ALL[*kind as usize], *kind);
        let halved = AlertConfig::default().threshold(*kind, rule.threshold / 2.0);
        assert!(halved.of(*kind).clear_below < halved.of(*kind).threshold);
    }
}

proptest! {
    #[test]
    fn raised_and_cleared_alternate_whatever_is_observed(
        steps in proptest::collection::vec((0.0..200.0f64, 0..400u64), 0..100),
    ) {
        let rig = Rig::new(&AlertConfig::default());
        for (value, seconds) in steps {
            rig.clock.advance(Duration::from_secs(seconds));
            rig.board.observe(AlertKind::ResponseTime, "db", value);
        }
        let changes = rig.changes();
        for (i, change) in changes.iter().enumerate() {
            let expected = if i % 2 == 0 { Change::Raised } else { Change::Cleared };
            prop_assert_eq!(*change, expected);
        }
        let stands = rig.board.stands(AlertKind::ResponseTime, "db");
        prop_assert_eq!(stands, changes.len() % 2 == 1);
    }
}

#[test]
fn silence_between_two_measurements_clears_nothing() {
    let rig = Rig::new(&AlertConfig::default());
    rig.board.heard_every(Duration::from_mins(10));
    rig.board.observe(AlertKind::DeletionRatio, "orders", 0.3);
    rig.board.observe(AlertKind::BulkOperation, "once", 1e6);
    rig.clock.advance(Duration::from_mins(29));
    let report = rig.board.report();
    assert_eq!(report.active.len(), 1, "{report:?}");
    assert_eq!(report.active[0].kind, AlertKind::DeletionRatio);
    rig.clock.advance(Duration::from_mins(1));
    assert!(rig.board.report().active.is_empty());
}

#[test]
fn the_message_says_the_cause_that_was_told_last() {
    let rig = Rig::new(&AlertConfig::default());
    let observe = |value, cause| {
        let kind = AlertKind::PoolUtilisation;
        rig.board.observe_with(kind, "db", value, cause);
        rig.board.report().active[0].message.clone()
    };
    let first = observe(0.95, None);
    assert_eq!(first, "db: the pool is in use to 95.0 % (threshold 90.0 %)");
    assert_eq!(observe(0.9, Some("a leak")), format!("{first}; a leak"));
    assert_eq!(observe(0.9, Some("two")), format!("{first}; two"));
    assert_eq!(observe(0.9, None), format!("{first}; two"));
    assert_eq!(rig.changes(), [Change::Raised]);
}
