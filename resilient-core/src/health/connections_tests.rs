use super::*;
use crate::time::{FakeClock, SeededRandom};

fn connections(settings: HealthSettings) -> (Arc<Connections>, FakeClock) {
    let clock = FakeClock::new();
    let random = Arc::new(SeededRandom::new(1));
    let all = Connections::new(settings, Arc::new(clock.clone()), random);
    (Arc::new(all), clock)
}

fn keyed(key: usize) -> Introduction {
    Introduction {
        key: Some(key),
        server_pid: Some(key as u64 + 100),
        ..Introduction::default()
    }
}

#[test]
fn a_connection_is_known_again_and_its_numbers_add_up() {
    let (all, clock) = connections(HealthSettings::default());
    assert!(all.take(7).is_none());
    let lease = all.introduce(keyed(7), 1);
    lease.hold(Some("Orders::place"));
    lease.sent(Duration::from_millis(10));
    lease.sent(Duration::from_millis(30));
    clock.advance(Duration::from_secs(2));
    let report = &all.report()[0];
    assert_eq!(report.held_by, Some("Orders::place"));
    assert_eq!(
        (report.held_seconds, report.idle_seconds),
        (Some(2.0), None)
    );
    assert_eq!(report.average_statement_seconds, Some(0.02));
    assert_eq!(report.server_pid, Some(107));
    drop(lease);
    clock.advance(Duration::from_secs(3));
    let report = &all.report()[0];
    assert_eq!(report.idle_seconds, Some(3.0));
    assert_eq!((report.held_by, report.uses), (None, 1));
    let again = all.take(7).unwrap();
    again.hold(None);
    assert_eq!(again.id(), report.id);
    assert_eq!(all.report()[0].uses, 2);
    assert!((all.report()[0].age_seconds - 5.0).abs() < 1e-9);
}

#[test]
fn one_that_cannot_be_told_from_others_is_listed_while_it_is_held() {
    let (all, _) = connections(HealthSettings::default());
    let lease = all.introduce(Introduction::default(), 1);
    lease.hold(Some("a"));
    assert_eq!(all.report().len(), 1);
    drop(lease);
    assert_eq!(all.report().len(), 0);
}

#[test]
fn a_leak_is_told_once_with_its_method() {
    let (all, clock) = connections(HealthSettings::default());
    let leaked = all.introduce(keyed(1), 2);
    leaked.hold(Some("Reports::export"));
    clock.advance(Duration::from_mins(1));
    let other = all.introduce(keyed(2), 2);
    other.hold(Some("b"));
    assert!(all.new_leaks().is_empty());
    clock.advance(Duration::from_millis(1));
    let leaks = all.new_leaks();
    assert_eq!(leaks.len(), 1);
    assert_eq!(leaks[0].held_by, Some("Reports::export"));
    assert!(leaks[0].suspected_leak);
    assert!(all.new_leaks().is_empty());
    assert_eq!(all.longest_held().unwrap().id, leaks[0].id);
    // Taken again and kept again, it is told again.
    leaked.hold(Some("Reports::export"));
    clock.advance(Duration::from_secs(61));
    assert_eq!(all.new_leaks().len(), 2);
}

#[test]
fn what_the_pool_closed_without_a_word_is_the_longest_idle() {
    let (all, clock) = connections(HealthSettings::default());
    for key in 1..=3 {
        all.introduce(keyed(key), 3).hold(None);
        clock.advance(Duration::from_secs(1));
    }
    let held = all.take(1).unwrap();
    held.hold(None);
    all.introduce(keyed(4), 3).hold(None);
    let known: Vec<_> = all.report().iter().map(|r| r.id).collect();
    assert_eq!(known, [1, 3, 4]);
    all.trim(0);
    assert_eq!(all.report().len(), 1, "what is held is not forgotten");
}

#[test]
fn old_ones_go_in_batches_and_broken_ones_at_once() {
    let (all, clock) = connections(HealthSettings::default());
    let leases: Vec<_> = (0..10).map(|key| all.introduce(keyed(key), 10)).collect();
    assert!(leases.iter().all(|lease| lease.is_due().is_none()));
    clock.advance(Duration::from_hours(1));
    clock.advance(Duration::from_millis(1));
    let due = leases.iter().filter(|lease| lease.is_due().is_some());
    assert_eq!(due.count(), 5);
    leases[9].broken();
    assert_eq!(leases[9].is_due(), Some(Closing::Unhealthy));
    assert_eq!(all.report()[9].state, ConnectionState::Unhealthy);
    assert_eq!(all.report()[8].state, ConnectionState::Expired);
}

