//! `commit_status`: what became of a commit is told later, and stays so.

use std::{
    sync::Arc,
    time::{Duration, SystemTime},
};

use resilient_sea_orm::{CommitMode, CommitStatus, CommitToken, prelude::*};
use sea_orm::ConnectOptions;
use support::{
    Ending, Engine, Fault, Plan, Proxy, TestDb, TestResult, engine_tests, unique_name, wait_until,
};

use crate::stand::{LONG, connect, quiet, server, tables, transfer};

/// When a COMMIT that stays unanswered counts as lost.
const SILENCE: Duration = Duration::from_secs(1);

const PATIENCE: Duration = Duration::from_secs(20);

fn hasty() -> TransactOptions {
    TransactOptions::new().deadline(Duration::from_secs(2))
}

/// Asks ten times at once, and twice in a row.
async fn ask(db: &ResilientConnection, token: CommitToken, truth: CommitStatus) -> TestResult {
    let tasks: Vec<_> = (0..10)
        .map(|_| {
            let db = db.clone();
            tokio::spawn(async move { db.commit_status(token).await })
        })
        .collect();
    for task in tasks {
        assert_eq!(task.await??, truth);
    }
    for _ in 0..2 {
        assert_eq!(db.commit_status(token).await?, truth);
    }
    Ok(())
}

async fn later_it_tells_the_truth(engine: Engine) -> TestResult {
    let late = Fault::Late {
        after: Duration::from_secs(8),
        ending: Ending::Silence,
    };
    for (fault, truth) in [
        (Fault::Applied(Ending::Silence), CommitStatus::Committed),
        (
            Fault::NotApplied(Ending::Silence),
            CommitStatus::NotCommitted,
        ),
        (late, CommitStatus::NotCommitted),
    ] {
        let test = TestDb::new(engine).await?;
        tables(&test, 2).await?;
        let proxy = Arc::new(Proxy::before(&test).await?);
        let db = connect(proxy.url(), 4, CommitMode::Verified, SILENCE, LONG).await?;
        db.ensure_marker_table().await?;
        proxy.add(Plan::new(fault));
        let call = db.transact(hasty(), || transfer(&db, 1, 1, 2));
        let down = async {
            let struck = async || {
                let hits = proxy.hits();
                let answered = matches!(fault, Fault::Applied(_));
                Ok(hits.len() == 1 && hits[0].answered == answered)
            };
            wait_until("the fault", PATIENCE, struck).await?;
            proxy.down().await
        };
        let (result, down) = tokio::join!(call, down);
        down?;
        let error = result.expect_err("nobody could tell");
        assert_eq!(error.outcome(), Outcome::Unknown, "{fault:?}: {error}");
        let token = error.commit_token().expect("a token");
        proxy.up().await?;
        ask(&db, token, truth).await?;
        // What is late comes now, and changes nothing.
        proxy.settled().await?;
        ask(&db, token, truth).await?;
        // By anybody, from the token's text.
        let other = connect(test.url(), 1, CommitMode::Verified, SILENCE, LONG).await?;
        assert_eq!(
            other.commit_status(token.to_string().parse()?).await?,
            truth
        );
        other.close().await?;
        db.close().await?;
        Arc::into_inner(proxy).expect("ours alone").finish().await?;
        quiet(&test).await?;
        let rows = usize::from(truth == CommitStatus::Committed);
        assert_eq!(test.rows("ledger").await?, rows, "{fault:?}");
    }
    Ok(())
}

