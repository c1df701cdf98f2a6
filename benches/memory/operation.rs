//! What is called: an operation that the compiler cannot see through.

use std::{
    cell::Cell,
    future::Future,
    hint::black_box,
    pin::Pin,
    task::{Context, Poll},
};

use crate::{Result, Runner};

/// Why the operation failed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Fault {
    /// A retry heals it.
    Passing,
    /// A retry does not.
    Lasting,
}

impl std::fmt::Display for Fault {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("a fault")
    }
}

impl std::error::Error for Fault {}

/// A kind of operation.
pub(super) trait Operation: 'static {
    /// Does it once.
    fn run() -> impl Future<Output = std::result::Result<u64, Fault>> + Send + 'static;

    /// What polls calls of it: the peers' sleepers need a runtime even for no time at all.
    fn runner() -> Result<Runner> {
        Runner::bare()
    }

    /// How many calls are counted.
    const CALLS: u32 = 1_000;
}

/// Answers at once.
pub(super) struct Ready;

/// Is pending once, then answers.
pub(super) struct Yields;

/// Fails at each first of two runs.
pub(super) struct FailsOnce;

#[inline(never)]
fn work(n: u64) -> std::result::Result<u64, Fault> {
    match black_box(n) {
        0 => Err(Fault::Lasting),
        n => Ok(n),
    }
}

impl Operation for Ready {
    async fn run() -> std::result::Result<u64, Fault> {
        work(1)
    }
}

impl Operation for Yields {
    async fn run() -> std::result::Result<u64, Fault> {
        Once(false).await;
        work(1)
    }
}

impl Operation for FailsOnce {
    async fn run() -> std::result::Result<u64, Fault> {
        if fails() {
            Err(Fault::Passing)
        } else {
            work(1)
        }
    }

    fn runner() -> Result<Runner> {
        Runner::waiting()
    }

    const CALLS: u32 = 200;
}

/// Whether this run of an operation that fails each other time fails.
#[inline(never)]
pub(super) fn fails() -> bool {
    thread_local! {
        static FAILS: Cell<bool> = const { Cell::new(false) };
    }
    FAILS.with(|fails| {
        fails.set(!fails.get());
        fails.get()
    })
}

/// Pending once. It does not wake anybody: the runners poll again by themselves.
pub(super) struct Once(pub(super) bool);

impl Future for Once {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<()> {
        if self.0 {
            return Poll::Ready(());
        }
        self.0 = true;
        context.waker().wake_by_ref();
        Poll::Pending
    }
}
