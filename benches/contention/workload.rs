//! What calls do, and to which rows.

use std::time::Duration;

use resilient_sea_orm::{ResilientConnection, Result as Resilient};
use sea_orm::{
    ConnectOptions, ConnectionTrait, Database, DatabaseConnection, DbBackend, IsolationLevel,
    Statement,
};
use support::TestDb;

use super::Result;

/// Rows of the table: so many that they are found through the index, as a small table is read as
/// a whole and then conflicts as a whole under SERIALIZABLE.
const ACCOUNTS: i32 = 10_000;
const CENTS: i64 = 1_000;

/// Connections of the pool, one for each task.
const POOL: u32 = 16;

/// How calls arrive.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Arrival {
    /// So many tasks, each with its next call at once.
    Closed(usize),
    /// So many calls a second, whatever becomes of the earlier ones; each has 3 retries.
    Open(f64),
}

/// One way of being in each other's way.
#[derive(Debug)]
pub(crate) struct Workload {
    pub(crate) name: &'static str,
    /// Accounts that transfers choose from.
    pub(crate) hot: i32,
    pub(crate) isolation: IsolationLevel,
    /// Whether the smaller account is written first, so that nobody deadlocks.
    pub(crate) sorted: bool,
    /// Time between the statements.
    pub(crate) think: Duration,
    pub(crate) arrival: Arrival,
    /// Parameters that the sessions are opened with.
    settings: &'static str,
    /// How many times longer its rounds are.
    pub(crate) patience: f64,
}

const SOON: &str = "options[deadlock_timeout]=20ms";
const LATE: &str = "options[deadlock_timeout]=1s";
const LATE_WITH_LIMIT: &str = "options[deadlock_timeout]=1s&options[lock_timeout]=20ms";

const BASE: Workload = Workload {
    name: "",
    hot: 10,
    isolation: IsolationLevel::ReadCommitted,
    sorted: false,
    think: Duration::ZERO,
    arrival: Arrival::Closed(16),
    settings: SOON,
    patience: 1.0,
};

const SERIALIZABLE: Workload = Workload {
    isolation: IsolationLevel::Serializable,
    sorted: true,
    ..BASE
};

/// Every workload.
#[rustfmt::skip]
pub(crate) static ALL: &[Workload] = &[
    Workload { name: "none", hot: ACCOUNTS, ..BASE },
    Workload { name: "none-1ms", hot: ACCOUNTS, think: Duration::from_millis(1), ..BASE },
    Workload { name: "s-10", ..SERIALIZABLE },
    Workload { name: "s-100", hot: 100, ..SERIALIZABLE },
    Workload { name: "s-10-1ms", think: Duration::from_millis(1), ..SERIALIZABLE },
    Workload { name: "rc-10", ..BASE },
    Workload { name: "rc-100", hot: 100, ..BASE },
    Workload { name: "rc-10-1s", settings: LATE, patience: 3.0, ..BASE },
    Workload { name: "rc-10-1s-limit", settings: LATE_WITH_LIMIT, ..BASE },
    Workload { name: "open-300", arrival: Arrival::Open(300.0), ..BASE },
    Workload { name: "open-1000", arrival: Arrival::Open(1_000.0), ..BASE },
];

/// The accounts of one workload, on a pool of their own.
#[derive(Debug)]
pub(crate) struct Bank {
    pub(crate) pool: DatabaseConnection,
    pub(crate) workload: &'static Workload,
}

impl Bank {
    /// Sets the table up anew.
    pub(crate) async fn open(test: &TestDb, workload: &'static Workload) -> Result<Self> {
        let admin = test.admin();
        for sql in [
            "DROP TABLE IF EXISTS account".to_owned(),
            "CREATE TABLE account (id INT PRIMARY KEY, cents BIGINT NOT NULL)".to_owned(),
            format!("INSERT INTO account SELECT g, {CENTS} FROM generate_series(1, {ACCOUNTS}) g"),
            "VACUUM ANALYZE account".to_owned(),
        ] {
            admin.execute_unprepared(&sql).await?;
        }
        let mut options = ConnectOptions::new(format!("{}?{}", test.url(), workload.settings));
        options
            .min_connections(POOL)
            .max_connections(POOL)
            .sqlx_logging(false);
        let pool = Database::connect(options).await?;
        Ok(Self { pool, workload })
    }

    /// No cent is lost or made.
    pub(crate) async fn check(&self) -> Result<()> {
        let sql = "SELECT sum(cents)::BIGINT AS cents FROM account";
        let statement = Statement::from_string(DbBackend::Postgres, sql);
        let row = self.pool.query_one_raw(statement).await?;
        let cents: i64 = row.ok_or("no sum")?.try_get("", "cents")?;
        if cents != i64::from(ACCOUNTS) * CENTS {
            return Err(format!("{}: the accounts hold {cents} cents", self.workload.name).into());
        }
        Ok(())
    }
}

/// From where to where.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Transfer {
    pub(crate) from: i32,
    pub(crate) to: i32,
}

impl Workload {
    /// Two different accounts.
    pub(crate) fn transfer(&self, random: &mut fastrand::Rng) -> Transfer {
        let from = random.i32(1..=self.hot);
        let to = (from + random.i32(1..self.hot) - 1) % self.hot + 1;
        Transfer { from, to }
    }

    /// The body of a call: reads one account and writes both.
    pub(crate) async fn body(&self, db: &ResilientConnection, transfer: Transfer) -> Resilient<()> {
        let Transfer { from, to } = transfer;
        let ask = "SELECT cents FROM account WHERE id = $1";
        let ask = Statement::from_sql_and_values(DbBackend::Postgres, ask, [from.into()]);
        db.query_one_raw(ask).await?;
        let mut writes = [(from, -1_i64), (to, 1_i64)];
        if self.sorted {
            writes.sort_unstable();
        }
        for (id, cents) in writes {
            if !self.think.is_zero() {
                tokio::time::sleep(self.think).await;
            }
            let sql = "UPDATE account SET cents = cents + $1 WHERE id = $2";
            let values = [cents.into(), id.into()];
            let write = Statement::from_sql_and_values(DbBackend::Postgres, sql, values);
            db.execute_raw(write).await?;
        }
        Ok(())
    }
}
