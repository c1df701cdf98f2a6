//! Promise 4: exactly once, on request.

use std::{
    sync::atomic::{AtomicU32, Ordering},
    time::Duration,
};

use resilient_sea_orm::{
    CommitMode, CommitStatus, CommitToken, Result, commit::CreateMarkerTable, policy::BudgetConfig,
    prelude::*,
};
use sea_orm::{ConnectOptions, ConnectionTrait, TransactionTrait};
use sea_orm_migration::{MigrationTrait, MigratorTrait};
use support::{Cut, CutProxy, Engine, TestDb, TestResult, engine_tests};

use crate::bank::unique_name;

/// A database with a table to write to, and a way to it that can be cut.
struct Rig {
    test: TestDb,
    proxy: Option<CutProxy>,
    db: ResilientConnection,
}

impl Rig {
    async fn new(engine: Engine) -> TestResult<Self> {
        let test = TestDb::new(engine).await?;
        test.admin()
            .execute_unprepared("CREATE TABLE entry (id INTEGER PRIMARY KEY)")
            .await?;
        let proxy = match engine {
            Engine::Sqlite => None,
            _ => Some(CutProxy::before(&test).await?),
        };
        let url = proxy.as_ref().map_or(test.url(), CutProxy::url).to_owned();
        let mut options = ConnectOptions::new(url);
        options.max_connections(2).sqlx_logging(false);
        let db = ResilientConnection::builder(options)
            .name(unique_name())
            .commit(CommitMode::Verified)
            .control_limit(Duration::from_secs(2))
            .retry_budget(BudgetConfig::new(1.0, 1_000_000))
            .connect()
            .await?;
        db.ensure_marker_table().await?;
        Ok(Self { test, proxy, db })
    }

    fn cut(&self, cut: Cut) {
        self.proxy.as_ref().expect("a server").cut_next(cut);
    }

    /// Enters one row; answers how often the body ran.
    async fn enter(&self, options: TransactOptions) -> (Result<()>, u32) {
        let runs = AtomicU32::new(0);
        let result = self
            .db
            .transact(options, || async {
                runs.fetch_add(1, Ordering::SeqCst);
                self.db
                    .execute_unprepared("INSERT INTO entry SELECT COUNT(*) + 1 FROM entry")
                    .await?;
                Ok(())
            })
            .await;
        (result, runs.into_inner())
    }

    async fn entries(&self) -> TestResult<usize> {
        Ok(self.test.rows("entry").await?)
    }

    async fn markers(&self) -> TestResult<usize> {
        Ok(self.test.rows("resilient_commits").await?)
    }
}

async fn a_lost_reply_is_found_out(engine: Engine) -> TestResult {
    let rig = Rig::new(engine).await?;
    for (entries, cut, times) in [
        (1, Cut::ReplyLost, 1),
        (2, Cut::BeforeCommit, 2),
        (3, Cut::ReplyHeld, 1),
    ] {
        rig.cut(cut);
        let (result, runs) = rig.enter(TransactOptions::new()).await;
        result.unwrap_or_else(|error| panic!("{cut:?}: {error}"));
        assert_eq!(runs, times, "{cut:?}");
        assert_eq!(rig.entries().await?, entries, "{cut:?}");
    }
    // Three commits, and the fence of the one that was not stored.
    assert_eq!(rig.markers().await?, 4);
    Ok(())
}

async fn without_it_a_lost_reply_is_unknown(engine: Engine) -> TestResult {
    let rig = Rig::new(engine).await?;
    for (entries, cut) in [(1, Cut::ReplyLost), (1, Cut::BeforeCommit)] {
        rig.cut(cut);
        let reported = TransactOptions::new().commit(CommitMode::Reported);
        let (result, runs) = rig.enter(reported).await;
        let error = result.expect_err("nobody knows");
        assert_eq!(error.kind(), FaultKind::CommitUnknown);
        assert_eq!((error.outcome(), runs), (Outcome::Unknown, 1));
        assert_eq!(error.commit_token(), None);
        assert_eq!(rig.entries().await?, entries, "{cut:?}");
    }
    assert_eq!(rig.markers().await?, 0);
    Ok(())
}

