//! Connections that were lost while nobody looked, and were not asked: BEGIN finds them out.

use std::time::Duration;

use resilient_sea_orm::{Result, prelude::*};
use sea_orm::TransactionTrait;
use support::{Engine, TestResult, engine_tests};

use super::{Wire, pings::asks_after, read, write};

async fn a_transaction_begins_on_another_connection(engine: Engine) -> TestResult {
    let wire = Wire::built(engine, asks_after(Duration::from_mins(1))).await?;
    let once = TransactOptions::new().retries(0);
    for _ in 0..3 {
        read(&wire.db).await?;
        wire.quiet().await?;
        wire.test.terminate_sessions().await?;
        let result: Result<()> = wire
            .db
            .transact(once, || async { Ok(write(&wire.db).await?) })
            .await;
        result?;
        wire.quiet().await?;
        wire.test.terminate_sessions().await?;
        let handle = wire.db.begin().await?;
        write(&handle).await?;
        handle.commit().await?;
        wire.quiet().await?;
    }
    Ok(())
}

/// A server that is gone is gone, after one more try.
async fn a_server_that_is_gone_is_said_to_be(engine: Engine) -> TestResult {
    let wire = Wire::built(engine, asks_after(Duration::from_mins(1))).await?;
    read(&wire.db).await?;
    wire.quiet().await?;
    wire.proxy.down().await?;
    let once = TransactOptions::new()
        .retries(0)
        .deadline(Duration::from_secs(2));
    let result: Result<()> = wire
        .db
        .transact(once, || async { Ok(write(&wire.db).await?) })
        .await;
    let error = result.unwrap_err();
    assert_eq!(error.outcome(), Outcome::NotSent, "{error}");
    wire.proxy.up().await?;
    let once = TransactOptions::new().retries(0);
    let result: Result<()> = wire
        .db
        .transact(once, || async { Ok(write(&wire.db).await?) })
        .await;
    result?;
    Ok(())
}

engine_tests! { on_postgres on_mariadb:
    a_transaction_begins_on_another_connection,
    a_server_that_is_gone_is_said_to_be,
}
