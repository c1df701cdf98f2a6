//! Settings that are allowed one by one and contradict each other.

use std::time::Duration;

use super::{Area, Recommendation, Severity};
use crate::{driver::Context, health::settings::HealthSettings};

/// What the driver says about the size of its pool.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct PoolSizes {
    /// The most connections it may open; 0 where there is no pool.
    pub max: u32,
    /// So many it keeps open.
    pub min: u32,
    /// How long a caller may wait for one.
    pub acquire_timeout: Duration,
}

/// What of a database's settings cannot be meant.
pub fn judge_configuration(
    context: &Context,
    settings: &HealthSettings,
    pool: PoolSizes,
) -> Vec<Recommendation> {
    let (config, policy, limits) = (context.config(), &context.policy, context.limits());
    let mut all = Vec::new();
    let mut add = |severity, text: String| {
        all.push(Recommendation::new(severity, Area::Configuration, text));
    };
    if let Err(error) = config.validate() {
        for problem in error.problems() {
            // Without the value, which can be anything.
            let text = format!("{} must be {}", problem.field(), problem.allowed());
            add(Severity::Warning, text);
        }
    }
    if pool.max > 0 && pool.min > pool.max {
        let text = format!(
            "the pool is to keep {} connections open and may have {}: lower min_connections",
            pool.min, pool.max
        );
        add(Severity::Warning, text);
    }
    // A pair that is the wrong way round: what is longer, than what, and what follows.
    let mut longer = |severity, long: (&str, Duration), short: (&str, Duration), so: &str| {
        if long.1 > short.1 {
            let text = format!(
                "{} ({}) is longer than {} ({}): {so}",
                long.0,
                seconds(long.1),
                short.0,
                seconds(short.1)
            );
            add(severity, text);
        }
    };
    let statement = ("the limit for statements", limits.statement);
    let acquire = ("the wait for a connection", pool.acquire_timeout);
    if let Some(deadline) = policy.deadline {
        let deadline = ("the deadline of a call", deadline);
        let so = "one silent statement can use up all of a call, and nothing is left for a retry";
        longer(Severity::Info, statement, deadline, so);
        if pool.max > 0 {
            let so = "a call gives up before the pool does, and its error does not name the pool";
            longer(Severity::Info, acquire, deadline, so);
        }
        if let Some(timeout) = policy.timeout {
            let so = "the limit of one attempt is never reached, so there is never a second one";
            let attempt = ("the limit of one attempt", timeout);
            longer(Severity::Warning, attempt, deadline, so);
        }
    }
    let session = ("the session timeout", config.session.timeout);
    let so = "a transaction is ended as overdue before its statement would be given up";
    longer(Severity::Info, statement, session, so);
    let check = ("the timeout of a check", settings.timeout);
    let interval = ("the interval of checks", settings.interval);
    let so = "checks of a silent server overlap";
    longer(Severity::Warning, check, interval, so);
    let cached = ("what a check's answer is good for", settings.cache_duration);
    let so = "a monitor sees answers from before";
    longer(Severity::Warning, cached, interval, so);
    let slow = ("the threshold of a slow check", settings.slow_above);
    let so = "a check fails before it can be slow";
    longer(Severity::Info, slow, check, so);
    let leak = ("the leak threshold", settings.leak_after);
    let so = "a transaction is ended before it is suspected of a leak";
    longer(Severity::Info, leak, session, so);
    all
}

fn seconds(time: Duration) -> String {
    format!("{} s", time.as_secs_f64())
}
