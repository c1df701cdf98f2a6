//! Each rule by itself, for a limit that is told of one transaction after another.

use super::{
    stretch::{COMMITS, ENOUGH_STALLS, SHORTEST},
    *,
};

const MS: Duration = Duration::from_millis(1);

/// How a stretch's transactions came in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Came {
    /// After they had waited.
    InLine,
    AtOnce,
}

struct Told {
    limit: Limit,
    now: Instant,
}

impl Told {
    /// Of a limit that was found before.
    fn at(current: usize) -> Self {
        let now = Instant::now();
        let limit = Limit {
            current,
            ..Limit::new(now)
        };
        Self { limit, now }
    }

    /// Without a limit so far.
    fn free() -> Self {
        Self::at(UNLIMITED)
    }

    /// One transaction, with nobody else there.
    fn one(&mut self, took: Duration, ended: Ended) {
        self.limit.entered(self.now, false, 1);
        self.now += took;
        self.limit.left(self.now, took, ended, 0);
    }

    /// A shortest stretch of transactions of a millisecond: as many as may, out of 16.
    fn stretch(&mut self, came: Came, done: u32, failed: (u32, Ended)) {
        assert!(done > COMMITS, "too few to end it");
        let in_flight = self.limit.limit().min(16);
        for n in 1..=failed.0 + done {
            if n == failed.0 + done {
                self.now += SHORTEST;
            }
            let ended = if n <= failed.0 { failed.1 } else { Ended::Done };
            self.limit
                .entered(self.now, came == Came::InLine, in_flight);
            self.limit.left(self.now, MS, ended, in_flight - 1);
        }
    }

    /// The same without failures.
    fn clean(&mut self, came: Came, done: u32) {
        self.stretch(came, done, (0, Ended::Void));
    }

    /// After how long it tries more, while everybody has to wait and all goes well.
    fn rises_after(&mut self) -> Duration {
        let (since, low) = (self.now, self.limit.limit());
        while self.limit.limit() == low && self.now < since + LONGEST_PAUSE {
            self.clean(Came::InLine, 200);
        }
        assert!(self.limit.limit() > low);
        self.now - since
    }

    fn lock_timeout(&self) -> Option<Duration> {
        self.limit.lock_timeout(self.now)
    }
}

#[test]
fn frequent_deadlocks_give_a_lock_timeout_and_rare_ones_do_not() {
    let mut told = Told::free();
    // Each costs as much as 44 transactions more than an impatient one, of sixteen.
    let (quick, slow) = (MS * 10, MS * 600);
    for _ in 0..500 {
        for _ in 0..200 {
            told.one(quick, Ended::Done);
            assert_eq!(told.lock_timeout(), None);
        }
        told.one(slow, DEADLOCK);
    }
    let mut deadlocks = 0;
    while told.lock_timeout().is_none() && deadlocks < 100 {
        deadlocks += 1;
        for _ in 0..20 {
            told.one(quick, Ended::Done);
        }
        told.one(slow, DEADLOCK);
    }
    assert!((2..10).contains(&deadlocks), "{deadlocks}");
    assert_eq!(told.lock_timeout(), Some(quick * 16));
    // Without more of them it is over.
    let (limit, since) = (told.limit, told.now);
    assert!(limit.lock_timeout(since + WARY / 2).is_some());
    assert_eq!(limit.lock_timeout(since + WARY), None);
}

#[test]
fn a_stall_costs_as_long_as_it_took_and_nothing_else_does() {
    let second = MS * 1000;
    for (took, ended, impatient) in [
        (second, DEADLOCK, true),
        (second / 10, DEADLOCK, false),
        (second, CONFLICT, false),
        (second, Ended::Done, false),
        (second, Ended::Void, false),
    ] {
        let mut told = Told::free();
        for _ in 0..1000 {
            told.one(MS, Ended::Done);
        }
        told.one(took, ended);
        let timeout = told.lock_timeout();
        assert_eq!(timeout.is_some(), impatient, "{took:?} {ended:?}");
        assert!(timeout.is_none_or(|timeout| timeout == BRISK));
    }
}

#[test]
fn one_at_a_time_needs_no_lock_timeout_unless_others_are_in_its_way() {
    let mut told = Told::at(2);
    for _ in 0..1000 {
        told.one(MS, Ended::Done);
    }
    told.one(MS * 1000, DEADLOCK);
    assert!(told.lock_timeout().is_some());
    let now = told.now;
    told.limit.set(now, 1);
    assert_eq!(told.lock_timeout(), None);
    // It was sent before there was but one.
    told.limit.weigh(now, MS * 1000, DEADLOCK);
    assert_eq!(told.lock_timeout(), None);
    told.one(MS, Ended::Done);
    told.one(MS, Ended::Done);
    told.one(MS * 1000, DEADLOCK);
    assert!(told.lock_timeout().is_some());
}

#[test]
fn what_a_lock_timeout_would_not_shorten_gives_none() {
    for (took, impatient) in [(BRISK, false), (BRISK * 3, true)] {
        let mut told = Told::free();
        for _ in 0..100 {
            told.one(MS, Ended::Done);
            told.one(took, DEADLOCK);
        }
        assert_eq!(told.lock_timeout().is_some(), impatient, "{took:?}");
    }
}

