//! Rows that have no parent in a foreign key, as SQLite counts them.

use resilient_core::constraint::{Catalogue, Constraint, Table};
use sea_orm::{ConnectionTrait, DbBackend, DbErr, Statement};

use super::{super::super::target::deferred_keys, foreign_keys};

/// Tables with more rows than this are not searched: it happens under the write lock.
const SEARCHED_ROWS: i64 = 100_000;

/// So many of the rows that have lost their parent tell whether it was there before.
const LOOKED_AT: u32 = 100;

/// Rows of a table that have no parent in one of its foreign keys.
pub(super) struct Orphans<'a> {
    pub(super) child: &'a Table,
    pub(super) key: &'a Constraint,
    /// SQLite's number of it.
    id: i64,
    rows: i64,
}

/// Those of the tables that have foreign keys and are not too large.
pub(super) async fn searched<'a>(
    db: &impl ConnectionTrait,
    tables: &[&'a Table],
) -> Result<Vec<&'a Table>, DbErr> {
    let mut searched = Vec::new();
    for &table in tables {
        if foreign_keys(table).next().is_some() && rows_at_most(db, table).await? <= SEARCHED_ROWS {
            searched.push(table);
        }
    }
    Ok(searched)
}

/// All of them in these tables; the key that was declared first is first.
pub(super) async fn orphans<'a>(
    db: &impl ConnectionTrait,
    tables: &[&'a Table],
) -> Result<Vec<Orphans<'a>>, DbErr> {
    let mut found = Vec::new();
    for &child in tables {
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
        for (id, rows, parent, columns) in keys {
            let is_it = |key: &&Constraint| {
                let references = key.references.as_ref();
                key.columns == columns
                    && references.is_some_and(|r| r.table.eq_ignore_ascii_case(&parent))
            };
            found.extend(foreign_keys(child).find(is_it).map(|key| Orphans {
                child,
                key,
                id,
                rows,
            }));
        }
    }
    Ok(found)
}

