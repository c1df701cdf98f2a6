//! The attempt loop on a database that does nothing: time and allocations beside a bare call and
//! a loop by hand. Machines are noisy: compare the rows of one run.
//!
//! `cargo bench -p resilient-benches`

#![allow(missing_docs)]

use std::{future::Future, hint::black_box, sync::Arc};

use resilient_core::{
    CallOptions, DriverError, Failure, IsolationLevel,
    call::{Call, run},
    driver::{Context, Control, Database, Disposal, Session},
    metrics,
    scope::{Place, current},
};

#[global_allocator]
static ALLOCATIONS: divan::AllocProfiler = divan::AllocProfiler::system();

fn main() {
    divan::main();
}

#[derive(Debug)]
struct Nothing(Arc<Context>);

#[derive(Debug)]
struct NoSession;

impl Session for NoSession {
    async fn control(&mut self, steps: &[Control]) -> Result<(), DriverError> {
        black_box(steps);
        Ok(())
    }

    fn dispose(self, how: Disposal) {
        black_box(how);
    }
}

impl Database for Nothing {
    type Session = NoSession;
    type Error = Failure;

    async fn acquire(&self) -> Result<NoSession, DriverError> {
        Ok(NoSession)
    }

    fn context(&self) -> &Arc<Context> {
        &self.0
    }
}

impl Nothing {
    async fn statement(self: &Arc<Self>) -> Result<u64, Failure> {
        if let Place::Scope(scope) = current(self) {
            let mut turn = scope.turn(false).await?;
            black_box(turn.session()?);
            turn.succeeded();
        }
        Ok(black_box(1))
    }
}

/// Runs a future to its end on one thread, with a timer for the wire limits.
fn block_on<F: Future>(runtime: &tokio::runtime::Runtime, future: F) -> F::Output {
    runtime.block_on(future)
}

fn runtime() -> tokio::runtime::Runtime {
    tokio::runtime::Builder::new_current_thread()
        .enable_time()
        .build()
        .expect("a runtime")
}

fn database() -> Arc<Nothing> {
    let context = Context::new("bench", IsolationLevel::ReadCommitted);
    Arc::new(Nothing(Arc::new(context)))
}

#[divan::bench]
fn bare(bencher: divan::Bencher<'_, '_>) {
    let (runtime, db) = (runtime(), database());
    bencher.bench_local(|| block_on(&runtime, db.statement()));
}

#[divan::bench]
fn loop_by_hand(bencher: divan::Bencher<'_, '_>) {
    let (runtime, db) = (runtime(), database());
    bencher.bench_local(|| {
        block_on(&runtime, async {
            let mut left = 3;
            loop {
                match db.statement().await {
                    Err(_) if left > 0 => left -= 1,
                    result => return result,
                }
            }
        })
    });
}

#[divan::bench]
fn resilient_without_statements(bencher: divan::Bencher<'_, '_>) {
    let (runtime, db) = (runtime(), database());
    let method = metrics::global().method("bench");
    bencher.bench_local(|| {
        let call = Call::new(&db, method, CallOptions::new());
        block_on(&runtime, run(call, || async { Ok::<_, Failure>(1_u64) }))
    });
}

#[divan::bench]
fn resilient_with_a_statement(bencher: divan::Bencher<'_, '_>) {
    let (runtime, db) = (runtime(), database());
    let method = metrics::global().method("bench");
    bencher.bench_local(|| {
        let call = Call::new(&db, method, CallOptions::new());
        block_on(&runtime, run(call, || db.statement()))
    });
}
