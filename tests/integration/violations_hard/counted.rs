//! Every violation is counted, once, as what it was.

use futures_util::TryStreamExt;
use resilient_sea_orm::{Error, FaultKind, FaultSet, Propagation, Result, TransactOptions};
use sea_orm::{ConnectionTrait, StreamTrait, TransactionTrait};
use support::{Engine, TestResult, engine_tests};

use super::lab::Lab;

async fn lab(engine: Engine) -> Lab {
    Lab::new(
        engine,
        &[
            "CREATE TABLE t (id INTEGER PRIMARY KEY, a INTEGER)",
            "CREATE UNIQUE INDEX uq ON t (a)",
            "INSERT INTO t VALUES (1, 1)",
        ],
    )
    .await
}

const BAD: &str = "INSERT INTO t VALUES (2, 1)";

fn only_uq(lab: &Lab, times: u64) {
    let [counted] = &lab.counted()[..] else {
        panic!("{:?}", lab.counted());
    };
    assert_eq!(counted.table.as_deref(), Some("t"));
    assert_eq!(counted.constraint.as_deref(), Some("uq"));
    assert_eq!(counted.columns, ["a"]);
    assert_eq!(counted.count, times);
}

async fn each_statement_counts_once_however_it_was_sent(engine: Engine) -> TestResult {
    let lab = lab(engine).await;
    let bad = || async {
        lab.db.execute_unprepared(BAD).await?;
        Result::<()>::Ok(())
    };
    let plain = TransactOptions::new();
    lab.db.transact(plain, bad).await.unwrap_err();
    only_uq(&lab, 1);
    let nested = || lab.db.transact(plain, bad);
    lab.db.transact(plain, nested).await.unwrap_err();
    only_uq(&lab, 2);
    let again = plain.on(FaultSet::of(&[FaultKind::Unique])).retries(2);
    lab.db.transact(again, bad).await.unwrap_err();
    only_uq(&lab, 5);
    lab.db
        .transact(plain.propagation(Propagation::Supports), bad)
        .await
        .unwrap_err();
    only_uq(&lab, 6);
    let caught = || async {
        let nested = lab.db.transact(plain, bad).await;
        let error = nested.unwrap_err();
        // Looking at it does not count it.
        assert!(error.violation().is_some() && error.clone().violation().is_some());
        let db_err = sea_orm::DbErr::from(error);
        assert!(resilient_sea_orm::violation(&db_err).is_some());
        Err::<(), _>(Error::from(db_err))
    };
    lab.db.transact(plain, caught).await.unwrap_err();
    only_uq(&lab, 7);
    let tx = lab.db.begin().await?;
    tx.execute_unprepared(BAD).await.unwrap_err();
    tx.rollback().await?;
    only_uq(&lab, 8);
    lab.db
        .query_all_raw(lab.statement(BAD, vec![]))
        .await
        .unwrap_err();
    only_uq(&lab, 9);
    Ok(())
}

async fn streams_count_too(engine: Engine) -> TestResult {
    let lab = lab(engine).await;
    let returning = format!("{BAD} RETURNING id");
    let streamed = || async {
        let rows = lab.db.stream_raw(lab.statement(&returning, vec![])).await?;
        rows.try_collect::<Vec<_>>().await?;
        Result::<()>::Ok(())
    };
    let error = lab
        .db
        .transact(TransactOptions::new(), streamed)
        .await
        .unwrap_err();
    assert_eq!(
        super::lab::shown(error.violation().expect("a violation")),
        "unique t.uq(a)"
    );
    only_uq(&lab, 1);
    let error = streamed().await.unwrap_err();
    assert_eq!(
        super::lab::shown(error.violation().expect("a violation")),
        "unique t.uq(a)"
    );
    only_uq(&lab, 2);
    Ok(())
}

engine_tests! {
    each_statement_counts_once_however_it_was_sent,
    streams_count_too,
}
