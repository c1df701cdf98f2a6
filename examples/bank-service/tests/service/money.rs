//! Money in trouble: none is lost, and none moves twice.

use std::{collections::HashMap, sync::Arc, time::Duration};

use reqwest::Client;
use rustix::process::Signal;
use sea_orm::{ConnectionTrait, DbBackend, Statement};
use serde_json::json;
use support::{Engine, TestDb, TestResult, engine_tests};
use tokio::sync::watch;
use uuid::Uuid;

use crate::{
    process::Program,
    rig::{Bank, READ, Reply, VAULT, variables},
};

const CENTS: i64 = 100_000;

async fn a_key_is_applied_once(engine: Engine) -> TestResult {
    let bank = Bank::open(engine).await?;
    let (from, to) = (bank.account(CENTS).await?, bank.account(0).await?);
    let key = Uuid::new_v4();
    let sent = (0..10).map(|_| bank.transfer(key, from, to, 30, ""));
    let replies = futures_util::future::try_join_all(sent).await?;
    let new = replies.iter().filter(|reply| reply.status == 201).count();
    assert_eq!(new, 1, "{replies:?}");
    for reply in &replies {
        assert!(matches!(reply.status, 200 | 201), "{reply:?}");
        assert_eq!(reply.body, replies[0].body);
        assert_eq!(reply.headers["location"], format!("/transfers/{key}"));
    }
    // In capitals and quotes it is the same key.
    let request = bank
        .request(reqwest::Method::POST, "/transfers")
        .header("Idempotency-Key", format!("\"{key:X}\""))
        .json(&json!({ "from": from, "to": to, "cents": 30 }));
    assert_eq!(Reply::of(request).await?.status, 200);
    for (a, b, cents) in [
        (from, to, 31),
        (to, from, 30),
        (from, VAULT, 30),
        (VAULT, to, 30),
    ] {
        let reused = bank.transfer(key, a, b, cents, "").await?;
        assert_eq!(
            (reused.status, reused.problem()),
            (422, "idempotency_key_reused")
        );
    }
    assert_eq!(bank.cents(from).await?, CENTS - 30);
    assert_eq!(bank.cents(to).await?, 30);
    bank.close().await
}

/// Two transfers of different accounts with one key do not see each other's locks.
async fn one_key_for_two_transfers_moves_one(engine: Engine) -> TestResult {
    let bank = Bank::open(engine).await?;
    let mut accounts = Vec::new();
    for _ in 0..4 {
        accounts.push(bank.account(CENTS).await?);
    }
    for _ in 0..10 {
        let key = Uuid::new_v4();
        let (one, other) = tokio::join!(
            bank.transfer(key, accounts[0], accounts[1], 1, ""),
            bank.transfer(key, accounts[2], accounts[3], 1, ""),
        );
        let mut replies = [one?, other?];
        replies.sort_by_key(|reply| reply.status);
        assert_eq!(replies[0].status, 201, "{replies:?}");
        let refused = &replies[1];
        assert_eq!(refused.problem(), "idempotency_key_reused", "{refused:?}");
    }
    bank.close().await
}

/// What a client was told in the end about each of its transfers.
async fn client(
    bank: Arc<Bank>,
    accounts: Vec<i64>,
    seed: u64,
) -> TestResult<Vec<(i64, i64, i64)>> {
    let mut random = fastrand::Rng::with_seed(seed);
    let mut moved = Vec::new();
    for number in 0..25 {
        let from = random.usize(..accounts.len());
        let to = (from + random.usize(1..accounts.len())) % accounts.len();
        let (from, to, cents) = (accounts[from], accounts[to], random.i64(1..500));
        let (key, query) = (
            Uuid::new_v4(),
            if number % 3 == 0 {
                "?order=unsorted"
            } else {
                ""
            },
        );
        let told = 'told: {
            for _ in 0..200 {
                let reply = bank.transfer(key, from, to, cents, query).await?;
                if reply.status < 500 {
                    break 'told reply;
                }
                assert_eq!(reply.status, 503, "{reply:?}");
                assert!(matches!(reply.problem(), "try_again" | "outcome_unknown"));
                tokio::time::sleep(Duration::from_millis(20)).await;
            }
            panic!("nobody can tell what became of {key}");
        };
        match told.status {
            200 | 201 => moved.push((from, to, cents)),
            _ => assert_eq!(told.problem(), "insufficient_funds", "{told:?}"),
        }
    }
    Ok(moved)
}