async fn what_writes_nothing_pays_nothing(engine: Engine) -> TestResult {
    let rig = Rig::new(engine).await?;
    for options in [TransactOptions::new(), TransactOptions::new().read_only()] {
        rig.db
            .transact(options, || async {
                rig.db
                    .query_all_raw(sea_orm::Statement::from_string(
                        rig.db.get_database_backend(),
                        "SELECT id FROM entry",
                    ))
                    .await?;
                Ok::<_, Error>(())
            })
            .await?;
        rig.db
            .transact(options, || async { Ok::<_, Error>(()) })
            .await?;
    }
    assert_eq!(rig.markers().await?, 0);
    let (result, _) = rig.enter(TransactOptions::new()).await;
    result?;
    assert_eq!(rig.markers().await?, 1);
    Ok(())
}

async fn begin_is_verified_too(engine: Engine) -> TestResult {
    let rig = Rig::new(engine).await?;
    for cut in [Cut::ReplyLost, Cut::BeforeCommit] {
        let handle = rig.db.begin().await?;
        let sql = "INSERT INTO entry SELECT COUNT(*) + 1 FROM entry";
        handle.execute_unprepared(sql).await?;
        rig.cut(cut);
        let result = handle.commit().await.map_err(Error::from);
        match cut {
            Cut::ReplyLost => result?,
            _ => assert_eq!(
                result.expect_err("not stored").outcome(),
                Outcome::RolledBack
            ),
        }
        assert_eq!(rig.entries().await?, 1, "{cut:?}");
    }
    Ok(())
}

async fn without_its_table_the_error_says_what_to_do(engine: Engine) -> TestResult {
    let rig = Rig::new(engine).await?;
    rig.test
        .admin()
        .execute_unprepared("DROP TABLE resilient_commits")
        .await?;
    let (result, runs) = rig.enter(TransactOptions::new()).await;
    let error = result.expect_err("no table");
    assert_eq!(error.kind(), FaultKind::UndefinedObject, "{error}");
    assert_eq!((error.outcome(), runs), (Outcome::RolledBack, 1));
    let text = error.to_string();
    assert!(text.contains("ensure_marker_table()"), "{text}");
    assert_eq!(rig.entries().await?, 0);
    // Making it again, and again, heals that.
    rig.db.ensure_marker_table().await?;
    rig.db.ensure_marker_table().await?;
    rig.enter(TransactOptions::new()).await.0?;
    assert_eq!(rig.entries().await?, 1);
    Ok(())
}

async fn asking_settles_what_was_never_sent(engine: Engine) -> TestResult {
    let rig = Rig::new(engine).await?;
    let token = CommitToken::new();
    for _ in 0..2 {
        let status = rig.db.commit_status(token).await?;
        assert_eq!(status, CommitStatus::NotCommitted);
    }
    assert_eq!(rig.markers().await?, 1);
    let old = "000001000000abcdefabcdefabcd0001".parse::<CommitToken>()?;
    let error = rig.db.commit_status(old).await.expect_err("too old");
    assert_eq!(error.outcome(), Outcome::Unknown);
    assert!(error.to_string().contains("retention"), "{error}");
    Ok(())
}

async fn the_table_may_have_any_name(engine: Engine) -> TestResult {
    let rig = Rig::new(engine).await?;
    let name = "it's `my` \"marks\"";
    let db = ResilientConnection::builder(rig.db.as_sea_orm().clone())
        .name(unique_name())
        .marker_table(name)
        .connect()
        .await?;
    db.ensure_marker_table().await?;
    let verified = TransactOptions::new().commit(CommitMode::Verified);
    db.transact(verified, || async {
        db.execute_unprepared("INSERT INTO entry VALUES (1)")
            .await?;
        Ok::<_, Error>(())
    })
    .await?;
    assert_eq!(rig.markers().await?, 0);
    assert_eq!(
        db.commit_status(CommitToken::new()).await?,
        CommitStatus::NotCommitted
    );
    Ok(())
}

