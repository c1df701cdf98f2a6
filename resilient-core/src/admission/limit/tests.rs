//! The limit against servers that are simulated, so that nothing depends on this one.

mod rules;

use std::{cmp::Reverse, collections::BinaryHeap};

use super::*;

/// A server: how long a transaction takes among so many, and how it ends.
trait Server {
    fn serve(&mut self, in_flight: usize, random: &mut fastrand::Rng) -> (f64, Ended);
}

const CONFLICT: Ended = Ended::Contended { waited: false };
const DEADLOCK: Ended = Ended::Contended { waited: true };

/// Two cores and no conflicts: 0.5 ms each.
struct Calm;

/// The same; each pair in flight meets now and then, and both wait for the deadlock's end.
struct Deadlocks {
    chance: f64,
    timeout: f64,
}

/// Conflicts that cost nobody but the one: optimistic concurrency with time between statements.
struct Conflicts {
    chance: f64,
    think: f64,
}

#[allow(clippy::cast_precision_loss)]
fn work(in_flight: usize, random: &mut fastrand::Rng) -> f64 {
    0.0005 * (in_flight as f64 / 2.0).max(1.0) * (0.7 + 0.6 * random.f64())
}

#[allow(clippy::cast_precision_loss)]
fn meets(chance: f64, in_flight: usize, random: &mut fastrand::Rng) -> bool {
    random.f64() > (1.0 - chance).powf(in_flight as f64 - 1.0)
}

impl Server for Calm {
    fn serve(&mut self, in_flight: usize, random: &mut fastrand::Rng) -> (f64, Ended) {
        (work(in_flight, random), Ended::Done)
    }
}

impl Server for Deadlocks {
    fn serve(&mut self, in_flight: usize, random: &mut fastrand::Rng) -> (f64, Ended) {
        let took = work(in_flight, random);
        if meets(self.chance, in_flight, random) {
            (took + self.timeout, DEADLOCK)
        } else if meets(self.chance * 4.0, in_flight, random) {
            (took + self.timeout, Ended::Done)
        } else {
            (took, Ended::Done)
        }
    }
}

impl Server for Conflicts {
    fn serve(&mut self, in_flight: usize, random: &mut fastrand::Rng) -> (f64, Ended) {
        let took = self.think + work(in_flight, random);
        let failed = meets(self.chance, in_flight, random);
        (took, if failed { CONFLICT } else { Ended::Done })
    }
}

struct Simulated {
    limit: Option<Limit>,
    now: f64,
    base: Instant,
    random: fastrand::Rng,
    fixed: usize,
    lowest: usize,
    /// How much others on the machine slow everything down, and until when.
    slow: f64,
    until: f64,
}

impl Simulated {
    fn new(limited: bool, fixed: usize) -> Self {
        let base = Instant::now();
        Self {
            limit: limited.then(|| Limit::new(base)),
            now: 0.0,
            base,
            random: fastrand::Rng::with_seed(7),
            fixed,
            lowest: usize::MAX,
            slow: 1.0,
            until: 0.0,
        }
    }

    /// Commits a second of so many tasks, over so long.
    fn run(&mut self, tasks: usize, seconds: f64, server: &mut dyn Server) -> f64 {
        let end = self.now + seconds;
        let mut running: BinaryHeap<Reverse<(u64, u64, u8)>> = BinaryHeap::new();
        let (mut waiting, mut in_flight, mut commits) = (tasks, 0, 0.0);
        while self.now < end {
            let limit = self.limit.as_ref().map_or(self.fixed, Limit::limit);
            assert!(limit >= 1);
            self.lowest = self.lowest.min(limit);
            if self.now >= self.until {
                self.slow = 1.0 + 1.5 * self.random.f64();
                self.until = self.now + 0.2 * self.random.f64();
            }
            while waiting > 0 && in_flight < limit {
                waiting -= 1;
                in_flight += 1;
                let at = self.at(self.now);
                if let Some(limit) = &mut self.limit {
                    limit.entered(at, waiting > 0, in_flight);
                }
                let (took, ended) = server.serve(in_flight, &mut self.random);
                let took = took * self.slow;
                let code = match ended {
                    Ended::Done => 0,
                    Ended::Contended { waited } => 1 + u8::from(waited),
                    Ended::Void => 3,
                };
                running.push(Reverse((nanos(self.now + took), nanos(took), code)));
            }
            let Some(Reverse((at, took, code))) = running.pop() else {
                unreachable!("somebody runs")
            };
            self.now = seconds_of(at);
            in_flight -= 1;
            waiting += 1;
            let ended = match code {
                0 => Ended::Done,
                3 => Ended::Void,
                code => Ended::Contended { waited: code == 2 },
            };
            commits += f64::from(u8::from(ended == Ended::Done));
            let at = self.at(self.now);
            if let Some(limit) = &mut self.limit {
                limit.left(at, Duration::from_nanos(took), ended, in_flight);
            }
        }
        // What is still running is dropped.
        commits / seconds
    }

