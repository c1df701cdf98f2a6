//! MySQL and MariaDB: `information_schema`.
//!
//! Every column is cast and named: MySQL 8 gives some as binary and writes their names in capital
//! letters. The conditions stay at each table of `information_schema`, with constants, as older
//! servers open every table of every database for the others.

use resilient_core::constraint::Catalogue;
use sea_orm::{ConnectionTrait, DbBackend, DbErr, Statement};

use super::{Query, Which, rows::assemble};

/// What tells the servers' catalogues apart. They are asked, not recognized by version, as forks
/// have versions of their own.
const ABILITIES: &str = "
SELECT
  CAST(MAX(CASE WHEN table_name = 'STATISTICS' AND column_name = 'EXPRESSION' THEN 'y' END) AS CHAR)
    AS parts,
  CAST(MAX(CASE WHEN table_name = 'CHECK_CONSTRAINTS' AND column_name = 'CONSTRAINT_NAME' THEN 'y' END)
    AS CHAR) AS checks,
  CAST(MAX(CASE WHEN table_name = 'CHECK_CONSTRAINTS' AND column_name = 'TABLE_NAME' THEN 'y' END)
    AS CHAR) AS check_tables,
  CAST(MAX(CASE WHEN table_name = 'CHECK_CONSTRAINTS' AND column_name = 'LEVEL' THEN 'y' END)
    AS CHAR) AS check_levels
FROM information_schema.columns
WHERE table_schema = 'information_schema'
  AND table_name IN ('STATISTICS', 'CHECK_CONSTRAINTS')";

#[derive(Clone, Copy, Debug, Default)]
#[allow(clippy::struct_excessive_bools)] // four answers to four questions
struct Abilities {
    /// Indexes over expressions.
    parts: bool,
    checks: bool,
    /// MariaDB: a check's table is named beside it, and names are unique in their table only.
    check_tables: bool,
    /// MariaDB: whether it belongs to a column, whose name it then has.
    check_levels: bool,
}

pub(super) async fn load(db: &impl ConnectionTrait, which: Which<'_>) -> Result<Catalogue, DbErr> {
    let abilities = Statement::from_string(DbBackend::MySql, ABILITIES);
    let abilities = match db.query_one_raw(abilities).await? {
        Some(row) => {
            let has = |name| Ok::<_, DbErr>(row.try_get::<Option<String>>("", name)?.is_some());
            Abilities {
                parts: has("parts")?,
                checks: has("checks")?,
                check_tables: has("check_tables")?,
                check_levels: has("check_levels")?,
            }
        }
        None => Abilities::default(),
    };
    Ok(assemble(query(which, abilities).rows(db).await?))
}

