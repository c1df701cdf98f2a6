//! Large work in one scope takes no more memory than small work.

use futures_util::TryStreamExt;
use resilient_sea_orm::{ResilientConnection, Result, prelude::*};
use sea_orm::{ConnectionTrait, Statement, StreamTrait};
use support::{Engine, TestResult, engine_tests};

use crate::{MEMORY, Stand};

struct Repo {
    db: ResilientConnection,
}

#[resilient(retries = 0)]
impl Repo {
    /// Reads so many rows; answers how much more was in memory after the first tenth, in bytes.
    pub async fn stream(&self, rows: u64) -> Result<usize> {
        let sql = series(&self.db, rows);
        let statement = Statement::from_string(self.db.get_database_backend(), sql);
        let mut stream = self.db.stream_raw(statement).await?;
        let (mut seen, mut early, mut most) = (0, 0, 0_usize);
        while let Some(row) = stream.try_next().await? {
            let _: i64 = row.try_get("", "n")?;
            seen += 1;
            if seen == rows / 10 {
                early = MEMORY.allocated();
            } else if seen % (rows / 50) == 0 {
                most = MEMORY.allocated().max(most);
            }
        }
        assert_eq!(seen, rows);
        Ok(most.saturating_sub(early))
    }

    /// Enters so many rows, a thousand at a time; answers the same.
    pub async fn enter(&self, rows: u64) -> Result<usize> {
        let (mut early, mut most) = (0, 0_usize);
        for batch in 0..rows / 1000 {
            let values = (0..1000).map(|n| {
                let id = batch * 1000 + n;
                format!("({id},'row {id}')")
            });
            let sql = format!(
                "INSERT INTO entry VALUES {}",
                values.collect::<Vec<_>>().join(",")
            );
            self.db.execute_unprepared(&sql).await?;
            if batch == rows / 10_000 {
                early = MEMORY.allocated();
            }
            most = MEMORY.allocated().max(most);
        }
        Ok(most.saturating_sub(early))
    }
}

/// The numbers from 1 on, one a row, made by the server.
fn series(db: &ResilientConnection, rows: u64) -> String {
    match db.get_database_backend() {
        sea_orm::DbBackend::Postgres => {
            format!("SELECT n FROM generate_series(1, {rows}::bigint) n")
        }
        sea_orm::DbBackend::MySql => {
            format!("SELECT CAST(seq AS SIGNED) AS n FROM seq_1_to_{rows}")
        }
        _ => format!(
            "WITH RECURSIVE s(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM s WHERE n < {rows}) \
             SELECT n FROM s"
        ),
    }
}

/// Six bytes for each row that stay would be more than this.
const ROOM: usize = 256 << 10;

async fn a_stream_leaves_nothing_behind(engine: Engine) -> TestResult {
    let stand = Stand::open(engine, |_| {}).await?;
    let repo = Repo {
        db: stand.db.clone(),
    };
    let grown = repo.stream(300_000).await?;
    assert!(grown < ROOM, "{grown} bytes");
    Ok(())
}

async fn inserts_leave_nothing_behind(engine: Engine) -> TestResult {
    let stand = Stand::open(engine, |_| {}).await?;
    let repo = Repo {
        db: stand.db.clone(),
    };
    let grown = repo.enter(50_000).await?;
    assert!(grown < ROOM, "{grown} bytes");
    assert_eq!(stand.entries().await?, 50_000);
    Ok(())
}

engine_tests! {
    a_stream_leaves_nothing_behind,
    inserts_leave_nothing_behind,
}
