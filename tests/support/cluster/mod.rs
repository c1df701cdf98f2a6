//! Several servers that are one database, and what stands before them.
//!
//! They end as single servers do: with their value, or with the process.

mod galera;
mod pgbouncer;
mod postgres;

pub use galera::{Galera, NODES};
pub use pgbouncer::{PgBouncer, Pooling};
pub use postgres::{Pair, Standby};

use std::time::Duration;

use sea_orm::{ConnectionTrait, DatabaseConnection, DbErr, Statement};

/// How long servers may take to find each other; generous, for machines under load.
const PATIENCE: Duration = Duration::from_mins(1);

/// The first column of the first row, as a text.
async fn text(db: &DatabaseConnection, sql: &str) -> Result<Option<String>, DbErr> {
    let statement = Statement::from_string(db.get_database_backend(), sql);
    let row = db.query_one_raw(statement).await?;
    row.map(|row| row.try_get_by_index(0)).transpose()
}
