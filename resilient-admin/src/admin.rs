//! [`Admin`]: what is chosen before the router is built.

use std::{fmt, future::Future, sync::Arc, time::Duration};

use axum::{Router, middleware};
use futures_util::{
    FutureExt,
    future::{BoxFuture, Shared},
};
use http::request::Parts;
use resilient_core::health::Sources;

use crate::{
    Access, Authorize, BuildError,
    access::{Asking, Everybody},
    assets,
    diagnostics::Turns,
    endpoint::ENDPOINTS,
    guard,
    live::Hub,
};

/// An admin router over these databases, to be [built](Admin::build): a connection, a manager of
/// several, or [`Databases`](crate::Databases).
pub fn router(databases: impl Sources) -> Admin {
    Admin {
        databases: Arc::new(databases),
        authorizer: None,
        settings: Settings::default(),
        end: None,
    }
}

/// An admin router that is not built yet.
#[must_use = "it is not a router before `.build()`"]
pub struct Admin {
    databases: Arc<dyn Sources>,
    authorizer: Option<Arc<dyn Authorize>>,
    settings: Settings,
    end: Option<End>,
}

/// When event streams end.
pub(crate) type End = Shared<BoxFuture<'static, ()>>;

/// What can be chosen.
#[derive(Clone, Debug)]
pub(crate) struct Settings {
    pub(crate) max_age: Duration,
    pub(crate) readiness_limit: Duration,
    pub(crate) answer_limit: Duration,
    pub(crate) diagnostics_limit: Duration,
    pub(crate) diagnostics_every: Duration,
    pub(crate) interval: Duration,
    pub(crate) keep_alive: Duration,
    pub(crate) max_streams: usize,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            max_age: Duration::from_secs(5),
            readiness_limit: Duration::from_secs(2),
            answer_limit: Duration::from_secs(15),
            diagnostics_limit: Duration::from_mins(1),
            diagnostics_every: Duration::from_secs(10),
            interval: Duration::from_secs(2),
            keep_alive: Duration::from_secs(15),
            max_streams: 2000,
        }
    }
}

/// What all requests share.
pub(crate) struct State {
    pub(crate) databases: Arc<dyn Sources>,
    pub(crate) authorizer: Arc<dyn Authorize>,
    pub(crate) settings: Settings,
    pub(crate) turns: Turns,
    pub(crate) hub: Hub,
}

impl Admin {
    /// Who may do what: [`BearerTokens`](crate::BearerTokens), a closure from the request's head
    /// to an [`Access`], or a type of one's own.
    ///
    /// ```
    /// use resilient_admin::Access;
    /// # fn example(db: impl resilient_core::health::Sources) -> Result<axum::Router, resilient_admin::BuildError> {
    /// // Behind a proxy that authenticates and removes this header from what it is sent.
    /// let admin = resilient_admin::router(db).authorize(|request: &http::request::Parts| {
    ///     match request.headers.get("x-role").map(|role| role.as_bytes()) {
    ///         Some(b"operator") => Access::Act,
    ///         Some(_) => Access::Read,
    ///         None => Access::None,
    ///     }
    /// });
    /// # admin.build()
    /// # }
    /// ```
    pub fn authorize(mut self, authorizer: impl Authorize) -> Self {
        self.authorizer = Some(Arc::new(authorizer));
        self
    }

    /// The same by a closure that has to ask somebody; what it needs of the request, it takes
    /// before its first await. Who has no answer in time may do nothing.
    pub fn authorize_async<F, A>(self, authorizer: F) -> Self
    where
        F: Fn(&Parts) -> A + Send + Sync + 'static,
        A: Future<Output = Access> + Send + 'static,
    {
        self.authorize(Asking(authorizer))
    }

    /// Everybody who reaches the router may read and act. Only where nobody else can reach it.
    pub fn insecure(mut self) -> Self {
        self.authorizer = Some(Arc::new(Everybody));
        self
    }

    /// How old a health report may be, and what was read of tables and constraints; 5 s by
    /// default. Those who ask at the same time share an answer in any case.
    pub fn max_age(mut self, age: Duration) -> Self {
        self.settings.max_age = age;
        self
    }

    /// How long `/readyz` may take; 2 s by default. A database that has not answered by then is
    /// not ready.
    pub fn readiness_limit(mut self, limit: Duration) -> Self {
        self.settings.readiness_limit = limit;
        self
    }

    /// How long any other answer may take, diagnostics aside; 15 s by default. Then it is a 503.
    pub fn answer_limit(mut self, limit: Duration) -> Self {
        self.settings.answer_limit = limit;
        self
    }

    /// How long diagnostics may take, and how long after their start they may be made again on
    /// the same database; a minute and 10 s by default.
    pub fn diagnostics(mut self, limit: Duration, every: Duration) -> Self {
        (
            self.settings.diagnostics_limit,
            self.settings.diagnostics_every,
        ) = (limit, every);
        self
    }

    /// How often event streams get a snapshot; every 2 s by default, at least 100 ms apart.
    pub fn stream_interval(mut self, interval: Duration) -> Self {
        self.settings.interval = interval.max(Duration::from_millis(100));
        self
    }

    /// After how much silence an event stream gets a comment, so that nobody takes the connection
    /// for lost; 15 s by default, at least 1 s.
    pub fn keep_alive(mut self, interval: Duration) -> Self {
        self.settings.keep_alive = interval.max(Duration::from_secs(1));
        self
    }

    /// How many event streams there may be at a time; 2000 by default. Whoever comes after that
    /// is told to come back later.
    pub fn max_streams(mut self, streams: usize) -> Self {
        self.settings.max_streams = streams;
        self
    }

    /// Event streams end when this does: the signal of a graceful shutdown, which would wait for
    /// them otherwise.
    pub fn until(mut self, end: impl Future<Output = ()> + Send + 'static) -> Self {
        self.end = Some(end.boxed().shared());
        self
    }

    /// The router, to be served as it is or nested under any path.
    ///
    /// # Errors
    /// When nothing says who may do what.
    pub fn build(self) -> Result<Router, BuildError> {
        let authorizer = self.authorizer.ok_or(BuildError::NoAuthorizer)?;
        let hub = Hub::new(Arc::clone(&self.databases), &self.settings, self.end);
        let state = Arc::new(State {
            databases: self.databases,
            authorizer,
            settings: self.settings,
            turns: Turns::default(),
            hub,
        });
        let mut router = Router::new();
        for endpoint in ENDPOINTS {
            if endpoint.is_open() {
                router = router.route(endpoint.path, (endpoint.route)());
                continue;
            }
            let guarded = (endpoint.route)().route_layer(middleware::from_fn_with_state(
                guard::Guard::new(&state, endpoint.access),
                guard::admit,
            ));
            router = router.route(endpoint.path, guarded);
        }
        router = assets::routes(router);
        Ok(router
            .fallback(assets::fallback)
            .layer(middleware::from_fn(guard::around))
            .with_state(state))
    }
}

impl fmt::Debug for Admin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Admin")
            .field("databases", &self.databases)
            .field("settings", &self.settings)
            .field("authorized", &self.authorizer.is_some())
            .finish_non_exhaustive()
    }
}
