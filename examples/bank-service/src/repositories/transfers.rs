//! Moving money.

use std::time::{Duration, SystemTime};

use resilient_sea_orm::{CommitStatus, CommitToken, prelude::*};
use sea_orm::{
    ActiveModelTrait, ColumnTrait, EntityTrait, ExprTrait, QueryFilter, QuerySelect, Set,
    sea_query::Expr,
};

use crate::entities::{account, transfer};

/// A transfer as it is asked for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Order {
    /// The client's `Idempotency-Key`, a UUID in small letters.
    pub key: String,
    /// Where the money is.
    pub from: i64,
    /// Where it is to go.
    pub to: i64,
    /// How much; at least 1.
    pub cents: i64,
}

impl Order {
    fn is(&self, made: &transfer::Model) -> bool {
        (made.from_id, made.to_id, made.cents) == (self.from, self.to, self.cents)
    }
}

/// What became of an order.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Made {
    /// The money has moved now.
    Now(transfer::Model),
    /// It had moved before, by an order with the same key.
    Before(transfer::Model),
}

/// What became of a transfer, for ever.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Became {
    /// The money has moved, by that commit or a later one.
    Stored(transfer::Model),
    /// That commit has not happened and never will, nor is the transfer stored by another.
    NotStored,
    /// That commit has happened, and was of something else.
    OfSomethingElse,
}

/// Why no money has moved, or why nobody knows.
#[derive(Debug, thiserror::Error, RepositoryError)]
pub enum TransferError {
    /// There is less in the account than is to be moved.
    #[error("there is not enough money in the account")]
    InsufficientFunds,
    /// One of the accounts does not exist; the field that names it.
    #[error("there is no such account")]
    NoSuchAccount(&'static str),
    /// The key belongs to a transfer of something else.
    #[error("this Idempotency-Key was used for another transfer")]
    KeyReused,
    /// The database's; its outcome says what is known.
    #[error(transparent)]
    #[resilient(source)]
    Database(resilient_sea_orm::Error),
}

/// Why nobody could say what became of a transfer.
#[derive(Debug, thiserror::Error)]
pub enum AskError {
    /// It could not be looked up.
    #[error(transparent)]
    Read(resilient_sea_orm::Error),
    /// Nobody could tell in time whether that commit has happened, or nobody can any more.
    #[error(transparent)]
    Commit(resilient_sea_orm::Error),
}

/// The order in which the two rows are locked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Locks {
    /// By number, and callers of this process take turns: nobody waits in a circle.
    Sorted,
    /// The payer's first, without turns: transfers in opposite directions deadlock. To make
    /// trouble with.
    Unsorted,
}

/// The transfers.
#[derive(Clone, Debug)]
pub struct Transfers {
    db: ResilientConnection,
}

impl Transfers {
    /// Those of this database.
    pub fn new(db: &ResilientConnection) -> Self {
        Self { db: db.clone() }
    }

    /// Makes a transfer, once for each key, however often it is asked for.
    ///
    /// # Errors
    /// What was refused. If the outcome is [`Outcome::Unknown`], the money may have moved: the
    /// same order can be sent again, or [`became`](Self::became) be asked.
    ///
    /// # Cancel safety
    /// If it is dropped, the money has moved or not; sending the order again tells.
    pub async fn make(&self, order: &Order, locks: Locks) -> Result<Made, TransferError> {
        match locks {
            Locks::Sorted => self.transfer(order).await,
            Locks::Unsorted => self.transfer_unsorted(order).await,
        }
    }
}

#[resilient(isolation = "read_committed", deadline = "5s", retries = 8)]
impl Transfers {
    /// Makes a transfer, once for each key.
    ///
    /// # Errors
    /// As [`make`](Self::make).
    #[resilient(commit = "verified", serialize_by = (order.from, order.to))]
    pub async fn transfer(&self, order: &Order) -> Result<Made, TransferError> {
        let (first, second) = (
            Ord::min(order.from, order.to),
            Ord::max(order.from, order.to),
        );
        let (first, second) = (self.lock(first).await?, self.lock(second).await?);
        self.book(order, first, second).await
    }

