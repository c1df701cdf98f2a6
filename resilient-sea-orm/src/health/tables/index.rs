//! The indexes that are missing, and the statements that add them.

use std::collections::HashSet;

use resilient_core::{
    constraint::Catalogue,
    health::indexes::{MissingIndex, unserved},
};
use sea_orm::DbBackend;

use super::{facts::Facts, target::Target};

/// How long a name may be before it is numbered: MySQL allows 64 characters.
const NAME_CHARS: usize = 60;

/// Names that are in use; in SQLite they are one set for all tables and indexes.
#[derive(Debug)]
pub(super) struct Names(HashSet<String>);

impl Names {
    pub(super) fn of(catalogue: &Catalogue) -> Self {
        let indexes = catalogue.tables.iter().flat_map(|table| &table.indexes);
        let tables = catalogue.tables.iter().map(|table| &table.name);
        let all = indexes.map(|index| &index.name).chain(tables);
        Self(all.map(|name| name.to_lowercase()).collect())
    }

    /// `idx_users_deleted_at`, numbered where that is taken.
    fn free(&mut self, table: &str, columns: &[String]) -> String {
        let name = format!("idx_{table}_{}", columns.join("_"));
        let name: String = name.chars().take(NAME_CHARS).collect();
        let numbered = (2_u32..).map(|number| format!("{name}_{number}"));
        let mut names = std::iter::once(name.clone()).chain(numbered);
        let free = names.find(|name| self.0.insert(name.to_lowercase()));
        free.unwrap_or(name)
    }
}

/// The indexes that a table misses.
pub(super) fn missing(target: &Target<'_>, facts: &Facts, names: &mut Names) -> Vec<MissingIndex> {
    if !facts.stored {
        return Vec::new();
    }
    let column = target.column.map(|(column, _)| column);
    // MySQL adds those of foreign keys by itself.
    let foreign_keys = target.backend != DbBackend::MySql;
    unserved(target.table, column, foreign_keys)
        .into_iter()
        .map(|(columns, why)| MissingIndex {
            table: target.table.name.clone(),
            statement: statement(target, facts, &columns, names),
            columns,
            why,
        })
        .collect()
}

fn statement(target: &Target<'_>, facts: &Facts, columns: &[String], names: &mut Names) -> String {
    let list: Vec<String> = columns.iter().map(|name| target.quoted(name)).collect();
    let list = list.join(", ");
    match target.backend {
        // The server chooses a free name. Of partitioned tables it refuses to do it concurrently.
        DbBackend::Postgres => {
            let how = if facts.partitioned {
                ""
            } else {
                " CONCURRENTLY"
            };
            format!("CREATE INDEX{how} ON {} ({list})", target.name())
        }
        DbBackend::MySql => {
            let name = target.quoted(&names.free(&target.table.name, columns));
            format!("CREATE INDEX {name} ON {} ({list})", target.name())
        }
        // Here the schema goes before the index.
        _ => {
            let name = target.quoted(&names.free(&target.table.name, columns));
            let table = target.quoted(&target.table.name);
            format!("CREATE INDEX main.{name} ON {table} ({list})")
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_free_and_not_too_long() {
        let mut names = Names(HashSet::from(["idx_t_a".to_owned()]));
        let columns = ["A".to_owned()];
        assert_eq!(names.free("t", &columns), "idx_t_A_2");
        assert_eq!(names.free("t", &columns), "idx_t_A_3");
        assert_eq!(names.free(&"ü".repeat(90), &columns).chars().count(), 60);
    }
}
