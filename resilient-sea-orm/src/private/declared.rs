//! What `#[derive(ConstraintMessages)]` calls: SeaORM's names for an entity's table and columns.

use resilient_core::{
    ConstraintKind,
    constraint::{Declaration, Rule},
};
use sea_orm::{EntityName, IdenStatic};

/// The declaration of an entity's table, still without rules.
pub fn declaration<E: EntityName>(entity: &E, path: &'static str) -> Declaration {
    Declaration::of(entity.table_name().to_owned())
        .entity(path)
        .schema(entity.schema_name().map(str::to_owned))
}

/// The name of a column in the database.
pub fn column<C: IdenStatic>(column: &C) -> &'static str {
    column.as_str()
}

/// A rule for the constraint on these columns, or on those that its name will tell.
pub fn rule<const N: usize>(kind: ConstraintKind, columns: [&'static str; N]) -> Rule {
    Rule::new(kind, columns)
}
