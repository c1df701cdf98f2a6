//! Transfers: what has moved the money.

use resilient_sea_orm::ConstraintMessages;
use sea_orm::entity::prelude::*;
use serde::Serialize;

/// Money that went from one account to another. No row is ever changed.
#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel, ConstraintMessages, Serialize)]
#[sea_orm(table_name = "bank_transfer")]
#[constraint(check(
    name = "bank_transfer_cents_check",
    message = "a transfer is of one cent or more",
    code = "amount_out_of_range"
))]
pub struct Model {
    /// The client's `Idempotency-Key`: a UUID in small letters, as some engines take `A` and `a`
    /// for equal.
    #[sea_orm(primary_key, auto_increment = false)]
    #[constraint(unique(
        message = "this Idempotency-Key was used for another transfer",
        code = "idempotency_key_reused",
        suggestion = "make a new key for each transfer"
    ))]
    pub id: String,
    /// Where the money came from.
    #[constraint(foreign_key(message = "there is no such account", code = "no_such_account"))]
    pub from_id: i64,
    /// Where it went.
    #[constraint(foreign_key(message = "there is no such account", code = "no_such_account"))]
    pub to_id: i64,
    /// How much.
    pub cents: i64,
    /// When, in milliseconds since 1970 by the service's clock.
    pub at_ms: i64,
}

/// None that queries follow.
#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
