//! Every variable, good and bad, with and without a prefix.

use crate::config::{Config, ConfigError, Environment, VARIABLES};

/// Name, a good value, the fields with what they then are in JSON, and a bad value.
type Row = (
    &'static str,
    &'static str,
    &'static [(&'static str, &'static str)],
    &'static str,
);

const TABLE: &[Row] = &[
    (
        "DB_HEALTH_CHECK_ENABLED",
        "no",
        &[("/health/enabled", "false")],
        "maybe",
    ),
    (
        "DB_HEALTH_CHECK_INTERVAL",
        "12.5",
        &[("/health/interval", "\"12s 500ms\"")],
        "0",
    ),
    (
        "DB_HEALTH_CHECK_TIMEOUT",
        "500ms",
        &[("/health/timeout", "\"500ms\"")],
        "fast",
    ),
    (
        "DB_HEALTH_CHECK_QUERY",
        "SELECT 2",
        &[("/health/query", "\"SELECT 2\"")],
        "",
    ),
    (
        "DB_HEALTH_CHECK_CACHE_DURATION",
        "0",
        &[("/health/cache_duration", "\"0s\"")],
        "-1",
    ),
    (
        "DB_HEALTH_CHECK_MAX_FAILURES",
        "9",
        &[("/health/max_consecutive_failures", "9")],
        "0",
    ),
    (
        "DB_HEALTH_CHECK_BATCH_SIZE",
        "9",
        &[("/health/batch_size", "9")],
        "1.5",
    ),
    (
        "DB_MIN_HEALTHY_CONNECTIONS",
        "0",
        &[("/health/min_healthy_connections", "0")],
        "-1",
    ),
    (
        "DB_RECOVERY_MAX_ATTEMPTS",
        "7",
        &[("/health/recovery_max_attempts", "7")],
        "yes",
    ),
    (
        "DB_ENABLE_BACKGROUND_MONITORING",
        "OFF",
        &[("/health/background_monitoring", "false")],
        "2",
    ),
    (
        "DB_SESSION_TIMEOUT",
        "1h",
        &[("/session/timeout", "\"1h\"")],
        "1 fortnight",
    ),
    (
        "DB_SESSION_MAX_IDLE_TIME",
        "60",
        &[
            ("/session/max_idle_time", "\"1m\""),
            ("/health/max_idle_time", "\"1m\""),
        ],
        "0s",
    ),
    (
        "DB_MAX_CONNECTION_IDLE_TIME",
        "61",
        &[("/health/max_idle_time", "\"1m 1s\"")],
        "inf",
    ),
    (
        "DB_MAX_CONNECTION_AGE",
        "90",
        &[("/health/max_age", "\"1m 30s\"")],
        "3651days",
    ),
    (
        "DB_MAX_CONNECTION_USAGE",
        "4294967295",
        &[("/health/max_usage", "4294967295")],
        "4294967296",
    ),
    ("DB_POOL_SIZE", " 8 ", &[("/pool/size", "8")], "eight"),
    ("DB_MAX_OVERFLOW", "0", &[("/pool/overflow", "0")], "+3"),
    (
        "DB_POOL_TIMEOUT",
        "2",
        &[("/pool/acquire_timeout", "\"2s\"")],
        "2 2",
    ),
    (
        "DB_POOL_RECYCLE",
        "1800",
        &[("/pool/recycle", "\"30m\"")],
        "-1",
    ),
    (
        "DB_CONNECT_TIMEOUT",
        "0.25",
        &[("/pool/connect_timeout", "\"250ms\"")],
        "0.0",
    ),
    (
        "DB_COMMAND_TIMEOUT",
        "24days",
        &[("/pool/statement_timeout", "\"24days\"")],
        "25days",
    ),
    (
        "DB_MAX_RETRIES",
        "0",
        &[("/retry/max_retries", "0")],
        "1001",
    ),
    (
        "DB_RETRY_BASE_DELAY",
        "0.05",
        &[("/retry/base_delay", "\"50ms\"")],
        "1e-3",
    ),
    (
        "DB_RETRY_MAX_DELAY",
        "10",
        &[("/retry/max_delay", "\"10s\"")],
        "NaN",
    ),
    (
        "DB_DEADLOCK_RETRY_COUNT",
        "10",
        &[("/retry/deadlock_retries", "10")],
        "ten",
    ),
    (
        "SOFT_DELETE_ENABLE_MONITORING",
        "0",
        &[("/soft_delete/enable_monitoring", "false")],
        "nope",
    ),
    (
        "SOFT_DELETE_ALERT_ON_HIGH_DELETION_RATIO",
        "False",
        &[("/soft_delete/alert_on_high_deletion_ratio", "false")],
        "-",
    ),
    (
        "SOFT_DELETE_DELETION_RATIO_ALERT_THRESHOLD",
        "50%",
        &[("/soft_delete/deletion_ratio_alert_threshold", "0.5")],
        "1.01",
    ),
];

