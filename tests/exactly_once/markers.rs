//! The table of markers: how it is cleaned, and what it must not get in the way of.

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::{Duration, SystemTime},
};

use resilient_sea_orm::{Builder, CommitMode, Result, policy::BudgetConfig, prelude::*};
use sea_orm::{ConnectOptions, ConnectionTrait, IsolationLevel};
use support::{
    Ending, Engine, Fault, Plan, Proxy, TestDb, TestResult, engine_tests, unique_name, wait_until,
};

use crate::stand::{LONG, connect, number, tables, transfer};

const PATIENCE: Duration = Duration::from_secs(30);

fn verified() -> TransactOptions {
    TransactOptions::new()
        .commit(CommitMode::Verified)
        .retries(200)
}

async fn open(builder: Builder, url: &str, pool: u32) -> Result<ResilientConnection> {
    let mut options = ConnectOptions::new(url);
    options
        .max_connections(pool)
        .acquire_timeout(PATIENCE)
        .sqlx_logging(false);
    let builder = builder.name(unique_name()).to(options);
    let budget = BudgetConfig::new(1.0, 1_000_000);
    let db = builder.retry_budget(budget).connect().await?;
    db.ensure_marker_table().await?;
    Ok(db)
}

/// Puts in markers of an age, as they would be there.
async fn insert_markers(test: &TestDb, count: u32, age: Duration) -> TestResult {
    let made = SystemTime::now() - age;
    let ms = made.duration_since(SystemTime::UNIX_EPOCH)?.as_millis();
    let seconds = age.as_secs();
    let rows: Vec<_> = (0..count)
        .map(|n| {
            let token = format!("{ms:012x}{:016x}{:04x}", u64::from(n) << 20, 1);
            match test.engine() {
                Engine::Postgres => {
                    format!("(decode('{token}','hex'),FALSE,now()-{seconds}*interval '1 second')")
                }
                Engine::Sqlite => {
                    format!("(X'{token}',FALSE,datetime('now','-{seconds} seconds'))")
                }
                _ => format!("(X'{token}',FALSE,NOW()-INTERVAL {seconds} SECOND)"),
            }
        })
        .collect();
    let sql = format!("INSERT INTO resilient_commits VALUES {}", rows.join(","));
    test.admin().execute_unprepared(&sql).await?;
    Ok(())
}

async fn only_what_is_old_is_deleted(engine: Engine) -> TestResult {
    let test = TestDb::new(engine).await?;
    tables(&test, 2).await?;
    let brief = Builder::default().marker_retention(Duration::from_mins(1));
    let db = open(brief, test.url(), 2).await?;
    insert_markers(&test, 1_200, Duration::from_secs(62)).await?;
    insert_markers(&test, 40, Duration::from_secs(25)).await?;
    insert_markers(&test, 30, Duration::ZERO).await?;
    db.transact(verified(), || transfer(&db, 1, 1, 2)).await?;
    let clean = async || Ok(test.rows("resilient_commits").await? <= 71);
    wait_until("what is old is deleted", PATIENCE, clean).await?;
    tokio::time::sleep(Duration::from_millis(300)).await;
    assert_eq!(test.rows("resilient_commits").await?, 71);
    Ok(())
}

/// A pool that is never idle cleans too, and goes on working.
async fn a_busy_pool_cleans_too(engine: Engine) -> TestResult {
    let test = TestDb::new(engine).await?;
    tables(&test, 2).await?;
    let brief = Builder::default().marker_retention(Duration::from_mins(1));
    let db = open(brief, test.url(), 1).await?;
    insert_markers(&test, 1_700, Duration::from_secs(90)).await?;
    let done = Arc::new(AtomicBool::new(false));
    let clients: Vec<_> = (0..4)
        .map(|client| {
            let (db, done) = (db.clone(), Arc::clone(&done));
            tokio::spawn(async move {
                let mut calls = 0_u64;
                while !done.load(Ordering::Relaxed) {
                    calls += 1;
                    let call = client << 32 | calls;
                    db.transact(verified(), || transfer(&db, call, 1, 2))
                        .await?;
                }
                Ok::<_, Error>(calls)
            })
        })
        .collect();
    let old = "(SELECT COUNT(*) FROM resilient_commits)";
    let clean = wait_until("what is old is deleted", PATIENCE, async || {
        let markers = test.rows("resilient_commits").await?;
        Ok(markers <= test.rows("ledger").await?)
    })
    .await;
    done.store(true, Ordering::Relaxed);
    let mut calls = 0;
    for client in clients {
        calls += client.await??;
    }
    clean?;
    assert_eq!(number(&test, old).await?, i64::try_from(calls)?);
    Ok(())
}

