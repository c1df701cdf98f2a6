//! What expansions do when they run, against the stand-in runtime of `fake`.
#![allow(
    missing_docs,
    dead_code,
    unreachable_pub,
    clippy::unused_async,
    clippy::unwrap_used,
    clippy::many_single_char_names
)]

extern crate self as resilient_sea_orm;

#[allow(
    unreachable_pub,
    unused_imports,
    missing_debug_implementations,
    clippy::new_without_default,
    clippy::pedantic
)]
mod fake;

pub use fake::{__private, prelude};

use std::future::Future;
use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::AtomicU32;
use std::task::{Context, Poll, Waker};

use fake::LOG;
use prelude::*;

/// Runs a future that never really waits.
fn block_on<F: Future>(future: F) -> F::Output {
    let mut future = pin!(future);
    loop {
        if let Poll::Ready(output) = future
            .as_mut()
            .poll(&mut Context::from_waker(Waker::noop()))
        {
            return output;
        }
    }
}

/// A connection whose first `faults` attempts fail.
fn failing(faults: u32) -> ResilientConnection {
    LOG.take();
    ResilientConnection {
        faults: Arc::new(AtomicU32::new(faults)),
        refuses: false,
    }
}

/// The first line of the log: the name of the call.
fn name() -> String {
    LOG.with_borrow(|log| log[0].clone())
}

#[derive(Clone)]
struct Repo {
    db: ResilientConnection,
    seen: Arc<AtomicU32>,
}

impl Repo {
    fn new(faults: u32) -> Self {
        Self {
            db: failing(faults),
            seen: Arc::default(),
        }
    }

    fn see(&self) -> u32 {
        self.seen.fetch_add(1, std::sync::atomic::Ordering::Relaxed) + 1
    }
}

/// Not `Clone`.
struct Token(String);

#[resilient(retries = 2)]
impl Repo {
    pub async fn patterns(
        &self,
        (a, mut b): (String, String),
        mut c: String,
        &d: &i32,
        _: Token,
        [e, ..]: [u8; 3],
    ) -> Result<String> {
        self.see();
        b.push('!');
        c.push('?');
        Ok(format!("{a}{b}{c}{d}{e}"))
    }

    #[resilient(borrow = [token])]
    pub async fn borrowed(&self, token: Token) -> Result<usize> {
        self.see();
        Ok(token.0.len())
    }

    #[resilient(retries = 0)]
    pub async fn once(&mut self, mut token: Token, out: &mut Vec<String>) -> Result<u32> {
        token.0.push('.');
        out.push(token.0);
        Ok(self.see())
    }

    pub async fn consumed(self) -> Result<u32> {
        let this = self;
        Ok(this.see())
    }

    pub async fn shared(self: Arc<Self>, note: String) -> Result<(u32, String)> {
        Ok((self.see(), note))
    }

    pub async fn coerced(&self, big: bool) -> Result<Box<dyn Fn(u32) -> u32 + Send>> {
        if big {
            return Ok(Box::new(|it| it + 100));
        }
        Ok(Box::new(|it| it + 1))
    }

    pub async fn opaque(&self, values: &[u32]) -> Result<impl Iterator<Item = u32>> {
        let values = values.to_vec();
        Ok(values.into_iter())
    }

    pub async fn converts(
        &self,
        text: &str,
    ) -> Result<u32, Box<dyn std::error::Error + Send + Sync>> {
        let number: u32 = text.parse()?;
        Ok(number)
    }

    pub async fn r#type(&self) -> Result<()> {
        Ok(())
    }

    #[resilient(name = "special")]
    pub async fn named(&self) -> Result<()> {
        Ok(())
    }

    #[resilient(skip)]
    pub async fn skipped(&self) -> Result<u32> {
        Ok(self.see())
    }

    async fn private(&self) -> Result<u32> {
        Ok(self.see())
    }

    #[resilient]
    async fn private_but_asked(&self) -> Result<u32> {
        Ok(self.see())
    }

    pub async fn borrows<'a>(&self, text: &'a str) -> Result<&'a str> {
        Ok(&text[1..])
    }

    pub async fn collides(
        &self,
        __call: u32,
        __scope: u32,
        result: u32,
        error: u32,
    ) -> Result<u32> {
        let __last = 1;
        Ok(__call + __scope + result + error + __last)
    }
}

