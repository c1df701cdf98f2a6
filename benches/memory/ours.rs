//! Ours, by the attribute and as a function, on a database that does nothing.

use std::{marker::PhantomData, sync::Arc};

use resilient_core::{
    CallOptions, Failure,
    call::{Call, run},
    metrics,
};
use resilient_macros::resilient;

use super::{nothing::Nothing, operation::Operation};
use crate::{Calls, Case, Result, Runner, Subject};

/// The rows of one kind of operation.
pub(super) fn cases<O: Operation>(group: &'static str) -> Vec<Case> {
    let mut cases = vec![
        Case::new(group, "resilient", attribute::<O>),
        Case::new(group, "resilient-uncounted", uncounted::<O>),
        Case::new(group, "resilient-function", function::<O>),
        Case::new(group, "resilient-statement", statement::<O>),
    ];
    for case in &mut cases {
        *case = case.beside("bare").kept();
    }
    cases
}

/// The rows of failures: a deadlock of a statement, then success; beside the two transactions that
/// this takes when nothing fails.
pub(super) fn failing() -> Vec<Case> {
    vec![
        Case::new("failure", "two-transactions", twice)
            .beside("bare")
            .kept(),
        Case::new("failure", "resilient", deadlock)
            .beside("two-transactions")
            .kept(),
    ]
}

#[derive(Clone)]
struct Repository<O> {
    db: Arc<Nothing>,
    operation: PhantomData<fn() -> O>,
}

impl<O: Operation> Repository<O> {
    fn new() -> Self {
        Self {
            db: Nothing::new(),
            operation: PhantomData,
        }
    }

    #[resilient(crate = crate::memory::attribute, name = "bench::operation")]
    async fn operation(&self) -> std::result::Result<u64, Failure> {
        Ok(O::run().await.unwrap_or_default())
    }

    #[resilient(crate = crate::memory::attribute, name = "bench::statement")]
    async fn statement(&self) -> std::result::Result<u64, Failure> {
        let answer = O::run().await.unwrap_or_default();
        Ok(answer + self.db.statement().await?)
    }

    #[resilient(crate = crate::memory::attribute, name = "bench::deadlocks")]
    async fn deadlocks(&self) -> std::result::Result<u64, Failure> {
        self.db.deadlocks().await
    }
}

/// Calls a method of a repository that outlives its futures: benches end with their process.
fn leaked<O: Operation>() -> &'static Repository<O> {
    Box::leak(Box::new(Repository::new()))
}

fn attribute<O: Operation>() -> Result<Box<dyn Subject>> {
    let repository = leaked::<O>();
    Ok(Calls::boxed(O::runner()?, || repository.operation()))
}

/// The same with metrics switched off, which is for the whole process: so they are on again between
/// its turns.
struct Uncounted(Box<dyn Subject>);

impl Subject for Uncounted {
    fn run(&mut self, calls: u32) {
        metrics::global().set_recording(false);
        self.0.run(calls);
        metrics::global().set_recording(true);
    }

    fn future_bytes(&self) -> usize {
        self.0.future_bytes()
    }
}

fn uncounted<O: Operation>() -> Result<Box<dyn Subject>> {
    Ok(Box::new(Uncounted(attribute::<O>()?)))
}

fn statement<O: Operation>() -> Result<Box<dyn Subject>> {
    let repository = leaked::<O>();
    Ok(Calls::boxed(O::runner()?, || repository.statement()))
}

fn function<O: Operation>() -> Result<Box<dyn Subject>> {
    let db = Nothing::new();
    let method = metrics::global().method("bench::function");
    Ok(Calls::boxed(O::runner()?, move || {
        let call = Call::new(&db, method, CallOptions::new());
        run(call, || async {
            Ok::<_, Failure>(O::run().await.unwrap_or_default())
        })
    }))
}

fn twice() -> Result<Box<dyn Subject>> {
    let repository = leaked::<super::operation::Ready>();
    Ok(Calls::boxed(Runner::waiting()?, || async {
        let first = repository.statement().await;
        first.and(repository.statement().await)
    }))
}

fn deadlock() -> Result<Box<dyn Subject>> {
    let repository = leaked::<super::operation::Ready>();
    Ok(Calls::boxed(Runner::waiting()?, || repository.deadlocks()))
}

/// Calls of one method on one database, by as many threads as there are.
pub(crate) fn shared_calls() -> impl Fn() -> Box<dyn FnMut(u32)> + Send + Sync + 'static {
    let repository = leaked::<super::operation::Ready>();
    move || {
        let mut calls =
            Runner::bare().map(|runner| Calls::boxed(runner, || repository.operation()));
        Box::new(move |times| match &mut calls {
            Ok(calls) => calls.run(times),
            Err(error) => panic!("no runtime: {error}"),
        })
    }
}
