//! Tests of the harness: the proxy that cuts.

use std::io::ErrorKind;
use std::time::Duration;

use sea_orm::sqlx::Error as SqlxError;
use sea_orm::{
    ConnectionTrait, DatabaseConnection, DbErr, RuntimeErr, Statement, TransactionTrait,
};
use support::{
    Direction, Ending, Engine, Fault, Plan, Proxy, Server, Side, TestDb, TestResult, connect,
    engine_tests, wait_until,
};
use tokio::io::{AsyncReadExt, AsyncWriteExt};

const LIMIT: Duration = Duration::from_secs(20);
/// How long silence is listened to.
const SILENCE: Duration = Duration::from_millis(300);

engine_tests! { on_postgres on_mariadb on_mysql:
    a_commit_is_cut_in_each_way, a_late_commit_is_applied_later, a_delayed_commit_succeeds,
    falls_silent_after_an_answer,
    finds_prepared_commits, finds_commits_among_other_statements,
    cuts_at_every_message, strikes_the_chosen_commits, counts_round_trips,
    goes_down_and_up, fails_over, freezes_and_thaws, spares_handshakes_unless_asked,
    passes_large_messages, says_what_went_wrong, waits_for_the_answer_of_a_lost_server
}

struct Lab {
    test: TestDb,
    proxy: Proxy,
}

impl Lab {
    async fn new(engine: Engine) -> TestResult<Self> {
        Self::on(TestDb::new(engine).await?).await
    }

    async fn on(test: TestDb) -> TestResult<Self> {
        let create = "CREATE TABLE t (a INT PRIMARY KEY)";
        test.admin().execute_unprepared(create).await?;
        let proxy = Proxy::before(&test).await?;
        Ok(Self { test, proxy })
    }

    /// One connection through the proxy.
    async fn client(&self) -> TestResult<DatabaseConnection> {
        Ok(connect(self.proxy.url(), 1).await?)
    }

    /// How many rows there are once no session is left that could change it.
    async fn rows_at_the_end(&self) -> TestResult<usize> {
        wait_until("the end of the sessions", LIMIT, async || {
            Ok(self.test.sessions().await? == 0)
        })
        .await?;
        Ok(self.test.rows("t").await?)
    }
}

async fn insert(client: &DatabaseConnection, id: i32) -> Result<(), DbErr> {
    let transaction = client.begin().await?;
    let sql = format!("INSERT INTO t VALUES ({id})");
    transaction.execute_unprepared(&sql).await?;
    transaction.commit().await
}

/// How the client's connection failed.
fn kind(error: &DbErr) -> Option<ErrorKind> {
    let (DbErr::Conn(RuntimeErr::SqlxError(error))
    | DbErr::Exec(RuntimeErr::SqlxError(error))
    | DbErr::Query(RuntimeErr::SqlxError(error))) = error
    else {
        return None;
    };
    match &**error {
        SqlxError::Io(error) => Some(error.kind()),
        _ => None,
    }
}

