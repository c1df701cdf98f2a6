//! MySQL and MariaDB name a key but not always its table, and never its columns. The statement
//! names the table, as long as no trigger or function could have written to another one.

use std::{collections::BTreeSet, sync::Arc};

use resilient_core::{
    ConstraintKind, Fault,
    constraint::{Constraint, Table},
};
use sea_orm::{ConnectionTrait, DbBackend, DbErr, Statement, Value};

use super::{
    super::{
        Schema,
        target::{Target, calls, names, target},
    },
    only, with_constraint,
};
use crate::session::Request;

/// More names than this are not looked up.
const LOOKED_UP: usize = 500;

/// A statement and its error's text.
#[derive(Clone, Copy)]
pub(super) struct Failed<'a> {
    pub(super) request: Option<Request<'a>>,
    pub(super) message: Option<&'a str>,
}

/// What the catalogue knows about a violation.
pub(super) async fn complete(
    schema: &Schema,
    db: &impl ConnectionTrait,
    failed: Failed<'_>,
    fault: Fault,
) -> Result<Fault, DbErr> {
    let sql = failed.request.as_ref().map_or("", Request::text);
    let look = Look {
        schema,
        db,
        sql,
        // Japanese goes on after the name.
        message: failed
            .message
            .and_then(|text| text.get(..=text.rfind('\'')?))
            .unwrap_or_default(),
        written: target(sql, DbBackend::MySql),
    };
    match fault.constraint_kind() {
        Some(ConstraintKind::NotNull) => look.not_null(fault).await,
        Some(_) => look.constraint(fault).await,
        None => Ok(fault),
    }
}

struct Look<'a, C> {
    schema: &'a Schema,
    db: &'a C,
    sql: &'a str,
    message: &'a str,
    written: Option<Target>,
}

