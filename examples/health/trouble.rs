//! What goes wrong in the shop, so that there is something to report.

use std::{sync::Arc, time::Duration};

use resilient_sea_orm::{Error, ResilientConnection, Result, TransactOptions, prelude::*};
use sea_orm::{
    ColumnTrait, ConnectionTrait, DbBackend, EntityTrait, ExprTrait, QueryFilter, sea_query::Expr,
};
use tokio::{
    sync::{Barrier, Notify},
    task::{JoinHandle, JoinSet},
};

use crate::shop::customer;

struct Balances {
    db: ResilientConnection,
    /// Where the first attempts of two calls meet, each with its first lock.
    meet: Arc<Barrier>,
}

#[resilient]
impl Balances {
    /// Moves money from one customer to another; their rows are locked in that order.
    pub async fn settle(&self, from: i32, to: i32) -> Result<()> {
        self.add(from, -100).await?;
        // Whoever comes alone, as after a retry, does not wait for long.
        let _ = tokio::time::timeout(Duration::from_millis(200), self.meet.wait()).await;
        self.add(to, 100).await
    }

    async fn add(&self, id: i32, cents: i64) -> Result<()> {
        customer::Entity::update_many()
            .col_expr(
                customer::Column::Cents,
                Expr::col(customer::Column::Cents).add(cents),
            )
            .filter(customer::Column::Id.eq(id))
            .exec(&self.db)
            .await?;
        Ok(())
    }
}

/// A transaction that keeps its connection.
pub struct Kept {
    until: Arc<Notify>,
    task: JoinHandle<Result<()>>,
}

impl Kept {
    /// Ends it.
    pub async fn end(self) -> Result<()> {
        self.until.notify_one();
        self.task
            .await
            .map_err(|e| Error::custom(format!("a task panicked: {e}")))?
    }
}

/// Makes the trouble, and answers with what still goes on.
pub async fn make(db: &ResilientConnection) -> Result<Kept> {
    lock_fight(db).await?;
    slow_statement(db).await?;
    let kept = keep(db);
    // Until it is suspected of being a leak.
    while db.pool_status().suspected_leaks.is_empty() && !kept.task.is_finished() {
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    Ok(kept)
}

/// Two tasks settle between the same customers, in opposite directions.
async fn lock_fight(db: &ResilientConnection) -> Result<()> {
    let meet = Arc::new(Barrier::new(2));
    let mut tasks = JoinSet::new();
    for (from, to) in [(1, 2), (2, 1)] {
        let balances = Balances {
            db: db.clone(),
            meet: Arc::clone(&meet),
        };
        tasks.spawn(async move {
            for _ in 0..3 {
                balances.settle(from, to).await?;
            }
            Ok::<_, Error>(())
        });
    }
    while let Some(task) = tasks.join_next().await {
        task.map_err(|e| Error::custom(format!("a task panicked: {e}")))??;
    }
    Ok(())
}

/// A statement that takes some hundred milliseconds.
async fn slow_statement(db: &ResilientConnection) -> Result<()> {
    let sql = match db.get_database_backend() {
        DbBackend::Postgres => "SELECT pg_sleep(0.4)",
        DbBackend::MySql => "SELECT SLEEP(0.4)",
        _ => {
            "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 1500000) \
             SELECT MAX(i) FROM n"
        }
    };
    let options = TransactOptions::new().name("Reports::yearly").read_only();
    db.transact(options, || async {
        db.execute_unprepared(sql).await?;
        Ok(())
    })
    .await
}

/// A method that waits for something else while it has a connection.
fn keep(db: &ResilientConnection) -> Kept {
    let until = Arc::new(Notify::new());
    let (db, ended) = (db.clone(), Arc::clone(&until));
    let task = tokio::spawn(async move {
        let options = TransactOptions::new().name("Reports::export").read_only();
        db.transact(options, || async {
            db.execute_unprepared("SELECT 1").await?;
            ended.notified().await;
            Ok(())
        })
        .await
    });
    Kept { until, task }
}