    /// The same, with the locks in the order that makes deadlocks.
    ///
    /// # Errors
    /// As [`make`](Self::make).
    #[resilient(commit = "verified")]
    pub async fn transfer_unsorted(&self, order: &Order) -> Result<Made, TransferError> {
        let first = self.lock(order.from).await?;
        tokio::time::sleep(Duration::from_millis(5)).await;
        let second = self.lock(order.to).await?;
        self.book(order, first, second).await
    }

    /// A transfer that is stored, `None` if there is none with this number now.
    ///
    /// # Errors
    /// The database's.
    #[resilient(read_only)]
    pub async fn find(&self, id: &str) -> Result<Option<transfer::Model>> {
        Ok(transfer::Entity::find_by_id(id).one(&self.db).await?)
    }

    /// Locks an account until the transaction ends. SQLite has locked everything already.
    async fn lock(&self, id: i64) -> Result<Option<account::Model>> {
        let found = account::Entity::find_by_id(id).lock_exclusive();
        Ok(found.one(&self.db).await?)
    }

    /// Moves the money between two accounts that are locked.
    async fn book(
        &self,
        order: &Order,
        first: Option<account::Model>,
        second: Option<account::Model>,
    ) -> Result<Made, TransferError> {
        let accounts = [first, second];
        let find = |id: i64| accounts.iter().flatten().find(move |one| one.id == id);
        let from = find(order.from).ok_or(TransferError::NoSuchAccount("from"))?;
        find(order.to).ok_or(TransferError::NoSuchAccount("to"))?;
        // Only now: who had these locks before may have used the key.
        let known = transfer::Entity::find_by_id(&order.key)
            .one(&self.db)
            .await?;
        match known {
            Some(made) if order.is(&made) => return Ok(Made::Before(made)),
            Some(_) => return Err(TransferError::KeyReused),
            None => {}
        }
        if from.cents < order.cents {
            return Err(TransferError::InsufficientFunds);
        }
        self.add(order.from, -order.cents).await?;
        self.add(order.to, order.cents).await?;
        let made = transfer::ActiveModel {
            id: Set(order.key.clone()),
            from_id: Set(order.from),
            to_id: Set(order.to),
            cents: Set(order.cents),
            at_ms: Set(now_ms()),
        };
        Ok(Made::Now(made.insert(&self.db).await?))
    }

    async fn add(&self, id: i64, cents: i64) -> Result<()> {
        let balance = Expr::col(account::Column::Cents).add(cents);
        account::Entity::update_many()
            .col_expr(account::Column::Cents, balance)
            .filter(account::Column::Id.eq(id))
            .exec(&self.db)
            .await?;
        Ok(())
    }
}

impl Transfers {
    /// What became of a transfer whose outcome was unknown, by the token of that error. What is
    /// not stored by then never will be. A transfer that is there needs nobody to ask after its
    /// commit.
    ///
    /// # Errors
    /// The database's, or that nobody could tell.
    ///
    /// # Cancel safety
    /// It can be asked again.
    pub async fn became(&self, id: &str, token: CommitToken) -> Result<Became, AskError> {
        if let Some(made) = self.find(id).await.map_err(AskError::Read)? {
            return Ok(Became::Stored(made));
        }
        let status = self.db.commit_status(token).await;
        let status = status.map_err(AskError::Commit)?;
        // It may have been stored since.
        let found = self.find(id).await.map_err(AskError::Read)?;
        Ok(match (found, status) {
            (Some(made), _) => Became::Stored(made),
            (None, CommitStatus::NotCommitted) => Became::NotStored,
            (None, CommitStatus::Committed) => Became::OfSomethingElse,
        })
    }
}

fn now_ms() -> i64 {
    let since = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH);
    let ms = since.map_or(0, |since| since.as_millis());
    i64::try_from(ms).unwrap_or(i64::MAX)
}
