//! Schema builder, schema sync and migrations.

use resilient_sea_orm::{Error, TransactOptions};
use sea_orm::{ActiveModelTrait, DbErr, EntityTrait, Set};
use sea_orm_migration::{
    MigrationTrait, MigratorTrait, SchemaManager,
    prelude::{DeriveMigrationName, Table},
    schema::{pk_auto, string},
};
use support::{Engine, TestResult, engine_tests};

use super::{Shop, entities::bakery, new_bakery};

mod first {
    use sea_orm::entity::prelude::*;

    #[sea_orm::model]
    #[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
    #[sea_orm(table_name = "product")]
    pub struct Model {
        #[sea_orm(primary_key)]
        pub id: i32,
    }

    impl ActiveModelBehavior for ActiveModel {}
}

mod second {
    use sea_orm::entity::prelude::*;

    #[sea_orm::model]
    #[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
    #[sea_orm(table_name = "product")]
    pub struct Model {
        #[sea_orm(primary_key)]
        pub id: i32,
        pub number: Option<String>,
    }

    impl ActiveModelBehavior for ActiveModel {}
}

fn product(number: &str) -> second::ActiveModel {
    second::ActiveModel {
        number: Set(Some(number.to_owned())),
        ..Default::default()
    }
}

async fn sync_follows_the_entities(engine: Engine) -> TestResult {
    let shop = Shop::empty(engine).await?;
    let db = &shop.db;
    let builder = || db.get_schema_builder();
    builder().register(first::Entity).sync(db).await?;
    builder().register(second::Entity).sync(db).await?;
    builder().register(second::Entity).sync(db).await?;
    product("a").insert(db).await?;
    let products = second::Entity::find().all(db).await?;
    assert_eq!(products[0].number.as_deref(), Some("a"));
    Ok(())
}

/// On MySQL and MariaDB a statement that changes the schema commits what was before it.
async fn a_schema_change_belongs_to_its_scope_or_is_refused(engine: Engine) -> TestResult {
    let shop = Shop::empty(engine).await?;
    let db = &shop.db;
    let result = db
        .transact(TransactOptions::new(), || async {
            let builder = db.get_schema_builder();
            builder.register(bakery::Entity).apply(db).await?;
            new_bakery("x").insert(db).await?;
            Err::<(), _>(Error::custom("changed my mind"))
        })
        .await;
    let message = result.unwrap_err().to_string();
    if engine == Engine::MariaDb {
        assert!(
            message.contains("commits the running transaction"),
            "{message}"
        );
    } else {
        assert!(message.starts_with("changed my mind; "), "{message}");
    }
    let absent = bakery::Entity::find().all(db).await.unwrap_err();
    let kind = Error::from(absent).kind();
    assert_eq!(kind, resilient_sea_orm::FaultKind::UndefinedObject);
    Ok(())
}

async fn sync_inside_a_scope_sees_what_the_scope_made(engine: Engine) -> TestResult {
    let shop = Shop::empty(engine).await?;
    let db = &shop.db;
    db.transact(TransactOptions::new(), || async {
        let builder = || db.get_schema_builder();
        builder().register(first::Entity).sync(db).await?;
        builder().register(second::Entity).sync(db).await?;
        product("a").insert(db).await.map_err(Error::from)
    })
    .await?;
    assert_eq!(second::Entity::find().all(db).await?.len(), 1);
    Ok(())
}

#[derive(DeriveMigrationName)]
struct CreateNotes;

// The trait leaves the lifetime out, and `async_trait` tells the two ways of writing it apart.
#[allow(elided_lifetimes_in_paths)]
#[async_trait::async_trait]
impl MigrationTrait for CreateNotes {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        let table = Table::create()
            .table("note")
            .col(pk_auto("id"))
            .col(string("text"))
            .to_owned();
        manager.create_table(table).await
    }

    async fn down(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        let table = Table::drop().table("note").to_owned();
        manager.drop_table(table).await
    }
}

struct Migrator;

impl MigratorTrait for Migrator {
    fn migrations() -> Vec<Box<dyn MigrationTrait>> {
        vec![Box::new(CreateNotes)]
    }
}

async fn migrations_go_up_and_down(engine: Engine) -> TestResult {
    let shop = Shop::empty(engine).await?;
    let db = &shop.db;
    let has_notes = async || SchemaManager::new(db).has_table("note").await;
    Migrator::up(db, None).await?;
    assert!(has_notes().await?);
    assert!(Migrator::get_pending_migrations(db).await?.is_empty());
    Migrator::down(db, None).await?;
    assert!(!has_notes().await?);
    Migrator::fresh(db).await?;
    assert!(has_notes().await?);
    Ok(())
}

engine_tests! {
    sync_follows_the_entities,
    a_schema_change_belongs_to_its_scope_or_is_refused,
    migrations_go_up_and_down,
}
engine_tests! { on_sqlite on_postgres: sync_inside_a_scope_sees_what_the_scope_made }
