//! How a call relates to its caller's transaction: every mode, three deep.

use std::panic::AssertUnwindSafe;

use futures_util::FutureExt;
use resilient_sea_orm::{Propagation, ResilientConnection, core::Reason, prelude::*};
use sea_orm::ConnectionTrait;
use support::{Engine, TestResult, engine_tests};

use crate::bank::{Bank, enter, number};

const ONCE: TransactOptions = TransactOptions::new().retries(0);
const RETRIED: TransactOptions = TransactOptions::new().retries(3);

async fn note(db: &ResilientConnection, id: i64) -> Result<()> {
    enter(db, id, &format!("note {id}")).await
}

/// Which notes are there, for everybody to see.
async fn notes(bank: &Bank) -> Vec<i64> {
    let mut found = Vec::new();
    for id in 1..=9 {
        let sql = format!("SELECT CAST(COUNT(*) AS CHAR) AS n FROM entry WHERE id = {id}");
        if number(&bank.db, &sql).await == 1 {
            found.push(id);
        }
    }
    found
}

#[derive(Clone, Copy, Debug, PartialEq)]
enum End {
    /// The innermost call fails, and the outermost swallows it.
    Error,
    /// The innermost call panics, and the outermost catches it.
    Panic,
    /// The innermost call fails, and the one around it swallows that.
    Swallowed,
}

/// Three calls, one in the other, the middle one with `mode`. Each leaves a note first; the
/// outermost leaves another after the others, whatever became of them.
async fn three_deep(db: &ResilientConnection, mode: Propagation, end: End) -> Result<()> {
    db.transact(ONCE, || async {
        note(db, 1).await?;
        let middle = db.transact(ONCE.propagation(mode), || async {
            note(db, 2).await?;
            let inner = db.transact(ONCE, || async {
                note(db, 3).await?;
                assert!(end != End::Panic, "on purpose");
                Err::<(), _>(Error::custom("on purpose"))
            });
            match inner.await {
                Err(_) if end == End::Swallowed => Ok(()),
                inner => inner,
            }
        });
        let _ = AssertUnwindSafe(middle).catch_unwind().await;
        let _ = note(db, 4).await;
        Ok(())
    })
    .await
}

async fn every_mode_keeps_what_it_promises_three_deep(engine: Engine) -> TestResult {
    use Propagation as P;
    // SQLite has one write lock, which the outermost call holds.
    let second_writer = engine != Engine::Sqlite;
    let bank = Bank::open(engine, 0).await;
    // Rows that MariaDB has not purged yet are locked by their neighbours.
    let clear = match engine {
        Engine::Sqlite => "DELETE FROM entry",
        _ => "TRUNCATE TABLE entry",
    };
    for mode in [
        P::Nested,
        P::Required,
        P::RequiresNew,
        P::Mandatory,
        P::Supports,
        P::NotSupported,
        P::Never,
    ] {
        for end in [End::Error, End::Panic, End::Swallowed] {
            let expected: Option<&[i64]> = match (mode, end) {
                // The middle call's own note depends on whether it failed itself.
                (P::Nested, End::Swallowed) => Some(&[1, 2, 4]),
                (P::Nested, _) => Some(&[1, 4]),
                // Part of the outermost scope: it cannot fail without it.
                (P::Required | P::Mandatory | P::Supports, End::Swallowed) => Some(&[1, 2, 4]),
                (P::Required | P::Mandatory | P::Supports, _) => None,
                (P::RequiresNew, End::Swallowed) if second_writer => Some(&[1, 2, 4]),
                // Without a transaction what was written stays.
                (P::NotSupported, _) if second_writer => Some(&[1, 2, 4]),
                (P::RequiresNew | P::NotSupported | P::Never, _) => Some(&[1, 4]),
            };
            bank.db.execute_unprepared(clear).await?;
            let result = three_deep(&bank.db, mode, end).await;
            let case = format!("{mode} {end:?}: {result:?}");
            match (result, expected) {
                (Ok(()), Some(expected)) => assert_eq!(notes(&bank).await, expected, "{case}"),
                (Err(error), None) => {
                    assert_eq!(error.reason(), &Reason::JoinedCallFailed, "{case}");
                    assert_eq!(notes(&bank).await, [0; 0], "{case}");
                }
                _ => panic!("{case}, expected {expected:?}"),
            }
        }
    }
    Ok(())
}

async fn a_panic_rolls_back_and_is_passed_on(engine: Engine) -> TestResult {
    let bank = Bank::with_pool(engine, 0, 1).await;
    let db = bank.db.clone();
    let panicked = tokio::spawn(async move {
        db.transact(RETRIED, || async {
            note(&db, 1).await?;
            db.transact(RETRIED, || async {
                note(&db, 2).await?;
                panic!("on purpose");
                #[allow(unreachable_code)]
                Ok::<(), Error>(())
            })
            .await
        })
        .await
    })
    .await
    .unwrap_err();
    let text = panicked.into_panic();
    assert_eq!(text.downcast_ref(), Some(&"on purpose"));
    // On the only connection of the pool.
    assert_eq!(notes(&bank).await, [0; 0]);
    let m = bank.metrics();
    assert_eq!((m.begun, m.rolled_back, m.discarded), (1, 1, 0));
    Ok(())
}

