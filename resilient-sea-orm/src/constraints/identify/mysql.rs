//! MySQL and MariaDB name a key but not always its table, and never its columns. The statement
//! names the table, as long as no trigger of it could have written to another one.

use std::sync::Arc;

use resilient_core::{
    ConstraintKind, Fault,
    constraint::{Constraint, Table},
};
use sea_orm::{ConnectionTrait, DbBackend, DbErr, Statement};

use super::{
    super::{Schema, target::Target, target::target},
    only, with_constraint,
};
use crate::session::Request;

/// What the catalogue knows about a violation.
pub(super) async fn complete(
    schema: &Schema,
    db: &impl ConnectionTrait,
    request: Option<Request<'_>>,
    fault: Fault,
) -> Result<Fault, DbErr> {
    let written = request.and_then(|request| target(request.text(), DbBackend::MySql));
    let look = Look { schema, db };
    match fault.constraint_kind() {
        Some(ConstraintKind::NotNull) => look.not_null(fault, written).await,
        Some(_) => look.constraint(fault, written).await,
        None => Ok(fault),
    }
}

struct Look<'a, C> {
    schema: &'a Schema,
    db: &'a C,
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

    async fn not_null(&self, fault: Fault, written: Option<Target>) -> Result<Fault, DbErr> {
        let ([column], Some(written)) = (fault.columns(), written) else {
            return Ok(fault);
        };
        let has = |table: &Table| table.columns.iter().any(|c| same(&c.name, column));
        let table = self
            .table(written.schema.as_deref(), &written.table, has)
            .await?;
        Ok(match table.filter(|table| !table.triggers) {
            Some(table) => fault
                .with_table(table.schema.as_deref(), &table.name)
                .with_visibility(table.visible),
            None => fault,
        })
    }

    async fn constraint(&self, fault: Fault, written: Option<Target>) -> Result<Fault, DbErr> {
        let Some(name) = fault.constraint().map(str::to_owned) else {
            return Ok(fault);
        };
        // As the error names it; on MariaDB, where a dot is part of the index's name, that is
        // not the table and the name has lost its beginning.
        if let Some(table) = fault.table().map(str::to_owned) {
            let has = |table: &Table| find(table, &fault, &name).is_some();
            if let Some(table) = self.table(fault.schema(), &table, has).await? {
                return Ok(described(fault, &table, &name));
            }
        }
        let names = match fault.table() {
            Some(table) if fault.schema().is_none() => vec![format!("{table}.{name}"), name],
            _ => vec![name],
        };
        for name in names {
            if let Some(table) = self.table_with(&fault, &name, written.as_ref()).await? {
                return Ok(described(fault, &table, &name));
            }
        }
        Ok(fault)
    }

    /// The table that has a constraint of that name: the statement's, if no trigger could be to
    /// blame; else the only one in the database.
    async fn table_with(
        &self,
        fault: &Fault,
        name: &str,
        written: Option<&Target>,
    ) -> Result<Option<Arc<Table>>, DbErr> {
        let has = |table: &Table| find(table, fault, name).is_some();
        if let Some(written) = written {
            let table = self
                .table(written.schema.as_deref(), &written.table, has)
                .await?;
            if let Some(table) = table
                && !table.triggers
            {
                return Ok(Some(table));
            }
        }
        if fault.constraint_kind() != Some(ConstraintKind::Unique) {
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
        self.table(None, &table, has).await
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
