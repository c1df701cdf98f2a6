//! Many of everything: what a call, a declaration or a method costs when there are ever more of
//! them. Growth is drawn as `docs/images/scale.svg`.
//!
//! ```text
//! with-servers scale [--svg docs/images/scale.svg]
//! ```

use std::{
    alloc::System,
    hint::black_box,
    sync::Arc,
    time::{Duration, Instant},
};

use cap::Cap;
use plotters::prelude::*;
use resilient_core::{
    Effect, Fault, FaultKind,
    constraint::{Declaration, Rule, Violation, register},
    health::performance::{Performance, PerformanceConfig},
    metrics::global,
    time::{Clock, FakeClock},
};
use resilient_load_benches::{Result, argument, median, server, tell};
use resilient_sea_orm::{ResilientConnection, TransactOptions};
use sea_orm::{ConnectOptions, ConnectionTrait, Database, DatabaseConnection, TransactionTrait};
use serde_json::json;
use tokio::task::JoinSet;

#[global_allocator]
static MEMORY: Cap<System> = Cap::new(System, usize::MAX);

const POOL: u32 = 20;

/// One line of a picture.
struct Growth {
    what: &'static str,
    unit: &'static str,
    points: Vec<(f64, f64)>,
}

/// The median time of a few calls.
fn each(mut call: impl FnMut(), calls: u32) -> Duration {
    let times = (0..21).map(|_| {
        let begun = Instant::now();
        for _ in 0..calls {
            call();
        }
        begun.elapsed() / calls
    });
    median(times.collect())
}

async fn ours(db: ResilientConnection) -> Result {
    let options = TransactOptions::new().name("scale");
    db.transact(options, || async {
        db.execute_unprepared("SELECT 1").await?;
        Ok::<_, resilient_sea_orm::Error>(())
    })
    .await?;
    Ok(())
}

async fn by_hand(db: DatabaseConnection) -> Result {
    let begun = db.begin().await?;
    begun.execute_unprepared("SELECT 1").await?;
    begun.commit().await?;
    Ok(())
}

/// So many calls at once: how long they take, how many fail, and bytes for each that waits.
async fn at_once<F>(calls: usize, call: impl Fn() -> F) -> Result<(f64, usize, f64)>
where
    F: Future<Output = Result> + Send + 'static,
{
    let before = MEMORY.allocated();
    let begun = Instant::now();
    let mut running = JoinSet::new();
    for _ in 0..calls {
        running.spawn(call());
    }
    // All have begun to wait, or have had their turn.
    tokio::task::yield_now().await;
    tokio::time::sleep(Duration::from_millis(50)).await;
    let bytes = MEMORY.allocated().saturating_sub(before);
    let waiting = running.len().max(1);
    let mut failed = 0;
    while let Some(ended) = running.join_next().await {
        if let Err(error) = ended? {
            failed += 1;
            eprintln!("{error}");
        }
    }
    #[allow(clippy::cast_precision_loss)]
    let each = bytes as f64 / waiting as f64;
    Ok((begun.elapsed().as_secs_f64(), failed, each))
}

async fn calls(growth: &mut Vec<Growth>) -> Result {
    let url = server("RESILIENT_TEST_POSTGRES_URL")?;
    let mut options = ConnectOptions::new(url);
    options.max_connections(POOL).sqlx_logging(false);
    let hand = Database::connect(options.clone()).await?;
    let db = ResilientConnection::connect(options).await?;
    let (mut our_line, mut hand_line) = (Vec::new(), Vec::new());
    for calls in [100, 1_000, 3_000, 10_000] {
        let (mut our_times, mut hand_times) = (Vec::new(), Vec::new());
        let (mut our_bytes, mut hand_bytes, mut failed) = (0.0, 0.0, [0, 0]);
        for _ in 0..3 {
            let (time, bad, bytes) = at_once(calls, || ours(db.clone())).await?;
            our_times.push(time);
            our_bytes = f64::max(our_bytes, bytes);
            failed[0] += bad;
            let (time, bad, bytes) = at_once(calls, || by_hand(hand.clone())).await?;
            hand_times.push(time);
            hand_bytes = f64::max(hand_bytes, bytes);
            failed[1] += bad;
        }
        our_times.sort_by(f64::total_cmp);
        hand_times.sort_by(f64::total_cmp);
        #[allow(clippy::cast_precision_loss)]
        let count = calls as f64;
        our_line.push((count, our_times[1]));
        hand_line.push((count, hand_times[1]));
        tell(&json!({
            "group": "scale", "case": "calls at once", "calls": calls, "pool": POOL,
            "seconds": our_times[1], "by_hand": hand_times[1],
            "wall_ratio": our_times[1] / hand_times[1],
            "failed": failed[0], "failed_by_hand": failed[1],
            "bytes_each": our_bytes, "bytes_each_by_hand": hand_bytes,
            "pool_timeouts": db.pool_status().acquire_failures,
        }));
    }
    growth.push(Growth {
        what: "calls at once on a pool of 20",
        unit: "seconds",
        points: our_line,
    });
    growth.push(Growth {
        what: "the same by hand on SeaORM",
        unit: "seconds",
        points: hand_line,
    });
    Ok(())
}