async fn a_commit_is_cut_in_each_way(engine: Engine) -> TestResult {
    let reset = Some(ErrorKind::ConnectionReset);
    let eof = Some(ErrorKind::UnexpectedEof);
    for (fault, expected, rows) in [
        (Fault::NotApplied(Ending::Reset), reset, 0),
        (Fault::NotApplied(Ending::Fin), eof, 0),
        (Fault::NotApplied(Ending::Silence), None, 0),
        (Fault::Applied(Ending::Reset), reset, 1),
        (Fault::Applied(Ending::Fin), eof, 1),
        (Fault::Applied(Ending::Silence), None, 1),
        (Fault::HalfReply(Ending::Fin), eof, 1),
        (Fault::HalfReply(Ending::Silence), None, 1),
    ] {
        let lab = Lab::new(engine).await?;
        lab.proxy.add(Plan::new(fault));
        let client = lab.client().await?;
        let mut work = tokio::spawn({
            let client = client.clone();
            async move { insert(&client, 1).await }
        });
        if expected.is_none() {
            let struck = async || Ok(lab.proxy.hits().len() == 1);
            wait_until("the fault", LIMIT, struck).await?;
            if rows == 1 {
                let answered = async || Ok(lab.proxy.hits()[0].answered);
                wait_until("the server's answer", LIMIT, answered).await?;
            }
            let answer = tokio::time::timeout(SILENCE, &mut work).await;
            assert!(answer.is_err(), "{fault:?}: {answer:?}");
            assert_eq!(lab.proxy.open_connections(), 1, "{fault:?}");
            let open = lab.test.open_transactions().await?;
            assert_eq!(open, 1 - rows, "{fault:?}: the server's side stays");
            lab.proxy.cut().await?;
            let error = work.await?.expect_err("it was ended in the end");
            assert_eq!(kind(&error), reset, "{fault:?}: {error}");
            client.close().await?;
        } else {
            let error = work.await?.expect_err("the answer was cut off");
            assert_eq!(kind(&error), expected, "{fault:?}: {error}");
            client.close().await?;
        }
        assert_eq!(lab.rows_at_the_end().await?, rows, "{fault:?}");
        let hits = lab.proxy.hits();
        assert_eq!(hits.len(), 1, "{hits:?}");
        assert_eq!((hits[0].fault, hits[0].answered), (fault, rows == 1));
        assert_eq!(hits[0].sql, "COMMIT");
        lab.proxy.finish().await?;
    }
    Ok(())
}

async fn a_late_commit_is_applied_later(engine: Engine) -> TestResult {
    for ending in [Ending::Reset, Ending::Fin] {
        let lab = Lab::new(engine).await?;
        let after = Duration::from_secs(2);
        lab.proxy.add(Plan::new(Fault::Late { after, ending }));
        let client = lab.client().await?;
        let error = insert(&client, 1).await.expect_err("the client was cut");
        assert!(kind(&error).is_some(), "{error}");
        assert_eq!(lab.test.rows("t").await?, 0, "not yet");
        assert_eq!(lab.test.open_transactions().await?, 1);
        lab.proxy.settled().await?;
        assert_eq!(lab.test.rows("t").await?, 1, "and then it is");
        assert!(lab.proxy.hits()[0].answered);
        lab.proxy.finish().await?;
    }
    Ok(())
}

async fn a_delayed_commit_succeeds(engine: Engine) -> TestResult {
    let lab = Lab::new(engine).await?;
    lab.proxy.add(Plan::new(Fault::Delayed(SILENCE)));
    lab.proxy.latency(Duration::from_millis(2));
    let client = lab.client().await?;
    insert(&client, 1).await?;
    assert_eq!(lab.test.rows("t").await?, 1);
    assert!(lab.proxy.hits()[0].answered);
    lab.proxy.finish().await?;
    Ok(())
}

async fn falls_silent_after_an_answer(engine: Engine) -> TestResult {
    let lab = Lab::new(engine).await?;
    lab.proxy.add(Plan::new(Fault::SilentAfter));
    let client = lab.client().await?;
    insert(&client, 1).await?;
    let next = tokio::time::timeout(SILENCE, client.ping()).await;
    assert!(next.is_err(), "{next:?}");
    assert_eq!(lab.test.rows("t").await?, 1);
    lab.proxy.finish().await?;
    Ok(())
}

fn prepared(client: &DatabaseConnection, sql: &str) -> Statement {
    Statement::from_string(client.get_database_backend(), sql)
}

