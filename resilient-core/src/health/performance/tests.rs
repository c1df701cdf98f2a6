//! Windows and their turns, on a clock that is moved by hand.

use std::{sync::Arc, thread, time::Duration};

use super::{Dialect, Performance, PerformanceConfig, Window};
use crate::time::{Clock, FakeClock};

const MINUTE: Duration = Duration::from_mins(1);
const HOUR: Duration = Duration::from_hours(1);

#[test]
fn the_last_hour_and_the_last_day_roll_on() {
    let clock = FakeClock::new();
    let performance = Performance::new(PerformanceConfig::default(), clock.now());
    let run = |millis, error| {
        let started = clock.now();
        clock.advance(Duration::from_millis(millis));
        performance.statement(started, clock.now(), error)
    };
    for millis in 1..=99 {
        assert!(!run(millis, false));
    }
    assert!(run(100, true), "at the threshold it is slow");
    let report = performance.report("db", clock.now()).statements;
    assert_eq!(report.last_hour, report.last_day);
    let hour = report.last_hour;
    assert_eq!((hour.count, hour.errors), (100, 1));
    assert!((hour.error_ratio - 0.01).abs() < 1e-9);
    assert!((hour.average_ms - 50.5).abs() < 0.01, "{hour:?}");
    for (value, exact) in [
        (hour.p50_ms, 50.0),
        (hour.p95_ms, 95.0),
        (hour.p99_ms, 99.0),
    ] {
        assert!(value >= exact && value <= exact * 1.125, "{hour:?}");
    }
    assert!((hour.max_ms - 100.0).abs() < 1e-9);

    clock.advance(HOUR + MINUTE);
    run(5, false);
    let report = performance.report("db", clock.now()).statements;
    assert_eq!((report.last_hour.count, report.last_day.count), (1, 101));
    let hours: Vec<_> = report
        .hours
        .iter()
        .map(|h| (h.hours_ago, h.stats.count))
        .collect();
    assert_eq!(hours, [(0, 1), (1, 100)]);

    clock.advance(HOUR * 24);
    let report = performance.report("db", clock.now()).statements;
    assert_eq!((report.last_hour.count, report.last_day.count), (0, 0));
    // A slot is emptied when its turn comes again, not added to.
    run(5, true);
    let report = performance.report("db", clock.now()).statements;
    assert_eq!((report.last_day.count, report.last_day.errors), (1, 1));
}

#[test]
fn times_beyond_the_histogram_count_at_its_ends() {
    let window = Window::default();
    window.record(Duration::ZERO, Duration::from_nanos(3), false);
    window.record(Duration::ZERO, Duration::from_hours(2), false);
    window.record(Duration::ZERO, Duration::MAX, false);
    let stats = window.recent(Duration::ZERO, 60);
    assert_eq!(stats.count, 3);
    assert!(stats.p50_ms >= 7_200_000.0, "{stats:?}");
}

#[test]
fn threads_that_meet_at_the_turn_of_a_minute_lose_nothing() {
    let window = Arc::new(Window::default());
    for turn in 1..200u64 {
        let age = MINUTE * u32::try_from(turn).expect("small");
        let threads: Vec<_> = (0..4)
            .map(|_| {
                let window = Arc::clone(&window);
                thread::spawn(move || window.record(age, Duration::from_millis(1), false))
            })
            .collect();
        for thread in threads {
            thread.join().expect("no panic");
        }
        let stats = window.recent(age, 1);
        // A thread that was preempted while emptying makes others give up, never wait.
        assert!(stats.count >= 1 && stats.count <= 4, "{stats:?}");
    }
}

#[test]
fn the_worst_statements_are_kept_once_each_and_for_a_day() {
    let clock = FakeClock::new();
    let config = PerformanceConfig::default().slow_statements(2);
    let performance = Performance::new(config, clock.now());
    let slow = |sql: &str, millis| {
        let started = clock.now();
        clock.advance(Duration::from_millis(millis));
        performance.slow_statement(sql, Dialect::Postgres, Some("A::b"), started, clock.now());
    };
    slow("select 1 from a", 200);
    slow("select 2 from a", 400);
    slow("select 3 from b", 150);
    slow("select 4 from c", 120);
    slow("select 5 from d", 300);
    let texts = || -> Vec<_> {
        let report = performance.report("db", clock.now());
        report
            .slow_statements
            .into_iter()
            .map(|s| (s.text, s.count))
            .collect()
    };
    assert_eq!(
        texts(),
        [
            ("select ? from a".to_owned(), 2),
            ("select ? from d".to_owned(), 1)
        ]
    );
    clock.advance(HOUR * 25);
    assert!(texts().is_empty());
    slow("select 6 from e", 101);
    assert_eq!(texts(), [("select ? from e".to_owned(), 1)]);
}

#[test]
fn methods_have_windows_of_their_own_up_to_a_bound() {
    let clock = FakeClock::new();
    let performance = Performance::new(PerformanceConfig::default(), clock.now());
    for i in 0..2200 {
        let name: &'static str = Box::leak(format!("m{i}").into_boxed_str());
        for _ in 0..2 {
            performance.method(name, clock.now(), clock.now(), i % 2 == 0);
        }
    }
    let methods = performance.report("db", clock.now()).methods;
    assert_eq!(methods.len(), 2049);
    let total: u64 = methods.values().map(|m| m.last_hour.count).sum();
    assert_eq!(total, 4400);
    assert_eq!(methods["m0"].last_day.errors, 2);
}
