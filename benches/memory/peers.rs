//! The call itself, a loop by hand, and the libraries that retry, each with up to three retries
//! without delay of what a retry heals.

use std::{future::Ready as Done, future::ready, time::Duration};

use backon::{ConstantBuilder, Retryable as _};
use tokio_retry2::{RetryError, strategy::FixedInterval};
use tower::{Service as _, ServiceExt as _};

use super::operation::{Fault, Operation};
use crate::{Calls, Case, Result, Subject};

const RETRIES: usize = 3;

/// The rows of one kind of operation.
pub(super) fn cases<O: Operation>(group: &'static str) -> Vec<Case> {
    let mut cases = vec![
        Case::new(group, "bare", bare::<O>).kept(),
        Case::new(group, "hand", hand::<O>).kept(),
        Case::new(group, "backon", backon::<O>),
        Case::new(group, "tower", tower::<O>),
        Case::new(group, "tokio-retry2", tokio_retry2::<O>),
        Case::new(group, "backoff", backoff::<O>),
        Case::new(group, "tower-resilience", tower_resilience::<O>),
    ];
    for case in &mut cases {
        *case = case.beside("bare").calls(O::CALLS);
    }
    cases
}

#[allow(
    clippy::trivially_copy_pass_by_ref,
    reason = "as the libraries want it"
)]
fn passing(fault: &Fault) -> bool {
    *fault == Fault::Passing
}

fn bare<O: Operation>() -> Result<Box<dyn Subject>> {
    Ok(Calls::boxed(O::runner()?, || O::run()))
}

fn hand<O: Operation>() -> Result<Box<dyn Subject>> {
    Ok(Calls::boxed(O::runner()?, || async {
        let mut left = RETRIES;
        loop {
            match O::run().await {
                Err(fault) if left > 0 && passing(&fault) => left -= 1,
                result => return result,
            }
        }
    }))
}

fn backon<O: Operation>() -> Result<Box<dyn Subject>> {
    let delays = ConstantBuilder::new()
        .with_delay(Duration::ZERO)
        .with_max_times(RETRIES);
    Ok(Calls::boxed(O::runner()?, move || {
        O::run.retry(delays).when(passing)
    }))
}

/// `tower` leaves the decision, and the delay, to its user.
#[derive(Clone)]
struct Policy(usize);

impl<R> tower::retry::Policy<(), R, Fault> for Policy {
    type Future = Done<()>;

    fn retry(
        &mut self,
        (): &mut (),
        result: &mut std::result::Result<R, Fault>,
    ) -> Option<Done<()>> {
        match result {
            Err(fault) if self.0 > 0 && passing(fault) => {
                self.0 -= 1;
                Some(ready(()))
            }
            _ => None,
        }
    }

    fn clone_request(&mut self, (): &()) -> Option<()> {
        Some(())
    }
}

fn tower<O: Operation>() -> Result<Box<dyn Subject>> {
    let service = tower::service_fn(|()| O::run());
    let service = tower::retry::Retry::new(Policy(RETRIES), service);
    Ok(Calls::boxed(O::runner()?, move || {
        let mut service = service.clone();
        async move { service.ready().await?.call(()).await }
    }))
}

fn tokio_retry2<O: Operation>() -> Result<Box<dyn Subject>> {
    Ok(Calls::boxed(O::runner()?, || {
        let delays = FixedInterval::new(Duration::ZERO).take(RETRIES);
        tokio_retry2::Retry::spawn(delays, || async {
            O::run().await.map_err(|fault| match fault {
                Fault::Passing => RetryError::transient(fault),
                Fault::Lasting => RetryError::permanent(fault),
            })
        })
    }))
}

fn backoff<O: Operation>() -> Result<Box<dyn Subject>> {
    Ok(Calls::boxed(O::runner()?, || {
        let delays = backoff::backoff::Zero {};
        backoff::future::retry(delays, || async {
            O::run().await.map_err(|fault| match fault {
                Fault::Passing => backoff::Error::transient(fault),
                Fault::Lasting => backoff::Error::permanent(fault),
            })
        })
    }))
}

fn tower_resilience<O: Operation>() -> Result<Box<dyn Subject>> {
    let layer = tower_resilience_retry::RetryLayer::<(), u64, Fault>::builder()
        .max_attempts(RETRIES + 1)
        .fixed_backoff(Duration::ZERO)
        .retry_on(passing)
        .build();
    let service = tower::Layer::layer(&layer, tower::service_fn(|()| O::run()));
    Ok(Calls::boxed(O::runner()?, move || {
        let mut service = service.clone();
        async move { service.ready().await?.call(()).await }
    }))
}