async fn requires_new_has_a_connection_of_its_own_and_survives_the_outer_rollback(
    engine: Engine,
) -> TestResult {
    let bank = Bank::open(engine, 0).await;
    let db = &bank.db;
    let session = match engine {
        Engine::Postgres => "SELECT CAST(pg_backend_pid() AS CHAR(9)) AS n",
        _ => "SELECT CAST(connection_id() AS CHAR) AS n",
    };
    let outer = db
        .transact(RETRIED, || async {
            note(db, 1).await?;
            let own = number(db, session).await;
            let inner = RETRIED.propagation(Propagation::RequiresNew);
            let other = db
                .transact(inner, || async {
                    note(db, 2).await?;
                    Ok::<_, Error>(number(db, session).await)
                })
                .await?;
            assert_ne!(own, other);
            assert_eq!(number(db, session).await, own, "back in the outer one");
            Err::<(), _>(Error::custom("on purpose"))
        })
        .await;
    assert!(outer.is_err());
    assert_eq!(notes(&bank).await, [2]);
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_second_writer_inside_a_writer_is_refused_at_once_on_sqlite() -> TestResult {
    let bank = Bank::open(Engine::Sqlite, 0).await;
    let db = &bank.db;
    for mode in [Propagation::RequiresNew, Propagation::NotSupported] {
        let inner = RETRIED.propagation(mode);
        db.transact(RETRIED, || async {
            db.execute_unprepared("DELETE FROM entry").await?;
            let error = db.transact(inner, || note(db, 2)).await.unwrap_err();
            assert!(error.to_string().contains("only write lock"), "{error}");
            assert_eq!(error.attempts(), 1, "{error}");
            assert_eq!(error.outcome(), Outcome::NotSent, "{error}");
            // What only reads is another matter.
            let seen = db.transact(inner.read_only(), || async {
                Ok::<_, Error>(number(db, "SELECT CAST(COUNT(*) AS CHAR) AS n FROM entry").await)
            });
            assert_eq!(seen.await?, 0);
            note(db, 1).await?;
            Err::<(), _>(Error::custom("on purpose"))
        })
        .await
        .unwrap_err();
    }
    // Nor does a reader keep a writer out.
    db.transact(ONCE.read_only(), || async {
        number(db, "SELECT CAST(COUNT(*) AS CHAR) AS n FROM entry").await;
        let inner = RETRIED.propagation(Propagation::RequiresNew);
        db.transact(inner, || note(db, 3)).await
    })
    .await?;
    assert_eq!(notes(&bank).await, [3]);
    Ok(())
}

async fn requires_new_in_a_full_pool_is_refused_at_once(engine: Engine) -> TestResult {
    let bank = Bank::with_pool(engine, 0, 1).await;
    let db = &bank.db;
    let inner = RETRIED.propagation(Propagation::RequiresNew);
    db.transact(RETRIED, || async {
        note(db, 1).await?;
        let error = db.transact(inner, || note(db, 2)).await.unwrap_err();
        assert!(
            error.to_string().contains("raise max_connections"),
            "{error}"
        );
        assert_eq!((error.attempts(), error.outcome()), (1, Outcome::NotSent));
        Ok::<_, Error>(())
    })
    .await?;
    assert_eq!(notes(&bank).await, [1]);
    Ok(())
}

async fn mandatory_and_never_say_what_is_wrong(engine: Engine) -> TestResult {
    let bank = Bank::open(engine, 0).await;
    let db = &bank.db;
    let mandatory = RETRIED.propagation(Propagation::Mandatory);
    let never = RETRIED.propagation(Propagation::Never);
    let error = db.transact(mandatory, || note(db, 1)).await.unwrap_err();
    assert!(error.to_string().contains("no transaction"), "{error}");
    assert_eq!((error.attempts(), error.outcome()), (1, Outcome::NotSent));
    db.transact(never, || note(db, 2)).await?;
    db.transact(RETRIED, || async {
        let error = db.transact(never, || note(db, 3)).await.unwrap_err();
        assert!(error.to_string().contains("has a transaction"), "{error}");
        db.transact(mandatory, || note(db, 4)).await
    })
    .await?;
    assert_eq!(notes(&bank).await, [2, 4]);
    Ok(())
}

engine_tests! {
    every_mode_keeps_what_it_promises_three_deep,
    a_panic_rolls_back_and_is_passed_on,
    requires_new_in_a_full_pool_is_refused_at_once,
    mandatory_and_never_say_what_is_wrong,
}
engine_tests! { on_postgres on_mariadb:
    requires_new_has_a_connection_of_its_own_and_survives_the_outer_rollback,
}
