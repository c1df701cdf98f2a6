//! What all calls on one database share.

use std::{
    any::Any,
    hash::Hash,
    sync::{Arc, OnceLock, Weak},
    time::Duration,
};

use super::{Database, Locking};
use crate::{
    IsolationLevel,
    admission::{Admission, AdmissionSnapshot, Gates},
    commit::{Tidied, VerifySettings},
    config::Config,
    health::{
        Vitals, VitalsConfig,
        deadlocks::DeadlockBook,
        sessions::{Overdue, SessionInfo, SessionLimits, SessionRegistry},
    },
    metrics::ConnectionMetrics,
    policy::{Budget, DelaySequence, RetryPolicy},
    time::{Clock, Random, ThreadRandom, TokioClock},
    turns,
};

/// What all calls on one database share.
#[derive(Debug)]
pub struct Context {
    /// The [`Database`] whose context it is, once calls have been made on it.
    pub(crate) owner: OnceLock<Weak<dyn Any + Send + Sync>>,
    /// Distinguishes databases within the process.
    pub(crate) id: u64,
    /// The database's name in metrics and messages.
    pub(crate) name: String,
    /// The level that transactions have if none is asked for, as far as that is known.
    pub(crate) default_isolation: IsolationLevel,
    pub(crate) policy: RetryPolicy,
    pub(crate) locking: Locking,
    /// The key of the engine's only writer.
    pub(crate) writer: Option<u64>,
    pub(crate) admission: Admission,
    pub(crate) gates: Gates,
    pub(crate) verify: VerifySettings,
    pub(crate) tidied: Tidied,
    pub(crate) budget: Budget,
    pub(crate) limits: WireLimits,
    pub(crate) config: Arc<Config>,
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) random: Arc<dyn Random>,
    pub(crate) metrics: Arc<ConnectionMetrics>,
    pub(crate) sessions: SessionRegistry,
    pub(crate) deadlocks: DeadlockBook,
    pub(crate) vitals: Vitals,
}

/// How long one exchange with the server may take before it counts as lost.
///
/// The server's own limits should be shorter; these stand behind them for a network that has
/// fallen silent, where nothing else would ever end the wait.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct WireLimits {
    /// For a statement; 300 s by default.
    pub statement: Duration,
    /// For `BEGIN`, `COMMIT` and their kind; 30 s by default.
    pub control: Duration,
}

impl Default for WireLimits {
    fn default() -> Self {
        Self {
            statement: Duration::from_mins(5),
            control: Duration::from_secs(30),
        }
    }
}

impl Context {
    /// A context with defaults, registered in the global metrics under `name`.
    pub fn new(name: impl Into<String>, default_isolation: IsolationLevel) -> Self {
        use std::sync::atomic::{AtomicU64, Ordering};
        static NEXT: AtomicU64 = AtomicU64::new(1);
        let name = name.into();
        let metrics = crate::metrics::global().connection(&name);
        let clock: Arc<dyn Clock> = Arc::new(TokioClock);
        let (config, of) = (VitalsConfig::default(), Arc::clone(&metrics));
        Self {
            owner: OnceLock::new(),
            id: NEXT.fetch_add(1, Ordering::Relaxed),
            vitals: Vitals::new(&name, config, Arc::clone(&clock), of),
            metrics,
            name,
            default_isolation,
            policy: RetryPolicy::new(),
            locking: Locking::default(),
            writer: None,
            admission: Admission::default(),
            gates: Gates::default(),
            verify: VerifySettings::default(),
            tidied: Tidied::default(),
            budget: Budget::default(),
            limits: WireLimits::default(),
            config: Arc::default(),
            clock,
            random: Arc::new(ThreadRandom),
            sessions: SessionRegistry::default(),
            deadlocks: DeadlockBook::default(),
        }
    }

    /// Names the database by something that every connection to the same pool shares, so that
    /// they find each other's transactions; by default each context is a database of its own.
    #[must_use]
    pub fn with_identity(mut self, identity: u64) -> Self {
        self.id = identity;
        self
    }

    /// Sets the default retry policy.
    #[must_use]
    pub fn with_policy(mut self, policy: RetryPolicy) -> Self {
        self.policy = policy;
        self
    }

    /// Sets when transactions take the write lock.
    #[must_use]
    pub fn with_locking(mut self, locking: Locking) -> Self {
        self.locking = locking;
        self
    }

    /// Says that the engine has one write lock for the whole database, which is known by
    /// `identity` all over this process: transactions that take the lock at BEGIN take turns.
    #[must_use]
    pub fn with_one_writer(mut self, identity: &(impl Hash + ?Sized)) -> Self {
        self.writer = Some(turns::hash(identity));
        self
    }

    /// Whether transactions that take the write lock take turns.
    pub fn has_one_writer(&self) -> bool {
        self.writer.is_some()
    }

