//! A program that serves the dashboard below a path of its own.

use std::{
    net::{Ipv4Addr, SocketAddr},
    time::Duration,
};

use axum::Router;
use resilient_admin::Admin;
use support::TestResult;
use tokio::{net::TcpListener, sync::watch, task::JoinHandle};

/// Where the admin router is, once as a service and once as a router.
const MOUNT: &str = "/internal/ops";
const ROUTER: &str = "/other/database";

pub struct Service {
    address: SocketAddr,
    end: watch::Sender<bool>,
    task: JoinHandle<std::io::Result<()>>,
}

impl Service {
    pub async fn start(admin: Admin) -> TestResult<Self> {
        Self::at(SocketAddr::from((Ipv4Addr::LOCALHOST, 0)), admin).await
    }

    /// The same at an address that another one had.
    pub async fn at(address: SocketAddr, admin: Admin) -> TestResult<Self> {
        let listener = TcpListener::bind(address).await?;
        let address = listener.local_addr()?;
        let (end, ended) = watch::channel(false);
        let until = |mut ended: watch::Receiver<bool>| async move {
            // An error says that the service was dropped.
            let _ = ended.wait_for(|ended| *ended).await;
        };
        let admin = admin
            .stream_interval(Duration::from_millis(250))
            .until(until(ended.clone()))
            .build()?;
        let app = Router::new()
            .nest_service(MOUNT, admin.clone())
            .nest(ROUTER, admin);
        let serve = axum::serve(listener, app).with_graceful_shutdown(until(ended));
        let task = tokio::spawn(serve.into_future());
        Ok(Self { address, end, task })
    }

    /// The dashboard's address.
    pub fn url(&self) -> String {
        format!("http://{}{MOUNT}/", self.address)
    }

    /// The same where axum nests a router, whose root then has no slash at its end.
    pub fn other_url(&self) -> String {
        format!("http://{}{ROUTER}", self.address)
    }

    /// Ends it, its streams and connections too, and answers with its address.
    pub async fn stop(self) -> TestResult<SocketAddr> {
        self.end.send_replace(true);
        self.task.await??;
        Ok(self.address)
    }
}
