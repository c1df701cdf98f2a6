//! What SeaORM does with its own connection works with ours, outside and inside of a scope.

mod entities;
mod existing;
mod mock;
mod schema;
mod statements;
mod transactions;

use resilient_sea_orm::{ResilientConnection, metrics::ConnectionSnapshot};
use sea_orm::{ConnectOptions, ConnectionTrait, DbErr, EntityTrait, PaginatorTrait};
use support::{Engine, TestDb};

use self::entities::{author, bakery, cake, post, post_tag, tag};
use crate::bank::unique_name;

/// A database with the tables of all entities, made by SeaORM through our connection.
pub struct Shop {
    pub test: TestDb,
    pub db: ResilientConnection,
}

impl Shop {
    pub async fn open(engine: Engine) -> Result<Self, Box<dyn std::error::Error + Send + Sync>> {
        let shop = Self::empty(engine).await?;
        shop.db
            .get_schema_builder()
            .register(bakery::Entity)
            .register(cake::Entity)
            .register(author::Entity)
            .register(post::Entity)
            .register(tag::Entity)
            .register(post_tag::Entity)
            .apply(&shop.db)
            .await?;
        Ok(shop)
    }

    /// Without the tables.
    pub async fn empty(engine: Engine) -> Result<Self, Box<dyn std::error::Error + Send + Sync>> {
        let test = TestDb::new(engine).await?;
        let mut options = ConnectOptions::new(test.url());
        options.max_connections(4).sqlx_logging(false);
        let db = resilient_sea_orm::Builder::default()
            .name(unique_name())
            .to(options)
            .connect()
            .await?;
        Ok(Self { test, db })
    }

    pub fn metrics(&self) -> ConnectionSnapshot {
        resilient_sea_orm::metrics::global()
            .snapshot()
            .connection(self.db.name())
    }

    /// The rows of all tables, as another connection sees them.
    pub async fn rows(&self) -> Result<u64, DbErr> {
        let db = self.test.admin();
        Ok(count::<bakery::Entity>(db).await?
            + count::<cake::Entity>(db).await?
            + count::<author::Entity>(db).await?
            + count::<post::Entity>(db).await?
            + count::<tag::Entity>(db).await?
            + count::<post_tag::Entity>(db).await?)
    }
}

/// The rows of one table.
pub async fn count<E: EntityTrait>(db: &impl ConnectionTrait) -> Result<u64, DbErr>
where
    E::Model: Send + Sync,
{
    E::find().count(db).await
}

pub fn new_bakery(name: &str) -> bakery::ActiveModel {
    bakery::ActiveModel {
        name: sea_orm::Set(name.to_owned()),
        stars: sea_orm::Set(3),
        ..Default::default()
    }
}
