//! Defaults, presets, serde and validation.

use std::time::Duration;

use crate::{
    FaultKind,
    config::{Config, HealthConfig, PoolConfig, RetryConfig},
    policy::RetryPolicy,
};

#[test]
fn the_defaults_are_those_that_are_documented() {
    let config = Config::default();
    let json = serde_json::to_value(&config).unwrap();
    let expected = serde_json::json!({
        "health": {
            "enabled": true, "timeout": "1s", "query": "SELECT 1", "interval": "30s",
            "max_age": "1h", "max_usage": 1000, "max_idle_time": "5m",
            "max_consecutive_failures": 3, "cache_duration": "5s",
            "min_healthy_connections": 2, "batch_size": 5, "recovery_max_attempts": 3,
            "background_monitoring": true,
        },
        "pool": {
            "size": 20, "overflow": 30, "acquire_timeout": "30s", "recycle": "1h",
            "connect_timeout": "10s", "statement_timeout": "5m",
        },
        "retry": {
            "max_retries": 3, "base_delay": "100ms", "max_delay": "5s", "deadlock_retries": 5,
        },
        "session": { "timeout": "30m", "max_idle_time": "5m" },
        "soft_delete": {
            "enable_monitoring": true, "alert_on_high_deletion_ratio": true,
            "deletion_ratio_alert_threshold": 0.25,
        },
    });
    assert_eq!(json, expected);
    assert_eq!(config.pool.max_connections(), 50);
}

#[test]
fn presets_are_valid_differ_and_survive_serde() {
    let presets = [
        Config::default(),
        Config::local(),
        Config::remote(),
        Config::high_latency(),
    ];
    for (i, preset) in presets.iter().enumerate() {
        preset.validate().unwrap();
        let text = serde_json::to_string(preset).unwrap();
        assert_eq!(&serde_json::from_str::<Config>(&text).unwrap(), preset);
        assert!(presets[..i].iter().all(|other| other != preset));
    }
    let [_, local, remote, far] = presets;
    assert!(local.health.timeout < remote.health.timeout);
    assert!(remote.health.timeout < far.health.timeout);
    assert!(local.retry.base_delay < remote.retry.base_delay);
    assert!(remote.retry.base_delay < far.retry.base_delay);
    assert!(local.pool.connect_timeout < far.pool.connect_timeout);
}

#[test]
fn a_file_gives_what_differs_in_seconds_or_with_units() {
    let text = r#"{
        "pool": { "size": 7, "acquire_timeout": 2.5, "recycle": 60, "connect_timeout": "1500ms" },
        "retry": { "base_delay": "0.25" }
    }"#;
    let config: Config = serde_json::from_str(text).unwrap();
    let expected = Config::default()
        .with_pool(
            PoolConfig::default()
                .with_size(7)
                .with_acquire_timeout(Duration::from_millis(2500))
                .with_recycle(Duration::from_mins(1))
                .with_connect_timeout(Duration::from_millis(1500)),
        )
        .with_retry(RetryConfig::default().with_base_delay(Duration::from_millis(250)));
    assert_eq!(config, expected);
}

#[test]
fn a_file_with_what_is_not_known_or_not_meant_is_refused() {
    for (text, words) in [
        (
            r#"{ "pools": {} }"#,
            "unknown field `pools`, expected one of",
        ),
        (
            r#"{ "pool": { "sise": 3 } }"#,
            "unknown field `sise`, expected one of",
        ),
        (
            r#"{ "health": { "timeout": -1 } }"#,
            "expected seconds (30, 0.5) or a text",
        ),
        (
            r#"{ "health": { "timeout": "soon" } }"#,
            "expected seconds (30, 0.5) or a text",
        ),
        (
            r#"{ "health": { "timeout": -0.5 } }"#,
            "expected seconds (30, 0.5) or a text",
        ),
        (
            r#"{ "health": { "timeout": true } }"#,
            "expected seconds (30, 0.5) or a text",
        ),
    ] {
        let error = serde_json::from_str::<Config>(text)
            .unwrap_err()
            .to_string();
        assert!(error.contains(words), "{error}");
    }
}

#[test]
fn validation_names_every_field_value_and_what_is_allowed() {
    let mut config = Config::default()
        .with_pool(PoolConfig::default().with_size(0))
        .with_health(
            HealthConfig::default()
                .with_query("  ")
                .with_timeout(Duration::ZERO),
        );
    config.soft_delete.deletion_ratio_alert_threshold = f64::NAN;
    config.retry.base_delay = Duration::from_secs(9);
    let error = config.validate().unwrap_err();
    let found: Vec<_> = error
        .problems()
        .iter()
        .map(|p| (p.field(), p.value(), p.variable()))
        .collect();
    assert_eq!(
        found,
        [
            ("health.timeout", "0s", None),
            ("health.query", "  ", None),
            ("pool.size", "0", None),
            ("soft_delete.deletion_ratio_alert_threshold", "NaN", None),
            ("retry.max_delay", "5s", None),
        ]
    );
    let text = error.to_string();
    for part in [
        r#"pool.size is "0"; allowed is a whole number from 1 to 100000"#,
        r#"retry.max_delay is "5s"; allowed is at least retry.base_delay, which is 9s"#,
    ] {
        assert!(text.contains(part), "{text}");
    }
}

#[test]
fn retries_become_a_policy() {
    let policy = RetryPolicy::from(&RetryConfig::default());
    assert_eq!(policy.retries_after(FaultKind::LockTimeout), 3);
    assert_eq!(policy.retries_after(FaultKind::Deadlock), 5);
    assert_eq!(
        format!("{:?}", policy.delay),
        "Exponential(100ms, 5s, Full)"
    );
    let strict = RetryPolicy::new().deadline(Duration::from_secs(1));
    let over = RetryConfig::default().with_max_retries(1).over(strict);
    assert_eq!((over.retries, over.deadline), (1, strict.deadline));
}
