//! How much more two threads record than one, beside what the machine itself can do.
//!
//! Two processors of a shared machine are rarely twice one: the row `processor`, which touches
//! nothing but registers, is the ceiling of the same run, and ratios are to be read against it.

use std::{
    hint::black_box,
    sync::{
        Arc, Barrier,
        atomic::{AtomicU64, Ordering},
    },
    thread,
    time::{Duration, Instant},
};

use resilient_core::metrics::{Counter, Histogram};

use crate::{Result, Row, memory, program::Group, row, wall::median};

/// This group.
pub const GROUPS: [Group; 1] = [Group {
    name: "threads",
    rows,
}];

const ROUNDS: usize = 31;
/// How long one thread should work in a round.
const TURN: Duration = Duration::from_millis(8);

/// Work that threads share; each makes what it does so many times.
type Work = Arc<dyn Fn() -> Box<dyn FnMut(u32)> + Send + Sync>;

struct Line {
    name: &'static str,
    work: Work,
    times: u32,
    /// Nanoseconds of one, by a single thread.
    alone: Vec<f64>,
    /// Throughput of two threads by that of one.
    scaling: Vec<f64>,
}

impl Line {
    fn new<F: FnMut(u32) + 'static>(
        name: &'static str,
        make: impl Fn() -> F + Send + Sync + 'static,
    ) -> Self {
        Self {
            name,
            work: Arc::new(move || Box::new(make())),
            times: 0,
            alone: Vec::new(),
            scaling: Vec::new(),
        }
    }
}

#[allow(clippy::unnecessary_wraps, reason = "a group may fail")]
fn rows() -> Result<Vec<Row>> {
    let mut lines = lines();
    for line in &mut lines {
        line.times = 1_000;
        while seconds(&line.work, 1, line.times) < TURN.as_secs_f64() {
            line.times *= 2;
        }
    }
    for _ in 0..ROUNDS {
        for line in &mut lines {
            let one = seconds(&line.work, 1, line.times);
            let two = seconds(&line.work, 2, line.times);
            line.alone.push(one * 1e9 / f64::from(line.times));
            line.scaling.push(2.0 * one / two);
        }
    }
    let ceiling = lines.first().map(|line| median(line.scaling.clone()));
    let row = |line: Line| {
        let scaling = median(line.scaling);
        Row::new("threads", line.name)
            .beside("processor")
            .with(row::NANOSECONDS, median(line.alone))
            .with("two by one", scaling)
            .with("of ceiling", scaling / ceiling.unwrap_or(scaling))
    };
    Ok(lines.into_iter().map(row).collect())
}

/// What is measured, the ceiling first.
fn lines() -> Vec<Line> {
    let shared = Arc::new(AtomicU64::new(0));
    let recorded = Arc::new((Counter::default(), Histogram::default()));
    vec![
        Line::new("processor", || arithmetic),
        Line::new("shared-counter", move || {
            let shared = Arc::clone(&shared);
            move |times| {
                for _ in 0..times {
                    shared.fetch_add(1, Ordering::Relaxed);
                }
            }
        }),
        Line::new("counter-and-histogram", move || {
            let recorded = Arc::clone(&recorded);
            move |times| {
                for n in 0..times {
                    recorded.0.add(1);
                    recorded
                        .1
                        .record(Duration::from_nanos(u64::from(n & 0xffff)));
                }
            }
        }),
        Line::new("resilient", memory::shared_calls()),
    ]
}

/// Work that nothing but the processor's own arithmetic limits.
fn arithmetic(times: u32) {
    let mut x = black_box(1_u64);
    for _ in 0..times {
        x = x.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
        x ^= x >> 29;
    }
    black_box(x);
}

/// How long the slowest of so many threads takes for so much work each.
fn seconds(work: &Work, threads: usize, times: u32) -> f64 {
    let barrier = Barrier::new(threads);
    let one = || {
        let mut own = work();
        own(16);
        barrier.wait();
        let start = Instant::now();
        own(times);
        start.elapsed().as_secs_f64()
    };
    thread::scope(|scope| {
        let threads: Vec<_> = (0..threads).map(|_| scope.spawn(one)).collect();
        let times = threads.into_iter().map(thread::ScopedJoinHandle::join);
        // A thread that panicked has said so, and would not have been faster than any other.
        times
            .map(|time| time.unwrap_or(f64::INFINITY))
            .fold(0.0, f64::max)
    })
}
