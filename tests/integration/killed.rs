//! The server ends sessions, or itself, under running calls.

use std::{
    collections::BTreeSet,
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicI64, AtomicU32, Ordering},
    },
    time::Duration,
};

use resilient_sea_orm::{ResilientConnection, metrics, policy::RetryPolicy, prelude::*};
use sea_orm::{ConnectionTrait, Statement};
use support::{Engine, Server, TestResult, engine_tests, wait_until};

use crate::{
    bank::{Bank, add, enter},
    cancellation::entries,
    rig::{PATIENCE, Rig, nothing_leaks},
};

async fn a_session_killed_between_two_statements_is_replaced_and_the_call_runs_again(
    engine: Engine,
) -> TestResult {
    let bank = Rig::new(6).bank(engine, 2).await;
    // Every pooled connection is stale after the kill, not only the one in use.
    nothing_leaks(&bank, 6).await;
    let tries = AtomicU32::new(0);
    let result: Result<()> = bank
        .db
        .transact(TransactOptions::new().retries(1), || async {
            add(&bank.db, 1, -1).await?;
            if tries.fetch_add(1, Ordering::SeqCst) == 0 {
                bank.test.terminate_sessions().await.expect("killed");
            }
            add(&bank.db, 2, 1).await
        })
        .await;
    result?;
    assert_eq!(tries.into_inner(), 2);
    assert_eq!(
        (bank.balance(1).await, bank.balance(2).await),
        (99_999, 100_001)
    );
    let faults = bank.metrics().faults;
    assert_eq!(
        faults.get(&FaultKind::ConnectionLost),
        Some(&1),
        "{faults:?}"
    );
    nothing_leaks(&bank, 6).await;
    Ok(())
}

async fn a_session_killed_inside_a_savepoint_runs_the_root_again_once(
    engine: Engine,
) -> TestResult {
    let bank = Rig::new(2).bank(engine, 2).await;
    let (outer, inner) = (AtomicU32::new(0), AtomicU32::new(0));
    let result: Result<()> = bank
        .db
        .transact(TransactOptions::new(), || async {
            outer.fetch_add(1, Ordering::SeqCst);
            add(&bank.db, 1, -1).await?;
            bank.db
                .transact(TransactOptions::new(), || async {
                    enter(&bank.db, 1, "once").await?;
                    if inner.fetch_add(1, Ordering::SeqCst) == 0 {
                        bank.test.terminate_sessions().await.expect("killed");
                    }
                    add(&bank.db, 2, 1).await
                })
                .await
        })
        .await;
    result?;
    assert_eq!((outer.into_inner(), inner.into_inner()), (2, 2));
    assert_eq!((bank.total().await, bank.entries().await), (200_000, 1));
    nothing_leaks(&bank, 2).await;
    Ok(())
}

async fn a_session_killed_before_commit_is_an_unknown_outcome_and_not_repeated(
    engine: Engine,
) -> TestResult {
    let bank = Rig::new(2).bank(engine, 2).await;
    let error = bank
        .db
        .transact(TransactOptions::new().retries(5), || async {
            add(&bank.db, 1, -1).await?;
            add(&bank.db, 2, 1).await?;
            bank.test.terminate_sessions().await.expect("killed");
            Ok::<_, Error>(())
        })
        .await
        .unwrap_err();
    assert_eq!(error.kind(), FaultKind::CommitUnknown, "{error}");
    assert_eq!(error.outcome(), Outcome::Unknown, "{error}");
    assert_eq!(error.attempts(), 1, "{error}");
    assert_eq!(bank.balance(1).await, 100_000);
    assert_eq!(bank.metrics().commit_unknown, 1);
    nothing_leaks(&bank, 2).await;
    Ok(())
}

/// What the transfers of many tasks came to.
#[derive(Debug, Default)]
struct Answers {
    ok: BTreeSet<i64>,
    undone: BTreeSet<i64>,
    /// What the callers of these were told.
    errors: BTreeSet<String>,
    unknown: BTreeSet<i64>,
}

impl Answers {
    fn hear(&mut self, id: i64, answer: &Result<()>) {
        if let Err(error) = answer
            && error.outcome() != Outcome::Unknown
        {
            self.errors.insert(error.to_string());
        }
        match answer.as_ref().map_err(Error::outcome) {
            Ok(()) => self.ok.insert(id),
            Err(Outcome::RolledBack | Outcome::NotSent) => self.undone.insert(id),
            Err(Outcome::Unknown) => self.unknown.insert(id),
            Err(other) => panic!("{id}: {other}"),
        };
    }

    async fn agree_with(&self, bank: &Bank) {
        let stored = entries(bank).await;
        let moved = i64::try_from(stored.len()).unwrap();
        assert_eq!(bank.balance(1).await, 100_000 - moved, "no half transfer");
        assert_eq!(bank.balance(2).await, 100_000 + moved, "no half transfer");
        assert!(self.ok.is_subset(&stored), "an Ok is lost");
        assert!(self.undone.is_disjoint(&stored), "an undone one is stored");
        let heard = self.ok.union(&self.unknown).copied().collect();
        assert!(stored.is_subset(&heard), "stored without a word");
    }
}

/// Tasks that transfer until they are told to stop.
struct Storm {
    stop: Arc<AtomicBool>,
    done: Arc<AtomicU32>,
    tasks: Vec<tokio::task::JoinHandle<Answers>>,
}

