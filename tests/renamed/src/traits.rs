//! Trait impls: native, under `#[async_trait]` in both orders, and through `dyn`.

use std::sync::Arc;

use robust::{
    prelude::{ResilientConnection, Result, resilient},
    sea_orm::ConnectionTrait,
};

/// What is stored.
#[async_trait::async_trait]
pub trait Store: Send + Sync {
    /// By reference.
    async fn read(&self, key: &str) -> Result<usize>;
    /// Owned, with patterns.
    async fn write(&self, mut_key: String, pair: (u32, Vec<u32>)) -> Result<usize>;
    /// Behind a pointer.
    async fn share(self: Arc<Self>, key: String) -> Result<usize>;
    /// Not asynchronous.
    fn name(&self) -> String;
}

/// Ours outside, `#[async_trait]` inside.
#[derive(Debug)]
pub struct Outside<T> {
    /// The connection.
    pub db: ResilientConnection,
    /// Something generic.
    pub item: T,
}

#[resilient(crate = robust, retries = 2)]
#[async_trait::async_trait]
impl<T: Clone + Send + Sync + 'static> Store for Outside<T> {
    async fn read(&self, key: &str) -> Result<usize> {
        self.db.execute_unprepared("SELECT 1").await?;
        Ok(key.len())
    }

    async fn write(&self, mut key: String, (number, list): (u32, Vec<u32>)) -> Result<usize> {
        self.db.execute_unprepared("SELECT 1").await?;
        key.push_str(&number.to_string());
        Ok(key.len() + list.len())
    }

    async fn share(self: Arc<Self>, key: String) -> Result<usize> {
        let item = self.item.clone();
        self.db.execute_unprepared("SELECT 1").await?;
        drop(item);
        Ok(key.len())
    }

    fn name(&self) -> String {
        "outside".to_owned()
    }
}

/// `#[async_trait]` outside, ours inside.
#[derive(Debug)]
pub struct Inside<T> {
    /// The connection.
    pub db: ResilientConnection,
    /// Something generic.
    pub item: T,
}

#[async_trait::async_trait]
#[resilient(crate = robust, retries = 2)]
impl<T: Clone + Send + Sync + 'static> Store for Inside<T> {
    async fn read(&self, key: &str) -> Result<usize> {
        self.db.execute_unprepared("SELECT 1").await?;
        Ok(key.len())
    }

    async fn write(&self, mut key: String, (number, list): (u32, Vec<u32>)) -> Result<usize> {
        self.db.execute_unprepared("SELECT 1").await?;
        key.push_str(&number.to_string());
        Ok(key.len() + list.len())
    }

    async fn share(self: Arc<Self>, key: String) -> Result<usize> {
        let item = self.item.clone();
        self.db.execute_unprepared("SELECT 1").await?;
        drop(item);
        Ok(key.len())
    }

    fn name(&self) -> String {
        "inside".to_owned()
    }
}

/// The same, natively.
pub trait Native {
    /// What it counts.
    type Count;

    /// Counts.
    fn count(&self, key: String) -> impl Future<Output = Result<Self::Count>> + Send;
}

impl<T> Native for Outside<T>
where
    T: Send + Sync,
{
    type Count = usize;

    #[resilient(crate = robust)]
    async fn count(&self, key: String) -> Result<Self::Count> {
        self.db.execute_unprepared("SELECT 1").await?;
        Ok(key.len())
    }
}