async fn finds_prepared_commits(engine: Engine) -> TestResult {
    let execute = match engine {
        Engine::Postgres => "Execute COMMIT",
        _ => "COM_STMT_EXECUTE COMMIT",
    };
    let after = Duration::from_millis(100);
    let ending = Ending::Reset;
    for (fault, rows) in [
        (Fault::NotApplied(ending), 0),
        (Fault::Applied(ending), 1),
        (Fault::Late { after, ending }, 1),
    ] {
        // The first COMMIT of a connection is prepared as well, the second only executed.
        for nth in [1, 2] {
            let lab = Lab::new(engine).await?;
            lab.proxy.record();
            lab.proxy.add(Plan::new(fault).nth(nth));
            let client = lab.client().await?;
            let mut last = Ok(());
            for round in 1..=nth {
                assert!(last.is_ok(), "{last:?}");
                client.execute_unprepared("BEGIN").await?;
                let sql = format!("INSERT INTO t VALUES ({round})");
                client.execute_unprepared(&sql).await?;
                let commit = prepared(&client, "COMMIT");
                last = client.execute_raw(commit).await.map(drop);
            }
            let error = last.expect_err("the answer was cut off");
            assert!(kind(&error).is_some(), "{error}");
            lab.proxy.settled().await?;
            client.close().await?;
            let before = usize::try_from(nth)? - 1;
            assert_eq!(lab.rows_at_the_end().await?, before + rows, "{fault:?}");
            let seen = lab.proxy.boundaries();
            assert!(seen.iter().any(|at| at.message == execute), "{seen:?}");
            assert_eq!(lab.proxy.hits()[0].answered, rows == 1);
            lab.proxy.finish().await?;
        }
    }
    Ok(())
}

async fn finds_commits_among_other_statements(engine: Engine) -> TestResult {
    let text = match engine {
        Engine::Postgres => "SELECT 1;COMMIT",
        _ => "SET @a=0/*M!100100 ,@b=1*/;SELECT 1;RELEASE SAVEPOINT a;COMMIT",
    };
    for (fault, rows) in [
        (Fault::NotApplied(Ending::Fin), 0),
        (Fault::Applied(Ending::Fin), 1),
        (Fault::HalfReply(Ending::Fin), 1),
    ] {
        let lab = Lab::new(engine).await?;
        lab.proxy.add(Plan::new(fault));
        let client = lab.client().await?;
        let begin = "BEGIN;SAVEPOINT a;INSERT INTO t VALUES (1)";
        client.execute_unprepared(begin).await?;
        let error = client.execute_unprepared(text).await.map(drop);
        let error = error.expect_err("the answer was cut off");
        assert_eq!(kind(&error), Some(ErrorKind::UnexpectedEof), "{error}");
        client.close().await?;
        assert_eq!(lab.rows_at_the_end().await?, rows, "{fault:?}");
        assert_eq!(lab.proxy.hits()[0].sql, text);
        lab.proxy.finish().await?;
    }
    Ok(())
}

/// What is repeated with a cut at each message.
async fn exchange(client: &DatabaseConnection) -> Result<(), DbErr> {
    let transaction = client.begin().await?;
    let insert = prepared(client, "INSERT INTO t VALUES (1)");
    transaction.execute_raw(insert).await?;
    transaction
        .query_one_raw(prepared(client, "SELECT a FROM t"))
        .await?;
    transaction.commit().await
}

async fn cuts_at_every_message(engine: Engine) -> TestResult {
    let lab = Lab::new(engine).await?;
    let client = lab.client().await?;
    lab.proxy.record_transaction();
    exchange(&client).await?;
    let places = lab.proxy.boundaries();
    client.close().await?;
    let commit = places
        .iter()
        .position(|at| at.direction == Direction::ToServer && at.message.ends_with(" COMMIT"))
        .ok_or("no COMMIT")?;
    assert!(places.len() > 10, "{places:?}");
    let last = &places[places.len() - 1];
    let end = if engine == Engine::Postgres {
        "ReadyForQuery"
    } else {
        "OK"
    };
    assert_eq!(
        (last.direction, last.message.as_str()),
        (Direction::ToClient, end)
    );
    for at in &places {
        for (side, ending) in [(Side::Before, Ending::Fin), (Side::After, Ending::Reset)] {
            lab.test.admin().execute_unprepared("DELETE FROM t").await?;
            let client = lab.client().await?;
            lab.proxy.cut_at(at.number, side, ending);
            let result = exchange(&client).await;
            client.close().await?;
            let rows = lab.rows_at_the_end().await?;
            let reached = (at.number, side == Side::After) >= (commit, true);
            assert_eq!(rows, usize::from(reached), "{side:?} {at}: {result:?}");
            let whole = side == Side::After && at.number + 1 == places.len();
            assert_eq!(result.is_ok(), whole, "{side:?} {at}: {result:?}");
            let passed = lab.proxy.boundaries();
            assert_eq!(passed[at.number].message, at.message);
        }
    }
    lab.proxy.finish().await?;
    Ok(())
}

