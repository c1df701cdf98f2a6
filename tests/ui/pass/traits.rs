//! Trait impls, with native `async fn`.
#![deny(warnings)]

use resilient_sea_orm::prelude::*;

pub trait Store {
    type Item;

    fn count(&self) -> u32;

    #[expect(async_fn_in_trait, reason = "the shortest way to write the test")]
    async fn save(&self, item: Self::Item) -> Result<Self::Item>;
}

pub struct Repo<T> {
    db: ResilientConnection,
    item: T,
}

#[resilient(retries = 1)]
impl<T: Clone> Store for Repo<T> {
    type Item = T;

    fn count(&self) -> u32 {
        1
    }

    async fn save(&self, item: Self::Item) -> Result<T> {
        let _ = &self.item;
        Ok(item)
    }
}

fn main() {
    let _ = <Repo<u32> as Store>::count;
}