    fn at(&self, seconds: f64) -> Instant {
        self.base + Duration::from_secs_f64(seconds)
    }
}

#[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss)]
fn nanos(seconds: f64) -> u64 {
    (seconds * 1e9) as u64
}

#[allow(clippy::cast_precision_loss)]
fn seconds_of(nanos: u64) -> f64 {
    nanos as f64 / 1e9
}

/// What the best fixed limit reaches, and what ours does once it knows, on average.
fn compare(make: impl Fn() -> Box<dyn Server>) -> (f64, f64) {
    let best = [1, 2, 3, 4, 6, 8, 16, UNLIMITED]
        .map(|n| Simulated::new(false, n).run(16, 10.0, &mut *make()))
        .into_iter()
        .fold(0.0, f64::max);
    let ours = [1, 2, 3, 4, 5].map(|seed| {
        let mut ours = Simulated::new(true, 0);
        ours.random = fastrand::Rng::with_seed(seed);
        ours.run(16, 5.0, &mut *make());
        ours.run(16, 20.0, &mut *make())
    });
    (best, ours.iter().sum::<f64>() / 5.0)
}

#[test]
fn without_contention_there_is_never_a_limit() {
    let mut ours = Simulated::new(true, 0);
    ours.run(16, 20.0, &mut Calm);
    assert_eq!(ours.lowest, UNLIMITED);
}

#[test]
fn what_costs_less_than_to_look_for_something_better_is_left_alone() {
    let mut ours = Simulated::new(true, 0);
    let (chance, think) = (0.012, 0.0);
    ours.run(16, 20.0, &mut Conflicts { chance, think });
    assert_eq!(ours.lowest, UNLIMITED);
}

#[test]
fn deadlocks_bring_it_near_the_best_fixed_limit() {
    for (chance, timeout) in [(0.02, 0.02), (0.05, 0.02), (0.02, 1.0), (0.004, 0.02)] {
        let (best, ours) = compare(|| Box::new(Deadlocks { chance, timeout }));
        assert!(ours >= 0.85 * best, "{chance} {timeout}: {ours} of {best}");
    }
}

#[test]
fn conflicts_that_cost_nobody_else_leave_it_high() {
    for (chance, think) in [(0.1, 0.006), (0.02, 0.006), (0.1, 0.0), (0.03, 0.0)] {
        let (best, ours) = compare(|| Box::new(Conflicts { chance, think }));
        assert!(ours >= 0.85 * best, "{chance} {think}: {ours} of {best}");
    }
}

#[test]
fn when_contention_is_over_the_limit_gives_way() {
    for (chance, timeout) in [(0.05, 0.02), (0.02, 1.0)] {
        let mut ours = Simulated::new(true, 0);
        ours.run(16, 20.0, &mut Deadlocks { chance, timeout });
        assert!(ours.limit.as_ref().is_some_and(|l| l.limit() <= 2));
        // The longest pause, and the way up.
        ours.run(16, 25.0, &mut Calm);
        let free = Simulated::new(false, UNLIMITED).run(16, 10.0, &mut Calm);
        let reached = ours.run(16, 10.0, &mut Calm);
        assert!(reached >= 0.95 * free, "{reached} of {free}");
    }
}

#[test]
fn what_is_lost_while_it_is_looked_for_is_little() {
    let timeout = 0.02;
    for (chance, share) in [(0.02, 0.8), (0.05, 0.75)] {
        let mut server = Deadlocks { chance, timeout };
        let mut best = 0_f64;
        for n in 1..=3 {
            best = best.max(Simulated::new(false, n).run(16, 10.0, &mut server));
        }
        let reached = [1, 2, 3, 4, 5].map(|seed| {
            let mut ours = Simulated::new(true, 0);
            ours.random = fastrand::Rng::with_seed(seed);
            ours.run(16, 1.5, &mut server)
        });
        let reached = reached.iter().sum::<f64>() / 5.0;
        assert!(reached >= share * best, "{chance}: {reached} of {best}");
    }
}

#[test]
fn time_without_calls_is_no_lack_of_goodput() {
    let mut ours = Simulated::new(true, 0);
    for _ in 0..50 {
        ours.run(16, 0.05, &mut Calm);
        ours.now += 60.0;
    }
    assert_eq!(ours.lowest, UNLIMITED);
}
