//! Other schemas, views, tables without numbers, and entities.

use resilient_sea_orm::health::{
    soft_delete::{self, Marker, SoftDelete},
    tables::{TableOptions, TableStatus},
};
use support::{Engine, TestResult, engine_tests};

use super::{declare, fill, report};
use crate::verify::Schema;

mod members {
    use resilient_sea_orm::SoftDelete;
    use sea_orm::entity::prelude::*;

    #[sea_orm::model]
    #[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel, SoftDelete)]
    #[sea_orm(table_name = "table_health_members")]
    pub struct Model {
        #[sea_orm(primary_key)]
        pub id: i32,
        #[soft_delete]
        #[sea_orm(column_name = "gone")]
        pub deleted: bool,
    }

    impl ActiveModelBehavior for ActiveModel {}
}

mod plain {
    use sea_orm::entity::prelude::*;

    #[sea_orm::model]
    #[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
    #[sea_orm(table_name = "table_health_plain")]
    pub struct Model {
        #[sea_orm(primary_key)]
        pub id: i32,
    }

    impl ActiveModelBehavior for ActiveModel {}
}

async fn one_entity(engine: Engine) -> TestResult {
    let schema = Schema::with(
        engine,
        &[
            "CREATE TABLE table_health_members (id INTEGER PRIMARY KEY, gone BOOLEAN NOT NULL)",
            "CREATE TABLE table_health_plain (id INTEGER PRIMARY KEY)",
        ],
    )
    .await;
    fill(&schema, "table_health_members", 10, "i, i <= 6").await;
    let report = schema
        .db
        .table_report(members::Entity, TableOptions::new())
        .await?;
    assert_eq!(report.status, TableStatus::Poor);
    assert_eq!(report.soft_delete_column.as_deref(), Some("gone"));
    assert!(
        report.entity.ends_with("members::Entity"),
        "{}",
        report.entity
    );
    let registered = soft_delete::declarations();
    let ours = registered.iter().filter(|one| one.title() == report.entity);
    assert_eq!(ours.count(), 1);
    let plain = schema
        .db
        .table_report(plain::Entity, TableOptions::new())
        .await?;
    assert_eq!((plain.total_rows, plain.deleted_rows), (Some(0), None));
    assert_eq!(plain.entity, "table_health_plain");
    Ok(())
}

async fn other_schemas(engine: Engine) -> TestResult {
    let schema = Schema::new(engine).await;
    let (name, quoted) = if engine == Engine::Postgres {
        schema.run(&["CREATE SCHEMA \"o\"\"dd\""]).await;
        ("o\"dd".to_owned(), "\"o\"\"dd\".".to_owned())
    } else {
        schema.run(&["CREATE TABLE probe (id INTEGER)"]).await;
        let name = schema.table("probe").await.schema.expect("a database");
        (name.clone(), format!("{name}."))
    };
    let create =
        format!("CREATE TABLE {quoted}apart (id INTEGER PRIMARY KEY, deleted BOOLEAN NOT NULL)");
    schema.run(&[&create]).await;
    fill(&schema, &format!("{quoted}apart"), 10, "i, i <= 3").await;
    let declared = SoftDelete::new("apart", "deleted", Marker::Flag)
        .schema(Some(name.clone()))
        .database(schema.db.name().to_owned());
    soft_delete::register(declared);
    let found = report(&schema, "apart", TableOptions::new()).await;
    assert_eq!(found.schema, Some(name));
    assert_eq!(
        (found.deleted_rows, found.status),
        (Some(3), TableStatus::Fair)
    );
    schema.run(&[&found.missing_indexes[0].statement]).await;
    let found = report(&schema, "apart", TableOptions::new()).await;
    assert_eq!(found.missing_indexes, []);
    Ok(())
}

/// They have rows, and no indexes.
async fn views(engine: Engine) -> TestResult {
    let schema = Schema::with(
        engine,
        &[
            "CREATE TABLE t (id INTEGER PRIMARY KEY, deleted BOOLEAN NOT NULL)",
            "CREATE VIEW shown AS SELECT id, deleted FROM t",
        ],
    )
    .await;
    fill(&schema, "t", 5000, "i, i % 10 < 6").await;
    declare(&schema, "shown", "deleted", Marker::Flag);
    let options = TableOptions::new().count_up_to(100);
    for (options, estimated) in [(TableOptions::new(), false), (options, true)] {
        let found = report(&schema, "shown", options).await;
        assert_eq!(found.status, TableStatus::Poor, "{found:?}");
        assert_eq!(found.estimated, estimated);
        assert_eq!(found.missing_indexes, []);
    }
    Ok(())
}

async fn without_row_numbers(engine: Engine) -> TestResult {
    let schema = Schema::with(
        engine,
        &[
            "CREATE TABLE bare (id TEXT PRIMARY KEY, deleted BOOLEAN) WITHOUT ROWID",
            "CREATE TABLE hidden (rowid TEXT, deleted BOOLEAN)",
        ],
    )
    .await;
    for table in ["bare", "hidden"] {
        fill(&schema, table, 3000, "'k' || i, i % 10 < 6").await;
        declare(&schema, table, "deleted", Marker::Flag);
        let found = report(&schema, table, TableOptions::new().count_up_to(1000)).await;
        assert_eq!(found.status, TableStatus::Poor, "{found:?}");
        assert!(found.estimated);
    }
    Ok(())
}

engine_tests! { one_entity }
engine_tests! { on_postgres on_mariadb: other_schemas, views }
engine_tests! { on_sqlite: without_row_numbers }
