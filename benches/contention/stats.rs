//! What a round measured.

use std::time::Duration;

/// One call.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Done {
    /// From when it was due to its end.
    pub(crate) took: Duration,
    pub(crate) attempts: u32,
    pub(crate) committed: bool,
    /// Whether it ended while the round was on.
    pub(crate) in_time: bool,
}

/// One policy on one workload for some seconds.
#[derive(Clone, Debug)]
pub(crate) struct Round {
    pub(crate) length: Duration,
    /// By task; all in one where calls arrive by themselves.
    pub(crate) tasks: Vec<Vec<Done>>,
}

#[allow(clippy::cast_precision_loss)]
impl Round {
    pub(crate) fn calls(&self) -> impl Iterator<Item = &Done> {
        self.tasks.iter().flatten()
    }

    fn commits(calls: &[Done]) -> usize {
        calls.iter().filter(|c| c.committed && c.in_time).count()
    }

    /// Commits a second.
    pub(crate) fn per_second(&self) -> f64 {
        let commits: usize = self.tasks.iter().map(|t| Self::commits(t)).sum();
        commits as f64 / self.length.as_secs_f64()
    }

    /// A quantile of the latency, in milliseconds.
    pub(crate) fn quantile(&self, q: f64) -> f64 {
        quantile(self.calls(), q)
    }

    /// Jain's index over the tasks' commits: 1 if all had the same, `1 / tasks` if one had all.
    pub(crate) fn jain(&self) -> f64 {
        let each: Vec<f64> = self.tasks.iter().map(|t| Self::commits(t) as f64).collect();
        let sum: f64 = each.iter().sum();
        let squares: f64 = each.iter().map(|x| x * x).sum();
        if squares == 0.0 {
            return 0.0;
        }
        sum * sum / (each.len() as f64 * squares)
    }
}

/// A quantile of the latency of calls, in milliseconds.
pub(crate) fn quantile<'a>(calls: impl Iterator<Item = &'a Done>, q: f64) -> f64 {
    let mut took: Vec<f64> = calls.map(|c| c.took.as_secs_f64() * 1e3).collect();
    took.sort_unstable_by(f64::total_cmp);
    #[allow(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        clippy::cast_precision_loss
    )]
    let at = ((took.len() as f64 - 1.0).max(0.0) * q).round() as usize;
    took.get(at).copied().unwrap_or(f64::NAN)
}

/// The middle one.
pub(crate) fn median(mut values: Vec<f64>) -> f64 {
    values.sort_unstable_by(f64::total_cmp);
    let middle = values.len() / 2;
    match values.len() {
        0 => f64::NAN,
        n if n % 2 == 0 => f64::midpoint(values[middle - 1], values[middle]),
        _ => values[middle],
    }
}
