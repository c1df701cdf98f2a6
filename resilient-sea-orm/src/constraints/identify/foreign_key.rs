//! Which foreign key SQLite means by `FOREIGN KEY constraint failed`.
//!
//! At COMMIT the offending rows are still there, and `PRAGMA foreign_key_check` finds them. A
//! statement's are gone with it. There, the schema may leave one foreign key only that the
//! statement can have violated; else the statement is done once more in a savepoint in which
//! foreign keys are not enforced, its rows are looked at, and the savepoint is undone.

use std::{sync::Arc, time::Duration};

use resilient_core::{
    Effect, Fault, FaultKind,
    constraint::{Catalogue, Constraint, Table},
    driver::{Disposal, Session as _},
};
use sea_orm::{ConnectionTrait, DbBackend, DbErr, Statement};

use super::{super::Schema, super::target::Target, only, probe::OnSession, with_constraint};
use crate::session::{Request, Session, Wire};

/// Tables with more rows than this are not searched: it happens under the write lock.
const SEARCHED_ROWS: i64 = 100_000;

/// How long to wait for a connection, and for the write lock, to find out about a statement that
/// ran outside of any transaction.
const LIMIT: Duration = Duration::from_secs(1);

/// A statement, or a COMMIT, that a foreign key refused.
#[derive(Clone, Copy)]
pub(super) struct Failed<'a> {
    pub(super) catalogue: &'a Catalogue,
    pub(super) written: Option<&'a Target>,
    pub(super) request: Option<Request<'a>>,
}

/// A foreign key that could have been violated, and as what.
#[derive(Clone, Copy, Debug)]
struct Candidate<'a> {
    child: &'a Table,
    key: &'a Constraint,
    kind: FaultKind,
}

impl Candidate<'_> {
    fn named(&self, fault: Fault) -> Fault {
        with_constraint(fault.with_kind(self.kind), self.child, self.key)
    }
}

/// Names the foreign key, on the session that the failure happened on.
pub(super) async fn named(session: &mut Session, failed: Failed<'_>, fault: Fault) -> Fault {
    let Some(request) = failed.request else {
        // COMMIT: the rows are still there.
        return match at_commit(&OnSession::new(session), failed.catalogue).await {
            Ok(Some(found)) => found.named(fault),
            Ok(None) => fault,
            Err(error) => not_found(fault, &error),
        };
    };
    let candidates = candidates(&failed);
    if let Some(candidate) = certain(&failed, &candidates) {
        return candidate.named(fault);
    }
    let Some(written) = failed.written else {
        return as_written(&failed, fault);
    };
    match again(session, request, failed.catalogue, written, &candidates).await {
        Ok(Some(found)) => found.named(fault),
        Ok(None) => as_written(&failed, fault),
        // The savepoint may still be there, with what was done again in it.
        Err(error) => not_found(fault, &error).with_effect(Effect::Unknown),
    }
}

/// The same for a statement outside of any transaction.
pub(super) async fn named_on_pool(schema: &Arc<Schema>, failed: Failed<'_>, fault: Fault) -> Fault {
    if let Some(candidate) = certain(&failed, &candidates(&failed)) {
        return candidate.named(fault);
    }
    let (Some(_), Some(_)) = (failed.request, failed.written) else {
        return as_written(&failed, fault);
    };
    let pool = schema.connection.get_sqlite_connection_pool();
    let Ok(Ok(conn)) = tokio::time::timeout(LIMIT, pool.acquire()).await else {
        return as_written(&failed, fault);
    };
    // Whatever happens, and if nobody waits for it any more, the transaction is rolled back.
    let mut lent = Lent(Some(Session::new(Wire::Sqlite(conn), None, schema)));
    let Some(session) = lent.0.as_mut() else {
        return fault;
    };
    let begun = session.send(Request::Unprepared("BEGIN IMMEDIATE"));
    match tokio::time::timeout(LIMIT, begun).await {
        // Outside of a transaction there is none that could be lost.
        Ok(Ok(_)) => {
            let effect = fault.effect();
            named(session, failed, fault).await.with_effect(effect)
        }
        _ => as_written(&failed, fault),
    }
}

struct Lent(Option<Session>);

impl Drop for Lent {
    fn drop(&mut self) {
        if let Some(session) = self.0.take() {
            session.dispose(Disposal::RollBack);
        }
    }
}

fn not_found(fault: Fault, error: &DbErr) -> Fault {
    tracing::debug!(
        target: "resilient",
        fault = %fault,
        error = %crate::Error::from(error.clone()),
        "the violated foreign key could not be looked for",
    );
    fault
}

