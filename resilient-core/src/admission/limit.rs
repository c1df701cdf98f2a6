//! [`Limit`]: how many at a time, found out by trying. Pure state.
//!
//! Time is cut into stretches of about a hundred commits. Three things of a stretch decide:
//!
//! - *waste*, the share of the time in transactions that went into attempts which failed by
//!   contention: without it there is nothing to limit;
//! - the *latency gradient*, the fastest commit's time over the mean: it says how far down to go,
//!   as what is beyond is spent in waiting for others;
//! - *goodput*, what was done a second: it says whether that was right. A lower limit is kept if
//!   as much is done with it, a higher one if more is, or as much without waste.
//!
//! What turned out wrong is tried again after a time that doubles.

mod stretch;
mod trial;

use std::time::{Duration, Instant};

use stretch::{Found, Stretch};
use trial::{Trial, Verdict};

/// More than any pool has connections.
pub(crate) const UNLIMITED: usize = 1 << 20;

/// Without anybody in flight for so long, a stretch begins anew.
const IDLE: Duration = Duration::from_millis(100);

/// How much of the average score the latest stretch is.
const LATEST: f64 = 0.25;

/// Pauses between trials.
const SHORT_PAUSE: Duration = Duration::from_millis(200);
const LONG_PAUSE: Duration = Duration::from_secs(5);

/// How many times longer than a trial that was wrong the pause after it is, and the most.
const COST: u32 = 20;
const LONGEST_PAUSE: Duration = Duration::from_secs(20);

/// What waits in vain may cost beyond what an impatient statement would wait, in times of the
/// fastest transaction: for each attempt, and all together before statements become impatient. To
/// say so costs each transaction something, too: 15 to 20 % of the smallest ones.
const BEARABLE: f64 = 0.3;
const TOO_MUCH: f64 = 200.0;

/// For how long they are, and how impatient.
const WARY: Duration = Duration::from_secs(30);
const BRISK: Duration = Duration::from_millis(20);
const SLOW: Duration = Duration::from_secs(1);
const FASTEST_TIMES: u32 = 16;

/// How a transaction ended, as far as it matters here.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Ended {
    /// It committed, or failed of something else than contention.
    Done,
    /// It was in another's way, or another in its.
    Contended {
        /// It waited for a lock: a deadlock or a lock timeout.
        waited: bool,
    },
    /// It says nothing: it was cancelled or lost its server.
    Void,
}

#[derive(Clone, Copy, Debug)]
enum Phase {
    /// It is what it is until then.
    Resting(Instant),
    /// Another limit is tried against the one before.
    Trying(Trial),
}

/// How many at a time.
#[derive(Debug)]
pub(crate) struct Limit {
    current: usize,
    phase: Phase,
    stretch: Stretch,
    /// Pauses after trials that were wrong, down and up.
    pause_down: Duration,
    pause_up: Duration,
    /// Not to try lower before.
    not_down: Option<Instant>,
    /// What was too low, the last time.
    floor: usize,
    /// What it was before it rose, and when that last seemed right.
    rose: Option<(usize, Instant)>,
    fastest: Option<Duration>,
    /// What stretches at this limit score on average, where nothing is tried and calls wait.
    usual: Option<f64>,
    /// What waits in vain have cost of late.
    stalls: f64,
    wary_until: Option<Instant>,
    /// The same of those that waited in vain for others than their own kind.
    wary_alone_until: Option<Instant>,
    last_left: Instant,
    changes: u64,
}

impl Limit {
    pub(crate) fn new(now: Instant) -> Self {
        Self {
            current: UNLIMITED,
            phase: Phase::Resting(now),
            stretch: Stretch::new(now, true),
            pause_down: SHORT_PAUSE,
            pause_up: SHORT_PAUSE,
            not_down: None,
            floor: 0,
            rose: None,
            fastest: None,
            usual: None,
            stalls: 0.0,
            wary_until: None,
            wary_alone_until: None,
            last_left: now,
            changes: 0,
        }
    }

    /// One that stays.
    #[cfg(test)]
    pub(super) fn fixed(limit: usize, now: Instant) -> Self {
        let day = now + Duration::from_hours(24);
        Self {
            current: limit,
            phase: Phase::Resting(day),
            not_down: Some(day),
            ..Self::new(now)
        }
    }

    /// How many may be in flight; [`UNLIMITED`] without a limit, never 0.
    pub(crate) fn limit(&self) -> usize {
        self.current
    }