/// Connections of several programs to one table, and each isolation level, under contention.
async fn many_share_the_table(engine: Engine) -> TestResult {
    for level in [IsolationLevel::RepeatableRead, IsolationLevel::Serializable] {
        let test = TestDb::new(engine).await?;
        tables(&test, 2).await?;
        let mut clients = Vec::new();
        for program in 0..4_u64 {
            let db = open(Builder::default(), test.url(), 2).await?;
            for client in 0..2 {
                let db = db.clone();
                clients.push(tokio::spawn(async move {
                    for n in 0..15 {
                        let call = program << 32 | client << 16 | n;
                        let options = verified().isolation(level);
                        db.transact(options, || transfer(&db, call, 1, 2)).await?;
                    }
                    Ok::<_, Error>(())
                }));
            }
        }
        for client in clients {
            client.await??;
        }
        let moved = number(&test, "(SELECT balance FROM account WHERE id = 2)").await?;
        let counts = (
            test.rows("ledger").await?,
            test.rows("resilient_commits").await?,
            moved,
        );
        assert_eq!(counts, (120, 120, 120), "{level:?}");
    }
    Ok(())
}

async fn reading_leaves_no_marker(engine: Engine) -> TestResult {
    let test = TestDb::new(engine).await?;
    tables(&test, 2).await?;
    let db = open(Builder::default(), test.url(), 2).await?;
    let options = verified().isolation(IsolationLevel::Serializable);
    for options in [options, options.read_only()] {
        db.transact(options, || async {
            db.execute_unprepared("SELECT balance FROM account").await?;
            Ok::<_, Error>(())
        })
        .await?;
    }
    assert_eq!(test.rows("resilient_commits").await?, 0);
    Ok(())
}

/// What a COMMIT is refused for keeps its kind and its name.
async fn deferred_constraints_keep_their_names(engine: Engine) -> TestResult {
    let test = TestDb::new(engine).await?;
    tables(&test, 2).await?;
    for sql in [
        "CREATE TABLE child (id INT CONSTRAINT child_id UNIQUE DEFERRABLE INITIALLY DEFERRED, \
         parent INT CONSTRAINT child_parent REFERENCES account (id) DEFERRABLE INITIALLY DEFERRED)",
        "INSERT INTO child VALUES (1, 1)",
        "CREATE TABLE judged (id INT)",
        "CREATE FUNCTION judge() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN \
         RAISE EXCEPTION 'taken' USING ERRCODE = 'unique_violation'; END $$",
        "CREATE CONSTRAINT TRIGGER judge AFTER INSERT ON judged DEFERRABLE INITIALLY DEFERRED \
         FOR EACH ROW EXECUTE FUNCTION judge()",
    ] {
        test.admin().execute_unprepared(sql).await?;
    }
    let db = open(Builder::default(), test.url(), 2).await?;
    for (sql, kind, name) in [
        (
            "INSERT INTO child VALUES (2, 9)",
            FaultKind::ForeignKey,
            Some("child_parent"),
        ),
        (
            "INSERT INTO child VALUES (1, 1)",
            FaultKind::Unique,
            Some("child_id"),
        ),
        ("INSERT INTO judged VALUES (1)", FaultKind::Unique, None),
    ] {
        let runs = AtomicBool::new(false);
        let result = db
            .transact(verified(), || async {
                assert!(!runs.swap(true, Ordering::Relaxed), "{sql}: it ran again");
                db.execute_unprepared(sql).await?;
                Ok::<_, Error>(())
            })
            .await;
        let error = result.expect_err("refused");
        assert_eq!(
            (error.kind(), error.outcome()),
            (kind, Outcome::RolledBack),
            "{error}"
        );
        assert_eq!(error.fault().constraint(), name, "{sql}: {error}");
    }
    assert_eq!(test.rows("resilient_commits").await?, 0);
    Ok(())
}

