//! Settings that contradict each other.

use super::*;

#[test]
fn settings_that_contradict_each_other() {
    let judge = |context: &Context, settings: &HealthSettings, pool| {
        judge_configuration(context, settings, pool)
    };
    let fine = PoolSizes {
        max: 10,
        min: 10,
        acquire_timeout: Duration::from_secs(5),
    };
    let defaults = HealthSettings::default();
    let plain = Context::new("configuration", IsolationLevel::ReadCommitted);
    assert_eq!(judge(&plain, &defaults, fine), []);
    let texts = |found: Vec<Recommendation>| -> Vec<String> {
        assert!(found.iter().all(|r| r.area == Area::Configuration));
        found.into_iter().map(|r| r.text).collect()
    };
    let found = texts(judge(&plain, &defaults, PoolSizes { min: 11, ..fine }));
    assert_eq!(found.len(), 1, "{found:?}");
    assert!(found[0].contains("keep 11 connections open and may have 10"));

    let policy = RetryPolicy::new()
        .deadline(Duration::from_secs(2))
        .timeout(Duration::from_secs(3));
    let hasty = Context::new("configuration", IsolationLevel::ReadCommitted)
        .with_policy(policy)
        .with_limits(WireLimits::default());
    let found = texts(judge(&hasty, &defaults, fine));
    assert_eq!(found.len(), 3, "{found:?}");
    assert!(found[0].starts_with("the limit for statements (300 s) is longer than the deadline"));
    assert!(found[1].starts_with("the wait for a connection (5 s)"));
    assert!(found[2].starts_with("the limit of one attempt (3 s)"));

    let odd = HealthSettings {
        timeout: Duration::from_secs(31),
        cache_duration: Duration::from_mins(1),
        slow_above: Duration::from_secs(40),
        leak_after: Duration::from_hours(1),
        ..HealthSettings::default()
    };
    let found = texts(judge(&plain, &odd, fine));
    assert_eq!(found.len(), 4, "{found:?}");
}
