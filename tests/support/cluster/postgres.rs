//! A `PostgreSQL` primary and its standby.

use std::path::Path;

use sea_orm::ConnectionTrait;

use super::{PATIENCE, text};
use crate::error::Error;
use crate::locate::Engine;
use crate::process::{confined, run};
use crate::server::Server;
use crate::{connect, wait_until};

/// The name by which a primary knows its standby.
const NAME: &str = "standby";

/// Whether COMMIT waits until the standby has it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Standby {
    /// It does: what was acknowledged survives a failover.
    Synchronous,
    /// It does not: what was acknowledged last may be lost with the primary.
    Asynchronous,
}

/// A primary and a standby that follows it. Databases made on the primary are on both.
#[derive(Debug)]
pub struct Pair {
    /// The server that takes writes.
    pub primary: Server,
    /// The server that follows it.
    pub standby: Server,
}

impl Pair {
    /// Starts both, and waits until the standby follows.
    ///
    /// # Errors
    /// If `PostgreSQL` is not installed, or a server does not start.
    pub async fn start(how: Standby) -> Result<Self, Error> {
        let primary = Server::start_private(Engine::Postgres, &[])?;
        let standby = follow(&primary, how).await?;
        Ok(Self { primary, standby })
    }

    /// Makes the standby a primary. The old one is left as it is: down, or a second primary.
    ///
    /// # Errors
    /// If the standby does not take writes within a minute.
    pub async fn promote(&self) -> Result<(), Error> {
        let db = connect(&self.standby.url("postgres"), 1).await?;
        db.execute_unprepared("SELECT pg_promote(false)").await?;
        let writable = async || {
            let recovering = text(&db, "SELECT pg_is_in_recovery()::text").await?;
            Ok(recovering.as_deref() == Some("false"))
        };
        wait_until("the promotion of the standby", PATIENCE, writable).await?;
        Ok(db.close().await?)
    }

    /// Gives a promoted standby a new standby of its own in the place of the old primary, which
    /// ends with its data.
    ///
    /// # Errors
    /// If the new standby does not start.
    pub async fn rebuild(self, how: Standby) -> Result<Self, Error> {
        let (primary, old) = (self.standby, self.primary);
        drop(old);
        let standby = follow(&primary, how).await?;
        Ok(Self { primary, standby })
    }
}

/// Starts a standby of `primary`.
async fn follow(primary: &Server, how: Standby) -> Result<Server, Error> {
    let port = primary.port();
    let source = format!("host=127.0.0.1 port={port} user=postgres");
    let flags = vec![
        format!("--primary_conninfo={source} application_name={NAME} connect_timeout=2"),
        "--wal_retrieve_retry_interval=100ms".to_owned(),
    ];
    let backup = |data: &Path| {
        let mut backup = confined(&Engine::Postgres.cluster_part("pg_basebackup")?);
        backup
            .args(["--write-recovery-conf", "--checkpoint=fast", "--no-sync"])
            .args(["--wal-method=stream", "--no-password"])
            .arg(format!("--dbname={source}"))
            .arg(format!("--pgdata={}", data.display()));
        run(Engine::Postgres, backup)
    };
    let standby = Server::start_on(Engine::Postgres, flags, backup)?;
    let db = connect(&primary.url("postgres"), 1).await?;
    // Only now: a COMMIT before would wait for a standby that is not there.
    let (names, expected) = match how {
        Standby::Synchronous => (NAME, "sync"),
        Standby::Asynchronous => ("", "async"),
    };
    let set = format!("ALTER SYSTEM SET synchronous_standby_names = '{names}'");
    db.execute_unprepared(&set).await?;
    db.execute_unprepared("SELECT pg_reload_conf()").await?;
    let state =
        format!("SELECT sync_state FROM pg_stat_replication WHERE application_name = '{NAME}'");
    let follows = async || Ok(text(&db, &state).await?.as_deref() == Some(expected));
    wait_until("a standby that follows", PATIENCE, follows).await?;
    db.close().await?;
    Ok(standby)
}
