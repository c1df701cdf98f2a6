//! The constraints that a live schema has, read from the engine's own catalogue.

mod ddl;
mod mysql;
mod postgres;
mod rows;
mod sqlite;
#[cfg(all(test, feature = "sqlx-sqlite"))]
mod tests;

use std::collections::HashMap;

use resilient_core::constraint::Catalogue;
use sea_orm::{ConnectionTrait, DbBackend, DbErr, Statement, Value};

/// What to read.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Which<'a> {
    /// All but the engine's own.
    All,
    /// Everything that bare names can mean without looking into other databases of the server:
    /// on MySQL the connection's database and these, elsewhere the same as `All`.
    Schemas(&'a [&'a str]),
    /// These tables: schema, where it is known, and name.
    Tables(&'a [(Option<&'a str>, &'a str)]),
}

/// Reads the catalogue in one query (MySQL: two).
pub(crate) async fn load(db: &impl ConnectionTrait, which: Which<'_>) -> Result<Catalogue, DbErr> {
    if matches!(which, Which::Tables([])) {
        return Ok(Catalogue::default());
    }
    match db.get_database_backend() {
        DbBackend::Postgres => postgres::load(db, which).await,
        DbBackend::MySql => mysql::load(db, which).await,
        DbBackend::Sqlite => sqlite::load(db, which).await.map(with_primary_keys),
        other => Err(DbErr::Custom(format!(
            "the constraints of {other:?} cannot be read"
        ))),
    }
}

/// Foreign keys that do not say which columns they reference mean the primary key.
fn with_primary_keys(mut catalogue: Catalogue) -> Catalogue {
    let keys: HashMap<String, Vec<String>> = catalogue
        .tables
        .iter()
        .filter_map(|table| {
            let key = table.constraints.iter().find(|c| c.primary)?;
            Some((table.name.to_ascii_lowercase(), key.columns.clone()))
        })
        .collect();
    for table in &mut catalogue.tables {
        for parent in table
            .constraints
            .iter_mut()
            .filter_map(|c| c.references.as_mut())
        {
            if let (true, Some(key)) = (
                parent.columns.is_empty(),
                keys.get(&parent.table.to_ascii_lowercase()),
            ) {
                parent.columns.clone_from(key);
            }
        }
    }
    catalogue
}

/// A query that grows together with its values.
struct Query {
    backend: DbBackend,
    sql: String,
    values: Vec<Value>,
}

impl Query {
    fn new(backend: DbBackend) -> Self {
        Self {
            backend,
            sql: String::new(),
            values: Vec::new(),
        }
    }

    fn push(&mut self, sql: &str) -> &mut Self {
        self.sql.push_str(sql);
        self
    }

    fn value(&mut self, value: &str) -> &mut Self {
        self.values.push(value.into());
        match self.backend {
            DbBackend::Postgres => {
                let placeholder = format!("${}", self.values.len());
                self.push(&placeholder)
            }
            _ => self.push("?"),
        }
    }

    /// Alternatives in parentheses.
    fn any<T>(&mut self, of: &[T], mut one: impl FnMut(&mut Self, &T)) -> &mut Self {
        self.push("(");
        for (at, item) in of.iter().enumerate() {
            if at > 0 {
                self.push(" OR ");
            }
            one(self, item);
        }
        self.push(")")
    }

    async fn rows(self, db: &impl ConnectionTrait) -> Result<Vec<rows::Row>, DbErr> {
        let statement = Statement::from_sql_and_values(self.backend, self.sql, self.values);
        let results = db.query_all_raw(statement).await?;
        results.iter().map(rows::Row::read).collect()
    }
}
