//! The programmatic form of the attribute: the same loop, without a macro.

use std::{future::Future, time::Duration};

use resilient_core::{
    CallOptions, CommitMode, FaultSet, Propagation,
    admission::Admission,
    call::{self, Call},
    metrics,
    policy::{Delay, RetryPolicy},
    turns::TurnKeys,
};
use sea_orm::IsolationLevel;

use crate::{Error, ResilientConnection, connection::core_isolation};

/// The keys of `#[resilient(...)]` as a value; what is not set comes from the connection's
/// policy.
#[derive(Clone, Copy, Debug, Default)]
pub struct TransactOptions {
    call: CallOptions,
    name: Option<&'static str>,
    admission_set: bool,
}

impl TransactOptions {
    /// Nothing set.
    pub const fn new() -> Self {
        Self {
            call: CallOptions::new(),
            name: None,
            admission_set: false,
        }
    }

    /// The name in metrics; `transact` by default.
    #[must_use]
    pub const fn name(mut self, name: &'static str) -> Self {
        self.name = Some(name);
        self
    }

    /// This name, unless there is one.
    pub(crate) fn named_at_least(mut self, name: &'static str) -> Self {
        self.name.get_or_insert(name);
        self
    }

    fn call(self) -> CallOptions {
        if self.name.is_none() && !self.admission_set {
            return self.call.admission(Admission::Off);
        }
        self.call
    }

    pub(crate) fn method(&self) -> &'static str {
        self.name.unwrap_or("transact")
    }

    /// Re-executions after the first attempt.
    #[must_use]
    pub const fn retries(mut self, retries: u32) -> Self {
        self.call = self.call.retries(retries);
        self
    }

    /// The fault kinds that are retried.
    #[must_use]
    pub const fn on(mut self, on: FaultSet) -> Self {
        self.call = self.call.on(on);
        self
    }

    /// The isolation level; the server's default if unset.
    #[must_use]
    pub fn isolation(mut self, isolation: IsolationLevel) -> Self {
        self.call = self.call.isolation(core_isolation(isolation));
        self
    }

    /// Begins the transaction as `READ ONLY`.
    #[must_use]
    pub const fn read_only(mut self) -> Self {
        self.call = self.call.read_only();
        self
    }

    /// How the call relates to a transaction it is made in.
    #[must_use]
    pub const fn propagation(mut self, propagation: Propagation) -> Self {
        self.call = self.call.propagation(propagation);
        self
    }

    /// The longest one attempt may take.
    #[must_use]
    pub const fn timeout(mut self, timeout: Duration) -> Self {
        self.call = self.call.timeout(timeout);
        self
    }

    /// The longest all attempts and delays may take together.
    #[must_use]
    pub const fn deadline(mut self, deadline: Duration) -> Self {
        self.call = self.call.deadline(deadline);
        self
    }

    /// The delays between attempts; by fault kind by default.
    #[must_use]
    pub const fn backoff(mut self, delay: Delay) -> Self {
        self.call = self.call.delay(delay);
        self
    }

    /// What happens when the answer to COMMIT is lost; the connection's choice if unset.
    #[must_use]
    pub const fn commit(mut self, commit: CommitMode) -> Self {
        self.call = self.call.commit(commit);
        self
    }

    /// Takes turns with the other calls in this process that name one of these keys, before the
    /// transaction begins; see [`turns`](crate::turns). To be set last.
    ///
    /// Inside another transaction the keys must be among those that it names, or it must not have
    /// begun yet; without a transaction there is nothing to have turns for. Both are errors.
    ///
    /// ```
    /// use resilient_sea_orm::{prelude::*, turns::TurnKeys};
    ///
    /// # async fn example(db: &ResilientConnection, from: i64, to: i64) -> Result<()> {
    /// let options = TransactOptions::new()
    ///     .retries(5)
    ///     .serialize_by(TurnKeys::new().and(&from).and(&to));
    /// db.transact(options, || async { Ok(()) }).await
    /// # }
    /// ```
    #[must_use]
    pub fn serialize_by(self, keys: TurnKeys) -> SerializedOptions {
        SerializedOptions {
            options: self,
            keys,
        }
    }

    /// How long a statement may wait for a lock; see [`RetryPolicy::lock_timeout`].
    #[must_use]
    pub const fn lock_timeout(mut self, lock_timeout: Duration) -> Self {
        self.call = self.call.lock_timeout(lock_timeout);
        self
    }

    /// Whether calls of this name that are in each other's way take turns; the connection's
    /// choice if unset. Without a [`name`](Self::name) they do not unless asked to here, as they
    /// have nothing in common.
    #[must_use]
    pub const fn admission(mut self, admission: Admission) -> Self {
        self.call = self.call.admission(admission);
        self.admission_set = true;
        self
    }

    /// A policy for what is not set here.
    #[must_use]
    pub const fn policy(mut self, policy: RetryPolicy) -> Self {
        self.call = self.call.policy(policy);
        self
    }
}

/// [`TransactOptions`] with the keys by which the call takes turns; see
/// [`TransactOptions::serialize_by`].
#[derive(Clone, Debug)]
pub struct SerializedOptions {
    options: TransactOptions,
    keys: TurnKeys,
}

impl SerializedOptions {
    pub(crate) fn named_at_least(mut self, name: &'static str) -> Self {
        self.options = self.options.named_at_least(name);
        self
    }

    pub(crate) fn method(&self) -> &'static str {
        self.options.method()
    }
}

impl From<TransactOptions> for SerializedOptions {
    fn from(options: TransactOptions) -> Self {
        options.serialize_by(TurnKeys::new())
    }
}

impl ResilientConnection {
    /// Runs `body` in a transaction, again if it failed of something that heals.
    ///
    /// `body` makes a new future for each attempt. Statements on this connection inside it, and
    /// resilient methods that it calls, belong to the transaction.
    ///
    /// # Errors
    /// The body's last error as it is; or one of the framework's, when the transaction could not
    /// be committed.
    ///
    /// # Cancel safety
    /// Dropping the future rolls the work back, unless COMMIT was already sent.
    pub async fn transact<T, E, F, B>(
        &self,
        options: impl Into<SerializedOptions>,
        body: B,
    ) -> Result<T, E>
    where
        B: FnMut() -> F,
        F: Future<Output = Result<T, E>>,
        E: From<Error>,
    {
        let SerializedOptions { options, keys } = options.into();
        let method = metrics::global().method(options.method());
        let call = Call::in_turn(&self.pool, method, options.call(), keys);
        call::run(call, body).await
    }
}