/// The user's own constraint is the user's, although the marker has one of that kind.
async fn a_violation_of_the_users_is_the_users(engine: Engine) -> TestResult {
    let test = TestDb::new(engine).await?;
    tables(&test, 2).await?;
    let db = open(Builder::default(), test.url(), 2).await?;
    let result = db
        .transact(verified(), || async {
            db.execute_unprepared("INSERT INTO account VALUES (1, 0)")
                .await?;
            Ok::<_, Error>(())
        })
        .await;
    let error = result.expect_err("taken");
    assert_eq!(error.kind(), FaultKind::Unique, "{error}");
    Ok(())
}

async fn without_the_right_to_mark_the_error_says_so(engine: Engine) -> TestResult {
    let test = TestDb::new(engine).await?;
    tables(&test, 2).await?;
    open(Builder::default(), test.url(), 1)
        .await?
        .close()
        .await?;
    let user = format!("u_{}", unique_name().replace('-', "_"));
    let database = test.url().rsplit_once('/').ok_or("no name")?.1;
    let (statements, old) = if engine == Engine::Postgres {
        let statements = vec![
            format!("CREATE ROLE {user} LOGIN"),
            format!("GRANT ALL ON account, ledger TO {user}"),
        ];
        (statements, "postgres@")
    } else {
        let statements = vec![
            format!("CREATE USER {user}@'127.0.0.1'"),
            format!("GRANT ALL ON {database}.account TO {user}@'127.0.0.1'"),
            format!("GRANT ALL ON {database}.ledger TO {user}@'127.0.0.1'"),
        ];
        (statements, "root@")
    };
    for sql in &statements {
        test.admin().execute_unprepared(sql).await?;
    }
    let url = test.url().replacen(old, &format!("{user}@"), 1);
    let db = connect(&url, 2, CommitMode::Verified, LONG, LONG).await?;
    let result = db
        .transact(TransactOptions::new(), || transfer(&db, 1, 1, 2))
        .await;
    let error = result.expect_err("not allowed");
    let words = error.to_string();
    assert_eq!(error.outcome(), Outcome::RolledBack, "{words}");
    assert!(
        words.contains("resilient_commits") && words.contains("INSERT"),
        "{words}"
    );
    assert_eq!(test.rows("ledger").await?, 0);
    db.close().await?;
    if engine == Engine::Postgres {
        test.admin()
            .execute_unprepared(&format!("DROP OWNED BY {user}"))
            .await?;
        test.admin()
            .execute_unprepared(&format!("DROP ROLE {user}"))
            .await?;
    } else {
        test.admin()
            .execute_unprepared(&format!("DROP USER {user}@'127.0.0.1'"))
            .await?;
    }
    Ok(())
}

/// A transaction that looks elsewhere for its tables has its marker where the fence looks.
async fn a_transaction_may_look_for_tables_elsewhere(engine: Engine) -> TestResult {
    let test = TestDb::new(engine).await?;
    tables(&test, 2).await?;
    let database = test.url().rsplit_once('/').ok_or("no name")?.1;
    let tenant = format!("{database}_tenant");
    let (create, look, drop) = if engine == Engine::Postgres {
        let create = format!("CREATE SCHEMA {tenant}");
        (
            create,
            format!("SET LOCAL search_path = {tenant}, public"),
            "SELECT 1".to_owned(),
        )
    } else {
        let (create, drop) = (
            format!("CREATE DATABASE {tenant}"),
            format!("DROP DATABASE {tenant}"),
        );
        (create, format!("USE {tenant}"), drop)
    };
    test.admin().execute_unprepared(&create).await?;
    let proxy = Proxy::before(&test).await?;
    let db = open(Builder::default(), proxy.url(), 2).await?;
    let (binary, ledger) = match engine {
        Engine::Postgres => ("bytea", "ledger".to_owned()),
        _ => ("binary(16)", format!("{database}.ledger")),
    };
    // Each tenant has one, as the migration was run for each.
    let table = format!(
        "CREATE TABLE {tenant}.resilient_commits (token {binary} NOT NULL PRIMARY KEY, \
         fenced boolean NOT NULL)"
    );
    test.admin().execute_unprepared(&table).await?;
    proxy.add(Plan::new(Fault::Applied(Ending::Reset)));
    db.transact(verified(), || async {
        db.execute_unprepared(&look).await?;
        let insert = format!("INSERT INTO {ledger} VALUES (1, 1)");
        db.execute_unprepared(&insert).await?;
        Ok::<_, Error>(())
    })
    .await?;
    db.close().await?;
    proxy.finish().await?;
    let rows = test.rows("ledger").await;
    test.admin().execute_unprepared(&drop).await?;
    assert_eq!(rows?, 1);
    Ok(())
}

