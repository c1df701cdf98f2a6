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
    LIMIT, foreign_key, only,
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
    let (catalogue, others) = if let Some(session) = session.as_deref_mut() {
        read(schema, &OnSession::new(session)).await?
    } else {
        let read = read(schema, &schema.connection);
        match tokio::time::timeout(LIMIT, read).await {
            Ok(read) => read?,
            Err(_) => return Ok(fault),
        }
    };
    if others.may_be_meant(&fault, written.as_ref()) {
        return Ok(fault);
    }
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
async fn read(
    schema: &Schema,
    db: &impl ConnectionTrait,
) -> Result<(Arc<Catalogue>, Others), DbErr> {
    let version = Statement::from_string(DbBackend::Sqlite, "PRAGMA schema_version");
    let version = match db.query_one_raw(version).await? {
        Some(row) => row.try_get_by_index(0)?,
        None => 0_i64,
    };
    let catalogue = schema.whole(db, version).await?;
    let others = Statement::from_string(
        DbBackend::Sqlite,
        "SELECT name, 1 AS temporary FROM sqlite_temp_master WHERE type IN ('table', 'view') \
         UNION ALL SELECT name, 0 FROM pragma_database_list WHERE name NOT IN ('main', 'temp')",
    );
    let mut found = Others::default();
    for row in db.query_all_raw(others).await? {
        let name: String = row.try_get("", "name")?;
        match row.try_get("", "temporary")? {
            0_i64 => found.attached = true,
            _ => found.temporary.push(name),
        }
    }
    Ok((catalogue, found))
}

/// What a connection has besides the main database, whose errors look the same and whose
/// catalogue is not read.
#[derive(Debug, Default)]
struct Others {
    attached: bool,
    /// Temporary tables, which hide those of the main database.
    temporary: Vec<String>,
}

impl Others {
    fn may_be_meant(&self, fault: &Fault, written: Option<&Target>) -> bool {
        let main = |schema: &str| schema.eq_ignore_ascii_case("main");
        if written.is_some_and(|w| w.schema.as_deref().is_some_and(|s| !main(s))) {
            return true;
        }
        let hidden = |table: &str| self.temporary.iter().any(|t| t.eq_ignore_ascii_case(table));
        match written {
            Some(written) if written.schema.is_none() && hidden(&written.table) => true,
            Some(_) => fault.table().is_some_and(hidden),
            None => self.attached || !self.temporary.is_empty(),
        }
    }
}

fn described(fault: Fault, catalogue: &Catalogue, written: Option<&Target>) -> Fault {
    match fault.constraint_kind() {
        Some(ConstraintKind::Check) => check(fault, catalogue, written),
        Some(ConstraintKind::Unique) if fault.table().is_none() => index(fault, catalogue),
        Some(ConstraintKind::Unique) => unique(split(fault, catalogue), catalogue),
        Some(ConstraintKind::NotNull) => split(fault, catalogue),
        _ => fault,
    }
}

/// `a.b.c, a.b.d` with the dots and commas that are part of names told from the others.
fn split(fault: Fault, catalogue: &Catalogue) -> Fault {
    let Some(table) = fault.table() else {
        return fault;
    };
    let list: Vec<String> = fault
        .columns()
        .iter()
        .map(|column| format!("{table}.{column}"))
        .collect();
    let list = list.join(", ");
    let readings = catalogue.tables.iter().filter_map(|table| {
        let columns = columns_in(&list, table)?;
        Some((table, columns))
    });
    match only(readings) {
        Some((table, columns)) => fault
            .with_table(table.schema.as_deref(), &table.name)
            .with_visibility(table.visible)
            .with_columns(columns),
        // Nobody's, or more than one's.
        None => fault,
    }
}

/// The columns in `t.a, t.b`, if the list can be read as some of this table's.
fn columns_in(list: &str, table: &Table) -> Option<Vec<String>> {
    let mut found = Vec::new();
    let mut rest = list;
    loop {
        rest = rest.strip_prefix(&*table.name)?.strip_prefix('.')?;
        // The longest name: `a, t.b` is one column's where there is such a column.
        let column = table
            .columns
            .iter()
            .map(|column| &*column.name)
            .filter(|name| {
                let tail = rest.strip_prefix(name);
                tail.is_some_and(|tail| tail.is_empty() || tail.starts_with(", "))
            })
            .max_by_key(|name| name.len())?;
        found.push(column.to_owned());
        rest = &rest[column.len()..];
        if rest.is_empty() {
            return Some(found);
        }
        rest = &rest[2..];
    }
}

/// A check says its name or its expression, which several tables can share.
fn check(fault: Fault, catalogue: &Catalogue, written: Option<&Target>) -> Fault {
    let Some(name) = fault.constraint().map(str::to_owned) else {
        return fault;
    };
    let triggers = catalogue.tables.iter().any(|table| table.triggers);
    let suspects: Vec<&Table> = match written {
        Some(written) if !triggers => foreign_key::written_to(catalogue, written),
        _ => catalogue.tables.iter().collect(),
    };
    let is_it = |check: &Constraint| {
        check.kind == ConstraintKind::Check && check.name.as_deref() == Some(&*name)
    };
    let found = suspects.into_iter().flat_map(|table| {
        let checks = table.constraints.iter().filter(|check| is_it(check));
        checks.map(move |check| (table, check))
    });
    match only(found) {
        Some((table, constraint)) => with_constraint(fault, table, constraint),
        // Several tables have one of this name: none of them is meant by the name alone.
        None => fault.with_visibility(false),
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
        constraint.kind == ConstraintKind::Unique
            // It would have said its name.
            && !constraint.expression
            && constraint.columns == fault.columns()
    };
    let name = only(table.constraints.iter().filter(same)).and_then(|c| c.name.clone());
    let fault = fault.with_visibility(table.visible);
    match name {
        Some(name) => fault.with_constraint(Some(name)),
        None => fault,
    }
}
