//! The service: started, reached, and ended without losing anybody's answer.

use std::{io, net::SocketAddr, time::Duration};

use axum::Router;
use resilient_admin::{BearerTokens, BuildError};
use resilient_sea_orm::ResilientConnection;
use tokio::{net::TcpListener, task::JoinHandle, time::timeout};

use crate::{
    Settings, database,
    http::{self, Bank, stopping::Stopping},
    settings::Tokens,
};

/// How long connections may take to go once nothing is left to be answered, and the pool to close.
const GRACE: Duration = Duration::from_secs(5);

/// Why the service does not run.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum StartError {
    /// The database cannot be used. Its address is not in the message, as it may hold a password.
    #[error("the database of DATABASE_URL cannot be used: {0}")]
    Database(#[source] resilient_sea_orm::Error),
    /// Nobody can be listened to.
    #[error("BIND is {0}, which cannot be listened on: {1}")]
    Bind(SocketAddr, #[source] io::Error),
    /// The endpoints below `/ops` cannot be guarded.
    #[error("the endpoints below /ops cannot be served: {0}")]
    Admin(#[from] BuildError),
}

/// The endpoints and the dashboard at `/ops`, for whoever has a token.
fn admin(
    db: &ResilientConnection,
    stopping: &Stopping,
    tokens: &Tokens,
) -> Result<Router, BuildError> {
    let mut bearers = BearerTokens::new();
    if let Some(token) = &tokens.read {
        bearers = bearers.read(token.secret())?;
    }
    if let Some(token) = &tokens.act {
        bearers = bearers.act(token.secret())?;
    }
    let stopping = stopping.clone();
    resilient_admin::router(db.clone())
        .authorize(bearers)
        // Streams of events would keep the service from ending.
        .until(async move { stopping.begun().await })
        .build()
}

/// A bank that is open.
#[derive(Debug)]
pub struct Service {
    address: SocketAddr,
    db: ResilientConnection,
    stopping: Stopping,
    drain: Duration,
    served: JoinHandle<io::Result<()>>,
}

/// How a service has ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Drained {
    /// Requests that took longer than there was time for. They were answered with 503.
    pub cut: usize,
}

impl Service {
    /// Prepares the database and listens.
    ///
    /// # Errors
    /// When the database cannot be used, or the address not be listened on.
    pub async fn start(settings: &Settings) -> Result<Self, StartError> {
        let db = database::open(settings).await;
        let db = db.map_err(StartError::Database)?;
        let bind = |error| StartError::Bind(settings.bind, error);
        let listener = TcpListener::bind(settings.bind).await.map_err(bind)?;
        let address = listener.local_addr().map_err(bind)?;
        let stopping = Stopping::new();
        let bank = Bank::new(&db, &stopping, settings.trouble);
        let router = http::router(bank, admin(&db, &stopping, &settings.tokens)?);
        let begun = stopping.clone();
        let serve = axum::serve(listener, router)
            .with_graceful_shutdown(async move { begun.begun().await });
        Ok(Self {
            address,
            db,
            stopping,
            drain: settings.drain,
            served: tokio::spawn(async move { serve.await }),
        })
    }

    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// The bank's database.
    pub fn database(&self) -> &ResilientConnection {
        &self.db
    }

    /// Accepts nothing more, waits for what was accepted for as long as the settings say, cuts
    /// off the rest, and closes the pool.
    ///
    /// # Errors
    /// When listening had failed before, or the pool cannot be closed.
    pub async fn stop(mut self) -> Result<Drained, Box<dyn std::error::Error + Send + Sync>> {
        self.stopping.begin();
        let mut served = timeout(self.drain, &mut self.served).await;
        if served.is_err() {
            self.stopping.cut_off();
            served = timeout(GRACE, &mut self.served).await;
        }
        if let Ok(ended) = served {
            ended??;
        } else {
            // Somebody does not read their answer. The process is about to end.
            tracing::warn!("a connection does not close");
        }
        let drained = Drained {
            cut: self.stopping.were_cut(),
        };
        if let Ok(closed) = timeout(GRACE, self.db.close_by_ref()).await {
            closed?;
        } else {
            tracing::warn!("the pool does not close");
        }
        Ok(drained)
    }
}
