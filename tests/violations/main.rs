//! Every kind of constraint, made and broken in every way: the right kind, constraint, table,
//! columns and words each time.
#![allow(
    missing_docs,
    unreachable_pub,
    clippy::unwrap_used,
    clippy::missing_errors_doc
)]

mod breaking;
mod entities;
mod long_names;
mod making;

use breaking::{BREAKS, Break, fill};
use making::{Names, Way};
use resilient_sea_orm::{
    ConstraintKind, Error, Outcome, ResilientConnection, TransactOptions, Violation,
    assert_constraints_declared, metrics, resilient,
};
use sea_orm::{DbErr, EntityTrait, PaginatorTrait, SqlErr};
use support::{Engine, TestDb, TestResult, engine_tests, unique_name};

/// How many violations each side could tell the kind, the name and the columns of.
#[derive(Clone, Copy, Debug, Default)]
struct Tally {
    kind: usize,
    name: usize,
    columns: usize,
}

async fn open(test: &TestDb) -> ResilientConnection {
    let mut options = sea_orm::ConnectOptions::new(test.url());
    options.max_connections(4).sqlx_logging(false);
    let builder = ResilientConnection::builder(options).name(unique_name());
    builder.connect().await.expect("connects")
}

struct Sailors {
    db: ResilientConnection,
}

impl Sailors {
    #[resilient(name = "violations::break_it")]
    async fn break_it(&self, it: &Break) -> Result<(), Error> {
        Ok(it.run(&self.db).await?)
    }
}

fn check(case: &str, violation: Option<&Violation>, it: &Break, names: &Names) {
    let violation = violation.unwrap_or_else(|| panic!("{case}: no violation"));
    let seen = (
        violation.kind(),
        violation.table(),
        violation
            .columns()
            .iter()
            .map(String::as_str)
            .collect::<Vec<_>>(),
        violation.code(),
        violation.message(),
        violation.constraint(),
    );
    let expected = (
        it.kind,
        Some(it.table),
        it.columns.to_vec(),
        it.code,
        it.message,
        (it.constraint)(names),
    );
    assert_eq!(seen, expected, "{case}");
}

/// What SeaORM's own `sql_err` tells. Its text is the server's, which is neither a name nor
/// columns.
fn sea_orm_tells(error: &DbErr, kind: ConstraintKind, tally: &mut Tally) {
    let told = match error.sql_err() {
        Some(SqlErr::UniqueConstraintViolation(_)) => Some(ConstraintKind::Unique),
        Some(SqlErr::ForeignKeyConstraintViolation(_)) => Some(ConstraintKind::ForeignKey),
        _ => None,
    };
    // It has one word for both directions of a foreign key.
    let wanted = match kind {
        ConstraintKind::Restrict => ConstraintKind::ForeignKey,
        kind => kind,
    };
    tally.kind += usize::from(told == Some(wanted));
}

async fn made_in_this_way(engine: Engine, way: Way) -> TestResult {
    let test = TestDb::new(engine).await?;
    let db = open(&test).await;
    way.make(&db, engine).await?;
    fill(&db).await?;
    let names = way.names(engine);
    let repository = Sailors { db: db.clone() };
    let (mut tally, mut sea_orm) = (Tally::default(), Tally::default());
    for it in BREAKS {
        let case = |place: &str| format!("{engine:?}, {way:?}, {}, {place}", it.name);
        let alone = it.run(&db).await.expect_err(it.name);
        sea_orm_tells(&alone, it.kind, &mut sea_orm);
        let violation = resilient_sea_orm::violation(&alone);
        check(&case("on the pool"), violation.as_ref(), it, &names);
        if let Some(violation) = violation {
            tally.kind += 1;
            tally.name += usize::from(violation.constraint().is_some());
            tally.columns += usize::from(!violation.columns().is_empty());
        }
        let called = repository.break_it(it).await.expect_err(it.name);
        check(&case("in a method"), called.violation(), it, &names);
        assert_eq!(called.outcome(), Outcome::RolledBack, "{}", it.name);
        assert_eq!(called.attempts(), 1, "{}", it.name);
        let context = called.violation().and_then(Violation::context);
        assert_eq!(context, Some("violations::break_it"));
        // Nested: the violation ends the inner scope alone, and the outer one goes on.
        let outer = db.transact(TransactOptions::new(), || async {
            let inner = repository.break_it(it).await.expect_err(it.name);
            check(&case("nested"), inner.violation(), it, &names);
            entities::sailor::Entity::find()
                .count(&db)
                .await
                .map_err(Error::from)
        });
        assert_eq!(outer.await?, 2, "{}", case("afterwards"));
    }
    assert_constraints_declared!(db);
    let counted = metrics::global().snapshot().violations;
    let counted = counted.iter().filter(|v| v.connection == db.name());
    let total: u64 = counted.map(|v| v.count).sum();
    assert_eq!(total, 3 * BREAKS.len() as u64, "each is counted once");
    println!(
        "{engine:?}, {way:?}: of {} ours {tally:?}, sql_err {sea_orm:?}",
        BREAKS.len()
    );
    Ok(())
}

async fn inline(engine: Engine) -> TestResult {
    made_in_this_way(engine, Way::Inline).await
}

async fn named(engine: Engine) -> TestResult {
    made_in_this_way(engine, Way::Named).await
}

async fn schema_builder(engine: Engine) -> TestResult {
    made_in_this_way(engine, Way::Builder).await
}

async fn schema_sync(engine: Engine) -> TestResult {
    made_in_this_way(engine, Way::Sync).await
}

async fn migration(engine: Engine) -> TestResult {
    made_in_this_way(engine, Way::Migration).await
}

engine_tests! { inline, named, schema_builder, schema_sync, migration }
