//! The service and the load in one program.

use std::ffi::OsString;

use bank_service::{Service, Settings};
use resilient_sea_orm::config::Environment;
use tempfile::TempDir;

use crate::{
    Failure,
    options::{Kind, Options},
};

/// A service that was started for the load.
#[derive(Debug)]
pub(crate) struct Demo {
    service: Service,
    /// Removed, with the database in it, at the end.
    _folder: TempDir,
}

impl Demo {
    /// Starts the service and points the load to it.
    pub(crate) async fn start(options: &mut Options) -> Result<Self, Failure> {
        let folder = tempfile::tempdir()?;
        let mut settings = Settings::of(&environment(folder.path()))?;
        settings.trouble = true;
        let service = Service::start(&settings).await?;
        options.seconds.get_or_insert(60);
        options.url = format!("http://{}", service.address());
        if options.database_url.is_none() {
            options.database_url = Some(settings.database_url.clone());
        }
        if options.trouble.is_empty() {
            use Kind::{Deadlocks, Kills, Leaks, Slow, Violations};
            options.trouble = vec![Deadlocks, Kills, Violations, Leaks, Slow];
        }
        let token = settings.tokens.act.or(settings.tokens.read);
        if let Some(token) = &token {
            options.set_token(token.secret());
            println!("The dashboard: {}/ops/", options.url);
            println!("Its token:     {}\n", token.secret());
        }
        Ok(Self {
            service,
            _folder: folder,
        })
    }

    /// Ends the service.
    pub(crate) async fn end(self) -> Result<(), Failure> {
        self.service.stop().await?;
        Ok(())
    }
}

/// The process's, with a database in the folder if it names none.
fn environment(folder: &std::path::Path) -> Environment {
    let mut variables: Vec<(String, OsString)> = std::env::vars_os()
        .filter_map(|(name, value)| Some((name.into_string().ok()?, value)))
        .collect();
    let database = format!("sqlite:{}?mode=rwc", folder.join("bank.db").display());
    for (name, value) in [
        ("DATABASE_URL", database),
        ("BIND", "127.0.0.1:0".to_owned()),
    ] {
        if !variables.iter().any(|(known, _)| known == name) {
            variables.push((name.to_owned(), value.into()));
        }
    }
    Environment::of(variables)
}
