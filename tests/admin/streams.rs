//! What event streams carry, and when they end.

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use axum::{Router, body::Body};
use http_body_util::BodyExt;
use resilient_admin::{Admin, Databases};
use resilient_sea_orm::{
    Builder, DatabaseManager, HealthSettings, ResilientConnection,
    health::{Source, Sources, alerts::AlertKind},
    prelude::*,
};
use sea_orm::ConnectionTrait;
use serde_json::Value;
use support::{Engine, Proxy, TestDb, TestResult, engine_tests, wait_until};
use tokio::time::timeout;

use crate::{
    PATIENCE,
    rig::{connect, get, open, request, settings},
    schema::{Document, fits},
};

const EVENTS: &str = "/admin/database/events";

/// One event, or a comment.
#[derive(Debug, Default)]
struct Event {
    id: Option<u64>,
    name: String,
    data: Value,
    comment: bool,
}

/// A stream that is read.
struct Stream {
    body: Body,
    rest: String,
}

impl Stream {
    async fn open(app: &Router) -> Self {
        Self::of(app, EVENTS).await
    }

    async fn of(app: &Router, path: &str) -> Self {
        // What a browser sends when it comes back.
        let request = request("GET", path, None).header("last-event-id", "999\u{fffd}x");
        let answer = open(app, request.body(Body::empty()).unwrap()).await;
        assert_eq!(answer.status(), 200);
        assert_eq!(answer.headers()["content-type"], "text/event-stream");
        let body = answer.into_body();
        let rest = String::new();
        Self { body, rest }
    }

    /// The next one; `None` at the end.
    async fn next(&mut self) -> Option<Event> {
        loop {
            if let Some((event, rest)) = self.rest.split_once("\n\n") {
                let mut found = Event::default();
                for line in event.lines() {
                    match line.split_once(": ") {
                        Some(("id", id)) => found.id = id.parse().ok(),
                        Some(("event", name)) => name.clone_into(&mut found.name),
                        Some(("data", data)) => found.data = serde_json::from_str(data).unwrap(),
                        Some(("", _)) => found.comment = true,
                        Some(("retry", _)) => {}
                        _ => panic!("{line}"),
                    }
                }
                let rest = rest.to_owned();
                self.rest = rest;
                if found.comment || !found.name.is_empty() {
                    return Some(found);
                }
                continue;
            }
            let frame = timeout(PATIENCE, self.body.frame()).await;
            let frame = frame.expect("an event in time")?.expect("no error");
            let bytes = frame.into_data().expect("data");
            self.rest.push_str(str::from_utf8(&bytes).expect("text"));
        }
    }

    /// The next one of this name that is as wanted.
    async fn find(&mut self, name: &str, wanted: impl Fn(&Value) -> bool) -> Event {
        loop {
            let event = self.next().await.expect("an event before the end");
            if event.name == name && wanted(&event.data) {
                return event;
            }
        }
    }

    async fn ends(mut self) {
        while self.next().await.is_some() {}
    }
}

fn quick(admin: Admin) -> Admin {
    admin
        .insecure()
        .stream_interval(Duration::from_millis(100))
        .readiness_limit(PATIENCE)
}

async fn database(engine: Engine) -> TestResult<(TestDb, ResilientConnection)> {
    let test = TestDb::new(engine).await?;
    let db = connect(test.url(), Builder::default().health(settings())).await;
    Ok((test, db))
}

fn alarm(db: &ResilientConnection, subject: &str) {
    db.alert_board()
        .observe(AlertKind::RecoveryFailure, subject, 1.0);
}

async fn snapshots_and_events_are_as_described(engine: Engine) -> TestResult {
    let (_test, db) = database(engine).await?;
    let app = quick(resilient_admin::router(db.clone())).build()?;
    let document = Document::of(get(&app, "/openapi.json", None).await.json());
    let mut stream = Stream::open(&app).await;
    let first = stream.next().await.ok_or("an event")?;
    assert_eq!(
        (&*first.name, &first.data["delta"]),
        ("snapshot", &Value::Null)
    );
    fits(&document.event("snapshot"), &first.data, "snapshot");
    assert_eq!(
        first.data["summary"]["status"], "healthy",
        "{:#}",
        first.data
    );

    let options = || TransactOptions::new().name("Streams::work");
    for _ in 0..3 {
        let work = db.transact(options(), || async {
            db.execute_unprepared("SELECT 1").await?;
            Ok::<_, Error>(())
        });
        work.await?;
    }
    let mut committed = 0;
    while committed < 3 {
        let next = stream.find("snapshot", |_| true).await.data;
        fits(&document.event("snapshot"), &next, "snapshot");
        let connection = &next["delta"]["connection"];
        committed += connection["committed"].as_u64().unwrap();
        assert!(next["delta"]["seconds"].as_f64() > Some(0.0), "{next:#}");
    }
    assert_eq!(committed, 3);

    alarm(&db, "somebody");
    let raised = stream
        .find("health", |data| data["event"] == "alert_raised")
        .await;
    assert_eq!(raised.data["alert"]["subject"], "somebody");
    fits(&document.event("health"), &raised.data, "health");
    let stands = |data: &Value| data["alerts"][0]["subject"] == "somebody";
    let later = stream.find("snapshot", stands).await;
    assert!(later.id > raised.id && raised.id > first.id);
    // Whoever comes now has the latest at once.
    let mut other = Stream::open(&app).await;
    let known = other.next().await.ok_or("an event")?;
    assert_eq!(known.name, "snapshot");
    assert!(known.id >= later.id);
    Ok(())
}

