//! A server that is frozen: connections stay open and nothing answers. Without limits on the
//! client's side each of these tests would hang.

use std::{sync::Arc, time::Duration};

use futures_util::StreamExt;
use resilient_sea_orm::{Result, prelude::*};
use sea_orm::{ConnectionTrait, Statement, StreamTrait};
use support::{Ending, Engine, Fault, Plan, Proxy, Server, TestDb, TestResult, engine_tests};

use crate::{
    bank::{Bank, add},
    rig::{Rig, nothing_leaks},
};

const LIMIT: Duration = Duration::from_secs(1);

struct Frozen {
    /// Before its server, which it needs to clean up.
    bank: Bank,
    server: Server,
}

impl Frozen {
    async fn new(engine: Engine) -> Result<Self, support::Error> {
        let server = Server::start_private(engine, &[])?;
        let mut rig = Rig::new(2);
        rig.limit = LIMIT;
        rig.acquire = Duration::from_secs(5);
        let bank = rig.private(&server, 2).await;
        Ok(Self { bank, server })
    }

    /// Goes on, and proves that nothing is left of the silence.
    async fn thaw(&self, balance: i64) -> TestResult {
        self.server.sigcont();
        // What the server still had in its hands it does now; then nothing may be left.
        nothing_leaks(&self.bank, 2).await;
        assert_eq!(self.bank.balance(1).await, balance);
        let db = &self.bank.db;
        let result: Result<()> = db
            .transact(TransactOptions::new(), || async {
                add(db, 1, -1).await?;
                add(db, 1, 1).await
            })
            .await;
        Ok(result?)
    }
}

async fn once<F: Future<Output = Result<()>>>(bank: &Bank, body: impl Fn() -> F) -> Error {
    let options = TransactOptions::new().retries(0);
    bank.db.transact(options, body).await.unwrap_err()
}

async fn a_statement_without_an_answer_ends_as_a_lost_connection(engine: Engine) -> TestResult {
    let frozen = Frozen::new(engine).await?;
    let bank = &frozen.bank;
    let error = once(bank, || async {
        add(&bank.db, 1, -1).await?;
        frozen.server.sigstop();
        add(&bank.db, 2, 1).await
    })
    .await;
    assert_eq!(error.kind(), FaultKind::ConnectionLost, "{error}");
    assert_eq!(error.outcome(), Outcome::RolledBack, "{error}");
    frozen.thaw(100_000).await
}

async fn a_commit_without_an_answer_is_an_unknown_outcome(engine: Engine) -> TestResult {
    let frozen = Frozen::new(engine).await?;
    let bank = &frozen.bank;
    let error = once(bank, || async {
        add(&bank.db, 1, -1).await?;
        frozen.server.sigstop();
        Ok(())
    })
    .await;
    assert_eq!(error.kind(), FaultKind::CommitUnknown, "{error}");
    assert_eq!(error.outcome(), Outcome::Unknown, "{error}");
    // The server reads the COMMIT when it wakes up, after its client has gone.
    frozen.thaw(99_999).await
}

async fn a_rollback_without_an_answer_does_not_hide_why_it_was_needed(
    engine: Engine,
) -> TestResult {
    let frozen = Frozen::new(engine).await?;
    let bank = &frozen.bank;
    let error = once(bank, || async {
        add(&bank.db, 1, -1).await?;
        let cause = add(&bank.db, 2, -1_000_000).await;
        frozen.server.sigstop();
        cause
    })
    .await;
    assert_eq!(error.kind(), FaultKind::Check, "{error}");
    assert_eq!(error.outcome(), Outcome::RolledBack, "{error}");
    let rollback = error.rollback_error().expect("the rollback's own error");
    assert_eq!(rollback.fault.kind(), FaultKind::ConnectionLost);
    assert!(error.to_string().contains("rollback failed"), "{error}");
    frozen.thaw(100_000).await
}

async fn a_savepoint_without_an_answer_costs_the_transaction(engine: Engine) -> TestResult {
    let frozen = Frozen::new(engine).await?;
    let bank = &frozen.bank;
    let error = once(bank, || async {
        add(&bank.db, 1, -1).await?;
        frozen.server.sigstop();
        let nested: Result<()> = bank
            .db
            .transact(TransactOptions::new(), || add(&bank.db, 2, 1))
            .await;
        assert_eq!(nested.unwrap_err().kind(), FaultKind::ConnectionLost);
        Ok(())
    })
    .await;
    assert_eq!(error.kind(), FaultKind::ConnectionLost, "{error}");
    assert_eq!(error.outcome(), Outcome::RolledBack, "{error}");
    frozen.thaw(100_000).await
}

