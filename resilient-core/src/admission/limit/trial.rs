//! [`Trial`]: whether another limit is better.

use super::{UNLIMITED, stretch::Found};

/// What a lower limit must reach of the score before, and a higher one.
const AS_MUCH: f64 = 0.97;
const MORE: f64 = 1.05;

/// What decides at once; what is in between is measured in turns, so many times.
const FAR_MORE: f64 = 1.3;
const FAR_LESS: f64 = 0.8;
const TURNS: u32 = 2;

/// Two limits in turns, so that a machine that is slower for a while does not decide.
#[derive(Clone, Copy, Debug)]
pub(super) struct Trial {
    pub(super) before: usize,
    pub(super) tried: usize,
    /// The sums of what they scored.
    pub(super) score_before: f64,
    pub(super) score_tried: f64,
    /// Stretches of the tried one.
    pub(super) stretches: u32,
}

/// What became of a trial.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Verdict {
    Open,
    Right,
    Wrong,
}

impl Trial {
    pub(super) fn down(&self) -> bool {
        self.tried < self.before
    }

    /// The goodput below which a stretch of the tried one that calls wait for is the last.
    pub(super) fn least(&self) -> f64 {
        FAR_LESS * self.score_before - self.score_tried
    }

    /// Whether the tried one, that came to `found`, is right.
    pub(super) fn verdict(&self, found: Found) -> Verdict {
        let ratio = if self.score_before > 0.0 {
            self.score_tried / self.score_before
        } else if self.down() || self.score_tried > 0.0 {
            f64::INFINITY
        } else {
            0.0
        };
        if self.down() && !found.binding {
            // Nobody had to wait for it.
            return Verdict::Right;
        }
        if ratio >= FAR_MORE {
            return Verdict::Right;
        }
        if ratio <= FAR_LESS {
            return Verdict::Wrong;
        }
        let free = found.clean() && !self.down();
        if self.stretches < TURNS && !free {
            return Verdict::Open;
        }
        // Without a limit nobody waits for nothing: the first one has to be worth it.
        let enough = match (self.down() && self.before < UNLIMITED, free) {
            (true, _) => AS_MUCH,
            (false, true) => 1.0,
            (false, false) => MORE,
        };
        if ratio >= enough {
            Verdict::Right
        } else {
            Verdict::Wrong
        }
    }
}