impl Storm {
    fn start(db: &ResilientConnection, tasks: u32, name: &'static str) -> Self {
        let stop = Arc::new(AtomicBool::new(false));
        let (id, done) = (Arc::new(AtomicI64::new(1)), Arc::new(AtomicU32::new(0)));
        let tasks = (0..tasks).map(|_| {
            let (db, stop) = (db.clone(), Arc::clone(&stop));
            let (id, done) = (Arc::clone(&id), Arc::clone(&done));
            tokio::spawn(async move {
                let mut answers = Answers::default();
                while !stop.load(Ordering::SeqCst) {
                    let id = id.fetch_add(1, Ordering::SeqCst);
                    let options = TransactOptions::new().name(name);
                    let answer = db.transact(options, || transfer(&db, id)).await;
                    answers.hear(id, &answer);
                    done.fetch_add(1, Ordering::SeqCst);
                }
                answers
            })
        });
        let tasks = tasks.collect();
        Self { stop, done, tasks }
    }

    /// Waits until so many more transfers have ended.
    async fn goes_on(&self, more: u32) -> TestResult {
        let goal = self.done.load(Ordering::SeqCst) + more;
        let reached = async || Ok(self.done.load(Ordering::SeqCst) >= goal);
        Ok(wait_until("more transfers", PATIENCE, reached).await?)
    }

    async fn end(self) -> Result<Answers, tokio::task::JoinError> {
        self.stop.store(true, Ordering::SeqCst);
        let mut all = Answers::default();
        for task in self.tasks {
            let answers = task.await?;
            all.ok.extend(answers.ok);
            all.undone.extend(answers.undone);
            all.errors.extend(answers.errors);
            all.unknown.extend(answers.unknown);
        }
        Ok(all)
    }
}

async fn transfer(db: &ResilientConnection, id: i64) -> Result<()> {
    enter(db, id, &id.to_string()).await?;
    add(db, 1, -1).await?;
    add(db, 2, 1).await
}

fn patient() -> Rig {
    let mut rig = Rig::new(8);
    rig.acquire = Duration::from_secs(2);
    rig.policy = RetryPolicy::new()
        .retries(1000)
        .deadline(Duration::from_secs(30));
    rig
}

/// Ends every session, and does not wait for it: new ones come at once.
async fn kill_all(bank: &Bank) {
    let admin = bank.test.admin();
    let (find, kill) = match bank.test.engine() {
        Engine::MariaDb => (
            "SELECT CAST(id AS CHAR) AS id FROM information_schema.processlist \
             WHERE db = database() AND id <> connection_id()",
            "KILL ",
        ),
        _ => (
            "SELECT '(' || pid || ')' AS id FROM pg_stat_activity \
             WHERE datname = current_database() AND pid <> pg_backend_pid()",
            "SELECT pg_terminate_backend",
        ),
    };
    let find = Statement::from_string(admin.get_database_backend(), find);
    for session in admin.query_all_raw(find).await.expect("sessions") {
        let id: String = session.try_get("", "id").expect("id");
        // It may have ended by itself.
        admin.execute_unprepared(&format!("{kill}{id}")).await.ok();
    }
}

async fn sessions_killed_at_random_lose_and_repeat_nothing(engine: Engine) -> TestResult {
    let bank = patient().bank(engine, 2).await;
    let name = ["killed on postgres", "killed on mariadb"][usize::from(engine == Engine::MariaDb)];
    let storm = Storm::start(&bank.db, 8, name);
    for _ in 0..25 {
        storm.goes_on(20).await?;
        kill_all(&bank).await;
    }
    let answers = storm.end().await?;
    assert!(
        answers.undone.is_empty(),
        "a kill reached its caller: {:?}",
        answers.errors
    );
    nothing_leaks(&bank, 8).await;
    answers.agree_with(&bank).await;
    Ok(())
}

async fn a_server_that_is_killed_and_restarted_loses_and_repeats_nothing(
    engine: Engine,
) -> TestResult {
    let server = Arc::new(Server::start_private(engine, &[])?);
    let bank = patient().private(&server, 2).await;
    let name =
        ["restart of postgres", "restart of mariadb"][usize::from(engine == Engine::MariaDb)];
    let storm = Storm::start(&bank.db, 32, name);
    for _ in 0..2 {
        storm.goes_on(100).await?;
        let server = Arc::clone(&server);
        let again = move || server.kill().and_then(|()| server.restart());
        tokio::task::spawn_blocking(again).await??;
    }
    storm.goes_on(100).await?;
    let answers = storm.end().await?;
    assert!(
        answers.undone.is_empty(),
        "the restart reached a caller: {:?}",
        answers.errors
    );
    let outcomes = metrics::global().snapshot().method(name).outcomes;
    let counted = outcomes.get(&Outcome::Unknown).copied().unwrap_or(0);
    assert_eq!(counted, answers.unknown.len() as u64, "{outcomes:?}");
    answers.agree_with(&bank).await;
    nothing_leaks(&bank, 8).await;

    // Once more with nobody calling: what is stale in the pool is no caller's business.
    tokio::task::spawn_blocking({
        let server = Arc::clone(&server);
        move || server.kill().and_then(|()| server.restart())
    })
    .await??;
    for id in -8..0 {
        let once = TransactOptions::new().retries(0);
        let result: Result<()> = bank.db.transact(once, || transfer(&bank.db, id)).await;
        result?;
    }
    nothing_leaks(&bank, 8).await;
    Ok(())
}

engine_tests! { on_postgres on_mariadb:
    a_session_killed_between_two_statements_is_replaced_and_the_call_runs_again,
    a_session_killed_inside_a_savepoint_runs_the_root_again_once,
    a_session_killed_before_commit_is_an_unknown_outcome_and_not_repeated,
    sessions_killed_at_random_lose_and_repeat_nothing,
    a_server_that_is_killed_and_restarted_loses_and_repeats_nothing,
}
