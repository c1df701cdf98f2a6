//! Keys are borrowed, whatever they are, and seen once.

use std::sync::Arc;

use resilient_sea_orm::{prelude::*, turns::each};

#[derive(Clone, Hash)]
struct AccountId(i64);

struct Order {
    account_id: String,
}

struct Repo {
    db: ResilientConnection,
    tenant: u32,
}

#[resilient(serialize_by = self.tenant)]
impl Repo {
    pub async fn of_the_block(&self) -> Result<u32> {
        Ok(self.tenant)
    }

    #[resilient(serialize_by = (from, to))]
    pub async fn transfer(&self, from: AccountId, to: AccountId) -> Result<i64> {
        Ok(from.0 + to.0)
    }

    #[resilient(serialize_by = (order.account_id, ("tenant", self.tenant)))]
    pub async fn settle(&self, order: &Order) -> Result<usize> {
        Ok(order.account_id.len())
    }

    #[resilient(serialize_by = each(&ids), retries = 0)]
    pub async fn close_all(&self, ids: Vec<i64>) -> Result<Vec<i64>> {
        Ok(ids)
    }

    #[resilient(serialize_by = name.trim().to_lowercase())]
    pub async fn rename(&self, name: &str) -> Result<String> {
        Ok(name.to_owned())
    }
}

#[resilient(db = db, serialize_by = ids.iter().max())]
async fn free(db: &ResilientConnection, ids: &[i64]) -> Result<usize> {
    Ok(ids.len())
}

fn main() {
    fn sends<T: Send>(_: T) {}
    let _ = |repo: Arc<Repo>| {
        sends(async move {
            repo.of_the_block().await?;
            repo.transfer(AccountId(1), AccountId(2)).await?;
            let order = Order {
                account_id: String::new(),
            };
            repo.settle(&order).await?;
            repo.close_all(vec![1]).await?;
            repo.rename("x").await?;
            free(&repo.db, &[1]).await
        })
    };
}