async fn what_a_routine_committed_is_not_taken_for_undone(engine: Engine) -> TestResult {
    let rig = Rig::new(engine).await?;
    rig.test
        .admin()
        .execute_unprepared(
            "CREATE PROCEDURE store() BEGIN INSERT INTO entry VALUES (1); COMMIT; END",
        )
        .await?;
    let runs = AtomicU32::new(0);
    let result = rig
        .db
        .transact(TransactOptions::new(), || async {
            runs.fetch_add(1, Ordering::SeqCst);
            rig.db.execute_unprepared("CALL store()").await?;
            Ok::<_, Error>(())
        })
        .await;
    let error = result.expect_err("it is not ours any more");
    assert_eq!(error.outcome(), Outcome::Unknown, "{error}");
    assert_eq!((runs.into_inner(), error.commit_token()), (1, None));
    assert_eq!((rig.entries().await?, rig.markers().await?), (1, 0));
    Ok(())
}

/// Two old markers of another machine, one of which the server has seen just now.
async fn old_markers_are_deleted_by_the_servers_clock(engine: Engine) -> TestResult {
    let rig = Rig::new(engine).await?;
    let old = match engine {
        Engine::Postgres => "now() - interval '2 days'",
        Engine::Sqlite => "datetime('now', '-2 days')",
        _ => "NOW() - INTERVAL 2 DAY",
    };
    let literal = |token: &str| match engine {
        Engine::Postgres => format!("decode('{token}', 'hex')"),
        _ => format!("X'{token}'"),
    };
    let kept = "000001000000abcdefabcdefabcd0001";
    let gone = "000001000000abcdefabcdefabcd0002";
    for sql in [
        format!(
            "INSERT INTO resilient_commits (token, fenced) VALUES ({}, FALSE)",
            literal(kept)
        ),
        format!(
            "INSERT INTO resilient_commits (token, fenced, created_at) VALUES ({}, FALSE, {old})",
            literal(gone)
        ),
    ] {
        rig.test.admin().execute_unprepared(&sql).await?;
    }
    rig.enter(TransactOptions::new()).await.0?;
    support::wait_until("the old one's end", crate::rig::PATIENCE, async || {
        let sql = format!(
            "SELECT token FROM resilient_commits WHERE token = {}",
            literal(gone)
        );
        let statement = sea_orm::Statement::from_string(rig.db.get_database_backend(), sql);
        Ok(rig.db.query_all_raw(statement).await?.is_empty())
    })
    .await?;
    assert_eq!(
        rig.markers().await?,
        2,
        "the young one and the commit's own"
    );
    Ok(())
}

/// What became of a COMMIT survives the way through SeaORM's error.
async fn an_unknown_commit_stays_unknown_as_a_db_err(engine: Engine) -> TestResult {
    let rig = Rig::new(engine).await?;
    let reported = TransactOptions::new().commit(CommitMode::Reported);
    rig.cut(Cut::ReplyLost);
    let result: std::result::Result<(), sea_orm::DbErr> = rig
        .db
        .transact(reported, || async {
            rig.db
                .execute_unprepared("INSERT INTO entry VALUES (1)")
                .await?;
            Ok(())
        })
        .await;
    let error = Error::from(result.expect_err("nobody knows"));
    assert_eq!(error.kind(), FaultKind::CommitUnknown);
    assert!(!error.is_transient());
    assert_eq!(error.outcome(), Outcome::Unknown);
    Ok(())
}

