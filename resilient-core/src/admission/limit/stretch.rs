//! [`Stretch`]: a while at one limit, and what it comes to.

use std::time::{Duration, Instant};

/// Commits of a full stretch, and its least and greatest length.
pub(super) const COMMITS: u32 = 100;
pub(super) const SHORTEST: Duration = Duration::from_millis(25);
const LONGEST: Duration = Duration::from_millis(400);

/// Waits in vain that end a stretch before it is full: by then it is plain what it comes to, and
/// each more costs others, too.
pub(super) const ENOUGH_STALLS: u32 = 12;

/// Waste from which on a lower limit is tried, and below which a higher one costs nothing. Less
/// is cheaper than to look for something better.
const WASTEFUL: f64 = 0.3;
const CLEAN: f64 = 0.12;

/// The same for the share of attempts that waited for a lock in vain: others waited for them
/// meanwhile, which no clock of theirs tells.
const STALLED: f64 = 0.05;
const FLOWING: f64 = 0.005;

/// How much of the waste is held against a limit: it costs the server, and retries run out.
const DISLIKE: f64 = 0.15;

/// What happened in a stretch.
#[derive(Clone, Copy, Debug)]
pub(super) struct Stretch {
    since: Instant,
    /// Whether no more than the limit are in flight: before, the earlier limit has its effect.
    pub(super) settled: bool,
    pub(super) done: u32,
    pub(super) contended: u32,
    pub(super) stalled: u32,
    pub(super) busy: Duration,
    pub(super) wasted: Duration,
    pub(super) fastest: Duration,
    pub(super) entered: u32,
    pub(super) waited: u32,
    pub(super) peak: usize,
}

/// What it comes to.
#[derive(Clone, Copy, Debug)]
pub(super) struct Found {
    pub(super) length: Duration,
    /// Done a second.
    goodput: f64,
    waste: f64,
    stalled: f64,
    stalls: u32,
    contended: u32,
    /// The fastest commit's time over the mean of all.
    pub(super) gradient: f64,
    /// Whether the limit kept anybody waiting.
    pub(super) binding: bool,
    pub(super) peak: usize,
}

impl Found {
    /// Whether calls got stuck so much that one stretch is enough to tell.
    pub(super) fn plain(&self) -> bool {
        self.stalls >= ENOUGH_STALLS && self.stalled >= STALLED
    }

    pub(super) fn in_trouble(&self) -> bool {
        self.contended > 1 && (self.waste >= WASTEFUL || self.stalled >= STALLED)
    }

    pub(super) fn clean(&self) -> bool {
        self.waste < CLEAN && self.stalled < FLOWING
    }

    pub(super) fn score(&self) -> f64 {
        self.goodput * (1.0 - DISLIKE * self.waste)
    }
}

impl Stretch {
    pub(super) fn new(now: Instant, settled: bool) -> Self {
        Self {
            since: now,
            settled,
            done: 0,
            contended: 0,
            stalled: 0,
            busy: Duration::ZERO,
            wasted: Duration::ZERO,
            fastest: Duration::MAX,
            entered: 0,
            waited: 0,
            peak: 0,
        }
    }

    /// Whether it has lasted long enough. One whose goodput is below `least` when it could have
    /// been full need not go on.
    pub(super) fn over(&self, now: Instant, least: Option<f64>) -> bool {
        let length = now.saturating_duration_since(self.since);
        let hopeless = least.is_some_and(|least| {
            let full = f64::from(COMMITS);
            self.entered > 0 && length.as_secs_f64() * least > full && f64::from(self.done) < full
        });
        let full = self.done >= COMMITS || self.stalled >= ENOUGH_STALLS || hopeless;
        length >= LONGEST || (length >= SHORTEST && full)
    }

    pub(super) fn found(&self, now: Instant) -> Found {
        let length = now.saturating_duration_since(self.since);
        let seconds = length.as_secs_f64().max(f64::MIN_POSITIVE);
        let busy = self.busy.as_secs_f64().max(f64::MIN_POSITIVE);
        let all = f64::from(self.done + self.contended).max(1.0);
        let mean = busy / all;
        let fastest = if self.done == 0 {
            0.0
        } else {
            self.fastest.as_secs_f64()
        };
        Found {
            length,
            goodput: f64::from(self.done) / seconds,
            stalled: f64::from(self.stalled) / all,
            waste: self.wasted.as_secs_f64() / busy,
            stalls: self.stalled,
            contended: self.contended,
            gradient: fastest / mean,
            binding: self.waited * 2 > self.entered,
            peak: self.peak,
        }
    }
}