/// What the statement alone tells: a DELETE can only have removed what is still referenced.
fn as_written(failed: &Failed<'_>, fault: Fault) -> Fault {
    match failed.written {
        Some(written) if written.deletes && !written.inserts && !written.updates => {
            fault.with_kind(FaultKind::Restrict)
        }
        _ => fault,
    }
}

/// The only candidate, where no trigger could have added others.
fn certain<'a>(failed: &Failed<'_>, candidates: &[Candidate<'a>]) -> Option<Candidate<'a>> {
    let triggers = failed.catalogue.tables.iter().any(|table| table.triggers);
    only(candidates.iter().copied()).filter(|_| !triggers)
}

/// Every foreign key that the statement itself, or a cascade, could have violated.
fn candidates<'a>(failed: &Failed<'a>) -> Vec<Candidate<'a>> {
    let Some(written) = failed.written else {
        return Vec::new();
    };
    let catalogue = failed.catalogue;
    let Some(table) = catalogue.table(None, &written.table) else {
        return Vec::new();
    };
    let mut found: Vec<Candidate<'a>> = Vec::new();
    let add = |found: &mut Vec<Candidate<'a>>, new: Candidate<'a>| {
        let known = found
            .iter()
            .any(|c| std::ptr::eq(c.key, new.key) && c.kind == new.kind);
        if !known {
            found.push(new);
        }
        !known
    };
    if written.inserts || written.updates {
        for key in foreign_keys(table) {
            let kind = FaultKind::ForeignKey;
            add(
                &mut found,
                Candidate {
                    child: table,
                    key,
                    kind,
                },
            );
        }
    }
    if written.updates || written.deletes {
        // What references the table; and, as rows that reference it may go or change with it,
        // what references those.
        let mut reached = vec![table];
        while let Some(parent) = reached.pop() {
            for child in &catalogue.tables {
                for key in foreign_keys(child).filter(|key| references(key, parent)) {
                    let kind = FaultKind::Restrict;
                    if add(&mut found, Candidate { child, key, kind }) {
                        reached.push(child);
                    }
                }
            }
        }
    }
    found
}

fn foreign_keys(table: &Table) -> impl Iterator<Item = &Constraint> {
    let all = table.constraints.iter();
    all.filter(|constraint| constraint.references.is_some())
}

fn references(key: &Constraint, parent: &Table) -> bool {
    let parent_of_key = key.references.as_ref();
    parent_of_key.is_some_and(|r| r.table.eq_ignore_ascii_case(&parent.name))
}

/// Does the statement again without enforcement, looks for what it violates, and undoes it.
async fn again<'a>(
    session: &mut Session,
    request: Request<'_>,
    catalogue: &'a Catalogue,
    written: &Target,
    candidates: &[Candidate<'a>],
) -> Result<Option<Candidate<'a>>, DbErr> {
    let db = OnSession::new(session);
    let suspects = suspects(catalogue, candidates);
    // Rows from before foreign keys were enforced, or a deferred key of this transaction.
    let before = orphans(&db, &suspects).await?;
    let deferred = number(&db, "PRAGMA defer_foreign_keys").await?;
    db.execute_unprepared("SAVEPOINT resilient_probe; PRAGMA defer_foreign_keys = ON")
        .await?;
    let after = match db.repeat(request).await {
        Ok(()) => orphans(&db, &suspects).await,
        // A RESTRICT action fails all the same, and the statement leaves nothing to look at.
        Err(_) => Ok(Vec::new()),
    };
    // Undone before anything else is looked at, the search's own error included.
    db.execute_unprepared("ROLLBACK TO resilient_probe; RELEASE resilient_probe")
        .await?;
    if deferred == 0 {
        db.execute_unprepared("PRAGMA defer_foreign_keys = OFF")
            .await?;
    }
    let new = after?.into_iter().find(|orphan| {
        let old = before.iter().find(|old| std::ptr::eq(old.key, orphan.key));
        orphan.rows > old.map_or(0, |old| old.rows)
    });
    Ok(new.map(|orphan| Candidate {
        child: orphan.child,
        key: orphan.key,
        kind: kind_of(orphan.child, orphan.key, written),
    }))
}

