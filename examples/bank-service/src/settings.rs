//! What the environment says.

use std::{env, fmt, net::SocketAddr, str::FromStr, time::Duration};

use resilient_sea_orm::{
    Config,
    config::{ConfigError, Environment},
};

mod tokens;

pub use tokens::{Token, Tokens};

use crate::database;

/// Where the bank is kept if nothing else is said: a file in the current folder.
pub const DEFAULT_DATABASE_URL: &str = "sqlite:bank-service.db?mode=rwc";

/// Everything that can be chosen. `Debug` shows no secrets.
#[derive(Clone)]
#[non_exhaustive]
pub struct Settings {
    /// `DATABASE_URL`, an SQLite file by default.
    pub database_url: String,
    /// `DB_…`, as `docs/configuration.md` lists them; [`database::defaults`] otherwise.
    pub database: Config,
    /// `BIND`, `127.0.0.1:8080` by default; port 0 is any that is free.
    pub bind: SocketAddr,
    /// `ADMIN_READ_TOKEN` and `ADMIN_ACT_TOKEN`; one that is made up at start by default.
    pub tokens: Tokens,
    /// `DRAIN_SECONDS`, how long requests may go on after the signal to end; 10 s by default.
    pub drain: Duration,
    /// `LOG_FORMAT`, `text` by default.
    pub log_format: LogFormat,
    /// `TROUBLE`, whether the endpoints that make trouble are there; off by default.
    pub trouble: bool,
}

impl fmt::Debug for Settings {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Settings")
            .field("bind", &self.bind)
            .field("drain", &self.drain)
            .field("log_format", &self.log_format)
            .field("trouble", &self.trouble)
            .finish_non_exhaustive()
    }
}

/// How logs are written.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum LogFormat {
    /// Lines for people.
    #[default]
    Text,
    /// An object in each line.
    Json,
}

/// Why the service cannot start like this. Every message names the variable, the value, unless
/// that is a secret, and what is allowed.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum SettingsError {
    /// A variable of the service itself.
    #[error("{name} is {value}; allowed is {allowed}")]
    Variable {
        /// Its name.
        name: &'static str,
        /// What it says, or how long a secret is.
        value: String,
        /// What would have been right.
        allowed: &'static str,
    },
    /// Variables of the database.
    #[error(transparent)]
    Database(#[from] ConfigError),
}

impl Settings {
    /// What this process's environment says.
    ///
    /// # Errors
    /// The first variable of the service that cannot be used, or all of the database's.
    pub fn from_env() -> Result<Self, SettingsError> {
        for name in [
            "DATABASE_URL",
            "BIND",
            "ADMIN_READ_TOKEN",
            "ADMIN_ACT_TOKEN",
        ] {
            if let Err(env::VarError::NotUnicode(_)) = env::var(name) {
                return Err(wrong(name, "not UTF-8", "text"));
            }
        }
        Self::of(&Environment::of_process())
    }

    /// What these variables say.
    ///
    /// # Errors
    /// The first variable of the service that cannot be used, or all of the database's.
    pub fn of(variables: &Environment) -> Result<Self, SettingsError> {
        let database_url = variables
            .get("DATABASE_URL")
            .unwrap_or(DEFAULT_DATABASE_URL);
        let bind = read(
            variables,
            "BIND",
            "an address and port, such as 127.0.0.1:8080",
        )?;
        let drain: u64 = read(variables, "DRAIN_SECONDS", DRAIN)?.unwrap_or(10);
        if drain > 3600 {
            return Err(wrong("DRAIN_SECONDS", &format!("{drain:?}"), DRAIN));
        }
        Ok(Self {
            database_url: checked(database_url)?,
            database: database::defaults(database_url).overlaid(variables)?,
            bind: bind.unwrap_or_else(|| SocketAddr::from(([127, 0, 0, 1], 8080))),
            tokens: Tokens::of(variables)?,
            drain: Duration::from_secs(drain),
            log_format: read(variables, "LOG_FORMAT", "text or json")?.unwrap_or_default(),
            trouble: read(variables, "TROUBLE", "on or off")?.is_some_and(|Switch(on)| on),
        })
    }
}

const DRAIN: &str = "a whole number of seconds from 0 to 3600";

fn read<T: FromStr>(
    variables: &Environment,
    name: &'static str,
    allowed: &'static str,
) -> Result<Option<T>, SettingsError> {
    let Some(text) = variables.get(name) else {
        return Ok(None);
    };
    match text.trim().parse() {
        Ok(value) => Ok(Some(value)),
        Err(_) => Err(wrong(name, &format!("{text:?}"), allowed)),
    }
}

fn wrong(name: &'static str, value: &str, allowed: &'static str) -> SettingsError {
    SettingsError::Variable {
        name,
        value: value.to_owned(),
        allowed,
    }
}

/// The scheme alone is looked at and shown: the rest may hold a password.
fn checked(url: &str) -> Result<String, SettingsError> {
    // MariaDB speaks MySQL's protocol, and SeaORM knows it by that name only.
    if let Some(rest) = url.strip_prefix("mariadb:") {
        return Ok(format!("mysql:{rest}"));
    }
    let scheme = url.split_once(':').map(|(scheme, _)| scheme);
    match scheme {
        Some("sqlite" | "postgres" | "postgresql" | "mysql") => Ok(url.to_owned()),
        _ => Err(wrong(
            "DATABASE_URL",
            &match scheme {
                Some(scheme) if scheme.chars().all(|c| c.is_ascii_alphanumeric()) => {
                    format!("an address that begins with {scheme:?}")
                }
                _ => "not an address".to_owned(),
            },
            "sqlite:, postgres:, postgresql:, mysql: or mariadb: and what follows",
        )),
    }
}

impl FromStr for LogFormat {
    type Err = ();

    fn from_str(text: &str) -> Result<Self, ()> {
        match text {
            "text" => Ok(Self::Text),
            "json" => Ok(Self::Json),
            _ => Err(()),
        }
    }
}

struct Switch(bool);

impl FromStr for Switch {
    type Err = ();

    fn from_str(text: &str) -> Result<Self, ()> {
        match text.to_ascii_lowercase().as_str() {
            "on" | "true" | "yes" | "1" => Ok(Self(true)),
            "off" | "false" | "no" | "0" => Ok(Self(false)),
            _ => Err(()),
        }
    }
}
