//! Signing up.

use resilient_sea_orm::prelude::*;
use sea_orm::{ActiveModelTrait, Set};
use serde::{Deserialize, Serialize};

use crate::entities::{account, user};

/// What somebody asks for.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SignUp {
    /// The name that others are to see.
    pub handle: String,
    /// Where they can be reached.
    pub email: String,
    /// In years.
    pub age: i32,
    /// The number of whoever has brought them.
    #[serde(default)]
    pub invited_by: Option<i64>,
}

/// A new user and their account, which is empty.
#[derive(Clone, Debug, Serialize)]
pub struct SignedUp {
    /// Who has signed up.
    pub user: user::Model,
    /// Where their money goes.
    pub account: account::Model,
}

/// The users.
#[derive(Clone, Debug)]
pub struct Users {
    db: ResilientConnection,
}

impl Users {
    /// Those of this database.
    pub fn new(db: &ResilientConnection) -> Self {
        Self { db: db.clone() }
    }
}

#[resilient]
impl Users {
    /// Stores a user and an account for them, both or none.
    ///
    /// # Errors
    /// The violation, if what they ask for cannot be had.
    #[resilient(deadline = "5s")]
    pub async fn sign_up(&self, wanted: &SignUp) -> Result<SignedUp> {
        let user = user::ActiveModel {
            handle: Set(wanted.handle.clone()),
            email: Set(wanted.email.to_lowercase()),
            age: Set(wanted.age),
            invited_by: Set(wanted.invited_by),
            ..Default::default()
        };
        let user = user.insert(&self.db).await?;
        let account = account::ActiveModel {
            owner_id: Set(Some(user.id)),
            cents: Set(0),
            ..Default::default()
        };
        let account = account.insert(&self.db).await?;
        Ok(SignedUp { user, account })
    }
}
