//! SQLite: its pragmas, and the text of CREATE TABLE for what they do not tell.

use resilient_core::{
    ConstraintKind,
    constraint::{Catalogue, Constraint, Table},
};
use sea_orm::{ConnectionTrait, DbBackend, DbErr};

use super::{
    Query, Which,
    ddl::{self, Definitions},
    rows::{Row, assemble},
};

/// What SQLite calls the index of a UNIQUE constraint, to which nobody gave a name.
const AUTOMATIC: &str = "sqlite_autoindex_";

/// The columns that are read, in the order of all parts; `m` is the schema's entry.
const COLUMNS: &str = "NULL AS schema_name, m.tbl_name AS table_name, ";

/// A part: what is read, and from where, up to the conditions. Virtual tables and views have no
/// page of their own; their pragmas fail where their module or their tables are missing.
const PARTS: [(&str, &str); 7] = [
    (
        "'table' AS item, NULL AS name, 'y' AS mark, NULL AS pos, NULL AS column_name, \
         CASE WHEN m.rootpage > 0 THEN m.sql END AS expression, NULL AS parent_schema, \
         NULL AS parent, NULL AS parent_column, NULL AS condition_text",
        " FROM main.sqlite_master m WHERE m.type IN ('table', 'view')",
    ),
    (
        "'trigger', NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL",
        " FROM main.sqlite_master m WHERE m.type = 'trigger'",
    ),
    (
        // A primary key without an index is the row's number, which is never null; other primary
        // keys may be, which is an old mistake of SQLite's.
        "'column', NULL, CASE WHEN p.\"notnull\" = 0 AND NOT (p.pk > 0 AND NOT EXISTS \
         (SELECT 1 FROM pragma_index_list(m.name, 'main') l WHERE l.origin = 'pk')) THEN 'y' END, \
         CAST(p.cid AS TEXT), p.name, NULL, NULL, NULL, NULL, NULL",
        " FROM main.sqlite_master m JOIN pragma_table_xinfo(m.name, 'main') p \
         WHERE m.type = 'table' AND m.rootpage > 0 AND p.hidden <> 1",
    ),
    (
        "'primary', NULL, NULL, CAST(p.pk AS TEXT), p.name, NULL, NULL, NULL, NULL, NULL",
        " FROM main.sqlite_master m JOIN pragma_table_xinfo(m.name, 'main') p \
         WHERE m.type = 'table' AND m.rootpage > 0 AND p.pk > 0",
    ),
    (
        "'unique', l.name, CASE WHEN l.partial THEN 'y' END, CAST(x.seqno AS TEXT), x.name, \
         CASE WHEN x.cid = -2 THEN (SELECT s.sql FROM main.sqlite_master s \
         WHERE s.type = 'index' AND s.name = l.name) END, NULL, NULL, NULL, NULL",
        " FROM main.sqlite_master m JOIN pragma_index_list(m.name, 'main') l \
         JOIN pragma_index_xinfo(l.name, 'main') x \
         WHERE m.type = 'table' AND m.rootpage > 0 AND l.\"unique\" AND l.origin <> 'pk' AND x.key",
    ),
    (
        "'foreign_key', CAST(f.id AS TEXT), NULL, CAST(f.seq AS TEXT), f.\"from\", NULL, NULL, \
         f.\"table\", f.\"to\", NULL",
        " FROM main.sqlite_master m JOIN pragma_foreign_key_list(m.name, 'main') f \
         WHERE m.type = 'table' AND m.rootpage > 0",
    ),
    (
        "'index', l.name, CASE WHEN l.\"unique\" THEN 'y' END, CAST(x.seqno AS TEXT), x.name, \
         NULL, NULL, NULL, NULL, CASE WHEN l.partial THEN (SELECT s.sql FROM main.sqlite_master s \
         WHERE s.type = 'index' AND s.name = l.name) END",
        " FROM main.sqlite_master m JOIN pragma_index_list(m.name, 'main') l \
         JOIN pragma_index_xinfo(l.name, 'main') x \
         WHERE m.type = 'table' AND m.rootpage > 0 AND x.key",
    ),
];

