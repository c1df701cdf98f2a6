//! The monitor on tokio's paused time.

use std::sync::atomic::{AtomicU32, Ordering::SeqCst};

use tokio::sync::broadcast::Receiver;

use super::*;

const SECOND: Duration = Duration::from_secs(1);

/// What each tick does, by its number, and when they began.
struct Script<F> {
    plan: F,
    started: Mutex<Vec<Instant>>,
    running: AtomicU32,
}

enum Act {
    Well,
    Ill,
    Panic,
    Take(Duration),
}

struct Shares<F>(Arc<Script<F>>);

struct Leave<'a>(&'a AtomicU32);

impl Drop for Leave<'_> {
    fn drop(&mut self) {
        self.0.fetch_sub(1, SeqCst);
    }
}

impl<F: Fn(usize) -> Act + Send + Sync + 'static> Watch for Shares<F> {
    async fn tick(&self) -> Result<(), String> {
        let number = {
            let mut started = self.0.started.lock().unwrap();
            started.push(Instant::now());
            started.len()
        };
        assert_eq!(self.0.running.fetch_add(1, SeqCst), 0, "ticks overlap");
        let _leave = Leave(&self.0.running);
        match (self.0.plan)(number) {
            Act::Well => Ok(()),
            Act::Ill => Err("away".to_owned()),
            Act::Panic => std::panic::resume_unwind(Box::new("tick")),
            Act::Take(time) => {
                tokio::time::sleep(time).await;
                Ok(())
            }
        }
    }
}

type Hears = Receiver<HealthEvent>;

fn start<F>(config: &MonitorConfig, plan: F) -> (Monitor, Arc<Script<F>>, Hears)
where
    F: Fn(usize) -> Act + Send + Sync + 'static,
{
    let script = Arc::new(Script {
        plan,
        started: Mutex::default(),
        running: AtomicU32::new(0),
    });
    let events = Events::default();
    let hears = events.subscribe();
    let monitor = Monitor::start("db", config, events, Shares(Arc::clone(&script)));
    (monitor, script, hears)
}

fn every_second() -> MonitorConfig {
    MonitorConfig::default()
        .interval(SECOND)
        .jitter(Duration::ZERO)
        .tick_limit(SECOND * 20)
}

#[tokio::test(start_paused = true)]
async fn it_keeps_time_whatever_ticks_take_and_leaves_out_what_it_missed() {
    let begun = Instant::now();
    let (monitor, script, _) = start(&every_second(), |n| match n {
        3 => Act::Take(Duration::from_millis(2500)),
        _ => Act::Take(Duration::from_millis(300)),
    });
    tokio::time::sleep(Duration::from_millis(8500)).await;
    let at: Vec<_> = script
        .started
        .lock()
        .unwrap()
        .iter()
        .map(|t| (*t - begun).as_secs())
        .collect();
    assert_eq!(at, [0, 1, 2, 5, 6, 7, 8]);
    let report = monitor.report();
    assert_eq!((report.ticks, report.skipped), (7, 2));
    monitor.shutdown().await;
}

#[tokio::test(start_paused = true)]
async fn it_survives_ticks_that_panic_and_hang_and_tells_of_an_outage_once() {
    let (monitor, _, mut hears) = start(&every_second(), |n| match n {
        2 => Act::Panic,
        4..=6 => Act::Ill,
        8 => Act::Take(Duration::from_hours(1)),
        _ => Act::Well,
    });
    tokio::time::sleep(Duration::from_millis(5500)).await;
    assert_eq!(monitor.report().unhealthy.as_deref(), Some("away"));
    tokio::time::sleep(SECOND * 30).await;
    let report = monitor.report();
    let counts = (
        report.failed,
        report.panicked,
        report.timed_out,
        report.recovered,
    );
    assert_eq!(counts, (3, 1, 1, 1));
    assert!(report.running && report.ticks >= 10 && report.unhealthy.is_none());
    monitor.shutdown().await;
    let told: Vec<_> = std::iter::from_fn(|| hears.try_recv().ok()).collect();
    assert!(
        matches!(
            &told[..],
            [
                HealthEvent::MonitorFailed { .. },
                HealthEvent::CheckFailed { .. },
                HealthEvent::CheckRecovered {
                    failed_checks: 3,
                    down_ms: 3000,
                    ..
                },
                HealthEvent::MonitorFailed { .. },
            ]
        ),
        "{told:?}"
    );
}

#[tokio::test(start_paused = true)]
async fn shutdown_waits_for_the_tick_that_it_ends() {
    let (monitor, script, _) = start(&every_second(), |_| Act::Take(Duration::from_hours(1)));
    tokio::time::sleep(Duration::from_millis(10)).await;
    assert_eq!(script.running.load(SeqCst), 1);
    let begun = Instant::now();
    monitor.shutdown().await;
    assert_eq!(script.running.load(SeqCst), 0);
    assert_eq!(begun.elapsed(), Duration::ZERO);
}

#[tokio::test(start_paused = true)]
async fn dropping_it_ends_its_tick_and_it_starts_within_its_jitter() {
    let config = every_second().jitter(SECOND);
    let begun = Instant::now();
    let (monitor, script, _) = start(&config, |_| Act::Take(Duration::from_hours(1)));
    tokio::time::sleep(SECOND).await;
    tokio::time::sleep(Duration::from_millis(1)).await;
    let started = script.started.lock().unwrap()[0];
    assert!(started - begun <= SECOND + Duration::from_millis(1));
    drop(monitor);
    tokio::time::sleep(SECOND).await;
    assert_eq!(script.running.load(SeqCst), 0);
    assert_eq!(script.started.lock().unwrap().len(), 1);
}
