//! PostgreSQL names schema, table and constraint in fields of their own. What is missing are the
//! columns of checks and expressions, and which side of a foreign key is which.

use std::{sync::Arc, time::Duration};

use resilient_core::{ConstraintKind, Fault, constraint::Table};
use sea_orm::DbErr;

use super::{super::Schema, with_constraint};

/// How long the catalogue may take, connection included. The transaction that failed waits.
const LIMIT: Duration = Duration::from_secs(1);

/// What the catalogue knows about a violation.
///
/// The transaction is aborted and answers nothing any more, so this needs another connection:
/// an idle one, or one more where the pool has room. Without one, the error's own fields have to
/// do, unless the table has been read before.
pub(super) async fn complete(schema: &Schema, fault: Fault) -> Result<Fault, DbErr> {
    let Some(table) = fault.table().map(str::to_owned) else {
        return Ok(fault);
    };
    let known = schema.known(fault.schema(), &table);
    let table = match known {
        Some(table) if has(&table, &fault) => Some(table),
        _ => read(schema, fault.schema(), &table).await?,
    };
    Ok(match table {
        Some(table) => described(fault, &table),
        // The error tells the columns that are referenced, not those of the constraint.
        None if fault.constraint_kind() == Some(ConstraintKind::Restrict) => {
            fault.with_columns([""; 0])
        }
        None => fault,
    })
}

async fn read(
    schema: &Schema,
    name: Option<&str>,
    table: &str,
) -> Result<Option<Arc<Table>>, DbErr> {
    let pool = schema.connection.get_postgres_connection_pool();
    let room = pool.num_idle() > 0 || pool.size() < pool.options().get_max_connections();
    if !room {
        return Ok(None);
    }
    match tokio::time::timeout(LIMIT, schema.read(&schema.connection, name, table)).await {
        Ok(table) => table,
        Err(_) => Ok(None),
    }
}

/// Whether the table as it was read has the violated constraint.
fn has(table: &Table, fault: &Fault) -> bool {
    fault.constraint().is_none_or(|name| {
        let mut constraints = table.constraints.iter();
        constraints.any(|constraint| constraint.name.as_deref() == Some(name))
    })
}

fn described(fault: Fault, table: &Table) -> Fault {
    let name = fault.constraint().map(str::to_owned);
    let mut constraints = table.constraints.iter();
    match constraints.find(|constraint| name.is_some() && constraint.name == name) {
        Some(constraint) => with_constraint(fault, table, constraint),
        // A NOT NULL, or a constraint that only other sessions can see by now.
        None => fault.with_visibility(table.visible),
    }
}