    /// Sets whether calls that are in each other's way take turns, unless they ask otherwise.
    #[must_use]
    pub fn with_admission(mut self, admission: Admission) -> Self {
        self.admission = admission;
        self
    }

    /// How many transactions of each method are open and may be, of those that were called.
    pub fn admission(&self) -> Vec<AdmissionSnapshot> {
        self.gates.snapshot()
    }

    /// Sets how commits are verified.
    #[must_use]
    pub fn with_verify(mut self, verify: VerifySettings) -> Self {
        self.verify = verify;
        self
    }

    /// How commits are verified.
    pub fn verify(&self) -> VerifySettings {
        self.verify
    }

    /// When transactions take the write lock, unless they ask otherwise.
    pub fn locking(&self) -> Locking {
        self.locking
    }

    /// Sets the retry budget.
    #[must_use]
    pub fn with_budget(mut self, budget: Budget) -> Self {
        self.budget = budget;
        self
    }

    /// Sets the wire limits.
    #[must_use]
    pub fn with_limits(mut self, limits: WireLimits) -> Self {
        self.limits = limits;
        self
    }

    /// Sets what the health checks, sessions and alerts of this database go by. What the
    /// configuration says about retries and limits is set by itself.
    #[must_use]
    pub fn with_config(mut self, config: impl Into<Arc<Config>>) -> Self {
        self.config = config.into();
        self
    }

    /// Sets the clock.
    #[must_use]
    pub fn with_clock(mut self, clock: Arc<dyn Clock>) -> Self {
        self.clock = clock;
        let config = self.vitals.config().clone();
        self.with_vitals(config)
    }

    /// Notes whose context it is. The first one stays: others share its pool.
    #[cold]
    pub(crate) fn owned_by<D: Database>(&self, db: &Arc<D>) {
        let owner: Weak<dyn Any + Send + Sync> = Arc::downgrade(db) as _;
        let _ = self.owner.set(owner);
    }

    /// Whose context it is, if that is still there.
    pub(crate) fn owner<D: Database>(&self) -> Option<Arc<D>> {
        self.owner.get()?.upgrade()?.downcast().ok()
    }

    /// Sets what is measured, when alerts are raised, and the circuit breaker. What was seen so
    /// far is forgotten.
    #[must_use]
    pub fn with_vitals(mut self, config: VitalsConfig) -> Self {
        let (clock, metrics) = (Arc::clone(&self.clock), Arc::clone(&self.metrics));
        self.vitals = Vitals::new(&self.name, config, clock, metrics);
        self
    }

    /// Sets the source of jitter.
    #[must_use]
    pub fn with_random(mut self, random: Arc<dyn Random>) -> Self {
        self.random = random;
        self
    }

    /// The name in metrics and messages.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Distinguishes databases within the process.
    pub fn id(&self) -> u64 {
        self.id
    }

    /// The retry budget.
    pub fn budget(&self) -> &Budget {
        &self.budget
    }

    /// What the health checks, sessions and alerts of this database go by; the defaults unless
    /// something was configured.
    pub fn config(&self) -> &Arc<Config> {
        &self.config
    }

    /// The wire limits.
    pub fn limits(&self) -> WireLimits {
        self.limits
    }

    /// The transactions that are open.
    pub fn sessions(&self) -> &SessionRegistry {
        &self.sessions
    }

    /// How long transactions may be open and idle, by the configuration.
    pub fn session_limits(&self) -> SessionLimits {
        let session = &self.config.session;
        SessionLimits::of(session.timeout).idle(session.max_idle_time)
    }

    /// Warns of the transactions that are open or idle for long, ends those that are for too
    /// long, and tells of both. See [`SessionRegistry::sweep`].
    pub fn end_overdue_sessions(&self) -> Vec<(SessionInfo, Overdue)> {
        let found = self.sessions.sweep(self.clock.now(), self.session_limits());
        for (info, what) in &found {
            let age = Duration::try_from_secs_f64(info.age_seconds).unwrap_or_default();
            self.vitals.session_expired(info.method, age, *what);
        }
        found
    }

    /// The delays between attempts at recovery: those of the policy.
    pub fn delays(&self) -> DelaySequence {
        DelaySequence::new(self.policy.delay)
    }

    /// The deadlocks so far.
    pub fn deadlocks(&self) -> &DeadlockBook {
        &self.deadlocks
    }

    /// The clock of delays and deadlines.
    pub fn clock(&self) -> &Arc<dyn Clock> {
        &self.clock
    }

    /// The source of jitter.
    pub fn random(&self) -> &Arc<dyn Random> {
        &self.random
    }

    /// The database's measurements, alerts and circuit breaker.
    pub fn vitals(&self) -> &Vitals {
        &self.vitals
    }

    /// The database's counters.
    pub fn metrics(&self) -> &ConnectionMetrics {
        &self.metrics
    }
}
