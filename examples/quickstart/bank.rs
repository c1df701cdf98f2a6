//! Tables and repositories.

use resilient_sea_orm::{ResilientConnection, prelude::*};
use sea_orm::{
    ActiveModelTrait, ActiveValue::Set, ColumnTrait, ConnectionTrait, EntityTrait, ExprTrait,
    QueryFilter, QueryOrder, QuerySelect, Schema, sea_query::Expr,
};

/// An account and what is in it.
pub mod account {
    use sea_orm::entity::prelude::*;

    #[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
    #[sea_orm(table_name = "quickstart_account")]
    pub struct Model {
        #[sea_orm(primary_key, auto_increment = false)]
        pub id: i32,
        pub cents: i64,
    }

    #[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
    pub enum Relation {}

    impl ActiveModelBehavior for ActiveModel {}
}

/// A line in the ledger; no two have the same reference.
pub mod entry {
    use sea_orm::entity::prelude::*;

    #[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
    #[sea_orm(table_name = "quickstart_entry")]
    pub struct Model {
        #[sea_orm(primary_key)]
        pub id: i32,
        #[sea_orm(unique)]
        pub reference: String,
        pub cents: i64,
    }

    #[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
    pub enum Relation {}

    impl ActiveModelBehavior for ActiveModel {}
}

/// The accounts.
#[derive(Clone)]
pub struct Accounts {
    db: ResilientConnection,
    ledger: Ledger,
}

/// What was transferred.
#[derive(Clone)]
pub struct Ledger {
    db: ResilientConnection,
}

#[resilient(on = [transient], isolation = "read_committed")]
impl Accounts {
    /// Moves money and notes it. The two accounts are locked in the order given, so transfers
    /// in opposite directions deadlock.
    pub async fn transfer(&self, from: i32, to: i32, cents: i64, reference: &str) -> Result<()> {
        self.add(from, -cents).await?;
        tokio::task::yield_now().await;
        self.add(to, cents).await?;
        self.ledger.append(reference, cents).await
    }

    /// Moves money; if the reference is taken, under another one. The failed append is undone
    /// by its savepoint, and the transfer goes on.
    pub async fn transfer_anyway(&self, from: i32, to: i32, reference: &str) -> Result<String> {
        self.add(from, -1).await?;
        self.add(to, 1).await?;
        let mut free = reference.to_owned();
        while let Err(error) = self.ledger.append(&free, 1).await {
            if error.kind() != FaultKind::Unique {
                return Err(error);
            }
            free.push('\'');
        }
        Ok(free)
    }

    /// Evens two accounts out, on a view of the data that no other transaction disturbs.
    #[resilient(isolation = "serializable", name = "Accounts::even_out")]
    pub async fn even_out(&self, a: i32, b: i32) -> Result<()> {
        let both = account::Entity::find()
            .filter(account::Column::Id.is_in([a, b]))
            .order_by_asc(account::Column::Id)
            .all(&self.db)
            .await?;
        if let [first, second] = both.as_slice() {
            let shift = (first.cents - second.cents) / 2;
            self.add(first.id, -shift).await?;
            self.add(second.id, shift).await?;
        }
        Ok(())
    }

    /// Writes, loses what it wrote without looking, and claims success.
    pub async fn careless(&self, lose: &str) -> Result<()> {
        self.add(1, 1_000_000).await?;
        let _ = self.db.execute_unprepared(lose).await;
        Ok(())
    }

    async fn add(&self, id: i32, cents: i64) -> Result<()> {
        account::Entity::update_many()
            .col_expr(
                account::Column::Cents,
                Expr::col(account::Column::Cents).add(cents),
            )
            .filter(account::Column::Id.eq(id))
            .exec(&self.db)
            .await?;
        Ok(())
    }
}

impl Accounts {
    /// The accounts behind `db`.
    pub fn new(db: &ResilientConnection) -> Self {
        Self {
            db: db.clone(),
            ledger: Ledger { db: db.clone() },
        }
    }
}

#[resilient]
impl Ledger {
    /// Notes a transfer; inside another method's transaction, in a savepoint of it.
    pub async fn append(&self, reference: &str, cents: i64) -> Result<()> {
        entry::ActiveModel {
            reference: Set(reference.to_owned()),
            cents: Set(cents),
            ..Default::default()
        }
        .insert(&self.db)
        .await?;
        Ok(())
    }
}

/// Makes the tables anew, with 1000.00 in each account.
pub async fn create(db: &ResilientConnection, accounts: i32) -> Result<()> {
    for table in ["quickstart_account", "quickstart_entry"] {
        db.execute_unprepared(&format!("DROP TABLE IF EXISTS {table}"))
            .await?;
    }
    let schema = Schema::new(db.get_database_backend());
    db.execute(&schema.create_table_from_entity(account::Entity))
        .await?;
    db.execute(&schema.create_table_from_entity(entry::Entity))
        .await?;
    let rows = (1..=accounts).map(|id| account::ActiveModel {
        id: Set(id),
        cents: Set(100_000),
    });
    account::Entity::insert_many(rows).exec(db).await?;
    Ok(())
}

/// The money in the bank.
pub async fn total(db: &ResilientConnection) -> Result<i64> {
    let cents: Vec<i64> = account::Entity::find()
        .select_only()
        .column(account::Column::Cents)
        .into_tuple()
        .all(db)
        .await?;
    Ok(cents.iter().sum())
}