/// What the bank refuses is no fault of the database: each refusal ran once.
async fn refusals_are_not_retried(engine: Engine) -> TestResult {
    let test = TestDb::new(engine).await?;
    // A process of its own, so that nobody else's calls are counted.
    let mut program = Program::start(&variables(test.url()))?;
    let (client, url) = (Client::new(), program.url.clone());
    let body = json!({ "handle": "ada", "email": "ada@example.com", "age": 30 });
    let users = format!("{url}/users");
    let new = Reply::of(client.post(&users).json(&body)).await?;
    let account = &new.body["account"]["id"];
    for n in 1..=3 {
        let order = json!({ "from": account, "to": VAULT, "cents": n });
        let request = client.post(format!("{url}/transfers")).json(&order);
        let key = Uuid::new_v4().to_string();
        let refused = Reply::of(request.header("Idempotency-Key", key)).await?;
        assert_eq!(refused.problem(), "insufficient_funds");
        assert_eq!(
            Reply::of(client.post(&users).json(&body)).await?.status,
            409
        );
    }
    let metrics = client.get(format!("{url}/ops/admin/database/metrics"));
    let methods = Reply::of(metrics.bearer_auth(READ)).await?.body["methods"].clone();
    for (method, calls) in [("Transfers::transfer", 3), ("Users::sign_up", 4)] {
        let of = &methods[method];
        assert_eq!(
            (&of["calls"], &of["attempts"]),
            (&json!(calls), &json!(calls)),
            "{of}"
        );
    }
    program.send(Signal::TERM)?;
    assert_eq!(program.ended().await?.code(), Some(0));
    Ok(())
}

/// Ends the service's sessions, as many as there are now. New ones come meanwhile.
async fn kill(test: &TestDb) -> TestResult<usize> {
    let admin = test.admin();
    let (backend, sql) = match test.engine() {
        Engine::Postgres => (
            DbBackend::Postgres,
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity \
             WHERE datname = current_database() AND pid <> pg_backend_pid()",
        ),
        _ => (
            DbBackend::MySql,
            "SELECT CONCAT('KILL ', id) AS sql_text FROM information_schema.processlist \
             WHERE db = DATABASE() AND id <> CONNECTION_ID()",
        ),
    };
    let rows = admin
        .query_all_raw(Statement::from_string(backend, sql))
        .await?;
    if backend == DbBackend::MySql {
        for row in &rows {
            let sql: String = row.try_get("", "sql_text")?;
            // It may be gone already.
            let _gone = admin.execute_unprepared(&sql).await;
        }
    }
    Ok(rows.len())
}

async fn nothing_is_lost_while_sessions_are_killed(engine: Engine) -> TestResult {
    let bank = Arc::new(Bank::open(engine).await?);
    let mut accounts = Vec::new();
    for _ in 0..4 {
        accounts.push(bank.account(CENTS).await?);
    }
    let clients: Vec<_> = (0..8)
        .map(|seed| tokio::spawn(client(Arc::clone(&bank), accounts.clone(), seed)))
        .collect();
    let over = watch::Sender::new(false);
    let killer = {
        let (bank, mut over) = (Arc::clone(&bank), over.subscribe());
        tokio::spawn(async move {
            let mut killed = 0;
            loop {
                if engine == Engine::Sqlite {
                    // It has no sessions that could be ended.
                    break;
                }
                killed += kill(&bank.test).await?;
                tokio::select! {
                    _ = over.wait_for(|over| *over) => break,
                    () = tokio::time::sleep(Duration::from_millis(150)) => {}
                }
            }
            TestResult::Ok(killed)
        })
    };
    let mut should: HashMap<i64, i64> = accounts.iter().map(|id| (*id, CENTS)).collect();
    let mut moved = accounts.len();
    for client in clients {
        for (from, to, cents) in client.await?? {
            moved += 1;
            *should.get_mut(&from).expect("one of ours") -= cents;
            *should.get_mut(&to).expect("one of ours") += cents;
        }
    }
    over.send_replace(true);
    let ended = killer.await??;
    assert!(ended > 0 || engine == Engine::Sqlite);
    for (account, cents) in should {
        assert_eq!(bank.cents(account).await?, cents, "account {account}");
    }
    assert_eq!(bank.test.rows("bank_transfer").await?, moved);
    Arc::into_inner(bank).expect("nobody else").close().await
}

engine_tests! {
    a_key_is_applied_once, one_key_for_two_transfers_moves_one,
    nothing_is_lost_while_sessions_are_killed, refusals_are_not_retried
}
