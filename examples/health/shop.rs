//! The shop's tables.

use resilient_sea_orm::{ResilientConnection, Result};
use sea_orm::{ActiveValue::Set, ConnectionTrait, EntityTrait, Schema};

/// A customer; one who left is marked, and stays.
pub mod customer {
    use resilient_sea_orm::SoftDelete;
    use sea_orm::entity::prelude::*;

    #[derive(Clone, Debug, PartialEq, DeriveEntityModel, SoftDelete)]
    #[sea_orm(table_name = "health_customer")]
    pub struct Model {
        #[sea_orm(primary_key, auto_increment = false)]
        pub id: i32,
        pub name: String,
        pub cents: i64,
        #[soft_delete]
        pub is_deleted: bool,
    }

    #[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
    pub enum Relation {
        #[sea_orm(has_many = "super::invoice::Entity")]
        Invoice,
    }

    impl Related<super::invoice::Entity> for Entity {
        fn to() -> RelationDef {
            Relation::Invoice.def()
        }
    }

    impl ActiveModelBehavior for ActiveModel {}
}

/// What a customer owes.
pub mod invoice {
    use resilient_sea_orm::ConstraintMessages;
    use sea_orm::entity::prelude::*;

    #[derive(Clone, Debug, PartialEq, DeriveEntityModel, ConstraintMessages)]
    #[sea_orm(table_name = "health_invoice")]
    pub struct Model {
        #[sea_orm(primary_key, auto_increment = false)]
        pub id: i32,
        #[constraint(foreign_key(message = "there is no such customer"))]
        pub customer_id: i32,
    }

    #[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
    pub enum Relation {
        #[sea_orm(
            belongs_to = "super::customer::Entity",
            from = "Column::CustomerId",
            to = "super::customer::Column::Id"
        )]
        Customer,
    }

    impl Related<super::customer::Entity> for Entity {
        fn to() -> RelationDef {
            Relation::Customer.def()
        }
    }

    impl ActiveModelBehavior for ActiveModel {}
}

/// Makes the tables anew: 500 customers, of whom 300 have left, and an invoice for each.
pub async fn create(db: &ResilientConnection) -> Result<()> {
    for table in ["health_invoice", "health_customer"] {
        db.execute_unprepared(&format!("DROP TABLE IF EXISTS {table}"))
            .await?;
    }
    let schema = Schema::new(db.get_database_backend());
    db.execute(&schema.create_table_from_entity(customer::Entity))
        .await?;
    db.execute(&schema.create_table_from_entity(invoice::Entity))
        .await?;
    let customers = (1..=500).map(|id| customer::ActiveModel {
        id: Set(id),
        name: Set(format!("Customer {id}")),
        cents: Set(0),
        is_deleted: Set(id > 200),
    });
    customer::Entity::insert_many(customers).exec(db).await?;
    let invoices = (1..=500).map(|id| invoice::ActiveModel {
        id: Set(id),
        customer_id: Set(id),
    });
    invoice::Entity::insert_many(invoices).exec(db).await?;
    Ok(())
}
