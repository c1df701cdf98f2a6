//! Units of work: committed, rolled back, and their connection always given back.

use std::sync::atomic::{AtomicU32, Ordering};

use resilient_sea_orm::{FaultKind, Outcome, Result, manager::RecoveryStep, prelude::*};
use sea_orm::ConnectionTrait;
use support::{Engine, TestResult, engine_tests};

use super::{manager, recoveries, step};
use crate::{
    bank::{Bank, add, enter},
    rig::{Rig, nothing_leaks},
};

async fn it_commits_on_success_and_rolls_back_on_failure_and_panic(engine: Engine) -> TestResult {
    let bank = Rig::new(2).bank(engine, 2).await;
    let manager = manager(&bank.db);
    let session = manager.session("w").await?;
    let moved = |fails: bool| {
        session.run(move |db| async move {
            add(&db, 1, -1).await?;
            add(&db, 2, 1).await?;
            if fails {
                return Err(Error::custom("the body refuses"));
            }
            Ok(7)
        })
    };
    assert_eq!(moved(false).await?, 7);
    let error = moved(true).await.unwrap_err();
    assert_eq!(error.outcome(), Outcome::RolledBack, "{error}");
    let panicking = session.clone();
    let panics = tokio::spawn(async move {
        let body = |db: ResilientConnection| async move {
            add(&db, 1, -1).await?;
            assert!(db.sessions().is_empty(), "panics in the middle");
            Ok::<_, Error>(())
        };
        panicking.run(body).await
    });
    assert!(panics.await.unwrap_err().is_panic());
    assert_eq!(
        (bank.balance(1).await, bank.balance(2).await),
        (99_999, 100_001)
    );
    let report = session.report();
    assert_eq!(
        (report.committed, report.failed, report.cancelled),
        (1, 1, 1)
    );
    assert_eq!(report.running, 0);
    assert_eq!(
        step(&recoveries(&manager).await, RecoveryStep::Root),
        (1, 1)
    );
    nothing_leaks(&bank, 2).await;
    Ok(())
}

async fn one_inside_another_is_a_savepoint(engine: Engine) -> TestResult {
    let bank = Rig::new(1).bank(engine, 2).await;
    let manager = manager(&bank.db);
    let session = manager.session("w").await?;
    session
        .run(|db| {
            let inner = session.clone();
            async move {
                add(&db, 1, -1).await?;
                let refused: Result<()> = inner
                    .run(|db| async move {
                        add(&db, 2, 100).await?;
                        Err(Error::custom("no"))
                    })
                    .await;
                assert!(refused.is_err());
                add(&db, 2, 1).await
            }
        })
        .await?;
    assert_eq!(
        (bank.balance(1).await, bank.balance(2).await),
        (99_999, 100_001)
    );
    let report = recoveries(&manager).await;
    assert_eq!(step(&report, RecoveryStep::Savepoint), (1, 1));
    assert_eq!(step(&report, RecoveryStep::Root), (0, 0));
    nothing_leaks(&bank, 1).await;
    Ok(())
}

async fn a_pool_of_one_serves_a_hundred_units_of_work_that_end_in_every_way(
    engine: Engine,
) -> TestResult {
    let bank = Rig::new(1).bank(engine, 1).await;
    let session = manager(&bank.db).session("w").await?;
    let lost = AtomicU32::new(0);
    for id in 0..100 {
        let bank = &bank;
        let result = session
            .run_with(TransactOptions::new().retries(0), |db| async move {
                enter(&db, id, &id.to_string()).await?;
                match id % 4 {
                    0 => Ok(()),
                    1 => Err(Error::custom("no")),
                    // A violation, which PostgreSQL aborts the transaction for.
                    2 => enter(&db, id, &id.to_string()).await,
                    _ => {
                        if engine != Engine::Sqlite {
                            bank.test.terminate_sessions().await.expect("killed");
                        }
                        db.execute_unprepared("SELECT nothing").await?;
                        Ok(())
                    }
                }
            })
            .await;
        let kind = result.as_ref().err().map(Error::kind);
        lost.fetch_add(
            u32::from(kind == Some(FaultKind::ConnectionLost)),
            Ordering::SeqCst,
        );
        assert_eq!(result.is_ok(), id % 4 == 0, "{id}: {result:?}");
    }
    let expected = if engine == Engine::Sqlite { 0 } else { 25 };
    assert_eq!(lost.into_inner(), expected);
    assert_eq!(bank.entries().await, 25);
    assert_eq!(session.report().recovered, u64::from(expected));
    nothing_leaks(&bank, 1).await;
    Ok(())
}

async fn options_apply(engine: Engine) -> TestResult {
    let bank = Bank::open(engine, 1).await;
    let session = manager(&bank.db).session("w").await?;
    let tries = AtomicU32::new(0);
    let options = TransactOptions::new()
        .name("manager::options_apply")
        .retries(2)
        .on(resilient_sea_orm::FaultSet::of(&[FaultKind::Unique]));
    session
        .run_with(options, |db| {
            let first = tries.fetch_add(1, Ordering::SeqCst) == 0;
            async move {
                enter(&db, 1, "one").await?;
                let open = db.sessions();
                assert_eq!(open[0].method, Some("manager::options_apply"));
                if first {
                    enter(&db, 1, "one").await?;
                }
                Ok::<_, Error>(())
            }
        })
        .await?;
    assert_eq!(tries.into_inner(), 2);
    assert_eq!(session.report().method, Some("manager::options_apply"));
    assert_eq!(bank.entries().await, 1);
    Ok(())
}

engine_tests! {
    it_commits_on_success_and_rolls_back_on_failure_and_panic,
    one_inside_another_is_a_savepoint,
    a_pool_of_one_serves_a_hundred_units_of_work_that_end_in_every_way,
    options_apply,
}
