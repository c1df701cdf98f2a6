//! What is compared: ways not to be in each other's way, and to go on after it.

use std::{sync::Arc, time::Duration};

use resilient_sea_orm::{
    Admission, ResilientConnection, Result as Resilient, TransactOptions,
    policy::{BudgetConfig, Delay, Jitter, RetryPolicy},
    turns::TurnKeys,
};
use tokio::sync::Semaphore;

use super::{
    Result,
    workload::{Arrival, Bank, Transfer, Workload},
};

/// What the others are compared with.
pub(crate) const BASE: &str = "none";

/// One way.
#[derive(Debug)]
pub(crate) struct Policy {
    pub(crate) name: &'static str,
    delay: Delay,
    gate: Gate,
}

/// What calls pass before they begin.
#[derive(Clone, Copy, Debug)]
enum Gate {
    Open,
    /// At most so many at a time.
    Semaphore(usize),
    /// One at a time for each account.
    Turns,
    /// As many as turn out best.
    Adaptive,
}

const MS: Duration = Duration::from_millis(1);

/// Every policy.
#[rustfmt::skip]
pub(crate) static ALL: &[Policy] = &[
    Policy { name: BASE, delay: Delay::none(), gate: Gate::Open },
    Policy {
        name: "full-jitter",
        delay: Delay::exponential(MS, Duration::from_secs(1), Jitter::Full),
        gate: Gate::Open,
    },
    Policy { name: "semaphore-1", delay: Delay::none(), gate: Gate::Semaphore(1) },
    Policy { name: "semaphore-2", delay: Delay::none(), gate: Gate::Semaphore(2) },
    Policy { name: "turns", delay: Delay::none(), gate: Gate::Turns },
    Policy { name: "by-fault", delay: Delay::by_fault(), gate: Gate::Open },
    Policy { name: "adaptive", delay: Delay::none(), gate: Gate::Adaptive },
    Policy { name: "by-fault-adaptive", delay: Delay::by_fault(), gate: Gate::Adaptive },
];

impl Policy {
    /// A connection that goes by this policy, on the bank's pool.
    pub(crate) async fn client(&self, bank: &Bank) -> Result<Client> {
        let retries = match bank.workload.arrival {
            Arrival::Closed(_) => u32::MAX,
            Arrival::Open(_) => 3,
        };
        let policy = RetryPolicy::new().retries(retries).delay(self.delay);
        let builder = ResilientConnection::builder(bank.pool.clone())
            .name(format!("{}-{}", bank.workload.name, self.name))
            .retry_budget(BudgetConfig::new(1.0, 1_000_000_000))
            .policy(policy);
        let db = builder.connect().await?;
        let gate = match self.gate {
            Gate::Open | Gate::Turns | Gate::Adaptive => None,
            Gate::Semaphore(permits) => Some(Arc::new(Semaphore::new(permits))),
        };
        let name = format!("{}/{}", bank.workload.name, self.name);
        let options = TransactOptions::new()
            .name(Box::leak(name.into_boxed_str()))
            .admission(match self.gate {
                Gate::Open | Gate::Semaphore(_) | Gate::Turns => Admission::Off,
                Gate::Adaptive => Admission::Adaptive,
            })
            .isolation(bank.workload.isolation);
        let turns = matches!(self.gate, Gate::Turns);
        Ok(Client {
            db,
            gate,
            turns,
            options,
        })
    }
}

/// Who calls under a policy.
#[derive(Clone, Debug)]
pub(crate) struct Client {
    db: ResilientConnection,
    gate: Option<Arc<Semaphore>>,
    turns: bool,
    options: TransactOptions,
}

impl Client {
    /// One call: how many attempts it took, and how it ended.
    pub(crate) async fn call(
        &self,
        workload: &Workload,
        transfer: Transfer,
    ) -> (u32, Resilient<()>) {
        let permit = match &self.gate {
            // It is never closed.
            Some(gate) => gate.acquire().await.ok(),
            None => None,
        };
        let attempts = std::sync::atomic::AtomicU32::new(0);
        let keys = if self.turns {
            TurnKeys::new().and(&transfer.from).and(&transfer.to)
        } else {
            TurnKeys::new()
        };
        let result = self
            .db
            .transact(self.options.serialize_by(keys), || {
                attempts.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
                workload.body(&self.db, transfer)
            })
            .await;
        drop(permit);
        (attempts.into_inner(), result)
    }

    /// What the policy has come to, for the progress.
    pub(crate) fn state(&self) -> String {
        let gates = self.db.admission();
        let limit = |limit: Option<u64>| limit.map_or("none".to_owned(), |l| l.to_string());
        let states = gates.iter().map(|g| {
            let locks = g.lock_timeout_seconds.map_or(f64::NAN, |s| s * 1e3);
            format!(
                "  limit {} ({} changes, locks {locks:.0} ms)",
                limit(g.limit),
                g.changes
            )
        });
        states.collect()
    }
}