    /// How often it was changed.
    pub(crate) fn changes(&self) -> u64 {
        self.changes
    }

    /// How long statements may wait for locks: a multiple of what a whole transaction takes, for
    /// a while after they were seen to wait in vain. One at a time cannot be in each other's way.
    pub(crate) fn lock_timeout(&self, now: Instant) -> Option<Duration> {
        let fastest = self.fastest?;
        self.is_wary(now).then(|| impatience(fastest))
    }

    /// One more is in flight.
    pub(crate) fn entered(&mut self, now: Instant, waited: bool, in_flight: usize) {
        let idle = now.saturating_duration_since(self.last_left);
        if in_flight == 1 && idle > IDLE {
            self.stretch = Stretch::new(now, true);
            self.usual = None;
        }
        let stretch = &mut self.stretch;
        stretch.entered += 1;
        stretch.waited += u32::from(waited);
        stretch.peak = stretch.peak.max(in_flight);
    }

    /// One has ended after so long; so many are left in flight.
    pub(crate) fn left(&mut self, now: Instant, took: Duration, ended: Ended, in_flight: usize) {
        self.last_left = now;
        self.weigh(now, took, ended);
        if !self.stretch.settled {
            if in_flight <= self.current {
                self.stretch = Stretch::new(now, true);
            }
            return;
        }
        let stretch = &mut self.stretch;
        match ended {
            Ended::Done => {
                stretch.done += 1;
                stretch.fastest = stretch.fastest.min(took);
                stretch.busy += took;
            }
            Ended::Contended { waited } => {
                stretch.contended += 1;
                stretch.stalled += u32::from(waited);
                stretch.wasted += took;
                stretch.busy += took;
            }
            Ended::Void => {}
        }
        let least = match self.phase {
            Phase::Trying(trial) if self.current == trial.tried => Some(trial.least()),
            _ => None,
        };
        if stretch.over(now, least) {
            let (found, done, fastest) = (stretch.found(now), stretch.done, stretch.fastest);
            if done > 0 {
                self.remember(fastest);
            }
            self.stretch = Stretch::new(now, true);
            self.judge(now, found);
        }
    }

    /// Adds up what waits in vain cost.
    fn weigh(&mut self, now: Instant, took: Duration, ended: Ended) {
        self.stalls = (self.stalls - BEARABLE).max(0.0);
        if ended == (Ended::Contended { waited: true }) {
            let fastest = self.fastest.unwrap_or(self.stretch.fastest);
            // An impatient statement would have waited for so long, too. So those that are do not
            // keep each other impatient: to be patient once in a while costs less than to be
            // impatient for ever.
            let in_vain = took.saturating_sub(impatience(fastest));
            self.stalls += in_vain.as_secs_f64() / fastest.as_secs_f64().max(f64::MIN_POSITIVE);
            if self.stalls >= TOO_MUCH {
                self.stalls = 0.0;
                self.wary_until = now.checked_add(WARY);
                if self.current == 1 && self.stretch.settled {
                    self.wary_alone_until = self.wary_until;
                }
            }
        }
    }

    fn is_wary(&self, now: Instant) -> bool {
        let until = match self.current {
            1 => self.wary_alone_until,
            _ => self.wary_until,
        };
        until.is_some_and(|until| now < until)
    }

    fn remember(&mut self, fastest: Duration) {
        self.fastest = Some(match self.fastest {
            Some(known) if known < fastest => known + fastest.saturating_sub(known) / 8,
            _ => fastest,
        });
    }