/// What a COMMIT refused: the only foreign key that rows violate, if all tables could be searched.
async fn at_commit<'a>(
    db: &impl ConnectionTrait,
    catalogue: &'a Catalogue,
) -> Result<Option<Candidate<'a>>, DbErr> {
    let all: Vec<&Table> = catalogue.tables.iter().collect();
    for table in all
        .iter()
        .filter(|table| foreign_keys(table).next().is_some())
    {
        if rows_at_most(db, table).await? > SEARCHED_ROWS {
            return Ok(None);
        }
    }
    let orphan = only(orphans(db, &all).await?.into_iter());
    Ok(orphan.map(|orphan| Candidate {
        child: orphan.child,
        key: orphan.key,
        kind: FaultKind::ForeignKey,
    }))
}

/// The tables in which a statement can have left rows without a parent.
fn suspects<'a>(catalogue: &'a Catalogue, candidates: &[Candidate<'a>]) -> Vec<&'a Table> {
    let triggers = catalogue.tables.iter().any(|table| table.triggers);
    let suspected =
        |table: &&Table| triggers || candidates.iter().any(|c| std::ptr::eq(c.child, *table));
    catalogue.tables.iter().filter(suspected).collect()
}

/// Rows of a table that have no parent in one of its foreign keys.
struct Orphans<'a> {
    child: &'a Table,
    key: &'a Constraint,
    rows: i64,
}

/// All of them, for the tables that are not too large; the key that was declared first is first.
async fn orphans<'a>(
    db: &impl ConnectionTrait,
    tables: &[&'a Table],
) -> Result<Vec<Orphans<'a>>, DbErr> {
    let mut found = Vec::new();
    for &child in tables {
        if foreign_keys(child).next().is_none() || rows_at_most(db, child).await? > SEARCHED_ROWS {
            continue;
        }
        let rows = db
            .query_all_raw(Statement::from_sql_and_values(
                DbBackend::Sqlite,
                "SELECT c.fkid AS id, c.n AS n, l.\"table\" AS parent, l.\"from\" AS name FROM \
                 (SELECT fkid, count(*) AS n FROM pragma_foreign_key_check(?1) GROUP BY fkid) c \
                 JOIN pragma_foreign_key_list(?1) l ON l.id = c.fkid \
                 ORDER BY c.fkid DESC, l.seq",
                [child.name.as_str().into()],
            ))
            .await?;
        let mut keys: Vec<(i64, i64, String, Vec<String>)> = Vec::new();
        for row in &rows {
            let (id, count): (i64, i64) = (row.try_get("", "id")?, row.try_get("", "n")?);
            let column: String = row.try_get("", "name")?;
            match keys.last_mut() {
                Some((last, _, _, columns)) if *last == id => columns.push(column),
                _ => keys.push((id, count, row.try_get("", "parent")?, vec![column])),
            }
        }
        for (_, rows, parent, columns) in keys {
            let is_it = |key: &&Constraint| {
                let references = key.references.as_ref();
                key.columns == columns
                    && references.is_some_and(|r| r.table.eq_ignore_ascii_case(&parent))
            };
            found.extend(
                foreign_keys(child)
                    .find(is_it)
                    .map(|key| Orphans { child, key, rows }),
            );
        }
    }
    Ok(found)
}

/// Whether the row has no parent, or the parent has left it: which of the two was written.
fn kind_of(child: &Table, key: &Constraint, written: &Target) -> FaultKind {
    let is_child = child.name.eq_ignore_ascii_case(&written.table);
    let parent = key.references.as_ref();
    let is_parent = parent.is_some_and(|r| r.table.eq_ignore_ascii_case(&written.table));
    match (is_child, is_parent) {
        (true, false) => FaultKind::ForeignKey,
        (false, true) => FaultKind::Restrict,
        _ if written.deletes && !written.inserts && !written.updates => FaultKind::Restrict,
        _ => FaultKind::ForeignKey,
    }
}

async fn number(db: &impl ConnectionTrait, sql: &str) -> Result<i64, DbErr> {
    let row = db
        .query_one_raw(Statement::from_string(DbBackend::Sqlite, sql))
        .await?;
    row.map_or(Ok(0), |row| row.try_get_by_index(0))
}

/// An upper bound of a table's rows that costs no scan; a table without a rowid counts as small.
async fn rows_at_most(db: &impl ConnectionTrait, table: &Table) -> Result<i64, DbErr> {
    let name = table.name.replace('"', "\"\"");
    let sql = format!("SELECT coalesce(max(rowid), 0) FROM \"{name}\"");
    match number(db, &sql).await {
        Ok(rows) => Ok(rows),
        // WITHOUT ROWID.
        Err(_) => number(db, &format!("SELECT count(*) FROM \"{name}\"")).await,
    }
}
