//! The pool: how full it is, who waits, how long that takes, and whether it is about to be
//! exhausted.

use std::{
    fmt::Write as _,
    sync::atomic::Ordering,
    time::{Duration, Instant},
};

use serde::Serialize;

use super::{connections::Connections, meter::Churn, record::ConnectionReport};
use crate::metrics::LatencySnapshot;

/// What a look at the idle connections came to.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Sweep {
    /// Idle connections that were checked.
    pub checked: u32,
    /// Of these, those that did not answer.
    pub failed: u32,
    /// Connections that were closed, for this or for their age.
    pub closed: u32,
    /// Connections that were opened, so that enough are.
    pub opened: u32,
}

/// What the driver says about its pool.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct PoolGauge {
    /// The most connections it may open.
    pub max: u32,
    /// Connections that are open.
    pub open: u32,
    /// Open ones that nobody uses.
    pub idle: u32,
    /// How long a caller may wait for one.
    pub acquire_timeout: Duration,
    /// Whether the pool asks us before it hands a connection out.
    pub hooks: bool,
}

impl PoolGauge {
    /// Connections that somebody uses.
    pub fn in_use(&self) -> u32 {
        self.open.saturating_sub(self.idle)
    }

    /// Whether nobody else can be served.
    pub fn exhausted(&self) -> bool {
        self.in_use() >= self.max
    }
}

/// A pool as it is now.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[non_exhaustive]
pub struct PoolReport {
    /// The database's name.
    pub name: String,
    /// The most connections it may open: its regular size and overflow.
    pub max_connections: u32,
    /// Its regular size.
    pub size: u32,
    /// Connections that are open.
    pub open: u32,
    /// Open connections that nobody uses.
    pub idle: u32,
    /// Connections that could be had without waiting for others: idle or not yet open.
    pub available: u32,
    /// Connections that somebody uses.
    pub in_use: u32,
    /// How many of these are beyond the regular size.
    pub overflow_in_use: u32,
    /// Callers that wait for a connection.
    pub waiting: u32,
    /// The most that ever waited at the same time.
    pub most_waiting: u32,
    /// The share in use, of all that may be opened.
    pub utilisation: f64,
    /// How long callers waited who got a connection.
    pub acquire: LatencySnapshot,
    /// How often none could be had.
    pub acquire_failures: u64,
    /// How long a caller may wait.
    pub acquire_timeout_seconds: f64,
    /// Connections opened and closed.
    pub churn: Churn,
    /// Connections held for longer than the leak threshold.
    pub suspected_leaks: Vec<ConnectionReport>,
    /// Why the pool is exhausted or about to be; `None` if it is not.
    pub warning: Option<String>,
    /// Whether the warning is there for the first time since it was last gone.
    pub newly_warned: bool,
    /// Whether every connection is judged by the pool's hook before it is handed out. Where
    /// the pool was opened by others, only what the framework takes itself is seen, and ages
    /// count from then.
    pub lifecycle_hooks: bool,
}

impl PoolReport {
    /// The report of a pool.
    pub fn of(name: &str, gauge: PoolGauge, connections: &Connections) -> Self {
        let (settings, meter) = (connections.settings(), connections.meter());
        let now = connections.clock().now();
        let size = settings.pool_size.unwrap_or(gauge.max).min(gauge.max);
        let in_use = gauge.in_use();
        let utilisation = if gauge.max == 0 {
            0.0
        } else {
            f64::from(in_use) / f64::from(gauge.max)
        };
        let mut suspected_leaks = connections.report();
        suspected_leaks.retain(|connection| connection.suspected_leak);
        let mut report = Self {
            name: name.to_owned(),
            max_connections: gauge.max,
            size,
            open: gauge.open,
            idle: gauge.idle,
            available: gauge.max.saturating_sub(in_use),
            in_use,
            overflow_in_use: in_use.saturating_sub(size),
            waiting: meter.waiting(),
            most_waiting: meter.most_waiting.load(Ordering::Relaxed),
            utilisation,
            acquire: meter.acquired.snapshot(),
            acquire_failures: meter.failed.get(),
            acquire_timeout_seconds: gauge.acquire_timeout.as_secs_f64(),
            churn: meter.churn(now),
            suspected_leaks,
            warning: None,
            newly_warned: false,
            lifecycle_hooks: gauge.hooks,
        };
        report.warn(connections, now);
        report
    }

