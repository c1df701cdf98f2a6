//! Promise 9: the cause survives, and says nothing about anybody's data.

use std::{
    error::Error as _,
    fmt::Write as _,
    sync::{
        Arc, Mutex,
        atomic::{AtomicU32, Ordering},
    },
};

use resilient_sea_orm::{FaultSet, Result, prelude::*};
use sea_orm::ConnectionTrait;
use support::{Engine, TestResult, engine_tests};
use tracing_subscriber::{Layer, layer::SubscriberExt};

use crate::{
    bank::{Bank, add, enter},
    rig::{Rig, nothing_leaks},
};

/// A value nobody but its owner should read.
const SECRET: &str = "ssn-078-05-1120";

/// Everything that was logged, spans and fields too.
#[derive(Clone, Default)]
struct Log(Arc<Mutex<String>>);

impl Log {
    fn text(&self) -> String {
        self.0.lock().expect("no panic").clone()
    }
}

impl tracing::field::Visit for Log {
    fn record_debug(&mut self, field: &tracing::field::Field, value: &dyn std::fmt::Debug) {
        let _ = write!(self.0.lock().expect("no panic"), " {field}={value:?}");
    }
}

impl<S: tracing::Subscriber> Layer<S> for Log {
    fn on_event(&self, event: &tracing::Event<'_>, _: tracing_subscriber::layer::Context<'_, S>) {
        let target = event.metadata().target();
        let _ = write!(self.0.lock().expect("no panic"), "\n{target}:");
        event.record(&mut self.clone());
    }

    fn on_new_span(
        &self,
        span: &tracing::span::Attributes<'_>,
        _: &tracing::Id,
        _: tracing_subscriber::layer::Context<'_, S>,
    ) {
        span.record(&mut self.clone());
    }

    fn on_record(
        &self,
        _: &tracing::Id,
        values: &tracing::span::Record<'_>,
        _: tracing_subscriber::layer::Context<'_, S>,
    ) {
        values.record(&mut self.clone());
    }
}

/// The error and all below it, as a reporter of errors prints them.
fn chain(error: &Error) -> String {
    let mut text = String::new();
    let mut at = error.source();
    while let Some(source) = at {
        let _ = writeln!(text, "{source}\n{source:?}");
        at = source.source();
    }
    text
}

fn keeps_quiet(what: &str, text: &str) {
    assert!(!text.contains(SECRET), "{what} tells user data: {text}");
}

/// The ways in which a statement's error can reach the caller.
async fn failures(bank: &Bank) -> Vec<(&'static str, Error)> {
    let db = &bank.db;
    let twice = || enter(db, 2, SECRET);
    let plain = TransactOptions::new().name("secrets");
    let again = plain.on(FaultSet::of(&[FaultKind::Unique]));
    let mut errors = Vec::new();
    errors.push(("outside", twice().await.unwrap_err()));
    errors.push(("in a call", db.transact(plain, twice).await.unwrap_err()));
    errors.push((
        "retried",
        db.transact(again.retries(1), twice).await.unwrap_err(),
    ));
    let nested = async || db.transact(plain, || db.transact(plain, twice)).await;
    errors.push(("nested", nested().await.unwrap_err()));
    let invalid = || async {
        let sql = format!("INSERT INTO account VALUES ('{SECRET}', 1)");
        db.execute_unprepared(&sql).await?;
        Ok::<_, Error>(())
    };
    errors.push((
        "a wrong type",
        db.transact(plain, invalid).await.unwrap_err(),
    ));
    let swallowed = || async {
        add(db, 1, 0).await?;
        twice().await.ok();
        Ok::<_, Error>(())
    };
    // On the engines that undo the one statement there is no error.
    if let Err(error) = db.transact(plain, swallowed).await {
        errors.push(("swallowed", error));
    }
    errors
}