async fn strikes_the_chosen_commits(engine: Engine) -> TestResult {
    let lab = Lab::new(engine).await?;
    let fault = Fault::NotApplied(Ending::Reset);
    let one = lab.client().await?;
    lab.proxy
        .add(Plan::new(fault).every(2).beyond_connection(1));
    for id in 1..=3 {
        insert(&one, id).await?;
    }
    let two = lab.client().await?;
    let mut failed = Vec::new();
    for id in 11..=16 {
        if insert(&two, id).await.is_err() {
            failed.push(id);
        }
    }
    assert_eq!(failed, [12, 14, 16]);
    lab.proxy.calm();
    let matching = |sql: &str| sql.starts_with("INSERT INTO t VALUES (22)");
    lab.proxy.add(Plan::new(fault).matching(matching));
    insert(&two, 21).await?;
    insert(&two, 22).await.expect_err("this one is meant");
    insert(&two, 23).await?;
    assert_eq!(lab.proxy.hits().len(), 4);
    assert_eq!(lab.test.rows("t").await?, 8);
    lab.proxy.finish().await?;
    Ok(())
}

async fn counts_round_trips(engine: Engine) -> TestResult {
    let lab = Lab::new(engine).await?;
    let client = lab.client().await?;
    client.execute_unprepared("SELECT 1").await?;
    assert!(lab.proxy.round_trips() >= 1);
    lab.proxy.record_transaction();
    let transaction = client.begin().await?;
    transaction.execute_unprepared("SELECT 1").await?;
    transaction.execute_unprepared("SELECT 2;SELECT 3").await?;
    transaction.commit().await?;
    // The pool tests its connection now, which is not counted.
    client.ping().await?;
    let flights = lab.proxy.flights();
    let texts: Vec<_> = flights
        .iter()
        .flat_map(|flight| &flight.statements)
        .collect();
    assert_eq!(
        texts,
        ["BEGIN", "SELECT 1", "SELECT 2;SELECT 3", "COMMIT"],
        "{flights:?}"
    );
    assert_eq!(lab.proxy.round_trips(), 4, "{flights:?}");

    let transaction = client.begin().await?;
    lab.proxy.record();
    for (trips, expected) in [(2, 2), (1, 3)] {
        let select = prepared(&client, "SELECT count(*) FROM t");
        transaction.query_one_raw(select).await?;
        let flights = lab.proxy.flights();
        assert_eq!(
            lab.proxy.round_trips(),
            expected,
            "{trips} more: {flights:?}"
        );
        assert_eq!(lab.proxy.round_trips_of(1), expected);
        assert!(flights.iter().all(|flight| flight.answered), "{flights:?}");
    }
    lab.proxy.add(Plan::new(Fault::Applied(Ending::Reset)));
    transaction
        .commit()
        .await
        .expect_err("the answer was cut off");
    wait_until("the flight that was cut", LIMIT, async || {
        Ok(lab.proxy.flights().len() == 4)
    })
    .await?;
    let flights = lab.proxy.flights();
    assert_eq!(flights[3].statements, ["COMMIT"]);
    assert!(!flights[3].answered);
    assert_eq!(lab.proxy.round_trips(), 3);
    lab.proxy.finish().await?;
    Ok(())
}

async fn goes_down_and_up(engine: Engine) -> TestResult {
    let lab = Lab::new(engine).await?;
    let client = lab.client().await?;
    let transaction = client.begin().await?;
    lab.proxy.down().await?;
    assert_eq!(lab.proxy.open_connections(), 0);
    let error = transaction.execute_unprepared("SELECT 1").await;
    let error = error.map(drop).expect_err("it is down");
    assert_eq!(kind(&error), Some(ErrorKind::ConnectionReset), "{error}");
    drop(transaction);
    let error = lab.client().await.map(drop).expect_err("it is down");
    let error = error.to_string();
    assert!(
        error.contains("refused") || error.contains("timed out"),
        "{error}"
    );
    for _ in 0..3 {
        lab.proxy.up().await?;
        lab.client().await?.ping().await?;
        lab.proxy.down().await?;
    }
    lab.proxy.up().await?;
    insert(&client, 1).await?;
    lab.proxy.finish().await?;
    Ok(())
}

