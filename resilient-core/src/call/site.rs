//! Where calls come from.

use std::{
    sync::{Arc, OnceLock},
    time::Instant,
};

use tracing::Level;

use super::{
    Call,
    locks::Patience,
    mode::is_detached,
    state::{begin_options, commit_token},
};
use crate::{
    CallOptions, FaultKind,
    driver::{Context, ContextRef, Database},
    metrics::{self, MethodMetrics},
    policy::Allowance,
    scope::{
        CallStatus, Detached, Frame, FramePlace, Later,
        task::{self, Slot},
    },
    turns::TurnKeys,
};

/// A place in the source that makes resilient calls: its name, options and counters.
#[derive(Debug)]
pub struct Site {
    name: &'static str,
    options: CallOptions,
    /// Whether a call of it can do without more than its body, as long as that needs nothing.
    plain: bool,
    method: OnceLock<&'static MethodMetrics>,
}

/// How a call starts.
enum Start {
    /// When it does, if that is measured.
    Plain(Option<Instant>),
    Full,
}

impl Site {
    /// A site named `Type::method`, or `method` where the type is told by [`Site::enter`].
    pub const fn new(name: &'static str, options: CallOptions) -> Self {
        Self {
            name,
            options,
            plain: options.is_plain(),
            method: OnceLock::new(),
        }
    }

    pub(crate) fn options(&self) -> &CallOptions {
        &self.options
    }

    /// The counters of the method.
    pub(crate) fn metrics(&self) -> &'static MethodMetrics {
        self.method
            .get_or_init(|| metrics::global().method(self.name))
    }

    /// Starts a call. `type_name` completes the name of a method whose type the macro could
    /// not see.
    #[inline]
    pub fn enter<D: Database>(
        &'static self,
        db: &Arc<D>,
        type_name: Option<fn() -> &'static str>,
    ) -> Call<D> {
        if self.method.get().is_none() {
            self.register(type_name);
        }
        let context = db.context();
        match self.start(context) {
            Start::Plain(started) => {
                if context.owner.get().is_none() {
                    context.owned_by(db);
                }
                Call::plain(Slot::later(context.hold(), self), started)
            }
            Start::Full => self.enter_full(db),
        }
    }

    /// The same for one that takes turns; see [`Call::in_turn`].
    pub fn enter_in_turn<D: Database>(
        &'static self,
        db: &Arc<D>,
        type_name: Option<fn() -> &'static str>,
        keys: TurnKeys,
    ) -> Call<D> {
        if self.method.get().is_none() {
            self.register(type_name);
        }
        Call::in_turn(db, self.metrics(), self.options, keys)
    }

    /// Limits, what is around a call, and an attempt's span are looked after from the start;
    /// other calls are plain.
    fn start(&self, context: &Context) -> Start {
        let plain = self.plain
            && !context.policy.has_limits()
            && !task::in_a_call()
            && !tracing::enabled!(target: "resilient", Level::DEBUG);
        if !plain {
            return Start::Full;
        }
        context.budget.deposit();
        Start::Plain(metrics::is_recording().then(|| context.clock.now()))
    }

    #[cold]
    fn enter_full<D: Database>(&self, db: &Arc<D>) -> Call<D> {
        Call::new(db, self.metrics(), self.options)
    }

    #[cold]
    fn register(&self, type_name: Option<fn() -> &'static str>) {
        self.method.get_or_init(|| match type_name {
            None => metrics::global().method(self.name),
            Some(type_name) => {
                let name = format!("{}::{}", short(type_name()), self.name);
                metrics::global().method(&name)
            }
        });
    }

    /// The frame of a plain call, which is made when something in the call needs it.
    #[cold]
    pub(crate) fn frame(&self, context: &ContextRef) -> Arc<Frame> {
        let options = &self.options;
        let method = self.metrics().name();
        let policy = options.resolve(&context.policy);
        let place = if is_detached(options.propagation) {
            FramePlace::Detached(Arc::<Detached>::default())
        } else {
            let patience = Patience {
                options,
                policy: &policy,
                context,
                retries: policy.retries_after(FaultKind::LockTimeout),
                deadline: None,
            };
            // Without a limit to the call only its own policy's can be meant.
            let locks = policy.lock_timeout.filter(|limit| !limit.is_zero());
            FramePlace::Later(Later {
                context: context.clone(),
                options: begin_options(options, context, None, locks),
                owner: patience.owner(method),
                token: commit_token(options.commit.unwrap_or(context.verify.mode)),
                scope: OnceLock::new(),
            })
        };
        Arc::new(Frame {
            database: context.id,
            place,
            status: Arc::new(CallStatus::new(method, None)),
            deadline: None,
            allowance: Arc::new(Allowance::of(policy)),
            settled_outside: true,
            parent: None,
        })
    }
}

/// `my::module::Repo<T>` as `Repo`.
fn short(type_name: &str) -> &str {
    let bare = type_name.split('<').next().unwrap_or(type_name);
    bare.rsplit("::").next().unwrap_or(bare)
}