async fn a_stream_without_further_rows_ends_as_a_lost_connection(engine: Engine) -> TestResult {
    let frozen = Frozen::new(engine).await?;
    let bank = &frozen.bank;
    let error = once(bank, || async {
        add(&bank.db, 1, -1).await?;
        frozen.server.sigstop();
        let all = Statement::from_string(bank.db.get_database_backend(), "SELECT id FROM account");
        let mut rows = bank.db.stream_raw(all).await?;
        while let Some(row) = rows.next().await {
            row?;
        }
        Ok(())
    })
    .await;
    assert_eq!(error.kind(), FaultKind::ConnectionLost, "{error}");
    assert_eq!(error.outcome(), Outcome::RolledBack, "{error}");
    frozen.thaw(100_000).await
}

async fn a_connection_that_cannot_be_tested_is_not_waited_for(engine: Engine) -> TestResult {
    let frozen = Frozen::new(engine).await?;
    let bank = &frozen.bank;
    frozen.server.sigstop();
    let error = once(bank, || add(&bank.db, 1, -1)).await;
    assert_eq!(error.outcome(), Outcome::NotSent, "{error}");
    assert!(error.is_transient(), "{error}");
    // Outside of a transaction too.
    let outside = add(&bank.db, 1, -1).await.unwrap_err();
    assert!(outside.is_transient(), "{outside}");
    frozen.thaw(100_000).await
}

async fn the_deadline_ends_a_call_that_waits_for_silence(engine: Engine) -> TestResult {
    let server = Arc::new(Server::start_private(engine, &[])?);
    // The limits are far away; only the deadline can end the call.
    let bank = Rig::new(2).private(&server, 2).await;
    let options = TransactOptions::new().deadline(LIMIT);
    let result: Result<()> = bank
        .db
        .transact(options, || async {
            add(&bank.db, 1, -1).await?;
            server.sigstop();
            add(&bank.db, 2, 1).await
        })
        .await;
    let error = result.unwrap_err();
    assert_eq!(error.outcome(), Outcome::RolledBack, "{error}");
    server.sigcont();
    nothing_leaks(&bank, 2).await;
    assert_eq!(bank.total().await, 200_000);
    Ok(())
}

/// The pool would ask the connection whether it answers, and wait for that.
async fn a_statement_outside_that_is_dropped_in_silence_costs_no_slot(
    engine: Engine,
) -> TestResult {
    for streams in [false, true] {
        let test = TestDb::new(engine).await?;
        let proxy = Proxy::before(&test).await?;
        let mut rig = Rig::new(1);
        rig.acquire = Duration::from_secs(4);
        rig.url = Some(proxy.url().to_owned());
        let bank = rig.on(test, 1).await;
        let db = &bank.db;
        let sql = "SELECT 77";
        let silent = Plan::new(Fault::NotApplied(Ending::Silence));
        proxy.add(silent.matching(move |text| text == sql));
        let statement = Statement::from_string(db.get_database_backend(), sql);
        let dropped = async {
            if streams {
                db.stream_raw(statement).await?.next().await;
            } else {
                db.query_all_raw(statement).await?;
            }
            Ok::<_, sea_orm::DbErr>(())
        };
        let limit = tokio::time::timeout(LIMIT, dropped).await;
        assert!(limit.is_err(), "silent");
        db.execute_unprepared("SELECT 1").await?;
        db.clone().close().await?;
        proxy.finish().await?;
    }
    Ok(())
}

engine_tests! { on_postgres on_mariadb:
    a_statement_outside_that_is_dropped_in_silence_costs_no_slot,
    a_statement_without_an_answer_ends_as_a_lost_connection,
    a_commit_without_an_answer_is_an_unknown_outcome,
    a_rollback_without_an_answer_does_not_hide_why_it_was_needed,
    a_savepoint_without_an_answer_costs_the_transaction,
    a_stream_without_further_rows_ends_as_a_lost_connection,
    a_connection_that_cannot_be_tested_is_not_waited_for,
    the_deadline_ends_a_call_that_waits_for_silence,
}
