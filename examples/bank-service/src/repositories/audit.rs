//! Whether the books are right.

use std::collections::HashMap;

use resilient_sea_orm::prelude::*;
use sea_orm::{DbBackend, EntityTrait, ExprTrait, PaginatorTrait, QuerySelect, sea_query::Expr};
use serde::{Deserialize, Serialize};

use super::{OPENING_CENTS, VAULT};
use crate::entities::{account, transfer};

/// All accounts against all transfers, as of one moment.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Books {
    /// The money in all accounts.
    pub total_cents: i64,
    /// What it must be.
    pub expected_cents: i64,
    /// How many accounts there are.
    pub accounts: usize,
    /// How many transfers.
    pub transfers: u64,
    /// The accounts that hold something else than their transfers say.
    pub wrong_accounts: Vec<i64>,
}

impl Books {
    /// Whether no cent is missing, and none is too many.
    pub fn balance(&self) -> bool {
        self.total_cents == self.expected_cents && self.wrong_accounts.is_empty()
    }
}

/// The auditor. It reads every account into memory, as a small bank can.
#[derive(Clone, Debug)]
pub struct Audit {
    db: ResilientConnection,
}

impl Audit {
    /// That of this database.
    pub fn new(db: &ResilientConnection) -> Self {
        Self { db: db.clone() }
    }
}

#[resilient(read_only, isolation = "repeatable_read", deadline = "20s")]
impl Audit {
    /// Adds everything up.
    ///
    /// # Errors
    /// The database's.
    pub async fn books(&self) -> Result<Books> {
        let mut should = HashMap::from([(VAULT, OPENING_CENTS)]);
        for (id, cents) in self.sums(transfer::Column::FromId).await? {
            *should.entry(id).or_default() -= cents;
        }
        for (id, cents) in self.sums(transfer::Column::ToId).await? {
            *should.entry(id).or_default() += cents;
        }
        let accounts = account::Entity::find().all(&self.db).await?;
        let is_wrong =
            |one: &account::Model| should.get(&one.id).copied().unwrap_or(0) != one.cents;
        Ok(Books {
            total_cents: accounts.iter().map(|one| one.cents).sum(),
            expected_cents: OPENING_CENTS,
            accounts: accounts.len(),
            transfers: transfer::Entity::find().count(&self.db).await?,
            wrong_accounts: (accounts.iter().filter(|one| is_wrong(one)))
                .map(|one| one.id)
                .collect(),
        })
    }

    /// What was moved, by account.
    async fn sums(&self, by: transfer::Column) -> Result<Vec<(i64, i64)>> {
        // The sum of whole numbers is a decimal on some engines.
        let whole = match self.db.get_database_backend() {
            DbBackend::MySql => "SIGNED",
            _ => "BIGINT",
        };
        let sum = Expr::col(transfer::Column::Cents).sum().cast_as(whole);
        Ok(transfer::Entity::find()
            .select_only()
            .column(by)
            .column_as(sum, "cents")
            .group_by(by)
            .into_tuple()
            .all(&self.db)
            .await?)
    }
}