/// A routine that commits, and then the reply is lost: nobody knows, and nothing is run again.
async fn a_routine_committed_and_the_reply_is_lost(engine: Engine) -> TestResult {
    let test = TestDb::new(engine).await?;
    tables(&test, 2).await?;
    let routine = "CREATE PROCEDURE store() BEGIN INSERT INTO ledger VALUES (1, 1); COMMIT; END";
    test.admin().execute_unprepared(routine).await?;
    for fault in [
        Fault::Applied(Ending::Reset),
        Fault::NotApplied(Ending::Reset),
    ] {
        test.admin()
            .execute_unprepared("DELETE FROM ledger")
            .await?;
        let proxy = Proxy::before(&test).await?;
        let db = open(Builder::default(), proxy.url(), 2).await?;
        proxy.add(Plan::new(fault));
        let result = db
            .transact(verified(), || async {
                db.execute_unprepared("CALL store()").await?;
                Ok::<_, Error>(())
            })
            .await;
        db.close().await?;
        proxy.finish().await?;
        assert_eq!(test.rows("ledger").await?, 1, "{fault:?}: {result:?}");
        let error = result.expect_err("nobody knows");
        assert_eq!(error.outcome(), Outcome::Unknown, "{fault:?}: {error}");
    }
    Ok(())
}

/// A SELECT that writes is not taken for one that reads: by a view over a function.
async fn a_view_that_writes_is_no_reading(engine: Engine) -> TestResult {
    let test = TestDb::new(engine).await?;
    tables(&test, 2).await?;
    let function = if engine == Engine::Postgres {
        "CREATE FUNCTION note() RETURNS int LANGUAGE sql VOLATILE AS \
         $$ INSERT INTO ledger VALUES (1, 1); SELECT 1 $$"
    } else {
        "CREATE FUNCTION note() RETURNS INT MODIFIES SQL DATA \
         BEGIN INSERT INTO ledger VALUES (1, 1); RETURN 1; END"
    };
    for sql in [function, "CREATE VIEW noting AS SELECT note() AS n"] {
        test.admin().execute_unprepared(sql).await?;
    }
    let proxy = Proxy::before(&test).await?;
    let db = open(Builder::default(), proxy.url(), 2).await?;
    proxy.add(Plan::new(Fault::Applied(Ending::Reset)));
    let result = db
        .transact(verified(), || async {
            db.execute_unprepared("SELECT n FROM noting").await?;
            Ok::<_, Error>(())
        })
        .await;
    db.close().await?;
    proxy.finish().await?;
    let rows = test.rows("ledger").await?;
    let unknown = result
        .as_ref()
        .is_err_and(|e| e.outcome() == Outcome::Unknown);
    assert!(
        rows == 1 && (result.is_ok() || unknown),
        "{rows} rows, {result:?}"
    );
    Ok(())
}

engine_tests! { on_postgres: deferred_constraints_keep_their_names }

engine_tests! { on_mariadb: a_routine_committed_and_the_reply_is_lost }

engine_tests! { on_postgres on_mariadb:
    many_share_the_table,
    without_the_right_to_mark_the_error_says_so,
    a_transaction_may_look_for_tables_elsewhere,
}

engine_tests! {
    only_what_is_old_is_deleted,
    a_busy_pool_cleans_too,
    reading_leaves_no_marker,
    a_violation_of_the_users_is_the_users,
}

engine_tests! { on_postgres on_mariadb: a_view_that_writes_is_no_reading }