/// More than any buffer holds.
const ALARMS: u64 = 500;

/// Nobody is waited for; who is too slow is told how much it missed, and goes on.
async fn slow_listeners_are_told_what_they_missed(engine: Engine) -> TestResult {
    let (_test, db) = database(engine).await?;
    let admin = quick(resilient_admin::router(db.clone()));
    let app = admin.stream_interval(Duration::from_hours(1)).build()?;
    let (mut slow, mut keen) = (Stream::open(&app).await, Stream::open(&app).await);
    for stream in [&mut slow, &mut keen] {
        stream.find("snapshot", |_| true).await;
    }
    for n in 0..ALARMS {
        let subject = format!("{n}");
        alarm(&db, &subject);
        // The producer hands on what it gets: only the slow one lags.
        keen.find("health", |data| data["alert"]["subject"] == *subject)
            .await;
    }
    let lagged = slow.next().await.ok_or("an event")?;
    assert_eq!((&*lagged.name, lagged.id), ("lagged", None));
    let document = Document::of(get(&app, "/openapi.json", None).await.json());
    fits(&document.event("lagged"), &lagged.data, "lagged");
    let missed = lagged.data["missed"].as_u64().unwrap();
    let last = (ALARMS - 1).to_string();
    let mut heard = 1;
    while slow.find("health", |_| true).await.data["alert"]["subject"] != *last {
        heard += 1;
    }
    assert_eq!(missed + heard, ALARMS);
    Ok(())
}

async fn streams_end_with_the_service(engine: Engine) -> TestResult {
    let (_test, db) = database(engine).await?;
    let (end, ended) = tokio::sync::oneshot::channel::<()>();
    let until = async move { drop(ended.await) };
    let app = quick(resilient_admin::router(db)).until(until).build()?;
    let mut stream = Stream::open(&app).await;
    stream.find("snapshot", |_| true).await;
    drop(end);
    stream.ends().await;
    // Whoever comes too late is not kept either.
    Stream::open(&app).await.ends().await;
    Ok(())
}

async fn streams_end_with_their_database(engine: Engine) -> TestResult {
    let (_test, db) = database(engine).await?;
    let (_other, another) = database(engine).await?;
    let manager = DatabaseManager::new(another.clone());
    manager.add("passing", db)?;
    let app = quick(resilient_admin::router(manager.clone())).build()?;
    let path = format!("{EVENTS}?database=passing");
    let mut stream = Stream::of(&app, &path).await;
    stream.find("snapshot", |_| true).await;
    manager.remove("passing")?;
    stream.ends().await;
    assert_eq!(get(&app, &path, None).await.status, 404);
    // Another one of this name starts anew.
    manager.add("passing", another.clone())?;
    let mut stream = Stream::of(&app, &path).await;
    let first = stream.find("snapshot", |_| true).await;
    assert_eq!(first.data["pool"]["name"], another.name());
    Ok(())
}

/// A manager's databases, and whether one was asked for in vain.
#[derive(Clone, Debug)]
struct Watched {
    manager: DatabaseManager,
    missed: Arc<AtomicBool>,
}

impl Sources for Watched {
    fn names(&self) -> Vec<String> {
        Sources::names(&self.manager)
    }

    fn source(&self, name: &str) -> Option<Arc<dyn Source>> {
        let found = self.manager.source(name);
        if found.is_none() {
            self.missed.store(true, Ordering::SeqCst);
        }
        found
    }
}

/// A stream has snapshots and events of one database or ends: the half of it, of which the other
/// half does not know, would pass for silence.
async fn streams_end_with_either_half(engine: Engine) -> TestResult {
    // The events find it gone within a second, long before the next snapshot is due.
    let (_test, db) = database(engine).await?;
    let databases = DatabaseManager::builder().database("main", db.clone());
    let manager = databases.build()?;
    let app = quick(resilient_admin::router(manager.clone()));
    let app = app.stream_interval(Duration::from_hours(1)).build()?;
    let mut stream = Stream::open(&app).await;
    stream.find("snapshot", |_| true).await;
    manager.remove("main")?;
    timeout(PATIENCE, stream.ends()).await?;
    // A snapshot finds it gone; it is there again before the events look.
    manager.add("main", db.clone())?;
    let missed = Arc::<AtomicBool>::default();
    let watched = Watched {
        manager: manager.clone(),
        missed: Arc::clone(&missed),
    };
    let app = quick(resilient_admin::router(watched));
    let app = app.stream_interval(Duration::from_millis(10)).build()?;
    let mut stream = Stream::open(&app).await;
    stream.find("snapshot", |_| true).await;
    manager.remove("main")?;
    let missed = async || Ok(missed.load(Ordering::SeqCst));
    wait_until("it is missed", PATIENCE, missed).await?;
    manager.add("main", db)?;
    timeout(PATIENCE, stream.ends()).await?;
    Ok(())
}

