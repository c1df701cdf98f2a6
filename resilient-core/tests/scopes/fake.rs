//! A database of nothing but a transaction state: it records what it is told, answers after a
//! poll or two, and fails where a test says so.

use std::{
    collections::{BTreeMap, VecDeque},
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, AtomicU32, AtomicU64, Ordering},
    },
    time::Duration,
};

use resilient_core::{
    CallOptions, CommitStatus, CommitToken, DriverError, Effect, Failure, Fault, FaultKind,
    IsolationLevel,
    admission::Admission,
    call::{Call, Site},
    driver::{Context, Control, Database, Disposal, Session, SharedContext},
    metrics,
    policy::{Delay, RetryPolicy},
    scope::{Place, current},
    time::FakeClock,
};

/// What the test looks at afterwards.
#[derive(Debug, Default)]
pub struct Server {
    /// Control statements and "work", in the order of their arrival.
    pub log: Vec<String>,
    /// Sessions that are checked out.
    pub busy: i32,
    /// Answers to come: `None` is success; when empty, everything succeeds.
    pub faults: VecDeque<Option<Fault>>,
    /// Whether the COMMITs to come whose answer is lost are carried out all the same.
    pub applied: VecDeque<bool>,
    /// Sessions may be stale.
    pub stale: bool,
    /// The BEGINs to come that are lost, and after which no session can be had.
    pub lose: u32,
    /// No session can be had.
    pub stuck: bool,
    /// The markers and fences that are stored, and whether each is a fence.
    pub markers: BTreeMap<CommitToken, bool>,
}

#[derive(Debug)]
pub struct FakeDb {
    pub server: Arc<Mutex<Server>>,
    pub clock: FakeClock,
    /// Whether calls are looked after from their start.
    pub watched: AtomicBool,
    context: SharedContext,
}

impl FakeDb {
    pub fn new() -> Arc<Self> {
        Self::with(RetryPolicy::new().delay(Delay::fixed(Duration::from_millis(10))))
    }

    /// One with a single write lock, as embedded engines have it.
    pub fn with_one_writer() -> Arc<Self> {
        static NEXT: AtomicU32 = AtomicU32::new(1);
        let number = NEXT.fetch_add(1, Ordering::Relaxed);
        Self::made(RetryPolicy::new(), |context| {
            context.with_one_writer(&("fake", number))
        })
    }

    pub fn with(policy: RetryPolicy) -> Arc<Self> {
        Self::made(policy, |context| context)
    }

    /// Two connections to what counts as one database.
    pub fn pair() -> (Arc<Self>, Arc<Self>) {
        static NEXT: AtomicU64 = AtomicU64::new(1 << 60);
        let identity = NEXT.fetch_add(1, Ordering::Relaxed);
        let one = || {
            Self::made(RetryPolicy::new(), |context| {
                context.with_identity(identity)
            })
        };
        (one(), one())
    }

    fn made(policy: RetryPolicy, and: impl FnOnce(Context) -> Context) -> Arc<Self> {
        static NEXT: AtomicU32 = AtomicU32::new(1);
        // Its own, as metrics are counted by name.
        let name = format!("fake {}", NEXT.fetch_add(1, Ordering::Relaxed));
        let clock = FakeClock::new();
        let context = and(Context::new(name, IsolationLevel::ReadCommitted))
            .with_policy(policy)
            .with_admission(Admission::Adaptive)
            .with_clock(Arc::new(clock.clone()));
        Arc::new(Self {
            server: Arc::default(),
            context: context.into(),
            watched: AtomicBool::new(false),
            clock,
        })
    }

    /// A call as the macro makes it, with hardly more than its body if that is enough; or one
    /// that is looked after from its start.
    pub fn call(self: &Arc<Self>, options: CallOptions) -> Call<Self> {
        if self.watched.load(Ordering::Relaxed) {
            return Call::new(self, metrics::global().method("fake"), options);
        }
        let site: &'static Site = Box::leak(Box::new(Site::new("fake", options)));
        site.enter(self, None)
    }

    /// Two pools that write to one file.
    pub fn one_file() -> (Arc<Self>, Arc<Self>) {
        static NEXT: AtomicU32 = AtomicU32::new(1);
        let number = NEXT.fetch_add(1, Ordering::Relaxed);
        let one = || {
            Self::made(RetryPolicy::new().retries(0), |context| {
                context.with_one_writer(&("file", number))
            })
        };
        (one(), one())
    }

    /// The next exchanges fail with these faults.
    pub fn fail(&self, faults: impl IntoIterator<Item = Option<(FaultKind, Effect)>>) {
        let faults = faults.into_iter().map(|f| f.map(|(k, e)| Fault::new(k, e)));
        self.server.lock().unwrap().faults.extend(faults);
    }

    /// Sends one statement to wherever the running task stands.
    pub async fn work(self: &Arc<Self>) -> Result<(), Error> {
        let Place::Scope(scope) = current(self) else {
            return Ok(());
        };
        let mut turn = scope.turn(false).await?;
        if turn.watches_writes() {
            turn.writes();
        }
        match turn.session()?.exchange("work").await {
            Ok(()) => {
                turn.succeeded(self.context().clock().now());
                Ok(())
            }
            Err(error) => {
                turn.failed(error.clone());
                Err(Failure::database(error).into())
            }
        }
    }

