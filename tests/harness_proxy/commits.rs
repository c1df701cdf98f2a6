//! How commits are found, and cut in each way.

use std::{io::ErrorKind, time::Duration};

use sea_orm::ConnectionTrait;
use support::{Ending, Engine, Fault, Plan, TestResult, engine_tests, wait_until};

use crate::{LIMIT, Lab, SILENCE, insert, kind, prepared};

engine_tests! { on_postgres on_mariadb on_mysql:
    a_commit_is_cut_in_each_way,
    a_late_commit_is_applied_later,
    a_delayed_commit_succeeds,
    falls_silent_after_an_answer,
    finds_prepared_commits,
    finds_commits_among_other_statements,
    strikes_the_chosen_commits,
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