async fn fails_over(engine: Engine) -> TestResult {
    let other = Server::start_private(engine, &[])?;
    let name = if engine == Engine::Postgres {
        "postgres"
    } else {
        "mysql"
    };
    let admin = connect(&other.url(name), 1).await?;
    let lab = Lab::new(engine).await?;
    let database = lab.test.url().rsplit('/').next().ok_or("no name")?;
    admin
        .execute_unprepared(&format!("CREATE DATABASE {database}"))
        .await?;
    let there = connect(&other.url(database), 1).await?;
    there
        .execute_unprepared("CREATE TABLE t (a INT PRIMARY KEY)")
        .await?;

    let client = lab.client().await?;
    insert(&client, 1).await?;
    let transaction = client.begin().await?;
    transaction
        .execute_unprepared("INSERT INTO t VALUES (2)")
        .await?;
    lab.proxy.target_server(&other).await?;
    let error = transaction
        .commit()
        .await
        .expect_err("it went with its server");
    assert_eq!(kind(&error), Some(ErrorKind::ConnectionReset), "{error}");
    insert(&client, 3).await?;
    client.close().await?;
    assert_eq!(lab.rows_at_the_end().await?, 1);
    let rows = there
        .query_all_raw(prepared(&there, "SELECT a FROM t"))
        .await?;
    let rows: Result<Vec<i32>, _> = rows.iter().map(|row| row.try_get_by_index(0)).collect();
    assert_eq!(rows?, [3]);
    lab.proxy.finish().await?;
    Ok(())
}

async fn freezes_and_thaws(engine: Engine) -> TestResult {
    let lab = Lab::new(engine).await?;
    let client = lab.client().await?;
    client.ping().await?;
    lab.proxy.freeze();
    let held = tokio::spawn({
        let client = client.clone();
        async move { insert(&client, 1).await }
    });
    let url = lab.proxy.url().to_owned();
    let fresh = tokio::spawn(async move { connect(&url, 1).await });
    let opened = async || Ok(lab.proxy.connections() == 2);
    wait_until("a second connection", LIMIT, opened).await?;
    tokio::time::sleep(SILENCE).await;
    assert!(!held.is_finished() && !fresh.is_finished());
    assert_eq!(lab.test.sessions().await?, 1);
    assert_eq!(lab.test.rows("t").await?, 0);
    lab.proxy.thaw();
    held.await??;
    fresh.await??.ping().await?;
    assert_eq!(lab.test.rows("t").await?, 1);
    lab.proxy.finish().await?;
    Ok(())
}

async fn spares_handshakes_unless_asked(engine: Engine) -> TestResult {
    let lab = Lab::new(engine).await?;
    lab.proxy.cut_handshakes(Some(Ending::Reset));
    lab.client()
        .await
        .map(drop)
        .expect_err("its handshake was cut");
    assert!(lab.proxy.hits().is_empty());
    lab.proxy.calm();
    lab.proxy.record();
    let fault = Fault::NotApplied(Ending::Reset);
    lab.proxy.add(
        Plan::new(fault)
            .every(1)
            .matching(|sql| !sql.starts_with("SET ")),
    );
    let client = lab.client().await?;
    assert!(insert(&client, 1).await.is_err());
    let seen = lab.proxy.boundaries();
    let handshake = ["Startup", "Authentication", "Login", "Greeting"];
    assert!(
        !seen
            .iter()
            .any(|at| handshake.contains(&at.message.as_str())),
        "{seen:?}"
    );
    lab.proxy.finish().await?;
    Ok(())
}