/// An item's columns, in the order of all parts of the union.
struct Item {
    schema: &'static str,
    table: &'static str,
    kind: &'static str,
    name: &'static str,
    mark: &'static str,
    pos: &'static str,
    column: &'static str,
    expression: &'static str,
    parent: [&'static str; 3],
    from: &'static str,
}

impl Default for Item {
    fn default() -> Self {
        Self {
            schema: "i.table_schema",
            table: "i.table_name",
            kind: "NULL",
            name: "NULL",
            mark: "NULL",
            pos: "NULL",
            column: "NULL",
            expression: "NULL",
            parent: ["NULL"; 3],
            from: "",
        }
    }
}

fn query(which: Which<'_>, abilities: Abilities) -> Query {
    let mut query = Query::new(DbBackend::MySql);
    for (at, item) in items(abilities).iter().enumerate() {
        if at > 0 {
            query.push(" UNION ALL ");
        }
        let [parent_schema, parent, parent_column] = item.parent;
        let columns = [
            (item.schema, "schema_name"),
            (item.table, "table_name"),
            (item.kind, "item"),
            (item.name, "name"),
            (item.mark, "mark"),
            (item.pos, "pos"),
            (item.column, "column_name"),
            (item.expression, "expression"),
            (parent_schema, "parent_schema"),
            (parent, "parent"),
            (parent_column, "parent_column"),
            ("NULL", "condition_text"),
        ]
        .map(|(value, name)| format!("CAST({value} AS CHAR) AS {name}"));
        query.push("SELECT ").push(&columns.join(", "));
        query.push(" FROM information_schema.").push(item.from);
        query.push(if item.from.contains(" WHERE ") {
            " AND "
        } else {
            " WHERE "
        });
        restrict(&mut query, which, item);
    }
    query
}

fn items(abilities: Abilities) -> Vec<Item> {
    let mut items = vec![
        Item {
            kind: "'table'",
            mark: "CASE WHEN i.table_schema = DATABASE() THEN 'y' END",
            from: "tables i",
            ..Item::default()
        },
        Item {
            kind: "'column'",
            mark: "CASE WHEN i.is_nullable = 'YES' THEN 'y' END",
            pos: "i.ordinal_position",
            column: "i.column_name",
            from: "columns i",
            ..Item::default()
        },
        Item {
            kind: "CASE WHEN i.index_name = 'PRIMARY' THEN 'primary' ELSE 'unique' END",
            name: "i.index_name",
            pos: "i.seq_in_index",
            column: "i.column_name",
            expression: if abilities.parts {
                "i.expression"
            } else {
                "NULL"
            },
            from: "statistics i WHERE i.non_unique = 0",
            ..Item::default()
        },
        Item {
            kind: "'index'",
            name: "i.index_name",
            mark: "CASE WHEN i.non_unique = 0 THEN 'y' END",
            pos: "i.seq_in_index",
            column: "i.column_name",
            from: "statistics i WHERE i.index_type IN ('BTREE', 'HASH')",
            ..Item::default()
        },
        Item {
            kind: "'foreign_key'",
            name: "i.constraint_name",
            pos: "i.ordinal_position",
            column: "i.column_name",
            parent: [
                "i.referenced_table_schema",
                "i.referenced_table_name",
                "i.referenced_column_name",
            ],
            from: "key_column_usage i WHERE i.referenced_table_name IS NOT NULL",
            ..Item::default()
        },
        Item {
            schema: "i.event_object_schema",
            table: "i.event_object_table",
            kind: "'trigger'",
            from: "triggers i",
            ..Item::default()
        },
    ];
    let check = Item {
        schema: "i.constraint_schema",
        kind: "'check'",
        name: "i.constraint_name",
        expression: "i.check_clause",
        ..Item::default()
    };
    if abilities.check_tables {
        items.push(Item {
            // What errors say: CONSTRAINT `users.age` failed.
            name: if abilities.check_levels {
                "CASE WHEN i.level = 'Column' THEN CONCAT(i.table_name, '.', i.constraint_name) \
                 ELSE i.constraint_name END"
            } else {
                "i.constraint_name"
            },
            from: "check_constraints i",
            ..check
        });
    } else if abilities.checks {
        items.push(Item {
            schema: "t.table_schema",
            table: "t.table_name",
            from: "check_constraints i JOIN information_schema.table_constraints t \
                   ON t.constraint_schema = i.constraint_schema \
                   AND t.constraint_name = i.constraint_name WHERE t.constraint_type = 'CHECK'",
            ..check
        });
    }
    items
}

fn restrict(query: &mut Query, which: Which<'_>, item: &Item) {
    let (schema, table) = (item.schema, item.table);
    match which {
        Which::All => {
            query
                .push(schema)
                .push(" NOT IN ('mysql', 'information_schema', 'performance_schema', 'sys')");
        }
        Which::Schemas(schemas) => {
            query.push("(").push(schema).push(" = DATABASE()");
            for other in schemas {
                query.push(" OR ").push(schema).push(" = ").value(other);
            }
            query.push(")");
        }
        Which::Tables(tables) => {
            query.any(tables, |query, (in_schema, name)| {
                query.push("(").push(schema).push(" = ");
                match in_schema {
                    Some(named) => query.value(named),
                    None => query.push("DATABASE()"),
                };
                query
                    .push(" AND ")
                    .push(table)
                    .push(" = ")
                    .value(name)
                    .push(")");
            });
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_server_is_asked_for_what_it_has() {
        let text = |abilities| query(Which::Schemas(&[]), abilities).sql;
        let old = text(Abilities::default());
        assert!(!old.contains("check_constraints") && !old.contains("i.expression"));
        let mariadb = text(Abilities {
            checks: true,
            check_tables: true,
            check_levels: true,
            ..Abilities::default()
        });
        assert!(mariadb.contains("i.level = 'Column'") && !mariadb.contains("table_constraints"));
        let mysql = text(Abilities {
            parts: true,
            checks: true,
            ..Abilities::default()
        });
        assert!(mysql.contains("CAST(i.expression AS CHAR) AS expression"));
        assert!(mysql.contains("JOIN information_schema.table_constraints t"));
        assert!(
            mysql.ends_with("WHERE t.constraint_type = 'CHECK' AND (t.table_schema = DATABASE())")
        );
    }

    #[test]
    fn names_are_values() {
        let asked = [(Some("o'clock"), "a"), (None, "b")];
        let query = query(Which::Tables(&asked), Abilities::default());
        assert_eq!(query.values.len(), 6 * 3);
        assert_eq!(query.sql.matches('?').count(), query.values.len());
        assert!(!query.sql.contains("clock"));
    }
}