fn read(prefix: &str, variables: &[(String, &str)]) -> Result<Config, ConfigError> {
    Config::default().overlaid(&Environment::of(variables.iter().cloned()).prefix(prefix))
}

#[test]
fn each_variable_sets_its_fields_and_nothing_else() {
    let listed: Vec<_> = TABLE.iter().map(|row| row.0).collect();
    let known: Vec<_> = VARIABLES.iter().map(|v| v.name).collect();
    assert_eq!(listed, known);
    for prefix in ["", "APP_", "app.primary."] {
        for (name, good, fields, _) in TABLE {
            let config = read(prefix, &[(format!("{prefix}{name}"), *good)]).expect(name);
            let mut json = serde_json::to_value(&config).unwrap();
            let default = serde_json::to_value(Config::default()).unwrap();
            for (field, expected) in *fields {
                let value = json.pointer_mut(field).expect(field);
                assert_eq!(&value.to_string(), expected, "{name}");
                assert_ne!(Some(&*value), default.pointer(field), "{name}");
                *value = default.pointer(field).unwrap().clone();
            }
            assert_eq!(json, default, "{name}");
        }
    }
}

#[test]
fn each_bad_value_is_named_with_its_variable_and_what_is_allowed() {
    for prefix in ["", "APP_"] {
        for (name, _, _, bad) in TABLE.iter().filter(|row| !row.3.is_empty()) {
            let variable = format!("{prefix}{name}");
            let error = read(prefix, &[(variable.clone(), *bad)]).unwrap_err();
            let [problem] = error.problems() else {
                panic!("{error}");
            };
            assert_eq!(problem.variable(), Some(variable.as_str()));
            assert_eq!(problem.value(), *bad);
            let text = error.to_string();
            for part in [&variable, &format!("{bad:?}"), problem.allowed()] {
                assert!(text.contains(part), "{part}: {text}");
            }
        }
    }
}

#[test]
fn all_bad_values_are_named_at_once() {
    let bad: Vec<_> = TABLE
        .iter()
        .filter(|row| !row.3.is_empty())
        .map(|row| (row.0.to_owned(), row.3))
        .collect();
    let error = read("", &bad).unwrap_err();
    assert_eq!(error.problems().len(), bad.len());
    let error = read(
        "X_",
        &[
            ("X_DB_POOL_SIZE".to_owned(), "0"),
            ("X_DB_MAX_RETRIES".to_owned(), "many"),
            ("DB_MAX_OVERFLOW".to_owned(), "not ours"),
        ],
    )
    .unwrap_err();
    assert_eq!(
        error.to_string(),
        "the configuration cannot be used: X_DB_POOL_SIZE (pool.size) is \"0\"; allowed is a \
         whole number from 1 to 100000; X_DB_MAX_RETRIES (retry.max_retries) is \"many\"; allowed \
         is a whole number from 0 to 1000"
    );
}

