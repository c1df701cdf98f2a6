//! A bank under load, and the books that must be right whatever happens to its servers.

use std::{
    collections::BTreeMap,
    fmt::Write as _,
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    time::Duration,
};

use resilient_sea_orm::{
    CommitMode, Outcome, ResilientConnection, Result, TransactOptions, policy::RetryPolicy,
};
use sea_orm::{ConnectOptions, ConnectionTrait, DatabaseConnection, DbBackend, Statement};
use support::{Server, TestResult, connect, unique_name};
use tokio::task::JoinSet;

/// Accounts, of so much each.
const ACCOUNTS: i64 = 20;
const START: i64 = 100_000;

/// How long each phase of a load lasts, by `RESILIENT_TEST_CLUSTER_SECONDS`; one second if that is
/// not set.
pub fn phase() -> Duration {
    let seconds = std::env::var("RESILIENT_TEST_CLUSTER_SECONDS").ok();
    let seconds = seconds.and_then(|text| text.parse().ok());
    Duration::from_secs(seconds.unwrap_or(1))
}

/// Connects through `url` with verified commits.
pub async fn open(url: &str, pool: u32, policy: RetryPolicy) -> TestResult<ResilientConnection> {
    let mut options = ConnectOptions::new(url);
    options
        .max_connections(pool)
        .acquire_timeout(Duration::from_secs(20))
        .sqlx_logging(false);
    let db = ResilientConnection::builder(options)
        .name(unique_name())
        .commit(CommitMode::Verified)
        .policy(policy)
        .statement_limit(Duration::from_secs(5))
        .control_limit(Duration::from_secs(5))
        .connect()
        .await?;
    Ok(db)
}

/// Makes an empty database of this name.
pub async fn database(server: &Server, name: &str) -> TestResult {
    let maintenance = if server.url("").starts_with("postgres") {
        "postgres"
    } else {
        "mysql"
    };
    let db = connect(&server.url(maintenance), 1).await?;
    db.execute_unprepared(&format!("CREATE DATABASE {name}"))
        .await?;
    Ok(db.close().await?)
}

/// Makes the bank's tables. The ledger takes the same call twice, so that it would show.
pub async fn tables(db: &impl ConnectionTrait) -> TestResult {
    let number = match db.get_database_backend() {
        DbBackend::Postgres => "BIGSERIAL",
        _ => "BIGINT AUTO_INCREMENT",
    };
    db.execute_unprepared("CREATE TABLE account (id BIGINT PRIMARY KEY, balance BIGINT NOT NULL)")
        .await?;
    db.execute_unprepared(&format!(
        "CREATE TABLE ledger (id {number} PRIMARY KEY, call_id BIGINT NOT NULL, \
         payer BIGINT NOT NULL, payee BIGINT NOT NULL, cents BIGINT NOT NULL)"
    ))
    .await?;
    let mut rows = String::new();
    for id in 0..ACCOUNTS {
        let comma = if id == 0 { "" } else { "," };
        write!(rows, "{comma}({id},{START})")?;
    }
    db.execute_unprepared(&format!("INSERT INTO account VALUES {rows}"))
        .await?;
    Ok(())
}

/// What became of the calls, by their numbers.
#[derive(Debug, Default)]
pub struct Tally {
    pub ok: Vec<i64>,
    pub failed: Vec<(i64, Outcome, String)>,
}

/// Customers who move money until they are told to stop.
pub struct Load {
    stop: Arc<AtomicBool>,
    done: Arc<AtomicU64>,
    workers: JoinSet<Tally>,
}

impl Load {
    /// Starts so many customers, who share the connections.
    pub fn start(dbs: &[&ResilientConnection], workers: i64) -> Self {
        let stop = Arc::new(AtomicBool::new(false));
        let done = Arc::new(AtomicU64::new(0));
        let mut set = JoinSet::new();
        for (number, db) in (0..workers).zip(dbs.iter().cycle()) {
            let (db, stop, done) = ((*db).clone(), Arc::clone(&stop), Arc::clone(&done));
            set.spawn(async move {
                let mut tally = Tally::default();
                let mut random = fastrand::Rng::with_seed(u64::try_from(number).unwrap_or(0));
                let mut call = number << 32;
                while !stop.load(Ordering::Relaxed) {
                    call += 1;
                    match transfer(&db, call, &mut random).await {
                        Ok(()) => tally.ok.push(call),
                        Err(error) => {
                            tally
                                .failed
                                .push((call, error.outcome(), error.to_string()));
                        }
                    }
                    done.fetch_add(1, Ordering::Relaxed);
                }
                tally
            });
        }
        Self {
            stop,
            done,
            workers: set,
        }
    }

