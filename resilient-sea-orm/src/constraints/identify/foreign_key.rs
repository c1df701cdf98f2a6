//! Which foreign key SQLite means by `FOREIGN KEY constraint failed`.
//!
//! At COMMIT the offending rows are still there, and `PRAGMA foreign_key_check` finds them. A
//! statement's are gone with it. There, the schema may leave one foreign key only that the
//! statement can have violated; else the statement is done once more in a savepoint in which
//! foreign keys are not enforced, its rows are looked at, and the savepoint is undone. What is not
//! undone with it is `last_insert_rowid()`, for which SQLite has no statement.

mod orphans;

use std::sync::Arc;

use resilient_core::{
    Effect, Fault, FaultKind,
    constraint::{Catalogue, Constraint, Table},
    driver::{Disposal, Session as _},
};
use sea_orm::{ConnectionTrait, DbErr};

use super::{
    super::{Schema, target::Target},
    LIMIT, only,
    probe::OnSession,
    with_constraint,
};
use crate::session::{Request, Session, Wire};
use orphans::{had_parent, number, orphans, searched, violated};

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
    let mut lent = Lent(Some(Session::new(
        Wire::Sqlite(conn),
        None,
        schema,
        &Arc::default(),
    )));
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

/// The tables whose rows a statement writes, itself or by cascades; triggers aside.
pub(super) fn written_to<'a>(catalogue: &'a Catalogue, written: &Target) -> Vec<&'a Table> {
    let Some(table) = catalogue.table(None, &written.table) else {
        return Vec::new();
    };
    let mut reached = vec![table];
    let mut at = 0;
    while (written.updates || written.deletes) && at < reached.len() {
        let parent = reached[at];
        for child in &catalogue.tables {
            let known = reached.iter().any(|table| std::ptr::eq(*table, child));
            if !known && foreign_keys(child).any(|key| references(key, parent)) {
                reached.push(child);
            }
        }
        at += 1;
    }
    // A DELETE leaves no row of the table itself to look at, unless it refers to itself.
    let removes = written.deletes && !written.inserts && !written.updates;
    if removes && !foreign_keys(table).any(|key| references(key, table)) {
        reached.remove(0);
    }
    reached
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
    let suspects = searched(&db, &suspects(catalogue, candidates)).await?;
    // Rows from before foreign keys were enforced, or a deferred key of this transaction.
    let before = orphans(&db, &suspects).await?;
    let deferred = number(&db, "PRAGMA defer_foreign_keys").await?;
    db.execute_unprepared("SAVEPOINT resilient_probe; PRAGMA defer_foreign_keys = ON")
        .await?;
    let after = match db.repeat(request).await {
        Ok(()) => violated(&db, catalogue, &suspects, &before).await,
        // It fails of something else now, and leaves nothing to look at.
        Err(_) => Ok(None),
    };
    // Undone before anything else is looked at, the search's own error included.
    db.execute_unprepared("ROLLBACK TO resilient_probe; RELEASE resilient_probe")
        .await?;
    if deferred == 0 {
        db.execute_unprepared("PRAGMA defer_foreign_keys = OFF")
            .await?;
    }
    let Some((orphan, values)) = after? else {
        return Ok(None);
    };
    let kind = match had_parent(&db, catalogue, orphan.key, &values).await? {
        Some(true) => FaultKind::Restrict,
        Some(false) => FaultKind::ForeignKey,
        None => kind_of(orphan.child, orphan.key, written),
    };
    Ok(Some(Candidate {
        child: orphan.child,
        key: orphan.key,
        kind,
    }))
}

/// What a COMMIT refused: the only foreign key that rows violate, if all tables could be searched.
async fn at_commit<'a>(
    db: &impl ConnectionTrait,
    catalogue: &'a Catalogue,
) -> Result<Option<Candidate<'a>>, DbErr> {
    let with_keys = |table: &&Table| foreign_keys(table).next().is_some();
    let all: Vec<&Table> = catalogue.tables.iter().filter(with_keys).collect();
    if searched(db, &all).await?.len() < all.len() {
        return Ok(None);
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
