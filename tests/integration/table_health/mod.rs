//! Reports on tables with soft-deleted rows, on real ones.

mod big;
mod indexes;
mod judged;
mod odd;

use resilient_sea_orm::health::{
    soft_delete::{self, Marker, SoftDelete},
    tables::{TableOptions, TableReport},
};
use support::Engine;

use crate::verify::Schema;

/// Declares a column for this database alone, as other tests have tables of that name too.
pub fn declare(schema: &Schema, table: &'static str, column: &'static str, marker: Marker) {
    let name = schema.db.name().to_owned();
    soft_delete::register(SoftDelete::new(table, column, marker).database(name));
}

/// The reports on this database's own declarations.
pub async fn reports(schema: &Schema, options: TableOptions) -> Vec<TableReport> {
    let name = schema.db.name();
    let ours: Vec<String> = soft_delete::declarations()
        .iter()
        .filter(|one| one.database_name() == Some(name))
        .map(|one| one.table().to_owned())
        .collect();
    let all = schema.db.table_reports(options).await.expect("reports");
    all.into_iter()
        .filter(|report| ours.contains(&report.entity))
        .collect()
}

pub async fn report(schema: &Schema, table: &str, options: TableOptions) -> TableReport {
    let mut all = reports(schema, options).await;
    let at = all.iter().position(|report| report.entity == table);
    all.swap_remove(at.expect(table))
}

/// The engine's type for a time.
pub fn time(engine: Engine) -> &'static str {
    match engine {
        Engine::Postgres => "TIMESTAMPTZ",
        Engine::MariaDb | Engine::MySql => "DATETIME(6)",
        Engine::Sqlite => "TEXT",
    }
}

/// The time that was so many days ago.
pub fn ago(engine: Engine, days: u32) -> String {
    match engine {
        Engine::Postgres => format!("now() - interval '{days} days'"),
        Engine::MariaDb | Engine::MySql => format!("UTC_TIMESTAMP() - INTERVAL {days} DAY"),
        Engine::Sqlite => format!("strftime('%Y-%m-%dT%H:%M:%f+00:00', 'now', '-{days} days')"),
    }
}

/// Inserts rows, each made of these expressions over `i`, which goes from 1 to `rows`.
pub async fn fill(schema: &Schema, table: &str, rows: u32, values: &str) {
    let sql = match schema.test.engine() {
        Engine::Postgres => {
            format!("INSERT INTO {table} SELECT {values} FROM generate_series(1, {rows}) i")
        }
        Engine::MariaDb | Engine::MySql => {
            format!(
                "INSERT INTO {table} SELECT {values} FROM (SELECT seq AS i FROM seq_1_to_{rows}) s"
            )
        }
        Engine::Sqlite => format!(
            "WITH RECURSIVE s(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM s WHERE i < {rows})
             INSERT INTO {table} SELECT {values} FROM s"
        ),
    };
    schema.run(&[&sql]).await;
}
