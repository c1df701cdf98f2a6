//! Whether, how long and how often to retry.

mod allowance;
mod budget;
mod delay;
mod retry;

pub(crate) use allowance::Allowance;
pub use budget::{Budget, BudgetConfig};
#[cfg(feature = "backoff")]
pub use delay::from_backoff;
pub use delay::{Delay, DelaySequence, Jitter};
pub(crate) use retry::{Level, Situation, decide};
pub use retry::{RetryPolicy, StopReason, Verdict};