    fn warn(&mut self, connections: &Connections, now: Instant) {
        let settings = connections.settings();
        let mut events = connections.meter().events();
        let busy = self.utilisation >= settings.utilisation_warning;
        let since = busy.then(|| *events.busy_since.get_or_insert(now));
        events.busy_since = since;
        let sustained = since.is_some_and(|since| {
            now.saturating_duration_since(since) >= settings.utilisation_warning_after
        });
        let queue = self.waiting > 0 && self.available == 0;
        if queue || sustained {
            let mut text = format!(
                "{} of {} connections in use",
                self.in_use, self.max_connections
            );
            if queue {
                // Writing to a String cannot fail.
                let _ = write!(text, ", {} waiting", self.waiting);
            }
            if let Some(since) = since.filter(|_| sustained) {
                let for_ = now.saturating_duration_since(since).as_secs();
                let _ = write!(text, ", nearly all for {for_} s");
            }
            if let Some(leak) = self.suspected_leaks.first() {
                let _ = write!(text, "; {}", leak.held_text());
            }
            self.warning = Some(text);
        }
        self.newly_warned = self.warning.is_some() && !events.busy_told;
        events.busy_told = self.warning.is_some();
    }
}

impl ConnectionReport {
    /// Who holds it and for how long, for people.
    pub fn held_text(&self) -> String {
        format!(
            "connection {} is held for {:.1} s by {}",
            self.id,
            self.held_seconds.unwrap_or(0.0),
            self.held_by
                .unwrap_or("a caller outside of resilient methods"),
        )
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::{
        health::{meter::PoolMeter, settings::HealthSettings},
        time::{Clock as _, FakeClock, ThreadRandom},
    };

    fn gauge(open: u32, idle: u32) -> PoolGauge {
        PoolGauge {
            max: 10,
            open,
            idle,
            acquire_timeout: Duration::from_secs(30),
            hooks: true,
        }
    }

    #[test]
    fn adds_up_and_warns_once_before_it_is_exhausted() {
        let clock = FakeClock::new();
        let settings = HealthSettings {
            pool_size: Some(6),
            ..HealthSettings::default()
        };
        let all = Connections::new(settings, Arc::new(clock.clone()), Arc::new(ThreadRandom));
        let report = |open, idle| PoolReport::of("db", gauge(open, idle), &all);
        let quiet = report(4, 3);
        assert_eq!(
            (quiet.in_use, quiet.available, quiet.overflow_in_use),
            (1, 9, 0)
        );
        assert_eq!(quiet.warning, None);
        let busy = report(8, 0);
        assert_eq!(
            (busy.overflow_in_use, busy.warning.clone()),
            (2, None),
            "not yet"
        );
        clock.advance(Duration::from_secs(5));
        let busy = report(8, 0);
        assert!(busy.newly_warned, "{busy:?}");
        assert!(busy.warning.unwrap().contains("8 of 10"));
        assert!(!report(9, 0).newly_warned, "told already");
        assert_eq!(report(9, 5).warning, None);
        // Somebody waits: no need to look twice.
        let waiting = all.meter().wait(clock.now());
        let full = report(10, 0);
        assert!(full.newly_warned && full.warning.unwrap().contains("1 waiting"));
        waiting.failed();
        assert_eq!(report(4, 4).acquire_failures, 1);
        assert_eq!(report(4, 4).most_waiting, 1);
    }

    #[test]
    fn waits_are_measured() {
        let clock = FakeClock::new();
        let meter = PoolMeter::default();
        let waiting = meter.wait(clock.now());
        assert_eq!(meter.waiting(), 1);
        clock.advance(Duration::from_millis(20));
        waiting.got(clock.now());
        assert_eq!(meter.waiting(), 0);
        let waits = meter.acquired.snapshot();
        assert_eq!(waits.count, 1);
        assert!(waits.max_seconds >= 0.02);
        drop(meter.wait(clock.now()));
        assert_eq!(meter.acquired.snapshot().count, 1, "given up");
    }

    #[test]
    fn churn_is_of_the_last_minute() {
        let clock = FakeClock::new();
        let meter = PoolMeter::default();
        meter.opened(clock.now());
        clock.advance(Duration::from_secs(59));
        meter.opened(clock.now());
        assert_eq!(meter.churn(clock.now()).opened_per_minute, 2);
        clock.advance(Duration::from_secs(1));
        let churn = meter.churn(clock.now());
        assert_eq!((churn.opened_per_minute, churn.opened), (1, 2));
    }
}