    /// The same for one that only reads.
    pub async fn read(self: &Arc<Self>) -> Result<(), Error> {
        if let Place::Scope(scope) = current(self) {
            let mut turn = scope.turn(false).await?;
            turn.session()?.exchange("read").await.unwrap();
            turn.succeeded(self.context().clock().now());
        }
        Ok(())
    }

    /// Transactions that waited for their turn so far.
    pub fn waits(&self) -> u64 {
        self.context.metrics().turns_waited.get()
    }

    /// Hooks run and failed so far.
    pub fn metrics(&self) -> (u64, u64) {
        let metrics = self.context.metrics();
        (metrics.hooks_run.get(), metrics.hooks_failed.get())
    }

    pub fn log(&self) -> Vec<String> {
        self.server.lock().unwrap().log.clone()
    }
}

impl Database for FakeDb {
    type Session = FakeSession;
    type Error = Error;

    async fn acquire(&self) -> Result<FakeSession, DriverError> {
        tokio::task::yield_now().await;
        let stuck = self.server.lock().unwrap().stuck;
        if stuck {
            std::future::pending::<()>().await;
        }
        self.server.lock().unwrap().busy += 1;
        Ok(FakeSession {
            server: Arc::clone(&self.server),
            open: false,
        })
    }

    async fn fence(&self, token: CommitToken) -> Result<CommitStatus, DriverError> {
        let mut session = Returned(Some(self.acquire().await?));
        let answer = match &mut session.0 {
            Some(session) => session.exchange("fence").await,
            None => Ok(()),
        };
        let stored = match &answer {
            Ok(()) => true,
            // One whose answer is lost is stored all the same.
            Err(error) => error.fault.kind() == FaultKind::ConnectionLost,
        };
        let mut server = self.server.lock().unwrap();
        let fenced = stored.then(|| *server.markers.entry(token).or_insert(true));
        drop(server);
        answer?;
        Ok(match fenced {
            Some(false) => CommitStatus::Committed,
            _ => CommitStatus::NotCommitted,
        })
    }

    fn context(&self) -> &SharedContext {
        &self.context
    }
}

/// A session that goes back when dropped.
struct Returned(Option<FakeSession>);

impl Drop for Returned {
    fn drop(&mut self) {
        if let Some(session) = self.0.take() {
            session.dispose(Disposal::Clean);
        }
    }
}

#[derive(Debug)]
pub struct FakeSession {
    server: Arc<Mutex<Server>>,
    open: bool,
}

impl FakeSession {
    pub async fn exchange(&mut self, text: &str) -> Result<(), DriverError> {
        let answer = {
            let mut server = self.server.lock().unwrap();
            server.log.push(text.to_owned());
            server.faults.pop_front().flatten()
        };
        // The server has it; the answer is on its way.
        tokio::task::yield_now().await;
        match answer {
            None => Ok(()),
            Some(fault) => Err(fault.into()),
        }
    }
}

impl Session for FakeSession {
    fn may_be_stale(&self) -> bool {
        self.server.lock().unwrap().stale
    }

    async fn control(&mut self, steps: &[Control]) -> Result<(), DriverError> {
        for step in steps {
            let text = match step {
                Control::Begin(_) => "begin".to_owned(),
                Control::Savepoint(n) => format!("savepoint {n}"),
                Control::Release(n) => format!("release {n}"),
                Control::RollbackTo(n) => format!("rollback to {n}"),
                Control::Commit => "commit".to_owned(),
                Control::CommitVerified(_) => "marker, commit".to_owned(),
                Control::Rollback | Control::RollbackChecked => "rollback".to_owned(),
            };
            let begin = matches!(step, Control::Begin(_));
            {
                let mut server = self.server.lock().unwrap();
                if begin && server.lose > 0 {
                    server.lose -= 1;
                    server.stuck = true;
                    server.log.push("begin lost".to_owned());
                    let fault = Fault::new(FaultKind::ConnectionLost, Effect::Connection);
                    return Err(DriverError::new(fault, std::io::Error::other("gone")));
                }
            }
            assert!(!(begin && self.open), "BEGIN inside a transaction");
            let answer = self.exchange(&text).await;
            if let Control::CommitVerified(token) = step {
                let mut server = self.server.lock().unwrap();
                let applied = match &answer {
                    Ok(()) => true,
                    Err(_) => server.applied.pop_front().unwrap_or(false),
                };
                if applied {
                    server.markers.insert(*token, false);
                }
            }
            answer?;
            self.open = match step {
                Control::Commit
                | Control::CommitVerified(_)
                | Control::Rollback
                | Control::RollbackChecked => false,
                _ => self.open || begin,
            };
        }
        Ok(())
    }

    fn dispose(self, how: Disposal) {
        assert!(
            how != Disposal::Clean || !self.open,
            "a session went back to the pool with its transaction open"
        );
        let mut server = self.server.lock().unwrap();
        server.busy -= 1;
        server.log.push(format!("{how:?}").to_lowercase());
    }
}

/// What calls on the fake database fail with.
#[derive(Debug)]
pub struct Error(pub Failure);

impl From<Failure> for Error {
    fn from(failure: Failure) -> Self {
        Self(failure)
    }
}
