//! What the queries of all engines return, and how it is put together.

use resilient_core::{
    ConstraintKind,
    constraint::{
        Catalogue, Column, Constraint, Index, Parent, Reference, Table, columns_in_expression,
    },
};
use sea_orm::{DbErr, QueryResult};

/// One thing of a table: all columns are text, so that no engine's types matter.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Row {
    pub(super) schema: Option<String>,
    pub(super) table: String,
    /// `table`, `column`, `partition`, `trigger`, `index`, or a kind of constraint; of an index or
    /// a constraint there is a row for each of its members.
    pub(super) item: String,
    /// Of an index or a constraint.
    pub(super) name: Option<String>,
    /// Of a table: visible. Of a column: nullable. Of a constraint: partial. Of an index: unique.
    pub(super) mark: bool,
    pub(super) position: u32,
    pub(super) column: Option<String>,
    /// An expression in the place of a column, whose text says which ones it mentions.
    pub(super) expression: Option<String>,
    pub(super) parent_schema: Option<String>,
    pub(super) parent: Option<String>,
    pub(super) parent_column: Option<String>,
    /// Of an index, if it has some rows only: the text that says which.
    pub(super) condition: Option<String>,
}

impl Row {
    pub(super) fn read(row: &QueryResult) -> Result<Self, DbErr> {
        let text = |name: &str| row.try_get::<Option<String>>("", name);
        let required = |name: &str| {
            text(name)?.ok_or_else(|| DbErr::Type(format!("the catalogue gave no {name}")))
        };
        Ok(Self {
            schema: text("schema_name")?,
            table: required("table_name")?,
            item: required("item")?,
            name: text("name")?,
            mark: text("mark")?.is_some(),
            position: text("pos")?.and_then(|p| p.parse().ok()).unwrap_or(0),
            column: text("column_name")?,
            expression: text("expression")?,
            parent_schema: text("parent_schema")?,
            parent: text("parent")?,
            parent_column: text("parent_column")?,
            condition: text("condition_text")?,
        })
    }

    fn constraint_kind(&self) -> Option<ConstraintKind> {
        match &*self.item {
            "unique" | "primary" => Some(ConstraintKind::Unique),
            "foreign_key" => Some(ConstraintKind::ForeignKey),
            "check" => Some(ConstraintKind::Check),
            "exclusion" => Some(ConstraintKind::Exclusion),
            _ => None,
        }
    }
}

/// Puts rows in any order together.
pub(super) fn assemble(mut rows: Vec<Row>) -> Catalogue {
    // Columns come before expressions are looked through for them.
    let has_members = |row: &Row| row.item == "index" || row.constraint_kind().is_some();
    let rank = |row: &Row| (has_members(row), row.position);
    rows.sort_by(|a, b| {
        let table = (&a.schema, &a.table).cmp(&(&b.schema, &b.table));
        table.then_with(|| rank(a).cmp(&rank(b)))
    });
    let mut tables: Vec<Table> = Vec::new();
    for row in rows {
        let same = |t: &Table| t.name == row.table && t.schema == row.schema;
        if !tables.last().is_some_and(same) {
            tables.push(Table {
                schema: row.schema.clone(),
                name: row.table.clone(),
                ..Table::default()
            });
        }
        if let Some(table) = tables.last_mut() {
            add(table, row);
        }
    }
    for table in &mut tables {
        let order = |c: &Constraint| (!c.primary, c.kind, c.name.clone());
        table.constraints.sort_by_cached_key(order);
        table.indexes.sort_by(|a, b| a.name.cmp(&b.name));
    }
    Catalogue { tables }
}

fn add(table: &mut Table, row: Row) {
    if let Some(kind) = row.constraint_kind() {
        return add_member(table, kind, row);
    }
    if row.item == "index" {
        return add_part(table, row);
    }
    match (&*row.item, row.column, row.parent) {
        ("table", ..) => table.visible = row.mark,
        ("trigger", ..) => table.triggers = true,
        ("column", Some(name), _) => table.columns.push(Column {
            name,
            nullable: row.mark,
        }),
        ("partition", _, Some(name)) => {
            table.partition_of = Some(Parent {
                schema: row.parent_schema,
                table: name,
            });
        }
        _ => {}
    }
}

fn add_member(table: &mut Table, kind: ConstraintKind, row: Row) {
    let primary = row.item == "primary";
    let known = table
        .constraints
        .iter()
        .position(|c| c.kind == kind && c.primary == primary && c.name == row.name);
    let at = known.unwrap_or_else(|| {
        table.constraints.push(Constraint {
            primary,
            partial: row.mark,
            references: row.parent.map(|parent| Reference {
                schema: row.parent_schema,
                table: parent,
                columns: Vec::new(),
            }),
            ..Constraint::new(kind, row.name, Vec::new())
        });
        table.constraints.len() - 1
    });
    let mentioned = row.expression.as_deref().map(|e| mentioned(e, table));
    let constraint = &mut table.constraints[at];
    if mentioned.is_some() && kind != ConstraintKind::Check {
        constraint.expression = true;
    }
    for column in row
        .column
        .into_iter()
        .chain(mentioned.into_iter().flatten())
    {
        if !constraint.columns.contains(&column) {
            constraint.columns.push(column);
        }
    }
    if let (Some(references), Some(column)) = (&mut constraint.references, row.parent_column) {
        references.columns.push(column);
    }
}

/// A part of an index, behind those before it.
fn add_part(table: &mut Table, row: Row) {
    let name = row.name.unwrap_or_default();
    let known = table.indexes.iter().position(|index| index.name == name);
    let at = known.unwrap_or_else(|| {
        let condition = row.condition.as_deref();
        let index = Index {
            name,
            partial: condition.is_some(),
            condition: condition.map_or_else(Vec::new, |text| mentioned(text, table)),
            unique: row.mark,
            ..Index::default()
        };
        table.indexes.push(index);
        table.indexes.len() - 1
    });
    let index = &mut table.indexes[at];
    match row.column {
        Some(column) if !index.expression => index.columns.push(column),
        Some(_) => {}
        None => index.expression = true,
    }
}

/// The table's columns that an expression speaks of, as the table spells them.
fn mentioned(expression: &str, table: &Table) -> Vec<String> {
    let named = |name: &String| {
        let mut columns = table.columns.iter();
        let column = columns.find(|c| c.name.eq_ignore_ascii_case(name))?;
        Some(column.name.clone())
    };
    let words = columns_in_expression(expression);
    words.iter().filter_map(named).collect()
}
