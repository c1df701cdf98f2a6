//! The futures are `Send` and own what they need, so that they can be spawned.
#![deny(warnings)]

use std::future::Future;
use std::sync::Arc;

use resilient_sea_orm::prelude::*;

#[derive(Clone)]
pub struct Repo {
    db: ResilientConnection,
}

#[resilient]
impl Repo {
    pub async fn inner(&self, text: &str, list: Vec<u32>) -> Result<usize> {
        Ok(text.len() + list.len())
    }

    pub async fn outer(self: Arc<Self>, text: String) -> Result<usize> {
        let local = vec![1, 2];
        self.inner(&text, local).await
    }
}

fn spawn<F>(_: F)
where
    F: Future + Send + 'static,
    F::Output: Send,
{
}

pub fn all(repo: Arc<Repo>) {
    let other = Repo::clone(&repo);
    spawn(repo.outer(String::new()));
    spawn(async move { other.inner("a", Vec::new()).await });
}

fn main() {}
