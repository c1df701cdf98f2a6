//! Large work in one scope, beside the same on plain SeaORM: rows inserted in batches, and a stream
//! of rows. Throughput by turns, memory by an allocator that counts.
//!
//! ```text
//! with-servers large           # a tenth
//! with-servers large --full    # 1,000,000 rows in, 10,000,000 rows out
//! with-servers large --engine sqlite
//! ```

use std::{alloc::System, time::Duration};

use cap::Cap;
use futures_util::TryStreamExt;
use resilient_load_benches::{Result, Spent, account, argument, flag, median, server, tell, timed};
use resilient_sea_orm::{ResilientConnection, prelude::*};
use sea_orm::{
    ActiveValue::Set, ConnectOptions, ConnectionTrait, Database, DatabaseConnection, DbBackend,
    DbErr, EntityTrait, Statement, StreamTrait, TransactionTrait,
};
use serde_json::json;

#[global_allocator]
static MEMORY: Cap<System> = Cap::new(System, usize::MAX);

const BATCH: i32 = 1000;

/// How many times each side has its turn.
const ROUNDS: usize = 5;

struct Work {
    db: ResilientConnection,
}

#[resilient(retries = 0)]
impl Work {
    pub(crate) async fn insert(&self, rows: i32) -> resilient_sea_orm::Result<Memory> {
        Ok(insert(&self.db, rows).await?)
    }

    pub(crate) async fn stream(&self, rows: u64) -> resilient_sea_orm::Result<Memory> {
        Ok(stream(&self.db, rows).await?)
    }
}

/// Bytes that were allocated and not freed.
#[derive(Clone, Copy, Debug, Default)]
struct Memory {
    /// The most in the first tenth.
    early: usize,
    /// The most after that.
    late: usize,
}

impl Memory {
    fn look(&mut self, early: bool) {
        let most = if early {
            &mut self.early
        } else {
            &mut self.late
        };
        *most = MEMORY.allocated().max(*most);
    }
}

async fn insert(db: &impl ConnectionTrait, rows: i32) -> std::result::Result<Memory, DbErr> {
    let mut memory = Memory::default();
    for first in (0..rows).step_by(BATCH as usize) {
        let models = (first..first + BATCH).map(|id| account::ActiveModel {
            id: Set(id),
            balance: Set(0),
        });
        account::Entity::insert_many(models)
            .exec_without_returning(db)
            .await?;
        memory.look(first < rows / 10);
    }
    Ok(memory)
}

async fn stream<C>(db: &C, rows: u64) -> std::result::Result<Memory, DbErr>
where
    C: ConnectionTrait + StreamTrait,
{
    let sql = match ConnectionTrait::get_database_backend(db) {
        DbBackend::Postgres => format!("SELECT n FROM generate_series(1, {rows}::bigint) n"),
        DbBackend::MySql => format!("SELECT CAST(seq AS SIGNED) AS n FROM seq_1_to_{rows}"),
        _ => format!(
            "WITH RECURSIVE s(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM s WHERE n < {rows}) \
             SELECT n FROM s"
        ),
    };
    let statement = Statement::from_string(ConnectionTrait::get_database_backend(db), sql);
    let mut memory = Memory::default();
    let mut seen = 0;
    let mut stream = std::pin::pin!(db.stream_raw(statement).await?);
    while let Some(row) = stream.try_next().await? {
        let _: i64 = row.try_get_by_index(0)?;
        seen += 1;
        if seen % 1024 == 0 {
            memory.look(seen < rows / 10);
        }
    }
    if seen == rows {
        Ok(memory)
    } else {
        Err(DbErr::Custom(format!("{seen} rows of {rows}")))
    }
}

struct Sides {
    engine: &'static str,
    ours: Work,
    hand: DatabaseConnection,
}