struct Generic<T> {
    db: ResilientConnection,
    value: T,
}

#[resilient]
impl<T: Clone + Send + Sync> Generic<T> {
    pub async fn both<U: Into<String> + Clone>(
        &self,
        with: U,
        more: impl Into<String> + Clone,
    ) -> Result<(T, String)> {
        Ok((self.value.clone(), with.into() + &more.into()))
    }
}

trait Store {
    async fn save(&self, text: String) -> Result<u32>;
    fn count(&self) -> u32;
}

#[resilient]
impl Store for Repo {
    async fn save(&self, _text: String) -> Result<u32> {
        Ok(self.see())
    }

    fn count(&self) -> u32 {
        7
    }
}

#[async_trait::async_trait]
trait Boxed {
    async fn inner(&self, text: String, pair: (u32, Vec<u32>)) -> Result<usize>;
    async fn outer(&self, text: String, pair: (u32, Vec<u32>)) -> Result<usize>;
    async fn owned(self: Arc<Self>, text: String) -> Result<u32>;
}

#[resilient]
#[async_trait::async_trait]
impl Boxed for Repo {
    async fn inner(&self, mut text: String, (_, list): (u32, Vec<u32>)) -> Result<usize> {
        self.see();
        text.push('x');
        Ok(text.len() + list.len())
    }

    #[resilient(skip)]
    async fn outer(&self, text: String, _pair: (u32, Vec<u32>)) -> Result<usize> {
        Ok(text.len())
    }

    async fn owned(self: Arc<Self>, _text: String) -> Result<u32> {
        Ok(self.see())
    }
}

struct Other(Repo);

#[async_trait::async_trait]
#[resilient(db = self.0.db)]
impl Boxed for Other {
    async fn inner(&self, text: String, _pair: (u32, Vec<u32>)) -> Result<usize> {
        Ok(text.len())
    }

    async fn outer(&self, mut text: String, (_, list): (u32, Vec<u32>)) -> Result<usize> {
        self.0.see();
        text.push('x');
        Ok(text.len() + list.len())
    }

    async fn owned(self: Arc<Self>, _text: String) -> Result<u32> {
        Ok(self.0.see())
    }
}

struct Alone(ResilientConnection);

impl Alone {
    #[resilient(db = self.0)]
    async fn method(&self) -> Result<()> {
        Ok(())
    }

    #[resilient(db = pool)]
    async fn function(pool: &ResilientConnection) -> Result<()> {
        Ok(())
    }
}

#[resilient(db = pool, retries = 1)]
async fn free(pool: ResilientConnection, value: Vec<u8>) -> Result<Vec<u8>> {
    let _ = &pool;
    Ok(value)
}

fn spawnable<F: Future + Send + 'static>(future: F) -> F {
    future
}

#[test]
fn retries_and_replays_patterns() {
    let repo = Repo::new(2);
    let pair = ("a".to_owned(), "b".to_owned());
    let call = repo.patterns(pair, "c".to_owned(), &4, Token(String::new()), [5, 6, 7]);
    assert_eq!(block_on(call).unwrap(), "ab!c?45");
    assert_eq!(repo.see(), 4);
    assert_eq!(name(), "call Repo::patterns");
}

#[test]
fn gives_up_after_the_last_attempt() {
    let repo = Repo::new(9);
    let error = block_on(repo.borrows("ab")).unwrap_err();
    assert_eq!(error.0, "exhausted");
    assert_eq!(LOG.with_borrow(Vec::len), 4);
}