/// The first key that has more rows without a parent than before, and what some of those rows
/// hold in it, as SQL. A key that is put off until COMMIT is not what a statement fails of.
pub(super) async fn violated<'a>(
    db: &impl ConnectionTrait,
    catalogue: &Catalogue,
    suspects: &[&'a Table],
    before: &[Orphans<'a>],
) -> Result<Option<(Orphans<'a>, Vec<Vec<String>>)>, DbErr> {
    let mut grown = orphans(db, suspects).await?;
    grown.retain(|orphan| {
        let old = before.iter().find(|old| std::ptr::eq(old.key, orphan.key));
        orphan.rows > old.map_or(0, |old| old.rows)
    });
    if grown.len() > 1 {
        let mut at = None;
        for (i, orphan) in grown.iter().enumerate() {
            if !is_deferred(db, orphan).await? {
                at = Some(i);
                break;
            }
        }
        grown.swap(0, at.unwrap_or(0));
    }
    let Some(orphan) = grown.into_iter().next() else {
        return Ok(None);
    };
    let rows = rows_without_parent(db, catalogue, &orphan).await?;
    Ok(Some((orphan, rows)))
}

/// What some of the rows without a parent hold in a key, as SQL.
async fn rows_without_parent(
    db: &impl ConnectionTrait,
    catalogue: &Catalogue,
    orphan: &Orphans<'_>,
) -> Result<Vec<Vec<String>>, DbErr> {
    let Some((parent, columns)) = parent_of(catalogue, orphan.key) else {
        return Ok(Vec::new());
    };
    let held: Vec<String> = orphan.key.columns.iter().map(|c| quoted(c)).collect();
    let list = |each: &dyn Fn(&String) -> String, between: &str| {
        held.iter().map(each).collect::<Vec<_>>().join(between)
    };
    let found: Vec<String> = columns
        .iter()
        .zip(&held)
        .map(|(column, held)| format!("p.{} = c.{held}", quoted(column)))
        .collect();
    let sql = format!(
        "SELECT {} FROM {} c WHERE {} AND NOT EXISTS (SELECT 1 FROM {} p WHERE {}) LIMIT {LOOKED_AT}",
        list(&|c| format!("quote(c.{c})"), ", "),
        quoted(&orphan.child.name),
        list(&|c| format!("c.{c} IS NOT NULL"), " AND "),
        quoted(&parent.name),
        found.join(" AND "),
    );
    let statement = Statement::from_string(DbBackend::Sqlite, sql);
    let rows = db.query_all_raw(statement).await?;
    rows.iter()
        .map(|row| (0..held.len()).map(|at| row.try_get_by_index(at)).collect())
        .collect()
}

/// Whether one of the rows that a key would have left without a parent has one, now that the
/// statement is undone: then it was the parent that went. `None` where nobody knows.
pub(super) async fn had_parent(
    db: &impl ConnectionTrait,
    catalogue: &Catalogue,
    key: &Constraint,
    rows: &[Vec<String>],
) -> Result<Option<bool>, DbErr> {
    let Some((parent, columns)) = parent_of(catalogue, key).filter(|_| !rows.is_empty()) else {
        return Ok(None);
    };
    let is = |row: &Vec<String>| {
        let same: Vec<String> = columns
            .iter()
            .zip(row)
            .map(|(column, value)| format!("{} = {value}", quoted(column)))
            .collect();
        format!("({})", same.join(" AND "))
    };
    let any: Vec<String> = rows.iter().map(is).collect();
    let sql = format!(
        "SELECT EXISTS (SELECT 1 FROM {} WHERE {})",
        quoted(&parent.name),
        any.join(" OR ")
    );
    Ok(Some(number(db, &sql).await? == 1))
}

/// The parent of a key, and the columns that the key's refer to.
fn parent_of<'a>(
    catalogue: &'a Catalogue,
    key: &'a Constraint,
) -> Option<(&'a Table, &'a [String])> {
    let references = key.references.as_ref()?;
    let parent = catalogue.table(None, &references.table)?;
    let columns = match &references.columns[..] {
        [] => &parent.constraints.iter().find(|c| c.primary)?.columns[..],
        columns => columns,
    };
    (columns.len() == key.columns.len()).then_some((parent, columns))
}

/// Whether a key is looked at when the transaction ends, not when the statement does.
async fn is_deferred(db: &impl ConnectionTrait, orphan: &Orphans<'_>) -> Result<bool, DbErr> {
    let row = db
        .query_one_raw(Statement::from_sql_and_values(
            DbBackend::Sqlite,
            "SELECT sql FROM main.sqlite_master WHERE type = 'table' AND name = ?",
            [orphan.child.name.as_str().into()],
        ))
        .await?;
    let sql: String = row.map_or(Ok(String::new()), |row| row.try_get("", "sql"))?;
    // SQLite numbers them from the last one declared.
    let keys = deferred_keys(&sql).unwrap_or_default();
    let id = usize::try_from(orphan.id).unwrap_or(usize::MAX);
    let at = keys
        .len()
        .checked_sub(1)
        .and_then(|last| last.checked_sub(id));
    Ok(at.is_some_and(|at| keys[at]))
}

fn quoted(name: &str) -> String {
    format!("\"{}\"", name.replace('"', "\"\""))
}

pub(super) async fn number(db: &impl ConnectionTrait, sql: &str) -> Result<i64, DbErr> {
    let row = db
        .query_one_raw(Statement::from_string(DbBackend::Sqlite, sql))
        .await?;
    row.map_or(Ok(0), |row| row.try_get_by_index(0))
}

/// An upper bound of a table's rows that costs no scan; a table without a rowid counts as small.
async fn rows_at_most(db: &impl ConnectionTrait, table: &Table) -> Result<i64, DbErr> {
    let name = quoted(&table.name);
    let sql = format!("SELECT coalesce(max(rowid), 0) FROM {name}");
    match number(db, &sql).await {
        Ok(rows) => Ok(rows),
        // WITHOUT ROWID.
        Err(_) => number(db, &format!("SELECT count(*) FROM {name}")).await,
    }
}