impl<C: ConnectionTrait> Look<'_, C> {
    /// A table in which `wanted` is found, read again if what is known does not have it.
    async fn table(
        &self,
        schema: Option<&str>,
        name: &str,
        wanted: impl Fn(&Table) -> bool,
    ) -> Result<Option<Arc<Table>>, DbErr> {
        if let Some(table) = self.schema.known(schema, name)
            && wanted(&table)
        {
            return Ok(Some(table));
        }
        let table = self.schema.read(self.db, schema, name).await?;
        Ok(table.filter(|table| wanted(table)))
    }

    /// The statement's table, if nothing but the statement itself can have failed: no trigger of
    /// the table's, and no stored function that the statement calls.
    async fn written(&self, wanted: impl Fn(&Table) -> bool) -> Result<Option<Arc<Table>>, DbErr> {
        let Some(written) = &self.written else {
            return Ok(None);
        };
        let table = self
            .table(written.schema.as_deref(), &written.table, wanted)
            .await?;
        let Some(table) = table.filter(|table| !table.triggers) else {
            return Ok(None);
        };
        let Some(mut called) = calls(self.sql, DbBackend::MySql) else {
            return Ok(None);
        };
        called.retain(|name| !same(name, &written.table));
        let stored = "SELECT CAST(routine_name AS CHAR) AS name FROM information_schema.routines \
                      WHERE routine_type = 'FUNCTION' AND routine_name";
        let stored = self.any_of(&[stored], called).await?;
        Ok((!stored).then_some(table))
    }

    async fn not_null(&self, fault: Fault) -> Result<Fault, DbErr> {
        let [column] = fault.columns() else {
            return Ok(fault);
        };
        // A view has no constraints, and what it shows may have another name there. Hardly any
        // table is without a key.
        let has = |table: &Table| {
            let column = table.columns.iter().any(|c| same(&c.name, column));
            column && !table.constraints.is_empty()
        };
        Ok(match self.written(has).await? {
            Some(table) => fault
                .with_table(table.schema.as_deref(), &table.name)
                .with_visibility(table.visible),
            None => fault,
        })
    }

    async fn constraint(&self, fault: Fault) -> Result<Fault, DbErr> {
        let unique = fault.constraint_kind() == Some(ConstraintKind::Unique);
        // The key is the text's last word, and which of its quotes are part of the name only
        // the names tell.
        if matches!(fault.code(), "1062" | "1586") {
            let has = |table: &Table| !self.ends(table).is_empty();
            if let Some(table) = self.written(has).await? {
                return Ok(match &self.ends(&table)[..] {
                    [key] => with_constraint(fault, &table, key),
                    _ => fault
                        .with_constraint(None::<String>)
                        .with_table(table.schema.as_deref(), &table.name)
                        .with_visibility(table.visible),
                });
            }
        }
        let Some(name) = fault.constraint().map(str::to_owned) else {
            return Ok(fault);
        };
        // As the error names it; on MariaDB, where a dot is part of the index's name, that is
        // not the table and the name has lost its beginning.
        if let Some(table) = fault.table().map(str::to_owned) {
            let has = |table: &Table| find(table, &fault, &name).is_some();
            // MySQL 8 says the table and not its database, which the statement may.
            let written = self.written.as_ref().filter(|w| same(&w.table, &table));
            let schema = fault.schema().or(written.and_then(|w| w.schema.as_deref()));
            if let Some(table) = self.table(schema, &table, has).await? {
                return Ok(described(fault, &table, &name));
            }
        }
        let names = match fault.table() {
            Some(table) if fault.schema().is_none() => vec![format!("{table}.{name}"), name],
            _ => vec![name],
        };
        for name in &names {
            let has = |table: &Table| find(table, &fault, name).is_some();
            let table = match self.written(has).await? {
                Some(table) => Some(table),
                None if unique => self.only_table_with(&fault, name).await?,
                None => None,
            };
            if let Some(table) = table {
                return Ok(described(fault, &table, name));
            }
        }
        // In another language, the last word may be a piece of a name with quotes in it.
        if unique && !self.english() && self.message.matches('\'').count() > 4 {
            return Ok(fault.with_constraint(None::<String>));
        }
        Ok(fault)
    }

    fn english(&self) -> bool {
        self.message.starts_with("Duplicate entry '")
    }

    /// The unique keys of a table whose name the error's text ends with. MySQL 8 puts the table
    /// before it.
    fn ends<'t>(&self, table: &'t Table) -> Vec<&'t Constraint> {
        let keys = || {
            let all = table.constraints.iter();
            all.filter(|c| c.kind == ConstraintKind::Unique)
        };
        let start = if self.english() { "' for key '" } else { "'" };
        let ending = |prefix: &str| -> Vec<&'t Constraint> {
            keys()
                .filter(|key| {
                    let name = key.name.as_deref().unwrap_or_default();
                    self.message.ends_with(&format!("{start}{prefix}{name}'"))
                })
                .collect()
        };
        let bare = ending("");
        if bare.is_empty() {
            return ending(&format!("{}.", table.name));
        }
        bare
    }

    /// The only table of the connection's database with a key of that name, if nothing can have
    /// been written to other databases.
    async fn only_table_with(
        &self,
        fault: &Fault,
        name: &str,
    ) -> Result<Option<Arc<Table>>, DbErr> {
        if !self.stays_here().await? {
            return Ok(None);
        }
        let rows = self
            .db
            .query_all_raw(Statement::from_sql_and_values(
                DbBackend::MySql,
                "SELECT DISTINCT CAST(table_name AS CHAR) AS name \
                 FROM information_schema.statistics \
                 WHERE table_schema = DATABASE() AND non_unique = 0 AND index_name = ?",
                [name.into()],
            ))
            .await?;
        let Some(row) = only(rows.iter()) else {
            return Ok(None);
        };
        let table: String = row.try_get("", "name")?;
        let has = |table: &Table| find(table, fault, name).is_some();
        self.table(None, &table, has).await
    }

    /// Whether the statement, with all triggers of the database, names no other database and
    /// nothing that could: no routine and no view.
    async fn stays_here(&self) -> Result<bool, DbErr> {
        let rows = self
            .db
            .query_all_raw(Statement::from_string(
                DbBackend::MySql,
                "SELECT CAST(action_statement AS CHAR) AS body \
                 FROM information_schema.triggers WHERE event_object_schema = DATABASE()",
            ))
            .await?;
        let mut named = BTreeSet::new();
        for text in rows
            .iter()
            .map(|row| row.try_get::<Option<String>>("", "body"))
            .chain([Ok(Some(self.sql.to_owned()))])
        {
            // A body that may not be seen could say anything.
            let words = text?
                .filter(|text| !text.is_empty())
                .and_then(|text| names(&text, DbBackend::MySql));
            let Some(words) = words else {
                return Ok(false);
            };
            named.extend(words);
        }
        let elsewhere = self.any_of(
            &[
                "SELECT CAST(schema_name AS CHAR) AS name FROM information_schema.schemata \
                     WHERE schema_name <> DATABASE() AND schema_name",
                "SELECT CAST(routine_name AS CHAR) AS name FROM information_schema.routines \
                     WHERE routine_name",
                "SELECT CAST(table_name AS CHAR) AS name FROM information_schema.tables \
                     WHERE table_schema = DATABASE() AND table_type LIKE '%VIEW' AND table_name",
            ],
            named.into_iter().collect(),
        );
        Ok(!elsewhere.await?)
    }

    /// Whether one of the queries finds one of the names.
    async fn any_of(&self, queries: &[&str], names: Vec<String>) -> Result<bool, DbErr> {
        if names.is_empty() {
            return Ok(false);
        }
        if names.len() > LOOKED_UP {
            return Ok(true);
        }
        let places = vec!["?"; names.len()].join(", ");
        let sql: Vec<String> = queries
            .iter()
            .map(|query| format!("{query} IN ({places})"))
            .collect();
        let values: Vec<Value> = queries
            .iter()
            .flat_map(|_| names.iter().map(|name| name.as_str().into()))
            .collect();
        let sql = sql.join(" UNION ALL ") + " LIMIT 1";
        let statement = Statement::from_sql_and_values(DbBackend::MySql, sql, values);
        Ok(self.db.query_one_raw(statement).await?.is_some())
    }
}

/// The constraint that the fault means by that name. Index names ignore case.
fn find<'t>(table: &'t Table, fault: &Fault, name: &str) -> Option<&'t Constraint> {
    let kind = match fault.constraint_kind()? {
        ConstraintKind::Restrict => ConstraintKind::ForeignKey,
        kind => kind,
    };
    table.constraints.iter().find(|constraint| {
        constraint.kind == kind && constraint.name.as_deref().is_some_and(|n| same(n, name))
    })
}

fn described(fault: Fault, table: &Table, name: &str) -> Fault {
    match find(table, &fault, name) {
        Some(constraint) => with_constraint(fault, table, constraint),
        None => fault,
    }
}

fn same(a: &str, b: &str) -> bool {
    a.eq_ignore_ascii_case(b)
}
