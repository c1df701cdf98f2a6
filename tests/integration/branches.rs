//! Promise 7: branches of one transaction do not mix, and what would wait for itself says so.

use std::{
    future::pending,
    sync::Mutex,
    sync::atomic::{AtomicU32, Ordering},
};

use futures_util::StreamExt;
use resilient_sea_orm::{Propagation, ResilientConnection, ResilientStream, prelude::*};
use sea_orm::{ActiveValue::Set, Statement, StreamTrait};
use support::{Engine, TestResult, engine_tests};
use tokio::sync::Notify;

use crate::bank::{Bank, enter, without_hanging};

const ONCE: TransactOptions = TransactOptions::new().retries(0);

async fn note(db: &ResilientConnection, id: i64) -> Result<()> {
    enter(db, id, &format!("note {id}")).await
}

/// Lets every branch of a `join!` run as far as it can.
async fn let_others_run() {
    for _ in 0..20 {
        tokio::task::yield_now().await;
    }
}

async fn a_siblings_or_parents_statement_never_lands_in_anothers_savepoint(
    engine: Engine,
) -> TestResult {
    let bank = Bank::open(engine, 0).await;
    let db = &bank.db;
    let inside = Notify::new();
    let asked = AtomicU32::new(0);
    let order = Mutex::new(Vec::new());
    let done = |what| order.lock().expect("lock").push(what);
    let (inside, asked) = (&inside, &asked);
    db.transact(ONCE, || async {
        let failing = db.transact(ONCE, || async {
            note(db, 1).await?;
            inside.notify_waiters();
            // Now both others want the connection.
            while asked.load(Ordering::SeqCst) < 2 {
                tokio::task::yield_now().await;
            }
            let_others_run().await;
            note(db, 2).await?;
            done("failing");
            Err::<(), _>(Error::custom("on purpose"))
        });
        let sibling = async {
            inside.notified().await;
            asked.fetch_add(1, Ordering::SeqCst);
            db.transact(ONCE, || note(db, 3)).await?;
            done("sibling");
            Ok::<_, Error>(())
        };
        let parent = async {
            inside.notified().await;
            asked.fetch_add(1, Ordering::SeqCst);
            note(db, 4).await?;
            done("parent");
            Ok::<_, Error>(())
        };
        // `notified` is registered when first polled, so the waiting ones come first.
        let (sibling, parent, failing) = tokio::join!(sibling, parent, failing);
        assert!(failing.is_err());
        sibling.and(parent)
    })
    .await?;
    assert_eq!(order.lock().expect("lock").first(), Some(&"failing"));
    assert_eq!(bank.entries().await, 2, "3 and 4 stay, 1 and 2 are gone");
    assert_eq!(bank.metrics().savepoints_rolled_back, 1);
    Ok(())
}

async fn a_nested_call_that_is_dropped_leaves_nothing_in_its_parent(engine: Engine) -> TestResult {
    let bank = Bank::open(engine, 0).await;
    let db = &bank.db;
    db.transact(ONCE, || async {
        // The parent of the dropped call is itself a savepoint, and sends nothing more.
        db.transact(ONCE, || async {
            note(db, 1).await?;
            let written = Notify::new();
            let dropped = db.transact(ONCE, || async {
                note(db, 2).await?;
                written.notify_one();
                pending::<Result<()>>().await
            });
            tokio::select! {
                _ = dropped => unreachable!("it waits for ever"),
                () = written.notified() => Ok::<_, Error>(()),
            }
        })
        .await
    })
    .await?;
    assert_eq!(bank.entries().await, 1);
    Ok(())
}

fn select(bank: &Bank, sql: &str) -> Statement {
    Statement::from_string(bank.db.get_database_backend(), sql)
}

/// Three hundred rows, more than a driver reads ahead.
const MANY: &str = "WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 300) \
                    SELECT i FROM n";

async fn a_statement_beside_an_open_stream_is_an_error_and_the_scope_goes_on(
    engine: Engine,
) -> TestResult {
    let bank = Bank::open(engine, 0).await;
    let db = &bank.db;
    db.transact(ONCE, || async {
        note(db, 1).await?;
        for rows in [1, 300] {
            let mut stream = db.stream_raw(select(&bank, MANY)).await?;
            for _ in 0..rows {
                assert!(stream.next().await.expect("a row").is_ok());
            }
            let refused = note(db, 2).await.unwrap_err();
            assert!(refused.to_string().contains("stream"), "{refused}");
            let nested = db.transact(ONCE, || note(db, 2)).await.unwrap_err();
            assert!(nested.to_string().contains("stream"), "{nested}");
            // Dropped midway, or before it has said that it has ended.
            drop(stream);
        }
        note(db, 3).await?;
        let stream = db.stream_raw(select(&bank, MANY)).await?;
        assert_eq!(stream.collect::<Vec<_>>().await.len(), 300);
        db.transact(ONCE, || note(db, 4)).await
    })
    .await?;
    assert_eq!(bank.entries().await, 3);
    let m = bank.metrics();
    assert_eq!((m.begun, m.committed, m.discarded), (1, 1, 0));
    Ok(())
}