#[test]
fn booleans_have_eight_words_in_any_case() {
    for (word, meaning) in [
        ("true", true),
        ("1", true),
        ("Yes", true),
        ("ON", true),
        ("FALSE", false),
        ("0", false),
        ("no", false),
        ("oFf", false),
    ] {
        let config = read("", &[("DB_HEALTH_CHECK_ENABLED".to_owned(), word)]).unwrap();
        assert_eq!(config.health.enabled, meaning, "{word}");
    }
}

#[test]
fn what_is_not_set_or_empty_is_left_to_the_base() {
    let base = Config::high_latency();
    let environment = Environment::of([("DB_POOL_SIZE", ""), ("DB_POOL_TIMEOUT", "  ")]);
    assert_eq!(base.overlaid(&environment).unwrap(), base);
    let environment = Environment::of([("DB_POOL_SIZE", "3")]);
    let mut expected = base.clone();
    expected.pool.size = 3;
    assert_eq!(base.overlaid(&environment).unwrap(), expected);
}

#[test]
fn the_narrower_of_two_variables_has_the_last_word() {
    let environment = Environment::of([
        ("DB_MAX_CONNECTION_IDLE_TIME", "20"),
        ("DB_SESSION_MAX_IDLE_TIME", "10"),
    ]);
    let config = Config::default().overlaid(&environment).unwrap();
    assert_eq!(config.session.max_idle_time.as_secs(), 10);
    assert_eq!(config.health.max_idle_time.as_secs(), 20);
}

#[test]
fn values_that_do_not_fit_together_are_named_by_their_variables() {
    let error = read("A_", &[("A_DB_RETRY_BASE_DELAY".to_owned(), "30")]).unwrap_err();
    assert_eq!(
        error.to_string(),
        "the configuration cannot be used: A_DB_RETRY_MAX_DELAY (retry.max_delay) is \"5s\"; \
         allowed is at least A_DB_RETRY_BASE_DELAY, which is 30s"
    );
}

#[cfg(unix)]
#[test]
fn text_that_is_not_unicode_is_a_bad_value() {
    use std::{ffi::OsString, os::unix::ffi::OsStringExt};
    let value = OsString::from_vec(vec![b'3', 0xff]);
    let environment = Environment::of([("DB_POOL_SIZE", value)]);
    let error = Config::default().overlaid(&environment).unwrap_err();
    assert_eq!(error.problems()[0].value(), "3\u{fffd}");
}

#[test]
fn slips_are_pointed_out_and_strangers_are_left_alone() {
    let environment = Environment::of([
        ("APP_DB_POOL_SIZ", "1"),
        ("APP_db_pool_timeout", "1"),
        ("APP_DB_MAX_RETRYS", "1"),
        ("APP_SOFT_DELETE_DELETION_RATIO_ALERT_TRESHOLD", "1"),
        ("APP_DB_POOL_SIZE", "4"),
        ("APP_DB_HOST", "localhost"),
        ("APP_DB_PASSWORD", "secret"),
        ("APP_PATH", "/bin"),
        ("DB_POOL_SIZ", "without the prefix"),
    ])
    .prefix("APP_");
    let loaded = environment.load(&Config::default()).unwrap();
    assert_eq!(loaded.config.pool.size, 4);
    let found: Vec<_> = loaded
        .warnings
        .iter()
        .map(|w| (w.variable(), w.nearest()))
        .collect();
    assert_eq!(
        found,
        [
            ("APP_DB_MAX_RETRYS", "APP_DB_MAX_RETRIES"),
            ("APP_DB_POOL_SIZ", "APP_DB_POOL_SIZE"),
            (
                "APP_SOFT_DELETE_DELETION_RATIO_ALERT_TRESHOLD",
                "APP_SOFT_DELETE_DELETION_RATIO_ALERT_THRESHOLD"
            ),
            ("APP_db_pool_timeout", "APP_DB_POOL_TIMEOUT"),
        ]
    );
    assert_eq!(
        loaded.warnings[1].to_string(),
        "APP_DB_POOL_SIZ is not known and ignored; did you mean APP_DB_POOL_SIZE?"
    );
    assert!(!format!("{environment:?}").contains("secret"));
}
