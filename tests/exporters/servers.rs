//! What only servers do.

use std::sync::{
    Arc,
    atomic::{AtomicU32, Ordering},
};
use std::time::Duration;

use resilient_sea_orm::{ResilientConnection, metrics, prelude::*};
use sea_orm::{ConnectOptions, ConnectionTrait};
use support::{Engine, TestDb, TestResult, engine_tests, unique_name, wait_until};
use tokio::sync::Barrier;

use crate::parser::parse;

engine_tests! { on_postgres on_mariadb: deadlocks_are_in_the_text }

async fn deadlocks_are_in_the_text(engine: Engine) -> TestResult {
    let (test, name) = (TestDb::new(engine).await?, unique_name());
    let mut options = ConnectOptions::new(test.url());
    options.max_connections(4).sqlx_logging(false);
    let db = ResilientConnection::builder(options).name(&name);
    let db = db.connect().await?;
    db.execute_unprepared("CREATE TABLE account (id INT PRIMARY KEY, cents INT NOT NULL)")
        .await?;
    db.execute_unprepared("INSERT INTO account VALUES (1, 0), (2, 0)")
        .await?;

    let method: &'static str = Box::leak(format!("servers::{engine}").into_boxed_str());
    let options = TransactOptions::new().name(method).retries(3);
    let meet = Arc::new(Barrier::new(2));
    let cross = async |ids: [i32; 2]| {
        let tries = AtomicU32::new(0);
        let body = async || {
            for (at, id) in ids.into_iter().enumerate() {
                // Each has one row before it wants the other's.
                if at == 1 && tries.fetch_add(1, Ordering::SeqCst) == 0 {
                    meet.wait().await;
                }
                let sql = format!("UPDATE account SET cents = cents + 1 WHERE id = {id}");
                db.execute_unprepared(&sql).await?;
            }
            Ok::<_, Error>(())
        };
        db.transact(options, body).await
    };
    let (a, b) = tokio::join!(cross([1, 2]), cross([2, 1]));
    a?;
    b?;

    // Its participants are looked for in the background.
    let seen = async || Ok(metrics::global().snapshot().database(&name).deadlocks > 0);
    wait_until("the deadlock is in the book", Duration::from_secs(20), seen).await?;
    let all = parse(&metrics::global().openmetrics());
    let here = ("database", &*name);
    // They can meet again, and the same two are in the book once.
    let total = "resilient_deadlocks_total";
    assert!(all["resilient_deadlocks"].value(total, &[here]) >= 1.0);
    let deadlock = [here, ("fault", "deadlock")];
    let total = "resilient_transactions_failed_total";
    let failed = all["resilient_transactions_failed"].value(total, &deadlock);
    let by_deadlock = [("method", method), ("fault", "deadlock")];
    let total = "resilient_retries_total";
    let retries = all["resilient_retries"].value(total, &by_deadlock);
    assert!(retries >= 1.0 && failed == retries, "{failed} {retries}");
    let committed = [here, ("result", "committed")];
    let ended = "resilient_transactions_ended_total";
    assert_eq!(
        all["resilient_transactions_ended"].value(ended, &committed),
        2.0
    );
    Ok(())
}
