//! Everything that may be written on a method.
#![deny(warnings)]

use resilient_sea_orm::prelude::*;

pub struct Repo {
    db: ResilientConnection,
}

pub struct Token(String);

#[resilient(retries = 2, on = [contention, pool_timeout], backoff = exponential(base = "1ms"))]
impl Repo {
    /// Documented.
    #[must_use]
    pub async fn patterns(&self, (a, mut b): (u32, u32), mut c: u32, &d: &u32) -> Result<u32> {
        b += 1;
        c += 1;
        Ok(a + b + c + d)
    }

    #[resilient(borrow = [token])]
    pub(crate) async fn borrowed(&self, token: Token) -> Result<usize> {
        Ok(token.0.len())
    }

    #[resilient(retries = 0)]
    pub async fn once(&mut self, token: Token, out: &mut Vec<String>) -> Result<()> {
        out.push(token.0);
        Ok(())
    }

    #[resilient(
        isolation = "serializable",
        read_only,
        timeout = "1s",
        deadline = "1.5s"
    )]
    pub async fn lifetimes<'a>(&self, text: &'a str) -> Result<&'a str> {
        Ok(text)
    }

    #[resilient(propagation = "requires_new", commit = "reported", name = "one.two")]
    pub async fn r#type(&self, r#match: u32) -> Result<u32> {
        Ok(r#match)
    }

    #[cfg(any())]
    pub async fn absent(&self) -> Result<Missing> {
        missing()
    }

    #[cfg(all())]
    pub async fn present(&self, #[cfg(any())] x: Missing, #[cfg(all())] y: u32) -> Result<u32> {
        Ok(y)
    }

    pub async fn opaque(&self) -> Result<impl Iterator<Item = u32>> {
        Ok([1, 2].into_iter())
    }

    pub async fn coerced(&self) -> Result<Box<dyn std::fmt::Debug + Send>> {
        Ok(Box::new(1))
    }

    pub async fn generic<T>(&self, value: T, more: impl Into<String> + Clone) -> Result<(T, String)>
    where
        T: Clone,
    {
        Ok((value, more.into()))
    }

    #[resilient(skip)]
    pub async fn skipped(&self, token: Token) -> Result<usize> {
        Ok(token.0.len())
    }

    pub fn new(db: ResilientConnection) -> Self {
        Self { db }
    }
}

#[resilient(db = pool)]
pub async fn free(pool: &ResilientConnection, id: u64) -> Result<u64> {
    let _ = pool;
    Ok(id)
}

impl Repo {
    #[resilient]
    pub async fn alone(&self) -> Result<()> {
        Ok(())
    }

    #[resilient(backoff = fixed("10ms"), propagation = "required")]
    pub async fn by_value(self, id: u32) -> Result<u32> {
        let this = self;
        drop(this);
        Ok(id)
    }
}

impl Clone for Repo {
    fn clone(&self) -> Self {
        Self::new(self.db.clone())
    }
}

fn main() {
    let _ = (
        Repo::patterns,
        Repo::borrowed,
        Repo::once,
        Repo::r#type,
        Repo::opaque,
    );
}
