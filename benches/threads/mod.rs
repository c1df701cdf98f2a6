//! How much more two threads record than one, beside what the machine itself can do.
//!
//! Two processors of a shared machine are rarely twice one: the row `processor`, which touches
//! nothing but registers, is the ceiling of the same run, and ratios are to be read against it.

use std::{
    hint::{self, black_box},
    sync::{
        Arc,
        atomic::{AtomicU64, AtomicUsize, Ordering},
    },
    thread,
    time::{Duration, Instant},
};

use resilient_core::metrics::{Counter, Histogram};

use crate::{Result, Row, memory, program::Group, row};

/// This group.
pub const GROUPS: [Group; 1] = [Group {
    name: "threads",
    rows,
}];

const ROUNDS: usize = 151;
/// How long one thread should work in a round: short, so that others on the machine disturb some
/// rounds and not all of them.
const TURN: Duration = Duration::from_millis(1);

/// Work that threads share; each makes what it does so many times.
type Work = Arc<dyn Fn() -> Box<dyn FnMut(u32)> + Send + Sync>;

struct Line {
    name: &'static str,
    work: Work,
    times: u32,
    /// The least seconds that one thread took for `times`, and two for as much each: others on
    /// the machine only add to them.
    least: [f64; 2],
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
            least: [f64::INFINITY; 2],
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
            for (least, threads) in line.least.iter_mut().zip(1..) {
                *least = least.min(seconds(&line.work, threads, line.times));
            }
        }
    }
    let scaling = |line: &Line| 2.0 * line.least[0] / line.least[1];
    let ceiling = lines.first().map_or(2.0, scaling);
    let row = |line: &Line| {
        Row::new("threads", line.name)
            .beside("processor")
            .with(
                row::NANOSECONDS,
                line.least[0] * 1e9 / f64::from(line.times),
            )
            .with("two by one", scaling(line))
            .with("of ceiling", scaling(line) / ceiling)
    };
    Ok(lines.iter().map(row).collect())
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

/// How long so many threads take for so much work each, from the start of the first to the end
/// of the last.
fn seconds(work: &Work, threads: usize, times: u32) -> f64 {
    let ready = AtomicUsize::new(0);
    let one = || {
        let mut own = work();
        own(16);
        // Spinning, as waking a thread takes longer than a part of its work.
        ready.fetch_add(1, Ordering::AcqRel);
        while ready.load(Ordering::Acquire) < threads {
            hint::spin_loop();
        }
        let start = Instant::now();
        own(times);
        (start, Instant::now())
    };
    thread::scope(|scope| {
        let threads: Vec<_> = (0..threads).map(|_| scope.spawn(one)).collect();
        let ended = threads.into_iter().map(|thread| {
            thread
                .join()
                .unwrap_or_else(|panic| std::panic::resume_unwind(panic))
        });
        let spans: Vec<_> = ended.collect();
        let start = spans.iter().map(|span| span.0).min();
        let end = spans.iter().map(|span| span.1).max();
        start.zip(end).map_or(f64::INFINITY, |(start, end)| {
            end.duration_since(start).as_secs_f64()
        })
    })
}
