//! Accounts, and what has happened in them.

use resilient_sea_orm::prelude::*;
use sea_orm::{
    ColumnTrait, Condition, EntityTrait, ExprTrait, QueryFilter, QueryOrder, QuerySelect,
};
use serde::Serialize;

use crate::entities::{account, transfer};

/// An account with its last transfers; both as of one moment.
#[derive(Clone, Debug, Serialize)]
pub struct Statement {
    /// The account.
    pub account: account::Model,
    /// Transfers from and to it, newest first.
    pub transfers: Vec<transfer::Model>,
    /// The number of the last one, if there may be older ones: what `before` takes.
    pub before: Option<String>,
}

/// The accounts.
#[derive(Clone, Debug)]
pub struct Accounts {
    db: ResilientConnection,
}

impl Accounts {
    /// Those of this database.
    pub fn new(db: &ResilientConnection) -> Self {
        Self { db: db.clone() }
    }
}

#[resilient(read_only, deadline = "5s")]
impl Accounts {
    /// One account, `None` if there is none with this number.
    ///
    /// # Errors
    /// The database's.
    pub async fn find(&self, id: i64) -> Result<Option<account::Model>> {
        Ok(account::Entity::find_by_id(id).one(&self.db).await?)
    }

    /// One account with at most `limit` of its transfers, those before the transfer `before` if
    /// that is given; an unknown one counts as not given.
    ///
    /// # Errors
    /// The database's.
    #[resilient(isolation = "repeatable_read")]
    pub async fn statement(
        &self,
        id: i64,
        before: Option<&str>,
        limit: u64,
    ) -> Result<Option<Statement>> {
        let Some(account) = account::Entity::find_by_id(id).one(&self.db).await? else {
            return Ok(None);
        };
        let mut mine = Condition::any()
            .add(transfer::Column::FromId.eq(id))
            .add(transfer::Column::ToId.eq(id));
        if let Some(last) = self.transfer(before).await? {
            let same_time = transfer::Column::AtMs.eq(last.at_ms);
            let older = Condition::any()
                .add(transfer::Column::AtMs.lt(last.at_ms))
                .add(same_time.and(transfer::Column::Id.lt(last.id)));
            mine = Condition::all().add(mine).add(older);
        }
        let transfers = transfer::Entity::find()
            .filter(mine)
            .order_by_desc(transfer::Column::AtMs)
            .order_by_desc(transfer::Column::Id)
            .limit(limit)
            .all(&self.db)
            .await?;
        let full = u64::try_from(transfers.len()).is_ok_and(|n| n == limit);
        let last = transfers.last().map(|last| last.id.clone());
        Ok(Some(Statement {
            account,
            before: last.filter(|_| full),
            transfers,
        }))
    }

    async fn transfer(&self, id: Option<&str>) -> Result<Option<transfer::Model>> {
        Ok(match id {
            Some(id) => transfer::Entity::find_by_id(id).one(&self.db).await?,
            None => None,
        })
    }
}