#[test]
fn uses_and_idle_time_count_and_nothing_does_when_disabled() {
    for enabled in [true, false] {
        let (all, clock) = connections(HealthSettings {
            enabled,
            max_usage: 2,
            ..HealthSettings::default()
        });
        let lease = all.introduce(keyed(1), 5);
        lease.hold(None);
        assert_eq!(lease.is_due(), None);
        lease.hold(None);
        assert_eq!(lease.is_due(), enabled.then_some(Closing::Expired));
        drop(all.introduce(keyed(2), 5));
        clock.advance(Duration::from_secs(301));
        let lease = all.take(2).unwrap();
        assert_eq!(lease.found(), ConnectionState::Stale);
        assert_eq!(lease.was_stale(), enabled);
        clock.advance(Duration::from_secs(1));
        let rejected = all.reject(Duration::ZERO, Duration::from_secs(301));
        assert_eq!(rejected, enabled.then_some(Closing::Stale));
    }
}

#[test]
fn checks_are_counted_and_three_failures_are_too_many() {
    let (all, _) = connections(HealthSettings::default());
    let lease = all.introduce(keyed(1), 5);
    assert_eq!(lease.checked(true), ConnectionState::Healthy);
    lease.checked(false);
    assert_eq!(lease.checked(false), ConnectionState::Healthy);
    assert_eq!(lease.checked(false), ConnectionState::Unhealthy);
    assert_eq!(all.report()[0].check_success_rate, Some(0.25));
    assert_eq!(lease.checked(true), ConnectionState::Healthy);
}

#[test]
fn a_closed_one_is_counted_with_its_reason_and_gone() {
    let (all, _) = connections(HealthSettings::default());
    let mut lease = all.introduce(keyed(1), 1);
    lease.close(Closing::Expired);
    drop(lease);
    assert!(all.report().is_empty() && all.take(1).is_none());
    let churn = all.meter().churn(all.clock().now());
    assert_eq!(churn.opened_per_minute, 1);
    assert_eq!(churn.closed_per_minute, 1);
    assert_eq!(churn.closed[&Closing::Expired], 1);
}

#[test]
fn one_that_lost_its_key_is_found_by_its_session() {
    let (all, clock) = connections(HealthSettings::default());
    all.introduce(keyed(1), 1).hold(None);
    clock.advance(Duration::from_secs(5));
    let again = Introduction {
        key: Some(2),
        server_pid: Some(101),
        ..Introduction::default()
    };
    all.introduce(again, 1).hold(None);
    let report = &all.report()[0];
    assert_eq!((report.id, report.uses), (1, 2));
    assert!((report.age_seconds - 5.0).abs() < 1e-9);
    assert_eq!(all.meter().churn(clock.now()).opened, 1);
}

#[test]
fn each_one_that_is_closed_for_its_state_is_told_of_once() {
    let (all, clock) = connections(HealthSettings::default());
    let events = Events::default();
    let mut hears = events.subscribe();
    all.tell("db", events);
    let mut leases: Vec<_> = (0..6).map(|key| all.introduce(keyed(key), 6)).collect();
    let ends = [
        Some(Closing::Unhealthy),
        Some(Closing::Discarded),
        Some(Closing::ByPool),
        Some(Closing::Expired),
        None,
        None,
    ];
    for (lease, why) in leases.iter_mut().zip(ends) {
        lease.hold(None);
        if let Some(why) = why {
            lease.close(why);
        }
    }
    drop(leases);
    clock.advance(Duration::from_mins(6));
    let idle = Duration::from_mins(6);
    assert_eq!(all.reject(idle, idle), Some(Closing::Stale));
    all.trim(0);
    clock.advance(Duration::from_secs(2));
    assert_eq!(all.reject(idle, idle), Some(Closing::Stale));
    let told: Vec<_> = std::iter::from_fn(|| hears.try_recv().ok())
        .map(|event| match event {
            HealthEvent::ConnectionReplaced {
                connection, reason, ..
            } => (connection, reason),
            other => panic!("{other:?}"),
        })
        .collect();
    let told: Vec<_> = told.iter().map(|(id, why)| (&**id, &**why)).collect();
    let (first, rest) = told.split_at(2);
    assert_eq!(first, [("1", "unhealthy"), ("4", "expired")]);
    let [(known, "stale"), ("unknown", "stale")] = rest else {
        panic!("{rest:?}");
    };
    assert!(["5", "6"].contains(known), "{known}");
}

#[test]
fn checks_are_no_use_so_what_only_they_take_becomes_stale() {
    let (all, clock) = connections(HealthSettings::default());
    all.introduce(keyed(1), 1).hold(None);
    let minute = Duration::from_mins(1);
    for _ in 0..5 {
        clock.advance(minute);
        // A sweep looks at it, and a check sends something on it.
        assert_eq!(all.take(1).unwrap().checked(true), ConnectionState::Healthy);
        let lease = all.take(1).unwrap();
        lease.hold_for_check("health check");
        assert_eq!(all.report()[0].held_by, Some("health check"));
    }
    assert_eq!((all.report()[0].uses, all.due()), (1, 0));
    clock.advance(Duration::from_secs(1));
    assert_eq!(all.due(), 1);
    let stale = all.take(1).unwrap();
    assert_eq!(stale.found(), ConnectionState::Stale);
    drop(stale);
    // Somebody needs it.
    all.take(1).unwrap().hold(None);
    assert_eq!(all.due(), 0);
}
