//! Whoever has signed up.

use resilient_sea_orm::ConstraintMessages;
use sea_orm::entity::prelude::*;
use serde::Serialize;

/// Whoever has signed up.
#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel, ConstraintMessages, Serialize)]
#[sea_orm(table_name = "bank_user")]
#[constraint(check(
    name = "bank_user_handle_check",
    message = "a handle has at least two letters",
    code = "handle_too_short"
))]
#[constraint(check(
    name = "bank_user_age_check",
    message = "you must be at least 18 to have an account",
    code = "too_young"
))]
pub struct Model {
    /// The number of the user.
    #[sea_orm(primary_key)]
    pub id: i64,
    /// The name that others see; `a` to `z`, digits and `_`.
    #[sea_orm(unique)]
    #[constraint(unique(
        message = "that handle is taken",
        code = "handle_taken",
        suggestion = "try another one"
    ))]
    pub handle: String,
    /// In small letters, as engines differ in what they take for equal.
    #[sea_orm(unique)]
    #[constraint(unique(
        message = "that e-mail address is already registered",
        code = "email_taken",
        suggestion = "sign in instead"
    ))]
    pub email: String,
    /// In years.
    pub age: i32,
    /// Who has brought them.
    #[constraint(foreign_key(
        message = "there is no such user to have invited you",
        code = "no_such_inviter",
        suggestion = "leave the invitation out"
    ))]
    pub invited_by: Option<i64>,
}

/// None that queries follow.
#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