    fn judge(&mut self, now: Instant, found: Found) {
        let mut trial = match self.phase {
            Phase::Resting(until) => return self.rested(now, until, found),
            Phase::Trying(trial) => trial,
        };
        if self.current == trial.before {
            trial.score_before += found.score();
            self.phase = Phase::Trying(trial);
            return self.set(now, trial.tried);
        }
        trial.score_tried += found.score();
        trial.stretches += 1;
        match trial.verdict(found) {
            Verdict::Open => {
                self.phase = Phase::Trying(trial);
                self.set(now, trial.before);
            }
            Verdict::Right if trial.down() => {
                self.usual = None;
                self.pause_down = SHORT_PAUSE;
                self.floor = 0;
                // Up and down again: it seemed right by chance, and is not tried again at once.
                let by_chance = self.rose.take().is_some_and(|(low, _)| trial.tried <= low);
                let mut until = now;
                if by_chance {
                    self.pause_up = (self.pause_up * 2).min(LONG_PAUSE);
                    until += self.pause_up;
                }
                self.rest(now, self.pause_up);
                self.rested(now, until, found);
            }
            Verdict::Right => {
                self.usual = None;
                self.floor = 0;
                let low = self.rose.map_or(trial.before, |(low, _)| low);
                self.rose = Some((low.min(trial.before), now));
                self.rest(now, Duration::ZERO);
                if found.binding {
                    self.go_up(now, found.score());
                }
            }
            Verdict::Wrong if trial.down() => {
                self.floor = trial.tried;
                self.set(now, trial.before);
                self.rest(now, self.pause_up);
                self.wait_to_go_down(now);
            }
            Verdict::Wrong => {
                self.set(now, trial.before);
                // What costs much is not done often.
                let worth = (found.length * COST).min(LONGEST_PAUSE);
                self.rest(now, self.pause_up.max(worth));
                self.pause_up = (self.pause_up * 2).min(LONG_PAUSE);
            }
        }
    }

    /// A stretch at a limit that is not being tried.
    fn rested(&mut self, now: Instant, until: Instant, found: Found) {
        if self.rose.is_some_and(|(_, at)| now >= at + LONG_PAUSE) {
            self.rose = None;
            self.pause_up = SHORT_PAUSE;
        }
        // A single stretch can be bad by chance, and whatever is tried after it looks well. Where
        // nobody waited, it tells how much came and not how much could be done.
        let usual = match self.usual {
            Some(usual) if found.binding => usual + (found.score() - usual) * LATEST,
            _ => found.score(),
        };
        self.usual = found.binding.then_some(usual);
        let at_most = self.current.min(found.peak);
        let lower_is_due = self.not_down.is_none_or(|at| now >= at);
        if found.in_trouble() && at_most > 1 && lower_is_due {
            let score = if found.plain() { found.score() } else { usual };
            self.go_down(now, found, score, at_most);
        } else if now >= until && found.binding && self.current < UNLIMITED {
            self.go_up(now, usual);
        }
    }

    #[allow(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        clippy::cast_precision_loss
    )]
    fn go_down(&mut self, now: Instant, found: Found, score: f64, from: usize) {
        // What would be in flight if nobody waited for others.
        let useful = (from as f64 * found.gradient).ceil() as usize;
        let mut target = useful.clamp(1, from / 2);
        if self.floor > 0 {
            // Between what was too low and what is too high.
            target = target.max((self.floor as f64 * from as f64).sqrt().round() as usize);
        }
        if target > self.floor && target < from {
            self.try_out(now, score, target);
        } else {
            self.floor = 0;
            self.wait_to_go_down(now);
        }
    }

    fn wait_to_go_down(&mut self, now: Instant) {
        self.not_down = now.checked_add(self.pause_down);
        self.pause_down = (self.pause_down * 2).min(LONG_PAUSE);
    }

    fn go_up(&mut self, now: Instant, score: f64) {
        let target = self.current.saturating_mul(2).min(UNLIMITED);
        // Far above what there ever was it has no effect.
        let target = if target > 1 << 10 { UNLIMITED } else { target };
        if target > self.current {
            self.try_out(now, score, target);
        }
    }

    fn try_out(&mut self, now: Instant, score: f64, tried: usize) {
        self.phase = Phase::Trying(Trial {
            before: self.current,
            tried,
            score_before: score,
            score_tried: 0.0,
            stretches: 0,
        });
        self.set(now, tried);
    }

    fn rest(&mut self, now: Instant, pause: Duration) {
        self.phase = Phase::Resting(now.checked_add(pause).unwrap_or(now));
    }

    fn set(&mut self, now: Instant, limit: usize) {
        let lower = limit < self.current;
        if lower && limit == 1 {
            // Whose those were, it cannot tell.
            self.stalls = 0.0;
        }
        self.changes += u64::from(limit != self.current);
        self.current = limit.clamp(1, UNLIMITED);
        self.stretch = Stretch::new(now, !lower);
    }
}

/// How long a statement waits for a lock where they are impatient.
fn impatience(fastest: Duration) -> Duration {
    fastest.saturating_mul(FASTEST_TIMES).clamp(BRISK, SLOW)
}

#[cfg(test)]
mod tests;