async fn no_message_and_no_log_line_holds_user_data_and_the_source_does(
    engine: Engine,
) -> TestResult {
    let bank = Rig::new(1).bank(engine, 2).await;
    enter(&bank.db, 1, SECRET).await?;
    // tracing can miss a listener that comes while an event is reached for the first time.
    failures(&bank).await;
    let log = Log::default();
    let subscriber = tracing_subscriber::registry().with(log.clone());
    let logging = tracing::subscriber::set_default(subscriber);
    let errors = failures(&bank).await;
    drop(logging);

    let logged = log.text();
    assert!(
        logged.contains("call failed") && logged.contains("retrying"),
        "{logged}"
    );
    assert!(
        logged.contains("secrets") && logged.contains("unique"),
        "{logged}"
    );
    keeps_quiet("the log", &logged);
    for (way, error) in &errors {
        keeps_quiet(way, &format!("{error}\n{error:?}\n{error:#?}"));
        if *way == "a wrong type" {
            continue;
        }
        assert_eq!(error.kind(), FaultKind::Unique, "{way}: {error}");
        let driver = match engine {
            Engine::Sqlite => "UNIQUE constraint failed: entry.note",
            Engine::Postgres => "duplicate key value violates unique constraint",
            Engine::MariaDb | Engine::MySql => "Duplicate entry",
        };
        let below = chain(error);
        assert!(
            below.contains(driver),
            "{way} lost the driver's text: {below}"
        );
        // SQLite's own messages name columns only.
        if engine != Engine::Sqlite {
            assert!(below.contains(SECRET), "{way} lost the detail: {below}");
        }
    }
    Ok(())
}

async fn a_rollback_that_fails_is_attached_to_the_cause(engine: Engine) -> TestResult {
    let bank = Rig::new(2).bank(engine, 2).await;
    enter(&bank.db, 1, SECRET).await?;
    let tries = AtomicU32::new(0);
    let error = bank
        .db
        .transact(TransactOptions::new(), || async {
            tries.fetch_add(1, Ordering::SeqCst);
            add(&bank.db, 1, -1).await?;
            let cause = enter(&bank.db, 2, SECRET).await;
            // From here on not even a rollback gets through.
            bank.test.terminate_sessions().await.expect("killed");
            cause
        })
        .await
        .unwrap_err();
    assert_eq!(error.kind(), FaultKind::Unique, "{error}");
    assert_eq!(error.outcome(), Outcome::RolledBack, "{error}");
    assert_eq!(
        tries.into_inner(),
        1,
        "the cause decides, and it is permanent"
    );
    let rollback = error.rollback_error().expect("the rollback's own error");
    assert_eq!(
        rollback.fault.kind(),
        FaultKind::ConnectionLost,
        "{rollback:?}"
    );
    assert!(
        error.to_string().contains("the rollback failed too"),
        "{error}"
    );
    keeps_quiet("the error", &format!("{error}\n{error:?}\n{rollback:?}"));
    assert_eq!(bank.total().await, 200_000);
    nothing_leaks(&bank, 2).await;
    Ok(())
}

async fn a_callers_own_error_survives_a_failed_rollback(engine: Engine) -> TestResult {
    #[derive(Debug)]
    enum Mine {
        OutOfStock(u32),
        Database,
    }
    impl From<Error> for Mine {
        fn from(_: Error) -> Self {
            Self::Database
        }
    }
    let bank = Rig::new(2).bank(engine, 2).await;
    let result: Result<(), Mine> = bank
        .db
        .transact(TransactOptions::new(), || async {
            add(&bank.db, 1, -1).await?;
            bank.test.terminate_sessions().await.expect("killed");
            Err(Mine::OutOfStock(7))
        })
        .await;
    assert!(matches!(result, Err(Mine::OutOfStock(7))), "{result:?}");
    assert_eq!(bank.total().await, 200_000);
    nothing_leaks(&bank, 2).await;
    Ok(())
}

