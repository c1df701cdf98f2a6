//! A server that is away, replaced or silent, and what is said of it.

use std::io::ErrorKind;

use sea_orm::{ConnectionTrait, TransactionTrait};
use support::{
    Ending, Engine, Fault, Plan, Proxy, Server, Side, TestResult, connect, engine_tests, wait_until,
};
use tokio::io::{AsyncReadExt, AsyncWriteExt};

use crate::{LIMIT, Lab, SILENCE, insert, kind, prepared};

engine_tests! { on_postgres on_mariadb on_mysql:
    goes_down_and_up,
    fails_over,
    freezes_and_thaws,
    says_what_went_wrong,
    waits_for_the_answer_of_a_lost_server,
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