#[test]
fn fails_when_no_attempt_can_begin() {
    let mut repo = Repo::new(0);
    repo.db.refuses = true;
    assert_eq!(block_on(repo.consumed()).unwrap_err().0, "refused");
}

#[test]
fn borrows_what_cannot_be_cloned() {
    let repo = Repo::new(2);
    assert_eq!(block_on(repo.borrowed(Token("abc".into()))).unwrap(), 3);
    assert_eq!(repo.see(), 4);
}

#[test]
fn moves_everything_without_retries() {
    let mut repo = Repo::new(0);
    let mut out = Vec::new();
    assert_eq!(block_on(repo.once(Token("a".into()), &mut out)).unwrap(), 1);
    assert_eq!(out, ["a."]);
}

#[test]
fn replays_an_owned_self() {
    let repo = Repo::new(2);
    assert_eq!(block_on(repo.clone().consumed()).unwrap(), 3);
    let repo = Arc::new(Repo::new(2));
    assert_eq!(block_on(spawnable(repo.shared("n".into()))).unwrap().0, 3);
}

#[test]
fn keeps_the_types_of_the_body() {
    let repo = Repo::new(1);
    assert_eq!(block_on(repo.coerced(true)).unwrap()(1), 101);
    assert_eq!(block_on(repo.opaque(&[1, 2])).unwrap().sum::<u32>(), 3);
    assert!(block_on(repo.converts("x")).is_err());
    assert_eq!(block_on(repo.borrows("abc")).unwrap(), "bc");
    assert_eq!(block_on(repo.collides(1, 2, 3, 4)).unwrap(), 11);
}

#[test]
fn names_calls() {
    let repo = Repo::new(0);
    block_on(repo.r#type()).unwrap();
    assert_eq!(name(), "call Repo::type");
    let repo = Repo::new(0);
    block_on(repo.named()).unwrap();
    assert_eq!(name(), "call special");
    let alone = Alone(failing(0));
    block_on(alone.method()).unwrap();
    assert_eq!(name(), "call Alone::method");
    let pool = failing(0);
    block_on(Alone::function(&pool)).unwrap();
    assert_eq!(name(), "call function");
    let generic = Generic {
        db: failing(0),
        value: 1,
    };
    block_on(generic.both("a", "b")).unwrap();
    assert_eq!(name(), "call Generic::both");
}

#[test]
fn covers_what_callers_see() {
    let repo = Repo::new(1);
    assert_eq!(block_on(repo.skipped()).unwrap(), 1);
    assert_eq!(block_on(repo.private()).unwrap(), 2);
    assert_eq!(block_on(repo.private_but_asked()).unwrap(), 4);
    let repo = Repo::new(1);
    assert_eq!(block_on(repo.save(String::new())).unwrap(), 2);
    assert_eq!(repo.count(), 7);
}

#[test]
fn works_under_async_trait_in_both_orders() {
    let repo = Arc::new(Repo::new(2));
    assert_eq!(block_on(repo.inner("ab".into(), (1, vec![1]))).unwrap(), 4);
    assert_eq!(name(), "call Repo::inner");
    assert_eq!(repo.see(), 4);
    let other = Arc::new(Other(Repo::new(2)));
    assert_eq!(block_on(other.outer("ab".into(), (1, vec![1]))).unwrap(), 4);
    assert_eq!(name(), "call Other::outer");
    assert_eq!(other.0.see(), 4);
    let other = Arc::new(Other(Repo::new(2)));
    assert_eq!(block_on(spawnable(other.owned("ab".into()))).unwrap(), 3);
}

#[test]
fn works_on_free_functions() {
    assert_eq!(block_on(spawnable(free(failing(1), vec![1]))).unwrap(), [1]);
    assert_eq!(name(), "call free");
}

#[test]
fn lists_the_fault_kinds() {
    let kinds: &[&str] = resilient_macros::__fault_kinds!();
    assert!(kinds.contains(&"deadlock") && kinds.contains(&"other"));
}
