//! `cargo run -p bank-service`: a bank on `http://127.0.0.1:8080`.

use std::{io, process::ExitCode};

use bank_service::{Service, Settings, settings::LogFormat};
use tracing_subscriber::EnvFilter;

#[tokio::main]
async fn main() -> ExitCode {
    let settings = match Settings::from_env() {
        Ok(settings) => settings,
        Err(error) => {
            eprintln!("bank-service: {error}");
            return ExitCode::FAILURE;
        }
    };
    log(&settings);
    match run(&settings).await {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            tracing::error!(%error, "bank-service ends");
            eprintln!("bank-service: {error}");
            ExitCode::FAILURE
        }
    }
}

async fn run(settings: &Settings) -> Result<(), Box<dyn std::error::Error + Send + Sync>> {
    // Before anything else, so that no signal is missed while the database is being prepared.
    let signal = Signal::listen()?;
    let service = Service::start(settings).await?;
    let address = service.address();
    println!("The bank is open: http://{address}");
    println!("The dashboard:    http://{address}/ops/");
    if let Some(token) = settings.tokens.generated() {
        println!(
            "No ADMIN_READ_TOKEN or ADMIN_ACT_TOKEN is set; until the end of this process the"
        );
        println!("dashboard's token is {token}");
    }
    tracing::info!(%address, "listening");
    let name = signal.received().await;
    tracing::info!(signal = name, "ending: nothing more is accepted");
    let drained = service.stop().await?;
    if drained.cut == 0 {
        tracing::info!("ended, every request was answered");
    } else {
        tracing::warn!(requests = drained.cut, "ended, requests were cut off");
    }
    Ok(())
}

/// Lines for people or JSON for programs, filtered by `RUST_LOG`; `info` by default.
fn log(settings: &Settings) {
    let filter =
        EnvFilter::try_from_default_env().unwrap_or_else(|_| EnvFilter::new("info,sqlx=warn"));
    let lines = tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(io::stderr);
    match settings.log_format {
        LogFormat::Text => lines.init(),
        LogFormat::Json => lines.json().init(),
    }
}

/// Ctrl-C, and what an orchestrator sends.
struct Signal {
    #[cfg(unix)]
    terminate: tokio::signal::unix::Signal,
    #[cfg(unix)]
    interrupt: tokio::signal::unix::Signal,
}

impl Signal {
    #[cfg(unix)]
    fn listen() -> io::Result<Self> {
        use tokio::signal::unix::{SignalKind, signal};
        Ok(Self {
            terminate: signal(SignalKind::terminate())?,
            interrupt: signal(SignalKind::interrupt())?,
        })
    }

    #[cfg(unix)]
    async fn received(mut self) -> &'static str {
        tokio::select! {
            _ = self.terminate.recv() => "SIGTERM",
            _ = self.interrupt.recv() => "SIGINT",
        }
    }

    #[cfg(not(unix))]
    fn listen() -> io::Result<Self> {
        Ok(Self {})
    }

    #[cfg(not(unix))]
    async fn received(self) -> &'static str {
        match tokio::signal::ctrl_c().await {
            Ok(()) => "ctrl-c",
            // Nobody can tell it to end; it goes on.
            Err(_) => std::future::pending().await,
        }
    }
}