/// Violations are worded while there are ever more declarations.
fn declarations(growth: &mut Vec<Growth>) {
    let mut line = Vec::new();
    let mut declared = 0;
    for many in [100, 1_000, 10_000, 100_000] {
        let begun = Instant::now();
        while declared < many {
            let rule = Rule::unique(["email"]).code("email_taken").message("taken");
            register(Declaration::of(format!("table_{declared}")).rule(rule));
            declared += 1;
        }
        let registered = begun.elapsed();
        let fault = Fault::new(FaultKind::Unique, Effect::Statement)
            .with_table(None::<&str>, format!("table_{}", many / 2))
            .with_columns(["email"]);
        let time = each(|| drop(black_box(Violation::of(black_box(&fault)))), 1000);
        let micros = time.as_secs_f64() * 1e6;
        line.push((f64::from(many), micros));
        tell(&json!({
            "group": "scale", "case": "declarations", "count": many, "lookup_micros": micros,
            "registering_seconds": registered.as_secs_f64(),
        }));
    }
    growth.push(Growth {
        what: "wording a violation, by declarations",
        unit: "µs",
        points: line,
    });
}

/// A call without statements, and a snapshot, while there are ever more methods.
async fn methods(growth: &mut Vec<Growth>) -> Result {
    let db = ResilientConnection::connect("sqlite::memory:").await?;
    let (mut snapshots, mut known) = (Vec::new(), 0);
    for many in [1, 10, 100, 1_000] {
        while known < many {
            let name: &'static str = Box::leak(format!("Repo::method_{known}").into_boxed_str());
            let options = TransactOptions::new().name(name);
            db.transact(options, async || Ok::<_, resilient_sea_orm::Error>(()))
                .await?;
            known += 1;
        }
        let time = each(|| drop(black_box(global().snapshot())), 5);
        let mut times = Vec::new();
        for _ in 0..21 {
            let begun = Instant::now();
            for _ in 0..1000 {
                let options = TransactOptions::new().name("Repo::method_0");
                db.transact(options, async || Ok::<_, resilient_sea_orm::Error>(()))
                    .await?;
            }
            times.push(begun.elapsed() / 1000);
        }
        let millis = time.as_secs_f64() * 1e3;
        snapshots.push((f64::from(many), millis));
        tell(&json!({
            "group": "scale", "case": "methods", "count": many, "snapshot_millis": millis,
            "call_nanos": median(times).as_secs_f64() * 1e9,
        }));
    }
    growth.push(Growth {
        what: "a snapshot, by methods",
        unit: "ms",
        points: snapshots,
    });
    Ok(())
}

/// Windows over two days, on a clock that is moved by hand.
fn windows(growth: &mut Vec<Growth>) {
    let clock = Arc::new(FakeClock::new());
    let before = MEMORY.allocated();
    let performance = Performance::new(PerformanceConfig::default(), clock.now());
    let mut line = Vec::new();
    for hour in 1..=48 {
        for _ in 0..3600 {
            let started = clock.now();
            clock.advance(Duration::from_secs(1));
            performance.statement(started, clock.now(), false);
            performance.method("Repo::method", started, clock.now(), false);
        }
        #[allow(clippy::cast_precision_loss)]
        let kib = (MEMORY.allocated() - before) as f64 / 1024.0;
        line.push((f64::from(hour), kib));
    }
    tell(&json!({
        "group": "scale", "case": "windows", "kib_after_1_h": line[0].1,
        "kib_after_24_h": line[23].1, "kib_after_48_h": line[47].1,
    }));
    growth.push(Growth {
        what: "windows, by hours",
        unit: "KiB",
        points: line,
    });
}

fn draw(path: &str, growth: &[Growth]) -> Result {
    const WIDTH: u32 = 420;
    let rows = u32::try_from(growth.len().div_ceil(2))?;
    let root = SVGBackend::new(path, (2 * WIDTH, rows * 280)).into_drawing_area();
    root.fill(&WHITE)?;
    let panels = root.split_evenly((rows as usize, 2));
    for (panel, one) in panels.iter().zip(growth) {
        let most = one.points.iter().map(|(_, y)| *y).fold(0.0, f64::max);
        let (Some(first), Some(last)) = (one.points.first(), one.points.last()) else {
            continue;
        };
        let mut chart = ChartBuilder::on(panel)
            .caption(format!("{} ({})", one.what, one.unit), ("sans-serif", 15))
            .margin(10)
            .x_label_area_size(30)
            .y_label_area_size(55)
            .build_cartesian_2d((first.0..last.0).log_scale(), 0.0..(most * 1.2))?;
        chart.configure_mesh().light_line_style(WHITE).draw()?;
        chart.draw_series(std::iter::once(PathElement::new(one.points.clone(), BLUE)))?;
        let dots = one
            .points
            .iter()
            .map(|at| Circle::new(*at, 3, BLUE.filled()));
        chart.draw_series(dots)?;
    }
    root.present()?;
    Ok(())
}

#[tokio::main]
async fn main() -> Result {
    let mut growth = Vec::new();
    calls(&mut growth).await?;
    declarations(&mut growth);
    methods(&mut growth).await?;
    windows(&mut growth);
    let path = argument("--svg").unwrap_or_else(|| "docs/images/scale.svg".to_owned());
    if let Some(folder) = std::path::Path::new(&path).parent() {
        std::fs::create_dir_all(folder)?;
    }
    draw(&path, &growth)
}
