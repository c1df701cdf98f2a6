//! A SQLite database on which everything happens that is counted.

use std::time::Duration;

use resilient_sea_orm::{
    Admission, FaultKind, ResilientConnection,
    policy::{Delay, RetryPolicy},
    prelude::*,
    testing::FaultPlan,
};
use sea_orm::{ConnectOptions, ConnectionTrait};

/// A table whose constraint needs every kind of escape.
const TABLE: &str = r#"CREATE TABLE item (
    id INTEGER PRIMARY KEY,
    price INTEGER CONSTRAINT "at ""least"" one
cent \ more" CHECK (price > 0)
)"#;

/// The constraint's name as it is.
pub const CONSTRAINT: &str = "at \"least\" one\ncent \\ more";

pub struct Shop {
    pub db: ResilientConnection,
    /// The name of its method: tests share the registry.
    pub method: &'static str,
}

impl Shop {
    async fn put(&self, price: i64) -> Result<()> {
        let options = TransactOptions::new().name(self.method).retries(3);
        let put = async || {
            let sql = format!("INSERT INTO item (price) VALUES ({price})");
            self.db.execute_unprepared(&sql).await?;
            Ok(())
        };
        self.db.transact(options, put).await
    }

    /// A database of this name, with a method of that one.
    pub async fn open(name: &str, method: &'static str) -> Self {
        let mut options = ConnectOptions::new("sqlite::memory:");
        options.max_connections(1).sqlx_logging(false);
        let short = Delay::fixed(Duration::from_millis(2));
        let db = ResilientConnection::builder(options)
            .name(name)
            .policy(RetryPolicy::new().delay(short))
            .admission(Admission::Adaptive)
            .connect()
            .await
            .expect("connects");
        db.execute_unprepared(TABLE).await.expect("creates");
        Self { db, method }
    }

    /// Two calls that succeed, one of them after `retries` retries, and two that violate.
    pub async fn trade(&self, retries: u32) {
        self.put(1).await.expect("stores");
        let plan = FaultPlan::new(1)
            .matching("INSERT", FaultKind::LockTimeout)
            .times(retries);
        let faults = self.db.inject(plan).expect("SQLite has it");
        self.put(2).await.expect("is retried");
        drop(faults);
        for price in [0, -1] {
            let error = self.put(price).await.expect_err("violates");
            assert_eq!(error.kind(), FaultKind::Check);
        }
    }
}