async fn a_database_in_the_place_of_another_is_heard(engine: Engine) -> TestResult {
    let (_one, first) = database(engine).await?;
    let (_two, second) = database(engine).await?;
    let manager = DatabaseManager::builder()
        .database("main", first.clone())
        .build()?;
    let app = quick(resilient_admin::router(manager.clone()));
    let app = app.stream_interval(Duration::from_secs(3)).build()?;
    let mut stream = Stream::open(&app).await;
    stream.find("snapshot", |_| true).await;
    manager.remove("main")?;
    manager.add("main", second.clone())?;
    let of_second = |data: &Value| data["pool"]["name"] == second.name();
    let snapshot = stream.find("snapshot", of_second).await;
    assert_eq!(snapshot.data["delta"], Value::Null, "{:#}", snapshot.data);
    alarm(&second, "second");
    stream
        .find("health", |data| data["alert"]["subject"] == "second")
        .await;
    Ok(())
}

async fn there_are_no_more_streams_than_allowed(engine: Engine) -> TestResult {
    let (_test, db) = database(engine).await?;
    let app = quick(resilient_admin::router(db)).max_streams(2).build()?;
    let (one, _two) = (Stream::open(&app).await, Stream::open(&app).await);
    let third = get(&app, EVENTS, None).await;
    third.problem(503);
    assert!(!third.header("retry-after").is_empty());
    drop(one);
    Stream::open(&app).await.find("snapshot", |_| true).await;
    Ok(())
}

async fn silence_is_filled_with_comments(engine: Engine) -> TestResult {
    let (_test, db) = database(engine).await?;
    let admin = quick(resilient_admin::router(db));
    let admin = admin.stream_interval(Duration::from_hours(1));
    let app = admin.keep_alive(Duration::ZERO).build()?;
    let mut stream = Stream::open(&app).await;
    stream.find("snapshot", |_| true).await;
    assert!(stream.next().await.is_some_and(|event| event.comment));
    Ok(())
}

/// What streams ask of the database does not grow with them, and ends with the last.
async fn all_listeners_share_one_check(engine: Engine) -> TestResult {
    let test = TestDb::new(engine).await?;
    let proxy = Proxy::before(&test).await?;
    // Every check is made anew, so that each snapshot sends one.
    let health = HealthSettings {
        cache_duration: Duration::ZERO,
        ..settings()
    };
    let db = connect(proxy.url(), Builder::default().health(health)).await;
    db.execute_unprepared("SELECT 1").await?;
    let databases = Databases::new().with("shared", db.clone());
    let app = quick(resilient_admin::router(databases)).build()?;
    let mut streams = Vec::new();
    for _ in 0..50 {
        streams.push(Stream::open(&app).await);
    }
    streams[0].find("snapshot", |_| true).await;
    // Up to a new one, past what was kept for this stream meanwhile.
    let newest = Stream::open(&app).await.find("snapshot", |_| true).await.id;
    while streams[0].find("snapshot", |_| true).await.id < newest {}
    proxy.record();
    let mut last = 0;
    for _ in 0..10 {
        last = streams[0].find("snapshot", |_| true).await.id.unwrap();
    }
    let sent = proxy.flights().len();
    // A check and a ping before it for each; a tenth of what one for each stream would be.
    assert!((5..=100).contains(&sent), "{sent}: {:?}", proxy.flights());
    for stream in &mut streams[1..] {
        stream.find("snapshot", |_| true).await;
    }
    assert!(last > 10);
    drop(streams);
    let quiet = async || {
        proxy.record();
        tokio::time::sleep(Duration::from_millis(500)).await;
        Ok(proxy.flights().is_empty())
    };
    wait_until("nothing is sent", PATIENCE, quiet).await?;
    Ok(())
}

engine_tests! { snapshots_and_events_are_as_described }
engine_tests! { on_postgres on_mariadb: all_listeners_share_one_check }
engine_tests! { on_sqlite:
    slow_listeners_are_told_what_they_missed,
    streams_end_with_the_service,
    streams_end_with_their_database,
    streams_end_with_either_half,
    a_database_in_the_place_of_another_is_heard,
    there_are_no_more_streams_than_allowed,
    silence_is_filled_with_comments,
}
