//! What a method may look like.

use std::{
    fmt::{self, Display},
    sync::{
        Arc,
        atomic::{AtomicU32, Ordering},
    },
};

use robust::{
    policy::RetryPolicy,
    prelude::{ResilientConnection, Result, resilient},
    sea_orm::{ConnectionTrait, DbErr},
};

/// A policy of the user's.
pub const PATIENT: RetryPolicy = RetryPolicy::new().retries(7);

/// Not `Clone`.
#[derive(Debug)]
pub struct Token(pub String);

/// An error of the user's.
#[derive(Debug)]
pub enum Problem {
    /// The database's.
    Database(robust::Error),
    /// Text that is no number.
    Number(std::num::ParseIntError),
}

impl Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Database(error) => error.fmt(f),
            Self::Number(error) => error.fmt(f),
        }
    }
}

impl std::error::Error for Problem {}

impl From<robust::Error> for Problem {
    fn from(error: robust::Error) -> Self {
        Self::Database(error)
    }
}

impl From<DbErr> for Problem {
    fn from(error: DbErr) -> Self {
        Self::Database(error.into())
    }
}

impl From<std::num::ParseIntError> for Problem {
    fn from(error: std::num::ParseIntError) -> Self {
        Self::Number(error)
    }
}

/// A repository.
#[derive(Clone, Debug)]
pub struct Repo {
    /// Not called `db`.
    pub pool: Arc<ResilientConnection>,
    /// How often a body ran.
    pub runs: Arc<AtomicU32>,
}

#[resilient(crate = robust, db = self.pool, policy = PATIENT)]
impl Repo {
    const STEP: u32 = 10;

    /// A new one.
    #[must_use]
    pub fn new(pool: ResilientConnection) -> Self {
        Self {
            pool: Arc::new(pool),
            runs: Arc::default(),
        }
    }

    async fn run(&self) -> Result<u32> {
        self.pool.execute_unprepared("SELECT 1").await?;
        Ok(self.runs.fetch_add(1, Ordering::SeqCst) + 1)
    }

    /// Patterns, `mut` bindings and what is not used.
    pub async fn patterns(
        &self,
        ((a, mut b), mut c): ((u32, u32), Vec<u32>),
        &d: &u32,
        _: String,
        _unused: String,
        [first, .., last]: [u32; 4],
        Token(text): &Token,
    ) -> Result<u32> {
        self.run().await?;
        b += 1;
        c.push(Self::STEP);
        let length = u32::try_from(text.len()).unwrap_or(u32::MAX);
        Ok(a + b + c.iter().sum::<u32>() + d + first + last + length)
    }

    /// Raw identifiers.
    pub async fn r#type(&self, r#match: u32) -> Result<u32> {
        self.run().await?;
        Ok(r#match)
    }

    /// Lifetimes that the result keeps.
    pub async fn lifetimes<'a, 'b: 'a>(&self, short: &'a str, long: &'b str) -> Result<&'a str> {
        self.run().await?;
        Ok(if short.is_empty() { long } else { short })
    }

    /// Generics in every position.
    pub async fn generic<T, const N: usize>(
        &self,
        value: T,
        many: [T; N],
        more: impl IntoIterator<Item = T> + Clone + Send,
    ) -> Result<Vec<T>>
    where
        T: Clone + Send + Sync,
    {
        self.run().await?;
        let mut all = vec![value];
        all.extend(many);
        all.extend(more);
        Ok(all)
    }

    /// Something opaque.
    pub async fn opaque(&self, upto: u32) -> Result<impl Iterator<Item = u32> + use<>> {
        self.run().await?;
        Ok(0..upto)
    }

    /// Closures, items and loops with labels in the body.
    pub async fn body(&self, words: &[&str]) -> Result<usize, Problem> {
        const LIMIT: usize = 3;
        fn count(word: &str) -> usize {
            word.len()
        }
        let mut total = 0;
        'words: for word in words {
            for (at, letter) in word.chars().enumerate() {
                if at >= LIMIT {
                    continue 'words;
                }
                if letter == '!' {
                    break 'words;
                }
                if letter == '?' {
                    return Ok(usize::MAX);
                }
            }
            let add = |more: &str| total += count(more);
            [*word].into_iter().for_each(add);
        }
        self.run().await?;
        let number: usize = "1".parse()?;
        Ok(total * number)
    }

    /// `Self` by value.
    pub async fn consumed(self) -> Result<Self> {
        self.run().await?;
        Ok(Self { ..self })
    }

    /// `Self` behind a pointer.
    pub async fn shared(self: Arc<Self>, note: String) -> Result<String> {
        self.run().await?;
        Ok(note)
    }

    /// What cannot be cloned, borrowed.
    #[resilient(borrow = [token])]
    pub async fn borrowed(&self, token: Token) -> Result<usize> {
        self.run().await?;
        Ok(token.0.len())
    }

    /// What cannot be cloned, moved.
    #[resilient(retries = 0)]
    pub async fn moved(&mut self, mut token: Token, out: &mut Vec<Token>) -> Result<()> {
        self.run().await?;
        token.0.push('.');
        out.push(token);
        Ok(())
    }

    /// Must be used.
    #[must_use = "for a reason"]
    pub async fn used(&self) -> Result<u32> {
        self.run().await
    }

    /// Never there.
    #[cfg(any())]
    pub async fn absent(&self) -> Result<Missing> {
        missing()
    }

    /// Always there, with an argument that never is.
    #[cfg(not(target_os = "none"))]
    pub async fn present(
        &self,
        #[cfg(any())] x: Missing,
        #[cfg(not(target_os = "none"))] y: u32,
    ) -> Result<u32> {
        self.run().await?;
        Ok(y)
    }

    /// Traced around all attempts.
    #[tracing::instrument(skip(self), err)]
    pub async fn traced(&self, text: &str, owned: String) -> Result<usize> {
        self.run().await?;
        Ok(text.len() + owned.len())
    }

    /// Left alone.
    #[resilient(skip)]
    pub async fn skipped(&self, token: Token) -> Result<u32> {
        drop(token);
        self.run().await
    }

    /// Fails at first.
    #[resilient(on = [connection_lost], backoff = none)]
    pub async fn recovers(&self, fails: u32, note: String) -> Result<String> {
        if self.run().await? <= fails {
            return Err(DbErr::Conn(robust::sea_orm::RuntimeErr::Internal(note)).into());
        }
        Ok(note)
    }
}

impl Repo {
    /// The two attributes on one method, ours first.
    #[resilient(crate = robust, db = self.pool)]
    #[tracing::instrument(skip(self))]
    pub async fn ours_first(&self, text: String) -> Result<usize> {
        self.run().await?;
        Ok(text.len())
    }

    /// The two attributes on one method, ours last.
    #[tracing::instrument(skip(self))]
    #[resilient(crate = robust, db = self.pool, name = "renamed.ours-last")]
    pub async fn ours_last(&self, text: String) -> Result<usize> {
        self.run().await?;
        Ok(text.len())
    }
}

/// A free function.
#[resilient(crate = robust, db = db, read_only)]
pub async fn free(db: ResilientConnection, text: String) -> Result<usize> {
    db.execute_unprepared("SELECT 1").await?;
    Ok(text.len())
}
