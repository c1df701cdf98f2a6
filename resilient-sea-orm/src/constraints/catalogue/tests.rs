use sea_orm::{Database, DatabaseConnection};

use super::*;

async fn database(sql: &[&str]) -> DatabaseConnection {
    let mut options = sea_orm::ConnectOptions::new("sqlite::memory:");
    options.max_connections(1);
    let db = Database::connect(options).await.expect("in memory");
    for sql in sql {
        db.execute_unprepared(sql).await.expect(sql);
    }
    db
}

#[tokio::test]
async fn only_the_tables_that_are_asked_for() {
    let db = database(&[
        "CREATE TABLE a (id INTEGER PRIMARY KEY)",
        "CREATE TABLE b (id INTEGER PRIMARY KEY)",
        "CREATE TABLE c (id INTEGER PRIMARY KEY)",
    ])
    .await;
    let names = async |which: Which<'_>| -> Vec<String> {
        let catalogue = load(&db, which).await.expect("loaded");
        catalogue.tables.into_iter().map(|t| t.name).collect()
    };
    assert_eq!(names(Which::All).await, ["a", "b", "c"]);
    assert_eq!(names(Which::Schemas(&[])).await, ["a", "b", "c"]);
    assert_eq!(
        names(Which::Tables(&[(None, "C"), (None, "a"), (None, "x")])).await,
        ["a", "c"]
    );
    assert_eq!(names(Which::Tables(&[])).await, [""; 0]);
}

#[tokio::test]
async fn what_is_broken_does_not_hide_the_rest() {
    let db = database(&[
        "CREATE TABLE gone (id INTEGER)",
        "CREATE VIEW broken AS SELECT id FROM gone",
        "DROP TABLE gone",
        "CREATE TABLE t (id INTEGER PRIMARY KEY, a int CONSTRAINT a_key UNIQUE)",
        "PRAGMA writable_schema = 1",
        // A module that is not there.
        "INSERT INTO sqlite_master VALUES ('table', 'v', 'v', 0, 'CREATE VIRTUAL TABLE v USING nowhere(x)')",
        "PRAGMA writable_schema = RESET",
    ])
    .await;
    let catalogue = load(&db, Which::All).await.expect("loaded");
    let table = catalogue.table(None, "t").expect("t");
    assert_eq!(table.constraints.len(), 2, "{table:?}");
    assert_eq!(table.constraints[1].name.as_deref(), Some("a_key"));
    assert!(catalogue.table(None, "v").is_some());
    assert!(catalogue.table(None, "broken").is_some());
}
