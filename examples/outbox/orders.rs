//! Orders, and the messages about them: both or neither are stored.

use std::sync::Arc;

use resilient_sea_orm::{ResilientConnection, Result, resilient};
use sea_orm::{
    ActiveModelTrait, ColumnTrait, ConnectionTrait, EntityTrait, PaginatorTrait, QueryFilter,
    QueryOrder, Schema, Set, sea_query::Expr,
};
use tokio::sync::Notify;

pub mod order {
    use sea_orm::entity::prelude::*;

    #[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
    #[sea_orm(table_name = "outbox_order")]
    pub struct Model {
        #[sea_orm(primary_key)]
        pub id: i32,
        pub item: String,
    }

    #[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
    pub enum Relation {}

    impl ActiveModelBehavior for ActiveModel {}
}

/// What has to be told, and whether it was.
pub mod message {
    use sea_orm::entity::prelude::*;

    #[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
    #[sea_orm(table_name = "outbox_message")]
    pub struct Model {
        #[sea_orm(primary_key)]
        pub id: i32,
        pub body: String,
        pub delivered: bool,
    }

    #[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
    pub enum Relation {}

    impl ActiveModelBehavior for ActiveModel {}
}

#[derive(Clone)]
pub struct Orders {
    db: ResilientConnection,
    wake: Arc<Notify>,
}

impl Orders {
    /// `wake` is told when there is something to deliver.
    pub fn new(db: &ResilientConnection, wake: &Arc<Notify>) -> Self {
        Self {
            db: db.clone(),
            wake: Arc::clone(wake),
        }
    }
}

#[resilient]
impl Orders {
    /// Stores the order together with its message. The hook only saves the deliverer from
    /// looking all the time: if the process ends before it runs, the message is still there.
    pub async fn place(&self, item: &str, in_stock: bool) -> Result<order::Model> {
        let new = order::ActiveModel {
            item: Set(item.to_owned()),
            ..Default::default()
        };
        let order = new.insert(&self.db).await?;
        let message = message::ActiveModel {
            body: Set(format!("order {}: {item}", order.id)),
            delivered: Set(false),
            ..Default::default()
        };
        message.insert(&self.db).await?;
        let wake = Arc::clone(&self.wake);
        self.db.after_commit(move || async move {
            wake.notify_one();
        })?;
        if !in_stock {
            let text = format!("{item} is out of stock");
            return Err(resilient_sea_orm::Error::custom(text));
        }
        Ok(order)
    }

    #[resilient(read_only)]
    pub async fn count(&self) -> Result<u64> {
        Ok(order::Entity::find().count(&self.db).await?)
    }
}

#[derive(Clone)]
pub struct Outbox {
    db: ResilientConnection,
}

impl Outbox {
    pub fn new(db: &ResilientConnection) -> Self {
        Self { db: db.clone() }
    }
}

#[resilient]
impl Outbox {
    /// What is still to be delivered, the oldest first.
    #[resilient(read_only)]
    pub async fn pending(&self) -> Result<Vec<message::Model>> {
        let pending = message::Entity::find()
            .filter(message::Column::Delivered.eq(false))
            .order_by_asc(message::Column::Id);
        Ok(pending.all(&self.db).await?)
    }

    /// Notes that a message has arrived.
    pub async fn delivered(&self, id: i32) -> Result<()> {
        message::Entity::update_many()
            .col_expr(message::Column::Delivered, Expr::value(true))
            .filter(message::Column::Id.eq(id))
            .exec(&self.db)
            .await?;
        Ok(())
    }

    /// All messages, delivered or not.
    #[resilient(read_only)]
    pub async fn count(&self) -> Result<u64> {
        Ok(message::Entity::find().count(&self.db).await?)
    }
}

/// Fresh tables.
pub async fn create(db: &ResilientConnection) -> Result<()> {
    for table in ["outbox_order", "outbox_message"] {
        db.execute_unprepared(&format!("DROP TABLE IF EXISTS {table}"))
            .await?;
    }
    let schema = Schema::new(db.get_database_backend());
    db.execute(&schema.create_table_from_entity(order::Entity))
        .await?;
    db.execute(&schema.create_table_from_entity(message::Entity))
        .await?;
    Ok(())
}
