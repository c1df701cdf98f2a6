//! PostgreSQL names schema, table and constraint in fields of their own. What is missing are the
//! columns of checks and expressions, and which side of a foreign key is which.

use std::{sync::Arc, time::Duration};

use resilient_core::{
    ConstraintKind, Fault, FaultKind,
    constraint::{Constraint, Table},
};
use sea_orm::{DbBackend, DbErr};

use super::{
    super::{Schema, target::target},
    LIMIT, only, with_constraint,
};
use crate::session::{Request, Session};

/// What the catalogue knows about a violation.
///
/// The transaction is aborted and answers nothing any more, so this needs another connection:
/// an idle one, or one more where the pool has room. Without one, the error's own fields have to
/// do, unless the table has been read before.
///
/// `session` is the one that the transaction is on; a statement without one has given its
/// connection back.
pub(super) async fn complete(
    schema: &Schema,
    session: Option<&Session>,
    request: Option<Request<'_>>,
    fault: Fault,
) -> Result<Fault, DbErr> {
    let Some(table) = fault.table().map(str::to_owned) else {
        return Ok(fault);
    };
    // No other connection sees how the transaction has changed the schema.
    if session.is_some_and(|session| session.changed_schema) {
        return Ok(as_told(fault));
    }
    let on_pool = session.is_none();
    let found = find(schema, on_pool, fault.schema(), &table, |t| has(t, &fault));
    let Some(table) = found.await? else {
        return Ok(as_told(fault));
    };
    let part = described(fault, &table, request);
    // The catalogue was read under another session's search_path. What the statement itself calls
    // by its bare name is what that name means there.
    let bare = request
        .and_then(|request| target(request.text(), DbBackend::Postgres))
        .is_some_and(|t| t.schema.is_none() && t.table == table.name);
    let part = if bare {
        part.with_visibility(true)
    } else {
        part
    };
    let Some(whole) = &table.partition_of else {
        return Ok(part);
    };
    // A partition has constraints of its own, under names of its own; the whole's are meant.
    let whole = find(
        schema,
        on_pool,
        whole.schema.as_deref(),
        &whole.table,
        |_| true,
    );
    Ok(match whole.await? {
        Some(whole) => of_whole(part, &table, &whole),
        None => part,
    })
}

/// A table as it is known, or read anew if it was never read or is not as `wanted` any more.
async fn find(
    schema: &Schema,
    on_pool: bool,
    name: Option<&str>,
    table: &str,
    wanted: impl Fn(&Table) -> bool,
) -> Result<Option<Arc<Table>>, DbErr> {
    match schema.known(name, table).filter(|table| wanted(table)) {
        Some(table) => Ok(Some(table)),
        None => read(schema, on_pool, name, table).await,
    }
}

/// The constraint of the whole that a partition's stands for.
fn of_whole(fault: Fault, part: &Table, whole: &Table) -> Fault {
    let name = fault.constraint();
    let violated = part
        .constraints
        .iter()
        .find(|c| name.is_some() && c.name.as_deref() == name);
    let same = |other: &&Constraint| {
        violated.is_some_and(|c| {
            (c.kind, &c.columns, c.expression) == (other.kind, &other.columns, other.expression)
        })
    };
    match only(whole.constraints.iter().filter(same)) {
        Some(constraint) => with_constraint(fault, whole, constraint),
        None => fault
            .with_table(whole.schema.as_deref(), &whole.name)
            .with_visibility(whole.visible),
    }
}

async fn read(
    schema: &Schema,
    on_pool: bool,
    name: Option<&str>,
    table: &str,
) -> Result<Option<Arc<Table>>, DbErr> {
    if !on_pool && !has_room(schema).await {
        return Ok(None);
    }
    match tokio::time::timeout(LIMIT, schema.read(&schema.connection, name, table)).await {
        Ok(table) => table,
        Err(_) => Ok(None),
    }
}

/// Whether another connection can be had at once. Those that were given back a moment ago are on
/// their way to the pool.
async fn has_room(schema: &Schema) -> bool {
    let pool = schema.connection.get_postgres_connection_pool();
    let most = pool.options().get_max_connections();
    let free = || pool.num_idle() > 0 || pool.size() < most;
    for _ in 0..5 {
        if free() || most == 1 {
            break;
        }
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    free()
}

/// What the error says without the catalogue.
fn as_told(fault: Fault) -> Fault {
    match fault.constraint_kind() {
        // The columns that are referenced, not those of the constraint.
        Some(ConstraintKind::Restrict) => fault.with_columns([""; 0]),
        _ => fault,
    }
}

/// Whether the table as it was read has the violated constraint, as the error tells it.
fn has(table: &Table, fault: &Fault) -> bool {
    fault.constraint().is_none_or(|name| {
        let mut constraints = table.constraints.iter();
        constraints.any(|constraint| {
            constraint.name.as_deref() == Some(name)
                && is_kind(constraint, fault)
                && agrees(constraint, fault)
        })
    })
}

/// A check and an index may have the same name.
fn is_kind(constraint: &Constraint, fault: &Fault) -> bool {
    let kind = match fault.constraint_kind() {
        Some(ConstraintKind::Restrict) => Some(ConstraintKind::ForeignKey),
        kind => kind,
    };
    kind == Some(constraint.kind)
}

/// Whether the constraint has the columns that the error tells; a name can have been given to
/// another one since the catalogue was read.
fn agrees(constraint: &Constraint, fault: &Fault) -> bool {
    if fault.columns().is_empty() || fault.is_over_expressions() || constraint.expression {
        return true;
    }
    let told = fault.columns().join(", ");
    let is = |columns: &[String]| told == columns.join(", ");
    match (&constraint.references, constraint.kind) {
        // The columns of the child, or those of the parent.
        (Some(parent), _) => is(&constraint.columns) || is(&parent.columns),
        (None, ConstraintKind::Unique | ConstraintKind::Exclusion) => is(&constraint.columns),
        _ => true,
    }
}

fn described(fault: Fault, table: &Table, request: Option<Request<'_>>) -> Fault {
    let name = fault.constraint().map(str::to_owned);
    let mut constraints = table.constraints.iter();
    let is_it = |c: &&Constraint| name.is_some() && c.name == name && is_kind(c, &fault);
    match constraints.find(is_it) {
        Some(constraint) if !agrees(constraint, &fault) => {
            as_told(fault).with_visibility(table.visible)
        }
        Some(constraint) => {
            let kind = direction(&fault, constraint, request);
            with_constraint(fault.with_kind(kind), table, constraint)
        }
        // A NOT NULL, or a constraint that only other sessions can see by now.
        None => as_told(fault).with_visibility(table.visible),
    }
}

/// Which side of a foreign key was written to, where the error's language kept it from us: the
/// error tells the columns of the side that the row is missing, or still needed, on.
fn direction(fault: &Fault, key: &Constraint, request: Option<Request<'_>>) -> FaultKind {
    let Some(parent) = key.references.as_ref() else {
        return fault.kind();
    };
    if fault.kind() != FaultKind::ForeignKey || fault.columns().is_empty() {
        return fault.kind();
    }
    let child = fault.columns() == key.columns;
    if child != (fault.columns() == parent.columns) {
        return if child {
            FaultKind::ForeignKey
        } else {
            FaultKind::Restrict
        };
    }
    // Both are called the same.
    let written = request.and_then(|request| target(request.text(), DbBackend::Postgres));
    match written {
        Some(written) if written.deletes => FaultKind::Restrict,
        _ => FaultKind::ForeignKey,
    }
}
