//! What the programs of this package share.

use std::time::{Duration, Instant};

use nix::sys::{
    resource::{UsageWho, getrusage},
    time::{TimeVal, TimeValLike},
};

/// Any error.
pub type Result<T = ()> = std::result::Result<T, Box<dyn std::error::Error + Send + Sync>>;

/// The table that most of them work on.
pub mod account {
    use sea_orm::entity::prelude::*;

    /// One account.
    #[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
    #[sea_orm(table_name = "account")]
    #[allow(missing_docs)]
    pub struct Model {
        #[sea_orm(primary_key, auto_increment = false)]
        pub id: i32,
        pub balance: i64,
    }

    /// It has none.
    #[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
    pub enum Relation {}

    impl ActiveModelBehavior for ActiveModel {}
}

/// The median of some times.
pub fn median(mut times: Vec<Duration>) -> Duration {
    times.sort_unstable();
    times.get(times.len() / 2).copied().unwrap_or_default()
}

/// What something took.
#[derive(Clone, Copy, Debug)]
pub struct Spent {
    /// From its begin to its end.
    pub wall: Duration,
    /// The processors' time that this process had meanwhile, which others on the machine hardly
    /// change.
    pub cpu: Duration,
}

/// How long a future takes.
///
/// # Errors
/// Its own.
pub async fn timed<T>(call: impl Future<Output = Result<T>>) -> Result<(Spent, T)> {
    let (begun, cpu) = (Instant::now(), cpu()?);
    let value = call.await?;
    let spent = Spent {
        wall: begun.elapsed(),
        cpu: self::cpu()?.saturating_sub(cpu),
    };
    Ok((spent, value))
}

/// The processors' time of this process.
fn cpu() -> Result<Duration> {
    let usage = getrusage(UsageWho::RUSAGE_SELF)?;
    let micros = |time: TimeVal| time.num_microseconds();
    let all = micros(usage.user_time()) + micros(usage.system_time());
    Ok(Duration::from_micros(u64::try_from(all)?))
}

/// The value of `--name value` or `--name=value` on the command line.
pub fn argument(name: &str) -> Option<String> {
    let mut arguments = std::env::args().skip(1);
    while let Some(argument) = arguments.next() {
        match argument.split_once('=') {
            Some((flag, value)) if flag == name => return Some(value.to_owned()),
            None if argument == name => return arguments.next(),
            _ => {}
        }
    }
    None
}

/// Whether a flag is on the command line.
pub fn flag(name: &str) -> bool {
    std::env::args().any(|argument| argument == name)
}

/// The address of an engine's server, which `with-servers` sets.
///
/// # Errors
/// If it is not set.
pub fn server(variable: &str) -> Result<String> {
    std::env::var(variable).map_err(|_| {
        format!(
            "{variable} is not set: start this by `cargo run -p resilient-tests --bin with-servers`"
        )
        .into()
    })
}

/// Prints one result as a line of JSON.
pub fn tell(row: &serde_json::Value) {
    println!("{row}");
}
