//! A database with any tables, in which statements are refused.

use resilient_sea_orm::{
    Builder, Error, Outcome, ResilientConnection, TransactOptions, Violation, metrics,
};
use sea_orm::{ConnectOptions, ConnectionTrait, Statement, Value};
use support::{Engine, TestDb};

use crate::bank::{number, unique_name};

pub struct Lab {
    pub test: TestDb,
    pub db: ResilientConnection,
}

impl Lab {
    /// These tables, and a pool of four.
    pub async fn new(engine: Engine, ddl: &[&str]) -> Self {
        let test = TestDb::new(engine).await.expect("a database");
        let lab = Self::on(test, Builder::default(), 4).await;
        lab.run(ddl).await;
        lab
    }

    pub async fn on(test: TestDb, builder: Builder, pool: u32) -> Self {
        let url = test.url().to_owned();
        let db = connect(&url, builder, pool).await;
        Self { test, db }
    }

    /// Statements that succeed, past the framework.
    pub async fn run(&self, all: &[&str]) {
        for sql in all {
            let done = self.test.admin().execute_unprepared(sql).await;
            done.unwrap_or_else(|error| panic!("{sql}: {error}"));
        }
    }

    pub fn statement(&self, sql: &str, values: Vec<Value>) -> Statement {
        Statement::from_sql_and_values(self.db.get_database_backend(), sql, values)
    }

    /// The rows that a condition holds for: `t WHERE a = 1`.
    pub async fn count(&self, of: &str) -> i64 {
        let sql = format!("SELECT CAST(COUNT(*) AS CHAR) AS n FROM {of}");
        number(&self.db, &sql).await
    }

    /// What the statement violates: the same on the pool, in a scope, in a scope within a scope,
    /// and as the error that SeaORM's callers get; each time counted once.
    pub async fn refused(&self, sql: &str) -> String {
        self.refused_with(sql, vec![]).await
    }

    pub async fn refused_with(&self, sql: &str, values: Vec<Value>) -> String {
        shown(&self.refusal(sql, values).await)
    }

    pub async fn refusal(&self, sql: &str, values: Vec<Value>) -> Violation {
        let statement = self.statement(sql, values);
        let before = self.counted_in_all();
        let outside = self.db.execute_raw(statement.clone()).await;
        let outside = outside.expect_err("it violates something");
        let said = resilient_sea_orm::violation(&outside).expect("a violation");
        let error = Error::from(outside);
        assert_eq!(error.violation(), Some(&said), "on the pool");

        let inside = self.inside(&[], &statement).await;
        let mut said_inside = inside.violation().expect("a violation in a scope").clone();
        assert_eq!(shown(&said_inside), shown(&said), "in a scope");
        assert_eq!(inside.outcome(), Outcome::RolledBack);
        assert_eq!(inside.attempts(), 1);

        let options = TransactOptions::new();
        let nested = || async { Err::<(), _>(self.inside(&[], &statement).await) };
        let nested = self.db.transact(options, nested).await.unwrap_err();
        said_inside = nested
            .violation()
            .expect("a violation in a savepoint")
            .clone();
        assert_eq!(shown(&said_inside), shown(&said), "in a savepoint");
        assert_eq!(said_inside.message(), said.message());

        let mine: u64 = self
            .counted()
            .iter()
            .filter(|v| {
                shown_parts(
                    v.kind,
                    v.table.as_deref(),
                    v.constraint.as_deref(),
                    &v.columns,
                ) == brief(&said)
            })
            .map(|v| v.count)
            .sum();
        assert!(mine >= 3, "counted as what it is: {:?}", self.counted());
        assert_eq!(self.counted_in_all() - before, 3, "once each time");
        said
    }

    /// The error of a statement in a scope, after others that succeed.
    pub async fn inside(&self, first: &[&str], statement: &Statement) -> Error {
        let body = || async {
            for sql in first {
                self.db.execute_unprepared(sql).await?;
            }
            self.db.execute_raw(statement.clone()).await?;
            Ok::<_, Error>(())
        };
        self.db
            .transact(TransactOptions::new().name("lab"), body)
            .await
            .expect_err("it violates something")
    }

    /// What a statement in a scope violates, after others that succeed.
    pub async fn refused_after(&self, first: &[&str], sql: &str) -> String {
        let error = self.inside(first, &self.statement(sql, vec![])).await;
        shown(
            error
                .violation()
                .unwrap_or_else(|| panic!("no violation: {error}")),
        )
    }

    pub fn counted(&self) -> Vec<metrics::ViolationSnapshot> {
        let mut all = metrics::global().snapshot().violations;
        all.retain(|v| v.connection == self.db.name());
        all
    }

    pub fn counted_in_all(&self) -> u64 {
        self.counted().iter().map(|v| v.count).sum()
    }
}

pub async fn connect(url: &str, builder: Builder, pool: u32) -> ResilientConnection {
    let mut options = ConnectOptions::new(url);
    options.max_connections(pool).sqlx_logging(false);
    let connected = builder.name(unique_name()).to(options).connect().await;
    connected.expect("connects")
}

/// `unique t.t_a_key(a, b)`; `foreign_key c.fk(p) -> p`; `?` for what is not told.
pub fn shown(violation: &Violation) -> String {
    let parent = violation.referenced_table();
    let parent = parent.map(|p| format!(" -> {p}")).unwrap_or_default();
    brief(violation) + &parent
}

fn brief(v: &Violation) -> String {
    shown_parts(v.kind(), v.table(), v.constraint(), v.columns())
}

fn shown_parts(
    kind: impl std::fmt::Display,
    table: Option<&str>,
    constraint: Option<&str>,
    columns: &[String],
) -> String {
    let (table, constraint) = (table.unwrap_or("?"), constraint.unwrap_or("?"));
    format!("{kind} {table}.{constraint}({})", columns.join(", "))
}