async fn passes_large_messages(engine: Engine) -> TestResult {
    let flags: &[&str] = match engine {
        Engine::Postgres => &[],
        _ => &["--max-allowed-packet=64M"],
    };
    let server = Server::start_private(engine, flags)?;
    let lab = Lab::on(TestDb::on(&server).await?).await?;
    let client = lab.client().await?;
    // More than one packet of MySQL's, in both directions.
    let long = "a".repeat(17_000_000);
    lab.proxy.record();
    let row = client
        .query_one_raw(prepared(&client, &format!("SELECT '{long}'")))
        .await?;
    let back: String = row.ok_or("no row")?.try_get_by_index(0)?;
    assert_eq!(back.len(), long.len());
    // Many small ones.
    let digits = "(SELECT 0 d UNION SELECT 1 UNION SELECT 2 UNION SELECT 3 UNION SELECT 4)";
    let many: Vec<_> = (1..=6).map(|n| format!("{digits} t{n}")).collect();
    let sql = format!("SELECT t1.d FROM {}", many.join(" CROSS JOIN "));
    let rows = client.query_all_raw(prepared(&client, &sql)).await?;
    assert_eq!(rows.len(), 15_625);
    let seen = lab.proxy.boundaries();
    let row = if engine == Engine::Postgres {
        "DataRow"
    } else {
        "Row"
    };
    assert_eq!(seen.iter().filter(|at| at.message == row).count(), 15_626);
    insert(&client, 1).await?;
    lab.proxy.finish().await?;
    Ok(())
}

async fn says_what_went_wrong(engine: Engine) -> TestResult {
    let lab = Lab::new(engine).await?;
    lab.proxy.add(Plan::new(Fault::SilentAfter).nth(2));
    insert(&lab.client().await?, 1).await?;
    let error = lab
        .proxy
        .finish()
        .await
        .expect_err("there was no second COMMIT");
    assert!(error.to_string().contains("has not struck"), "{error}");

    for finishes in [true, false] {
        let proxy = Proxy::before(&lab.test).await?;
        proxy.cut_at(1000, Side::Before, Ending::Fin);
        let port = proxy.url().split(':').nth(2).ok_or("no port")?;
        let port = port.split('/').next().ok_or("no port")?.parse()?;
        let mut client = tokio::net::TcpStream::connect(("127.0.0.1", port)).await?;
        let wrong: &[u8] = match engine {
            Engine::Postgres => &[0, 0, 0, 1, 0, 0, 0, 0],
            _ => &[4, 0, 0, 1, 0, 8, 0, 0],
        };
        client.write_all(wrong).await?;
        let _ = client.read_to_end(&mut Vec::new()).await;
        wait_until("the end", LIMIT, async || Ok(proxy.open_connections() == 0)).await?;
        if finishes {
            let error = proxy
                .finish()
                .await
                .expect_err("it understands nothing")
                .to_string();
            assert!(error.contains("connection 1:"), "{error}");
            assert!(error.contains("was not reached"), "{error}");
        } else {
            let dropped = tokio::spawn(async move { drop(proxy) });
            assert!(dropped.await.is_err_and(|error| error.is_panic()));
        }
    }
    Ok(())
}

/// The server goes away while it works on a COMMIT whose answer is withheld.
async fn waits_for_the_answer_of_a_lost_server(engine: Engine) -> TestResult {
    let lab = Lab::new(engine).await?;
    let fault = Fault::Applied(Ending::Fin);
    lab.proxy
        .add(Plan::new(fault).matching(|sql| sql.contains("long")));
    let sql = match engine {
        Engine::Postgres => "SELECT pg_sleep(600) AS long_one",
        _ => "SELECT SLEEP(600) AS long_one",
    };
    let client = lab.client().await?;
    let work = tokio::spawn(async move { client.execute_unprepared(sql).await });
    let struck = async || Ok(lab.proxy.hits().len() == 1);
    wait_until("the fault", LIMIT, struck).await?;
    wait_until("the end of the session", LIMIT, async || {
        lab.test.terminate_sessions().await?;
        Ok(work.is_finished())
    })
    .await?;
    let error = work.await?.map(drop).expect_err("the server went away");
    assert_eq!(kind(&error), Some(ErrorKind::UnexpectedEof), "{error}");
    if engine != Engine::Postgres {
        assert!(!lab.proxy.hits()[0].answered);
    }
    lab.proxy.finish().await?;
    Ok(())
}
