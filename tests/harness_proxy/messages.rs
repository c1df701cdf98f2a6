//! Messages: cut, counted and passed on.

use sea_orm::{ConnectionTrait, DatabaseConnection, DbErr, TransactionTrait};
use support::{
    Direction, Ending, Engine, Fault, Plan, Server, Side, TestDb, TestResult, engine_tests,
    wait_until,
};

use crate::{LIMIT, Lab, insert, prepared};

engine_tests! { on_postgres on_mariadb on_mysql:
    cuts_at_every_message,
    counts_round_trips,
    spares_handshakes_unless_asked,
    passes_large_messages,
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
