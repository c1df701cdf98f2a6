//! SQLite names the columns of keys, the expression of checks, and of foreign keys nothing.

use std::sync::Arc;

use resilient_core::{
    ConstraintKind, Fault,
    constraint::{Catalogue, Constraint, Table},
};
use sea_orm::{ConnectionTrait, DbBackend, DbErr, Statement};

use super::{
    super::{
        Schema,
        target::{Target, target},
    },
    foreign_key, only,
    probe::OnSession,
    with_constraint,
};
use crate::session::{Request, Session};

/// What the catalogue knows about a violation.
pub(super) async fn complete(
    schema: &Arc<Schema>,
    mut session: Option<&mut Session>,
    request: Option<Request<'_>>,
    fault: Fault,
) -> Result<Fault, DbErr> {
    let written = request.and_then(|request| target(request.text(), DbBackend::Sqlite));
    let catalogue = match session.as_deref_mut() {
        Some(session) => catalogue(schema, &OnSession::new(session)).await?,
        None => catalogue(schema, &schema.connection).await?,
    };
    if fault.constraint_kind() != Some(ConstraintKind::ForeignKey) {
        return Ok(described(fault, &catalogue, written.as_ref()));
    }
    let failed = foreign_key::Failed {
        catalogue: &catalogue,
        written: written.as_ref(),
        request,
    };
    Ok(match session {
        Some(session) => foreign_key::named(session, failed, fault).await,
        None => foreign_key::named_on_pool(schema, failed, fault).await,
    })
}

/// The schema, read again when SQLite says that it has changed.
async fn catalogue(schema: &Schema, db: &impl ConnectionTrait) -> Result<Arc<Catalogue>, DbErr> {
    let version = Statement::from_string(DbBackend::Sqlite, "PRAGMA schema_version");
    let version = match db.query_one_raw(version).await? {
        Some(row) => row.try_get_by_index(0)?,
        None => 0_i64,
    };
    schema.whole(db, version).await
}

fn described(fault: Fault, catalogue: &Catalogue, written: Option<&Target>) -> Fault {
    match fault.constraint_kind() {
        Some(ConstraintKind::Check) => check(fault, catalogue, written),
        Some(ConstraintKind::Unique) if fault.table().is_none() => index(fault, catalogue),
        Some(ConstraintKind::Unique) => unique(fault, catalogue),
        _ => fault,
    }
}

/// A check says its name or its expression, which several tables can share.
fn check(fault: Fault, catalogue: &Catalogue, written: Option<&Target>) -> Fault {
    let Some(name) = fault.constraint().map(str::to_owned) else {
        return fault;
    };
    let has = |table: &Table| {
        let mut constraints = table.constraints.iter();
        constraints.any(|c| c.kind == ConstraintKind::Check && c.name.as_ref() == Some(&name))
    };
    let written = written
        .and_then(|written| catalogue.table(None, &written.table))
        .filter(|table| !table.triggers && has(table));
    let Some(table) = written.or_else(|| only(catalogue.tables.iter().filter(|t| has(t)))) else {
        return fault;
    };
    let mut all = table.constraints.iter();
    match all.find(|c| c.kind == ConstraintKind::Check && c.name.as_ref() == Some(&name)) {
        Some(constraint) => with_constraint(fault, table, constraint),
        None => fault,
    }
}

/// An index over expressions says its name, which is the only one of it in the schema.
fn index(fault: Fault, catalogue: &Catalogue) -> Fault {
    let found = catalogue.tables.iter().find_map(|table| {
        let mut constraints = table.constraints.iter();
        let constraint = constraints.find(|constraint| {
            constraint.kind == ConstraintKind::Unique
                && constraint.name.is_some()
                && constraint.name.as_deref() == fault.constraint()
        })?;
        Some((table, constraint))
    });
    match found {
        Some((table, constraint)) => with_constraint(fault, table, constraint),
        None => fault,
    }
}

/// A key says its columns; its name follows unless another key has the same ones.
fn unique(fault: Fault, catalogue: &Catalogue) -> Fault {
    let Some(table) = fault.table().and_then(|table| catalogue.table(None, table)) else {
        return fault;
    };
    let same = |constraint: &&Constraint| {
        constraint.kind == ConstraintKind::Unique && constraint.columns == fault.columns()
    };
    let name = only(table.constraints.iter().filter(same)).and_then(|c| c.name.clone());
    let fault = fault.with_visibility(table.visible);
    match name {
        Some(name) => fault.with_constraint(Some(name)),
        None => fault,
    }
}
