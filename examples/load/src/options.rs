//! The command line.

use clap::{Parser, ValueEnum};

/// Load and trouble for the bank service, and what became of its money.
///
/// Ends with 0 if all money is where it should be, 1 if not, and 2 if that could not be found out.
#[derive(Clone, Debug, Parser)]
#[command(name = "bank-load")]
pub(crate) struct Options {
    /// Where the service is
    #[arg(long, default_value = "http://127.0.0.1:8080")]
    pub(crate) url: String,
    /// For how long; 10 by default, with --demo 60
    #[arg(long, value_parser = clap::value_parser!(u64).range(1..))]
    pub(crate) seconds: Option<u64>,
    /// Requests at the same time
    #[arg(long, default_value_t = 16, value_parser = clap::value_parser!(u32).range(1..=1000))]
    pub(crate) tasks: u32,
    /// Requests per second in all; as many as there can be if not given
    #[arg(long, value_parser = clap::value_parser!(u32).range(1..))]
    pub(crate) rate: Option<u32>,
    /// Accounts that the money moves between; fewer collide more
    #[arg(long, default_value_t = 8, value_parser = clap::value_parser!(u32).range(2..=10_000))]
    pub(crate) accounts: u32,
    /// Seed of the random requests; keys and names are new each time
    #[arg(long, default_value_t = 7)]
    pub(crate) seed: u64,
    /// What trouble to make; deadlocks, leaks and slow need a service that was started with
    /// TROUBLE=on
    #[arg(long, value_enum, value_delimiter = ',')]
    pub(crate) trouble: Vec<Kind>,
    /// The service's database, whose sessions `kills` ends; PostgreSQL, MySQL or MariaDB
    #[arg(long)]
    pub(crate) database_url: Option<String>,
    /// A token of the service's `/ops`, to ask for its retries; `ADMIN_READ_TOKEN` if not given
    #[arg(long, env = "ADMIN_READ_TOKEN", hide_env_values = true)]
    token: Option<String>,
    /// Starts the service too, on `DATABASE_URL` or else an SQLite file in a temporary folder,
    /// and makes all the trouble that there can be unless `--trouble` chooses
    #[arg(long)]
    pub(crate) demo: bool,
}

impl Options {
    pub(crate) fn seconds(&self) -> u64 {
        self.seconds.unwrap_or(10)
    }

    pub(crate) fn token(&self) -> Option<&str> {
        self.token.as_deref()
    }

    pub(crate) fn set_token(&mut self, token: &str) {
        self.token = Some(token.to_owned());
    }
}

/// A kind of trouble.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Kind {
    /// Transfers in opposite directions between two accounts, locked in the payer's order
    Deadlocks,
    /// The service's sessions are ended by the server
    Kills,
    /// Sign-ups that are refused
    Violations,
    /// Transactions that somebody forgets to end
    Leaks,
    /// Statements that take long
    Slow,
}

impl Kind {
    pub(crate) fn name(self) -> String {
        format!("{self:?}").to_lowercase()
    }
}