pub(super) async fn load(db: &impl ConnectionTrait, which: Which<'_>) -> Result<Catalogue, DbErr> {
    let mut rows = query(which).rows(db).await?;
    let mut texts: Vec<(String, String)> = Vec::new();
    for row in &mut rows {
        if let Some(sql) = row.condition.take() {
            row.condition = Some(ddl::index_condition(&sql).unwrap_or_default());
        }
        match (&*row.item, row.expression.take()) {
            ("table", Some(sql)) => texts.push((row.table.clone(), sql)),
            ("unique", Some(sql)) => row.expression = Some(part(row, &sql)),
            _ => {}
        }
    }
    let mut catalogue = assemble(rows);
    for table in &mut catalogue.tables {
        let sql = texts.iter().find(|(name, _)| *name == table.name);
        if let Some((_, sql)) = sql {
            complete(table, sql);
        }
    }
    Ok(catalogue)
}

fn query(which: Which<'_>) -> Query {
    let mut query = Query::new(DbBackend::Sqlite);
    for (at, (columns, from)) in PARTS.iter().enumerate() {
        query.push(if at > 0 {
            " UNION ALL SELECT "
        } else {
            "SELECT "
        });
        query.push(COLUMNS).push(columns).push(from);
        query.push(" AND m.tbl_name NOT LIKE 'sqlite\\_%' ESCAPE '\\'");
        if let Which::Tables(tables) = which {
            query.push(" AND ").any(tables, |query, (_, table)| {
                query
                    .push("m.tbl_name = ")
                    .value(table)
                    .push(" COLLATE NOCASE");
            });
        }
    }
    query
}

/// The expression at a place of an index.
fn part(row: &Row, sql: &str) -> String {
    let place = usize::try_from(row.position).unwrap_or(usize::MAX);
    let part = ddl::index_part(sql, place);
    if part.is_none() {
        tracing::debug!(
            target: "resilient",
            table = row.table, index = row.name, "the index's definition is not understood",
        );
    }
    part.unwrap_or_default()
}

/// Adds what only the text of CREATE TABLE tells: checks, and the names of constraints.
fn complete(table: &mut Table, sql: &str) {
    let definitions = ddl::table(sql);
    if definitions.is_none() {
        tracing::debug!(
            target: "resilient",
            table = table.name, "the table's definition is not understood: its checks are unknown",
        );
    }
    let definitions = definitions.unwrap_or_default();
    for constraint in &mut table.constraints {
        match constraint.kind {
            ConstraintKind::ForeignKey => {
                constraint.name = definitions.foreign_key(constraint);
            }
            _ if constraint.primary => constraint.name.clone_from(&definitions.primary),
            _ if is_automatic(constraint) => constraint.name = definitions.unique(constraint),
            _ => {}
        }
    }
    for check in definitions.checks {
        let mut columns = check.columns;
        columns.retain(|c| table.columns.iter().any(|x| x.name.eq_ignore_ascii_case(c)));
        let check = Constraint::new(ConstraintKind::Check, Some(check.name), columns);
        table.constraints.push(check);
    }
}

fn is_automatic(constraint: &Constraint) -> bool {
    let name = constraint.name.as_deref();
    name.is_some_and(|name| name.starts_with(AUTOMATIC))
}

impl Definitions {
    fn unique(&self, live: &Constraint) -> Option<String> {
        let mut all = self.uniques.iter();
        let unique = all.find(|u| same(&u.columns, &live.columns))?;
        unique.name.clone()
    }

    fn foreign_key(&self, live: &Constraint) -> Option<String> {
        let parent = &live.references.as_ref()?.table;
        let mut all = self.foreign_keys.iter();
        let key =
            all.find(|k| k.parent.eq_ignore_ascii_case(parent) && same(&k.columns, &live.columns))?;
        key.name.clone()
    }
}

fn same(a: &[String], b: &[String]) -> bool {
    a.len() == b.len() && a.iter().zip(b).all(|(a, b)| a.eq_ignore_ascii_case(b))
}