/// The server itself is gone, with or without the commit.
async fn a_killed_server_tells_when_it_is_back(engine: Engine) -> TestResult {
    for (fault, truth) in [
        (Fault::Applied(Ending::Silence), CommitStatus::Committed),
        (
            Fault::NotApplied(Ending::Silence),
            CommitStatus::NotCommitted,
        ),
    ] {
        let server = server(engine)?;
        let test = TestDb::on(&server).await?;
        tables(&test, 2).await?;
        let proxy = Proxy::before(&test).await?;
        let db = connect(proxy.url(), 4, CommitMode::Verified, SILENCE, LONG).await?;
        db.ensure_marker_table().await?;
        proxy.add(Plan::new(fault));
        let call = db.transact(hasty(), || transfer(&db, 1, 1, 2));
        let kill = async {
            let struck = async || {
                let hits = proxy.hits();
                let answered = matches!(fault, Fault::Applied(_));
                Ok(hits.len() == 1 && hits[0].answered == answered)
            };
            wait_until("the fault", PATIENCE, struck).await?;
            server.kill()
        };
        let (result, killed) = tokio::join!(call, kill);
        killed?;
        let error = result.expect_err("nobody could tell");
        assert_eq!(error.outcome(), Outcome::Unknown, "{fault:?}: {error}");
        let token = error.commit_token().expect("a token");
        server.restart()?;
        ask(&db, token, truth).await?;
        let rows = usize::from(truth == CommitStatus::Committed);
        assert_eq!(test.rows("ledger").await?, rows, "{fault:?}");
    }
    Ok(())
}

/// A token that grows too old while the database is away is not answered by the want of its
/// marker, which may have been deleted meanwhile.
async fn a_token_may_grow_too_old_while_it_is_asked_for(engine: Engine) -> TestResult {
    let test = TestDb::new(engine).await?;
    let proxy = Proxy::before(&test).await?;
    let mut options = ConnectOptions::new(proxy.url());
    options.sqlx_logging(false);
    let db = ResilientConnection::builder(options)
        .name(unique_name())
        .marker_retention(Duration::from_mins(1))
        .connect()
        .await?;
    db.ensure_marker_table().await?;
    let made = SystemTime::now() - Duration::from_secs(28);
    let ms = made.duration_since(SystemTime::UNIX_EPOCH)?.as_millis();
    let token: CommitToken = format!("{ms:012x}{:020x}", 1).parse()?;
    proxy.down().await?;
    let asked = tokio::spawn({
        let db = db.clone();
        async move { db.commit_status(token).await }
    });
    tokio::time::sleep(Duration::from_secs(3)).await;
    proxy.up().await?;
    let error = asked.await?.expect_err("nobody can tell");
    assert_eq!(error.outcome(), Outcome::Unknown, "{error}");
    assert!(error.to_string().contains("retention"), "{error}");
    Ok(())
}

/// A fence for it would stay for ever, as markers are tidied by when they were made.
async fn a_token_of_the_future_leaves_nothing_behind(engine: Engine) -> TestResult {
    let test = TestDb::new(engine).await?;
    let db = connect(test.url(), 1, CommitMode::Verified, SILENCE, LONG).await?;
    db.ensure_marker_table().await?;
    let ahead = |minutes: u64| -> TestResult<CommitToken> {
        let made = SystemTime::now() + Duration::from_mins(minutes);
        let ms = made.duration_since(SystemTime::UNIX_EPOCH)?.as_millis();
        Ok(format!("{ms:012x}{:020x}", 1).parse()?)
    };
    let refused = db.commit_status(ahead(6)?).await;
    let error = refused.expect_err("no clock is as wrong");
    assert_eq!(error.outcome(), Outcome::Unknown, "{error}");
    assert!(error.to_string().contains("made in the future"), "{error}");
    assert_eq!(test.rows("resilient_commits").await?, 0);
    // One of a machine whose clock is a little ahead is asked for.
    ask(&db, ahead(4)?, CommitStatus::NotCommitted).await?;
    assert_eq!(test.rows("resilient_commits").await?, 1);
    Ok(())
}

engine_tests! { a_token_of_the_future_leaves_nothing_behind }
engine_tests! { on_postgres on_mariadb:
    a_token_may_grow_too_old_while_it_is_asked_for,
    later_it_tells_the_truth,
    a_killed_server_tells_when_it_is_back,
}