async fn a_stream_that_leaves_its_method_is_an_error_and_costs_no_connection(
    engine: Engine,
) -> TestResult {
    let bank = Bank::with_pool(engine, 0, 1).await;
    let db = &bank.db;
    let result = db.transact(ONCE, || async {
        note(db, 1).await?;
        let mut stream: ResilientStream<'_> = db.stream_raw(select(&bank, MANY)).await?;
        stream.next().await.expect("a row")?;
        Ok::<_, Error>(stream)
    });
    let error = without_hanging(result).await.map(drop).unwrap_err();
    assert!(error.to_string().contains("stream"), "{error}");
    assert_eq!(error.outcome(), Outcome::RolledBack);

    // Held by somebody else while the method fails.
    let kept = Mutex::new(None);
    let result = db.transact(ONCE, || async {
        note(db, 1).await?;
        let mut stream = db.stream_raw(select(&bank, MANY)).await?;
        stream.next().await.expect("a row")?;
        *kept.lock().expect("lock") = Some(stream);
        Err::<(), _>(Error::custom("on purpose"))
    });
    assert!(without_hanging(result).await.is_err());
    drop(kept);
    assert_eq!(
        bank.entries().await,
        0,
        "the only connection of the pool is free"
    );
    Ok(())
}

async fn a_spawned_task_is_outside_of_the_transaction(engine: Engine) -> TestResult {
    let bank = Bank::open(engine, 0).await;
    let db = bank.db.clone();
    let mandatory = ONCE.propagation(Propagation::Mandatory);
    let outer = db.transact(ONCE, || async {
        note(&db, 1).await?;
        let other = db.clone();
        let (seen, refused) = tokio::spawn(async move {
            let sql = "SELECT CAST(COUNT(*) AS CHAR) AS n FROM entry";
            let seen = crate::bank::number(&other, sql).await;
            (seen, other.transact(mandatory, || note(&other, 2)).await)
        })
        .await
        .expect("the task");
        assert_eq!(seen, 0, "it does not see what is not committed");
        let refused = refused.unwrap_err().to_string();
        assert!(refused.contains("same task"), "{refused}");
        if engine != Engine::Sqlite {
            let other = db.clone();
            let spawned = tokio::spawn(async move { note(&other, 3).await });
            spawned.await.expect("the task")?;
        }
        Err::<(), _>(Error::custom("on purpose"))
    });
    assert!(outer.await.is_err());
    let stays = i64::from(engine != Engine::Sqlite);
    assert_eq!(bank.entries().await, stays, "only what ran outside");
    Ok(())
}

mod account {
    use sea_orm::entity::prelude::*;

    #[sea_orm::model]
    #[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
    #[sea_orm(table_name = "account")]
    pub struct Model {
        #[sea_orm(primary_key, auto_increment = false)]
        pub id: i32,
        pub balance: i64,
    }

    impl ActiveModelBehavior for ActiveModel {}
}

async fn save_in_two_branches_takes_turns(engine: Engine) -> TestResult {
    let bank = Bank::open(engine, 2).await;
    let db = &bank.db;
    // `ActiveModelEx` begins a transaction of its own for each.
    let save = |id, balance| {
        let model = account::ActiveModelEx {
            id: sea_orm::ActiveValue::Unchanged(id),
            balance: Set(balance),
        };
        async move { model.save(db).await }
    };
    db.transact(ONCE, || async {
        let (a, b, c) = tokio::join!(save(1, 7), save(2, 8), save(1, -1));
        a?;
        b?;
        // A violation in one of them leaves the others alone.
        assert_eq!(Error::from(c.unwrap_err()).kind(), FaultKind::Check);
        Ok::<_, Error>(())
    })
    .await?;
    assert_eq!((bank.balance(1).await, bank.balance(2).await), (7, 8));
    assert_eq!(bank.metrics().begun, 1);
    assert_eq!(bank.metrics().savepoints, 3);
    Ok(())
}

engine_tests! {
    a_siblings_or_parents_statement_never_lands_in_anothers_savepoint,
    a_nested_call_that_is_dropped_leaves_nothing_in_its_parent,
    a_statement_beside_an_open_stream_is_an_error_and_the_scope_goes_on,
    a_stream_that_leaves_its_method_is_an_error_and_costs_no_connection,
    a_spawned_task_is_outside_of_the_transaction,
    save_in_two_branches_takes_turns,
}