async fn a_rollback_to_a_savepoint_that_fails_is_attached_and_ends_the_call(
    engine: Engine,
) -> TestResult {
    let bank = Rig::new(2).bank(engine, 2).await;
    enter(&bank.db, 1, SECRET).await?;
    let (db, tries) = (&bank.db, AtomicU32::new(0));
    let inner = Mutex::new(None);
    let result: Result<()> = db
        .transact(TransactOptions::new().retries(1), || async {
            add(db, 1, -1).await?;
            let nested: Result<()> = db
                .transact(TransactOptions::new(), || async {
                    let cause = enter(db, 2, SECRET).await;
                    if tries.fetch_add(1, Ordering::SeqCst) == 0 {
                        bank.test.terminate_sessions().await.expect("killed");
                    }
                    cause
                })
                .await;
            let error = nested.unwrap_err();
            assert_eq!(error.kind(), FaultKind::Unique, "{error}");
            inner.lock().expect("no panic").get_or_insert(error);
            // The body goes on without the nested work.
            add(db, 2, 1).await
        })
        .await;
    // The transaction was lost with its session, so the body ran again as a whole.
    result?;
    assert_eq!(tries.into_inner(), 2);
    let first = inner.into_inner()?.expect("a nested error");
    let rollback = first.rollback_error().expect("the rollback's own error");
    assert_eq!(
        rollback.fault.kind(),
        FaultKind::ConnectionLost,
        "{rollback:?}"
    );
    assert_eq!(
        (bank.balance(1).await, bank.balance(2).await),
        (99_999, 100_001)
    );
    nothing_leaks(&bank, 2).await;
    Ok(())
}

/// A hook that breaks the same constraint, on a thread whose log is listened to.
fn hook_that_fails(url: &str, log: &Log) -> Result<()> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .expect("a runtime");
    let subscriber = tracing_subscriber::registry().with(log.clone());
    let _logging = tracing::subscriber::set_default(subscriber);
    runtime.block_on(async {
        let mut options = sea_orm::ConnectOptions::new(url);
        options.max_connections(1).sqlx_logging(false);
        let db = ResilientConnection::connect(options).await?;
        let hook = db.clone();
        db.transact(TransactOptions::new(), || {
            let (db, hook) = (&db, hook.clone());
            async move {
                db.after_commit(move || async move {
                    let sql = format!("INSERT INTO entry VALUES (99, '{SECRET}')");
                    hook.execute_unprepared(&sql).await.map(drop)
                })
            }
        })
        .await
    })
}

async fn what_a_hook_fails_of_is_logged_without_data(engine: Engine) -> TestResult {
    let bank = Rig::new(1).bank(engine, 2).await;
    enter(&bank.db, 1, SECRET).await?;
    let url = bank.test.url().to_owned();
    let log = tokio::task::spawn_blocking(move || {
        // The first time, for the reason above.
        hook_that_fails(&url, &Log::default())?;
        let log = Log::default();
        hook_that_fails(&url, &log)?;
        Ok::<_, Error>(log.text())
    })
    .await??;
    assert!(
        log.contains("after_commit") && log.contains("unique"),
        "{log}"
    );
    keeps_quiet("the log", &log);
    Ok(())
}

/// An address that is not understood may hold a password all the same.
#[tokio::test]
async fn an_address_that_is_not_understood_is_not_repeated() {
    for address in [
        "postgres://app:hun#ter2@127.0.0.1:1/bank",
        "postgres://app:hunter2@host:port/bank",
        "mariadb://app:hunter2@127.0.0.1:1/bank",
        "app:hunter2@127.0.0.1/bank",
    ] {
        let config = resilient_sea_orm::Config::default();
        let configured = ResilientConnection::builder(address).config(&config);
        for result in [
            ResilientConnection::connect(address).await,
            configured.connect().await,
        ] {
            let error = result.unwrap_err();
            let mut told = format!("{error} {error:?}");
            let mut source = error.source();
            while let Some(cause) = source {
                let _ = write!(told, " {cause} {cause:?}");
                source = cause.source();
            }
            assert!(!told.contains("ter2"), "{address}: {told}");
            assert!(told.contains("mysql://"), "{told}");
        }
    }
}

engine_tests! {
    no_message_and_no_log_line_holds_user_data_and_the_source_does,
    what_a_hook_fails_of_is_logged_without_data,
}
engine_tests! { on_postgres on_mariadb:
    a_rollback_that_fails_is_attached_to_the_cause,
    a_callers_own_error_survives_a_failed_rollback,
    a_rollback_to_a_savepoint_that_fails_is_attached_and_ends_the_call,
}