#[test]
fn stalls_are_a_reason_for_a_limit_where_little_time_was_wasted() {
    for (ended, limit) in [(DEADLOCK, 8), (CONFLICT, UNLIMITED)] {
        let mut told = Told::free();
        told.stretch(Came::AtOnce, 188, (12, ended));
        assert_eq!(told.limit.limit(), limit, "{ended:?}");
    }
}

#[test]
fn a_stretch_ends_as_soon_as_it_is_plain_that_most_wait_in_vain() {
    for (stalls, limited) in [(ENOUGH_STALLS - 1, false), (ENOUGH_STALLS, true)] {
        let mut told = Told::free();
        for _ in 0..stalls {
            told.limit.entered(told.now, false, 16);
            told.now += SHORTEST;
            told.limit.left(told.now, SHORTEST, DEADLOCK, 15);
        }
        assert_eq!(told.limit.limit() < UNLIMITED, limited, "{stalls}");
    }
}

#[test]
fn a_trial_is_given_up_when_it_cannot_be_right_any_more() {
    let mut told = Told::at(4);
    told.rises_after();
    assert_eq!(told.limit.limit(), 8);
    // 200 in a stretch before, and now one each millisecond.
    let since = told.now;
    while told.limit.limit() == 8 {
        told.limit.entered(told.now, true, 8);
        told.now += MS;
        told.limit.left(told.now, MS, Ended::Done, 7);
    }
    let after = told.now - since;
    assert_eq!(told.limit.limit(), 4);
    assert_eq!(after, SHORTEST, "and not a hundred commits");
}

#[test]
fn a_bad_stretch_does_not_speak_for_those_before_it() {
    let mut told = Told::at(4);
    // A rise is not due yet.
    told.limit.phase = Phase::Resting(told.now + MS * 60_000);
    for _ in 0..10 {
        told.clean(Came::InLine, 220);
    }
    told.stretch(Came::InLine, 110, (8, DEADLOCK));
    assert!(told.limit.limit() < 4, "tried");
    // Far more than in the bad one, but far less than usual.
    told.clean(Came::InLine, 150);
    assert_eq!(told.limit.limit(), 4);
    // It is back, and not on trial against the lower one.
    told.clean(Came::InLine, 110);
    assert_eq!(told.limit.limit(), 4);
}

#[test]
fn what_came_in_quiet_times_is_not_what_could_be_done() {
    let mut told = Told::at(4);
    told.limit.phase = Phase::Resting(told.now + MS * 250);
    for _ in 0..10 {
        told.clean(Came::AtOnce, 101);
    }
    told.clean(Came::InLine, 220);
    assert_eq!(told.limit.limit(), 8, "tried");
    told.clean(Came::InLine, 190);
    assert_eq!(told.limit.limit(), 4, "less, so it is not plain");
    // The same after a pause.
    let mut told = Told::at(4);
    told.limit.phase = Phase::Resting(told.now + MS * 500);
    for _ in 0..10 {
        told.clean(Came::InLine, 101);
    }
    told.now += IDLE * 10;
    told.limit.entered(told.now, false, 1);
    told.limit.left(told.now, MS, Ended::Done, 0);
    told.clean(Came::InLine, 220);
    assert_eq!(told.limit.limit(), 8, "tried");
    told.clean(Came::InLine, 190);
    assert_eq!(told.limit.limit(), 4, "less, so it is not plain");
}

#[test]
fn a_rise_that_fails_doubles_the_pause_before_the_next() {
    let mut told = Told::at(4);
    assert_eq!(told.rises_after(), SHORTEST);
    let pauses = [(); 7].map(|()| {
        told.clean(Came::InLine, 110);
        assert_eq!(told.limit.limit(), 4, "half of what was done before");
        told.rises_after().as_millis()
    });
    // At least twenty times what the trial took, and at most 5 s.
    assert_eq!(pauses, [500, 500, 800, 1600, 3200, 5000, 5000]);
}

#[test]
fn a_rise_that_is_taken_back_soon_doubles_the_pause_too() {
    // Where some have to wait, the lower limit is tried twice.
    let (free, in_line) = ((Came::AtOnce, 1), (Came::InLine, 2));
    for (seconds, pause, ways) in [
        (1, SHORT_PAUSE * 2, &[free, in_line][..]),
        (6, SHORT_PAUSE, &[free]),
    ] {
        for (came, trials) in ways.iter().copied() {
            let mut told = Told::at(4);
            told.rises_after();
            told.clean(Came::AtOnce, 300);
            assert_eq!(told.limit.limit(), 8, "more was done");
            for _ in 0..seconds * 40 {
                told.clean(Came::AtOnce, 200);
            }
            for _ in 0..trials {
                told.stretch(came, 110, (60, DEADLOCK));
                told.clean(came, 110);
            }
            assert_eq!(told.limit.limit(), 4, "{came:?}: not tried at once again");
            assert_eq!(told.rises_after(), pause, "{came:?}, after {seconds} s");
        }
    }
}
