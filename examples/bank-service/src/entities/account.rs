//! Accounts.

use resilient_sea_orm::ConstraintMessages;
use sea_orm::entity::prelude::*;
use serde::Serialize;

/// An account and what is in it.
#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel, ConstraintMessages, Serialize)]
#[sea_orm(table_name = "bank_account")]
#[constraint(check(
    name = "bank_account_cents_check",
    message = "there is not enough money in the account",
    code = "insufficient_funds"
))]
pub struct Model {
    /// The number of the account.
    #[sea_orm(primary_key)]
    pub id: i64,
    /// Whose it is; nobody's is the bank's own.
    #[constraint(foreign_key(message = "there is no such user", code = "no_such_user"))]
    pub owner_id: Option<i64>,
    /// What is in it, never less than 0.
    pub cents: i64,
}

/// None that queries follow.
#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
