//! A bank with all the trouble that the dashboard shows.

use std::{sync::Arc, time::Duration};

use resilient_sea_orm::{
    Builder, HealthSettings, ResilientConnection, TransactOptions,
    core::scope::CallStatus,
    health::{
        MonitorOptions,
        alerts::{AlertConfig, AlertKind, AlertRule},
        performance::PerformanceConfig,
    },
    policy::RetryPolicy,
    prelude::*,
};
use sea_orm::{ActiveValue::Set, ConnectOptions, ConnectionTrait, EntityTrait};
use support::{Engine, TestDb, TestResult};
use tokio::{
    sync::{Barrier, Notify},
    task::{AbortHandle, JoinHandle},
};

pub mod customer {
    use resilient_sea_orm::ConstraintMessages;
    use sea_orm::entity::prelude::*;

    #[derive(Clone, Debug, PartialEq, DeriveEntityModel, ConstraintMessages)]
    #[sea_orm(table_name = "customer")]
    pub struct Model {
        #[sea_orm(primary_key)]
        pub id: i32,
        #[sea_orm(unique)]
        #[constraint(unique(
            message = "that e-mail address is already registered",
            code = "email_taken"
        ))]
        pub email: String,
    }

    #[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
    pub enum Relation {}

    impl ActiveModelBehavior for ActiveModel {}
}

pub struct Bank {
    pub db: ResilientConnection,
    _test: TestDb,
}

#[derive(Clone)]
pub struct Accounts {
    db: ResilientConnection,
    /// Where two calls meet, each with its first lock.
    meet: Arc<Barrier>,
}

#[resilient]
impl Accounts {
    /// Moves money; the rows are locked in this order.
    pub async fn transfer(&self, from: i32, to: i32) -> Result<()> {
        self.add(from, -1).await?;
        self.wait().await;
        self.add(to, 1).await
    }

    /// Adds interest, the later account first.
    pub async fn add_interest(&self, first: i32, then: i32) -> Result<()> {
        self.add(first, 1).await?;
        self.wait().await;
        self.add(then, 1).await
    }

    #[resilient(read_only)]
    pub async fn balance(&self, id: i32) -> Result<()> {
        let sql = format!("SELECT balance FROM account WHERE id = {id}");
        self.db.execute_unprepared(&sql).await?;
        Ok(())
    }

    #[resilient(retries = 0)]
    pub async fn sign_up(&self, email: &str) -> Result<()> {
        let customer = customer::ActiveModel {
            email: Set(email.to_owned()),
            ..Default::default()
        };
        customer::Entity::insert(customer).exec(&self.db).await?;
        Ok(())
    }

    async fn wait(&self) {
        // Whoever runs again does so alone.
        if CallStatus::current().is_some_and(|call| call.attempts() == 1) {
            let meet = tokio::time::timeout(Duration::from_secs(20), self.meet.wait());
            meet.await.expect("the other one");
        }
    }

    async fn add(&self, id: i32, cents: i64) -> Result<()> {
        let sql = format!("UPDATE account SET balance = balance + {cents} WHERE id = {id}");
        self.db.execute_unprepared(&sql).await?;
        Ok(())
    }
}

/// A transaction that keeps its connection until it is told to end.
pub struct Leak {
    until: Arc<Notify>,
    task: JoinHandle<Result<()>>,
}

impl Leak {
    pub async fn end(self) -> TestResult {
        self.until.notify_one();
        Ok(self.task.await??)
    }
}

/// Calls that go on until it is dropped.
pub struct Load(Vec<AbortHandle>);

impl Drop for Load {
    fn drop(&mut self) {
        self.0.iter().for_each(AbortHandle::abort);
    }
}

impl Bank {
    pub async fn open(engine: Engine) -> TestResult<Self> {
        Self::on(TestDb::new(engine).await?, support::unique_name()).await
    }

    /// The same under a name, on a database that is already there.
    pub async fn on(test: TestDb, name: String) -> TestResult<Self> {
        let mut options = ConnectOptions::new(test.url());
        options
            .max_connections(8)
            .acquire_timeout(Duration::from_secs(5))
            .sqlx_logging(false);
        let db = Builder::default()
            .name(name)
            .policy(RetryPolicy::new().retries(20))
            .health(HealthSettings {
                leak_after: Duration::from_millis(500),
                ..HealthSettings::default()
            })
            // What a machine under load does slowly is nothing to recommend about.
            .performance(PerformanceConfig::default().slow_threshold(Duration::from_hours(1)))
            .alerts(AlertConfig::default().rule(
                AlertKind::LongTransaction,
                AlertRule::new(1.0).clears(0.5, 1, Duration::ZERO),
            ))
            .to(options)
            .connect()
            .await?;
        db.start_monitoring_with(MonitorOptions::new().interval(Duration::from_millis(500)));
        db.execute_unprepared("CREATE TABLE account (id INTEGER PRIMARY KEY, balance BIGINT)")
            .await?;
        let schema = sea_orm::Schema::new(db.get_database_backend());
        db.execute(&schema.create_table_from_entity(customer::Entity))
            .await?;
        for id in 1..=8 {
            db.execute_unprepared(&format!("INSERT INTO account VALUES ({id}, 100)"))
                .await?;
        }
        Ok(Self { db, _test: test })
    }

    pub fn accounts(&self) -> Accounts {
        Accounts {
            db: self.db.clone(),
            meet: Arc::new(Barrier::new(2)),
        }
    }

    /// A transfer and the interest deadlock, and both are done after a retry.
    pub async fn deadlock(&self) -> TestResult {
        let accounts = self.accounts();
        let (a, b) = tokio::join!(accounts.transfer(1, 2), accounts.add_interest(2, 1));
        a?;
        b?;
        Ok(())
    }

    /// Somebody signs up twice.
    pub async fn violate(&self) -> TestResult {
        let accounts = self.accounts();
        let email = "<b>ada</b>@example.org";
        // The first one may have been there before.
        let _ = accounts.sign_up(email).await;
        let again = accounts.sign_up(email).await;
        assert_eq!(again.map_err(|error| error.kind()), Err(FaultKind::Unique));
        Ok(())
    }

    /// `Reports::export` takes a connection and keeps it.
    pub fn leak(&self) -> Leak {
        let until = Arc::new(Notify::new());
        let (db, ended) = (self.db.clone(), Arc::clone(&until));
        let task = tokio::spawn(async move {
            let options = TransactOptions::new().name("Reports::export").read_only();
            db.transact(options, || async {
                db.execute_unprepared("SELECT 1").await?;
                ended.notified().await;
                Ok(())
            })
            .await
        });
        Leak { until, task }
    }

    /// Callers who ask for balances, with a pause of `every` after each.
    pub fn load(&self, callers: i32, every: Duration) -> Load {
        let one = |caller: i32| {
            let accounts = self.accounts();
            let ask = async move {
                loop {
                    // Where the database is down, the call says so; the next one may be well.
                    let _ = accounts.balance(1 + caller % 8).await;
                    tokio::time::sleep(every).await;
                }
            };
            tokio::spawn(ask).abort_handle()
        };
        Load((0..callers).map(one).collect())
    }
}
