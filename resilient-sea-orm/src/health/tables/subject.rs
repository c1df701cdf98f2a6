//! What is looked at: the tables that somebody declared.

use resilient_core::{
    constraint,
    health::{
        soft_delete::{self, Marker},
        tables::TableReport,
    },
};

/// A declared table.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Subject {
    pub(super) schema: Option<String>,
    pub(super) table: String,
    pub(super) entity: String,
    pub(super) soft_delete: Option<(String, Marker)>,
}

impl Subject {
    /// One about which nothing is declared.
    pub(super) fn plain(schema: Option<&str>, table: &str) -> Self {
        Self {
            schema: schema.map(str::to_owned),
            table: table.to_owned(),
            entity: table.to_owned(),
            soft_delete: None,
        }
    }

    fn of(schema: Option<&str>, table: &str, entity: &str) -> Self {
        Self {
            entity: entity.to_owned(),
            ..Self::plain(schema, table)
        }
    }

    /// Its report, without numbers.
    pub(super) fn report(&self, reason: impl Into<String>) -> TableReport {
        TableReport {
            schema: self.schema.clone(),
            entity: self.entity.clone(),
            soft_delete_column: self.soft_delete.as_ref().map(|(column, _)| column.clone()),
            ..TableReport::unknown(&*self.table, reason)
        }
    }
}

/// Every declared table of this connection, each once, in order of their names.
pub(super) fn all(connection: &str) -> Vec<Subject> {
    let ours = |database: Option<&str>| database.is_none_or(|name| name == connection);
    let mut all: Vec<Subject> = Vec::new();
    for one in soft_delete::declarations().iter() {
        let subject = Subject {
            soft_delete: Some((one.column().to_owned(), one.marker())),
            ..Subject::of(one.schema_name(), one.table(), one.title())
        };
        let same = |other: &Subject| {
            is_same(other, one.schema_name(), one.table())
                && other.soft_delete == subject.soft_delete
        };
        if ours(one.database_name()) && !all.iter().any(same) {
            all.push(subject);
        }
    }
    for one in constraint::declarations().iter() {
        let (schema, table) = (one.schema_name(), one.table());
        if ours(one.database_name()) && !all.iter().any(|s| is_same(s, schema, table)) {
            all.push(Subject::of(schema, table, one.title()));
        }
    }
    all.sort_by(|a, b| (&a.schema, &a.table).cmp(&(&b.schema, &b.table)));
    all
}

fn is_same(subject: &Subject, schema: Option<&str>, table: &str) -> bool {
    subject.schema.as_deref() == schema && subject.table == table
}
