//! The schema, step by step. A step that has been released is never changed.

use resilient_sea_orm::commit::CreateMarkerTable;
use sea_orm::{ConnectionTrait, DbErr, sea_query::Func};
use sea_orm_migration::{
    MigrationName, MigrationTrait, MigratorTrait, SchemaManager, async_trait,
    prelude::{Expr, ExprTrait, ForeignKey, Index, Query, Table},
    schema::{big_integer, big_integer_null, big_pk_auto, char_len, integer, string_len_uniq},
};

use crate::repositories::{OPENING_CENTS, VAULT};

/// Every step, in order.
#[derive(Debug)]
pub struct Migrator;

impl MigratorTrait for Migrator {
    fn migrations() -> Vec<Box<dyn MigrationTrait>> {
        vec![
            Box::new(CreateBank),
            // What `commit = "verified"` needs.
            Box::new(CreateMarkerTable::default()),
        ]
    }
}

/// Users, accounts and transfers, and all the money there ever is.
struct CreateBank;

impl MigrationName for CreateBank {
    fn name(&self) -> &'static str {
        "m20261121_000000_bank"
    }
}

// The trait leaves the lifetime out, and an implementation that names it does not fit.
#[allow(elided_lifetimes_in_paths)]
#[async_trait::async_trait]
impl MigrationTrait for CreateBank {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        users(manager).await?;
        accounts(manager).await?;
        transfers(manager).await?;
        let vault = Query::insert()
            .into_table("bank_account")
            .columns(["id", "cents"])
            .values_panic([VAULT.into(), OPENING_CENTS.into()])
            .to_owned();
        manager.get_connection().execute(&vault).await?;
        after_the_vault(manager).await
    }

    async fn down(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        for table in ["bank_transfer", "bank_account", "bank_user"] {
            let table = Table::drop().table(table).to_owned();
            manager.drop_table(table).await?;
        }
        Ok(())
    }
}

async fn users(manager: &SchemaManager<'_>) -> Result<(), DbErr> {
    let table = Table::create()
        .table("bank_user")
        .col(big_pk_auto("id"))
        .col(string_len_uniq("handle", 40))
        .col(string_len_uniq("email", 190))
        .col(integer("age"))
        .col(big_integer_null("invited_by"))
        .check((
            "bank_user_handle_check",
            Expr::expr(Func::char_length(Expr::col("handle"))).gte(2),
        ))
        .check(("bank_user_age_check", Expr::col("age").gte(18)))
        .foreign_key(
            ForeignKey::create()
                .name("bank_user_invited_by_fkey")
                .from("bank_user", "invited_by")
                .to("bank_user", "id"),
        )
        .to_owned();
    manager.create_table(table).await
}

async fn accounts(manager: &SchemaManager<'_>) -> Result<(), DbErr> {
    let table = Table::create()
        .table("bank_account")
        .col(big_pk_auto("id"))
        .col(big_integer_null("owner_id"))
        .col(big_integer("cents"))
        .check(("bank_account_cents_check", Expr::col("cents").gte(0)))
        .foreign_key(
            ForeignKey::create()
                .name("bank_account_owner_id_fkey")
                .from("bank_account", "owner_id")
                .to("bank_user", "id"),
        )
        .to_owned();
    manager.create_table(table).await
}

async fn transfers(manager: &SchemaManager<'_>) -> Result<(), DbErr> {
    let side = |column: &'static str, name: &str| {
        ForeignKey::create()
            .name(name)
            .from("bank_transfer", column)
            .to("bank_account", "id")
            .to_owned()
    };
    let table = Table::create()
        .table("bank_transfer")
        .col(char_len("id", 36).primary_key())
        .col(big_integer("from_id"))
        .col(big_integer("to_id"))
        .col(big_integer("cents"))
        .col(big_integer("at_ms"))
        .check(("bank_transfer_cents_check", Expr::col("cents").gte(1)))
        .foreign_key(&mut side("from_id", "bank_transfer_from_id_fkey"))
        .foreign_key(&mut side("to_id", "bank_transfer_to_id_fkey"))
        .to_owned();
    manager.create_table(table).await?;
    for column in ["from_id", "to_id"] {
        // What a statement of an account reads, newest first.
        let index = Index::create()
            .name(format!("bank_transfer_{column}_idx"))
            .table("bank_transfer")
            .col(column)
            .col("at_ms")
            .to_owned();
        manager.create_index(index).await?;
    }
    Ok(())
}

/// PostgreSQL's sequence has not seen the vault's number.
async fn after_the_vault(manager: &SchemaManager<'_>) -> Result<(), DbErr> {
    if manager.get_database_backend() == sea_orm::DbBackend::Postgres {
        let sql = "SELECT setval(pg_get_serial_sequence('bank_account', 'id'), 1)";
        manager.get_connection().execute_unprepared(sql).await?;
    }
    Ok(())
}