    /// Works for one phase, and at least until a few more calls have ended.
    pub async fn work(&self) -> TestResult {
        let before = self.done.load(Ordering::Relaxed);
        tokio::time::sleep(phase()).await;
        let more = async || Ok(self.done.load(Ordering::Relaxed) > before + 20);
        support::wait_until("calls that end", crate::PATIENCE, more).await?;
        Ok(())
    }

    /// Sends the customers home.
    pub async fn stop(mut self) -> TestResult<Tally> {
        self.stop.store(true, Ordering::Relaxed);
        let mut all = Tally::default();
        while let Some(tally) = self.workers.join_next().await {
            let tally = tally?;
            all.ok.extend(tally.ok);
            all.failed.extend(tally.failed);
        }
        Ok(all)
    }
}

/// One transfer with one ledger row. The accounts are locked in their order.
async fn transfer(db: &ResilientConnection, call: i64, random: &mut fastrand::Rng) -> Result<()> {
    let from = random.i64(0..ACCOUNTS);
    let to = (from + random.i64(1..ACCOUNTS)) % ACCOUNTS;
    let cents = random.i64(1..100);
    let mut moves = [(from, -cents), (to, cents)];
    moves.sort_unstable();
    db.transact(TransactOptions::new().name("Bank::transfer"), || async {
        for (id, cents) in moves {
            db.execute_raw(statement(
                db,
                "UPDATE account SET balance = balance + $1 WHERE id = $2",
                [cents, id],
            ))
            .await?;
        }
        db.execute_raw(statement(
            db,
            "INSERT INTO ledger (call_id, payer, payee, cents) VALUES ($1, $2, $3, $4)",
            [call, from, to, cents],
        ))
        .await?;
        Ok(())
    })
    .await
}

/// One transfer between two customers.
pub async fn transfer_once(db: &ResilientConnection, call: i64) -> Result<()> {
    transfer(db, call, &mut fastrand::Rng::with_seed(1)).await
}

/// A statement with its numbers.
pub fn statement<const N: usize>(
    db: &impl ConnectionTrait,
    sql: &str,
    numbers: [i64; N],
) -> Statement {
    let backend = db.get_database_backend();
    let mut sql = sql.to_owned();
    if backend != DbBackend::Postgres {
        for number in 1..=N {
            sql = sql.replace(&format!("${number}"), "?");
        }
    }
    Statement::from_sql_and_values(backend, sql, numbers.map(sea_orm::Value::from))
}

/// Holds the books against what the customers were told: the total is what it was, each account
/// is what the ledger says, and each `Ok` has exactly one row and each row its `Ok`.
pub async fn audit(db: &DatabaseConnection, tally: &Tally) -> TestResult {
    // A cluster may take a transaction's locks away exactly at its COMMIT. That its savepoint is gone
    // is then all that the server says: such a call is told so, and nothing of it may be stored.
    let taken = |text: &str| text.contains("the transaction had ended before");
    let failed: Vec<_> = tally.failed.iter().filter(|f| !taken(&f.2)).collect();
    assert!(failed.is_empty(), "{failed:?}");
    assert!(
        tally.failed.len() <= tally.ok.len() / 100,
        "{:?}",
        tally.failed
    );
    let backend = db.get_database_backend();
    let all = |sql: &str| Statement::from_string(backend, sql);
    let mut balances = BTreeMap::new();
    for row in db
        .query_all_raw(all("SELECT id, balance FROM account"))
        .await?
    {
        let (id, balance): (i64, i64) = (row.try_get("", "id")?, row.try_get("", "balance")?);
        balances.insert(id, balance);
    }
    assert_eq!(
        balances.values().sum::<i64>(),
        ACCOUNTS * START,
        "the total"
    );
    let mut told: BTreeMap<i64, i64> = tally.ok.iter().map(|call| (*call, 0)).collect();
    let mut unknown = Vec::new();
    let mut expected: BTreeMap<i64, i64> = (0..ACCOUNTS).map(|id| (id, START)).collect();
    for row in db
        .query_all_raw(all("SELECT call_id, payer, payee, cents FROM ledger"))
        .await?
    {
        let call: i64 = row.try_get("", "call_id")?;
        let cents: i64 = row.try_get("", "cents")?;
        match told.get_mut(&call) {
            Some(rows) => *rows += 1,
            None => unknown.push(call),
        }
        *expected.entry(row.try_get("", "payer")?).or_default() -= cents;
        *expected.entry(row.try_get("", "payee")?).or_default() += cents;
    }
    let lost: Vec<_> = told.iter().filter(|(_, rows)| **rows == 0).collect();
    let doubled: Vec<_> = told.iter().filter(|(_, rows)| **rows > 1).collect();
    assert!(lost.is_empty(), "{} lost: {lost:?}", lost.len());
    assert!(doubled.is_empty(), "{} doubled: {doubled:?}", doubled.len());
    assert!(
        unknown.is_empty(),
        "stored, and nobody was told: {unknown:?}"
    );
    assert_eq!(balances, expected);
    Ok(())
}
