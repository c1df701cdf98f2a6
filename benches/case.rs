//! A row that is measured in every way: calls of one kind, one after another.

use std::{
    future::Future,
    hint::black_box,
    pin::pin,
    task::{Context, Poll, Waker},
};

use tokio::runtime::{Builder, Runtime};

/// A kind of call.
#[derive(Clone, Copy, Debug)]
pub struct Case {
    /// Part of which table.
    pub group: &'static str,
    /// Unique in its group; letters, digits, `-` and `_`.
    pub name: &'static str,
    /// The name of the case in this group that it is compared with; its own name if with none.
    pub beside: &'static str,
    /// Whether the baseline has it: it is ours, or what ours is compared with.
    pub kept: bool,
    /// How many calls are counted. A thousand, unless a call waits for a timer or a server.
    pub calls: u32,
    /// Makes it ready to be called.
    pub make: fn() -> crate::Result<Box<dyn Subject>>,
}

impl Case {
    /// One that is shown, and compared with itself.
    pub const fn new(
        group: &'static str,
        name: &'static str,
        make: fn() -> crate::Result<Box<dyn Subject>>,
    ) -> Self {
        Self {
            group,
            name,
            beside: name,
            kept: false,
            calls: 1_000,
            make,
        }
    }

    /// Compared with another one.
    #[must_use]
    pub const fn beside(mut self, name: &'static str) -> Self {
        self.beside = name;
        self
    }

    /// Held to the baseline.
    #[must_use]
    pub const fn kept(mut self) -> Self {
        self.kept = true;
        self
    }

    /// Counted over so many calls.
    #[must_use]
    pub const fn calls(mut self, calls: u32) -> Self {
        self.calls = calls;
        self
    }

    /// `group/name`.
    pub fn id(&self) -> String {
        format!("{}/{}", self.group, self.name)
    }
}

/// Something that can be called again and again.
pub trait Subject {
    /// Makes so many calls, one after another.
    fn run(&mut self, calls: u32);

    /// The size of one call's future, if it has one that is worth showing.
    fn future_bytes(&self) -> usize;
}

/// What polls the calls.
#[derive(Debug)]
pub enum Runner {
    /// A bare loop, within a runtime whose timers can be registered and never fire.
    Loop(Runtime),
    /// The runtime itself, for calls that wait.
    Runtime(Runtime),
}

impl Runner {
    /// A bare loop, which costs next to nothing.
    ///
    /// # Errors
    /// If the runtime cannot be made.
    pub fn bare() -> crate::Result<Self> {
        Ok(Self::Loop(runtime()?))
    }

    /// The runtime itself.
    ///
    /// # Errors
    /// If the runtime cannot be made.
    pub fn waiting() -> crate::Result<Self> {
        Ok(Self::Runtime(runtime()?))
    }

    /// Runs a future to its end.
    pub fn block_on<F: Future>(&self, future: F) -> F::Output {
        match self {
            Self::Loop(runtime) => {
                let _entered = runtime.enter();
                let mut future = pin!(future);
                let mut context = Context::from_waker(Waker::noop());
                loop {
                    if let Poll::Ready(output) = future.as_mut().poll(&mut context) {
                        return output;
                    }
                }
            }
            Self::Runtime(runtime) => runtime.block_on(future),
        }
    }
}

/// One thread and its timers.
fn runtime() -> crate::Result<Runtime> {
    Ok(Builder::new_current_thread().enable_all().build()?)
}

/// Calls of a function that returns a future.
#[derive(Debug)]
pub struct Calls<F> {
    runner: Runner,
    call: F,
}

impl<F, Fut> Calls<F>
where
    F: FnMut() -> Fut + 'static,
    Fut: Future,
{
    /// Calls that this runner polls.
    pub fn boxed(runner: Runner, call: F) -> Box<dyn Subject> {
        Box::new(Self { runner, call })
    }
}

impl<F, Fut> Subject for Calls<F>
where
    F: FnMut() -> Fut,
    Fut: Future,
{
    fn run(&mut self, calls: u32) {
        let call = &mut self.call;
        self.runner.block_on(async {
            for _ in 0..calls {
                black_box(call().await);
            }
        });
    }

    fn future_bytes(&self) -> usize {
        size_of::<Fut>()
    }
}