/// An inner transaction of its own is not undone with the call around it.
async fn an_outer_call_does_not_call_an_unknown_commit_undone(engine: Engine) -> TestResult {
    let rig = Rig::new(engine).await?;
    let outer = ResilientConnection::connect("sqlite::memory:").await?;
    let reported = TransactOptions::new().commit(CommitMode::Reported);
    rig.cut(Cut::ReplyLost);
    let result: Result<()> = outer
        .transact(TransactOptions::new(), || async {
            let (result, _) = rig.enter(reported).await;
            result
        })
        .await;
    let error = result.expect_err("nobody knows");
    assert_eq!(error.outcome(), Outcome::Unknown, "{error}");
    assert!(error.to_string().contains("unknown after"), "{error}");
    assert_eq!(rig.entries().await?, 1);
    Ok(())
}

/// A routine that commits, and a fault after it: not undone, and not repeated.
async fn a_deadlock_after_a_routine_that_commits_is_unknown(engine: Engine) -> TestResult {
    for swallowed in [true, false] {
        let rig = Rig::new(engine).await?;
        for sql in [
            "ALTER TABLE entry MODIFY id INTEGER AUTO_INCREMENT",
            "CREATE PROCEDURE store() BEGIN INSERT INTO entry VALUES (NULL); COMMIT; END",
        ] {
            rig.test.admin().execute_unprepared(sql).await?;
        }
        let deadlock = "SIGNAL SQLSTATE '40001' SET MYSQL_ERRNO = 1213";
        let runs = AtomicU32::new(0);
        let result: Result<()> = rig
            .db
            .transact(TransactOptions::new(), || async {
                runs.fetch_add(1, Ordering::SeqCst);
                rig.db.execute_unprepared("CALL store()").await?;
                let fault = rig.db.execute_unprepared(deadlock).await;
                if swallowed {
                    return Ok(());
                }
                fault?;
                Ok(())
            })
            .await;
        let error = result.expect_err("it is not ours any more");
        assert_eq!(error.outcome(), Outcome::Unknown, "{swallowed}: {error}");
        assert_eq!(runs.into_inner(), 1, "{swallowed}");
        assert_eq!(rig.entries().await?, 1, "{swallowed}");
    }
    Ok(())
}

struct Migrator;

impl MigratorTrait for Migrator {
    fn migrations() -> Vec<Box<dyn MigrationTrait>> {
        vec![Box::new(CreateMarkerTable::default())]
    }
}

async fn the_migration_makes_the_table_and_takes_it_away(engine: Engine) -> TestResult {
    let rig = Rig::new(engine).await?;
    rig.test
        .admin()
        .execute_unprepared("DROP TABLE resilient_commits")
        .await?;
    Migrator::up(&rig.db, None).await?;
    rig.enter(TransactOptions::new()).await.0?;
    assert_eq!(rig.markers().await?, 1);
    Migrator::down(&rig.db, None).await?;
    let (result, _) = rig.enter(TransactOptions::new()).await;
    assert_eq!(
        result.expect_err("no table").kind(),
        FaultKind::UndefinedObject
    );
    assert_eq!(rig.entries().await?, 1);
    Ok(())
}

engine_tests! { on_mariadb:
    what_a_routine_committed_is_not_taken_for_undone,
    a_deadlock_after_a_routine_that_commits_is_unknown,
}

engine_tests! { on_postgres on_mariadb on_mysql:
    a_lost_reply_is_found_out,
    without_it_a_lost_reply_is_unknown,
    begin_is_verified_too,
    an_unknown_commit_stays_unknown_as_a_db_err,
    an_outer_call_does_not_call_an_unknown_commit_undone,
}

engine_tests! {
    what_writes_nothing_pays_nothing,
    without_its_table_the_error_says_what_to_do,
    asking_settles_what_was_never_sent,
    the_table_may_have_any_name,
    old_markers_are_deleted_by_the_servers_clock,
    the_migration_makes_the_table_and_takes_it_away,
}
