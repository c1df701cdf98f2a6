//! The constraints that a live schema has, as plain data that adapters fill in.

use serde::{Deserialize, Serialize};

use crate::ConstraintKind;

/// A live schema, or the tables of it that were asked for.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Catalogue {
    /// The tables.
    pub tables: Vec<Table>,
}

impl Catalogue {
    /// The table that a name means: in that schema, or else the one that the bare name means.
    pub fn table(&self, schema: Option<&str>, name: &str) -> Option<&Table> {
        let fits = |table: &&Table| match schema {
            Some(schema) => table.schema.as_deref() == Some(schema),
            None => table.visible,
        };
        let named = |same: fn(&str, &str) -> bool| {
            self.tables
                .iter()
                .filter(fits)
                .find(|table| same(&table.name, name))
        };
        named(|a, b| a == b).or_else(|| named(str::eq_ignore_ascii_case))
    }
}

/// A table with its constraints.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Table {
    /// The schema (on MySQL: the database); `None` where the engine has none.
    pub schema: Option<String>,
    /// The name.
    pub name: String,
    /// Whether the bare name, without a schema, means this table.
    pub visible: bool,
    /// Whether triggers of the user's run on it.
    pub triggers: bool,
    /// The partitioned table that it is a part of, if it is; the outermost one. Errors name the
    /// partition and its constraints, declarations the whole.
    pub partition_of: Option<Parent>,
    /// The columns.
    pub columns: Vec<Column>,
    /// Unique and primary keys, foreign keys, checks and exclusions. Not `NOT NULL`, which the
    /// columns tell.
    pub constraints: Vec<Constraint>,
    /// The indexes that look-ups by a column's value can use, unique ones and those of keys too.
    pub indexes: Vec<Index>,
}

/// The whole of a partition.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Parent {
    /// The schema.
    pub schema: Option<String>,
    /// The name.
    pub table: String,
}

/// A column.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Column {
    /// The name.
    pub name: String,
    /// Whether it may be without a value.
    pub nullable: bool,
}

/// A constraint or unique index.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Constraint {
    /// `unique`, `foreign_key`, `check` or `exclusion`.
    pub kind: ConstraintKind,
    /// Whether it is the primary key.
    pub primary: bool,
    /// The name that errors give; `None` where it has none.
    pub name: Option<String>,
    /// The columns in the constraint's order; those that an expression or a check mentions.
    pub columns: Vec<String>,
    /// Whether it is over expressions, not plain columns.
    pub expression: bool,
    /// Whether it holds for some rows only.
    pub partial: bool,
    /// What a foreign key references.
    pub references: Option<Reference>,
}

impl Constraint {
    /// A constraint on plain columns.
    pub fn new(kind: ConstraintKind, name: Option<String>, columns: Vec<String>) -> Self {
        Self {
            kind,
            primary: false,
            name,
            columns,
            expression: false,
            partial: false,
            references: None,
        }
    }
}

/// An index.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Index {
    /// The name.
    pub name: String,
    /// The plain columns in the index's order, up to the first expression.
    pub columns: Vec<String>,
    /// Whether there are expressions in it.
    pub expression: bool,
    /// Whether it has some rows only.
    pub partial: bool,
    /// The columns that the choice of those rows mentions.
    pub condition: Vec<String>,
    /// Whether it is unique.
    pub unique: bool,
}

/// What a foreign key references.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Reference {
    /// The parent's schema, where the engine has schemas.
    pub schema: Option<String>,
    /// The parent.
    pub table: String,
    /// The parent's columns; empty for its primary key where the engine does not say.
    pub columns: Vec<String>,
}
