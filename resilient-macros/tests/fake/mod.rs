//! A stand-in for the runtime crate: just enough of `resilient_sea_orm` to compile expansions and
//! to watch what they do. Only [`replay`] is meant to be the same as in the real one.

pub mod replay;

use std::cell::RefCell;
use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

thread_local! {
    /// What the calls of this thread did.
    pub static LOG: RefCell<Vec<String>> = const { RefCell::new(Vec::new()) };
}

fn log(line: String) {
    LOG.with_borrow_mut(|lines| lines.push(line));
}

/// The error of the framework.
#[derive(Debug)]
pub struct Error(pub String);

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for Error {}

/// The short form.
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// A connection; fails the first `faults` attempts after their body.
#[derive(Clone, Debug, Default)]
pub struct ResilientConnection {
    pub faults: Arc<AtomicU32>,
    pub refuses: bool,
}

/// What users import.
pub mod prelude {
    pub use super::{Error, ResilientConnection, Result};
    pub use resilient_macros::resilient;
}

pub use resilient_macros::resilient;

/// What the expansion calls.
pub mod __private {
    pub use super::replay::{Owned, ReplayArgument};
    use super::{Error, Ordering, ResilientConnection, log};
    use std::future::Future;
    use std::time::Duration;

    #[derive(Clone, Copy, Debug)]
    pub enum IsolationLevel {
        ReadUncommitted,
        ReadCommitted,
        RepeatableRead,
        Serializable,
    }

    #[derive(Clone, Copy, Debug)]
    pub enum Propagation {
        Nested,
        Required,
        RequiresNew,
        Mandatory,
        Supports,
        NotSupported,
        Never,
    }

    #[derive(Clone, Copy, Debug)]
    pub enum Jitter {
        None,
        Full,
        Equal,
        Decorrelated,
    }

    #[derive(Clone, Copy, Debug)]
    pub enum FaultKind {
        Deadlock,
        SerializationFailure,
        PoolTimeout,
        PendingRollback,
    }

    #[derive(Clone, Copy, Debug)]
    pub struct FaultSet(u64);

    impl FaultSet {
        pub const NONE: Self = Self(0);
        pub const CONTENTION: Self = Self(1 << 40);
        pub const CONNECTION: Self = Self(1 << 41);
        pub const TRANSIENT: Self = Self(1 << 42);

        #[must_use]
        pub const fn union(self, other: Self) -> Self {
            Self(self.0 | other.0)
        }

        #[must_use]
        pub const fn with(self, kind: FaultKind) -> Self {
            Self(self.0 | 1 << kind as u8)
        }
    }

    #[derive(Clone, Copy, Debug)]
    pub struct Delay;

    impl Delay {
        pub const fn none() -> Self {
            Self
        }
        pub const fn fixed(_: Duration) -> Self {
            Self
        }
        pub const fn exponential(_: Duration, _: Duration, _: Jitter) -> Self {
            Self
        }
    }

    #[derive(Clone, Copy, Debug)]
    pub struct RetryPolicy;

    #[derive(Clone, Copy, Debug)]
    pub struct CallOptions {
        retries: u32,
    }

    impl CallOptions {
        pub const fn new() -> Self {
            Self { retries: 3 }
        }
        #[must_use]
        pub const fn retries(self, retries: u32) -> Self {
            Self { retries }
        }
        #[must_use]
        pub const fn on(self, _: FaultSet) -> Self {
            self
        }
        #[must_use]
        pub const fn isolation(self, _: IsolationLevel) -> Self {
            self
        }
        #[must_use]
        pub const fn read_only(self) -> Self {
            self
        }
        #[must_use]
        pub const fn propagation(self, _: Propagation) -> Self {
            self
        }
        #[must_use]
        pub const fn timeout(self, _: Duration) -> Self {
            self
        }
        #[must_use]
        pub const fn deadline(self, _: Duration) -> Self {
            self
        }
        #[must_use]
        pub const fn delay(self, _: Delay) -> Self {
            self
        }
        #[must_use]
        pub const fn policy(self, _: RetryPolicy) -> Self {
            self
        }
    }

    #[derive(Debug)]
    pub struct Site {
        name: &'static str,
        options: CallOptions,
    }

    impl Site {
        pub const fn new(name: &'static str, options: CallOptions) -> Self {
            Self { name, options }
        }
    }

    /// Anything that leads to a connection.
    pub trait Connected {
        fn connection(&self) -> &ResilientConnection;
    }

    impl Connected for ResilientConnection {
        fn connection(&self) -> &ResilientConnection {
            self
        }
    }

    impl<C: Connected + ?Sized> Connected for &C {
        fn connection(&self) -> &ResilientConnection {
            (**self).connection()
        }
    }

    #[derive(Debug)]
    pub struct Call {
        db: ResilientConnection,
        retries: u32,
        attempt: u32,
    }

    pub fn call<C: Connected + ?Sized>(
        site: &'static Site,
        db: &C,
        ty: Option<fn() -> &'static str>,
    ) -> Call {
        let ty = ty.map_or_else(String::new, |ty| {
            format!("{}::", ty().rsplit("::").next().unwrap_or_default())
        });
        log(format!("call {ty}{}", site.name));
        Call {
            db: db.connection().clone(),
            retries: site.options.retries,
            attempt: 0,
        }
    }

    impl Call {
        pub fn is_last_attempt(&self) -> bool {
            self.attempt >= self.retries
        }

        pub async fn run<T, E, F>(mut self, body: F) -> Ended<T, E>
        where
            F: Future<Output = Result<T, E>>,
            E: From<Error>,
        {
            let last = self.is_last_attempt();
            self.attempt += 1;
            log(format!("begin {}", self.attempt));
            let result = if self.db.refuses {
                Err(Error("refused".to_owned()).into())
            } else {
                body.await
            };
            Ended {
                call: self,
                last,
                result,
            }
        }
    }

    impl Call {
        #[must_use]
        pub fn call(self) -> Self {
            self
        }
    }

    #[derive(Debug)]
    pub struct Ended<T, E> {
        call: Call,
        last: bool,
        result: Result<T, E>,
    }

    impl<T, E: From<Error>> Ended<T, E> {
        #[allow(clippy::unused_async)]
        pub async fn settle(self) -> Step<Result<T, E>> {
            let faults = &self.call.db.faults;
            if faults.load(Ordering::Relaxed) == 0 {
                return Step::Done(self.result);
            }
            faults.fetch_sub(1, Ordering::Relaxed);
            if self.last {
                return Step::Done(Err(Error("exhausted".to_owned()).into()));
            }
            Step::Again(self.call)
        }
    }

    #[derive(Debug)]
    pub enum Step<R> {
        Done(R),
        Again(Call),
    }
}