impl Sides {
    async fn open(engine: &'static str, url: &str) -> Result<Self> {
        let mut options = ConnectOptions::new(url);
        options.max_connections(2).sqlx_logging(false);
        let hand = Database::connect(options.clone()).await?;
        for sql in [
            "DROP TABLE IF EXISTS account",
            "CREATE TABLE account (id INTEGER PRIMARY KEY, balance BIGINT NOT NULL)",
        ] {
            hand.execute_unprepared(sql).await?;
        }
        let db = ResilientConnection::connect(options).await?;
        Ok(Self {
            engine,
            ours: Work { db },
            hand,
        })
    }

    async fn empty(&self) -> Result {
        let sql = "DELETE FROM account";
        self.hand.execute_unprepared(sql).await.map(drop)?;
        Ok(())
    }

    async fn inserts(&self, rows: i32, ours: bool) -> Result<(Spent, Memory)> {
        self.empty().await?;
        timed(async {
            if ours {
                return Ok(self.ours.insert(rows).await?);
            }
            let begun = self.hand.begin().await?;
            let memory = insert(&begun, rows).await?;
            begun.commit().await?;
            Ok(memory)
        })
        .await
    }

    async fn streams(&self, rows: u64, ours: bool) -> Result<(Spent, Memory)> {
        timed(async {
            if ours {
                return Ok(self.ours.stream(rows).await?);
            }
            let begun = self.hand.begin().await?;
            let memory = stream(&begun, rows).await?;
            begun.commit().await?;
            Ok(memory)
        })
        .await
    }

    async fn compare(&self, what: &str, rows: u64) -> Result {
        let (mut ours, mut hand) = (Vec::new(), Vec::new());
        let mut memory = Memory::default();
        for round in 0..ROUNDS {
            for side in [round % 2 == 0, round % 2 == 1] {
                eprintln!("{}: {what}, round {} of {ROUNDS}", self.engine, round + 1);
                let (time, grown) = match what {
                    "insert_many" => self.inserts(i32::try_from(rows)?, side).await?,
                    _ => self.streams(rows, side).await?,
                };
                if side {
                    ours.push(time);
                    memory = grown;
                } else {
                    hand.push(time);
                }
            }
        }
        #[allow(clippy::cast_precision_loss)]
        let rate = |spent: &[Spent], of: fn(&Spent) -> Duration| {
            rows as f64 / median(spent.iter().map(of).collect()).as_secs_f64()
        };
        let (wall, cpu) = (|s: &Spent| s.wall, |s: &Spent| s.cpu);
        tell(&json!({
            "group": "large", "engine": self.engine, "case": what, "rows": rows,
            "rows_per_second": rate(&ours, wall), "by_hand": rate(&hand, wall),
            "throughput_ratio": rate(&ours, wall) / rate(&hand, wall),
            "throughput_ratio_by_processor_time": rate(&ours, cpu) / rate(&hand, cpu),
            "bytes_in_first_tenth": memory.early, "bytes_after": memory.late,
        }));
        Ok(())
    }
}

/// MariaDB's server has no database to begin with.
async fn with_database(url: String) -> Result<String> {
    let server = Database::connect(&url).await?;
    let sql = "CREATE DATABASE IF NOT EXISTS large";
    server.execute_unprepared(sql).await?;
    server.close().await?;
    Ok(url + "large")
}

#[tokio::main]
async fn main() -> Result {
    let share = if flag("--full") { 1 } else { 10 };
    let file = std::env::temp_dir().join(format!("large-{}.db", std::process::id()));
    let only = argument("--engine");
    for engine in ["postgres", "mariadb", "sqlite"] {
        if only.as_ref().is_some_and(|only| only != engine) {
            continue;
        }
        let url = match engine {
            "postgres" => server("RESILIENT_TEST_POSTGRES_URL")?,
            "mariadb" => with_database(server("RESILIENT_TEST_MARIADB_URL")?).await?,
            _ => format!("sqlite:{}?mode=rwc", file.display()),
        };
        let sides = Sides::open(engine, &url).await?;
        sides.compare("insert_many", 1_000_000 / share).await?;
        sides.compare("stream", 10_000_000 / share).await?;
        sides.empty().await?;
    }
    if file.exists() {
        std::fs::remove_file(file)?;
    }
    Ok(())
}
